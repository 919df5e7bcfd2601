package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// groups: a deleted group keeps its row.
var groups = feature{
	tables: []string{"groups"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.GroupCreated) error {
			return q.CreateGroup(ctx, rows.CreateGroupParams{
				TenantID: m.Tenant, ID: e.Group.UUID, ParentID: orNull(e.Parent.UUID),
				Name: e.Name, Description: e.Description, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.GroupRenamed) error {
			return q.RenameGroup(ctx, rows.RenameGroupParams{
				TenantID: m.Tenant, ID: e.Group.UUID, Name: e.Name, Description: e.Description, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.GroupMoved) error {
			return q.MoveGroup(ctx, rows.MoveGroupParams{
				TenantID: m.Tenant, ID: e.Group.UUID, ParentID: orNull(e.Parent.UUID), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.GroupDeleted) error {
			return q.DeleteGroup(ctx, rows.DeleteGroupParams{TenantID: m.Tenant, ID: e.Group.UUID, At: m.At, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.GroupCreated) dcb.Tagger { return e.Group }),
		about(func(e domain.GroupRenamed) dcb.Tagger { return e.Group }),
		about(func(e domain.GroupMoved) dcb.Tagger { return e.Group }),
		about(func(e domain.GroupDeleted) dcb.Tagger { return e.Group }),
	},
}
