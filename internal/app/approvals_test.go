package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/domain"
)

// office is an app with a tenant acme of four administrators and una, who is none, in which nobody gets the role Payer without
// somebody else's approval.
type office struct {
	*App
	clock *clock
	root  caller
	payer string // the role
	ids   map[string]string
	as    map[string]caller
}

func newOffice(t *testing.T) *office {
	t.Helper()
	c := newClock(time.Now().UTC().Truncate(time.Second))
	a, root := platformWith(t, Config{Now: c.now, DueEvery: time.Hour})
	o := &office{App: a, clock: c, root: root, ids: map[string]string{}, as: map[string]caller{}}
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	for _, name := range []string{"ann", "bob", "cat", "dan", "una"} {
		o.hire(t, name)
		if name != "una" {
			root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, o.ids[name]))
		}
	}
	o.payer = root.must(t, "acme", "create-role", `{"name":"Payer","privileges":["core.users.read"]}`)
	root.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":%q,"value":%q}`, domain.ApproveRoles.Key, o.payer))
	return o
}

func (o *office) hire(t *testing.T, name string) {
	t.Helper()
	o.ids[name] = o.root.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":%q}`, name))
	o.as[name] = o.root.as(o.root.issue(t, "acme", o.ids[name]))
}

// ask has ann ask for una to become a payer.
func (o *office) ask(t *testing.T) (id string) {
	t.Helper()
	r := o.as["ann"].command("acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q,"reason":"on call"}`, o.payer, o.ids["una"]))
	if got := eventsOf(t, r); r.status != http.StatusOK || !slices.Equal(got, []string{"approval.requested"}) {
		t.Fatalf("asked: %d %s", r.status, r.body)
	}
	return r.part("id")
}

// eventsOf are the types of the events of an answer.
func eventsOf(t *testing.T, r reply) []string {
	t.Helper()
	var answer struct {
		Events []struct {
			Type string `json:"type"`
		} `json:"events"`
	}
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range answer.Events {
		types = append(types, e.Type)
	}
	return types
}

func (o *office) unaMayRead(t *testing.T) bool {
	t.Helper()
	r := o.root.do(http.MethodPost, "/v1/tenants/acme/access/v1/evaluation",
		fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"acme"}}`, o.ids["una"]))
	if r.status != http.StatusOK {
		t.Fatalf("asked: %d %s", r.status, r.body)
	}
	return strings.Contains(r.body, `"decision":true`)
}

// expectReply is of a status and, where it is no 200, a code.
func expectReply(t *testing.T, what string, r reply, want string) {
	t.Helper()
	if got := strings.TrimSpace(fmt.Sprint(r.status, " ", r.code())); got != want {
		t.Errorf("%s: %s, want %s: %s", what, got, want, r.body)
	}
}

func approve(c caller, id string) reply {
	return c.command("acme", "approve-request", fmt.Sprintf(`{"id":%q,"reason":"fine"}`, id))
}

func TestARoleThatNeedsApprovalIsGivenByTwo(t *testing.T) {
	o := newOffice(t)
	id := o.ask(t)
	o.settled(t)
	expectReply(t, "no assignment yet", o.root.do("GET", "/v1/tenants/acme/assignments/"+id, ""), "404 not-found")
	if o.unaMayRead(t) {
		t.Error("una may already")
	}
	waiting := o.as["bob"].do("GET", "/v1/tenants/acme/approvals?status=pending&kind=assignment&user_id="+o.ids["una"]+"&role_id="+o.payer, "")
	for _, part := range []string{`"id":"` + id, `"requested_by":"` + o.ids["ann"], `"reason":"on call"`, `"request":{`, `"role":"` + o.payer} {
		if !strings.Contains(waiting.body, part) {
			t.Errorf("bob reads no %s: %d %s", part, waiting.status, waiting.body)
		}
	}
	given := approve(o.as["bob"], id)
	if got := eventsOf(t, given); !slices.Equal(got, []string{"approval.given", "role.assigned"}) || given.part("id") != id {
		t.Fatalf("approved: %d %s", given.status, given.body)
	}
	o.settled(t)
	if !o.unaMayRead(t) {
		t.Error("una may not")
	}
	if r := o.root.do("GET", "/v1/tenants/acme/approvals/"+id, ""); r.part("status") != "given" || r.part("decided_by") != o.ids["bob"] || r.part("decision_reason") != "fine" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := o.root.do("GET", "/v1/tenants/acme/assignments/"+id, ""); r.part("status") != "active" || r.part("reason") != "on call" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := o.root.do("GET", "/v1/tenants/acme/approvals/"+id+"/history", ""); !strings.Contains(r.body, "approval.requested") || !strings.Contains(r.body, "approval.given") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if again := approve(o.as["cat"], id); again.status != http.StatusOK || len(eventsOf(t, again)) != 0 {
		t.Errorf("approved twice: %d %s", again.status, again.body)
	}
	expectReply(t, "denied afterwards", o.as["cat"].command("acme", "deny-request", fmt.Sprintf(`{"id":%q}`, id)), "422 approval-over")
	expectReply(t, "withdrawn afterwards", o.as["ann"].command("acme", "cancel-request", fmt.Sprintf(`{"id":%q}`, id)), "422 approval-over")
}

