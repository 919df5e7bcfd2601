package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"chancery/internal/ledger"
	"chancery/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, ledger.Migrate) }

func open(t *testing.T, url string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{URL: url, Migrate: true, AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func ours(n byte) uuid.UUID { return uuid.UUID{0: n} }

// fill puts one event of each of two tenants, a tag, a receipt and a key of each tenant into the log, as the role that may.
func fill(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	for n := byte(1); n <= 2; n++ {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO core.events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
			VALUES ($1, $2, $2, 1, 'a', '{}', '{}', '{x}', $2, now(), now())`, int64(n), ours(n))
		b.Queue(`INSERT INTO core.event_tags VALUES (1, 1, $1)`, int64(n))
		b.Queue(`INSERT INTO core.append_requests VALUES ($1, '', 1, 1, now())`, ours(n))
		b.Queue(`INSERT INTO core.subject_keys VALUES ($1, $1, 'key', now())`, ours(n))
		if err := l.Pool(ledger.Append).SendBatch(t.Context(), b).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMigratingTwiceAndAtOnceIsHarmless(t *testing.T) {
	url := pgtest.URL(t)
	conn := connect(t, url)
	if _, err := conn.Exec(t.Context(), "SET ROLE chancery_owner; DROP SCHEMA core CASCADE"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := ledger.Migrate(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var owner string
	if err := conn.QueryRow(t.Context(), "SELECT tableowner FROM pg_tables WHERE tablename = 'events'").Scan(&owner); err != nil || owner != "chancery_owner" {
		t.Errorf("owner %q, %v", owner, err)
	}
}

func TestRolesMadeInManyDatabasesAtOnceDoNotCollide(t *testing.T) {
	s := pgtest.Durable(t)
	admin := connect(t, s.URL("chancery"))
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := ledger.Migrate(t.Context(), s.URL(name)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestWhatIsUnsafeIsRefusedAllAtOnce(t *testing.T) {
	s := pgtest.Durable(t)
	l, err := ledger.Open(t.Context(), ledger.Config{URL: s.URL("chancery"), Migrate: true})
	if err != nil {
		t.Fatalf("a safe database is refused: %v", err)
	}
	l.Close()
	super := connect(t, s.SuperuserURL("chancery"))
	for _, sql := range []string{"ALTER SYSTEM SET full_page_writes = off", "ALTER ROLE chancery SET synchronous_commit = off",
		"ALTER ROLE chancery_query BYPASSRLS", "SELECT pg_reload_conf()"} {
		if _, err := super.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	wantReasons(t, s.URL("chancery"), false, "BYPASSRLS", "full_page_writes", "synchronous_commit")
	wantReasons(t, s.URL("chancery"), true, "BYPASSRLS")
	wantReasons(t, s.SuperuserURL("chancery"), true, "postgres is a superuser", "BYPASSRLS")
}

func wantReasons(t *testing.T, url string, allow bool, want ...string) {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{URL: url, AllowUnsafe: allow})
	if err == nil {
		l.Close()
	}
	var unsafe *ledger.Unsafe
	if !errors.As(err, &unsafe) || len(unsafe.Reasons) != len(want) {
		t.Fatalf("got %v, want reasons about %q", err, want)
	}
	for i, reason := range unsafe.Reasons {
		if !strings.Contains(reason, want[i]) {
			t.Errorf("reason %q does not speak of %s", reason, want[i])
		}
	}
}

func TestNoRoleMayChangeTheLog(t *testing.T) {
	l := open(t, pgtest.URL(t))
	fill(t, l)
	changes := map[string][]string{
		"core.events":          {"UPDATE core.events SET type = 'b'", "DELETE FROM core.events", "TRUNCATE core.events"},
		"core.event_tags":      {"UPDATE core.event_tags SET position = 3", "DELETE FROM core.event_tags", "TRUNCATE core.event_tags"},
		"core.append_requests": {"UPDATE core.append_requests SET fingerprint = 'x'", "DELETE FROM core.append_requests", "TRUNCATE core.append_requests"},
	}
	for _, role := range []ledger.Role{ledger.Owner, ledger.Append, ledger.Project, ledger.Query} {
		want := "42501" // no privilege
		if role == ledger.Owner {
			want = "23001" // the trigger
		}
		for table, statements := range changes {
			for _, sql := range statements {
				_, err := l.Pool(role).Exec(t.Context(), sql)
				var pg *pgconn.PgError
				if !errors.As(err, &pg) || pg.Code != want {
					t.Errorf("%s on %s: %s: %v", role, table, sql, err)
				}
			}
		}
	}
}

func TestEachRoleSeesAndWritesWhatItIsFor(t *testing.T) {
	l := open(t, pgtest.URL(t))
	fill(t, l)
	if _, err := l.Pool(ledger.Project).Exec(t.Context(), "INSERT INTO core.projection_offsets VALUES ('core', 1)"); err != nil {
		t.Error(err)
	}
	const denied = -1
	tables := []string{"events", "event_tags", "append_requests", "subject_keys", "projection_offsets"}
	for role, want := range map[ledger.Role][]int{
		ledger.Owner:   {2, 2, 2, 2, 1},
		ledger.Append:  {2, 2, 2, 2, denied},
		ledger.Project: {2, 2, denied, denied, 1},
		ledger.Query:   {0, 2, denied, 0, 1}, // without a tenant
	} {
		var got []int
		for _, table := range tables {
			n := denied
			if err := l.Pool(role).QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil && !strings.Contains(err.Error(), "permission denied") {
				t.Error(err)
			}
			got = append(got, n)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", role, diff)
		}
	}
	for _, sql := range []string{"INSERT INTO core.events SELECT * FROM core.events", "INSERT INTO core.event_tags VALUES (1, 2, 3)"} {
		for _, role := range []ledger.Role{ledger.Project, ledger.Query} {
			if _, err := l.Pool(role).Exec(t.Context(), sql); err == nil {
				t.Errorf("%s may %s", role, sql)
			}
		}
	}
	if tag, err := l.Pool(ledger.Append).Exec(t.Context(), "UPDATE core.subject_keys SET wrapped = '' WHERE tenant_id = $1", ours(1)); err != nil || tag.RowsAffected() != 1 {
		t.Errorf("erasure: %v, %v", tag, err)
	}
	if _, err := l.Pool(ledger.Owner).Exec(t.Context(), "UPDATE core.subject_keys SET wrapped = 'key'"); err == nil {
		t.Error("an erased subject has a key again")
	}
	if _, err := l.Pool(ledger.Append).Exec(t.Context(), "DELETE FROM core.subject_keys"); err == nil {
		t.Error("an erasure can be forgotten")
	}
}

func TestAQuerySeesItsTenantAndNothingElse(t *testing.T) {
	l := open(t, pgtest.URL(t))
	fill(t, l)
	for _, tenant := range []uuid.UUID{ours(1), ours(2), ours(3), uuid.Nil} {
		var got []uuid.UUID
		var writable string
		err := l.Query(t.Context(), tenant, func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), "SELECT tenant_id FROM events UNION ALL SELECT tenant_id FROM subject_keys")
			if err != nil {
				return err
			}
			if got, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
				return err
			}
			return tx.QueryRow(t.Context(), "SELECT current_setting('transaction_read_only') || ' ' || current_setting('transaction_isolation')").Scan(&writable)
		})
		if err != nil || writable != "on repeatable read" {
			t.Errorf("%s, %v", writable, err)
		}
		want := []uuid.UUID{tenant, tenant}
		if !slices.Contains([]uuid.UUID{ours(1), ours(2)}, tenant) {
			want = nil
		}
		if len(want)+len(got) > 0 && !cmp.Equal(want, got) {
			t.Errorf("tenant %s sees %s", tenant, got)
		}
	}
	// The connection forgets the tenant with the transaction.
	var left string
	if err := l.Pool(ledger.Query).QueryRow(t.Context(), "SELECT coalesce(current_setting('app.tenant_id', true), '')").Scan(&left); err != nil || left != "" {
		t.Errorf("a tenant is left behind: %q, %v", left, err)
	}
	failure := errors.New("no")
	if err := l.Query(t.Context(), ours(1), func(pgx.Tx) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
}

func TestTenantScopedTablesKeepTenantsApartAndMayShareTheRootsRows(t *testing.T) {
	l := open(t, pgtest.URL(t))
	root := uuid.UUID{15: 1}
	_, err := l.Pool(ledger.Owner).Exec(t.Context(), `CREATE SCHEMA "as of"; GRANT USAGE ON SCHEMA "as of" TO chancery_project, chancery_query;
		CREATE TABLE "as of".notes (tenant_id uuid); CALL core.tenant_scoped('"as of".notes');
		CREATE TABLE "as of".shared (tenant_id uuid); CALL core.tenant_scoped('"as of".shared', true)`)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"notes", "shared"} {
		_, err := l.Pool(ledger.Project).Exec(t.Context(), `INSERT INTO "as of".`+table+` VALUES ($1), ($2), ($3)`, ours(1), ours(2), root)
		if err != nil {
			t.Fatal(err)
		}
	}
	see := func(table string) (got []uuid.UUID) {
		err := l.QueryIn(t.Context(), "as of", ours(1), func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), "SELECT tenant_id FROM "+table+" ORDER BY tenant_id DESC")
			if err != nil {
				return err
			}
			got, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return got
	}
	if diff := cmp.Diff([]uuid.UUID{ours(1)}, see("notes")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]uuid.UUID{ours(1), root}, see("shared")); diff != "" {
		t.Error(diff)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	l := open(t, pgtest.URL(t))
	want := map[string]string{"statement_timeout": "30s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "1min",
		"search_path": "core", "application_name": "chancery chancery_query", "role": "chancery_query"}
	got := map[string]string{}
	for name := range want {
		var v string
		if err := l.Pool(ledger.Query).QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&v); err != nil {
			t.Fatal(err)
		}
		got[name] = v
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}
