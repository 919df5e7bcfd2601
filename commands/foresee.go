package commands

import (
	"context"

	"chancery/internal/dcb"
)

// Foresee decides an order as Execute would and appends nothing. It returns the events as they would be stored, at positions beyond
// all others, and the position that the decision saw. Errors are those of Execute.
func (e *Engine) Foresee(ctx context.Context, o Order) ([]dcb.Recorded, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	view, decisions, err := e.survey(ctx, o.Tenant, []Order{o}, []bool{false})
	if err != nil {
		return nil, 0, err
	}
	events, err := e.decide(ctx, view, o, decisions[0])
	if err != nil {
		return nil, view.head, err
	}
	foreseen := view.events[len(view.events)-len(events):]
	for i := range foreseen {
		foreseen[i].RecordedAt = e.Now()
		if foreseen[i].At.IsZero() {
			foreseen[i].At = foreseen[i].RecordedAt
		}
	}
	return foreseen, view.head, nil
}
