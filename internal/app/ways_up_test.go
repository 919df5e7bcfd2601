package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"chancery/domain"
)

// climber is a tenant with an administrator, and with somebody who may give nearly every command and holds little else: whatever they
// try, they must not come to hold what they were not given.
type climber struct {
	t            *testing.T
	app          *App
	root         caller
	ann, mal     caller // the administrator; the climber
	annID, malID string
}

// tools are what mal may do: the commands by which rights move. What they must not get is core.secrets.read.
var tools = []string{
	"core.roles.create", "core.roles.add-privilege", "core.roles.add-parent", "core.groups.create", "core.groups.move", "core.group-memberships.add",
	"core.group-memberships.change", "core.departments.create", "core.departments.move", "core.users.move", "core.users.register", "core.overrides.add",
	"core.overrides.revoke", "core.assignments.assign", "core.assignments.unassign", "core.group-invitations.create", "core.approvals.approve", "core.delegations.grant",
	"core.impersonations.start", "core.tokens.issue", "core.constraints.remove", "core.policies.read",
}

const prize = "core.secrets.read"

func newClimber(t *testing.T) *climber {
	t.Helper()
	a, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	c := &climber{t: t, app: a, root: root, ann: root.user(t, "acme", "ann", true)}
	c.annID = c.ann.do(http.MethodGet, "/v1/me", "").part("user_id")
	c.malID, c.mal = c.person("mal")
	c.give(c.malID, "tools", tools...)
	return c
}

func (c *climber) person(name string) (string, caller) {
	c.t.Helper()
	who := c.root.user(c.t, "acme", name, false)
	return who.do(http.MethodGet, "/v1/me", "").part("user_id"), who
}

// give makes a role and assigns it.
func (c *climber) give(user, role string, privileges ...string) string {
	c.t.Helper()
	id := c.role(role, privileges...)
	c.ann.must(c.t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, id, user))
	return id
}

func (c *climber) role(name string, privileges ...string) string {
	c.t.Helper()
	return c.ann.must(c.t, "acme", "create-role", fmt.Sprintf(`{"name":%q,"privileges":%s}`, name, words(privileges)))
}

func words(of []string) string {
	text, _ := json.Marshal(of)
	return string(text)
}

// stays requires that a request is refused with the code, and that mal does not hold the prize afterwards.
func (c *climber) stays(who caller, code, command, body string, headers ...string) {
	c.t.Helper()
	r := who.command("acme", command, body, headers...)
	if r.status < 400 || r.code() != code {
		c.t.Errorf("%s %s: %d %s, want the code %s", command, body, r.status, r.body, code)
	}
	c.holdsNothing()
}

func (c *climber) holdsNothing() {
	c.t.Helper()
	body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":{"type":"tenant","id":"acme"}}`, c.malID, prize)
	if r := c.mal.do(http.MethodPost, "/access/v1/evaluation", body); r.body != `{"decision":false}` {
		c.t.Errorf("mal holds the prize: %s", r.body)
	}
}

func (c *climber) set(s domain.Setting, value string) {
	c.t.Helper()
	c.ann.must(c.t, "acme", "set-policy", fmt.Sprintf(`{"key":%q,"value":%q}`, s.Key, value))
}

func (c *climber) grant(from, to caller, toID, more string) string {
	c.t.Helper()
	id := from.must(c.t, "acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"until":%q%s}`, toID, soon(), more))
	to.must(c.t, "acme", "accept-delegation", fmt.Sprintf(`{"id":%q}`, id))
	return id
}

func TestWayUpByDelegationChainsSplicedFromTwoValidOnes(t *testing.T) {
	c := newClimber(t)
	benID, ben := c.person("ben")
	mine := c.grant(c.ann, c.mal, c.malID, `,"privileges":["core.users.read"],"redelegations":2`)
	theirs := c.grant(c.ann, ben, benID, `,"privileges":["core.secrets.read"],"redelegations":2`)
	c.stays(c.mal, "not-found", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"parent_id":%q,"until":%q}`, benID, theirs, soon()))
	if r := c.mal.do(http.MethodGet, "/v1/me", "", "Chancery-Delegation", theirs); r.status != http.StatusBadRequest {
		t.Errorf("mal acts under ben's delegation: %d %s", r.status, r.body)
	}
	r := ben.command("acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"parent_id":%q,"until":%q}`, c.malID, mine, soon()))
	if r.status != http.StatusNotFound {
		t.Errorf("ben hands on what mal was given: %d %s", r.status, r.body)
	}
	if r := c.mal.do(http.MethodGet, "/v1/tenants/acme/secrets", "", "Chancery-Delegation", mine); r.status != http.StatusForbidden {
		t.Errorf("mal reads beyond their own chain: %d %s", r.status, r.body)
	}
}

