package commands

import (
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// DisableEndpoint stops an endpoint. What is pending waits.
type DisableEndpoint struct {
	ID     domain.EndpointID `json:"id" required:"true" description:"the endpoint"`
	Reason string            `json:"reason,omitzero" description:"why, for the record"`
}

func (c DisableEndpoint) Target() dcb.Tagger { return c.ID }

func (c DisableEndpoint) Decide(env Env) dcb.Decision {
	e := domain.EndpointOf(c.ID)
	return dcb.From(e).Decide(func() ([]dcb.Event, error) {
		err := domain.FirstError(domain.CheckText("/reason", c.Reason), env.mayOnEndpoint(e.Value, "core.endpoints.disable"))
		if err != nil || e.Value.Disabled {
			return nil, err
		}
		return dcb.Emit(domain.EndpointDisabled{Endpoint: c.ID, Why: domain.DisabledByHand, Reason: c.Reason})
	})
}

// EnableEndpoint has a disabled endpoint go on: with what came meanwhile, or without. One that Chancery itself disabled has to wait a while.
type EnableEndpoint struct {
	ID   domain.EndpointID `json:"id" required:"true" description:"the endpoint"`
	Skip bool              `json:"skip,omitzero" description:"leave out what came meanwhile"`
}

func (c EnableEndpoint) Target() dcb.Tagger { return c.ID }

func (c EnableEndpoint) Decide(env Env) dcb.Decision {
	e := domain.EndpointOf(c.ID)
	return dcb.From(e).Decide(func() ([]dcb.Event, error) {
		if err := env.mayOnEndpoint(e.Value, "core.endpoints.enable"); err != nil || !e.Value.Disabled {
			return nil, err
		}
		if until := e.Value.NotBefore; env.Now.Before(until) {
			return nil, &domain.InputError{
				Refusal: domain.ErrEndpointCooling, Pointer: "/id",
				Detail: "the endpoint was disabled a short while ago; it can be enabled again from " + until.UTC().Format(time.RFC3339),
			}
		}
		return dcb.Emit(domain.EndpointEnabled{Endpoint: c.ID, Skips: c.Skip})
	})
}

// DeleteEndpoint ends an endpoint for good, with all its keys. What is pending is not delivered.
type DeleteEndpoint struct {
	ID domain.EndpointID `json:"id" required:"true" description:"the endpoint"`
}

func (c DeleteEndpoint) Target() dcb.Tagger { return c.ID }

// Erasing says that the answer waits for the erasure ledger.
func (DeleteEndpoint) Erasing() {}

func (c DeleteEndpoint) Decide(env Env) dcb.Decision {
	e := domain.EndpointOf(c.ID)
	return dcb.From(e).Decide(func() ([]dcb.Event, error) {
		const remove = "core.endpoints.delete"
		if gone := !e.Value.Exists && e.Value.App != ""; gone && env.Rights.Holds(remove, e.Value.App.Scope()) {
			return nil, nil // so that it can be sent again until it is on record; see ErrOffRecord
		}
		if err := env.mayOnEndpoint(e.Value, remove); err != nil {
			return nil, err
		}
		all := e.Value.Before
		if e.Value.Kind == domain.Webhook {
			all = append(all, e.Value.Keys)
		}
		return append([]dcb.Event{domain.EndpointDeleted{Endpoint: c.ID, Pool: e.Value.Pool}}, destroyedKeys(c.ID, all)...), nil
	})
}

// GiveUpEndpoint disables an endpoint whose receiver wants nothing any more, or with which nothing succeeded for long. It is no command of
// callers: Chancery gives it to itself, and may do so more than once.
type GiveUpEndpoint struct {
	ID           domain.EndpointID
	Gone         bool          // the receiver said so
	FailingSince time.Time     // else: the first failure after the last success
	After        time.Duration // of nothing but failure; 0: domain.GiveUpAfter
}

func (c GiveUpEndpoint) Target() dcb.Tagger { return c.ID }

// Decide counts failures only from when the endpoint was last enabled: it gets all of its time anew.
func (c GiveUpEndpoint) Decide(env Env) dcb.Decision {
	e := domain.EndpointOf(c.ID)
	return dcb.From(e).Decide(func() ([]dcb.Event, error) {
		if !e.Value.Exists || e.Value.Disabled {
			return nil, nil
		}
		ends := domain.EndpointDisabled{Endpoint: c.ID, Why: domain.DisabledGone, NotBefore: env.Now.Add(domain.CoolDown)}
		if !c.Gone {
			ends.Why, ends.FailingSince = domain.DisabledFailed, c.FailingSince.UTC()
			if e.Value.EnabledAt.After(c.FailingSince) {
				ends.FailingSince = e.Value.EnabledAt
			}
			if env.Now.Before(ends.FailingSince.Add(c.after())) {
				return nil, nil
			}
		}
		return dcb.Emit(ends)
	})
}

func (c GiveUpEndpoint) after() time.Duration {
	if c.After == 0 {
		return domain.GiveUpAfter
	}
	return c.After
}
