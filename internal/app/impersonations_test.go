package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/internal/apitoken"
)

// masquerade is an app with a tenant acme, whose policy allows to act as its users at once: as ann, who may add groups. Bob helps:
// he has that right too, and those to impersonate.
type masquerade struct {
	*App
	clock     *clock
	root      caller
	bob       caller
	ann, bobs string // their ids
}

func newMasquerade(t *testing.T) *masquerade {
	t.Helper()
	c := newClock(time.Now().UTC().Truncate(time.Second))
	a, root := platformWith(t, Config{Now: c.now})
	m := &masquerade{App: a, clock: c, root: root}
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	root.must(t, "acme", "set-policy", `{"key":"`+domain.ImpersonationWord.Key+`","value":"allowed"}`)
	m.ann, m.bobs = m.register(t, "ann"), m.register(t, "bob")
	m.role(t, "Grouper", m.ann, "core.groups.create")
	m.role(t, "Helper", m.bobs, "core.groups.*", "core.impersonations.*")
	m.bob = root.as(root.issue(t, "acme", m.bobs))
	return m
}

func (m *masquerade) register(t *testing.T, name string) string {
	t.Helper()
	return m.root.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":%q,"email":"%s@acme.test"}`, name, name))
}

// role makes a role of privileges and gives it to somebody.
func (m *masquerade) role(t *testing.T, name, to string, privileges ...string) (assignment string) {
	t.Helper()
	list, _ := json.Marshal(privileges)
	role := m.root.must(t, "acme", "create-role", fmt.Sprintf(`{"name":%q,"privileges":%s}`, name, list))
	return m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, role, to))
}

func actingAs(who string) string { return fmt.Sprintf(`{"target_user_id":%q,"reason":"test"}`, who) }

