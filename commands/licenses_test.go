package commands_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/license"
)

// initech is a vendor whose app billing acme uses; hooli is another vendor.
var (
	initech = domain.TenantID{UUID: named("initech")}
	hooli   = domain.TenantID{UUID: named("hooli")}
)

func licenseID(name string) domain.LicenseID {
	return domain.LicenseID{UUID: named("license " + name)}
}

// seedOf is that of the vendor's n-th signing key.
func seedOf(vendor domain.TenantID, n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, vendor.UUID[:])
	seed[31] = n
	return ed25519.NewKeyFromSeed(seed)
}

func publicOf(key ed25519.PrivateKey) license.Key {
	return license.NewKey(key.Public().(ed25519.PublicKey))
}

func sellersKey(vendor domain.TenantID, n byte) domain.SigningKeyCreated {
	key := seedOf(vendor, n)
	return domain.SigningKeyCreated{
		Key: keyID(vendor, n), Vendor: domain.VendorIn(vendor), Kid: publicOf(key).ID, Public: publicOf(key).JWK(),
		Private: dcb.Hide(base64.RawURLEncoding.EncodeToString(key.Seed())),
	}
}

func keyID(vendor domain.TenantID, n byte) domain.SigningKeyID {
	return domain.SigningKeyID{UUID: named(fmt.Sprint("signing key ", vendor, n))}
}

// market is acme, globex and two vendors with an app and a key each.
func market() history {
	h := given(domain.TenantCreated{Tenant: acme, Slug: "acme"}, domain.TenantCreated{Tenant: globex, Slug: "globex"})
	for app, vendor := range map[domain.App]domain.TenantID{"billing": initech, "search": hooli} {
		h = h.elsewhere(vendor, domain.TenantCreated{Tenant: vendor, Slug: domain.Slug(app)}).
			elsewhere(domain.Root, domain.VendorAdmitted{Vendor: domain.VendorIn(vendor)},
				domain.AppRegistered{App: app.ID(), Vendor: domain.VendorIn(vendor), Name: app}).
			elsewhere(vendor, sellersKey(vendor, 1))
	}
	return h
}

// selling is the env of the vendor initech.
func selling() commands.Env { e := env(); e.Tenant = initech; return e }

func sell(e commands.Env, changes ...func(*commands.IssueLicense)) dcb.Decision {
	c := commands.IssueLicense{
		ID: licenseID("new"), Holder: acme, App: "billing", EndsAt: now.Add(365 * day), GraceDays: 10,
		Entitlements: []domain.Entitlement{{Name: "invoices", Kind: domain.Meter, Limit: 100, Period: domain.PerMonth}},
	}
	for _, change := range changes {
		change(&c)
	}
	return c.Decide(e)
}

// sold is the licence that sell issues.
func sold(changes ...func(*domain.LicenseIssued)) domain.LicenseIssued {
	e := domain.LicenseIssued{
		License: licenseID("new"), Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(initech), App: domain.OfApp(domain.App("billing").ID()), Held: domain.App("billing").HeldBy(acme), Name: "billing", Revision: 1,
		Terms: domain.Terms{
			Window: domain.Window{From: now, Until: now.Add(365 * day)}, GraceDays: 10,
			Entitlements: []domain.Entitlement{{Name: "invoices", Kind: domain.Meter, Limit: 100, Period: domain.PerMonth}},
		},
	}
	for _, change := range changes {
		change(&e)
	}
	return filed(e, 1, now.Add(30*day))
}

// filed is a licence with its file, signed with the n-th key of its vendor.
func filed(e domain.LicenseIssued, n byte, until time.Time) domain.LicenseIssued {
	key := seedOf(e.Vendor.Tenant(), n)
	blob, err := license.Sign(key, publicOf(key).ID, claimsOf(e, until))
	if err != nil {
		panic(err)
	}
	e.File = domain.File{Blob: blob, Kid: publicOf(key).ID, ExpiresAt: until}
	return e
}

