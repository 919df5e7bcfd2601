package deliveries

import (
	"context"
	"slices"
	"testing"
	"time"

	"chancery/internal/eventlog"
)

func TestEventsReachTheirEndpointOnceInTheOrderOfTheLog(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) {
		e.StartsAfter = 10
		e.Means = func(raw *eventlog.Raw) bool { return raw.TenantSeq%2 == 0 }
	})
	w.append(1, 100, "thing.happened", 10)
	w.node("a", nil)
	w.untilNumber(45, delivered, ep.ID)
	w.append(101, 200, "thing.happened", 10)
	w.untilNumber(95, delivered, ep.ID)
	w.wantSequences(ep, 95)
	if made := w.made(); len(made) != 95 {
		t.Errorf("%d attempts", len(made))
	}
	if n := w.number(`SELECT count(*) FROM core.delivery_attempts WHERE status = 'delivered' AND number = 1 AND log_position >= tenant_seq AND process = 'a'`); n != 95 {
		t.Errorf("%d attempts on record", n)
	}
}

func TestAFailedEventIsAttemptedByTheScheduleAndDeadAfterTheLast(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(nil)
	w.answers(func(context.Context, Endpoint, Item) Outcome {
		return Outcome{Status: 503, Err: "503", Answer: []byte("busy\x00")}
	})
	n := w.node("a", func(c *Config) { c.Jitter, c.GiveUp = func() float64 { return 0.5 }, 1000*time.Hour })
	w.append(1, 1, "thing.happened", 10)
	const retrying = `SELECT count(*) FROM core.event_deliveries WHERE status = 'retrying' AND attempt_count = $1`
	w.untilNumber(1, retrying, 1)
	for i, pause := range []time.Duration{5 * time.Second, time.Minute} {
		want := pause + pause/20
		if got := w.number(`SELECT (extract(epoch FROM next_attempt_at - last_attempt_at) * 1000)::bigint FROM core.event_deliveries`); got < want.Milliseconds() || got > want.Milliseconds()+1000 {
			t.Errorf("attempt %d follows after %d ms, want %s", i+2, got, want)
		}
		w.forward(want-2*time.Second, n)
		if len(w.made()) != i+1 {
			t.Fatal("an attempt came early")
		}
		w.forward(3*time.Second, n)
		if i == 0 {
			w.untilNumber(1, retrying, 2)
		}
	}
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'dead' AND attempt_count = 3 AND next_attempt_at IS NULL`)
	w.forward(48*time.Hour, n)
	w.append(2, 2, "thing.happened", 10) // when this one was attempted, the dead one would have been
	w.until("the next event", func() bool { return slices.ContainsFunc(w.made(), func(a attempt) bool { return a.seq == 2 }) })
	if first := w.number(`SELECT count(*) FROM core.delivery_attempts WHERE tenant_seq = 1`); first != 3 {
		t.Errorf("%d attempts of a dead letter", first)
	}

	// Redelivery begins the schedule anew.
	w.answers(func(context.Context, Endpoint, Item) Outcome { return Outcome{Delivered: true, Status: 200} })
	w.exec(`UPDATE core.event_deliveries SET round = attempt_count, status = 'retrying', next_attempt_at = $1 WHERE tenant_seq = 1`, w.now())
	n.Wake()
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered' AND attempt_count = 4 AND tenant_seq = 1 AND endpoint_id = $1`, ep.ID)
}

func TestWhatTheReceiverAsksForIsHonoured(t *testing.T) {
	w := newWorld(t)
	w.endpoint(nil)
	w.answers(func(context.Context, Endpoint, Item) Outcome {
		return Outcome{Status: 429, Err: "429", RetryAfter: time.Hour}
	})
	w.node("a", nil)
	w.append(1, 1, "thing.happened", 10)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE next_attempt_at - last_attempt_at BETWEEN '1 hour' AND '1 hour 2 seconds'`)
}

func TestAnEndpointThatIsGoneIsDisabledAtOnce(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(nil)
	w.answers(func(context.Context, Endpoint, Item) Outcome { return Outcome{Status: 410, Err: "410", Gone: true} })
	n := w.node("a", nil)
	w.append(1, 1, "thing.happened", 10)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries`)
	w.append(2, 50, "thing.happened", 10)
	w.forward(time.Hour, n)
	w.until("disabled", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.disabled) == 1 })
	if w.disabled[0] != ep.ID.String()+" gone=true" || len(w.made()) != 1 {
		t.Errorf("%v after %d attempts", w.disabled, len(w.made()))
	}
}

func TestAnEndpointThatDoesNothingButFailIsDisabled(t *testing.T) {
	w := newWorld(t)
	w.endpoint(nil)
	w.answers(func(context.Context, Endpoint, Item) Outcome { return Outcome{Err: "no answer"} })
	n := w.node("a", func(c *Config) {
		c.Schedule = []time.Duration{0, time.Hour, 24 * time.Hour, time.Hour}
		c.GiveUp = 40 * time.Hour
	})
	w.append(1, 1, "thing.happened", 10)
	for i := range 3 {
		w.untilNumber(int64(i+1), `SELECT coalesce(max(attempt_count), 0) FROM core.event_deliveries`)
		w.mu.Lock()
		if disabled := len(w.disabled); disabled != 0 && i < 2 {
			t.Errorf("disabled after %d attempts", i+1)
		}
		w.mu.Unlock()
		w.forward(25*time.Hour, n)
	}
	w.until("disabled", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.disabled) == 1 })
}

