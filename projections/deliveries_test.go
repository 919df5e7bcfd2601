package projections_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/ledger"
	"chancery/projections"
)

// sent puts deliveries to an endpoint into the tables, the n-th of the n-th event, recorded n minutes after noon.
func sent(t *testing.T, l *ledger.Ledger, endpoint domain.EndpointID, statuses ...string) {
	t.Helper()
	for i, status := range statuses {
		n := i + 1
		at := noon.Add(time.Duration(n) * time.Minute)
		exec := func(role ledger.Role, sql string, args ...any) {
			if _, err := l.Pool(role).Exec(t.Context(), sql, args...); err != nil {
				t.Fatal(err)
			}
		}
		exec(ledger.Append, `INSERT INTO core.events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
			VALUES ($1, $2, $3, $1, 'a', '{}', '{}', '{}', $2, $4, $4) ON CONFLICT DO NOTHING`, n, uid('v', n), acme, at)
		exec(ledger.Project, `INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id, sequence, status,
			attempt_count, last_attempt_at, next_attempt_at, delivered_at, created_at) VALUES ($1, $2, $3::bigint, $4, $5, 'core.a', $3, 'billing', $3, $6, $3::bigint, $7::timestamptz,
			CASE WHEN $6 IN ('retrying', 'leased') THEN $7::timestamptz + interval '1 day' END, CASE WHEN $6 = 'delivered' THEN $7::timestamptz END, $7::timestamptz)`,
			acme, endpoint, n, domain.DeliveryID(endpoint, uid('v', n)), uid('v', n), status, at)
		exec(ledger.Project, `INSERT INTO core.delivery_attempts (tenant_id, endpoint_id, tenant_seq, number, event_id, attempted_at, latency, log_position, status, process)
			SELECT $1, $2, $3, a, $4, $5, '1 ms', 1, 'retrying', 'p' FROM generate_series(1, 2) a`, acme, endpoint, n, uid('v', n), at)
	}
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestWhoDeliversIsAskedToDoItAnew(t *testing.T) {
	l, mine := open(t), domain.EndpointID{UUID: uid('p', 1)}
	for i, asked := range []domain.RedeliveryRequested{
		{Event: uid('v', 1)}, {Failed: true}, {From: noon.Add(2 * time.Minute), Until: noon.Add(6 * time.Minute)},
	} {
		asked.Endpoint = mine
		m := dcb.Meta{Position: int64(7 + i), Tenant: acme.UUID, RecordedAt: noon.Add(6 * time.Hour)}
		for range 2 { // the second changes nothing
			if err := projections.Redeliver(t.Context(), l.Pool(ledger.Project), m, asked); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := ask(t, l, fmt.Sprintf(`SELECT position || ' ' || to_char(due_at AT TIME ZONE 'UTC', 'HH24:MI') || coalesce(' ' || delivery_id, '')
		|| coalesce(to_char(since AT TIME ZONE 'UTC', ' HH24:MI') || to_char(until AT TIME ZONE 'UTC', ' HH24:MI'), '')
		FROM core.redeliveries WHERE tenant_id = '%s' AND endpoint_id = '%s' AND place IS NULL ORDER BY position`, acme, mine))
	want := []string{"7 18:00 " + domain.DeliveryID(mine, uid('v', 1)).String(), "8 18:00", "9 18:00 12:02 12:06"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatLiesBeyondTheCursorIsNotForgotten: it would be new to its endpoint, and sent again when that goes on.
func TestWhatLiesBeyondTheCursorIsNotForgotten(t *testing.T) {
	l, mine := open(t), domain.EndpointID{UUID: uid('p', 1)}
	sent(t, l, mine, "delivered", "dead", "delivered", "dead")
	for _, sql := range []string{
		`UPDATE core.event_deliveries SET last_attempt_at = NULL WHERE tenant_seq IN (2, 4)`, `DELETE FROM core.delivery_attempts`,
		fmt.Sprintf(`INSERT INTO core.delivery_cursors (tenant_id, endpoint_id, tenant_seq) VALUES ('%s', '%s', 2)`, acme, mine),
	} {
		if _, err := l.Pool(ledger.Project).Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := projections.ForgetDeliveries(t.Context(), l.Pool(ledger.Project), noon.Add(time.Hour), 10); n != 2 || err != nil {
		t.Errorf("%d rows went, %v", n, err)
	}
	if diff := cmp.Diff([]string{"3", "4"}, ask(t, l, `SELECT tenant_seq::text FROM core.event_deliveries ORDER BY tenant_seq`)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestWhatIsLeftOfADeletedEndpointIsForgottenAfterAWhile(t *testing.T) {
	l, gone, late, here := open(t), domain.EndpointID{UUID: uid('p', 1)}, domain.EndpointID{UUID: uid('p', 2)}, domain.EndpointID{UUID: uid('p', 3)}
	for endpoint, c := range map[domain.EndpointID]struct {
		status string
		at     time.Time
	}{gone: {"deleted", noon}, late: {"deleted", noon.Add(2 * time.Hour)}, here: {"disabled", noon}} {
		sent(t, l, endpoint, "retrying", "leased", "waiting")
		for _, sql := range []string{
			`INSERT INTO core.endpoints (tenant_id, id, app_id, kind, status, description, types, body, concurrency, per_second, lease_seconds, max_attempts, starts_after,
				skipped_through, secret_version, created_at, updated_at, version) VALUES ($1, $2, 'billing', 'webhook', '` + c.status + `', '', '{}', 'thin', 1, 1, 1, 1, 0, 0, 0, $3, $3, 1)`,
			`INSERT INTO core.delivery_cursors (tenant_id, endpoint_id, tenant_seq, last_failure_at) VALUES ($1, $2, 3, $3)`,
		} {
			if _, err := l.Pool(ledger.Project).Exec(t.Context(), sql, acme, endpoint, c.at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := l.Pool(ledger.Project).Exec(t.Context(), `DELETE FROM core.delivery_attempts`); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{3, 1, 0} { // two rows and the cursor, the last row, and nothing
		if n, err := projections.ForgetDeliveries(t.Context(), l.Pool(ledger.Project), noon.Add(time.Hour), 2); n != want || err != nil {
			t.Errorf("portion %d: %d rows went, %v", i, n, err)
		}
	}
	if diff := cmp.Diff([]string{"2 3", "3 3"}, ask(t, l, `SELECT right(endpoint_id::text, 1) || ' ' || count(*) FROM core.event_deliveries GROUP BY endpoint_id ORDER BY 1`)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2", "3"}, ask(t, l, `SELECT right(endpoint_id::text, 1) FROM core.delivery_cursors ORDER BY 1`)); diff != "" {
		t.Errorf("cursors kept (-want +got):\n%s", diff)
	}
}

func TestOnlyWhatIsDoneIsForgotten(t *testing.T) {
	l, mine := open(t), domain.EndpointID{UUID: uid('p', 1)}
	sent(t, l, mine, "delivered", "dead", "retrying", "leased", "waiting", "delivered")
	gone := func(most int) (n int64) {
		n, err := projections.ForgetDeliveries(t.Context(), l.Pool(ledger.Project), noon.Add(6*time.Minute), most)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i, want := range []int64{5, 3, 3, 1, 0} { // ten attempts and two deliveries, at most three of each at a time
		if got := gone(3); got != want {
			t.Errorf("portion %d: %d rows, want %d", i, got, want)
		}
	}
	if diff := cmp.Diff([]string{"3", "4", "5", "6"}, ask(t, l, `SELECT tenant_seq::text FROM core.event_deliveries ORDER BY tenant_seq`)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"6 1", "6 2"}, ask(t, l, `SELECT tenant_seq || ' ' || number FROM core.delivery_attempts ORDER BY 1`)); diff != "" {
		t.Errorf("attempts kept (-want +got):\n%s", diff)
	}
}

func TestADeadLetterThatWasNeverAttemptedIsForgottenToo(t *testing.T) {
	l, mine := open(t), domain.EndpointID{UUID: uid('p', 1)}
	sent(t, l, mine, "dead", "waiting", "dead", "dead")
	for _, sql := range []string{`UPDATE core.event_deliveries SET last_attempt_at = NULL, attempt_count = 0`, `DELETE FROM core.delivery_attempts`} {
		if _, err := l.Pool(ledger.Project).Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := projections.ForgetDeliveries(t.Context(), l.Pool(ledger.Project), noon.Add(4*time.Minute), 10); n != 2 || err != nil {
		t.Errorf("%d rows went, %v", n, err)
	}
	if diff := cmp.Diff([]string{"2", "4"}, ask(t, l, `SELECT tenant_seq::text FROM core.event_deliveries ORDER BY tenant_seq`)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestNoProjectorKeepsDeliveries(t *testing.T) {
	for _, p := range []*projections.Projector{projections.Core, projections.Audit} {
		for _, table := range p.Tables() {
			switch table {
			case "delivery_cursors", "event_deliveries", "delivery_attempts", "redeliveries":
				t.Errorf("a rebuild would empty %s", table)
			}
		}
	}
}
