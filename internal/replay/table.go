// Package replay derives tables from the log once more: to rebuild them, to verify them, to show them as
// they were. It runs the projectors' own statements, on Go maps, and knows no feature.
package replay

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Table describes a projection table: its stored columns, without generated ones, and its primary key.
type Table struct {
	Name    string
	Columns []Column
	Key     []int // indexes of the primary key's columns, in key order
}

// Column of a Table.
type Column struct {
	Name    string
	Type    string // as PostgreSQL spells it
	NotNull bool
	Default bool // has a default, which replay cannot compute
	kind    kind
}

type kind uint8

const (
	kindUUID kind = iota + 1
	kindText
	kindInt
	kindFloat
	kindBool
	kindTime
	kindJSON  // json: the text counts
	kindJSONB // jsonb: the meaning counts
	kindBytes
	kindTexts
	kindUUIDs
	kindInts
)

func kindOf(pgType string) (kind, bool) {
	k, ok := map[string]kind{
		"uuid": kindUUID, "text": kindText, "varchar": kindText, "int2": kindInt, "int4": kindInt, "int8": kindInt,
		"float8": kindFloat, "bool": kindBool, "timestamptz": kindTime, "json": kindJSON, "jsonb": kindJSONB,
		"bytea": kindBytes, "_text": kindTexts, "_uuid": kindUUIDs, "_int8": kindInts,
	}[pgType]
	return k, ok
}

// keyable kinds have an order and a comparable form that agree with PostgreSQL's.
func (k kind) keyable() bool { return k == kindText || k.ordered() || k == kindBool }

// ordered kinds can be compared by <; text cannot, because its order depends on a collation.
func (k kind) ordered() bool { return k == kindUUID || k == kindInt || k == kindTime }

// Querier is a pool, a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const selectColumns = `SELECT c.relname, a.attname, t.typname, a.attnotnull, a.atthasdef,
	coalesce(array_position(i.indkey::int2[], a.attnum), -1)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY ($2) AND c.relkind = 'r'
ORDER BY c.relname, a.attnum`

// Describe reads the tables named from the catalog, in the order of the names.
func Describe(ctx context.Context, db Querier, schema string, names []string) ([]Table, error) {
	rows, err := db.Query(ctx, selectColumns, schema, names)
	if err != nil {
		return nil, fmt.Errorf("describe tables: %w", err)
	}
	defer rows.Close()
	found := map[string]*Table{}
	for rows.Next() {
		var table string
		var c Column
		var inKey int
		if err := rows.Scan(&table, &c.Name, &c.Type, &c.NotNull, &c.Default, &inKey); err != nil {
			return nil, fmt.Errorf("describe tables: %w", err)
		}
		var ok bool
		if c.kind, ok = kindOf(c.Type); !ok {
			return nil, fmt.Errorf("describe tables: %s.%s has type %s, which replay does not know", table, c.Name, c.Type)
		}
		t := found[table]
		if t == nil {
			t = &Table{Name: table}
			found[table] = t
		}
		if inKey >= 0 {
			for len(t.Key) <= inKey {
				t.Key = append(t.Key, -1)
			}
			t.Key[inKey] = len(t.Columns)
		}
		t.Columns = append(t.Columns, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("describe tables: %w", err)
	}
	out := make([]Table, 0, len(names))
	for _, n := range names {
		t := found[n]
		if t == nil {
			return nil, fmt.Errorf("describe tables: no table %s.%s", schema, n)
		}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("describe tables: %w", err)
		}
		out = append(out, *t)
	}
	return out, nil
}

func (t *Table) check() error {
	if len(t.Key) == 0 {
		return fmt.Errorf("table %s has no primary key", t.Name)
	}
	for _, i := range t.Key {
		if c := t.Columns[i]; !c.kind.keyable() {
			return fmt.Errorf("table %s: %s of type %s in the primary key", t.Name, c.Name, c.Type)
		}
	}
	return nil
}

func (t *Table) column(name string) (int, bool) {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i, true
		}
	}
	return 0, false
}

func (t *Table) columnNames() []string {
	out := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = c.Name
	}
	return out
}

func (t *Table) inKey(column int) bool {
	return slices.Contains(t.Key, column)
}