func TestAnEndpointThatHangsDelaysNoOther(t *testing.T) {
	w := newWorld(t)
	hangs := w.endpoint(nil)
	fast := w.endpoint(nil)
	w.answers(func(ctx context.Context, ep Endpoint, _ Item) Outcome {
		if ep.ID == hangs.ID {
			<-ctx.Done()
			return Outcome{Err: "no answer"}
		}
		return Outcome{Delivered: true}
	})
	n := w.node("a", func(c *Config) { c.HeldBytes = 1 })
	w.append(1, 500, "thing.happened", 10)
	w.untilNumber(500, delivered, fast.ID)
	for _, s := range n.Status() {
		if s.Endpoint == hangs.ID && (s.InFlight == 0 || s.InFlight > 10 || s.Cursor != 0) {
			t.Errorf("%+v", s)
		}
	}
	n.stop()
	if got := w.number(`SELECT count(*) FROM core.event_deliveries WHERE endpoint_id = $1`, hangs.ID); got != 0 {
		t.Errorf("%d attempts that were cut off are on record", got)
	}
}

func TestAnEndpointGetsNoMoreThanItWants(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.Concurrency, e.PerSecond = 3, 100 })
	gate := make(chan struct{})
	w.answers(func(ctx context.Context, _ Endpoint, _ Item) Outcome {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return Outcome{Delivered: true}
	})
	n := w.node("a", nil)
	w.append(1, 60, "thing.happened", 10)
	w.until("three in flight", func() bool { return len(w.made()) == 3 })
	w.append(61, 61, "thing.happened", 10)
	if s := n.Status(); len(s) != 1 || s[0].InFlight != 3 || len(w.made()) != 3 {
		t.Errorf("%+v after %d attempts", s, len(w.made()))
	}
	close(gate)
	w.untilNumber(61, delivered, ep.ID)
	made := w.made()
	if took := made[60].at.Sub(made[0].at); took < 590*time.Millisecond {
		t.Errorf("61 attempts at 100 in a second took %s", took)
	}
}

func TestAClosedEndpointsEventsWait(t *testing.T) {
	w := newWorld(t)
	closed := time.Now().Add(time.Hour)
	ep := w.endpoint(func(e *Endpoint) { e.Open = func(now time.Time) bool { return now.After(closed) } })
	other := w.endpoint(nil)
	n := w.node("a", nil)
	w.append(1, 20, "thing.happened", 10)
	w.untilNumber(20, delivered, other.ID)
	if got := w.number(delivered, ep.ID); got != 0 {
		t.Errorf("%d were sent", got)
	}
	w.forward(2*time.Hour, n)
	w.untilNumber(20, delivered, ep.ID)
	w.wantSequences(ep, 20)
}

func TestAnEndpointMayBeginEarlierAndLeaveOutWhatCameMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.append(1, 10, "thing.happened", 10)
	w.forward(time.Hour)
	since := w.now()
	w.append(11, 20, "thing.happened", 10)
	early := w.endpoint(func(e *Endpoint) { e.StartsAfter, e.From = 20, since.Add(-time.Minute) })
	skips := w.endpoint(func(e *Endpoint) { e.SkippedThrough = 18 })
	w.node("a", nil)
	w.untilNumber(10, delivered, early.ID)
	w.untilNumber(2, delivered, skips.ID)
	w.wantSequences(early, 10)
	w.wantSequences(skips, 2)
}

func TestAChangeCountsForAllThatIsRecordedAfterIt(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(nil)
	w.node("a", nil)
	w.append(1, 10, "thing.happened", 10)
	w.untilNumber(10, delivered, ep.ID)
	w.mu.Lock()
	w.endpoints[0].Version, w.endpoints[0].Means = 2, func(raw *eventlog.Raw) bool { return raw.TenantSeq > 15 }
	w.mu.Unlock()
	w.append(11, 11, "endpoint.changed", 10)
	w.append(12, 20, "thing.happened", 10)
	w.untilNumber(15, delivered, ep.ID)
	w.wantSequences(ep, 15)
}

func TestNothingIsJudgedByTermsThatAreAboutToChange(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.Concurrency = 1 })
	gate, asked, settled := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.answers(func(ctx context.Context, _ Endpoint, _ Item) Outcome {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return Outcome{Delivered: true}
	})
	n := w.node("a", func(c *Config) {
		c.RingBytes = 1 // so it reads from the table, which has more than may be seen
		c.Settle = func(context.Context, int64) error { close(asked); <-settled; return nil }
	})
	w.until("the endpoint is in hand", func() bool { return len(n.list()) == 1 })
	w.append(1, 60, "thing.happened", 10)
	w.until("the first is under way", func() bool { return len(w.made()) == 1 })
	w.mu.Lock()
	w.endpoints[0].Version, w.endpoints[0].Means = 2, func(raw *eventlog.Raw) bool { return raw.TenantSeq > 70 }
	w.mu.Unlock()
	w.append(61, 61, "endpoint.changed", 10)
	w.append(62, 80, "thing.happened", 10)
	<-asked
	close(gate)
	w.untilNumber(60, delivered, ep.ID)
	close(settled)
	w.untilNumber(70, delivered, ep.ID)
	w.wantSequences(ep, 70)
}
