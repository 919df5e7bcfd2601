package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"chancery/internal/feed"
)

// Config of a Replay; all but Log is required.
type Config struct {
	Owner       *pgxpool.Pool // as chancery_owner: makes, swaps and drops tables
	Project     *pgxpool.Pool // as chancery_project: reads the log and the live tables of all tenants
	Source      Source        // the whole log
	Decode      feed.Decode
	Projections []Projection
	Log         *slog.Logger
}

// Replay rebuilds and verifies the projections of one ledger.
type Replay struct{ cfg Config }

// New checks that no table is claimed twice.
func New(cfg Config) (*Replay, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	seen := map[string]bool{}
	for _, p := range cfg.Projections {
		for _, n := range append(slices.Clone(p.Tables), "projector "+p.Projector.Name()) {
			if seen[n] {
				return nil, fmt.Errorf("replay: %s is listed twice", n)
			}
			seen[n] = true
		}
	}
	return &Replay{cfg: cfg}, nil
}

const (
	liveSchema = "core"
	lockClass  = 4847002 // of our advisory locks; the log's is 4847001
	lockBuild  = 0
)

// Rebuilt says what a rebuild did. The live tables were out of reach for Swap only. Copy and Index overlap, on two
// connections: each is the time of the one that took longer.
type Rebuilt struct {
	Position                      int64
	Events, Statements, Rows      int64
	Fold, Copy, Index, Tail, Swap time.Duration
}

// ErrBusy: another rebuild is under way.
var ErrBusy = errors.New("replay: another rebuild is under way")

// Rebuild replaces the tables of the projectors named (none: of all) by what the log says they are, and
// sets the projectors to that position, also those stuck before it. Projectors and readers go on while
// it works; during the swap they wait. After an error nothing has changed.
func (r *Replay) Rebuild(ctx context.Context, projectors ...string) (out Rebuilt, err error) {
	selected, err := r.selected(projectors)
	if err != nil {
		return out, err
	}
	c, err := r.cfg.Owner.Acquire(ctx)
	if err != nil {
		return out, fmt.Errorf("rebuild: %w", err)
	}
	conn := c.Hijack() // its session holds the lock, whatever happens
	defer conn.Close(context.WithoutCancel(ctx))
	var free bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1::int, $2::int)`, lockClass, lockBuild).Scan(&free); err != nil {
		return out, fmt.Errorf("rebuild: %w", err)
	}
	if !free {
		return out, ErrBusy
	}
	defer func() { // closing alone would free it a moment later
		_, _ = conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1::int, $2::int)`, lockClass, lockBuild)
	}()
	b := &rebuild{cfg: &r.cfg, conn: conn, projections: selected, out: &out}
	if err := b.run(ctx); err != nil {
		_, dropErr := conn.Exec(context.WithoutCancel(ctx), `DROP SCHEMA IF EXISTS `+ident(rebuildSchema)+` CASCADE`)
		return out, errors.Join(fmt.Errorf("rebuild: %w", err), dropErr)
	}
	return out, nil
}

func (r *Replay) selected(names []string) ([]Projection, error) {
	if len(names) == 0 {
		return r.cfg.Projections, nil
	}
	var out []Projection
	for _, n := range names {
		i := slices.IndexFunc(r.cfg.Projections, func(p Projection) bool { return p.Projector.Name() == n })
		if i < 0 {
			return nil, fmt.Errorf("replay: unknown projector %q", n)
		}
		out = append(out, r.cfg.Projections[i])
	}
	return out, nil
}

const rebuildSchema = "core_rebuild"

type rebuild struct {
	cfg         *Config
	conn        *pgx.Conn
	projections []Projection
	shadow      shadow
	fold        *Fold
	out         *Rebuilt
}

func (b *rebuild) run(ctx context.Context) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := lightly(ctx, b.conn, func(tx pgx.Tx) error { return b.shadow.create(ctx, tx, false) }); err != nil {
		return err
	}
	if err := b.cfg.Owner.AcquireFunc(ctx, func(second *pgxpool.Conn) error { return b.build(ctx, second.Conn()) }); err != nil {
		return err
	}
	if err := timed(&b.out.Tail, func() error { return b.tail(ctx) }); err != nil {
		return err
	}
	return b.swapRetrying(ctx)
}

// build folds the log and fills the tables, over two connections.
func (b *rebuild) build(ctx context.Context, second *pgx.Conn) error {
	if err := timed(&b.out.Fold, func() error { return b.spilling(ctx, second) }); err != nil {
		return err
	}
	return b.fill(ctx, second)
}

