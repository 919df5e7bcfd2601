package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

const (
	freshFor      = time.Hour        // then what a provider says of itself, and its keys, are asked for anew
	staleFor      = 24 * time.Hour   // so long they may be used while that fails
	failedFor     = 10 * time.Second // so long nobody asks again after it failed
	mostProviders = 1000
)

// algorithms are the signatures that count: none of them is made with a secret that we share, and none is none.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// provider is what is known of one. It is never changed, but for its keys.
type provider struct {
	*oidc.Provider
	metadata metadata
	keys     *keys
	issuer   string
	asked    time.Time
}

// metadata is what a provider says of itself (OpenID Connect Discovery 1.0, section 3), as far as we care.
type metadata struct {
	JWKS        string   `json:"jwks_uri"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself bool     `json:"authorization_response_iss_parameter_supported"`
	PKCE        []string `json:"code_challenge_methods_supported"`
}

// providers are those asked for lately. mu owns known and failed.
type providers struct {
	now    func() time.Time
	http   *http.Client
	flight *singleflight.Group

	mu     sync.Mutex
	known  map[string]*provider
	failed map[string]failure
}

type failure struct {
	at  time.Time
	err error
}

// find is the provider with that issuer identifier, asked for at most once at a time.
func (ps *providers) find(ctx context.Context, issuer string) (*provider, error) {
	now := ps.now()
	ps.mu.Lock()
	known, failed := ps.known[issuer], ps.failed[issuer]
	ps.mu.Unlock()
	switch {
	case known != nil && now.Sub(known.asked) < freshFor:
		return known, nil
	case failed.err != nil && now.Sub(failed.at) < failedFor:
		return usable(known, now, failed.err)
	}
	found := ps.flight.DoChan(issuer, func() (any, error) {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*patience) // others wait for it, too
		defer cancel()
		p, err := ps.discover(asking, issuer)
		if err == nil && known != nil && known.keys.url == p.keys.url {
			p.keys = known.keys // they are used on if they cannot be read just now
		}
		ps.keep(issuer, p, err)
		return p, err
	})
	select {
	case r := <-found:
		if r.Err != nil {
			return usable(known, now, r.Err)
		}
		return r.Val.(*provider), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the provider: %w", ctx.Err())
	}
}

func usable(known *provider, now time.Time, err error) (*provider, error) {
	if known != nil && now.Sub(known.asked) < staleFor {
		return known, nil
	}
	return nil, err
}

func (ps *providers) keep(issuer string, p *provider, err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if err != nil {
		if len(ps.failed) >= mostProviders {
			clear(ps.failed)
		}
		ps.failed[issuer] = failure{ps.now(), err}
		return
	}
	delete(ps.failed, issuer)
	if len(ps.known) >= mostProviders {
		delete(ps.known, oldest(ps.known))
	}
	ps.known[issuer] = p
}

func oldest(known map[string]*provider) (name string) {
	var since time.Time
	for n, p := range known {
		if since.IsZero() || p.asked.Before(since) {
			name, since = n, p.asked
		}
	}
	return name
}

func (ps *providers) discover(ctx context.Context, issuer string) (*provider, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, ps.http), issuer)
	if err != nil {
		return nil, unreachable("discovery", err)
	}
	p := &provider{Provider: found, issuer: issuer, asked: ps.now()}
	if err := found.Claims(&p.metadata); err != nil {
		return nil, fmt.Errorf("%w: discovery", ErrBroken)
	}
	ends := []string{found.Endpoint().AuthURL, found.Endpoint().TokenURL, p.metadata.JWKS}
	if info := found.UserInfoEndpoint(); info != "" {
		ends = append(ends, info)
	}
	for _, end := range ends {
		if !asSafe(issuer, end) {
			return nil, fmt.Errorf("%w: discovery: an endpoint is no https address", ErrBroken)
		}
	}
	if p.metadata.PKCE != nil && !slices.Contains(p.metadata.PKCE, "S256") {
		return nil, fmt.Errorf("%w: discovery: PKCE with S256 is not supported", ErrBroken)
	}
	p.keys = &keys{url: p.metadata.JWKS, http: ps.http, now: ps.now}
	return p, nil
}

// asSafe reports whether an endpoint is reached as safely as the issuer.
func asSafe(issuer, endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(issuer, "http://"))
}

func (p *provider) oauth(c Client) *oauth2.Config {
	end := p.Endpoint()
	end.AuthStyle = oauth2.AuthStyleInHeader
	if c.Secret == "" || len(p.metadata.AuthMethods) > 0 && !slices.Contains(p.metadata.AuthMethods, "client_secret_basic") {
		end.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: c.ID, ClientSecret: c.Secret, Endpoint: end, RedirectURL: c.Redirect, Scopes: c.Scopes}
}
