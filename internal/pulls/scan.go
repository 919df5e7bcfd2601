package pulls

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/eventlog"
)

const columns = `position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at`

const scanSQL = `SELECT ` + columns + ` FROM core.events WHERE tenant_id = $1 AND tenant_seq > $2 ORDER BY tenant_seq LIMIT $3`

// scanned is what was found of a tenant's events after a place.
type scanned struct {
	events []eventlog.Raw // that the endpoint means, in order
	last   int64          // tenant_seq of the last one that was looked at
	more   bool           // there may be more
	newer  bool           // it ended at what was recorded after Through
}

// The bounds of one look.
const (
	mostScanned = 2000    // events that are looked at
	mostBytes   = 8 << 20 // of payloads that are read, if it is more than one
	onePage     = 100     // what a page holds of those bytes beyond the bound is read for nothing
	mostJudging = 100 * time.Millisecond
	leastJudged = 50 // events, whatever time they take
)

// scan looks at events after a place, in order, until it has enough that the endpoint means, or has looked at many. A connection is taken
// to read them, and none to judge them.
func (p *Pulls) scan(ctx context.Context, e *Endpoint, after int64, most int) (s scanned, err error) {
	s.last, s.more = after, true
	var judging time.Duration
	for looked, bytes := 0, 0; s.more && len(s.events) < most && looked < mostScanned && bytes < mostBytes && judging < mostJudging; {
		page, err := p.page(ctx, e, s.last, mostBytes-bytes)
		if err != nil {
			return s, err
		}
		n, took, err := p.judge(ctx, e, &s, page.events, most, mostJudging-judging)
		if err != nil {
			return s, err
		}
		for i := range page.events[:n] {
			bytes += len(page.events[i].Payload)
		}
		looked, judging = looked+n, judging+took
		if n == len(page.events) {
			s.more, s.newer = page.more, page.newer
		}
	}
	return s, nil
}

