// Package feed carries the event log to projectors through Watermill, page by page; it never writes the log.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
)

// DBTX is what a projector writes to: the interface that sqlc generates. Exec queues a statement; it
// runs together with the checkpoint. Query and QueryRow refuse: a projector never reads.
type DBTX interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Projector turns events into rows. Apply MUST depend on nothing but the page: no clock, no chance, no
// reads. It may be called again with the same events after a failure, with none of its writes kept.
type Projector interface {
	Name() string
	Apply(ctx context.Context, db DBTX, page []dcb.Recorded) error
}

// Reaction is told of one event at a time, in order, of those that come after it was first begun. What it writes to db is kept
// together with the checkpoint; what it does elsewhere may happen more than once. A failure holds up what comes after it.
type Reaction interface {
	Name() string
	Types() []string // of the events that it is told of; others pass without being decoded
	React(ctx context.Context, db DBTX, event dcb.Recorded) error
}

// Follower is told of whole pages of events, as they are stored and from the first one on, and carries them elsewhere, where the same
// may happen more than once. Nobody waits for it: while it fails it is tried again, for ever, and a rebuild never runs it. Follow MUST
// return within seconds, a transaction stays open meanwhile; and MUST NOT change the events.
type Follower interface {
	Name() string
	Follow(ctx context.Context, page []eventlog.Raw) error
}

// Decode opens a stored event. An unknown type is an error, and stops the projector before that event.
type Decode func(eventlog.Raw) (dcb.Recorded, error)

// Config of a Feed. Pool, Decode and at least one projector, reaction or follower are required.
type Config struct {
	Pool       *pgxpool.Pool // as role chancery_project with search_path core
	Decode     Decode
	Projectors []Projector
	Reactions  []Reaction
	Followers  []Follower

	Page               int           // largest page; 0 means 1000
	Poll               time.Duration // how often to look without being woken; 0 means 1 s
	RetryMin, RetryMax time.Duration // bounds of the pause after failures; 0 means 100 ms and 15 s
	Now                func() time.Time
	Log                *slog.Logger
	Hooks              Hooks
}

// Hooks are told what happens, for metrics; each may be nil. They are called by the projector's own
// goroutine and MUST NOT block.
type Hooks struct {
	Committed func(projector string, events int, lag time.Duration) // lag is now minus created_at of the last event
	Failed    func(projector string, err error)
	Notified  func() // some process appended events, or may have
}

// Feed runs the projectors of one ledger in this process. Other processes may run the same ones: of each
// projector one copy works, the others stand by.
type Feed struct {
	cfg   Config
	lanes []*lane

	quit    chan struct{} // closed when it is time to stop
	once    sync.Once     // closes quit
	mu      sync.Mutex    // owns started
	started bool
	done    chan struct{} // closed when Run has returned
}

// New checks the config; nothing runs before Run.
func New(cfg Config) (*Feed, error) {
	if cfg.Pool == nil || cfg.Decode == nil {
		return nil, errors.New("feed: pool and decode are required")
	}
	setDefaults(&cfg)
	f := &Feed{cfg: cfg, quit: make(chan struct{}), done: make(chan struct{})}
	for _, p := range cfg.Projectors {
		f.lanes = append(f.lanes, newLane(&f.cfg, f.quit, p.Name(), p.Apply))
	}
	for _, r := range cfg.Reactions {
		l := newLane(&f.cfg, f.quit, r.Name(), func(ctx context.Context, db DBTX, page []dcb.Recorded) error { return r.React(ctx, db, page[0]) })
		l.only = map[string]bool{}
		for _, typ := range r.Types() {
			l.only[typ] = true
		}
		f.lanes = append(f.lanes, l)
	}
	for _, w := range cfg.Followers {
		l := newLane(&f.cfg, f.quit, w.Name(), nil)
		l.follow = w.Follow
		f.lanes = append(f.lanes, l)
	}
	if len(f.lanes) == 0 {
		return nil, errors.New("feed: no projectors")
	}
	seen := map[string]bool{}
	for _, l := range f.lanes {
		if l.name == "" || seen[l.name] {
			return nil, fmt.Errorf("feed: projector name %q is empty or used twice", l.name)
		}
		seen[l.name] = true
	}
	return f, nil
}

func setDefaults(c *Config) {
	if c.Page <= 0 {
		c.Page = 1000
	}
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
	if c.RetryMin <= 0 {
		c.RetryMin = 100 * time.Millisecond
	}
	if c.RetryMax <= 0 {
		c.RetryMax = 15 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

// Begin gives reactions that are new here their checkpoint: they begin at the head of the log. What is appended after it has
// returned they are told of. A projector and a follower begin at the first event, and need no Begin.
func (f *Feed) Begin(ctx context.Context) error {
	for _, l := range f.lanes {
		if l.only == nil {
			continue
		}
		if _, err := f.cfg.Pool.Exec(ctx, insertOffsetAtHead, l.name); err != nil {
			return fmt.Errorf("begin reaction %s: %w", l.name, err)
		}
	}
	return nil
}

// Run feeds the projectors until ctx ends or Close is called, and returns nil then. Call it once.
func (f *Feed) Run(ctx context.Context) error {
	f.mu.Lock()
	again := f.started
	f.started = true
	f.mu.Unlock()
	if again {
		return errors.New("feed: run twice")
	}
	defer close(f.done)

	router, err := f.router()
	if err != nil {
		return fmt.Errorf("set up feed: %w", err)
	}
	listening, stopListening := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { f.listen(listening) })
	defer wg.Wait()
	defer stopListening()

	// The router has a context of its own: a page in flight is finished or dropped in order, not cut.
	ran := make(chan error, 1)
	go func() { ran <- router.Run(context.WithoutCancel(ctx)) }()
	select {
	case err := <-ran:
		f.stop()
		return fmt.Errorf("start feed: %w", err)
	case <-router.Running():
	}
	select {
	case <-ctx.Done():
	case <-f.quit:
	}
	f.stop() // wakes idle lanes first, so that closing the router does not wait for a poll
	return errors.Join(router.Close(), <-ran)
}

// Close stops Run and waits for it. A page being worked on is dropped or committed as a whole.
func (f *Feed) Close() {
	f.stop()
	f.mu.Lock()
	started := f.started
	f.started = true
	f.mu.Unlock()
	if started {
		<-f.done
	}
}

func (f *Feed) stop() { f.once.Do(func() { close(f.quit) }) }

// Poke wakes the projectors; the appender of this process calls it after each commit. It never blocks.
func (f *Feed) Poke() {
	for _, l := range f.lanes {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

func (f *Feed) lane(name string) *lane {
	for _, l := range f.lanes {
		if l.name == name {
			return l
		}
	}
	return nil
}

const topic = "events"

func (f *Feed) router() (*message.Router, error) {
	quiet := map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug, watermill.LevelTrace: slog.LevelDebug - 4}
	log := watermill.NewSlogLoggerWithLevelMapping(f.cfg.Log, quiet)
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: time.Minute}, log)
	if err != nil {
		return nil, err
	}
	var never time.Duration // no ack deadline: it would commit half-done work
	for _, l := range f.lanes {
		s, err := wsql.NewSubscriber(l, wsql.SubscriberConfig{
			ConsumerGroup: l.name, AckDeadline: &never,
			SchemaAdapter: topicSchema{l}, OffsetsAdapter: offsets{l}, BackoffManager: l,
		}, log)
		if err != nil {
			return nil, err
		}
		router.AddConsumerHandler(l.name, topic, s, l.handle)
	}
	return router, nil
}
