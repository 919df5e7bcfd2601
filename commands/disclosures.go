package commands

import (
	"context"
	"fmt"

	"chancery/domain"
	"chancery/internal/dcb"
)

// tell completes an answer whose events are durable.
func (e *Engine) tell(ctx context.Context, o Order, events []dcb.Recorded, r *Result) error {
	return domain.FirstError(e.disclose(ctx, o, events, r), e.hand(ctx, o, events, r))
}

// disclose opens what the answer of a Disclosing command holds, once the record of it is durable and in the tables.
func (e *Engine) disclose(ctx context.Context, o Order, events []dcb.Recorded, r *Result) error {
	c, ok := o.Command.(Disclosing)
	if !ok || len(events) == 0 {
		return nil
	}
	if e.Settle != nil {
		if err := e.Settle(ctx, r.Position); err != nil {
			return fmt.Errorf("wait for the record of the disclosure: %w", err)
		}
	}
	plain := make([]dcb.Event, len(events))
	for i, r := range events {
		plain[i] = r.Event
	}
	name, value := c.Disclose(plain)
	err := e.Ask(ctx, o.Tenant, dcb.From(value).Unsealing())
	switch {
	case err != nil:
		return fmt.Errorf("read what is to be disclosed: %w", err)
	case value.Value.Reveal() == "":
		return errDestroyed
	}
	r.Reveal = [2]string{name, value.Value.Reveal()}
	return nil
}

// hand makes what the answer of a Handing command holds, of the event that records it.
func (e *Engine) hand(ctx context.Context, o Order, events []dcb.Recorded, r *Result) error {
	c, ok := o.Command.(Handing)
	if !ok || len(events) == 0 {
		return nil
	}
	err := e.Ask(ctx, o.Tenant, c.Hand(e.env(o), events[0].Event, func(name, value string) { r.Reveal = [2]string{name, value} }))
	if _, refusal := domain.IsRefusal(err); err != nil && !refusal {
		return fmt.Errorf("make what is to be handed out: %w", err)
	}
	return err
}

var errDestroyed = fmt.Errorf("disclose: %w", domain.ErrDestroyed)
