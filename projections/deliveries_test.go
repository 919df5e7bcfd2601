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

// delivering is what is due, since which attempt, and when.
const delivering = `SELECT tenant_seq || ' ' || status || ' ' || round || COALESCE(' ' || to_char(next_attempt_at AT TIME ZONE 'UTC', 'DD HH24:MI'), '') || CASE WHEN delivered_at IS NULL THEN '' ELSE ' was delivered' END
	FROM core.event_deliveries WHERE endpoint_id = '%s' ORDER BY tenant_seq`

func TestWhatIsRedeliveredIsDueAtOnceWithARoundOfItsOwn(t *testing.T) {
	mine, other := domain.EndpointID{UUID: uid('p', 1)}, domain.EndpointID{UUID: uid('p', 2)}
	statuses := []string{"delivered", "dead", "retrying", "leased", "waiting", "delivered"}
	as := []string{
		"1 delivered 0 was delivered", "2 dead 0", "3 retrying 0 05 12:03", "4 leased 0 05 12:04", "5 waiting 0", "6 delivered 0 was delivered",
	}
	anew := map[int]string{1: "1 retrying 1 04 18:00 was delivered", 2: "2 retrying 2 04 18:00", 3: "3 retrying 3 04 18:00", 6: "6 retrying 6 04 18:00 was delivered"}
	for name, c := range map[string]struct {
		asked domain.RedeliveryRequested
		due   []int
	}{
		"one that arrived":        {domain.RedeliveryRequested{Event: uid('v', 1)}, []int{1}},
		"a dead letter":           {domain.RedeliveryRequested{Event: uid('v', 2)}, []int{2}},
		"one to be tried later":   {domain.RedeliveryRequested{Event: uid('v', 3)}, []int{3}},
		"one that is handed out":  {domain.RedeliveryRequested{Event: uid('v', 4)}, nil},
		"one that waits":          {domain.RedeliveryRequested{Event: uid('v', 5)}, nil},
		"one that is not there":   {domain.RedeliveryRequested{Event: uid('v', 9)}, nil},
		"all dead letters":        {domain.RedeliveryRequested{Failed: true}, []int{2}},
		"a span":                  {domain.RedeliveryRequested{From: noon.Add(2 * time.Minute), Until: noon.Add(6 * time.Minute)}, []int{2, 3}},
		"everything":              {domain.RedeliveryRequested{From: noon, Until: noon.Add(time.Hour)}, []int{1, 2, 3, 6}},
		"a span before all there": {domain.RedeliveryRequested{From: noon.Add(-time.Hour), Until: noon}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			sent(t, l, mine, statuses...)
			sent(t, l, other, statuses...)
			c.asked.Endpoint = mine
			m := dcb.Meta{Position: 7, Tenant: acme.UUID, RecordedAt: noon.Add(6 * time.Hour)}
			if err := projections.Redeliver(t.Context(), l.Pool(ledger.Project), m, c.asked); err != nil {
				t.Fatal(err)
			}
			want := append([]string{}, as...)
			for _, n := range c.due {
				want[n-1] = anew[n]
			}
			if diff := cmp.Diff(want, ask(t, l, fmt.Sprintf(delivering, mine))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(as, ask(t, l, fmt.Sprintf(delivering, other))); diff != "" {
				t.Errorf("the other endpoint (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASpanEndsWithTheRequest(t *testing.T) {
	l, mine := open(t), domain.EndpointID{UUID: uid('p', 1)}
	sent(t, l, mine, "dead", "dead", "dead")
	m := dcb.Meta{Position: 3, Tenant: acme.UUID, RecordedAt: noon}
	asked := domain.RedeliveryRequested{Endpoint: mine, From: noon, Until: noon.Add(time.Hour)}
	if err := projections.Redeliver(t.Context(), l.Pool(ledger.Project), m, asked); err != nil {
		t.Fatal(err)
	}
	want := []string{"1 retrying 1 04 12:00", "2 retrying 2 04 12:00", "3 dead 0"}
	if diff := cmp.Diff(want, ask(t, l, fmt.Sprintf(delivering, mine))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
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

func TestNoProjectorKeepsDeliveries(t *testing.T) {
	for _, p := range []*projections.Projector{projections.Core, projections.Audit} {
		for _, table := range p.Tables() {
			switch table {
			case "delivery_cursors", "event_deliveries", "delivery_attempts":
				t.Errorf("a rebuild would empty %s", table)
			}
		}
	}
}
