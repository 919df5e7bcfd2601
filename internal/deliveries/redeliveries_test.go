package deliveries

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/ledger"
)

// redeliverer is one that works when a test says so.
func (w *world) redeliverer() *redeliverer {
	w.t.Helper()
	c := Config{Pool: w.Pool(ledger.Project)}
	setDefaults(&c)
	e := &Engine{cfg: c}
	e.share, e.due = newSharer(e), newClerk(e)
	return newRedeliverer(e)
}

// sent puts deliveries to an endpoint into the table, the n-th of the n-th event, recorded n minutes after noon.
func (w *world) sent(endpoint uuid.UUID, statuses ...string) {
	w.t.Helper()
	w.exec(`INSERT INTO core.events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT p, gen_random_uuid(), $1, p, 'a', '{}', '{}', '{}', gen_random_uuid(), $2, $2::timestamptz + p * interval '1 minute' FROM generate_series(1, $3) p ON CONFLICT DO NOTHING`,
		tenant, noon, len(statuses))
	w.exec(`INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id, sequence, status,
		attempt_count, next_attempt_at, created_at) SELECT e.tenant_id, $1, e.tenant_seq, gen_random_uuid(), e.id, 'core.a', e.position, 'billing', e.tenant_seq, s.status,
		e.tenant_seq, CASE WHEN s.status IN ('retrying', 'leased') THEN e.created_at + interval '1 day' END, e.created_at
		FROM core.events e JOIN unnest($2::text[]) WITH ORDINALITY s(status, n) ON s.n = e.tenant_seq`, endpoint, statuses)
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// rows is what there is of an endpoint: status, round, and when it is due.
func (w *world) rows(endpoint uuid.UUID) []string {
	w.t.Helper()
	found, err := w.Pool(ledger.Owner).Query(context.Background(), `SELECT tenant_seq || ' ' || status || ' ' || round || coalesce(to_char(next_attempt_at AT TIME ZONE 'UTC', ' DD HH24:MI'), '')
		FROM core.event_deliveries WHERE endpoint_id = $1 ORDER BY tenant_seq`, endpoint)
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// ask asks for something at a position: with a delivery's or span's columns, as SQL.
func (w *world) ask(position int, endpoint uuid.UUID, delivery, since, until string) {
	w.t.Helper()
	w.exec(fmt.Sprintf(`INSERT INTO core.redeliveries (tenant_id, position, endpoint_id, delivery_id, since, until, due_at) VALUES ($1, $2, $3, %s, %s, %s, $4)`, delivery, since, until),
		tenant, position, endpoint, noon.Add(6*time.Hour))
}

func TestWhatIsRedeliveredIsDueAtOnceWithARoundOfItsOwn(t *testing.T) {
	mine, other := uuid.MustParse("00000000-0000-0000-0000-000000000001"), uuid.MustParse("00000000-0000-0000-0000-000000000002")
	as := []string{"1 delivered 0", "2 dead 0", "3 retrying 0 05 12:03", "4 leased 0 05 12:04", "5 waiting 0", "6 delivered 0"}
	anew := map[int]string{1: "1 retrying 1 04 18:00", 2: "2 retrying 2 04 18:00", 3: "3 retrying 3 04 18:00", 6: "6 retrying 6 04 18:00"}
	one := func(n int) [3]string {
		return [3]string{fmt.Sprintf(`coalesce((SELECT id FROM core.event_deliveries WHERE endpoint_id = '%s' AND tenant_seq = %d), gen_random_uuid())`, mine, n), "NULL", "NULL"}
	}
	span := func(from, until int) [3]string {
		at := func(minutes int) string {
			return "'" + noon.Add(time.Duration(minutes)*time.Minute).Format(time.RFC3339) + "'"
		}
		return [3]string{"NULL", at(from), at(until)}
	}
	for name, c := range map[string]struct {
		asked    [3]string
		position int
		due      []int
	}{
		"one that arrived":              {one(1), 7, []int{1}},
		"a dead letter":                 {one(2), 7, []int{2}},
		"one to be tried later":         {one(3), 7, []int{3}},
		"one that is handed out":        {one(4), 7, nil},
		"one that waits":                {one(5), 7, nil},
		"one that is not there":         {one(9), 7, nil},
		"all dead letters":              {[3]string{"NULL", "NULL", "NULL"}, 7, []int{2}},
		"dead letters, before it":       {[3]string{"NULL", "NULL", "NULL"}, 2, nil},
		"a span":                        {span(2, 6), 7, []int{2, 3}},
		"everything":                    {span(0, 60), 7, []int{1, 2, 3, 6}},
		"everything before the request": {span(0, 60), 3, []int{1, 2}},
		"a span before all there":       {span(-60, 1), 7, nil},
		"a span after all there":        {span(7, 60), 7, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sent(mine, "delivered", "dead", "retrying", "leased", "waiting", "delivered")
			w.sent(other, "delivered", "dead", "retrying", "leased", "waiting", "delivered")
			w.ask(c.position, mine, c.asked[0], c.asked[1], c.asked[2])
			if at, err := w.redeliverer().work(t.Context(), tenant); err != nil || at.id != mine {
				t.Errorf("%v of %v", err, at)
			}
			want := append([]string{}, as...)
			for _, n := range c.due {
				want[n-1] = anew[n]
			}
			if diff := cmp.Diff(want, w.rows(mine)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(as, w.rows(other)); diff != "" {
				t.Errorf("the other endpoint (-want +got):\n%s", diff)
			}
			if left := w.number(`SELECT count(*) FROM core.redeliveries`); left != 0 {
				t.Errorf("%d requests are left", left)
			}
		})
	}
}

// many puts deliveries that are done into the table, of as many events.
func (w *world) many(ep Endpoint, n int, status string) {
	w.t.Helper()
	w.exec(`INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id, sequence, status, attempt_count,
		first_attempt_at, last_attempt_at, created_at) SELECT tenant_id, $1, tenant_seq, gen_random_uuid(), id, 'core.a', position, 'billing', tenant_seq, $2, 1, created_at, created_at, created_at
		FROM core.events WHERE tenant_id = $4 AND tenant_seq <= $3`, ep.ID, status, n, ep.Tenant)
	w.exec(`INSERT INTO core.delivery_cursors (tenant_id, endpoint_id, tenant_seq, sequence) VALUES ($1, $2, $3, $3)`, ep.Tenant, ep.ID, n)
}

func TestARedeliveryIsDoneInPortionsAndEachRowOnce(t *testing.T) {
	for _, status := range []string{statusDelivered, statusDead} {
		t.Run(status, func(t *testing.T) {
			w := newWorld(t)
			ep := w.endpoint(nil)
			const n = 2*portion + 10
			w.append(1, n, "thing.happened", 10)
			w.many(ep, n, status)
			since, until := "NULL", "NULL"
			if status == statusDelivered {
				since, until = "'2000-01-01'", "'2100-01-01'"
			}
			w.ask(n+1, ep.ID, "NULL", since, until)
			r := w.redeliverer()
			anew := func() int64 { return w.number(`SELECT count(*) FROM core.event_deliveries WHERE status = 'retrying'`) }
			for i, want := range []int64{portion, 2 * portion, n} {
				killed, kill := context.WithCancel(t.Context())
				kill()
				if _, err := r.work(killed, tenant); err == nil {
					t.Fatal("it worked although it was killed")
				}
				if _, err := r.work(t.Context(), tenant); err != nil {
					t.Fatal(err)
				}
				if got := anew(); got != want {
					t.Errorf("%d rows are due after portion %d, want %d", got, i+1, want)
				}
				w.exec(`UPDATE core.event_deliveries SET attempt_count = 2, status = $1, next_attempt_at = NULL WHERE status = 'retrying' AND tenant_seq = $2`, status, want)
				w.exec(`UPDATE core.event_deliveries SET status = 'retrying' WHERE tenant_seq = $1`, want) // counted still
			}
			if at, err := r.work(t.Context(), tenant); err != nil || at.id != uuid.Nil {
				t.Errorf("%v, %v after all is done", at, err)
			}
			if twice := w.number(`SELECT count(*) FROM core.event_deliveries WHERE round <> 1`); twice != 0 {
				t.Errorf("%d rows were done otherwise than once", twice)
			}
		})
	}
}

// TestARedeliveryHoldsUpNoOtherTenant: though its rows are locked by somebody, and others ask for theirs.
func TestARedeliveryHoldsUpNoOtherTenant(t *testing.T) {
	w := newWorld(t)
	second := uuid.New()
	one, other := w.endpoint(nil), w.endpoint(func(e *Endpoint) { e.Tenant = second })
	w.append(1, 5000, "thing.happened", 10)
	w.many(one, 5000, statusDelivered)
	w.appendOf(second, 5000, 20)
	w.many(other, 20, statusDelivered)
	tx, err := w.Pool(ledger.Owner).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `UPDATE core.event_deliveries SET error = 'locked' WHERE endpoint_id = $1`, one.ID); err != nil {
		t.Fatal(err)
	}
	n := w.node("a", nil)
	w.until("both are served", func() bool { return len(n.list()) == 2 })
	for i, ep := range []Endpoint{one, one, other} { // twice the same
		w.exec(`INSERT INTO core.redeliveries (tenant_id, position, endpoint_id, since, until, due_at) VALUES ($1, $2, $3, '2000-01-01', '2100-01-01', $4)`, ep.Tenant, 6000+i, ep.ID, w.now())
	}
	n.Wake()
	again := `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered' AND attempt_count >= 2 AND endpoint_id = $1`
	w.untilNumber(20, again, other.ID)
	if got := w.number(again, one.ID); got != 0 {
		t.Errorf("%d of the locked are done", got)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.untilNumber(5000, again, one.ID)
	w.untilNumber(0, `SELECT count(*) FROM core.redeliveries`)
	w.untilNumber(5020, `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`)
	if most := w.number(`SELECT max(attempt_count) FROM core.event_deliveries`); most > 3 {
		t.Errorf("something was sent %d times", most)
	}
	w.wantSequences(one, 5000)
}