func claimsOf(e domain.LicenseIssued, until time.Time) license.Claims {
	c := license.Claims{
		Issuer: e.Vendor.String(), ID: e.License.String(), Tenant: e.Holder.String(), App: string(e.Name),
		IssuedAt: *jwt.NewNumericDate(now), ExpiresAt: *jwt.NewNumericDate(until), Revision: e.Revision,
		Terms: license.Terms{
			StartsAt: e.Terms.Window.From, EndsAt: e.Terms.Window.Until, GraceDays: e.Terms.GraceDays, Seats: e.Terms.Seats,
			Seating: string(e.Terms.Seating), LeaseSeconds: e.Terms.LeaseSeconds, Activations: e.Terms.Activations, Notes: e.Terms.Notes,
		},
	}
	for _, x := range e.Terms.Entitlements {
		c.Terms.Entitlements = append(c.Terms.Entitlements, license.Entitlement{
			Name: x.Name, Kind: string(x.Kind), Limit: x.Limit, Period: string(x.Period), Soft: x.Soft,
		})
	}
	return c
}

// toBoth is an event in the logs of the holder and the vendor.
func toBoth(e dcb.Event) []dcb.Event { return placed(e, acme, initech) }

// having is history in which acme has the licence.
func (h history) licensed(l domain.LicenseIssued) history { return h.and(toBoth(l)...) }

func suspended(reason string) domain.LicenseSuspended {
	l := sold()
	return domain.LicenseSuspended{License: l.License, Holder: l.Holder, Vendor: l.Vendor, App: l.App, Held: l.Held, Reason: reason}
}

func revokedLicense(reason string) domain.LicenseRevoked {
	return domain.LicenseRevoked(suspended(reason))
}

func expiredAt(end time.Time) domain.LicenseExpired {
	l := sold()
	return domain.LicenseExpired{License: l.License, Holder: l.Holder, Vendor: l.Vendor, App: l.App, Held: l.Held, Ended: end}
}

func endedAt(end time.Time) domain.LicenseEnded { return domain.LicenseEnded(expiredAt(end)) }

func TestALicenseIsIssuedInTheLogsOfItsHolderAndItsVendor(t *testing.T) {
	market().WhenIn(initech, sell(selling())).Then(t, toBoth(sold())...)
	// The same request makes the same file.
	market().WhenIn(initech, sell(selling())).Then(t, toBoth(sold())...)
	full := sold(func(e *domain.LicenseIssued) {
		e.Terms = domain.Terms{
			Window: domain.Window{From: now.Add(day)}, Seats: new(0), Seating: domain.Floating, LeaseSeconds: 300, Activations: new(7), Notes: "two\nlines",
		}
	})
	market().WhenIn(initech, sell(selling(), func(c *commands.IssueLicense) {
		c.StartsAt, c.EndsAt, c.GraceDays, c.Seats, c.Seating, c.Activations, c.Notes = now.Add(day), time.Time{}, 0, new(0), domain.Floating, new(7), "two\nlines"
		c.Entitlements = nil
	})).Then(t, toBoth(full)...)
	named := sold(func(e *domain.LicenseIssued) { e.Terms.Seats, e.Terms.Seating = new(3), domain.Named })
	market().WhenIn(initech, sell(selling(), func(c *commands.IssueLicense) { c.Seats = new(3) })).Then(t, toBoth(named)...)
	// To oneself there is one log, and one event.
	self := sold(func(e *domain.LicenseIssued) {
		e.Holder, e.Held = domain.HomeIn(initech), domain.App("billing").HeldBy(initech)
	})
	market().WhenIn(initech, sell(selling(), func(c *commands.IssueLicense) { c.Holder = initech })).Then(t, dcb.In(initech.UUID, self))
}

