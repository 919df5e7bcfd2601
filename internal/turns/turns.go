// Package turns lets only so much be done at once for one tenant, or for whatever else a key names, so that nobody keeps the others waiting.
package turns

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/semaphore"
)

// ErrBusy says that as many wait for a turn of a key as may.
var ErrBusy = errors.New("turns: too many wait")

// Turns of keys. What nobody has or waits for takes no memory. Safe for concurrent use.
type Turns[K comparable] struct {
	each int64
	most int

	mu    sync.Mutex
	lines map[K]*line // of keys that somebody asks for; mu owns it, and asked of each
}

type line struct {
	turns *semaphore.Weighted
	asked int // who has one, and who waits
}

// Of gives out each turns of a key at once. With most > 0, that many may have or wait for one.
func Of[K comparable](each, most int) *Turns[K] {
	return &Turns[K]{each: int64(each), most: most, lines: map[K]*line{}}
}

// Take waits for a turn; the caller MUST call done, once. Errors: ErrBusy, why the context ended.
func (t *Turns[K]) Take(ctx context.Context, key K) (done func(), err error) {
	l := t.join(key)
	if l == nil {
		return nil, ErrBusy
	}
	if l.turns.Acquire(ctx, 1) != nil {
		t.leave(key, l)
		return nil, context.Cause(ctx)
	}
	return func() {
		l.turns.Release(1)
		t.leave(key, l)
	}, nil
}

// TakeOf waits for a turn, and then for one of those that all keys have together. Errors: as of Take.
func (t *Turns[K]) TakeOf(ctx context.Context, all *semaphore.Weighted, key K) (done func(), err error) {
	own, err := t.Take(ctx, key)
	if err != nil {
		return nil, err
	}
	if all.Acquire(ctx, 1) != nil {
		own()
		return nil, context.Cause(ctx)
	}
	return func() {
		all.Release(1)
		own()
	}, nil
}

// join is nil if too many ask already.
func (t *Turns[K]) join(key K) *line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[key]
	if l == nil {
		l = &line{turns: semaphore.NewWeighted(t.each)}
		t.lines[key] = l
	}
	if t.most > 0 && l.asked == t.most {
		return nil
	}
	l.asked++
	return l
}

func (t *Turns[K]) leave(key K, l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.asked--; l.asked == 0 {
		delete(t.lines, key)
	}
}
