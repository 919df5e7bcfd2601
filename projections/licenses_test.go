package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

// sale is a licence of acme's, sold by a vendor; each event about it is in both logs.
type sale struct {
	domain.LicenseIssued
	vendor domain.TenantID
}

func newSale() sale {
	vendor := domain.TenantID{UUID: uid(0xaa, 9)}
	return sale{domain.LicenseIssued{
		License: domain.LicenseID{UUID: uid(0x1c, 1)}, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(vendor), App: domain.OfApp(domain.App("billing").ID()), Held: domain.App("billing").HeldBy(acme),
		Name: "billing", Revision: 1,
		Terms: domain.Terms{
			Window:    domain.Window{From: time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC), Until: time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)},
			GraceDays: 1, Notes: "for you",
		},
		File: domain.File{Blob: "head.body.sign", Kid: "k1", ExpiresAt: time.Date(2026, 1, 9, 11, 0, 0, 0, time.UTC)},
	}, vendor}
}

func (s sale) given(events ...dcb.Event) history {
	var h history
	for _, e := range events {
		h = h.in(acme, e).in(s.vendor, e)
	}
	return h
}

// next is the licence as its next revision, until another day.
func (s sale) next(revision int, until time.Time, blob string) domain.LicenseIssued {
	e := s.LicenseIssued
	e.Revision, e.Terms.Window.Until, e.File.Blob, e.File.Kid = revision, until, blob, "k2"
	return e
}

func (s sale) suspended(reason string) domain.LicenseSuspended {
	return domain.LicenseSuspended{License: s.License, Holder: s.Holder, Vendor: s.Vendor, App: s.App, Held: s.Held, Reason: reason}
}

func (s sale) reinstated() domain.LicenseReinstated {
	return domain.LicenseReinstated{License: s.License, Holder: s.Holder, Vendor: s.Vendor, App: s.App, Held: s.Held}
}

func (s sale) revoked(reason string) domain.LicenseRevoked {
	return domain.LicenseRevoked{License: s.License, Holder: s.Holder, Vendor: s.Vendor, App: s.App, Held: s.Held, Reason: reason}
}

func (s sale) expired() domain.LicenseExpired {
	return domain.LicenseExpired{License: s.License, Holder: s.Holder, Vendor: s.Vendor, App: s.App, Held: s.Held, Ended: s.Terms.Window.Until}
}

func (s sale) ended() domain.LicenseEnded {
	return domain.LicenseEnded{License: s.License, Holder: s.Holder, Vendor: s.Vendor, App: s.App, Held: s.Held, Ended: s.Terms.GraceUntil()}
}

func TestALicenseHasARowWithItsHolderAndWithItsVendor(t *testing.T) {
	s := newSale()
	signed := domain.LicenseSigned{License: s.License, Holder: s.Holder, Vendor: s.Vendor, App: s.App, Held: s.Held, File: s.File}
	signed.File.Blob, signed.File.ExpiresAt = "head.body.again", signed.File.ExpiresAt.Add(time.Hour)
	s.given(s.LicenseIssued, signed).expect(t, projections.Core, `SELECT tenant_id, id, app_id = '`+s.App.String()+`', app, holder_tenant_id, vendor_tenant_id,
		revision, terms->>'notes', terms->'window'->>'until', license_blob, signature, kid, file_expires_at, imported,
		issued_at, starts_at, expires_at, grace_until, expired_at, ended_at, status, status_reason, updated_at, version FROM licenses ORDER BY tenant_id`,
		"aa09 1c01 true billing acce aa09 1 for you 2026-02-01T10:00:00Z head.body.again again k1 12:00 false 08:02 09:00 10:00 10:00 - - active - 08:04 4",
		"acce 1c01 true billing acce aa09 1 for you 2026-02-01T10:00:00Z head.body.again again k1 12:00 false 08:01 09:00 10:00 10:00 - - active - 08:03 3")
}

func TestALicenseThatNeverEndsHasNoEnd(t *testing.T) {
	s := newSale()
	s.Terms.Window.Until, s.Terms.GraceDays, s.Imported = time.Time{}, 0, true
	given(s.LicenseIssued).expect(t, projections.Core, "SELECT imported, starts_at, expires_at, grace_until, status FROM licenses", "true 09:00 - - active")
}

func TestALicenseIsWhatWasLastSaidOfIt(t *testing.T) {
	s := newSale()
	var h history
	var want []string
	add := func(row string, events ...func() dcb.Event) {
		s.License = domain.LicenseID{UUID: uid(0x1c, len(want)+1)}
		want = append(want, s.License.String()[32:]+" "+row)
		h = h.in(acme, s.LicenseIssued)
		for _, e := range events {
			h = h.in(acme, e())
		}
	}
	renew := func() dcb.Event {
		return domain.LicenseRenewed(s.next(2, s.Terms.Window.Until.AddDate(0, 1, 0).Add(time.Hour), "a.b.two"))
	}
	change := func() dcb.Event { return domain.LicenseChanged(s.next(2, s.Terms.Window.Until, "a.b.three")) }
	suspend := func() dcb.Event { return s.suspended("unpaid") }
	reinstate := func() dcb.Event { return s.reinstated() }
	revoke := func() dcb.Event { return s.revoked("fraud") }
	expire := func() dcb.Event { return s.expired() }
	end := func() dcb.Event { return s.ended() }
	add("2 two k2 11:00 - - active -", renew)
	add("2 three k2 10:00 - - active -", change)
	add("1 sign k1 10:00 - - suspended unpaid", suspend)
	add("1 sign k1 10:00 - - active -", suspend, reinstate)
	add("1 sign k1 10:00 - - revoked fraud", suspend, revoke)
	add("1 sign k1 10:00 10:00 - expired -", expire)
	add("2 three k2 10:00 10:00 - expired -", expire, change)
	add("1 sign k1 10:00 10:00 10:00 ended -", expire, end)
	// A renewal brings back what was over.
	add("2 two k2 11:00 10:00 - active -", expire, renew)
	add("2 two k2 11:00 10:00 10:00 active -", expire, end, renew)
	// Suspended it stays so, and is afterwards what it would have been.
	add("1 sign k1 10:00 10:00 10:00 suspended unpaid", suspend, expire, end)
	add("1 sign k1 10:00 10:00 - expired -", suspend, expire, reinstate)
	add("1 sign k1 10:00 10:00 10:00 ended -", suspend, expire, end, reinstate)
	add("2 two k2 11:00 10:00 - suspended unpaid", expire, suspend, renew)
	add("2 two k2 11:00 10:00 - active -", expire, suspend, renew, reinstate)
	h.expect(t, projections.Core, "SELECT id, revision, signature, kid, expires_at, expired_at, ended_at, status, status_reason FROM licenses ORDER BY id", want...)
}
