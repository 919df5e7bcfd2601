package deliveries

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Rows of an endpoint may be locked for long, by whoever changes many of them. Only the outcomes of that endpoint wait for it: they are set
// aside, and written by a goroutine of its own, in their order.

const (
	lockPatience = 250 * time.Millisecond // of everybody, with rows that are locked
	lockSearch   = 50 * time.Millisecond  // of each half, to find out whose they are
	insisting    = 2                      // transactions at once for what was set aside
)

// locked reports whether a batch failed because others hold what it needs.
func locked(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "55P03" || e.Code == "40P01") // lock_not_available, deadlock_detected
}

// divide writes a batch that met a lock, or a shard that is not ours any more, in halves, until it is known whose. What meets a lock is set
// aside; the rest others send again.
func (w *recorder) divide(ctx context.Context, batch []*record, err error) {
	groups := map[*pump][]*record{}
	for _, r := range batch {
		groups[r.p] = append(groups[r.p], r)
	}
	if len(groups) == 1 {
		p := batch[0].p
		if taken(err) {
			p.disown()
			w.settle(batch, err)
			return
		}
		w.mu.Lock()
		w.aside[p] = batch
		w.mu.Unlock()
		w.e.sends.Go(func() { w.insist(ctx, p) })
		return
	}
	pumps := slices.Collect(maps.Keys(groups))
	for half := range slices.Chunk(pumps, (len(pumps)+1)/2) {
		var part []*record
		for _, p := range half {
			part = append(part, groups[p]...)
		}
		w.commit(ctx, part, lockSearch)
	}
}

// around leaves out of a batch what is behind records that were set aside. mu is held.
func (w *recorder) around(batch []*record) []*record {
	if len(w.aside) == 0 {
		return batch
	}
	var rest []*record
	for _, r := range batch {
		if before, ok := w.aside[r.p]; ok {
			w.aside[r.p] = append(before, r)
		} else {
			rest = append(rest, r)
		}
	}
	return rest
}

// insist writes what was set aside of an endpoint, until nothing of it is left.
func (w *recorder) insist(ctx context.Context, p *pump) {
	for pause := lockSearch; ; {
		w.mu.Lock()
		all := w.aside[p]
		if len(all) == 0 {
			delete(w.aside, p)
			w.mu.Unlock()
			return
		}
		batch := all[:min(len(all), mostRecords)]
		w.mu.Unlock()
		w.slow <- struct{}{}
		err := w.attempt(ctx, batch, lockPatience)
		<-w.slow
		if taken(err) {
			p.disown()
		} else if err != nil && ctx.Err() == nil {
			w.e.cfg.Logger.Warn("deliveries: outcomes of an endpoint cannot be recorded", "endpoint", p.id, "records", len(batch), "error", err, "retry_in", pause)
			sleep(ctx, pause)
			pause = min(2*pause, 2*time.Second)
			continue
		}
		pause = lockSearch
		w.mu.Lock()
		w.aside[p] = w.aside[p][len(batch):]
		w.mu.Unlock()
		w.settle(batch, err)
	}
}
