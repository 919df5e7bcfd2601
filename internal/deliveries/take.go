package deliveries

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// start is where an endpoint goes on.
type start struct {
	known         bool
	seq, sequence int64
	failing       time.Time
	head          int64 // newest event of the tenant up to the horizon
}

const (
	startsSQL = `SELECT r.n, c.tenant_seq, c.sequence, c.failing_since
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY r(tenant_id, endpoint_id, n)
JOIN core.delivery_cursors c ON c.tenant_id = r.tenant_id AND c.endpoint_id = r.endpoint_id ORDER BY r.n`

	headsSQL = `SELECT r.n, h.tenant_seq FROM unnest($1::uuid[]) WITH ORDINALITY r(tenant_id, n)
CROSS JOIN LATERAL (SELECT e.tenant_seq FROM core.events e WHERE e.tenant_id = r.tenant_id AND e.position <= $2 ORDER BY e.tenant_seq DESC LIMIT 1) h ORDER BY r.n`

	beyondSQL = `SELECT r.n, d.tenant_seq, d.sequence FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) WITH ORDINALITY r(tenant_id, endpoint_id, cursor, n)
JOIN core.event_deliveries d ON d.tenant_id = r.tenant_id AND d.endpoint_id = r.endpoint_id AND d.tenant_seq > r.cursor ORDER BY r.n, d.tenant_seq`

	linesSQL = `SELECT r.n, d.ordering_key, coalesce(array_agg(d.tenant_seq ORDER BY d.tenant_seq) FILTER (WHERE d.status = 'retrying'), '{}'),
    count(*) FILTER (WHERE d.status = 'waiting')
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY r(tenant_id, endpoint_id, n)
JOIN core.event_deliveries d ON d.tenant_id = r.tenant_id AND d.endpoint_id = r.endpoint_id AND d.status IN ('waiting', 'retrying') AND d.ordering_key IS NOT NULL
GROUP BY r.n, d.ordering_key ORDER BY r.n, d.ordering_key`
)

// take puts endpoints to work that nobody serves.
func (s *sharer) take(ctx context.Context, endpoints []Endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	starts, err := s.starts(ctx, endpoints)
	if err != nil {
		return err
	}
	pumps := make([]*pump, len(endpoints))
	tenants, ids, cursors := make([]uuid.UUID, len(pumps)), make([]uuid.UUID, len(pumps)), make([]int64, len(pumps))
	for i, ep := range endpoints {
		p, at := s.e.newPump(ep), starts[i]
		p.holder = s.pid.Load()
		p.read, p.last, p.saved, p.failing, p.synced = at.seq, at.sequence, at.seq, at.failing, at.seq >= at.head
		p.nextDue = s.e.cfg.Now() // something may be
		pumps[i], tenants[i], ids[i], cursors[i] = p, ep.Tenant, ep.ID, at.seq
	}
	var n, seq, sequence int64
	err = s.each(ctx, []any{&n, &seq, &sequence}, func() {
		pumps[n-1].done = append(pumps[n-1].done, numbered{seq, sequence})
	}, beyondSQL, tenants, ids, cursors)
	if err != nil {
		return err
	}
	if err := s.lines(ctx, pumps, tenants, ids); err != nil {
		return err
	}
	for _, p := range pumps {
		s.e.begin(p)
		p.mu.Lock()
		p.resume()
		p.mu.Unlock()
		p.poke()
	}
	return nil
}

// lines reads what waits for its turn at endpoints that keep an order, or kept one until now.
func (s *sharer) lines(ctx context.Context, pumps []*pump, tenants, ids []uuid.UUID) error {
	var n int64
	var key string
	var retrying []int64
	var waiting int
	return s.each(ctx, []any{&n, &key, &retrying, &waiting}, func() {
		p := pumps[n-1]
		l := &line{retrying: retrying, waiting: waiting}
		retrying = nil
		p.lines[key] = l
	}, linesSQL, tenants, ids)
}

// resume has those go on who wait for nothing that is still to come. What has a row beyond the cursor may stand behind something that has
// none, and was under way when it was left: all of that is read again first. mu is held.
func (p *pump) resume() {
	if len(p.done) > 0 {
		return
	}
	for key, l := range p.lines {
		if len(l.retrying) == 0 && l.waiting > 0 && l.flying == 0 && !l.closing {
			l.closing = true
			p.put(&record{kind: opens, q: &parcel{key: key, row: true, recorded: true}, release: true})
		}
	}
}

