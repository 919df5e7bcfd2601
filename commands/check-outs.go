package commands

import (
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/license"
)

// CheckOutActivation hands a machine a signed file by which it may go on without a server for a while.
type CheckOutActivation struct {
	ID          domain.ActivationID `json:"id" required:"true" description:"the activation"`
	Fingerprint domain.Fingerprint  `json:"fingerprint" required:"true" description:"the machine's own, as at its activation"`
	Days        int                 `json:"days,omitzero" description:"for how many days, 1 to 90; cut where the licence ends before; or give until"`
	Until       time.Time           `json:"until,omitzero" description:"when the file is to end, in whole seconds: within 90 days, and not after the licence with its time of grace; or give days"`
}

func (c CheckOutActivation) Target() dcb.Tagger { return c.ID }

const mostDaysOut = 90

func (c CheckOutActivation) Decide(env Env) dcb.Decision {
	if err := domain.FirstError(c.Fingerprint.Check("/fingerprint"), c.checkEnd(env.Now)); err != nil {
		return refused(err)
	}
	one := domain.ActivationOf(c.ID)
	var l *dcb.Fact[domain.License]
	var holder *dcb.Fact[uuid.UUID]
	var keys *dcb.Fact[domain.SigningKeys]
	return dcb.From(one).Then(func() []dcb.AnyFact {
		switch {
		case len(one.Value) == 0 || keys != nil:
			return nil
		case l == nil:
			under := domain.LicenseID(one.Value[0].License)
			l, holder = domain.LicenseOf(env.Tenant, under), domain.FingerprintHolder(domain.FingerprintClaim(under, c.Fingerprint))
			return []dcb.AnyFact{l, holder}
		}
		keys = domain.SigningKeysOf(l.Value.Vendor.Tenant())
		return []dcb.AnyFact{keys}
	}).Decide(func() ([]dcb.Event, error) {
		a, err := env.activation(one.Value, "core.activations.check-out")
		if err != nil {
			return nil, err
		}
		v := l.Value
		key, signs := keys.Value.Signer()
		switch state := v.State(env.Now); {
		case a.Ended:
			return nil, domain.ErrActivationEnded
		case holder.Value != c.ID.UUID:
			return nil, domain.At("/fingerprint", domain.ErrFingerprint)
		case !state.InForce():
			return nil, state.Refusal()
		case !signs:
			return nil, domain.ErrNoSigningKey
		}
		until, err := c.end(env.Now, a.Out, v.Terms.GraceUntil())
		if err != nil {
			return nil, err
		}
		return dcb.Emit(domain.ActivationCheckedOut{
			Activation: c.ID, Pool: a.Pool(), License: a.License, Revision: v.Revision, Kid: key.Kid,
			IssuedAt: env.Now.Truncate(time.Second), Until: until,
		})
	})
}

func (c CheckOutActivation) checkEnd(now time.Time) error {
	switch {
	case (c.Days == 0) == c.Until.IsZero():
		return domain.Invalid("/days", "give either days or until")
	case c.Days < 0 || c.Days > mostDaysOut:
		return domain.Invalid("/days", "must be a number of days from 1 to %d", mostDaysOut)
	case c.Days > 0:
		return nil
	case !now.Before(seconds(c.Until)):
		return domain.Invalid("/until", "lies in the past")
	case c.Until.After(now.AddDate(0, 0, mostDaysOut)):
		return domain.Invalid("/until", "lies more than %d days ahead", mostDaysOut)
	}
	return nil
}

// end is when the file ends: not before the one that is out, and not after the licence, which over says, or zero if it does not end.
func (c CheckOutActivation) end(now, out, over time.Time) (time.Time, error) {
	pointer, until, over := "/until", seconds(c.Until), seconds(over)
	if c.Days > 0 {
		pointer, until = "/days", seconds(now.AddDate(0, 0, c.Days))
	}
	switch late := !over.IsZero() && until.After(over); {
	case late && c.Days == 0:
		return until, domain.Invalid(pointer, "lies after the end of the licence and its time of grace, %s", over.Format(time.RFC3339))
	case late:
		until = over
	}
	switch {
	case !now.Before(until): // it is in its last second
		return until, domain.ErrLicenseOver
	case until.Before(out):
		return until, domain.Invalid(pointer, "makes a file that ends before the one that is out, %s; check that one in first", out.Format(time.RFC3339))
	}
	return until, nil
}

// seconds is a time as signed files state it.
func seconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// Hand makes the file. It is of the licence as it was then, and signed by the key that was the vendor's then, also where a request is
// repeated that was made before the key was retired. One that was revoked signs nothing any more.
func (c CheckOutActivation) Hand(env Env, recorded dcb.Event, out func(name, value string)) dcb.Decision {
	e := recorded.(domain.ActivationCheckedOut)
	l := domain.TermsOf(env.Tenant, domain.LicenseID(e.License), e.Revision)
	var keys *dcb.Fact[domain.SigningKeys]
	return dcb.From(l).Then(func() []dcb.AnyFact {
		if keys != nil {
			return nil
		}
		keys = domain.SigningKeysOf(l.Value.Vendor.Tenant())
		return []dcb.AnyFact{keys}
	}).Unsealing().Decide(func() ([]dcb.Event, error) {
		key, kid, err := signer(asOf(e.Kid, keys.Value))
		if err != nil {
			return nil, err
		}
		file, err := license.SignCheckout(key, kid, license.CheckoutClaims{
			Issuer: l.Value.Vendor.String(), ID: e.Activation.String(), Tenant: l.Value.Holder.String(), App: string(l.Value.Name),
			IssuedAt: jwt.NumericDate(e.IssuedAt.Unix()), ExpiresAt: jwt.NumericDate(e.Until.Unix()), License: e.License.String(),
			Fingerprint: license.HashFingerprint(e.License.String(), string(c.Fingerprint)), Terms: inFile(l.Value.Terms),
		})
		out("activation", file)
		return nil, err
	})
}

// asOf is the key of that name as it was when it signed.
func asOf(kid string, all domain.SigningKeys) domain.SigningKeys {
	for _, k := range all {
		if k.Kid == kid {
			k.Retired = false
			return domain.SigningKeys{k}
		}
	}
	return nil
}
