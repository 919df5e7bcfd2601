package deliveries

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

func (w *world) change(id uuid.UUID, change func(*Endpoint)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.endpoints {
		if w.endpoints[i].ID == id {
			change(&w.endpoints[i])
			w.endpoints[i].Version++
		}
	}
}

// TestTablesThatLagHoldUpOnlyThoseWhoChanged: what is recorded after a change is judged by it, however late the tables show it.
func TestTablesThatLagHoldUpOnlyThoseWhoChanged(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.Means = func(raw *eventlog.Raw) bool { return raw.Type == "a" } })
	other := w.endpoint(func(e *Endpoint) { e.Tenant = uuid.New() })
	lags, caughtUp := make(chan struct{}), make(chan struct{})
	n := w.node("a", func(c *Config) {
		c.Settle = func(ctx context.Context, position int64) error {
			if position < 4 {
				return nil
			}
			select {
			case <-lags:
			default:
				close(lags)
			}
			select {
			case <-caughtUp:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	w.append(1, 3, "a", 10)
	w.untilNumber(3, delivered, ep.ID)
	w.append(4, 4, "endpoint.changed", 10)
	<-lags
	w.append(5, 7, "b", 10)
	w.append(8, 8, "a", 10)
	w.exec(insertEvents, 9, 20, other.Tenant, "a", 10, w.now())
	n.Poke()
	w.untilNumber(12, delivered, other.ID)
	if got := w.number(delivered, ep.ID); got != 3 {
		t.Errorf("%d were delivered by terms that were about to change", got-3)
	}
	w.change(ep.ID, func(e *Endpoint) { e.Means = func(*eventlog.Raw) bool { return true } })
	close(caughtUp)
	w.untilNumber(8, delivered, ep.ID)
	w.wantSequences(ep, 8)
}

func TestNothingIsJudgedBeforeTheTablesShowWhatWasThereAtTheStart(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.Means = func(*eventlog.Raw) bool { return false } })
	w.append(1, 10, "thing.happened", 10)
	var loads atomic.Int64
	var settles atomic.Bool
	w.node("a", func(c *Config) {
		load := c.Load
		c.Load = func(ctx context.Context) ([]Endpoint, error) {
			loads.Add(1)
			return load(ctx)
		}
		c.Settle = func(context.Context, int64) error {
			if !settles.Load() {
				return errors.New("the tables lag")
			}
			return nil
		}
	})
	w.until("endpoints were read as they are", func() bool { return loads.Load() > 1 })
	w.change(ep.ID, func(e *Endpoint) { e.Means = func(*eventlog.Raw) bool { return true } })
	settles.Store(true)
	w.untilNumber(10, delivered, ep.ID)
	w.wantSequences(ep, 10)
}
