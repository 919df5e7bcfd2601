package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/domain"
)

// life is that of a vendor, forge, with three apps: ledger, billing that needs it and a licence, and memo that needs nothing. Two tenants use them.
type life struct {
	*testing.T
	app           *App
	clock         *clock
	root, vic     caller
	ann, gil, una caller // acme's and globex's administrators, and a clerk of acme
	tenants       map[string]string
	unas          string
	moments       []moments
	began         time.Time
	license       string
}

// moments is what was answered at one.
type moments struct {
	name, position string
	answers        map[string]string
}

func manifest(app, version, more string) string {
	return fmt.Sprintf(`{"manifest":{"app":%q,"version":%q,"title":%q%s}}`, app, version, strings.ToUpper(app[:1])+app[1:], more)
}

const (
	billingOne = `,"license_required":true,"compatibility":{"apps":[{"app":"ledger","range":"^1.0"}]},
		"privileges":[{"name":"billing.invoice.read","description":"Read."},{"name":"billing.invoice.write","description":"Write."}],
		"roles":[{"key":"clerk","title":"Billing clerk","privileges":["billing.invoice.read","billing.invoice.write"]}],
		"routes":[{"path":"/billing","privilege":"billing.invoice.read","api_version":"v1"}],
		"config":{"type":"object","required":["currency"],"additionalProperties":false,
			"properties":{"currency":{"enum":["EUR","USD"]},"key":{"type":"string","x-secret":true}}},
		"secrets":[{"name":"stripe","description":"The payment provider's key."}]`
	ledgerOne = `,"privileges":[{"name":"ledger.entry.read","description":"Read."}],"routes":[{"path":"/ledger","privilege":"ledger.entry.read"}]`
)

// billingTwo brings one privilege more, and drops none.
var billingTwo = strings.Replace(billingOne, `{"name":"billing.invoice.write"`, `{"name":"billing.invoice.void","description":"Void."},{"name":"billing.invoice.write"`, 1)

func (l *life) send(c caller, tenant, name, body string) string {
	l.Helper()
	r := c.command(tenant, name, body)
	if r.status != http.StatusOK {
		l.Fatalf("%s in %s: %d %s", name, tenant, r.status, r.body)
	}
	return r.part("id")
}

func (l *life) refused(c caller, tenant, name, body, code string, says ...string) reply {
	l.Helper()
	r := c.command(tenant, name, body)
	if r.status != http.StatusUnprocessableEntity || r.code() != code {
		l.Errorf("%s in %s: %d %s, want %s", name, tenant, r.status, r.body, code)
	}
	for _, s := range says {
		if !strings.Contains(r.body, s) {
			l.Errorf("%s in %s does not say %q: %s", name, tenant, s, r.body)
		}
	}
	return r
}

// questions are asked at each moment, and again of that moment at the end.
func (l *life) questions(asOf string) map[string]string {
	l.Helper()
	answers := map[string]string{}
	query, inBody := "", ""
	if asOf != "" {
		query, inBody = "?as_of="+asOf, fmt.Sprintf(`,"context":{"as_of":%q}`, asOf)
	}
	for tenant, c := range map[string]caller{"acme": l.ann, "globex": l.gil, "forge": l.vic} {
		for _, what := range []string{"tenant-apps", "licenses", "entitlements", "usage", "seats", "activations", "signing-keys", "apps", "app-versions", "routes"} {
			r := c.do(http.MethodGet, "/v1/tenants/"+tenant+"/"+what+query, "")
			if r.status != http.StatusOK {
				l.Fatalf("%s of %s as of %q: %d %s", what, tenant, asOf, r.status, r.body)
			}
			var page struct {
				Items json.RawMessage `json:"items"`
			}
			if err := json.Unmarshal([]byte(r.body), &page); err != nil {
				l.Fatal(err)
			}
			answers[tenant+" "+what] = string(page.Items)
		}
		for _, name := range []string{"exports", "invoices"} {
			r := c.do(http.MethodPost, "/v1/tenants/"+tenant+"/entitlements/check", fmt.Sprintf(`{"app":"billing","entitlement":%q%s}`, name, inBody))
			if r.status != http.StatusOK {
				l.Fatalf("check of %s: %d %s", name, r.status, r.body)
			}
			answers[tenant+" "+name] = l.without(r.body, "position")
		}
	}
	for _, p := range []string{"billing.invoice.read", "billing.invoice.void", "ledger.entry.read", "core.users.read"} {
		r := l.root.do(http.MethodPost, "/v1/tenants/acme/access/v1/evaluation",
			fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":{"type":"tenant","id":"acme"}%s}`, l.unas, p, inBody))
		if r.status != http.StatusOK {
			l.Fatalf("evaluation of %s: %d %s", p, r.status, r.body)
		}
		answers["una "+p] = strconv.FormatBool(strings.Contains(r.body, `"decision":true`))
	}
	return answers
}

func (l *life) without(body, name string) string {
	l.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		l.Fatal(err)
	}
	delete(all, name)
	out, err := json.Marshal(all)
	if err != nil {
		l.Fatal(err)
	}
	return string(out)
}

