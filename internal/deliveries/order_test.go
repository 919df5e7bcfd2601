package deliveries

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"chancery/internal/eventlog"
)

func TestTheKeyOfAnEvent(t *testing.T) {
	payload := []byte(`{"a": {"b/c": [ "x", {"d": "k\u00e9"} ], "n": 12.50}, "none": null, "o": { "p" : 1 }}`)
	ours := &eventlog.Raw{SourceApp: "core", Payload: payload, Metadata: []byte(`{}`), Tags: []string{"user:1", "tenant:2"}}
	apps := &eventlog.Raw{SourceApp: "shop", Payload: payload, Metadata: []byte(`{"actor":"x","cloudevent":{"id":"1","subject":"order-7"}}`)}
	for _, c := range []struct {
		by   string
		of   *eventlog.Raw
		want string
	}{
		{"", apps, ""}, {"subject", ours, "user:1"}, {"subject", apps, "order-7"}, {"/a/b~1c/0", apps, "x"}, {"/a/b~1c/1/d", apps, "ké"},
		{"/a/b~1c/2", apps, ""}, {"/a/b~1c/x", apps, ""}, {"/a/n", apps, "12.50"}, {"/none", apps, ""}, {"/missing/deeper", apps, ""}, {"/o", apps, `{"p":1}`},
	} {
		if got := keyOf(c.by, c.of); got != c.want {
			t.Errorf("%q of %s: %q, want %q", c.by, c.of.SourceApp, got, c.want)
		}
	}
}

// inOrder expects that no event was attempted while an earlier one of its key was neither delivered nor dead.
func (w *world) inOrder() {
	w.t.Helper()
	newest := map[int64]int64{}
	for _, a := range w.made() {
		key := a.seq % 10
		if a.seq < newest[key] {
			w.t.Errorf("event %d was attempted after %d", a.seq, newest[key])
		}
		newest[key] = a.seq
	}
}

func TestEventsOfAKeyArriveInOrderWhateverFails(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.OrderBy, e.Concurrency = "/key", 20 })
	w.answers(func(context.Context, Endpoint, Item) Outcome {
		if rand.IntN(4) == 0 {
			return Outcome{Status: 500, Err: "500"}
		}
		return Outcome{Delivered: true, Status: 200}
	})
	schedule := make([]time.Duration, 40)
	for i := range schedule {
		schedule[i] = 20 * time.Millisecond
	}
	w.node("a", func(c *Config) { c.Schedule = schedule })
	w.append(1, 1500, "thing.happened", 10)
	w.untilNumber(1500, delivered, ep.ID)
	w.wantSequences(ep, 1500)
	w.inOrder()
	if n := w.number(`SELECT count(*) FROM core.event_deliveries WHERE attempt_count = 1`); n == 1500 || n == 0 {
		t.Errorf("%d were delivered at once", n)
	}
}

func TestAnEventThatFailsHoldsUpItsKeyAlone(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.OrderBy = "/key" })
	w.answers(func(_ context.Context, _ Endpoint, i Item) Outcome {
		if i.Event.TenantSeq == 3 {
			return Outcome{Status: 500, Err: "500"}
		}
		return Outcome{Delivered: true, Status: 200}
	})
	n := w.node("a", nil)
	w.append(1, 1000, "thing.happened", 10)
	w.untilNumber(900, delivered, ep.ID)
	w.untilNumber(99, `SELECT count(*) FROM core.event_deliveries WHERE status = 'waiting'`)
	n.stop() // what waits is known to whoever comes next
	n = w.node("b", nil)
	w.untilNumber(900, delivered, ep.ID)
	w.forward(6*time.Second, n)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE attempt_count = 2`)
	w.forward(2*time.Minute, n)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'dead'`)
	w.untilNumber(999, delivered, ep.ID)
	w.wantSequences(ep, 1000)
	w.inOrder()
}

func TestRedeliveryKeepsTheOrderToo(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.OrderBy = "/key" })
	n := w.node("a", nil)
	w.append(1, 200, "thing.happened", 10)
	w.untilNumber(200, delivered, ep.ID)
	w.mu.Lock()
	w.attempts = nil
	w.mu.Unlock()
	w.exec(`UPDATE core.event_deliveries SET round = attempt_count, status = 'retrying', next_attempt_at = $1`, w.now())
	n.Wake()
	w.untilNumber(200, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered' AND attempt_count = 2`)
	w.inOrder()
}
