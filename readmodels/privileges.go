package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Privilege is a privilege. Those of the platform serve every tenant; one that an app brings is there while the app is enabled.
type Privilege rows.PrivilegesRow

func (i *Privilege) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var privileges = collection(
	Collection{
		Name: "privileges", Kind: "privilege", Projector: core,
		Filters: []Filter{text("name"), text("app"), id("tenant_id")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Privilege, error) {
		found, err := db.Privileges(ctx, rows.PrivilegesParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			Name: q.text("name"), App: q.text("app"), OwnerID: q.id("tenant_id"),
		})
		return each(found, func(r rows.PrivilegesRow) Privilege { return Privilege(r) }), err
	})
