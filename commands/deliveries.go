package commands

import (
	"context"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

const (
	redeliverEvent = domain.Privilege("core.deliveries.redeliver")
	redeliverRange = domain.Privilege("core.deliveries.redeliver-range")
	redeliverDead  = domain.Privilege("core.deliveries.redeliver-failed")
	readDeliveries = domain.Privilege("core.deliveries.read")
	readEndpoints  = domain.Privilege("core.endpoints.read")
)

// RedeliverEvent has an event delivered anew, whatever came of it before. One that is pending, waits or is handed out has its turn anyway.
type RedeliverEvent struct {
	Endpoint domain.EndpointID `json:"endpoint_id" required:"true" description:"the endpoint"`
	Event    uuid.UUID         `json:"event_id" required:"true" description:"the event"`
}

// Target is the endpoint.
func (c RedeliverEvent) Target() dcb.Tagger { return c.Endpoint }

// Decide asks for the event, if the endpoint was or is to be sent it. Deliveries are kept beside the log, so the decision does not rely on
// the answer; what becomes of a delivery meanwhile is dealt with when the request is done.
func (c RedeliverEvent) Decide(env Env) dcb.Decision {
	there, delivers := false, false
	look := func(ctx context.Context) (err error) {
		if there, err = env.recorded(ctx, c.Event); there && err == nil && env.Delivers != nil {
			delivers, err = env.Delivers(ctx, c.Endpoint, c.Event)
		}
		return err
	}
	return env.redelivery(redeliverEvent, c.Endpoint, look, func() (domain.RedeliveryRequested, error) {
		e := domain.RedeliveryRequested{Endpoint: c.Endpoint, Event: c.Event}
		switch {
		case c.Event == uuid.Nil:
			return e, domain.Invalid("/event_id", "is required")
		case !there:
			return e, domain.At("/event_id", domain.ErrEventUnknown)
		case !delivers:
			return e, domain.At("/event_id", domain.ErrNothingToDeliver)
		}
		return e, nil
	})
}

// RedeliverRange has all events delivered anew that were recorded in a span of time and attempted since, also those that arrived.
type RedeliverRange struct {
	Endpoint domain.EndpointID `json:"endpoint_id" required:"true" description:"the endpoint"`
	From     time.Time         `json:"from" required:"true" description:"events recorded since then"`
	Until    time.Time         `json:"until,omitzero" description:"and before then; now if absent"`
}

// Target is the endpoint.
func (c RedeliverRange) Target() dcb.Tagger { return c.Endpoint }

// Decide asks for the span, as far as it has passed.
func (c RedeliverRange) Decide(env Env) dcb.Decision {
	return env.redelivery(redeliverRange, c.Endpoint, nil, func() (domain.RedeliveryRequested, error) {
		e := domain.RedeliveryRequested{Endpoint: c.Endpoint, From: c.From.UTC(), Until: c.Until.UTC()}
		switch {
		case c.From.IsZero():
			return e, domain.Invalid("/from", "is required")
		case !c.From.Before(env.Now):
			return e, domain.Invalid("/from", "must lie in the past")
		case c.Until.IsZero():
			e.Until = env.Now
		case c.Until.After(env.Now):
			return e, domain.Invalid("/until", "must not lie in the future")
		case !c.From.Before(c.Until):
			return e, domain.Invalid("/until", "must be later than from")
		}
		return e, nil
	})
}

// RedeliverFailed has all dead letters of an endpoint delivered anew.
type RedeliverFailed struct {
	Endpoint domain.EndpointID `json:"endpoint_id" required:"true" description:"the endpoint"`
}

// Target is the endpoint.
func (c RedeliverFailed) Target() dcb.Tagger { return c.Endpoint }

// Decide asks for the dead letters.
func (c RedeliverFailed) Decide(env Env) dcb.Decision {
	return env.redelivery(redeliverDead, c.Endpoint, nil, func() (domain.RedeliveryRequested, error) {
		return domain.RedeliveryRequested{Endpoint: c.Endpoint, Failed: true}, nil
	})
}

// redelivery is what the three have in common: an endpoint that may be asked, and is open. Only then does it look.
func (env Env) redelivery(
	p domain.Privilege, id domain.EndpointID, look func(context.Context) error, what func() (domain.RedeliveryRequested, error),
) dcb.Decision {
	endpoint := domain.EndpointOf(id)
	refusal := func() error {
		if err := env.mayRedeliver(endpoint.Value, p); err != nil || !endpoint.Value.Disabled {
			return err
		}
		return domain.At("/endpoint_id", domain.ErrEndpointDisabled)
	}
	return dcb.From(endpoint).Consult(func(ctx context.Context) error {
		if look != nil && refusal() == nil {
			return look(ctx)
		}
		return nil
	}).Decide(func() ([]dcb.Event, error) {
		if err := refusal(); err != nil {
			return nil, err
		}
		e, err := what()
		if err != nil {
			return nil, err
		}
		return dcb.Emit(e)
	})
}

// mayRedeliver refuses who lacks the privilege on the endpoint's app. Who may not even know of it is told that there is none.
func (env Env) mayRedeliver(e domain.EndpointState, p domain.Privilege) error {
	holds := func(p domain.Privilege) bool { return env.Rights.Holds(domain.Pattern(p), e.App.Scope()) }
	switch {
	case !e.Exists:
		return domain.At("/endpoint_id", domain.ErrEndpointUnknown)
	case holds(p):
		return nil
	case holds(readEndpoints), holds(readDeliveries):
		return domain.ErrNotAllowed
	}
	return domain.At("/endpoint_id", domain.ErrEndpointUnknown)
}
