package app

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/readmodels"
	"chancery/transport"
	"chancery/transport/transporttest"
)

// furnish makes a thing of every kind in a tenant and returns their ids by kind.
func furnish(t *testing.T, c caller, tenant string) map[string]string {
	t.Helper()
	in := map[string]string{}
	add := func(kind, command, body string) {
		in[kind] = c.must(t, tenant, command, expand(body, in))
	}
	add("department", "create-department", `{"name":"Sales"}`)
	add("user", "register-user", `{"display_name":"Una","email":"una@`+tenant+`.test","department_id":"$department"}`)
	add("group", "create-group", `{"name":"Team"}`)
	add("membership", "add-group-member", `{"group_id":"$group","user_id":"$user"}`)
	add("role", "create-role", `{"name":"Reader","privileges":["core.users.read"]}`)
	add("assignment", "assign-role", `{"role_id":"$role","user_id":"$user"}`)
	add("override", "add-override", `{"effect":"deny","privilege":"core.users.update","user_id":"$user","expires_at":"`+soon()+`","reason":"test"}`)
	add("domain", "add-domain", `{"domain":"`+tenant+`.test"}`)
	add("policy", "set-policy", `{"key":"`+domain.TokenDays.Key+`","value":"100"}`)
	in["credential"] = c.as(c.issue(t, tenant, in["user"])).must(t, tenant, "set-password", `{"password":"una has a password"}`)
	deputy := c.must(t, tenant, "register-user", `{"display_name":"Dee"}`)
	in["delegation"] = c.as(c.issue(t, tenant, in["user"])).must(t, tenant, "grant-delegation", `{"delegate_user_id":"`+deputy+`","until":"`+soon()+`"}`)
	add("identity", "link-identity", `{"user_id":"$user","issuer":"https://id.`+tenant+`.test","subject":"una"}`)
	session := c.as("").do(http.MethodPost, "/v1/tenants/"+tenant+"/sessions", `{"email":"una@`+tenant+`.test","password":"una has a password"}`)
	if in["session"] = session.part("session_id"); in["session"] == "" {
		t.Fatalf("una does not sign in: %d %s", session.status, session.body)
	}
	add("issuer", "add-issuer", `{"name":"ID","url":"https://id.`+tenant+`.test","client_id":"c","enabled":false}`) // one in use is open to everybody
	c.must(t, tenant, "set-policy", `{"key":"`+domain.ErasureFour.Key+`","value":"true"}`)
	add("erasure", "erase-user", `{"user_id":"$user","reason":"test"}`)
	add("link", "send-password-reset", `{"user_id":"$user"}`)
	add("secret", "create-secret", `{"app":"billing","name":"smtp","value":"x"}`)
	c.must(t, tenant, "set-policy", `{"key":"`+domain.OutsideMembers.Key+`","value":"true"}`)
	c.must(t, "root", "set-policy", `{"key":"`+domain.JoinOutside.Key+`","value":"true"}`)
	outsider := c.must(t, "root", "register-user", `{"display_name":"Ole"}`)
	add("group-invitation", "invite-to-group", `{"group_id":"$group","tenant":"root","user_id":"`+outsider+`"}`)
	c.must(t, tenant, "set-policy", `{"key":"`+domain.ImpersonationWord.Key+`","value":"on_request"}`)
	add("impersonation", "request-impersonation", `{"target_user_id":"$user","reason":"test"}`)
	add("rare", "create-role", `{"name":"Rare"}`)
	c.must(t, tenant, "set-policy", `{"key":"`+domain.ApproveRoles.Key+`","value":"`+in["rare"]+`"}`)
	add("approval", "assign-role", `{"role_id":"$rare","user_id":"$user"}`)
	add("constraint", "create-constraint", `{"name":"Few readers","kind":"cardinality","role_ids":["$rare"],"most":2}`)
	add("review", "start-review", `{"name":"Readers","role_id":"$role","due_at":"`+soon()+`","on_silence":"keep"}`)
	in["review-item"] = domain.NamedID(domain.TenantID{UUID: uuid.MustParse(c.do(http.MethodGet, "/v1/tenants/"+tenant, "").part("id"))}, "review-item", in["review"]+"/"+in["assignment"]).String()
	add("token", "issue-token", `{"user_id":"$user","name":"una","expires_at":"`+soon()+`"}`)
	self := c.do(http.MethodGet, "/v1/tenants/"+tenant, "").part("id")
	c.must(t, "root", "admit-vendor", `{"tenant_id":"`+self+`"}`) // everybody may know of vendors
	add("signing-key", "create-signing-key", `{}`)
	c.must(t, "root", "create-signing-key", `{}`)
	c.must(t, "root", "register-app", `{"name":"vm-`+tenant+`","title":"VM"}`) // everybody may know of apps
	in["license"] = c.must(t, "root", "issue-license", `{"tenant_id":"`+self+`","app":"vm-`+tenant+`","seats":2,"entitlements":[{"name":"hours","kind":"meter","limit":10,"period":"once"}]}`)
	add("seat", "assign-seat", `{"license_id":"$license","user_id":"`+deputy+`"}`)
	add("usage", "consume", `{"app":"vm-`+tenant+`","entitlement":"hours","amount":1}`)
	add("activation", "activate-license", `{"license_id":"$license","fingerprint":"board"}`)
	c.must(t, "root", "publish-app-version", `{"manifest":{"app":"vm-`+tenant+`","version":"1.0.0","privileges":[{"name":"vm-`+tenant+`.run","description":"run"}],"events":{"consumes":["core.user.*"]}}}`)
	c.must(t, tenant, "enable-app", `{"app":"vm-`+tenant+`"}`)
	add("endpoint", "create-endpoint", `{"app":"vm-`+tenant+`","kind":"pull","types":["core.user.*"]}`) // to a webhook something would be sent meanwhile
	happened := c.command(tenant, "create-group", `{"name":"Handled"}`)
	in["event"] = regexp.MustCompile(`"events":\[\{"position":"[0-9]+","id":"([^"]+)"`).FindStringSubmatch(happened.body)[1]
	add("consumption", "consume-event", `{"event_id":"$event","app":"vm-`+tenant+`"}`)
	add("pull", "create-endpoint", `{"app":"vm-`+tenant+`","kind":"pull","types":["core.user.*"]}`)
	c.must(t, tenant, "commit-checkpoint", `{"endpoint_id":"`+in["pull"]+`","through":1}`)
	puller := c.must(t, tenant, "create-endpoint", `{"app":"vm-`+tenant+`","kind":"pull","types":["core.user.*"]}`)
	tested := regexp.MustCompile(`"events":\[\{"position":"[0-9]+","id":"([^"]+)"`).FindStringSubmatch(c.command(tenant, "test-endpoint", `{"id":"`+puller+`"}`).body)[1]
	in["delivery"] = domain.DeliveryID(domain.EndpointID{UUID: uuid.MustParse(puller)}, uuid.MustParse(tested)).String() // pending, as nobody comes for it
	in["tenant-app"] = domain.App("vm-" + tenant).In(domain.TenantID{UUID: uuid.MustParse(self)}).String()
	return in
}

