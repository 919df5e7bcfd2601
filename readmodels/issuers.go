package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Issuer is an OpenID provider that a tenant trusts; its client secret is a reference.
type Issuer rows.Issuer

func (i *Issuer) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var issuers = collection(
	Collection{
		Name: "issuers", Kind: "issuer", Projector: core,
		Filters: []Filter{text("url"), text("status", "enabled", "disabled", "removed")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Issuer, error) {
		found, err := db.Issuers(ctx, rows.IssuersParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			Url: q.text("url"), Status: q.text("status"),
		})
		return each(found, func(r rows.Issuer) Issuer { return Issuer(r) }), err
	})
