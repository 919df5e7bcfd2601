package license_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"chancery/license"
)

// now is when files are verified; the licence of claims began an hour before, and ends in a day.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	vendor = "0194f3a0-0000-7000-8000-0000000000ce"
	acme   = "0194f3a0-0000-7000-8000-00000000acce"
	itsID  = "0194f3a0-0000-7000-8000-000000000001"
)

// private is a key made of a byte, keys knows the first two.
func private(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(n)), ed25519.SeedSize)))
}

func public(n byte) license.Key { return license.NewKey(private(n).Public().(ed25519.PublicKey)) }

var keys = license.Keys{public('a'), public('b')}

func claims() license.Claims {
	seats := 5
	return license.Claims{
		Issuer: vendor, ID: itsID, Tenant: acme, App: "billing", Revision: 2,
		IssuedAt: jwt.NumericDate(now.Add(-time.Hour).Unix()), ExpiresAt: jwt.NumericDate(now.Add(240 * time.Hour).Unix()),
		Terms: license.Terms{
			StartsAt: now.Add(-time.Hour), EndsAt: now.Add(24 * time.Hour), GraceDays: 3, Seats: &seats, Seating: "named",
			Entitlements: []license.Entitlement{{Name: "export", Kind: "feature"}, {Name: "calls", Kind: "meter", Limit: 100, Period: "month"}},
			Notes:        "thank you",
		},
	}
}

func signed(t testing.TB, change ...func(*license.Claims)) string {
	t.Helper()
	c := claims()
	for _, f := range change {
		f(&c)
	}
	blob, err := license.Sign(private('a'), public('a').ID, c)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// crafted is a JWS of whatever header and payload, rightly signed by the first key.
func crafted(header, payload string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	return input + "." + b64(ed25519.Sign(private('a'), []byte(input)))
}

func head(typ string) string {
	return `{"alg":"EdDSA","kid":"` + public('a').ID + `","typ":"` + typ + `"}`
}

func payload(t testing.TB) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(signed(t), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func want() license.Want { return license.Want{Now: now, Issuer: vendor, Tenant: acme, App: "billing"} }

// all are the reasons; exactly one of them is told each time.
var all = []error{
	license.ErrTruncated, license.ErrMalformed, license.ErrReencoded, license.ErrAlgorithm, license.ErrHeader, license.ErrType, license.ErrKeyID,
	license.ErrSignature, license.ErrClaims, license.ErrIssuer, license.ErrTenant, license.ErrApp, license.ErrFingerprint, license.ErrFileExpired,
	license.ErrNotBegun, license.ErrEnded, license.ErrClockBack, license.ErrWitnessMissing, license.ErrWitnessDamaged,
}

func refused(t *testing.T, what string, err, because error) {
	t.Helper()
	var told []error
	for _, r := range all {
		if errors.Is(err, r) {
			told = append(told, r)
		}
	}
	if !slices.Equal(told, []error{because}) || license.Reason(err) != because { //nolint:errorlint // the very one
		t.Errorf("%s: got %v, want %q", what, err, because)
	}
}

func TestALicenceFileVerifies(t *testing.T) {
	l, err := license.Verify(signed(t), keys, want())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(license.License{Claims: claims(), KeyID: public('a').ID, State: license.Active}, l); diff != "" {
		t.Errorf("it says otherwise (-want +got):\n%s", diff)
	}
	if _, err := license.Verify(signed(t), keys, license.Want{Now: now}); err != nil {
		t.Errorf("whoever's and for whatever: %v", err)
	}
	if _, err := license.Verify(crafted(head(license.TypeLicense), payload(t)), keys, want()); err != nil {
		t.Errorf("signed by other means: %v", err)
	}
	if again := signed(t); again != signed(t) {
		t.Errorf("the same claims under the same key are %s", again)
	}
}

func TestAnOldLicenceVerifiesAfterTheKeyWasReplaced(t *testing.T) {
	if _, err := license.Verify(signed(t), license.Keys{public('c'), public('b'), public('a')}, want()); err != nil {
		t.Error(err)
	}
	_, err := license.Verify(signed(t), license.Keys{public('b')}, want())
	refused(t, "the key is revoked", err, license.ErrKeyID)
	_, err = license.Verify(signed(t), nil, want())
	refused(t, "no keys at all", err, license.ErrKeyID)
	_, err = license.Verify(signed(t), license.Keys{{ID: public('a').ID, Public: public('b').Public}}, want())
	refused(t, "another key of that id", err, license.ErrSignature)
}

func TestALicenceIsInForceUntilItsGraceIsOver(t *testing.T) {
	begin, end := claims().Terms.StartsAt, claims().Terms.EndsAt
	grace := end.AddDate(0, 0, 3)
	for _, c := range []struct {
		at    time.Time
		state license.State
		err   error
	}{
		{begin.Add(-time.Second), "", license.ErrNotBegun},
		{begin, license.Active, nil},
		{end.Add(-time.Nanosecond), license.Active, nil},
		{end, license.Grace, nil},
		{grace.Add(-time.Nanosecond), license.Grace, nil},
		{grace, "", license.ErrEnded},
	} {
		w := want()
		w.Now = c.at
		l, err := license.Verify(signed(t, func(cl *license.Claims) { cl.ExpiresAt = jwt.NumericDate(grace.Add(time.Hour).Unix()) }), keys, w)
		if l.State != c.state || !errors.Is(err, c.err) {
			t.Errorf("at %v: %q, %v; want %q, %v", c.at, l.State, err, c.state, c.err)
		}
		if err != nil {
			refused(t, c.at.String(), err, c.err)
		}
	}
	w := want()
	w.Now = now.AddDate(50, 0, 0)
	l, err := license.Verify(signed(t, func(cl *license.Claims) {
		cl.Terms.EndsAt, cl.ExpiresAt = time.Time{}, jwt.NumericDate(now.AddDate(60, 0, 0).Unix())
	}), keys, w)
	if err != nil || l.State != license.Active || !l.Terms.GraceUntil().IsZero() {
		t.Errorf("a licence without end: %q until %v, %v", l.State, l.Terms.GraceUntil(), err)
	}
}

func TestAFileIsRefusedForWhomAndWhenItIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*license.Want)
		err    error
	}{
		"another vendor": {func(w *license.Want) { w.Issuer = acme }, license.ErrIssuer},
		"another tenant": {func(w *license.Want) { w.Tenant = vendor }, license.ErrTenant},
		"another app":    {func(w *license.Want) { w.App = "Billing" }, license.ErrApp},
		"file expired":   {func(w *license.Want) { w.Now = now.Add(240 * time.Hour) }, license.ErrFileExpired},
		"no time":        {func(w *license.Want) { w.Now = time.Time{} }, license.ErrClockBack},
		"clock set back": {func(w *license.Want) { w.Now = now.Add(-66 * time.Minute) }, license.ErrClockBack},
	} {
		w := want()
		c.change(&w)
		l, err := license.Verify(signed(t), keys, w)
		refused(t, name, err, c.err)
		if diff := cmp.Diff(license.License{}, l); diff != "" {
			t.Errorf("%s: told all the same: %s", name, diff)
		}
	}
	early := signed(t, func(c *license.Claims) { c.IssuedAt = jwt.NumericDate(now.Add(4 * time.Minute).Unix()) })
	if _, err := license.Verify(early, keys, want()); err != nil {
		t.Errorf("the vendor's clock is four minutes ahead: %v", err)
	}
}