func (b *rebuild) prepare(ctx context.Context) error {
	if _, err := b.conn.Exec(ctx, `SET statement_timeout = 0; DROP SCHEMA IF EXISTS `+ident(rebuildSchema)+` CASCADE`); err != nil {
		return fmt.Errorf("clear up: %w", err)
	}
	tables, err := Describe(ctx, b.conn, liveSchema, tableNames(b.projections))
	if err != nil {
		return err
	}
	b.shadow = shadow{live: liveSchema, schema: rebuildSchema, tables: tables}
	if err := pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) error { return b.shadow.fit(ctx, tx) }); err != nil {
		return err
	}
	b.fold, err = NewFold(tables, b.cfg.Source, b.cfg.Decode, b.projections)
	return err
}

// forward folds up to the head of the log.
func (b *rebuild) forward(ctx context.Context) error {
	var head int64
	if err := b.conn.QueryRow(ctx, selectHead).Scan(&head); err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	b.out.Position = head
	return b.fold.To(ctx, everywhere(b.projections, head))
}

// tail catches up with what was appended meanwhile, until little is left for the swap.
func (b *rebuild) tail(ctx context.Context) error {
	const little, rounds = 1000, 10
	for range rounds {
		before := b.fold.Events
		if err := b.forward(ctx); err != nil {
			return err
		}
		if err := pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) error { return b.shadow.patch(ctx, tx, b.fold.Tables) }); err != nil {
			return err
		}
		b.fold.Tables.Mark()
		if b.fold.Events-before <= little {
			break
		}
	}
	return nil
}

// swapRetrying gives way to readers: each try waits for them a short time only, since who comes after us
// waits behind us.
func (b *rebuild) swapRetrying(ctx context.Context) error {
	const tries = 10
	for try := 1; ; try++ {
		err := timed(&b.out.Swap, func() error { return pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) error { return b.swap(ctx, tx) }) })
		pg := new(pgconn.PgError)
		if err == nil || try == tries || !errors.As(err, &pg) || pg.Code != "55P03" && pg.Code != "40P01" { // lock timeout, deadlock
			return err
		}
		b.cfg.Log.Warn("rebuild: tables are in use, trying again", "try", try, "err", err)
	}
}

// swap puts the shadow in the place of the live tables. Locks: the offset rows of the projectors, so that
// none works; then the live tables, exclusively, for the time of the renaming.
func (b *rebuild) swap(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '3s'`); err != nil {
		return err
	}
	names := make([]string, len(b.projections))
	for i, p := range b.projections {
		names[i] = p.Projector.Name()
	}
	if _, err := tx.Exec(ctx, insertOffsets, names); err != nil {
		return fmt.Errorf("lock offsets: %w", err)
	}
	if _, err := tx.Exec(ctx, lockOffsets, names); err != nil {
		return fmt.Errorf("lock offsets: %w", err)
	}
	if err := b.forward(ctx); err != nil {
		return err
	}
	if err := b.shadow.patch(ctx, tx, b.fold.Tables); err != nil {
		return err
	}
	if err := b.shadow.guard(ctx, tx); err != nil {
		return err
	}
	if err := b.move(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, setOffsets, names, b.out.Position); err != nil {
		return fmt.Errorf("set offsets: %w", err)
	}
	b.out.Events, b.out.Statements = b.fold.Events, b.fold.Tables.executed
	return nil
}

func (b *rebuild) move(ctx context.Context, tx pgx.Tx) error {
	names := make([]string, len(b.shadow.tables))
	for i, t := range b.shadow.tables {
		names[i] = ident(liveSchema, t.Name)
	}
	live := strings.Join(names, ", ")
	statements := []string{"LOCK TABLE " + live + " IN ACCESS EXCLUSIVE MODE", "DROP TABLE " + live}
	for _, t := range b.shadow.tables {
		statements = append(statements, fmt.Sprintf("ALTER TABLE %s SET SCHEMA %s", ident(b.shadow.schema, t.Name), ident(liveSchema)))
	}
	statements = append(statements, "DROP SCHEMA "+ident(b.shadow.schema))
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("swap tables: %s: %w", sql, err)
		}
	}
	return nil
}

const (
	selectHead    = `SELECT coalesce(max(position), 0) FROM core.events`
	insertOffsets = `INSERT INTO core.projection_offsets (projection, position) SELECT unnest($1::text[]), 0 ON CONFLICT DO NOTHING`
	lockOffsets   = `SELECT position FROM core.projection_offsets WHERE projection = ANY ($1) ORDER BY projection FOR UPDATE`
	setOffsets    = `UPDATE core.projection_offsets SET position = $2, updated_at = now() WHERE projection = ANY ($1)`
	selectOffsets = `SELECT projection, position FROM core.projection_offsets WHERE projection = ANY ($1) ORDER BY projection`
)

func tableNames(ps []Projection) (out []string) {
	for _, p := range ps {
		out = append(out, p.Tables...)
	}
	return out
}

func everywhere(ps []Projection, position int64) map[string]int64 {
	out := map[string]int64{}
	for _, p := range ps {
		out[p.Projector.Name()] = position
	}
	return out
}

func timed(d *time.Duration, f func() error) error {
	start := time.Now()
	defer func() { *d += time.Since(start) }()
	return f()
}
