package deliveries

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"chancery/internal/eventlog"
)

// pump brings events to one endpoint. It has a goroutine only while there is something to do; each attempt has one of its own. So no
// endpoint waits for another.
//
// mu guards everything below it. Only the pump's goroutine reads on (fill), so read, last, done and synced move there alone.
type pump struct {
	e *Engine
	place
	own    *account
	shard  int
	holder int32           // the backend whose locks it lives by
	ctx    context.Context //nolint:containedctx // ends when the endpoint is given back or gone: what is in flight is cut off
	cancel context.CancelFunc
	idle   chan struct{} // closed when it is closing and nothing is under way any more

	mu             sync.Mutex
	ep             Endpoint
	limit          *rate.Limiter // nil: none
	running, again bool
	closing        bool
	taken          bool // by another process: nothing is written any more
	halted         bool // it is being disabled; nothing goes until another version is known
	quiet          bool // it was closed when last looked at
	timer          *time.Timer
	wakeAt         time.Time

	read     int64      // tenant_seq up to which events are read
	last     int64      // the last sequence number given
	synced   bool       // everything up to the ring was read
	done     []numbered // beyond the cursor and on record already, in order
	unsure   bool       // numbers were given since the last row that has one
	window   []*parcel  // read and meant, from the first that is not on record, in order
	fresh    []*parcel  // to be attempted for the first time
	pageSize int

	due     []*parcel        // to be attempted again, now
	nextDue time.Time        // when another one is due; zero: none is known
	asking  bool             // the clerk looks for due ones
	touched map[int64]bool   // rows changed since the clerk began to look
	busy    map[int64]bool   // rows that it leaves alone: on their way, or not on record yet
	lines   map[string]*line // by key
	heldUp  int              // parcels held in lines
	flying  int              // attempts under way
	pending int              // outcomes that are not on record yet
	turn    bool             // whose turn it is: what is due, or what is fresh

	saved   int64 // tenant_seq of the cursor on record
	failing time.Time
	dirty   bool // failing is not on record
	misses  int  // failures in a row
	brake   *rate.Limiter
}

// parcel is an event on its way.
type parcel struct {
	seq      int64         // tenant_seq
	event    *eventlog.Raw // nil: to be read first
	sequence int64         // 0: it was passed before, when it was not meant or not known to be
	before   int64         // the last number before it; of one in the window
	attempts int           // made so far
	round    int
	key      string
	row      bool // it has a row
	recorded bool // of one in the window
	size     int64
}

// How much a pump reads ahead, and what makes it pause.
const (
	mostWindow  = 2000   // events read whose outcome is not on record
	mostPending = 256    // outcomes that are not on record; more at once than the endpoint may have in flight
	mostLines   = 20_000 // keys with undelivered events
	mostHeld    = 128    // events held in memory for others of their key, before they are made rows

	brakeAfter = 20 // failures in a row, beside those that were in flight
	brakeRate  = 10 // attempts in a second that an endpoint gets that does nothing but fail
)

func (e *Engine) newPump(ep Endpoint) *pump {
	ctx, cancel := context.WithCancel(context.Background())
	p := &pump{
		e: e, place: place{ep.Tenant, ep.ID}, shard: shardOf(ep.ID), ctx: ctx, cancel: cancel, idle: make(chan struct{}),
		own: e.account(ep.Tenant), busy: map[int64]bool{}, lines: map[string]*line{},
		brake: rate.NewLimiter(brakeRate, 1),
	}
	p.set(ep)
	return p
}

// set takes on new terms. mu is held, or nobody knows the pump yet.
func (p *pump) set(ep Endpoint) {
	ep.Concurrency = max(1, ep.Concurrency)
	if ep.Version != p.ep.Version {
		p.halted = false
	}
	switch {
	case ep.PerSecond <= 0:
		p.limit = nil
	case p.limit == nil || ep.PerSecond != p.ep.PerSecond:
		p.limit = rate.NewLimiter(rate.Limit(ep.PerSecond), max(1, ep.PerSecond/100))
	}
	p.ep = ep
}

// poke has the pump look for something to do.
func (p *pump) poke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.again = true
	if !p.running && !p.closing {
		p.running = true
		p.e.sends.Go(p.run)
	}
}

