// Package ledger opens one database: roles, migrations, safety checks, a pool per role, and the one transaction in which
// a tenant's rows are read. It knows no table but the log's schema.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// Role is a database role that a pool's connections take on. The names are those of the cluster.
type Role string

// The roles. None can log in: the one login is a member of all.
const (
	Owner   Role = "chancery_owner"   // owns the tables: migrations and rebuilds
	Append  Role = "chancery_append"  // reads and extends the log
	Project Role = "chancery_project" // reads the log, writes the projections
	Query   Role = "chancery_query"   // reads the rows of one tenant
)

func roles() []Role { return []Role{Owner, Append, Project, Query} }

// Config says which database and how. Zero values are documented with the field.
type Config struct {
	URL     string
	Migrate bool // bring the schema up to date first
	// AllowUnsafe admits fsync, full_page_writes or synchronous_commit off. For tests.
	AllowUnsafe bool
	// Name appears in pg_stat_activity, followed by the role. Default "chancery".
	Name string
	// Conns bounds the pool of a role. Defaults: owner 2, append 6, project 8, query 16.
	Conns map[Role]int32
	// StatementTimeout and LockTimeout bound statements of all roles but the owner's. Defaults 30 s and 10 s.
	StatementTimeout, LockTimeout time.Duration
}

// Ledger is an open database. Its methods may be called concurrently.
type Ledger struct {
	pools map[Role]*pgxpool.Pool // never changed after Open
}

// Open prepares the roles, migrates if told to, refuses what is unsafe (*Unsafe) and connects.
func Open(ctx context.Context, c Config) (*Ledger, error) {
	if c.Migrate {
		if err := Migrate(ctx, c.URL); err != nil {
			return nil, err
		}
	}
	l := &Ledger{pools: map[Role]*pgxpool.Pool{}}
	for _, r := range roles() {
		pool, err := c.pool(ctx, r)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("ledger: pool of %s: %w", r, err)
		}
		l.pools[r] = pool
	}
	if err := l.check(ctx, c.AllowUnsafe); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close closes all pools and waits for their connections to come back.
func (l *Ledger) Close() {
	for _, p := range l.pools {
		p.Close()
	}
}

// Pool returns the pool whose connections act as a role, with search_path core.
func (l *Ledger) Pool(r Role) *pgxpool.Pool { return l.pools[r] }

// Query runs fn in a read-only transaction that sees the rows of one tenant, all of one snapshot.
func (l *Ledger) Query(ctx context.Context, tenant uuid.UUID, fn func(pgx.Tx) error) error {
	return l.QueryIn(ctx, "core", tenant, fn)
}

// QueryIn is Query over the tables of another schema, as replay leaves them; what is missing there is not looked up in core.
func (l *Ledger) QueryIn(ctx context.Context, schema string, tenant uuid.UUID, fn func(pgx.Tx) error) error {
	// One simple-protocol message: BEGIN and both settings cost one round trip. A UUID's text needs no quoting.
	begin := "BEGIN READ ONLY, ISOLATION LEVEL REPEATABLE READ; SET LOCAL app.tenant_id = '" + tenant.String() + "'"
	if schema != "core" {
		begin += "; SET LOCAL search_path = " + pgx.Identifier{schema}.Sanitize()
	}
	conn, err := l.pools[Query].Acquire(ctx)
	if err != nil {
		return fmt.Errorf("ledger: acquire: %w", err)
	}
	defer conn.Release()
	return pgx.BeginTxFunc(ctx, conn.Conn(), pgx.TxOptions{BeginQuery: begin}, fn)
}

func (c Config) pool(ctx context.Context, r Role) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = or(c.Conns[r], map[Role]int32{Owner: 2, Append: 6, Project: 8, Query: 16}[r])
	name := or(c.Name, "chancery") + " " + string(r)
	statement := or(c.StatementTimeout, 30*time.Second)
	if r == Owner {
		statement = 0
	}
	settings := [][2]string{
		{"application_name", name},
		{"search_path", "core"},
		{"statement_timeout", millis(statement)},
		{"lock_timeout", millis(or(c.LockTimeout, 10*time.Second))},
		{"idle_in_transaction_session_timeout", millis(time.Minute)},
		{"default_transaction_isolation", "read committed"},
		{"role", string(r)},
	}
	if r == Project {
		// Rows and checkpoint commit together; what a crash of PostgreSQL takes of both is applied again from the log.
		settings = append(settings, [2]string{"synchronous_commit", "off"})
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap())
		return apply(ctx, conn.PgConn(), settings)
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

// apply sets session settings in one round trip. The values are ours: names and numbers.
func apply(ctx context.Context, conn *pgconn.PgConn, settings [][2]string) error {
	calls := make([]string, len(settings))
	for i, s := range settings {
		v, err := conn.EscapeString(s[1])
		if err != nil {
			return err
		}
		calls[i] = "set_config('" + s[0] + "', '" + v + "', false)"
	}
	if _, err := conn.Exec(ctx, "SELECT "+strings.Join(calls, ", ")).ReadAll(); err != nil {
		return fmt.Errorf("set up session: %w", explain(err))
	}
	return nil
}

// explain puts the way out beside PostgreSQL's answer to a SET ROLE that is not allowed.
func explain(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "22023" || pg.Code == "42501" || pg.Code == "42704") {
		return fmt.Errorf("%w (has `chancery migrate` run with this login?)", err)
	}
	return err
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
