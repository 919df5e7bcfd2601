package domain

import (
	"slices"
	"strings"

	"chancery/internal/dcb"
)

// AppRegistered makes an app known on the platform. Its name is its own for ever: its privileges begin with it. Like all events about
// apps and their versions it is recorded on the platform and, as a copy, in the vendor's tenant.
type AppRegistered struct {
	App         AppID    `json:"app"`
	Vendor      VendorID `json:"vendor"`
	Name        App      `json:"name"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitzero"`
}

// AppDescribed changes what is said of an app.
type AppDescribed struct {
	App         AppID  `json:"app"`
	Title       string `json:"title"`
	Description string `json:"description,omitzero"`
}

func (AppRegistered) EventType() string { return "app.registered" }
func (AppDescribed) EventType() string  { return "app.described" }

var appEvents = dcb.Kind("app", dcb.Of[AppRegistered](), dcb.Of[AppDescribed](), dcb.Of[AppRouteReleased]())

var (
	ErrAppUnknown  = &Refusal{Missing, "not-found", "there is no such app"}
	ErrAppTaken    = refuse("app-name-taken", "there is an app of that name")
	ErrAppReserved = refuse("app-name-reserved", "the name is Chancery's own, or privileges of the platform begin with it")
)

// ReservedApps are names that no app gets: they stand for Chancery itself. Nor does one get the first word of a type of event of
// Chancery's own; see Reserved.
var ReservedApps = []App{CoreApp, "chancery", "platform", "root", "system", "event", "events"}

// Reserved reports whether no app gets the name.
func (a App) Reserved() bool {
	return slices.Contains(ReservedApps, a) || slices.ContainsFunc(Catalog.Types(), func(typ string) bool {
		return strings.HasPrefix(typ, string(a)+".")
	})
}

// ID is the id of the app of that name.
func (a App) ID() AppID { return AppID{NamedID(Root, "app", string(a))} }

// RegisteredApp is what decisions need to know of an app.
type RegisteredApp struct {
	Known       bool
	Vendor      VendorID
	Name        App
	Title       string
	Description string
	Versions    []PublishedVersion // in the order in which they were published
}

// PublishedVersion is one version of an app, without its manifest.
type PublishedVersion struct {
	ID         AppVersionID
	Number     Semver
	Hash       string
	Routes     []Route
	Deprecated bool
	Message    string // of the deprecation
	Yanked     bool
}

// Version finds a version by its number.
func (a RegisteredApp) Version(n Semver) (v PublishedVersion, ok bool) {
	i := slices.IndexFunc(a.Versions, func(v PublishedVersion) bool { return v.Number == n })
	if i < 0 {
		return v, false
	}
	return a.Versions[i], true
}

// Latest is the highest version by precedence (Semantic Versioning 2.0.0, section 11) that is not yanked; a prerelease only where asked.
func (a RegisteredApp) Latest(prereleases bool) (v PublishedVersion, ok bool) {
	for _, o := range a.Versions {
		if !o.Yanked && o.Number.Prerelease() == prereleases && (!ok || o.Number.Compare(v.Number) > 0) {
			v, ok = o, true
		}
	}
	return v, ok
}

// Before is the highest version below n that is not yanked.
func (a RegisteredApp) Before(n Semver) (v PublishedVersion, ok bool) {
	for _, o := range a.Versions {
		if !o.Yanked && o.Number.Compare(n) < 0 && (!ok || o.Number.Compare(v.Number) > 0) {
			v, ok = o, true
		}
	}
	return v, ok
}

func (a *RegisteredApp) change(id AppVersionID, change func(*PublishedVersion)) {
	a.Versions = slices.Clone(a.Versions)
	for i := range a.Versions {
		if a.Versions[i].ID == id {
			change(&a.Versions[i])
		}
	}
}

// AppNamed is one app with its versions, as the platform has it.
func AppNamed(name App) *dcb.Fact[RegisteredApp] {
	return dcb.Ask(RegisteredApp{}, tags(name.ID()),
		dcb.On(func(a *RegisteredApp, e AppRegistered) {
			*a = RegisteredApp{Known: true, Vendor: e.Vendor, Name: e.Name, Title: e.Title, Description: e.Description}
		}),
		dcb.On(func(a *RegisteredApp, e AppDescribed) { a.Title, a.Description = e.Title, e.Description }),
		dcb.On(func(a *RegisteredApp, e AppVersionPublished) {
			a.Versions = append(slices.Clip(a.Versions), PublishedVersion{ID: e.Version, Number: e.Number, Hash: e.Hash, Routes: e.Routes})
		}),
		dcb.On(func(a *RegisteredApp, e AppVersionDeprecated) {
			a.change(e.Version, func(v *PublishedVersion) { v.Deprecated, v.Message = true, e.Message })
		}),
		dcb.On(func(a *RegisteredApp, e AppVersionUndeprecated) {
			a.change(e.Version, func(v *PublishedVersion) { v.Deprecated, v.Message = false, "" })
		}),
		dcb.On(func(a *RegisteredApp, e AppVersionYanked) {
			a.change(e.Version, func(v *PublishedVersion) { v.Yanked = true })
		}),
	).Only(Root.UUID)
}
