package pgtest_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"chancery/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, migrate) }

func migrate(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE TABLE notes (id int PRIMARY KEY); INSERT INTO notes VALUES (1)")
	return err
}

func TestEveryDatabaseStartsAsTheMigratedTemplate(t *testing.T) {
	first, second := connect(t, pgtest.URL(t)), connect(t, pgtest.URL(t))
	if _, err := first.Exec(t.Context(), "INSERT INTO notes VALUES (2)"); err != nil {
		t.Fatal(err)
	}
	got := []int64{count(t, first), count(t, second)}
	if diff := cmp.Diff([]int64{2, 1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheLoginIsNoSuperuserAndOwnsTheDatabase(t *testing.T) {
	conn := connect(t, pgtest.URL(t))
	var super, owner, createrole bool
	const q = `SELECT rolsuper, rolcreaterole, datdba = r.oid FROM pg_roles r, pg_database d
		WHERE rolname = current_user AND datname = current_database()`
	if err := conn.QueryRow(t.Context(), q).Scan(&super, &createrole, &owner); err != nil {
		t.Fatal(err)
	}
	if super || !createrole || !owner {
		t.Errorf("superuser %v, createrole %v, owner %v", super, createrole, owner)
	}
}

func TestTheDatabaseIsDroppedWhenTheTestEnds(t *testing.T) {
	var name string
	t.Run("a test with an open connection", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), pgtest.URL(t)) // left open on purpose
		if err != nil {
			t.Fatal(err)
		}
		name = conn.Config().Database
	})
	var found bool
	const q = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
	if err := connect(t, pgtest.URL(t)).QueryRow(t.Context(), q, name).Scan(&found); err != nil {
		t.Fatal(err)
	}
	if found {
		t.Errorf("database %s is still there", name)
	}
}

func TestADurableServerIsDurable(t *testing.T) {
	conn := connect(t, pgtest.Durable(t).URL("chancery"))
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
			t.Fatal(err)
		}
		if value != "on" {
			t.Errorf("%s is %s", name, value)
		}
	}
}

func BenchmarkURL(b *testing.B) {
	for b.Loop() {
		b.Run("one", func(b *testing.B) { pgtest.URL(b) })
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func count(t *testing.T, conn *pgx.Conn) (n int64) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM notes").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
