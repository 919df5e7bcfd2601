package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Tables are projection tables in memory. They are a projector's DBTX: Exec does to them what the
// statement would do to PostgreSQL, for the shapes parse.go lists, and refuses any other. They hold
// primary keys and NOT NULL; other constraints are tried when the rows reach PostgreSQL.
//
// Not for concurrent use. Arguments MUST NOT be changed after they were passed.
type Tables struct {
	values     values
	tables     map[string]*table
	order      []*table
	statements map[string]*statement
	executed   int64
	key        []byte // scratch
}

// table holds rows by their key. A row is never nil and has a cell for each column of desc.
type table struct {
	desc    *Table
	rows    map[string][]any
	touched map[string][]any // keys written since Mark, with their cells; nil before
}

// NewTables returns empty tables.
func NewTables(desc []Table) (*Tables, error) {
	t := &Tables{values: newValues(), tables: map[string]*table{}, statements: map[string]*statement{}}
	for i := range desc {
		if err := desc[i].check(); err != nil {
			return nil, err
		}
		x := &table{desc: &desc[i], rows: map[string][]any{}}
		t.tables[desc[i].Name] = x
		t.order = append(t.order, x)
	}
	return t, nil
}

// Exec applies one statement. After an error the tables are as before it.
func (t *Tables) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	s := t.statements[sql]
	if s == nil {
		var err error
		if s, err = t.compile(sql); err != nil {
			return pgconn.CommandTag{}, fmt.Errorf("replay statement %s: %w", title(sql), err)
		}
		t.statements[sql] = s
	}
	if err := t.run(s, args); err != nil {
		return pgconn.CommandTag{}, fmt.Errorf("replay statement %s: %w", title(sql), err)
	}
	t.executed++
	return pgconn.CommandTag{}, nil
}

var errRead = errors.New("replay: a projector never reads")

// Query refuses.
func (t *Tables) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errRead }

// QueryRow refuses.
func (t *Tables) QueryRow(context.Context, string, ...any) pgx.Row { return noRow{} }

type noRow struct{}

func (noRow) Scan(...any) error { return errRead }

// title is the name that sqlc gave a statement, or its beginning.
func title(sql string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(sql), "\n")
	if name, ok := strings.CutPrefix(line, "-- name: "); ok {
		return strings.Fields(name)[0]
	}
	if len(line) > 80 {
		line = line[:80] + "…"
	}
	return fmt.Sprintf("%q", line)
}

// Len counts the rows of a table.
func (t *Tables) Len(table string) int {
	if x := t.tables[table]; x != nil {
		return len(x.rows)
	}
	return 0
}

// take moves the rows out of those of the tables named that have so many; nil: none has.
func (t *Tables) take(names []string, many int) *Tables {
	taken := &Tables{tables: map[string]*table{}}
	for _, name := range names {
		if x := t.tables[name]; len(x.rows) >= many {
			y := &table{desc: x.desc, rows: x.rows}
			taken.tables[name], taken.order = y, append(taken.order, y)
			x.rows = map[string][]any{}
		}
	}
	if len(taken.order) == 0 {
		return nil
	}
	return taken
}

// described lists the tables as they were described.
func (t *Tables) described() (out []Table) {
	for _, x := range t.order {
		out = append(out, *x.desc)
	}
	return out
}

// empty forgets the rows of a table.
func (t *Tables) empty(table string) { clear(t.tables[table].rows) }

// Rows yields the rows of a table, in no order, cells in the order of its description. They are shared.
func (t *Tables) Rows(table string) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		x := t.tables[table]
		if x == nil {
			return
		}
		for _, r := range x.rows {
			if !yield(r) {
				return
			}
		}
	}
}

// Mark starts a list of changes: what is written from here on is what Changed yields.
func (t *Tables) Mark() {
	for _, x := range t.order {
		x.touched = map[string][]any{}
	}
}

// Changed counts the rows written since Mark.
func (t *Tables) Changed() (n int) {
	for _, x := range t.order {
		n += len(x.touched)
	}
	return n
}

func (t *Tables) run(s *statement, args []any) error {
	if len(args) != s.params {
		return fmt.Errorf("%d arguments for %d parameters", len(args), s.params)
	}
	if s.verb == insert {
		return t.insert(s, args)
	}
	key := t.key[:0]
	for i := range s.key {
		cell, err := t.eval(&s.key[i], args, nil, nil)
		if err != nil {
			return err
		}
		if cell == nil {
			return nil // = NULL finds nothing
		}
		if key, err = appendKey(key, cell); err != nil {
			return err
		}
	}
	t.key = key
	row := s.table.rows[string(key)]
	if row == nil {
		return t.check(s, args)
	}
	if ok, err := t.holds(s, args, row, nil); !ok || err != nil {
		return err
	}
	s.table.touch(key, row)
	if s.verb == remove {
		delete(s.table.rows, string(key))
		return nil
	}
	return t.change(s, args, row, nil)
}

