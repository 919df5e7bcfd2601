package replay

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"chancery/internal/ledger"
)

type pgxTx = pgx.Tx

func sortedCopy(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestRandomStatementsLeaveTheSameRowsInPostgresAndInMemory(t *testing.T) {
	w, r := newWorld(t), seeded(t)
	w.exec(`ALTER TABLE core.things DROP CONSTRAINT things_version_key; ALTER TABLE core.ties DROP CONSTRAINT ties_from`)
	ctx := t.Context()
	project := w.Pool(ledger.Project)
	desc, err := Describe(ctx, project, "core", []string{"things", "ties"})
	if err != nil {
		t.Fatal(err)
	}
	memory, err := NewTables(desc)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range 6000 {
		sql, args := randomStatement(r)
		_, pgErr := project.Exec(ctx, sql, args...)
		_, memErr := memory.Exec(ctx, sql, args...)
		if (pgErr == nil) != (memErr == nil) {
			t.Fatalf("statement %d: %s %v\nPostgreSQL: %v\nmemory: %v", i, sql, args, pgErr, memErr)
		}
		if pgErr != nil {
			refused++
		}
	}
	v := &verification{limit: 10}
	err = pgx.BeginFunc(ctx, project, func(tx pgx.Tx) error {
		for _, x := range memory.order {
			if err := v.table(ctx, tx, x); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || v.out.Total != 0 {
		t.Errorf("%v %v", err, v.out.Differences)
	}
	t.Logf("%d things, %d ties, %d statements refused by both", memory.Len("things"), memory.Len("ties"), refused)
}

func randomStatement(r *rand.Rand) (string, []any) {
	id := uuid.UUID{15: byte(r.IntN(12))}
	maybe := func(v any) any {
		if r.IntN(6) == 0 {
			return nil
		}
		return v
	}
	name := []string{"", "a", "O'Hara", "ünï"}[r.IntN(4)]
	note := pgtype.Text{String: name, Valid: r.IntN(3) > 0}
	size, version := int32(r.IntN(5)), int64(r.IntN(30))
	at := time.Unix(int64(r.IntN(3)), int64(r.IntN(1e9))).In([]*time.Location{time.UTC, time.Local}[r.IntN(2)])
	doc := json.RawMessage([]string{`{"b":1,"a":[true,null,1.50]}`, `[]`, `"x"`}[r.IntN(3)])
	tags := [][]string{{}, {"x"}, {"x", "y"}}[r.IntN(3)]
	kind, n := []string{"a", "b"}[r.IntN(2)], int16(r.IntN(3))
	switch r.IntN(14) {
	case 0:
		return sqlMake, []any{acme, id, maybe(name), size, note, doc, maybe(doc), tags, maybe([]byte(name)), maybe(at), version}
	case 1:
		return `INSERT INTO things AS t (id, tenant_id, name, size, doc, tags, alive, version) VALUES ($2, $1, $3::text, 3, '{}'::jsonb, '{}', FALSE, $4)
			ON CONFLICT (id, tenant_id) DO UPDATE SET name = EXCLUDED.name, note = 'was ''there''', size = t.size, alive = excluded.alive, version = excluded.version
			WHERE t.version < EXCLUDED.version`, []any{acme, id, name, version}
	case 2:
		return `INSERT INTO things (tenant_id, id, name, size, doc, tags, alive, version) VALUES ($1, $2, $3, $4, $5, $6, true, $7)
			ON CONFLICT (tenant_id, id) DO UPDATE SET name = $3, size = $4, note = NULL, seen_at = $8 WHERE things.alive = true AND (things.note IS NOT NULL AND $7 >= things.version)`,
			[]any{acme, id, name, size, doc, tags, version, maybe(at)}
	case 3:
		return `INSERT INTO things (tenant_id, id, name, size, doc, tags, alive, version) VALUES ($1, $2, $3, $4, $5, $6, true, $7)`,
			[]any{acme, id, name, size, doc, tags, version}
	case 4:
		return sqlRename, []any{maybe(name), at, version, acme, id}
	case 5:
		return sqlNote, []any{note, version, acme, id}
	case 6:
		return `UPDATE things AS t SET alive = $3, note = t.name, name = note, seen_at = NULL WHERE t.id = $2 AND tenant_id = $1 AND t.note IS DISTINCT FROM $4`,
			[]any{acme, id, r.IntN(2) == 0, note}
	case 7:
		return `UPDATE things SET hash = $3, exact = $4, doc = $5, tags = $6 WHERE tenant_id = $1 AND id = $2 AND seen_at <= $7 AND name <> ''`,
			[]any{acme, id, maybe([]byte{0, 1}), maybe(doc), maybe(doc), tags, at}
	case 8:
		return `UPDATE things SET size = 1 WHERE tenant_id = $1 AND id = $2 AND note = $3 AND size != 1`, []any{acme, id, note}
	case 9:
		return `UPDATE things SET version = $3 WHERE tenant_id = $1 AND id = $2 AND (note IS NULL) AND alive = FALSE;`, []any{maybe(acme), id, maybe(version)}
	case 10:
		return `DELETE FROM things WHERE tenant_id = $1 AND id = $2 AND version <= $3`, []any{acme, id, version}
	case 11, 12:
		return sqlLink, []any{acme, id, kind, maybe(n)}
	default:
		return sqlUnlink, []any{acme, id, kind, n}
	}
}

func TestAStatementOfAnotherShapeIsRefusedByName(t *testing.T) {
	desc := []Table{{Name: "t", Key: []int{0}, Columns: []Column{
		{Name: "id", Type: "uuid", NotNull: true, kind: kindUUID}, {Name: "n", Type: "int8", NotNull: true, kind: kindInt},
		{Name: "s", Type: "text", kind: kindText}, {Name: "d", Type: "int8", kind: kindInt, Default: true}}}}
	for sql, want := range map[string]string{
		"-- name: ReadAll :many\nSELECT id FROM t":     "ReadAll",
		"UPDATE t SET n = n + 1 WHERE id = $1":         "at \"+\"",
		"UPDATE t SET n = $1 WHERE n = $2":             "does not fix id",
		"UPDATE t SET n = $1 WHERE id = $2 OR n = $3":  "at \"or\"",
		"UPDATE t SET id = $1 WHERE id = $2":           "primary key is changed",
		"UPDATE t SET x = $1 WHERE id = $2":            "no stored column x",
		"UPDATE u SET x = $1 WHERE id = $2":            "unknown table u",
		"UPDATE core.t SET n = $1 WHERE id = $2":       "at \".\"",
		"UPDATE t SET n = now() WHERE id = $1":         "at \"(\"",
		"UPDATE t SET n = $1 WHERE id = $2 AND s < $3": "< on s",
		"DELETE FROM t":                                                                     "at the end",
		"DELETE FROM t WHERE id IN ($1)":                                                    "at \"in\"",
		"DELETE FROM t WHERE id = $1 RETURNING n":                                           "at \"returning\"",
		"INSERT INTO t (id, n, d) VALUES ($1, $2, $3), ($1, $2, $3)":                        "at \",\"",
		"INSERT INTO t (id, d) VALUES ($1, $2)":                                             "column n is NOT NULL",
		"INSERT INTO t (id, n) VALUES ($1, $2)":                                             "column d is not listed",
		"INSERT INTO t (id, n, d) VALUES ($1, $2, DEFAULT)":                                 "column default",
		"INSERT INTO t (id, n, d) SELECT $1, $2, $3":                                        "at \"select\"",
		"INSERT INTO t (id, n, d) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING":               "at \"do\"",
		"INSERT INTO t (id, n, d) VALUES ($1, $2, $3) ON CONFLICT (n) DO NOTHING":           "not the primary key",
		"INSERT INTO t (id, n, d) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET n = d": "ambiguous",
		"INSERT INTO t (id, n, d) VALUES ($1, $2, $4)":                                      "$3 is not used",
		"INSERT INTO t (id, n, d) VALUES ($1, 'many', $2)":                                  "",
		"INSERT INTO t (id, id, n, d) VALUES ($1, $1, $2, $3)":                              "twice",
		"TRUNCATE t": "at \"truncate\"",
		"WITH x AS (SELECT 1) INSERT INTO t (id, n, d) VALUES ($1, $2, $3)": "at \"with\"",
	} {
		memory, err := NewTables(desc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = memory.Exec(context.Background(), sql, uuid.New(), int64(1), int64(2))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v, want %s", sql, err, want)
		}
	}
}

func BenchmarkFoldStatements(b *testing.B) {
	desc := []Table{{Name: "things", Key: []int{0, 1}, Columns: []Column{
		{Name: "tenant_id", Type: "uuid", NotNull: true, kind: kindUUID}, {Name: "id", Type: "uuid", NotNull: true, kind: kindUUID},
		{Name: "name", Type: "text", NotNull: true, kind: kindText}, {Name: "status", Type: "text", kind: kindText},
		{Name: "created_at", Type: "timestamptz", kind: kindTime}, {Name: "version", Type: "int8", NotNull: true, kind: kindInt}}}}
	memory, err := NewTables(desc)
	if err != nil {
		b.Fatal(err)
	}
	const ins = `INSERT INTO things (tenant_id, id, name, status, created_at, version) VALUES ($1, $2, $3, 'active', $4, $5)
		ON CONFLICT (tenant_id, id) DO UPDATE SET name = EXCLUDED.name, version = EXCLUDED.version WHERE things.version < EXCLUDED.version`
	const upd = `UPDATE things SET status = $1, version = $2 WHERE tenant_id = $3 AND id = $4 AND version < $2`
	ids := make([]uuid.UUID, 50000)
	for i := range ids {
		ids[i] = uuid.New()
	}
	at := time.Now()
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := ids[i*7919%len(ids)]
		if i%2 == 0 {
			_, err = memory.Exec(ctx, ins, acme, id, "some name", at, int64(i))
		} else {
			_, err = memory.Exec(ctx, upd, "s", int64(i), acme, id)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "stmts/s")
}
