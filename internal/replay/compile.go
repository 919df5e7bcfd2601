package replay

import (
	"errors"
	"fmt"
	"slices"
)

// statement is a compiled statement: run applies it to its table.
type statement struct {
	table  *table
	verb   verb
	params int

	cells    []value // insert: of every column
	conflict verb
	set      []change
	key      []value // update, remove: of the key's columns
	where    []test  // what must hold of the old row beside the key
}

// value is an operand bound to the column that gives it its type.
type value struct {
	kind   valueKind
	n      int // parameter or column
	cell   any // constant
	column *Column
}

type valueKind uint8

const (
	fromParam valueKind = iota + 1
	fromConst
	fromOld // a column of the row as it is
	fromNew // a column of EXCLUDED
)

type change struct {
	column int
	to     value
}

type test struct {
	op          string
	left, right value
	kind        kind
}

type compiler struct {
	v      values
	table  *table
	src    *parsed
	out    *statement
	params map[int]bool
}

func (t *Tables) compile(sql string) (*statement, error) {
	src, err := parse(sql)
	if err != nil {
		return nil, err
	}
	table := t.tables[src.table]
	if table == nil {
		return nil, fmt.Errorf("unknown table %s", src.table)
	}
	c := &compiler{v: t.values, table: table, src: src, params: map[int]bool{},
		out: &statement{table: table, verb: src.verb, conflict: src.conflict}}
	if src.verb == insert {
		err = c.insert()
	} else {
		err = c.byKey()
	}
	if err != nil {
		return nil, err
	}
	for i := range c.out.params {
		if !c.params[i] {
			return nil, fmt.Errorf("parameter $%d is not used", i+1)
		}
	}
	return c.out, nil
}

func (c *compiler) insert() error {
	if len(c.src.columns) != len(c.src.values) {
		return fmt.Errorf("%d columns, %d values", len(c.src.columns), len(c.src.values))
	}
	d := c.table.desc
	c.out.cells = make([]value, len(d.Columns))
	for i, name := range c.src.columns {
		n, err := c.column(name)
		if err != nil {
			return err
		}
		if c.out.cells[n].kind != 0 {
			return fmt.Errorf("column %s is listed twice", name)
		}
		if c.src.values[i].kind == opColumn {
			return fmt.Errorf("unsupported shape, column %s as a value", c.src.values[i].s)
		}
		if c.out.cells[n], err = c.operand(c.src.values[i], &d.Columns[n]); err != nil {
			return err
		}
	}
	if err := c.absent(); err != nil {
		return err
	}
	if c.src.conflict == 0 {
		return nil
	}
	if err := c.target(); err != nil {
		return err
	}
	if err := c.changes(true); err != nil {
		return err
	}
	for _, w := range c.src.where {
		if err := c.test(w, true); err != nil {
			return err
		}
	}
	return nil
}

// absent fills the columns that INSERT does not list.
func (c *compiler) absent() error {
	for i, col := range c.table.desc.Columns {
		switch {
		case c.out.cells[i].kind != 0:
		case col.Default:
			return fmt.Errorf("column %s is not listed; replay cannot compute its default", col.Name)
		case col.NotNull:
			return fmt.Errorf("column %s is NOT NULL and not listed", col.Name)
		default:
			c.out.cells[i] = value{kind: fromConst}
		}
	}
	return nil
}

// target makes sure that the conflict is one of the primary key, the only constraint replay tracks.
func (c *compiler) target() error {
	var want []string
	for _, i := range c.table.desc.Key {
		want = append(want, c.table.desc.Columns[i].Name)
	}
	got := slices.Sorted(slices.Values(c.src.target))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("unsupported shape, ON CONFLICT %v is not the primary key %v", got, want)
	}
	return nil
}

// byKey compiles UPDATE and DELETE: the first equality on each column of the key finds the row.
func (c *compiler) byKey() error {
	d := c.table.desc
	c.out.key = make([]value, len(d.Key))
	if err := c.changes(false); err != nil {
		return err
	}
	for _, w := range c.src.where {
		i := c.keyPart(w)
		if i < 0 || c.out.key[i].kind != 0 {
			if err := c.test(w, false); err != nil {
				return err
			}
			continue
		}
		v, err := c.operand(w.right, &d.Columns[d.Key[i]])
		if err != nil {
			return err
		}
		c.out.key[i] = v
	}
	for i, v := range c.out.key {
		if v.kind == 0 {
			return fmt.Errorf("unsupported shape, WHERE does not fix %s of the primary key", d.Columns[d.Key[i]].Name)
		}
	}
	return nil
}

