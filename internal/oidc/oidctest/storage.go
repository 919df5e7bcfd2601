package oidctest

import (
	"context"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

type key struct {
	id      string
	private *rsa.PrivateKey
}

type signing struct{ *key }

func (k signing) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signing) Key() any                                    { return k.private }
func (k signing) ID() string                                  { return k.id }

type shown struct{ *key }

func (k shown) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k shown) Use() string                        { return "sig" }
func (k shown) Key() any                           { return &k.private.PublicKey }
func (k shown) ID() string                         { return k.id }

// client is the one that a provider knows.
type client struct{ id, secret string }

func (c client) GetID() string                        { return c.id }
func (c client) RedirectURIs() []string               { return nil }
func (c client) RedirectURIGlobs() []string           { return []string{"http*://**"} }
func (c client) PostLogoutRedirectURIs() []string     { return nil }
func (c client) PostLogoutRedirectURIGlobs() []string { return nil }
func (c client) ApplicationType() op.ApplicationType  { return op.ApplicationTypeWeb }
func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c client) GrantTypes() []oidc.GrantType        { return []oidc.GrantType{oidc.GrantTypeCode} }
func (c client) LoginURL(id string) string           { return "/login?id=" + id }
func (c client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }
func (c client) IDTokenLifetime() time.Duration      { return time.Hour }
func (c client) DevMode() bool                       { return true }
func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string { //nolint:revive // the library's spelling
	return same
}
func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return same
}
func (c client) IsScopeAllowed(string) bool           { return true }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return false }
func (c client) ClockSkew() time.Duration             { return 0 }

func (c client) AuthMethod() oidc.AuthMethod {
	if c.secret == "" {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func same(scopes []string) []string { return scopes }

// request is a sign-in under way.
type request struct {
	*oidc.AuthRequest
	id   string
	user User
	done bool
}

func (r *request) GetID() string         { return r.id }
func (r *request) GetACR() string        { return "" }
func (r *request) GetAMR() []string      { return r.user.Methods }
func (r *request) GetAudience() []string { return []string{r.ClientID} }
func (r *request) GetSubject() string    { return r.user.Subject }
func (r *request) Done() bool            { return r.done }
func (r *request) GetClientID() string   { return r.ClientID }
func (r *request) GetNonce() string      { return r.Nonce }
func (r *request) GetScopes() []string   { return r.Scopes }

func (r *request) GetResponseMode() oidc.ResponseMode { return r.ResponseMode }

func (r *request) GetAuthTime() time.Time {
	if r.user.SeenAt.IsZero() || r.MaxAge != nil && time.Since(r.user.SeenAt) > time.Duration(*r.MaxAge)*time.Second {
		return time.Now() // they prove it anew
	}
	return r.user.SeenAt
}

func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	if r.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}

func (p *Provider) signedIn(id string) {
	p.with(func() {
		if r := p.requests[id]; r != nil {
			r.user, r.done = p.user, true
		}
	})
}

var errUnknown = errors.New("unknown")

// storage is what the provider keeps.
type storage struct{ *Provider }

func (s storage) CreateAuthRequest(_ context.Context, a *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	r := &request{AuthRequest: a, id: uuid.NewString()}
	s.with(func() { s.requests[r.id] = r })
	return r, nil
}

func (s storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	var found *request
	s.with(func() { found = s.requests[id] })
	if found == nil {
		return nil, errUnknown
	}
	return found, nil
}

func (s storage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	var id string
	s.with(func() { id = s.codes[code] })
	return s.AuthRequestByID(ctx, id)
}

func (s storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.with(func() { s.codes[code] = id })
	return nil
}

// DeleteAuthRequest keeps the request: what one code may be used for twice is for its client to bear.
func (s storage) DeleteAuthRequest(context.Context, string) error { return nil }

func (s storage) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	id := uuid.NewString()
	if a, ok := r.(*request); ok {
		s.with(func() { s.requests["token "+id] = a })
	}
	return id, time.Now().Add(time.Hour), nil
}

func (s storage) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (access, refresh string, end time.Time, err error) {
	return "", "", end, errUnknown
}

func (s storage) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, errUnknown
}

func (s storage) TerminateSession(context.Context, string, string) error          { return nil }
func (s storage) RevokeToken(context.Context, string, string, string) *oidc.Error { return nil }

func (s storage) GetRefreshTokenInfo(context.Context, string, string) (user, token string, err error) {
	return "", "", op.ErrInvalidRefreshToken
}

func (s storage) SigningKey(context.Context) (k op.SigningKey, err error) {
	s.with(func() { k = signing{s.signing} })
	return k, nil
}

func (s storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s storage) KeySet(context.Context) (all []op.Key, err error) {
	s.with(func() {
		for _, k := range s.shown {
			all = append(all, shown{k})
		}
	})
	return all, nil
}

func (s storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != s.client.id {
		return nil, errUnknown
	}
	return s.client, nil
}

func (s storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != s.client.id || subtle.ConstantTimeCompare([]byte(secret), []byte(s.client.secret)) != 1 {
		return errUnknown
	}
	return nil
}

func (s storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

func (s storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, _ []string) error {
	info.Subject = r.GetSubject()
	if a, ok := r.(*request); ok && !a.user.Bare {
		a.describe(info)
	}
	return nil
}

func (s storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, token, _, _ string) error {
	var found *request
	s.with(func() { found = s.requests["token "+token] })
	if found == nil {
		return errUnknown
	}
	found.describe(info)
	return nil
}

func (r *request) describe(info *oidc.UserInfo) {
	info.Subject, info.Name = r.user.Subject, r.user.Name
	if slices.Contains(r.Scopes, "email") && r.user.Email != "" {
		info.AppendClaims("email", r.user.Email)
		info.AppendClaims("email_verified", r.user.Verified)
	}
	if r.user.Groups != nil {
		info.AppendClaims("groups", r.user.Groups)
	}
}

func (s storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errUnknown
}

func (s storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return map[string]any{}, nil
}

func (s storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errUnknown
}

func (s storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errUnknown
}

func (s storage) Health(context.Context) error { return nil }
