package readmodels_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels"
)

func TestRoutesTellWhetherTheyStandAndThePlatformWhereTheyLead(t *testing.T) {
	w := newWorld(t)
	root, app := domain.Root.UUID, uuid.New()
	version := func(number string, position int64) {
		id := uuid.New()
		w.put("app_routes", root, row{
			"id": uuid.New(), "app_id": app, "app": "shop", "app_version_id": id, "app_version": number, "host": "", "path_prefix": "/shop", "methods": []string{},
			"public": false, "version": position,
		})
		w.put("app_deployments", root, row{"id": id, "app_id": app, "upstreams": []string{number + ":80"}, "version": 20})
	}
	version("1.0.0", 7)
	version("2.0.0", 12)
	w.put("app_route_releases", root, row{"app_id": app, "host": "", "path_prefix": "/shop", "version": 10})
	w.put("app_route_releases", root, row{"app_id": uuid.New(), "host": "", "path_prefix": "/shop", "version": 30}) // another app's
	w.put("app_route_releases", root, row{"app_id": app, "host": "", "path_prefix": "/shop/x", "version": 30})
	for tenant, want := range map[uuid.UUID][]string{
		root:       {"1.0.0 released [1.0.0:80] 20", "2.0.0 published [2.0.0:80] 20"},
		uuid.New(): {"1.0.0 released [] 10", "2.0.0 published [] 12"},
	} {
		var got []string
		for _, o := range objects(t, list(t, w.now(tenant), "routes", readmodels.Params{}).Items) {
			got = append(got, fmt.Sprint(o["app_version"], " ", o["status"], " ", o["upstreams"], " ", o["version"]))
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seen by %s (-want +got):\n%s", tenant, diff)
		}
	}
}
