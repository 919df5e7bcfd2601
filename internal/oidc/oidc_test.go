package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"chancery/internal/oidc"
	"chancery/internal/oidc/oidctest"
)

var here = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

const back = "http://127.0.0.1:9/back"

// world is a relying party, its clock, and a provider.
type world struct {
	*oidc.Relying
	provider *oidctest.Provider
	client   oidc.Client

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{provider: oidctest.Start(t, "chancery", "hush"), now: time.Now()}
	w.provider.Be(oidctest.User{Subject: "42", Email: "ann@acme.test", Verified: true, Name: "Ann", Groups: []string{"a", "b"}, Methods: []string{"pwd"}})
	w.Relying = oidc.New(oidc.Config{Now: w.clock, Allow: here})
	w.client = oidc.Client{Issuer: w.provider.URL, ID: "chancery", Secret: "hush", Scopes: []string{"openid", "email", "profile"}, Redirect: back}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) forward(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func request() oidc.Request {
	return oidc.Request{State: rand.Text(), Nonce: rand.Text(), Verifier: oidc.NewVerifier()}
}

// code is what the provider sends the user back with.
func (w *world) code(t *testing.T, q oidc.Request) string {
	t.Helper()
	address, err := w.AuthURL(t.Context(), w.client, q)
	if err != nil {
		t.Fatal(err)
	}
	at, err := w.provider.Visit(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	values := at.Query()
	if values.Get("state") != q.State || values.Get("code") == "" || !strings.HasPrefix(at.String(), back) {
		t.Fatalf("came back to %s", at)
	}
	return values.Get("code")
}

func (w *world) signIn(t *testing.T, wants ...string) (oidc.Claims, error) {
	t.Helper()
	q := request()
	return w.Exchange(t.Context(), w.client, q, oidc.Answer{Code: w.code(t, q), Wants: wants})
}

func refused(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestAUserComesBackFromARealProvider(t *testing.T) {
	w := newWorld(t)
	c, err := w.signIn(t)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != "42" || c.Email != "ann@acme.test" || !c.EmailVerified || c.Name != "Ann" || c.SeenAt.IsZero() ||
		strings.Join(c.Texts("groups"), " ") != "a b" || strings.Join(c.Methods, " ") != "pwd" {
		t.Errorf("the provider says %+v", c)
	}
	if n := w.provider.Asked("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("asked %d times what the provider is", n)
	}
}

func TestAPublicClientNeedsNoSecret(t *testing.T) {
	w := newWorld(t)
	w.provider = oidctest.Start(t, "spa", "")
	w.provider.Be(oidctest.User{Subject: "42"})
	w.client.Issuer, w.client.ID, w.client.Secret = w.provider.URL, "spa", ""
	if c, err := w.signIn(t); err != nil || c.Subject != "42" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestClaimsThatAreNotInTheTokenAreAskedFor(t *testing.T) {
	w := newWorld(t)
	w.provider.Be(oidctest.User{Subject: "42", Email: "ann@acme.test", Verified: "true", Name: "Ann", Groups: []string{"a"}, Bare: true})
	if c, err := w.signIn(t); err != nil || c.Email != "" || c.Texts("groups") != nil {
		t.Errorf("nothing was wanted: %+v, %v", c, err)
	}
	c, err := w.signIn(t, "email", "groups")
	if err != nil || c.Email != "ann@acme.test" || !c.EmailVerified || c.Name != "Ann" || strings.Join(c.Texts("groups"), " ") != "a" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAnAddressIsVerifiedWhereTheProviderSaysSoPlainly(t *testing.T) {
	w := newWorld(t)
	for _, said := range []struct {
		value any
		want  bool
	}{{true, true}, {"true", true}, {false, false}, {"false", false}, {1, false}, {"TRUE", false}, {[]bool{true}, false}, {nil, false}} {
		w.provider.Be(oidctest.User{Subject: "42", Email: "ann@acme.test", Verified: said.value})
		w.provider.Forge(func(c map[string]any) { c["email_verified"] = said.value })
		if c, err := w.signIn(t); err != nil || c.EmailVerified != said.want {
			t.Errorf("%v: %v, %v", said.value, c.EmailVerified, err)
		}
	}
}

func TestWhatAnIDTokenSaysMustFit(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	for name, forge := range map[string]func(map[string]any){
		"another nonce":                    func(c map[string]any) { c["nonce"] = "x" },
		"no nonce":                         func(c map[string]any) { c["nonce"] = nil },
		"another audience":                 func(c map[string]any) { c["aud"] = "other" },
		"no audience":                      func(c map[string]any) { c["aud"] = nil },
		"several audiences and no party":   func(c map[string]any) { c["aud"], c["azp"] = []string{"chancery", "other"}, nil },
		"several audiences, another party": func(c map[string]any) { c["aud"], c["azp"] = []string{"chancery", "other"}, "other" },
		"another party":                    func(c map[string]any) { c["azp"] = "other" },
		"another issuer":                   func(c map[string]any) { c["iss"] = "https://evil.test" },
		"over, beyond the skew":            func(c map[string]any) { c["exp"] = now.Add(-3 * time.Minute).Unix() },
		"without end":                      func(c map[string]any) { c["exp"] = nil },
		"of the future":                    func(c map[string]any) { c["iat"] = now.Add(3 * time.Minute).Unix() },
		"seen in the future":               func(c map[string]any) { c["auth_time"] = now.UnixMilli() },
		"of no time":                       func(c map[string]any) { c["iat"] = nil },
		"not valid yet":                    func(c map[string]any) { c["nbf"] = now.Add(3 * time.Minute).Unix() },
		"nobody":                           func(c map[string]any) { c["sub"] = "" },
		"of another access token":          func(c map[string]any) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" },
		"of another code":                  func(c map[string]any) { c["c_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" },
		"a logout":                         func(c map[string]any) { c["events"] = map[string]any{"x": 1} },
		"an end that is no number":         func(c map[string]any) { c["exp"] = "soon" },
		"an address that is no text":       func(c map[string]any) { c["email"] = 1 },
	} {
		w.provider.Forge(forge)
		_, err := w.signIn(t)
		refused(t, name, err, oidc.ErrRejected)
	}
	for name, forge := range map[string]func(map[string]any){
		"several audiences, issued to us": func(c map[string]any) { c["aud"], c["azp"] = []string{"chancery", "other"}, "chancery" },
		"over, within the skew":           func(c map[string]any) { c["exp"] = now.Add(-time.Minute).Unix() },
		"a clock that is ahead":           func(c map[string]any) { c["iat"], c["nbf"] = now.Add(time.Minute).Unix(), now.Add(time.Minute).Unix() },
		"fractions of seconds":            func(c map[string]any) { c["exp"] = json.Number("9999999999999.5") },
	} {
		w.provider.Forge(forge)
		if _, err := w.signIn(t); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACodeIsGoodForTheRequestThatItAnswers(t *testing.T) {
	w := newWorld(t)
	q := request()
	code := w.code(t, q)
	wrong := q
	wrong.Verifier = oidc.NewVerifier()
	_, err := w.Exchange(t.Context(), w.client, wrong, oidc.Answer{Code: code})
	refused(t, "another verifier", err, oidc.ErrRejected)
	_, err = w.Exchange(t.Context(), w.client, q, oidc.Answer{Code: "made up"})
	refused(t, "another code", err, oidc.ErrRejected)
	_, err = w.Exchange(t.Context(), w.client, q, oidc.Answer{Code: code, Issuer: "https://evil.test"})
	refused(t, "another issuer's answer", err, oidc.ErrRejected)
	unknown := w.client
	unknown.Secret = "wrong"
	_, err = w.Exchange(t.Context(), unknown, q, oidc.Answer{Code: code})
	refused(t, "another secret", err, oidc.ErrBroken)
	if _, err = w.Exchange(t.Context(), w.client, q, oidc.Answer{Code: code, Issuer: w.provider.URL}); err != nil {
		t.Error(err)
	}
}

func TestAFreshProofIsDemandedAndSeenTo(t *testing.T) {
	w := newWorld(t)
	q := request()
	q.MaxAge = time.Minute
	w.provider.Be(oidctest.User{Subject: "42", SeenAt: time.Now().Add(-time.Hour)})
	if c, err := w.signIn(t); err != nil || time.Since(c.SeenAt) < time.Hour-time.Minute {
		t.Errorf("seen at %v, %v", c.SeenAt, err)
	}
	if c, err := w.Exchange(t.Context(), w.client, q, oidc.Answer{Code: w.code(t, q)}); err != nil || time.Since(c.SeenAt) > time.Minute {
		t.Errorf("seen at %v, %v", c.SeenAt, err)
	}
	for _, value := range []any{nil, time.Now().Add(-5 * time.Minute).Unix()} {
		w.provider.Forge(func(c map[string]any) { c["auth_time"] = value })
		_, err := w.Exchange(t.Context(), w.client, q, oidc.Answer{Code: w.code(t, q)})
		refused(t, "an old proof", err, oidc.ErrRejected)
	}
}

func bearing(claims map[string]any) map[string]any {
	all := map[string]any{"sub": "42", "aud": "api"}
	maps.Copy(all, claims)
	return all
}

func TestKeysRotateWhileWeLook(t *testing.T) {
	w := newWorld(t)
	bearer := func(token string) error {
		_, err := w.Bearer(t.Context(), w.provider.URL, token)
		return err
	}
	first := w.provider.Sign(bearing(nil))
	if err := bearer(first); err != nil {
		t.Fatal(err)
	}
	w.provider.Rotate(t, false)
	if err := bearer(w.provider.Sign(bearing(nil))); err != nil {
		t.Errorf("a new key: %v", err)
	}
	if err := bearer(first); err != nil {
		t.Errorf("a token verified lately: %v", err)
	}
	w.forward(6 * time.Minute)
	refused(t, "a key that was taken back", bearer(first), oidc.ErrRejected)

	// Whoever sends made-up keys does not have us ask for ever.
	made, _ := rsa.GenerateKey(rand.Reader, 2048)
	payload, _ := json.Marshal(bearing(map[string]any{"iss": w.provider.URL, "exp": time.Now().Add(time.Hour).Unix()}))
	before := w.provider.Asked("/keys")
	for range 50 {
		refused(t, "a made-up key", bearer(oidctest.SignWith(jose.RS256, jose.JSONWebKey{Key: made, KeyID: rand.Text()}, payload)), oidc.ErrRejected)
	}
	if n := w.provider.Asked("/keys") - before; n > 3 {
		t.Errorf("asked for keys %d times", n)
	}
	w.forward(time.Minute)
	w.provider.Rotate(t, true)
	if err := bearer(w.provider.Sign(bearing(nil))); err != nil {
		t.Errorf("a new key after the storm: %v", err)
	}
	id, _ := w.provider.Public()
	refused(t, "a known key's name over another signature", bearer(oidctest.SignWith(jose.RS256, jose.JSONWebKey{Key: made, KeyID: id}, payload)), oidc.ErrRejected)
}

func TestOnlySignaturesThatNobodyElseCanMakeCount(t *testing.T) {
	w := newWorld(t)
	id, public := w.provider.Public()
	payload, _ := json.Marshal(bearing(map[string]any{"iss": w.provider.URL, "exp": time.Now().Add(time.Hour).Unix()}))
	encode := base64.RawURLEncoding.EncodeToString
	der, _ := x509.MarshalPKIXPublicKey(public)
	elliptic, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	good := w.provider.Sign(bearing(nil))
	for name, token := range map[string]string{
		"none":                   encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode(payload) + ".",
		"none, with a signature": encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + good[strings.LastIndex(good, "."):],
		"HMAC of the public key": oidctest.SignWith(jose.HS256, jose.JSONWebKey{Key: der, KeyID: id}, payload),
		"HMAC of its modulus":    oidctest.SignWith(jose.HS256, jose.JSONWebKey{Key: public.N.Bytes(), KeyID: id}, payload),
		"another kind of key":    oidctest.SignWith(jose.ES256, jose.JSONWebKey{Key: elliptic, KeyID: id}, payload),
		"its own key":            oidctest.SignWith(jose.ES256, jose.JSONWebKey{Key: elliptic}, payload),
		"changed":                good[:len(good)-10] + "AAAAAAAAAA",
		"cut off":                good[:strings.LastIndex(good, ".")+1],
		"no token":               "x.y.z",
		"empty":                  "",
	} {
		_, err := w.Bearer(t.Context(), w.provider.URL, token)
		refused(t, name, err, oidc.ErrRejected)
	}
}

func TestABearerTokenIsMeantForSomebody(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		claims map[string]any
		want   bool
	}{
		"for us":                          {map[string]any{"aud": "api"}, true},
		"for us, issued to the app":       {map[string]any{"aud": "api", "azp": "app"}, true},
		"for us, issued to somebody":      {map[string]any{"aud": "api", "azp": "other"}, false},
		"for several, issued to the app":  {map[string]any{"aud": []string{"api", "x"}, "azp": "app"}, true},
		"for several, issued to nobody":   {map[string]any{"aud": []string{"api", "x"}}, false},
		"for somebody else":               {map[string]any{"aud": "x"}, false},
		"for somebody else, issued to us": {map[string]any{"aud": "x", "azp": "app"}, false},
		"for nobody":                      {map[string]any{"aud": []string{}}, false},
	} {
		got, err := w.Bearer(t.Context(), w.provider.URL, w.provider.Sign(bearing(c.claims)))
		if err != nil || got.Meant([]string{"api"}, []string{"api", "app"}) != c.want {
			t.Errorf("%s: %v, %v", name, !c.want, err)
		}
	}
	_, err := w.Bearer(t.Context(), w.provider.URL, w.provider.Sign(bearing(map[string]any{"cnf": map[string]any{"jkt": "x"}})))
	refused(t, "bound to a key", err, oidc.ErrRejected)
	_, err = w.Bearer(t.Context(), w.provider.URL, w.provider.Sign(bearing(map[string]any{"iss": "https://evil.test"})))
	refused(t, "another issuer", err, oidc.ErrRejected)
}

func TestABearerTokenEndsThoughItWasVerified(t *testing.T) {
	w := newWorld(t)
	token := w.provider.Sign(bearing(map[string]any{"exp": w.clock().Add(time.Minute).Unix()}))
	for range 3 {
		if _, err := w.Bearer(t.Context(), w.provider.URL, token); err != nil {
			t.Fatal(err)
		}
	}
	w.forward(time.Minute + oidc.Skew - 2*time.Second)
	if _, err := w.Bearer(t.Context(), w.provider.URL, token); err != nil {
		t.Errorf("within the skew: %v", err)
	}
	w.forward(3 * time.Second)
	_, err := w.Bearer(t.Context(), w.provider.URL, token)
	refused(t, "over", err, oidc.ErrRejected)
}

func TestAProviderThatIsDownIsAskedSeldomAndItsFormerWordHolds(t *testing.T) {
	w := newWorld(t)
	w.provider.Down(true)
	for range 20 {
		_, err := w.AuthURL(t.Context(), w.client, request())
		if err == nil || !errors.Is(err, oidc.ErrUnavailable) && !errors.Is(err, oidc.ErrBroken) {
			t.Fatalf("down: %v", err)
		}
	}
	if n := w.provider.Asked("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.provider.Down(false)
	w.forward(11 * time.Second)
	q := request()
	code := w.code(t, q)
	w.provider.Down(true)
	_, err := w.Exchange(t.Context(), w.client, q, oidc.Answer{Code: code})
	refused(t, "down at the exchange", err, oidc.ErrUnavailable)
	if strings.Contains(err.Error(), code) || strings.Contains(err.Error(), q.Verifier) || strings.Contains(err.Error(), "hush") {
		t.Errorf("tells too much: %v", err)
	}
	w.forward(2 * time.Hour)
	if _, err := w.AuthURL(t.Context(), w.client, request()); err != nil {
		t.Errorf("known of old: %v", err)
	}
	w.forward(24 * time.Hour)
	if _, err := w.AuthURL(t.Context(), w.client, request()); err == nil {
		t.Error("known too long")
	}
}

func TestManyAskOnce(t *testing.T) {
	w := newWorld(t)
	release := w.provider.Hold()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := w.AuthURL(context.Background(), w.client, request()); err != nil {
				t.Error(err)
			}
		})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.AuthURL(gone, w.client, request()); !errors.Is(err, context.Canceled) {
		t.Errorf("who has left waits: %v", err)
	}
	release()
	all.Wait()
	if n := w.provider.Asked("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
