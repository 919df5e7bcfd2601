package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// App is an app that a vendor has registered. Its latest version is the highest by precedence that is not withdrawn, and
// manifest_hash is of that one's manifest; prereleases are counted apart.
type App rows.AppsRow

func (i *App) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var apps = collection(
	Collection{
		Name: "apps", Kind: "app", Projector: core,
		Filters: []Filter{text("name"), id("vendor")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]App, error) {
		found, err := db.Apps(ctx, rows.AppsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), Name: q.text("name"), Vendor: q.id("vendor"),
		})
		return each(found, func(r rows.AppsRow) App { return App(r) }), err
	})
