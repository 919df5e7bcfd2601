package deliveries

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"chancery/internal/eventlog"
)

// consent is what an endpoint may be sent, as long as a test says so.
type consent struct{ taken atomic.Bool }

func (c *consent) permits(raw *eventlog.Raw) bool {
	return !c.taken.Load() || raw.Type == "thing.harmless"
}

const told = `SELECT count(*) FROM core.event_deliveries WHERE status = 'dead' AND next_attempt_at IS NULL AND response_status IS NULL AND error = $1 AND attempt_count = $2`

// unharmed expects that the endpoint is no worse off than it was after its last attempt.
func (w *world) unharmed(n *node, ep Endpoint, since time.Time) {
	w.t.Helper()
	for _, s := range n.Status() {
		if s.Endpoint == ep.ID && !s.FailingSince.Equal(since) {
			w.t.Errorf("it fails since %s, want %s", s.FailingSince, since)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.disabled) != 0 {
		w.t.Errorf("disabled: %v", w.disabled)
	}
}

func TestWhatMayNotBeSentAnyMoreIsADeadLetterAndNoAttempt(t *testing.T) {
	w, c := newWorld(t), &consent{}
	ep := w.endpoint(func(e *Endpoint) { e.Permits = c.permits })
	w.answers(func(_ context.Context, _ Endpoint, i Item) Outcome {
		if i.Attempt == 1 {
			return Outcome{Status: 500, Err: "answered 500"}
		}
		return Outcome{Delivered: true, Status: 200}
	})
	n := w.node("a", func(c *Config) { c.GiveUp = time.Minute })
	w.append(1, 10, "thing.happened", 10)
	w.append(11, 11, "thing.harmless", 10)
	w.untilNumber(11, `SELECT count(*) FROM core.event_deliveries WHERE status = 'retrying' AND attempt_count = 1`)
	c.taken.Store(true)
	w.forward(10*time.Minute, n) // by now its receiver would be given up, had it failed again
	w.untilNumber(10, told, notPermitted, 1)
	w.untilNumber(1, delivered, ep.ID)
	if made := len(w.made()); made != 12 {
		t.Errorf("%d attempts were made, want 12", made)
	}
	if kept := w.number(`SELECT count(*) FROM core.delivery_attempts`); kept != 12 {
		t.Errorf("%d attempts are on record, want 12", kept)
	}
	w.unharmed(n, ep, time.Time{})
	if unknown := w.number(`SELECT count(*) FROM core.event_deliveries WHERE last_attempt_at IS NULL OR first_attempt_at IS NULL`); unknown != 0 {
		t.Errorf("of %d it is not known any more when they were attempted", unknown)
	}

	// Who asks for one again gets it, if it may be sent by then.
	again := func() {
		w.exec(`UPDATE core.event_deliveries SET round = attempt_count, status = 'retrying', next_attempt_at = $1, error = 'anew' WHERE tenant_seq = 3`, w.now())
		n.Wake()
	}
	again()
	w.untilNumber(10, told, notPermitted, 1)
	c.taken.Store(false)
	again()
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered' AND tenant_seq = 3 AND attempt_count = 2`)
}

func TestWhatIsReadAndMayNotBeSentByItsTurnIsNotSent(t *testing.T) {
	w, c := newWorld(t), &consent{}
	ep := w.endpoint(func(e *Endpoint) { e.Permits, e.Concurrency, e.OrderBy = c.permits, 1, "/key" })
	gate := make(chan struct{})
	w.answers(func(ctx context.Context, _ Endpoint, _ Item) Outcome {
		select {
		case <-gate:
			return Outcome{Delivered: true}
		case <-ctx.Done():
			return Outcome{Err: "no answer"}
		}
	})
	n := w.node("a", nil)
	w.append(1, 40, "thing.happened", 10)
	w.until("the first is under way", func() bool { return len(w.made()) == 1 })
	c.taken.Store(true)
	close(gate)
	w.untilNumber(39, told, notPermitted, 0)
	w.untilNumber(1, delivered, ep.ID)
	w.append(41, 41, "thing.harmless", 10) // others of a key go on
	w.untilNumber(2, delivered, ep.ID)
	w.unharmed(n, ep, time.Time{})
	w.wantSequences(ep, 41)
	if made := len(w.made()); made != 2 {
		t.Errorf("%d attempts", made)
	}
	if kept := w.number(`SELECT count(*) FROM core.delivery_attempts`); kept != 2 {
		t.Errorf("%d attempts are on record", kept)
	}
}

func TestWhatWaitsBehindItsKeyIsJudgedAgain(t *testing.T) {
	w, c := newWorld(t), &consent{}
	ep := w.endpoint(func(e *Endpoint) { e.OrderBy, e.Permits = "/key", c.permits })
	w.answers(func(_ context.Context, _ Endpoint, i Item) Outcome { return Outcome{Delivered: i.Event.TenantSeq != 3} })
	n := w.node("a", nil)
	w.append(1, 22, "thing.happened", 10)
	w.append(23, 23, "thing.harmless", 10)
	w.untilNumber(20, delivered, ep.ID)
	w.untilNumber(2, `SELECT count(*) FROM core.event_deliveries WHERE status = 'waiting'`) // 13 and 23, behind 3
	w.answers(func(context.Context, Endpoint, Item) Outcome { return Outcome{Delivered: true} })
	c.taken.Store(true)
	w.forward(6*time.Second, n)
	w.untilNumber(1, told, notPermitted, 1)
	w.untilNumber(1, told, notPermitted, 0)
	w.untilNumber(21, delivered, ep.ID)
	if made := w.made(); len(made) != 22 || made[21].seq != 23 {
		t.Errorf("%d attempts, the last %+v", len(made), made[len(made)-1])
	}
}

// TestWhoTakesOverRefusesNothingBeforeItKnowsAsMuch: what others sent may be permitted by what is not known here yet.
func TestWhoTakesOverRefusesNothingBeforeItKnowsAsMuch(t *testing.T) {
	w, c := newWorld(t), &consent{}
	ep := w.endpoint(func(e *Endpoint) { e.Permits = c.permits })
	w.answers(func(_ context.Context, _ Endpoint, i Item) Outcome { return Outcome{Delivered: i.Attempt > 1} })
	a := w.node("a", nil)
	w.append(1, 3, "thing.happened", 10)
	w.untilNumber(3, `SELECT count(*) FROM core.event_deliveries WHERE status = 'retrying'`)
	a.stop()
	w.forward(6 * time.Second)
	c.taken.Store(true)
	var lags atomic.Int64
	w.node("b", func(cfg *Config) {
		cfg.Settle = func(context.Context, int64) error {
			if c.taken.Load() {
				lags.Add(1)
				return errors.New("the tables lag")
			}
			return nil
		}
	})
	w.until("it knows less for a while", func() bool { return lags.Load() > 2 })
	if n := w.number(told, notPermitted, 1); n != 0 {
		t.Errorf("%d were refused", n)
	}
	c.taken.Store(false)
	w.untilNumber(3, delivered, ep.ID)
}

// TestWhatOthersMadeARowOfIsNotRefusedBeforeItIsInSight is the same of an event that lies beyond what an endpoint may read here.
func TestWhatOthersMadeARowOfIsNotRefusedBeforeItIsInSight(t *testing.T) {
	w, c := newWorld(t), &consent{}
	ep := w.endpoint(func(e *Endpoint) { e.Permits = c.permits })
	var lags atomic.Int64
	n := w.node("a", func(cfg *Config) {
		cfg.Settle = func(_ context.Context, position int64) error {
			if c.taken.Load() && position > 1 {
				lags.Add(1)
				return errors.New("the tables lag")
			}
			return nil
		}
	})
	w.append(1, 1, "thing.happened", 10)
	w.untilNumber(1, delivered, ep.ID)
	c.taken.Store(true)
	w.append(2, 2, "endpoint.changed", 10)
	w.until("the change is not known", func() bool { return lags.Load() > 0 })
	w.append(3, 3, "thing.happened", 10)
	w.exec(`INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id, sequence, status,
		attempt_count, next_attempt_at, created_at) SELECT tenant_id, $1, tenant_seq, gen_random_uuid(), id, 'core.a', position, 'billing', 3, 'retrying', 1, created_at, created_at
		FROM core.events WHERE position = 3`, ep.ID)
	n.Wake()
	seen := lags.Load()
	w.until("it is not known for a while", func() bool { return lags.Load() > seen+2 })
	if n := w.number(told, notPermitted, 1); n != 0 {
		t.Errorf("%d were refused", n)
	}
	c.taken.Store(false)
	w.untilNumber(3, delivered, ep.ID)
}

// TestARedeliveryHasTheLastWordOverARefusal: one asked for while an event was refused is not lost by that.
func TestARedeliveryHasTheLastWordOverARefusal(t *testing.T) {
	w, c := newWorld(t), &consent{}
	var asked atomic.Bool
	ep := w.endpoint(func(e *Endpoint) {
		e.Permits = func(*eventlog.Raw) bool {
			if !c.taken.Load() {
				return true
			}
			if !asked.Swap(true) { // between the judgement and its record
				w.exec(`UPDATE core.event_deliveries SET round = attempt_count, status = 'retrying', next_attempt_at = $1`, w.now())
				c.taken.Store(false)
			}
			return false
		}
	})
	w.answers(func(_ context.Context, _ Endpoint, i Item) Outcome { return Outcome{Delivered: i.Attempt == 2} })
	n := w.node("a", nil)
	w.append(1, 1, "thing.happened", 10)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'retrying'`)
	c.taken.Store(true)
	w.forward(6*time.Second, n)
	w.untilNumber(1, delivered, ep.ID)
}
