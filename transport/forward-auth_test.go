package transport_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/domain"
)

const shop domain.App = "shop"

func (w *world) acme() domain.TenantID {
	return domain.TenantID{UUID: uuid.MustParse(w.vars["acme"])}
}

// routed has the licensed shop run in two versions, of which acme has the older one.
func (w *world) routed(t testing.TB) {
	t.Helper()
	buy := domain.Route{Path: "/shop", Privilege: "shop.buy", APIVersion: "v1"}
	open, plain := domain.Route{Path: "/shop/open", Public: true}, domain.Route{Path: "/shop/plain"}
	version := func(n domain.Semver, routes ...domain.Route) domain.AppVersionPublished {
		return domain.AppVersionPublished{Version: shop.VersionID(n), App: shop.ID(), Name: shop, Number: n, Hash: "00", Routes: routes}
	}
	w.append(t, domain.Root, version("1.0.0", buy, plain, domain.Route{Path: "/shop/was-open", Public: true}),
		version("2.0.0", buy, plain, open, domain.Route{Path: "/shop/new"}),
		domain.AppVersionDeployed{Version: shop.VersionID("1.0.0"), App: shop.ID(), Upstreams: []string{"10.0.0.1:80"}},
		domain.AppVersionDeployed{Version: shop.VersionID("2.0.0"), App: shop.ID(), Upstreams: []string{"https://two.test:443"}})
}

// enabled is acme's shop at work in a version.
func (w *world) enabled(n domain.Semver) domain.AppEnabled {
	return domain.AppEnabled{
		TenantApp: shop.In(w.acme()), Name: shop, Number: n, LicenseRequired: true, Brings: []domain.Brought{{Privilege: "shop.buy"}},
	}
}

// shopping is a world with a shop in which ann may buy and abe may not.
func shopping(t testing.TB) *world {
	t.Helper()
	w := impersonable(t)
	w.user(t, "acme", "eve")
	w.routed(t)
	w.vars["license"] = w.licensed(t).String()
	w.append(t, w.acme(), w.enabled("1.0.0"))
	return w
}

// pass asks as a gateway does.
func (w *world) pass(who, method, address string, headers ...string) *httptest.ResponseRecorder {
	return w.do(who, "GET", "/v1/gateway/authorize", "", append([]string{
		"X-Forwarded-Method", method, "X-Forwarded-Host", "apps.test", "X-Forwarded-Uri", address,
	}, headers...)...)
}

// told is all that the answer says to the app, and its status.
func told(rec *httptest.ResponseRecorder) map[string]string {
	all := map[string]string{"": strconv.Itoa(rec.Code)}
	for name := range rec.Header() {
		if short, ok := strings.CutPrefix(name, "Chancery-"); ok && short != "Position" {
			all[short] = rec.Header().Get(name)
		}
	}
	return all
}

func (w *world) passes(t testing.TB, rec *httptest.ResponseRecorder, want map[string]string) {
	t.Helper()
	want[""] = "200"
	if diff := cmp.Diff(want, told(rec)); diff != "" {
		t.Errorf("(-want +got):\n%s%s", diff, rec.Body)
	}
	if rec.Header().Get("Cache-Control") != "no-store" || rec.Body.Len() > 0 {
		t.Errorf("%v %s", rec.Header(), rec.Body)
	}
}

func (w *world) stays(t testing.TB, rec *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	if rec.Code != status || !strings.Contains(rec.Body.String(), `"code":"`+code+`"`) || rec.Header().Get("Cache-Control") != "no-store" || len(told(rec)) > 1 {
		t.Errorf("answered %d %s %v, want %d %s", rec.Code, rec.Body, rec.Header(), status, code)
	}
}

