package pulls

import (
	"context"
	"fmt"

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
}

// scan looks at events after a place, in order, until it has enough that the endpoint means, or has looked at many.
func scan(ctx context.Context, db querier, e *Endpoint, after int64, most int) (s scanned, err error) {
	s.last, s.more = after, true
	bytes := 0
	for looked, page := 0, max(most, 64); s.more && len(s.events) < most && looked < mostScanned && bytes < mostBytes; page = min(2*page, 500) {
		rows, err := db.Query(ctx, scanSQL, e.Tenant, s.last, page)
		if err != nil {
			return s, fmt.Errorf("read events: %w", err)
		}
		n := 0
		for rows.Next() && len(s.events) < most && bytes < mostBytes {
			raw, err := rawOf(rows)
			switch {
			case err != nil:
				rows.Close()
				return s, fmt.Errorf("read events: %w", err)
			case raw.TenantSeq != s.last+1:
				rows.Close()
				return s, fmt.Errorf("%w: tenant %s has no event %d", eventlog.ErrHole, e.Tenant, s.last+1)
			}
			n, s.last = n+1, raw.TenantSeq
			if e.Means(&raw) {
				s.events = append(s.events, raw)
				bytes += len(raw.Payload)
			}
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return s, fmt.Errorf("read events: %w", err)
		}
		looked += n
		s.more = n == page || len(s.events) >= most || bytes >= mostBytes
	}
	return s, nil
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

// at are the tenant's events of those places.
func at(ctx context.Context, db querier, tenant uuid.UUID, seqs []int64) (map[int64]eventlog.Raw, error) {
	rows, err := db.Query(ctx, `SELECT e.* FROM unnest($2::bigint[]) u(seq)
		CROSS JOIN LATERAL (SELECT `+columns+` FROM core.events WHERE tenant_id = $1 AND tenant_seq = u.seq LIMIT 1) e`, tenant, seqs)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	found, err := pgx.CollectRows(rows, rawOf)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	all := make(map[int64]eventlog.Raw, len(found))
	for i := range found {
		all[found[i].TenantSeq] = found[i]
	}
	return all, nil
}

// Page is what an endpoint means, from a place on.
type Page struct {
	Events []eventlog.Raw
	Next   int64 // tenant_seq to go on after: the endpoint means nothing between the last event and it
	More   bool  // there may be more at once
}

// Read is what the endpoint means after a place, without a lease. Nothing is written.
func (p *Pulls) Read(ctx context.Context, e *Endpoint, after int64, most int) (Page, error) {
	release, err := p.slot(ctx)
	if err != nil {
		return Page{}, err
	}
	defer release()
	begin, err := p.beginning(ctx, p.cfg.Pool, e)
	if err != nil {
		return Page{}, err
	}
	s, err := scan(ctx, p.cfg.Pool, e, max(after, begin, e.SkippedThrough), most)
	return Page{s.events, s.last, s.more}, err
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