func expand(text string, names map[string]string) string {
	for _, kind := range slices.Sorted(maps.Keys(names)) {
		text = strings.ReplaceAll(text, "$"+kind, names[kind])
	}
	return text
}

// estate is everything that is kept of a tenant: its part of the log and of every table.
func (a *App) estate(t *testing.T, tenant string) string {
	t.Helper()
	a.settled(t)
	var all strings.Builder
	for _, table := range a.column(t, `
		SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
		WHERE c.table_schema = 'core' AND c.column_name = 'tenant_id' AND t.table_type = 'BASE TABLE' ORDER BY 1`) {
		rows := a.column(t, `SELECT r::text FROM core.`+table+` r WHERE tenant_id = $1 ORDER BY 1`, tenant)
		fmt.Fprintf(&all, "%s\n%s\n", table, strings.Join(rows, "\n"))
	}
	return all.String()
}

// settled returns when every table has seen the whole log.
func (a *App) settled(t *testing.T) { t.Helper(); waitFor(t, a, a.headForTest(t)) }

func TestNothingTellsOrChangesAnotherTenantsThings(t *testing.T) {
	a, root := platformWith(t, Config{SMTPURL: "smtp://127.0.0.1:1?starttls=none", MailFrom: "a@b.test"}) // nobody listens there
	acme := root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	beta := root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
	ann := root.user(t, "acme", "ann", true)
	abe := root.user(t, "acme", "abe", false)
	root.user(t, "beta", "bea", true)
	furnish(t, root, "acme")
	root.must(t, "root", "dismiss-vendor", `{"tenant_id":"`+acme+`"}`) // a vendor makes a key without a word
	theirs := furnish(t, root, "beta")
	event := a.column(t, `SELECT position::text FROM core.events WHERE tenant_id = $1 ORDER BY position DESC LIMIT 1`, beta)[0]
	a.settled(t) // the tables may lag
	mine := readAllText(ann, "acme")
	before := a.estate(t, beta)
	server := a.handlerForTest(t).(*transport.Server)
	for name, who := range map[string]caller{"an administrator": ann, "a plain user": abe} {
		t.Run(name, func(t *testing.T) {
			transporttest.Isolation{
				Handler: server, Routes: server.Routes(), Token: who.token, Own: "acme", Other: []string{beta, "beta"},
				Things: slices.Sorted(maps.Values(theirs)), State: func() string { return a.estate(t, beta) },
			}.Check(t)
			foreignWords(t, who, "acme", beta, theirs)
			for _, address := range []string{"events/%s", "audit/%s", "events/%s?as_of=" + event, "audit/%s?as_of=" + event} {
				there := who.do("GET", "/v1/tenants/acme/"+fmt.Sprintf(address, event), "")
				nowhere := who.do("GET", "/v1/tenants/acme/"+fmt.Sprintf(address, "987654321"), "")
				if there.status < 400 || there.status != nowhere.status || there.body != nowhere.body {
					t.Errorf("another tenant's event by %s: %d %s, nobody's: %d %s", address, there.status, there.body, nowhere.status, nowhere.body)
				}
			}
		})
	}
	if diff := cmp.Diff(before, a.estate(t, beta)); diff != "" {
		t.Errorf("the other tenant changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(mine, readAllText(ann, acme)); diff != "" {
		t.Errorf("the caller's own tenant changed (-before +after):\n%s", diff)
	}
}

// readAllText is what a caller reads of a tenant, but for the audit log and the events, where refusals stand.
func readAllText(c caller, tenant string) (all []string) {
	for _, of := range readmodels.Collections {
		if of.Name != "audit" && of.Name != "events" {
			body := c.do(http.MethodGet, "/v1/tenants/"+tenant+"/"+of.Name+"?limit=1000", "").body
			all = append(all, of.Name+": "+body[:max(0, strings.LastIndex(body, `"position"`))])
		}
	}
	return all
}

// public collections are the same for every tenant: what vendors do on the platform.
var public = map[string]bool{"vendors": true}

// stated is what an answer has seen, at its end: refusals are recorded in between, so the head moves.
var stated = regexp.MustCompile(`,"position":"[0-9]+"}$`)

// foreignWords uses another tenant's ids as words of the caller's own requests: in filters, access questions and batches.
func foreignWords(t *testing.T, c caller, own, other string, theirs map[string]string) {
	t.Helper()
	same := func(method, target, body, known string, headers ...string) {
		t.Helper()
		unknown := uuid.NewString()
		headers = append(headers, "X-Request-ID", "isolation")
		a := c.do(method, strings.ReplaceAll(target, "$it", known), strings.ReplaceAll(body, "$it", known), headers...)
		b := c.do(method, strings.ReplaceAll(target, "$it", unknown), strings.ReplaceAll(body, "$it", unknown), headers...)
		a.body, b.body = strings.ReplaceAll(a.body, known, "$it"), strings.ReplaceAll(b.body, unknown, "$it")
		a.body, b.body = stated.ReplaceAllString(a.body, ""), stated.ReplaceAllString(b.body, "")
		if a.status != b.status || a.body != b.body {
			t.Errorf("%s %s %s\nwith another tenant's thing: %d %s\nwith nobody's: %d %s", method, target, body, a.status, a.body, b.status, b.body)
		}
	}
	base := "/v1/tenants/" + own
	for _, id := range append(slices.Sorted(maps.Values(theirs)), other) {
		for _, of := range readmodels.Collections {
			if public[of.Name] {
				continue
			}
			for _, f := range of.Filters {
				same("GET", base+"/"+of.Name+"?"+f.Name+"=$it&as_of=1", "", id)
				if of.Name != "audit" && of.Name != "events" {
					same("GET", base+"/"+of.Name+"?"+f.Name+"=$it", "", id)
				}
			}
			same("GET", base+"/"+of.Name+"/$it?as_of=1", "", id)
		}
		for _, context := range []string{`{}`, `{"explain":true,"as_of":"1"}`} {
			same("POST", "/access/v1/evaluation", `{"subject":{"type":"user","id":"$it"},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"`+own+`"},"context":`+context+`}`, id)
			same("POST", "/access/v1/evaluation", `{"subject":{"type":"user","id":"$it"},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"$it"},"context":`+context+`}`, id)
			same("POST", "/access/v1/evaluations", `{"subject":{"type":"user","id":"$it"},"action":{"name":"core.users.read"},"resource":{"type":"group","id":"$it"},"evaluations":[{},{}],"context":`+context+`}`, id)
			same("POST", "/access/v1/search/action", `{"subject":{"type":"user","id":"$it"},"resource":{"type":"group","id":"$it"},"context":`+context+`}`, id)
			same("POST", "/access/v1/search/resource", `{"subject":{"type":"user","id":"$it"},"action":{"name":"core.users.read"},"resource":{"type":"group"},"context":`+context+`}`, id)
			same("POST", "/access/v1/search/subject", `{"subject":{"type":"user"},"action":{"name":"core.users.read"},"resource":{"type":"group","id":"$it"},"context":`+context+`}`, id)
			same("POST", "/access/v1/search/subject", `{"subject":{"type":"user"},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"$it"},"context":`+context+`}`, id)
		}
		for _, spec := range commands.Registry {
			line := fmt.Sprintf(`{"command":%q,"body":{"id":"$it"}}`, spec.Name)
			same("POST", base+"/commands", line, id, "Content-Type", "application/x-ndjson")
			same("POST", base+"/commands?atomic=true", line, id, "Content-Type", "application/x-ndjson")
			same("POST", base+"/commands/"+spec.Name, `{"id":"$it"}`, id, "If-Match", `"1"`)
		}
	}
}

func TestEveryRouteIsEitherTriedForIsolationOrOpenToEverybody(t *testing.T) {
	a, root := platform(t)
	known := map[string]bool{ // what names no tenant: open to everybody, or about the caller's own
		"/healthz": true, "/readyz": true, "/metrics": true, "/openapi.json": true, "/docs": true, "/docs/*": true,
		"/v1/schemas/app-manifest.json": true,
		"/v1/oidc/callback/:id":         true, // all that it knows is in the sealed state
		"/v1/sessions/step-up":          true, "/v1/sessions/step-up/passkey": true, "/v1/sessions/current": true,
		"/v1/impersonations/current": true, // its token is all that it knows
		"/v1/bootstrap":              true, "/v1/me": true, "/v1/tenants": true, "/.well-known/authzen-configuration": true,
		"/v1/gateway/routes": true, "/v1/gateway/caddy": true, // of the platform, for who may read there
		"/v1/gateway/authorize": true, // it knows of nobody but whoever's credentials are presented
		"/access/v1/evaluation": true, "/access/v1/evaluations": true,
		"/access/v1/search/subject": true, "/access/v1/search/resource": true, "/access/v1/search/action": true,
	}
	for _, r := range a.handlerForTest(t).(*transport.Server).Routes() {
		if !strings.Contains(r.Path, ":tenant") && !known[r.Path] {
			t.Errorf("nobody has thought of what %s %s may tell of other tenants", r.Method, r.Path)
		}
		for word := range strings.SplitSeq(r.Path, "/") {
			if strings.HasPrefix(word, ":") && word != ":tenant" && word != ":id" && word != ":command" {
				t.Errorf("nobody has thought of what to put in the place of %s in %s", word, r.Path)
			}
		}
	}
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ann := root.user(t, "acme", "ann", true)
	if r := ann.do("GET", "/v1/tenants", ""); strings.Count(r.body, `"slug"`) != 1 || !strings.Contains(r.body, `"acme"`) {
		t.Errorf("a tenant lists more than itself: %s", r.body)
	}
	for _, address := range []string{"/.well-known/authzen-configuration/%s", "/.well-known/authzen-configuration/v1/tenants/%s"} {
		there, nowhere := ann.do("GET", fmt.Sprintf(address, "acme"), ""), ann.do("GET", fmt.Sprintf(address, "ecma"), "")
		if there.status != nowhere.status || strings.ReplaceAll(there.body, "acme", "ecma") != nowhere.body {
			t.Errorf("%s tells which tenants there are", address)
		}
	}
}
