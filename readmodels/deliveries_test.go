package readmodels_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/readmodels"
)

// endpoint is a row as the projector writes it.
func (w *world) endpoint(tenant uuid.UUID, app string, more row) uuid.UUID {
	w.t.Helper()
	id := uuid.New()
	r := row{
		"id": id, "app_id": app, "kind": "webhook", "status": "enabled", "description": "", "types": []string{"*"}, "body": "thin", "concurrency": 10,
		"per_second": 0, "lease_seconds": 30, "max_attempts": 10, "starts_after": 0, "skipped_through": 0, "secret_version": 1,
	}
	maps.Copy(r, more)
	w.put("endpoints", tenant, r)
	return id
}

// kept writes the row of a delivery as whoever delivers does; its event is the seq-th of the tenant.
func (w *world) kept(tenant, endpoint uuid.UUID, seq int64, app, status string, attempts int) {
	w.t.Helper()
	var event uuid.UUID
	var position int64
	find := w.ledger.Pool(ledger.Project).QueryRow(w.t.Context(), `SELECT id, position FROM core.events WHERE tenant_id = $1 AND tenant_seq = $2`, tenant, seq)
	if err := find.Scan(&event, &position); err != nil {
		w.t.Fatalf("event %d: %v", seq, err)
	}
	id := domain.DeliveryID(domain.EndpointID{UUID: endpoint}, event)
	var next, at *time.Time
	if status == "retrying" || status == "leased" {
		next = new(w.at.Add(time.Minute))
	}
	if attempts > 0 {
		at = &w.at
	}
	w.exec(ledger.Project, `INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id, sequence, status,
		attempt_count, first_attempt_at, last_attempt_at, next_attempt_at, created_at) VALUES ($1, $2, $3, $4, $5, 'core.a', $6, $7, $3, $8, $9, $10, $10, $11, $12)`,
		tenant, endpoint, seq, id, event, position, app, status, attempts, at, next, w.at)
}

// attempted writes an attempt.
func (w *world) attempted(tenant, endpoint uuid.UUID, seq int64, number int, status string, latency time.Duration, head int64) {
	w.t.Helper()
	w.exec(ledger.Project, `INSERT INTO core.delivery_attempts (tenant_id, endpoint_id, tenant_seq, number, event_id, attempted_at, latency, log_position, status,
		response_status, response_start, error, process) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 500, $10, 'it answered 500', 'p')`,
		tenant, endpoint, seq, number, uuid.New(), w.at.Add(time.Duration(number)*time.Minute), latency, head, status, []byte("no\xff"))
}

func (w *world) reached(tenant, endpoint uuid.UUID, seq int64) {
	w.t.Helper()
	w.exec(ledger.Project, `INSERT INTO core.delivery_cursors (tenant_id, endpoint_id, tenant_seq, sequence) VALUES ($1, $2, $3, $3)`, tenant, endpoint, seq)
}

// fillDeliveries puts deliveries of two events, that the tenant has, to two endpoints.
func (w *world) fillDeliveries(tenant uuid.UUID) {
	w.t.Helper()
	for i, app := range []string{"billing", "shop"} {
		id := w.endpoint(tenant, app, row{"kind": []string{"webhook", "pull"}[i], "status": []string{"enabled", "disabled"}[i]})
		w.kept(tenant, id, int64(i+1), app, []string{"delivered", "dead"}[i], i+1)
		w.reached(tenant, id, 1<<40)
	}
}

// meaning has endpoints mean the types that they ask for, as far as they may have them.
func (w *world) meaning() *world {
	w.reader = readmodels.New(readmodels.Config{Source: w.ledger, Opener: w.vault, Claim: w.claim, Means: func(s readmodels.Subscriber) func(*eventlog.Raw) bool {
		return func(e *eventlog.Raw) bool {
			typ := domain.OutwardType(e.SourceApp, e.Type)
			return domain.MatchesAny(s.Terms.Types, typ) && domain.MatchesAny(s.Consumes, typ) && domain.MatchesAny(s.Deliverable, typ)
		}
	}})
	return w
}

