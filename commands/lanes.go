package commands

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Contended is a command that many send at once for one and the same thing. Those of a tenant that name the same lane share an append
// where they come to Execute at the same time; each is decided on what those before it decided. An empty lane is none.
type Contended interface{ Lane() string }

const (
	mostTogether = 256 // share an append
	mostRounds   = 4   // of attempts, each as many as Batch makes: many wait, so it is worth more
)

// errLaneBroke is what became of the others where deciding for all of them broke off.
var errLaneBroke = errors.New("the batch that this request was decided in broke off")

// lanes are the lines in which orders wait for the one before them. There is no goroutine behind a lane: the first of a line decides
// for all that stand in it then, and the first of those who came meanwhile goes next.
type lanes struct {
	mu   sync.Mutex
	open map[lane][]*waiting // mu owns it. A lane is in it as long as somebody decides; the list are those who wait meanwhile
}

type lane struct {
	tenant domain.TenantID
	name   string
}

// waiting is an order in a lane. What came of it is written before wake is closed, and not after.
type waiting struct {
	ctx     context.Context //nolint:containedctx // that of a call which waits
	order   Order
	wake    chan struct{} // closed when it is this one's turn to decide, or when it is answered
	leads   bool          // it is this one's turn
	outcome Outcome
	err     error
}

// laneOf is the lane of an order, if it has one. What is said to have happened at another time goes alone.
func laneOf(o Order) (lane, bool) {
	c, ok := o.Command.(Contended)
	if !ok || !o.At.IsZero() {
		return lane{}, false
	}
	name := c.Lane()
	return lane{o.Tenant, name}, name != ""
}

// inLane decides an order together with those of its lane that wait when its turn comes.
func (e *Engine) inLane(ctx context.Context, l lane, o Order) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	w := &waiting{ctx: ctx, order: o, wake: make(chan struct{})}
	if !e.lanes.enter(l, w) {
		select {
		case <-w.wake:
		case <-ctx.Done():
			e.lanes.leave(l, w)
			return Result{}, ctx.Err()
		}
		if !w.leads {
			return w.outcome.Result, domain.FirstError(w.err, w.outcome.Err)
		}
	}
	e.lead(l, w)
	return w.outcome.Result, domain.FirstError(w.err, w.outcome.Err)
}

// lead decides for first and those who wait, and lets the next one lead, whatever comes of it.
func (e *Engine) lead(l lane, first *waiting) {
	all := append([]*waiting{first}, e.lanes.board(l, first)...)
	for _, w := range all {
		w.err = errLaneBroke
	}
	defer func() {
		e.lanes.next(l)
		for _, w := range all[1:] {
			close(w.wake)
		}
	}()
	ctx, cancel := untilAllGaveUp(all)
	defer cancel()
	orders := make([]Order, len(all))
	for i, w := range all {
		orders[i] = w.order
	}
	outcomes, err := e.together(ctx, l.tenant, orders)
	for i, w := range all {
		if w.err = err; err == nil {
			w.outcome = outcomes[i]
		}
	}
}

// together is Batch for orders that have nothing to do with one another: what the whole fails by for the sake of one of them fails that
// one alone.
func (e *Engine) together(ctx context.Context, tenant domain.TenantID, orders []Order) ([]Outcome, error) {
	outcomes, err := e.Batch(ctx, tenant, orders, false)
	for n := 1; n < mostRounds && errors.Is(err, dcb.ErrConflict) && ctx.Err() == nil; n++ {
		outcomes, err = e.Batch(ctx, tenant, orders, false) // other processes take of the same thing
	}
	if len(orders) == 1 || !errors.Is(err, dcb.ErrKeyReused) && !errors.Is(err, dcb.ErrBadData) {
		return outcomes, err
	}
	outcomes = make([]Outcome, len(orders))
	for i, o := range orders {
		outcomes[i].Result, outcomes[i].Err = e.alone(ctx, o)
	}
	return outcomes, nil
}

// enter takes a lane, or stands in its line. It reports whether the lane is taken by w.
func (l *lanes) enter(at lane, w *waiting) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	line, busy := l.open[at]
	switch {
	case busy:
		l.open[at] = append(line, w)
		return false
	case l.open == nil:
		l.open = map[lane][]*waiting{}
	}
	l.open[at] = nil
	return true
}

// leave takes one that gave up out of the line. If it was its turn already, the next one's it is.
func (l *lanes) leave(at lane, w *waiting) {
	l.mu.Lock()
	if i := slices.Index(l.open[at], w); i >= 0 {
		l.open[at] = slices.Delete(l.open[at], i, i+1)
	}
	leads := w.leads
	l.mu.Unlock()
	if leads {
		l.next(at)
	}
}

// board are those of the line who go with first, in the order in which they came. A request whose twin goes already waits for what comes
// of that one.
func (l *lanes) board(at lane, first *waiting) (all []*waiting) {
	aboard := map[uuid.UUID]struct{}{first.order.Request: {}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[at] = slices.DeleteFunc(l.open[at], func(w *waiting) bool {
		_, twin := aboard[w.order.Request]
		if twin || len(all) >= mostTogether-1 || w.ctx.Err() != nil {
			return false // who gave up leaves by themselves
		}
		aboard[w.order.Request] = struct{}{}
		all = append(all, w)
		return true
	})
	return all
}

// next lets the first of the line lead; without a line the lane is free.
func (l *lanes) next(at lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.open[at]
	if len(line) == 0 {
		delete(l.open, at)
		return
	}
	l.open[at] = line[1:]
	line[0].leads = true
	close(line[0].wake)
}

// untilAllGaveUp is a context that ends when those of all have: one who gives up takes nobody with them.
func untilAllGaveUp(all []*waiting) (context.Context, context.CancelFunc) {
	if len(all) == 1 {
		return context.WithCancel(all[0].ctx)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(all[0].ctx))
	var staying atomic.Int64
	staying.Store(int64(len(all)))
	stops := make([]func() bool, len(all))
	for i, w := range all {
		stops[i] = context.AfterFunc(w.ctx, func() {
			if staying.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
