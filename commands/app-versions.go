package commands

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// PublishAppVersion adds a version to an app. It never changes: the same manifest again changes nothing, and another one is refused.
// Sent to the vendor's tenant.
type PublishAppVersion struct {
	Manifest jsontext.Value `json:"manifest" required:"true" description:"what the version says of itself; its schema is at /v1/schemas/app-manifest.json"`
}

// Target is the version that the manifest is of, if it says so.
func (c PublishAppVersion) Target() dcb.Tagger {
	app, n, ok := domain.ManifestNames(c.Manifest)
	if !ok {
		return domain.AppVersionID{}
	}
	return app.VersionID(n)
}

func (c PublishAppVersion) Decide(env Env) dcb.Decision {
	app, _, ok := domain.ManifestNames(c.Manifest)
	if !ok {
		vendor := domain.VendorOf(env.Tenant)
		return dcb.From(vendor).Decide(func() ([]dcb.Event, error) {
			if !vendor.Value {
				return nil, domain.ErrNotVendor
			}
			_, _, _, err := domain.ParseManifest(c.Manifest)
			return nil, err
		})
	}
	p := publication{ownApp: env.ownApp("/manifest/app", app), raw: c.Manifest}
	return p.decision().
		Then(p.more).
		Decide(p.decide)
}

// publication is the decision about a version.
type publication struct {
	ownApp
	raw             jsontext.Value
	m               domain.Manifest
	canonical, hash string
	bad             error                     // what is wrong with the manifest
	privileges      []*dcb.Fact[bool]         // of each: whether it is the platform's
	domains         *dcb.Fact[domain.Domains] // in which hosts must lie; nil if it names none, or may name any
	holders         [][]*dcb.Fact[uuid.UUID]  // of each route
	before          *dcb.Fact[string]         // the manifest of the version before it
	asked           bool
}

// more judges the manifest, which takes long, once it is known to be a vendor's about an app of its own; and names the facts that only
// matter to a version which is new.
func (p *publication) more() []dcb.AnyFact {
	if p.asked || p.refusal() != nil {
		return nil
	}
	p.asked = true
	p.m, p.canonical, p.hash, p.bad = domain.ParseManifest(p.raw)
	if _, there := p.app.Value.Version(p.m.Version); there || p.bad != nil {
		return nil
	}
	p.holders, p.privileges = holders(p.m.Routes), platforms(p.m.Privileges)
	if p.env.Tenant != domain.Root && slices.ContainsFunc(p.m.Routes, func(r domain.Route) bool { return r.Host != "" }) {
		p.domains = domain.DomainsOf(p.env.Tenant)
	}
	var facts []dcb.AnyFact
	for _, f := range p.privileges {
		facts = append(facts, f)
	}
	seen := map[*dcb.Fact[uuid.UUID]]bool{}
	for _, f := range slices.Concat(p.holders...) {
		if !seen[f] {
			seen[f] = true
			facts = append(facts, f)
		}
	}
	if p.domains != nil {
		facts = append(facts, p.domains)
	}
	if v, ok := p.app.Value.Before(p.m.Version); ok {
		p.before = domain.ManifestOf(p.m.App, v.Number)
		facts = append(facts, p.before)
	}
	return facts
}

func (p *publication) decide() ([]dcb.Event, error) {
	if err := domain.FirstError(p.refusal(), p.bad); err != nil {
		return nil, err
	}
	switch v, there := p.app.Value.Version(p.m.Version); {
	case there && v.Yanked:
		return nil, domain.At("/manifest/version", domain.ErrVersionYanked)
	case there && v.Hash != p.hash:
		return nil, domain.At("/manifest/version", domain.ErrVersionTaken)
	case there:
		return nil, nil
	}
	if err := p.taken(); err != nil {
		return nil, err
	}
	grows, err := p.grows()
	if err != nil {
		return nil, err
	}
	id := p.m.App.VersionID(p.m.Version)
	return append(registered(p.app.Value.Vendor, domain.AppVersionPublished{
		Version: id, App: p.m.App.ID(), Name: p.m.App, Number: p.m.Version, Hash: p.hash, Grows: grows, Routes: p.m.Routes,
	}), dcb.In(domain.Root.UUID, domain.ManifestPublished{Version: id, Manifest: p.canonical})), nil
}

// taken refuses what is not the app's to bring.
func (p *publication) taken() error {
	var places []domain.Place
	for i, f := range p.privileges {
		if f.Value {
			places = append(places, domain.Place{Pointer: "/manifest/privileges/" + strconv.Itoa(i) + "/name", Detail: domain.ErrPrivilegeTwice.Text})
		}
	}
	if err := domain.Refused(domain.ErrPrivilegeTwice, places); err != nil {
		return err
	}
	for i, r := range p.m.Routes {
		if p.domains != nil && r.Host != "" && !p.domains.Value.Cover(r.Host) {
			places = append(places, domain.Place{Pointer: "/manifest/routes/" + strconv.Itoa(i) + "/host", Detail: domain.ErrRouteHost.Text})
		}
	}
	if err := domain.Refused(domain.ErrRouteHost, places); err != nil {
		return err
	}
	for i, of := range p.holders {
		// Who has the nearest prefix has what is below it, whoever came to one above.
		nearest := slices.IndexFunc(of, func(f *dcb.Fact[uuid.UUID]) bool { return f.Value != uuid.Nil })
		if nearest >= 0 && of[nearest].Value != p.m.App.ID().UUID {
			places = append(places, domain.Place{Pointer: "/manifest/routes/" + strconv.Itoa(i) + "/path", Detail: domain.ErrRouteTaken.Text})
		}
	}
	return domain.Refused(domain.ErrRouteTaken, places)
}

