package pulls_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
	"chancery/internal/pulls"
)

func TestMain(m *testing.M) { pgtest.Main(m, ledger.Migrate) }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// world is a database with events of one tenant, one a second from noon on, and an endpoint for those of the type "wanted".
type world struct {
	*testing.T
	ledger *ledger.Ledger
	pulls  *pulls.Pulls
	e      *pulls.Endpoint
	mu     sync.Mutex
	n      int64 // events of the tenant
	at     time.Time
	looks  int // how often somebody looked
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{URL: pgtest.URL(t), AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	w := &world{T: t, ledger: l, at: noon.Add(time.Hour), e: &pulls.Endpoint{
		Tenant: uuid.New(), ID: uuid.New(), App: "stock", Lease: 30 * time.Second, Attempts: 3,
		Means:   func(r *eventlog.Raw) bool { return strings.HasPrefix(r.Type, "shop.wanted") },
		Permits: func(*eventlog.Raw) bool { return true },
	}}
	w.e.Stirs = w.e.Means
	w.pulls = w.process("one")
	return w
}

func (w *world) process(name string) *pulls.Pulls {
	p := pulls.New(pulls.Config{Pool: w.ledger.Pool(ledger.Project), Now: w.now, Process: name})
	ctx, stop := context.WithCancel(w.Context())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	w.Cleanup(func() { stop(); running.Wait() })
	return p
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) forward(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// happen appends events, each of a type, and returns them.
func (w *world) happen(types ...string) (all []eventlog.Raw) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, typ := range types {
		w.n++
		e := eventlog.Raw{ID: uuid.New(), Tenant: w.e.Tenant, TenantSeq: w.n, Position: w.n, SourceApp: "shop", Type: typ, Payload: fmt.Appendf(nil, `{"n": %d}`, w.n)}
		e.CreatedAt = noon.Add(time.Duration(w.n) * time.Second)
		if _, err := w.ledger.Pool(ledger.Append).Exec(w.Context(), `INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload,
			metadata, tags, request_id, occurred_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, '{}', '{}', $8, $9, $9)`,
			e.Position, e.ID, e.Tenant, e.TenantSeq, e.SourceApp, e.Type, e.Payload, uuid.New(), e.CreatedAt); err != nil {
			w.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func times(n int, types ...string) []string { return slices.Repeat(types, n) }

func (w *world) find(context.Context) (*pulls.Endpoint, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	found := *w.e
	found.Through = w.n
	return &found, nil
}

// found is the endpoint as of all that has happened.
func (w *world) found() *pulls.Endpoint {
	e, _ := w.find(w.Context())
	return e
}

// over is a wait that has ended.
func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (w *world) receive(most int) []pulls.Item {
	w.Helper()
	return w.receiveAs(most, w.find)
}

func (w *world) receiveAs(most int, find func(context.Context) (*pulls.Endpoint, error)) []pulls.Item {
	w.Helper()
	items, err := w.pulls.Receive(w.Context(), over(), w.e.Tenant, w.e.ID, most, find)
	if err != nil {
		w.Fatal(err)
	}
	return items
}

func leasesOf(items []pulls.Item) (all []pulls.Lease) {
	for _, i := range items {
		all = append(all, i.Lease)
	}
	return all
}

// said is each item as "place number attempt".
func said(items []pulls.Item) (all []string) {
	for _, i := range items {
		all = append(all, fmt.Sprint(i.Event.TenantSeq, i.Sequence, i.Attempt))
	}
	return all
}

func (w *world) got(items []pulls.Item, want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, said(items)); diff != "" {
		w.Fatalf("handed out (-want +got):\n%s", diff)
	}
}

func (w *world) fates(want []pulls.Fate) func([]pulls.Fate, error) {
	w.Helper()
	return func(got []pulls.Fate, err error) {
		w.Helper()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			w.Fatalf("fates (-want +got), %v:\n%s", err, diff)
		}
	}
}

// rows are what the tables say.
func (w *world) rows(query string) (all []string) {
	w.Helper()
	rows, err := w.ledger.Pool(ledger.Owner).Query(w.Context(), query, w.e.Tenant)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			w.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		w.Fatal(err)
	}
	return all
}

const (
	deliveryRows = `SELECT concat_ws(' ', tenant_seq, sequence, status, attempt_count, to_char(next_attempt_at AT TIME ZONE 'UTC', 'HH24:MI:SS'), error)
		FROM core.event_deliveries WHERE tenant_id = $1 ORDER BY tenant_seq`
	attemptRows = `SELECT concat_ws(' ', tenant_seq, number, status, extract(epoch FROM latency)::int, error)
		FROM core.delivery_attempts WHERE tenant_id = $1 ORDER BY tenant_seq, number`
)

func (w *world) are(query string, want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, w.rows(query)); diff != "" {
		w.Fatalf("rows (-want +got):\n%s", diff)
	}
}