func TestWhoAskedReadsAndWithdrawsTheirOwnRequestsWithoutMore(t *testing.T) {
	o := newOffice(t)
	clerk := o.root.must(t, "acme", "create-role", `{"name":"Clerk","privileges":["core.assignments.assign","core.users.read"]}`)
	o.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, clerk, o.ids["una"]))
	una := o.as["una"]
	r := una.command("acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, o.payer, o.ids["dan"]))
	id := r.part("id")
	theirs := o.ask(t)
	o.settled(t)
	if own := una.do("GET", "/v1/tenants/acme/approvals?requested_by="+o.ids["una"], ""); !strings.Contains(own.body, id) || strings.Contains(own.body, theirs) {
		t.Errorf("una reads %d %s", own.status, own.body)
	}
	expectReply(t, "her own", una.do("GET", "/v1/tenants/acme/approvals/"+id, ""), "200")
	expectReply(t, "all", una.do("GET", "/v1/tenants/acme/approvals", ""), "403 not-allowed")
	if other := una.do("GET", "/v1/tenants/acme/approvals/"+theirs, ""); other.status < 400 {
		t.Errorf("una reads another's: %d %s", other.status, other.body)
	}
	expectReply(t, "another's", una.command("acme", "cancel-request", fmt.Sprintf(`{"id":%q}`, theirs)), "404 not-found")
	expectReply(t, "approve", approve(una, theirs), "403 not-allowed")
	expectReply(t, "her own", una.command("acme", "cancel-request", fmt.Sprintf(`{"id":%q}`, id)), "200")
	expectReply(t, "approved afterwards", approve(o.as["bob"], id), "422 approval-over")
}

