package eventlog

import (
	"context"
	"fmt"
	"slices"

	"chancery/internal/ledger"
)

// findSQL lists (query, position) candidates and, as query 0, the head: one statement, so one snapshot. Candidates are told
// by hashes; the events themselves are fetched afterwards, which is sound because no event ever changes.
//
// The planner may not merge a sub-query that has OFFSET or LIMIT: so each one stays a probe of the index, even if the plan
// was made when the log was empty.
const findSQL = `
SELECT 0, coalesce(max(position), 0) FROM core.events
UNION ALL
SELECT c.query, h.position FROM unnest($1::int[], $2::bigint[], $3::int[]) c(query, tag, type)
CROSS JOIN LATERAL (SELECT t.position FROM core.event_tags t WHERE t.tag_hash = c.tag AND t.type_hash = c.type OFFSET 0) h
UNION ALL
SELECT c.query, h.position FROM unnest($4::int[], $5::bigint[], $6::int[], $7::text[]) c(query, tag, type, rest)
CROSS JOIN LATERAL (SELECT t.type_hash, t.position FROM core.event_tags t
    WHERE c.type IS NOT NULL AND t.tag_hash = c.tag AND t.type_hash = c.type OFFSET 0) h
WHERE ` + hasRest + `
UNION ALL
SELECT c.query, h.position FROM unnest($4::int[], $5::bigint[], $6::int[], $7::text[]) c(query, tag, type, rest)
CROSS JOIN LATERAL (SELECT t.type_hash, t.position FROM core.event_tags t
    WHERE c.type IS NULL AND t.tag_hash = c.tag OFFSET 0) h
WHERE ` + hasRest + `
UNION ALL
SELECT c.query, h.position FROM unnest($8::int[], $9::bigint[]) c(query, tag)
CROSS JOIN LATERAL (SELECT t.position FROM core.event_tags t WHERE t.tag_hash = c.tag OFFSET 0) h`

const hasRest = `coalesce(cardinality(c.rest::bigint[]), 0) = (SELECT count(*) FROM unnest(c.rest::bigint[]) r(tag)
CROSS JOIN LATERAL (SELECT 1 FROM core.event_tags o
    WHERE o.tag_hash = r.tag AND o.type_hash = h.type_hash AND o.position = h.position LIMIT 1) hit)`

const fetchSQL = `SELECT ` + Columns + ` FROM core.events WHERE position = ANY ($1::bigint[])`

// read is one Read or Head under way.
type read struct {
	ctx    context.Context //nolint:containedctx // the caller's, and so is the read
	query  Query
	probes []probe
	done   chan found // holds one
}

type found struct {
	events []Raw
	head   int64
	err    error
}

// Read implements Log.
func (p *PG) Read(ctx context.Context, q Query) ([]Raw, int64, error) {
	if err := q.Check(); err != nil {
		return nil, 0, err
	}
	r := &read{ctx: ctx, query: q, probes: appendProbes(nil, q, 0), done: make(chan found, 1)}
	if !p.reads.put(r) {
		return nil, 0, ErrClosed
	}
	select {
	case f := <-r.done:
		return f.events, f.head, f.err
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("read log: %w", context.Cause(ctx))
	}
}

// Head implements Log: a read that asks for nothing else.
func (p *PG) Head(ctx context.Context) (int64, error) {
	_, head, err := p.Read(ctx, nil)
	return head, err
}

// reader answers what waits with one statement, and one more for events that are not at hand. Its fields belong to its goroutine.
type reader struct {
	*PG
	s       *session // nil: connect first
	a       [9]array
	results []result
}

type result struct {
	positions []int64
	events    []Raw
}

func (r *reader) run() {
	var waiting []*read
	for {
		waiting = r.reads.take(waiting)
		if len(waiting) == 0 {
			break
		}
		waiting = slices.DeleteFunc(waiting, func(c *read) bool { return c.ctx.Err() != nil })
		rest := waiting[min(len(waiting), r.cfg.MaxBatch):]
		r.serve(waiting[:len(waiting)-len(rest)])
		waiting = append(waiting[:0], rest...)
	}
	if r.s != nil {
		r.s.close()
	}
}