func (c *compiler) keyPart(w condition) int {
	if w.op != "=" || w.left.kind != opColumn || w.right.kind != opParam && w.right.kind != opConst {
		return -1
	}
	if q := w.left.qualifier; q != "" && q != c.src.alias {
		return -1
	}
	n, ok := c.table.desc.column(w.left.s)
	if !ok {
		return -1
	}
	return slices.Index(c.table.desc.Key, n)
}

func (c *compiler) changes(onConflict bool) error {
	for _, a := range c.src.set {
		n, err := c.column(a.column)
		if err != nil {
			return err
		}
		if c.table.desc.inKey(n) && (!onConflict || a.value.qualifier != "excluded" || a.value.s != a.column) {
			return fmt.Errorf("unsupported shape, %s of the primary key is changed", a.column)
		}
		if slices.ContainsFunc(c.out.set, func(x change) bool { return x.column == n }) {
			return fmt.Errorf("column %s is set twice", a.column)
		}
		v, err := c.bound(a.value, &c.table.desc.Columns[n], onConflict)
		if err != nil {
			return err
		}
		c.out.set = append(c.out.set, change{n, v})
	}
	return nil
}

func (c *compiler) test(w condition, onConflict bool) error {
	typed := w.left
	if typed.kind != opColumn {
		typed = w.right
	}
	if typed.kind != opColumn {
		return errors.New("unsupported shape, a condition without a column")
	}
	n, err := c.column(typed.s)
	if err != nil {
		return err
	}
	col := &c.table.desc.Columns[n]
	t := test{op: w.op, kind: col.kind}
	if t.left, err = c.bound(w.left, col, onConflict); err != nil {
		return err
	}
	if w.op != "null" && w.op != "notnull" {
		if t.right, err = c.bound(w.right, col, onConflict); err != nil {
			return err
		}
	}
	if (w.op[0] == '<' || w.op[0] == '>') && w.op != "<>" && !col.kind.ordered() {
		return fmt.Errorf("unsupported shape, %s on %s of type %s", w.op, col.Name, col.Type)
	}
	if col.kind == kindJSON {
		return fmt.Errorf("unsupported shape, json column %s is compared", col.Name)
	}
	c.out.where = append(c.out.where, t)
	return nil
}

// bound is operand where columns are allowed: those of the row, and in ON CONFLICT those of EXCLUDED.
func (c *compiler) bound(o operand, col *Column, onConflict bool) (value, error) {
	if o.kind != opColumn {
		return c.operand(o, col)
	}
	n, err := c.column(o.s)
	if err != nil {
		return value{}, err
	}
	if c.table.desc.Columns[n].kind != col.kind {
		return value{}, fmt.Errorf("unsupported shape, %s and %s differ in type", o.s, col.Name)
	}
	switch {
	case onConflict && o.qualifier == "excluded":
		return value{kind: fromNew, n: n}, nil
	case o.qualifier == c.src.alias, o.qualifier == "" && !onConflict:
		return value{kind: fromOld, n: n}, nil
	case o.qualifier == "":
		return value{}, fmt.Errorf("column %s is ambiguous: the row's or EXCLUDED's", o.s)
	default:
		return value{}, fmt.Errorf("unknown qualifier %s", o.qualifier)
	}
}

func (c *compiler) operand(o operand, col *Column) (value, error) {
	switch o.kind {
	case opParam:
		c.params[o.n] = true
		c.out.params = max(c.out.params, o.n+1)
		return value{kind: fromParam, n: o.n, column: col}, nil
	case opConst:
		cell, err := literal(col, o.s)
		return value{kind: fromConst, cell: cell}, err
	case opNull:
		return value{kind: fromConst}, nil
	default:
		return value{}, fmt.Errorf("unsupported shape, column %s", o.s)
	}
}

func (c *compiler) column(name string) (int, error) {
	n, ok := c.table.desc.column(name)
	if !ok {
		return 0, fmt.Errorf("table %s has no stored column %s", c.table.desc.Name, name)
	}
	return n, nil
}
