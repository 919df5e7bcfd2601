package readmodels_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/ledger"
	"chancery/readmodels"
)

// remember puts the tables that tell of endpoints, as they are, into a schema of their own.
func (w *world) remember() {
	w.t.Helper()
	if err := ledger.Migrate(w.t.Context(), w.url); err != nil { // a clone of the template has lost the owner's right to make schemas
		w.t.Fatal(err)
	}
	w.exec(ledger.Owner, `CREATE SCHEMA past`)
	w.exec(ledger.Owner, `GRANT USAGE ON SCHEMA past TO chancery_query`)
	for _, table := range []string{"endpoints", "event_consumption", "tenant_apps", "app_versions", "tenant_policies"} {
		w.exec(ledger.Owner, `CREATE TABLE past.`+table+` (LIKE core.`+table+` INCLUDING ALL)`)
		w.exec(ledger.Owner, `GRANT SELECT ON past.`+table+` TO chancery_query`)
		w.exec(ledger.Owner, `INSERT INTO past.`+table+` TABLE core.`+table)
	}
}

func (w *world) then(tenant uuid.UUID, position int64, by time.Time) readmodels.View {
	return w.reader.AsOf(domain.TenantID{UUID: tenant}, "past", position, by)
}

func TestNothingIsPendingForADeletedEndpoint(t *testing.T) {
	w := newWorld(t).meaning()
	tenant, ids := w.traffic()
	for seq, status := range map[int64]string{1: "delivered", 2: "dead", 4: "retrying", 7: "delivered"} {
		w.attempted(tenant, ids[0], seq, 1, status, time.Second, 10)
	}
	w.remember()
	pending := readmodels.Params{Filter: map[string]string{"status": "pending"}}
	before := told(t, list(t, w.now(tenant), "deliveries", pending).Items, ids...)
	waiting := list(t, w.now(tenant), "deliveries", pending).Items
	for _, status := range []string{"disabled", "deleted"} {
		w.exec(ledger.Project, `UPDATE endpoints SET status = $2 WHERE id = $1`, ids[0], status)
		var want []string
		for _, line := range before {
			if status == "disabled" || !strings.Contains(line, " to 0 ") {
				want = append(want, line)
			}
		}
		if got := told(t, list(t, w.now(tenant), "deliveries", pending).Items, ids...); !slices.Equal(got, want) {
			t.Errorf("%s: pending are %v, want %v", status, got, want)
		}
		of, err := w.now(tenant).EndpointStats(t.Context(), ids[0].String(), time.Hour, w.at)
		if err != nil {
			t.Fatal(err)
		}
		all := list(t, w.now(tenant), "deliveries", readmodels.Params{Filter: map[string]string{"endpoint_id": ids[0].String()}})
		under := slices.DeleteFunc(told(t, all.Items, ids...), func(s string) bool { return strings.Contains(s, "delivered") || strings.Contains(s, "dead") })
		if want := map[string]int{"disabled": 4, "deleted": 1}[status]; of.Backlog != int64(want) || len(under) != want {
			t.Errorf("%s: the backlog is %d, and there are %v", status, of.Backlog, under)
		}
	}
	if got := told(t, list(t, w.then(tenant, 10, time.Time{}), "deliveries", pending).Items, ids...); !slices.Equal(got, before) {
		t.Errorf("before that they were %v, want %v", got, before)
	}
	for _, item := range waiting {
		d := item.(*readmodels.Delivery)
		_, err := w.now(tenant).One(t.Context(), of(t, "deliveries"), d.ID.String())
		if (err != nil) != (d.EndpointID == ids[0]) {
			t.Errorf("one to %s: %v", d.EndpointID, err)
		}
		if _, err := w.then(tenant, 10, time.Time{}).One(t.Context(), of(t, "deliveries"), d.ID.String()); err != nil {
			t.Errorf("one as of before that: %v", err)
		}
	}
}

