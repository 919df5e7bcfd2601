package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// race lets n callers go at once and counts their answers by status and code.
func race(n int, try func(i int) reply) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	begin, counts := make(chan struct{}), map[string]int{}
	for i := range n {
		wg.Go(func() {
			<-begin
			r := try(i)
			mu.Lock()
			defer mu.Unlock()
			counts[strings.TrimSpace(strconv.Itoa(r.status)+" "+r.code())]++
		})
	}
	close(begin)
	wg.Wait()
	return counts
}

func TestOfManyCallersRacingForANameExactlyOneWins(t *testing.T) {
	var challenges []string
	a, root := platformWith(t, Config{Resolver: willing{&challenges}})
	tenants := make([]string, 24)
	for i := range tenants {
		tenants[i] = root.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":"T","slug":"tenant-%d"}`, i))
	}
	acme := tenants[0]
	users, domains := make([]string, len(tenants)), make([]string, len(tenants))
	for i, tenant := range tenants {
		users[i] = root.must(t, acme, "register-user", `{"display_name":"U"}`)
		added := root.command(tenant, "add-domain", `{"domain":"prize.test"}`)
		domains[i], challenges = added.part("id"), append(challenges, added.part("challenge"))
	}
	for name, c := range map[string]struct {
		loses string
		try   func(i int) reply
	}{
		"an e-mail address": {"422 email-taken", func(i int) reply {
			return root.command(acme, "register-user", fmt.Sprintf(`{"display_name":"N","email":"%s@acme.test"}`, []string{"Ann", "ann", "ANN"}[i%3]))
		}},
		"an e-mail address, looked up first": {"422 email-taken", func(i int) reply {
			root.do("GET", "/v1/tenants/"+acme+"/users?limit=1000", "")
			return root.command(acme, "change-user-email", fmt.Sprintf(`{"id":%q,"email":"bob@acme.test"}`, users[i]))
		}},
		"a slug": {"422 slug-taken", func(int) reply {
			return root.command("root", "create-tenant", `{"name":"Prize","slug":"prize"}`)
		}},
		"a slug, looked up first": {"422 slug-taken", func(i int) reply {
			root.do("GET", "/v1/tenants/better", "")
			return root.command(tenants[i], "rename-tenant", `{"slug":"better"}`)
		}},
		"a domain": {"422 domain-taken", func(i int) reply {
			return root.command(tenants[i], "verify-domain", fmt.Sprintf(`{"id":%q}`, domains[i]))
		}},
	} {
		before := a.headForTest(t)
		counts := race(len(tenants), c.try)
		if counts["200"] != 1 || counts[c.loses] != len(tenants)-1 {
			t.Errorf("%s: %v, want one 200 and %d %s", name, counts, len(tenants)-1, c.loses)
		}
		t.Logf("%s: %v, %d events", name, counts, a.headForTest(t)-before)
	}
}

// willing is a DNS that shows every challenge it was given.
type willing struct{ challenges *[]string }

func (w willing) TXT(context.Context, string) ([]string, error) { return *w.challenges, nil }
