// Package oidctest is an OpenID provider for tests: a real one (zitadel/oidc), with a user at its browser who always says yes.
package oidctest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Provider is one that runs until its test ends. mu owns the fields below it.
type Provider struct {
	URL     string
	handler http.Handler

	mu       sync.Mutex
	client   client
	user     User
	signing  *key
	shown    []*key
	requests map[string]*request
	codes    map[string]string
	asked    map[string]int
	down     bool
	slow     chan struct{}
	forge    func(claims map[string]any)
}

// User is who sits at the provider's browser.
type User struct {
	Subject, Email, Name string
	Verified             any // email_verified
	Groups               []string
	Methods              []string
	SeenAt               time.Time // when they last proved who they are; now if zero
	Bare                 bool      // the ID token holds no claims; they are asked for at the user info endpoint
}

// Start runs a provider that knows one client. Without a secret it is a public one. Redirects are allowed to whatever the client asks for.
func Start(t testing.TB, clientID, secret string) *Provider {
	t.Helper()
	p := &Provider{
		client: client{id: clientID, secret: secret}, requests: map[string]*request{}, codes: map[string]string{}, asked: map[string]int{},
	}
	p.Rotate(t, false)
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.URL = server.URL
	provider, err := op.NewProvider(&op.Config{CodeMethodS256: true, AuthMethodPost: true}, storage{p}, op.StaticIssuer(p.URL),
		op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	back := op.AuthCallbackURL(provider)
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("id")
		p.signedIn(id)
		http.Redirect(w, r, back(op.ContextWithIssuer(r.Context(), p.URL), id), http.StatusFound)
	})
	mux.Handle("/", provider)
	p.handler = mux
	return p
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	down, forge, slow := p.down, p.forge, p.slow
	p.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-r.Context().Done():
		}
	}
	switch {
	case down:
		http.Error(w, "out of order: "+r.FormValue("code"), http.StatusInternalServerError)
	case forge != nil && r.URL.Path == "/oauth/token":
		p.forged(w, r, forge)
	default:
		p.handler.ServeHTTP(w, r)
	}
}

// forged signs other claims than those that were meant.
func (p *Provider) forged(w http.ResponseWriter, r *http.Request, forge func(map[string]any)) {
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, r)
	var answer map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err == nil && answer["id_token"] != nil {
		claims := Claims(answer["id_token"].(string))
		forge(claims)
		answer["id_token"] = p.Sign(claims)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(rec.Code)
	_ = json.NewEncoder(w).Encode(answer)
}

// Claims reads a token without verifying it.
func Claims(token string) map[string]any {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		panic(err)
	}
	claims := map[string]any{}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	if err := dec.Decode(&claims); err != nil {
		panic(err)
	}
	return claims
}

// Be puts somebody to the browser.
func (p *Provider) Be(u User) { p.with(func() { p.user = u }) }

// Down has the provider fail, or work again.
func (p *Provider) Down(down bool) { p.with(func() { p.down = down }) }

// Forge changes the claims of ID tokens that are given out from now on; nil: it does not.
func (p *Provider) Forge(fn func(claims map[string]any)) { p.with(func() { p.forge = fn }) }

// Hold has every request wait until the returned function is called.
func (p *Provider) Hold() (release func()) {
	gate := make(chan struct{})
	p.with(func() { p.slow = gate })
	return sync.OnceFunc(func() { p.with(func() { p.slow = nil }); close(gate) })
}

// Asked is how often a path was asked for.
func (p *Provider) Asked(path string) (n int) { p.with(func() { n = p.asked[path] }); return n }

func (p *Provider) with(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
}

// Rotate signs with a new key from now on; the former ones are shown on, or not.
func (p *Provider) Rotate(t testing.TB, keep bool) {
	t.Helper()
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.with(func() {
		k := &key{"key-" + rand.Text()[:8], made}
		if !keep {
			p.shown = nil
		}
		p.signing, p.shown = k, append(p.shown, k)
	})
}

// Public is the key that signs now, as everybody sees it.
func (p *Provider) Public() (id string, public *rsa.PublicKey) {
	p.with(func() { id, public = p.signing.id, &p.signing.private.PublicKey })
	return id, public
}

// Sign makes a token of claims. What a test does not say is as it should be for the issuer, but for sub and aud.
func (p *Provider) Sign(claims map[string]any) string {
	now := time.Now()
	all := map[string]any{"iss": p.URL, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	for name, value := range all {
		if value == nil {
			delete(all, name)
		}
	}
	payload, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	var k *key
	p.with(func() { k = p.signing })
	return SignWith(jose.RS256, jose.JSONWebKey{Key: k.private, KeyID: k.id}, payload)
}

// SignWith makes a token of a payload.
func SignWith(alg jose.SignatureAlgorithm, key any, payload []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// Visit is what the user's browser does with the address: it goes through the provider and comes out where the client is, which it
// does not visit.
func (p *Provider) Visit(ctx context.Context, address string) (*url.URL, error) {
	for range 5 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return nil, err
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		next, err := answer.Location()
		if err != nil {
			return nil, fmt.Errorf("status %d: %s: %w", answer.StatusCode, body, err)
		}
		if !strings.HasPrefix(next.String(), p.URL) {
			return next, nil
		}
		address = next.String()
	}
	return nil, fmt.Errorf("the provider sends in circles: %s", address)
}
