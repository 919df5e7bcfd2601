package projections

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// routes: a row for each version and route, and what changes of them in tables of its own. They are the platform's; copies in the logs
// of vendors change nothing.
var routes = feature{
	tables: []string{"app_routes", "app_deployments", "app_route_releases"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppVersionDeployed) error {
			if m.Tenant != domain.Root.UUID {
				return nil
			}
			err := q.DeployVersion(ctx, rows.DeployVersionParams{
				TenantID: m.Tenant, ID: e.Version.UUID, AppID: e.App.UUID, Upstreams: orNone(e.Upstreams), At: m.At, Version: m.Position,
			})
			if err != nil {
				return err
			}
			return touchAppVersion(ctx, q, m, e.Version)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppRouteReleased) error {
			if m.Tenant != domain.Root.UUID {
				return nil
			}
			err := q.ReleaseRoute(ctx, rows.ReleaseRouteParams{
				TenantID: m.Tenant, AppID: e.App.UUID, Host: e.Host, PathPrefix: e.Path, At: m.At, Version: m.Position,
			})
			if err != nil {
				return err
			}
			return touchApp(ctx, q, m, e.App)
		}),
	},
	objects: []object{
		about(func(e domain.AppVersionDeployed) dcb.Tagger { return e.Version }),
		about(func(e domain.AppRouteReleased) dcb.Tagger { return e.App }),
	},
}

// routesOf writes the routes of a version that is published.
func routesOf(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.AppVersionPublished) error {
	if m.Tenant != domain.Root.UUID {
		return nil
	}
	for _, r := range e.Routes {
		err := q.PublishRoute(ctx, rows.PublishRouteParams{
			TenantID: m.Tenant, ID: routeID(e.Version, r), AppID: e.App.UUID, App: string(e.Name), AppVersionID: e.Version.UUID,
			AppVersion: string(e.Number), Host: r.Host, PathPrefix: r.Path, Methods: orNone(r.Methods), Privilege: orNull(string(r.Privilege)),
			Public: r.Public, ApiVersion: orNull(r.APIVersion), At: m.At, Version: m.Position,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// routeID is made of what tells the routes of a version apart.
func routeID(v domain.AppVersionID, r domain.Route) uuid.UUID {
	methods := slices.Sorted(slices.Values(r.Methods))
	return domain.NamedID(domain.Root, "app-route", v.String()+" "+r.Host+" "+r.Path+" "+strings.Join(methods, ","))
}

// orNone is a list that is stored as an empty one where it is absent.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