// moment lets everything happen that is due, and keeps what is answered then.
func (l *life) moment(name string) map[string]string {
	l.Helper()
	for range 2 { // what is due may make more due
		l.quiet()
		if err := l.app.due.Round(l.Context()); err != nil {
			l.Fatal(err)
		}
	}
	l.quiet()
	answers := l.questions("")
	l.moments = append(l.moments, moments{name, strconv.FormatInt(l.app.headForTest(l.T), 10), answers})
	l.clock.forward(time.Minute)
	return answers
}

// quiet returns when no reaction has anything left to do.
func (l *life) quiet() {
	l.Helper()
	l.app.reacted(l.T)
	l.app.settled(l.T)
}

func (l *life) expect(at map[string]string, question string, says ...string) {
	l.Helper()
	for _, s := range says {
		no, want := strings.CutPrefix(s, "!")
		if s == no {
			want = false
		}
		if strings.Contains(at[question], no) == want {
			l.Errorf("%s: %s: want %q in %s", l.moments[len(l.moments)-1].name, question, s, at[question])
		}
	}
}

func TestTheLifeOfAVendor(t *testing.T) {
	l := &life{T: t, began: time.Now().UTC().Truncate(time.Second), tenants: map[string]string{}}
	l.clock = newClock(l.began)
	l.app, l.root = platformWith(t, Config{Now: l.clock.now})
	for _, slug := range []string{"forge", "acme", "globex"} {
		l.tenants[slug] = l.send(l.root, "root", "create-tenant", fmt.Sprintf(`{"name":%q,"slug":%q}`, slug, slug))
	}
	l.vic, l.ann, l.gil = l.resident("forge", "vic", true), l.resident("acme", "ann", true), l.resident("globex", "gil", true)
	l.una = l.resident("acme", "una", false)
	l.publish()
	l.firstSteps()
	l.use()
	l.upgrade()
	l.endings()
	l.checkPast()
	l.checkRows()
}

