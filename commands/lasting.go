package commands

import (
	"context"
	"errors"
	"fmt"

	"chancery/domain"
)

// ErrOffRecord says that an erasure is done and cannot be answered for yet.
var ErrOffRecord = errors.New("the erasure is done, but not on record outside of the database; send the same again")

// lasting holds the answer of an erasing command back until what was erased is on record outside of the database: a
// backup that is restored later must not bring it back. The erasure itself is done by then. If the record cannot be
// made, the same command may be sent again until it can.
func (e *Engine) lasting(ctx context.Context, o Order, position int64) error {
	if _, erasing := o.Command.(Erasing); !erasing || e.Erased == nil {
		return nil
	}
	if err := e.Erased(ctx, position); err != nil {
		return fmt.Errorf("%w: %w", ErrOffRecord, err)
	}
	return nil
}

// ofTheErased finds out which of several commands would keep something about somebody who was erased, by running them one by
// one. Usually a decision that is taken again sees the erasure; one about an id of which only the erasure is known does not.
func (e *Engine) ofTheErased(ctx context.Context, orders []Order, atomic bool) []Outcome {
	outcomes := make([]Outcome, len(orders))
	for i, o := range orders {
		if atomic || len(orders) == 1 {
			outcomes[i].Err = domain.ErrUserErased
			continue
		}
		outcomes[i].Result, outcomes[i].Err = e.alone(ctx, o)
	}
	return outcomes
}
