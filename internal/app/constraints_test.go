package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"chancery/domain"
)

// till is a tenant in which somebody pays and somebody approves, and nobody does both.
type till struct {
	*testing.T
	app            *App
	root, ann      caller
	pays, approves string // roles
	apart          string // the constraint
}

func openTill(t *testing.T) *till {
	t.Helper()
	a, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	for _, p := range []string{"bill.pay", "bill.approve"} {
		root.must(t, "root", "register-privilege", fmt.Sprintf(`{"name":%q}`, p))
	}
	root.must(t, "root", "set-policy", fmt.Sprintf(`{"key":%q,"value":"bill.*"}`, domain.OverrideAllow.Key))
	b := &till{T: t, app: a, root: root, ann: root.user(t, "acme", "ann", true)}
	b.pays, b.approves = b.role("payer", "bill.pay"), b.role("approver", "bill.approve")
	return b
}

func (b *till) role(name string, privileges ...string) string {
	b.Helper()
	return b.ann.must(b, "acme", "create-role", fmt.Sprintf(`{"name":%q,"privileges":%s}`, name, words(privileges)))
}

func (b *till) person(name string) string {
	b.Helper()
	return b.ann.must(b, "acme", "register-user", fmt.Sprintf(`{"display_name":%q}`, name))
}

func (b *till) separate() {
	b.Helper()
	b.apart = b.ann.must(b, "acme", "create-constraint", fmt.Sprintf(`{"name":"four eyes","kind":"exclusive","role_ids":[%q,%q]}`, b.pays, b.approves))
}

// assign gives a role to "user_id":"…" or the like.
func (b *till) assign(role, to string) reply {
	return b.ann.command("acme", "assign-role", fmt.Sprintf(`{"role_id":%q,%s}`, role, to))
}

func (b *till) assigned(role, to string) {
	b.Helper()
	if r := b.assign(role, to); r.status != http.StatusOK {
		b.Fatalf("assign: %d %s", r.status, r.body)
	}
}

// forbidden requires that the constraint forbids a command, and that it says which and what it demands.
func (b *till) forbidden(command, body string) {
	b.Helper()
	r := b.ann.command("acme", command, body)
	if r.status != http.StatusUnprocessableEntity || r.code() != "constraint-violated" || !strings.Contains(r.body, `four eyes`) || !strings.Contains(r.body, b.pays) {
		b.Errorf("%s %s: %d %s, want the code constraint-violated", command, body, r.status, r.body)
	}
}

func (b *till) may(user, privilege string) (allowed bool, explained string) {
	b.Helper()
	r := b.ann.do(http.MethodPost, "/access/v1/evaluation", fmt.Sprintf(
		`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":{"type":"tenant","id":"acme"},"context":{"explain":true}}`, user, privilege))
	var out struct {
		Decision bool `json:"decision"`
	}
	if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != http.StatusOK {
		b.Fatalf("may %s: %d %s", privilege, r.status, r.body)
	}
	return out.Decision, r.body
}

func user(id string) string { return fmt.Sprintf(`"user_id":%q`, id) }

