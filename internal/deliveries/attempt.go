package deliveries

import (
	"strings"
	"time"
)

const (
	mostRetryAfter = 24 * time.Hour
	mostAnswer     = 4 << 10
	mostError      = 500
)

// launch starts an attempt. mu is held.
func (p *pump) launch(q *parcel) {
	p.fly(1)
	p.busy[q.seq] = true
	if q.key != "" {
		p.lineOf(q.key).flying = q.seq
	}
	ep := p.ep
	p.e.sends.Go(func() { p.attempt(ep, q) })
}

func (p *pump) attempt(ep Endpoint, q *parcel) {
	if q.event == nil {
		ev, err := p.e.event(p.ctx, p.tenant, q.seq)
		if err != nil {
			p.giveBack(q)
			p.retry(err)
			return
		}
		if q.event = ev; !ep.Full {
			thin := *ev
			thin.Payload = nil
			q.event = &thin
		}
		q.size = int64(weight(q.event))
		p.hold(q.size)
	}
	if q.row && !p.judges(q.event.Position) {
		p.giveBack(q)
		return
	}
	if !ep.Permits(q.event) {
		p.refuse(q)
		return
	}
	at := p.e.cfg.Now()
	if q.attempts == 0 && p.e.cfg.Hooks.Fresh != nil {
		p.e.cfg.Hooks.Fresh(at.Sub(q.event.CreatedAt))
	}
	out := p.send(ep, Item{Event: *q.event, Sequence: q.sequence, Attempt: q.attempts + 1})
	if !out.Delivered && p.ctx.Err() != nil { // we cut it off: that says nothing about the receiver
		p.giveBack(q)
		return
	}
	out.Answer = out.Answer[:min(len(out.Answer), mostAnswer)]
	out.Err = clean(out.Err)
	p.finished(&ep, q, at, out)
}

// judges reports whether all that Permits goes by is known up to an event: one with a row may have been read by another process that knew
// more, and must be no dead letter for that.
func (p *pump) judges(position int64) bool {
	upTo, ok := p.e.tail.upTo(p.tenant)
	return ok && position <= upTo
}

// send makes an attempt. One that does not end although it was cut off is left behind after a while, whatever becomes of it: an endpoint
// that is given up waits for its attempts, and others wait for it.
func (p *pump) send(ep Endpoint, item Item) Outcome {
	answer := make(chan Outcome, 1)
	go func() {
		var out Outcome
		err := guarded("sending", func() error { out = p.e.cfg.Send(p.ctx, ep, item); return nil })
		if err != nil {
			p.e.cfg.Logger.Error("deliveries: an attempt failed by a fault of ours", "endpoint", p.id, "error", err)
			out = Outcome{Err: "the event could not be sent"}
		}
		answer <- out
	}()
	select {
	case out := <-answer:
		return out
	case <-p.ctx.Done():
	}
	patience := time.NewTimer(p.e.cfg.Patience)
	defer patience.Stop()
	select {
	case out := <-answer:
		return out
	case <-patience.C:
		p.e.cfg.Logger.Error("deliveries: an attempt that was cut off does not end; it is left behind", "endpoint", p.id, "event", item.Event.ID)
		return Outcome{}
	}
}

// clean makes text that PostgreSQL takes.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	return strings.ToValidUTF8(s[:min(len(s), mostError)], "")
}

// giveBack leaves an event as if it had not been attempted.
func (p *pump) giveBack(q *parcel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fly(-1)
	defer p.checkIdle()
	if !q.row { // it stands in the window still, and is of no more use to us: only a cut off endpoint comes here
		return
	}
	p.hold(-q.size)
	delete(p.busy, q.seq)
	if l := p.lines[q.key]; q.key != "" && l != nil {
		l.flying = 0
		l.add(q.seq)
	}
	now := p.e.cfg.Now()
	p.nextDue = now.Add(500 * time.Millisecond)
	p.alarm(now, p.nextDue)
}

