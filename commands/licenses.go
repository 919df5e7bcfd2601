package commands

import (
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/license"
)

// IssueLicense lets a tenant use an app of the vendor's, and signs a file that says so. It is sent to the vendor's own tenant.
type IssueLicense struct {
	ID           domain.LicenseID     `json:"id,omitzero" description:"id of the new licence; made if absent"`
	Holder       domain.TenantID      `json:"tenant_id" required:"true" description:"id of the tenant that may use the app"`
	App          domain.App           `json:"app" required:"true" description:"name of the app, one of the vendor's own"`
	StartsAt     time.Time            `json:"starts_at,omitzero" description:"when it begins; at once if absent"`
	EndsAt       time.Time            `json:"ends_at,omitzero" description:"when it ends, its time of grace apart; never if absent"`
	GraceDays    int                  `json:"grace_days,omitzero" description:"for how many days after that it still counts, 3650 at most"`
	Seats        *int                 `json:"seats,omitzero" description:"how many seats there are; not counted if absent"`
	Seating      domain.Seating       `json:"seating,omitzero" description:"named (of users, until taken back) or floating (of whoever asks, as long as they are heard of); named if absent"`
	LeaseSeconds int                  `json:"lease_seconds,omitzero" description:"how long a floating seat is held without a heartbeat, from 30 to 86400; 300 if absent"`
	Activations  *int                 `json:"activations,omitzero" description:"how many machines it may be activated on; not counted if absent"`
	Entitlements []domain.Entitlement `json:"entitlements,omitzero" description:"what it allows: features, limits and meters, each of a name of its own"`
	Notes        string               `json:"notes,omitzero" description:"for the holder to read"`
	FileDays     int                  `json:"file_days,omitzero" description:"after how many days the licence file must be fetched anew; 30 if absent, and never after the licence is over"`
}

func (c *IssueLicense) NewID() *uuid.UUID { return &c.ID.UUID }
func (c IssueLicense) Target() dcb.Tagger { return c.ID }

func (c IssueLicense) Decide(env Env) dcb.Decision {
	terms := c.terms(env.Now)
	vendor, keys := domain.VendorOf(env.Tenant), domain.SigningKeysOf(env.Tenant)
	used, app, holder := domain.Used[domain.LicenseIssued](c.ID), domain.AppNamed(c.App), domain.TenantOf(c.Holder)
	return dcb.From(vendor, keys, used, app, holder).Unsealing().Decide(func() ([]dcb.Event, error) {
		if !vendor.Value {
			return nil, domain.ErrNotVendor
		}
		if err := domain.FirstError(c.App.Check("/app"), checkTerms(terms), checkFileDays(c.FileDays)); err != nil {
			return nil, err
		}
		switch {
		case terms.Window.Over(env.Now):
			return nil, domain.Invalid("/ends_at", "lies in the past")
		case !sells(env.Tenant, app.Value):
			return nil, domain.At("/app", domain.ErrAppUnknown)
		case !open(holder.Value):
			return nil, domain.At("/tenant_id", domain.ErrTenantUnknown)
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		}
		e := domain.LicenseIssued{
			License: c.ID, Holder: domain.HomeIn(c.Holder), Vendor: domain.HomeIn(env.Tenant), App: domain.OfApp(c.App.ID()), Held: c.App.HeldBy(c.Holder), Name: c.App, Revision: 1, Terms: terms,
		}
		var err error
		e.File, err = env.signed(e, keys.Value, c.FileDays)
		return ofBoth(e.Holder, e.Vendor, e), err
	})
}

func (c IssueLicense) terms(now time.Time) domain.Terms {
	from := c.StartsAt
	if from.IsZero() {
		from = now
	}
	return completed(domain.Terms{
		Window: domain.Window{From: from, Until: c.EndsAt}, GraceDays: c.GraceDays, Seats: c.Seats, Seating: c.Seating,
		LeaseSeconds: c.LeaseSeconds, Activations: c.Activations, Entitlements: c.Entitlements, Notes: c.Notes,
	})
}

// sells reports whether the app is the vendor's own.
func sells(vendor domain.TenantID, app domain.RegisteredApp) bool {
	return app.Known && app.Vendor == domain.VendorIn(vendor)
}

// open reports whether a tenant is there and not closed. That it is suspended is nobody's business but its own.
func open(t domain.Tenant) bool {
	return t.Status != domain.TenantUnknown && t.Status != domain.TenantEnded
}

// ofBoth is an event about a licence in the logs of the holder and of the vendor: one if they are the same tenant.
func ofBoth(holder, vendor domain.HomeID, e dcb.Event) []dcb.Event {
	if holder == vendor {
		return []dcb.Event{dcb.In(holder.UUID, e)}
	}
	return []dcb.Event{dcb.In(holder.UUID, e), dcb.In(vendor.UUID, e)}
}

// signed is the file of a licence with these terms, made with the vendor's newest key.
func (env Env) signed(l domain.LicenseIssued, keys domain.SigningKeys, days int) (domain.File, error) {
	key, kid, err := signer(keys)
	if err != nil {
		return domain.File{}, err
	}
	end := fileEnd(l.Terms, days, env.Now)
	blob, err := license.Sign(key, kid, license.Claims{
		Issuer: l.Vendor.String(), ID: l.License.String(), Tenant: l.Holder.String(), App: string(l.Name),
		IssuedAt: *jwt.NewNumericDate(env.Now), ExpiresAt: *jwt.NewNumericDate(end), Revision: l.Revision, Terms: inFile(l.Terms),
	})
	return domain.File{Blob: blob, Kid: kid, ExpiresAt: end}, err
}