func TestAGatewayLearnsWhoAsksAndWhereItGoes(t *testing.T) {
	w := shopping(t)
	is := func(who string) map[string]string {
		return map[string]string{
			"User": w.vars[who+"ID"], "Effective-User": w.vars[who+"ID"], "Tenant": w.vars["acme"], "Tenant-Slug": "acme",
			"App": "shop", "App-Version": "1.0.0",
		}
	}
	buying := is("ann")
	buying["Api-Version"] = "v1"
	w.passes(t, w.pass("ann", "GET", "/shop/x?y=1"), buying)
	w.passes(t, w.pass("ann", "DELETE", "/shop"), buying)
	for _, method := range []string{"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		rec := w.do("ann", method, "/v1/gateway/authorize", "", "X-Forwarded-Method", "GET", "X-Forwarded-Host", "apps.test", "X-Forwarded-Uri", "/shop")
		w.passes(t, rec, buying)
	}
	w.passes(t, w.pass("eve", "GET", "/shop/plain"), is("eve"))
	w.passes(t, w.pass("eve", "GET", "/shop/was-open"), is("eve"))
	w.passes(t, w.pass("", "GET", "/shop/open"), map[string]string{"App": "shop", "App-Version": "2.0.0"})
	w.passes(t, w.pass("ann", "GET", "/shop/open", "Authorization", "Bearer nonsense"), map[string]string{"App": "shop", "App-Version": "2.0.0"})
	spoofed := w.pass("eve", "GET", "/shop/plain", "Chancery-User", w.vars["annID"], "Chancery-App-Version", "2.0.0", "Chancery-Impersonation", w.vars["annID"])
	w.passes(t, spoofed, is("eve"))
}

func TestAGatewayIsToldWhyNot(t *testing.T) {
	w := shopping(t)
	w.stays(t, w.pass("ann", "GET", "/none"), 404, "no-route")
	w.stays(t, w.pass("", "GET", "/none"), 404, "no-route")
	w.stays(t, w.pass("ann", "GET", "/Shop"), 404, "no-route")
	w.stays(t, w.pass("", "GET", "/shop"), 401, "unauthenticated")
	w.stays(t, w.pass("", "GET", "/shop/was-open"), 401, "unauthenticated")
	w.stays(t, w.pass("", "GET", "/shop", "Authorization", "Bearer chn_pat_x"), 401, "unauthenticated")
	w.stays(t, w.pass("eve", "GET", "/shop"), 403, "not-allowed")
	w.stays(t, w.pass("eve", "GET", "/shop/open/../x"), 400, "path-refused")
	w.stays(t, w.pass("eve", "GET", "/shop/plain/%2e%2e/x"), 400, "path-refused")
	w.stays(t, w.pass("bea", "GET", "/shop"), 403, "app-disabled")
	w.append(t, w.acme(), domain.AppDisabled{TenantApp: shop.In(w.acme()), Name: shop})
	w.stays(t, w.pass("ann", "GET", "/shop"), 403, "app-disabled")
	w.stays(t, w.pass("ann", "GET", "/shop/plain"), 403, "app-disabled")
	w.append(t, w.acme(), w.enabled("2.0.0"))
	if got := told(w.pass("ann", "GET", "/shop/new")); got["App-Version"] != "2.0.0" {
		t.Errorf("after the upgrade: %v", got)
	}
	w.stays(t, w.pass("ann", "GET", "/shop/new", "X-Forwarded-Uri", "/shop/was-open/x", "X-Forwarded-Method", "get"), 400, "path-refused")
	w.append(t, w.acme(), domain.LicenseRevoked{
		License: domain.LicenseID{UUID: uuid.MustParse(w.vars["license"])}, Holder: domain.HomeIn(w.acme()), Vendor: domain.HomeIn(domain.Root), App: domain.OfApp(shop.ID()), Held: shop.HeldBy(w.acme()),
	})
	w.stays(t, w.pass("ann", "GET", "/shop"), 403, "license-ended")
	w.stays(t, w.pass("ann", "GET", "/shop/plain"), 403, "license-ended")
	w.passes(t, w.pass("ann", "GET", "/shop/open"), map[string]string{"App": "shop", "App-Version": "2.0.0"})
	w.command(t, "ann", "deactivate-user", `{"id":"`+w.vars["eveID"]+`"}`)
	w.stays(t, w.pass("eve", "GET", "/shop/plain"), 401, "unauthenticated")
}

