package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// appTenant is a platform whose clock is moved by hand, with the tenant acme, its administrator ann, and three apps of the platform's:
// billing, which needs a licence, reports, which needs billing, and plain, which needs nothing.
type appTenant struct {
	app       *App
	clock     *clock
	root, ann caller
	acme      string
}

const (
	billingManifest = `{"app":"billing","version":"1.0.0","license_required":true,
		"privileges":[{"name":"billing.read","description":"look at bills"}],
		"roles":[{"key":"clerk","title":"Clerk","privileges":["billing.read"]}],
		"routes":[{"path":"/billing","privilege":"billing.read"}],
		"secrets":[{"name":"key"}],
		"config":{"type":"object","required":["currency"],"additionalProperties":false,
			"properties":{"currency":{"enum":["EUR","CHF"]},"token":{"type":"string","x-secret":true}}}}`
	billingNext = `{"app":"billing","version":"1.1.0","license_required":true,
		"privileges":[{"name":"billing.read","description":"look at bills"},{"name":"billing.send","description":"send bills"}],
		"roles":[{"key":"clerk","title":"Clerk","privileges":["billing.read","billing.send"]}],
		"routes":[{"path":"/billing","privilege":"billing.read"},{"path":"/bills"}],
		"secrets":[{"name":"key"}],
		"config":{"type":"object","properties":{"token":{"type":"string","x-secret":true}}}}`
	reportsManifest = `{"app":"reports","version":"1.0.0","compatibility":{"apps":[{"app":"billing","range":"^1.0"}]},
		"privileges":[{"name":"reports.see","description":"see reports"}]}`
	plainManifest = `{"app":"plain","version":"1.0.0"}`
)

func newAppTenant(t *testing.T) *appTenant {
	t.Helper()
	c := newClock(time.Now().UTC().Truncate(time.Second))
	s := &appTenant{clock: c}
	s.app, s.root = platformWith(t, Config{Now: c.now, DueEvery: 24 * time.Hour})
	s.acme = s.root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	s.ann = s.root.user(t, "acme", "ann", true)
	s.root.must(t, "root", "create-signing-key", `{}`)
	for _, name := range []string{"billing", "reports", "plain"} {
		s.root.must(t, "root", "register-app", fmt.Sprintf(`{"name":%q,"title":%q}`, name, name))
	}
	for _, manifest := range []string{billingManifest, reportsManifest, plainManifest} {
		s.publish(t, manifest)
	}
	return s
}

func (s *appTenant) publish(t *testing.T, manifest string) {
	t.Helper()
	s.root.must(t, "root", "publish-app-version", `{"manifest":`+manifest+`}`)
}

// license sells acme a licence for billing, for an hour.
func (s *appTenant) license(t *testing.T) (id string) {
	t.Helper()
	return s.root.must(t, "root", "issue-license", fmt.Sprintf(`{"tenant_id":%q,"app":"billing","ends_at":%q}`, s.acme, s.in(time.Hour)))
}

func (s *appTenant) in(d time.Duration) string {
	return s.clock.now().Add(d).UTC().Format(time.RFC3339)
}

// followed returns when the reaction to licences has seen all that there is.
func (s *appTenant) followed(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		head := s.app.headForTest(t)
		if err := s.app.feed.Wait(ctx, "app-licenses", head); err != nil {
			t.Fatal(err)
		}
		if s.app.headForTest(t) == head {
			break
		}
	}
	s.app.settled(t)
}

// rows are acme's apps as the tables have them.
func (s *appTenant) rows(t *testing.T) []string {
	t.Helper()
	s.app.settled(t)
	return s.app.column(t, `SELECT concat_ws(' ', app, app_version, enabled, coalesce(version_pinned, '-'), coalesce(disabled_reason, '-'), config)
		FROM core.tenant_apps WHERE tenant_id = $1 ORDER BY app`, s.acme)
}

func (s *appTenant) wantRows(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.rows(t)); diff != "" {
		t.Errorf("tenant_apps (-want +got):\n%s", diff)
	}
}

// privileges are those that acme's apps bring.
func (s *appTenant) privileges(t *testing.T) (names []string) {
	t.Helper()
	s.app.settled(t)
	var page struct {
		Items []struct {
			Name string  `json:"name"`
			App  *string `json:"app"`
		} `json:"items"`
	}
	r := s.ann.do("GET", "/v1/tenants/acme/privileges?limit=1000", "")
	if err := json.Unmarshal([]byte(r.body), &page); err != nil {
		t.Fatal(r.body, err)
	}
	for _, i := range page.Items {
		if i.App != nil {
			names = append(names, i.Name)
		}
	}
	slices.Sort(names)
	return names
}

