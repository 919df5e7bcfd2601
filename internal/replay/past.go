package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"chancery/internal/feed"
)

// PastConfig configures a Past.
type PastConfig struct {
	Owner       *pgxpool.Pool // as chancery_owner
	Project     *pgxpool.Pool // as chancery_project
	Decode      feed.Decode
	Projections []Projection  // whose tables are shown
	Schemas     int           // how many are kept; 0 means 8
	Keep        time.Duration // how long an unused one is kept; 0 means 5 min
	Build       time.Duration // how long one may take to build; 0 means 2 min
	Spill       int           // rows of a table that only grows which are kept in memory meanwhile; 0 means 10,000
	Now         func() time.Time
	Log         *slog.Logger
}

// Past shows a tenant's tables as they stood: it folds the events up to then into a schema of its own,
// which the usual queries then read, under the usual row security.
//
// mu guards entries and what is in them, except that an entry's err is written before ready is closed
// and not afterwards. An entry with refs > 0 is never dropped.
type Past struct {
	cfg  PastConfig
	work sync.WaitGroup // builders and the janitor
	stop context.CancelFunc

	mu      sync.Mutex
	closed  bool
	session *session // who we are to other processes
	entries map[string]*entry
	made    uint32 // entries so far
}

type entry struct {
	schema string
	ready  chan struct{} // closed when the schema can be read or err is set
	err    error
	refs   int
	used   time.Time
}

// Question asks for a tenant's tables at a position or, if At is set, at a time: the time its events
// occurred, which is not when they were recorded if they were imported.
type Question struct {
	Tenant   uuid.UUID
	Shared   []uuid.UUID // tenants whose rows it may see too, such as the root tenant
	Position int64
	At       time.Time
	// Everywhere lists types of events that it hears of all tenants. A partial index of the log SHOULD have exactly these.
	Everywhere []string
	// Of names the one projector whose tables are asked for; the view has no others then. "": all. Where it writes nothing of what
	// apps publish, that is not read, however much there is of it.
	Of string
}

// View is a schema to read. Release MUST be called when reading is done, once or more.
type View struct {
	Schema   string
	Position int64 // what it shows: the position asked for, or of the last event before the time asked for
	Release  func()
}

// What a Past may refuse.
var (
	ErrAhead = errors.New("replay: the position lies beyond the log")
	ErrFull  = errors.New("replay: too many past states are in use")
	errEnded = errors.New("replay: past is closed")
)

