package commands_test

import (
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// bought is the market after initech sold acme a licence, a day ago.
func bought(changes ...func(*domain.LicenseIssued)) (history, domain.LicenseIssued) {
	l := sold(append([]func(*domain.LicenseIssued){func(e *domain.LicenseIssued) { e.Terms.Window.From = now.Add(-day) }}, changes...)...)
	return market().licensed(l), l
}

func renew(changes ...func(*commands.RenewLicense)) dcb.Decision {
	c := commands.RenewLicense{ID: licenseID("new"), EndsAt: now.Add(730 * day)}
	for _, change := range changes {
		change(&c)
	}
	return c.Decide(selling())
}

func change(changes ...func(*commands.ChangeLicense)) dcb.Decision {
	c := commands.ChangeLicense{ID: licenseID("new")}
	for _, change := range changes {
		change(&c)
	}
	return c.Decide(selling())
}

// next is the licence as its next revision.
func next(l domain.LicenseIssued, change func(*domain.Terms)) domain.LicenseIssued {
	l.Revision++
	change(&l.Terms)
	return filed(l, 1, now.Add(30*day))
}

func until(end time.Time) func(*domain.Terms) {
	return func(t *domain.Terms) { t.Window.Until = end }
}

func TestARenewalGivesALicenceALaterEnd(t *testing.T) {
	h, l := bought()
	h.WhenIn(initech, renew()).Then(t, toBoth(domain.LicenseRenewed(next(l, until(now.Add(730*day)))))...)
	h.WhenIn(initech, renew(func(c *commands.RenewLicense) { c.EndsAt, c.Endless = time.Time{}, true })).
		Then(t, toBoth(domain.LicenseRenewed(next(l, func(t *domain.Terms) { t.Window.Until, t.GraceDays = time.Time{}, 0 })))...)
	h.WhenIn(initech, renew(func(c *commands.RenewLicense) {
		c.Seats, c.Activations, c.Notes, c.GraceDays, c.Entitlements = new(5), new(2), new("more"), new(0), &[]domain.Entitlement{}
	})).Then(t, toBoth(domain.LicenseRenewed(next(l, func(t *domain.Terms) {
		t.Window.Until, t.Seats, t.Seating, t.Activations, t.Notes, t.GraceDays, t.Entitlements =
			now.Add(730*day), new(5), domain.Named, new(2), "more", 0, []domain.Entitlement{}
	})))...)
	for _, end := range []time.Time{l.Terms.Window.Until, l.Terms.Window.Until.Add(-time.Second)} {
		h.WhenIn(initech, renew(func(c *commands.RenewLicense) { c.EndsAt = end })).ThenRefused(t, domain.ErrNotRenewed)
	}
	h.WhenIn(initech, renew(func(c *commands.RenewLicense) { c.EndsAt = time.Time{} })).ThenInvalid(t, "/ends_at")
	h.WhenIn(initech, renew(func(c *commands.RenewLicense) { c.Endless = true })).ThenInvalid(t, "/ends_at")
	h.WhenIn(initech, renew(func(c *commands.RenewLicense) { c.GraceDays = new(-1) })).ThenInvalid(t, "/grace_days")
	h.WhenIn(initech, renew(func(c *commands.RenewLicense) { c.FileDays = 3651 })).ThenInvalid(t, "/file_days")
	forever, _ := bought(func(e *domain.LicenseIssued) { e.Terms.Window.Until, e.Terms.GraceDays = time.Time{}, 0 })
	forever.WhenIn(initech, renew()).ThenRefused(t, domain.ErrNotRenewed)
	forever.WhenIn(initech, renew(func(c *commands.RenewLicense) { c.EndsAt, c.Endless = time.Time{}, true })).ThenRefused(t, domain.ErrNotRenewed)
}

func TestALicenceThatIsOverIsRenewed(t *testing.T) {
	h, l := bought(func(e *domain.LicenseIssued) {
		e.Terms.Window = domain.Window{From: now.Add(-100 * day), Until: now.Add(-50 * day)}
	})
	h = h.and(toBoth(expiredAt(l.Terms.Window.Until))...).and(toBoth(endedAt(l.Terms.GraceUntil()))...)
	h.WhenIn(initech, renew()).Then(t, toBoth(domain.LicenseRenewed(next(l, until(now.Add(730*day)))))...)
	h.WhenIn(initech, renew(func(c *commands.RenewLicense) { c.EndsAt = now.Add(-day) })).ThenInvalid(t, "/ends_at")
	h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.Notes = new("x") })).ThenRefused(t, domain.ErrLicenseOver)
	h.WhenIn(initech, commands.SignLicense{ID: l.License}.Decide(selling())).ThenRefused(t, domain.ErrLicenseOver)
}