func TestAFileMustMakeSense(t *testing.T) {
	good := payload(t)
	type object = map[string]any
	for name, change := range map[string]func(o, terms object){
		"no iss":                 func(o, _ object) { delete(o, "iss") },
		"no jti":                 func(o, _ object) { o["jti"] = "" },
		"sub is null":            func(o, _ object) { o["sub"] = nil },
		"sub is a number":        func(o, _ object) { o["sub"] = 7 },
		"aud is a list":          func(o, _ object) { o["aud"] = []string{"billing"} },
		"exp is a text":          func(o, _ object) { o["exp"] = "2030-01-01" },
		"no exp":                 func(o, _ object) { delete(o, "exp") },
		"exp before iat":         func(o, _ object) { o["exp"] = 1 },
		"exp beyond all":         func(o, _ object) { o["exp"] = 1e300 },
		"iat before all":         func(o, _ object) { o["iat"] = -1 },
		"no revision":            func(o, _ object) { delete(o, "revision") },
		"revision is a part":     func(o, _ object) { o["revision"] = 1.5 },
		"no licence":             func(o, _ object) { delete(o, "license") },
		"licence is a text":      func(o, _ object) { o["license"] = "all" },
		"no start":               func(_, l object) { delete(l, "starts_at") },
		"start is no time":       func(_, l object) { l["starts_at"] = "soon" },
		"ends as it begins":      func(_, l object) { l["ends_at"] = l["starts_at"] },
		"less than no grace":     func(_, l object) { l["grace_days"] = -1 },
		"grace beyond all":       func(_, l object) { l["grace_days"] = 36501 },
		"less than no seats":     func(_, l object) { l["seats"] = -1 },
		"seats as a text":        func(_, l object) { l["seats"] = "5" },
		"less than none":         func(_, l object) { l["activations"] = -1 },
		"a lease of less":        func(_, l object) { l["lease_seconds"] = -1 },
		"a nameless entitlement": func(_, l object) { l["entitlements"] = []object{{"kind": "feature"}} },
		"one of no kind":         func(_, l object) { l["entitlements"] = []object{{"name": "export"}} },
		"less than no limit":     func(_, l object) { l["entitlements"] = []object{{"name": "a", "kind": "limit", "limit": -1}} },
	} {
		var o object
		if err := json.Unmarshal([]byte(good), &o); err != nil {
			t.Fatal(err)
		}
		change(o, o["license"].(object))
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = license.Verify(crafted(head(license.TypeLicense), string(text)), keys, want())
		refused(t, name, err, license.ErrClaims)
	}
	for name, text := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "a text": `"x"`, "cut": good[:len(good)-1], "two": good + good,
		"sub twice": `{"sub":"` + acme + `",` + good[1:], "no UTF-8": strings.Replace(good, "thank", "th\xffnk", 1),
	} {
		_, err := license.Verify(crafted(head(license.TypeLicense), text), keys, want())
		refused(t, name, err, license.ErrClaims)
	}
}

func TestAFileMaySayMoreThanIsKnown(t *testing.T) {
	more := strings.Replace(payload(t), `{"iss"`, `{"nbf":1,"colour":{"of":["money"]},"iss"`, 1)
	more = strings.Replace(more, `"seating"`, `"sitting":"down","seating"`, 1)
	l, err := license.Verify(crafted(head(license.TypeLicense), more), keys, want())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(claims(), l.Claims); diff != "" {
		t.Error(diff)
	}
}

func TestOpenLeavesTimeAndPlaceToTheCaller(t *testing.T) {
	c, kid, err := license.Open(signed(t), keys)
	if err != nil || kid != public('a').ID || !cmp.Equal(c, claims()) {
		t.Errorf("%+v by %s, %v", c, kid, err)
	}
	c, kid, err = license.Open(signed(t)+"x", keys)
	if err == nil || kid != "" || !cmp.Equal(c, license.Claims{}) {
		t.Errorf("a file that is refused tells %+v by %q, %v", c, kid, err)
	}
}
