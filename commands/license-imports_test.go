package commands_test

import (
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/license"
)

// abroad is the market, whose vendor initech also signs elsewhere with its ninth key; imported is what it signed there.
func abroad() history {
	key := publicOf(seedOf(initech, 9))
	return market().elsewhere(initech, domain.SigningKeyRegistered{
		Key: keyID(initech, 9), Vendor: domain.VendorIn(initech), Kid: key.ID, Public: key.JWK(),
	})
}

func imported(changes ...func(*domain.LicenseIssued)) domain.LicenseIssued {
	l := sold(append([]func(*domain.LicenseIssued){func(e *domain.LicenseIssued) { e.Imported = true }}, changes...)...)
	return filed(l, 9, now.Add(30*day))
}

func doImport(blob string) dcb.Decision { return commands.ImportLicense{Blob: blob}.Decide(env()) }

func TestALicenceThatWasSignedElsewhereIsImported(t *testing.T) {
	l := imported(func(e *domain.LicenseIssued) {
		e.Revision, e.Terms.Seats, e.Terms.Seating, e.Terms.LeaseSeconds, e.Terms.Activations, e.Terms.Notes = 4, new(5), domain.Floating, 60, new(2), "x"
	})
	abroad().When(doImport(l.File.Blob)).Then(t, toBoth(l)...)
	abroad().When(commands.ImportLicense{ID: l.License, Blob: l.File.Blob}.Decide(env())).Then(t, toBoth(l)...)
	abroad().When(commands.ImportLicense{ID: licenseID("other"), Blob: l.File.Blob}.Decide(env())).ThenRefused(t, domain.ErrLicenseNotHere)
	forever := imported(func(e *domain.LicenseIssued) { e.Terms.Window.Until, e.Terms.GraceDays = time.Time{}, 0 })
	abroad().When(doImport(forever.File.Blob)).Then(t, toBoth(forever)...)
	abroad().licensed(l).When(doImport(l.File.Blob)).ThenNothing(t)
	if got := (commands.ImportLicense{Blob: l.File.Blob}).Target().Tag(); got != l.License.Tag() {
		t.Errorf("it is about %s, want %s", got, l.License.Tag())
	}
}

// thenSays requires that the blob is refused in words.
func thenSays(t *testing.T, o outcome, words string) {
	t.Helper()
	o.ThenRefused(t, domain.ErrLicenseBlob)
	var at *domain.InputError
	if !errors.As(o.Err(), &at) || at.Pointer != "/blob" || !strings.Contains(at.Detail, words) {
		t.Errorf("refused with %v, want %q at /blob", o.Err(), words)
	}
}