// serve tries three times: reading changes nothing, and a first connection may just have died of old age.
func (r *reader) serve(calls []*read) {
	if len(calls) == 0 {
		return
	}
	var head int64
	var err error
	for range 3 {
		if head, err = r.try(calls); err == nil || !passing(err) || r.abort.Err() != nil {
			break
		}
		if r.s != nil {
			r.s.close()
			r.s = nil
		}
	}
	for i, c := range calls {
		if err != nil {
			c.done <- found{err: fmt.Errorf("read log: %w", err)}
			continue
		}
		c.done <- found{events: r.results[i].events, head: head}
	}
	clear(r.results)
}

func (r *reader) try(calls []*read) (head int64, err error) {
	ctx, cancel := context.WithTimeout(r.abort, r.cfg.Patience)
	defer cancel()
	if r.s == nil {
		r.s, err = openSession(ctx, r.ledger.Pool(ledger.Append), map[string]string{findStatement: findSQL, fetchStatement: fetchSQL})
		if err != nil {
			return 0, err
		}
	}
	r.results = append(r.results[:0], make([]result, len(calls))...)
	err = r.s.each(ctx, findStatement, r.params(calls), func(v [][]byte) error {
		q, position := int4Of(v[0]), int8Of(v[1])
		if q == 0 {
			head = position
			return nil
		}
		r.results[q-1].positions = append(r.results[q-1].positions, position)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return head, r.gather(ctx, calls)
}

func (r *reader) params(calls []*read) [][]byte {
	for i := range r.a {
		r.a[i].reset()
	}
	for i, c := range calls {
		query := int32(i + 1)
		for _, p := range c.probes {
			if !p.anyKind && p.rest == "" {
				r.a[0].int4(query)
				r.a[1].int8(p.tag)
				r.a[2].int4(p.kind)
				continue
			}
			if p.rest == "" {
				r.a[7].int4(query)
				r.a[8].int8(p.tag)
				continue
			}
			r.a[3].int4(query)
			r.a[4].int8(p.tag)
			if p.anyKind {
				r.a[5].null()
			} else {
				r.a[5].int4(p.kind)
			}
			r.a[6].text(p.rest)
		}
	}
	return [][]byte{
		r.a[0].param(oidInt4), r.a[1].param(oidInt8), r.a[2].param(oidInt4),
		r.a[3].param(oidInt4), r.a[4].param(oidInt8), r.a[5].param(oidInt4), r.a[6].param(oidText),
		r.a[7].param(oidInt4), r.a[8].param(oidInt8),
	}
}

// gather puts the events beside their positions, from the cache or the table, and drops what only the hashes matched.
func (r *reader) gather(ctx context.Context, calls []*read) error {
	var missing []int64
	for i := range calls {
		res := &r.results[i]
		slices.Sort(res.positions)
		res.positions = slices.Compact(res.positions)
		res.events = make([]Raw, len(res.positions))
		missing = r.cache.pick(res.positions, res.events, missing)
	}
	fetched := map[int64]Raw{}
	if len(missing) > 0 {
		slices.Sort(missing)
		events, err := fetch(ctx, r.s, slices.Compact(missing))
		if err != nil {
			return err
		}
		r.cache.add(events)
		for i := range events {
			fetched[events[i].Position] = events[i]
		}
	}
	for i, c := range calls {
		res := &r.results[i]
		for n, position := range res.positions {
			if res.events[n].Position != 0 {
				continue
			}
			e, ok := fetched[position]
			if !ok {
				return fmt.Errorf("%w: position %d has tags and no event", ErrHole, position)
			}
			res.events[n] = e
		}
		res.events = slices.DeleteFunc(res.events, func(e Raw) bool { return !c.query.Matches(&e) })
	}
	return nil
}

// fetch returns the events at the given positions, in order.
func fetch(ctx context.Context, s *session, positions []int64) ([]Raw, error) {
	var a array
	a.reset()
	for _, p := range positions {
		a.int8(p)
	}
	events := make([]Raw, 0, len(positions))
	err := s.each(ctx, fetchStatement, [][]byte{a.param(oidInt8)}, func(v [][]byte) error {
		e, err := RawOf(v)
		events = append(events, e)
		return err
	})
	slices.SortFunc(events, func(x, y Raw) int { return int(x.Position - y.Position) })
	return events, err
}
