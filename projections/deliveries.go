package projections

import (
	"context"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// Redeliver has events delivered anew, as somebody asked for: what was attempted is due at once, with a schedule of its own. It is no
// part of the projectors, for deliveries are kept beside the log, and MUST be written together with the reaction's checkpoint: done
// twice, it would have things delivered twice.
func Redeliver(ctx context.Context, db DBTX, m dcb.Meta, e domain.RedeliveryRequested) error {
	q := rows.New(db)
	if err := q.HurryNot(ctx); err != nil {
		return err
	}
	at := m.RecordedAt
	switch {
	case e.Failed:
		return q.RedeliverFailed(ctx, rows.RedeliverFailedParams{TenantID: m.Tenant, EndpointID: e.Endpoint.UUID, At: at})
	case !e.From.IsZero():
		return q.RedeliverRange(ctx, rows.RedeliverRangeParams{
			TenantID: m.Tenant, EndpointID: e.Endpoint.UUID, Before: m.Position, Since: e.From, Until: e.Until, At: at,
		})
	}
	return q.RedeliverEvent(ctx, rows.RedeliverEventParams{TenantID: m.Tenant, ID: domain.DeliveryID(e.Endpoint, e.Event), At: at})
}

// ForgetDeliveries deletes a portion of what was done with before a time, of every tenant: attempts, and then deliveries that are
// delivered or dead. It returns how many rows went; fewer than most of each: there are no more.
func ForgetDeliveries(ctx context.Context, db DBTX, before time.Time, most int) (int64, error) {
	q := rows.New(db)
	attempts, err := q.ForgetAttempts(ctx, rows.ForgetAttemptsParams{Before: before, Most: int32(most)})
	if err != nil {
		return 0, err
	}
	done, err := q.ForgetDeliveries(ctx, rows.ForgetDeliveriesParams{Before: &before, Most: int32(most)})
	return attempts + done, err
}