func TestALicenseFileEndsByItselfAndNeverAfterTheLicence(t *testing.T) {
	for name, c := range map[string]struct {
		ends  time.Time
		grace int
		days  int
		want  time.Time
	}{
		"usually":         {now.Add(365 * day), 10, 0, now.Add(30 * day)},
		"as asked":        {now.Add(365 * day), 10, 90, now.Add(90 * day)},
		"with its grace":  {now.Add(3 * day), 4, 30, now.Add(7 * day)},
		"without a grace": {now.Add(3 * day), 0, 30, now.Add(3 * day)},
		"of one forever":  {time.Time{}, 0, 3650, now.Add(3650 * day)},
		"whole seconds":   {now.Add(3*day + time.Millisecond), 0, 30, now.Add(3 * day)},
	} {
		t.Run(name, func(t *testing.T) {
			l := sold(func(e *domain.LicenseIssued) { e.Terms.Window.Until, e.Terms.GraceDays = c.ends, c.grace })
			market().WhenIn(initech, sell(selling(), func(i *commands.IssueLicense) { i.EndsAt, i.GraceDays, i.FileDays = c.ends, c.grace, c.days })).
				Then(t, toBoth(filed(l, 1, c.want))...)
		})
	}
}

func TestTheNewestKeySignsALicense(t *testing.T) {
	h := market().elsewhere(initech, sellersKey(initech, 2))
	h.WhenIn(initech, sell(selling())).Then(t, toBoth(filed(sold(), 2, now.Add(30*day)))...)
	h = h.elsewhere(initech, domain.SigningKeyRetired{Key: keyID(initech, 2), Vendor: domain.VendorIn(initech)})
	h.WhenIn(initech, sell(selling())).Then(t, toBoth(sold())...)
	h = h.elsewhere(initech, domain.SigningKeyRevoked{Key: keyID(initech, 1), Vendor: domain.VendorIn(initech)})
	h.WhenIn(initech, sell(selling())).ThenRefused(t, domain.ErrNoSigningKey)
}

func TestOnlyAVendorIssuesAndOnlyForAppsOfItsOwnAndToTenantsThatAreThere(t *testing.T) {
	market().When(sell(env())).ThenRefused(t, domain.ErrNotVendor)
	market().When(sell(env(), func(c *commands.IssueLicense) { c.Holder = domain.TenantID{UUID: named("nobody")} })).ThenRefused(t, domain.ErrNotVendor)
	dismissed := market().elsewhere(domain.Root, domain.VendorDismissed{Vendor: domain.VendorIn(initech)})
	dismissed.WhenIn(initech, sell(selling())).ThenRefused(t, domain.ErrNotVendor)
	for _, app := range []domain.App{"search", "nothing"} {
		market().WhenIn(initech, sell(selling(), func(c *commands.IssueLicense) { c.App = app })).ThenRefused(t, domain.ErrAppUnknown)
	}
	market().WhenIn(initech, sell(selling(), func(c *commands.IssueLicense) { c.Holder = domain.TenantID{UUID: named("nobody")} })).ThenRefused(t, domain.ErrTenantUnknown)
	market().and(domain.TenantClosed{Tenant: acme}).WhenIn(initech, sell(selling())).ThenRefused(t, domain.ErrTenantUnknown)
	// That a tenant is suspended is none of the vendor's business.
	market().and(domain.TenantSuspended{Tenant: acme}).WhenIn(initech, sell(selling())).Then(t, toBoth(sold())...)
	for _, h := range []history{market().licensed(sold()), market().elsewhere(globex, sold())} {
		h.WhenIn(initech, sell(selling())).ThenRefused(t, domain.ErrIDTaken)
	}
}

