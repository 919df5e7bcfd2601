package app

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/domain"
)

// reviewed is an office in which una, eve and bob are readers, bob by his group.
func reviewed(t *testing.T) (o *office, reader string, given map[string]string) {
	t.Helper()
	o, given = newOffice(t), map[string]string{}
	o.hire(t, "eve")
	reader = o.root.must(t, "acme", "create-role", `{"name":"Reader","privileges":["core.users.read"]}`)
	for _, name := range []string{"una", "eve"} {
		given[name] = o.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, reader, o.ids[name]))
	}
	team := o.root.must(t, "acme", "create-group", `{"name":"Team"}`)
	o.root.must(t, "acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, team, o.ids["bob"]))
	given["team"] = o.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"group_id":%q}`, reader, team))
	o.ids["team"] = team
	return o, reader, given
}

// review starts one, due in a day.
func (o *office) review(t *testing.T, more string) (id string) {
	t.Helper()
	due := o.clock.now().Add(24 * time.Hour).Format(time.RFC3339)
	return o.as["ann"].must(t, "acme", "start-review", fmt.Sprintf(`{"name":"Spring","due_at":%q%s}`, due, more))
}

func decideOn(c caller, review, item, decision string) reply {
	return c.command("acme", "decide-review-item", fmt.Sprintf(`{"review_id":%q,"item_id":%q,"decision":%q,"reason":"because"}`, review, item, decision))
}

func TestAReviewKeepsAndTakesBackItemByItem(t *testing.T) {
	o, reader, given := reviewed(t)
	id := o.review(t, `,"role_id":"`+reader+`","on_silence":"keep"`)
	if r := decideOn(o.as["ann"], id, given["una"], "revoke"); !slices.Equal(eventsOf(t, r), []string{"review.decided", "role.unassigned"}) {
		t.Errorf("%d %s", r.status, r.body)
	}
	o.settled(t)
	if o.unaMayRead(t) {
		t.Error("una may read still")
	}
	items := o.root.do("GET", "/v1/tenants/acme/review-items?review_id="+id, "")
	if strings.Count(items.body, `"status":"undecided"`) != 2 || strings.Count(items.body, `"status":"revoked"`) != 1 {
		t.Errorf("%d %s", items.status, items.body)
	}
	for filter, n := range map[string]int{"status=revoked": 1, "user_id=" + o.ids["eve"]: 1, "status=kept": 0} {
		if r := o.root.do("GET", "/v1/tenants/acme/review-items?review_id="+id+"&"+filter, ""); strings.Count(r.body, `"item_id"`) != n {
			t.Errorf("%s: %d %s", filter, r.status, r.body)
		}
	}
	expectReply(t, "the other way", decideOn(o.as["cat"], id, given["una"], "keep"), "422 review-item-decided")
	expectReply(t, "kept", decideOn(o.as["ann"], id, given["eve"], "keep"), "200")
	last := decideOn(o.as["ann"], id, given["team"], "keep")
	if !slices.Equal(eventsOf(t, last), []string{"review.decided", "review.closed"}) {
		t.Errorf("%d %s", last.status, last.body)
	}
	o.settled(t)
	r := o.root.do("GET", "/v1/tenants/acme/reviews/"+id, "")
	if r.part("status") != "closed" || r.part("close_reason") != domain.ReviewDone || !strings.Contains(r.body, `"items":3,"decided":3`) || r.part("created_by") != o.ids["ann"] {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestNobodyReviewsTheirOwnAccessByWhicheverWayTheyHaveIt(t *testing.T) {
	o, reader, given := reviewed(t)
	all := o.review(t, `,"on_silence":"keep"`)
	readers := o.review(t, `,"role_id":"`+reader+`","on_silence":"keep"`)
	members := o.review(t, `,"group_id":"`+o.ids["team"]+`","on_silence":"keep"`)
	o.settled(t)
	membership := o.column(t, `SELECT id::text FROM core.group_memberships WHERE user_id = $1`, o.ids["bob"])[0]
	admin := o.column(t, `SELECT id::text FROM core.assignments WHERE user_id = $1`, o.ids["bob"])[0]
	for name, c := range map[string]struct{ review, item string }{
		"by name": {all, admin}, "by a group": {readers, given["team"]}, "the membership itself": {members, membership},
	} {
		for _, decision := range []string{"keep", "revoke"} {
			expectReply(t, name+": "+decision, decideOn(o.as["bob"], c.review, c.item, decision), "403 own-access")
		}
		expectReply(t, name+": somebody else", decideOn(o.as["cat"], c.review, c.item, "keep"), "200")
	}
}

func TestAReviewOfTheTenantListsEveryAssignment(t *testing.T) {
	o, _, given := reviewed(t)
	o.settled(t)
	id := o.review(t, `,"on_silence":"keep"`)
	want := o.column(t, `SELECT a.id::text FROM core.assignments a JOIN core.tenants t ON t.id = a.tenant_id WHERE t.slug = 'acme' AND a.status = 'active' ORDER BY 1`)
	o.settled(t)
	got := o.column(t, `SELECT item_id::text FROM core.review_items WHERE review_id = $1 ORDER BY 1`, id)
	if len(want) < 7 || !slices.Contains(want, given["una"]) || !slices.Equal(got, want) {
		t.Errorf("reviews %v, assigned are %v", got, want)
	}
}

func TestSilenceRevokesOnlyWhereThatWasAskedForInSoManyWords(t *testing.T) {
	o, reader, given := reviewed(t)
	due := o.clock.now().Add(24 * time.Hour).Format(time.RFC3339)
	start := func(more string) reply {
		return o.as["ann"].command("acme", "start-review", fmt.Sprintf(`{"name":"Spring","role_id":%q,"due_at":%q%s}`, reader, due, more))
	}
	expectReply(t, "silence is not said", start(``), "400 malformed")
	expectReply(t, "not confirmed", start(`,"on_silence":"revoke"`), "422 silence-unconfirmed")
	expectReply(t, "hardly confirmed", start(`,"on_silence":"revoke","confirm":"yes"`), "422 silence-unconfirmed")
	r := start(`,"on_silence":"revoke","confirm":"` + domain.RevokeEverybody + `"`)
	if r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	id := r.part("id")
	expectReply(t, "eve is kept", decideOn(o.as["ann"], id, given["eve"], "keep"), "200")
	o.settled(t)
	finish := func() {
		t.Helper()
		if err := o.due.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.settled(t)
	}
	finish()
	if !o.unaMayRead(t) {
		t.Error("una may not read before the review is due")
	}
	o.clock.forward(24*time.Hour - time.Minute)
	expectReply(t, "in time", decideOn(o.root, id, given["team"], "keep"), "200")
	o.clock.forward(time.Minute)
	expectReply(t, "too late", decideOn(o.root, id, given["una"], "keep"), "422 review-over")
	expectReply(t, "closed to evade it", o.root.command("acme", "close-review", fmt.Sprintf(`{"id":%q}`, id)), "422 review-over")
	finish()
	finish()
	if o.unaMayRead(t) {
		t.Error("una may read")
	}
	o.settled(t)
	if r := o.root.do("GET", "/v1/tenants/acme/reviews/"+id, ""); r.part("status") != "closed" || r.part("close_reason") != domain.ReviewDue {
		t.Errorf("%d %s", r.status, r.body)
	}
	kinds := o.column(t, `SELECT status || ' ' || (decided_by IS NULL) FROM core.review_items WHERE review_id = $1 ORDER BY 1`, id)
	if !slices.Equal(kinds, []string{"kept false", "kept false", "revoked true"}) {
		t.Errorf("items: %v", kinds)
	}
	if n := o.column(t, `SELECT count(*)::text FROM core.events WHERE type = 'role.unassigned' AND payload::text LIKE '%'||$1||'%'`, given["una"])[0]; n != "1" {
		t.Errorf("taken back %s times", n)
	}
}

func TestManyWhoDecideOnOneItemDecideOnce(t *testing.T) {
	o, reader, given := reviewed(t)
	id := o.review(t, `,"role_id":"`+reader+`","on_silence":"keep"`)
	counts := race(16, func(i int) reply {
		return decideOn(o.as[[]string{"ann", "cat", "dan"}[i%3]], id, given["una"], []string{"keep", "revoke"}[i%2])
	})
	if n := o.column(t, `SELECT count(*)::text FROM core.events WHERE type = 'review.decided'`)[0]; n != "1" {
		t.Errorf("decided %s times: %v", n, counts)
	}
	for kind, n := range counts {
		if kind != "200" && kind != "422 review-item-decided" && kind != "409 conflict" {
			t.Errorf("%d were answered %s", n, kind)
		}
	}
}
