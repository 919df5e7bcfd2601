package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// TenantApp is an app in a tenant that was enabled at least once.
type TenantApp rows.TenantApp

func (i *TenantApp) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var tenantApps = collection(
	Collection{
		Name: "tenant-apps", Kind: "tenant-app", Projector: core,
		Filters: []Filter{id("app_id"), text("app"), boolean("enabled")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]TenantApp, error) {
		found, err := db.TenantApps(ctx, rows.TenantAppsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), AppID: q.id("app_id"), App: q.text("app"),
			Enabled: q.bool("enabled"),
		})
		return each(found, func(r rows.TenantApp) TenantApp { return TenantApp(r) }), err
	})
