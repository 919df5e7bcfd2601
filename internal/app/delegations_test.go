package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
)

// deputies is a tenant in which ann holds rights, and bob and carl none of their own; gus is at home in another tenant.
type deputies struct {
	app  *App
	root caller
	as   map[string]caller
	ids  map[string]string
	role string // ann's
	held string // its assignment
}

func newDeputies(t *testing.T) *deputies {
	t.Helper()
	d := &deputies{as: map[string]caller{}, ids: map[string]string{}}
	d.app, d.root = platform(t)
	d.root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	d.root.must(t, "root", "create-tenant", `{"name":"Globex","slug":"globex"}`)
	for _, who := range []string{"ann", "bob", "carl", "gus"} {
		tenant := "acme"
		if who == "gus" {
			tenant = "globex"
		}
		d.as[who] = d.root.user(t, tenant, who, false)
		d.ids[who] = d.as[who].do(http.MethodGet, "/v1/me", "").part("user_id")
	}
	d.role = d.root.must(t, "acme", "create-role", `{"name":"Clerk","privileges":["core.users.read","core.groups.create","core.credentials.read"]}`)
	d.assign(t)
	return d
}

func (d *deputies) assign(t *testing.T) {
	t.Helper()
	d.held = d.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, d.role, d.ids["ann"]))
}

