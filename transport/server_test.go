package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chancery/transport/transporttest"
)

func TestScripts(t *testing.T) {
	transporttest.Scripts(t, "testdata/*.txt", func(t *testing.T) (http.Handler, map[string]string) {
		w := newWorld(t)
		w.people(t)
		return w.server, w.vars
	})
}

func TestAnotherTenantsThingsAreAnsweredAsThingsThatDoNotExist(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	group := w.must(t, "bea", "/v1/tenants/beta/commands/create-group", `{"name":"Team"}`, "id")
	role := w.must(t, "bea", "/v1/tenants/beta/commands/create-role", `{"name":"Writer"}`, "id")
	transporttest.Isolation{
		Handler: w.server, Routes: w.server.Routes(), Token: w.vars["ann"], Own: "acme",
		Other:  []string{w.vars["beta"], "beta"},
		Things: []string{w.vars["beaID"], group, role},
		State: func() string {
			return w.do("bea", "GET", "/v1/tenants/beta/users", "").Body.String() +
				w.do("bea", "GET", "/v1/tenants/beta/groups", "").Body.String() +
				w.do("bea", "GET", "/v1/tenants/beta/roles", "").Body.String()
		},
	}.Check(t)
}

func TestEveryRouteButTheOpenOnesNeedsAToken(t *testing.T) {
	w := newWorld(t)
	open := []string{
		"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/*", "/v1/schemas/app-manifest.json",
		"POST /v1/tenants/:tenant/sessions", "/v1/tenants/:tenant/sessions/passkey",
		"/v1/tenants/:tenant/oidc/:id/start", "/v1/tenants/:tenant/oidc/:id/authorize", "/v1/oidc/callback/:id",
		"/v1/tenants/:tenant/password-resets", "/v1/tenants/:tenant/links/redeem",
		"/v1/gateway/authorize", "/v1/tenants/:tenant/jwks.json",
	}
	for _, r := range w.server.Routes() {
		path := strings.NewReplacer(":tenant", "acme", ":id", "x", ":command", "create-group").Replace(r.Path)
		rec := w.do("", r.Method, path, "")
		isOpen := strings.HasPrefix(path, "/.well-known/")
		for _, o := range open {
			isOpen = isOpen || r.Path == o || r.Method+" "+r.Path == o
		}
		if isOpen == (rec.Code == http.StatusUnauthorized) {
			t.Errorf("%s %s without a token: %d", r.Method, path, rec.Code)
		}
	}
}

func TestFaultsTellNothingAndAreLoggedOnce(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.config.Queries = nil // a nil pointer: the handler panics
	w.restart(t)
	rec := w.do("ann", "GET", "/v1/tenants/acme/users", "", "X-Request-ID", "r-1")
	if rec.Code != 500 || strings.Contains(rec.Body.String(), "nil") || strings.Contains(rec.Body.String(), ".go") {
		t.Errorf("answer %d %s", rec.Code, rec.Body)
	}
	if n := strings.Count(w.logged.String(), "a request failed"); n != 1 || !strings.Contains(w.logged.String(), "request_id=r-1") {
		t.Errorf("logged %d times: %s", n, w.logged)
	}
}

func TestAnIndexThatCannotBeFreshIsUnavailable(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.stale = errors.New("SELECT max(position): connection refused")
	rec := w.do("ann", "GET", "/v1/me", "")
	if rec.Code != 503 || rec.Header().Get("Retry-After") == "" || strings.Contains(rec.Body.String(), "SELECT") {
		t.Errorf("answer %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
}

func TestTooManyRequestsAreTurnedAway(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.config.Rate, w.config.Burst = 0.001, 2
	w.restart(t)
	for i, want := range []int{200, 200, 429} {
		if rec := w.do("ann", "GET", "/v1/me", ""); rec.Code != want || want == 429 && rec.Header().Get("Retry-After") == "" {
			t.Errorf("request %d: %d %v", i, rec.Code, rec.Header())
		}
	}
	if rec := w.do("bea", "GET", "/v1/me", ""); rec.Code != 200 {
		t.Errorf("somebody else is bound too: %d", rec.Code)
	}
}

func TestRoutesAreObservedByTheirPattern(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.do("ann", "GET", "/v1/tenants/acme/users/"+w.vars["annID"], "")
	if got, want := w.observe[len(w.observe)-1], "GET /v1/tenants/:tenant/users/:id 200"; got != want {
		t.Errorf("observed %q, want %q", got, want)
	}
}

func TestReadinessTellsItsReasons(t *testing.T) {
	w := newWorld(t)
	w.config.Ready = func(context.Context) []string { return []string{"the access index is behind"} }
	w.restart(t)
	rec := w.do("", "GET", "/readyz", "")
	if rec.Code != 503 || !strings.Contains(rec.Body.String(), "the access index is behind") {
		t.Errorf("answer %d %s", rec.Code, rec.Body)
	}
}

func TestWhatTooManyAskForAtOnceIsUnavailableAndMayBeTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	rec := w.do("ann", "GET", "/v1/tenants/acme/endpoints/busy/stats", "")
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "1" || !strings.Contains(rec.Body.String(), "too many questions about what is pending") {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
}

func TestAPositionThatIsNotSeenInTimeIsUnavailable(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.seen = 3
	for name, ask := range map[string]func(*http.Request){
		"a query": func(r *http.Request) { r.Header.Set("Chancery-Min-Position", "4") },
		"a check": func(r *http.Request) {
			r.Method, r.URL.Path = "POST", "/access/v1/evaluation"
			r.Body = io.NopCloser(strings.NewReader(`{"subject":{"type":"user","id":"` + w.vars["annID"] + `"},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"acme"},"context":{"min_position":99999}}`))
			r.ContentLength = -1
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // in place of five seconds
		r := httptest.NewRequestWithContext(ctx, "GET", "/v1/tenants/acme/users", nil)
		r.Header.Set("Authorization", "Bearer "+w.vars["ann"])
		ask(r)
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, r)
		cancel()
		if rec.Code != 503 || rec.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: %d %v %s", name, rec.Code, rec.Header(), rec.Body)
		}
	}
}
