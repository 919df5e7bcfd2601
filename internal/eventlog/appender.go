package eventlog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"chancery/internal/ledger"
)

// appender commits what callers queue. Its fields belong to its one goroutine.
type appender struct {
	*PG
	enc   *encoder
	batch batch
	s     *session // nil: connect first
}

func (a *appender) run() {
	var waiting []*call
	for {
		waiting = a.appends.take(waiting)
		if len(waiting) == 0 {
			break
		}
		waiting = a.batch.fill(waiting, a.cfg.MaxBatch, a.cfg.MaxBatchBytes)
		if len(a.batch.calls) > 0 {
			a.commit(a.batch.calls)
		}
	}
	a.disconnect()
}

// commit settles every call. While the outcome is unknown it sends the same calls again: the request ids tell what an
// earlier attempt achieved, even one whose backend is still at work.
func (a *appender) commit(calls []*call) {
	began := time.Now()
	unknown := false // an earlier attempt may have been committed, or may yet be
	for attempt := 1; ; attempt++ {
		now := Instant(a.cfg.Now())
		o, sent, err := a.try(calls, now, unknown)
		if err == nil {
			a.observe(calls, began, attempt)
			a.settle(calls, o)
			return
		}
		switch {
		case a.abort.Err() != nil:
			answerAll(calls, fmt.Errorf("append, outcome unknown: %w: %w", ErrClosed, err))
			return
		case retiredKey(err) && len(calls) == 1:
			answerAll(calls, fmt.Errorf("%w: %w", ErrRetiredKey, err))
			return
		case badData(err) && len(calls) == 1:
			answerAll(calls, fmt.Errorf("%w: %w", ErrBadRequest, err))
			return
		case badData(err):
			a.commit(calls[:len(calls)/2])
			a.commit(calls[len(calls)/2:])
			return
		case !passing(err):
			answerAll(calls, fmt.Errorf("append: %w", err))
			return
		}
		a.disconnect()
		unknown = unknown || sent
		if !unknown {
			calls = dropGone(calls)
		}
		if len(calls) == 0 {
			return
		}
		a.pause(attempt)
	}
}

// try makes one attempt; sent says whether the database may have received it.
func (a *appender) try(calls []*call, now time.Time, unknown bool) (o outcome, sent bool, err error) {
	ctx, cancel := context.WithTimeout(a.abort, a.cfg.Patience)
	defer cancel()
	if a.s == nil {
		a.s, err = openSession(ctx, a.ledger.Pool(ledger.Append), map[string]string{appendStatement: appendSQL(), fetchStatement: fetchSQL})
		if err != nil {
			return o, false, err
		}
	}
	o, err = a.enc.call(ctx, a.s, calls, now)
	if err == nil && unknown {
		err = a.recognise(ctx, calls, o.verdicts)
	}
	return o, true, err
}

// recognise turns duplicates of this very batch, committed by an earlier attempt, into what they are: accepted. Their event
// ids tell them from the same request of another time; without events it makes no difference.
func (a *appender) recognise(ctx context.Context, calls []*call, verdicts []Verdict) error {
	for i, c := range calls {
		v := &verdicts[i]
		if v.Status != Duplicate || v.Part != 0 || len(c.req.Events) == 0 {
			continue
		}
		want := make([]int64, len(c.req.Events))
		for n := range want {
			want[n] = v.First + int64(n)
		}
		stored, err := fetch(ctx, a.s, want)
		if err != nil {
			return err
		}
		if len(stored) != len(want) || !slices.EqualFunc(stored, c.req.Events, func(s, e Raw) bool { return s.ID == e.ID }) {
			continue
		}
		*v = Verdict{Status: Accepted, First: want[0], Last: want[len(want)-1], CreatedAt: v.CreatedAt}
		for n := range stored {
			c.req.Events[n].TenantSeq = stored[n].TenantSeq
		}
	}
	return nil
}

// settle publishes the accepted events in order, then answers.
func (a *appender) settle(calls []*call, o outcome) {
	var events []Raw
	accepted := make([]int, 0, len(calls))
	next := slices.Clone(o.seqs)
	for i, c := range calls {
		if o.verdicts[i].Status == Accepted {
			accepted = append(accepted, i)
			a.complete(c.req, o.verdicts[i], next)
		}
	}
	slices.SortStableFunc(accepted, func(x, y int) int { return int(o.verdicts[x].First - o.verdicts[y].First) })
	for _, i := range accepted {
		events = append(events, calls[i].req.Events...)
	}
	if len(events) > 0 {
		a.cache.add(events)
		if a.cfg.OnAppend != nil {
			a.cfg.OnAppend(events)
		}
		a.head.Store(events[len(events)-1].Position)
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
	for i, c := range calls {
		c.done <- answer{verdict: o.verdicts[i]}
	}
}

// complete fills in what the database assigned. Sequence numbers that recognise found are kept.
func (a *appender) complete(r Request, v Verdict, next []int64) {
	i := 0
	for _, p := range r.Parts {
		for range p.Events {
			e := &r.Events[i]
			e.Position, e.RequestID, e.CreatedAt = v.First+int64(i), p.ID, v.CreatedAt
			if e.OccurredAt.IsZero() {
				e.OccurredAt = v.CreatedAt
			}
			if e.TenantSeq == 0 {
				t := a.enc.tenants[e.Tenant] - 1
				next[t]++
				e.TenantSeq = next[t]
			}
			i++
		}
	}
}

func (a *appender) observe(calls []*call, began time.Time, attempts int) {
	if a.cfg.OnBatch == nil {
		return
	}
	b := BatchStats{Requests: len(calls), Took: time.Since(began), Attempts: attempts}
	for _, c := range calls {
		b.Events += len(c.req.Events)
		b.Bytes += c.size
	}
	a.cfg.OnBatch(b)
}

func (a *appender) disconnect() {
	if a.s != nil {
		a.s.close()
		a.s = nil
	}
}

// pause waits before attempt+1: 10 ms, doubling up to a second.
func (a *appender) pause(attempt int) {
	t := time.NewTimer(min(10*time.Millisecond<<min(attempt-1, 10), time.Second))
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.abort.Done():
	}
}

func answerAll(calls []*call, err error) {
	for _, c := range calls {
		c.done <- answer{err: err}
	}
}

func dropGone(calls []*call) []*call {
	return slices.DeleteFunc(calls, func(c *call) bool {
		gone := c.ctx.Err() != nil
		if gone {
			c.done <- answer{err: c.ctx.Err()}
		}
		return gone
	})
}
