package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// privileges: a privilege has an id made of its name, and never goes.
var privileges = feature{
	tables: []string{"privileges"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.PrivilegeRegistered) error {
			return q.RegisterPrivilege(ctx, rows.RegisterPrivilegeParams{
				TenantID: m.Tenant, ID: e.Privilege.ID(), Name: string(e.Privilege), Description: e.Description, At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.PrivilegeDescribed) error {
			return q.DescribePrivilege(ctx, rows.DescribePrivilegeParams{
				TenantID: m.Tenant, ID: e.Privilege.ID(), Description: e.Description, At: m.At, Version: m.Position,
			})
		}),
	},
	objects: []object{
		about(func(e domain.PrivilegeRegistered) dcb.Tagger { return e.Privilege }),
		about(func(e domain.PrivilegeDescribed) dcb.Tagger { return e.Privilege }),
	},
}