// OpenPast claims a place among other processes and drops what dead ones have left.
func OpenPast(ctx context.Context, cfg PastConfig) (*Past, error) {
	if cfg.Schemas <= 0 {
		cfg.Schemas = 8
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 5 * time.Minute
	}
	if cfg.Build <= 0 {
		cfg.Build = 2 * time.Minute
	}
	if cfg.Spill <= 0 {
		cfg.Spill = 10_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	p := &Past{cfg: cfg, entries: map[string]*entry{}}
	var err error
	if p.session, err = openSession(ctx, cfg.Owner); err != nil {
		return nil, fmt.Errorf("open past states: %w", err)
	}
	if err := p.session.dropLeftovers(ctx); err != nil {
		p.session.close(ctx)
		return nil, fmt.Errorf("drop leftover past states: %w", err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.work.Go(func() { p.janitor(background) })
	return p, nil
}

// Close waits for builders, and drops all schemas: nobody may be reading any more.
func (p *Past) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, e := range p.entries {
		p.drop(ctx, e.schema)
	}
	p.session.close(ctx)
}

// AsOf answers a question. Equal questions, and different ones with the same answer, share a schema.
func (p *Past) AsOf(ctx context.Context, q Question) (View, error) {
	v, err := p.asOf(ctx, q)
	if err != nil {
		return View{}, fmt.Errorf("past state: %w", err)
	}
	return v, nil
}

func (p *Past) asOf(ctx context.Context, q Question) (View, error) {
	stretches, position, err := p.locate(ctx, q)
	if err != nil {
		return View{}, err
	}
	e, err := p.enter(ctx, stretches, q.Of)
	if err != nil {
		return View{}, err
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		p.leave(e)
		return View{}, ctx.Err()
	}
	if e.err != nil {
		p.leave(e)
		return View{}, e.err
	}
	return View{Schema: e.schema, Position: position, Release: sync.OnceFunc(func() { p.leave(e) })}, nil
}

// enter takes a reference to the schema of the stretches, and has it built if it is not there.
func (p *Past) enter(ctx context.Context, stretches []stretch, of string) (*entry, error) {
	if err := p.alive(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errEnded
	}
	key := keyOf(stretches, of)
	if e := p.entries[key]; e != nil {
		e.refs++
		return e, nil
	}
	idle, ok := p.makeRoom()
	if !ok {
		return nil, ErrFull
	}
	p.made++ // part of the name: what was forgotten may be dropped while the same state is made again
	// Two references: the caller's and the builder's.
	e := &entry{schema: p.session.schema(fmt.Sprintf("%s%x", key, p.made)), ready: make(chan struct{}), refs: 2}
	p.entries[key] = e
	p.work.Go(func() {
		// Not under the caller's context: others may wait for the same schema.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Build)
		defer cancel()
		for _, schema := range idle {
			p.drop(ctx, schema)
		}
		err := p.build(ctx, e.schema, stretches, of)
		p.mu.Lock()
		defer p.mu.Unlock()
		e.refs--
		e.used = p.cfg.Now()
		if err != nil {
			e.err = err
			if p.entries[key] == e {
				delete(p.entries, key)
			}
		}
		close(e.ready)
	})
	return e, nil
}

func (p *Past) leave(e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.refs--
	e.used = p.cfg.Now()
}

// makeRoom needs mu. It forgets unused entries: those unused for long and, if it is full, the one unused
// longest. It returns their schemas, and whether there is room for one more.
func (p *Past) makeRoom() (schemas []string, ok bool) {
	var oldest string
	for key, e := range p.entries {
		if e.refs > 0 {
			continue
		}
		if p.cfg.Now().Sub(e.used) > p.cfg.Keep {
			schemas = append(schemas, e.schema)
			delete(p.entries, key)
		} else if oldest == "" || e.used.Before(p.entries[oldest].used) {
			oldest = key
		}
	}
	if len(p.entries) >= p.cfg.Schemas && oldest != "" {
		schemas = append(schemas, p.entries[oldest].schema)
		delete(p.entries, oldest)
	}
	return schemas, len(p.entries) < p.cfg.Schemas
}

// alive makes sure that the session which protects our schemas from other processes still exists. If it
// does not, they may be gone, and we begin anew under another name.
func (p *Past) alive(ctx context.Context) error {
	p.mu.Lock()
	s := p.session
	p.mu.Unlock()
	if s.alive(ctx) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	fresh, err := openSession(ctx, p.cfg.Owner)
	if err != nil {
		return err
	}
	p.mu.Lock()
	if p.session != s { // somebody was faster
		p.mu.Unlock()
		fresh.close(ctx)
		return nil
	}
	p.session = fresh
	clear(p.entries)
	p.mu.Unlock()
	s.close(ctx)
	return fresh.dropLeftovers(ctx)
}

func (p *Past) janitor(ctx context.Context) {
	tick := time.NewTicker(max(p.cfg.Keep/5, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.Sweep(ctx)
		}
	}
}

// Sweep drops what has not been used for long. It is done from time to time anyway.
func (p *Past) Sweep(ctx context.Context) {
	p.mu.Lock()
	var old []string
	for key, e := range p.entries {
		if e.refs == 0 && p.cfg.Now().Sub(e.used) > p.cfg.Keep {
			old = append(old, e.schema)
			delete(p.entries, key)
		}
	}
	p.mu.Unlock()
	for _, schema := range old {
		p.drop(ctx, schema)
	}
}

func (p *Past) drop(ctx context.Context, schema string) {
	if _, err := p.cfg.Owner.Exec(ctx, "DROP SCHEMA IF EXISTS "+ident(schema)+" CASCADE"); err != nil {
		p.cfg.Log.Warn("a past state could not be dropped; another process will, later", "schema", schema, "err", err)
	}
}

func (p *Past) build(ctx context.Context, schema string, stretches []stretch, of string) error {
	shown, source := p.cfg.Projections, newMerged(p.cfg.Project, stretches)
	if of != "" {
		shown = slices.DeleteFunc(slices.Clone(shown), func(x Projection) bool { return x.Projector.Name() != of })
	}
	if !slices.ContainsFunc(shown, func(x Projection) bool { return !x.Own }) {
		source.skipForeign()
	}
	tables, err := Describe(ctx, p.cfg.Project, liveSchema, tableNames(shown))
	if err != nil {
		return err
	}
	fold, err := NewFold(tables, source, p.cfg.Decode, shown)
	if err != nil {
		return err
	}
	var last int64
	for _, s := range stretches {
		last = max(last, s.position)
	}
	s := shadow{live: liveSchema, schema: schema, tables: tables}
	err = p.transact(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+ident(schema)+` CASCADE`); err != nil {
			return err
		}
		return s.create(ctx, tx, true)
	})
	if err != nil {
		return err
	}
	fold.spill = p.spiller(s, fold.Tables)
	if err = fold.To(ctx, everywhere(shown, last)); err == nil {
		err = p.transact(ctx, func(tx pgx.Tx) error {
			if _, err := s.load(ctx, tx, fold.Tables); err != nil {
				return err
			}
			if err := s.constrain(ctx, tx); err != nil {
				return err
			}
			return s.guard(ctx, tx)
		})
	}
	if err != nil {
		p.drop(context.WithoutCancel(ctx), schema)
	}
	return err
}

func (p *Past) transact(ctx context.Context, do func(pgx.Tx) error) error {
	return lightly(ctx, p.cfg.Owner, do)
}

// lightly runs a transaction of which a crash of PostgreSQL may take the outcome, until one that waits for the disk has followed.
func lightly(ctx context.Context, db interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}, do func(pgx.Tx) error,
) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
			return err
		}
		return do(tx)
	})
}

// spiller moves the rows of tables that only grow to the schema, once there are many: a past is as long as the log. Nobody else may
// read the schema yet.
func (p *Past) spiller(s shadow, from *Tables) func(context.Context) error {
	growing := shadow{live: s.live, schema: s.schema}
	for _, t := range s.tables {
		for _, projection := range p.cfg.Projections {
			if projection.Grows && slices.Contains(projection.Tables, t.Name) {
				growing.tables = append(growing.tables, t)
			}
		}
	}
	return func(ctx context.Context) error {
		if !slices.ContainsFunc(growing.tables, func(t Table) bool { return from.Len(t.Name) >= p.cfg.Spill }) {
			return nil
		}
		err := p.transact(ctx, func(tx pgx.Tx) error { _, err := growing.load(ctx, tx, from); return err })
		for _, t := range growing.tables {
			from.empty(t.Name)
		}
		return err
	}
}

// keyOf names the events that a schema is made of, and what of them is in it.
func keyOf(stretches []stretch, of string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q;", of)
	for _, s := range stretches {
		fmt.Fprintf(h, "%s:%d:%d:%q;", s.tenant, s.end, s.position, s.types)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
