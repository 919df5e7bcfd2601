package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// seats are acme's, as "holder status reason".
func (s *shop) seats() []string {
	s.Helper()
	s.settled(s.T)
	return s.column(s.T, `SELECT coalesce(holder, seating) || ' ' || status || ' ' || coalesce(end_reason, '-')
		FROM core.license_seats WHERE tenant_id = $1 ORDER BY 1`, s.ids["acme"])
}

func (s *shop) seatsAre(want ...string) {
	s.Helper()
	if got := s.seats(); !slices.Equal(got, want) {
		s.Errorf("the seats are %q, want %q", got, want)
	}
}

func TestAFloatingSeatLapsesWithItsLeaseAndIsFreeAtOnce(t *testing.T) {
	s := newShop(t)
	s.sell(`,"seats":1,"seating":"floating","lease_seconds":60`)
	lease := func(holder string) reply {
		return s.ann.command("acme", "lease-seat", fmt.Sprintf(`{"app":"vm","holder":%q}`, holder))
	}
	seat := lease("one").part("id")
	keep := func() reply { return s.ann.command("acme", "keep-seat", fmt.Sprintf(`{"id":%q}`, seat)) }
	if again := lease("one"); again.status != 200 || again.part("id") != seat {
		t.Errorf("the same holder again: %d %s, want the seat %s", again.status, again.body, seat)
	}
	if r := lease("two"); r.code() != "no-seat-free" {
		t.Errorf("the second: %d %s", r.status, r.body)
	}
	s.clock.forward(31 * time.Second)
	if r := keep(); r.status != 200 || r.part("id") != seat || !strings.Contains(r.body, "seat.kept") {
		t.Errorf("a heartbeat: %d %s", r.status, r.body)
	}
	if r := keep(); r.status != 200 || strings.Contains(r.body, "seat.kept") {
		t.Errorf("one at once: %d %s", r.status, r.body)
	}
	s.clock.forward(59 * time.Second)
	if r := lease("two"); r.code() != "no-seat-free" {
		t.Errorf("while it is kept: %d %s", r.status, r.body)
	}
	s.clock.forward(time.Second)
	s.seatsAre("one taken -")
	if r := keep(); r.code() != "seat-lost" {
		t.Errorf("too late: %d %s", r.status, r.body)
	}
	if r := lease("two"); r.status != 200 {
		t.Errorf("before anything says that it is over: %d %s", r.status, r.body)
	}
	for range 2 {
		s.settled(t)
		if err := s.due.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.seatsAre("one lapsed -", "two taken -")
	if n := s.column(t, `SELECT count(*)::text FROM core.events WHERE type = 'seat.lapsed'`)[0]; n != "1" {
		t.Errorf("it lapsed %s times", n)
	}
}

func TestNamedSeatsAreFreedWithTheirUsersAndWithTheLicence(t *testing.T) {
	s := newShop(t)
	id := s.sell(`,"seats":5`)
	users := map[string]string{}
	for _, name := range []string{"abe", "bob", "cid"} {
		users[name] = s.ann.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":%q}`, name))
		s.ann.must(t, "acme", "assign-seat", fmt.Sprintf(`{"license_id":%q,"user_id":%q}`, id, users[name]))
	}
	s.seatsAre("named taken -", "named taken -", "named taken -")
	s.root.must(t, "acme", "deactivate-user", fmt.Sprintf(`{"id":%q}`, users["abe"]))
	s.reacted(t)
	s.seatsAre("named released user-deactivated", "named taken -", "named taken -")
	s.root.must(t, "acme", "erase-user", fmt.Sprintf(`{"user_id":%q,"reason":"asked"}`, users["bob"]))
	s.reacted(t)
	s.seatsAre("named released user-deactivated", "named released user-erased", "named taken -")
	s.must("revoke-license", id, `,"reason":"fraud"`)
	s.reacted(t)
	s.seatsAre("named released license-revoked", "named released user-deactivated", "named released user-erased")
	causes := s.column(t, `SELECT c.type FROM core.events e JOIN core.events c ON c.id = (e.metadata->>'causation')::uuid
		WHERE e.type = 'seat.released' ORDER BY e.position`)
	if want := []string{"user.deactivated", "user.erased", "license.revoked"}; !slices.Equal(causes, want) {
		t.Errorf("the seats were freed because of %v, want %v", causes, want)
	}
}

// The row, the collection and as_of tell what is allowed and used.
func TestWhatALicenceAllowsAndWhatIsUsedOfItCanBeRead(t *testing.T) {
	s := newShop(t)
	id := s.sell(``)
	read := func(address string) string { return s.ann.do("GET", "/v1/tenants/acme/"+address, "").body }
	s.ann.must(t, "acme", "consume", `{"app":"vm","entitlement":"hours","amount":40}`)
	before := s.headForTest(t)
	last := s.ann.must(t, "acme", "consume", `{"app":"vm","entitlement":"hours","amount":60,"note":"nightly"}`)
	s.ann.must(t, "acme", "reverse-usage", fmt.Sprintf(`{"id":%q,"reason":"failed"}`, last))
	s.must("change-license", id, `,"entitlements":[{"name":"hours","kind":"meter","limit":30,"period":"month"}]`)
	s.settled(t)
	for address, want := range map[string][]string{
		"entitlements?app=vm": {`"name":"hours"`, `"allowance":30`, `"used":40`, `"license_status":"active"`},
		fmt.Sprintf("entitlements?name=hours&as_of=%d", before): {`"allowance":100`, `"used":40`},
		"usage/" + last: {`"amount":60`, `"note":"nightly"`, `"status":"reversed"`, `"reverse_reason":"failed"`},
		fmt.Sprintf("entitlements?name=snapshots&as_of=%d", before): {`"kind":"feature"`},
	} {
		for _, w := range want {
			if got := read(address); !strings.Contains(got, w) {
				t.Errorf("%s: %s is not in %s", address, w, got)
			}
		}
	}
	if got := read("entitlements"); strings.Contains(got, "snapshots") {
		t.Errorf("what was taken out of the licence is still there: %s", got)
	}
	if r := s.ann.command("acme", "consume", `{"app":"vm","entitlement":"hours","amount":1}`); r.code() != "allowance-exceeded" {
		t.Errorf("more than the new limit: %d %s", r.status, r.body)
	}
	if r := s.gus.command("acme", "consume", `{"app":"vm","entitlement":"hours","amount":1}`); r.status < 400 || r.status >= 500 {
		t.Errorf("somebody of another tenant: %d %s", r.status, r.body)
	}
	r, err := s.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := r.Verify(t.Context(), 5); err != nil || v.Total != 0 {
		t.Errorf("the tables differ from the log: %v %v", v.Differences, err)
	}
}