// as is by the token of an impersonation.
func (m *masquerade) as(t *testing.T, admin caller, who string) (by caller, id string) {
	t.Helper()
	r := admin.command("acme", "start-impersonation", actingAs(who))
	if r.status != http.StatusOK || !strings.HasPrefix(r.part("token"), "chn_imp_") {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return admin.as(r.part("token")), r.part("id")
}

func (m *masquerade) accepted(c caller) bool {
	return c.do("GET", "/v1/me", "").status == http.StatusOK
}

func (c caller) stop() int { return c.do("DELETE", "/v1/impersonations/current", "").status }

func TestWhatWasDoneAsSomebodyIsForThemToRead(t *testing.T) {
	m := newMasquerade(t)
	by, id := m.as(t, m.bob, m.ann)
	group := by.must(t, "acme", "create-group", `{"name":"Team"}`)
	if status := by.stop(); status != http.StatusNoContent {
		t.Fatalf("stop: %d", status)
	}
	m.settled(t)
	for _, table := range []string{"core.events", "core.impersonation_sessions", "core.audit_log"} {
		if n := m.column(t, "SELECT count(*)::text FROM "+table+" r WHERE r::text LIKE '%'||$1||'%'", by.token)[0]; n != "0" {
			t.Errorf("%s holds the token", table)
		}
	}
	ann := m.root.as(m.root.issue(t, "acme", m.ann))
	own := ann.do("GET", "/v1/tenants/acme/impersonations?user_id="+m.ann, "")
	for _, part := range []string{`"id":"` + id, `"admin_user_id":"` + m.bobs, `"status":"ended"`, `"end_reason":"left"`, `"reason":"test"`} {
		if !strings.Contains(own.body, part) {
			t.Errorf("ann reads no %s: %d %s", part, own.status, own.body)
		}
	}
	type entry struct {
		Action, Actor, Effective, Object, Impersonation string
		As                                              bool
	}
	var page struct {
		Items []struct {
			Action        string `json:"action"`
			Actor         string `json:"actor_user_id"`
			Effective     string `json:"effective_user_id"`
			Object        string `json:"object_ref"`
			Impersonation string `json:"impersonation_id"`
			As            bool   `json:"is_impersonated"`
		} `json:"items"`
	}
	want := []entry{
		{"group.created", m.bobs, m.ann, "group:" + group, id, true}, {"impersonation.ended", m.bobs, m.ann, "impersonation:" + id, id, true},
	}
	for _, query := range []string{"effective_user_id=" + m.ann, "impersonation_id=" + id} {
		who := ann
		if strings.HasPrefix(query, "imp") {
			who = m.root
		}
		r := who.do("GET", "/v1/tenants/acme/audit?"+query, "")
		if page.Items = nil; json.Unmarshal([]byte(r.body), &page) != nil || r.status != http.StatusOK {
			t.Fatalf("%d %s", r.status, r.body)
		}
		var got []entry
		for _, i := range page.Items {
			got = append(got, entry{i.Action, i.Actor, i.Effective, i.Object, i.Impersonation, i.As})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	if r := ann.do("GET", "/v1/tenants/acme/impersonations?user_id="+m.bobs, ""); r.status != http.StatusForbidden {
		t.Errorf("somebody else's: %d %s", r.status, r.body)
	}
	if r := m.bob.do("GET", "/v1/tenants/acme/impersonations/"+id+"/history", ""); strings.Count(r.body, `"type":"impersonation.`) != 2 {
		t.Errorf("history: %d %s", r.status, r.body)
	}
}

// paths are the ways by which somebody comes to a right, and how each ends. The right is core.domains.add, which bob lacks.
var paths = map[string]func(t *testing.T, m *masquerade) (end func()){
	"a role of their own": func(t *testing.T, m *masquerade) func() {
		return m.unassign(t, m.role(t, "Domains", m.ann, "core.domains.add"))
	},
	"a role that inherits": func(t *testing.T, m *masquerade) func() {
		above := m.root.must(t, "acme", "create-role", `{"name":"Above","privileges":["core.domains.add"]}`)
		below := m.root.must(t, "acme", "create-role", `{"name":"Below","parents":["`+above+`"]}`)
		return m.unassign(t, m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, below, m.ann)))
	},
	"a role that begins tomorrow": func(t *testing.T, m *masquerade) func() {
		role := m.root.must(t, "acme", "create-role", `{"name":"Tomorrow","privileges":["core.domains.add"]}`)
		from := m.clock.now().Add(24 * time.Hour).Format(time.RFC3339)
		return m.unassign(t, m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q,"from":%q}`, role, m.ann, from)))
	},
	"a role on one resource": func(t *testing.T, m *masquerade) func() {
		role := m.root.must(t, "acme", "create-role", `{"name":"Scoped","privileges":["core.domains.add"]}`)
		return m.unassign(t, m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q,"scope":"domain:x"}`, role, m.ann)))
	},
	"their department": func(t *testing.T, m *masquerade) func() {
		role := m.root.must(t, "acme", "create-role", `{"name":"Domains","privileges":["core.domains.add"]}`)
		department := m.root.must(t, "acme", "create-department", `{"name":"Sales"}`)
		m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"department_id":%q}`, role, department))
		m.root.must(t, "acme", "move-user", fmt.Sprintf(`{"id":%q,"department_id":%q}`, m.ann, department))
		return func() { m.root.must(t, "acme", "move-user", fmt.Sprintf(`{"id":%q}`, m.ann)) }
	},
	"a group": func(t *testing.T, m *masquerade) func() {
		role := m.root.must(t, "acme", "create-role", `{"name":"Domains","privileges":["core.domains.add"]}`)
		group := m.root.must(t, "acme", "create-group", `{"name":"Team"}`)
		m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"group_id":%q}`, role, group))
		return m.join(t, group, "member")
	},
	"a group above theirs": func(t *testing.T, m *masquerade) func() {
		role := m.root.must(t, "acme", "create-role", `{"name":"Domains","privileges":["core.domains.add"]}`)
		above := m.root.must(t, "acme", "create-group", `{"name":"Above"}`)
		group := m.root.must(t, "acme", "create-group", fmt.Sprintf(`{"name":"Below","parent_id":%q}`, above))
		m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"group_id":%q}`, role, above))
		return m.join(t, group, "member")
	},
	"an office in a group": func(t *testing.T, m *masquerade) func() {
		group := m.root.must(t, "acme", "create-group", `{"name":"Team"}`)
		return m.join(t, group, "maintainer")
	},
	"an override": func(t *testing.T, m *masquerade) func() {
		m.root.must(t, "root", "set-policy", `{"key":"`+domain.OverrideAllow.Key+`","value":"core.domains.add"}`)
		end := m.clock.now().Add(time.Hour).Format(time.RFC3339)
		id := m.root.must(t, "acme", "add-override",
			fmt.Sprintf(`{"effect":"allow","privilege":"core.domains.add","user_id":%q,"expires_at":%q,"reason":"test"}`, m.ann, end))
		return func() { m.root.must(t, "acme", "revoke-override", fmt.Sprintf(`{"id":%q}`, id)) }
	},
	"a delegation": func(t *testing.T, m *masquerade) func() {
		dan := m.register(t, "dan")
		m.role(t, "Domains", dan, "core.domains.add")
		as := m.root.as(m.root.issue(t, "acme", dan))
		end := m.clock.now().Add(time.Hour).Format(time.RFC3339)
		id := as.must(t, "acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"until":%q}`, m.ann, end))
		m.root.as(m.root.issue(t, "acme", m.ann)).must(t, "acme", "accept-delegation", fmt.Sprintf(`{"id":%q}`, id))
		return func() { as.must(t, "acme", "revoke-delegation", fmt.Sprintf(`{"id":%q}`, id)) }
	},
	"a group of another tenant": func(t *testing.T, m *masquerade) func() {
		m.root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
		m.root.must(t, "beta", "set-policy", `{"key":"`+domain.OutsideMembers.Key+`","value":"true"}`)
		m.root.must(t, "acme", "set-policy", `{"key":"`+domain.JoinOutside.Key+`","value":"true"}`)
		role := m.root.must(t, "beta", "create-role", `{"name":"Domains","privileges":["core.domains.add"]}`)
		group := m.root.must(t, "beta", "create-group", `{"name":"Team"}`)
		m.root.must(t, "beta", "assign-role", fmt.Sprintf(`{"role_id":%q,"group_id":%q}`, role, group))
		id := m.root.must(t, "beta", "invite-to-group", fmt.Sprintf(`{"group_id":%q,"tenant":"acme","user_id":%q}`, group, m.ann))
		ann := m.root.as(m.root.issue(t, "acme", m.ann))
		ann.must(t, "acme", "accept-group-invitation", fmt.Sprintf(`{"id":%q}`, id))
		return func() { ann.must(t, "acme", "leave-group", fmt.Sprintf(`{"id":%q}`, id)) }
	},
}