// grows reports whether the version brings what its users do not expect of it.
func (p *publication) grows() (bool, error) {
	if p.before == nil {
		return false, nil
	}
	before, err := domain.ReadManifest(p.before.Value)
	return err == nil && p.m.Outgrows(before), err
}

// platforms are the facts whether the privileges are the platform's own.
func platforms(brought []domain.ManifestPrivilege) []*dcb.Fact[bool] {
	facts := make([]*dcb.Fact[bool], len(brought))
	for i, b := range brought {
		facts[i] = domain.PlatformHas(b.Name)
	}
	return facts
}

// holders are for each route the facts who has the prefixes that it is or lies within, the nearest first. Routes share them.
func holders(routes []domain.Route) [][]*dcb.Fact[uuid.UUID] {
	all := make([][]*dcb.Fact[uuid.UUID], len(routes))
	known := map[domain.Key]*dcb.Fact[uuid.UUID]{}
	for i, r := range routes {
		for _, key := range r.Within() {
			if known[key] == nil {
				known[key] = domain.RouteHolder(key)
			}
			all[i] = append(all[i], known[key])
		}
	}
	return all
}

// DeprecateAppVersion advises against a version. Sent to the vendor's tenant.
type DeprecateAppVersion struct {
	App     domain.App    `json:"app" required:"true" description:"the app's name"`
	Version domain.Semver `json:"version" required:"true" description:"the version's number"`
	Message string        `json:"message,omitzero" description:"what to do instead"`
}

func (c DeprecateAppVersion) Target() dcb.Tagger { return c.App.VersionID(c.Version) }

func (c DeprecateAppVersion) Decide(env Env) dcb.Decision {
	return env.ownVersion(c.App, c.Version, domain.CheckText("/message", c.Message), func(v domain.PublishedVersion) (dcb.Event, error) {
		switch {
		case v.Yanked:
			return nil, domain.At("/version", domain.ErrVersionYanked)
		case v.Deprecated && v.Message == c.Message:
			return nil, nil
		}
		return domain.AppVersionDeprecated{Version: v.ID, App: c.App.ID(), Message: c.Message}, nil
	})
}

// UndeprecateAppVersion ends that. Sent to the vendor's tenant.
type UndeprecateAppVersion struct {
	App     domain.App    `json:"app" required:"true" description:"the app's name"`
	Version domain.Semver `json:"version" required:"true" description:"the version's number"`
}

func (c UndeprecateAppVersion) Target() dcb.Tagger { return c.App.VersionID(c.Version) }

func (c UndeprecateAppVersion) Decide(env Env) dcb.Decision {
	return env.ownVersion(c.App, c.Version, nil, func(v domain.PublishedVersion) (dcb.Event, error) {
		switch {
		case v.Yanked:
			return nil, domain.At("/version", domain.ErrVersionYanked)
		case !v.Deprecated:
			return nil, nil
		}
		return domain.AppVersionUndeprecated{Version: v.ID, App: c.App.ID()}, nil
	})
}

// YankAppVersion withdraws a version for good. Who runs it goes on. Sent to the vendor's tenant.
type YankAppVersion struct {
	App     domain.App    `json:"app" required:"true" description:"the app's name"`
	Version domain.Semver `json:"version" required:"true" description:"the version's number"`
	Reason  string        `json:"reason,omitzero" description:"why, for the record"`
}

func (c YankAppVersion) Target() dcb.Tagger { return c.App.VersionID(c.Version) }

func (c YankAppVersion) Decide(env Env) dcb.Decision {
	return env.ownVersion(c.App, c.Version, domain.CheckText("/reason", c.Reason), func(v domain.PublishedVersion) (dcb.Event, error) {
		if v.Yanked {
			return nil, nil
		}
		return domain.AppVersionYanked{Version: v.ID, App: c.App.ID(), Reason: c.Reason}, nil
	})
}

// ownVersion decides about a version of an app of the vendor's; a nil event says that nothing is to be done.
func (env Env) ownVersion(app domain.App, n domain.Semver, invalid error, rule func(domain.PublishedVersion) (dcb.Event, error)) dcb.Decision {
	a := env.ownApp("/app", app)
	return a.decision().Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(a.refusal(), invalid); err != nil {
			return nil, err
		}
		v, there := a.app.Value.Version(n)
		if !there {
			return nil, domain.At("/version", domain.ErrVersionOfApp)
		}
		e, err := rule(v)
		if err != nil || e == nil {
			return nil, err
		}
		return registered(a.app.Value.Vendor, e), nil
	})
}
