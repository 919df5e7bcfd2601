package eventlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"chancery/internal/eventlog"
	"chancery/internal/eventlog/logtest"
	"chancery/internal/pgtest"
)

// recorder keeps what OnAppend receives.
type recorder struct {
	mu     sync.Mutex
	events []eventlog.Raw
}

func (r *recorder) add(events []eventlog.Raw) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, events...)
}

func (r *recorder) compare(t *testing.T, p *eventlog.PG, want int) {
	t.Helper()
	page, err := p.Page(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(page) != want {
		t.Errorf("%d events stored, want %d", len(page), want)
	}
	if diff := cmp.Diff(page, r.events); diff != "" {
		t.Errorf("passed on otherwise than stored: %s", diff)
	}
	if err := p.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestKillingConnectionsUnderLoadLosesAndDoublesNothing(t *testing.T) {
	database := pgtest.URL(t)
	var passed recorder
	p := openAt(t, database, eventlog.Config{OnAppend: passed.add})
	const writers, each = 12, 60
	var acknowledged, kills atomic.Int64
	wounds := make(chan struct{}, writers*each)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				r := logtest.Request(logtest.Event("a", fmt.Sprint("w:", w)), logtest.Event("b"))
				r = provided(r, 0, eventlog.Item{Types: []string{"a"}, Tags: []string{fmt.Sprint("w:", w), fmt.Sprint("never:", n)}})
				v, err := p.Append(t.Context(), r)
				if err != nil || v.Status != eventlog.Accepted {
					t.Errorf("%+v, %v", v, err)
					return
				}
				if acknowledged.Add(1)%40 == 0 {
					wounds <- struct{}{}
				}
			}
		})
	}
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		conn, err := pgx.Connect(t.Context(), database)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(t.Context())
		for range wounds {
			var n int64
			err := conn.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name LIKE '%append'`).Scan(&n)
			if err != nil {
				t.Error(err)
			}
			kills.Add(n)
		}
	}()
	wg.Wait()
	close(wounds)
	<-killed
	t.Logf("%d connections killed", kills.Load())
	if kills.Load() < 5 {
		t.Error("too few to prove anything")
	}
	passed.compare(t, p, writers*each*2)
}

func TestAnAnswerLostAfterTheCommitIsFoundAgain(t *testing.T) {
	line := cutLine(t, pgtest.URL(t))
	var passed recorder
	var attempts atomic.Int64
	p := openAt(t, line.url, eventlog.Config{OnAppend: passed.add, OnBatch: func(b eventlog.BatchStats) { attempts.Add(int64(b.Attempts)) }})
	parts := func() eventlog.Request {
		r := logtest.Request(logtest.Event("a", "x"), logtest.Event("b"), logtest.Event("c"))
		r.Parts = []eventlog.Part{{ID: uuid.New()}, {ID: uuid.New(), Events: 2}, {ID: uuid.New(), Events: 1}}
		return r
	}
	if _, err := p.Append(t.Context(), parts()); err != nil { // connects
		t.Fatal(err)
	}
	line.cut.Store(true)
	again := parts()
	v, err := p.Append(t.Context(), again)
	if err != nil || v.Status != eventlog.Accepted || v.First != 4 || v.Last != 6 {
		t.Errorf("%+v, %v", v, err)
	}
	if attempts.Load() != 3 {
		t.Errorf("%d attempts: the answer was not lost", attempts.Load())
	}
	// The caller's own repetition stays a duplicate, even when its answer is lost too.
	line.cut.Store(true)
	if v, err := p.Append(t.Context(), again); err != nil || v.Status != eventlog.Duplicate || v.Part != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	passed.compare(t, p, 6)
}

// line forwards connections to PostgreSQL. When cut is set, the next answer to an appender is swallowed and its connection
// broken.
type line struct {
	url string
	cut atomic.Bool
}

func cutLine(t *testing.T, database string) *line {
	t.Helper()
	cfg, err := pgx.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	u := url.URL{Scheme: "postgres", User: url.UserPassword(cfg.User, cfg.Password), Host: listener.Addr().String(), Path: "/" + cfg.Database, RawQuery: "sslmode=disable"}
	l := &line{url: u.String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				t.Error(err)
				return
			}
			var appends atomic.Bool
			go forward(server, client, func(b []byte) bool {
				appends.CompareAndSwap(false, bytes.Contains(b, []byte("core.append_batch")))
				return true
			})
			go forward(client, server, func([]byte) bool { return !appends.Load() || !l.cut.CompareAndSwap(true, false) })
		}
	}()
	return l
}

// forward copies until either side ends or goOn forbids it, and closes the receiving side.
func forward(to, from net.Conn, goOn func([]byte) bool) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || !goOn(buf[:n]) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func TestAHoleIsFoundAndNeverSkipped(t *testing.T) {
	database := pgtest.URL(t)
	p := openAt(t, database, eventlog.Config{})
	for range 3 {
		if _, err := p.Append(t.Context(), logtest.Request(logtest.Event("a", "x"))); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `SET ROLE chancery_owner; ALTER TABLE core.events DISABLE TRIGGER USER; DELETE FROM core.events WHERE position = 2`)
	if err != nil {
		t.Fatal(err)
	}
	other := openAt(t, database, eventlog.Config{}) // without a cache
	wantHole(t, "page", func() error { _, err := other.Page(t.Context(), 0, 10); return err })
	wantHole(t, "page after 1", func() error { _, err := other.Page(t.Context(), 1, 10); return err })
	wantHole(t, "own", func() error { _, _, err := other.Own(t.Context(), 0, 10); return err })
	wantHole(t, "own after 1", func() error { _, _, err := other.Own(t.Context(), 1, 10); return err })
	wantHole(t, "read", func() error { _, _, err := other.Read(t.Context(), eventlog.Query{{Tags: []string{"x"}}}); return err })
	wantHole(t, "verify", func() error { return other.Verify(t.Context()) })
}

func wantHole(t *testing.T, what string, f func() error) {
	t.Helper()
	if err := f(); !errors.Is(err, eventlog.ErrHole) {
		t.Errorf("%s: %v", what, err)
	}
}
