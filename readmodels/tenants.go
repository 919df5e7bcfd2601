package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Tenant is a tenant. A tenant sees itself, the platform all.
type Tenant rows.Tenant

func (i *Tenant) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var tenants = collection(
	Collection{
		Name: "tenants", Kind: "tenant", Projector: core,
		Filters: []Filter{text("name"), text("slug"), text("status", "active", "suspended", "closed")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Tenant, error) {
		found, err := db.Tenants(ctx, rows.TenantsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			Name: q.text("name"), Slug: q.text("slug"), Status: q.text("status"),
		})
		return each(found, func(r rows.Tenant) Tenant { return Tenant(r) }), err
	})
