package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Status is how far a projector is, a reaction or a follower, as this process knows it.
type Status struct {
	Name      string
	Reaction  bool
	Follower  bool
	Position  int64         // applied up to here
	Standby   bool          // another process works, or it is not known yet; Position may be behind
	Stuck     int64         // position of the event that cannot be applied; 0: none
	StuckType string        // its type
	Err       string        // why the last try failed; "": it did not
	Lag       time.Duration // age of the oldest event seen and not yet applied; 0: none
}

// Status lists the projectors in the order of the config.
func (f *Feed) Status() []Status {
	out := make([]Status, len(f.lanes))
	for i, l := range f.lanes {
		out[i] = l.status()
	}
	return out
}

// StatusOf is that of one of them; the zero Status if there is none of that name.
func (f *Feed) StatusOf(name string) Status {
	if l := f.lane(name); l != nil {
		return l.status()
	}
	return Status{}
}

func (l *lane) status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Status{Name: l.name, Reaction: l.only != nil, Follower: l.follow != nil, Position: l.position, Standby: l.standby}
	if l.stuck != nil {
		s.Stuck, s.StuckType = l.stuck.Position, l.stuck.Type
	}
	if l.err != nil {
		s.Err = l.err.Error()
	}
	if !l.oldest.IsZero() {
		s.Lag = max(0, l.cfg.Now().Sub(l.oldest))
	}
	return s
}

// Wait returns when the projector has applied the event at position. It returns the context's error if
// that ends first, and a *Stuck at once if the projector cannot get there.
func (f *Feed) Wait(ctx context.Context, projector string, position int64) error {
	l := f.lane(projector)
	if l == nil {
		return fmt.Errorf("wait for projector %q: unknown", projector)
	}
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		l.mu.Lock()
		at, stuck, standby, moved := l.position, l.stuck, l.standby, l.moved
		l.mu.Unlock()
		switch {
		case at >= position:
			return nil
		case stuck != nil && position >= stuck.Position:
			return stuck
		}
		var poll <-chan time.Time
		if standby { // the rows are committed by another process, which does not tell us
			t := time.NewTimer(pause)
			defer t.Stop()
			poll = t.C
		}
		select {
		case <-moved:
		case <-poll:
			if err := l.ask(ctx); err != nil {
				return fmt.Errorf("wait for projector %s at %d: %w", projector, position, err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ask reads the offset row. Of many waiters one asks; the others are woken by the answer.
func (l *lane) ask(ctx context.Context) error {
	if !l.look.TryLock() {
		return nil
	}
	defer l.look.Unlock()
	var at int64
	err := l.cfg.Pool.QueryRow(ctx, `SELECT position FROM core.projection_offsets WHERE projection = $1`, l.name).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.standby {
		l.advance(at, true)
	}
	return nil
}
