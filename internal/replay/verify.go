package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Difference is one disagreement between a live table and the log. A row that only one side has is one
// difference, without column and values.
type Difference struct {
	Table, Key     string
	Kind           DifferenceKind
	Column         string
	Live, Replayed string
}

// DifferenceKind says how a row differs.
type DifferenceKind string

// The kinds of differences.
const (
	Changed    DifferenceKind = "changed"    // a column has another value
	Missing    DifferenceKind = "missing"    // the live table lacks a row
	Unexpected DifferenceKind = "unexpected" // the live table has a row too many
)

func (d Difference) String() string {
	switch d.Kind {
	case Missing:
		return fmt.Sprintf("%s (%s): row is missing", d.Table, d.Key)
	case Unexpected:
		return fmt.Sprintf("%s (%s): row is not in the log", d.Table, d.Key)
	default:
		return fmt.Sprintf("%s (%s): %s is %s, the log says %s", d.Table, d.Key, d.Column, d.Live, d.Replayed)
	}
}

// Verified is the outcome of a verification.
type Verified struct {
	Positions   map[string]int64 // of the projectors, at which their tables were compared
	Events      int64
	Rows        int64        // live rows compared
	Total       int          // differences found
	Differences []Difference // the first of them, ordered
}

// Verify compares the live tables of the projectors named (none: of all) with the log, each at its
// projector's own position, and names at most limit differences.
func (r *Replay) Verify(ctx context.Context, limit int, projectors ...string) (Verified, error) {
	v := &verification{limit: limit}
	if err := r.verify(ctx, v, projectors); err != nil {
		return v.out, fmt.Errorf("verify: %w", err)
	}
	slices.SortFunc(v.out.Differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Column, b.Column))
	})
	return v.out, nil
}

func (r *Replay) verify(ctx context.Context, v *verification, projectors []string) error {
	selected, err := r.selected(projectors)
	if err != nil {
		return err
	}
	tables, err := Describe(ctx, r.cfg.Project, liveSchema, tableNames(selected))
	if err != nil {
		return err
	}
	fold, err := NewFold(tables, r.cfg.Source, r.cfg.Decode, selected)
	if err != nil {
		return err
	}
	// Most of the work comes before the snapshot, which must not be held for long.
	if v.out.Positions, err = readOffsets(ctx, r.cfg.Project, selected); err != nil {
		return err
	}
	if err := fold.To(ctx, v.out.Positions); err != nil {
		return err
	}
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, r.cfg.Project, snapshot, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		if v.out.Positions, err = readOffsets(ctx, tx, selected); err != nil {
			return err
		}
		if err := fold.To(ctx, v.out.Positions); err != nil {
			return err
		}
		for _, t := range fold.Tables.order {
			if err := v.table(ctx, tx, t); err != nil {
				return fmt.Errorf("compare %s: %w", t.desc.Name, err)
			}
		}
		return nil
	})
	v.out.Events = fold.Events
	return err
}

func readOffsets(ctx context.Context, db Querier, ps []Projection) (map[string]int64, error) {
	out := everywhere(ps, 0)
	names := make([]string, 0, len(out))
	for n := range out {
		names = append(names, n)
	}
	rows, err := db.Query(ctx, selectOffsets, names)
	if err != nil {
		return nil, fmt.Errorf("read offsets: %w", err)
	}
	var name string
	var at int64
	_, err = pgx.ForEachRow(rows, []any{&name, &at}, func() error {
		out[name] = at
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read offsets: %w", err)
	}
	return out, nil
}

type verification struct {
	limit int
	out   Verified
}

// table streams the live rows, in no order, and finds each in memory.
func (v *verification) table(ctx context.Context, tx pgx.Tx, t *table) error {
	columns, dest := make([]string, len(t.desc.Columns)), make([]any, len(t.desc.Columns))
	for i := range t.desc.Columns {
		columns[i] = ident(t.desc.Columns[i].Name)
		dest[i] = newDest(&t.desc.Columns[i])
	}
	rows, err := tx.Query(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+ident(liveSchema, t.desc.Name))
	if err != nil {
		return err
	}
	defer rows.Close()
	seen := make(map[string]bool, len(t.rows))
	live := make([]any, len(dest))
	var key []byte
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i := range dest {
			if live[i], err = cellOf(&t.desc.Columns[i], dest[i]); err != nil {
				return err
			}
		}
		key = key[:0]
		for _, n := range t.desc.Key {
			if key, err = appendKey(key, live[n]); err != nil {
				return err
			}
		}
		v.out.Rows++
		v.row(t, string(key), live, seen)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for key, row := range t.rows {
		if !seen[key] {
			v.found(Difference{Table: t.desc.Name, Key: t.desc.keyText(row), Kind: Missing})
		}
	}
	return nil
}

func (v *verification) row(t *table, key string, live []any, seen map[string]bool) {
	replayed := t.rows[key]
	if replayed == nil {
		v.found(Difference{Table: t.desc.Name, Key: t.desc.keyText(live), Kind: Unexpected})
		return
	}
	seen[key] = true
	for i := range live {
		if c := &t.desc.Columns[i]; !equal(c.kind, live[i], replayed[i]) {
			v.found(Difference{Table: t.desc.Name, Key: t.desc.keyText(live), Kind: Changed,
				Column: c.Name, Live: show(live[i]), Replayed: show(replayed[i])})
		}
	}
}

func (v *verification) found(d Difference) {
	v.out.Total++
	if len(v.out.Differences) < v.limit {
		v.out.Differences = append(v.out.Differences, d)
	}
}
