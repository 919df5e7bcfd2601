package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/feed"
	"chancery/internal/ledger"
	"chancery/projections"
)

const (
	steady     = 1000 // events per second
	lagAtMost  = 25 * time.Millisecond
	projectors = 2
)

// lag measures how long after its commit an event is in the tables of both projectors, under a steady load.
func (b *bench) lag(ctx context.Context) error {
	url, data, err := b.cluster.database(ctx)
	if err != nil {
		return err
	}
	l := &lagging{committed: map[int64]time.Time{}}
	in, err := open(ctx, url, data, eventlog.Config{OnAppend: l.appended})
	if err != nil {
		return err
	}
	defer in.close(ctx)
	f, err := feed.New(feed.Config{
		Pool: in.ledger.Pool(ledger.Project), Decode: in.store.Decode, Projectors: []feed.Projector{projections.Core, projections.Audit},
	})
	if err != nil {
		return err
	}
	l.feed = f
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	span := 2 * b.span
	measured, err := steadily(span, steady, func() (time.Duration, error) { return l.one(ctx, in) })
	f.Close()
	if err = errors.Join(err, <-ended); err != nil {
		return err
	}
	plain, err := openBare(ctx, in.ledger, 64)
	if err != nil {
		return err
	}
	defer plain.close()
	visible, err := steadily(span, steady, func() (time.Duration, error) { return plain.see(ctx) })
	if err != nil {
		return err
	}
	b.add(row{
		what:     fmt.Sprintf("lag of %d projectors at %d events/s (INSERT, then SELECT by another)", projectors, steady),
		measured: measured.String(), baseline: visible.String(), ratio: float64(measured.p99) / float64(visible.p99),
		aim: "p99 ≤ 25 ms", met: measured.p99 <= lagAtMost,
	})
	return nil
}

// lagging knows when events were committed. mu guards committed.
type lagging struct {
	feed      *feed.Feed
	mu        sync.Mutex
	committed map[int64]time.Time
}

func (l *lagging) appended(events []eventlog.Raw) {
	now := time.Now()
	l.mu.Lock()
	for _, e := range events {
		l.committed[e.Position] = now
	}
	l.mu.Unlock()
	l.feed.Poke()
}

func (l *lagging) one(ctx context.Context, in *inside) (time.Duration, error) {
	id := uuid.Must(uuid.NewV7())
	e := domain.UserRegistered{User: domain.UserID{UUID: id}, DisplayName: dcb.Plain("User " + id.String()), Status: domain.UserActive}
	by := dcb.Provenance{Command: "register-user", Actor: id, Effective: id, ActorTenant: domain.Root.UUID, Target: id}
	part := dcb.Part{ID: id, Fingerprint: id[:], Events: []dcb.Pending{{Tenant: domain.Root.UUID, Event: e, Provenance: by}}}
	receipts, _, err := in.store.Append(ctx, []dcb.Part{part}, nil)
	if err != nil {
		return 0, err
	}
	at := receipts[0].Last
	for _, name := range []string{projections.Core.Name(), projections.Audit.Name()} {
		if err := l.feed.Wait(ctx, name, at); err != nil {
			return 0, err
		}
	}
	seen := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	return seen.Sub(l.committed[at]), nil
}

// see commits a row and looks for it on another connection: what is visible at once takes one round trip.
func (b *bare) see(ctx context.Context) (time.Duration, error) {
	position, err := b.insert(ctx)
	if err != nil {
		return 0, err
	}
	committed := time.Now()
	for n := 0; n == 0; {
		if err := b.pool.QueryRow(ctx, "SELECT count(*) FROM bare.events WHERE position = $1", position).Scan(&n); err != nil {
			return 0, err
		}
	}
	return time.Since(committed), nil
}

// steadily begins op at a steady rate a second, whether or not earlier ones are done, and summarises what they say they took.
func steadily(span time.Duration, rate float64, op func() (time.Duration, error)) (driven, error) {
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	began, begun := time.Now(), 0
	warm := int(span.Seconds() * rate / 10)
	for now := began; now.Sub(began) < span; now = <-tick.C {
		for due := int(now.Sub(began).Seconds() * rate); begun < due; begun++ {
			counts := begun >= warm
			wg.Go(func() {
				d, err := op()
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
				if counts {
					took = append(took, d)
				}
			})
		}
	}
	wg.Wait()
	if failed != nil {
		return driven{}, failed
	}
	return summary(took, span*9/10)
}
