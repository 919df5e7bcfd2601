package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// assignments: what ended keeps its row. One whose window is over is so before the event says it.
var assignments = feature{
	tables: []string{"assignments"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RoleAssigned) error {
			return q.AssignRole(ctx, rows.AssignRoleParams{
				TenantID: m.Tenant, ID: e.Assignment.UUID, RoleID: e.Role.UUID, UserID: orNull(e.User.UUID),
				DepartmentID: orNull(e.Department.UUID), GroupID: orNull(e.Group.UUID), Scope: string(e.Scope),
				ValidFrom: timeOrNull(e.Window.From), ValidUntil: timeOrNull(e.Window.Until), Reason: e.Reason,
				At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RoleUnassigned) error {
			return q.UnassignRole(ctx, rows.UnassignRoleParams{
				TenantID: m.Tenant, ID: e.Assignment.UUID, At: &m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AssignmentExpired) error {
			return q.ExpireAssignment(ctx, rows.ExpireAssignmentParams{
				TenantID: m.Tenant, ID: e.Assignment.UUID, At: &m.At, Version: m.Position,
			})
		}),
	},
	objects: []object{
		about(func(e domain.RoleAssigned) dcb.Tagger { return e.Assignment }),
		about(func(e domain.RoleUnassigned) dcb.Tagger { return e.Assignment }),
		about(func(e domain.AssignmentExpired) dcb.Tagger { return e.Assignment }),
	},
}
