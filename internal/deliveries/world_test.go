package deliveries

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, ledger.Migrate) }

var tenant = uuid.MustParse("00000000-0000-0000-0000-00000000000a")

// world is a database with a log in it, and receivers that answer as a test wants.
type world struct {
	t   testing.TB
	url string
	*ledger.Ledger
	log *eventlog.PG

	clock atomic.Int64 // how far the clock was set forward

	mu        sync.Mutex
	endpoints []Endpoint
	answer    func(context.Context, Endpoint, Item) Outcome
	attempts  []attempt
	flying    map[string]int // attempts under way, by endpoint and event
	doubled   int
	disabled  []string
}

type attempt struct {
	endpoint uuid.UUID
	seq      int64
	sequence int64
	number   int
	at       time.Time
	node     string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, url: pgtest.URL(t), flying: map[string]int{}}
	w.Ledger = w.connect("test")
	w.log = eventlog.Open(w.Ledger, eventlog.Config{})
	t.Cleanup(func() { _ = w.log.Close(context.Background()) })
	w.answer = func(context.Context, Endpoint, Item) Outcome { return Outcome{Delivered: true, Status: 200} }
	return w
}

func (w *world) connect(name string) *ledger.Ledger { return w.connectAt(w.url, name) }

func (w *world) connectAt(url, name string) *ledger.Ledger {
	w.t.Helper()
	l, err := ledger.Open(context.Background(), ledger.Config{URL: url, AllowUnsafe: true, Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(l.Close)
	return l
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.clock.Load())).UTC() }

// forward sets the clock and has everything look at it.
func (w *world) forward(d time.Duration, nodes ...*node) {
	w.clock.Add(int64(d))
	for _, n := range nodes {
		n.Wake()
	}
}

// endpoint is one that means everything.
func (w *world) endpoint(change func(*Endpoint)) Endpoint {
	all := func(*eventlog.Raw) bool { return true }
	ep := Endpoint{Tenant: tenant, ID: uuid.New(), Version: 1, App: "billing", Concurrency: 10, Means: all, Permits: all, Open: func(time.Time) bool { return true }}
	if change != nil {
		change(&ep)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endpoints = append(w.endpoints, ep)
	return ep
}

// node is an engine that runs.
type node struct {
	*Engine
	stop func()
}

func (w *world) node(name string, change func(*Config)) *node { return w.nodeAt(w.url, name, change) }

func (w *world) nodeAt(url, name string, change func(*Config)) *node {
	w.t.Helper()
	l := w.connectAt(url, name)
	c := Config{
		Pool: l.Pool(ledger.Project), Log: eventlog.Sips{PG: w.log}, Process: name, Now: w.now,
		Load: func(context.Context) ([]Endpoint, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return append([]Endpoint(nil), w.endpoints...), nil
		},
		Concerns: func(raw *eventlog.Raw) bool { return raw.Type == "endpoint.changed" },
		Settle:   func(context.Context, int64) error { return nil },
		Send:     func(ctx context.Context, ep Endpoint, i Item) Outcome { return w.send(ctx, name, ep, i) },
		Disable: func(_ context.Context, _, id uuid.UUID, gone bool, _ time.Time) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.disabled = append(w.disabled, fmt.Sprintf("%s gone=%t", id, gone))
			return nil
		},
		Type:     func(raw *eventlog.Raw) string { return "core." + raw.Type },
		Subject:  func(raw *eventlog.Raw) string { return raw.Tags[0] },
		Data:     func(raw *eventlog.Raw) []byte { return raw.Payload },
		ID:       func(endpoint, event uuid.UUID) uuid.UUID { return uuid.NewSHA1(endpoint, event[:]) },
		Schedule: []time.Duration{0, 5 * time.Second, time.Minute}, GiveUp: 24 * time.Hour, Jitter: func() float64 { return 0 },
		Patience: 300 * time.Millisecond, Longest: 300 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&c)
	}
	e, err := New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	n := &node{Engine: e, stop: func() { cancel(); <-done }}
	w.t.Cleanup(n.stop)
	return n
}

func (w *world) send(ctx context.Context, name string, ep Endpoint, i Item) Outcome {
	key := fmt.Sprint(ep.ID, i.Event.TenantSeq)
	w.mu.Lock()
	w.flying[key]++
	if w.flying[key] > 1 {
		w.doubled++
	}
	w.attempts = append(w.attempts, attempt{ep.ID, i.Event.TenantSeq, i.Sequence, i.Attempt, w.now(), name})
	answer := w.answer
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.flying[key]--
		w.mu.Unlock()
	}()
	return answer(ctx, ep, i)
}

func (w *world) answers(f func(context.Context, Endpoint, Item) Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

// made is the attempts so far.
func (w *world) made() []attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]attempt(nil), w.attempts...)
}

const insertEvents = `INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
	SELECT p, gen_random_uuid(), $3, p, 'shop', $4, ('{"n":' || p || ',"key":"k' || p % 10 || '","pad":"' || repeat('x', $5) || '"}')::json,
	'{}', '{}', gen_random_uuid(), $6, $6 FROM generate_series($1::bigint, $2::bigint) p`

func (w *world) append(first, last int64, typ string, pad int) {
	w.t.Helper()
	w.exec(insertEvents, first, last, tenant, typ, pad, w.now())
	w.exec("NOTIFY " + eventlog.Channel)
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.Pool(ledger.Owner).Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) number(sql string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.Pool(ledger.Owner).QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// until waits for something to become so.
func (w *world) until(what string, so func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !so() {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not within 30 s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

func (w *world) untilNumber(want int64, sql string, args ...any) {
	w.t.Helper()
	var got int64
	deadline := time.Now().Add(30 * time.Second)
	for got = w.number(sql, args...); got != want; got = w.number(sql, args...) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: %d, want %d", sql, got, want)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (w *world) login() *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.Connect(context.Background(), w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

const delivered = `SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered' AND endpoint_id = $1`

// wantSequences expects deliveries 1, 2, 3, … in the order of the log, and a cursor that passes nothing that is not on record.
func (w *world) wantSequences(ep Endpoint, n int64) {
	w.t.Helper()
	if got := w.number(`SELECT count(*) FROM (SELECT sequence, row_number() OVER (ORDER BY tenant_seq) AS n FROM core.event_deliveries WHERE endpoint_id = $1) x WHERE sequence <> n`, ep.ID); got != 0 {
		w.t.Errorf("%d deliveries have another sequence number than their place", got)
	}
	if got := w.number(`SELECT count(*) FROM core.event_deliveries WHERE endpoint_id = $1`, ep.ID); got != n {
		w.t.Errorf("%d deliveries, want %d", got, n)
	}
	if bad := w.number(`SELECT count(*) FROM core.delivery_cursors c WHERE endpoint_id = $1
		AND sequence <> (SELECT count(*) FROM core.event_deliveries d WHERE d.endpoint_id = c.endpoint_id AND d.tenant_seq <= c.tenant_seq)`, ep.ID); bad != 0 {
		w.t.Error("the cursor passes something that is not on record")
	}
}
