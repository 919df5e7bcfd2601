package commands

import (
	"chancery/domain"
	"chancery/internal/dcb"
)

// SuspendLicense stops a licence for a while. Files that are out go on to verify offline until they expire.
type SuspendLicense struct {
	ID     domain.LicenseID `json:"id" required:"true" description:"the licence"`
	Reason string           `json:"reason,omitzero" description:"why, for the record; the holder can read it"`
}

func (c SuspendLicense) Target() dcb.Tagger { return c.ID }

func (c SuspendLicense) Decide(env Env) dcb.Decision {
	return env.soldLicense(c.ID, c.Reason, func(l domain.License) ([]dcb.Event, error) {
		switch {
		case l.Revoked:
			return nil, domain.ErrLicenseRevoked
		case l.Suspended:
			return nil, nil
		}
		return ofBoth(l.Holder, l.Vendor, domain.LicenseSuspended{
			License: l.ID, Holder: l.Holder, Vendor: l.Vendor, App: domain.OfApp(l.Name.ID()), Held: l.Name.HeldBy(l.Holder.Tenant()), Reason: c.Reason,
		}), nil
	})
}

// ReinstateLicense ends a suspension.
type ReinstateLicense struct {
	ID domain.LicenseID `json:"id" required:"true" description:"the licence"`
}

func (c ReinstateLicense) Target() dcb.Tagger { return c.ID }

func (c ReinstateLicense) Decide(env Env) dcb.Decision {
	return env.soldLicense(c.ID, "", func(l domain.License) ([]dcb.Event, error) {
		switch {
		case l.Revoked:
			return nil, domain.ErrLicenseRevoked
		case !l.Suspended:
			return nil, nil
		}
		return ofBoth(l.Holder, l.Vendor, domain.LicenseReinstated{License: l.ID, Holder: l.Holder, Vendor: l.Vendor, App: domain.OfApp(l.Name.ID()), Held: l.Name.HeldBy(l.Holder.Tenant())}), nil
	})
}

// RevokeLicense ends a licence for good.
type RevokeLicense struct {
	ID     domain.LicenseID `json:"id" required:"true" description:"the licence"`
	Reason string           `json:"reason,omitzero" description:"why, for the record; the holder can read it"`
}

func (c RevokeLicense) Target() dcb.Tagger { return c.ID }

func (c RevokeLicense) Decide(env Env) dcb.Decision {
	return env.soldLicense(c.ID, c.Reason, func(l domain.License) ([]dcb.Event, error) {
		if l.Revoked {
			return nil, nil
		}
		return ofBoth(l.Holder, l.Vendor, domain.LicenseRevoked{
			License: l.ID, Holder: l.Holder, Vendor: l.Vendor, App: domain.OfApp(l.Name.ID()), Held: l.Name.HeldBy(l.Holder.Tenant()), Reason: c.Reason,
		}), nil
	})
}

// soldLicense starts a decision about a licence that the tenant issued. One who was dismissed as a vendor may still stop their licences.
func (env Env) soldLicense(id domain.LicenseID, reason string, rule func(domain.License) ([]dcb.Event, error)) dcb.Decision {
	l := domain.LicenseOf(env.Tenant, id)
	return dcb.From(l).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", reason); err != nil {
			return nil, err
		}
		if !env.sold(l.Value) {
			return nil, domain.At("/id", domain.ErrLicenseUnknown)
		}
		return rule(l.Value)
	})
}

// ExpireLicense records that the window of a licence is over. It is no command of callers: Chancery gives it to itself, in the holder's
// tenant, when the date has come.
type ExpireLicense struct{ ID domain.LicenseID }

func (c ExpireLicense) Target() dcb.Tagger { return c.ID }

func (c ExpireLicense) Decide(env Env) dcb.Decision {
	l := domain.LicenseOf(env.Tenant, c.ID)
	return dcb.From(l).Decide(func() ([]dcb.Event, error) { return env.expired(l.Value), nil })
}

// EndLicense likewise records that the time of grace is over.
type EndLicense struct{ ID domain.LicenseID }

func (c EndLicense) Target() dcb.Tagger { return c.ID }

func (c EndLicense) Decide(env Env) dcb.Decision {
	f := domain.LicenseOf(env.Tenant, c.ID)
	return dcb.From(f).Decide(func() ([]dcb.Event, error) {
		l, over := f.Value, f.Value.Terms.GraceUntil()
		if !env.mayEnd(l) || env.Now.Before(over) || l.Ended.Equal(over) {
			return nil, nil
		}
		ended := domain.LicenseEnded{License: l.ID, Holder: l.Holder, Vendor: l.Vendor, App: domain.OfApp(l.Name.ID()), Held: l.Name.HeldBy(l.Holder.Tenant()), Ended: over}
		return append(env.expired(l), ofBoth(l.Holder, l.Vendor, ended)...), nil
	})
}

// expired says that the window of a licence is over, if it is and that was not said of this end.
func (env Env) expired(l domain.License) []dcb.Event {
	over := l.Terms.Window.Until
	if !env.mayEnd(l) || env.Now.Before(over) || l.Expired.Equal(over) {
		return nil
	}
	return ofBoth(l.Holder, l.Vendor, domain.LicenseExpired{License: l.ID, Holder: l.Holder, Vendor: l.Vendor, App: domain.OfApp(l.Name.ID()), Held: l.Name.HeldBy(l.Holder.Tenant()), Ended: over})
}

// mayEnd reports whether the tenant holds the licence, and it can still end of itself.
func (env Env) mayEnd(l domain.License) bool {
	return l.Known && l.Holder.Tenant() == env.Tenant && !l.Revoked && !l.Terms.Window.Until.IsZero()
}
