package deliveries

import (
	"context"
	"sync"
	"time"
)

// record is something that is to be kept of a delivery.
type record struct {
	kind    kind
	p       *pump
	q       *parcel // none of cursorOnly
	at      time.Time
	status  string
	next    time.Time
	out     Outcome
	success time.Time // when it succeeded, or failed
	failure time.Time
	release bool // the next that waits for the same key becomes due

	released int64 // which one that was, when it is on record; 0: there was none
}

type kind uint8

const (
	attempted  kind = iota
	refused         // a dead letter without an attempt
	waits           // a row for an event that waits for others of its key
	demoted         // a row of one that was due waits as well
	opens           // the next that waits for the key of a delivery becomes due
	cursorOnly      // how far the endpoint has come
)

// recorder commits what became of all endpoints' deliveries in groups: what waits goes in one transaction. One goroutine writes, so
// records of an endpoint reach the tables in the order in which they were put; but see aside.go.
type recorder struct {
	e    *Engine
	some chan struct{} // capacity 1
	slow chan struct{} // holds a token for each transaction of what was set aside

	mu      sync.Mutex
	waiting []*record
	aside   map[*pump][]*record // what waits for locked rows of an endpoint, and all that was put after it; that much of an endpoint is in no batch
}

const (
	mostRecords = 1000 // in one transaction
	linger      = 2 * time.Millisecond
	fewRecords  = 64 // for which it is worth waiting for more
)

func newRecorder(e *Engine) *recorder {
	return &recorder{e: e, some: make(chan struct{}, 1), slow: make(chan struct{}, insisting), aside: map[*pump][]*record{}}
}

// put has something recorded. mu is held.
func (p *pump) put(r *record) {
	r.p = p
	p.pending++
	if r.q != nil {
		p.busy[r.q.seq] = true
	}
	w := p.e.write
	w.mu.Lock()
	w.waiting = append(w.waiting, r)
	w.mu.Unlock()
	select {
	case w.some <- struct{}{}:
	default:
	}
}

// run writes until ctx ends.
func (w *recorder) run(ctx context.Context) {
	tidy := time.NewTicker(5 * time.Second)
	defer tidy.Stop()
	for {
		batch := w.take()
		if len(batch) == 0 {
			select {
			case <-w.some:
				if !w.enough() {
					sleep(ctx, linger)
				}
			case <-tidy.C:
				w.tidy()
			case <-ctx.Done():
				return
			}
			continue
		}
		w.commit(ctx, batch, lockPatience)
		if ctx.Err() != nil {
			return
		}
	}
}

func (w *recorder) enough() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting) >= fewRecords
}

func (w *recorder) take() []*record {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) > 0 {
		n := min(len(w.waiting), mostRecords)
		batch := w.around(w.waiting[:n:n])
		if w.waiting = w.waiting[n:]; len(w.waiting) == 0 {
			w.waiting = nil
		}
		if len(batch) > 0 {
			return batch
		}
	}
	return nil
}

// tidy records how far endpoints have come that moved without a delivery.
func (w *recorder) tidy() {
	for _, p := range w.e.list() {
		p.mu.Lock()
		p.keepCursor()
		p.mu.Unlock()
	}
}

// keepCursor records the cursor if it moved, and nothing else will. mu is held.
func (p *pump) keepCursor() {
	select {
	case <-p.idle: // somebody else may serve the endpoint
		return
	default:
	}
	if seq, _ := p.cursor(); p.pending == 0 && (seq != p.saved || p.dirty) {
		p.put(&record{kind: cursorOnly})
	}
}

// cursor is how far the endpoint has come: all it means up to there is on record, or in the transaction that is being made. mu is held.
func (p *pump) cursor() (seq, sequence int64) {
	for len(p.window) > 0 && p.window[0].recorded {
		p.window[0] = nil
		p.window = p.window[1:]
	}
	if len(p.window) > 0 {
		return p.window[0].seq - 1, p.window[0].before
	}
	return p.read, p.last
}

