package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// departments: a deleted department keeps its row.
var departments = feature{
	tables: []string{"departments"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DepartmentCreated) error {
			return q.CreateDepartment(ctx, rows.CreateDepartmentParams{
				TenantID: m.Tenant, ID: e.Department.UUID, ParentID: orNull(e.Parent.UUID),
				Name: e.Name, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DepartmentRenamed) error {
			return q.RenameDepartment(ctx, rows.RenameDepartmentParams{
				TenantID: m.Tenant, ID: e.Department.UUID, Name: e.Name, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DepartmentMoved) error {
			return q.MoveDepartment(ctx, rows.MoveDepartmentParams{
				TenantID: m.Tenant, ID: e.Department.UUID, ParentID: orNull(e.Parent.UUID), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DepartmentDeleted) error {
			return q.DeleteDepartment(ctx, rows.DeleteDepartmentParams{TenantID: m.Tenant, ID: e.Department.UUID, At: m.At, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.DepartmentCreated) dcb.Tagger { return e.Department }),
		about(func(e domain.DepartmentRenamed) dcb.Tagger { return e.Department }),
		about(func(e domain.DepartmentMoved) dcb.Tagger { return e.Department }),
		about(func(e domain.DepartmentDeleted) dcb.Tagger { return e.Department }),
	},
}
