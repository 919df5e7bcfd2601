package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestRoutesAreThoseOfVersionsAndWhereTheyRun(t *testing.T) {
	app, one, two := domain.App("billing").ID(), domain.App("billing").VersionID("1.0.0"), domain.App("billing").VersionID("2.0.0")
	published := func(id domain.AppVersionID, n domain.Semver, routes ...domain.Route) domain.AppVersionPublished {
		return domain.AppVersionPublished{Version: id, App: app, Name: "billing", Number: n, Hash: "00", Routes: routes}
	}
	all := domain.Route{Path: "/billing"}
	reads := domain.Route{Host: "a.test", Path: "/billing", Methods: []string{"GET", "HEAD"}, Privilege: "billing.read", APIVersion: "v1"}
	hook := domain.Route{Path: "/hook", Public: true}
	given(published(two, "2.0.0", all)).in(domain.Root, // a copy in the vendor's log is not the registry
		published(one, "1.0.0", all, reads, hook),
		published(two, "2.0.0", all, reads),
		domain.AppVersionDeployed{Version: one, App: app, Upstreams: []string{"a:1", "b:1"}},
		domain.AppVersionDeployed{Version: two, App: app, Upstreams: []string{"c:1"}},
		domain.AppVersionDeployed{Version: two, App: app},
		domain.AppVersionYanked{Version: one, App: app},
		domain.AppRouteReleased{App: app, Path: "/hook", Released: hook.Key()},
	).in(acme, domain.AppVersionDeployed{Version: one, App: app}, domain.AppRouteReleased{App: app, Path: "/billing", Released: all.Key()}).
		in(domain.Root, domain.AppRouteReleased{App: app, Path: "/hook", Released: hook.Key()}).
		expect(t, projections.Core, `SELECT tenant_id, 'serves ' || app_version, host, path_prefix, methods::text, privilege, public, api_version, updated_at, version FROM app_routes
			UNION ALL SELECT tenant_id, 'runs', NULL, NULL, upstreams::text, NULL, NULL, NULL, updated_at, version FROM app_deployments
			UNION ALL SELECT tenant_id, 'free', host, path_prefix, NULL, NULL, NULL, NULL, updated_at, version FROM app_route_releases
			ORDER BY 2, 4, 3, 10`,
			"0001 free  /hook - - - - 08:11 11",
			"0001 runs - - {a:1,b:1} - - - 08:04 4",
			"0001 runs - - {} - - - 08:06 6",
			"0001 serves 1.0.0  /billing {} - false - 08:02 2",
			"0001 serves 1.0.0 a.test /billing {GET,HEAD} billing.read false v1 08:02 2",
			"0001 serves 1.0.0  /hook {} - true - 08:02 2",
			"0001 serves 2.0.0  /billing {} - false - 08:03 3",
			"0001 serves 2.0.0 a.test /billing {GET,HEAD} billing.read false v1 08:03 3")
}
