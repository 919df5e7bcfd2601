package commands

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// replays answers the orders whose request was appended before.
func (e *Engine) replays(ctx context.Context, orders []Order, outcomes []Outcome) ([]bool, error) {
	known := make([]bool, len(orders))
	ids := requests(orders)
	if len(ids) == 0 {
		return known, nil
	}
	receipts, err := e.Store.Receipts(ctx, ids)
	if err != nil {
		return nil, err
	}
	seen := map[uuid.UUID][]byte{}
	for i, o := range orders {
		r, found := receipts[o.Request]
		first, twin := seen[o.Request]
		switch {
		case !o.Keyed:
			continue
		case found && !o.made(r.Fingerprint), twin && !slices.Equal(first, o.Fingerprint):
			outcomes[i].Err = dcb.ErrKeyReused
		case found:
			outcomes[i].Result, outcomes[i].Err = e.replayed(ctx, o, r)
			if _, refusal := domain.IsRefusal(outcomes[i].Err); outcomes[i].Err != nil && !refusal {
				return nil, outcomes[i].Err
			}
		case twin:
			outcomes[i].Err = dcb.ErrConflict
		default:
			seen[o.Request] = o.Fingerprint
			continue
		}
		known[i] = true
	}
	return known, nil
}

// requests are those that may be repeated.
func requests(orders []Order) (ids []uuid.UUID) {
	for _, o := range orders {
		if o.Keyed {
			ids = append(ids, o.Request)
		}
	}
	return ids
}

// made reports whether a fingerprint is of this very request.
func (o Order) made(fingerprint []byte) bool {
	return slices.Equal(fingerprint, o.Fingerprint) || o.Former != nil && slices.Equal(fingerprint, o.Former)
}

func (e *Engine) replayed(ctx context.Context, o Order, r dcb.Receipt) (Result, error) {
	var events []dcb.Recorded
	if r.Last >= r.First {
		var err error
		if events, err = e.Store.Range(ctx, r.First, r.Last); err != nil {
			return Result{}, err
		}
	}
	if !mayHearAgain(o, events) {
		return Result{}, domain.ErrMayNotGive
	}
	result := e.result(o, r, events)
	result.Replayed = true
	// Nothing is disclosed: the record is of the first time.
	err := domain.FirstError(e.findAgain(ctx, o, events, &result), e.hand(ctx, o, events, &result), e.lasting(ctx, o, r.Last))
	return result, err
}

// mayHearAgain holds that a user's token of lesser worth does not come by a wider one by repeating the request of another, nor
// another session by the seed or the codes that were shown in this one, nor either by an impersonation that is not bound to it.
func mayHearAgain(o Order, events []dcb.Recorded) bool {
	_, reveals := o.Command.(Revealing)
	_, hands := o.Command.(Handing)
	if !reveals && !hands || len(events) == 0 {
		return true
	}
	switch domain.Catalog.KindOf(events[0].Event.EventType()) {
	case "token", "activation":
		return events[0].Token == o.By.Token || o.Rights.WithinCeiling([]domain.Pattern{domain.Everything})
	case "credential":
		return events[0].Session == o.By.Session
	case "impersonation":
		return events[0].Session == o.By.Session && events[0].Token == o.By.Token
	}
	return true
}

// overtaken is a conflict if the twin of one of the refused orders was appended after receipts were looked for: the name
// that seems taken was then taken by this very request.
func (e *Engine) overtaken(ctx context.Context, declined []Order) error {
	ids := requests(declined)
	if len(ids) == 0 {
		return nil
	}
	receipts, err := e.Store.Receipts(ctx, ids)
	if err == nil && len(receipts) > 0 {
		err = dcb.ErrConflict
	}
	return err
}
