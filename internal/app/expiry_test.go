package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// round is one look for what has come due, and returns when the tables have seen what became of it.
func (a *App) round(t *testing.T) {
	t.Helper()
	a.settled(t)
	if err := a.due.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.settled(t)
}

// expiring makes one of each kind that is over within two hours, and returns the ids by the type of event that says so.
func (m *mortals) expiring(t *testing.T) (session, acting caller, ends map[string]string) {
	t.Helper()
	ends = map[string]string{}
	ends["token.expired"] = m.root.must(t, "acme", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"short","expires_at":%q}`, m.id["ann"], m.in(time.Hour)))
	session, ends["session.ended"] = m.signIn(t)
	m.id["cat"] = m.root.must(t, "acme", "register-user", `{"display_name":"cat"}`)
	ends["role.assignment-expired"] = m.root.must(t, "acme", "assign-role",
		fmt.Sprintf(`{"role_id":%q,"user_id":%q,"until":%q}`, m.id["acme role"], m.id["cat"], m.in(time.Hour)))
	ends["override.expired"] = m.root.must(t, "acme", "add-override",
		fmt.Sprintf(`{"effect":"deny","privilege":"core.groups.create","user_id":%q,"expires_at":%q,"reason":"test"}`, m.id["bob"], m.in(time.Hour)))
	ends["link.expired"] = m.root.must(t, "acme", "send-password-reset", fmt.Sprintf(`{"user_id":%q}`, m.id["ann"]))
	ends["delegation.expired"] = m.delegates(t, m.ann, m.bea, "beta", "bea", time.Hour, "")
	acting, ends["impersonation.expired"] = m.impersonates(t, m.root, "ann")
	ends["group-invitation.expired"] = m.invited(t, time.Hour)
	careful := m.root.must(t, "acme", "create-role", `{"name":"Careful","privileges":["core.groups.rename"]}`)
	m.root.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":%q,"value":%q}`, domain.ApproveRoles.Key, careful))
	ends["approval.expired"] = m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, careful, m.id["ann"]))
	ends["review.closed"] = m.root.must(t, "acme", "start-review", fmt.Sprintf(`{"name":"all","due_at":%q,"on_silence":"keep"}`, m.in(90*time.Minute)))
	return session, acting, ends
}

func TestEverythingThatEndsOfItselfIsSaidToHaveEndedOnce(t *testing.T) {
	m := newMortals(t)
	session, acting, ends := m.expiring(t)
	delegated := []string{"Chancery-Delegation", ends["delegation.expired"]}
	m.round(t)
	types := []string{"review.decided"}
	for typ := range ends {
		types = append(types, typ)
	}
	if early := m.ends(t, types...); len(early) > 0 {
		t.Fatalf("said before it was so: %v", early)
	}
	if !m.may("cat") || m.may("bob") {
		t.Fatal("an assignment or an override does not hold yet")
	}
	if a, b := m.bea.command("acme", "create-group", `{"name":"hers"}`, delegated...), acting.command("acme", "create-group", `{"name":"his"}`); a.status != 200 || b.status != 200 {
		t.Fatalf("nobody acts for ann: %d %s, %d %s", a.status, a.body, b.status, b.body)
	}

	m.clock.forward(2 * time.Hour)
	// All are over, though nothing has been said.
	if m.may("cat") || !m.may("bob") {
		t.Error("an answer waits for the event")
	}
	for name, who := range map[string]caller{"a session": session, "an impersonation": acting} {
		if r := who.do("GET", "/v1/me", ""); r.status != 401 {
			t.Errorf("%s that is over is answered %d", name, r.status)
		}
	}
	if r := m.bea.command("acme", "create-group", `{"name":"late"}`, delegated...); r.code() != "delegation-not-in-force" {
		t.Errorf("a delegation that is over is answered %d %s", r.status, r.body)
	}
	if early := m.ends(t, types...); len(early) > 0 {
		t.Fatalf("said without a round: %v", early)
	}
	before := m.headForTest(t)

	m.round(t)
	m.round(t)
	want := map[string]int{"delegation.expired": 2, "group-invitation.expired": 2} // one in each tenant that it concerns
	for typ, id := range ends {
		n := len(slices.DeleteFunc(m.ends(t, typ), func(e string) bool { return e[len(typ)+1:len(typ)+1+len(id)] != id }))
		if n != max(want[typ], 1) {
			t.Errorf("%s of %s was said %d times", typ, id, n)
		}
	}
	for table, rows := range map[string][]string{
		"api_tokens": {"expired"}, "sessions": {"ended"}, "assignments": {"expired"}, "policy_overrides": {"expired"}, "links": {"expired"},
		"delegations": {"expired", "expired"}, "impersonation_sessions": {"expired"}, "group_invitations": {"expired", "expired"},
		"approvals": {"expired"}, "reviews": {"closed"},
	} {
		query := `SELECT status FROM core.` + table + ` WHERE id = ANY ($1::uuid[])`
		var ids []string
		for _, id := range ends {
			ids = append(ids, id)
		}
		if got := m.column(t, query, ids); !slices.Equal(got, rows) {
			t.Errorf("%s: %v, want %v", table, got, rows)
		}
	}
	if m.may("cat") || !m.may("bob") {
		t.Error("an answer changed with the event")
	}
	m.saidSo(t, before)
	m.verified(t)
}

