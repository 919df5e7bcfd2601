package deliveries

import (
	"context"
	"slices"
	"testing"
	"time"
)

// braked reports whether nothing goes before the clock does.
func (n *node) braked() bool {
	now := n.cfg.Now()
	return slices.ContainsFunc(n.list(), func(p *pump) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.misses >= p.ep.Concurrency+brakeAfter && p.brake.TokensAt(now) < 1 && p.flying == 0
	})
}

func TestAnEndpointThatDoesNothingButFailIsAskedLessOften(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(nil)
	began := time.Now()
	w.answers(func(context.Context, Endpoint, Item) Outcome { return Outcome{Err: "no answer"} })
	n := w.node("a", func(c *Config) {
		c.Now = func() time.Time { return began.Add(time.Duration(w.clock.Load())).UTC() } // it stands still
		c.Schedule = []time.Duration{0, time.Hour}
	})
	const events, most = 150, 2*10 + brakeAfter + 1 // as many as fail before it is known, those that were under way, and one
	w.append(1, events, "thing.happened", 10)
	w.until("it is braked", n.braked)
	slow := len(w.made())
	if slow > most {
		t.Errorf("%d attempts at once, want no more than %d", slow, most)
	}
	for range 3 {
		slow++
		w.forward(time.Second / brakeRate)
		w.until("one more", func() bool { return len(w.made()) >= slow && n.braked() })
		if made := len(w.made()); made != slow {
			t.Fatalf("%d attempts, want %d", made, slow)
		}
	}
	w.answers(func(context.Context, Endpoint, Item) Outcome { return Outcome{Delivered: true} })
	w.forward(time.Second / brakeRate) // the one that succeeds lets all the others go, in no time
	w.untilNumber(int64(events-slow), delivered, ep.ID)
	w.wantSequences(ep, events)
}

// TestWhetherTheDataGoesWithItIsDecidedAnewForWhatWasReadBefore: an event in hand has its data, or has not.
func TestWhetherTheDataGoesWithItIsDecidedAnewForWhatWasReadBefore(t *testing.T) {
	for _, full := range []bool{false, true} {
		w := newWorld(t)
		ep := w.endpoint(func(e *Endpoint) { e.Full, e.Concurrency = full, 1 })
		gate := make(chan struct{})
		w.answers(func(ctx context.Context, ep Endpoint, i Item) Outcome {
			select {
			case <-gate:
			case <-ctx.Done():
				return Outcome{Err: "no answer"}
			}
			if ep.Full != (len(i.Event.Payload) > 0) {
				t.Errorf("event %d is sent with data: %v, though it is to be: %v", i.Event.TenantSeq, !ep.Full, ep.Full)
			}
			return Outcome{Delivered: true}
		})
		n := w.node("a", nil)
		w.append(1, 20, "thing.happened", 10)
		w.until("the first is under way", func() bool { return len(w.made()) == 1 })
		w.mu.Lock()
		w.endpoints[0].Version, w.endpoints[0].Full = 2, !full
		w.mu.Unlock()
		w.append(21, 21, "endpoint.changed", 10)
		w.until("the change is known", func() bool {
			return slices.ContainsFunc(n.list(), func(p *pump) bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.closing || p.ep.Version == 2
			})
		})
		close(gate)
		w.untilNumber(21, delivered, ep.ID)
		w.wantSequences(ep, 21)
		n.stop()
	}
}