func TestWhatIsMeantIsHandedOutInOrderAndOnce(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.other", "shop.wanted", "shop.other", "shop.wanted.too", "shop.wanted")
	first := w.receive(2)
	w.got(first, "2 1 1", "4 2 1")
	w.got(w.receive(2), "5 3 1")
	w.got(w.receive(2))
	if string(first[0].Event.Payload) != `{"n": 2}` || !first[0].Until.Equal(w.now().Add(30*time.Second)) {
		t.Errorf("%+v", first[0])
	}
	w.forward(7 * time.Second)
	w.fates([]pulls.Fate{"acked", "lease-over", "acked"})(w.pulls.Ack(t.Context(), w.e, []pulls.Lease{first[0].Lease, {Seq: 4, ID: uuid.New()}, first[0].Lease}))
	w.fates([]pulls.Fate{"already-acked", "acked"})(w.pulls.Ack(t.Context(), w.e, leasesOf(first)))
	w.are(deliveryRows, "2 1 delivered 1", "4 2 delivered 1", "5 3 leased 1 13:00:30")
	w.are(attemptRows, "2 1 delivered 7", "4 1 delivered 7")
}

func TestALeaseThatIsOverIsAnothersAndAtLastADeadLetter(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted")
	first := w.receive(10)
	w.forward(30*time.Second - time.Microsecond)
	w.got(w.receive(10))
	w.forward(time.Microsecond)
	second := w.receive(10)
	w.got(second, "1 1 2")
	w.fates([]pulls.Fate{"lease-over"})(w.pulls.Ack(t.Context(), w.e, leasesOf(first)))
	w.fates([]pulls.Fate{"lease-over"})(w.pulls.Nack(t.Context(), w.e, leasesOf(first), 0))
	w.forward(time.Minute)
	w.got(w.receive(10), "1 1 3")
	w.forward(time.Minute)
	w.got(w.receive(10))
	w.are(deliveryRows, "1 1 dead 3 the lease ended and nobody had acknowledged the event")
	const why = " the lease ended and nobody had acknowledged the event"
	w.are(attemptRows, "1 1 retrying 30"+why, "1 2 retrying 60"+why, "1 3 dead 60"+why)

	// Asked for again, as the reaction to RedeliveryRequested does it.
	w.redeliver()
	w.got(w.receive(10), "1 1 4")
}

func (w *world) redeliver() {
	w.Helper()
	if _, err := w.ledger.Pool(ledger.Project).Exec(w.Context(), `UPDATE core.event_deliveries SET round = attempt_count, status = 'retrying',
		next_attempt_at = $2 WHERE tenant_id = $1`, w.e.Tenant, w.now()); err != nil {
		w.Fatal(err)
	}
}

func TestWhatAnEndpointMayNotHaveAnyMoreIsNotHandedOutAgain(t *testing.T) {
	w := newWorld(t)
	var taken atomic.Bool
	w.e.Permits = func(r *eventlog.Raw) bool { return !taken.Load() || r.Type == "shop.wanted.still" }
	w.happen("shop.wanted", "shop.wanted", "shop.wanted.still", "shop.wanted")
	got := w.receive(10)
	w.fates([]pulls.Fate{"nacked"})(w.pulls.Nack(t.Context(), w.e, leasesOf(got[:1]), 10*time.Second))
	w.fates([]pulls.Fate{"acked"})(w.pulls.Ack(t.Context(), w.e, leasesOf(got[3:])))
	taken.Store(true)
	w.forward(time.Minute)
	w.got(w.receive(2)) // as many as are due first, and it looks on
	w.got(w.receive(2), "3 3 2")
	const denied = " not handed out: by the app's manifest or the tenant's policy it may not have events of this type any more"
	const over = " the lease ended and nobody had acknowledged the event"
	w.are(deliveryRows, "1 1 dead 1"+denied, "2 2 dead 1"+denied, "3 3 leased 2 13:01:30", "4 4 delivered 1")
	w.are(attemptRows, "1 1 retrying 0 its receiver gave it back", "2 1 dead 60"+over, "3 1 retrying 60"+over, "4 1 delivered 0")

	w.redeliver()
	w.got(w.receive(10), "3 3 3")
	w.are(deliveryRows, "1 1 dead 1"+denied, "2 2 dead 1"+denied, "3 3 leased 3 13:01:30", "4 4 dead 1"+denied)
	taken.Store(false)
	w.redeliver()
	w.got(w.receive(10), "1 1 2", "2 2 2", "3 3 4", "4 4 2")
}

