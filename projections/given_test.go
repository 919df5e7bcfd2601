package projections_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/feed"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
	"chancery/internal/replay"
	"chancery/projections"
)

func TestMain(m *testing.M) { pgtest.Main(m, ledger.Migrate) }

var _ feed.Projector = projections.Core

var acme = domain.TenantID{UUID: uuid.MustParse("00000000-0000-7000-8000-00000000acce")}

// history is events of tenants, one a minute from 08:01 on, each recorded a day after it happened.
type history []dcb.Recorded

func given(events ...dcb.Event) history { return history(nil).in(acme, events...) }

func (h history) in(tenant domain.TenantID, events ...dcb.Event) history {
	for _, e := range events {
		n := len(h) + 1
		at := time.Date(2026, 1, 2, 8, n, 0, 0, time.UTC)
		m := dcb.Meta{Position: int64(n), ID: uid(int('e'), n), Tenant: tenant.UUID, SourceApp: "core", At: at, RecordedAt: at.AddDate(0, 0, 1)}
		h = append(h, dcb.Recorded{Meta: m, Event: e, Tags: dcb.TagsOf(e)})
	}
	return h
}

// uid is the n-th id of a kind; it ends in both.
func uid(kind, n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("00000000-0000-7000-8000-00000000%02x%02x", kind, n))
}

// expect projects the history, compares the answer of a query with rows, and then makes sure that neither a repeated
// page nor other cuts change a row, and that replay's tables in memory come to the same.
func (h history) expect(t *testing.T, p *projections.Projector, query string, rows ...string) {
	t.Helper()
	l := open(t)
	apply(t, l, p, h)
	if diff := cmp.Diff(rows, ask(t, l, query)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
	once := snapshot(t, l, p)
	apply(t, l, p, h)
	if diff := cmp.Diff(once, snapshot(t, l, p)); diff != "" {
		t.Errorf("the page applied twice (-once +twice):\n%s", diff)
	}
	for i := range slices.Backward(h) {
		apply(t, l, p, h[i:i+1])
	}
	if diff := cmp.Diff(lasting(once), lasting(snapshot(t, l, p))); diff != "" {
		t.Errorf("old events applied late (-once +late):\n%s", diff)
	}
	if diff := cmp.Diff(once, h.folded(t, l, p)); diff != "" {
		t.Errorf("PostgreSQL and replay differ (-PostgreSQL +replay):\n%s", diff)
	}
	one := emptied(t, l, p)
	for i := range h {
		apply(t, one, p, h[i:i+1])
		apply(t, one, p, h[i:i+1])
	}
	if diff := cmp.Diff(once, snapshot(t, one, p)); diff != "" {
		t.Errorf("pages of one event (-whole +each):\n%s", diff)
	}
}

func open(t *testing.T) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{URL: pgtest.URL(t), AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// lasting leaves out the tables whose rows go: there an old event alone brings back what went later. The checkpoint
// rules that out; elsewhere the version in each statement does, too.
func lasting(all map[string][]string) map[string][]string {
	all = maps.Clone(all)
	for _, links := range []string{"group_memberships", "role_privileges", "role_parents"} {
		delete(all, links)
	}
	return all
}

// emptied is the ledger again, without a row of the projector.
func emptied(t *testing.T, l *ledger.Ledger, p *projections.Projector) *ledger.Ledger {
	t.Helper()
	if _, err := l.Pool(ledger.Owner).Exec(t.Context(), "TRUNCATE "+strings.Join(p.Tables(), ", ")); err != nil {
		t.Fatal(err)
	}
	return l
}

func apply(t *testing.T, l *ledger.Ledger, p *projections.Projector, page []dcb.Recorded) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), l.Pool(ledger.Project), func(tx pgx.Tx) error { return p.Apply(t.Context(), tx, page) })
	if err != nil {
		t.Fatal(err)
	}
}

// ask answers a query as the projectors' role, which sees every tenant: a line per row, its columns joined by spaces.
func ask(t *testing.T, l *ledger.Ledger, query string) []string {
	t.Helper()
	rows, err := l.Pool(ledger.Project).Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, line)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func line(row pgx.CollectableRow) (string, error) {
	cells, err := row.Values()
	words := make([]string, len(cells))
	for i, c := range cells {
		words[i] = brief(c)
	}
	return strings.Join(words, " "), err
}

// brief shows times of the day, and of ids the end.
func brief(cell any) string {
	switch c := cell.(type) {
	case nil:
		return "-"
	case time.Time:
		return c.UTC().Format("15:04")
	case uuid.UUID:
		return c.String()[32:]
	}
	return fmt.Sprint(cell)
}

// snapshot is every row of the projector's tables.
func snapshot(t *testing.T, l *ledger.Ledger, p *projections.Projector) map[string][]string {
	t.Helper()
	all, parts := map[string][]string{}, []string{}
	for _, table := range p.Tables() {
		all[table] = []string{}
		parts = append(parts, fmt.Sprintf("SELECT '%s', to_jsonb(x)::text FROM %s x", table, table))
	}
	for _, row := range ask(t, l, strings.Join(parts, " UNION ALL ")) {
		table, cells, _ := strings.Cut(row, " ")
		all[table] = append(all[table], cells)
	}
	for _, rows := range all {
		slices.Sort(rows)
	}
	return all
}

// folded is what snapshot would be, had replay written the rows: they are folded in memory, copied, and read back.
func (h history) folded(t *testing.T, l *ledger.Ledger, p *projections.Projector) map[string][]string {
	t.Helper()
	desc, err := replay.Describe(t.Context(), l.Pool(ledger.Owner), "core", p.Tables())
	if err != nil {
		t.Fatal(err)
	}
	tables, err := replay.NewTables(desc)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context(), tables, h); err != nil {
		t.Fatal(err)
	}
	tx, err := l.Pool(ledger.Owner).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	all := map[string][]string{}
	for _, d := range desc {
		all[d.Name] = copied(t, tx, d, slices.Collect(tables.Rows(d.Name)))
	}
	return all
}

func copied(t *testing.T, tx pgx.Tx, d replay.Table, rows [][]any) []string {
	t.Helper()
	shadow := "shadow_" + d.Name
	if _, err := tx.Exec(t.Context(), fmt.Sprintf("CREATE TEMP TABLE %s (LIKE core.%s)", shadow, d.Name)); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range d.Columns {
		names = append(names, c.Name)
	}
	if _, err := tx.CopyFrom(t.Context(), pgx.Identifier{shadow}, names, pgx.CopyFromRows(rows)); err != nil {
		t.Fatal(err)
	}
	read, err := tx.Query(t.Context(), fmt.Sprintf("SELECT to_jsonb(x)::text FROM %s x", shadow))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(read, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return append([]string{}, lines...)
}
