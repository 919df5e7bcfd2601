package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// ActivateLicense binds a licence to a machine. A machine that has an activation already keeps that one.
type ActivateLicense struct {
	ID          domain.ActivationID `json:"id,omitzero" description:"id of the new activation; made if absent"`
	License     domain.LicenseID    `json:"license_id" required:"true" description:"the licence"`
	Fingerprint domain.Fingerprint  `json:"fingerprint" required:"true" description:"what tells the machine from others, text of up to 500 bytes; only a keyed hash of it is kept"`
	Label       string              `json:"label,omitzero" description:"the machine as its users know it; no personal data"`
}

func (c *ActivateLicense) NewID() *uuid.UUID { return &c.ID.UUID }
func (c ActivateLicense) Target() dcb.Tagger { return c.ID }

// Lane is that of all activations of the licence.
func (c ActivateLicense) Lane() string { return string(domain.ActivationPool(c.License)) }

// Finds says that the answer names the activation that the machine has already.
func (ActivateLicense) Finds() {}

func (c ActivateLicense) Decide(env Env) dcb.Decision {
	if err := domain.FirstError(c.Fingerprint.Check("/fingerprint"), checkLabel(c.Label)); err != nil {
		return refused(err)
	}
	claim := domain.FingerprintClaim(c.License, c.Fingerprint)
	used, l := domain.Used[domain.LicenseActivated](c.ID), domain.LicenseOf(env.Tenant, c.License)
	holder, all := domain.FingerprintHolder(claim), domain.ActivationsOf(c.License)
	asked := false
	return dcb.From(used, l, holder).Then(func() []dcb.AnyFact {
		if asked || l.Value.Terms.Activations == nil { // where none are counted there may be any number
			return nil
		}
		asked = true
		return []dcb.AnyFact{all}
	}).Decide(func() ([]dcb.Event, error) {
		v, unknown := l.Value, domain.At("/license_id", domain.ErrLicenseUnknown)
		if !v.Known || v.Holder.Tenant() != env.Tenant {
			return nil, unknown
		}
		if err := env.mayOnMachines("core.activations.activate", v.Name, unknown); err != nil {
			return nil, err
		}
		switch most := v.Terms.Activations; {
		case !v.State(env.Now).InForce():
			return nil, v.State(env.Now).Refusal()
		case holder.Value != uuid.Nil:
			env.found(holder.Value)
			return nil, nil
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case most != nil && all.Value.Counting(env.Now) >= *most:
			return nil, domain.ErrNoActivation
		}
		return dcb.Emit(domain.LicenseActivated{
			Activation: c.ID, Pool: domain.ActivationPool(c.License), License: domain.OfLicense(c.License), App: v.Name,
			Fingerprint: claim, Label: c.Label,
		})
	})
}

func checkLabel(label string) error {
	if label == "" {
		return nil
	}
	return domain.CheckName("/label", label)
}

// DeactivateLicense ends an activation. If the machine is away with a file it still counts until that ends.
type DeactivateLicense struct {
	ID     domain.ActivationID `json:"id" required:"true" description:"the activation"`
	Reason string              `json:"reason,omitzero" description:"why, for the record"`
}

func (c DeactivateLicense) Target() dcb.Tagger { return c.ID }

func (c DeactivateLicense) Decide(env Env) dcb.Decision {
	if err := domain.CheckText("/reason", c.Reason); err != nil {
		return refused(err)
	}
	return env.onActivation(c.ID, "core.activations.deactivate", func(a domain.Activation) ([]dcb.Event, error) {
		if a.Ended {
			return nil, nil
		}
		return dcb.Emit(domain.LicenseDeactivated{Activation: c.ID, Pool: a.Pool(), License: a.License, Released: a.Fingerprint, Reason: c.Reason})
	})
}

// CheckInActivation gives a file up before its end.
type CheckInActivation struct {
	ID domain.ActivationID `json:"id" required:"true" description:"the activation"`
}

func (c CheckInActivation) Target() dcb.Tagger { return c.ID }

func (c CheckInActivation) Decide(env Env) dcb.Decision {
	return env.onActivation(c.ID, "core.activations.check-in", func(a domain.Activation) ([]dcb.Event, error) {
		if !env.Now.Before(a.Out) {
			return nil, domain.ErrNotActivated
		}
		return dcb.Emit(domain.ActivationCheckedIn{Activation: c.ID, Pool: a.Pool(), License: a.License})
	})
}

// onActivation decides about one activation of the tenant, for one who may. It asks nothing of the licence: what was taken can be given
// back however the licence stands.
func (env Env) onActivation(id domain.ActivationID, p domain.Privilege, rule func(domain.Activation) ([]dcb.Event, error)) dcb.Decision {
	one := domain.ActivationOf(id)
	return dcb.From(one).Decide(func() ([]dcb.Event, error) {
		a, err := env.activation(one.Value, p)
		if err != nil {
			return nil, err
		}
		return rule(a)
	})
}

// activation is the one that was found, for one who may do that with it.
func (env Env) activation(found domain.Activations, p domain.Privilege) (a domain.Activation, err error) {
	unknown := domain.At("/id", domain.ErrActivationUnknown)
	if len(found) == 0 {
		return a, unknown
	}
	return found[0], env.mayOnMachines(p, found[0].App, unknown)
}

// mayOnMachines refuses who may not do it under licences for the app. Who may not even know of them is told what a stranger is told.
func (env Env) mayOnMachines(p domain.Privilege, app domain.App, stranger error) error {
	holds := func(p domain.Privilege) bool { return env.Rights.Holds(domain.Pattern(p), app.Scope()) }
	switch {
	case env.mayFor(app, domain.Pattern(p)):
		return nil
	case holds(domain.ActivationsRead), holds(domain.LicensesRead):
		return domain.ErrNotAllowed
	}
	return stranger
}