// starts is where endpoints go on; those that are new get their cursor.
func (s *sharer) starts(ctx context.Context, endpoints []Endpoint) ([]start, error) {
	all := make([]start, len(endpoints))
	tenants, ids := make([]uuid.UUID, len(all)), make([]uuid.UUID, len(all))
	for i, ep := range endpoints {
		tenants[i], ids[i] = ep.Tenant, ep.ID
	}
	var n, seq, sequence int64
	var failing *time.Time
	err := s.each(ctx, []any{&n, &seq, &sequence, &failing}, func() {
		at := &all[n-1]
		at.known, at.seq, at.sequence = true, seq, sequence
		if failing != nil {
			at.failing = failing.UTC()
		}
	}, startsSQL, tenants, ids)
	if err != nil {
		return nil, err
	}
	if err := s.each(ctx, []any{&n, &seq}, func() { all[n-1].head = seq }, headsSQL, tenants, s.e.tail.at()); err != nil {
		return nil, err
	}
	for i := range endpoints {
		if err := s.placeCursor(ctx, &endpoints[i], &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *sharer) each(ctx context.Context, into []any, row func(), sql string, args ...any) error {
	rows, err := s.e.cfg.Pool.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, into, func() error { row(); return nil })
	return err
}

// placeCursor begins an endpoint, or moves it beyond what it is to leave out.
func (s *sharer) placeCursor(ctx context.Context, ep *Endpoint, at *start) error {
	if !at.known {
		at.seq = ep.StartsAfter
		if !ep.From.IsZero() {
			since, err := s.before(ctx, ep.Tenant, ep.From, at.head)
			if err != nil {
				return err
			}
			at.seq = min(at.seq, since)
		}
	}
	skips := at.seq < ep.SkippedThrough
	if at.known && !skips {
		return nil
	}
	cursor := at.seq
	at.seq = max(at.seq, ep.SkippedThrough)
	b := &pgx.Batch{}
	// What has a row beyond the cursor had a number, which is not given again.
	b.Queue(`INSERT INTO core.delivery_cursors AS c (tenant_id, endpoint_id, tenant_seq, sequence) VALUES ($1, $2, $3, greatest($4,
		(SELECT max(sequence) FROM core.event_deliveries WHERE tenant_id = $1 AND endpoint_id = $2 AND tenant_seq > $5 AND tenant_seq <= $3)))
		ON CONFLICT (tenant_id, endpoint_id) DO UPDATE SET tenant_seq = greatest(c.tenant_seq, excluded.tenant_seq),
		sequence = greatest(c.sequence, excluded.sequence) RETURNING sequence`, ep.Tenant, ep.ID, at.seq, at.sequence, cursor).
		QueryRow(func(row pgx.Row) error { return row.Scan(&at.sequence) })
	if skips {
		b.Queue(`DELETE FROM core.event_deliveries WHERE tenant_id = $1 AND endpoint_id = $2 AND tenant_seq <= $3
			AND status = 'waiting' AND attempt_count = 0`, ep.Tenant, ep.ID, ep.SkippedThrough)
		b.Queue(`UPDATE core.event_deliveries SET status = 'dead', next_attempt_at = NULL WHERE tenant_id = $1 AND endpoint_id = $2 AND tenant_seq <= $3
			AND status IN ('waiting', 'retrying')`, ep.Tenant, ep.ID, ep.SkippedThrough)
	}
	return s.e.cfg.Pool.SendBatch(ctx, b).Close()
}

// before is the newest event of a tenant that was recorded before a time, by halves: events are recorded in the order of time.
func (s *sharer) before(ctx context.Context, tenant uuid.UUID, from time.Time, head int64) (int64, error) {
	low, high := int64(0), head // low was, what follows high was not
	for low < high {
		mid := (low + high + 1) / 2
		var earlier bool
		err := s.e.cfg.Pool.QueryRow(ctx, "SELECT created_at < $3 FROM core.events WHERE tenant_id = $1 AND tenant_seq = $2", tenant, mid, from).Scan(&earlier)
		if err != nil {
			return 0, fmt.Errorf("look for the first event since %s: %w", from, err)
		}
		if earlier {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low, nil
}
