package deliveries

import (
	"context"
	"testing"
	"time"

	"chancery/internal/eventlog"
)

// TestTheCursorPassesNothingThatACrashTakes: what is not delivered is not sent again for the sake of the cursor, so its row is on disk first.
func TestTheCursorPassesNothingThatACrashTakes(t *testing.T) {
	w := newWorld(t)
	w.exec(`CREATE TABLE core.commits (status text, mode text)`)
	w.exec(`CREATE FUNCTION core.note_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN INSERT INTO core.commits VALUES (NEW.status, current_setting('synchronous_commit')); RETURN NULL; END $$`)
	w.exec(`CREATE TRIGGER note_commit AFTER INSERT ON core.event_deliveries FOR EACH ROW EXECUTE FUNCTION core.note_commit()`)
	c := &consent{}
	ep := w.endpoint(func(e *Endpoint) { e.OrderBy, e.Permits = "/key", c.permits })
	w.answers(func(_ context.Context, _ Endpoint, i Item) Outcome {
		return Outcome{Delivered: i.Event.TenantSeq != 11}
	})
	w.node("a", func(c *Config) { c.Schedule = []time.Duration{0, time.Hour} })
	w.append(1, 10, "thing.happened", 10)
	w.untilNumber(10, delivered, ep.ID)
	w.append(11, 21, "thing.happened", 10)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'retrying'`)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'waiting'`)
	c.taken.Store(true)
	w.append(22, 22, "thing.happened", 10)
	w.untilNumber(1, `SELECT count(*) FROM core.event_deliveries WHERE status = 'dead'`)
	if got := w.number(`SELECT count(*) FROM core.commits WHERE status <> 'delivered' AND mode = 'on'`); got != 3 {
		t.Errorf("%d rows of what was not delivered were on disk with their commit, want 3", got)
	}
	if got := w.number(`SELECT count(*) FROM core.commits WHERE status = 'delivered' AND mode = 'off'`); got == 0 {
		t.Error("what is delivered waits for the disk as well")
	}
}

// TestNothingMoreIsWrittenForAPumpThatHasEnded: somebody else may serve its endpoint, and both in one batch would be refused for ever.
func TestNothingMoreIsWrittenForAPumpThatHasEnded(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.Means = func(*eventlog.Raw) bool { return false } })
	n := w.node("a", nil)
	w.until("the endpoint is in hand", func() bool { return len(n.list()) == 1 })
	before := n.list()[0]
	w.change(ep.ID, func(e *Endpoint) { e.Full, e.Means = true, all })
	w.append(1, 1, "endpoint.changed", 10)
	w.until("another pump", func() bool { l := n.list(); return len(l) == 1 && l[0] != before })
	before.mu.Lock()
	before.read++ // it had come on and not said so
	before.keepCursor()
	pending := before.pending
	before.mu.Unlock()
	if pending != 0 {
		t.Error("a pump that has ended is to be written of")
	}
}