func TestALeaseThatEndedCountsAsLongAsNobodyElseHasTheEvent(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted")
	got := w.receive(1)
	w.forward(time.Hour)
	w.fates([]pulls.Fate{"acked"})(w.pulls.Ack(t.Context(), w.e, leasesOf(got)))
	w.got(w.receive(1))
}

func TestWhatIsGivenBackComesAgainAfterTheDelay(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted", "shop.wanted")
	got := w.receive(10)
	w.fates([]pulls.Fate{"nacked"})(w.pulls.Nack(t.Context(), w.e, leasesOf(got[:1]), 10*time.Second))
	w.are(deliveryRows, "1 1 retrying 1 13:00:10 its receiver gave it back", "2 2 leased 1 13:00:30")
	w.got(w.receive(10))
	w.forward(10 * time.Second)
	again := w.receive(10)
	w.got(again, "1 1 2")
	w.fates([]pulls.Fate{"nacked"})(w.pulls.Nack(t.Context(), w.e, leasesOf(again), 0))
	last := w.receive(10)
	w.got(last, "1 1 3")
	w.fates([]pulls.Fate{"dead"})(w.pulls.Nack(t.Context(), w.e, leasesOf(last), 0))
	w.forward(time.Hour)
	w.got(w.receive(10), "2 2 2")
}

func TestALeaseCanBeExtended(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted")
	got := w.receive(1)
	fates, until, err := w.pulls.Extend(t.Context(), w.e, leasesOf(got), 2*time.Minute)
	w.fates([]pulls.Fate{"extended"})(fates, err)
	if !until.Equal(w.now().Add(2 * time.Minute)) {
		t.Errorf("until %s", until)
	}
	w.forward(time.Minute)
	w.got(w.receive(1))
	w.forward(time.Minute)
	w.got(w.receive(1), "1 1 2")
}

func TestAnEndpointBeginsWhereItWasMadeOrWhereItSays(t *testing.T) {
	w := newWorld(t)
	w.happen(times(9, "shop.wanted")...)
	w.e.StartsAfter = 7
	w.got(w.receive(10), "8 1 1", "9 2 1")

	w.e.ID, w.e.From = uuid.New(), noon.Add(4*time.Second)
	w.got(w.receive(10), "4 1 1", "5 2 1", "6 3 1", "7 4 1", "8 5 1", "9 6 1")
	w.e.ID, w.e.From = uuid.New(), noon.Add(4*time.Second+time.Nanosecond)
	w.got(w.receive(1), "5 1 1")
	w.e.SkippedThrough = 8
	w.got(w.receive(10), "9 2 1")
}

func TestALongWayToWhatIsMeantIsWalkedInSteps(t *testing.T) {
	w := newWorld(t)
	if _, err := w.ledger.Pool(ledger.Append).Exec(t.Context(), `INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT n, gen_random_uuid(), $1, n, 'shop', 'shop.other', '{}', '{}', '{}', gen_random_uuid(), $2, $2 FROM generate_series(1, 5000) n`, w.e.Tenant, noon); err != nil {
		t.Fatal(err)
	}
	w.n = 5000
	w.happen("shop.wanted")
	w.got(w.receive(10))
	items := w.receive(10)
	for len(items) == 0 && t.Context().Err() == nil {
		items = w.receive(10)
	}
	w.got(items, "5001 1 1")

	page, err := w.pulls.Read(t.Context(), w.found(), 0, 10)
	if err != nil || len(page.Events) != 0 || page.Next > 2000 || !page.More {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = w.pulls.Read(t.Context(), w.found(), 4990, 10)
	if err != nil || len(page.Events) != 1 || page.Next != 5001 || page.More {
		t.Fatalf("%+v, %v", page, err)
	}
}

func TestALeaseIsReadAsItIsWritten(t *testing.T) {
	l := pulls.Lease{Seq: 42, ID: uuid.New()}
	if back, ok := pulls.ParseLease(l.String()); !ok || back != l {
		t.Errorf("%v, %v", back, ok)
	}
	for _, bad := range []string{"", ".", "42", "42." + strings.ToUpper(l.ID.String()), "042." + l.ID.String(), "x." + l.ID.String(), l.String() + " "} {
		if _, ok := pulls.ParseLease(bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
}
