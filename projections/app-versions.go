package projections

import (
	"context"

	"github.com/go-json-experiment/json"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// appVersions: rows of the platform; the copies in the logs of vendors change nothing.
var appVersions = feature{
	tables: []string{"app_versions"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppVersionPublished) error {
			if m.Tenant != domain.Root.UUID {
				return nil
			}
			if err := publishAppVersion(ctx, q, m, e); err != nil {
				return err
			}
			if err := routesOf(ctx, q, m, e); err != nil {
				return err
			}
			return touchApp(ctx, q, m, e.App)
		}),
		on(describeAppVersion),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppVersionDeprecated) error {
			return markAppVersion(ctx, q, m, e.Version, "deprecated", e.Message)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppVersionUndeprecated) error {
			return markAppVersion(ctx, q, m, e.Version, "published", "")
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppVersionYanked) error {
			if err := markAppVersion(ctx, q, m, e.Version, "yanked", e.Reason); err != nil {
				return err
			}
			return touchApp(ctx, q, m, e.App)
		}),
	},
	objects: []object{
		about(func(e domain.AppVersionPublished) dcb.Tagger { return e.Version }),
		about(func(e domain.ManifestPublished) dcb.Tagger { return e.Version }),
		about(func(e domain.AppVersionDeprecated) dcb.Tagger { return e.Version }),
		about(func(e domain.AppVersionUndeprecated) dcb.Tagger { return e.Version }),
		about(func(e domain.AppVersionYanked) dcb.Tagger { return e.Version }),
	},
}

func publishAppVersion(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppVersionPublished) error {
	return q.PublishAppVersion(ctx, rows.PublishAppVersionParams{
		TenantID: m.Tenant, ID: e.Version.UUID, AppID: e.App.UUID, App: string(e.Name), AppVersion: string(e.Number),
		Precedence: e.Number.Precedence(), Prerelease: e.Number.Prerelease(), ManifestHash: e.Hash, Grows: e.Grows, At: m.At, Version: m.Position,
	})
}

// describeAppVersion adds what the manifest says, which comes right behind.
func describeAppVersion(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ManifestPublished) error {
	manifest, err := domain.ReadManifest(e.Manifest)
	if err != nil {
		return err
	}
	needs := manifest.Compatibility.Apps
	if needs == nil {
		needs = []domain.Dependency{}
	}
	requires, err := json.Marshal(needs)
	if err != nil {
		return err
	}
	return q.DescribeAppVersion(ctx, rows.DescribeAppVersionParams{
		TenantID: m.Tenant, ID: e.Version.UUID, ManifestJson: []byte(e.Manifest), CoreRange: orNull(string(manifest.Compatibility.Core)),
		Requires: requires, LicenseRequired: manifest.LicenseRequired, At: m.At, Version: m.Position,
	})
}

func markAppVersion(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.AppVersionID, status, message string) error {
	if m.Tenant != domain.Root.UUID {
		return nil
	}
	return q.MarkAppVersion(ctx, rows.MarkAppVersionParams{
		TenantID: m.Tenant, ID: id.UUID, Status: status, Message: message, At: m.At, Version: m.Position,
	})
}

// touchAppVersion notes that something about a version changed which is kept elsewhere.
func touchAppVersion(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.AppVersionID) error {
	if m.Tenant != domain.Root.UUID {
		return nil
	}
	return q.TouchAppVersion(ctx, rows.TouchAppVersionParams{TenantID: m.Tenant, ID: id.UUID, At: m.At, Version: m.Position})
}
