package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// erasures: of an erased user a row stays, with the name sealed under a key that nobody has.
var erasures = feature{
	tables: []string{"erasures"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ErasureRequested) error {
			return q.RequestErasure(ctx, rows.RequestErasureParams{
				TenantID: m.Tenant, ID: e.Erasure.UUID, UserID: e.User.UUID, Reason: e.Reason, RequestedBy: orNull(e.By.UUID),
				At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ErasureCancelled) error {
			return q.CancelErasure(ctx, rows.CancelErasureParams{
				TenantID: m.Tenant, ID: e.Erasure.UUID, EndedBy: orNull(m.Actor), At: &m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.UserErased) error {
			err := q.FinishErasure(ctx, rows.FinishErasureParams{
				TenantID: m.Tenant, ID: e.Erasure.UUID, UserID: e.User.UUID, Reason: e.Reason, EndedBy: orNull(m.Actor),
				At: m.At, Version: m.Position,
			})
			if err != nil {
				return err
			}
			if e.Released.IsZero() {
				return q.EraseUserOnly(ctx, rows.EraseUserOnlyParams{TenantID: m.Tenant, ID: e.User.UUID, At: m.At, Version: m.Position})
			}
			return q.EraseUser(ctx, rows.EraseUserParams{TenantID: m.Tenant, ID: e.User.UUID, At: m.At, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.ErasureRequested) dcb.Tagger { return e.Erasure }),
		about(func(e domain.ErasureCancelled) dcb.Tagger { return e.Erasure }),
		about(func(e domain.UserErased) dcb.Tagger { return e.User }),
	},
}
