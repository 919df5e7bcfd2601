package deliveries

import (
	"context"
	"testing"
)

// TestWhatIsHeldForItsKeyDoesNotKeepOthersFromBeingRead: one that waits in the table goes on when all beyond the cursor is read again; for that
// there must be room.
func TestWhatIsHeldForItsKeyDoesNotKeepOthersFromBeingRead(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.OrderBy = "/key" })
	gate := make(chan struct{})
	w.answers(func(ctx context.Context, _ Endpoint, i Item) Outcome {
		if i.Event.TenantSeq == 12 {
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
		return Outcome{Delivered: true}
	})
	w.append(1, 40, "thing.happened", 10)
	w.exec(`INSERT INTO core.delivery_cursors (tenant_id, endpoint_id, tenant_seq, sequence) VALUES ($1, $2, 11, 11)`, tenant, ep.ID)
	w.exec(`INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id, sequence, ordering_key, status, attempt_count, next_attempt_at, created_at)
		SELECT tenant_id, $2, tenant_seq, gen_random_uuid(), id, type, position, 'billing', tenant_seq, 'k' || tenant_seq % 10,
			CASE tenant_seq WHEN 1 THEN 'retrying' WHEN 11 THEN 'waiting' ELSE 'delivered' END, 1, CASE tenant_seq WHEN 1 THEN $3::timestamptz END, now()
		FROM core.events WHERE tenant_id = $1 AND (tenant_seq <= 11 OR tenant_seq = 40)`, tenant, ep.ID, w.now())
	other := w.login()
	for _, sql := range []string{"BEGIN", "SET ROLE chancery_project", "SELECT FROM core.event_deliveries WHERE tenant_seq = 1 FOR UPDATE"} {
		if _, err := other.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	n := w.node("a", func(c *Config) { c.HeldBytes, c.RingBytes = 1, 1 })
	w.until("the endpoint is in hand", func() bool { return len(n.list()) == 1 })
	p := n.list()[0]
	is := func(so func() bool) func() bool {
		return func() bool { p.mu.Lock(); defer p.mu.Unlock(); return so() }
	}
	w.until("the outcome of the first waits for its row", is(func() bool { l := p.lines["k1"]; return l != nil && l.closing }))
	close(gate)
	w.until("one is held", is(func() bool { return p.heldUp == 1 && p.read == 21 }))
	if _, err := other.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	w.untilNumber(40, delivered, ep.ID)
	w.wantSequences(ep, 40)
}
