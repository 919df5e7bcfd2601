package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// privileges: a privilege has an id made of its name. One of the platform's never goes; one that an app brings into a tenant is marked
// while it is not there.
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

// bring writes what an app brings into a tenant, and marks what it drops.
func bring(ctx context.Context, q *rows.Queries, m dcb.Meta, app domain.App, brings []domain.Brought, drops []domain.Privilege) error {
	for _, p := range drops {
		if err := q.DropPrivilege(ctx, rows.DropPrivilegeParams{TenantID: m.Tenant, ID: p.ID(), At: m.At, Version: m.Position}); err != nil {
			return err
		}
	}
	for _, b := range brings {
		err := q.BringPrivilege(ctx, rows.BringPrivilegeParams{
			TenantID: m.Tenant, ID: b.Privilege.ID(), Name: string(b.Privilege), Description: b.Description, App: (*string)(&app),
			At: m.At, Version: m.Position,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
