package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Excerpt is the events of Chancery itself that a question about the past concerns, to be read once, onward.
type Excerpt struct {
	Source
	Position int64     // as of View; different excerpts may have the same
	Key      string    // equal for equal excerpts only
	At       time.Time // the time asked for; of a position, the time of the tenant's last event by then
}

// Excerpt finds them. Errors: ErrAhead, faults.
func (p *Past) Excerpt(ctx context.Context, q Question) (Excerpt, error) {
	stretches, position, err := p.locate(ctx, q)
	if err != nil {
		return Excerpt{}, fmt.Errorf("past events: %w", err)
	}
	source := newMerged(p.cfg.Project, stretches)
	source.skipForeign()
	x := Excerpt{Source: source, Position: position, Key: keyOf(stretches, ""), At: q.At}
	if x.At.IsZero() {
		own := stretches[len(stretches)-1]
		last, err := p.event(ctx, own.tenant, own.end)
		if err != nil {
			return Excerpt{}, fmt.Errorf("past events: %w", err)
		}
		x.At = last.occurred
	}
	return x, nil
}

// locate finds the stretches that a question concerns, the tenant's own last, and the position that they show.
func (p *Past) locate(ctx context.Context, q Question) ([]stretch, int64, error) {
	q.Shared = slices.DeleteFunc(slices.Clone(q.Shared), func(t uuid.UUID) bool { return t == q.Tenant })
	if q.At.IsZero() {
		var head int64
		if err := p.cfg.Project.QueryRow(ctx, selectHead).Scan(&head); err != nil {
			return nil, 0, err
		}
		if q.Position > head {
			return nil, 0, ErrAhead
		}
	}
	stretches, err := p.stretches(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if len(q.Everywhere) > 0 {
		others, err := p.elsewhere(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		stretches = slices.Insert(stretches, 0, others)
	}
	position := q.Position
	if !q.At.IsZero() {
		for _, s := range stretches {
			position = max(position, s.position)
		}
	}
	return stretches, position, nil
}
