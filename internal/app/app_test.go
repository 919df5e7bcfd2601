package app

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/deliveries/receivertest"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
	"chancery/readmodels"
	"chancery/transport"
)

func TestMain(m *testing.M) {
	receivertest.Main()
	if os.Getenv(crashData) != "" {
		serveForCrash()
	}
	if os.Getenv(rewrapData) != "" {
		rewrapForCrash()
	}
	pgtest.Main(m, ledger.Migrate)
}

// start opens an app on a database of its own.
func start(t *testing.T) *App {
	t.Helper()
	return startOn(t, pgtest.URL(t), t.TempDir())
}

func startOn(t *testing.T, url, data string) *App {
	t.Helper()
	a, err := Open(context.Background(), Config{
		DatabaseURL: url, Data: data, AllowUnsafe: true, Migrate: true,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	if err := a.Install(context.Background()); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *App) bootstrapForTest(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(a.config.Data, bootstrapFile))
	if err != nil {
		t.Fatal(err)
	}
	token, _, _, err := a.Bootstrap(context.Background(), transport.Origin{}, strings.TrimSpace(string(text)), "ann@example.org", "Ann")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestBootstrapWorksOnce(t *testing.T) {
	a := start(t)
	text, err := os.ReadFile(filepath.Join(a.config.Data, bootstrapFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := a.Bootstrap(context.Background(), transport.Origin{}, "", "ann@example.org", "Ann"); err == nil {
		t.Fatal("an empty token was accepted")
	}
	a.bootstrapForTest(t)
	if _, _, _, err := a.Bootstrap(context.Background(), transport.Origin{}, strings.TrimSpace(string(text)), "bob@example.org", "Bob"); err == nil {
		t.Fatal("the token was accepted twice")
	}
	again := startOn(t, a.ledgerURL(t), a.config.Data)
	if _, err := os.Stat(filepath.Join(again.config.Data, bootstrapFile)); err == nil {
		t.Fatal("a bootstrap token was offered again")
	}
}

func (a *App) ledgerURL(t *testing.T) string { t.Helper(); return a.config.DatabaseURL }

func TestACommandReachesTheTables(t *testing.T) {
	a := start(t)
	ctx := context.Background()
	spec, _ := commands.Named("register-user")
	c := spec.New().(*commands.RegisterUser)
	c.Email, c.DisplayName = "Bob@Example.org", "Bob"
	o := commands.NewOrder(spec, c, domain.Root)
	o.Rights, o.By, o.Fingerprint = commands.System{}, dcb.Provenance{}, []byte("x")
	result, err := a.engine.Execute(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := a.feed.Wait(ctx, "core", result.Position); err != nil {
		t.Fatal(err)
	}
	users, _ := readmodels.CollectionOf("users")
	item, err := a.reader.Now(domain.Root).One(ctx, users, result.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", item.Value)
	r, err := a.Replay()
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Verify(ctx, 10)
	if err != nil || v.Total != 0 {
		t.Fatalf("%v %v", v, err)
	}
}

func (a *App) handlerForTest(t *testing.T) http.Handler {
	t.Helper()
	h, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	return h
}