func (d *deputies) grant(t *testing.T, from, to, more string) string {
	t.Helper()
	return d.as[from].must(t, "acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"until":%q%s}`, d.ids[to], soon(), more))
}

func (d *deputies) accept(t *testing.T, who, tenant, id string) {
	t.Helper()
	d.as[who].must(t, tenant, "accept-delegation", fmt.Sprintf(`{"id":%q}`, id))
}

func (d *deputies) users(who, delegation string) reply {
	var headers []string
	if delegation != "" {
		headers = []string{"Chancery-Delegation", delegation}
	}
	return d.as[who].do(http.MethodGet, "/v1/tenants/acme/users", "", headers...)
}

func expectStatus(t *testing.T, what string, r reply, status int, code string) {
	t.Helper()
	if r.status != status || r.code() != code {
		t.Errorf("%s: %d %s, want %d %s", what, r.status, r.body, status, code)
	}
}

const loose = "delegation-not-in-force"

func TestADelegateActsWithTheGrantorsRightsAndTheRecordSaysSo(t *testing.T) {
	d := newDeputies(t)
	first := d.grant(t, "ann", "bob", `,"redelegations":1,"reason":"leave"`)
	expectStatus(t, "before it is accepted", d.users("bob", first), http.StatusForbidden, loose)
	d.accept(t, "bob", "acme", first)
	expectStatus(t, "with it", d.users("bob", first), http.StatusOK, "")
	expectStatus(t, "without it", d.users("bob", ""), http.StatusForbidden, "not-allowed")
	expectStatus(t, "somebody else's", d.users("carl", first), http.StatusBadRequest, "malformed")
	expectStatus(t, "what is never delegated", d.as["bob"].do(http.MethodGet, "/v1/tenants/acme/credentials", "", "Chancery-Delegation", first), http.StatusForbidden, "not-allowed")
	second := d.as["bob"].must(t, "acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"parent_id":%q}`, d.ids["carl"], first))
	d.accept(t, "carl", "acme", second)
	if r := d.as["carl"].command("acme", "create-group", `{"name":"Crew"}`, "Chancery-Delegation", second); r.status != http.StatusOK {
		t.Fatalf("carl creates no group: %d %s", r.status, r.body)
	}
	d.app.settled(t)
	got := d.app.column(t, `SELECT concat_ws(' ', actor_user_id, effective_user_id, is_delegated, delegation_id, metadata->>'delegation_chain')
		FROM core.audit_log WHERE action = 'group.created'`)
	want := fmt.Sprintf("%s %s t %s [%q, %q]", d.ids["carl"], d.ids["ann"], second, first, second)
	if diff := cmp.Diff([]string{want}, got); diff != "" {
		t.Errorf("the audit row (-want +got):\n%s", diff)
	}
	metadata := d.app.column(t, `SELECT concat_ws(' ', metadata->>'actor', metadata->>'effective', metadata->>'delegation', metadata->>'chain')
		FROM core.events WHERE type = 'group.created'`)
	if diff := cmp.Diff([]string{fmt.Sprintf(`%s %s %s [%q,%q]`, d.ids["carl"], d.ids["ann"], second, first, second)}, metadata); diff != "" {
		t.Errorf("the event (-want +got):\n%s", diff)
	}
}

func TestWhatTheGrantorLosesAllBelowLoseAtOnce(t *testing.T) {
	d := newDeputies(t)
	first := d.grant(t, "ann", "bob", `,"redelegations":1`)
	d.accept(t, "bob", "acme", first)
	second := d.as["bob"].must(t, "acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"parent_id":%q}`, d.ids["carl"], first))
	d.accept(t, "carl", "acme", second)
	both := func(what string, status int, code string) {
		t.Helper()
		expectStatus(t, what+": bob", d.users("bob", first), status, code)
		expectStatus(t, what+": carl", d.users("carl", second), status, code)
	}
	both("at first", http.StatusOK, "")
	d.root.must(t, "acme", "unassign-role", fmt.Sprintf(`{"id":%q}`, d.held))
	both("ann lost her role", http.StatusForbidden, "not-allowed")
	d.assign(t)
	both("ann has it again", http.StatusOK, "")
	d.root.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":%q,"value":"false"}`, domain.Delegable.Key))
	both("the tenant forbids delegations", http.StatusForbidden, loose)
	d.root.must(t, "acme", "reset-policy", fmt.Sprintf(`{"key":%q}`, domain.Delegable.Key))
	d.as["ann"].must(t, "acme", "revoke-delegation", fmt.Sprintf(`{"id":%q,"reason":"back"}`, first))
	both("revoked", http.StatusForbidden, loose)
	d.app.settled(t)
	got := d.app.column(t, `SELECT concat_ws(' ', status, end_reason) FROM core.delegations ORDER BY created_at`)
	if diff := cmp.Diff([]string{"revoked back", "revoked parent-ended"}, got); diff != "" {
		t.Errorf("the rows (-want +got):\n%s", diff)
	}
}

func TestADelegateOfAnotherTenantActsWhereBothAllowIt(t *testing.T) {
	d := newDeputies(t)
	body := fmt.Sprintf(`{"delegate_user_id":%q,"delegate_tenant":"globex","until":%q}`, d.ids["gus"], soon())
	expectStatus(t, "acme does not allow it", d.as["ann"].command("acme", "grant-delegation", body), http.StatusUnprocessableEntity, "delegations-outgoing-off")
	d.root.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, domain.DelegateOut.Key))
	expectStatus(t, "globex does not want it", d.as["ann"].command("acme", "grant-delegation", body), http.StatusUnprocessableEntity, "delegate-unavailable")
	d.root.must(t, "globex", "set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, domain.DelegateIn.Key))
	id := d.as["ann"].must(t, "acme", "grant-delegation", body)
	expectStatus(t, "not in the grantor's tenant", d.as["gus"].command("acme", "accept-delegation", fmt.Sprintf(`{"id":%q}`, id)), http.StatusNotFound, "not-found")
	d.accept(t, "gus", "globex", id)
	expectStatus(t, "with it", d.users("gus", id), http.StatusOK, "")
	expectStatus(t, "without it", d.users("gus", ""), http.StatusNotFound, "not-found")

	d.app.settled(t)
	for who, tenant := range map[string]string{"ann": "acme", "gus": "globex"} {
		r := d.as[who].do(http.MethodGet, "/v1/tenants/"+tenant+"/delegations/"+id, "")
		if r.status != http.StatusOK || r.part("status") != "accepted" || r.part("delegate_user_id") != d.ids["gus"] {
			t.Errorf("%s reads in %s: %d %s", who, tenant, r.status, r.body)
		}
	}
	expectStatus(t, "no business of bob's", d.as["bob"].do(http.MethodGet, "/v1/tenants/acme/delegations/"+id, ""), http.StatusForbidden, "not-allowed")

	d.root.must(t, "globex", "reset-policy", fmt.Sprintf(`{"key":%q}`, domain.DelegateIn.Key))
	expectStatus(t, "globex has changed its mind", d.users("gus", id), http.StatusForbidden, loose)
	d.root.must(t, "globex", "set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, domain.DelegateIn.Key))
	expectStatus(t, "and again", d.users("gus", id), http.StatusOK, "")
	d.root.must(t, "globex", "revoke-delegation", fmt.Sprintf(`{"id":%q,"reason":"our own business"}`, id))
	expectStatus(t, "ended by globex", d.users("gus", id), http.StatusForbidden, loose)
	d.app.settled(t)
	got := d.app.column(t, `SELECT t.slug || ' ' || d.status || ' ' || d.end_reason FROM core.delegations d JOIN core.tenants t ON t.id = d.tenant_id ORDER BY 1`)
	if want := []string{"acme revoked our own business", "globex revoked our own business"}; !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

func TestNothingHandedOnOutlivesARevocationAtTheSameTime(t *testing.T) {
	d := newDeputies(t)
	first := d.grant(t, "ann", "bob", `,"redelegations":1`)
	d.accept(t, "bob", "acme", first)
	counts := race(12, func(i int) reply {
		if i == 6 {
			return d.as["ann"].command("acme", "revoke-delegation", fmt.Sprintf(`{"id":%q}`, first))
		}
		return d.as["bob"].command("acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"parent_id":%q}`, d.ids["carl"], first))
	})
	t.Log(counts)
	if counts["200"] == 0 || counts["200"]+counts["422 "+loose]+counts["409 conflict"] != 12 {
		t.Errorf("answers %v", counts)
	}
	if r := d.as["ann"].command("acme", "revoke-delegation", fmt.Sprintf(`{"id":%q}`, first)); r.status != http.StatusOK {
		t.Errorf("revoked again: %d %s", r.status, r.body)
	}
	d.app.settled(t)
	if left := d.app.column(t, `SELECT id::text FROM core.delegations WHERE status IN ('offered', 'accepted')`); len(left) > 0 {
		t.Errorf("%d delegations still stand", len(left))
	}
}

func TestTheExampleOfDelegationsRuns(t *testing.T) {
	needPrograms(t, "bash", "curl", "grep", "cut", "date")
	d := newDeputies(t)
	server := httptest.NewServer(d.root.Handler)
	t.Cleanup(server.Close)
	script := strings.Join(scripts(t, "docs/delegations.md", "An example that runs"), "\n")
	script = strings.ReplaceAll(script, "localhost:8080", strings.TrimPrefix(server.URL, "http://"))
	out := runShell(t, t.TempDir(), strings.ReplaceAll(script, "curl -s ", "curl -sS --fail-with-body -w '\\n' "),
		"api="+server.URL+"/v1/tenants/acme", "ann="+d.as["ann"].token, "bob="+d.as["bob"].token, "carl="+d.as["carl"].token,
		"bobs="+d.ids["bob"], "carls="+d.ids["carl"])
	answers := strings.Split(strings.TrimSpace(out), "\n")
	want := []string{
		`"status":"offered"`, `"type":"delegation.accepted"`, `"display_name":"ann"`, `"type":"group.created"`, `"effective_user_id":"` + d.ids["ann"],
		`"type":"delegation.accepted"`, `"display_name":"ann"`, `"type":"delegation.revoked"`,
	}
	if len(answers) != len(want) {
		t.Fatalf("%d answers, want %d:\n%s", len(answers), len(want), out)
	}
	for i, part := range want {
		if !strings.Contains(answers[i], part) {
			t.Errorf("answer %d lacks %s:\n%s", i+1, part, answers[i])
		}
	}
	if n := strings.Count(answers[len(answers)-1], "delegation.revoked"); n != 2 {
		t.Errorf("%d are revoked, want both:\n%s", n, answers[len(answers)-1])
	}
}
