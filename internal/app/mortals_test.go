package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"chancery/domain"
)

// mortals is an app with something in it of each kind that ends of itself or with something else: all of it within the hour.
// Ann and bob are of acme, bea is of beta; each may add groups in their tenant.
type mortals struct {
	*App
	clock         *clock
	root          caller
	ann, bob, bea caller            // with tokens that last
	id            map[string]string // of everybody and everything
	acme, beta    string            // ids of the tenants
}

func newMortals(t *testing.T) *mortals {
	t.Helper()
	m := &mortals{clock: newClock(time.Now().UTC().Truncate(time.Second)), id: map[string]string{}}
	m.App, m.root = platformWith(t, Config{
		Now: m.clock.now, DueEvery: 24 * time.Hour, SMTPURL: "smtp://127.0.0.1:1?starttls=none", MailFrom: "a@b.test", // nobody listens there
	})
	for _, slug := range []string{"acme", "beta"} {
		id := m.root.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":%[1]q,"slug":%[1]q}`, slug))
		m.id[slug] = id
		for key, value := range map[string]string{
			domain.SessionHours.Key: "1", domain.ImpersonationWord.Key: domain.Allowed, domain.ApprovalHours.Key: "1",
			domain.DelegateOut.Key: "true", domain.DelegateIn.Key: "true", domain.OutsideMembers.Key: "true", domain.JoinOutside.Key: "true",
		} {
			m.root.must(t, slug, "set-policy", fmt.Sprintf(`{"key":%q,"value":%q}`, key, value))
		}
		m.id[slug+" role"] = m.root.must(t, slug, "create-role", `{"name":"Grouper","privileges":["core.groups.create"]}`)
	}
	m.acme, m.beta = m.id["acme"], m.id["beta"]
	m.ann, m.bob, m.bea = m.person(t, "acme", "ann"), m.person(t, "acme", "bob"), m.person(t, "beta", "bea")
	return m
}

// person is an active user with a password, a token that lasts and the role of the tenant, for good.
func (m *mortals) person(t *testing.T, tenant, name string) caller {
	t.Helper()
	id := m.root.must(t, tenant, "register-user", fmt.Sprintf(`{"display_name":%[1]q,"email":"%[1]s@%[2]s.test"}`, name, tenant))
	m.id[name] = id
	m.id[name+" role"] = m.root.must(t, tenant, "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, m.id[tenant+" role"], id))
	r := m.root.command(tenant, "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"lasting","expires_at":%q}`, id, m.in(100*time.Hour)))
	who := m.root.as(r.part("token"))
	m.id[name+" lasting"] = r.part("id")
	who.must(t, tenant, "set-password", `{"password":"a long password of one's own"}`)
	return who
}

func (m *mortals) in(d time.Duration) string { return m.clock.now().Add(d).Format(time.RFC3339) }

// signIn starts a session of ann.
func (m *mortals) signIn(t *testing.T) (caller, string) {
	t.Helper()
	r := m.root.as("").do("POST", "/v1/tenants/acme/sessions", `{"email":"ann@acme.test","password":"a long password of one's own"}`)
	if r.status != 200 || r.part("session_id") == "" {
		t.Fatalf("ann does not sign in: %d %s", r.status, r.body)
	}
	return m.root.as(r.part("token")), r.part("session_id")
}

// delegates has a user of acme delegate to another until a time, and the other accept it.
func (m *mortals) delegates(t *testing.T, from, to caller, toTenant, whom string, until time.Duration, more string) string {
	t.Helper()
	id := from.must(t, "acme", "grant-delegation",
		fmt.Sprintf(`{"delegate_user_id":%q,"delegate_tenant":%q,"until":%q%s}`, m.id[whom], toTenant, m.in(until), more))
	to.must(t, toTenant, "accept-delegation", fmt.Sprintf(`{"id":%q}`, id))
	return id
}

// impersonates has somebody act as a user of acme.
func (m *mortals) impersonates(t *testing.T, by caller, whom string) (caller, string) {
	t.Helper()
	r := by.command("acme", "start-impersonation", fmt.Sprintf(`{"target_user_id":%q,"reason":"test"}`, m.id[whom]))
	if r.status != 200 {
		t.Fatalf("nobody acts as %s: %d %s", whom, r.status, r.body)
	}
	return m.root.as(r.part("token")), r.part("id")
}

// invited invites bea into a group of acme.
func (m *mortals) invited(t *testing.T, until time.Duration) string {
	t.Helper()
	group := m.root.must(t, "acme", "create-group", fmt.Sprintf(`{"name":"group %d"}`, len(m.id)))
	return m.root.must(t, "acme", "invite-to-group",
		fmt.Sprintf(`{"group_id":%q,"tenant":"beta","user_id":%q,"expires_at":%q}`, group, m.id["bea"], m.in(until)))
}

// may tells whether a user may add groups in acme.
func (m *mortals) may(name string) bool {
	r := m.root.do("POST", "/v1/tenants/acme/access/v1/evaluation", fmt.Sprintf(
		`{"subject":{"type":"user","id":%q},"action":{"name":"core.groups.create"},"resource":{"type":"tenant","id":%q}}`, m.id[name], m.acme))
	return strings.Contains(r.body, `"decision":true`)
}

// ends are the events by which things ended since the beginning, as "type thing reason cause's type", in order.
func (m *mortals) ends(t *testing.T, types ...string) []string {
	t.Helper()
	return m.column(t, `
		SELECT e.type || ' ' || coalesce(e.payload->>'impersonation', e.payload->>'delegation', e.payload->>'session', e.payload->>'token',
				e.payload->>'assignment', e.payload->>'override', e.payload->>'link', e.payload->>'invitation', e.payload->>'approval', e.payload->>'review')
			|| ' ' || coalesce(e.payload->>'reason', '-') || ' ' || coalesce(c.type, '-')
		FROM core.events e LEFT JOIN core.events c ON c.id = (e.metadata->>'causation')::uuid
		WHERE e.type = ANY ($1) ORDER BY e.position`, types)
}

// verified is that the tables are what the log says.
func (a *App) verified(t *testing.T) {
	t.Helper()
	r, err := a.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := r.Verify(t.Context(), 5); err != nil || v.Total != 0 {
		t.Errorf("the tables differ from the log: %v %v", v.Differences, err)
	}
}
