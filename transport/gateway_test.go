package transport_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
)

const feedPath, caddyPath = "/v1/gateway/routes", "/v1/gateway/caddy"

func TestAGatewayPollsWhatThereIsToRoute(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.is(t, 200, "", "root", "GET", feedPath, "")
	w.routed(t)
	var feed struct {
		Position string           `json:"position"`
		Routes   []map[string]any `json:"routes"`
		Versions []map[string]any `json:"versions"`
	}
	rec := w.do("root", "GET", feedPath, "")
	if err := json.Unmarshal(rec.Body.Bytes(), &feed); err != nil || rec.Code != 200 || feed.Position != rec.Header().Get("Chancery-Position") {
		t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
	}
	var got []string
	for _, r := range feed.Routes {
		got = append(got, r["path"].(string)+" "+r["version"].(string))
	}
	want := []string{"/shop/new 2.0.0", "/shop/open 2.0.0", "/shop/plain 2.0.0", "/shop/plain 1.0.0", "/shop/was-open 1.0.0", "/shop 2.0.0", "/shop 1.0.0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	first := map[string]any{"app": "shop", "version": "2.0.0", "yanked": false, "host": "", "path": "/shop/open", "methods": []any{}, "privilege": "", "public": true, "api_version": ""}
	versions := []map[string]any{
		{"app": "shop", "version": "2.0.0", "upstreams": []any{"https://two.test:443"}}, {"app": "shop", "version": "1.0.0", "upstreams": []any{"10.0.0.1:80"}},
	}
	if diff := cmp.Diff(first, feed.Routes[1]) + cmp.Diff(versions, feed.Versions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.is(t, 400, "malformed", "root", "GET", feedPath+"?x=1", "")
}

func TestAGatewayThatIsUpToDateIsToldSo(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.routed(t)
	for _, path := range []string{feedPath, caddyPath} {
		tag := w.do("root", "GET", path, "").Header().Get("ETag")
		w.user(t, "acme", "u"+strings.Repeat("x", len(path))) // nothing to do with it
		rec := w.do("root", "GET", path, "", "If-None-Match", tag)
		if rec.Code != http.StatusNotModified || rec.Body.Len() > 0 || rec.Header().Get("ETag") != tag || tag == "" {
			t.Errorf("%s: %d %s %v", path, rec.Code, rec.Body, rec.Header())
		}
		w.append(t, domain.Root, domain.AppVersionDeployed{Version: shop.VersionID("1.0.0"), App: shop.ID(), Upstreams: []string{"10.0.0.2:80", path[1:9] + ".test:1"}})
		if rec := w.do("root", "GET", path, "", "If-None-Match", tag); rec.Code != 200 || rec.Header().Get("ETag") == tag {
			t.Errorf("%s after another deployment: %d %v", path, rec.Code, rec.Header())
		}
		w.append(t, domain.Root, domain.AppVersionDeployed{Version: shop.VersionID("1.0.0"), App: shop.ID()})
	}
}

func TestOnlyWhoReadsForTheGatewayOnThePlatformGetsIt(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	for _, path := range []string{feedPath, caddyPath} {
		w.is(t, 401, "unauthenticated", "", "GET", path, "")
		w.is(t, 404, "not-found", "abe", "GET", path, "") // tenants do not get to know of it
		w.is(t, 404, "not-found", "ann", "GET", path, "")
	}
	w.user(t, "root", "gate")
	role := w.must(t, "root", "/v1/tenants/root/commands/create-role", `{"name":"Gateway","privileges":["core.gateway.read"]}`, "id")
	w.is(t, 403, "not-allowed", "gate", "GET", caddyPath, "")
	w.must(t, "root", "/v1/tenants/root/commands/assign-role", `{"role_id":"`+role+`","user_id":"`+w.vars["gateID"]+`"}`, "id")
	for _, path := range []string{feedPath, caddyPath} {
		w.is(t, 200, "", "gate", "GET", path, "")
	}
}

func TestTheConfigurationOfCaddyHasItsOptions(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.routed(t)
	rec := w.do("root", "GET", caddyPath+"?listen=:8080,127.0.0.1:8443&auth=https://core.test&admin=localhost:2020&hosts=apps.test&credentials=keep&pull=2s", "")
	for _, part := range []string{
		`"listen":[":8080","127.0.0.1:8443"]`, `"dial":"core.test:443"`, `"listen":"localhost:2020"`, `"automatic_https":{"disable":true}`, `"certificates":{"automate":["apps.test"]}`, `"tls_connection_policies":[{}]`, `"load_delay":"2s"`,
		`"url":"http://example.com/v1/gateway/caddy?listen=:8080,127.0.0.1:8443&auth=https://core.test&admin=localhost:2020&hosts=apps.test&credentials=keep&pull=2s"`,
	} {
		if !strings.Contains(rec.Body.String(), part) {
			t.Errorf("%s is missing: %d %s", part, rec.Code, rec.Body)
		}
	}
	if strings.Contains(rec.Body.String(), `"Cookie":[{`) {
		t.Error("credentials are dropped though they were to be kept")
	}
	for option, bads := range map[string][]string{
		"listen":      {"", "8080", ":8080,", "{env.X}:80", "unix//tmp/x", ":8080 ", "a b:1"},
		"admin":       {"", "off", "unix//tmp/x", "{env.X}:1"},
		"auth":        {"", "core.test", "ftp://core.test", "http://", "http://core.test/", "http://core.test/x", "http://u@core.test", "http://{env.X}", "http://core.test?x", "http://core.test:x"},
		"hosts":       {"", "a.test,", "A.test", "{env.HOME}", "*", "localhost:1"},
		"credentials": {"", "yes"},
		"pull":        {"", "1", "0s", "-1s", "999ms", "2h"},
		"other":       {"x"},
	} {
		for _, bad := range bads {
			r := strings.NewReplacer("{", "%7B", "}", "%7D", " ", "%20").Replace(bad)
			w.is(t, 400, "malformed", "root", "GET", caddyPath+"?"+option+"="+r, "")
		}
	}
	w.is(t, 400, "malformed", "root", "GET", caddyPath+"?hosts=a.test&hosts=b.test", "")
	w.is(t, 400, "malformed", "root", "GET", caddyPath+"?hosts=%zz", "")
}
