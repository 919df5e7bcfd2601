package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// tenantApps: an app that was enabled once keeps its row. What it brings stands in the table of privileges.
var tenantApps = feature{
	tables: []string{"tenant_apps"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppEnabled) error {
			err := q.EnableApp(ctx, rows.EnableAppParams{
				TenantID: m.Tenant, ID: e.TenantApp.UUID, AppID: e.Name.ID().UUID, App: string(e.Name), AppVersion: string(e.Number),
				PreviousVersion: orNull(string(e.Previous)), LicenseRequired: e.LicenseRequired, Resumes: e.Resumes, At: m.At, Version: m.Position,
			})
			if err != nil {
				return err
			}
			return bring(ctx, q, m, e.Name, e.Brings, nil)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppUpgraded) error {
			return changeAppVersion(ctx, q, m, e.TenantApp, e.Name, e.From, e.Number, e.LicenseRequired, e.Brings, e.Drops)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppRolledBack) error {
			return changeAppVersion(ctx, q, m, e.TenantApp, e.Name, e.From, e.Number, e.LicenseRequired, e.Brings, e.Drops)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppDisabled) error {
			err := q.DisableApp(ctx, rows.DisableAppParams{TenantID: m.Tenant, ID: e.TenantApp.UUID, Reason: &e.Reason, At: &m.At, Version: m.Position})
			if err != nil {
				return err
			}
			return bring(ctx, q, m, e.Name, nil, e.Drops)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppPinned) error {
			return pinApp(ctx, q, m, e.TenantApp, e.Number)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppUnpinned) error {
			return pinApp(ctx, q, m, e.TenantApp, "")
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppConfigured) error {
			return q.ConfigureApp(ctx, rows.ConfigureAppParams{
				TenantID: m.Tenant, ID: e.TenantApp.UUID, Config: []byte(e.Config), At: &m.At, Version: m.Position,
			})
		}),
	},
	objects: []object{
		about(func(e domain.AppEnabled) dcb.Tagger { return e.TenantApp }),
		about(func(e domain.AppUpgraded) dcb.Tagger { return e.TenantApp }),
		about(func(e domain.AppRolledBack) dcb.Tagger { return e.TenantApp }),
		about(func(e domain.AppDisabled) dcb.Tagger { return e.TenantApp }),
		about(func(e domain.AppPinned) dcb.Tagger { return e.TenantApp }),
		about(func(e domain.AppUnpinned) dcb.Tagger { return e.TenantApp }),
		about(func(e domain.AppConfigured) dcb.Tagger { return e.TenantApp }),
	},
}

func changeAppVersion(
	ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.TenantAppID, app domain.App, from, to domain.Semver, licensed bool,
	brings []domain.Brought, drops []domain.Privilege,
) error {
	err := q.ChangeAppVersion(ctx, rows.ChangeAppVersionParams{
		TenantID: m.Tenant, ID: id.UUID, AppVersion: string(to), PreviousVersion: orNull(string(from)), LicenseRequired: licensed,
		At: m.At, Version: m.Position,
	})
	if err != nil {
		return err
	}
	return bring(ctx, q, m, app, brings, drops)
}

func pinApp(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.TenantAppID, to domain.Semver) error {
	return q.PinApp(ctx, rows.PinAppParams{TenantID: m.Tenant, ID: id.UUID, VersionPinned: orNull(string(to)), At: m.At, Version: m.Position})
}
