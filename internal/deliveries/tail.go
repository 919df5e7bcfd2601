package deliveries

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// tail follows the log and keeps its newest events at hand for all endpoints: a ring bounded in bytes. Nothing beyond its horizon is
// sent, and of a tenant nothing from the first event on that concerns its endpoints and is not settled: it counts for all that come after
// it. Other tenants go on.
type tail struct {
	e    *Engine
	news chan struct{} // capacity 1

	mu      sync.RWMutex
	horizon int64 // position; 0: nothing is known yet
	began   int64 // the horizon at first
	known   bool  // the endpoints, as of then or later
	ring    []*eventlog.Raw
	bytes   int
	tenants map[uuid.UUID]*recent
	open    map[uuid.UUID][]int64 // by tenant: positions of events that concern its endpoints and are not settled, ascending
}

// recent is what the ring has of a tenant, with no gap. dropped is the newest it had and has no more.
type recent struct {
	events  []*eventlog.Raw
	dropped int64
}

func newTail(e *Engine) *tail {
	return &tail{e: e, news: make(chan struct{}, 1), tenants: map[uuid.UUID]*recent{}, open: map[uuid.UUID][]int64{}}
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
	t.horizon, t.began = head, head
	return nil
}

// newest is the position as of which endpoints are to be known, so that all of them go on.
func (t *tail) newest() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	newest := t.horizon
	for _, all := range t.open {
		newest = max(newest, all[len(all)-1])
	}
	return newest
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
		t.heed(page)
		limit = next(limit, len(page), t.publish(page))
	}
}

// next is how many events to read, so that a page has about a megabyte.
func next(limit, events, bytes int) int {
	switch {
	case bytes > 2<<20:
		return max(8, min(limit/2, events))
	case events == limit && bytes < 512<<10:
		return min(1000, 2*limit)
	}
	return limit
}

// heed has the endpoints loaded anew if something in the page concerns them; those of its tenants wait for that, however long it takes.
func (t *tail) heed(page []eventlog.Raw) {
	last := int64(0)
	t.mu.Lock()
	for i := range page {
		if ev := &page[i]; t.e.cfg.Concerns(ev) {
			last = ev.Position
			t.open[ev.Tenant] = append(t.open[ev.Tenant], last)
		}
	}
	t.mu.Unlock()
	if last > 0 {
		t.e.share.reload(last)
	}
}

// settle lets endpoints go on that waited to be known as of a position, or an earlier one.
func (t *tail) settle(position int64) {
	var freed []uuid.UUID
	t.mu.Lock()
	first := !t.known && position >= t.began
	t.known = t.known || first
	for tenant, all := range t.open {
		n, _ := slices.BinarySearch(all, position+1)
		switch {
		case n == 0:
			continue
		case n == len(all):
			delete(t.open, tenant)
		default:
			t.open[tenant] = all[n:]
		}
		freed = append(freed, tenant)
	}
	t.mu.Unlock()
	for _, tenant := range freed {
		t.e.wake(tenant)
	}
	if first {
		for _, p := range t.e.list() {
			p.poke()
		}
	}
}

// upTo is the position up to which endpoints of a tenant may read now, by the terms they have. Not ok: none is known yet.
func (t *tail) upTo(tenant uuid.UUID) (position int64, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if open := t.open[tenant]; len(open) > 0 {
		return min(t.horizon, open[0]-1), t.known
	}
	return t.horizon, t.known
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

// after returns events of a tenant that follow one, the oldest first, up to a position. Missed: they are not at hand, and must be read from
// the table.
func (t *tail) after(tenant uuid.UUID, seq, upTo int64, most int) (events []*eventlog.Raw, missed bool) {
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
	for _, ev := range r.events[from:min(int(from)+most, len(r.events))] {
		if ev.Position > upTo {
			break
		}
		events = append(events, ev)
	}
	return events, false
}

// one returns an event if it is at hand.
func (t *tail) one(tenant uuid.UUID, seq int64) *eventlog.Raw {
	if events, _ := t.after(tenant, seq-1, math.MaxInt64, 1); len(events) == 1 {
		return events[0]
	}
	return nil
}