// atWork has an app consume everything in a tenant.
func (w *world) atWork(tenant uuid.UUID, app string) {
	w.t.Helper()
	w.put("tenant_apps", tenant, row{
		"id": uuid.New(), "app_id": uuid.New(), "app": app, "enabled": true, "app_version": "1.0.0", "config": "{}", "license_required": false, "resumes": false,
		"enabled_at": w.at, "changed_at": w.at,
	})
	w.put("app_versions", domain.Root.UUID, row{
		"id": uuid.New(), "app_id": uuid.New(), "app": app, "app_version": "1.0.0", "precedence": "1", "prerelease": false,
		"manifest_json": `{"events":{"consumes":["core.*"]}}`, "manifest_hash": "00", "requires": "[]", "license_required": false, "grows": false,
		"status": "published", "message": "", "published_at": w.at,
	})
}

// told is a list of deliveries in short: the number of the event, the endpoint, the status and the attempts.
func told(t *testing.T, items []any, endpoints ...uuid.UUID) (all []string) {
	t.Helper()
	for _, o := range objects(t, items) {
		which := slices.IndexFunc(endpoints, func(e uuid.UUID) bool { return e.String() == o["endpoint_id"] })
		all = append(all, fmt.Sprintf("%v to %d %v %v", o["tenant_seq"], which, o["status"], o["attempt_count"]))
	}
	return all
}

// traffic is ten events of a tenant, a minute apart, the 3rd, 6th and 9th of another type, and two endpoints: the first has come to the 4th, and one beyond
// it, and does not mean the other type; the second has begun at the 8th.
func (w *world) traffic() (tenant uuid.UUID, endpoints []uuid.UUID) {
	w.t.Helper()
	tenant = uuid.New()
	begun := w.at
	for i := 1; i <= 10; i++ {
		w.at = begun.Add(time.Duration(i) * time.Minute)
		w.happen(tenant, map[bool]string{true: "b.c", false: "a.b"}[i%3 == 0], "{}", "thing:1")
	}
	w.at = begun
	w.atWork(tenant, "billing")
	ids := []uuid.UUID{
		w.endpoint(tenant, "billing", row{"types": []string{"core.a.*"}}), w.endpoint(tenant, "billing", row{"starts_after": 7}),
	}
	for seq, status := range map[int64]string{1: "delivered", 2: "dead", 4: "retrying", 7: "delivered"} {
		w.kept(tenant, ids[0], seq, "billing", status, 2)
	}
	w.reached(tenant, ids[0], 4)
	return tenant, ids
}

func sortedLines(lines []string) []string {
	slices.SortStableFunc(lines, func(a, b string) int {
		var x, y int
		fmt.Sscan(a, &x)
		fmt.Sscan(b, &y)
		return x - y
	})
	return lines
}

func TestDeliveriesThatWereAttemptedAndThosePendingAreOneList(t *testing.T) {
	w := newWorld(t).meaning()
	tenant, ids := w.traffic()
	want := []string{
		"1 to 0 delivered 2", "2 to 0 dead 2", "4 to 0 retrying 2", "5 to 0 pending 0", "7 to 0 delivered 2", "8 to 0 pending 0", "8 to 1 pending 0",
		"9 to 1 pending 0", "10 to 0 pending 0", "10 to 1 pending 0",
	}
	whole := list(t, w.now(tenant), "deliveries", readmodels.Params{})
	got := told(t, whole.Items, ids...)
	tidy := func(lines []string) string { slices.Sort(lines); return strings.Join(sortedLines(lines), "\n") }
	if tidy(slices.Clone(got)) != tidy(slices.Clone(want)) || whole.Next != "" {
		t.Errorf("the list is\n%s\nnext %q", strings.Join(got, "\n"), whole.Next)
	}
	for _, limit := range []int32{1, 2, 3, 7} {
		var paged []string
		p := readmodels.Params{Limit: limit}
		for n := 0; ; n++ {
			page := list(t, w.now(tenant), "deliveries", p)
			paged = append(paged, told(t, page.Items, ids...)...)
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
			if n > 50 {
				t.Fatal("the pages do not end")
			}
		}
		if !slices.Equal(paged, got) {
			t.Errorf("in pages of %d: %v", limit, paged)
		}
	}
	for _, c := range []struct {
		name, value string
		keeps       func(map[string]any) bool
	}{
		{"status", "pending", func(o map[string]any) bool { return o["status"] == "pending" }},
		{"status", "dead", func(o map[string]any) bool { return o["status"] == "dead" }},
		{"endpoint_id", ids[1].String(), func(o map[string]any) bool { return o["endpoint_id"] == ids[1].String() }},
		{"event_id", object(t, whole.Items[6])["event_id"].(string), func(o map[string]any) bool { return o["tenant_seq"] == "8" }},
		{"consumer_app_id", "shop", func(map[string]any) bool { return false }},
		{"event_id", uuid.NewString(), func(map[string]any) bool { return false }},
	} {
		var left []any
		for _, item := range whole.Items {
			if c.keeps(object(t, item)) {
				left = append(left, item)
			}
		}
		found := list(t, w.now(tenant), "deliveries", readmodels.Params{Filter: map[string]string{c.name: c.value}})
		if !slices.Equal(told(t, found.Items, ids...), told(t, left, ids...)) {
			t.Errorf("%s=%s: %v", c.name, c.value, told(t, found.Items, ids...))
		}
	}
	for _, item := range whole.Items {
		d := item.(*readmodels.Delivery)
		one, err := w.now(tenant).One(t.Context(), of(t, "deliveries"), d.ID.String())
		if err != nil {
			t.Fatalf("%s: %v", d.ID, err)
		}
		if o := object(t, one.Value); o["attempts"] == nil || o["status"] != d.Status || d.Attempts != nil {
			t.Errorf("one of them is %v", o)
		}
	}
}

