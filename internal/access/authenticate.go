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
	App       string    // the app that the token speaks for; empty: none

	Issuer domain.IssuerID // whose bearer token it is; zero: it is one of ours

	// Of somebody who has signed in, else zero; of a bearer token of an issuer, AuthenticatedAt and ProofLasts alone.
	Session         domain.SessionID
	Methods         []string      // how they proved who they are (RFC 8176); MUST NOT be changed
	AuthenticatedAt time.Time     // when they did so last
	ProofLasts      time.Duration // how old that may be for a dangerous command
	Unseen          bool          // that the session is in use should be put on record
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
	switch err := compare(k.hash, hash); {
	case err != nil:
		return Caller{}, err
	case k.revoked:
		return Caller{}, &Rejection{TokenRevoked}
	case !now.Before(k.expiresAt):
		return Caller{}, &Rejection{TokenExpired}
	}
	u, err := x.admitHome(k.user, k.home)
	if err != nil {
		return Caller{}, err
	}
	return Caller{User: u.id, Tenant: k.home, Token: k.id, Scopes: k.scopes, ExpiresAt: k.expiresAt, App: k.app}, nil
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
	u, _, why := x.admit(id, home)
	switch {
	case u == nil:
		return nil, &Rejection{why}
	case u.home.id != home:
		return nil, &Rejection{SubjectUnknown}
	}
	return u, nil
}
