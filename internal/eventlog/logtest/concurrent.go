package logtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/internal/eventlog"
)

// heads: each round a writer is acknowledged, then many readers must see its event and a head that covers it, and no
// reader may see an event above its own head.
func heads(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			own := fmt.Sprint("writer:", w)
			for n := range 20 {
				v := must(t, l, Request(Event("a", "all", own), Event("b", "all")))
				events, head, err := l.Read(t.Context(), eventlog.Query{item("a", own), item("", "all")})
				if err != nil {
					t.Error(err)
					return
				}
				mine := 0
				for i, e := range events {
					if e.Position != int64(i+1) { // everything carries "all"
						t.Errorf("event %d of a complete read stands at %d", i, e.Position)
						return
					}
					if e.Tags[len(e.Tags)-1] == own {
						mine++
					}
				}
				if head < v.Last || int64(len(events)) != head || mine != n+1 {
					t.Errorf("head %d with %d events after %+v", head, len(events), v)
					return
				}
				if h, err := l.Head(t.Context()); err != nil || h < v.Last {
					t.Errorf("head %d after %+v, %v", h, v, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// oneHistory: transfers between accounts, each decided on what was read. If any condition let two through that exclude
// each other, money appears or disappears.
func oneHistory(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	const accounts, writers, each = 4, 8, 15
	account := func(n int) string { return fmt.Sprint("account:", n) }
	for n := range accounts {
		accept(t, l, Request(Event("in", account(n)), Event("in", account(n))))
	}
	balance := func(ctx context.Context, n int) (int, int64, error) {
		events, head, err := l.Read(ctx, eventlog.Query{item("in out", account(n))})
		sum := 0
		for _, e := range events {
			if sum++; e.Type == "out" {
				sum -= 2
			}
		}
		return sum, head, err
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			for range each {
				from, to := random.IntN(accounts), random.IntN(accounts)
				have, head, err := balance(t.Context(), from)
				if err != nil {
					t.Error(err)
					return
				}
				if have < 1 {
					continue
				}
				r := provided(Request(Event("out", account(from)), Event("in", account(to))), head, item("out", account(from)))
				if _, err := l.Append(t.Context(), r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	sums := map[string]int{}
	total := 0
	for _, e := range history(t, l) {
		change := 1
		if e.Type == "out" {
			change = -1
		}
		sums[e.Tags[0]] += change
		total += change
		if sums[e.Tags[0]] < 0 {
			t.Fatalf("%s is overdrawn at position %d", e.Tags[0], e.Position)
		}
	}
	if diff := cmp.Diff(2*accounts, total); diff != "" {
		t.Error(diff)
	}
}
