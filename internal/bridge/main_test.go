package bridge

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"chancery/internal/bridge/natstest"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/feed"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
)

func TestMain(m *testing.M) {
	natstest.Main()
	kafkaMain()
	pgtest.Main(m, ledger.Migrate)
}

var acme, globex = uuid.MustParse("0197aaaa-0000-7000-8000-000000000001"), uuid.MustParse("0197aaaa-0000-7000-8000-000000000002")

// world is a log in PostgreSQL and a broker beside it.
type world struct {
	t      *testing.T
	ledger *ledger.Ledger
	url    string
	broker *natstest.Server // nil: it is another one
	conn   *nats.Conn       // of the test itself
	js     jetstream.JetStream
}

func newWorld(t *testing.T) *world {
	w := brokerless(t)
	w.broker = startBroker(t)
	w.url = w.broker.URL
	return w
}

func brokerless(t *testing.T) *world {
	l, err := ledger.Open(t.Context(), ledger.Config{URL: pgtest.URL(t), AllowUnsafe: true, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return &world{t: t, ledger: l}
}

func startBroker(t *testing.T) *natstest.Server {
	t.Helper()
	s, err := natstest.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// events are those of two tenants by turns, one of four globex'; every tenth is an app's.
func (w *world) events(first, last int64) {
	w.t.Helper()
	const insert = `INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT p, gen_random_uuid(), CASE WHEN p % 4 = 0 THEN $3::uuid ELSE $4::uuid END, CASE WHEN p % 4 = 0 THEN p / 4 ELSE p - p / 4 END,
			CASE WHEN p % 10 = 0 THEN 'shop' ELSE 'core' END, CASE WHEN p % 10 = 0 THEN 'shop.order placed' ELSE 'user.registered' END,
			json_build_object('p', p), '{}', '{}', gen_random_uuid(), now(), now()
		FROM generate_series($1::bigint, $2::bigint) p`
	if _, err := w.ledger.Pool(ledger.Owner).Exec(w.t.Context(), insert, first, last, globex, acme); err != nil {
		w.t.Fatal(err)
	}
}

// config of a bridge to the broker.
func (w *world) config() Config {
	return Config{URL: w.url, Encode: encodePayload, Type: outward, Timeout: 5 * time.Second}
}

func outward(source, typ string) string {
	if source == dcb.Core {
		return "core." + typ
	}
	return typ
}

// node is one of our servers, as far as the bridge goes.
type node struct {
	*feed.Feed
	bridge *Bridge
	t      *testing.T
	ran    chan error
}

func (w *world) bridge(c Config) *Bridge {
	w.t.Helper()
	b, err := New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(b.Close)
	return b
}

// start runs a feed with the bridge as its only follower, and page events at a time.
func (w *world) start(c Config, page int) *node {
	w.t.Helper()
	b := w.bridge(c)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	f, err := feed.New(feed.Config{
		Pool: w.ledger.Pool(ledger.Project), Decode: func(eventlog.Raw) (dcb.Recorded, error) { panic("nobody decodes") },
		Followers: []feed.Follower{b}, Page: page, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond, Log: log,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	n := &node{f, b, w.t, make(chan error, 1)}
	go func() { n.ran <- f.Run(context.Background()) }()
	w.t.Cleanup(n.stop)
	return n
}

func (n *node) stop() {
	n.Close()
	n.bridge.Close()
	if n.ran == nil {
		return
	}
	if err := <-n.ran; err != nil {
		n.t.Errorf("run: %v", err)
	}
	n.ran = nil
}

func (n *node) reach(position int64) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 60*time.Second)
	defer cancel()
	if err := n.Wait(ctx, n.bridge.Name(), position); err != nil {
		n.t.Fatalf("%v; status %+v", err, n.Status())
	}
}

// stream is the test's own look at what the broker has.
func (w *world) stream() (jetstream.Stream, uint64) {
	w.t.Helper()
	w.dial()
	s, err := w.js.Stream(w.t.Context(), "chancery")
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := s.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return s, info.State.Msgs
}

func (w *world) dial() {
	w.t.Helper()
	if w.conn == nil || w.conn.IsClosed() {
		var err error
		if w.conn, err = nats.Connect(w.broker.URL, nats.NoReconnect()); err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(w.conn.Close)
		if w.js, err = jetstream.New(w.conn); err != nil {
			w.t.Fatal(err)
		}
	}
}

// stored is a message as the broker keeps it.
type stored struct {
	subject, id, tenant string
	position, seq       int64
}

// read fetches everything in the order of the stream.
func (w *world) read() []stored {
	w.t.Helper()
	s, n := w.stream()
	c, err := s.OrderedConsumer(w.t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := c.Messages()
	if err != nil {
		w.t.Fatal(err)
	}
	defer all.Stop()
	var out []stored
	for range n {
		m, err := all.Next()
		if err != nil {
			w.t.Fatal(err)
		}
		h := m.Headers()
		if h.Get(positionKey) == "" {
			continue // others'
		}
		position, _ := strconv.ParseInt(h.Get("chancery-position"), 10, 64)
		seq, _ := strconv.ParseInt(h.Get("chancery-tenantseq"), 10, 64)
		var body struct{ P int64 }
		if err := json.Unmarshal(m.Data(), &body); err != nil || body.P != position || h.Get("content-type") != "application/cloudevents+json" {
			w.t.Fatalf("the message of event %d is %v %s", position, h, m.Data())
		}
		out = append(out, stored{m.Subject(), h.Get(nats.MsgIdHdr), h.Get("chancery-tenant"), position, seq})
	}
	return out
}

// wantOnce expects each of the log's events of the tenants that are meant once, and each tenant's in order.
func (w *world) wantOnce(last int64, tenants ...uuid.UUID) {
	w.t.Helper()
	at, ids, next := map[string]int64{}, map[string]bool{}, map[string]int64{}
	for _, m := range w.read() {
		if ids[m.id] || uuid.Validate(m.id) != nil {
			w.t.Fatalf("event %s is there twice, or has no id", m.id)
		}
		ids[m.id] = true
		if next[m.tenant]++; m.seq != next[m.tenant] || m.position <= at[m.tenant] {
			w.t.Fatalf("of tenant %s comes event %d after %d", m.tenant, m.seq, next[m.tenant]-1)
		}
		at[m.tenant] = m.position
		typ := "core.user.registered"
		if m.position%10 == 0 {
			typ = "shop.order_placed"
		}
		if m.subject != strings.Join([]string{"chancery", m.tenant, typ}, ".") {
			w.t.Fatalf("event %d went to %q", m.position, m.subject)
		}
	}
	of := map[uuid.UUID]int64{globex: last / 4, acme: last - last/4}
	if len(next) != len(tenants) {
		w.t.Errorf("events of the tenants %v", next)
	}
	for _, tenant := range tenants {
		if got := next[tenant.String()]; got != of[tenant] {
			w.t.Errorf("of tenant %s there are %d events of %d", tenant, got, of[tenant])
		}
	}
}
