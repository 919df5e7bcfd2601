package deliveries

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// appendOf appends events of another tenant, after those that there are.
func (w *world) appendOf(other uuid.UUID, after, n int64) {
	w.t.Helper()
	w.exec(`INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT $1 + p, gen_random_uuid(), $2, p, 'shop', 'thing.happened', '{}', '{}', '{}', gen_random_uuid(), $4, $4 FROM generate_series(1, $3::bigint) p`, after, other, n, w.now())
	w.exec("NOTIFY " + eventlog.Channel)
}

// flying is how many attempts are under way at endpoints.
func (n *node) flyingAt(is func(Status) bool) (all int) {
	for _, s := range n.Status() {
		if is(s) {
			all += s.InFlight
		}
	}
	return all
}

func TestNoTenantHasAllAttemptsUnderWay(t *testing.T) {
	w := newWorld(t)
	quiet, late := uuid.New(), uuid.New()
	for range 50 {
		w.endpoint(func(e *Endpoint) { e.Concurrency = 100 })
	}
	w.endpoint(func(e *Endpoint) { e.Tenant, e.Concurrency = quiet, 20 })
	w.endpoint(func(e *Endpoint) { e.Tenant, e.Concurrency = late, 100 })
	hang := make(chan struct{})
	w.answers(func(ctx context.Context, _ Endpoint, _ Item) Outcome {
		select {
		case <-hang:
		case <-ctx.Done():
		}
		return Outcome{Delivered: ctx.Err() == nil}
	})
	n := w.node("a", func(c *Config) { c.Requests = 300 })
	of := func(t uuid.UUID) func(Status) bool { return func(s Status) bool { return s.Tenant == t } }
	w.append(1, 150, "thing.happened", 10)
	every := func() bool {
		for _, s := range n.Status() {
			if s.Tenant == tenant && s.InFlight == 0 {
				return false
			}
		}
		return n.flyingAt(of(tenant)) >= 150
	}
	w.until("every endpoint has one, and half of what there may be is the tenant's", every)
	w.appendOf(quiet, 150, 30)
	w.until("another tenant gets what it wants", func() bool { return n.flyingAt(of(quiet)) == 20 })
	w.appendOf(late, 180, 100)
	w.until("and so does the next, up to its share", func() bool { return n.flyingAt(of(late)) >= 300/4 })
	if got := n.flyingAt(of(tenant)); got > 150+50 {
		t.Errorf("%d attempts of one tenant are under way", got)
	}
	if got := n.flyingAt(of(late)); got > 300/4+1 {
		t.Errorf("%d attempts of the last tenant are under way", got)
	}
	close(hang)
	w.untilNumber(50*150+30+100, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`)
	if a := n.accounts[tenant]; a.flying.Load() != 0 || n.flying.all.Load() != 0 || n.flying.tenants.Load() != 0 {
		t.Errorf("%d of the tenant, %d of %d tenants are under way when nothing is", a.flying.Load(), n.flying.all.Load(), n.flying.tenants.Load())
	}
	if n.held.all.Load() != 0 || n.held.tenants.Load() != 0 {
		t.Errorf("%d bytes of %d tenants are held when nothing is", n.held.all.Load(), n.held.tenants.Load())
	}
}

// TestWhoWasHeldBackByOthersGoesOnWhenTheyAreDone, and not when its own attempt ends.
func TestWhoWasHeldBackByOthersGoesOnWhenTheyAreDone(t *testing.T) {
	for name, c := range map[string]struct {
		pad    int
		change func(*Config)
	}{
		"attempts": {10, func(c *Config) { c.Requests = 2 }},
		"bytes":    {250_000, func(c *Config) { c.HeldBytes = 1 << 20 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			others := w.endpoint(func(e *Endpoint) {
				e.Full, e.Means = true, func(raw *eventlog.Raw) bool { return raw.Type == "theirs" }
			})
			ep := w.endpoint(func(e *Endpoint) { e.Means = func(raw *eventlog.Raw) bool { return raw.Type == "ours" } })
			gate := make(chan struct{})
			w.answers(func(ctx context.Context, to Endpoint, i Item) Outcome {
				switch {
				case to.ID == others.ID:
					select {
					case <-gate:
					case <-ctx.Done():
					}
				case i.Sequence == 1:
					<-ctx.Done()
				}
				return Outcome{Delivered: ctx.Err() == nil}
			})
			n := w.node("a", c.change)
			w.append(1, 5, "theirs", c.pad)
			theirs := func(s Status) bool { return s.Endpoint == others.ID }
			w.until("others have so much that there is no room", func() bool {
				return n.flyingAt(theirs) >= 4 && (name == "attempts" || n.held.all.Load() > n.cfg.HeldBytes)
			})
			w.until("it has read theirs", func() bool { // and that is on record, so that no record pokes it later
				n.flush(n.list())
				return w.number(`SELECT count(*) FROM core.delivery_cursors WHERE endpoint_id = $1 AND tenant_seq = 5`, ep.ID) == 1
			})
			w.append(6, 7, "ours", 10)
			w.until("it has the one that it always may", func() bool { return n.flyingAt(func(s Status) bool { return s.Endpoint == ep.ID }) == 1 })
			close(gate)
			w.untilNumber(5, delivered, others.ID)
			w.untilNumber(1, delivered, ep.ID)
		})
	}
}

func TestLargeEventsOfATenantSlowDownNoOther(t *testing.T) {
	w := newWorld(t)
	other := uuid.New()
	w.endpoint(func(e *Endpoint) { e.Concurrency, e.Full = 100, true })
	w.endpoint(func(e *Endpoint) { e.Tenant = other })
	hang := make(chan struct{})
	w.answers(func(ctx context.Context, _ Endpoint, _ Item) Outcome {
		select {
		case <-hang:
		case <-ctx.Done():
		}
		return Outcome{Delivered: ctx.Err() == nil}
	})
	n := w.node("a", func(c *Config) { c.HeldBytes = 1 << 20 })
	w.append(1, 20, "thing.happened", 250_000)
	w.until("one tenant holds more than there is", func() bool { return n.held.all.Load() > n.cfg.HeldBytes })
	w.appendOf(other, 20, 30)
	w.until("the other has all under way that it may", func() bool {
		return n.flyingAt(func(s Status) bool { return s.Tenant == other }) == 10
	})
	if got := n.flyingAt(func(s Status) bool { return s.Tenant == tenant }); got > 6 {
		t.Errorf("%d large events are under way", got)
	}
	close(hang)
	w.untilNumber(50, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`)
}
