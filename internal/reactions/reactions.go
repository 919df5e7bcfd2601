// Package reactions has something done about events, over the feed: again and again until it is done, but for no event for ever.
// It knows no feature.
package reactions

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"chancery/internal/dcb"
	"chancery/internal/feed"
)

// Config of a Reaction. Name, Types and Do are required.
type Config struct {
	Name  string   // of its checkpoint, for ever
	Types []string // of the events that something is done about
	// Do is called for each event in order. An event comes again after a failure, and after a crash also when it was done: doing
	// it twice MUST change nothing.
	Do func(context.Context, dcb.Recorded) error
	// Passing tells trouble of the surroundings, which will pass, from trouble with the event. May be nil: there is none of the first.
	Passing func(error) bool
	Tries   int // of one event, after which it is given up and the next one has its turn; 0 means 12: a good minute with the feed's pauses
	Log     *slog.Logger
	GaveUp  func() // told of each event that is given up; may be nil
}

// Reaction is a consumer of the feed.
//
// mu owns at and tries, which are about the event that failed last. A restart forgets them: then there are as many tries again.
type Reaction struct {
	cfg Config

	mu    sync.Mutex
	at    int64
	tries int
}

var _ feed.Reaction = (*Reaction)(nil)

// New makes a reaction for a feed.
func New(c Config) *Reaction {
	if c.Tries <= 0 {
		c.Tries = 12
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Reaction{cfg: c}
}

// Name implements feed.Reaction.
func (r *Reaction) Name() string { return r.cfg.Name }

// Types implements feed.Reaction.
func (r *Reaction) Types() []string { return r.cfg.Types }

// React implements feed.Reaction. An error has the feed come back with the same event after a while.
func (r *Reaction) React(ctx context.Context, _ feed.DBTX, e dcb.Recorded) error {
	err := r.do(ctx, e)
	if err == nil || ctx.Err() != nil || r.cfg.Passing != nil && r.cfg.Passing(err) {
		return err
	}
	if tries := r.failed(e.Position); tries < r.cfg.Tries {
		return err
	}
	r.cfg.Log.ErrorContext(ctx, "an event is given up: nothing more is done about it", "reaction", r.cfg.Name,
		"position", e.Position, "event", e.ID, "type", e.Event.EventType(), "tenant", e.Tenant, "tries", r.cfg.Tries, "error", err)
	if r.cfg.GaveUp != nil {
		r.cfg.GaveUp()
	}
	return nil
}

// do makes an error of a panic, so that its tries are counted too.
func (r *Reaction) do(ctx context.Context, e dcb.Recorded) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return r.cfg.Do(ctx, e)
}

func (r *Reaction) failed(position int64) (tries int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at != position {
		r.at, r.tries = position, 0
	}
	r.tries++
	return r.tries
}
