package app

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/uuid"
)

// racers are callers of one app, or of several on one database.
type racers struct {
	*shop
	at []caller // acme's administrator at each app
}

func (r *racers) command(i int, name, body string, headers ...string) reply {
	return r.at[i%len(r.at)].command("acme", name, body, headers...)
}

// onEach runs a race at one app, and at two that share a database.
func onEach(t *testing.T, run func(*testing.T, *racers)) {
	t.Helper()
	t.Run("one process", func(t *testing.T) {
		s := newShop(t)
		run(t, &racers{s, []caller{s.ann}})
	})
	t.Run("two processes", func(t *testing.T) {
		s := newShop(t)
		other := openWith(t, Config{Now: s.clock.now, DatabaseURL: s.config.DatabaseURL, Data: s.config.Data})
		run(t, &racers{s, []caller{s.ann, {other.handlerForTest(t), s.ann.token}}})
	})
}

// field is how many run.
const field = 200

// won requires that so many were told yes, that all others got the one refusal, and that the events and rows say the same.
func (r *racers) won(t *testing.T, what string, most int, refusal, table, live string, events []string, counts map[string]int) {
	t.Helper()
	t.Logf("%s: %v", what, counts)
	if counts["200"] != most || counts["422 "+refusal] != field-most {
		t.Errorf("%s: %v, want %d times yes and else %s", what, counts, most, refusal)
	}
	r.settled(t)
	rows := r.column(t, `SELECT count(*)::text FROM core.`+table+` WHERE tenant_id = $1 AND `+live, r.ids["acme"])[0]
	recorded := r.column(t, `SELECT count(*)::text FROM core.events WHERE tenant_id = $1 AND type = ANY ($2)`, r.ids["acme"], events)[0]
	if want := strconv.Itoa(most); rows != want || recorded != want {
		t.Errorf("%s: %s rows and %s events, want %d", what, rows, recorded, most)
	}
}

func TestOfManyRacersForTheLastNamedSeatOneGetsIt(t *testing.T) {
	onEach(t, func(t *testing.T, r *racers) {
		id := r.sell(`,"seats":1`)
		users := make([]string, field)
		for i := range users {
			users[i] = r.ann.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":"u%d"}`, i))
		}
		counts := race(field, func(i int) reply {
			return r.command(i, "assign-seat", fmt.Sprintf(`{"license_id":%q,"user_id":%q}`, id, users[i]))
		})
		r.won(t, "a named seat", 1, "no-seat-free", "license_seats", "status = 'taken'", []string{"seat.taken"}, counts)
	})
}

func TestOfManyRacersForTheLastFloatingSeatsAsManyGetOneAsThereAre(t *testing.T) {
	onEach(t, func(t *testing.T, r *racers) {
		r.sell(`,"seats":3,"seating":"floating"`)
		counts := race(field, func(i int) reply {
			return r.command(i, "lease-seat", fmt.Sprintf(`{"app":"vm","holder":"ci-%d"}`, i))
		})
		r.won(t, "floating seats", 3, "no-seat-free", "license_seats", "status = 'taken'", []string{"seat.taken"}, counts)
	})
}

func TestOfManyRacersForTheLastActivationOneGetsIt(t *testing.T) {
	onEach(t, func(t *testing.T, r *racers) {
		id := r.sell(`,"activations":1`)
		counts := race(field, func(i int) reply {
			return r.command(i, "activate-license", fmt.Sprintf(`{"license_id":%q,"fingerprint":"machine %d"}`, id, i))
		})
		r.won(t, "an activation", 1, "no-activation-left", "license_activations", "status = 'active'", []string{"activation.created"}, counts)
	})
}

func TestOfManyRacersForTheLastMeteredUnitOneGetsIt(t *testing.T) {
	onEach(t, func(t *testing.T, r *racers) {
		r.must("change-license", r.sell(``), `,"entitlements":[{"name":"hours","kind":"meter","limit":1,"period":"month"}]`)
		counts := race(field, func(i int) reply { return r.command(i, "consume", `{"app":"vm","entitlement":"hours","amount":1}`) })
		r.won(t, "a unit", 1, "allowance-exceeded", "license_usage", "status = 'recorded'", []string{"usage.recorded"}, counts)
	})
}

func TestOfManyRacersWithAmountsOfTheirOwnNoneOverrunsAHardLimit(t *testing.T) {
	onEach(t, func(t *testing.T, r *racers) {
		r.must("change-license", r.sell(``), `,"entitlements":[{"name":"hours","kind":"meter","limit":1000,"period":"month"}]`)
		amounts := make([]int, field)
		told := make([]int, field)
		for i := range amounts {
			amounts[i] = 1 + rand.IntN(25)
		}
		counts := race(field, func(i int) reply {
			answer := r.command(i, "consume", fmt.Sprintf(`{"app":"vm","entitlement":"hours","amount":%d}`, amounts[i]))
			if answer.status == 200 {
				told[i] = amounts[i]
			}
			return answer
		})
		t.Log(counts)
		if counts["200"]+counts["422 allowance-exceeded"] != field {
			t.Errorf("answers: %v, want yes or allowance-exceeded alone", counts)
		}
		sum, least := 0, 1000
		for i, n := range told {
			if sum += n; n == 0 {
				least = min(least, amounts[i])
			}
		}
		if sum > 1000 || sum+least <= 1000 {
			t.Errorf("%d were given, and %d more refused", sum, least)
		}
		r.settled(t)
		want := strconv.Itoa(sum)
		for what, query := range map[string]string{
			"rows":     `SELECT sum(amount)::text FROM core.license_usage WHERE tenant_id = $1`,
			"events":   `SELECT sum((payload->>'amount')::int)::text FROM core.events WHERE type = 'usage.recorded' AND tenant_id = $1`,
			"totals":   `SELECT max((payload->>'total')::int)::text FROM core.events WHERE type = 'usage.recorded' AND tenant_id = $1`,
			"snapshot": `SELECT used::text FROM core.license_entitlements WHERE name = 'hours' AND tenant_id = $1`,
		} {
			if got := r.column(t, query, r.ids["acme"]); !slices.Equal(got, []string{want}) {
				t.Errorf("%s say %v, the callers were told %s", what, got, want)
			}
		}
	})
}

// A caller who repeats a request while it waits is answered as at first, and nothing is taken twice.
func TestRacersWithTheSameKeyTakeOnce(t *testing.T) {
	onEach(t, func(t *testing.T, r *racers) {
		r.sell(``)
		key := uuid.NewString()
		counts := race(50, func(i int) reply {
			return r.command(i, "consume", `{"app":"vm","entitlement":"hours","amount":60}`, "Idempotency-Key", key)
		})
		r.settled(t)
		rows := r.column(t, `SELECT sum(amount)::text FROM core.license_usage WHERE tenant_id = $1`, r.ids["acme"])
		if counts["200"] != 50 || !slices.Equal(rows, []string{"60"}) {
			t.Errorf("answers: %v, recorded: %v", counts, rows)
		}
	})
}