// As of a time are the attempts that had come to something by then, wherever the log was; as of a position those before the next event.
func TestOfThePastAreTheAttemptsThatHadBeenMade(t *testing.T) {
	w := newWorld(t).meaning()
	tenant, ids := w.traffic()
	w.attempted(tenant, ids[0], 4, 1, "retrying", time.Second, 12) // after one minute
	w.attempted(tenant, ids[0], 4, 2, "dead", 30*time.Second, 12)  // after two
	w.remember()
	fourth := readmodels.Params{Filter: map[string]string{"endpoint_id": ids[0].String(), "event_id": ""}}
	for _, item := range list(t, w.now(tenant), "deliveries", readmodels.Params{}).Items {
		if d := item.(*readmodels.Delivery); d.EndpointID == ids[0] && d.TenantSeq == 4 {
			fourth.Filter["event_id"] = d.EventID.String()
		}
	}
	id := domain.DeliveryID(domain.EndpointID{UUID: ids[0]}, uuid.MustParse(fourth.Filter["event_id"])).String()
	for _, c := range []struct {
		view readmodels.View
		want string
	}{
		{w.then(tenant, 10, w.at.Add(time.Minute)), "4 to 0 pending 0"},
		{w.then(tenant, 10, w.at.Add(61*time.Second)), "4 to 0 retrying 1"},
		{w.then(tenant, 10, w.at.Add(2*time.Minute+29*time.Second)), "4 to 0 retrying 1"},
		{w.then(tenant, 10, w.at.Add(2*time.Minute+30*time.Second)), "4 to 0 dead 2"},
		{w.then(tenant, 11, time.Time{}), "4 to 0 pending 0"},
		{w.then(tenant, 12, time.Time{}), "4 to 0 dead 2"},
	} {
		if got := told(t, list(t, c.view, "deliveries", fourth).Items, ids...); !slices.Equal(got, []string{c.want}) {
			t.Errorf("it was %v, want %s", got, c.want)
		}
		one, err := c.view.One(t.Context(), of(t, "deliveries"), id)
		if err != nil {
			t.Fatal(err)
		}
		if d := one.Value.(*readmodels.Delivery); fmt.Sprintf("4 to 0 %s %d", d.Status, len(d.Attempts)) != c.want {
			t.Errorf("the one was %s with %d attempts, want %s", d.Status, len(d.Attempts), c.want)
		}
	}
}

// walk returns all of a list, in pages, and how many pages were empty though others followed.
func (w *world) walk(v readmodels.View, p readmodels.Params, ids ...uuid.UUID) (all []string, empty int) {
	w.t.Helper()
	for range 1000 {
		page := list(w.t, v, "deliveries", p)
		all = append(all, told(w.t, page.Items, ids...)...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return all, empty
		}
		if len(page.Items) == 0 {
			empty++
		}
	}
	w.t.Fatal("the pages do not end")
	return nil, 0
}

func TestAPageIsNotEmptyWhereMoreIsToBeFound(t *testing.T) {
	w := newWorld(t).meaning()
	tenant := uuid.New()
	w.exec(ledger.Append, `INSERT INTO events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT n, gen_random_uuid(), $1, n, 'a.b', '{}', '{}', '{}', gen_random_uuid(), now(), now() FROM generate_series(1, 1200) n`, tenant)
	w.atWork(tenant, "billing")
	w.remember() // before there was an endpoint
	id := w.endpoint(tenant, "billing", row{"types": []string{"core.a.*"}})
	// All but the last were delivered, some before and most after the moment asked about.
	w.exec(ledger.Project, `INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id, sequence, status,
		attempt_count, created_at) SELECT $1, $2, tenant_seq, gen_random_uuid(), id, 'core.a.b', position, 'billing', tenant_seq, 'delivered', 1, now()
		FROM core.events WHERE tenant_seq < 1200`, tenant, id)
	w.exec(ledger.Project, `INSERT INTO core.delivery_attempts (tenant_id, endpoint_id, tenant_seq, number, event_id, attempted_at, latency, log_position, status, process)
		SELECT $1, $2, tenant_seq, 1, id, now(), '1 ms', CASE tenant_seq % 400 WHEN 399 THEN 1200 ELSE 1300 END, 'delivered', 'p' FROM core.events WHERE tenant_seq < 1200`, tenant, id)
	want := []string{"399 to 0 delivered 1", "799 to 0 delivered 1", "1199 to 0 delivered 1"}
	for _, limit := range []int32{1, 2, 1000} {
		if got, empty := w.walk(w.then(tenant, 1200, time.Time{}), readmodels.Params{Limit: limit}, id); !slices.Equal(got, want) || empty > 0 {
			t.Errorf("in pages of %d: %v, and %d empty ones", limit, got, empty)
		}
		p := readmodels.Params{Limit: limit, Filter: map[string]string{"status": "pending"}}
		if got, empty := w.walk(w.now(tenant), p, id); !slices.Equal(got, []string{"1200 to 0 pending 0"}) || empty > 0 {
			t.Errorf("pending in pages of %d: %v, and %d empty ones", limit, got, empty)
		}
	}
}