func TestNobodyGetsAroundFourEyes(t *testing.T) {
	o := newOffice(t)
	ann, bob, cat, dan := o.as["ann"], o.as["bob"], o.as["cat"], o.as["dan"]
	id := o.ask(t)
	expectReply(t, "one's own request", approve(ann, id), "403 four-eyes")

	admin := o.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, o.ids["una"]))
	expectReply(t, "what one is to get", approve(o.as["una"], id), "403 four-eyes")
	o.root.must(t, "acme", "unassign-role", fmt.Sprintf(`{"id":%q}`, admin))

	end := o.clock.now().Add(time.Hour).Format(time.RFC3339)
	lend := func(from, to string) (delegation string) {
		t.Helper()
		o.root.must(t, "acme", "reset-policy", fmt.Sprintf(`{"key":%q}`, domain.ApproveRoles.Key)) // which would ask for approval of this too
		delegation = o.as[from].must(t, "acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"until":%q}`, o.ids[to], end))
		o.as[to].must(t, "acme", "accept-delegation", fmt.Sprintf(`{"id":%q}`, delegation))
		o.root.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":%q,"value":%q}`, domain.ApproveRoles.Key, o.payer))
		return delegation
	}
	deputy := lend("ann", "bob")
	expectReply(t, "the requester's delegate", approve(bob, id), "403 four-eyes-linked")
	under := bob.command("acme", "approve-request", fmt.Sprintf(`{"id":%q}`, id), "Chancery-Delegation", deputy)
	if under.status != http.StatusForbidden {
		t.Errorf("through the requester's delegation: %d %s", under.status, under.body)
	}
	chief := lend("cat", "ann")
	expectReply(t, "the requester's grantor", approve(cat, id), "403 four-eyes-linked")
	other := lend("dan", "cat")
	if r := cat.command("acme", "approve-request", fmt.Sprintf(`{"id":%q}`, id), "Chancery-Delegation", other); r.status != http.StatusForbidden {
		t.Errorf("through another's delegation: %d %s", r.status, r.body)
	}

	o.root.must(t, "acme", "set-policy", `{"key":"`+domain.ImpersonationWord.Key+`","value":"allowed"}`)
	session := o.root.command("acme", "start-impersonation", fmt.Sprintf(`{"target_user_id":%q,"reason":"test"}`, o.ids["dan"]))
	if session.status != http.StatusOK {
		t.Fatalf("impersonate: %d %s", session.status, session.body)
	}
	if r := approve(o.root.as(session.part("token")), id); r.status != http.StatusForbidden {
		t.Errorf("as dan: %d %s", r.status, r.body)
	}

	for holder, delegation := range map[string]string{"ann": deputy, "cat": chief, "dan": other} {
		o.as[holder].must(t, "acme", "revoke-delegation", fmt.Sprintf(`{"id":%q}`, delegation))
	}
	expectReply(t, "somebody else", approve(dan, id), "200")
}

