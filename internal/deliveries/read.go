package deliveries

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/eventlog"
)

const columns = `position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at`

const pageSQL = `SELECT ` + columns + ` FROM core.events WHERE tenant_id = $1 AND tenant_seq > $2 AND position <= $3 ORDER BY tenant_seq LIMIT $4`

const pageBytes = 1 << 20

// page reads events of a tenant that follow one, up to a position. Whole: there are no more up to there. A few pages are read at once,
// and each is bounded in bytes.
func (e *Engine) page(ctx context.Context, tenant uuid.UUID, seq, upTo int64, limit int) (events []*eventlog.Raw, whole bool, err error) {
	release, err := e.mayRead(ctx)
	if err != nil {
		return nil, false, err
	}
	defer release()
	rows, err := e.cfg.Pool.Query(ctx, pageSQL, tenant, seq, upTo, limit)
	if err != nil {
		return nil, false, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	size := 0
	for size < pageBytes && rows.Next() {
		ev, err := scan(rows)
		if err != nil {
			return nil, false, fmt.Errorf("read events: %w", err)
		}
		size += weight(ev)
		events = append(events, ev)
	}
	if size >= pageBytes {
		return events, false, nil
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("read events: %w", err)
	}
	return events, len(events) < limit, nil
}

// event reads one event, from the ring if it is at hand.
func (e *Engine) event(ctx context.Context, tenant uuid.UUID, seq int64) (*eventlog.Raw, error) {
	if ev := e.tail.one(tenant, seq); ev != nil {
		return ev, nil
	}
	release, err := e.mayRead(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	rows, err := e.cfg.Pool.Query(ctx, `SELECT `+columns+` FROM core.events WHERE tenant_id = $1 AND tenant_seq = $2`, tenant, seq)
	if err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	ev, err := pgx.CollectExactlyOneRow(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("read event %d of tenant %s: %w", seq, tenant, err)
	}
	return ev, nil
}

func (e *Engine) mayRead(ctx context.Context) (release func(), err error) {
	select {
	case e.reading <- struct{}{}:
		return func() { <-e.reading }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func scan(row pgx.CollectableRow) (*eventlog.Raw, error) {
	ev := &eventlog.Raw{}
	err := row.Scan(&ev.Position, &ev.ID, &ev.Tenant, &ev.TenantSeq, &ev.SourceApp, &ev.Type, &ev.Payload, &ev.Metadata, &ev.Tags,
		&ev.RequestID, &ev.OccurredAt, &ev.CreatedAt)
	ev.OccurredAt, ev.CreatedAt = ev.OccurredAt.UTC(), ev.CreatedAt.UTC()
	return ev, err
}
