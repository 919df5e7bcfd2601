package pulls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// glimpse is what somebody sees of an endpoint who locks nothing.
type glimpse struct {
	after int64     // tenant_seq
	due   int       // deliveries whose time has come, at most as many as are asked for
	next  time.Time // when something comes due; zero: nothing is under way
	at    time.Time
}

const (
	// glanceSQL locks nothing.
	glanceSQL = `SELECT c.tenant_seq, (SELECT count(*) FROM (SELECT FROM core.event_deliveries d WHERE d.tenant_id = $1 AND d.endpoint_id = $2
			AND d.next_attempt_at <= coalesce($3::timestamptz, statement_timestamp()) AND d.position <= $4 LIMIT $5) due),
		(SELECT d.next_attempt_at FROM core.event_deliveries d WHERE d.tenant_id = $1 AND d.endpoint_id = $2 AND d.next_attempt_at IS NOT NULL
			ORDER BY d.next_attempt_at LIMIT 1), coalesce($3::timestamptz, clock_timestamp())
		FROM core.delivery_cursors c WHERE c.tenant_id = $1 AND c.endpoint_id = $2`
	beginSQL = `INSERT INTO core.delivery_cursors (tenant_id, endpoint_id, tenant_seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
)

// glance looks at an endpoint, whose cursor it makes if there is none.
func (p *Pulls) glance(ctx context.Context, e *Endpoint, most int) (g glimpse, err error) {
	look := func(tx pgx.Tx) error {
		var next *time.Time
		err := tx.QueryRow(ctx, glanceSQL, e.Tenant, e.ID, p.given(), e.Through, most).Scan(&g.after, &g.due, &next, &g.at)
		if next != nil {
			g.next = *next
		}
		return err
	}
	if err = p.transact(ctx, e.Tenant, look); !errors.Is(err, pgx.ErrNoRows) {
		return g, err
	}
	begin, err := p.beginning(ctx, e)
	if err != nil {
		return g, err
	}
	err = p.transact(ctx, e.Tenant, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, beginSQL, e.Tenant, e.ID, begin); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		return look(tx)
	})
	return g, err
}
