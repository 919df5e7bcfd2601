// Package oidc is an OpenID Connect relying party: it finds providers, sends users to them, and verifies what they say of them.
// It knows no feature, and keeps nothing but caches.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// Config of a Relying party.
type Config struct {
	Now   func() time.Time // required
	Allow []netip.Prefix   // networks that are not public and in which providers may be; none: no such ones
}

// Relying trusts providers for as much as they can prove. Safe for concurrent use.
type Relying struct {
	now       func() time.Time
	http      *http.Client
	providers *providers
	bearers   *bearers
}

// New makes a relying party.
func New(c Config) *Relying {
	client := guarded(c.Allow)
	return &Relying{
		now: c.Now, http: client, bearers: newBearers(),
		providers: &providers{now: c.Now, http: client, known: map[string]*provider{}, failed: map[string]failure{}, flight: &singleflight.Group{}},
	}
}

// The ways in which a provider does not vouch. What lies behind them is for our own log: nothing in it is secret, and nothing in
// it is for callers.
var (
	// ErrUnavailable says that the provider cannot be reached, or is out of order. It may pass.
	ErrUnavailable = errors.New("the OpenID provider cannot be reached")
	// ErrBroken says that the provider does not do its part as the standards demand, or does not know us as its client.
	ErrBroken = errors.New("the OpenID provider does not answer as it must")
	// ErrRejected says that a code or a token is not accepted.
	ErrRejected = errors.New("the code or the token is not accepted")
)

// Client is as what we are known to a provider.
type Client struct {
	Issuer   string
	ID       string
	Secret   string // empty: a public client
	Scopes   []string
	Redirect string
}

// Request is what a sign-in begins with. The same values MUST be given to Exchange.
type Request struct {
	State    string
	Nonce    string
	Verifier string        // of PKCE (RFC 7636)
	MaxAge   time.Duration // the provider is to see the user anew if it last did longer ago; 0: as it likes
}

// Format keeps the secret out of whatever is printed; so it does for all that holds secrets, or what a provider says of a person.
func (Client) Format(f fmt.State, _ rune)  { _, _ = io.WriteString(f, "[client]") }
func (Request) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[request]") }
func (Answer) Format(f fmt.State, _ rune)  { _, _ = io.WriteString(f, "[answer]") }
func (Claims) Format(f fmt.State, _ rune)  { _, _ = io.WriteString(f, "[claims]") }

// NewVerifier makes the verifier of a Request, of randomness.
func NewVerifier() string { return oauth2.GenerateVerifier() }

// AuthURL is where to send the user.
func (r *Relying) AuthURL(ctx context.Context, c Client, q Request) (string, error) {
	p, err := r.providers.find(ctx, c.Issuer)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(q.Nonce), oauth2.S256ChallengeOption(q.Verifier)}
	if q.MaxAge > 0 {
		options = append(options, oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(q.MaxAge.Seconds()))))
	}
	return p.oauth(c).AuthCodeURL(q.State, options...), nil
}

// Answer is what came back with the user.
type Answer struct {
	Code   string
	Issuer string   // RFC 9207; empty if the provider does not say
	Wants  []string // claims to be asked for at the provider if they are not in the ID token
}

// Exchange takes a code to the provider and verifies the ID token that it gives for it.
func (r *Relying) Exchange(ctx context.Context, c Client, q Request, a Answer) (Claims, error) {
	p, err := r.providers.find(ctx, c.Issuer)
	if err != nil {
		return Claims{}, err
	}
	if a.Issuer != c.Issuer && (a.Issuer != "" || p.metadata.NamesItself) {
		return Claims{}, rejected("the answer is of another issuer")
	}
	ctx = oidc.ClientContext(ctx, r.http)
	token, err := p.oauth(c).Exchange(ctx, a.Code, oauth2.VerifierOption(q.Verifier))
	if err != nil {
		return Claims{}, exchangeError(err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Claims{}, fmt.Errorf("%w: no ID token in the answer", ErrBroken)
	}
	claims, err := p.verify(ctx, raw, r.now())
	if err != nil {
		return Claims{}, err
	}
	if err := claims.answers(c, q, a.Code, token.AccessToken, r.now()); err != nil {
		return Claims{}, err
	}
	if slices.ContainsFunc(a.Wants, func(name string) bool { return !claims.has(name) }) && p.UserInfoEndpoint() != "" {
		err = claims.complete(ctx, p, token, a.Wants)
	}
	return claims, err
}

// codes are the errors that a token endpoint may name (RFC 6749, section 5.2).
var codes = []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}

// exchangeError keeps of an error what is neither secret nor the provider's own words.
func exchangeError(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case !ok || refused.Response == nil:
		return unreachable("token endpoint", err)
	case refused.ErrorCode == "invalid_grant":
		return rejected("the provider does not take the code")
	case refused.Response.StatusCode >= http.StatusInternalServerError || refused.Response.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%w: token endpoint: status %d", ErrUnavailable, refused.Response.StatusCode)
	}
	code := "another one"
	if slices.Contains(codes, refused.ErrorCode) {
		code = refused.ErrorCode
	}
	return fmt.Errorf("%w: token endpoint: status %d, error %s", ErrBroken, refused.Response.StatusCode, code)
}

// Bearer verifies a token that a caller presents, of an issuer that the caller of this trusts. Whether it is meant for us, and
// for whom it speaks, Claims says.
func (r *Relying) Bearer(ctx context.Context, issuer, raw string) (Claims, error) {
	now := r.now()
	if c, known := r.bearers.find(issuer, raw, now); known {
		return c, c.inTime(now)
	}
	p, err := r.providers.find(ctx, issuer)
	if err != nil {
		return Claims{}, err
	}
	c, err := p.verify(ctx, raw, now)
	if err != nil {
		return Claims{}, err
	}
	if c.bound {
		return Claims{}, rejected("the token is bound to a key that its bearer would have to show")
	}
	r.bearers.keep(issuer, raw, c, now)
	return c, nil
}

func rejected(why string) error { return fmt.Errorf("%w: %s", ErrRejected, why) }
