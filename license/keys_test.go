package license_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/license"
)

// The keys of RFC 8037, appendix A, and RFC 7517, appendix A.
const (
	rfcPublic     = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfcPrivate    = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfcThumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
	rfcEC         = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}`
	rfcOct        = `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`
	rfcX25519     = `{"kty":"OKP","crv":"X25519","kid":"Bob","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}`
)

func TestAKeyIsNamedByItsThumbprint(t *testing.T) {
	k, err := license.ParseKey([]byte(rfcPublic))
	if err != nil || k.ID != rfcThumbprint {
		t.Fatalf("%+v, %v", k, err)
	}
	again, err := license.ParseKey([]byte(k.JWK()))
	if err != nil || !cmp.Equal(again, k) {
		t.Errorf("%s is %+v, %v", k.JWK(), again, err)
	}
	for _, more := range []string{`"use":"sig"`, `"alg":"EdDSA"`, `"key_ops":["verify"]`, `"kid":"` + rfcThumbprint + `"`} {
		if got, err := license.ParseKey([]byte(strings.Replace(rfcPublic, "{", "{"+more+",", 1))); err != nil || !cmp.Equal(got, k) {
			t.Errorf("%s: %+v, %v", more, got, err)
		}
	}
}

func TestAKeyToRegisterIsPublicAndOfOneKind(t *testing.T) {
	with := func(more string) string { return strings.Replace(rfcPublic, "{", "{"+more+",", 1) }
	for text, words := range map[string]string{
		``: "object", `null`: "object", `[]`: "object", `"x"`: "object", `7`: "object", `{`: "object", rfcPublic + rfcPublic: "object",
		`{}`: "kty must be OKP", rfcEC: `"y"`, strings.Replace(rfcX25519, `"kid":"Bob",`, "", 1): "crv must be Ed25519",
		`{"kty":"EC","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`: "kty must be OKP",
		`{"kty":"OKP","crv":"Ed448","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`:  "crv must be Ed25519",
		`{"kty":["OKP"],"crv":"Ed25519","x":"x"}`:                                        "kty must be OKP",
		`{"kty":"OKP","crv":"Ed25519"}`:                                                  "x must be",
		`{"kty":"OKP","crv":"Ed25519","x":null}`:                                         "x must be",
		`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`:                                       "x must be 32 bytes",
		strings.Replace(rfcPublic, "URo", "URo=", 1):                                     "x must be 32 bytes",
		strings.Replace(rfcPublic, "URo", "URp", 1):                                      "x must be 32 bytes", // spare bits
		strings.Replace(rfcPublic, "URo", `UR\no`, 1):                                    "x must be 32 bytes",
		strings.Replace(rfcPublic, "_", "/", 1):                                          "x must be 32 bytes",
		with(`"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`):                        "different names",
		with(`"use":"enc"`):                                                              "use must be absent or sig",
		with(`"use":""`):                                                                 "use must be absent or sig",
		with(`"alg":"ES256"`):                                                            "alg must be absent or EdDSA",
		with(`"alg":"HS256"`):                                                            "alg must be absent or EdDSA",
		with(`"alg":7`):                                                                  "alg must be absent or EdDSA",
		with(`"key_ops":["sign","verify"]`):                                              "key_ops must be absent or verify",
		with(`"key_ops":"verify"`):                                                       "key_ops must be absent or verify",
		with(`"kid":"mine"`):                                                             rfcThumbprint,
		with(`"kid":7`):                                                                  "kid must be a text",
		with(`"x5u":"https://a.test/c.pem"`):                                             `"x5u" is not allowed`,
		with(`"colour":"red"`):                                                           `"colour" is not allowed`,
	} {
		if _, err := license.ParseKey([]byte(text)); !errors.Is(err, license.ErrKey) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %s", text, err, words)
		}
	}
	for _, text := range []string{rfcPrivate, rfcOct, with(`"d":""`), with(`"d":null`), with(`"p":"AA"`), with(`"priv":"AA"`), with(`"oth":[]`)} {
		if _, err := license.ParseKey([]byte(text)); !errors.Is(err, license.ErrPrivateKey) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Go, as RFC 8032 leaves it open, lets a key of small order verify signatures that need no private key.
func TestAKeyForWhichAnybodyCanSignIsRefused(t *testing.T) {
	one := "0100000000000000000000000000000000000000000000000000000000000000"  // S of the forged signature
	base := "5866666666666666666666666666666666666666666666666666666666666666" // R = S·B
	forged, err := hex.DecodeString(base + one)
	if err != nil {
		t.Fatal(err)
	}
	forgeable := 0
	for _, low := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		key, err := hex.DecodeString(low)
		if err != nil {
			t.Fatal(err)
		}
		for _, sign := range []byte{0, 0x80} {
			key[31] = key[31]&0x7f | sign
			for n := range 200 {
				if ed25519.Verify(key, fmt.Appendf(nil, "message %d", n), forged) {
					forgeable++
					break
				}
			}
			if _, err := license.ParseKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + b64(key) + `"}`)); !errors.Is(err, license.ErrKey) {
				t.Errorf("%x: %v", key, err)
			}
		}
	}
	if forgeable < 7 {
		t.Errorf("nobody can sign for %d of them: the list is wrong", 14-forgeable)
	}
}

func TestASetHoldsWhatCanBeUsed(t *testing.T) {
	a, b := public('a'), public('b')
	for text, want := range map[string]license.Keys{
		`{"keys":[]}`: {},
		`{"keys":[` + a.JWK() + `,` + b.JWK() + `]}`:                                                            {a, b},
		`{"keys":[` + rfcEC + `,` + rfcX25519 + `,` + a.JWK() + `,{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}]}`: {a},
		`{"keys":[` + strings.Replace(a.JWK(), `"sig"`, `"enc"`, 1) + `]}`:                                      {},
		`{"keys":[` + strings.Replace(a.JWK(), `"EdDSA"`, `"Ed448"`, 1) + `]}`:                                  {},
		`{"keys":[` + strings.Replace(rfcPublic, "{", `{"kid":"mine","x5t":"AA",`, 1) + `],"more":1}`:           {{ID: "mine", Public: rfcKey(t).Public}},
		`{"keys":[` + rfcPublic + `]}`:                                                                          {rfcKey(t)},
	} {
		if got, err := license.ParseKeys([]byte(text)); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, words := range map[string]string{
		``: "read", `null`: "no keys", `{}`: "no keys", `{"keys":null}`: "no keys", `{"keys":{}}`: "read", a.JWK(): "no keys", `[` + a.JWK() + `]`: "read",
		`{"keys":[],"keys":[]}`:                         "duplicate",
		`{"keys":[7]}`:                                  "key 1",
		`{"keys":[` + a.JWK() + `,{}]}`:                 "key 2",
		`{"keys":[` + a.JWK() + `,` + a.JWK() + `]}`:    "two of the id",
		`{"keys":[` + a.JWK() + `,` + rfcPrivate + `]}`: license.ErrPrivateKey.Error(),
		`{"keys":[` + rfcOct + `]}`:                     license.ErrPrivateKey.Error(),
		`{"keys":[` + rfcPublic + `]} x`:                "read",
	} {
		if got, err := license.ParseKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), words) || got != nil {
			t.Errorf("%s: %+v, %v; want %s", text, got, err, words)
		}
	}
}

func rfcKey(t *testing.T) license.Key {
	t.Helper()
	k, err := license.ParseKey([]byte(rfcPublic))
	if err != nil {
		t.Fatal(err)
	}
	return k
}
