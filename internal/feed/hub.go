package feed

import (
	"context"
	"time"

	"chancery/internal/eventlog"
)

// listen turns notifications into wake-ups, over one connection of its own, until ctx ends. Nothing
// depends on it but speed: lanes also poll.
func (f *Feed) listen(ctx context.Context) {
	const first, most = 100 * time.Millisecond, 10 * time.Second
	pause := first
	for ctx.Err() == nil {
		heard, err := f.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		f.cfg.Log.Warn("listening for events was interrupted", "err", err, "retry_in", pause)
		if heard {
			pause = first
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
		pause = min(2*pause, most)
	}
}

// listenOnce reports whether the connection had worked before it failed.
func (f *Feed) listenOnce(ctx context.Context) (bool, error) {
	c, err := f.cfg.Pool.Acquire(ctx)
	if err != nil {
		return false, err
	}
	conn := c.Hijack() // for itself: a pooled one would be missing for work
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+eventlog.Channel); err != nil {
		return false, err
	}
	f.notified() // whatever happened while nobody listened
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return true, err
		}
		f.notified()
	}
}

func (f *Feed) notified() {
	f.Poke()
	if f.cfg.Hooks.Notified != nil {
		f.cfg.Hooks.Notified()
	}
}
