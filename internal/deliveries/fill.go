package deliveries

import (
	"time"

	"chancery/internal/eventlog"
)

// hungry reports whether there is room to read on. mu is held.
func (p *pump) hungry(now time.Time) bool {
	if !p.open(now) || len(p.fresh) >= p.ahead() || len(p.window) >= mostWindow+p.ep.Concurrency || len(p.lines) >= mostLines && len(p.done) == 0 {
		return false
	}
	return !p.full() && p.pending < max(mostPending, p.ep.Concurrency)
}

// full reports whether all endpoints together hold so much that this one must not hold more than one event. mu is held.
func (p *pump) full() bool {
	return p.e.held.Load() > p.e.cfg.HeldBytes && p.flying+len(p.fresh)+p.heldUp > 0
}

func (p *pump) ahead() int { return min(max(8, 2*p.ep.Concurrency), 200) }

// fill reads on and takes in what is meant. It reports whether there may be more, and room for it.
func (p *pump) fill() bool {
	p.mu.Lock()
	if !p.hungry(p.e.cfg.Now()) {
		p.mu.Unlock()
		return false
	}
	ep, read, synced, size := p.ep, p.read, p.synced, max(p.pageSize, p.ahead())
	p.mu.Unlock()

	horizon := p.e.tail.at()
	var events []*eventlog.Raw
	missed := !synced
	if synced {
		events, missed = p.e.tail.after(p.tenant, read, p.ahead())
	}
	if missed {
		var err error
		if events, synced, err = p.e.page(p.ctx, p.tenant, read, horizon, size); err != nil {
			p.retry(err)
			return false
		}
	}
	if len(events) == 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.synced = synced
		return missed && synced // the ring may have more
	}
	return p.takeIn(&ep, events, synced, missed)
}

// takeIn judges events and puts those that are meant where they belong. What there is no room for is read again.
func (p *pump) takeIn(ep *Endpoint, events []*eventlog.Raw, synced, paged bool) bool {
	meant := make([]bool, len(events))
	n := 0
	for i, ev := range events {
		if meant[i] = ep.Means(ev); meant[i] {
			n++
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ep.Version != ep.Version { // judged by what is no longer so
		return true
	}
	if paged {
		switch {
		case n*4 < len(events):
			p.pageSize = min(512, 2*max(p.pageSize, p.ahead()))
		default:
			p.pageSize = p.ahead()
		}
	}
	for i, ev := range events {
		if len(p.fresh) >= p.ahead()+p.ep.Concurrency || p.full() {
			return false // the rest is read again
		}
		p.admit(ev, meant[i])
	}
	p.synced = synced
	return true
}

// admit takes in the next event. mu is held.
func (p *pump) admit(ev *eventlog.Raw, meant bool) {
	p.read = ev.TenantSeq
	if sequence, ok := p.done[ev.TenantSeq]; ok {
		delete(p.done, ev.TenantSeq)
		p.last = max(p.last, sequence)
		p.resume()
		return
	}
	if !meant {
		return
	}
	p.last++
	q := &parcel{seq: ev.TenantSeq, sequence: p.last, key: keyOf(p.ep.OrderBy, ev)}
	if q.event = ev; !p.ep.Full {
		thin := *ev
		thin.Payload = nil
		q.event = &thin
	}
	q.size = int64(weight(q.event))
	p.e.held.Add(q.size)
	p.window = append(p.window, q)
	p.busy[q.seq] = true
	if q.key == "" {
		p.fresh = append(p.fresh, q)
		return
	}
	p.line(q)
}

// line puts a new event behind those with its key. mu is held.
func (p *pump) line(q *parcel) {
	l := p.lineOf(q.key)
	if !l.blocked() {
		l.flying = q.seq
		p.fresh = append(p.fresh, q)
		return
	}
	l.held = append(l.held, q)
	p.heldUp++
	if !l.closing && (len(l.retrying) > 0 || l.waiting > 0 || p.heldUp > mostHeld) {
		p.spill(l)
	}
}

// spill makes rows of what a line holds in memory: it will wait for long. mu is held.
func (p *pump) spill(l *line) {
	for _, q := range l.held {
		l.waiting++
		p.put(&record{kind: waits, q: q})
	}
	p.heldUp -= len(l.held)
	l.held = nil
}

func (p *pump) lineOf(key string) *line {
	l := p.lines[key]
	if l == nil {
		l = &line{}
		p.lines[key] = l
	}
	return l
}
