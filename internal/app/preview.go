package app

import (
	"context"
	"time"

	"chancery/commands"
	"chancery/internal/access"
	"chancery/transport"
)

// Foresee implements transport.Foresee: it replays the tenant's past up to now, adds what the command would record, and compares.
func (p *pastAccess) Foresee(ctx context.Context, o commands.Order, at time.Time, most int) (transport.Foreseen, error) {
	events, head, err := p.app.engine.Foresee(ctx, o)
	if err != nil {
		return transport.Foreseen{}, err
	}
	out := transport.Foreseen{Position: head}
	for _, e := range events {
		out.Events = append(out.Events, e.Event.EventType())
	}
	if len(events) == 0 {
		return out, nil
	}
	select { // the past is in memory as a whole, twice
	case p.building <- struct{}{}:
		defer func() { <-p.building }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	// What happens on the platform bears on every tenant, but is told of the platform's own users alone.
	excerpt, err := p.app.past.Excerpt(ctx, p.question(o.Tenant, transport.Moment{Position: head}))
	if err != nil {
		return out, err
	}
	before, after := access.New(), access.New()
	if err := p.fill(ctx, excerpt, before, after); err != nil {
		return out, err
	}
	if err := after.ApplyExcerpt(events); err != nil {
		return out, err
	}
	out.Changes, out.Total = access.Compare(before, after, o.Tenant, at, most)
	return out, nil
}