func TestTwoExclusiveRolesMeetInNobodyByWhateverWay(t *testing.T) {
	for name, way := range map[string]func(b *till, zoe string) (command, body string){
		"assignment": func(b *till, zoe string) (string, string) {
			b.assigned(b.pays, user(zoe)+`,"scope":"repo:a"`)
			return "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q,"scope":"repo:b"}`, b.approves, zoe)
		},
		"role edit": func(b *till, zoe string) (string, string) {
			clerk := b.role("clerk")
			b.assigned(b.pays, user(zoe))
			b.assigned(clerk, user(zoe))
			return "add-role-parent", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, clerk, b.approves)
		},
		"parent role edit": func(b *till, zoe string) (string, string) {
			clerk, staff := b.role("clerk"), b.role("staff")
			b.ann.must(b, "acme", "add-role-parent", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, clerk, staff))
			b.assigned(b.pays, user(zoe))
			b.assigned(clerk, user(zoe))
			return "add-role-parent", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, staff, b.approves)
		},
		"group ownership": func(b *till, zoe string) (string, string) {
			crew := b.ann.must(b, "acme", "create-group", `{"name":"crew"}`)
			b.assigned(b.approves, fmt.Sprintf(`"group_id":%q`, crew))
			b.assigned(b.pays, user(zoe))
			return "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q,"role":"owner"}`, crew, zoe)
		},
		"group move": func(b *till, zoe string) (string, string) {
			crew, deck := b.ann.must(b, "acme", "create-group", `{"name":"crew"}`), b.ann.must(b, "acme", "create-group", `{"name":"deck"}`)
			b.assigned(b.approves, fmt.Sprintf(`"group_id":%q`, crew))
			b.assigned(b.pays, user(zoe))
			b.ann.must(b, "acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, deck, zoe))
			return "move-group", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, deck, crew)
		},
		"department move": func(b *till, zoe string) (string, string) {
			desk, house := b.ann.must(b, "acme", "create-department", `{"name":"desk"}`), b.ann.must(b, "acme", "create-department", `{"name":"house"}`)
			b.assigned(b.approves, fmt.Sprintf(`"department_id":%q`, house))
			b.assigned(b.pays, user(zoe))
			b.ann.must(b, "acme", "move-user", fmt.Sprintf(`{"id":%q,"department_id":%q}`, zoe, desk))
			return "move-department", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, desk, house)
		},
		"move of a user": func(b *till, zoe string) (string, string) {
			desk := b.ann.must(b, "acme", "create-department", `{"name":"desk"}`)
			b.assigned(b.approves, fmt.Sprintf(`"department_id":%q`, desk))
			b.assigned(b.pays, user(zoe))
			return "move-user", fmt.Sprintf(`{"id":%q,"department_id":%q}`, zoe, desk)
		},
		"registration": func(b *till, _ string) (string, string) {
			desk := b.ann.must(b, "acme", "create-department", `{"name":"desk"}`)
			both := b.role("both")
			b.assigned(both, fmt.Sprintf(`"department_id":%q`, desk))
			b.ann.must(b, "acme", "add-role-parent", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, both, b.pays))
			b.ann.must(b, "acme", "add-role-parent", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, both, b.approves))
			return "register-user", fmt.Sprintf(`{"display_name":"yan","department_id":%q}`, desk)
		},
		"return": func(b *till, zoe string) (string, string) {
			crew := b.ann.must(b, "acme", "create-group", `{"name":"crew"}`)
			b.ann.must(b, "acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, crew, zoe))
			b.assigned(b.pays, user(zoe))
			b.ann.must(b, "acme", "deactivate-user", fmt.Sprintf(`{"id":%q}`, zoe))
			b.assigned(b.approves, fmt.Sprintf(`"group_id":%q`, crew))
			return "reactivate-user", fmt.Sprintf(`{"id":%q}`, zoe)
		},
		"override": func(b *till, zoe string) (string, string) {
			b.assigned(b.pays, user(zoe))
			return "add-override", fmt.Sprintf(`{"effect":"allow","privilege":"bill.approve","user_id":%q,"expires_at":%q,"reason":"test"}`, zoe, soon())
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := openTill(t)
			b.separate()
			command, body := way(b, b.person("zoe"))
			b.forbidden(command, body)
			b.ann.must(t, "acme", "remove-constraint", fmt.Sprintf(`{"id":%q}`, b.apart))
			if r := b.ann.command("acme", command, body); r.status != http.StatusOK {
				t.Errorf("without the constraint %s: %d %s", command, r.status, r.body)
			}
		})
	}
}

// Nobody lifts a constraint who could not give what it keeps back: least of all those whom it binds.
func TestWhoLacksTheRolesDoesNotRemoveTheConstraint(t *testing.T) {
	b := openTill(t)
	b.separate()
	mal := b.root.user(t, "acme", "mal", false)
	malID := mal.do(http.MethodGet, "/v1/me", "").part("user_id")
	b.assigned(b.role("tools", "core.constraints.remove", "core.constraints.create"), user(malID))
	b.assigned(b.pays, user(malID))
	body := fmt.Sprintf(`{"id":%q,"reason":"in my way"}`, b.apart)
	if r := mal.command("acme", "remove-constraint", body); r.code() != "may-not-grant" {
		t.Errorf("who only pays removes it: %d %s", r.status, r.body)
	}
	if r := b.ann.command("acme", "remove-constraint", body); r.status != http.StatusOK {
		t.Errorf("the administrator does not: %d %s", r.status, r.body)
	}
	if r := b.ann.command("acme", "remove-constraint", body); r.status != http.StatusOK {
		t.Errorf("a second time: %d %s", r.status, r.body)
	}
	if r := b.ann.command("acme", "remove-constraint", fmt.Sprintf(`{"id":%q}`, b.pays)); r.code() != "not-found" {
		t.Errorf("one that is not there: %d %s", r.status, r.body)
	}
}

