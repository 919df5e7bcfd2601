package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, migrate) }

// migrate adds a table without a key, so that a doubled write is seen.
func migrate(ctx context.Context, url string) error {
	if err := ledger.Migrate(ctx, url); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `SET ROLE chancery_owner;
		CREATE TABLE core.toys (projector text NOT NULL, position bigint NOT NULL, node text NOT NULL, serial bigserial,
			CONSTRAINT toys_no_forbidden CHECK (node <> 'forbidden'));
		GRANT SELECT, INSERT ON core.toys TO chancery_project; GRANT USAGE ON SEQUENCE core.toys_serial_seq TO chancery_project`)
	return err
}

// world is one database with a log in it.
type world struct {
	t   *testing.T
	url string
	*ledger.Ledger
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, url: pgtest.URL(t)}
	w.Ledger = w.node("test")
	return w
}

// node connects as another process would.
func (w *world) node(name string) *ledger.Ledger {
	l, err := ledger.Open(context.Background(), ledger.Config{URL: w.url, AllowUnsafe: true, Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(l.Close)
	return l
}

const insertEvents = `INSERT INTO core.events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
	SELECT p, gen_random_uuid(), '00000000-0000-0000-0000-000000000001', p, $3, '{}', '{}', '{}', gen_random_uuid(), now(), now()
	FROM generate_series($1::bigint, $2::bigint) p`

// login connects as the ordinary login, which may end connections and see what they do.
func (w *world) login() *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

func (w *world) append(first, last int64, kind string) {
	w.t.Helper()
	w.exec(insertEvents, first, last, kind)
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.Pool(ledger.Owner).Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) number(sql string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.Pool(ledger.Owner).QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) texts(sql string) []string {
	w.t.Helper()
	rows, err := w.Pool(ledger.Owner).Query(w.t.Context(), sql)
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) offset(projector string) int64 {
	w.t.Helper()
	return w.number(`SELECT coalesce(max(position), 0) FROM core.projection_offsets WHERE projection = $1`, projector)
}

// wantRows expects one row for each position up to last, written in that order.
func (w *world) wantRows(projector string, last int64) {
	w.t.Helper()
	rows := w.number(`SELECT count(*) FROM core.toys WHERE projector = $1`, projector)
	distinct := w.number(`SELECT count(DISTINCT position) FROM core.toys WHERE projector = $1 AND position <= $2`, projector, last)
	disorder := w.number(`SELECT count(*) FROM (SELECT position < lag(position) OVER (ORDER BY serial) AS back FROM core.toys WHERE projector = $1) x WHERE back`, projector)
	if rows != last || distinct != last || disorder != 0 {
		w.t.Errorf("%s: %d rows for %d events up to %d, %d out of order", projector, rows, distinct, last, disorder)
	}
}

type happened struct{}

func (happened) EventType() string { return "toy.happened" }

func decode(raw eventlog.Raw) (dcb.Recorded, error) {
	switch raw.Type {
	case "toy.happened":
		return dcb.Recorded{Meta: dcb.Meta{Position: raw.Position, ID: raw.ID}, Event: happened{}}, nil
	case "toy.panics":
		panic("cannot decode")
	default:
		return dcb.Recorded{}, fmt.Errorf("unknown type %q", raw.Type)
	}
}

// toy writes a row for each event, and does before that what the test wants.
type toy struct {
	name, node string
	entered    func()
	mu         sync.Mutex
	before     func(dcb.Recorded) error
}

func (p *toy) Name() string { return p.name }

func (p *toy) Apply(ctx context.Context, db DBTX, page []dcb.Recorded) error {
	if p.entered != nil {
		p.entered()
	}
	p.mu.Lock()
	before := p.before
	p.mu.Unlock()
	for _, e := range page {
		node := p.node
		err := error(nil)
		if before != nil {
			err = before(e)
		}
		if errors.Is(err, errForbidden) {
			err, node = nil, "forbidden"
		}
		if _, err := db.Exec(ctx, `INSERT INTO toys (projector, position, node) VALUES ($1, $2, $3)`, p.name, e.Position, node); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *toy) Types() []string { return []string{"toy.happened"} }

func (p *toy) React(ctx context.Context, db DBTX, e dcb.Recorded) error {
	return p.Apply(ctx, db, []dcb.Recorded{e})
}

func (p *toy) repair() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = nil
}

var errForbidden = errors.New("to be refused by PostgreSQL")

// logged collects what is said at level error.
type logged struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// start runs a feed until the test ends. Its reactions have begun.
func start(t *testing.T, l *ledger.Ledger, cfg Config) *Feed {
	t.Helper()
	f := made(t, l, cfg)
	run(t, f)
	return f
}

// made is a feed whose reactions have begun.
func made(t *testing.T, l *ledger.Ledger, cfg Config) *Feed {
	t.Helper()
	cfg.Pool, cfg.RetryMin, cfg.RetryMax = l.Pool(ledger.Project), time.Millisecond, 5*time.Millisecond
	if cfg.Decode == nil {
		cfg.Decode = decode
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func run(t *testing.T, f *Feed) {
	t.Helper()
	ran := make(chan error, 1)
	go func() { ran <- f.Run(context.Background()) }()
	t.Cleanup(func() {
		f.Close()
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func reach(t *testing.T, f *Feed, projector string, position int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := f.Wait(ctx, projector, position); err != nil {
		t.Fatalf("%v; status %+v", err, f.Status())
	}
}

func wantStuck(t *testing.T, f *Feed, projector string, position int64) *Stuck {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := f.Wait(ctx, projector, position)
	stuck := new(Stuck)
	if !errors.As(err, &stuck) || stuck.Position != position {
		t.Fatalf("want stuck before %d, got %v; status %+v", position, err, f.Status())
	}
	return stuck
}
