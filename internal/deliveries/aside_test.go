package deliveries

import (
	"context"
	"testing"
	"time"

	"chancery/internal/ledger"
)

// TestWhoLocksRowsOfAnEndpointHoldsUpNoOther: however long that takes.
func TestWhoLocksRowsOfAnEndpointHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	one, other := w.endpoint(nil), w.endpoint(nil)
	for range 20 {
		w.endpoint(nil)
	}
	w.answers(func(_ context.Context, e Endpoint, i Item) Outcome {
		return Outcome{Delivered: e.ID != one.ID || i.Attempt > 1 || i.Event.TenantSeq > 20}
	})
	n := w.node("a", nil)
	w.append(1, 20, "thing.happened", 10)
	w.untilNumber(21*20, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`)
	w.untilNumber(20, `SELECT count(*) FROM core.event_deliveries WHERE status = 'retrying'`)
	tx, err := w.Pool(ledger.Owner).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `UPDATE core.event_deliveries SET error = 'locked' WHERE endpoint_id = $1`, one.ID); err != nil {
		t.Fatal(err)
	}
	w.forward(6*time.Second, n) // they are attempted again
	w.until("they are attempted again", func() bool { return len(w.made()) == 22*20+20 })
	w.append(21, 1000, "thing.happened", 10)
	w.untilNumber(1000, delivered, other.ID)
	w.untilNumber(21*1000, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`)
	if got := w.number(delivered, one.ID); got != 0 {
		t.Errorf("%d are on record before what was put before them", got)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.untilNumber(1000, delivered, one.ID)
	w.wantSequences(one, 1000)
	w.wantSequences(other, 1000)
	w.append(1001, 1020, "thing.happened", 10)
	w.untilNumber(1020, delivered, one.ID)
	w.wantSequences(one, 1020)
	if doubled := w.number(`SELECT count(*) FROM core.event_deliveries WHERE attempt_count <> 1 + (endpoint_id = $1 AND tenant_seq <= 20)::int`, one.ID); doubled != 0 || w.doubled != 0 {
		t.Errorf("%d were attempted otherwise than they had to", doubled)
	}
}

// TestARedeliveryHasTheLastWordOverAnAttempt: one asked for while an attempt is under way that fails is not lost by that.
func TestARedeliveryHasTheLastWordOverAnAttempt(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(nil)
	gate := make(chan struct{})
	w.answers(func(_ context.Context, _ Endpoint, i Item) Outcome {
		if i.Attempt == 2 {
			<-gate
		}
		return Outcome{Delivered: i.Attempt == 3}
	})
	n := w.node("a", func(c *Config) { c.Schedule = []time.Duration{0, 5 * time.Second, 24 * time.Hour, 24 * time.Hour} })
	w.append(1, 1, "thing.happened", 10)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'retrying'`)
	w.forward(6*time.Second, n)
	w.until("the second is under way", func() bool { return len(w.made()) == 2 })
	w.exec(`UPDATE core.event_deliveries SET status = 'retrying', round = attempt_count, next_attempt_at = $1`, w.now())
	close(gate)
	w.untilNumber(1, delivered, ep.ID)
}
