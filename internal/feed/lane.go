package feed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/jackc/pgx/v5"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
)

// lane is the way of one projector, reaction or follower along the log: its pace, its standing and those who wait for it. To
// watermill-sql it is the Beginner (see unit) and the BackoffManager.
//
// Only the subscriber's goroutine moves a lane; mu guards what others read.
type lane struct {
	name  string
	only  map[string]bool // of a reaction: the types it is told of, one event per message; nil: whole pages of all there is
	apply func(context.Context, DBTX, []dcb.Recorded) error
	// follow is set of a follower, apply of the others.
	follow func(context.Context, []eventlog.Raw) error

	cfg  *Config
	wake chan struct{} // capacity 1: a wake-up is never lost, and never blocks
	quit <-chan struct{}
	seen int        // events of the last page; the subscriber's own
	look sync.Mutex // held by the one waiter that asks the database

	mu       sync.Mutex
	limit    int // events of the next page: 1 after a failure, then growing
	failures int
	position int64     // known to be applied, here or elsewhere
	oldest   time.Time // created_at of the oldest event seen and not applied; zero: none
	standby  bool      // another process works
	stuck    *Stuck
	err      error         // why the last try failed
	commit   error         // a failed commit, which watermill-sql only logs
	moved    chan struct{} // closed and replaced when position, standby or stuck changes
}

func newLane(cfg *Config, quit <-chan struct{}, name string, apply func(context.Context, DBTX, []dcb.Recorded) error) *lane {
	return &lane{name: name, apply: apply, cfg: cfg, quit: quit, limit: cfg.Page, standby: true,
		wake: make(chan struct{}, 1), moved: make(chan struct{})}
}

// BeginTx opens a unit of work. The offset row is locked by the unit's first query.
func (l *lane) BeginTx(ctx context.Context, _ *sql.TxOptions) (wsql.Tx, error) {
	tx, err := l.cfg.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, err
	}
	return &unit{lane: l, tx: tx}, nil
}

var errNoTx = errors.New("feed: only in a transaction")

func (l *lane) ExecContext(context.Context, string, ...any) (wsql.Result, error) {
	return nil, errNoTx
}
func (l *lane) QueryContext(context.Context, string, ...any) (wsql.Rows, error) { return nil, errNoTx }

// HandleError is called after every try. It decides when the next one is made: at once after progress,
// when woken if there was nothing to do, after a pause if it failed.
func (l *lane) HandleError(_ watermill.LoggerAdapter, idle bool, err error) time.Duration {
	l.mu.Lock()
	err, l.commit = errors.Join(err, l.commit), nil
	l.mu.Unlock()
	select {
	case <-l.quit:
		return 0 // what was cut short by stopping is no failure
	default:
	}
	if err != nil {
		return l.failed(err)
	}
	l.recovered(idle)
	switch {
	case idle:
		l.rest(l.cfg.Poll, l.wake)
	case l.seen >= l.cfg.Page/4:
	case l.only != nil:
		l.rest(gatherLong, nil)
	default:
		l.rest(gather, nil)
	}
	return 0
}

// gather is how long a lane that keeps up lets events come together after a page: two thirds of what a small page costs it costs
// whatever its size. For a reaction nobody waits, so it takes longer. An event that comes to a lane at rest does not wait.
const (
	gather     = 5 * time.Millisecond
	gatherLong = 25 * time.Millisecond
)

// rest waits for a while, or until woken or told to stop.
func (l *lane) rest(most time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-wake:
	case <-t.C:
	case <-l.quit:
	}
}

func (l *lane) recovered(idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.follow != nil && l.failures > 0 && !idle {
		l.cfg.Log.Info("follower works again", "follower", l.name, "failures", l.failures)
	}
	l.failures, l.err = 0, nil
	if !idle {
		l.limit = min(l.limit*4, l.cfg.Page)
	}
}

func (l *lane) failed(err error) time.Duration {
	stuck, many := new(Stuck), errors.Is(err, errPage)
	if !errors.As(err, &stuck) {
		stuck = nil
	}
	l.mu.Lock()
	l.limit, l.err = 1, err
	pause := l.cfg.RetryMin << min(l.failures, 20)
	if pause <= 0 || pause > l.cfg.RetryMax {
		pause = l.cfg.RetryMax
	}
	if many {
		pause = 0 // the next try, with one event, tells which one it is
	} else {
		l.failures++
	}
	again := l.failures > 1
	if stuck != nil {
		l.stuck, l.standby = stuck, false
		l.signal()
	}
	l.mu.Unlock()

	switch {
	case many:
		l.cfg.Log.Warn("page failed, going on event by event", "projector", l.name, "err", err)
	case stuck != nil:
		args := []any{"projector", l.name, "position", stuck.Position, "type", stuck.Type, "err", stuck.Err, "retry_in", pause}
		if stuck.Stack != nil {
			args = append(args, "stack", string(stuck.Stack))
		}
		l.cfg.Log.Error("projector stopped before an event", args...)
	case l.follow == nil:
		l.cfg.Log.Error("projector cannot work", "projector", l.name, "err", err, "retry_in", pause)
	case !again: // what it follows for may be away for long; once is enough
		l.cfg.Log.Warn("follower cannot work, and goes on trying", "follower", l.name, "err", err)
	}
	if h := l.cfg.Hooks.Failed; h != nil && !many {
		h(l.name, err)
	}
	return pause
}

// saw notes what the unit's query found: the offset, and the oldest event beyond it.
func (l *lane) saw(offset int64, oldest time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.oldest = oldest
	l.advance(offset, false)
}

// stoodBy notes that another process holds the offset.
func (l *lane) stoodBy() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.standby {
		l.standby, l.stuck, l.oldest = true, nil, time.Time{}
		l.signal()
	}
}

// committed notes that the events up to position are in the tables.
func (l *lane) committed(position int64, events int, last time.Time) {
	l.mu.Lock()
	l.oldest = time.Time{}
	l.advance(position, false)
	l.mu.Unlock()
	if h := l.cfg.Hooks.Committed; h != nil {
		h(l.name, events, l.cfg.Now().Sub(last))
	}
}

// advance needs mu. The offset of a working lane may also go back: after a rebuild to an older position.
func (l *lane) advance(position int64, standby bool) {
	if position == l.position && standby == l.standby {
		return
	}
	l.position, l.standby = position, standby
	if l.stuck != nil && position >= l.stuck.Position {
		l.stuck = nil
	}
	l.signal()
}

// signal needs mu.
func (l *lane) signal() {
	close(l.moved)
	l.moved = make(chan struct{})
}

// Stuck says which event a projector cannot get past, and why.
type Stuck struct {
	Projector string
	Position  int64
	Type      string
	Err       error
	Stack     []byte // of a panic
}

func (s *Stuck) Error() string {
	return fmt.Sprintf("projector %s is stuck before event %d (%s): %v", s.Projector, s.Position, s.Type, s.Err)
}
func (s *Stuck) Unwrap() error { return s.Err }