func TestAConstraintOverAViolationSuspendsWhatBreaksIt(t *testing.T) {
	b := openTill(t)
	zoe := b.person("zoe")
	b.assigned(b.pays, user(zoe))
	b.assigned(b.approves, user(zoe))
	body := fmt.Sprintf(`"name":"four eyes","kind":"exclusive","role_ids":[%q,%q]`, b.pays, b.approves)
	if r := b.ann.command("acme", "create-constraint", "{"+body+"}"); r.code() != "constraint-violated" || !strings.Contains(r.body, "/anyway") {
		t.Errorf("it is created over a violation: %d %s", r.status, r.body)
	}
	b.apart = b.ann.must(t, "acme", "create-constraint", "{"+body+`,"anyway":true}`)
	for _, p := range []string{"bill.pay", "bill.approve"} {
		if allowed, why := b.may(zoe, p); allowed || !strings.Contains(why, `four eyes`) || !strings.Contains(why, b.apart) {
			t.Errorf("%s: %v, explained %s", p, allowed, why)
		}
	}
	var row struct {
		Name   string   `json:"name"`
		Kind   string   `json:"kind"`
		Status string   `json:"status"`
		Most   int      `json:"most"`
		Roles  []string `json:"role_ids"`
	}
	b.app.settled(t)
	r := b.ann.do(http.MethodGet, "/v1/tenants/acme/constraints/"+b.apart, "")
	if err := json.Unmarshal([]byte(r.body), &row); err != nil || row.Name != "four eyes" || row.Kind != "exclusive" || row.Status != "active" || row.Most != 1 ||
		!slices.Equal(row.Roles, []string{b.pays, b.approves}) {
		t.Errorf("the row is %s", r.body)
	}
	b.ann.must(t, "acme", "unassign-role", fmt.Sprintf(`{"id":%q}`, b.column(`SELECT id::text FROM core.assignments WHERE role_id = $1 AND status = 'active'`, b.approves)[0]))
	if allowed, why := b.may(zoe, "bill.pay"); !allowed {
		t.Errorf("with one of the roles zoe may not pay: %s", why)
	}
	b.ann.must(t, "acme", "remove-constraint", fmt.Sprintf(`{"id":%q}`, b.apart))
	b.app.settled(t)
	for filter, n := range map[string]int{"": 1, "?status=removed": 1, "?status=active": 0, "?kind=cardinality": 0, "?kind=exclusive": 1} {
		if got := strings.Count(b.ann.do(http.MethodGet, "/v1/tenants/acme/constraints"+filter, "").body, `"id"`); got != n {
			t.Errorf("with %q there are %d constraints, want %d", filter, got, n)
		}
	}
}

// column reads texts once all tables have seen the whole log.
func (b *till) column(query string, args ...any) []string {
	b.Helper()
	b.app.settled(b.T)
	return b.app.column(b, query, args...)
}