func TestWhatAnAppMayNotHaveAnyMoreIsNotPending(t *testing.T) {
	w := newWorld(t).meaning()
	tenant, ids := w.traffic()
	policy := domain.EventsDeliverable.ID(domain.TenantID{UUID: tenant})
	w.put("tenant_policies", tenant, row{"id": policy.UUID, "key": domain.EventsDeliverable.Key, "value": "core.b.*", "revision": 1, "status": "set"})
	got := told(t, list(t, w.now(tenant), "deliveries", readmodels.Params{Filter: map[string]string{"status": "pending"}}).Items, ids...)
	if fmt.Sprint(got) != "[9 to 1 pending 0]" {
		t.Errorf("pending under the policy: %v", got)
	}
	w.exec(ledger.Project, `DELETE FROM tenant_apps WHERE tenant_id = $1`, tenant)
	if got := list(t, w.now(tenant), "deliveries", readmodels.Params{Filter: map[string]string{"status": "pending"}}).Items; len(got) > 0 {
		t.Errorf("pending for an app that the tenant does not have: %v", told(t, got, ids...))
	}
}

func TestDeliveriesOfADeletedEndpointStay(t *testing.T) {
	w := newWorld(t).meaning()
	tenant, ids := w.traffic()
	w.exec(ledger.Project, `DELETE FROM endpoints WHERE tenant_id = $1 AND id = $2`, tenant, ids[0])
	got := told(t, list(t, w.now(tenant), "deliveries", readmodels.Params{Filter: map[string]string{"endpoint_id": ids[0].String()}}).Items, ids...)
	if want := "[1 to 0 delivered 2 2 to 0 dead 2 4 to 0 retrying 2 7 to 0 delivered 2]"; fmt.Sprint(got) != want {
		t.Errorf("they are %v", got)
	}
}

func TestAPageLooksAtSoManyEventsAndGoesOnBehindThem(t *testing.T) {
	w := newWorld(t).meaning()
	tenant := uuid.New()
	w.exec(ledger.Append, `INSERT INTO events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT n, gen_random_uuid(), $1, n, CASE n WHEN 52000 THEN 'a.b' ELSE 'x.y' END, '{}', '{}', '{}', gen_random_uuid(), now(), now() FROM generate_series(1, 52001) n`, tenant)
	w.atWork(tenant, "billing")
	id := w.endpoint(tenant, "billing", row{"types": []string{"core.a.*"}})
	var got []string
	pages := 0
	for p := (readmodels.Params{}); ; pages++ {
		page := list(t, w.now(tenant), "deliveries", p)
		got = append(got, told(t, page.Items, id)...)
		if p.Cursor = page.Next; p.Cursor == "" || pages > 10 {
			break
		}
	}
	if fmt.Sprint(got) != "[52000 to 0 pending 0]" || pages != 1 {
		t.Errorf("%v after %d cursors", got, pages)
	}
}

