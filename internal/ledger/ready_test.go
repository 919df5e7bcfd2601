package ledger_test

import (
	"context"
	"strings"
	"testing"

	"chancery/internal/ledger"
	"chancery/internal/pgtest"
)

func TestADatabaseThatIsBehindOrReadOnlyIsNotReady(t *testing.T) {
	ctx := context.Background()
	l, err := ledger.Open(ctx, ledger.Config{URL: pgtest.URL(t), Migrate: true, AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if reasons, err := l.Ready(ctx); err != nil || len(reasons) > 0 {
		t.Fatalf("%q, %v", reasons, err)
	}
	owner := l.Pool(ledger.Owner)
	if _, err := owner.Exec(ctx, "DELETE FROM core.goose_db_version WHERE version_id > 1"); err != nil {
		t.Fatal(err)
	}
	conn, err := owner.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	conn.Release()
	reasons, err := l.Ready(ctx)
	if err != nil || len(reasons) == 0 {
		t.Fatalf("%q, %v", reasons, err)
	}
	if all := strings.Join(reasons, "; "); !strings.Contains(all, "run chancery migrate") {
		t.Errorf("%s", all)
	}
}
