package deliveries

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"chancery/internal/eventlog"
)

func TestTheKeyOfAnEvent(t *testing.T) {
	payload := []byte(`{"a": {"b/c": [ "x", {"d": "k\u00e9"} ], "n": 12.50}, "none": null, "o": { "p" : 1 }}`)
	ours := &eventlog.Raw{SourceApp: "core", Payload: payload, Metadata: []byte(`{}`), Tags: []string{"user:1", "tenant:2"}}
	c := Config{Subject: func(raw *eventlog.Raw) string { return raw.Tags[1] }, Data: func(raw *eventlog.Raw) []byte {
		if raw.SourceApp != core {
			return raw.Payload
		}
		return bytes.ReplaceAll(raw.Payload, []byte(`"x"`), []byte(`"[hash]"`))
	}}
	apps := &eventlog.Raw{SourceApp: "shop", Payload: payload, Metadata: []byte(`{"actor":"x","cloudevent":{"id":"1","subject":"order-7"}}`)}
	for _, k := range []struct {
		by   string
		of   *eventlog.Raw
		want string
	}{
		{"", apps, ""}, {"subject", ours, "tenant:2"}, {"/a/b~1c/0", ours, ""}, {"/a/b~1c/1/d", ours, "ké"}, {"subject", apps, "order-7"}, {"/a/b~1c/0", apps, "x"}, {"/a/b~1c/1/d", apps, "ké"},
		{"/a/b~1c/2", apps, ""}, {"/a/b~1c/x", apps, ""}, {"/a/n", apps, "12.50"}, {"/none", apps, ""}, {"/missing/deeper", apps, ""}, {"/o", apps, `{"p":1}`},
	} {
		if got := c.keyOf(k.by, k.of); got != k.want {
			t.Errorf("%q of %s: %q, want %q", k.by, k.of.SourceApp, got, k.want)
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

// TestWhatWaitedLetsWhatWasUnderWayGoFirst: a process that is killed leaves rows of those that waited, and none of the one before them.
func TestWhatWaitedLetsWhatWasUnderWayGoFirst(t *testing.T) {
	w := newWorld(t)
	const before, waited, last = 981, 991, 1000
	ep := w.endpoint(func(e *Endpoint) {
		e.OrderBy = "/key"
		e.Means = func(raw *eventlog.Raw) bool { return raw.TenantSeq%10 != 1 || raw.TenantSeq >= before }
	})
	w.append(1, last, "thing.happened", 10)
	w.exec(`INSERT INTO core.delivery_cursors (tenant_id, endpoint_id, tenant_seq, sequence) VALUES ($1, $2, 0, 0)`, tenant, ep.ID)
	w.exec(`INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id, sequence, ordering_key, status, attempt_count, created_at)
		SELECT tenant_id, $2, tenant_seq, gen_random_uuid(), id, type, position, 'billing', 893, 'k1', 'waiting', 0, now() FROM core.events WHERE tenant_id = $1 AND tenant_seq = $3`, tenant, ep.ID, waited)
	w.node("b", nil)
	w.untilNumber(902, delivered, ep.ID)
	w.inOrder()
	w.wantSequences(ep, 902)
}

func TestWhatWaitsGoesOnWhenOrderIsNoMatterAnyMore(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.OrderBy, e.Concurrency = "/key", 20 })
	w.answers(func(ctx context.Context, ep Endpoint, i Item) Outcome {
		if i.Event.TenantSeq == 1 && ep.OrderBy != "" {
			<-ctx.Done()
			return Outcome{Err: "no answer"}
		}
		return Outcome{Delivered: true}
	})
	w.node("a", nil)
	w.append(1, 1500, "thing.happened", 10) // more of a key than are held in memory
	w.untilNumber(149, `SELECT count(*) FROM core.event_deliveries WHERE status = 'waiting'`)
	w.mu.Lock()
	w.endpoints[0].Version, w.endpoints[0].OrderBy = 2, ""
	w.mu.Unlock()
	w.append(1501, 1501, "endpoint.changed", 10)
	w.untilNumber(1501, delivered, ep.ID)
	w.wantSequences(ep, 1501)
}

// TestOneThatIsSentAnewHidesNobodyWhoWaits: it is found in the place of one that waits for the same key, who is then no longer counted.
func TestOneThatIsSentAnewHidesNobodyWhoWaits(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.OrderBy = "/key" })
	gate := make(chan struct{})
	w.answers(func(ctx context.Context, _ Endpoint, i Item) Outcome {
		switch {
		case i.Event.TenantSeq == 11 && i.Attempt == 1:
			return Outcome{Status: 500, Err: "answered 500"}
		case i.Event.TenantSeq == 11:
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
		return Outcome{Delivered: true}
	})
	n := w.node("a", nil)
	w.append(1, 21, "thing.happened", 10)
	w.untilNumber(19, delivered, ep.ID)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'waiting' AND tenant_seq = 21`)
	w.forward(6*time.Second, n)
	w.until("the second attempt", func() bool { return len(w.made()) == 21 })
	w.exec(`UPDATE core.event_deliveries SET round = attempt_count, status = 'retrying', next_attempt_at = $1 WHERE tenant_seq = 1`, w.now().Add(time.Hour))
	close(gate)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered' AND tenant_seq = 11`)
	w.forward(2*time.Hour, n)
	w.untilNumber(21, delivered, ep.ID)
}