// places are what a problem tells, each "pointer: detail".
func (r reply) places() (all []string) {
	var p struct {
		Errors []struct {
			Pointer string `json:"pointer"`
			Detail  string `json:"detail"`
		} `json:"errors"`
	}
	_ = json.Unmarshal([]byte(r.body), &p)
	for _, e := range p.Errors {
		all = append(all, e.Pointer+": "+e.Detail)
	}
	return all
}

func (s *appTenant) refused(t *testing.T, command, body, code string, places ...string) {
	t.Helper()
	r := s.ann.command("acme", command, body)
	if r.code() != code || r.status < 400 || r.status > 499 {
		t.Fatalf("%s %s: %d %s, want %s", command, body, r.status, r.body, code)
	}
	if diff := cmp.Diff(places, r.places()); len(places) > 0 && diff != "" {
		t.Fatalf("%s %s: places (-want +got):\n%s", command, body, diff)
	}
}

// plan is what GET …/plan answers.
func (s *appTenant) plan(t *testing.T, of string) (plan struct {
	App             string `json:"app"`
	From            string `json:"from"`
	To              string `json:"to"`
	Enabled         bool   `json:"enabled"`
	ManifestHash    string `json:"manifest_hash"`
	PrivilegesAdded []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"privileges_added"`
	PrivilegesRemoved []string `json:"privileges_removed"`
	RoutesAdded       []struct {
		Path string `json:"path"`
	} `json:"routes_added"`
	RolesChanged []struct {
		Added []string `json:"added"`
	} `json:"roles_changed"`
	Secrets []struct {
		Reference string `json:"reference"`
		There     bool   `json:"there"`
	} `json:"secrets"`
	Needs []struct {
		App string `json:"app"`
		Met bool   `json:"met"`
	} `json:"needs"`
	Missing []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"missing"`
	LicenseAdded   *bool    `json:"license_added"`
	LicenseRemoved *bool    `json:"license_removed"`
	NeedsRemoved   []string `json:"needs_removed"`

	Consent     []string `json:"consent"`
	ConfigValid bool     `json:"config_valid"`
},
) {
	t.Helper()
	r := s.ann.do("GET", "/v1/tenants/acme/tenant-apps/"+of, "")
	if err := json.Unmarshal([]byte(r.body), &plan); err != nil || r.status != http.StatusOK {
		t.Fatalf("plan of %s: %d %s", of, r.status, r.body)
	}
	return plan
}

// enabled has billing and reports at work in acme, with a licence for the next hour.
func (s *appTenant) enabled(t *testing.T) (license string) {
	t.Helper()
	license = s.license(t)
	s.ann.must(t, "acme", "create-secret", `{"app":"billing","name":"key","value":"x"}`)
	s.ann.must(t, "acme", "enable-app", `{"app":"billing","resumes":true,"config":{"currency":"EUR"}}`)
	s.ann.must(t, "acme", "enable-app", `{"app":"reports","resumes":true}`)
	return license
}

