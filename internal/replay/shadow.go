package replay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// shadow is a second set of tables, in a schema of its own, made to be indistinguishable from the live
// ones. It is built in the order of its methods, as the tables' owner; COPY needs the rows to be in
// before row security is on.
type shadow struct {
	live   string // schema of the tables to imitate
	schema string
	tables []Table
}

func (s shadow) names() []string {
	out := make([]string, len(s.tables))
	for i, t := range s.tables {
		out[i] = t.Name
	}
	return out
}

// create makes the schema and bare tables: columns, defaults, generated columns and CHECK constraints.
// Unlogged tables are faster, and empty after a crash.
func (s shadow) create(ctx context.Context, tx pgx.Tx, unlogged bool) error {
	if _, err := tx.Exec(ctx, "CREATE SCHEMA "+ident(s.schema)); err != nil {
		return fmt.Errorf("create schema %s: %w", s.schema, err)
	}
	kind := "TABLE"
	if unlogged {
		kind = "UNLOGGED TABLE"
	}
	for _, t := range s.tables {
		sql := fmt.Sprintf("CREATE %s %s (LIKE %s INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS)",
			kind, ident(s.schema, t.Name), ident(s.live, t.Name))
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create %s.%s: %w", s.schema, t.Name, err)
		}
	}
	return s.run(ctx, tx, storageStatements)
}

// load copies all rows in.
func (s shadow) load(ctx context.Context, tx pgx.Tx, from *Tables) (rows int64, err error) {
	for _, t := range s.tables {
		n, err := tx.CopyFrom(ctx, pgx.Identifier{s.schema, t.Name}, t.columnNames(), copyAll(from.tables[t.Name].rows))
		if err != nil {
			return rows, fmt.Errorf("copy into %s.%s: %w", s.schema, t.Name, err)
		}
		rows += n
	}
	return rows, nil
}

// constrain adds primary keys, unique and exclusion constraints, and indexes, under the live names.
func (s shadow) constrain(ctx context.Context, tx pgx.Tx) error {
	return s.run(ctx, tx, keyStatements, indexStatements)
}

// patch brings the rows changed since Mark up to date.
func (s shadow) patch(ctx context.Context, tx pgx.Tx, from *Tables) error {
	gone := &pgx.Batch{}
	for _, t := range s.tables {
		x := from.tables[t.Name]
		if len(x.touched) == 0 {
			continue
		}
		var where []string
		for i, n := range t.Key {
			where = append(where, fmt.Sprintf("%s = $%d", ident(t.Columns[n].Name), i+1))
		}
		sql := fmt.Sprintf("DELETE FROM %s WHERE %s", ident(s.schema, t.Name), strings.Join(where, " AND "))
		for _, key := range x.touched {
			gone.Queue(sql, key...)
		}
	}
	if gone.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, gone).Close(); err != nil {
		return fmt.Errorf("remove changed rows from %s: %w", s.schema, err)
	}
	for _, t := range s.tables {
		x := from.tables[t.Name]
		there := map[string][]any{}
		for key := range x.touched {
			if row := x.rows[key]; row != nil {
				there[key] = row
			}
		}
		if len(there) == 0 {
			continue
		}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{s.schema, t.Name}, t.columnNames(), copyAll(there)); err != nil {
			return fmt.Errorf("copy changed rows into %s.%s: %w", s.schema, t.Name, err)
		}
	}
	return nil
}

// guard adds foreign keys, row security with its policies, and the grants of the tables and the schema.
func (s shadow) guard(ctx context.Context, tx pgx.Tx) error {
	return s.run(ctx, tx, foreignStatements, securityStatements, grantStatements)
}

// run asks the catalog for statements and executes them. $1 is the live schema, $2 the shadow's, $3 the
// tables. Nothing is in the search path then, so that the catalog spells out every name.
func (s shadow) run(ctx context.Context, tx pgx.Tx, queries ...string) error {
	var before string
	if err := tx.QueryRow(ctx, `SELECT current_setting('search_path')`).Scan(&before); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `SELECT set_config('search_path', '', true)`); err != nil {
		return err
	}
	for _, q := range queries {
		rows, err := tx.Query(ctx, q, s.live, s.schema, s.names())
		if err != nil {
			return fmt.Errorf("read the catalog: %w", err)
		}
		statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("read the catalog: %w", err)
		}
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("shadow %s: %s: %w", s.schema, sql, err)
			}
		}
	}
	_, err := tx.Exec(ctx, `SELECT set_config('search_path', $1, true)`, before)
	return err
}

// fit says why the live tables cannot be replaced by copies, if they cannot.
func (s shadow) fit(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, obstacles, s.live, s.names())
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	if len(found) > 0 {
		return fmt.Errorf("cannot replace the tables: %s", strings.Join(found, "; "))
	}
	return nil
}

func ident(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

type copySource struct {
	rows [][]any
	next int
}

// copyAll sends the rows in the order of their keys: neighbours end up on the same page, and indexes are built faster.
func copyAll(rows map[string][]any) *copySource {
	c := &copySource{rows: make([][]any, 0, len(rows))}
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		c.rows = append(c.rows, rows[key])
	}
	return c
}

func (c *copySource) Next() bool {
	c.next++
	return c.next <= len(c.rows)
}
func (c *copySource) Values() ([]any, error) { return c.rows[c.next-1], nil }
func (c *copySource) Err() error             { return nil }
