package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/domain"
)

// announced returns what was announced in acme after a position, as "name +gained -lost because of a type", when all of the log was
// reacted to.
func (m *mortals) announced(t *testing.T, after int64) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for head := int64(-1); head != m.headForTest(t); {
		head = m.headForTest(t)
		if err := m.feed.Wait(ctx, "access-changes", head); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{}
	for name, id := range m.id {
		if !strings.Contains(name, " ") {
			names = append(names, id, name)
		}
	}
	var all []string
	for _, row := range m.column(t, `
		SELECT json_build_object('payload', e.payload, 'cause', c.type, 'same', (e.metadata->>'causation') = (e.payload->>'cause'))::text
		FROM core.events e JOIN core.events c ON c.id = (e.payload->>'cause')::uuid
		WHERE e.type = 'access.changed' AND e.tenant_id = $1 AND e.position > $2 ORDER BY e.position`, m.acme, after) {
		var r struct {
			Payload domain.AccessChanged `json:"payload"`
			Cause   string               `json:"cause"`
			Same    bool                 `json:"same"`
		}
		if err := json.Unmarshal([]byte(row), &r); err != nil || !r.Same || domain.AccessID(r.Payload.User) != r.Payload.Access {
			t.Fatalf("%s: %v", row, err)
		}
		words := []string{r.Payload.User.String()}
		for _, g := range r.Payload.Gained {
			words = append(words, "+"+right(g))
		}
		for _, l := range r.Payload.Lost {
			words = append(words, "-"+right(l))
		}
		all = append(all, strings.NewReplacer(names...).Replace(strings.Join(words, " "))+" by "+r.Cause)
	}
	slices.Sort(all) // those of one cause have no order
	return all
}

func right(r domain.Right) string {
	text := strings.TrimPrefix(string(r.Privilege), "core.")
	if r.Scope != "" {
		text += "@" + string(r.Scope)
	}
	return text
}

func TestEachChangeOfAccessIsAnnouncedOnceWhereTheTenantWantsIt(t *testing.T) {
	m := newMortals(t)
	do := func(command, body string, want ...string) (id string) {
		t.Helper()
		at := m.headForTest(t)
		id = m.root.must(t, "acme", command, body)
		if got := m.announced(t, at); !slices.Equal(got, want) {
			t.Errorf("%s %s was announced as %q, want %q", command, body, got, want)
		}
		return id
	}
	do("unassign-role", fmt.Sprintf(`{"id":%q}`, m.id["ann role"])) // nobody wants to hear of it
	do("set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, domain.AnnounceAccess.Key))
	ann := m.id["ann"]
	a := do("assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, m.id["acme role"], ann), "ann +groups.create by role.assigned")
	scoped := do("assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q,"scope":"repo:web"}`, m.id["acme role"], ann)) // they may it everywhere already
	do("unassign-role", fmt.Sprintf(`{"id":%q}`, a), "ann +groups.create@repo:web -groups.create by role.unassigned")
	do("unassign-role", fmt.Sprintf(`{"id":%q}`, scoped), "ann -groups.create@repo:web by role.unassigned")

	// By a group, a department, a role that changes; of all whom it reaches.
	group := do("create-group", `{"name":"crew"}`)
	do("assign-role", fmt.Sprintf(`{"role_id":%q,"group_id":%q}`, m.id["acme role"], group))
	do("add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, group, ann), "ann +groups.create by group-member.added")
	do("add-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":"core.groups.rename"}`, m.id["acme role"]),
		"ann +groups.rename by role.privilege-added", "bob +groups.rename by role.privilege-added")
	do("create-role", `{"name":"Unused","privileges":["core.users.read","core.users.erase"]}`)
	deny := do("add-override", fmt.Sprintf(`{"effect":"deny","privilege":"core.groups.*","user_id":%q,"expires_at":%q,"reason":"test"}`, ann, m.in(time.Hour)),
		"ann -groups.create -groups.rename by override.added")
	do("revoke-override", fmt.Sprintf(`{"id":%q}`, deny), "ann +groups.create +groups.rename by override.revoked")
	do("deactivate-user", fmt.Sprintf(`{"id":%q}`, ann), "ann -groups.create -groups.rename by user.deactivated")
	do("reactivate-user", fmt.Sprintf(`{"id":%q}`, ann), "ann +groups.create +groups.rename by user.reactivated")
	do("update-user", fmt.Sprintf(`{"id":%q,"display_name":"Anna"}`, ann))

	// Nobody is told of anything in tenants that do not want it.
	do("register-user", `{"display_name":"dan"}`)
	if got := m.column(t, `SELECT payload::text FROM core.events WHERE type = 'access.changed' AND tenant_id <> $1`, m.acme); len(got) > 0 {
		t.Errorf("announced elsewhere: %q", got)
	}
	at := m.headForTest(t)
	m.root.must(t, "acme", "suspend-tenant", `{}`)
	want := []string{"ann -groups.create -groups.rename by tenant.suspended", "bob -groups.create -groups.rename by tenant.suspended"}
	if got := m.announced(t, at); !slices.Equal(got, want) {
		t.Errorf("the suspension was announced as %q", got)
	}
	m.verified(t)
}

func TestAChangeThatTimeBringsIsAnnouncedOnce(t *testing.T) {
	m := newMortals(t)
	m.root.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, domain.AnnounceAccess.Key))
	for _, name := range []string{"cat", "dan"} {
		m.id[name] = m.root.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":%q}`, name))
	}
	assign := func(name string, from, until time.Duration) {
		m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q,"from":%q,"until":%q}`,
			m.id["acme role"], m.id[name], m.in(from), m.in(until)))
	}
	at := m.headForTest(t)
	assign("cat", time.Hour, 2*time.Hour)
	assign("dan", 0, time.Hour)
	assign("dan", time.Hour, 3*time.Hour) // goes on without a gap
	is := func(want ...string) {
		t.Helper()
		m.round(t)
		m.round(t)
		if got := m.announced(t, at); !slices.Equal(got, want) {
			t.Errorf("announced %q, want %q", got, want)
		}
		at = m.headForTest(t)
	}
	is("dan +groups.create by role.assigned")
	m.clock.forward(time.Hour)
	is("cat +groups.create by role.assigned")
	again := openWith(t, m.config)
	if err := again.due.Round(t.Context()); err != nil { // which has not seen it
		t.Fatal(err)
	}
	again.Close()
	is()
	m.clock.forward(time.Hour)
	is("cat -groups.create by role.assignment-expired")
	m.clock.forward(time.Hour)
	is("dan -groups.create by role.assignment-expired")
	if m.may("cat") || m.may("dan") {
		t.Error("what was announced is not so")
	}
}

func TestAnnouncementsAreMadeOnceAcrossARestart(t *testing.T) {
	m := newMortals(t)
	m.root.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, domain.AnnounceAccess.Key))
	m.root.must(t, "acme", "add-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":"core.groups.rename"}`, m.id["acme role"]))
	want := m.announced(t, 0)
	if len(want) != 2 {
		t.Fatalf("announced %q", want)
	}
	head := m.headForTest(t)
	m.Close()
	setBack(t, m.config.DatabaseURL, "access-changes")
	again := openWith(t, m.config)
	m.App = again
	if got := m.announced(t, 0); !slices.Equal(got, want) || again.headForTest(t) != head {
		t.Errorf("told again of all there was, it announced %q; want %q", got, want)
	}
}
