package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/pulls"
)

// A process that has not heard of a change judges nothing that was recorded after it, however it is asked.
func TestAProcessThatLagsPassesNothingThatItCannotJudge(t *testing.T) {
	s := newStall(t)
	other := openWith(t, Config{Now: s.clock.now, DatabaseURL: s.app.config.DatabaseURL, Data: s.app.config.Data})
	tenant := domain.TenantID{UUID: uuid.MustParse(s.acme)}
	policy := func(value string) {
		t.Helper()
		s.ann.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":"events.deliverable","value":%q}`, value))
	}
	for _, c := range []struct{ name, closes, opens string }{
		{"policy", `set-policy {"key":"events.deliverable","value":"core.user.*"}`, `set-policy {"key":"events.deliverable","value":"shop.*"}`},
		{"app", `disable-app {"app":"stock"}`, `enable-app {"app":"stock"}`},
	} {
		policy("shop.*")
		id, at := s.pull("")
		endpoint := domain.EndpointID{UUID: uuid.MustParse(id)}
		do := func(what string) {
			t.Helper()
			name, body, _ := strings.Cut(what, " ")
			s.ann.must(t, "acme", name, body)
		}
		do(c.closes)
		if err := other.follower.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		before, err := other.puller().Find(t.Context(), tenant, endpoint)
		if err != nil {
			t.Fatal(err)
		}
		behind := func(context.Context) (*pulls.Endpoint, error) { return before.Endpoint, nil }
		over, cancel := context.WithCancel(t.Context())
		cancel()

		other.follower.mu.Lock() // it lags
		do(c.opens)
		s.order(s.shop, 1)
		page, readErr := other.pulls.Read(t.Context(), before.Endpoint, 0, 10)
		items, err := other.pulls.Receive(t.Context(), over, tenant.UUID, endpoint.UUID, 10, behind)
		other.follower.mu.Unlock()
		if err != nil || readErr != nil || len(items) > 0 || len(page.Events) > 0 {
			t.Fatalf("%s: %v %v, %v %v", c.name, items, err, page, readErr)
		}
		through := caller{other.handlerForTest(t), s.stock.token}
		read, _ := s.readPage(through.do("GET", at+"/events?after="+strconv.FormatInt(page.Next, 10), ""))
		s.equal(c.name+": read", []int{s.orders}, read)
		s.equal(c.name+": leased", []string{fmt.Sprint(s.orders, " 1 1")}, numbers(s.received(through.do("POST", at+"/receive", `{}`))))
	}
}

func TestAStreamOfAnotherProcessHasAllThatAChangeLetsOut(t *testing.T) {
	s := newStall(t)
	_, at := s.pull("")
	other := openWith(t, Config{Now: s.clock.now, DatabaseURL: s.app.config.DatabaseURL, Data: s.app.config.Data})
	live := s.tail(s.serving(other, asItIs), at+"/stream", "")
	for range 30 {
		for _, value := range []string{"core.user.*", "shop.*"} {
			s.ann.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":"events.deliverable","value":%q}`, value))
		}
		s.order(s.shop, 1)
		s.equal("live", []int{s.orders}, live.next(1))
	}
}
