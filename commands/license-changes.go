package commands

import (
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Amendment is what a licence shall say instead. What is absent stays as it is.
type Amendment struct {
	GraceDays    *int                  `json:"grace_days,omitzero" description:"absent to keep"`
	Seats        *int                  `json:"seats,omitzero" description:"absent to keep; -1: they are not counted any more"`
	Seating      domain.Seating        `json:"seating,omitzero" description:"named or floating; absent to keep"`
	LeaseSeconds *int                  `json:"lease_seconds,omitzero" description:"absent to keep"`
	Activations  *int                  `json:"activations,omitzero" description:"absent to keep; -1: they are not counted any more"`
	Entitlements *[]domain.Entitlement `json:"entitlements,omitzero" description:"all that it allows from now on; absent to keep"`
	Notes        *string               `json:"notes,omitzero" description:"absent to keep"`
	FileDays     int                   `json:"file_days,omitzero" description:"after how many days the new licence file must be fetched anew; 30 if absent, and never after the licence is over"`
}

// amended are the terms with all that.
func (a Amendment) amended(t domain.Terms) domain.Terms {
	if a.GraceDays != nil {
		t.GraceDays = *a.GraceDays
	} else if t.Window.Until.IsZero() {
		t.GraceDays = 0
	}
	t.Seats, t.Activations = recounted(t.Seats, a.Seats), recounted(t.Activations, a.Activations)
	switch {
	case a.Seating != "":
		t.Seating = a.Seating
	case t.Seats == nil:
		t.Seating = ""
	}
	switch {
	case a.LeaseSeconds != nil:
		t.LeaseSeconds = *a.LeaseSeconds
	case t.Seating != domain.Floating:
		t.LeaseSeconds = 0
	}
	if a.Entitlements != nil {
		t.Entitlements = *a.Entitlements
	}
	if a.Notes != nil {
		t.Notes = *a.Notes
	}
	return completed(t)
}

func recounted(old, changed *int) *int {
	switch {
	case changed == nil:
		return old
	case *changed == -1:
		return nil
	}
	return changed
}

// RenewLicense gives a licence a later end, and other terms where wanted. One that is over comes back.
type RenewLicense struct {
	ID      domain.LicenseID `json:"id" required:"true" description:"the licence"`
	EndsAt  time.Time        `json:"ends_at,omitzero" description:"its new end, later than the present one"`
	Endless bool             `json:"endless,omitzero" description:"it never ends; instead of ends_at"`
	Amendment
}

func (c RenewLicense) Target() dcb.Tagger { return c.ID }

func (c RenewLicense) Decide(env Env) dcb.Decision {
	return env.regrant(c.ID, c.FileDays, func(l domain.License, sign signing) ([]dcb.Event, error) {
		terms := l.Terms
		terms.Window.Until = c.EndsAt
		terms = c.amended(terms)
		if c.EndsAt.IsZero() != c.Endless {
			return nil, domain.Invalid("/ends_at", "must be given, or endless instead of it")
		}
		if err := checkTerms(terms); err != nil {
			return nil, err
		}
		switch {
		case !endsLater(terms.Window.Until, l.Terms.Window.Until):
			return nil, domain.At("/ends_at", domain.ErrNotRenewed)
		case terms.Window.Over(env.Now):
			return nil, domain.Invalid("/ends_at", "lies in the past")
		}
		next, err := sign(terms)
		return ofBoth(l.Holder, l.Vendor, domain.LicenseRenewed(next)), err
	})
}

// ChangeLicense gives a licence other terms. It may end earlier by them; to end later, it is renewed.
type ChangeLicense struct {
	ID     domain.LicenseID `json:"id" required:"true" description:"the licence"`
	EndsAt time.Time        `json:"ends_at,omitzero" description:"an earlier end, not in the past; absent to keep the present one"`
	Amendment
}

func (c ChangeLicense) Target() dcb.Tagger { return c.ID }

func (c ChangeLicense) Decide(env Env) dcb.Decision {
	return env.regrant(c.ID, c.FileDays, func(l domain.License, sign signing) ([]dcb.Event, error) {
		terms := l.Terms
		if !c.EndsAt.IsZero() {
			terms.Window.Until = c.EndsAt
		}
		terms = c.amended(terms)
		if err := checkTerms(terms); err != nil {
			return nil, err
		}
		earlier := !terms.Window.Until.Equal(l.Terms.Window.Until)
		after := l
		after.Terms = terms
		switch {
		case equalTerms(terms, l.Terms):
			return nil, nil
		case l.State(env.Now) == domain.LicenseIsOver:
			return nil, domain.ErrLicenseOver
		case endsLater(terms.Window.Until, l.Terms.Window.Until):
			return nil, domain.Invalid("/ends_at", "is later than the licence ends; renew it")
		case earlier && terms.Window.Over(env.Now):
			return nil, domain.Invalid("/ends_at", "lies in the past")
		case after.State(env.Now) == domain.LicenseIsOver:
			return nil, domain.Invalid("/grace_days", "would be over already; revoke the licence to end it")
		}
		next, err := sign(terms)
		return ofBoth(l.Holder, l.Vendor, domain.LicenseChanged(next)), err
	})
}

// SignLicense makes a licence file with a later end; the licence stays as it is. After a key was revoked it is how holders get a file
// that verifies.
type SignLicense struct {
	ID       domain.LicenseID `json:"id" required:"true" description:"the licence"`
	FileDays int              `json:"file_days,omitzero" description:"after how many days the file must be fetched anew; 30 if absent, and never after the licence is over"`
}

func (c SignLicense) Target() dcb.Tagger { return c.ID }

func (c SignLicense) Decide(env Env) dcb.Decision {
	return env.regrant(c.ID, c.FileDays, func(l domain.License, sign signing) ([]dcb.Event, error) {
		if l.State(env.Now) == domain.LicenseIsOver {
			return nil, domain.ErrLicenseOver
		}
		same, err := sign(l.Terms)
		return ofBoth(l.Holder, l.Vendor, domain.LicenseSigned{
			License: l.ID, Holder: l.Holder, Vendor: l.Vendor, App: domain.OfApp(l.Name.ID()), Held: l.Name.HeldBy(l.Holder.Tenant()), File: same.File,
		}), err
	})
}

// signing is a licence with terms, as its next revision if they are others.
type signing func(domain.Terms) (domain.LicenseIssued, error)

// regrant starts a decision of the vendor by which a licence gets a new file. A file cannot be taken back: so none is made for a
// licence that is suspended or revoked, nor for a tenant that is closed.
func (env Env) regrant(id domain.LicenseID, days int, rule func(domain.License, signing) ([]dcb.Event, error)) dcb.Decision {
	vendor, keys, l := domain.VendorOf(env.Tenant), domain.SigningKeysOf(env.Tenant), domain.LicenseOf(env.Tenant, id)
	var holder *dcb.Fact[domain.Tenant]
	sign := func(t domain.Terms) (domain.LicenseIssued, error) {
		next := domain.LicenseIssued{
			License: id, Holder: l.Value.Holder, Vendor: l.Value.Vendor, App: domain.OfApp(l.Value.Name.ID()), Held: l.Value.Name.HeldBy(l.Value.Holder.Tenant()), Name: l.Value.Name,
			Revision: l.Value.Revision, Terms: t,
		}
		if !equalTerms(t, l.Value.Terms) {
			next.Revision++
		}
		var err error
		next.File, err = env.signed(next, keys.Value, days)
		return next, err
	}
	return dcb.From(vendor, keys, l).Then(func() []dcb.AnyFact {
		if holder != nil || !env.sold(l.Value) {
			return nil
		}
		holder = domain.TenantOf(l.Value.Holder.Tenant())
		return []dcb.AnyFact{holder}
	}).Unsealing().Decide(func() ([]dcb.Event, error) {
		switch {
		case !vendor.Value:
			return nil, domain.ErrNotVendor
		case !env.sold(l.Value):
			return nil, domain.At("/id", domain.ErrLicenseUnknown)
		case l.Value.Imported:
			return nil, domain.ErrLicenseImported
		case l.Value.Revoked:
			return nil, domain.ErrLicenseRevoked
		case l.Value.Suspended:
			return nil, domain.ErrLicenseSuspended
		case !open(holder.Value):
			return nil, domain.At("/id", domain.ErrTenantUnknown)
		}
		if err := checkFileDays(days); err != nil {
			return nil, err
		}
		return rule(l.Value, sign)
	})
}

// sold reports whether the licence is one that the tenant issued, as a vendor.
func (env Env) sold(l domain.License) bool { return l.Known && l.Vendor.Tenant() == env.Tenant }
