package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/feed"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, migrate) }

const toyTables = `SET ROLE chancery_owner; SET search_path = core;
CREATE TABLE things (
	tenant_id uuid NOT NULL,
	id        uuid NOT NULL,
	name      text COLLATE "C" NOT NULL,
	size      integer NOT NULL CONSTRAINT things_size_positive CHECK (size >= 0),
	note      text,
	doc       jsonb NOT NULL,
	exact     json,
	tags      text[] NOT NULL,
	hash      bytea,
	alive     boolean NOT NULL,
	seen_at   timestamptz,
	version   bigint NOT NULL,
	label     text GENERATED ALWAYS AS (name || '!') STORED,
	CONSTRAINT things_pkey PRIMARY KEY (tenant_id, id),
	CONSTRAINT things_version_key UNIQUE (tenant_id, version)
) WITH (fillfactor = 70);
CREATE INDEX things_alive ON things (tenant_id, name) WHERE alive;
CREATE TABLE ties (
	tenant_id uuid NOT NULL,
	from_id   uuid NOT NULL,
	kind      text COLLATE "C" NOT NULL,
	n         smallint NOT NULL,
	CONSTRAINT ties_pkey PRIMARY KEY (tenant_id, from_id, kind, n),
	CONSTRAINT ties_from FOREIGN KEY (tenant_id, from_id) REFERENCES things (tenant_id, id)
);
CALL core.tenant_scoped('things', true);
CALL core.tenant_scoped('ties');
GRANT SELECT ON ties TO chancery_append`

func migrate(ctx context.Context, url string) error {
	if err := ledger.Migrate(ctx, url); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, toyTables)
	return err
}

// toy is the one event of these tests; Do says what happened.
type toy struct {
	Do   string          `json:"do"`
	ID   uuid.UUID       `json:"id"`
	Name string          `json:"name,omitempty"`
	Size int32           `json:"size,omitempty"`
	Note *string         `json:"note,omitempty"`
	Doc  json.RawMessage `json:"doc,omitempty"`
	Tags []string        `json:"tags,omitempty"`
	Kind string          `json:"kind,omitempty"`
	N    int16           `json:"n,omitempty"`
}

func (toy) EventType() string { return "toy" }

func decode(raw eventlog.Raw) (dcb.Recorded, error) {
	var e toy
	if err := json.Unmarshal(raw.Payload, &e); err != nil {
		return dcb.Recorded{}, err
	}
	return dcb.Recorded{Meta: dcb.Meta{Position: raw.Position, Tenant: raw.Tenant, At: raw.OccurredAt, RecordedAt: raw.CreatedAt}, Event: e}, nil
}

// The statements are what sqlc would make.
const (
	sqlMake = "-- name: MakeThing :exec\nINSERT INTO things (tenant_id, id, name, size, note, doc, exact, tags, hash, alive, seen_at, version)\n" +
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, true, $10, $11)\nON CONFLICT (tenant_id, id) DO NOTHING"
	sqlRename = "-- name: RenameThing :exec\nUPDATE things SET name = $1, seen_at = $2, version = $3\nWHERE tenant_id = $4 AND id = $5 AND version < $3"
	sqlNote   = "-- name: NoteThing :exec\nUPDATE things SET note = $1, alive = false, version = $2 WHERE tenant_id = $3 AND id = $4 AND version < $2"
	sqlLink   = "-- name: Link :exec\nINSERT INTO ties (tenant_id, from_id, kind, n) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, from_id, kind, n) DO NOTHING"
	sqlUnlink = "-- name: Unlink :exec\nDELETE FROM ties WHERE tenant_id = $1 AND from_id = $2 AND kind = $3 AND n = $4"
)

type projector struct{ bad int64 } // bad is a position that it chokes on

func (projector) Name() string { return "toys" }

