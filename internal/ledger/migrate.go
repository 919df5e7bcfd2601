package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	migrations "chancery/sql"
)

// Migrate creates the roles if they are missing and brings the schema up to date. Several processes may call it at once:
// one migrates, the others wait. The login needs CREATEROLE (the first time in a cluster) and must own the database.
func Migrate(ctx context.Context, url string) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("ledger: database URL: %w", err)
	}
	if err := prepare(ctx, cfg); err != nil {
		return fmt.Errorf("ledger: prepare roles: %w", err)
	}
	db := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		return apply(ctx, c.PgConn(), [][2]string{
			{"application_name", "chancery migrate"}, {"role", string(Owner)}, {"search_path", "core"},
			{"lock_timeout", millis(30 * time.Second)},
		})
	}))
	defer db.Close()
	if err := migrate(ctx, db); err != nil {
		return fmt.Errorf("ledger: migrate: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations.Migrations, "migrations")
	if err != nil {
		return err
	}
	oneAtATime, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName("core.goose_db_version"), goose.WithSessionLocker(oneAtATime), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// prepare makes the roles exist, the login a member of each, and the schema the owner's. Roles belong to the whole cluster,
// so that other databases' migrations may be doing the same: whoever loses a race looks again.
func prepare(ctx context.Context, cfg *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for attempt := 1; ; attempt++ {
		err := prepareOnce(ctx, conn)
		var pg *pgconn.PgError
		raced := errors.As(err, &pg) && (pg.Code == "42710" || pg.Code == "23505" || pg.Code == "XX000" || pg.Code == "42P06")
		if !raced || attempt == 20 {
			return err
		}
	}
}

func prepareOnce(ctx context.Context, conn *pgx.Conn) error {
	var version int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	usable, with := "MEMBER", ""
	if version >= 160000 {
		usable, with = "SET", " WITH INHERIT FALSE, SET TRUE"
	}
	for _, r := range roles() {
		var exists, member bool
		err := conn.QueryRow(ctx, `SELECT count(*) > 0, coalesce(bool_or(pg_has_role(session_user, oid, $2)), false)
			FROM pg_catalog.pg_roles WHERE rolname = $1`, string(r), usable).Scan(&exists, &member)
		if err != nil {
			return err
		}
		if !exists {
			if _, err := conn.Exec(ctx, "CREATE ROLE "+string(r)+" NOLOGIN"); err != nil {
				return fmt.Errorf("create %s (the login needs CREATEROLE): %w", r, err)
			}
			member = false
		}
		if !member {
			if _, err := conn.Exec(ctx, "GRANT "+string(r)+" TO CURRENT_USER"+with); err != nil {
				return fmt.Errorf("become a member of %s: %w", r, err)
			}
		}
	}
	var may, schema bool
	var name string
	err := conn.QueryRow(ctx, `SELECT current_database(), has_database_privilege($1, current_database(), 'CREATE'),
		EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'core')`, string(Owner)).Scan(&name, &may, &schema)
	if err != nil {
		return err
	}
	if !may {
		if _, err := conn.Exec(ctx, "GRANT CREATE, CONNECT ON DATABASE "+pgx.Identifier{name}.Sanitize()+" TO "+string(Owner)); err != nil {
			return fmt.Errorf("let %s create in the database (the login must own it): %w", Owner, err)
		}
	}
	if !schema {
		// goose keeps its table in core, so that the schema precedes the first migration.
		if _, err := conn.Exec(ctx, "SET ROLE "+string(Owner)+"; CREATE SCHEMA IF NOT EXISTS core; RESET ROLE"); err != nil {
			return fmt.Errorf("create schema core: %w", err)
		}
	}
	return nil
}
