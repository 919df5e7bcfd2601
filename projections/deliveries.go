package projections

import (
	"context"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// Redeliver asks those who deliver for events to be delivered anew, as somebody asked for: what was attempted is due at once, with a schedule
// of its own. It is no part of the projectors, for deliveries are kept beside the log, and MUST be written together with the reaction's
// checkpoint: done twice, it would have things delivered twice.
func Redeliver(ctx context.Context, db DBTX, m dcb.Meta, e domain.RedeliveryRequested) error {
	p := rows.AskAnewParams{TenantID: m.Tenant, Position: m.Position, EndpointID: e.Endpoint.UUID, DueAt: m.RecordedAt}
	switch {
	case e.Failed:
	case !e.From.IsZero():
		p.Since, p.Until = &e.From, &e.Until
	default:
		id := domain.DeliveryID(e.Endpoint, e.Event)
		p.DeliveryID = &id
	}
	return rows.New(db).AskAnew(ctx, p)
}

// ForgetDeliveries deletes a portion of what was done with before a time, of every tenant: attempts, deliveries that are delivered or dead,
// and whatever is left of endpoints that were deleted before then. It returns how many rows went; none: there are no more.
func ForgetDeliveries(ctx context.Context, db DBTX, before time.Time, most int) (gone int64, err error) {
	q, n := rows.New(db), int32(most)
	for _, forget := range []func() (int64, error){
		func() (int64, error) {
			return q.ForgetAttempts(ctx, rows.ForgetAttemptsParams{Before: before, Most: n})
		},
		func() (int64, error) {
			return q.ForgetDeliveries(ctx, rows.ForgetDeliveriesParams{Before: &before, Most: n})
		},
		func() (int64, error) {
			return q.ForgetDeliveriesOfDeleted(ctx, rows.ForgetDeliveriesOfDeletedParams{Before: before, Most: n})
		},
		func() (int64, error) {
			return q.ForgetCursorsOfDeleted(ctx, rows.ForgetCursorsOfDeletedParams{Before: before, Most: n})
		},
	} {
		some, err := forget()
		gone += some
		if err != nil {
			return gone, err
		}
	}
	return gone, nil
}
