// Package due finds what has come due in the tables, whichever tenant it is of, and hands each thing over. It changes
// nothing itself and knows no feature.
//
// It promises at least once: whoever a thing is handed to MUST see to it that doing it twice changes nothing, as a decision
// does that rests on the thing's own history. So processes that share a database need not know of each other, and one that
// dies in the midst leaves the rest to the next round.
package due

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Dates is a column of dates: those that have come are due until the column changes. The words are part of a statement and
// MUST be the program's own. The table has the columns tenant_id and id, and a partial index on (Column, tenant_id, id).
type Dates struct {
	Table  string
	Column string // NULL: never due
	Where  string // what else must hold of the row; empty for nothing
}

// Thing is a row whose date has come.
type Thing struct {
	Tenant, ID uuid.UUID
	At         time.Time // the date
}

// Watch says what to do about dates that have come.
type Watch struct {
	Name string // for the log
	Dates
	// Do is handed things, the oldest first, and answers what failed of which, in their order; nil where nothing did.
	Do func(context.Context, []Thing) []error
}

// Each does something about one thing after the other.
func Each(do func(context.Context, Thing) error) func(context.Context, []Thing) []error {
	return func(ctx context.Context, things []Thing) []error {
		failed := make([]error, len(things))
		for i := 0; i < len(things) && ctx.Err() == nil; i++ {
			failed[i] = do(ctx, things[i])
		}
		return failed
	}
}

// Config of a Watcher. Pool and Now are required.
type Config struct {
	Pool    *pgxpool.Pool // of a role that sees every tenant; nothing is written through it
	Now     func() time.Time
	Every   time.Duration // from one round to the next; 0 means 10 s
	Log     *slog.Logger  // none: slog.Default
	Watches []Watch
}

// Watcher looks for what is due, round after round.
type Watcher struct{ cfg Config }

// New makes a watcher; it does nothing before Run.
func New(c Config) *Watcher {
	if c.Every <= 0 {
		c.Every = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Watcher{c}
}

// Run makes a round at once and then every so often, until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	tick := time.NewTicker(w.cfg.Every)
	defer tick.Stop()
	for {
		if err := w.Round(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Log.ErrorContext(ctx, "not everything that is due was done", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Round hands over everything that is due now, in portions, the oldest first. What fails is left for the next round and keeps nothing
// else from being done.
func (w *Watcher) Round(ctx context.Context) error {
	now := w.cfg.Now()
	var failed []error
	for _, watch := range w.cfg.Watches {
		if err := w.round(ctx, watch, now); err != nil {
			failed = append(failed, fmt.Errorf("due %s: %w", watch.Name, err))
		}
	}
	return errors.Join(failed...)
}

const page = 500

func (w *Watcher) round(ctx context.Context, watch Watch, now time.Time) error {
	var first error
	missed := 0
	for last := (Thing{}); ; {
		things, err := w.list(ctx, watch.Dates, now, last)
		if err != nil {
			return err
		}
		if len(things) == 0 {
			break
		}
		for _, err := range watch.Do(ctx, things) {
			if err == nil {
				continue
			}
			if missed++; first == nil {
				first = err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		last = things[len(things)-1]
	}
	if missed > 0 {
		return fmt.Errorf("%d failed, the first because: %w", missed, first)
	}
	return nil
}

// list is a page of what is due, after a thing.
func (w *Watcher) list(ctx context.Context, d Dates, now time.Time, after Thing) ([]Thing, error) {
	where := d.Where
	if where == "" {
		where = "true"
	}
	sql := fmt.Sprintf(`SELECT tenant_id, id, %[1]s FROM core.%[2]s
		WHERE %[1]s <= $1 AND (%[1]s, tenant_id, id) > ($2, $3, $4) AND %[3]s ORDER BY %[1]s, tenant_id, id LIMIT $5`, d.Column, d.Table, where)
	rows, err := w.cfg.Pool.Query(ctx, sql, now, after.At, after.Tenant, after.ID, page)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Thing, err error) {
		err = row.Scan(&t.Tenant, &t.ID, &t.At)
		t.At = t.At.UTC()
		return t, err
	})
}