// finished says what becomes of a delivery after an attempt, and has it recorded.
func (p *pump) finished(ep *Endpoint, q *parcel, at time.Time, out Outcome) {
	now := p.e.cfg.Now()
	q.attempts++
	r := &record{kind: attempted, q: q, at: at, out: out}
	r.status, r.next = p.e.verdict(q, now, &out)
	if h := p.e.cfg.Hooks.Attempted; h != nil {
		h(ep, &out, r.status)
	}
	p.mu.Lock()
	p.judge(now, at, &out, r)
	p.land(r)
	p.mu.Unlock()
	p.poke()
}

const notPermitted = "not sent: by the app's manifest or the tenant's policy it may not have events of this type any more"

// refuse makes a dead letter of what may not be sent any more. That is no attempt, and says nothing about the receiver.
func (p *pump) refuse(q *parcel) {
	p.mu.Lock()
	p.land(&record{kind: refused, q: q, status: statusDead, out: Outcome{Err: notPermitted}})
	p.mu.Unlock()
	p.poke()
}

// land takes in what became of an event that was on its way. mu is held.
func (p *pump) land(r *record) {
	p.fly(-1)
	if r.q.key != "" {
		p.settleLine(r.q, r)
	}
	p.put(r)
}

const (
	statusWaiting   = "waiting"
	statusRetrying  = "retrying"
	statusDelivered = "delivered"
	statusDead      = "dead"
)

// verdict is the status of a delivery after an attempt, and when the next one is due.
func (e *Engine) verdict(q *parcel, now time.Time, out *Outcome) (status string, next time.Time) {
	if out.Delivered {
		return statusDelivered, time.Time{}
	}
	made := q.attempts - q.round
	if made >= len(e.cfg.Schedule) {
		return statusDead, time.Time{}
	}
	pause := e.cfg.Schedule[made]
	pause += time.Duration(float64(pause) / 10 * e.cfg.Jitter())
	return statusRetrying, now.Add(max(pause, min(out.RetryAfter, mostRetryAfter)))
}

// settleLine says what an outcome means for the others of its key. mu is held.
func (p *pump) settleLine(q *parcel, r *record) {
	l := p.lineOf(q.key)
	if r.status == statusRetrying {
		l.add(q.seq)
		p.spill(l)
		return // flying until it is on record
	}
	l.closing = true
	r.release = len(p.done) == 0 && (l.waiting > 0 || q.row) && len(l.retrying) == 0 // who had a row may have others behind it that are not counted
}

// judge keeps account of how the endpoint does, and disables it when that is due. mu is held.
func (p *pump) judge(now, at time.Time, out *Outcome, r *record) {
	if out.Delivered {
		p.failing, p.misses = time.Time{}, 0
		r.success = now
		return
	}
	p.misses++
	r.failure = now
	if p.failing.IsZero() {
		p.failing = at
	}
	if out.Gone || now.Sub(p.failing) >= p.e.cfg.GiveUp {
		p.disable(out.Gone)
	}
}

// disable has the endpoint closed, and sends nothing until it is seen to be changed. mu is held.
func (p *pump) disable(gone bool) {
	if p.halted || p.closing {
		return
	}
	p.halted = true
	version, since := p.ep.Version, p.failing
	p.e.sends.Go(func() {
		for pause := time.Second; ; pause = min(2*pause, time.Minute) {
			err := guarded("disabling", func() error { return p.e.cfg.Disable(p.ctx, p.tenant, p.id, gone, since) })
			if err == nil {
				sleep(p.ctx, aWhile)
				p.unhalt(version)
				return
			}
			if p.ctx.Err() != nil {
				return
			}
			p.e.cfg.Logger.Error("deliveries: an endpoint cannot be disabled", "endpoint", p.id, "error", err, "retry_in", pause)
			if !sleep(p.ctx, pause) || p.changed(version) {
				return
			}
		}
	})
}

const aWhile = 30 * time.Second // in which it is seen that an endpoint was disabled

// unhalt has an endpoint go on that was not disabled after all: what failed for so long may have succeeded elsewhere meanwhile.
func (p *pump) unhalt(version int64) {
	if p.changed(version) {
		return
	}
	p.mu.Lock()
	p.halted = false
	p.mu.Unlock()
	p.poke()
}

func (p *pump) changed(since int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closing || p.ep.Version != since
}
