package deliveries

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// TestWhatTheDeadSaidLastCountsNoMore: it reaches the tables after others have read there how far the endpoint has come.
func TestWhatTheDeadSaidLastCountsNoMore(t *testing.T) {
	w := newWorld(t)
	var closed atomic.Bool
	ep := w.endpoint(func(e *Endpoint) { e.OrderBy, e.Open = "/key", func(time.Time) bool { return !closed.Load() } })
	w.answers(func(_ context.Context, _ Endpoint, i Item) Outcome {
		if i.Event.TenantSeq == 1 && i.Attempt == 1 {
			return Outcome{Status: 500, Err: "answered 500"}
		}
		return Outcome{Delivered: true, Answer: []byte("the last words")}
	})
	a := w.mortal("a", nil)
	w.append(1, 1, "thing.happened", 10)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'retrying'`)
	w.append(2, 11, "thing.happened", 10)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'waiting'`)
	w.untilNumber(9, delivered, ep.ID)
	held, free := a.late("the last words")
	defer free()
	w.forward(6*time.Second, a.node)
	<-held
	closed.Store(true)
	a.kill()
	const connections = `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'a %' AND datname = current_database()`
	b := w.node("b", nil)
	w.until("the other has the endpoint", func() bool { return len(b.list()) == 1 })
	w.untilNumber(1, connections)
	free()
	w.untilNumber(0, connections)
	closed.Store(false)
	w.forward(time.Second, b)
	w.untilNumber(11, delivered, ep.ID)
	w.inOrder()
	w.wantSequences(ep, 11)
}
