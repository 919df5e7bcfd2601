package bridge_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"chancery/internal/app"
	"chancery/internal/bridge/natstest"
	"chancery/internal/pgtest"
)

func TestAServerCopiesItsEventsAsCloudEventsAndARebuildCopiesNone(t *testing.T) {
	broker, err := natstest.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Stop)
	settings := app.Config{DatabaseURL: pgtest.URL(t), Data: t.TempDir(), AllowUnsafe: true, Migrate: true, BridgeURL: broker.URL, BridgeTenant: "root", BridgePrefix: "ours"}
	a, err := app.Open(context.Background(), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	if err := a.Install(t.Context()); err != nil { // which is some events
		t.Fatal(err)
	}
	conn, err := nats.Connect(broker.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	patience, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	sub, err := conn.SubscribeSync("ours.>") // from before there was a stream
	if err != nil {
		t.Fatal(err)
	}
	s := eventually(patience, t, js)
	m, err := s.GetMsg(patience, 1)
	if err != nil {
		t.Fatal(err)
	}
	var first struct {
		SpecVersion, ID, Source, Type, TenantID, EventID string
		Data                                             json.RawMessage
	}
	if err := json.Unmarshal(m.Data, &first); err != nil || first.SpecVersion != "1.0" || first.ID != m.Header.Get(nats.MsgIdHdr) || len(first.Data) < 10 ||
		m.Subject != "ours."+first.TenantID+"."+first.Type || !strings.HasPrefix(first.Type, "core.") {
		t.Fatalf("%s %s %v", m.Subject, m.Data, err)
	}

	r, err := a.Replay()
	if err != nil {
		t.Fatal(err)
	}
	before := settled(patience, t, s)
	for { // what was copied before
		if _, err := sub.NextMsg(time.Millisecond); err != nil {
			break
		}
	}
	if _, err := r.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Verify(t.Context(), 10); err != nil || v.Total != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	if after := settled(patience, t, s); after != before {
		t.Errorf("a rebuild put %d messages onto the broker", after-before)
	}
	if m, err := sub.NextMsg(time.Millisecond); err == nil { // nor any that it had already
		t.Errorf("a rebuild sent %s", m.Subject)
	}

	handler, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler.HTTP().Handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	text, _ := io.ReadAll(answer.Body)
	if !strings.Contains(string(text), "chancery_bridge_published_events_total") || !strings.Contains(string(text), "chancery_bridge_refusals_total 0") || !strings.Contains(string(text), "chancery_bridge_lag_seconds 0") {
		t.Errorf("the metrics say nothing of the bridge: %d", answer.Code)
	}
	if reasons := a.Ready(t.Context()); len(reasons) > 0 {
		t.Error(reasons)
	}
}

// eventually is the stream, as soon as there is one with something in it.
func eventually(ctx context.Context, t *testing.T, js jetstream.JetStream) jetstream.Stream {
	t.Helper()
	for {
		s, err := js.Stream(ctx, "ours")
		if err == nil {
			if info, err := s.Info(ctx); err == nil && info.State.Msgs > 0 {
				return s
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("nothing is copied: %v", err)
		}
	}
}

// settled is how many messages there are when a thousand looks in a row have found no more.
func settled(ctx context.Context, t *testing.T, s jetstream.Stream) (n uint64) {
	t.Helper()
	for same := 0; same < 1000; same++ {
		info, err := s.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if info.State.Msgs != n {
			n, same = info.State.Msgs, 0
		}
	}
	return n
}

func TestAServerDoesNotStartWithABridgeThatItCannotMake(t *testing.T) {
	for want, c := range map[string]app.Config{
		`there is no tenant with the id or slug "acme"`: {BridgeURL: "nats://127.0.0.1:1", BridgeTenant: "acme"},
		"must begin with nats://":                       {BridgeURL: "http://127.0.0.1"},
		"the prefix of the bridge's subjects":           {BridgeURL: "nats://127.0.0.1:1", BridgePrefix: "a b"},
	} {
		c.DatabaseURL, c.Data, c.AllowUnsafe, c.Migrate = pgtest.URL(t), t.TempDir(), true, true
		a, err := app.Open(context.Background(), c)
		if err == nil {
			a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestAServerIsReadyThoughItsBrokerIsAway(t *testing.T) {
	a, err := app.Open(context.Background(), app.Config{DatabaseURL: pgtest.URL(t), Data: t.TempDir(), AllowUnsafe: true, Migrate: true, BridgeURL: "nats://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	if err := a.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reasons := a.Ready(t.Context()); len(reasons) > 0 {
		t.Error(reasons)
	}
}
