package app

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"chancery/domain"
	"chancery/transport"
)

// A time before the platform began and a position after it may end with the same event, where a tenant's history was
// imported: they are different pasts all the same.
func TestTwoPastsThatEndWithTheSameEventAreToldApart(t *testing.T) {
	_, root := platform(t)
	me := root.do(http.MethodGet, "/v1/me", "").part("user_id")
	r := root.do(http.MethodPost, "/v1/tenants/root/commands",
		`{"command":"create-tenant","body":{"name":"Old","slug":"old"},"at":"2018-01-01T00:00:00Z"}`, "Content-Type", "application/x-ndjson")
	position := r.part("position")
	if position == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	ask := func(asOf string) string {
		return root.do(http.MethodPost, "/access/v1/evaluation", fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"core.users.read"},
			"resource":{"type":"tenant","id":"root"},"context":{"as_of":%q}}`, me, asOf)).body
	}
	for _, c := range []struct {
		asOf string
		want bool
	}{{"2019-01-01T00:00:00Z", false}, {position, true}, {"2019-01-01T00:00:00Z", false}} {
		if got, want := ask(c.asOf), fmt.Sprintf(`{"decision":%v,"context":{"position":%q}}`, c.want, position); got != want {
			t.Errorf("as of %s: %s, want %s", c.asOf, got, want)
		}
	}
}

func TestAPastThatNobodyAsksForIsGivenUp(t *testing.T) {
	clock := newClock(time.Now())
	a, _ := platformWith(t, Config{Now: clock.now})
	p := newPastAccess(a)
	ask := func(position int64) {
		t.Helper()
		if _, _, err := p.AsOf(t.Context(), domain.Root, transport.Moment{Position: position}); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(want int) {
		t.Helper()
		if len(p.kept) != want {
			t.Errorf("%d are kept, want %d", len(p.kept), want)
		}
	}
	ask(1)
	ask(2)
	kept(2)
	clock.forward(4 * time.Minute)
	ask(2)
	clock.forward(4 * time.Minute)
	ask(3)
	kept(2) // the first is gone, the second was asked for meanwhile
	clock.forward(4 * time.Minute)
	p.giveUp() // as the timer does
	kept(1)
	clock.forward(time.Minute)
	p.giveUp()
	kept(0)
}
