package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// overrides: an ended override keeps its row. One that is over by its time is so before the event says it.
var overrides = feature{
	tables: []string{"policy_overrides"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.OverrideAdded) error {
			return q.AddOverride(ctx, rows.AddOverrideParams{
				TenantID: m.Tenant, ID: e.Override.UUID, Effect: string(e.Effect), Privilege: string(e.Privilege),
				UserID: orNull(e.User.UUID), DepartmentID: orNull(e.Department.UUID), GroupID: orNull(e.Group.UUID),
				Scope: string(e.Scope), ExpiresAt: e.ExpiresAt, Reason: e.Reason, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.OverrideRevoked) error {
			return q.RevokeOverride(ctx, rows.RevokeOverrideParams{
				TenantID: m.Tenant, ID: e.Override.UUID, At: &m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.OverrideExpired) error {
			return q.ExpireOverride(ctx, rows.ExpireOverrideParams{TenantID: m.Tenant, ID: e.Override.UUID, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.OverrideAdded) dcb.Tagger { return e.Override }),
		about(func(e domain.OverrideRevoked) dcb.Tagger { return e.Override }),
		about(func(e domain.OverrideExpired) dcb.Tagger { return e.Override }),
	},
}