func TestTermsThatSayNothingSensibleAreRefusedWhereTheyStand(t *testing.T) {
	for pointer, changes := range map[string][]func(*commands.IssueLicense){
		"/app": {func(c *commands.IssueLicense) { c.App = "No App" }, func(c *commands.IssueLicense) { c.App = "" }},
		"/starts_at": {
			func(c *commands.IssueLicense) { c.StartsAt = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC) },
			func(c *commands.IssueLicense) { c.StartsAt = time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC) },
		},
		"/ends_at": {
			func(c *commands.IssueLicense) { c.EndsAt = now },
			func(c *commands.IssueLicense) { c.StartsAt, c.EndsAt = now.Add(-2*day), now.Add(-day) },
			func(c *commands.IssueLicense) { c.StartsAt, c.EndsAt = now.Add(day), now.Add(day) },
			func(c *commands.IssueLicense) {
				c.EndsAt = time.Date(9999, 12, 31, 23, 59, 0, 0, time.FixedZone("", -3600))
			},
		},
		"/grace_days": {
			func(c *commands.IssueLicense) { c.GraceDays = -1 }, func(c *commands.IssueLicense) { c.GraceDays = 3651 },
			func(c *commands.IssueLicense) { c.EndsAt, c.GraceDays = time.Time{}, 1 },
		},
		"/seats":       {func(c *commands.IssueLicense) { c.Seats = new(-1) }, func(c *commands.IssueLicense) { c.Seats = new(1_000_001) }},
		"/activations": {func(c *commands.IssueLicense) { c.Activations = new(-1) }, func(c *commands.IssueLicense) { c.Activations = new(1_000_001) }},
		"/seating": {
			func(c *commands.IssueLicense) { c.Seating = domain.Named },
			func(c *commands.IssueLicense) { c.Seats, c.Seating = new(1), "standing" },
		},
		"/lease_seconds": {
			func(c *commands.IssueLicense) { c.LeaseSeconds = 60 }, func(c *commands.IssueLicense) { c.Seats, c.LeaseSeconds = new(1), 60 },
			func(c *commands.IssueLicense) { c.Seats, c.Seating, c.LeaseSeconds = new(1), domain.Floating, 29 },
			func(c *commands.IssueLicense) { c.Seats, c.Seating, c.LeaseSeconds = new(1), domain.Floating, 86401 },
			func(c *commands.IssueLicense) { c.Seats, c.Seating, c.LeaseSeconds = new(1), domain.Floating, -1 },
		},
		"/notes":     {func(c *commands.IssueLicense) { c.Notes = "a\x00b" }, func(c *commands.IssueLicense) { c.Notes = strings.Repeat("x", 2001) }},
		"/file_days": {func(c *commands.IssueLicense) { c.FileDays = -1 }, func(c *commands.IssueLicense) { c.FileDays = 3651 }},
		"/entitlements": {func(c *commands.IssueLicense) {
			c.Entitlements = nil
			for i := range domain.MostEntitlements + 1 {
				c.Entitlements = append(c.Entitlements, domain.Entitlement{Name: fmt.Sprint("e", i), Kind: domain.Feature})
			}
		}},
		"/entitlements/1/name": {
			func(c *commands.IssueLicense) {
				c.Entitlements = append(c.Entitlements, domain.Entitlement{Name: "invoices", Kind: domain.Feature})
			},
			func(c *commands.IssueLicense) {
				c.Entitlements = append(c.Entitlements, domain.Entitlement{Name: "No", Kind: domain.Feature})
			},
		},
		"/entitlements/0": {func(c *commands.IssueLicense) {
			c.Entitlements = []domain.Entitlement{{Name: "x", Kind: domain.Feature, Limit: 1}}
		}},
		"/entitlements/0/kind":   {func(c *commands.IssueLicense) { c.Entitlements = []domain.Entitlement{{Name: "x"}} }},
		"/entitlements/0/period": {func(c *commands.IssueLicense) { c.Entitlements[0].Period = "week" }},
		"/entitlements/0/limit":  {func(c *commands.IssueLicense) { c.Entitlements[0].Limit = -1 }},
	} {
		for i, change := range changes {
			t.Run(fmt.Sprint(pointer, i), func(t *testing.T) {
				market().WhenIn(initech, sell(selling(), change)).ThenInvalid(t, pointer)
			})
		}
	}
	widest := func(c *commands.IssueLicense) {
		c.GraceDays, c.Seats, c.Seating, c.LeaseSeconds, c.Activations, c.FileDays = 3650, new(1_000_000), domain.Floating, 86400, new(1_000_000), 3650
		c.StartsAt, c.Notes = now.Add(-3650*day), strings.Repeat("x", 2000)
	}
	market().WhenIn(initech, sell(selling(), widest)).Events(t)
}