// resident is a user with a token that outlives the test's clock.
func (l *life) resident(tenant, name string, admin bool) caller {
	l.Helper()
	user := l.send(l.root, tenant, "register-user", fmt.Sprintf(`{"display_name":%q,"email":"%s@%s.test"}`, name, name, tenant))
	if admin {
		l.send(l.root, tenant, "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, user))
	}
	if name == "una" {
		l.unas = user
	}
	r := l.root.command(tenant, "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"test","expires_at":%q}`, user, l.began.AddDate(0, 11, 0).Format(time.RFC3339)))
	if r.status != http.StatusOK {
		l.Fatalf("%d %s", r.status, r.body)
	}
	return l.root.as(r.part("token"))
}

func (l *life) publish() {
	l.refused(l.vic, "forge", "register-app", `{"name":"billing","title":"Billing"}`, "not-a-vendor")
	l.send(l.root, "root", "admit-vendor", `{"tenant_id":"`+l.tenants["forge"]+`"}`)
	for _, app := range []string{"ledger", "billing", "memo"} {
		l.send(l.vic, "forge", "register-app", fmt.Sprintf(`{"name":%q,"title":%q}`, app, app))
	}
	l.send(l.vic, "forge", "publish-app-version", manifest("ledger", "1.0.0", ledgerOne))
	l.send(l.vic, "forge", "publish-app-version", manifest("billing", "1.0.0", billingOne))
	l.send(l.vic, "forge", "publish-app-version", manifest("memo", "0.1.0", ``))
	l.refused(l.vic, "forge", "publish-app-version", manifest("billing", "1.0.0", billingTwo), "version-published")
	l.refused(l.vic, "forge", "publish-app-version", manifest("memo", "0.2.0", `,"routes":[{"path":"/billing/x"},{"path":"/billing"}]`), "route-taken")
	at := l.moment("published")
	l.expect(at, "acme apps", `"latest_version":"1.0.0"`, `"name":"memo"`)
	l.expect(at, "acme tenant-apps", `[]`)
	l.send(l.vic, "forge", "create-signing-key", `{}`)
	l.license = l.send(l.vic, "forge", "issue-license", fmt.Sprintf(`{"tenant_id":%q,"app":"billing","ends_at":%q,"grace_days":2,"seats":1,"activations":1,
		"entitlements":[{"name":"exports","kind":"feature"},{"name":"invoices","kind":"meter","limit":100,"period":"once"}]}`,
		l.tenants["acme"], l.began.AddDate(0, 0, 30).Format(time.RFC3339)))
	at = l.moment("licensed")
	l.expect(at, "acme exports", `"allowed":true`)
	l.expect(at, "globex exports", `"allowed":false`)
	l.expect(at, "globex licenses", `[]`)
	l.expect(at, "forge licenses", l.license)
}

func (l *life) firstSteps() {
	l.refused(l.ann, "acme", "enable-app", `{"app":"billing"}`, "app-not-ready", "ledger", "stripe", "currency")
	l.send(l.ann, "acme", "enable-app", `{"app":"ledger"}`)
	l.send(l.ann, "acme", "create-secret", `{"app":"billing","name":"stripe","value":"hush"}`)
	l.refused(l.gil, "globex", "enable-app", `{"app":"billing","config":{"currency":"EUR"}}`, "app-not-ready", "licence", "ledger")
	at := l.moment("prepared")
	l.expect(at, "una ledger.entry.read", "false")
	l.send(l.ann, "acme", "enable-app", `{"app":"billing","resumes":true,"config":{"currency":"EUR","key":"secret://billing/stripe"}}`)
	clerk := domain.App("billing").RoleID(domain.TenantID{UUID: uuid.MustParse(l.tenants["acme"])}, "clerk")
	l.send(l.root, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, clerk, l.unas))
	at = l.moment("enabled")
	l.expect(at, "una billing.invoice.read", "true")
	l.expect(at, "acme tenant-apps", `"app":"billing"`, `"enabled":true`)
	l.refused(l.ann, "acme", "disable-app", `{"app":"ledger"}`, "app-needed", "billing")
	l.refused(l.ann, "acme", "configure-app", `{"app":"billing","config":{"currency":"DM"}}`, "config-invalid", "/config/currency")
}

func (l *life) use() {
	l.send(l.ann, "acme", "consume", `{"app":"billing","entitlement":"invoices","amount":90}`)
	l.refused(l.ann, "acme", "consume", `{"app":"billing","entitlement":"invoices","amount":11}`, "allowance-exceeded")
	l.send(l.ann, "acme", "assign-seat", fmt.Sprintf(`{"license_id":%q,"user_id":%q}`, l.license, l.unas))
	l.send(l.ann, "acme", "activate-license", fmt.Sprintf(`{"license_id":%q,"fingerprint":"board 7"}`, l.license))
	l.refused(l.ann, "acme", "activate-license", fmt.Sprintf(`{"license_id":%q,"fingerprint":"board 8"}`, l.license), "no-activation-left")
	at := l.moment("used")
	l.expect(at, "acme invoices", `"left":10`, `"used":90`)
}

func (l *life) upgrade() {
	l.send(l.vic, "forge", "publish-app-version", manifest("billing", "1.1.0", billingTwo))
	r := l.refused(l.ann, "acme", "upgrade-app", `{"app":"billing"}`, "upgrade-unconfirmed", "billing.invoice.void")
	hash := l.app.column(l.T, `SELECT manifest_hash FROM core.app_versions WHERE app = 'billing' AND app_version = '1.1.0'`)
	if len(hash) != 1 || !strings.Contains(r.body, hash[0]) {
		l.Errorf("the hash %v is not in %s", hash, r.body)
	}
	confirm := `"confirm":"` + hash[0] + `"`
	l.refused(l.ann, "acme", "upgrade-app", `{"app":"billing",`+confirm+`}`, "privileges-unconsented", "billing.invoice.void")
	l.send(l.ann, "acme", "upgrade-app", `{"app":"billing",`+confirm+`,"consent":["billing.invoice.void"]}`)
	l.expect(l.moment("upgraded"), "acme tenant-apps", `"app_version":"1.1.0"`, `"previous_version":"1.0.0"`)
	l.send(l.ann, "acme", "roll-back-app", `{"app":"billing"}`)
	at := l.moment("rolled back")
	l.expect(at, "acme tenant-apps", `"app_version":"1.0.0"`)
	l.expect(at, "una billing.invoice.read", "true")
}

func (l *life) endings() {
	l.clock.at.Store(new(l.began.AddDate(0, 0, 31)))
	at := l.moment("in grace")
	l.expect(at, "acme exports", `"allowed":true`, `grace`)
	l.expect(at, "una billing.invoice.read", "true")
	l.clock.forward(48 * time.Hour)
	at = l.moment("ended")
	l.expect(at, "acme exports", `"allowed":false`)
	l.expect(at, "una billing.invoice.read", "false")
	l.expect(at, "una core.users.read", at["una core.users.read"])
	l.expect(at, "acme tenant-apps", `"disabled_reason":"license-ended"`)
	l.send(l.vic, "forge", "renew-license", fmt.Sprintf(`{"id":%q,"ends_at":%q}`, l.license, l.began.AddDate(0, 6, 0).Format(time.RFC3339)))
	at = l.moment("renewed")
	l.expect(at, "una billing.invoice.read", "true")
	l.expect(at, "acme invoices", `"used":90`)
	l.send(l.vic, "forge", "revoke-license", fmt.Sprintf(`{"id":%q,"reason":"unpaid"}`, l.license))
	at = l.moment("revoked")
	l.expect(at, "una billing.invoice.read", "false")
	l.expect(at, "acme seats", `"status":"released"`)
	l.send(l.ann, "acme", "disable-app", `{"app":"ledger"}`)
	l.send(l.vic, "forge", "yank-app-version", `{"app":"billing","version":"1.1.0","reason":"withdrawn"}`)
	l.expect(l.moment("left"), "acme apps", `"latest_version":"1.0.0"`)
}

// checkPast asks every question again of the moments at which it was asked.
func (l *life) checkPast() {
	if len(l.moments) < 10 {
		l.Errorf("only %d moments", len(l.moments))
	}
	for _, m := range l.moments {
		if d := diff.Diff(m.answers, l.questions(m.position)); d != "" {
			l.Errorf("%s, as of %s, is answered otherwise than it was then (-then +now):\n%s", m.name, m.position, d)
		}
	}
}

// checkRows compares the tables with what has happened, every event with its row of the audit log, and the tables with the log.
func (l *life) checkRows() {
	l.quiet()
	names := `replace(replace(replace(x, '` + l.tenants["acme"] + `', 'acme'), '` + l.tenants["globex"] + `', 'globex'), '` + l.tenants["forge"] + `', 'forge')`
	rows := func(what, query string, want ...string) {
		l.Helper()
		got := l.app.column(l.T, `SELECT `+names+` FROM (`+query+`) AS rows (x) ORDER BY 1`)
		slices.Sort(want)
		if d := diff.Diff(want, got); d != "" {
			l.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	root := domain.Root.String()
	rows("vendors", `SELECT concat_ws(' ', tenant_id, id, status) FROM core.vendors`, root+" forge admitted")
	rows("apps", `SELECT concat_ws(' ', tenant_id, name, vendor) FROM core.apps`, root+" billing forge", root+" ledger forge", root+" memo forge")
	rows("app_versions", `SELECT concat_ws(' ', app, app_version, status, license_required, grows) FROM core.app_versions`,
		"billing 1.0.0 published t f", "billing 1.1.0 yanked t t", "ledger 1.0.0 published f f", "memo 0.1.0 published f f")
	rows("app_routes", `SELECT concat_ws(' ', app, app_version, path_prefix, privilege) FROM core.app_routes`,
		"billing 1.0.0 /billing billing.invoice.read", "billing 1.1.0 /billing billing.invoice.read", "ledger 1.0.0 /ledger ledger.entry.read")
	rows("tenant_apps", `SELECT concat_ws(' ', tenant_id, app, enabled, app_version, previous_version, resumes, disabled_reason) FROM core.tenant_apps`,
		"acme billing f 1.0.0 1.1.0 t license-ended", "acme ledger f 1.0.0 f ")
	rows("licenses", `SELECT concat_ws(' ', tenant_id, holder_tenant_id, vendor_tenant_id, app, revision, status, status_reason, imported) FROM core.licenses`,
		"acme acme forge billing 2 revoked unpaid f", "forge acme forge billing 2 revoked unpaid f")
	rows("license_entitlements", `SELECT concat_ws(' ', tenant_id, name, kind, allowance, period, used, used_period, revision) FROM core.license_entitlements`,
		"acme exports feature 0 2", "acme invoices meter 100 once 90 once 2")
	rows("license_usage", `SELECT concat_ws(' ', tenant_id, name, amount, total, over, status) FROM core.license_usage`, "acme invoices 90 90 f recorded")
	rows("license_seats", `SELECT concat_ws(' ', tenant_id, seating, user_id::text = '`+l.unas+`', status) FROM core.license_seats`, "acme named t released")
	rows("license_activations", `SELECT concat_ws(' ', tenant_id, app, status) FROM core.license_activations`, "acme billing active")
	rows("signing_keys", `SELECT concat_ws(' ', tenant_id, origin, status) FROM core.signing_keys`, "forge created active")

	rows("events without their row of the audit log", `SELECT e.type FROM core.events e LEFT JOIN core.audit_log a ON a.id = e.id WHERE a.id IS NULL`)
	rows("rows of the audit log without their event", `SELECT a.id::text FROM core.audit_log a LEFT JOIN core.events e ON a.id = e.id WHERE e.id IS NULL`)
	rows("reactions and ends of acme", `SELECT e.type || ' because of ' || coalesce((SELECT c.type FROM core.events c WHERE c.id::text = e.metadata->>'causation'), 'the clock')
		FROM core.events e WHERE e.tenant_id = '`+l.tenants["acme"]+`' AND (e.type ~ '^license.(expired|ended)' OR e.metadata->>'causation' IS NOT NULL)`,
		"license.expired because of the clock", "license.ended because of the clock", "tenant-app.disabled because of license.ended",
		"tenant-app.enabled because of license.renewed", "tenant-app.disabled because of license.revoked", "seat.released because of license.revoked")

	replayed, err := l.app.Replay()
	if err != nil {
		l.Fatal(err)
	}
	if v, err := replayed.Verify(l.Context(), 10); err != nil || v.Total != 0 {
		l.Errorf("the tables differ from the log: %+v, %v", v, err)
	}
}
