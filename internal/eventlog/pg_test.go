package eventlog_test

import (
	"context"
	"testing"

	"chancery/internal/eventlog"
	"chancery/internal/eventlog/logtest"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, ledger.Migrate) }

func open(t *testing.T, c eventlog.Config) *eventlog.PG {
	t.Helper()
	return openAt(t, pgtest.URL(t), c)
}

func openAt(t *testing.T, url string, c eventlog.Config) *eventlog.PG {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{URL: url, AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	p := eventlog.Open(l, c)
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		l.Close()
	})
	return p
}

func TestTheLogOnPostgreSQLPassesTheSuite(t *testing.T) {
	logtest.Run(t, func(t *testing.T, c eventlog.Config) eventlog.Log { return open(t, c) })
}
