package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Domain is a domain of a tenant.
type Domain rows.TenantDomain

func (i *Domain) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var domains = collection(
	Collection{
		Name: "domains", Kind: "domain", Projector: core,
		Filters: []Filter{text("name"), text("status", "pending", "verified", "removed"), boolean("is_primary")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Domain, error) {
		found, err := db.Domains(ctx, rows.DomainsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			Name: q.text("name"), Status: q.text("status"), IsPrimary: q.bool("is_primary"),
		})
		return each(found, func(r rows.TenantDomain) Domain { return Domain(r) }), err
	})
