package authn_test

import (
	"encoding/base32"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/internal/authn"
)

// The vectors of RFC 6238, appendix B, for SHA-1; of their eight digits the last six.
func TestCodesAreThoseOfTheRFC(t *testing.T) {
	seed := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		step, ok := authn.OneTime{}.TOTP(seed, code, time.Unix(at, 0))
		if !ok || step != at/30 {
			t.Errorf("%s at %d: step %d, %v", code, at, step, ok)
		}
	}
}

func TestACodeCountsInItsStepAndTheOnesBesideIt(t *testing.T) {
	seed := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	const code, of = "005924", 1234567890 / 30
	for step := int64(of - 3); step <= of+3; step++ {
		at := time.Unix(step*30+7, 0)
		got, ok := authn.OneTime{}.TOTP(seed, code, at)
		if want := step >= of-1 && step <= of+1; ok != want || ok && got != of {
			t.Errorf("%d steps later: step %d, %v", step-of, got, ok)
		}
		if slices.Contains(authn.OneTime{}.NearSteps(at), of) != ok {
			t.Errorf("%d steps later: near are %d", step-of, authn.OneTime{}.NearSteps(at))
		}
	}
	for _, typed := range []string{"", "00592", "0059240", "5924", "００５９２４", "abcdef", "-05924"} {
		if _, ok := (authn.OneTime{}).TOTP(seed, typed, time.Unix(of*30, 0)); ok {
			t.Errorf("%q is taken", typed)
		}
	}
	for _, typed := range []string{"005 924", " 005924\n"} {
		if _, ok := (authn.OneTime{}).TOTP(seed, typed, time.Unix(of*30, 0)); !ok {
			t.Errorf("%q is not taken", typed)
		}
	}
	if _, ok := (authn.OneTime{}).TOTP("not base32!", "005924", time.Unix(of*30, 0)); ok {
		t.Error("a damaged seed has codes")
	}
}

func TestASeedIsTheSameForTheSameSecretAndTellsNothingOfIt(t *testing.T) {
	c := authn.OneTime{Service: "Chancery"}
	seed, uri := c.Seed("secret", "ann@example.org")
	if again, _ := c.Seed("secret", "ann@example.org"); again != seed {
		t.Error("another seed the second time")
	}
	if other, _ := c.Seed("Secret", "ann@example.org"); other == seed {
		t.Error("one seed of two secrets")
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed)
	if err != nil || len(raw) != 20 {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"secret": {seed}, "issuer": {"Chancery"}, "period": {"30"}, "algorithm": {"SHA1"}, "digits": {"6"}}
	if diff := cmp.Diff(want, u.Query()); diff != "" || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Chancery:ann@example.org" {
		t.Errorf("%s\n%s", uri, diff)
	}
	if _, uri := c.Seed("secret", ""); uri == "" {
		t.Error("nobody's name makes no seed")
	}
}

func TestRecoveryCodesAreManyLongAndReadable(t *testing.T) {
	c := authn.OneTime{}
	codes, hashes := c.Codes("secret", 10)
	again, _ := c.Codes("secret", 10)
	if diff := cmp.Diff(codes, again); diff != "" {
		t.Errorf("a repeated request answers otherwise:\n%s", diff)
	}
	form := regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$`) // 16 letters of 5 bits
	for i, code := range codes {
		if !form.MatchString(code) {
			t.Errorf("code %q", code)
		}
		if slices.Index(codes, code) != i {
			t.Errorf("%s comes twice", code)
		}
		for _, typed := range []string{
			code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), " " + strings.ReplaceAll(code, "-", " ") + "\n",
			strings.NewReplacer("0", "o", "1", "l").Replace(code),
		} {
			if c.CodeHash(typed) != hashes[i] {
				t.Errorf("%q is not %q", typed, code)
			}
		}
	}
	if other, _ := c.Codes("another", 10); slices.ContainsFunc(other, func(o string) bool { return slices.Contains(codes, o) }) {
		t.Error("two secrets share a code")
	}
	if len(codes) != 10 || len(hashes) != 10 || len(hashes[0]) != 64 {
		t.Error(fmt.Sprint(codes, hashes))
	}
}
