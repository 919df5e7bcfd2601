package replay

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/ledger"
)

func (w *world) past(cfg PastConfig) *Past {
	w.t.Helper()
	cfg.Owner, cfg.Project, cfg.Decode, cfg.Projections = w.Pool(ledger.Owner), w.Pool(ledger.Project), decode, toys(projector{})
	cfg.Log = slog.New(slog.DiscardHandler)
	p, err := OpenPast(context.Background(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.Close)
	return p
}

// names are the things a tenant sees in a view.
func (w *world) names(tenant uuid.UUID, v View) (out []string) {
	w.t.Helper()
	err := w.QueryIn(w.t.Context(), v.Schema, tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(w.t.Context(), `SELECT name FROM things ORDER BY name`)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) ask(p *Past, q Question) View {
	w.t.Helper()
	v, err := p.AsOf(w.t.Context(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(v.Release)
	return v
}

func (w *world) schemas() []string {
	w.t.Helper()
	return w.texts(`SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'asof%' ORDER BY 1`)
}

func year(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }

func made(tenant uuid.UUID, y int, name string) entryOf {
	return entryOf{tenant, year(y), toy{Do: "make", ID: uuid.NewSHA1(uuid.Nil, []byte(name)), Name: name, Tags: []string{"t"}, Doc: []byte("{}")}}
}

// story: the platform began in 2026; acme's history was imported, and goes on.
func (w *world) story() {
	w.append(
		made(rootTenant, 2026, "root-1"), // 1
		made(acme, 2018, "a-2018"),       // 2
		made(other, 2018, "o-2018"),      // 3
		made(acme, 2020, "a-2020"),       // 4
		made(rootTenant, 2027, "root-2"), // 5
		made(acme, 2028, "a-2028"),       // 6
		made(rootTenant, 2029, "root-3"), // 7
		entryOf{acme, year(2030), toy{Do: "rename", ID: uuid.NewSHA1(uuid.Nil, []byte("a-2018")), Name: "a-renamed"}}, // 8
	)
}

func TestThePastIsShownAsItStood(t *testing.T) {
	w := newWorld(t)
	w.story()
	p := w.past(PastConfig{Schemas: 20})
	root := []uuid.UUID{rootTenant}
	for _, c := range []struct {
		q    Question
		want []string
		at   int64
	}{
		{Question{Tenant: acme, Shared: root, Position: 0}, nil, 0},
		{Question{Tenant: acme, Shared: root, Position: 2}, []string{"a-2018", "root-1"}, 2},
		{Question{Tenant: acme, Position: 2}, []string{"a-2018"}, 2},
		{Question{Tenant: acme, Shared: root, Position: 7}, []string{"a-2018", "a-2020", "a-2028", "root-1", "root-2", "root-3"}, 7},
		{Question{Tenant: acme, Shared: root, Position: 8}, []string{"a-2020", "a-2028", "a-renamed", "root-1", "root-2", "root-3"}, 8},
		{Question{Tenant: other, Shared: root, Position: 8}, []string{"o-2018", "root-1", "root-2", "root-3"}, 8},
		{Question{Tenant: acme, Shared: root, At: year(2017)}, nil, 0},
		{Question{Tenant: acme, Shared: root, At: year(2019)}, []string{"a-2018", "root-1"}, 2},
		{Question{Tenant: acme, Shared: root, At: year(2020)}, []string{"a-2018", "a-2020", "root-1"}, 4},
		{Question{Tenant: acme, Shared: root, At: year(2027)}, []string{"a-2018", "a-2020", "root-1", "root-2"}, 5},
		{Question{Tenant: acme, Shared: root, At: year(2028)}, []string{"a-2018", "a-2020", "a-2028", "root-1", "root-2"}, 6},
		{Question{Tenant: acme, Shared: root, At: year(2099)}, []string{"a-2020", "a-2028", "a-renamed", "root-1", "root-2", "root-3"}, 8},
		{Question{Tenant: rootTenant, Shared: root, At: year(2028)}, []string{"root-1", "root-2"}, 5},
	} {
		v := w.ask(p, c.q)
		if diff := cmp.Diff(c.want, w.names(c.q.Tenant, v), cmpopts.EquateEmpty()); diff != "" || v.Position != c.at {
			t.Errorf("%+v at %d, want %d:\n%s", c.q, v.Position, c.at, diff)
		}
		if foreign := w.names(uuid.New(), v); slices.ContainsFunc(foreign, func(s string) bool { return s[0] == 'a' }) {
			t.Errorf("another tenant sees %v", foreign)
		}
		v.Release()
	}
	if _, err := p.AsOf(t.Context(), Question{Tenant: acme, Position: 9}); !errors.Is(err, ErrAhead) {
		t.Errorf("beyond the log: %v", err)
	}
}

func TestTheSamePastIsBuiltOnceAndShared(t *testing.T) {
	w := newWorld(t)
	w.story()
	p := w.past(PastConfig{})
	var wait sync.WaitGroup
	got := make([]View, 30)
	for i := range got {
		q := Question{Tenant: acme, Position: int64(4 + i%2)} // event 5 is not acme's: nothing changes
		wait.Go(func() {
			v, err := p.AsOf(context.Background(), q)
			if err != nil {
				t.Error(err)
			}
			got[i] = v
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	if s := w.schemas(); len(s) != 1 || got[0].Schema != s[0] || got[29].Schema != s[0] {
		t.Errorf("schemas %v, answers %s and %s", s, got[0].Schema, got[29].Schema)
	}
	for _, v := range got {
		v.Release()
		v.Release()
	}
	p.Close()
	if s := w.schemas(); len(s) != 0 {
		t.Errorf("left behind: %v", s)
	}
}

func TestAPastInUseIsNeverDropped(t *testing.T) {
	w := newWorld(t)
	w.story()
	var mu sync.Mutex
	now := year(2030)
	p := w.past(PastConfig{Schemas: 2, Keep: time.Minute, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	later := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	at := func(position int64) Question { return Question{Tenant: acme, Position: position} }

	first, second := w.ask(p, at(2)), w.ask(p, at(4))
	later(time.Hour)
	p.Sweep(t.Context())
	if _, err := p.AsOf(t.Context(), at(6)); !errors.Is(err, ErrFull) {
		t.Fatalf("with both in use: %v", err)
	}
	if n := w.names(acme, first); len(n) != 1 {
		t.Errorf("first shows %v", n)
	}
	second.Release()
	third := w.ask(p, at(6)) // takes the place of the second
	if s := w.schemas(); len(s) != 2 || slices.Contains(s, second.Schema) || !slices.Contains(s, first.Schema) {
		t.Errorf("schemas %v", s)
	}
	first.Release()
	later(30 * time.Second)
	p.Sweep(t.Context())
	if s := w.schemas(); len(s) != 2 {
		t.Errorf("dropped too early: %v", s)
	}
	later(31 * time.Second)
	p.Sweep(t.Context())
	if s := w.schemas(); len(s) != 1 || s[0] != third.Schema {
		t.Errorf("schemas %v", s)
	}
	again := w.ask(p, at(2))
	if n := w.names(acme, again); len(n) != 1 {
		t.Errorf("built again it shows %v", n)
	}
}

func TestWhatDeadProcessesLeftIsDroppedAndWhatLivingOnesUseIsNot(t *testing.T) {
	w := newWorld(t)
	w.story()
	dead, living := w.past(PastConfig{}), w.past(PastConfig{})
	lost, kept := w.ask(dead, Question{Tenant: acme, Position: 2}), w.ask(living, Question{Tenant: acme, Position: 4})
	login, err := pgx.Connect(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer login.Close(context.Background())
	var killed bool
	if err := login.QueryRow(t.Context(), `SELECT pg_terminate_backend($1, 10000)`, int64(dead.session.conn.PgConn().PID())).Scan(&killed); err != nil || !killed {
		t.Fatal(killed, err)
	}
	w.past(PastConfig{})
	if s := w.schemas(); !slices.Equal(s, []string{kept.Schema}) {
		t.Errorf("schemas %v, want %s without %s", s, kept.Schema, lost.Schema)
	}
	anew := w.ask(dead, Question{Tenant: acme, Position: 2}) // it notices, and begins under another name
	if n := w.names(acme, anew); len(n) != 1 || anew.Schema == lost.Schema {
		t.Errorf("%s shows %v", anew.Schema, n)
	}
}

func TestAPastThatCannotBeBuiltSaysWhyAndIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.story()
	p := w.past(PastConfig{})
	p.cfg.Projections = toys(projector{bad: 4})
	for range 2 {
		if _, err := p.AsOf(t.Context(), Question{Tenant: acme, Position: 4}); err == nil || errors.Is(err, ErrFull) {
			t.Errorf("got %v", err)
		}
	}
	p.cfg.Projections = toys(projector{})
	if v := w.ask(p, Question{Tenant: acme, Position: 4}); len(w.names(acme, v)) != 2 {
		t.Error("not built")
	}
}

func TestRebuildingIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	w := newWorld(t)
	const events = 200000
	w.exec(`INSERT INTO core.events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT p, gen_random_uuid(), $1, p, 'toy', CASE WHEN p % 2 = 1 THEN
			format('{"do":"make","id":"%s","name":"thing %s","size":3,"tags":["a","b"],"doc":{"p":%s,"text":"some words"}}', md5(p::text)::uuid, p, p)
			ELSE format('{"do":"rename","id":"%s","name":"renamed %s"}', md5((p - 1)::text)::uuid, p) END::json,
			'{"actor":"00000000-0000-0000-0000-0000000000aa","correlation":"something"}', '{thing:1}', gen_random_uuid(), now(), now()
		FROM generate_series(1, $2::bigint) p`, acme, events)
	w.head, w.seqs[acme] = events, events
	r := w.replay(projector{})
	started := time.Now()
	got, err := r.Rebuild(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(started)
	t.Logf("rebuild: %d events, %d rows, %v: %.0f events/s; %+v", got.Events, got.Rows, took.Round(time.Millisecond), events/took.Seconds(), got)
	t.Logf("fold alone: %.0f events/s; COPY alone: %.0f rows/s", events/got.Fold.Seconds(), float64(got.Rows)/got.Copy.Seconds())
	started = time.Now()
	w.wantVerified(r)
	t.Logf("verify: %v: %.0f events/s", time.Since(started).Round(time.Millisecond), events/time.Since(started).Seconds())
	started = time.Now()
	v := w.ask(w.past(PastConfig{}), Question{Tenant: acme, Position: events / 10})
	t.Logf("as of event %d: %v", v.Position, time.Since(started).Round(time.Millisecond))
}
