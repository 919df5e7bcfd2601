package commands

import (
	"cmp"

	"chancery/domain"
	"chancery/internal/dcb"
)

// RegisterApp makes an app known on the platform, under a name that is its own for ever. Sent to the vendor's tenant.
type RegisterApp struct {
	Name        domain.App `json:"name" required:"true" description:"what its privileges, secrets and event types begin with: 1 to 63 of a-z, 0-9 and -"`
	Title       string     `json:"title" required:"true" description:"what it is called where people read it"`
	Description string     `json:"description,omitzero" description:"what it is for"`
}

func (c RegisterApp) Target() dcb.Tagger { return c.Name.ID() }

func (c RegisterApp) Decide(env Env) dcb.Decision {
	vendor, app := domain.VendorOf(env.Tenant), domain.AppNamed(c.Name)
	return dcb.From(vendor, app).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(c.Name.Check("/name"), domain.CheckName("/title", c.Title), domain.CheckText("/description", c.Description)); err != nil {
			return nil, err
		}
		v := domain.VendorIn(env.Tenant)
		switch {
		case !vendor.Value:
			return nil, domain.ErrNotVendor
		case c.Name.Reserved() || env.Begins != nil && env.Begins(c.Name):
			return nil, domain.At("/name", domain.ErrAppReserved)
		case app.Value.Known && app.Value.Vendor == v && app.Value.Title == c.Title && app.Value.Description == c.Description:
			return nil, nil
		case app.Value.Known:
			return nil, domain.At("/name", domain.ErrAppTaken)
		}
		return registered(v, domain.AppRegistered{App: c.Name.ID(), Vendor: v, Name: c.Name, Title: c.Title, Description: c.Description}), nil
	})
}

// DescribeApp changes what is said of an app. Sent to the vendor's tenant.
type DescribeApp struct {
	App         domain.App `json:"app" required:"true" description:"the app's name"`
	Title       string     `json:"title,omitzero" description:"what it is called where people read it; absent: as it is"`
	Description *string    `json:"description,omitzero" nullable:"false" description:"what it is for; absent: as it is"`
}

func (c DescribeApp) Target() dcb.Tagger { return c.App.ID() }

func (c DescribeApp) Decide(env Env) dcb.Decision {
	a := env.ownApp("/app", c.App)
	return a.decision().Decide(func() ([]dcb.Event, error) {
		if err := a.refusal(); err != nil {
			return nil, err
		}
		was := a.app.Value
		now := domain.AppDescribed{App: c.App.ID(), Title: cmp.Or(c.Title, was.Title), Description: was.Description}
		if c.Description != nil {
			now.Description = *c.Description
		}
		if err := domain.FirstError(domain.CheckName("/title", now.Title), domain.CheckText("/description", now.Description)); err != nil {
			return nil, err
		}
		if now.Title == was.Title && now.Description == was.Description {
			return nil, nil
		}
		return registered(was.Vendor, now), nil
	})
}

// ownApp is an app as its vendor changes it.
type ownApp struct {
	env     Env
	pointer string // where the input names it
	vendor  *dcb.Fact[bool]
	app     *dcb.Fact[domain.RegisteredApp]
}

func (env Env) ownApp(pointer string, name domain.App) ownApp {
	return ownApp{env, pointer, domain.VendorOf(env.Tenant), domain.AppNamed(name)}
}

func (a ownApp) decision() dcb.Decision { return dcb.From(a.vendor, a.app) }

// refusal refuses who is no vendor. An app of another vendor is an app that does not exist.
func (a ownApp) refusal() error {
	switch {
	case !a.vendor.Value:
		return domain.ErrNotVendor
	case !a.app.Value.Known || a.app.Value.Vendor != domain.VendorIn(a.env.Tenant):
		return domain.At(a.pointer, domain.ErrAppUnknown)
	}
	return nil
}

// registered records an event about an app on the platform, and a copy in its vendor's tenant. The platform's comes last: it is the one
// that the tables show, and whoever has seen it has seen the copy.
func registered(v domain.VendorID, e dcb.Event) []dcb.Event {
	if v.Tenant() == domain.Root {
		return []dcb.Event{dcb.In(domain.Root.UUID, e)}
	}
	return []dcb.Event{dcb.In(v.UUID, e), dcb.In(domain.Root.UUID, e)}
}
