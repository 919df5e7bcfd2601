package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"chancery/domain"
)

// Caller is who a token speaks for. Scopes is never nil for a caller that Authenticate returned, and MUST NOT be changed.
type Caller struct {
	User      domain.UserID
	Tenant    domain.TenantID
	Token     domain.TokenID
	Scopes    []domain.Pattern
	ExpiresAt time.Time // when the token ends
	App       string    // the app that the token speaks for; empty: none, or one that is not at work in the tenant
	Idle      string    // the app that the token would speak for if it were at work in the tenant

	Issuer domain.IssuerID // whose bearer token it is; zero: it is one of ours

	// Of one who acts for somebody else, else zero. User is who really acts.
	For           domain.UserID // with whose rights
	ForTenant     domain.TenantID
	Delegation    domain.DelegationID
	Chain         []domain.DelegationID // all that Delegation rests on, the first one first, itself last; MUST NOT be changed
	Impersonation domain.ImpersonationID

	// Of somebody who has signed in, else zero; of a bearer token of an issuer, AuthenticatedAt and ProofLasts alone.
	Session         domain.SessionID
	Methods         []string      // how they proved who they are (RFC 8176); MUST NOT be changed
	AuthenticatedAt time.Time     // when they did so last
	ProofLasts      time.Duration // how old that may be for a dangerous command
	Unseen          bool          // that the session is in use should be put on record
}

// Acting reports whether the caller acts for somebody else.
func (c Caller) Acting() bool { return !c.For.IsZero() }

// Effective is whose rights count: the caller's own unless they act for somebody else.
func (c Caller) Effective() domain.UserID {
	if c.Acting() {
		return c.For
	}
	return c.User
}

// Stands is the tenant of whose rights count.
func (c Caller) Stands() domain.TenantID {
	if c.Acting() {
		return c.ForTenant
	}
	return c.Tenant
}

// Asking is the question asked by the caller, about what they themselves may do in this very request.
func (c Caller) Asking(q Question, at time.Time) Question {
	q.User, q.At, q.Ceiling, q.Delegation, q.Impersonation = c.User, at, c.Scopes, c.Delegation, c.Impersonation
	return q
}

// ErrUnauthenticated is all that a caller learns of a token that is not accepted.
var ErrUnauthenticated = errors.New("the token is not accepted")

// Rejection is ErrUnauthenticated with its reason, for metrics only: it prints the same for every reason.
type Rejection struct{ Reason Reason }

func (r *Rejection) Error() string { return ErrUnauthenticated.Error() }
func (r *Rejection) Unwrap() error { return ErrUnauthenticated }

// Why a token is not accepted; beside these SubjectUnknown, SubjectInactive and HomeInactive.
const (
	TokenUnknown Reason = "token-unknown"
	TokenWrong   Reason = "token-wrong"
	TokenRevoked Reason = "token-revoked"
	TokenExpired Reason = "token-expired"
)

// Authenticate tells who presents a token whose hash is hash. The hash is compared before anything else is looked at,
// in constant time, and in the same time if there is no such token.
func (x *Index) Authenticate(id domain.TokenID, hash [sha256.Size]byte, now time.Time) (Caller, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	k := x.tokens[id]
	if k == nil {
		return Caller{}, compare(nil, hash)
	}
	if err := compare(k.hash, hash); err != nil {
		return Caller{}, err
	}
	if why := k.over(now); why != "" {
		return Caller{}, &Rejection{why}
	}
	u, err := x.admitHome(k.user, k.home)
	if err != nil {
		return Caller{}, err
	}
	c := Caller{User: u.id, Tenant: k.home, Token: k.id, Scopes: k.scopes, ExpiresAt: k.expiresAt}
	if x.speaksFor(u.home, domain.App(k.app), now) {
		c.App = k.app
	} else {
		c.Idle = k.app
	}
	return c, nil
}

// over tells why a token is not accepted any more; empty if it is.
func (k *token) over(now time.Time) Reason {
	switch {
	case k.revoked:
		return TokenRevoked
	case !now.Before(k.expiresAt):
		return TokenExpired
	}
	return ""
}

// compare holds that a hash is the stored one, in the same time if nothing is stored.
func compare(stored []byte, hash [sha256.Size]byte) error {
	var have [sha256.Size]byte
	known := copy(have[:], stored) == len(stored) && len(stored) == sha256.Size
	same := subtle.ConstantTimeCompare(have[:], hash[:]) == 1
	switch {
	case !known:
		return &Rejection{TokenUnknown}
	case !same:
		return &Rejection{TokenWrong}
	}
	return nil
}

// admitHome is the user if they may do anything at all in the tenant that they belong to.
func (x *Index) admitHome(id domain.UserID, home domain.TenantID) (*user, error) {
	u, why := x.present(id)
	switch {
	case why != "":
		return nil, &Rejection{why}
	case u.home.id != home && u.home == x.root:
		return nil, &Rejection{SubjectUnknown}
	case u.home.id != home:
		return nil, &Rejection{TenantForeign}
	}
	return u, nil
}