func TestWhereAVersionIsOpenTenantsOfAnotherOneStayInTheirs(t *testing.T) {
	w := shopping(t)
	w.append(t, domain.Root, domain.AppVersionPublished{
		Version: shop.VersionID("3.0.0"), App: shop.ID(), Name: shop, Number: "3.0.0", Hash: "00",
		Routes: []domain.Route{{Path: "/shop", Public: true}, {Path: "/shop/was-open"}},
	}, domain.AppVersionDeployed{Version: shop.VersionID("3.0.0"), App: shop.ID(), Upstreams: []string{"10.0.0.3:80"}})
	nobody := map[string]string{"App": "shop", "App-Version": "3.0.0"}
	hers := map[string]string{
		"User": w.vars["annID"], "Effective-User": w.vars["annID"], "Tenant": w.vars["acme"], "Tenant-Slug": "acme",
		"App": "shop", "App-Version": "1.0.0", "Api-Version": "v1",
	}
	w.passes(t, w.pass("ann", "POST", "/shop/x"), hers)
	w.stays(t, w.pass("eve", "POST", "/shop/x"), 403, "not-allowed")
	w.passes(t, w.pass("", "POST", "/shop/x"), nobody)
	for _, rejected := range []string{"Bearer chn_pat_x", "Bearer a.b.c", "Basic YTpi", "x"} {
		w.passes(t, w.pass("", "POST", "/shop/x", "Authorization", rejected), nobody)
	}
	w.passes(t, w.pass("", "POST", "/shop/x", "Cookie", "chancery=chn_ses_x"), nobody)
	w.passes(t, w.pass("bea", "POST", "/shop/x"), nobody) // her tenant does not have it
	w.passes(t, w.pass("bea", "POST", "/shop/x", "Chancery-Tenant", "acme"), nobody)
	w.stays(t, w.pass("ann", "POST", "/shop/x", "Chancery-Delegation", uuid.NewString()), 400, "malformed")
	w.signIn(t)
	cookie := []string{"Cookie", "chancery=" + w.vars["ses"]}
	if got := told(w.pass("", "GET", "/shop/was-open", cookie...)); got["App-Version"] != "1.0.0" || got["User"] == "" {
		t.Errorf("by a session, where the tenant's version is open: %v", got)
	}
	w.passes(t, w.pass("", "POST", "/shop/x", append(cookie, "Sec-Fetch-Site", "cross-site")...), nobody)
	w.append(t, w.acme(), w.enabled("3.0.0"))
	hers["App-Version"] = "3.0.0"
	delete(hers, "Api-Version")
	w.passes(t, w.pass("ann", "POST", "/shop/x"), hers)
}

func TestAGatewayMayAskAboutAnotherTenantThatTheCallerMayEnter(t *testing.T) {
	w := shopping(t)
	for _, named := range []string{"acme", w.vars["acme"]} {
		if got := told(w.pass("root", "GET", "/shop", "Chancery-Tenant", named)); got[""] != "200" || got["Tenant"] != w.vars["acme"] || got["User"] != w.vars["rootID"] {
			t.Errorf("%s: %v", named, got)
		}
	}
	w.stays(t, w.pass("root", "GET", "/shop"), 403, "app-disabled")
	for _, named := range []string{"acme", w.vars["acme"], "nobody", uuid.NewString(), "\x7f", "root"} {
		w.stays(t, w.pass("bea", "GET", "/shop", "Chancery-Tenant", named), 403, "not-allowed")
	}
	w.must(t, "root", "/v1/tenants/acme/commands/suspend-tenant", `{}`, "position")
	w.stays(t, w.pass("root", "GET", "/shop", "Chancery-Tenant", "acme"), 403, "not-allowed")
}

func TestAGatewayIsToldForWhomSomebodyActs(t *testing.T) {
	w := shopping(t)
	id := w.delegate(t, "ann", "acme", "eve", "acme", `"shop.buy"`)
	if got := told(w.pass("eve", "GET", "/shop", "Chancery-Delegation", id)); got["User"] != w.vars["eveID"] || got["Effective-User"] != w.vars["annID"] || got["Delegation"] != id {
		t.Errorf("under a delegation: %v", got)
	}
	w.stays(t, w.pass("eve", "GET", "/shop", "Chancery-Delegation", uuid.NewString()), 400, "malformed")
	w.command(t, "ann", "revoke-delegation", `{"id":"`+id+`"}`)
	w.stays(t, w.pass("eve", "GET", "/shop", "Chancery-Delegation", id), 403, "delegation-not-in-force")
	w.actAs(t, "ann", "abe")
	if got := told(w.pass("imp", "GET", "/shop")); got["User"] != w.vars["annID"] || got["Effective-User"] != w.vars["abeID"] || got["Impersonation"] != w.vars["impID"] {
		t.Errorf("in an impersonation: %v", got)
	}
	w.vars["app"] = w.must(t, "ann", "/v1/tenants/acme/commands/issue-token",
		`{"user_id":"`+w.vars["annID"]+`","name":"shop","app":"shop","scopes":["shop.*"],"expires_at":"2026-03-20T00:00:00Z"}`, "token")
	if got := told(w.pass("app", "GET", "/shop")); got[""] != "200" || got["Token-App"] != "shop" {
		t.Errorf("by the app's token: %v", got)
	}
}