func (t *Tables) insert(s *statement, args []any) error {
	row := make([]any, len(s.cells))
	for i := range s.cells {
		cell, err := t.eval(&s.cells[i], args, nil, nil)
		if err != nil {
			return err
		}
		row[i] = cell
	}
	d := s.table.desc
	for i := range d.Columns {
		if row[i] == nil && d.Columns[i].NotNull {
			return fmt.Errorf("NULL in column %s", d.Columns[i].Name)
		}
	}
	key := t.key[:0]
	var err error
	for _, i := range d.Key {
		if key, err = appendKey(key, row[i]); err != nil {
			return err
		}
	}
	t.key = key
	old := s.table.rows[string(key)]
	switch {
	case old == nil:
		if err := t.check(s, args); err != nil {
			return err
		}
		s.table.touch(key, row)
		s.table.rows[string(key)] = row
		return nil
	case s.conflict == 0:
		return fmt.Errorf("duplicate key %s in %s", d.keyText(row), d.Name)
	case s.conflict == doNothing:
		return nil
	}
	if ok, err := t.holds(s, args, old, row); !ok || err != nil {
		return err
	}
	s.table.touch(key, old)
	return t.change(s, args, old, row)
}

// change sets all columns or, after an error, none: values may be columns of the row itself.
func (t *Tables) change(s *statement, args []any, row, excluded []any) error {
	var room [16]any
	cells := room[:0]
	for i := range s.set {
		cell, err := t.eval(&s.set[i].to, args, row, excluded)
		if err != nil {
			return err
		}
		if c := &s.table.desc.Columns[s.set[i].column]; cell == nil && c.NotNull {
			return fmt.Errorf("NULL in column %s", c.Name)
		}
		cells = append(cells, cell)
	}
	for i := range s.set {
		row[s.set[i].column] = cells[i]
	}
	return nil
}

// holds decides the conditions. As in SQL a comparison with NULL does not hold.
func (t *Tables) holds(s *statement, args []any, old, excluded []any) (bool, error) {
	for i := range s.where {
		w := &s.where[i]
		a, err := t.eval(&w.left, args, old, excluded)
		if err != nil {
			return false, err
		}
		var b any
		if w.right.kind != 0 {
			if b, err = t.eval(&w.right, args, old, excluded); err != nil {
				return false, err
			}
		}
		if !w.holds(a, b) {
			return false, nil
		}
	}
	return true, nil
}

func (w *test) holds(a, b any) bool {
	switch w.op {
	case "null":
		return a == nil
	case "notnull":
		return a != nil
	case "same":
		return equal(w.kind, a, b)
	case "differs":
		return !equal(w.kind, a, b)
	}
	if a == nil || b == nil {
		return false
	}
	switch w.op {
	case "=":
		return equal(w.kind, a, b)
	case "<>":
		return !equal(w.kind, a, b)
	case "<":
		return compare(w.kind, a, b) < 0
	case "<=":
		return compare(w.kind, a, b) <= 0
	case ">":
		return compare(w.kind, a, b) > 0
	default:
		return compare(w.kind, a, b) >= 0
	}
}

// check tries the arguments that were not needed, so that a bad one is an error wherever it would be one
// in PostgreSQL.
func (t *Tables) check(s *statement, args []any) error {
	for i := range s.set {
		if v := &s.set[i].to; v.kind == fromParam {
			if _, err := t.values.cell(v.column, args[v.n]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Tables) eval(v *value, args []any, old, excluded []any) (any, error) {
	switch v.kind {
	case fromParam:
		return t.values.cell(v.column, args[v.n])
	case fromConst:
		return v.cell, nil
	case fromOld:
		return old[v.n], nil
	default:
		return excluded[v.n], nil
	}
}

func (x *table) touch(key []byte, row []any) {
	if x.touched == nil {
		return
	}
	if _, known := x.touched[string(key)]; known {
		return
	}
	cells := make([]any, len(x.desc.Key))
	for i, n := range x.desc.Key {
		cells[i] = row[n]
	}
	x.touched[string(key)] = cells
}

// keyText names a row by its primary key.
func (d *Table) keyText(row []any) string {
	var b strings.Builder
	for i, n := range d.Key {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s=%s", d.Columns[n].Name, show(row[n]))
	}
	return b.String()
}
