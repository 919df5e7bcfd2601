package deliveries

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// redeliverer works off requests to deliver anew, of all endpoints, whoever serves them: in portions, each in a transaction of its own that
// keeps its place, so that each row is made due exactly once, and nobody waits for long for the rows that are locked. Tenants take turns.
// Several processes may do so at once.
type redeliverer struct {
	e    *Engine
	some chan struct{} // capacity 1
}

const (
	portion       = 2000 // rows that are looked at in one transaction
	lookForAsked  = 2 * time.Second
	portionsLocks = "500ms" // for rows that others have locked; after that it is another's turn
)

func newRedeliverer(e *Engine) *redeliverer { return &redeliverer{e: e, some: make(chan struct{}, 1)} }

func (r *redeliverer) poke() {
	select {
	case r.some <- struct{}{}:
	default:
	}
}

// run works until ctx ends.
func (r *redeliverer) run(ctx context.Context) {
	tick := time.NewTicker(lookForAsked)
	defer tick.Stop()
	for ctx.Err() == nil {
		did, err := r.round(ctx)
		if err != nil && ctx.Err() == nil {
			r.e.cfg.Logger.Warn("deliveries: what is to be delivered anew waits", "error", err)
		}
		if did > 0 {
			continue
		}
		select {
		case <-r.some:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// round does a portion for each tenant that asked for something. What fails is tried again, the others go on.
func (r *redeliverer) round(ctx context.Context) (did int, err error) {
	rows, err := r.e.cfg.Pool.Query(ctx, `SELECT DISTINCT tenant_id FROM core.redeliveries ORDER BY tenant_id`)
	if err != nil {
		return 0, err
	}
	tenants, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, err
	}
	for _, tenant := range tenants {
		at, failed := r.work(ctx, tenant)
		switch {
		case failed != nil:
			err = errors.Join(err, failed)
		case at.id != uuid.Nil:
			did++
			r.e.due.now(at)
			if h := r.e.cfg.Hooks.Anew; h != nil {
				h()
			}
		}
	}
	return did, err
}

// asked is a request.
type asked struct {
	position     int64
	endpoint     uuid.UUID
	delivery     *uuid.UUID
	since, until *time.Time
	due          time.Time
	place        *int64
}

// SQL of requests. One for a single event goes before those for many. A row that is handed out, or waits behind another, is left alone.
const (
	askedSQL = `SELECT position, endpoint_id, delivery_id, since, until, due_at, place FROM core.redeliveries WHERE tenant_id = $1
ORDER BY delivery_id IS NULL, position LIMIT 1 FOR UPDATE SKIP LOCKED`

	oneAnewSQL = `UPDATE core.event_deliveries SET status = 'retrying', round = attempt_count, next_attempt_at = $3
WHERE tenant_id = $1 AND id = $2 AND status IN ('retrying', 'delivered', 'dead')`

	// Events are recorded in the order of time, so with one that is too late it ends.
	spanAnewSQL = `WITH page AS (
    SELECT o.tenant_seq, o.position < $6 AND e.created_at < $5 AS meant, e.created_at >= $4 AS begun
    FROM (SELECT d.tenant_seq, d.position FROM core.event_deliveries d
        WHERE d.tenant_id = $1 AND d.endpoint_id = $2 AND d.tenant_seq > $3 ORDER BY d.tenant_seq LIMIT $8) o
    CROSS JOIN LATERAL (SELECT created_at FROM core.events WHERE tenant_id = $1 AND tenant_seq = o.tenant_seq LIMIT 1) e
), anew AS (
    UPDATE core.event_deliveries d SET status = 'retrying', round = d.attempt_count, next_attempt_at = $7 FROM page
    WHERE d.tenant_id = $1 AND d.endpoint_id = $2 AND d.tenant_seq = page.tenant_seq AND page.meant AND page.begun AND d.status IN ('retrying', 'delivered', 'dead')
) SELECT coalesce(max(tenant_seq), 0), count(*) FILTER (WHERE meant) FROM page`

	failedAnewSQL = `WITH page AS (
    SELECT tenant_seq FROM core.event_deliveries WHERE tenant_id = $1 AND endpoint_id = $2 AND tenant_seq > $3 AND status = 'dead' AND position < $4
    ORDER BY tenant_seq LIMIT $6
), anew AS (
    UPDATE core.event_deliveries d SET status = 'retrying', round = d.attempt_count, next_attempt_at = $5 FROM page
    WHERE d.tenant_id = $1 AND d.endpoint_id = $2 AND d.tenant_seq = page.tenant_seq AND d.status = 'dead'
) SELECT coalesce(max(tenant_seq), 0), count(*) FROM page`
)

// work does a portion of a request of a tenant, and answers whose it was; of none, if there is nothing that another does not do.
func (r *redeliverer) work(ctx context.Context, tenant uuid.UUID) (at place, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err = pgx.BeginFunc(ctx, r.e.cfg.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('lock_timeout', $1, true)", portionsLocks); err != nil {
			return err
		}
		var a asked
		err := tx.QueryRow(ctx, askedSQL, tenant).Scan(&a.position, &a.endpoint, &a.delivery, &a.since, &a.until, &a.due, &a.place)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		last, more, err := r.portion(ctx, tx, tenant, &a)
		if err != nil {
			return err
		}
		at = place{tenant, a.endpoint}
		if more {
			_, err = tx.Exec(ctx, `UPDATE core.redeliveries SET place = $3 WHERE tenant_id = $1 AND position = $2`, tenant, a.position, last)
		} else {
			_, err = tx.Exec(ctx, `DELETE FROM core.redeliveries WHERE tenant_id = $1 AND position = $2`, tenant, a.position)
		}
		return err
	})
	if err != nil {
		return place{}, err
	}
	return at, nil
}

// portion makes the next rows due, and answers how far it came and whether there may be more.
func (r *redeliverer) portion(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, a *asked) (last int64, more bool, err error) {
	if a.delivery != nil {
		_, err = tx.Exec(ctx, oneAnewSQL, tenant, a.delivery, a.due)
		return 0, false, err
	}
	place, seen := int64(0), 0
	switch {
	case a.place != nil:
		place = *a.place
	case a.since != nil:
		if place, err = r.first(ctx, tenant, a); err != nil {
			return 0, false, err
		}
	}
	if a.since != nil {
		err = tx.QueryRow(ctx, spanAnewSQL, tenant, a.endpoint, place, a.since, a.until, a.position, a.due, portion).Scan(&last, &seen)
	} else {
		err = tx.QueryRow(ctx, failedAnewSQL, tenant, a.endpoint, place, a.position, a.due, portion).Scan(&last, &seen)
	}
	return last, seen == portion, err
}

// first is the newest event before a span.
func (r *redeliverer) first(ctx context.Context, tenant uuid.UUID, a *asked) (seq int64, err error) {
	var n, head int64
	if err := r.e.share.each(ctx, []any{&n, &head}, func() {}, headsSQL, []uuid.UUID{tenant}, a.position); err != nil {
		return 0, err
	}
	return r.e.share.before(ctx, tenant, *a.since, head)
}
