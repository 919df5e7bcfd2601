package commands_test

import (
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func TestALicenceIsSuspendedReinstatedAndRevoked(t *testing.T) {
	h, l := bought()
	suspend := commands.SuspendLicense{ID: l.License, Reason: "unpaid"}.Decide
	reinstate := commands.ReinstateLicense{ID: l.License}.Decide
	revoke := commands.RevokeLicense{ID: l.License, Reason: "fraud"}.Decide
	reinstated := domain.LicenseReinstated{License: l.License, Holder: l.Holder, Vendor: l.Vendor, App: l.App, Held: l.Held}

	h.WhenIn(initech, suspend(selling())).Then(t, toBoth(suspended("unpaid"))...)
	h.WhenIn(initech, reinstate(selling())).ThenNothing(t)
	h.WhenIn(initech, revoke(selling())).Then(t, toBoth(revokedLicense("fraud"))...)
	stopped := h.and(toBoth(suspended("unpaid"))...)
	stopped.WhenIn(initech, suspend(selling())).ThenNothing(t)
	stopped.WhenIn(initech, reinstate(selling())).Then(t, toBoth(reinstated)...)
	stopped.WhenIn(initech, revoke(selling())).Then(t, toBoth(revokedLicense("fraud"))...)
	again := stopped.and(toBoth(reinstated)...)
	again.WhenIn(initech, suspend(selling())).Then(t, toBoth(suspended("unpaid"))...)
	gone := stopped.and(toBoth(revokedLicense("fraud"))...)
	gone.WhenIn(initech, suspend(selling())).ThenRefused(t, domain.ErrLicenseRevoked)
	gone.WhenIn(initech, reinstate(selling())).ThenRefused(t, domain.ErrLicenseRevoked)
	gone.WhenIn(initech, revoke(selling())).ThenNothing(t)

	// An imported one, and one of a vendor who was dismissed, is stopped as well.
	imported, _ := bought(func(e *domain.LicenseIssued) { e.Imported = true })
	imported.WhenIn(initech, suspend(selling())).Then(t, toBoth(suspended("unpaid"))...)
	h.elsewhere(domain.Root, domain.VendorDismissed{Vendor: domain.VendorIn(initech)}).WhenIn(initech, revoke(selling())).
		Then(t, toBoth(revokedLicense("fraud"))...)
}

func TestOnlyItsVendorStopsALicence(t *testing.T) {
	h, l := bought()
	for _, where := range []domain.TenantID{acme, hooli, globex} {
		e := env()
		e.Tenant = where
		for _, d := range []dcb.Decision{
			commands.SuspendLicense{ID: l.License}.Decide(e), commands.ReinstateLicense{ID: l.License}.Decide(e), commands.RevokeLicense{ID: l.License}.Decide(e),
		} {
			h.WhenIn(where, d).ThenRefused(t, domain.ErrLicenseUnknown)
		}
	}
	h.WhenIn(initech, commands.SuspendLicense{ID: l.License, Reason: "\x00"}.Decide(selling())).ThenInvalid(t, "/reason")
	h.WhenIn(initech, commands.RevokeLicense{ID: l.License, Reason: "\x00"}.Decide(selling())).ThenInvalid(t, "/reason")
}

func TestTheEndOfALicenceIsSaidOnceForEachEnd(t *testing.T) {
	tick := time.Microsecond
	at := func(end time.Time, grace int) (history, domain.LicenseIssued) {
		return bought(func(e *domain.LicenseIssued) {
			e.Terms.Window = domain.Window{From: end.Add(-day), Until: end}
			e.Terms.GraceDays = grace
		})
	}
	expire := func() dcb.Decision { return commands.ExpireLicense{ID: licenseID("new")}.Decide(ofSystem()) }
	end := func() dcb.Decision { return commands.EndLicense{ID: licenseID("new")}.Decide(ofSystem()) }

	early, _ := at(now.Add(tick), 0)
	early.When(expire()).ThenNothing(t)
	early.When(end()).ThenNothing(t)

	h, l := at(now, 1)
	h.When(expire()).Then(t, toBoth(expiredAt(now))...)
	h.When(end()).ThenNothing(t)
	h.and(toBoth(expiredAt(now))...).When(expire()).ThenNothing(t)
	renewed := domain.LicenseRenewed(next(l, until(now.Add(day))))
	h.and(toBoth(expiredAt(now))...).and(toBoth(renewed)...).When(expire()).ThenNothing(t)
	renewed.Terms.Window.Until = now.Add(-tick)
	h.and(toBoth(expiredAt(now.Add(-day)))...).and(toBoth(renewed)...).When(expire()).Then(t, toBoth(expiredAt(now.Add(-tick)))...)

	over, l := at(now.Add(-day), 1)
	ends := toBoth(endedAt(now))
	over.When(end()).Then(t, append(toBoth(expiredAt(now.Add(-day))), ends...)...)
	over.and(toBoth(expiredAt(now.Add(-day)))...).When(end()).Then(t, ends...)
	over.and(toBoth(expiredAt(now.Add(-day)))...).and(ends...).When(end()).ThenNothing(t)
	over.and(toBoth(expiredAt(now.Add(-day)))...).and(ends...).When(expire()).ThenNothing(t)

	// While it is suspended time goes on; revoked it has ended already.
	over.and(toBoth(suspended(""))...).When(end()).Then(t, append(toBoth(expiredAt(now.Add(-day))), ends...)...)
	over.and(toBoth(revokedLicense(""))...).When(end()).ThenNothing(t)
	over.and(toBoth(revokedLicense(""))...).When(expire()).ThenNothing(t)
	forever, _ := at(time.Time{}, 0)
	forever.When(expire()).ThenNothing(t)
	forever.When(end()).ThenNothing(t)
	given().When(expire()).ThenNothing(t)
	given().When(end()).ThenNothing(t)

	// The vendor's copy is no licence of the vendor's: its end is said by the holder's.
	e := ofSystem()
	e.Tenant = initech
	over.WhenIn(initech, commands.ExpireLicense{ID: l.License}.Decide(e)).ThenNothing(t)
	over.WhenIn(initech, commands.EndLicense{ID: l.License}.Decide(e)).ThenNothing(t)
}