func (m *masquerade) unassign(t *testing.T, assignment string) func() {
	return func() { m.root.must(t, "acme", "unassign-role", fmt.Sprintf(`{"id":%q}`, assignment)) }
}

func (m *masquerade) join(t *testing.T, group, role string) func() {
	m.root.must(t, "acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q,"role":%q}`, group, m.ann, role))
	return func() {
		m.root.must(t, "acme", "remove-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, group, m.ann))
	}
}

func TestImpersonatingSomebodyWithARightThatOneLacksByWhicheverPath(t *testing.T) {
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			m := newMasquerade(t)
			by, _ := m.as(t, m.bob, m.ann)
			if !m.accepted(by) {
				t.Fatal("not even without the right")
			}
			end := path(t, m)
			if m.accepted(by) {
				t.Error("what goes on is not stopped")
			}
			by.stop()
			if r := m.bob.command("acme", "start-impersonation", actingAs(m.ann)); r.status != http.StatusForbidden || r.code() != "may-not-impersonate" {
				t.Errorf("%d %s", r.status, r.body)
			}
			end()
			m.as(t, m.bob, m.ann)
		})
	}
}

func TestAnImpersonatorHasOfTheUsersRightsThoseThatAreTheirOwnToo(t *testing.T) {
	m := newMasquerade(t)
	m.role(t, "Adders", m.bobs, "core.departments.create")
	by, _ := m.as(t, m.bob, m.ann)
	by.must(t, "acme", "create-group", `{"name":"Team"}`)
	if r := by.command("acme", "create-department", `{"name":"Sales"}`); r.status != http.StatusForbidden { // bob's, not ann's
		t.Errorf("%d %s", r.status, r.body)
	}
	m.root.must(t, "acme", "add-override", fmt.Sprintf(`{"effect":"deny","privilege":"core.groups.create","user_id":%q,"expires_at":%q,"reason":"x"}`,
		m.ann, m.clock.now().Add(time.Hour).Format(time.RFC3339)))
	if r := by.command("acme", "create-group", `{"name":"Other"}`); r.status != http.StatusForbidden { // denied to ann
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestOneImpersonationAtATimeOverAllTenants(t *testing.T) {
	m := newMasquerade(t)
	var targets []string
	for _, tenant := range []string{"beta", "gamma"} {
		m.root.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":%q,"slug":%q}`, tenant, tenant))
		m.root.must(t, tenant, "set-policy", `{"key":"`+domain.ImpersonationWord.Key+`","value":"allowed"}`)
		targets = append(targets, m.root.must(t, tenant, "register-user", `{"display_name":"Somebody"}`))
	}
	by, id := m.as(t, m.root, m.ann)
	if r := m.root.command("beta", "start-impersonation", actingAs(targets[0])); r.code() != "impersonation-open" || !strings.Contains(r.body, id) {
		t.Errorf("%d %s", r.status, r.body)
	}
	m.bob.must(t, "acme", "start-impersonation", actingAs(m.ann)) // somebody else's is no matter
	if status := by.stop(); status != http.StatusNoContent {
		t.Fatalf("stop: %d", status)
	}
	got := race(12, func(i int) reply {
		return m.root.command([]string{"beta", "gamma"}[i%2], "start-impersonation", actingAs(targets[i%2]))
	})
	if got["200"] != 1 || got["422 impersonation-open"] != 11 {
		t.Errorf("of twelve at once: %v", got)
	}
}

func TestConsentIsAskedForGivenAndGoodOnce(t *testing.T) {
	m := newMasquerade(t)
	m.root.must(t, "acme", "set-policy", `{"key":"`+domain.ImpersonationWord.Key+`","value":"on_request"}`)
	ann := m.root.as(m.root.issue(t, "acme", m.ann))
	if r := m.bob.command("acme", "start-impersonation", actingAs(m.ann)); r.code() != "consent-needed" {
		t.Errorf("%d %s", r.status, r.body)
	}
	id := m.bob.must(t, "acme", "request-impersonation", fmt.Sprintf(`{"target_user_id":%q,"reason":"the page is empty","minutes":10}`, m.ann))
	body := fmt.Sprintf(`{"id":%q}`, id)
	begin := fmt.Sprintf(`{"id":%q,"target_user_id":%q}`, id, m.ann)
	for _, who := range []caller{m.bob, m.root} {
		if r := who.command("acme", "consent-to-impersonation", body); r.status != http.StatusForbidden || r.code() != "may-not-consent" {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if r := m.bob.command("acme", "start-impersonation", begin); r.code() != "consent-needed" {
		t.Errorf("%d %s", r.status, r.body)
	}
	ann.must(t, "acme", "consent-to-impersonation", body)
	first := m.bob.command("acme", "start-impersonation", begin, "Idempotency-Key", "k")
	again := m.bob.command("acme", "start-impersonation", begin, "Idempotency-Key", "k")
	if first.status != http.StatusOK || again.body != first.body {
		t.Fatalf("%d %s, repeated: %s", first.status, first.body, again.body)
	}
	if r := m.bob.command("acme", "start-impersonation", begin); r.code() != "impersonation-over" {
		t.Errorf("used twice: %d %s", r.status, r.body)
	}
	by := m.bob.as(first.part("token"))
	m.clock.forward(10*time.Minute - time.Second)
	if !m.accepted(by) {
		t.Error("ended early")
	}
	m.clock.forward(time.Second)
	if m.accepted(by) {
		t.Error("goes on for longer than was consented to")
	}
	ann.must(t, "acme", "end-impersonation", body)
	m.settled(t)
	if r := ann.do("GET", "/v1/tenants/acme/impersonations/"+id, ""); r.part("consented_by") != m.ann {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestATargetOrAnAdministratorEndsItAndTheTokenIsRefusedAtOnce(t *testing.T) {
	m := newMasquerade(t)
	ann := m.root.as(m.root.issue(t, "acme", m.ann))
	for _, who := range []caller{ann, m.root, m.bob} {
		by, id := m.as(t, m.bob, m.ann)
		who.must(t, "acme", "end-impersonation", fmt.Sprintf(`{"id":%q,"reason":"enough"}`, id))
		if m.accepted(by) || by.stop() != http.StatusNoContent {
			t.Error("it goes on, or its end is refused")
		}
	}
	stranger := m.root.as(m.root.issue(t, "acme", m.register(t, "cat")))
	by, id := m.as(t, m.bob, m.ann)
	if r := stranger.command("acme", "end-impersonation", fmt.Sprintf(`{"id":%q}`, id)); r.status != http.StatusNotFound || !m.accepted(by) {
		t.Errorf("a stranger: %d %s", r.status, r.body)
	}
}

func TestATokenMintedWhileImpersonating(t *testing.T) {
	m := newMasquerade(t)
	boss := m.root.user(t, "acme", "boss", true)
	victim := m.register(t, "victim")
	m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, victim))
	by, _ := m.as(t, boss, victim)
	for command, body := range map[string]string{
		"issue-token":      fmt.Sprintf(`{"name":"minted","expires_at":%q}`, soon()),
		"set-password":     `{"password":"a password of somebody else"}`,
		"link-identity":    fmt.Sprintf(`{"user_id":%q,"issuer":"https://evil.test","subject":"me"}`, victim),
		"grant-delegation": fmt.Sprintf(`{"delegate_user_id":%q,"until":%q}`, m.bobs, soon()),
		"assign-role":      fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, m.bobs),
		"add-group-member": fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, m.root.must(t, "acme", "create-group", `{"name":"Team"}`), m.bobs),
	} {
		if r := by.command("acme", command, body); r.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", command, r.status, r.body)
		}
	}
	if r := by.do("GET", "/v1/tenants/acme/secrets", ""); r.status != http.StatusForbidden {
		t.Errorf("secrets: %d %s", r.status, r.body)
	}
	if n := m.column(t, "SELECT count(*)::text FROM core.events WHERE metadata->>'impersonation' IS NOT NULL AND type <> 'command.refused'")[0]; n != "0" {
		t.Errorf("%s events", n)
	}
}

// untilShown waits until the tables have seen the log: who reads by hand is slower than they are.
const untilShown = `
p=$(curl -sS -o /dev/null -D - "$api/events?limit=1" -H "$auth" | tr -d '\r' | grep -i '^chancery-position:' | cut -d' ' -f2)
for c in impersonations audit; do curl -sS --fail -o /dev/null "$api/$c?limit=1" -H "$auth" -H "Chancery-Min-Position: $p"; done`

func TestTheExampleOfTheDocumentRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a durable server")
	}
	needPrograms(t, "bash", "curl", "grep", "cut")
	data := filepath.Join(t.TempDir(), ".chancery")
	v := launch(t, data)
	token := bootstrapAt(t, v.url, data)
	ask := func(path, body string) []byte {
		status, answer := call(t, http.MethodPost, v.url+path, token, body)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
		return answer
	}
	ask("/v1/tenants/root/commands/create-tenant", `{"name":"Acme","slug":"acme"}`)
	bob := part(ask("/v1/tenants/acme/commands/register-user", `{"email":"bob@acme.test","display_name":"Bob"}`), "id")
	bobs := part(ask("/v1/tenants/acme/commands/issue-token", fmt.Sprintf(`{"user_id":%q,"name":"bob","expires_at":%q}`, bob, soon())), "token")
	script := strings.Join(scripts(t, "docs/impersonation.md", "An example that runs"), "\n")
	script = strings.ReplaceAll(script, "\n# Bob reads", untilShown+"\n# Bob reads")
	script = strings.ReplaceAll(script, "localhost:8080", strings.TrimPrefix(v.url, "http://"))
	out := runShell(t, t.TempDir(), strings.ReplaceAll(script, "curl -s ", "curl -sS --fail-with-body -w '\\n' "),
		"auth=Authorization: Bearer "+token, "bob="+bob, "bobs="+bobs)
	for _, part := range []string{
		`"reason":"his invoice page stays empty"`, `"status":"requested"`, `"type":"impersonation.consented"`, `"impersonation_id":"`,
		`"effective_user_id":"` + bob, `"status":"ended"`, `"action":"impersonation.ended"`,
	} {
		if !strings.Contains(out, part) {
			t.Errorf("the answers lack %s:\n%s", part, out)
		}
	}
	if strings.Contains(out, string(apitoken.Impersonation)+"_") {
		t.Error("the example shows the token")
	}
}
