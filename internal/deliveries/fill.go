package deliveries

import (
	"slices"
	"time"

	"chancery/internal/eventlog"
)

// hungry reports whether there is room to read on. mu is held.
func (p *pump) hungry(now time.Time) bool {
	if !p.open(now) || len(p.fresh) >= p.ahead() || len(p.window) >= mostWindow+p.ep.Concurrency || len(p.lines) >= mostLines && len(p.done) == 0 {
		return false
	}
	if p.full() {
		p.lookSoon(now)
		return false
	}
	return p.pending < max(mostPending, p.ep.Concurrency)
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

	upTo, ok := p.e.tail.upTo(p.tenant)
	if !ok {
		return false
	}
	var events []*eventlog.Raw
	missed := !synced
	if synced {
		events, missed = p.e.tail.after(p.tenant, read, upTo, p.ahead())
	}
	if missed {
		var err error
		if events, synced, err = p.e.page(p.ctx, p.tenant, read, upTo, size); err != nil {
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

// retry looks again soon after a failure of ours.
func (p *pump) retry(err error) {
	if p.ctx.Err() != nil {
		return
	}
	p.e.cfg.Logger.Warn("deliveries: events cannot be read", "endpoint", p.id, "error", err)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.e.cfg.Now()
	p.alarm(now, now.Add(500*time.Millisecond))
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
	if p.closing || p.ep.Version != ep.Version { // judged by what is no longer so
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
		full := p.full()
		if full {
			p.lookSoon(p.e.cfg.Now())
		}
		if full || len(p.fresh) >= p.ahead()+p.ep.Concurrency {
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
	if len(p.done) > 0 && p.done[0].seq == ev.TenantSeq {
		if sequence := p.done[0].sequence; sequence > 0 {
			p.last, p.unsure = max(p.last, sequence), false
		}
		p.done = p.done[1:]
		p.resume()
		return
	}
	if !meant {
		return
	}
	before := p.last
	sequence, ok := p.number()
	if !ok {
		return
	}
	q := &parcel{seq: ev.TenantSeq, sequence: sequence, before: before, key: p.e.cfg.keyOf(p.ep.OrderBy, ev)}
	if q.event = ev; !p.ep.Full {
		thin := *ev
		thin.Payload = nil
		q.event = &thin
	}
	q.size = int64(weight(q.event))
	p.hold(q.size)
	p.window = append(p.window, q)
	p.busy[q.seq] = true
	if q.key == "" {
		p.fresh = append(p.fresh, q)
		return
	}
	p.line(q)
}

// numbered is an event by its tenant_seq, and the number of its delivery.
type numbered struct{ seq, sequence int64 }

// number is the next one for an event that is meant. What lies before a row was read by whoever made that row, maybe by other terms: with no
// number free before it, the event was not meant then (not ok). Where there are more events than free numbers, nobody knows which of them
// were: all are sent, those beyond the numbers as number 0. mu is held.
func (p *pump) number() (sequence int64, ok bool) {
	if i := slices.IndexFunc(p.done, func(d numbered) bool { return d.sequence > 0 }); i >= 0 {
		if p.last+1 >= p.done[i].sequence {
			return 0, p.unsure
		}
		p.unsure = true
	}
	p.last++
	return p.last, true
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