func TestABatchDoesNotGetPastAConstraint(t *testing.T) {
	b := openTill(t)
	b.separate()
	zoe, crew := b.person("zoe"), b.ann.must(t, "acme", "create-group", `{"name":"crew"}`)
	line := func(command, body string) string { return fmt.Sprintf(`{"command":%q,"body":%s}`, command, body) }
	for name, lines := range map[string][]string{
		"two assignments": {
			line("assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, b.pays, zoe)), line("assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, b.approves, zoe)),
		},
		"a role that is new": {
			line("assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, b.pays, zoe)),
			line("create-role", fmt.Sprintf(`{"id":"0194f3a0-0009-7000-8000-000000000001","name":"new","parents":[%q]}`, b.approves)),
			line("assign-role", fmt.Sprintf(`{"role_id":"0194f3a0-0009-7000-8000-000000000001","group_id":%q}`, crew)),
			line("add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, crew, zoe)),
		},
	} {
		r := b.ann.do(http.MethodPost, "/v1/tenants/acme/commands?atomic=true", strings.Join(lines, "\n"), "Content-Type", "application/x-ndjson")
		if !strings.Contains(r.body, "constraint-violated") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if rows := b.column(`SELECT id::text FROM core.assignments WHERE user_id = $1`, zoe); len(rows) > 0 {
		t.Errorf("zoe has %v", rows)
	}
}

// Whoever races, nothing is given past a constraint: not one event too many, nor one row.
func TestNoRaceGetsPastAConstraint(t *testing.T) {
	const n = 50
	b := openTill(t)
	b.separate()
	b.ann.must(t, "acme", "create-constraint", fmt.Sprintf(`{"name":"few","kind":"cardinality","role_ids":[%q],"most":3}`, b.role("few")))
	few := b.column(`SELECT role_ids[1]::text FROM core.constraints WHERE kind = 'cardinality'`)[0]
	people := make([]string, n)
	for i := range people {
		people[i] = b.person(fmt.Sprint("p", i))
	}
	zoe, crew := b.person("zoe"), b.ann.must(t, "acme", "create-group", `{"name":"crew"}`)
	b.assigned(b.pays, fmt.Sprintf(`"group_id":%q`, crew))

	counts := race(n, func(i int) reply { // by several ways, each of which once
		switch i % 3 {
		case 0:
			return b.assign(b.approves, user(zoe))
		case 1:
			return b.assign(b.pays, user(zoe))
		}
		return b.ann.command("acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, crew, zoe))
	})
	t.Log("exclusive", counts)
	approves := b.column(`SELECT id::text FROM core.assignments WHERE user_id = $1 AND role_id = $2`, zoe, b.approves)
	pays := b.column(`SELECT id::text FROM core.assignments WHERE user_id = $1 AND role_id = $2 UNION ALL SELECT id::text FROM core.group_memberships WHERE user_id = $1`, zoe, b.pays)
	if len(approves) > 1 || len(approves) == 1 && len(pays) > 0 || len(approves)+len(pays) == 0 {
		t.Errorf("zoe approves by %v and pays by %v", approves, pays)
	}
	events := b.column(`SELECT type FROM core.events WHERE type IN ('role.assigned', 'group-member.added') AND payload->>'user' = $1`, zoe)
	if len(events) != len(approves)+len(pays) {
		t.Errorf("%d events, %d rows", len(events), len(approves)+len(pays))
	}

	counts = race(n, func(i int) reply { return b.assign(few, user(people[i])) })
	t.Log("cardinality", counts)
	rows := b.column(`SELECT user_id::text FROM core.assignments WHERE role_id = $1`, few)
	events = b.column(`SELECT id::text FROM core.events WHERE type = 'role.assigned' AND payload->>'role' = $1`, few)
	if len(rows) != 3 || len(events) != 3 || counts["200"] != 3 || counts["200"]+counts["422 constraint-violated"]+counts["409 conflict"] != n {
		t.Errorf("%d rows, %d events, answers %v; want 3", len(rows), len(events), counts)
	}
}

// A constraint and what it would forbid do not both come to be at the same time.
func TestAConstraintAndWhatItForbidsDoNotPassEachOther(t *testing.T) {
	b := openTill(t)
	crew := b.ann.must(t, "acme", "create-group", `{"name":"crew"}`)
	b.assigned(b.approves, fmt.Sprintf(`"group_id":%q`, crew))
	made, given := 0, 0
	for i := range 20 {
		pays := b.role(fmt.Sprint("payer ", i), "bill.pay")
		zoe := b.person("zoe")
		b.assigned(pays, user(zoe))
		deck := b.ann.must(t, "acme", "create-group", fmt.Sprintf(`{"name":"deck %d","parent_id":%q}`, i, crew))
		create := fmt.Sprintf(`{"name":"x","kind":"exclusive","role_ids":[%q,%q]}`, pays, b.approves)
		join := fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, deck, zoe)
		var answers [2]reply
		race(2, func(j int) reply {
			if j == 0 {
				answers[0] = b.ann.command("acme", "create-constraint", create)
			} else {
				answers[1] = b.ann.command("acme", "add-group-member", join)
			}
			return answers[j]
		})
		if (answers[0].status == http.StatusOK) == (answers[1].status == http.StatusOK) {
			t.Errorf("the constraint: %d %s; the member: %d %s", answers[0].status, answers[0].body, answers[1].status, answers[1].body)
		}
		if answers[0].status == http.StatusOK {
			made++
		} else {
			given++
		}
	}
	t.Logf("%d times the constraint won, %d times the member", made, given)
}

// Of two steps of the same way, each harmless without the other, only one is taken.
func TestTwoStepsOfAWayAreNotTakenAtTheSameTime(t *testing.T) {
	b := openTill(t)
	b.separate()
	won := [2]int{}
	for i := range 20 {
		clerk, zoe := b.role(fmt.Sprint("clerk ", i)), b.person("zoe")
		b.assigned(b.pays, user(zoe))
		crew := b.ann.must(t, "acme", "create-group", fmt.Sprintf(`{"name":"crew %d"}`, i))
		b.assigned(clerk, fmt.Sprintf(`"group_id":%q`, crew))
		var answers [2]reply
		race(2, func(j int) reply {
			if j == 0 {
				answers[0] = b.ann.command("acme", "add-role-parent", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, clerk, b.approves))
			} else {
				answers[1] = b.ann.command("acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, crew, zoe))
			}
			return answers[j]
		})
		for j, r := range answers {
			if r.status == http.StatusOK {
				won[j]++
			}
		}
		if (answers[0].status == http.StatusOK) == (answers[1].status == http.StatusOK) {
			t.Errorf("the role: %d %s; the member: %d %s", answers[0].status, answers[0].body, answers[1].status, answers[1].body)
		}
	}
	t.Log("won", won)
}