func TestAChangeKeepsWhatItDoesNotName(t *testing.T) {
	h, l := bought(func(e *domain.LicenseIssued) {
		e.Terms.Seats, e.Terms.Seating, e.Terms.LeaseSeconds, e.Terms.Activations, e.Terms.Notes = new(5), domain.Floating, 60, new(2), "old"
	})
	for name, c := range map[string]struct {
		command func(*commands.ChangeLicense)
		want    func(*domain.Terms)
	}{
		"notes":           {func(c *commands.ChangeLicense) { c.Notes = new("") }, func(t *domain.Terms) { t.Notes = "" }},
		"seats":           {func(c *commands.ChangeLicense) { c.Seats = new(9) }, func(t *domain.Terms) { t.Seats = new(9) }},
		"no seats":        {func(c *commands.ChangeLicense) { c.Seats = new(-1) }, func(t *domain.Terms) { t.Seats, t.Seating, t.LeaseSeconds = nil, "", 0 }},
		"named seats":     {func(c *commands.ChangeLicense) { c.Seating = domain.Named }, func(t *domain.Terms) { t.Seating, t.LeaseSeconds = domain.Named, 0 }},
		"lease":           {func(c *commands.ChangeLicense) { c.LeaseSeconds = new(90) }, func(t *domain.Terms) { t.LeaseSeconds = 90 }},
		"activations":     {func(c *commands.ChangeLicense) { c.Activations = new(0) }, func(t *domain.Terms) { t.Activations = new(0) }},
		"uncounted":       {func(c *commands.ChangeLicense) { c.Activations = new(-1) }, func(t *domain.Terms) { t.Activations = nil }},
		"grace":           {func(c *commands.ChangeLicense) { c.GraceDays = new(1) }, func(t *domain.Terms) { t.GraceDays = 1 }},
		"an earlier end":  {func(c *commands.ChangeLicense) { c.EndsAt = now.Add(90 * day) }, until(now.Add(90 * day))},
		"no entitlements": {func(c *commands.ChangeLicense) { c.Entitlements = &[]domain.Entitlement{} }, func(t *domain.Terms) { t.Entitlements = []domain.Entitlement{} }},
	} {
		t.Run(name, func(t *testing.T) {
			h.WhenIn(initech, change(c.command)).Then(t, toBoth(domain.LicenseChanged(next(l, c.want)))...)
		})
	}
	h.WhenIn(initech, change()).ThenNothing(t)
	h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.Seats, c.EndsAt, c.Notes = new(5), l.Terms.Window.Until, new("old") })).ThenNothing(t)
	h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.EndsAt = l.Terms.Window.Until.Add(1000) })).ThenInvalid(t, "/ends_at")
	h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.EndsAt = now })).ThenInvalid(t, "/ends_at")
	h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.Seats = new(-2) })).ThenInvalid(t, "/seats")
	h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.FileDays = -1 })).ThenInvalid(t, "/file_days")
}

func TestInItsGraceALicenceIsChangedButNotEndedByIt(t *testing.T) {
	h, l := bought(func(e *domain.LicenseIssued) {
		e.Terms.Window = domain.Window{From: now.Add(-100 * day), Until: now.Add(-5 * day)}
	})
	want := l
	want.Revision, want.Terms.Notes = 2, "x"
	h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.Notes = new("x") })).
		Then(t, toBoth(domain.LicenseChanged(filed(want, 1, now.Add(5*day))))...)
	h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.GraceDays = new(5) })).ThenInvalid(t, "/grace_days")
	h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.EndsAt = now.Add(-6 * day) })).ThenInvalid(t, "/ends_at")
}

func TestAFreshFileSaysTheSame(t *testing.T) {
	h, l := bought()
	h = h.elsewhere(initech, sellersKey(initech, 2))
	for days, end := range map[int]time.Time{0: now.Add(30 * day), 60: now.Add(60 * day)} {
		want := domain.LicenseSigned{License: l.License, Holder: l.Holder, Vendor: l.Vendor, App: l.App, Held: l.Held, File: filed(l, 2, end).File}
		h.WhenIn(initech, commands.SignLicense{ID: l.License, FileDays: days}.Decide(selling())).Then(t, toBoth(want)...)
	}
	h.WhenIn(initech, commands.SignLicense{ID: l.License, FileDays: 3651}.Decide(selling())).ThenInvalid(t, "/file_days")
}

// A file is out for good: none is made that should not be.
func TestNoFileIsMadeOfALicenceThatIsStopped(t *testing.T) {
	h, l := bought()
	elsewhere := l
	elsewhere.Vendor = domain.HomeIn(hooli)
	imported := l
	imported.Imported = true
	for name, c := range map[string]struct {
		h    history
		want *domain.Refusal
	}{
		"suspended":                  {h.and(toBoth(suspended(""))...), domain.ErrLicenseSuspended},
		"revoked":                    {h.and(toBoth(revokedLicense(""))...), domain.ErrLicenseRevoked},
		"suspended, then revoked":    {h.and(toBoth(suspended(""))...).and(toBoth(revokedLicense(""))...), domain.ErrLicenseRevoked},
		"imported":                   {market().licensed(imported), domain.ErrLicenseImported},
		"of a closed tenant":         {h.and(domain.TenantClosed{Tenant: acme}), domain.ErrTenantUnknown},
		"of one that is no vendor":   {h.elsewhere(domain.Root, domain.VendorDismissed{Vendor: domain.VendorIn(initech)}), domain.ErrNotVendor},
		"of another vendor":          {market().and(placed(elsewhere, acme, hooli)...), domain.ErrLicenseUnknown},
		"bought of another vendor":   {market().and(placed(elsewhere, initech, hooli)...), domain.ErrLicenseUnknown},
		"unknown":                    {market(), domain.ErrLicenseUnknown},
		"without a key to sign with": {h.elsewhere(initech, domain.SigningKeyRevoked{Key: keyID(initech, 1), Vendor: domain.VendorIn(initech)}), domain.ErrNoSigningKey},
	} {
		t.Run(name, func(t *testing.T) {
			c.h.WhenIn(initech, renew()).ThenRefused(t, c.want)
			c.h.WhenIn(initech, change(func(c *commands.ChangeLicense) { c.Notes = new("x") })).ThenRefused(t, c.want)
			c.h.WhenIn(initech, commands.SignLicense{ID: l.License}.Decide(selling())).ThenRefused(t, c.want)
		})
	}
	h.and(domain.TenantSuspended{Tenant: acme}).WhenIn(initech, renew()).Events(t)
}