func TestATenantLivesWithItsApps(t *testing.T) {
	s := newAppTenant(t)
	s.refused(t, "enable-app", `{"app":"reports"}`, "app-not-ready", "/app: needs the app billing ^1.0, which was never enabled here")
	s.refused(t, "enable-app", `{"app":"billing","config":{"currency":"USD"}}`, "app-not-ready",
		"/app: needs a licence for billing that is in force: the tenant has none",
		"/app: needs the secret secret://billing/key, which is not there",
		"/config/currency: value must be one of 'EUR', 'CHF'")
	if p := s.plan(t, "billing/plan"); p.Enabled || p.To != "1.0.0" || len(p.Missing) != 3 || p.ConfigValid || p.Secrets[0].There || len(p.PrivilegesAdded) != 1 {
		t.Errorf("the plan says %+v", p)
	}
	s.wantRows(t)
	s.enabled(t)
	s.wantRows(t, `billing 1.0.0 t - - {"currency": "EUR"}`, `reports 1.0.0 t - - {}`)
	if diff := cmp.Diff([]string{"billing.read", "reports.see"}, s.privileges(t)); diff != "" {
		t.Errorf("privileges (-want +got):\n%s", diff)
	}

	s.refused(t, "configure-app", `{"app":"billing","config":{"currency":"EUR","token":"hunter2"}}`, "config-invalid",
		"/config/token: is a secret: must be secret://billing/name, a reference to one of the app's secrets")
	s.refused(t, "configure-app", `{"app":"billing","config":{}}`, "config-invalid", "/config/currency: is missing")
	s.ann.must(t, "acme", "configure-app", `{"app":"billing","config":{"currency":"CHF","token":"secret://billing/key"}}`)
	s.refused(t, "disable-app", `{"app":"billing"}`, "app-needed", "/app: the app reports needs billing ^1.0")

	s.publish(t, billingNext)
	s.ann.must(t, "acme", "pin-app", `{"app":"billing"}`)
	s.refused(t, "upgrade-app", `{"app":"billing"}`, "app-pinned")
	s.ann.must(t, "acme", "unpin-app", `{"app":"billing"}`)
	s.refused(t, "upgrade-app", `{"app":"billing"}`, "upgrade-unconfirmed")
	p := s.plan(t, "billing/plan?version=1.1.0")
	if !p.Enabled || p.From != "1.0.0" || p.To != "1.1.0" || len(p.Missing) != 0 || !p.ConfigValid || p.RoutesAdded[0].Path != "/bills" {
		t.Errorf("the plan says %+v", p)
	}
	if diff := cmp.Diff([]string{"billing.send"}, p.Consent); diff != "" || p.RolesChanged[0].Added[0] != "billing.send" {
		t.Errorf("the plan says %+v", p)
	}
	confirm := `{"app":"billing","confirm":"` + p.ManifestHash + `"`
	s.refused(t, "upgrade-app", confirm+`}`, "privileges-unconsented", "/consent: must name billing.send")
	s.ann.must(t, "acme", "upgrade-app", confirm+`,"consent":["billing.send"]}`)
	if diff := cmp.Diff([]string{"billing.read", "billing.send", "reports.see"}, s.privileges(t)); diff != "" {
		t.Errorf("privileges (-want +got):\n%s", diff)
	}
	s.ann.must(t, "acme", "roll-back-app", `{"app":"billing","reason":"too new"}`)
	if diff := cmp.Diff([]string{"billing.read", "reports.see"}, s.privileges(t)); diff != "" {
		t.Errorf("privileges (-want +got):\n%s", diff)
	}
	s.ann.must(t, "acme", "disable-app", `{"app":"reports","reason":"unused"}`)
	s.ann.must(t, "acme", "disable-app", `{"app":"billing","reason":"unused"}`)
	config := `{"token": "secret://billing/key", "currency": "CHF"}`
	s.wantRows(t, `billing 1.0.0 f - unused `+config, `reports 1.0.0 f - unused {}`)
	if names := s.privileges(t); len(names) > 0 {
		t.Errorf("disabled apps bring %v", names)
	}
	audit := s.app.column(t, `SELECT action FROM core.audit_log WHERE tenant_id = $1 AND object_ref LIKE 'tenant-app:%' AND action LIKE 'tenant-app.%' ORDER BY position`, s.acme)
	want := []string{
		"tenant-app.enabled", "tenant-app.configured", "tenant-app.enabled", "tenant-app.configured", "tenant-app.pinned", "tenant-app.unpinned",
		"tenant-app.upgraded", "tenant-app.rolled-back", "tenant-app.disabled", "tenant-app.disabled",
	}
	if diff := cmp.Diff(want, audit); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	s.app.verified(t)
}

func TestThePlanOfAnAppIsForThoseWhoMayPutItToWork(t *testing.T) {
	s := newAppTenant(t)
	s.ann.must(t, "acme", "enable-app", `{"app":"plain"}`)
	s.app.settled(t)
	id := s.app.column(t, `SELECT id::text FROM core.tenant_apps WHERE tenant_id = $1`, s.acme)[0]
	if p := s.plan(t, id+"/plan"); p.App != "plain" || !p.Enabled || p.To != "1.0.0" {
		t.Errorf("the plan by id says %+v", p)
	}
	s.publish(t, `{"app":"plain","version":"1.1.0","license_required":true,"compatibility":{"apps":[{"app":"reports","range":"*"}]}}`)
	if p := s.plan(t, "plain/plan?version=1.1.0"); p.LicenseAdded == nil || !*p.LicenseAdded || p.LicenseRemoved == nil || *p.LicenseRemoved || p.NeedsRemoved == nil {
		t.Errorf("the plan says %+v", p)
	}
	bob := s.root.user(t, "acme", "bob", false)
	for target, status := range map[string]int{
		"plain/plan": http.StatusForbidden, "none/plan": http.StatusForbidden,
	} {
		if r := bob.do("GET", "/v1/tenants/acme/tenant-apps/"+target, ""); r.status != status {
			t.Errorf("%s: %d %s", target, r.status, r.body)
		}
	}
	for target, status := range map[string]int{
		"none/plan": 404, "No/plan": 404, "00000000-0000-7000-8000-000000000001/plan": 404, "plain/plan?version=9.9.9": 404,
		"plain/plan?version=": 400, "plain/plan?version=v1": 400, "plain/plan?other=1": 400, "plain/plan?as_of=1": 400,
	} {
		if r := s.ann.do("GET", "/v1/tenants/acme/tenant-apps/"+target, ""); r.status != status {
			t.Errorf("%s: %d %s, want %d", target, r.status, r.body, status)
		}
	}
}

