package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// roles: a deleted role keeps its row, its links to privileges and parents go one by one.
var roles = feature{
	tables: []string{"roles", "role_privileges", "role_parents"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RoleCreated) error {
			return q.CreateRole(ctx, rows.CreateRoleParams{
				TenantID: m.Tenant, ID: e.Role.UUID, Name: e.Name, Description: e.Description, Builtin: e.Builtin,
				At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RoleRenamed) error {
			return q.RenameRole(ctx, rows.RenameRoleParams{
				TenantID: m.Tenant, ID: e.Role.UUID, Name: e.Name, Description: e.Description, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RoleDeleted) error {
			return q.DeleteRole(ctx, rows.DeleteRoleParams{TenantID: m.Tenant, ID: e.Role.UUID, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RolePrivilegeAdded) error {
			err := q.AddRolePrivilege(ctx, rows.AddRolePrivilegeParams{
				TenantID: m.Tenant, RoleID: e.Role.UUID, Privilege: string(e.Privilege), At: m.At, Version: m.Position,
			})
			if err != nil {
				return err
			}
			return touch(ctx, q, m, e.Role)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RolePrivilegeRemoved) error {
			err := q.RemoveRolePrivilege(ctx, rows.RemoveRolePrivilegeParams{
				TenantID: m.Tenant, RoleID: e.Role.UUID, Privilege: string(e.Privilege), Version: m.Position,
			})
			if err != nil {
				return err
			}
			return touch(ctx, q, m, e.Role)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RoleParentAdded) error {
			err := q.AddRoleParent(ctx, rows.AddRoleParentParams{
				TenantID: m.Tenant, RoleID: e.Role.UUID, ParentID: e.Parent.UUID, At: m.At, Version: m.Position,
			})
			if err != nil {
				return err
			}
			return touch(ctx, q, m, e.Role)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.RoleParentRemoved) error {
			err := q.RemoveRoleParent(ctx, rows.RemoveRoleParentParams{
				TenantID: m.Tenant, RoleID: e.Role.UUID, ParentID: e.Parent.UUID, Version: m.Position,
			})
			if err != nil {
				return err
			}
			return touch(ctx, q, m, e.Role)
		}),
	},
	objects: []object{
		about(func(e domain.RoleCreated) dcb.Tagger { return e.Role }),
		about(func(e domain.RoleRenamed) dcb.Tagger { return e.Role }),
		about(func(e domain.RoleDeleted) dcb.Tagger { return e.Role }),
		about(func(e domain.RolePrivilegeAdded) dcb.Tagger { return e.Role }),
		about(func(e domain.RolePrivilegeRemoved) dcb.Tagger { return e.Role }),
		about(func(e domain.RoleParentAdded) dcb.Tagger { return e.Role }),
		about(func(e domain.RoleParentRemoved) dcb.Tagger { return e.Role }),
	},
}

// touch counts what a role holds as part of the role.
func touch(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.RoleID) error {
	return q.TouchRole(ctx, rows.TouchRoleParams{TenantID: m.Tenant, ID: id.UUID, At: m.At, Version: m.Position})
}
