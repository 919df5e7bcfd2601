package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// apps: rows of the platform; the copies in the logs of vendors change nothing. What their latest versions are is found when it is read.
var apps = feature{
	tables: []string{"apps"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppRegistered) error {
			if m.Tenant != domain.Root.UUID {
				return nil
			}
			return q.RegisterApp(ctx, rows.RegisterAppParams{
				TenantID: m.Tenant, ID: e.App.UUID, Name: string(e.Name), Vendor: e.Vendor.UUID, Title: e.Title, Description: e.Description,
				At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppDescribed) error {
			if m.Tenant != domain.Root.UUID {
				return nil
			}
			return q.DescribeApp(ctx, rows.DescribeAppParams{
				TenantID: m.Tenant, ID: e.App.UUID, Title: e.Title, Description: e.Description, At: m.At, Version: m.Position,
			})
		}),
	},
	objects: []object{
		about(func(e domain.AppRegistered) dcb.Tagger { return e.App }),
		about(func(e domain.AppDescribed) dcb.Tagger { return e.App }),
	},
}

// touchApp notes that something about an app changed which is kept elsewhere, such as what its latest version is.
func touchApp(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.AppID) error {
	if m.Tenant != domain.Root.UUID {
		return nil
	}
	return q.TouchApp(ctx, rows.TouchAppParams{TenantID: m.Tenant, ID: id.UUID, At: m.At, Version: m.Position})
}
