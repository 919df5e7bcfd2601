package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// tenants: a closed tenant keeps its row.
var tenants = feature{
	tables: []string{"tenants"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TenantCreated) error {
			return q.CreateTenant(ctx, rows.CreateTenantParams{
				ID: e.Tenant.UUID, Name: e.Name, Slug: string(e.Slug), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TenantRenamed) error {
			return q.RenameTenant(ctx, rows.RenameTenantParams{ID: e.Tenant.UUID, Name: e.Name, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TenantSlugChanged) error {
			return q.SetTenantSlug(ctx, rows.SetTenantSlugParams{ID: e.Tenant.UUID, Slug: string(e.Slug), At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TenantSuspended) error {
			return setTenantStatus(ctx, q, m, e.Tenant, domain.TenantOnHold)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TenantReactivated) error {
			return setTenantStatus(ctx, q, m, e.Tenant, domain.TenantActive)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TenantClosed) error {
			return setTenantStatus(ctx, q, m, e.Tenant, domain.TenantEnded)
		}),
	},
	objects: []object{
		about(func(e domain.TenantCreated) dcb.Tagger { return e.Tenant }),
		about(func(e domain.TenantRenamed) dcb.Tagger { return e.Tenant }),
		about(func(e domain.TenantSlugChanged) dcb.Tagger { return e.Tenant }),
		about(func(e domain.TenantSuspended) dcb.Tagger { return e.Tenant }),
		about(func(e domain.TenantReactivated) dcb.Tagger { return e.Tenant }),
		about(func(e domain.TenantClosed) dcb.Tagger { return e.Tenant }),
	},
}

func setTenantStatus(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.TenantID, s domain.TenantStatus) error {
	return q.SetTenantStatus(ctx, rows.SetTenantStatusParams{ID: id.UUID, Status: string(s), At: m.At, Version: m.Position})
}
