package deliveries

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// clerk finds deliveries that have come due, for all endpoints that ask with one statement; and every second or so for all of them,
// since redelivery makes some due without our knowing.
type clerk struct {
	e    *Engine
	some chan struct{} // capacity 1

	mu     sync.Mutex
	asking []*pump
	all    bool
}

func newClerk(e *Engine) *clerk { return &clerk{e: e, some: make(chan struct{}, 1)} }

// ask has the clerk look for one endpoint. The pump's mu is held.
func (c *clerk) ask(p *pump) {
	p.asking, p.nextDue = true, time.Time{}
	p.touched = map[int64]bool{}
	c.mu.Lock()
	c.asking = append(c.asking, p)
	c.mu.Unlock()
	c.poke(false)
}

// now has what is due looked for at an endpoint, if it is in hand here.
func (c *clerk) now(at place) {
	c.e.mu.RLock()
	p := c.e.pumps[at]
	c.e.mu.RUnlock()
	if p == nil {
		return
	}
	p.mu.Lock()
	p.nextDue = c.e.cfg.Now()
	p.mu.Unlock()
	p.poke()
}

func (c *clerk) poke(all bool) {
	c.mu.Lock()
	c.all = c.all || all
	c.mu.Unlock()
	select {
	case c.some <- struct{}{}:
	default:
	}
}

func (c *clerk) run(ctx context.Context) {
	round := time.NewTimer(time.Second)
	defer round.Stop()
	for {
		select {
		case <-c.some:
		case <-round.C:
			started := time.Now()
			c.poke(true)
			c.look(ctx)
			round.Reset(min(max(time.Second, 20*time.Since(started)), 10*time.Second)) // it took long because the database was away, maybe
			continue
		case <-ctx.Done():
			c.look(ctx) // those who asked are told
			return
		}
		c.look(ctx)
	}
}

const mostAsked = 500 // endpoints in one statement

func (c *clerk) look(ctx context.Context) {
	c.mu.Lock()
	pumps, all := c.asking, c.all
	c.asking, c.all = nil, false
	c.mu.Unlock()
	if all && ctx.Err() == nil {
		for _, p := range c.e.list() {
			if p.wants() {
				pumps = append(pumps, p)
			}
		}
	}
	for len(pumps) > 0 {
		n := min(len(pumps), mostAsked)
		if err := c.serve(ctx, pumps[:n]); err != nil && ctx.Err() == nil {
			c.e.cfg.Logger.Warn("deliveries: what is due cannot be read", "error", err)
		}
		pumps = pumps[n:]
	}
}

// wants has a pump asked for that did not ask, and woken if its endpoint was opened meanwhile.
func (p *pump) wants() bool {
	now := p.e.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if quiet := p.quiet; !p.closing && p.open(now) && quiet {
		p.e.sends.Go(p.poke)
	}
	if p.closing || p.quiet || p.asking || len(p.due) > 0 {
		return false
	}
	p.asking, p.touched = true, map[int64]bool{}
	return true
}

const dueSQL = `SELECT r.n, d.tenant_seq, d.sequence, d.attempt_count, d.round, d.ordering_key, d.next_attempt_at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[]) WITH ORDINALITY r(tenant_id, endpoint_id, busy, most, n)
CROSS JOIN LATERAL (
    (SELECT o.tenant_seq, o.sequence, o.attempt_count, o.round, o.ordering_key, o.next_attempt_at FROM core.event_deliveries o
     WHERE o.tenant_id = r.tenant_id AND o.endpoint_id = r.endpoint_id AND o.next_attempt_at <= $5 AND o.status = 'retrying'
       AND o.tenant_seq <> ALL (r.busy::bigint[])
     ORDER BY o.next_attempt_at, o.tenant_seq LIMIT r.most)
    UNION ALL
    (SELECT o.tenant_seq, o.sequence, o.attempt_count, o.round, o.ordering_key, o.next_attempt_at FROM core.event_deliveries o
     WHERE o.tenant_id = r.tenant_id AND o.endpoint_id = r.endpoint_id AND o.next_attempt_at > $5 AND o.status = 'retrying'
     ORDER BY o.next_attempt_at, o.tenant_seq LIMIT 1)) d
ORDER BY r.n, d.next_attempt_at, d.tenant_seq`

// serve looks for some endpoints, all of which are asking.
func (c *clerk) serve(ctx context.Context, pumps []*pump) (err error) {
	var tenants, ids []uuid.UUID
	var busy []string
	var most []int32
	for _, p := range pumps {
		list, n := p.leaveAlone()
		tenants, ids, busy, most = append(tenants, p.tenant), append(ids, p.id), append(busy, list), append(most, n)
	}
	now := c.e.cfg.Now()
	found := make([]finding, len(pumps))
	defer func() {
		for i, p := range pumps {
			p.hear(&found[i], now, err)
		}
	}()
	rows, err := c.e.cfg.Pool.Query(ctx, dueSQL, tenants, ids, busy, most, now)
	if err != nil {
		return err
	}
	var n int64
	var q parcel
	var key *string
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&n, &q.seq, &q.sequence, &q.attempts, &q.round, &key, &at}, func() error {
		if n < 1 || int(n) > len(found) {
			return fmt.Errorf("row of endpoint %d of %d", n, len(found))
		}
		f := &found[n-1]
		if at.After(now) {
			f.next = at.UTC()
			return nil
		}
		one := q
		one.row, one.recorded = true, true
		if key != nil {
			one.key = *key
		}
		f.due = append(f.due, &one)
		f.full = len(f.due) == int(most[n-1])
		return nil
	})
	return err
}

// finding is what was found for an endpoint.
type finding struct {
	due  []*parcel
	full bool      // there may be more
	next time.Time // when another one is due; zero: none is
}

// leaveAlone lists the rows that the clerk must not bring, as an array's text, and how many it may.
func (p *pump) leaveAlone() (busy string, most int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := []byte{'{'}
	for seq := range p.busy {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, seq, 10)
	}
	return string(append(b, '}')), int32(p.ahead())
}

// hear takes what the clerk found.
func (p *pump) hear(f *finding, now time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asking = false
	defer p.checkIdle()
	if p.closing {
		return
	}
	next := f.next
	if err != nil {
		next = now.Add(time.Second)
	}
	for _, q := range f.due {
		if p.touched[q.seq] || p.busy[q.seq] {
			continue
		}
		if l := p.lines[q.key]; l != nil && l.closing {
			continue // who goes next is on record and not yet known here; it is looked for again then
		}
		p.busy[q.seq] = true
		p.due = append(p.due, q)
		if q.key != "" {
			p.lineOf(q.key).add(q.seq)
		}
	}
	if f.full {
		next = now
	}
	if !next.IsZero() && (p.nextDue.IsZero() || next.Before(p.nextDue)) {
		p.nextDue = next
	}
	p.touched = nil
	if len(p.due) > 0 || !p.nextDue.IsZero() {
		p.e.sends.Go(p.poke)
	}
}
