package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	eventRate     = 500 // a second
	arrivesMedian = 10 * time.Millisecond
	arrivesLate   = 50 * time.Millisecond
)

// underWay measures how long an event is under way from its app to a receiver, at a steady rate.
func (b *bench) underWay(ctx context.Context, w *wire) error {
	id, err := w.endpoint(ctx, senders, "/fast", "shop.*")
	if err != nil {
		return err
	}
	took, err := b.steadyEvents(ctx, w, eventRate, 1)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	bare, err := steadily(b.span, eventRate, func() (time.Duration, error) {
		began := time.Now()
		err := post(ctx, client, w.receiver.URL+"/fast", w.event(0))
		return time.Since(began), err
	})
	if err != nil {
		return err
	}
	b.add(row{
		what:     fmt.Sprintf("from publish to receiver at %d/s (POST to the receiver)", eventRate),
		measured: took.String(), baseline: bare.String(), ratio: float64(took.p99) / float64(bare.p99),
		aim: "p50 ≤ 10 ms, p99 ≤ 50 ms", met: took.p50 <= arrivesMedian && took.p99 <= arrivesLate,
	})
	_, err = w.command(ctx, "delete-endpoint", map[string]any{"id": id})
	return err
}

// steadyEvents publishes at a rate, events of all kinds in turn, and waits for each to arrive as often as it should: the first tenth
// does not count.
func (b *bench) steadyEvents(ctx context.Context, w *wire, rate float64, times int) (driven, error) {
	conns, closeAll, err := dial(ctx, w.address, clients)
	if err != nil {
		return driven{}, err
	}
	defer closeAll()
	idle := make(chan *conn, len(conns))
	for _, c := range conns {
		idle <- c
	}
	run := func(span time.Duration) (driven, error) {
		if _, err := w.receiver.Report(ctx); err != nil {
			return driven{}, err
		}
		var published atomic.Int64
		_, err := steadily(span, rate, func() (time.Duration, error) {
			c := <-idle
			defer func() { idle <- c }()
			return 0, w.publishOne(c, int(published.Add(1)))
		})
		if err != nil {
			return driven{}, err
		}
		r, err := w.arrived(ctx, int(published.Load())*times)
		if err != nil {
			return driven{}, err
		}
		return summary(r.Took, span)
	}
	if _, err := run(b.span / 5); err != nil { // warm
		return driven{}, err
	}
	return run(2 * b.span)
}

const (
	manyEndpoints = 1000
	kindsEach     = manyEndpoints / eventKinds // endpoints that mean the same kind; of these one will hang
	kindRate      = 50                         // events a second
)

// manyEndpoints measures what endpoints that hang do to those that do not.
func (b *bench) manyEndpoints(ctx context.Context) error {
	w, err := b.wire(ctx)
	if err != nil {
		return err
	}
	defer func() { w.stopAll() }()
	ids := make([]string, manyEndpoints)
	if err := each(16, manyEndpoints, func(n int) (err error) {
		ids[n], err = w.endpoint(ctx, 10, fmt.Sprint("/", n), kindOfEvent(n/kindsEach))
		return err
	}); err != nil {
		return err
	}
	alone, err := b.steadyEvents(ctx, w, kindRate, kindsEach)
	if err != nil {
		return err
	}
	if err := each(16, eventKinds, func(n int) error {
		_, err := w.command(ctx, "change-endpoint", map[string]any{"id": ids[n*kindsEach], "url": w.receiver.URL + fmt.Sprint("/hangs/", n)})
		return err
	}); err != nil {
		return err
	}
	disturbed, err := b.steadyEvents(ctx, w, kindRate, kindsEach-1)
	if err != nil {
		return err
	}
	b.add(row{
		what: fmt.Sprintf("from publish to receiver at %d/s, %d endpoints of which %d hang, the others (before any hangs)",
			kindRate*kindsEach, manyEndpoints, eventKinds),
		measured: disturbed.String(), baseline: alone.String(), ratio: float64(disturbed.p99) / float64(alone.p99),
		aim: "p99 ≤ 2.0 x", met: disturbed.p99 <= 2*alone.p99,
	})
	return nil
}

// each calls op for all numbers below count, from n goroutines.
func each(n, count int, op func(int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make([]error, n)
	for i := range n {
		wg.Go(func() {
			for failed[i] == nil {
				at := int(next.Add(1)) - 1
				if at >= count {
					return
				}
				failed[i] = op(at)
			}
		})
	}
	wg.Wait()
	if i := slices.IndexFunc(failed, func(err error) bool { return err != nil }); i >= 0 {
		return failed[i]
	}
	return nil
}
