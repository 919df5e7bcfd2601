package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Privilege is a privilege. Those of the platform serve every tenant.
type Privilege rows.Privilege

func (i *Privilege) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var privileges = collection(
	Collection{
		Name: "privileges", Kind: "privilege", Projector: core,
		Filters: []Filter{text("name"), id("tenant_id")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Privilege, error) {
		found, err := db.Privileges(ctx, rows.PrivilegesParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			Name: q.text("name"), OwnerID: q.id("tenant_id"),
		})
		return each(found, func(r rows.Privilege) Privilege { return Privilege(r) }), err
	})
