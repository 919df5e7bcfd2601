package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Privilege is a privilege; its name is its id. Those of the platform serve every tenant.
type Privilege rows.Privilege

func (i *Privilege) key() (string, decimal.Int64) { return i.Name, i.Version }

var privileges = collection( //nolint:gochecknoglobals // a constant
	Collection{
		Name: "privileges", Kind: "privilege", Projector: core, place: byName,
		Filters: []Filter{text("name"), id("tenant_id")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Privilege, error) {
		found, err := db.Privileges(ctx, rows.PrivilegesParams{
			TenantID: q.tenant, After: q.after, RowLimit: q.limit,
			Name: q.onlyName("name"), OwnerID: q.id("tenant_id"),
		})
		return each(found, func(r rows.Privilege) Privilege { return Privilege(r) }), err
	})