func TestNothingIsRecordedOfAFileThatDoesNotVerify(t *testing.T) {
	l := imported()
	head, rest, _ := strings.Cut(l.File.Blob, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	stranger := seedOf(initech, 77)
	strange, _ := license.Sign(stranger, publicOf(stranger).ID, claimsOf(l, l.File.ExpiresAt))
	borrowed, _ := license.Sign(stranger, l.File.Kid, claimsOf(l, l.File.ExpiresAt))
	otherType, _ := license.SignCheckout(seedOf(initech, 9), l.File.Kid, license.CheckoutClaims{
		Issuer: l.Vendor.String(), ID: l.License.String(), Tenant: l.Holder.String(), App: "billing",
	})
	signed := func(change func(*license.Claims)) string {
		c := claimsOf(l, l.File.ExpiresAt)
		change(&c)
		blob, err := license.Sign(seedOf(initech, 9), l.File.Kid, c)
		if err != nil {
			t.Fatal(err)
		}
		return blob
	}
	for name, c := range map[string]struct{ blob, words string }{
		"nothing":             {"", "cut off"},
		"no JWS":              {"x", ""},
		"cut off":             {head + "." + payload, "cut off"},
		"another payload":     {strings.Join([]string{head, changedPayload(t, payload), signature}, "."), license.ErrSignature.Error()},
		"no signature":        {head + "." + payload + ".", "cut off"},
		"no algorithm":        {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + payload + ".", ""},
		"a symmetric one":     {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"`+l.File.Kid+`","typ":"`+license.TypeLicense+`"}`)) + "." + payload + "." + signature, license.ErrAlgorithm.Error()},
		"an unknown key":      {strange, license.ErrKeyID.Error()},
		"a borrowed kid":      {borrowed, license.ErrSignature.Error()},
		"of another type":     {otherType, license.ErrType.Error()},
		"expired":             {signed(func(c *license.Claims) { c.IssuedAt, c.ExpiresAt = c.IssuedAt-60, c.IssuedAt }), license.ErrFileExpired.Error()},
		"from the future":     {signed(func(c *license.Claims) { c.IssuedAt += 3600 }), "has not come yet"},
		"no vendor":           {signed(func(c *license.Claims) { c.Issuer = "initech" }), "iss and jti"},
		"nobody's":            {signed(func(c *license.Claims) { c.Issuer = "00000000-0000-0000-0000-000000000000" }), "iss and jti"},
		"no id":               {signed(func(c *license.Claims) { c.ID = "urn:uuid:" + c.ID }), "iss and jti"},
		"a spelling of an id": {signed(func(c *license.Claims) { c.ID = strings.ToUpper(c.ID) }), "iss and jti"},
		"no revision":         {signed(func(c *license.Claims) { c.Revision = 0 }), "revision"},
		"too many revisions":  {signed(func(c *license.Claims) { c.Revision = 1_000_001 }), "revision"},
		"no end":              {signed(func(c *license.Claims) { c.ExpiresAt = math.MaxInt64 }), "exp"},
		"a far end":           {signed(func(c *license.Claims) { c.ExpiresAt = 253402300000 }), "exp"},
		"odd terms":           {signed(func(c *license.Claims) { c.Terms.LeaseSeconds = 60 }), "lease_seconds must be absent"},
		"a year too far":      {signed(func(c *license.Claims) { c.Terms.EndsAt = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }), "ends_at"},
		"no kind":             {signed(func(c *license.Claims) { c.Terms.Entitlements[0].Kind = "gift" }), "entitlements/0/kind"},
	} {
		t.Run(name, func(t *testing.T) { thenSays(t, abroad().When(doImport(c.blob)), c.words) })
	}
	revoked := abroad().elsewhere(initech, domain.SigningKeyRevoked{Key: keyID(initech, 9), Vendor: domain.VendorIn(initech)})
	thenSays(t, revoked.When(doImport(l.File.Blob)), license.ErrKeyID.Error())
	retired := abroad().elsewhere(initech, domain.SigningKeyRetired{Key: keyID(initech, 9), Vendor: domain.VendorIn(initech)})
	retired.When(doImport(l.File.Blob)).Then(t, toBoth(l)...)
	// Another vendor's key is a stranger's.
	key := publicOf(seedOf(initech, 9))
	theirs := market().elsewhere(hooli, domain.SigningKeyRegistered{Key: keyID(hooli, 9), Vendor: domain.VendorIn(hooli), Kid: key.ID, Public: key.JWK()})
	thenSays(t, theirs.When(doImport(l.File.Blob)), license.ErrKeyID.Error())
}

// changedPayload is the payload with more days of grace.
func changedPayload(t *testing.T, payload string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(payload)
	changed := strings.Replace(string(text), `"grace_days":10`, `"grace_days":99`, 1)
	if err != nil || changed == string(text) {
		t.Fatalf("%v %s", err, text)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(changed))
}

func TestALicenceOfAnotherTenantOrAppIsNotImported(t *testing.T) {
	l := imported()
	e := env()
	e.Tenant = globex
	abroad().WhenIn(globex, commands.ImportLicense{Blob: l.File.Blob}.Decide(e)).ThenRefused(t, domain.ErrLicenseNotHere)
	for _, app := range []domain.App{"search", "nothing", "No App"} {
		of := imported(func(e *domain.LicenseIssued) { e.Name = app })
		abroad().When(doImport(of.File.Blob)).ThenRefused(t, domain.ErrLicenseNotHere)
	}
	abroad().elsewhere(domain.Root, domain.VendorDismissed{Vendor: domain.VendorIn(initech)}).When(doImport(l.File.Blob)).ThenRefused(t, domain.ErrNotVendor)
	abroad().elsewhere(globex, l).When(doImport(l.File.Blob)).ThenRefused(t, domain.ErrIDTaken)
	over := imported(func(e *domain.LicenseIssued) {
		e.Terms.Window = domain.Window{From: now.Add(-9 * day), Until: now.Add(-2 * day)}
		e.Terms.GraceDays = 2
	})
	abroad().When(doImport(over.File.Blob)).ThenRefused(t, domain.ErrLicenseOver)
	graced := imported(func(e *domain.LicenseIssued) {
		e.Terms.Window = domain.Window{From: now.Add(-9 * day), Until: now.Add(-2 * day)}
		e.Terms.GraceDays = 3
	})
	abroad().When(doImport(graced.File.Blob)).Then(t, toBoth(graced)...)
}

func TestAnImportedLicenceGoesOnByItsNextFile(t *testing.T) {
	second := func(e *domain.LicenseIssued) { e.Revision = 2 }
	known := imported(second)
	h := abroad().licensed(known)
	later := imported(func(e *domain.LicenseIssued) { e.Revision, e.Terms.Window.Until = 3, known.Terms.Window.Until.Add(day) })
	h.When(doImport(later.File.Blob)).Then(t, toBoth(domain.LicenseRenewed(later))...)
	h.and(toBoth(suspended(""))...).When(doImport(later.File.Blob)).Then(t, toBoth(domain.LicenseRenewed(later))...)
	earlier := imported(func(e *domain.LicenseIssued) {
		e.Revision, e.Terms.Window.Until = 7, known.Terms.Window.Until.Add(-day)
	})
	h.When(doImport(earlier.File.Blob)).Then(t, toBoth(domain.LicenseChanged(earlier))...)
	over := imported(func(e *domain.LicenseIssued) {
		e.Revision, e.Terms.Window = 3, domain.Window{From: now.Add(-99 * day), Until: now.Add(-98 * day)}
	})
	h.When(doImport(over.File.Blob)).ThenRefused(t, domain.ErrLicenseOver)
	first := imported()
	h.When(doImport(first.File.Blob)).ThenRefused(t, domain.ErrLicenseStale)
	h.and(toBoth(revokedLicense(""))...).When(doImport(later.File.Blob)).ThenRefused(t, domain.ErrLicenseRevoked)
	// The same revision may come in a fresher file, but it says the same.
	fresher := filed(known, 9, now.Add(60*day))
	h.When(doImport(fresher.File.Blob)).Then(t, toBoth(domain.LicenseSigned{
		License: known.License, Holder: known.Holder, Vendor: known.Vendor, App: known.App, Held: known.Held, File: fresher.File,
	})...)
	h.When(doImport(filed(known, 9, now.Add(29*day)).File.Blob)).ThenNothing(t)
	thenSays(t, h.When(doImport(imported(second, func(e *domain.LicenseIssued) { e.Terms.Notes = "x" }).File.Blob)), "same revision")
	// The id of another licence is not taken over.
	other := known
	other.Vendor, other.Name, other.App = domain.HomeIn(hooli), "search", domain.OfApp(domain.App("search").ID())
	abroad().and(placed(other, acme, hooli)...).When(doImport(later.File.Blob)).ThenRefused(t, domain.ErrLicenseNotHere)
}

// A file that was issued here is known here.
func TestAFileOfALicenceThatWasIssuedHereIsNothingNew(t *testing.T) {
	h, l := bought()
	h.When(doImport(l.File.Blob)).ThenNothing(t)
	second := next(l, func(t *domain.Terms) { t.Notes = "x" })
	h.and(toBoth(domain.LicenseChanged(second))...).When(doImport(l.File.Blob)).ThenRefused(t, domain.ErrLicenseStale)
}
