package pulls_test

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chancery/internal/pulls"
)

// span is the time of a lease.
type span struct{ from, until time.Time }

// holders keeps who has which event, as the receivers see it.
type holders struct {
	mu    sync.Mutex
	had   map[int64][]span
	acked map[int64]int
	again int // handed out after a lease had ended
}

// take notes that an event was handed out, and reports whether somebody else had it at the same time.
func (h *holders) take(i pulls.Item, lease time.Duration) (held bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seq, mine := i.Event.TenantSeq, span{i.Until.Add(-lease), i.Until}
	for _, other := range h.had[seq] {
		held = held || mine.from.Before(other.until) && other.from.Before(mine.until)
	}
	if i.Attempt > 1 {
		h.again++
	}
	h.had[seq] = append(h.had[seq], mine)
	return held
}

func (h *holders) done(seq int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked[seq]++
}

func (h *holders) all() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.acked)
}

// Receivers in two processes, of whom every fourth dies with what it has. Time passes only when nothing is left to take.
func TestManyReceiversShareEventsAndNoneIsLostWhenSomeDie(t *testing.T) {
	const events, receivers = 400, 12
	w := newWorld(t)
	w.e.Attempts = 1000
	w.happen(times(events/2, "shop.wanted", "shop.wanted", "shop.other")...)
	processes := []*pulls.Pulls{w.pulls, w.process("two")}
	h := &holders{had: map[int64][]span{}, acked: map[int64]int{}}
	var lost atomic.Int64
	var all sync.WaitGroup
	for n := range receivers {
		p := processes[n%len(processes)]
		all.Go(func() {
			for round := 0; h.all() < events && t.Context().Err() == nil; round++ {
				items, err := p.Receive(t.Context(), over(), w.e.Tenant, w.e.ID, 7, w.find)
				if err != nil {
					t.Error(err)
					return
				}
				for _, i := range items {
					if h.take(i, w.e.Lease) {
						t.Errorf("event %d was handed out to two", i.Event.TenantSeq)
					}
				}
				switch {
				case len(items) == 0:
					w.forward(time.Second)
					continue
				case n%4 == 0 && round%3 == 1: // it dies, and another takes its place
					lost.Add(int64(len(items)))
					continue
				}
				fates, err := p.Ack(t.Context(), w.e, leasesOf(items))
				if err != nil {
					t.Error(err)
					return
				}
				for i, f := range fates {
					if f == pulls.Acked {
						h.done(items[i].Event.TenantSeq)
					}
				}
			}
		})
	}
	all.Wait()
	for seq, n := range h.acked {
		if n != 1 {
			t.Errorf("event %d was acknowledged %d times", seq, n)
		}
	}
	if len(h.acked) != events || lost.Load() == 0 {
		t.Errorf("%d of %d were acknowledged, %d died with their receiver", len(h.acked), events, lost.Load())
	}
	t.Logf("%d died with their receiver, %d were handed out again", lost.Load(), h.again)
	w.are(`SELECT count(*) || ' ' || status FROM core.event_deliveries WHERE tenant_id = $1 GROUP BY status`, "400 delivered")
	w.are(`SELECT count(*)::text FROM core.delivery_attempts WHERE tenant_id = $1 AND status = 'delivered'`, "400")
	w.are(`SELECT max(sequence) || ' ' || count(DISTINCT sequence) FROM core.event_deliveries WHERE tenant_id = $1`, "400 400")
}

func TestWhoWaitsIsWokenByWhatTheEndpointMeansAndByNothingElse(t *testing.T) {
	const waiting = 100
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	got := make(chan []pulls.Item, waiting)
	for range waiting {
		go func() {
			items, err := w.pulls.Receive(t.Context(), ctx, w.e.Tenant, w.e.ID, 1, func(context.Context) (*pulls.Endpoint, error) {
				e := w.found()
				e.Through = math.MaxInt64 // or who looks as something happens looks once more, though nobody woke it
				return e, nil
			})
			if err != nil {
				t.Error(err)
			}
			got <- items
		}()
	}
	settled := func(looks int) {
		t.Helper()
		for w.looked() < looks && t.Context().Err() == nil {
			<-time.After(time.Millisecond) // nothing tells when a receiver sleeps; the count below is what is tested
		}
	}
	settled(waiting)
	w.pulls.Heard(w.happen(times(50, "shop.other")...))
	w.pulls.Heard(w.happen(times(3, "shop.wanted")...))
	for range 3 { // each takes one and wakes the next
		if items := <-got; len(items) != 1 {
			t.Errorf("woken for nothing: %v", items)
		}
	}
	if n := w.looked(); n > waiting+10 {
		t.Errorf("%d looks for 3 events by %d who wait", n, waiting)
	}
	stop()
	for range waiting - 3 {
		if items := <-got; len(items) != 0 {
			t.Errorf("given up with %v", items)
		}
	}
}

func (w *world) looked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looks
}

func TestWhoWaitsIsWokenWhenALeaseIsGivenBack(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted")
	held := w.receive(1)
	got := make(chan []pulls.Item)
	go func() {
		items, err := w.pulls.Receive(t.Context(), t.Context(), w.e.Tenant, w.e.ID, 1, w.find)
		if err != nil {
			t.Error(err)
		}
		got <- items
	}()
	for w.looked() < 2 && t.Context().Err() == nil {
		<-time.After(time.Millisecond)
	}
	w.fates([]pulls.Fate{"nacked"})(w.pulls.Nack(t.Context(), w.e, leasesOf(held), 0))
	w.got(<-got, "1 1 2")
}
