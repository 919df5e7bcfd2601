package domain

import (
	"time"

	"chancery/internal/dcb"
)

// TokenIssued gives a user an API token. Only its hash is kept.
type TokenIssued struct {
	Token     TokenID   `json:"token"`
	User      UserID    `json:"user"`
	Name      string    `json:"name"`
	Prefix    string    `json:"prefix"`       // the token's public beginning
	Hash      []byte    `json:"hash"`         // SHA-256 of the whole token
	Scopes    []Pattern `json:"scopes"`       // the most that the token may do
	ExpiresAt time.Time `json:"expires_at"`   // mandatory
	App       App       `json:"app,omitzero"` // the app that holds the token, and reads its own secrets by it
}

// TokenRotated replaces a token's secret; the old one ends at once.
type TokenRotated struct {
	Token     TokenID   `json:"token"`
	User      UserID    `json:"user"`
	Hash      []byte    `json:"hash"`
	ExpiresAt time.Time `json:"expires_at"`
}

// TokenRevoked ends a token.
type TokenRevoked struct {
	Token  TokenID `json:"token"`
	User   UserID  `json:"user"`
	Reason string  `json:"reason,omitzero"`
}

// TokenExpired says that a token's time is over.
type TokenExpired struct {
	Token TokenID `json:"token"`
	User  UserID  `json:"user"`
}

func (TokenExpired) EventType() string { return "token.expired" }
func (TokenIssued) EventType() string  { return "token.issued" }
func (TokenRotated) EventType() string { return "token.rotated" }
func (TokenRevoked) EventType() string { return "token.revoked" }

var tokenEvents = dcb.Kind("token", dcb.Of[TokenIssued](), dcb.Of[TokenRotated](), dcb.Of[TokenRevoked](), dcb.Of[TokenExpired]())

var (
	ErrTokenUnknown  = &Refusal{Missing, "not-found", "there is no such token here"}
	ErrTokenRevoked  = refuse("token-revoked", "the token is revoked")
	ErrTokenLifetime = refuse("token-lifetime", "the token would live longer than the tenant allows")
)

// Token is what decisions need to know of one.
type Token struct {
	User      UserID
	Scopes    []Pattern
	ExpiresAt time.Time
	App       App
	Known     bool
	Revoked   bool
	Expired   bool // and said to be so; another secret with another end brings it back
}

// TokenOf is one token.
func TokenOf(id TokenID) *dcb.Fact[Token] {
	return dcb.Ask(Token{}, tags(id),
		dcb.On(func(t *Token, e TokenIssued) {
			*t = Token{User: e.User, Scopes: e.Scopes, ExpiresAt: e.ExpiresAt, App: e.App, Known: true}
		}),
		dcb.On(func(t *Token, e TokenRotated) { t.ExpiresAt, t.Expired = e.ExpiresAt, false }),
		dcb.On(func(t *Token, _ TokenRevoked) { t.Revoked = true }),
		dcb.On(func(t *Token, _ TokenExpired) { t.Expired = true }),
	)
}