func TestWayUpByCircularImpersonation(t *testing.T) {
	c := newClimber(t)
	c.set(domain.ImpersonationWord, domain.Allowed)
	benID, _ := c.person("ben")
	session := c.ann.command("acme", "start-impersonation", fmt.Sprintf(`{"target_user_id":%q,"reason":"help"}`, benID))
	as := c.ann.as(session.part("token"))
	if me := as.do(http.MethodGet, "/v1/me", ""); me.part("effective_user_id") != benID || me.part("user_id") != c.annID {
		t.Fatalf("ann does not act as ben: %s", me.body)
	}
	c.stays(as, "not-allowed", "start-impersonation", fmt.Sprintf(`{"target_user_id":%q,"reason":"back"}`, c.annID))
	c.stays(c.mal, "may-not-impersonate", "start-impersonation", fmt.Sprintf(`{"target_user_id":%q,"reason":"up"}`, c.annID))
	c.stays(c.mal, "not-oneself", "start-impersonation", fmt.Sprintf(`{"target_user_id":%q,"reason":"self"}`, c.malID))
}

func TestWayUpByTokenMintedWhileImpersonating(t *testing.T) {
	c := newClimber(t)
	c.set(domain.ImpersonationWord, domain.Allowed)
	benID, _ := c.person("ben")
	session := c.ann.command("acme", "start-impersonation", fmt.Sprintf(`{"target_user_id":%q,"reason":"help"}`, benID))
	as := c.ann.as(session.part("token"))
	for command, body := range map[string]string{
		"issue-token":      fmt.Sprintf(`{"name":"x","expires_at":%q}`, soon()),
		"set-password":     `{"password":"seven otters paddle upstream"}`,
		"grant-delegation": fmt.Sprintf(`{"delegate_user_id":%q,"until":%q}`, c.malID, soon()),
	} {
		if r := as.command("acme", command, body); r.status != http.StatusForbidden {
			t.Errorf("%s while impersonating: %d %s", command, r.status, r.body)
		}
	}
	d := c.grant(c.ann, c.mal, c.malID, "")
	c.stays(c.mal, "not-allowed", "issue-token", fmt.Sprintf(`{"name":"x","expires_at":%q}`, soon()), "Chancery-Delegation", d)
}

func TestWayUpByRoleEdit(t *testing.T) {
	c := newClimber(t)
	mine := c.give(c.malID, "mine", "core.users.read")
	c.stays(c.mal, "may-not-grant", "add-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":%q}`, mine, prize))
	c.stays(c.mal, "may-not-grant", "add-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":"core.*"}`, mine))
	c.stays(c.mal, "may-not-grant", "create-role", fmt.Sprintf(`{"name":"new","privileges":[%q]}`, prize))
	d := c.grant(c.ann, c.mal, c.malID, `,"privileges":["core.roles.*","core.users.read"]`)
	c.stays(c.mal, "may-not-grant", "add-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":%q}`, mine, prize), "Chancery-Delegation", d)
}

func TestWayUpByParentRoleEdit(t *testing.T) {
	c := newClimber(t)
	strong, mine := c.role("strong", prize), c.give(c.malID, "mine", "core.users.read")
	above := c.role("above", "core.users.read")
	c.ann.must(t, "acme", "add-role-parent", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, mine, above))
	c.stays(c.mal, "may-not-grant", "add-role-parent", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, mine, strong))
	c.stays(c.mal, "may-not-grant", "add-role-parent", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, above, strong))
	c.stays(c.mal, "may-not-grant", "add-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":%q}`, above, prize))
	c.stays(c.mal, "may-not-grant", "create-role", fmt.Sprintf(`{"name":"new","parents":[%q]}`, strong))
}

func TestWayUpByGroupOwnership(t *testing.T) {
	c := newClimber(t)
	strong := c.role("strong", prize)
	vault := c.ann.must(t, "acme", "create-group", `{"name":"vault"}`)
	c.ann.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"group_id":%q}`, strong, vault))
	club := c.ann.must(t, "acme", "create-group", `{"name":"club"}`)
	c.ann.must(t, "acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q,"role":"owner"}`, club, c.malID))
	c.stays(c.mal, "may-not-grant", "move-group", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, club, vault))
	c.stays(c.mal, "may-not-grant", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, vault, c.malID))
	c.stays(c.mal, "may-not-grant", "assign-role", fmt.Sprintf(`{"role_id":%q,"group_id":%q}`, strong, club))
	crew := c.ann.must(t, "acme", "create-group", `{"name":"crew"}`)
	benID, ben := c.person("ben")
	c.ann.must(t, "acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q,"role":"maintainer"}`, crew, benID))
	c.stays(ben, "may-not-grant", "change-group-role", fmt.Sprintf(`{"group_id":%q,"user_id":%q,"role":"owner"}`, crew, benID))
}

