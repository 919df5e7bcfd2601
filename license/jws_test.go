package license_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"chancery/license"
)

var b64 = base64.RawURLEncoding.EncodeToString

// The published examples: RFC 7515, appendices A and E, RFC 7797, RFC 8037.
const (
	joe      = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	es256    = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	exampleS = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	exampleX = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
)

func TestPublishedVectorsAreRefused(t *testing.T) {
	x, err := base64.RawURLEncoding.DecodeString(exampleX)
	if err != nil {
		t.Fatal(err)
	}
	keys := append(license.Keys{license.NewKey(x)}, keys...)
	signedPart, signature := cutLast(exampleS)
	if raw, err := base64.RawURLEncoding.DecodeString(signature); err != nil || !ed25519.Verify(x, []byte(signedPart), raw) {
		t.Fatal("the vector of RFC 8037 is mistyped")
	}
	for name, c := range map[string]struct {
		blob string
		err  error
	}{
		"RFC 7515 A.1, HS256": {"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + joe + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", license.ErrAlgorithm},
		"RFC 7515 A.2, RS256": {"eyJhbGciOiJSUzI1NiJ9." + joe + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw", license.ErrAlgorithm},
		"RFC 7515 A.3, ES256": {"eyJhbGciOiJFUzI1NiJ9." + joe + "." + es256, license.ErrAlgorithm},
		"RFC 7515 A.4, ES512": {"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn", license.ErrAlgorithm},
		"RFC 7515 A.5, none":  {"eyJhbGciOiJub25lIn0." + joe + ".", license.ErrAlgorithm},
		"RFC 7515 A.6, general JSON": {
			`{"payload":"` + joe + `","signatures":[{"protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},"signature":"` + es256 + `"}]}`, license.ErrReencoded,
		},
		"RFC 7515 A.7, flattened JSON": {
			`{"payload":"` + joe + `","protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},"signature":"` + es256 + `"}`, license.ErrReencoded,
		},
		"RFC 7515 E, critical":      {"eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.", license.ErrAlgorithm},
		"RFC 7515 F, detached":      {strings.Split(signed(t), ".")[0] + ".." + strings.Split(signed(t), ".")[2], license.ErrSignature},
		"RFC 7797 4.2, unencoded":   {"eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY", license.ErrAlgorithm},
		"RFC 8037 A.4, of no type":  {exampleS, license.ErrHeader},
		"RFC 7516 A.1, a JWE":       {"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d", license.ErrReencoded},
		"RFC 7519 6.1, unsecured":   {"eyJhbGciOiJub25lIn0." + joe + "." + es256, license.ErrAlgorithm},
		"RFC 8725 2.1, alg in case": {crafted(strings.Replace(head(license.TypeLicense), "EdDSA", "eddsa", 1), payload(t)), license.ErrAlgorithm},
		"RFC 8725 3.11, a JWT":      {crafted(head("JWT"), payload(t)), license.ErrType},
		"RFC 9864, Ed25519":         {crafted(strings.Replace(head(license.TypeLicense), "EdDSA", "Ed25519", 1), payload(t)), license.ErrAlgorithm},
	} {
		_, err := license.Verify(c.blob, keys, want())
		refused(t, name, err, c.err)
	}
}

func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, '.')
	return s[:i], s[i+1:]
}

// with signs the payload of the good licence under another algorithm, with our kid and type.
func with(t *testing.T, alg string, sign func(input []byte) []byte) string {
	t.Helper()
	input := b64([]byte(strings.Replace(head(license.TypeLicense), "EdDSA", alg, 1))) + "." + b64([]byte(payload(t)))
	return input + "." + b64(sign([]byte(input)))
}