// saidSo is that it makes no difference to an answer about the past whether the end was said by then: the time alone tells.
func (m *mortals) saidSo(t *testing.T, before int64) {
	t.Helper()
	for _, name := range []string{"cat", "bob"} {
		body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"core.groups.create"},"resource":{"type":"tenant","id":%q},"context":{"as_of":"%%d"}}`, m.id[name], m.acme)
		was := m.root.do("POST", "/v1/tenants/acme/access/v1/evaluation", fmt.Sprintf(body, before)) // when the two last did something, an hour before the ends
		is := m.root.do("POST", "/v1/tenants/acme/access/v1/evaluation", fmt.Sprintf(body, m.headForTest(t)))
		if was.status != 200 || was.body[:18] == is.body[:18] {
			t.Errorf("%s: then %s, now %s", name, was.body, is.body)
		}
	}
}

// tokens issues so many tokens of ann that are over within the hour.
func (m *mortals) tokens(t *testing.T, n int) {
	t.Helper()
	spec, _ := commands.Named("issue-token")
	acme := domain.TenantID{UUID: uuid.MustParse(m.acme)}
	for n > 0 {
		var orders []commands.Order
		for ; n > 0 && len(orders) < 500; n-- {
			c := spec.New().(*commands.IssueToken)
			c.User, c.Name, c.ExpiresAt = domain.UserID{UUID: uuid.MustParse(m.id["ann"])}, "one of many", m.clock.now().Add(time.Hour)
			o := commands.NewOrder(spec, c, acme)
			o.Rights, o.By, o.Seed, o.Fingerprint, o.Privileged = commands.System{}, dcb.Provenance{}, o.Request.String(), o.Request[:], true
			orders = append(orders, o)
		}
		outcomes, err := m.engine.Batch(t.Context(), acme, orders, true)
		if err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes[0].Err)
		}
	}
}

// once is that each of so many tokens was said to be over, and none twice.
func (a *App) once(t *testing.T, typ string, n int) {
	t.Helper()
	got := a.column(t, `SELECT count(*) || ' ' || count(DISTINCT payload->>'token') FROM core.events WHERE type = $1`, typ)[0]
	if want := fmt.Sprint(n, " ", n); got != want {
		t.Errorf("%s: said, and of how many: %s, want %s", typ, got, want)
	}
}

func TestTenThousandThingsThatAreDueAtOnceAreSoonSaid(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	m := newMortals(t)
	m.tokens(t, n)
	m.clock.forward(2 * time.Hour)
	m.settled(t)
	began := time.Now()
	if err := m.due.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("%d ends were said in %s", n, took.Round(time.Millisecond))
	if took > time.Minute {
		t.Errorf("%d ends took %s", n, took)
	}
	m.once(t, "token.expired", n)
}

func TestEndsAreSaidOnceByProcessesThatDieAndProcessesThatRace(t *testing.T) {
	const n = 2000
	m := newMortals(t)
	m.tokens(t, n)
	m.clock.forward(2 * time.Hour)
	m.settled(t)

	// One dies in the midst of it.
	dying, kill := context.WithCancel(t.Context())
	head := m.headForTest(t)
	died := make(chan error, 1)
	go func() { died <- m.due.Round(dying) }()
	for seen := head; seen < head+n/4; {
		seen = m.headForTest(t)
	}
	kill()
	if err := <-died; !errors.Is(err, context.Canceled) {
		t.Fatalf("a round that was cut off ends with %v", err)
	}
	said := len(m.ends(t, "token.expired"))
	if said == n {
		t.Log("the round was over before it was cut off")
	}
	config := m.config
	m.Close()

	// Two that come after it race.
	one, two := openWith(t, config), openWith(t, config)
	var failed [4]error
	race(len(failed), func(i int) reply { failed[i] = []*App{one, two}[i%2].due.Round(t.Context()); return reply{} })
	if err := errors.Join(failed[:]...); err != nil {
		t.Fatal(err)
	}
	one.settled(t)
	one.once(t, "token.expired", n)
	t.Logf("%d of %d were said before the end of the first", said, n)
}