func TestAttemptsAreToldOfOneDelivery(t *testing.T) {
	w := newWorld(t).meaning()
	tenant, ids := w.traffic()
	w.attempted(tenant, ids[0], 2, 1, "retrying", 1500*time.Microsecond, 10)
	w.attempted(tenant, ids[0], 2, 2, "dead", time.Second, 10)
	id := list(t, w.now(tenant), "deliveries", readmodels.Params{Filter: map[string]string{"status": "dead"}}).Items[0].(*readmodels.Delivery).ID
	one, err := w.now(tenant).One(t.Context(), of(t, "deliveries"), id.String())
	if err != nil {
		t.Fatal(err)
	}
	attempts := object(t, one.Value)["attempts"].([]any)
	if len(attempts) != 2 {
		t.Fatalf("attempts %v", attempts)
	}
	first := attempts[0].(map[string]any)
	if first["number"] != 1.0 || first["latency_ms"] != 1.5 || first["response_status"] != 500.0 || first["response_start"] != "no\uFFFD" ||
		first["error"] != "it answered 500" || first["status"] != "retrying" {
		t.Errorf("the first is %v", first)
	}
	w.exec(ledger.Project, `UPDATE core.event_deliveries SET status = 'retrying', next_attempt_at = now() WHERE id = $1`, id)
	again, err := w.now(tenant).One(t.Context(), of(t, "deliveries"), id.String())
	if err != nil || again.Version == one.Version {
		t.Errorf("it has changed, and its version %v has not: %v", again.Version, err)
	}
}

func TestHowAnEndpointDoes(t *testing.T) {
	w := newWorld(t).meaning()
	tenant, ids := w.traffic()
	at := w.at.Add(time.Hour)
	for n := 1; n <= 100; n++ {
		w.attempted(tenant, ids[0], 1, n, map[bool]string{true: "delivered", false: "retrying"}[n%4 == 0], time.Duration(n)*time.Millisecond, 10)
	}
	w.exec(ledger.Project, `UPDATE core.delivery_cursors SET failing_since = $2, last_failure_at = $2 WHERE endpoint_id = $1`, ids[0], w.at)
	s, err := w.now(tenant).EndpointStats(t.Context(), ids[0].String(), 10*time.Hour, at)
	if err != nil {
		t.Fatal(err)
	}
	if s.Backlog != 4 || s.BacklogIsLeast || s.DeadLetters != 1 || s.Attempts != 100 || *s.SuccessRate != 0.25 || *s.Latency != (readmodels.Latency{P50: 50, P95: 95, P99: 99}) {
		t.Errorf("it does so: %+v, latency %+v, rate %v", s, s.Latency, *s.SuccessRate)
	}
	if s.OldestPendingAt == nil || *s.OldestPending != 56*60 || s.FailingSince == nil || s.LastFailureAt == nil || s.LastSuccessAt != nil {
		t.Errorf("it does so: %+v", s)
	}
	if s, err = w.now(tenant).EndpointStats(t.Context(), ids[1].String(), time.Hour, at); err != nil || s.Backlog != 3 || s.Attempts != 0 || s.SuccessRate != nil || s.Latency != nil {
		t.Errorf("the other: %+v %v", s, err)
	}
	for _, id := range []string{uuid.NewString(), "x"} {
		if _, err := w.now(tenant).EndpointStats(t.Context(), id, time.Hour, at); !errors.Is(err, readmodels.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := w.now(uuid.New()).EndpointStats(t.Context(), ids[0].String(), time.Hour, at); !errors.Is(err, readmodels.ErrNotFound) {
		t.Errorf("elsewhere: %v", err)
	}
	w.exec(ledger.Append, `INSERT INTO events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT n, gen_random_uuid(), $1, n, 'a.b', '{}', '{}', '{}', gen_random_uuid(), now(), now() FROM generate_series(11, 12001) n`, tenant)
	if s, err = w.now(tenant).EndpointStats(t.Context(), ids[0].String(), time.Hour, at); err != nil || s.Backlog != readmodels.MostBacklog || !s.BacklogIsLeast {
		t.Errorf("much: %+v %v", s, err)
	}
}
