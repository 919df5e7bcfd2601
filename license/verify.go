package license

import (
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-json-experiment/json"
)

// Want is what a file must be good for. What is left empty may be anything, but for Now, and for the fingerprint of a checkout.
type Want struct {
	Now         time.Time // MUST be given
	Issuer      string    // the id of the vendor's tenant
	Tenant      string    // the id of the holder's tenant
	App         string    // the app's name
	Fingerprint string    // of this machine, as it was activated; of VerifyCheckout only
	Witness     *Witness  // of a time before which Now cannot be; none: only the file is
}

// State is how a licence stands that is in force.
type State string

// The states of a licence that is in force.
const (
	Active State = "active"
	Grace  State = "grace" // it has ended, and works until GraceUntil
)

// License is what a verified file says.
type License struct {
	Claims
	KeyID string
	State State
}

// Verify is what a licence file says, if it was signed with one of the keys and is good for what is wanted. The error says which of
// the reasons of this package it is, by errors.Is. Nothing of a file that is refused is returned.
func Verify(blob string, keys Keys, want Want) (License, error) {
	c, kid, err := Open(blob, keys)
	if err != nil {
		return License{}, err
	}
	if err := want.identifies(c.Issuer, c.Tenant, c.App); err != nil {
		return License{}, err
	}
	if err := want.inTime(c.IssuedAt.Time(), c.ExpiresAt.Time()); err != nil {
		return License{}, err
	}
	state, err := c.Terms.StateAt(want.Now)
	if err != nil {
		return License{}, err
	}
	return License{c, kid, state}, nil
}

// Open is what a licence file says, and the id of the key among keys with which it was signed. Whose licence it is, for what, and
// whether it is in time is left to the caller.
func Open(blob string, keys Keys) (c Claims, kid string, err error) {
	payload, kid, err := open(blob, TypeLicense, keys)
	if err != nil {
		return Claims{}, "", err
	}
	if err := read(payload, &c); err != nil {
		return Claims{}, "", err
	}
	err = firstError(
		named("iss", c.Issuer), named("jti", c.ID), named("sub", c.Tenant), named("aud", c.App),
		checkTimes(c.IssuedAt, c.ExpiresAt), atLeast("revision", int64(c.Revision), 1), c.Terms.check())
	if err != nil {
		return Claims{}, "", err
	}
	return c, kid, nil
}

// GraceUntil is when the time of grace is over; zero if the licence never ends.
func (t Terms) GraceUntil() time.Time {
	if t.EndsAt.IsZero() {
		return time.Time{}
	}
	return t.EndsAt.UTC().AddDate(0, 0, t.GraceDays)
}

// StateAt is how the licence stands at an instant. It is ErrNotBegun or ErrEnded if it is not in force.
func (t Terms) StateAt(now time.Time) (State, error) {
	switch {
	case now.Before(t.StartsAt):
		return "", fmt.Errorf("%w: it begins at %s", ErrNotBegun, clock(t.StartsAt))
	case t.EndsAt.IsZero(), now.Before(t.EndsAt):
		return Active, nil
	case now.Before(t.GraceUntil()):
		return Grace, nil
	}
	return "", fmt.Errorf("%w: it ended at %s, with grace until %s", ErrEnded, clock(t.EndsAt), clock(t.GraceUntil()))
}

func (w Want) identifies(issuer, tenant, app string) error {
	switch {
	case w.Issuer != "" && w.Issuer != issuer:
		return fmt.Errorf("%w: %s", ErrIssuer, issuer)
	case w.Tenant != "" && w.Tenant != tenant:
		return fmt.Errorf("%w: %s", ErrTenant, tenant)
	case w.App != "" && w.App != app:
		return fmt.Errorf("%w: %s", ErrApp, app)
	}
	return nil
}

// tolerance is how far clocks may go apart.
const tolerance = 5 * time.Minute

// inTime judges the file, not yet the licence.
func (w Want) inTime(issued, expires time.Time) error {
	if w.Now.Before(issued.Add(-tolerance)) {
		return fmt.Errorf("%w: it shows %s, and the file was issued at %s", ErrClockBack, clock(w.Now), clock(issued))
	}
	if w.Witness != nil {
		if err := w.Witness.Check(w.Now); err != nil {
			return err
		}
	}
	if !w.Now.Before(expires) {
		return fmt.Errorf("%w: it expired at %s", ErrFileExpired, clock(expires))
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// read decodes strictly as to types. What is not known is left out: newer files say more.
func read(payload []byte, into any) error {
	if err := json.Unmarshal(payload, into); err != nil {
		return fmt.Errorf("%w: %w", ErrClaims, err)
	}
	return nil
}

func (t Terms) check() error {
	if t.StartsAt.IsZero() || !t.EndsAt.IsZero() && !t.StartsAt.Before(t.EndsAt) {
		return fmt.Errorf("%w: the licence must begin, and before it ends", ErrClaims)
	}
	err := firstError(atLeast("grace_days", int64(t.GraceDays), 0), atLeast("lease_seconds", int64(t.LeaseSeconds), 0),
		atLeastIfAny("seats", t.Seats), atLeastIfAny("activations", t.Activations))
	for _, e := range t.Entitlements {
		err = firstError(err, named("name", e.Name), named("kind", e.Kind), atLeast("limit", e.Limit, 0))
	}
	if err == nil && t.GraceDays > 36_500 {
		err = fmt.Errorf("%w: grace_days is more than 100 years", ErrClaims)
	}
	return err
}

func checkTimes(issued, expires jwt.NumericDate) error {
	const year9999 = 253402300799
	if issued < 0 || expires <= issued || expires > year9999 {
		return fmt.Errorf("%w: iat and exp must be times, one after the other", ErrClaims)
	}
	return nil
}

func named(claim, value string) error {
	if value == "" {
		return fmt.Errorf("%w: %s is missing", ErrClaims, claim)
	}
	return nil
}

func atLeast(claim string, value, least int64) error {
	if value < least {
		return fmt.Errorf("%w: %s is %d, less than %d", ErrClaims, claim, value, least)
	}
	return nil
}

func atLeastIfAny(claim string, value *int) error {
	if value == nil {
		return nil
	}
	return atLeast(claim, int64(*value), 0)
}

func firstError(checks ...error) error {
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}