// page are the next events after a place, whether they are meant or not.
func (p *Pulls) page(ctx context.Context, e *Endpoint, after int64, bytes int) (s scanned, err error) {
	release, err := p.slot(ctx, e.Tenant)
	if err != nil {
		return s, err
	}
	defer release()
	rows, err := p.cfg.Pool.Query(ctx, scanSQL, e.Tenant, after, onePage)
	if err != nil {
		return s, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	s.last = after
	for bytes > 0 && rows.Next() {
		raw, err := following(rows, e.Tenant, s.last)
		if err != nil || raw.Position > e.Through {
			s.newer = err == nil
			return s, err
		}
		s.events, s.last = append(s.events, raw), raw.TenantSeq
		bytes -= len(raw.Payload)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return s, fmt.Errorf("read events: %w", err)
	}
	s.more = len(s.events) == onePage || bytes <= 0
	return s, nil
}

// judge adds those of the next events that the endpoint means, until there are enough or it took too long. Of one tenant few are judged at
// once, so that it keeps few processors busy.
func (p *Pulls) judge(ctx context.Context, e *Endpoint, s *scanned, next []eventlog.Raw, most int, within time.Duration) (n int, took time.Duration, err error) {
	release, err := p.share(ctx, e.Tenant)
	if err != nil {
		return 0, 0, err
	}
	defer release()
	began := time.Now()
	for n < len(next) && len(s.events) < most && (n < leastJudged || time.Since(began) < within) && ctx.Err() == nil {
		if e.Means(&next[n]) {
			s.events = append(s.events, next[n])
		}
		s.last = next[n].TenantSeq
		n++
	}
	return n, time.Since(began), context.Cause(ctx)
}

// from is what is left of it after a place, as much as fits: the first does in any case if alone is true.
func (s scanned) from(after int64, most, bytes int, alone bool) scanned {
	if after > s.last {
		return scanned{last: after, more: true}
	}
	rest := s
	rest.events = slices.DeleteFunc(slices.Clone(s.events), func(raw eventlog.Raw) bool { return raw.TenantSeq <= after })
	for i := range rest.events {
		bytes -= len(rest.events[i].Payload)
		if i == most || bytes < 0 && (i > 0 || !alone) {
			return scanned{events: rest.events[:i], last: rest.events[i].TenantSeq - 1, more: true}
		}
	}
	return rest
}

// following is the tenant's event after a place.
func following(row pgx.CollectableRow, tenant uuid.UUID, last int64) (eventlog.Raw, error) {
	raw, err := rawOf(row)
	switch {
	case err != nil:
		return raw, fmt.Errorf("read events: %w", err)
	case raw.TenantSeq != last+1:
		return raw, fmt.Errorf("%w: tenant %s has no event %d", eventlog.ErrHole, tenant, last+1)
	}
	return raw, nil
}

func rawOf(row pgx.CollectableRow) (e eventlog.Raw, err error) {
	err = row.Scan(&e.Position, &e.ID, &e.Tenant, &e.TenantSeq, &e.SourceApp, &e.Type, (*jsonText)(&e.Payload), (*jsonText)(&e.Metadata), &e.Tags, &e.RequestID,
		&e.OccurredAt, &e.CreatedAt)
	e.OccurredAt, e.CreatedAt = e.OccurredAt.UTC(), e.CreatedAt.UTC()
	return e, err
}

// jsonText takes JSON as it is stored, to the byte.
type jsonText []byte

// ScanBytes keeps a copy: the buffer is used again.
func (t *jsonText) ScanBytes(b []byte) error { *t = append(jsonText(nil), b...); return nil }

// at are the tenant's events of those places, in that order; fewer if they are more than so many bytes, but one at least.
func at(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, seqs []int64, bytes int) (found []eventlog.Raw, err error) {
	rows, err := tx.Query(ctx, `SELECT e.* FROM unnest($2::bigint[]) WITH ORDINALITY u(seq, n)
		CROSS JOIN LATERAL (SELECT `+columns+` FROM core.events WHERE tenant_id = $1 AND tenant_seq = u.seq LIMIT 1) e ORDER BY u.n`, tenant, seqs)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		raw, err := rawOf(rows)
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if bytes -= len(raw.Payload); bytes < 0 && len(found) > 0 {
			return found, nil
		}
		if want := seqs[len(found)]; raw.TenantSeq != want {
			return nil, fmt.Errorf("%w: tenant %s has no event %d", eventlog.ErrHole, tenant, want)
		}
		found = append(found, raw)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	if len(found) < len(seqs) {
		return nil, fmt.Errorf("%w: tenant %s has no event %d", eventlog.ErrHole, tenant, seqs[len(found)])
	}
	return found, nil
}

// Page is what an endpoint means, from a place on.
type Page struct {
	Events []eventlog.Raw
	Next   int64 // tenant_seq to go on after: the endpoint means nothing between the last event and it
	More   bool  // there may be more at once
	Newer  bool  // something was recorded after the endpoint's Through: find it anew
}

// Read is what the endpoint means after a place, without a lease. Nothing is written.
func (p *Pulls) Read(ctx context.Context, e *Endpoint, after int64, most int) (Page, error) {
	begin, err := p.beginning(ctx, e)
	if err != nil {
		return Page{}, err
	}
	s, err := p.scan(ctx, e, max(after, begin, e.SkippedThrough), most)
	return Page{s.events, s.last, s.more, s.newer}, err
}

// Head is the tenant_seq of the tenant's newest event.
func (p *Pulls) Head(ctx context.Context, tenant uuid.UUID) (seq int64, err error) {
	err = p.cfg.Pool.QueryRow(ctx, `SELECT coalesce(max(tenant_seq), 0) FROM core.events WHERE tenant_id = $1`, tenant).Scan(&seq)
	return seq, err
}

// Has reports whether the tenant has an event of that id.
func (p *Pulls) Has(ctx context.Context, tenant, id uuid.UUID) (there bool, err error) {
	err = p.cfg.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM core.events WHERE id = $2 AND tenant_id = $1)`, tenant, id).Scan(&there)
	return there, err
}

const sinceSQL = `SELECT e.payload FROM core.event_tags t JOIN core.events e ON e.position = t.position
WHERE t.tag_hash = $1 AND t.type_hash = $2 AND t.position > $3 AND e.tenant_id = $4 AND e.type = $5 AND $6 = ANY (e.tags) ORDER BY t.position`

// Since are the payloads of a tenant's events of a type that carry a tag and stand after a position, in order.
func (p *Pulls) Since(ctx context.Context, tenant uuid.UUID, tag, typ string, after int64) ([][]byte, error) {
	rows, err := p.cfg.Pool.Query(ctx, sinceSQL, eventlog.TagHash(tag), eventlog.TypeHash(typ), after, tenant, typ, tag)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[[]byte])
}