func TestNoOtherAlgorithmIsAccepted(t *testing.T) {
	mac := func(key []byte) func([]byte) []byte {
		return func(input []byte) []byte {
			m := hmac.New(sha256.New, key)
			m.Write(input)
			return m.Sum(nil)
		}
	}
	ofRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ofEC, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := func(input []byte) []byte { d := sha256.Sum256(input); return d[:] }
	key := public('a')
	for name, blob := range map[string]string{
		"HS256 with the public key":     with(t, "HS256", mac(key.Public)),
		"HS256 with its JSON":           with(t, "HS256", mac([]byte(key.JWK()))),
		"HS256 with its base64url":      with(t, "HS256", mac([]byte(b64(key.Public)))),
		"HS512":                         with(t, "HS512", mac(key.Public)),
		"none":                          with(t, "none", func([]byte) []byte { return nil }),
		"none with a signature":         with(t, "none", func(input []byte) []byte { return ed25519.Sign(private('a'), input) }),
		"NONE":                          with(t, "NONE", func([]byte) []byte { return nil }),
		"nOnE":                          with(t, "nOnE", func([]byte) []byte { return nil }),
		"nothing":                       with(t, "", func(input []byte) []byte { return ed25519.Sign(private('a'), input) }),
		"HS256 in name, rightly signed": with(t, "HS256", func(input []byte) []byte { return ed25519.Sign(private('a'), input) }),
		"Ed448 in name":                 with(t, "Ed448", func(input []byte) []byte { return ed25519.Sign(private('a'), input) }),
		"alg twice in one":              with(t, "EdDSA,none", func(input []byte) []byte { return ed25519.Sign(private('a'), input) }),
		"RS256": with(t, "RS256", func(input []byte) []byte {
			s, err := rsa.SignPKCS1v15(rand.Reader, ofRSA, crypto.SHA256, digest(input))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}),
		"PS256": with(t, "PS256", func(input []byte) []byte {
			s, err := rsa.SignPSS(rand.Reader, ofRSA, crypto.SHA256, digest(input), nil)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}),
		"ES256": with(t, "ES256", func(input []byte) []byte {
			s, err := ecdsa.SignASN1(rand.Reader, ofEC, digest(input))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}),
	} {
		_, err := license.Verify(blob, keys, want())
		refused(t, name, err, license.ErrAlgorithm)
	}
	noAlg := strings.Replace(head(license.TypeLicense), `"alg":"EdDSA",`, "", 1)
	_, err = license.Verify(crafted(noAlg, payload(t)), keys, want())
	refused(t, "no alg", err, license.ErrAlgorithm)
}