func TestADelegationWaitsForApprovalToo(t *testing.T) {
	o := newOffice(t)
	end := o.clock.now().Add(time.Hour).Format(time.RFC3339)
	asked := o.as["ann"].command("acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"until":%q,"reason":"away"}`, o.ids["bob"], end))
	id := asked.part("id")
	if got := eventsOf(t, asked); asked.status != http.StatusOK || !slices.Equal(got, []string{"approval.requested"}) {
		t.Fatalf("asked: %d %s", asked.status, asked.body)
	}
	accept := fmt.Sprintf(`{"id":%q}`, id)
	expectReply(t, "accepted before", o.as["bob"].command("acme", "accept-delegation", accept), "404 not-found")
	expectReply(t, "by who grants it", approve(o.as["ann"], id), "403 four-eyes")
	expectReply(t, "by who gets it", approve(o.as["bob"], id), "403 four-eyes")
	given := approve(o.as["cat"], id)
	if got := eventsOf(t, given); !slices.Equal(got, []string{"approval.given", "delegation.granted"}) {
		t.Fatalf("approved: %d %s", given.status, given.body)
	}
	expectReply(t, "accepted", o.as["bob"].command("acme", "accept-delegation", accept), "200")
	o.settled(t)
	if r := o.root.do("GET", "/v1/tenants/acme/approvals/"+id, ""); r.part("kind") != "delegation" || r.part("status") != "given" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestARequestThatNobodyAnswersIsOverWithOrWithoutItsEvent(t *testing.T) {
	o := newOffice(t)
	id := o.ask(t)
	o.clock.forward(24*time.Hour - time.Second)
	one := o.ask(t)
	o.clock.forward(time.Second)
	expectReply(t, "too late", approve(o.root, id), "422 approval-expired")
	o.settled(t)
	if r := o.root.do("GET", "/v1/tenants/acme/approvals/"+id, ""); r.part("status") != "pending" {
		t.Fatalf("the event is there already: %s", r.body)
	}
	for range 2 {
		if err := o.due.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.settled(t)
	}
	if n := o.column(t, "SELECT count(*)::text FROM core.events WHERE type = 'approval.expired'")[0]; n != "1" {
		t.Errorf("expired %s times", n)
	}
	expectReply(t, "too late", approve(o.root, id), "422 approval-expired")
	expectReply(t, "in time", approve(o.root, one), "200")
}

func TestOfManyWhoAnswerARequestOneDoes(t *testing.T) {
	o := newOffice(t)
	id := o.ask(t)
	deciders := []string{"bob", "cat", "dan"}
	counts := race(24, func(i int) reply {
		c := o.as[deciders[i%3]]
		switch i % 4 {
		case 0:
			return o.as["ann"].command("acme", "cancel-request", fmt.Sprintf(`{"id":%q}`, id))
		case 1:
			return c.command("acme", "deny-request", fmt.Sprintf(`{"id":%q}`, id))
		}
		return approve(c, id)
	})
	kinds := o.column(t, `SELECT DISTINCT type FROM core.events WHERE type IN ('approval.given', 'approval.denied', 'approval.cancelled')`)
	answers := o.column(t, `SELECT count(*)::text FROM core.events WHERE type IN ('approval.given', 'approval.denied', 'approval.cancelled')`)[0]
	given := o.column(t, `SELECT count(*)::text FROM core.events WHERE type = 'role.assigned' AND payload::text LIKE '%'||$1||'%'`, id)[0]
	if answers != "1" || given != map[bool]string{true: "1", false: "0"}[kinds[0] == "approval.given"] {
		t.Errorf("%s answers, %v, given %s times: %v", answers, kinds, given, counts)
	}
	for kind, n := range counts {
		if kind != "200" && kind != "422 approval-over" && kind != "409 conflict" {
			t.Errorf("%d were answered %s", n, kind)
		}
	}
}

func TestARoleThatGivesMoreByNowIsApprovedOnlyByWhoHoldsThat(t *testing.T) {
	o := newOffice(t)
	id := o.ask(t)
	role := o.root.must(t, "acme", "create-role", `{"name":"Decider","privileges":["core.approvals.approve","core.users.read"]}`)
	o.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, role, o.ids["dan"]))
	o.settled(t)
	for _, admin := range o.column(t, `SELECT id::text FROM core.assignments WHERE user_id = $1 AND role_id = $2`, o.ids["dan"], domain.TenantAdmin.String()) {
		o.root.must(t, "acme", "unassign-role", fmt.Sprintf(`{"id":%q}`, admin))
	}
	o.root.must(t, "acme", "add-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":"core.users.update"}`, o.payer))
	expectReply(t, "dan holds less", approve(o.as["dan"], id), "403 may-not-grant")
	o.root.must(t, "acme", "remove-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":"core.users.update"}`, o.payer))
	expectReply(t, "dan holds it", approve(o.as["dan"], id), "200")
}

func TestDutiesThatAreSeparatedMeanwhileStayApart(t *testing.T) {
	o := newOffice(t)
	auditor := o.root.must(t, "acme", "create-role", `{"name":"Auditor","privileges":["core.users.read"]}`)
	o.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, auditor, o.ids["una"]))
	id := o.ask(t)
	apart := o.root.must(t, "acme", "create-constraint", fmt.Sprintf(`{"name":"Who pays does not audit","kind":"exclusive","role_ids":[%q,%q]}`, auditor, o.payer))
	expectReply(t, "una audits", approve(o.as["bob"], id), "422 constraint-violated")
	o.root.must(t, "acme", "remove-constraint", fmt.Sprintf(`{"id":%q}`, apart))
	expectReply(t, "no more", approve(o.as["bob"], id), "200")
}
