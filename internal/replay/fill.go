package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// spilling is forward, while another goroutine brings rows of tables that only grow in: PostgreSQL would have nothing to do meanwhile.
func (b *rebuild) spilling(ctx context.Context, conn *pgx.Conn) (err error) {
	const many = 4000
	ready := make(chan *Tables, 1)
	var loading error
	var wg sync.WaitGroup
	wg.Go(func() {
		for some := range ready {
			if loading == nil {
				one := shadow{live: b.shadow.live, schema: b.shadow.schema, tables: some.described()}
				loading = lightly(ctx, conn, func(tx pgx.Tx) error {
					n, err := one.load(ctx, tx, some)
					b.out.Rows += n
					return err
				})
			}
		}
	})
	growing := growing(b.projections)
	b.fold.spill = func(context.Context) error {
		if some := b.fold.Tables.take(growing, many); some != nil {
			ready <- some
		}
		return nil
	}
	err = b.forward(ctx)
	b.fold.spill = nil
	close(ready)
	wg.Wait()
	return errors.Join(err, loading)
}

// fill brings the rows in, the tables shared out between two connections: PostgreSQL gives a connection one core. It commits as it
// goes, and waits for the disk with the swap; the schema is dropped if anything fails, and at the next try.
func (b *rebuild) fill(ctx context.Context, second *pgx.Conn) (err error) {
	tables, growing := slices.Clone(b.shadow.tables), growing(b.projections)
	rows := func(t Table) int {
		if slices.Contains(growing, t.Name) { // what is left of them says nothing of how long their indexes take
			return math.MaxInt
		}
		return len(b.fold.Tables.tables[t.Name].rows)
	}
	slices.SortStableFunc(tables, func(x, y Table) int { return cmp.Compare(rows(y), rows(x)) })
	waiting := make(chan Table, len(tables))
	for _, t := range tables {
		waiting <- t
	}
	close(waiting)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	conns := [...]*pgx.Conn{b.conn, second}
	var did [len(conns)]filled
	for i, conn := range conns {
		wg.Go(func() {
			if did[i].err = did[i].all(ctx, conn, b, waiting); did[i].err != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	for _, d := range did {
		b.out.Rows += d.rows
		b.out.Copy, b.out.Index = max(b.out.Copy, d.copying), max(b.out.Index, d.indexing)
		if err == nil || errors.Is(err, context.Canceled) { // the other one's error is why this one was cancelled
			err = d.err
		}
	}
	b.fold.Tables.Mark()
	return err
}

// filled is what one connection did of fill.
type filled struct {
	rows              int64
	copying, indexing time.Duration
	err               error
}

func (f *filled) all(ctx context.Context, conn *pgx.Conn, b *rebuild, waiting <-chan Table) error {
	for t := range waiting {
		one := shadow{live: b.shadow.live, schema: b.shadow.schema, tables: []Table{t}}
		if err := lightly(ctx, conn, func(tx pgx.Tx) error { return f.table(ctx, tx, one, b.fold.Tables) }); err != nil {
			return err
		}
	}
	return nil
}

func (f *filled) table(ctx context.Context, tx pgx.Tx, one shadow, from *Tables) error {
	err := timed(&f.copying, func() error {
		n, err := one.load(ctx, tx, from)
		f.rows += n
		return err
	})
	if err != nil {
		return err
	}
	return timed(&f.indexing, func() error {
		if err := one.constrain(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, one.tables[0].analyze(one.schema)); err != nil {
			return fmt.Errorf("analyze %s: %w", one.tables[0].Name, err)
		}
		return nil
	})
}

// analyze leaves documents out: their statistics cost as much as those of all other columns, and no query compares them.
func (t Table) analyze(schema string) string {
	var columns []string
	for _, c := range t.Columns {
		if c.kind != kindJSON && c.kind != kindJSONB {
			columns = append(columns, ident(c.Name))
		}
	}
	return fmt.Sprintf("ANALYZE %s (%s)", ident(schema, t.Name), strings.Join(columns, ", "))
}

// growing are the tables that only grow.
func growing(ps []Projection) (out []string) {
	for _, p := range ps {
		if p.Grows {
			out = append(out, p.Tables...)
		}
	}
	return out
}
