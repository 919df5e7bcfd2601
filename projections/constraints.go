package projections

import (
	"context"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// constraints: a removed constraint keeps its row.
var constraints = feature{
	tables: []string{"constraints"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ConstraintCreated) error {
			roles := make([]uuid.UUID, len(e.Roles))
			for i, r := range e.Roles {
				roles[i] = r.UUID
			}
			return q.CreateConstraint(ctx, rows.CreateConstraintParams{
				TenantID: m.Tenant, ID: e.Constraint.UUID, Name: e.Name, Description: e.Description, Kind: string(e.Kind), RoleIds: roles,
				Most: orNull(int32(e.Most)), RequiresRoleID: orNull(e.Requires.UUID),
				At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ConstraintRemoved) error {
			return q.RemoveConstraint(ctx, rows.RemoveConstraintParams{TenantID: m.Tenant, ID: e.Constraint.UUID, At: m.At, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.ConstraintCreated) dcb.Tagger { return e.Constraint }),
		about(func(e domain.ConstraintRemoved) dcb.Tagger { return e.Constraint }),
	},
}