func TestAppsFollowTheirLicence(t *testing.T) {
	s := newAppTenant(t)
	license := s.enabled(t)
	s.ann.must(t, "acme", "enable-app", `{"app":"plain"}`)
	s.clock.forward(2 * time.Hour)
	s.app.settled(t)
	s.app.round(t)
	s.followed(t)
	s.wantRows(t, `billing 1.0.0 f - license-ended {"currency": "EUR"}`, `plain 1.0.0 t - - {}`, `reports 1.0.0 f - dependency-disabled {}`)
	causes := func(types ...string) []string {
		return s.app.column(t, `SELECT concat_ws(' ', e.type, e.payload->>'name', c.type) FROM core.events e
			LEFT JOIN core.events c ON c.id = (e.metadata->>'causation')::uuid
			WHERE e.tenant_id = $1 AND e.type = ANY ($2) AND e.metadata->>'causation' IS NOT NULL ORDER BY e.position`, s.acme, types)
	}
	want := []string{"tenant-app.disabled reports license.ended", "tenant-app.disabled billing license.ended"}
	if diff := cmp.Diff(want, causes("tenant-app.disabled")); diff != "" {
		t.Errorf("ends and their causes (-want +got):\n%s", diff)
	}
	s.root.must(t, "root", "renew-license", fmt.Sprintf(`{"id":%q,"ends_at":%q}`, license, s.in(time.Hour)))
	s.followed(t)
	s.wantRows(t, `billing 1.0.0 t - - {"currency": "EUR"}`, `plain 1.0.0 t - - {}`, `reports 1.0.0 t - - {}`)
	want = []string{"tenant-app.enabled billing license.renewed", "tenant-app.enabled reports license.renewed"}
	if diff := cmp.Diff(want, causes("tenant-app.enabled")); diff != "" {
		t.Errorf("beginnings and their causes (-want +got):\n%s", diff)
	}

	s.root.must(t, "root", "suspend-license", fmt.Sprintf(`{"id":%q}`, license))
	s.followed(t)
	s.ann.must(t, "acme", "disable-app", `{"app":"reports","reason":"not any more"}`)
	s.root.must(t, "root", "reinstate-license", fmt.Sprintf(`{"id":%q}`, license))
	s.followed(t)
	s.wantRows(t, `billing 1.0.0 t - - {"currency": "EUR"}`, `plain 1.0.0 t - - {}`, `reports 1.0.0 f - not any more {}`)

	s.ann.must(t, "acme", "enable-app", `{"app":"billing","resumes":false}`)
	s.root.must(t, "root", "revoke-license", fmt.Sprintf(`{"id":%q}`, license))
	s.followed(t)
	s.license(t)
	s.followed(t)
	s.wantRows(t, `billing 1.0.0 f - license-ended {"currency": "EUR"}`, `plain 1.0.0 t - - {}`, `reports 1.0.0 f - not any more {}`)
	s.app.verified(t)
}

func TestAnAppComesBackWhenALicenceBeginsThatWasMadeForLater(t *testing.T) {
	s := newAppTenant(t)
	s.enabled(t)
	s.root.must(t, "root", "issue-license", fmt.Sprintf(`{"tenant_id":%q,"app":"billing","starts_at":%q}`, s.acme, s.in(3*time.Hour)))
	s.clock.forward(2 * time.Hour)
	s.app.round(t)
	s.followed(t)
	off := []string{`billing 1.0.0 f - license-ended {"currency": "EUR"}`, `reports 1.0.0 f - dependency-disabled {}`}
	s.wantRows(t, off...)
	s.app.round(t)
	s.wantRows(t, off...)
	s.clock.forward(2 * time.Hour)
	s.app.round(t)
	s.wantRows(t, `billing 1.0.0 t - - {"currency": "EUR"}`, `reports 1.0.0 t - - {}`)
	head := s.app.headForTest(t)
	s.app.round(t)
	if again := s.app.headForTest(t); again != head {
		t.Errorf("another round recorded %d events", again-head)
	}
}
