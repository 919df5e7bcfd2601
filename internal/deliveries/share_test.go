package deliveries

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"chancery/internal/eventlog"
)

func TestTwoProcessesShareAndNeitherDoublesWhileBothLive(t *testing.T) {
	w := newWorld(t)
	var eps []Endpoint
	for range 40 {
		eps = append(eps, w.endpoint(nil))
	}
	w.answers(func(context.Context, Endpoint, Item) Outcome {
		runtime.Gosched()
		return Outcome{Delivered: true}
	})
	w.append(1, 50, "thing.happened", 10)
	a := w.node("a", nil)
	w.until("the first has all", func() bool { return len(a.list()) == 40 })
	b := w.node("b", nil)
	w.append(51, 100, "thing.happened", 10)
	w.until("the second has some", func() bool { return len(b.list()) > 5 && len(a.list()) < 35 })
	w.append(101, 150, "thing.happened", 10)
	w.untilNumber(40*150, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`)
	if made := len(w.made()); made != 40*150 || w.doubled > 0 {
		t.Errorf("%d attempts of %d, %d at the same time as another", made, 40*150, w.doubled)
	}
	// One loses its connections; the other, and it itself, go on.
	if _, err := w.login().Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'a chancery%'`); err != nil {
		t.Fatal(err)
	}
	w.append(151, 200, "thing.happened", 10)
	w.untilNumber(40*200, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`)
	if w.doubled > 0 {
		t.Errorf("%d attempts at the same time as another", w.doubled)
	}
	a.stop()
	w.append(201, 220, "thing.happened", 10)
	w.untilNumber(40*220, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`)
	w.until("all are the second's", func() bool { return len(b.list()) == 40 })
	for _, ep := range eps {
		w.wantSequences(ep, 220)
	}
}

func TestWhatIsUnderWayIsFinishedOrCutOffBeforeItChangesHands(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		w.endpoint(nil)
	}
	gate := make(chan struct{})
	w.answers(func(ctx context.Context, _ Endpoint, i Item) Outcome {
		if i.Event.TenantSeq == 1 {
			select {
			case <-ctx.Done():
				return Outcome{Err: "cut off"}
			case <-gate:
			}
		}
		return Outcome{Delivered: true}
	})
	w.append(1, 10, "thing.happened", 10)
	w.node("a", nil)
	w.until("all are under way", func() bool { return len(w.made()) >= 20*10 })
	b := w.node("b", nil)
	w.until("the second has some", func() bool { return len(b.list()) > 0 })
	close(gate)
	w.untilNumber(20*10, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered' AND attempt_count = 1`)
	if w.doubled > 0 {
		t.Errorf("%d attempts at the same time as another", w.doubled)
	}
}

func TestARestartInTheMiddleKeepsSequenceNumbers(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(nil)
	w.answers(func(ctx context.Context, _ Endpoint, i Item) Outcome {
		if i.Event.TenantSeq%7 == 0 { // holds the cursor back
			select {
			case <-ctx.Done():
				return Outcome{Err: "cut off"}
			case <-time.After(20 * time.Millisecond):
			}
		}
		return Outcome{Delivered: true}
	})
	w.append(1, 3000, "thing.happened", 10)
	given := func() map[int64]int64 {
		all := map[int64]int64{}
		for _, a := range w.made() {
			if s, ok := all[a.seq]; ok && s != a.sequence {
				t.Fatalf("event %d had the number %d, and now %d", a.seq, s, a.sequence)
			}
			all[a.seq] = a.sequence
		}
		return all
	}
	for round := 1; round < 5; round++ {
		n := w.node(fmt.Sprint("n", round), func(c *Config) { c.Patience = time.Millisecond })
		w.until("some are attempted", func() bool { return len(w.made()) > 400*round })
		n.stop()
		given()
	}
	w.node("last", nil)
	w.untilNumber(3000, delivered, ep.ID)
	w.wantSequences(ep, 3000)
	if n := len(given()); n != 3000 {
		t.Errorf("%d events", n)
	}
}

func TestALagBeyondTheRingIsReadFromTheTable(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.Full = true })
	sparse := w.endpoint(func(e *Endpoint) { e.Means = func(raw *eventlog.Raw) bool { return raw.TenantSeq%500 == 0 } })
	w.node("a", func(c *Config) { c.RingBytes, c.HeldBytes = 20_000, 50_000 })
	for first := int64(1); first < 3000; first += 1000 {
		w.append(first, first+999, "thing.happened", 2000)
	}
	w.untilNumber(3000, delivered, ep.ID)
	w.untilNumber(6, delivered, sparse.ID)
	w.wantSequences(ep, 3000)
	w.wantSequences(sparse, 6)
}

func TestADatabaseThatGoesAwayForAWhileLosesNothing(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(nil)
	w.node("a", nil)
	admin := w.login()
	for first := int64(1); first < 1000; first += 100 {
		w.append(first, first+99, "thing.happened", 10)
		if _, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'a chancery%'`); err != nil {
			t.Fatal(err)
		}
	}
	w.untilNumber(1000, delivered, ep.ID)
	w.wantSequences(ep, 1000)
	if w.doubled > 0 {
		t.Errorf("%d attempts at the same time as another", w.doubled)
	}
}

func TestOnlyThoseWhoLiveAreCounted(t *testing.T) {
	w := newWorld(t)
	for range 40 {
		w.endpoint(nil)
	}
	writer := w.login() // looks whether others live, as the fence does
	if _, err := writer.Exec(t.Context(), `SELECT pg_advisory_lock_shared($1, n) FROM generate_series(1, 100) n`, aliveClass); err != nil {
		t.Fatal(err)
	}
	a := w.node("a", nil)
	w.until("one who is alone has all", func() bool { return len(a.list()) == 40 })
}

// TestWhatALostConnectionGaveBackIsNotReturnedByTheNext: it may be giving back the same, with attempts under way.
func TestWhatALostConnectionGaveBackIsNotReturnedByTheNext(t *testing.T) {
	s := newSharer(&Engine{})
	s.pid.Store(2)
	s.givenBack([]int{5}, 1)
	s.givenBack([]int{6}, 2)
	if len(s.back) != 1 || s.back[0] != 6 {
		t.Errorf("%v", s.back)
	}
}
