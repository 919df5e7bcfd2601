package license_test

import (
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"chancery/license"
)

const machine = "board 42, disk 7"

func checkoutClaims() license.CheckoutClaims {
	return license.CheckoutClaims{
		Issuer: vendor, ID: "0194f3a0-0000-7000-8000-000000000002", Tenant: acme, App: "billing", License: itsID,
		Fingerprint: license.HashFingerprint(itsID, machine), Terms: claims().Terms,
		IssuedAt: jwt.NumericDate(now.Add(-time.Hour).Unix()), ExpiresAt: jwt.NumericDate(now.Add(4 * time.Hour).Unix()),
	}
}

func checkedOut(t testing.TB, change ...func(*license.CheckoutClaims)) string {
	t.Helper()
	c := checkoutClaims()
	for _, f := range change {
		f(&c)
	}
	blob, err := license.SignCheckout(private('b'), public('b').ID, c)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func onMachine(change ...func(*license.Want)) license.Want {
	w := want()
	w.Fingerprint = machine
	for _, f := range change {
		f(&w)
	}
	return w
}

func TestACheckedOutActivationVerifiesOnItsMachine(t *testing.T) {
	c, err := license.VerifyCheckout(checkedOut(t), keys, onMachine())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(license.Checkout{CheckoutClaims: checkoutClaims(), KeyID: public('b').ID, State: license.Active}, c); diff != "" {
		t.Errorf("it says otherwise (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		change func(*license.Want)
		err    error
	}{
		"another machine":   {func(w *license.Want) { w.Fingerprint = "board 43, disk 7" }, license.ErrFingerprint},
		"no machine":        {func(w *license.Want) { w.Fingerprint = "" }, license.ErrFingerprint},
		"the hash as input": {func(w *license.Want) { w.Fingerprint = checkoutClaims().Fingerprint }, license.ErrFingerprint},
		"over":              {func(w *license.Want) { w.Now = now.Add(4 * time.Hour) }, license.ErrFileExpired},
		"clock set back":    {func(w *license.Want) { w.Now = now.Add(-2 * time.Hour) }, license.ErrClockBack},
		"another tenant":    {func(w *license.Want) { w.Tenant = vendor }, license.ErrTenant},
		"another app":       {func(w *license.Want) { w.App = "crm" }, license.ErrApp},
		"another vendor":    {func(w *license.Want) { w.Issuer = acme }, license.ErrIssuer},
	} {
		_, err := license.VerifyCheckout(checkedOut(t), keys, onMachine(c.change))
		refused(t, name, err, c.err)
	}
}

func TestACheckoutLastsNoLongerThanItsLicence(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*license.CheckoutClaims)
		err    error
		state  license.State
	}{
		"in grace":  {func(c *license.CheckoutClaims) { c.Terms.EndsAt = now }, nil, license.Grace},
		"ended":     {func(c *license.CheckoutClaims) { c.Terms.EndsAt, c.Terms.GraceDays = now, 0 }, license.ErrEnded, ""},
		"not begun": {func(c *license.CheckoutClaims) { c.Terms.StartsAt = now.Add(time.Minute) }, license.ErrNotBegun, ""},
	} {
		got, err := license.VerifyCheckout(checkedOut(t, c.change), keys, onMachine())
		if got.State != c.state {
			t.Errorf("%s: %q, %v", name, got.State, err)
		}
		if c.err != nil {
			refused(t, name, err, c.err)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFileOfOneTypeIsNoneOfTheOther(t *testing.T) {
	_, err := license.Verify(checkedOut(t), keys, want())
	refused(t, "a checkout as a licence", err, license.ErrType)
	_, err = license.VerifyCheckout(signed(t), keys, onMachine())
	refused(t, "a licence as a checkout", err, license.ErrType)
	for name, change := range map[string]func(*license.CheckoutClaims){
		"no licence":     func(c *license.CheckoutClaims) { c.License = "" },
		"no fingerprint": func(c *license.CheckoutClaims) { c.Fingerprint = "" },
		"no activation":  func(c *license.CheckoutClaims) { c.ID = "" },
		"no end":         func(c *license.CheckoutClaims) { c.ExpiresAt = 0 },
		"no terms":       func(c *license.CheckoutClaims) { c.Terms = license.Terms{} },
	} {
		_, err := license.VerifyCheckout(checkedOut(t, change), keys, onMachine())
		refused(t, name, err, license.ErrClaims)
	}
}

func TestAFingerprintDiffersFromLicenceToLicence(t *testing.T) {
	a, b := license.HashFingerprint(itsID, machine), license.HashFingerprint(vendor, machine)
	if a == b || a == license.HashFingerprint(itsID, machine+" ") || len(a) != 43 {
		t.Errorf("%s and %s", a, b)
	}
	if a != license.HashFingerprint(itsID, machine) {
		t.Error("it is another one each time")
	}
}
