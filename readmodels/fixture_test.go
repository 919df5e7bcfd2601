package readmodels_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
	"chancery/internal/vault"
	"chancery/readmodels"
)

func TestMain(m *testing.M) {
	time.Local = time.FixedZone("elsewhere", 3*3600) // so that a time not read as UTC shows
	pgtest.Main(m, ledger.Migrate)
}

// world is a database, a reader of it, and what tests put there.
type world struct {
	t      *testing.T
	url    string
	ledger *ledger.Ledger
	vault  *vault.Vault
	keys   keyTable
	reader *readmodels.Reader
	at     time.Time
	events map[uuid.UUID]int64 // how many a tenant has
	head   int64
}

type keyTable map[uuid.UUID][]byte

func (k keyTable) SubjectKeys(_ context.Context, _ uuid.UUID, subjects []uuid.UUID) (map[uuid.UUID][]byte, error) {
	found := map[uuid.UUID][]byte{}
	for _, s := range subjects {
		if w, ok := k[s]; ok {
			found[s] = w
		}
	}
	return found, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	url := pgtest.URL(t)
	l, err := ledger.Open(t.Context(), ledger.Config{URL: url, AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	keys, err := vault.LoadKeys(filepath.Join(t.TempDir(), "keys", "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, url: url, ledger: l, keys: keyTable{}, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), events: map[uuid.UUID]int64{}}
	w.vault = vault.New(vault.Config{Keys: keys, Source: w.keys})
	w.reader = w.readerOver(l)
	return w
}

func (w *world) readerOver(s readmodels.Source) *readmodels.Reader {
	return readmodels.New(readmodels.Config{Source: s, Opener: w.vault, Claim: w.claim})
}

func (w *world) claim(tenant uuid.UUID, t dcb.Tag) dcb.Tag {
	kind, value, _ := strings.Cut(strings.TrimPrefix(string(t), "~"), ":")
	return dcb.Tag(kind + ":" + w.vault.Claim(tenant, kind, value))
}

func (w *world) seal(tenant, subject uuid.UUID, field, plain string) string {
	w.t.Helper()
	sealer := w.vault.Sealer()
	text, err := sealer.Seal(w.t.Context(), tenant, subject, field, plain)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range sealer.NewKeys() {
		w.keys[k.Subject] = k.Wrapped
	}
	return text
}

type row map[string]any

// put inserts a row as the projectors do. Columns that every table has are filled in.
func (w *world) put(table string, tenant uuid.UUID, r row) {
	w.t.Helper()
	all := row{"created_at": w.at}
	if slices.Contains([]string{"licenses", "sessions", "impersonation_sessions", "review_items", "app_versions", "event_consumption"}, table) {
		delete(all, "created_at")
	}
	if table != "tenants" {
		all["tenant_id"] = tenant
	}
	if !slices.Contains([]string{"audit_log", "secret_access_log"}, table) {
		all["version"] = 7
	}
	if !slices.Contains([]string{"audit_log", "group_invitations", "user_identities", "user_credentials", "sessions", "erasures", "links", "api_tokens", "role_privileges", "role_parents", "assignments", "policy_overrides", "approvals", "reviews", "review_items", "impersonation_sessions", "delegations", "secret_versions", "secret_access_log", "signing_keys", "license_activations", "license_usage", "event_consumption"}, table) {
		all["updated_at"] = w.at
	}
	maps.Copy(all, r)
	var columns, places []string
	var values []any
	for _, c := range slices.Sorted(maps.Keys(all)) {
		columns, values = append(columns, c), append(values, all[c])
		places = append(places, fmt.Sprintf("$%d", len(values)))
	}
	w.exec(ledger.Project, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(places, ", ")+")", values...)
}

func (w *world) exec(role ledger.Role, sql string, args ...any) {
	w.t.Helper()
	if _, err := w.ledger.Pool(role).Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// happen appends an event to the log and returns its id.
func (w *world) happen(tenant uuid.UUID, typ, payload string, tags ...string) uuid.UUID {
	w.t.Helper()
	return w.happenBy(tenant, "{}", typ, payload, tags...)
}

// happenBy is happen with metadata.
func (w *world) happenBy(tenant uuid.UUID, metadata, typ, payload string, tags ...string) uuid.UUID {
	w.t.Helper()
	w.head++
	w.events[tenant]++
	id := uuid.New()
	w.exec(ledger.Append, `INSERT INTO events (position, id, tenant_id, tenant_seq, type, payload, metadata, tags, request_id, occurred_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $10, $7, $8, $9, $9)`, w.head, id, tenant, w.events[tenant], typ, payload, tags, uuid.New(), w.at, metadata)
	for _, tag := range tags {
		w.exec(ledger.Append, "INSERT INTO event_tags VALUES ($1, $2, $3)", eventlog.TagHash(tag), eventlog.TypeHash(typ), w.head)
	}
	return id
}

func (w *world) offset(projection string, position int64) {
	w.t.Helper()
	w.exec(ledger.Project, `INSERT INTO projection_offsets (projection, position) VALUES ($1, $2)
		ON CONFLICT (projection) DO UPDATE SET position = EXCLUDED.position`, projection, position)
}

func (w *world) now(tenant uuid.UUID) readmodels.View {
	return w.reader.Now(domain.TenantID{UUID: tenant})
}

func of(t *testing.T, name string) readmodels.Collection {
	t.Helper()
	c, ok := readmodels.CollectionOf(name)
	if !ok {
		t.Fatalf("there is no collection %s", name)
	}
	return c
}

func list(t *testing.T, v readmodels.View, name string, p readmodels.Params) readmodels.Page {
	t.Helper()
	page, err := v.List(t.Context(), of(t, name), p)
	if err != nil {
		t.Fatalf("list %s %v: %v", name, p, err)
	}
	return page
}

// object is an item as a caller sees it.
func object(t *testing.T, item any) map[string]any {
	t.Helper()
	text, err := json.Marshal(item)
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func objects(t *testing.T, items []any) []map[string]any {
	t.Helper()
	out := make([]map[string]any, len(items))
	for i, item := range items {
		out[i] = object(t, item)
	}
	return out
}

// column is one column of all items, as text.
func column(t *testing.T, items []any, name string) []string {
	t.Helper()
	var out []string
	for _, o := range objects(t, items) {
		out = append(out, fmt.Sprint(o[name]))
	}
	return out
}

// identity names an item within its collection.
func identity(o map[string]any) string { return o["id"].(string) }

// watched is a source that shows each statement's plan.
type watched struct {
	*ledger.Ledger
	plan func(mode any, plan string)
}

func (s watched) QueryIn(ctx context.Context, schema string, tenant uuid.UUID, fn func(pgx.Tx) error) error {
	return s.Ledger.QueryIn(ctx, schema, tenant, func(tx pgx.Tx) error { return fn(explaining{tx, s.plan}) })
}

type explaining struct {
	pgx.Tx
	plan func(mode any, plan string)
}

func (e explaining) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	plan, err := e.Tx.Query(ctx, "EXPLAIN "+sql, args...)
	if err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(plan, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	e.plan(args[0], strings.Join(lines, "\n"))
	return e.Tx.Query(ctx, sql, args...)
}
