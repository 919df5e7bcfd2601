package domain

import (
	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// AppEnabled puts a version of an app to work in a tenant. What the version brings is there from then on.
type AppEnabled struct {
	TenantApp       TenantAppID `json:"tenant_app"`
	Name            App         `json:"name"`
	Number          Semver      `json:"number"`
	Previous        Semver      `json:"previous,omitzero"` // the other version that was at work before it, if one was
	Brings          []Brought   `json:"brings,omitzero"`
	Needs           []Need      `json:"needs,omitzero"`
	LicenseRequired bool        `json:"license_required,omitzero"`
	Resumes         bool        `json:"resumes,omitzero"`   // when a licence ends and is renewed, it is enabled again without being asked
	Consented       []Privilege `json:"consented,omitzero"` // those of Brings that are new since it was last enabled and that the tenant agreed to by name
}

// AppUpgraded puts another version in its place, and says all anew.
type AppUpgraded struct {
	TenantApp       TenantAppID `json:"tenant_app"`
	Name            App         `json:"name"`
	From            Semver      `json:"from"`
	Number          Semver      `json:"number"`
	Brings          []Brought   `json:"brings,omitzero"`
	Needs           []Need      `json:"needs,omitzero"`
	LicenseRequired bool        `json:"license_required,omitzero"`
	Drops           []Privilege `json:"drops,omitzero"`     // what the version before brought and this one does not
	Consented       []Privilege `json:"consented,omitzero"` // those of Brings that the tenant agreed to by name
}

// AppRolledBack is AppUpgraded to the version before.
type AppRolledBack struct {
	TenantApp       TenantAppID `json:"tenant_app"`
	Name            App         `json:"name"`
	From            Semver      `json:"from"`
	Number          Semver      `json:"number"`
	Brings          []Brought   `json:"brings,omitzero"`
	Needs           []Need      `json:"needs,omitzero"`
	LicenseRequired bool        `json:"license_required,omitzero"`
	Drops           []Privilege `json:"drops,omitzero"`
	Reason          string      `json:"reason,omitzero"`
}

// AppDisabled takes an app out of work in a tenant. Its privileges are gone; its configuration and the assignments of its roles stay.
type AppDisabled struct {
	TenantApp TenantAppID `json:"tenant_app"`
	Name      App         `json:"name"`
	Drops     []Privilege `json:"drops,omitzero"` // all that the version brought
	Reason    string      `json:"reason,omitzero"`
}

// AppPinned keeps a tenant on a version until it is unpinned.
type AppPinned struct {
	TenantApp TenantAppID `json:"tenant_app"`
	Name      App         `json:"name"`
	Number    Semver      `json:"number"`
}

// AppUnpinned ends that.
type AppUnpinned struct {
	TenantApp TenantAppID `json:"tenant_app"`
	Name      App         `json:"name"`
}

// AppConfigured gives an app its configuration in a tenant, in place of any earlier one.
type AppConfigured struct {
	TenantApp TenantAppID `json:"tenant_app"`
	Name      App         `json:"name"`
	Config    string      `json:"config"` // canonical JSON (RFC 8785); secrets by reference only
}

func (AppEnabled) EventType() string    { return "tenant-app.enabled" }
func (AppUpgraded) EventType() string   { return "tenant-app.upgraded" }
func (AppRolledBack) EventType() string { return "tenant-app.rolled-back" }
func (AppDisabled) EventType() string   { return "tenant-app.disabled" }
func (AppPinned) EventType() string     { return "tenant-app.pinned" }
func (AppUnpinned) EventType() string   { return "tenant-app.unpinned" }
func (AppConfigured) EventType() string { return "tenant-app.configured" }

var tenantAppEvents = dcb.Kind("tenant-app",
	dcb.Of[AppEnabled](), dcb.Of[AppUpgraded](), dcb.Of[AppRolledBack](), dcb.Of[AppDisabled](), dcb.Of[AppPinned](),
	dcb.Of[AppUnpinned](), dcb.Of[AppConfigured]())

var (
	ErrAppNotReady    = refuse("app-not-ready", "what the app needs is not there")
	ErrAppNotEnabled  = refuse("app-not-enabled", "the app is not enabled in the tenant")
	ErrAppNeeded      = refuse("app-needed", "other apps of the tenant depend on it")
	ErrAppPinned      = refuse("app-pinned", "the app is pinned to its version; unpin it first")
	ErrUpgradeUnread  = refuse("upgrade-unconfirmed", "the change of version must be confirmed by the hash of the manifest")
	ErrConsentMissing = refuse("privileges-unconsented", "the version brings new privileges, which the tenant must agree to by name")
	ErrConfigInvalid  = refuse("config-invalid", "the configuration is not as the version demands")
	ErrNoEarlier      = refuse("nothing-to-roll-back", "no other version was at work in the tenant before")
)

// Why Chancery itself disables an app.
const (
	AppLicenseEnded = "license-ended"       // it needs a licence, and none is in force any more
	AppNeedDisabled = "dependency-disabled" // an app that it needs was disabled for that
)

// Brought is a privilege that a version brings into a tenant. Its tag is the privilege's.
type Brought struct {
	Privilege   Privilege `json:"privilege"`
	Description string    `json:"description,omitzero"`
}

// Tag is the privilege's.
func (b Brought) Tag() dcb.Tag { return b.Privilege.Tag() }

// Need is another app of the same tenant that must go on being enabled, in a version of the range. Its tag names the dependants.
type Need struct {
	TenantApp uuid.UUID   `json:"tenant_app"`
	App       App         `json:"app"`
	Range     SemverRange `json:"range"`
}

// Tag stands on all that need the same app in the same tenant.
func (n Need) Tag() dcb.Tag { return tagged("tenant-app-need", n.TenantApp) }

// In is the id of the app in a tenant.
func (a App) In(t TenantID) TenantAppID { return TenantAppID{NamedID(t, "tenant-app", string(a))} }

// RoleID is the id that a role of the app has in a tenant.
func (a App) RoleID(t TenantID, key string) RoleID {
	return RoleID{NamedID(t, "app-role", string(a)+"/"+key)}
}

// TenantApp is what decisions need to know of an app in a tenant.
type TenantApp struct {
	Known           bool // it was enabled at least once
	Enabled         bool
	Name            App
	Number          Semver
	Previous        Semver // the version before; empty for none
	Pinned          Semver // empty for none
	Brings          []Brought
	Needs           []Need
	LicenseRequired bool
	Resumes         bool
	EndedByLicense  bool // Chancery disabled it, because its licences ended or those of an app that it needs
	Config          string
}

// TenantAppOf is an app in a tenant.
func TenantAppOf(t TenantID, name App) *dcb.Fact[TenantApp] {
	runs := func(a *TenantApp, n Semver, brings []Brought, needs []Need, licensed bool) {
		if a.Number != n && a.Number != "" {
			a.Previous = a.Number
		}
		a.Known, a.Enabled, a.Name, a.EndedByLicense = true, true, name, false
		a.Number, a.Brings, a.Needs, a.LicenseRequired = n, brings, needs, licensed
	}
	return dcb.Ask(TenantApp{}, tags(name.In(t)),
		dcb.On(func(a *TenantApp, e AppEnabled) {
			runs(a, e.Number, e.Brings, e.Needs, e.LicenseRequired)
			a.Resumes = e.Resumes
		}),
		dcb.On(func(a *TenantApp, e AppUpgraded) { runs(a, e.Number, e.Brings, e.Needs, e.LicenseRequired) }),
		dcb.On(func(a *TenantApp, e AppRolledBack) { runs(a, e.Number, e.Brings, e.Needs, e.LicenseRequired) }),
		dcb.On(func(a *TenantApp, e AppDisabled) {
			a.Enabled, a.EndedByLicense = false, e.Reason == AppLicenseEnded || e.Reason == AppNeedDisabled
		}),
		dcb.On(func(a *TenantApp, e AppPinned) { a.Pinned = e.Number }),
		dcb.On(func(a *TenantApp, _ AppUnpinned) { a.Pinned = "" }),
		dcb.On(func(a *TenantApp, e AppConfigured) { a.Config = e.Config }),
	).Only(t.UUID)
}

// Dependants are the names of the apps that ever needed an app in a tenant; whether they still do, TenantAppOf each tells.
func Dependants(t TenantID, name App) *dcb.Fact[[]App] {
	note := func(all *[]App, dependant App) {
		*all = sorted(append(*all, dependant))
	}
	return dcb.Ask([]App(nil), []dcb.Tag{Need{TenantApp: name.In(t).UUID}.Tag()},
		dcb.On(func(all *[]App, e AppEnabled) { note(all, e.Name) }),
		dcb.On(func(all *[]App, e AppUpgraded) { note(all, e.Name) }),
		dcb.On(func(all *[]App, e AppRolledBack) { note(all, e.Name) }),
	).Only(t.UUID)
}
