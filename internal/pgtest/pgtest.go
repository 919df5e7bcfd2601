// Package pgtest gives tests databases on a real PostgreSQL; it is never part of the program.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"chancery/internal/postgres"
)

// process is the one PostgreSQL of this test binary. It is the only variable of its kind in the module: a test binary
// has one TestMain, and passing its server to every test by hand would say nothing more.
var process shared

// shared is a server with a migrated template. mu guards everything: databases are made and dropped one at a time on
// one connection, which PostgreSQL would make of it anyway.
type shared struct {
	mu      sync.Mutex
	migrate func(ctx context.Context, url string) error // nil: TestMain did not call Main
	tried   bool
	failed  error // of the only try to start
	server  *postgres.Server
	admin   *pgx.Conn
	url     string // of the admin's database; the others differ in the name
	prefix  string // of all names that we make
	made    int
}

// Main runs the tests of a package whose tests call URL:
//
//	func TestMain(m *testing.M) { pgtest.Main(m, ledger.Migrate) }
//
// migrate prepares the one template and MUST have closed its connections when it returns; nil leaves the template
// empty. PostgreSQL starts at the first URL and is stopped when the tests have run, also by Ctrl-C. A panic or a kill
// cannot be answered here: the kernel then stops PostgreSQL, and the next test run removes its folder.
//
// With CHANCERY_TEST_PG (a URL; the login needs CREATEDB and CREATEROLE) that server is used and none is started.
func Main(m *testing.M, migrate func(ctx context.Context, url string) error) {
	if migrate == nil {
		migrate = func(context.Context, string) error { return nil }
	}
	process.migrate = migrate
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		process.stop()
		os.Exit(1)
	}()
	defer process.stop()
	defer signal.Stop(interrupted)
	m.Run() // the testing package exits with its result after TestMain returns
}

// URL is a fresh database, a clone of the migrated template, that the ordinary login owns. It is dropped, whoever is
// still connected, when the test ends. The test fails if PostgreSQL can neither be found nor installed.
func URL(t testing.TB) string {
	t.Helper()
	name, u, err := process.clone(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.drop(context.Background(), name); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
	return u
}

// Durable is a server of the test's own with every durable setting on, for benchmarks and for tests that kill things.
// Its database postgres.Login is empty. It is stopped when the test ends; stopping or killing it before is fine.
func Durable(t testing.TB) *postgres.Server {
	t.Helper()
	s, err := postgres.Start(context.Background(), postgres.Config{Data: t.TempDir(), Logger: logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func logger() *slog.Logger { return slog.New(slog.NewTextHandler(os.Stderr, nil)) }

func (p *shared) clone(ctx context.Context) (name, u string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.tried {
		p.tried = true
		p.failed = p.start(ctx)
	}
	if p.failed != nil {
		return "", "", p.failed
	}
	p.made++
	name = fmt.Sprintf("%s_%d", p.prefix, p.made)
	// file_copy: measured 12 ms against 95 to 140 ms for wal_log; without fsync its checkpoints cost nothing.
	if _, err := p.admin.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY file_copy", name, p.template())); err != nil {
		return "", "", fmt.Errorf("clone the template: %w", err)
	}
	u, err = p.urlOf(name)
	return name, u, err
}

func (p *shared) drop(ctx context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.admin == nil {
		return nil // stopped already, and everything with it
	}
	_, err := p.admin.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name))
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "42501" {
		// An autovacuum worker is at it, whom FORCE may not end; DROP without it ends and awaits such.
		_, err = p.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name)
	}
	return err
}

func (p *shared) template() string { return p.prefix + "_template" }

// start connects to a server and makes the template. mu is held.
func (p *shared) start(ctx context.Context) error {
	if p.migrate == nil {
		return errors.New("pgtest: TestMain of this package must call pgtest.Main")
	}
	if p.url = os.Getenv("CHANCERY_TEST_PG"); p.url == "" {
		s, err := postgres.Start(ctx, postgres.Config{Throwaway: true, Logger: logger()})
		if err != nil {
			return err
		}
		p.server, p.url = s, s.URL(postgres.Login)
	}
	var err error
	if p.admin, err = pgx.Connect(ctx, p.url); err != nil {
		return fmt.Errorf("connect to the test server: %w", err)
	}
	p.prefix = fmt.Sprintf("chancery_test_%d", os.Getpid())
	return p.makeTemplate(ctx)
}

// makeTemplate migrates, one test process at a time: roles belong to a whole server.
func (p *shared) makeTemplate(ctx context.Context) error {
	const lock, unlock = "SELECT pg_advisory_lock(7341)", "SELECT pg_advisory_unlock(7341)"
	if _, err := p.admin.Exec(ctx, lock); err != nil {
		return fmt.Errorf("lock the test server: %w", err)
	}
	for _, sql := range []string{"DROP DATABASE IF EXISTS ", "CREATE DATABASE "} {
		if _, err := p.admin.Exec(ctx, sql+p.template()); err != nil {
			return fmt.Errorf("make the template: %w", err)
		}
	}
	u, err := p.urlOf(p.template())
	if err != nil {
		return err
	}
	if err := p.migrate(ctx, u); err != nil {
		return fmt.Errorf("migrate the template: %w", err)
	}
	if _, err := p.admin.Exec(ctx, unlock); err != nil {
		return fmt.Errorf("unlock the test server: %w", err)
	}
	return nil
}

func (p *shared) urlOf(database string) (string, error) {
	u, err := url.Parse(p.url)
	if err != nil {
		return "", fmt.Errorf("CHANCERY_TEST_PG is no URL: %w", err)
	}
	u.Path = "/" + database
	return u.String(), nil
}

// stop leaves nothing running, and on a borrowed server no template.
func (p *shared) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx := context.Background()
	if p.admin != nil {
		if p.server == nil {
			_, _ = p.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+p.template())
		}
		_ = p.admin.Close(ctx)
		p.admin = nil
	}
	if p.server != nil {
		if err := p.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
		}
		p.server = nil
	}
	p.failed = errors.Join(p.failed, errors.New("pgtest: stopped"))
}