func TestTheHeaderSaysThreeThings(t *testing.T) {
	mine, theirs := public('a'), license.NewKey(private('z').Public().(ed25519.PublicKey))
	kid := `"kid":"` + mine.ID + `"`
	typ := `"typ":"` + license.TypeLicense + `"`
	for header, because := range map[string]error{
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"crit":["exp"],"exp":1}`:                   license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"crit":[]}`:                                license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"crit":null}`:                              license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"crit":["b64"],"b64":false}`:               license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"b64":true}`:                               license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"jwk":` + mine.JWK() + `}`:                 license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"jwk":` + theirs.JWK() + `}`:               license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"jku":"https://evil.example/jwks.json"}`:   license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"x5u":"https://evil.example/c.pem"}`:       license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"x5c":["MIIB"]}`:                           license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"x5t":"AA","x5t#S256":"AA"}`:               license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"cty":"JWT"}`:                              license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"zip":"DEF"}`:                              license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"nonce":"n"}`:                              license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,` + typ + `,"Alg":"none"}`:                             license.ErrHeader,
		`{"alg":"EdDSA",` + typ + `}`:                                                      license.ErrHeader,
		`{"alg":"EdDSA",` + typ + `,"kid":7}`:                                              license.ErrHeader,
		`{"alg":"EdDSA",` + typ + `,"kid":null}`:                                           license.ErrHeader,
		`{"alg":["EdDSA"],` + kid + `,` + typ + `}`:                                        license.ErrHeader,
		`{"alg":"EdDSA",` + kid + `,"typ":["x"]}`:                                          license.ErrHeader,
		`{"alg":"EdDSA",` + typ + `,"kid":"` + theirs.ID + `"}`:                            license.ErrKeyID,
		`{"alg":"EdDSA",` + typ + `,"kid":"../../dev/null"}`:                               license.ErrKeyID,
		`{"alg":"EdDSA",` + typ + `,"kid":"' OR 1=1 --"}`:                                  license.ErrKeyID,
		`{"alg":"EdDSA",` + kid + `}`:                                                      license.ErrType,
		`{"alg":"EdDSA",` + kid + `,"typ":"JWT"}`:                                          license.ErrType,
		`{"alg":"EdDSA",` + kid + `,"typ":"` + license.TypeActivation + `"}`:               license.ErrType,
		`{"alg":"EdDSA",` + kid + `,"typ":"application/` + license.TypeLicense + `"}`:      license.ErrType,
		`{"alg":"EdDSA",` + kid + `,"typ":"` + strings.ToUpper(license.TypeLicense) + `"}`: license.ErrType,
		`{"alg":"none","alg":"EdDSA",` + kid + `,` + typ + `}`:                             license.ErrReencoded,
		`{"alg":"EdDSA","alg":"EdDSA",` + kid + `,` + typ + `}`:                            license.ErrReencoded,
		`{"alg":"EdDSA","\u0061lg":"none",` + kid + `,` + typ + `}`:                        license.ErrReencoded,
		`{"alg":"EdDSA",` + kid + `,` + typ:                                                license.ErrTruncated,
		`{"alg":"EdDSA",` + kid + `,` + typ + `} x`:                                        license.ErrMalformed,
		`["EdDSA"]`: license.ErrMalformed, `null`: license.ErrMalformed, `"EdDSA"`: license.ErrMalformed, `}`: license.ErrMalformed, "\x00": license.ErrMalformed,
		"\ufeff" + head(license.TypeLicense): license.ErrMalformed,
	} {
		_, err := license.Verify(crafted(header, payload(t)), keys, want())
		refused(t, header, err, because)
	}
}

func TestAFileStaysByteForByteAsItWas(t *testing.T) {
	good := signed(t)
	p := strings.Split(good, ".")
	std := func(s string) string {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(raw)
	}
	slashed := signed(t, func(c *license.Claims) { c.Terms.Notes = "???>>>~~~" }) // its base64url has - and _
	slash := strings.Split(slashed, ".")
	if std(slash[1]) == slash[1] {
		t.Fatal("there is nothing to re-encode")
	}
	spare := p[2][:len(p[2])-1] + string("BCDEFGHIJKLMNOP"[strings.IndexByte("AQgw", p[2][len(p[2])-1])])
	for name, c := range map[string]struct {
		blob string
		err  error
	}{
		"a line break after it":     {good + "\n", license.ErrReencoded},
		"a blank before it":         {" " + good, license.ErrReencoded},
		"line breaks within":        {good[:80] + "\r\n" + good[80:], license.ErrReencoded},
		"a tab in the signature":    {good[:len(good)-5] + "\t" + good[len(good)-5:], license.ErrReencoded},
		"padding after it":          {good + "==", license.ErrReencoded},
		"padding of all":            {std(p[0]) + "." + std(p[1]) + "." + std(p[2]), license.ErrReencoded},
		"the standard alphabet":     {slash[0] + "." + strings.TrimRight(std(slash[1]), "=") + "." + slash[2], license.ErrReencoded},
		"spare bits":                {p[0] + "." + p[1] + "." + spare, license.ErrReencoded},
		"a dot after it":            {good + ".", license.ErrReencoded},
		"a dot before it":           {"." + good, license.ErrReencoded},
		"five parts":                {good + ".a.b", license.ErrReencoded},
		"JSON":                      {`{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`, license.ErrReencoded},
		"JSON after a line break":   {"\n" + `{"payload":"` + p[1] + `","signatures":[{"protected":"` + p[0] + `","signature":"` + p[2] + `"}]}`, license.ErrReencoded},
		"nothing":                   {"", license.ErrTruncated},
		"the header alone":          {p[0], license.ErrTruncated},
		"no signature":              {p[0] + "." + p[1], license.ErrTruncated},
		"an empty signature":        {p[0] + "." + p[1] + ".", license.ErrTruncated},
		"half a signature":          {good[:len(good)-43], license.ErrTruncated},
		"a letter less":             {good[:len(good)-1], license.ErrTruncated},
		"no header":                 {"." + p[1] + "." + p[2], license.ErrTruncated},
		"a longer signature":        {good + "AAAA", license.ErrMalformed},
		"other letters":             {p[0] + ".é" + p[1] + "." + p[2], license.ErrMalformed},
		"a NUL":                     {good + "\x00", license.ErrMalformed},
		"a text":                    {"my licence", license.ErrMalformed},
		"a PEM block":               {"-----BEGIN\x00LICENSE", license.ErrMalformed},
		"more than a file may have": {strings.Repeat("A", 1<<20+1), license.ErrMalformed},
		"another payload":           {p[0] + "." + slash[1] + "." + p[2], license.ErrSignature},
		"another's signature":       {p[0] + "." + p[1] + "." + slash[2], license.ErrSignature},
		"a signature of nothing":    {p[0] + "." + p[1] + "." + b64(make([]byte, 64)), license.ErrSignature},
	} {
		_, err := license.Verify(c.blob, keys, want())
		refused(t, name, err, c.err)
	}
	for i := range len(good) {
		if _, err := license.Verify(good[:i], keys, want()); err == nil {
			t.Errorf("the first %d bytes verify", i)
		}
	}
}

// A signature R, S verifies as R, S + L too where S is not bounded (RFC 8032, section 5.1.7).
func TestASignatureIsOfOneForm(t *testing.T) {
	order, err := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	if err != nil {
		t.Fatal(err)
	}
	before, text := cutLast(signed(t))
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	carry := 0
	for i := range 32 {
		carry += int(raw[32+i]) + int(order[i])
		raw[32+i], carry = byte(carry), carry>>8
	}
	_, err = license.Verify(before+"."+b64(raw), keys, want())
	refused(t, "S + L", err, license.ErrSignature)
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	good := signed(t)
	for i := range len(good) {
		for bit := range 8 {
			blob := []byte(good)
			blob[i] ^= 1 << bit
			if _, err := license.Verify(string(blob), keys, want()); err == nil {
				t.Fatalf("byte %d, bit %d", i, bit)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	good := signed(f)
	p := strings.Split(good, ".")
	checkout := checkedOut(f)
	for _, seed := range []string{
		good, checkout, "", ".", "..", "...", good + ".", p[0], p[0] + "..", `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
		exampleS, "eyJhbGciOiJub25lIn0." + joe + ".", crafted(head(license.TypeLicense), "{}"), crafted(head(license.TypeLicense), "null"),
		crafted(head(license.TypeLicense), `{"exp":1e999}`), crafted(`{"alg":"EdDSA","crit":["exp"]}`, payload(f)), crafted("{", "{"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, blob string) {
		if l, err := license.Verify(blob, keys, want()); err == nil && (blob != good || l.ID != itsID) {
			t.Errorf("another file verifies: %s", blob)
		}
		w := want()
		w.Fingerprint = machine
		if _, err := license.VerifyCheckout(blob, keys, w); err == nil && blob != checkout {
			t.Errorf("another file verifies: %s", blob)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	for _, seed := range []string{`{"keys":[]}`, `{"keys":[` + public('a').JWK() + `]}`, `{"keys":[{"kty":"oct","k":"AA"}]}`, `{`, `null`, `{"keys":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, set []byte) {
		found, err := license.ParseKeys(set)
		for _, k := range found {
			if err != nil || k.ID == "" || len(k.Public) != ed25519.PublicKeySize {
				t.Errorf("%q holds %+v, %v", set, k, err)
			}
		}
	})
}
