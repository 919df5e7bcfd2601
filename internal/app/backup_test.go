package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
	"chancery/internal/postgres"
	"chancery/projections"
	"chancery/readmodels"
)

// The backup that docs/operations.md describes, by its own words, from one cluster into another.
func TestADumpAsDocumentedRestoresEverythingElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("starts durable servers")
	}
	needPrograms(t, "bash")
	from, to := pgtest.Durable(t), pgtest.Durable(t)
	bin := programsFor(t, from)
	data := filepath.Join(t.TempDir(), ".chancery")

	before := openOn(t, from.URL(postgres.Login), data)
	user := before.fillForTest(t)
	want, position := rowCounts(t, before), before.index.Position()
	if want["events"] < 300 || want["users"] < 200 {
		t.Fatalf("hardly anything to back up: %v", want)
	}

	blocks := scripts(t, "docs/operations.md", "Backups")
	if len(blocks) != 2 {
		t.Fatalf("the section has %d scripts, want one to dump and one to restore", len(blocks))
	}
	env := []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"CHANCERY_DATABASE_URL=" + from.URL(postgres.Login), "NEW=" + to.URL(postgres.Login),
	}
	folder := filepath.Dir(data)
	runShell(t, folder, blocks[0], env...) // beside the running app
	before.Close()
	out := runShell(t, folder, blocks[1], env...)
	if !strings.Contains(out, "differences: 0") {
		t.Errorf("verify said:\n%s", out)
	}

	after := openOn(t, to.URL(postgres.Login), data)
	if got := after.index.Position(); got != position {
		t.Errorf("the restored log ends at %d, and %d were backed up", got, position)
	}
	if diff := cmp.Diff(want, rowCounts(t, after)); diff != "" {
		t.Errorf("rows (-backed up +restored):\n%s", diff)
	}
	users, _ := readmodels.CollectionOf("users")
	item, err := after.reader.Now(domain.Root).One(t.Context(), users, user)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(item.Value)
	if err != nil || !strings.Contains(string(shown), "bob7@example.org") {
		t.Errorf("personal data no longer opens: %s, %v", shown, err)
	}
	after.fillMore(t, 1000) // it can be written, and guards and policies came with it
	guarded(t, after)
}

func TestADatabaseRestoredBesideAnotherKeyFileIsRefused(t *testing.T) {
	url := pgtest.URL(t)
	startOn(t, url, t.TempDir()).Close()
	_, err := Open(t.Context(), Config{DatabaseURL: url, Data: t.TempDir(), AllowUnsafe: true})
	if err == nil || !strings.Contains(err.Error(), ledger.ErrOtherKeys.Error()) {
		t.Fatalf("opened with another key file: %v", err)
	}
}

// programsFor is a folder with chancery and the server's own pg_dump, pg_restore and psql.
func programsFor(t *testing.T, s *postgres.Server) string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"pg_dump", "pg_restore", "psql"} {
		program := filepath.Join(s.Binaries().Dir, name)
		if _, err := os.Stat(program); err != nil {
			t.Skipf("needs %s beside the server in %s; PostgreSQL from npm has none", name, s.Binaries().Dir)
		}
		if err := os.Symlink(program, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, "chancery/cmd/chancery")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return bin
}

// openOn opens an app that insists on a durable database.
func openOn(t *testing.T, url, data string) *App {
	t.Helper()
	a, err := Open(t.Context(), Config{DatabaseURL: url, Data: data, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	if err := a.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// fillForTest adds tenants and users, and returns the id of bob7.
func (a *App) fillForTest(t *testing.T) (user string) {
	t.Helper()
	for i := range 20 {
		a.orderForTest(t, &commands.CreateTenant{Name: fmt.Sprint("Tenant ", i), Slug: domain.Slug(fmt.Sprint("tenant-", i))}, "create-tenant")
	}
	for i := range 200 {
		id := a.registerForTest(t, i)
		if i == 7 {
			user = id
		}
	}
	a.settleForTest(t)
	return user
}

func (a *App) fillMore(t *testing.T, i int) {
	t.Helper()
	a.registerForTest(t, i)
	a.settleForTest(t)
}

func (a *App) registerForTest(t *testing.T, i int) string {
	t.Helper()
	return a.orderForTest(t, &commands.RegisterUser{Email: fmt.Sprintf("bob%d@example.org", i), DisplayName: fmt.Sprint("Bob ", i)}, "register-user")
}

func (a *App) orderForTest(t *testing.T, c commands.Command, name string) string {
	t.Helper()
	spec, ok := commands.Named(name)
	if !ok {
		t.Fatalf("no command %s", name)
	}
	o := commands.NewOrder(spec, c, domain.Root)
	o.Rights, o.By, o.Fingerprint = commands.System{}, dcb.Provenance{}, []byte(name)
	result, err := a.engine.Execute(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result.ID.String()
}

// settleForTest returns when the tables have all that the log has.
func (a *App) settleForTest(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, p := range a.projectors() {
		if err := a.feed.Wait(ctx, p.Projector.Name(), a.index.Position()); err != nil {
			t.Fatal(err)
		}
	}
}

func rowCounts(t *testing.T, a *App) map[string]int {
	t.Helper()
	counts := map[string]int{}
	tables := append([]string{"events", "event_tags", "append_requests", "subject_keys", "vault", "audit_log"}, projections.Core.Tables()...)
	for _, table := range tables {
		var n int
		sql := "SELECT count(*) FROM " + pgx.Identifier{"core", table}.Sanitize()
		if err := a.ledger.Pool(ledger.Owner).QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts[table] = n
	}
	return counts
}

// guarded finds the log append-only, and every table with rows of tenants under forced row security.
func guarded(t *testing.T, a *App) {
	t.Helper()
	owner := a.ledger.Pool(ledger.Owner)
	if _, err := owner.Exec(t.Context(), "DELETE FROM core.events"); err == nil || !strings.Contains(err.Error(), "append-only") {
		t.Errorf("the log can be emptied: %v", err)
	}
	var open []string
	err := owner.QueryRow(t.Context(), `SELECT coalesce(array_agg(relname::text ORDER BY relname), '{}') FROM pg_class c
		WHERE relnamespace = 'core'::regnamespace AND relkind = 'r' AND NOT (relrowsecurity AND relforcerowsecurity)
		AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id')`).Scan(&open)
	if err != nil || len(open) > 0 {
		t.Errorf("tables without forced row security: %v %v", open, err)
	}
}
