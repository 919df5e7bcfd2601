package app

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keyed are commands with a key each, such that every kind of answer is among them: with events, with a secret, without events.
func keyed(user, token, group string) [][2]string {
	return [][2]string{
		{"register-user", `{"display_name":"Una","email":"una@acme.test"}`},
		{"create-group", `{"name":"Team"}`},
		{"issue-token", fmt.Sprintf(`{"user_id":%q,"name":"ci","expires_at":%q}`, user, soon())},
		{"rotate-token", fmt.Sprintf(`{"id":%q}`, token)},
		{"add-domain", `{"domain":"acme.test"}`},
		{"add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, group, user)},
		{"rename-group", fmt.Sprintf(`{"id":%q,"name":"Crew"}`, group)},
		{"rename-group", fmt.Sprintf(`{"id":%q,"name":"Crew","description":""}`, group)}, // changes nothing more
	}
}

func TestTheSameKeyAnswersTheSameBytesAlsoElsewhereAndAfterARestart(t *testing.T) {
	a, b, one, two := twoApps(t)
	one.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	user := one.must(t, "acme", "register-user", `{"display_name":"U"}`)
	token := one.command("acme", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"t","expires_at":%q}`, user, soon())).part("id")
	group := one.must(t, "acme", "create-group", `{"name":"Old"}`)
	orders := keyed(user, token, group)
	send := func(c caller) (all []string) {
		for i, o := range orders {
			r := c.command("acme", o[0], o[1], "Idempotency-Key", fmt.Sprint("key-", i))
			all = append(all, fmt.Sprintf("%s: %d %s %s", o[0], r.status, r.header.Get("Chancery-Position"), r.body))
		}
		return all
	}
	first := send(one)
	for i := range orders {
		if r := one.command("acme", orders[i][0], orders[i][1], "Idempotency-Key", fmt.Sprint("key-", i)); r.status != 200 {
			t.Fatalf("%v: %d %s", orders[i], r.status, r.body)
		}
	}
	one.must(t, "acme", "rename-group", fmt.Sprintf(`{"id":%q,"name":"Else"}`, group)) // life goes on
	head := a.headForTest(t)
	for name, c := range map[string]caller{"again": one, "at another app": two} {
		if diff := cmp.Diff(first, send(c)); diff != "" {
			t.Errorf("%s (-first +then):\n%s", name, diff)
		}
	}
	for i, o := range orders {
		if r := two.command("acme", o[0], " "+o[1], "Idempotency-Key", fmt.Sprint("key-", i)); r.status != 422 || r.code() != "idempotency-key-reused" {
			t.Errorf("%s with another body under its key: %d %s", o[0], r.status, r.body)
		}
	}
	a.Close()
	b.Close()
	restarted := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data})
	if diff := cmp.Diff(first, send(caller{restarted.handlerForTest(t), one.token})); diff != "" {
		t.Errorf("after a restart (-first +then):\n%s", diff)
	}
	types := restarted.column(t, `SELECT type FROM core.events WHERE position > $1 AND type <> 'command.refused'`, head)
	if len(types) > 0 {
		t.Errorf("repetitions were stored as %v", types)
	}
}

func TestTwinsInFlightHaveOneEffectAndOneAnswer(t *testing.T) {
	a, _, one, two := twoApps(t)
	one.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	user := one.must(t, "acme", "register-user", `{"display_name":"U"}`)
	for round := range 8 {
		for _, o := range [][2]string{
			{"register-user", fmt.Sprintf(`{"display_name":"Una","email":"una-%d@acme.test"}`, round)},
			{"create-group", fmt.Sprintf(`{"name":"Team %d"}`, round)},
			{"issue-token", fmt.Sprintf(`{"user_id":%q,"name":"ci","expires_at":%q}`, user, soon())},
		} {
			before, key := a.headForTest(t), fmt.Sprint("twins-", round, o[0])
			bodies := make([]string, 16)
			counts := race(len(bodies), func(n int) reply {
				r := []caller{one, two}[n%2].command("acme", o[0], o[1], "Idempotency-Key", key)
				if r.status == 200 {
					bodies[n] = r.body
				}
				return r
			})
			if counts["200"] == 0 || counts["200"]+counts["409 conflict"] != len(bodies) {
				t.Errorf("%s: %v", o[0], counts)
			}
			want := one.command("acme", o[0], o[1], "Idempotency-Key", key)
			for _, got := range bodies {
				if got != "" && got != want.body {
					t.Errorf("%s: one twin is answered %s, another %s", o[0], got, want.body)
				}
			}
			if stored := a.column(t, `SELECT type FROM core.events WHERE position > $1`, before); len(stored) != 1 {
				t.Errorf("%s by twins was stored as %v", o[0], stored)
			}
		}
	}
}