func (p projector) Apply(ctx context.Context, db feed.DBTX, page []dcb.Recorded) error {
	for _, r := range page {
		if r.Position == p.bad {
			return fmt.Errorf("event %d does not agree with me", r.Position)
		}
		var err error
		switch e := r.Event.(toy); e.Do {
		case "make":
			_, err = db.Exec(ctx, sqlMake, r.Tenant, e.ID, e.Name, e.Size, e.Note, e.Doc, e.Doc, e.Tags, []byte(e.Name), r.At, r.Position)
		case "rename":
			_, err = db.Exec(ctx, sqlRename, e.Name, r.At, r.Position, r.Tenant, e.ID)
		case "note":
			_, err = db.Exec(ctx, sqlNote, e.Note, r.Position, r.Tenant, e.ID)
		case "link":
			_, err = db.Exec(ctx, sqlLink, r.Tenant, e.ID, e.Kind, e.N)
		case "unlink":
			_, err = db.Exec(ctx, sqlUnlink, r.Tenant, e.ID, e.Kind, e.N)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func toys(p projector) []Projection {
	return []Projection{{Projector: p, Tables: []string{"things", "ties"}}}
}

var (
	rootTenant = uuid.MustParse("00000000-0000-0000-0000-000000000001")
	acme       = uuid.MustParse("00000000-0000-0000-0000-0000000000aa")
	other      = uuid.MustParse("00000000-0000-0000-0000-0000000000bb")
)

// world is a database with a log that the test writes.
type world struct {
	t   testing.TB
	url string
	*ledger.Ledger
	log  *eventlog.PG
	head int64
	seqs map[uuid.UUID]int64
	ids  []uuid.UUID // of things made, all of acme
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, url: pgtest.URL(t), seqs: map[uuid.UUID]int64{}}
	l, err := ledger.Open(context.Background(), ledger.Config{URL: w.url, AllowUnsafe: true, Migrate: true}) // a cloned database lacks the grant to make schemas
	if err != nil {
		t.Fatal(err)
	}
	w.Ledger, w.log = l, eventlog.Open(l, eventlog.Config{})
	t.Cleanup(func() {
		_ = w.log.Close(context.Background())
		l.Close()
	})
	return w
}

func (w *world) replay(p projector) *Replay {
	r, err := New(Config{Owner: w.Pool(ledger.Owner), Project: w.Pool(ledger.Project), Source: w.log, Decode: decode, Projections: toys(p), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// feed runs the projector until the test ends.
func (w *world) feed(p projector) *feed.Feed {
	f, err := feed.New(feed.Config{Pool: w.Pool(ledger.Project), Decode: decode, Projectors: []feed.Projector{p},
		Log: slog.New(slog.DiscardHandler), Poll: 10 * time.Millisecond, RetryMin: time.Millisecond, RetryMax: 10 * time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- f.Run(context.Background()) }()
	w.t.Cleanup(func() {
		f.Close()
		if err := <-ran; err != nil {
			w.t.Errorf("feed: %v", err)
		}
	})
	return f
}

func (w *world) project() {
	w.t.Helper()
	f := w.feed(projector{})
	w.reach(f)
	f.Close()
}

func (w *world) reach(f *feed.Feed) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if err := f.Wait(ctx, "toys", w.head); err != nil {
		w.t.Fatalf("%v; %+v", err, f.Status())
	}
}

type entryOf struct {
	tenant uuid.UUID
	at     time.Time
	event  toy
}

// append writes to core.events as the log would, but faster, and with the times the test likes.
func (w *world) append(entries ...entryOf) {
	w.t.Helper()
	var rows [][]any
	for _, e := range entries {
		w.head++
		w.seqs[e.tenant]++
		payload, err := json.Marshal(e.event)
		if err != nil {
			w.t.Fatal(err)
		}
		rows = append(rows, []any{w.head, uuid.New(), e.tenant, w.seqs[e.tenant], "toy", payload, []byte("{}"), []string{}, uuid.New(), e.at, time.Now()})
	}
	insert := &pgx.Batch{}
	for _, r := range rows {
		insert.Queue(`INSERT INTO core.events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, r...)
	}
	if err := w.Pool(ledger.Owner).SendBatch(context.Background(), insert).Close(); err != nil {
		w.t.Fatal(err)
	}
}

// random appends n events of acme, a plausible history.
func (w *world) random(r *rand.Rand, n int) {
	w.t.Helper()
	at := time.Now()
	for n > 0 {
		var batch []entryOf
		for range min(n, 500) {
			batch = append(batch, entryOf{acme, at, w.event(r)})
			if e := batch[len(batch)-1].event; e.Do == "make" {
				w.ids = append(w.ids, e.ID)
			}
		}
		n -= len(batch)
		w.append(batch...)
	}
}

func (w *world) event(r *rand.Rand) toy {
	if len(w.ids) == 0 || r.IntN(4) == 0 {
		e := toy{Do: "make", ID: uuid.New(), Name: fmt.Sprint("thing ", r.IntN(1000)), Size: r.Int32N(9), Tags: []string{"a", strconv.Itoa(r.IntN(5))},
			Doc: json.RawMessage(fmt.Sprintf(`{"z":%d, "a":[1.0, "x"]}`, r.IntN(9)))}
		if r.IntN(2) == 0 {
			e.Note = &e.Name
		}
		return e
	}
	id := w.ids[r.IntN(len(w.ids))]
	switch r.IntN(5) {
	case 0:
		return toy{Do: "note", ID: id}
	case 1, 2:
		return toy{Do: "link", ID: id, Kind: []string{"a", "b"}[r.IntN(2)], N: int16(r.IntN(3))}
	case 3:
		return toy{Do: "unlink", ID: id, Kind: []string{"a", "b"}[r.IntN(2)], N: int16(r.IntN(3))}
	default:
		return toy{Do: "rename", ID: id, Name: fmt.Sprint("renamed ", r.IntN(1000))}
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.Pool(ledger.Owner).Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) texts(sql string) []string {
	w.t.Helper()
	rows, err := w.Pool(ledger.Owner).Query(context.Background(), sql)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) wantVerified(r *Replay) {
	w.t.Helper()
	v, err := r.Verify(context.Background(), 5)
	if err != nil {
		w.t.Fatal(err)
	}
	if v.Total != 0 || v.Rows == 0 {
		w.t.Fatalf("%d rows, %d differences, such as %v", v.Rows, v.Total, v.Differences)
	}
}

// seeded gives randomness that a failing test can repeat.
func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}
