package commands

import (
	"context"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// found says that what was asked for is there already.
func (env Env) found(id uuid.UUID) {
	if env.Found != nil {
		env.Found(id)
	}
}

// finds notes what the decision of an order finds.
func (v *view) finds(o Order) func(uuid.UUID) {
	return func(id uuid.UUID) { v.found[o.Request] = id }
}

// settled is the id in the answer to an order that changed nothing: of what was found, or else of what it is about.
func (v *view) settled(o Order) uuid.UUID {
	if id, ok := v.found[o.Request]; ok {
		return id
	}
	return o.settledID()
}

// findAgain asks anew for what a repeated request that changed nothing had found. If it is there no more, the answer names nothing.
func (e *Engine) findAgain(ctx context.Context, o Order, events []dcb.Recorded, r *Result) error {
	if _, finding := o.Command.(Finding); !finding || len(events) > 0 {
		return nil
	}
	env := e.env(o)
	env.Found = func(id uuid.UUID) { r.ID = id }
	err := e.Ask(ctx, o.Tenant, o.Command.Decide(env))
	if _, refusal := domain.IsRefusal(err); refusal {
		return nil
	}
	return err
}
