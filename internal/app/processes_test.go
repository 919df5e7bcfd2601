package app

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
)

// twoApps are two apps on one database, as two processes would run them, with callers at each.
func twoApps(t *testing.T) (a, b *App, one, two caller) {
	t.Helper()
	a, one = platform(t)
	b = openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data})
	return a, b, one, caller{b.handlerForTest(t), one.token}
}

func TestWhatOneAppRevokedTheOtherHonoursWithItsNextRequest(t *testing.T) {
	_, _, one, two := twoApps(t)
	for round := range 10 {
		slug := fmt.Sprint("acme-", round)
		tenant := one.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":"Acme","slug":%q}`, slug))
		revoking, honouring := one, two
		if round%2 == 1 {
			revoking, honouring = two, one
		}
		for _, c := range []struct {
			name  string
			end   func(user, assignment, token string) (command, body string)
			after int
		}{
			{"a role", func(_, assignment, _ string) (string, string) {
				return "unassign-role", fmt.Sprintf(`{"id":%q}`, assignment)
			}, 403},
			{"a token", func(_, _, token string) (string, string) { return "revoke-token", fmt.Sprintf(`{"id":%q}`, token) }, 401},
			{"a user", func(user, _, _ string) (string, string) { return "deactivate-user", fmt.Sprintf(`{"id":%q}`, user) }, 401},
			{"a tenant", func(string, string, string) (string, string) { return "suspend-tenant", `{}` }, 401},
		} {
			user := revoking.must(t, slug, "register-user", `{"display_name":"U"}`)
			assignment := revoking.must(t, slug, "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, user))
			issued := revoking.command(slug, "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"t","expires_at":%q}`, user, soon()))
			subject := honouring.as(issued.part("token"))
			if r := subject.do("GET", "/v1/tenants/"+slug+"/users", ""); r.status != 200 {
				t.Fatalf("%s: at first %d %s", c.name, r.status, r.body)
			}
			command, body := c.end(user, assignment, issued.part("id"))
			revoking.must(t, tenant, command, body)
			if r := subject.do("GET", "/v1/tenants/"+slug+"/users", ""); r.status != c.after {
				t.Errorf("round %d: %s: the next request to the other app is answered %d %s, want %d", round, c.name, r.status, r.body, c.after)
			}
		}
	}
}

func TestTwoAppsWriteOneLogWithoutGapsAndShowTheSame(t *testing.T) {
	a, b, one, two := twoApps(t)
	tenants := []string{"acme", "beta", "gamma"}
	for _, slug := range tenants {
		one.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":"T","slug":%q}`, slug))
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 25 {
				at, slug := []caller{one, two}[(worker+i)%2], tenants[(worker+i)%3]
				if r := at.command(slug, "create-group", fmt.Sprintf(`{"name":"g %d %d"}`, worker, i)); r.status != 200 {
					t.Errorf("%d %s", r.status, r.body)
				}
			}
		})
	}
	wg.Wait()
	a.settled(t)
	b.settled(t)
	gaps := a.column(t, `
		SELECT position::text FROM (SELECT position, row_number() OVER (ORDER BY position) n, tenant_seq,
			row_number() OVER (PARTITION BY tenant_id ORDER BY position) seq FROM core.events) e
		WHERE position <> n OR tenant_seq <> seq ORDER BY position`)
	if len(gaps) > 0 {
		t.Errorf("the log has gaps at %v", gaps)
	}
	if err := a.raw.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	for _, slug := range tenants {
		if diff := cmp.Diff(readAllText(one, slug), readAllText(two, slug)); diff != "" {
			t.Errorf("the apps show different things of %s: %s", slug, diff)
		}
	}
	r, err := b.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := r.Verify(t.Context(), 5); err != nil || v.Total != 0 {
		t.Errorf("the shared tables differ from the log: %v %v", v.Differences, err)
	}
}
