package projections

import (
	"context"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// seats: one that is free keeps its row.
var seats = feature{
	tables: []string{"license_seats"},
	writes: []handler{
		on(takeSeat),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SeatKept) error {
			return q.KeepSeat(ctx, rows.KeepSeatParams{TenantID: m.Tenant, ID: e.Seat.UUID, ExpiresAt: &e.Until, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SeatReleased) error {
			return freeSeat(ctx, q, m, e.Seat, "released", m.At, e.Reason)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SeatLapsed) error {
			return freeSeat(ctx, q, m, e.Seat, "lapsed", e.Ended, "")
		}),
	},
	objects: []object{
		about(func(e domain.SeatTaken) dcb.Tagger { return e.Seat }),
		about(func(e domain.SeatKept) dcb.Tagger { return e.Seat }),
		about(func(e domain.SeatReleased) dcb.Tagger { return e.Seat }),
		about(func(e domain.SeatLapsed) dcb.Tagger { return e.Seat }),
	},
}

func takeSeat(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SeatTaken) error {
	seating := domain.Named
	if e.User.IsZero() {
		seating = domain.Floating
	}
	return q.TakeSeat(ctx, rows.TakeSeatParams{
		TenantID: m.Tenant, ID: e.Seat.UUID, LicenseID: e.License.UUID, App: string(e.App), Seating: string(seating),
		UserID: orNull(e.User.UUID), Holder: orNull(e.Holder), ExpiresAt: timeOrNull(e.Until), At: m.At, Version: m.Position,
	})
}

func freeSeat(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.SeatID, status string, ended time.Time, reason string) error {
	return q.FreeSeat(ctx, rows.FreeSeatParams{
		TenantID: m.Tenant, ID: id.UUID, Status: status, EndedAt: &ended, EndReason: orNull(reason), At: m.At, Version: m.Position,
	})
}
