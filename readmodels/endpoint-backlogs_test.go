package readmodels_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/internal/ledger"
	"chancery/readmodels"
)

// backlogs counts until nothing changes any more, and tells what waits for each endpoint and since when.
func (w *world) backlogs(b *readmodels.Backlogs) map[uuid.UUID]string {
	w.t.Helper()
	var last map[uuid.UUID]string
	for range 100 {
		found, err := b.Count(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		all := map[uuid.UUID]string{}
		for _, f := range found {
			since := "never"
			if f.OldestAt != nil {
				since = f.OldestAt.Sub(w.at).String()
			}
			all[f.Endpoint] = fmt.Sprint(f.Deliveries, " since ", since)
		}
		if last != nil && maps.Equal(all, last) {
			return all
		}
		last = all
	}
	w.t.Fatal("the counts do not settle")
	return nil
}

func TestWhatWaitsIsCountedForEveryEndpointAsItsStatisticsTell(t *testing.T) {
	w := newWorld(t).meaning()
	tenant, ids := w.traffic()
	ids = append(ids,
		w.endpoint(tenant, "billing", row{"kind": "pull", "types": []string{"core.b.*"}}),
		w.endpoint(tenant, "shop", row{"status": "disabled", "skipped_through": 4}),
		w.endpoint(tenant, "billing", row{"types": []string{"core.x.*"}}), // means nothing
		w.endpoint(tenant, "unknown", row{}),                              // of an app that the tenant does not have
	)
	w.atWork(tenant, "shop")
	b := w.reader.Backlogs(w.ledger.Pool(ledger.Project))
	is := func(when string, want ...string) {
		t.Helper()
		found := w.backlogs(b)
		if len(found) != len(want) {
			t.Errorf("%s: of %d endpoints, want %d", when, len(found), len(want))
		}
		for i, want := range want {
			if found[ids[i]] != want {
				t.Errorf("%s: for %d waits %s, want %s", when, i, found[ids[i]], want)
			}
			s, err := w.now(tenant).EndpointStats(t.Context(), ids[i].String(), time.Hour, w.at)
			if err != nil {
				t.Fatal(err)
			}
			since := "never"
			if s.OldestPendingAt != nil {
				since = s.OldestPendingAt.Sub(w.at).String()
			}
			if told := fmt.Sprint(s.Backlog, " since ", since); told != want {
				t.Errorf("%s: the statistics of %d tell %s, want %s", when, i, told, want)
			}
		}
	}
	is("at first", "4 since 4m0s", "3 since 8m0s", "3 since 3m0s", "6 since 5m0s", "0 since never", "0 since never")
	w.reached(tenant, ids[2], 6)
	w.exec(ledger.Project, `UPDATE endpoints SET status = 'enabled', version = 8 WHERE id = $1`, ids[3])
	w.exec(ledger.Project, `UPDATE endpoints SET types = '{core.b.*}' WHERE id = $1`, ids[4])
	w.exec(ledger.Append, `INSERT INTO events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
		VALUES (11, gen_random_uuid(), $1, 11, 'b.c', '{}', '{}', '{}', gen_random_uuid(), $2, $2)`, tenant, w.at.Add(11*time.Minute))
	is("later", "4 since 4m0s", "4 since 8m0s", "2 since 9m0s", "7 since 5m0s", "4 since 3m0s", "0 since never")
	w.exec(ledger.Project, `UPDATE endpoints SET status = 'deleted' WHERE id = $1`, ids[5])
	ids = ids[:5]
	is("when one is deleted", "4 since 4m0s", "4 since 8m0s", "2 since 9m0s", "7 since 5m0s", "4 since 3m0s")
}

func TestCountingLooksAtSoManyEventsAndGoesOnNextTime(t *testing.T) {
	w := newWorld(t).meaning()
	tenant := uuid.New()
	w.exec(ledger.Append, `INSERT INTO events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT n, gen_random_uuid(), $1, n, CASE WHEN n > 40000 THEN 'a.b' ELSE 'x.y' END, '{}', '{}', '{}', gen_random_uuid(), $2, $2 FROM generate_series(1, 60000) n`, tenant, w.at)
	w.atWork(tenant, "billing")
	far := w.endpoint(tenant, "billing", row{"types": []string{"core.a.*"}})
	near := w.endpoint(tenant, "billing", row{"kind": "pull", "starts_after": 59_990})
	b := w.reader.Backlogs(w.ledger.Pool(ledger.Project))
	var found []int64
	for range 6 {
		all, err := b.Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			switch {
			case f.Endpoint == near && f.Deliveries != 10:
				t.Errorf("for the one that is near wait %d", f.Deliveries)
			case f.Endpoint == far:
				found = append(found, f.Deliveries)
			}
		}
	}
	if found[0] != 0 || found[5] != readmodels.MostBacklog || !slices.IsSorted(found) {
		t.Errorf("what was found for the one that is far: %d", found)
	}
}
