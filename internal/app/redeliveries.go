package app

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/feed"
	"chancery/internal/ledger"
	"chancery/projections"
)

// redeliveries is the reaction to requests to deliver anew: it asks those who deliver. What it writes is kept together with its checkpoint,
// so each request is made exactly once; those who deliver work it off.
type redeliveries struct {
	asked atomic.Bool // something was written that is not committed yet
}

var _ feed.Reaction = (*redeliveries)(nil)

func (*redeliveries) Name() string { return "redeliveries" }

func (*redeliveries) Types() []string { return []string{domain.RedeliveryRequested{}.EventType()} }

func (r *redeliveries) React(ctx context.Context, db feed.DBTX, e dcb.Recorded) error {
	asked, ok := e.Event.(domain.RedeliveryRequested)
	if !ok {
		return fmt.Errorf("%T is no request to deliver anew", e.Event)
	}
	r.asked.Store(true)
	return projections.Redeliver(ctx, db, e.Meta, asked)
}

// waking has whoever delivers in this process look at once when something is asked for; others find it by and by, if it is still there.
func (r *redeliveries) waking(h feed.Hooks, wake func()) feed.Hooks {
	told := h.Committed
	h.Committed = func(projector string, events int, lag time.Duration) {
		if told != nil {
			told(projector, events, lag)
		}
		if projector == r.Name() && r.asked.Swap(false) {
			wake()
		}
	}
	return h
}

const (
	keepDeliveries = 90 * 24 * time.Hour // unless the operator says otherwise
	forgetEvery    = time.Hour
	forgetMost     = 5_000 // rows in one transaction
)

// openForgetting deletes deliveries that are done, or whose endpoint is deleted, and attempts, when they are old. Several processes may do
// so at once.
func (a *App) openForgetting(_, running context.Context) error {
	if a.config.DeliveryKeep < 0 {
		return nil
	}
	a.running.Go(func() {
		tick := time.NewTicker(forgetEvery)
		defer tick.Stop()
		for {
			if _, err := a.forgetDeliveries(running); err != nil && running.Err() == nil {
				a.log.WarnContext(running, "old deliveries were not deleted", "error", err)
			}
			select {
			case <-tick.C:
			case <-running.Done():
				return
			}
		}
	})
	return nil
}

// forgetDeliveries returns how many rows it has deleted.
func (a *App) forgetDeliveries(ctx context.Context) (gone int64, err error) {
	keep := a.config.DeliveryKeep
	if keep == 0 {
		keep = keepDeliveries
	}
	before := a.config.Now().Add(-keep)
	for {
		some, err := projections.ForgetDeliveries(ctx, a.ledger.Pool(ledger.Project), before, forgetMost)
		gone += some
		if err != nil || some == 0 {
			return gone, err
		}
	}
}
