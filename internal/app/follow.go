package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chancery/internal/access"
	"chancery/internal/codec"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
)

// follower keeps the access index up with the log: what this process appends is applied before its callers are
// answered, what others append when it is asked for, or soon after.
//
// mu serialises the writers of the index; so pages reach it in order.
type follower struct {
	index  *access.Index
	store  *codec.Store
	erased *erasedOnes
	log    *slog.Logger

	mu sync.Mutex
}

const followPage = 2000

// appended is the log's OnAppend.
func (f *follower) appended(raws []eventlog.Raw) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if raws[0].Position > f.index.Position()+1 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.read(ctx, raws[0].Position-1); err != nil {
			f.log.Error("the access index fell behind", "position", f.index.Position(), "error", err)
			return
		}
	}
	if err := f.apply(raws); err != nil {
		f.log.Error("the access index fell behind", "position", f.index.Position(), "error", err)
	}
}

// upTo returns when the index has seen the position.
func (f *follower) upTo(ctx context.Context, position int64) error {
	if f.index.Position() >= position {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read(ctx, position)
}

func (f *follower) read(ctx context.Context, position int64) error {
	for f.index.Position() < position {
		after := f.index.Position()
		page, through, err := ownEvents(ctx, f.store, after, followPage)
		if err != nil {
			return err
		}
		if through == after {
			return fmt.Errorf("follow the log: nothing at %d, though %d was seen", after+1, position)
		}
		f.erased.heard(page)
		if err := f.index.ApplyOwn(page, after, through); err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
	}
	return nil
}

// ownEvents is a page for an index of access: what apps publish means nothing to it, however much there is of it.
func ownEvents(ctx context.Context, s *codec.Store, after int64, limit int) (page []dcb.Recorded, through int64, err error) {
	raws, through, err := s.Log.Own(ctx, after, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("follow the log: %w", err)
	}
	if page, err = s.DecodeAll(raws); err != nil {
		return nil, 0, fmt.Errorf("follow the log: %w", err)
	}
	return page, through, nil
}

// apply hears of erasures first: a key must be gone before anybody is told that the event was seen.
func (f *follower) apply(raws []eventlog.Raw) error {
	page, err := f.store.DecodeAll(raws)
	if err != nil {
		return err
	}
	f.erased.heard(page)
	return f.index.Apply(page)
}

// Fresh returns when the index has seen everything that was acknowledged anywhere before the call.
func (f *follower) Fresh(ctx context.Context) error {
	head, err := f.store.Log.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	return f.upTo(ctx, head)
}

// await returns when the log has the position; with the context's error if that ends first.
func (f *follower) await(ctx context.Context, position int64) error {
	for {
		if err := f.Fresh(ctx); err != nil {
			return err
		}
		if f.index.Position() >= position {
			return nil
		}
		soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		err := f.index.Wait(soon, position)
		cancel()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// run follows other processes, so that a request seldom waits for it.
func (f *follower) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := f.Fresh(ctx); err != nil && ctx.Err() == nil {
				f.log.WarnContext(ctx, "the access index is behind", "error", err)
			}
		}
	}
}