// commit writes a batch until it is written, or ctx ends; what meets a lock for too long is set aside.
func (w *recorder) commit(ctx context.Context, batch []*record, patience time.Duration) {
	pause := 20 * time.Millisecond
	for {
		err := w.attempt(ctx, batch, patience)
		switch {
		case err == nil || ctx.Err() != nil:
			w.settle(batch, err)
			return
		case locked(err), taken(err):
			w.divide(ctx, batch, err)
			return
		}
		w.e.cfg.Logger.Warn("deliveries: outcomes cannot be recorded", "records", len(batch), "error", err, "retry_in", pause)
		sleep(ctx, pause)
		pause = min(2*pause, 2*time.Second)
	}
}

// attempt writes a batch once. Its order is that of the records, so a cursor never passes what is not there: they are all that there is of
// their endpoints, or the first of it.
func (w *recorder) attempt(ctx context.Context, batch []*record, patience time.Duration) error {
	var tables tables
	endpoints := map[*pump]int{}
	for _, r := range batch {
		p := r.p
		p.mu.Lock()
		if p.taken {
			p.mu.Unlock()
			return errTaken
		}
		if r.q != nil {
			r.q.recorded = true
		}
		w.add(&tables, endpoints, r)
		p.mu.Unlock()
	}
	for p, i := range endpoints {
		p.mu.Lock()
		tables.cursor(p, i)
		p.mu.Unlock()
	}
	started := time.Now()
	err := w.write(ctx, &tables, patience)
	if h := w.e.cfg.Hooks.Recorded; err == nil && h != nil {
		h(len(tables.attempts.number), time.Since(started))
	}
	return err
}

// settle lets go of a batch that is on record, or never will be.
func (w *recorder) settle(batch []*record, err error) {
	if err != nil {
		w.e.cfg.Logger.Error("deliveries: outcomes were not recorded; those events are sent again", "records", len(batch), "error", err)
	}
	endpoints := map[*pump]bool{}
	for _, r := range batch {
		r.p.recorded(r)
		endpoints[r.p] = true
	}
	for p := range endpoints {
		p.poke()
	}
}

// recorded lets go of what is on record.
func (p *pump) recorded(r *record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending--
	defer p.checkIdle()
	q := r.q
	if q == nil {
		return
	}
	p.hold(-q.size)
	q.size, q.event, q.row = 0, nil, true
	delete(p.busy, q.seq)
	if p.asking {
		p.touched[q.seq] = true
	}
	if r.kind == waits || r.kind == demoted {
		return
	}
	if r.status == statusRetrying && (p.nextDue.IsZero() || r.next.Before(p.nextDue)) {
		p.nextDue = r.next
	}
	if q.key != "" {
		p.advance(q, r)
	}
}

// advance lets the next of a key go. mu is held.
func (p *pump) advance(q *parcel, r *record) {
	l := p.lineOf(q.key)
	l.flying, l.closing = 0, false
	if r.release {
		if r.released > 0 {
			l.waiting = max(0, l.waiting-1) // it may be one that was sent anew
			l.add(r.released)
			p.nextDue = p.e.cfg.Now()
		} else {
			l.waiting = 0
		}
	}
	switch {
	case len(l.retrying) > 0:
	case l.waiting > 0 && len(p.done) > 0: // resume lets it go
		p.spill(l) // what is held in memory would keep us from reading on until then
	case l.waiting > 0: // it was made to wait after the outcome was known
		l.flying, l.closing = q.seq, true
		p.put(&record{kind: opens, q: q, release: true})
	case len(l.held) > 0:
		next := l.held[0]
		l.held = l.held[1:]
		p.heldUp--
		l.flying = next.seq
		p.fresh = append(p.fresh, next)
	default:
		delete(p.lines, q.key)
	}
}
