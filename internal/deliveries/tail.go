package deliveries

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// tail follows the log and keeps its newest events at hand for all endpoints: a ring bounded in bytes. Nothing beyond its horizon is
// sent: an event that changes endpoints counts for all that come after it.
type tail struct {
	e    *Engine
	news chan struct{} // capacity 1

	mu      sync.RWMutex
	horizon int64 // position; 0: nothing is known yet
	ring    []*eventlog.Raw
	bytes   int
	tenants map[uuid.UUID]*recent
}

// recent is what the ring has of a tenant, with no gap. dropped is the newest it had and has no more.
type recent struct {
	events  []*eventlog.Raw
	dropped int64
}

func newTail(e *Engine) *tail {
	return &tail{e: e, news: make(chan struct{}, 1), tenants: map[uuid.UUID]*recent{}}
}

func (t *tail) poke() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// begin sets the horizon to the head, once. What lies before it is read from the table.
func (t *tail) begin(ctx context.Context) error {
	if t.at() > 0 {
		return nil
	}
	var head int64
	if err := t.e.cfg.Pool.QueryRow(ctx, "SELECT coalesce(max(position), 0) FROM core.events").Scan(&head); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.horizon = head
	return nil
}

func (t *tail) at() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.horizon
}

// run reads on until ctx ends.
func (t *tail) run(ctx context.Context) {
	limit, pause := 64, 50*time.Millisecond
	poll := time.NewTicker(t.e.cfg.Poll)
	defer poll.Stop()
	select { // endpoints are known first
	case <-t.e.share.ready:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		page, err := t.e.cfg.Log.Page(ctx, t.at(), limit)
		if err != nil {
			if ctx.Err() == nil {
				t.e.cfg.Logger.Warn("deliveries: the log cannot be read", "error", err, "retry_in", pause)
			}
			sleep(ctx, pause)
			pause = min(2*pause, 5*time.Second)
			continue
		}
		pause = 50 * time.Millisecond
		if len(page) == 0 {
			select {
			case <-t.news:
			case <-poll.C:
			case <-ctx.Done():
			}
			continue
		}
		t.heed(ctx, page)
		limit = next(limit, len(page), t.publish(page))
	}
}

// next is how many events to read, so that a page has about a megabyte.
func next(limit, events, bytes int) int {
	switch {
	case bytes > 2<<20:
		return max(8, limit/2)
	case events == limit && bytes < 512<<10:
		return min(1000, 2*limit)
	}
	return limit
}

// heed has the endpoints loaded anew if something in the page concerns them. It waits for that only so long: one that is held up must
// not hold up everything.
func (t *tail) heed(ctx context.Context, page []eventlog.Raw) {
	last := int64(0)
	for i := range page {
		if t.e.cfg.Concerns(&page[i]) {
			last = page[i].Position
		}
	}
	if last == 0 {
		return
	}
	done := t.e.share.reload(last)
	patience := time.NewTimer(2 * time.Second)
	defer patience.Stop()
	select {
	case <-done:
	case <-ctx.Done():
	case <-patience.C:
		t.e.cfg.Logger.Warn("deliveries: the endpoints are not up to date; events go on meanwhile", "position", last)
	}
}

// publish lets endpoints see a page, and answers its size.
func (t *tail) publish(page []eventlog.Raw) (size int) {
	touched := map[uuid.UUID]bool{}
	t.mu.Lock()
	for i := range page {
		ev := &page[i]
		ev.Typed = nil
		r := t.tenants[ev.Tenant]
		if r == nil {
			r = &recent{dropped: ev.TenantSeq - 1}
			t.tenants[ev.Tenant] = r
		}
		r.events = append(r.events, ev)
		t.ring = append(t.ring, ev)
		size += weight(ev)
		touched[ev.Tenant] = true
	}
	t.bytes += size
	for len(t.ring) > 1 && t.bytes > t.e.cfg.RingBytes {
		t.drop()
	}
	t.horizon = page[len(page)-1].Position
	t.mu.Unlock()
	for tenant := range touched {
		t.e.wake(tenant)
	}
	return size
}

// drop forgets the oldest event. mu is held.
func (t *tail) drop() {
	old := t.ring[0]
	t.ring[0] = nil
	t.ring = t.ring[1:]
	t.bytes -= weight(old)
	r := t.tenants[old.Tenant]
	r.events[0] = nil
	r.events = r.events[1:]
	r.dropped = old.TenantSeq
}

// weight is about what an event takes of memory.
func weight(ev *eventlog.Raw) int { return len(ev.Payload) + len(ev.Metadata) + 512 }

// after returns events of a tenant that follow one, the oldest first. Missed: they are not at hand, and must be read from the table.
func (t *tail) after(tenant uuid.UUID, seq int64, most int) (events []*eventlog.Raw, missed bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.tenants[tenant]
	if r == nil {
		return nil, false
	}
	if r.dropped > seq {
		return nil, true
	}
	from := min(seq-r.dropped, int64(len(r.events)))
	return append(events, r.events[from:min(int(from)+most, len(r.events))]...), false
}

// one returns an event if it is at hand.
func (t *tail) one(tenant uuid.UUID, seq int64) *eventlog.Raw {
	if events, _ := t.after(tenant, seq-1, 1); len(events) == 1 {
		return events[0]
	}
	return nil
}
