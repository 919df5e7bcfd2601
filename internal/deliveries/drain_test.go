package deliveries

import (
	"context"
	"testing"
	"time"
)

// stubborn are attempts at an endpoint that do not end, whatever happens.
func (w *world) stubborn(ep Endpoint) {
	never := make(chan struct{})
	w.t.Cleanup(func() { close(never) })
	w.answers(func(_ context.Context, to Endpoint, _ Item) Outcome {
		if to.ID == ep.ID {
			<-never
		}
		return Outcome{Delivered: true}
	})
}

func TestAnAttemptThatDoesNotEndDoesNotHoldUpTheEnd(t *testing.T) {
	w := newWorld(t)
	hangs, other := w.endpoint(nil), w.endpoint(nil)
	w.stubborn(hangs)
	n := w.node("a", nil)
	w.append(1, 20, "thing.happened", 10)
	w.untilNumber(20, delivered, other.ID)
	ended := make(chan struct{})
	go func() { defer close(ended); n.stop() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the engine does not end")
	}
	if got := w.number(delivered, hangs.ID); got != 0 {
		t.Errorf("%d outcomes of attempts that were left behind are on record", got)
	}
}

func TestAnAttemptThatDoesNotEndDoesNotHoldUpOthersWhenLocksAreLost(t *testing.T) {
	w := newWorld(t)
	hangs, other := w.endpoint(nil), w.endpoint(nil)
	w.stubborn(hangs)
	w.node("a", nil)
	w.append(1, 20, "thing.happened", 10)
	w.untilNumber(20, delivered, other.ID)
	for last := int64(40); last <= 80; last += 20 { // once more each time
		if _, err := w.login().Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1`, aliveClass); err != nil {
			t.Fatal(err)
		}
		w.append(last-19, last, "thing.happened", 10)
		w.untilNumber(last, delivered, other.ID)
	}
	w.wantSequences(other, 80)
}

// TestAnAttemptHasItsTimeWhenItsEndpointAloneIsTaken: what was sent is on record then, and is not sent again when the endpoint comes back.
func TestAnAttemptHasItsTimeWhenItsEndpointAloneIsTaken(t *testing.T) {
	for _, ends := range []bool{true, false} {
		w := newWorld(t)
		ep := w.endpoint(nil)
		gate := make(chan struct{})
		w.answers(func(ctx context.Context, _ Endpoint, _ Item) Outcome {
			select {
			case <-gate:
			case <-ctx.Done():
			}
			return Outcome{Delivered: ctx.Err() == nil}
		})
		n := w.node("a", func(c *Config) {
			if c.Patience, c.Longest = time.Millisecond, time.Hour; !ends {
				c.Patience, c.Longest = time.Hour, time.Millisecond
			}
		})
		w.append(1, 1, "thing.happened", 10)
		w.until("it is under way", func() bool { return len(w.made()) == 1 })
		w.mu.Lock()
		w.endpoints = nil
		w.mu.Unlock()
		w.append(2, 2, "endpoint.changed", 10)
		w.until("it is given up", func() bool {
			all := n.Status()
			return len(all) == 0 || all[0].Closed
		})
		want := int64(0)
		if ends {
			close(gate)
			want = 1
		}
		w.until("it has ended", func() bool { return len(n.list()) == 0 })
		w.untilNumber(want, delivered, ep.ID)
	}
}