func (p *pump) run() {
	for {
		p.mu.Lock()
		if !p.again || p.closing {
			p.running = false
			p.checkIdle()
			p.mu.Unlock()
			return
		}
		p.again = false
		p.mu.Unlock()
		for p.fill() {
			p.dispatch()
		}
		p.dispatch()
	}
}

// open reports whether anything may be sent now. mu is held.
func (p *pump) open(now time.Time) bool {
	if p.closing || p.halted {
		return false
	}
	p.quiet = !p.ep.Open(now)
	if p.quiet && !p.failing.IsZero() { // what it did before counts no longer when it is opened again
		p.failing, p.misses, p.dirty = time.Time{}, 0, true
	}
	return !p.quiet
}

// dispatch starts attempts as far as the endpoint takes them: fresh ones and those due again by turns.
func (p *pump) dispatch() {
	now := p.e.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open(now) {
		return
	}
	p.lookForDue(now)
	for p.flying < p.ep.Concurrency && !p.crowded() && p.pending < max(mostPending, p.ep.Concurrency) && len(p.due)+len(p.fresh) > 0 {
		if wait := p.mustWait(now); wait > 0 {
			p.alarm(now, now.Add(wait))
			return
		}
		p.turn = !p.turn
		if len(p.fresh) == 0 || p.turn && len(p.due) > 0 {
			q := p.due[0]
			p.due = p.due[1:]
			p.again2due(q)
			continue
		}
		q := p.fresh[0]
		p.fresh[0] = nil
		p.fresh = p.fresh[1:]
		p.launch(q)
	}
	if len(p.due)+len(p.fresh) > 0 && p.crowded() {
		p.lookSoon(now)
	}
	p.lookForDue(now)
}

// again2due starts an attempt of what was attempted before, unless its key has it wait. mu is held.
func (p *pump) again2due(q *parcel) {
	if q.key == "" {
		p.launch(q)
		return
	}
	l := p.lineOf(q.key)
	if !l.first(q.seq) {
		l.remove(q.seq)
		l.waiting++
		p.put(&record{kind: demoted, q: q})
		return
	}
	l.remove(q.seq)
	p.launch(q)
}

// mustWait is how long until the endpoint's rate allows an attempt; 0: it does, and the attempt is counted. mu is held.
func (p *pump) mustWait(now time.Time) time.Duration {
	if p.misses >= p.ep.Concurrency+brakeAfter {
		if d := take(p.brake, now); d > 0 {
			return d
		}
	}
	if p.limit == nil {
		return 0
	}
	return take(p.limit, now)
}

func take(l *rate.Limiter, now time.Time) time.Duration {
	if l.AllowN(now, 1) {
		return 0
	}
	r := l.ReserveN(now, 1)
	defer r.CancelAt(now)
	return max(r.DelayFrom(now), time.Microsecond)
}

// lookForDue asks the clerk when something is due and nothing of it is at hand. mu is held.
func (p *pump) lookForDue(now time.Time) {
	if p.nextDue.IsZero() || len(p.due) > 0 || p.asking {
		return
	}
	if p.nextDue.After(now) {
		p.alarm(now, p.nextDue)
		return
	}
	p.e.due.ask(p)
}

// alarm has the pump look again at a time. mu is held.
func (p *pump) alarm(now, at time.Time) {
	if p.timer != nil && !p.wakeAt.After(at) && p.wakeAt.After(now) {
		return
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	p.wakeAt = at
	p.timer = time.AfterFunc(max(at.Sub(now), 100*time.Microsecond), p.poke)
}

// stop has the pump start nothing more; idle tells when the rest is done. mu is not held.
func (p *pump) stop() {
	p.e.hide(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return
	}
	p.closing = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.checkIdle()
}

// checkIdle tells when a closing pump has nothing under way. mu is held.
func (p *pump) checkIdle() {
	if !p.closing || p.running || p.flying > 0 || p.pending > 0 || p.asking {
		return
	}
	select {
	case <-p.idle:
	default:
		for _, q := range p.window {
			if !q.recorded {
				p.hold(-q.size)
			}
		}
		p.cancel()
		close(p.idle)
	}
}

func (p *pump) status() Status {
	now := p.e.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	seq, _ := p.cursor()
	s := Status{Tenant: p.tenant, Endpoint: p.id, InFlight: p.flying, Cursor: seq, NextDue: p.nextDue, FailingSince: p.failing, Closed: p.closing || p.halted || !p.ep.Open(now)}
	return s
}