func TestWayUpByDepartmentMove(t *testing.T) {
	c := newClimber(t)
	strong := c.role("strong", prize)
	board := c.ann.must(t, "acme", "create-department", `{"name":"Board"}`)
	c.ann.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"department_id":%q}`, strong, board))
	mine := c.ann.must(t, "acme", "create-department", `{"name":"Mine"}`)
	c.mal.must(t, "acme", "move-user", fmt.Sprintf(`{"id":%q,"department_id":%q}`, c.malID, mine))
	c.stays(c.mal, "may-not-grant", "move-user", fmt.Sprintf(`{"id":%q,"department_id":%q}`, c.malID, board))
	c.stays(c.mal, "may-not-grant", "move-department", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, mine, board))
	c.stays(c.mal, "may-not-grant", "register-user", fmt.Sprintf(`{"display_name":"Second self","department_id":%q}`, board))
}

func TestWayUpByOverride(t *testing.T) {
	c := newClimber(t)
	c.root.must(t, "root", "set-policy", fmt.Sprintf(`{"key":%q,"value":"core.secrets.*"}`, domain.OverrideAllow.Key))
	c.stays(c.mal, "may-not-grant", "add-override", fmt.Sprintf(`{"effect":"allow","privilege":%q,"user_id":%q,"expires_at":%q,"reason":"up"}`, prize, c.malID, soon()))
	c.give(c.malID, "strong", prize)
	deny := c.ann.must(t, "acme", "add-override", fmt.Sprintf(`{"effect":"deny","privilege":%q,"user_id":%q,"expires_at":%q,"reason":"down"}`, prize, c.malID, soon()))
	c.stays(c.mal, "may-not-grant", "revoke-override", fmt.Sprintf(`{"id":%q}`, deny))
	d := c.grant(c.ann, c.mal, c.malID, "")
	if r := c.mal.do(http.MethodGet, "/v1/tenants/acme/secrets", "", "Chancery-Delegation", d); r.status != http.StatusOK {
		t.Errorf("what is denied to mal is another privilege: %d %s", r.status, r.body)
	}
	if r := c.mal.command("acme", "read-secret", `{"ref":"secret://billing/none"}`, "Chancery-Delegation", d); r.status != http.StatusForbidden {
		t.Errorf("a deny on mal does not bind them as a delegate: %d %s", r.status, r.body)
	}
}

func TestWayUpByInvitation(t *testing.T) {
	c := newClimber(t)
	beta := c.root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
	c.set(domain.OutsideMembers, "true")
	c.root.must(t, "beta", "set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, domain.JoinOutside.Key))
	mate := c.root.user(t, "beta", "mate", false)
	mateID := mate.do(http.MethodGet, "/v1/me", "").part("user_id")
	other := c.root.user(t, "beta", "other", false)
	strong := c.role("strong", prize)
	vault, club := c.ann.must(t, "acme", "create-group", `{"name":"vault"}`), c.ann.must(t, "acme", "create-group", `{"name":"club"}`)
	c.ann.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"group_id":%q}`, strong, vault))
	invite := `{"group_id":%q,"tenant":"beta","user_id":%q}`
	c.stays(c.mal, "may-not-grant", "invite-to-group", fmt.Sprintf(invite, vault, mateID))
	id := c.mal.must(t, "acme", "invite-to-group", fmt.Sprintf(invite, club, mateID))
	for _, who := range []caller{other, c.root} {
		if r := who.command("beta", "accept-group-invitation", fmt.Sprintf(`{"id":%q}`, id)); r.status != http.StatusNotFound && r.code() != "only-the-invited" {
			t.Errorf("somebody accepts an invitation of another: %d %s", r.status, r.body)
		}
	}
	mate.must(t, "beta", "accept-group-invitation", fmt.Sprintf(`{"id":%q}`, id))
	if r := mate.do(http.MethodGet, "/v1/tenants/acme/users", ""); r.status != http.StatusForbidden {
		t.Errorf("a guest reads the host's users: %d %s", r.status, r.body)
	}
	if r := mate.do(http.MethodGet, "/v1/tenants/"+beta+"/users", ""); r.status != http.StatusForbidden {
		t.Errorf("a guest gains at home: %d %s", r.status, r.body)
	}
}