func TestASessionsCookieCountsForPagesOfTheSameSite(t *testing.T) {
	w := shopping(t)
	w.signIn(t)
	cookie := []string{"Cookie", "chancery=" + w.vars["ses"]}
	for _, c := range []struct {
		method string
		with   []string
		passes bool
	}{
		{"GET", nil, true},
		{"POST", nil, true},
		{"POST", []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"POST", []string{"Origin", "http://apps.test"}, true},
		{"GET", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"POST", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"DELETE", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"POST", []string{"Origin", "http://evil.test"}, false},
	} {
		rec := w.pass("", c.method, "/shop/plain", append(cookie, c.with...)...)
		if c.passes != (rec.Code == 200) {
			t.Errorf("%s with %v: %d %s", c.method, c.with, rec.Code, rec.Body)
		}
		if !c.passes {
			w.stays(t, rec, 403, "cross-origin")
		}
	}
	if rec := w.pass("ann", "POST", "/shop/plain", "Sec-Fetch-Site", "cross-site"); rec.Code != 200 {
		t.Errorf("a token needs no page: %d %s", rec.Code, rec.Body)
	}
}

func TestWhatNoGatewaySendsIsRefused(t *testing.T) {
	w := shopping(t)
	w.stays(t, w.do("ann", "GET", "/v1/gateway/authorize", ""), 400, "malformed")
	for _, missing := range []string{"X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri"} {
		for _, values := range [][]string{nil, {"GET", "GET"}} {
			r := httptest.NewRequest(http.MethodGet, "/v1/gateway/authorize", nil)
			r.Header = http.Header{"X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"a.test"}, "X-Forwarded-Uri": {"/shop/open"}}
			if r.Header[missing] = values; values == nil {
				delete(r.Header, missing)
			}
			rec := httptest.NewRecorder()
			w.server.ServeHTTP(rec, r)
			w.stays(t, rec, 400, "malformed")
		}
	}
	for _, odd := range []string{"", "x", "\x00", "/" + strings.Repeat("a/", 15000), "/%", "//shop", "*", "http://a/shop", strings.Repeat("%2e", 5000), "/\xff"} {
		if rec := w.pass("ann", "GET", odd); rec.Code != 400 && rec.Code != 404 {
			t.Errorf("%.40q: %d %s", odd, rec.Code, rec.Body)
		}
	}
	for _, host := range []string{"", ":", "[::1]:80", "[", strings.Repeat("a.", 5000), "\xff"} {
		if rec := w.pass("", "GET", "/shop/open", "X-Forwarded-Host", host); rec.Code != 200 {
			t.Errorf("%.40q: %d %s", host, rec.Code, rec.Body)
		}
	}
}

func FuzzAnythingThatAGatewayMaySendIsAnswered(f *testing.F) {
	w := shopping(f)
	f.Add("GET", "apps.test", "/shop/x?y", "acme", "")
	f.Add("POST", "[::1]:80", "/shop/%2e%2e/x", "\x00", "0192f3a1-0000-7000-8000-000000000001")
	f.Fuzz(func(t *testing.T, method, host, address, tenant, delegation string) {
		rec := w.pass("ann", method, address, "X-Forwarded-Host", host, "Chancery-Tenant", tenant, "Chancery-Delegation", delegation)
		if rec.Code >= 500 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}

func TestAGatewaySeesNothingStale(t *testing.T) {
	w := shopping(t)
	w.stale = errors.New("no log")
	for _, path := range []string{"/shop", "/shop/open", "/none"} {
		w.stays(t, w.pass("ann", "GET", path), 503, "unavailable")
	}
}