func TestWayUpByApprovalOfOnesOwnRequest(t *testing.T) {
	c := newClimber(t)
	c.give(c.malID, "strong as well", prize) // so that the may-grant guard is not what stops them
	c.set(domain.ApprovePrivileges, prize)
	benID, ben := c.person("ben")
	strong := c.role("strong", prize)
	id := c.mal.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, strong, benID))
	refused := func(who caller, headers ...string) {
		t.Helper()
		if r := who.command("acme", "approve-request", fmt.Sprintf(`{"id":%q}`, id), headers...); r.status != http.StatusForbidden {
			t.Errorf("approved: %d %s", r.status, r.body)
		}
	}
	refused(c.mal)
	c.give(benID, "decider", append([]string{prize}, "core.approvals.approve")...)
	refused(ben) // it is for him
	d := c.grant(c.ann, c.mal, c.malID, `,"privileges":["core.users.read"]`)
	refused(c.mal, "Chancery-Delegation", d)
	refused(c.ann) // whose delegate asked
}

func TestWayUpByScopeWidenedOnRedelegation(t *testing.T) {
	c := newClimber(t)
	benID, _ := c.person("ben")
	parent := c.grant(c.ann, c.mal, c.malID, `,"privileges":["core.users.*"],"resources":["user:1"],"redelegations":1`)
	child := `{"delegate_user_id":%q,"parent_id":%q,"until":%q%s}`
	for what, more := range map[string]string{
		"other privileges": `,"privileges":["core.secrets.read"]`, "wider privileges": `,"privileges":["core.*"]`, "everything": `,"privileges":["*"]`,
		"another resource": `,"resources":["user:2"]`, "handed on as often": `,"redelegations":1`,
	} {
		if r := c.mal.command("acme", "grant-delegation", fmt.Sprintf(child, benID, parent, soon(), more)); r.status != http.StatusUnprocessableEntity && r.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", what, r.status, r.body)
		}
	}
	if r := c.mal.command("acme", "grant-delegation", fmt.Sprintf(child, benID, parent, "2100-01-01T00:00:00Z", "")); r.status != http.StatusUnprocessableEntity {
		t.Errorf("a child outlives its parent: %d %s", r.status, r.body)
	}
	c.holdsNothing()
}

func TestWayUpByIDReusedAfterDeletion(t *testing.T) {
	c := newClimber(t)
	strong := c.give(c.malID, "strong for a while", prize)
	for _, a := range c.ids("assignments?user_id=" + c.malID + "&role_id=" + strong) {
		c.ann.must(t, "acme", "unassign-role", fmt.Sprintf(`{"id":%q}`, a))
		c.stays(c.mal, "id-taken", "assign-role", fmt.Sprintf(`{"id":%q,"role_id":%q,"user_id":%q}`, a, strong, c.malID))
	}
	group := c.ann.must(t, "acme", "create-group", `{"name":"vault"}`)
	c.ann.must(t, "acme", "delete-group", fmt.Sprintf(`{"id":%q}`, group))
	c.stays(c.mal, "id-taken", "create-group", fmt.Sprintf(`{"id":%q,"name":"mine"}`, group))
	benID, ben := c.person("ben")
	d := c.grant(c.ann, ben, benID, "")
	c.ann.must(t, "acme", "revoke-delegation", fmt.Sprintf(`{"id":%q}`, d))
	c.stays(c.mal, "id-taken", "grant-delegation", fmt.Sprintf(`{"id":%q,"delegate_user_id":%q,"until":%q}`, d, benID, soon()))
	if r := ben.do(http.MethodGet, "/v1/me", "", "Chancery-Delegation", d); r.status != http.StatusForbidden {
		t.Errorf("a revoked delegation: %d %s", r.status, r.body)
	}
	c.ann.must(t, "acme", "deactivate-user", fmt.Sprintf(`{"id":%q}`, benID))
	c.ann.must(t, "acme", "erase-user", fmt.Sprintf(`{"user_id":%q,"reason":"test"}`, benID))
	c.stays(c.mal, "id-taken", "register-user", fmt.Sprintf(`{"id":%q,"display_name":"Ben again"}`, benID))
	if r := c.root.command("root", "create-tenant", `{"name":"Gone","slug":"gone"}`); r.status != http.StatusOK {
		t.Fatal(r.body)
	} else if r := c.root.command("gone", "register-user", fmt.Sprintf(`{"id":%q,"display_name":"Ben elsewhere"}`, benID)); r.code() != "id-taken" {
		t.Errorf("the id of a user of another tenant: %d %s", r.status, r.body)
	}
}

// ids are those of a page.
func (c *climber) ids(address string) []string {
	c.t.Helper()
	waitFor(c.t, c.app, c.app.headForTest(c.t))
	var page struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	r := c.ann.do(http.MethodGet, "/v1/tenants/acme/"+address, "")
	if err := json.Unmarshal([]byte(r.body), &page); err != nil || len(page.Items) == 0 {
		c.t.Fatalf("%s: %d %s", address, r.status, r.body)
	}
	var ids []string
	for _, i := range page.Items {
		ids = append(ids, i.ID)
	}
	return ids
}
