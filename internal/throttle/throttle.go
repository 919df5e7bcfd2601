// Package throttle bounds how often things may be tried, in one place for all processes. It knows no user and keeps no name.
package throttle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Limit is a bucket that holds Burst tries and regains one Every so often. Both MUST be positive.
type Limit struct {
	Burst int
	Every time.Duration
}

// Try is one try against the bucket of a key.
type Try struct {
	Key   string
	Limit Limit
}

// Config of a Throttle. Everything is required.
type Config struct {
	Pool *pgxpool.Pool // as role chancery_append
	// Hash is a keyed hash: only its results are stored.
	Hash func(key string) [32]byte
}

// Throttle is the buckets of a database. Safe for concurrent use, here and in other processes.
type Throttle struct{ config Config }

// New makes no connection.
func New(c Config) *Throttle { return &Throttle{c} }

var (
	errTwice = errors.New("throttle: one key is tried twice at once")
	errLimit = errors.New("throttle: a limit without burst or pace")
)

// Take tries all at once: it takes from every bucket and answers 0, or takes from none and answers how long to wait
// until all would admit, if nobody else came in between. Now is the caller's clock; processes' clocks may differ a little.
func (t *Throttle) Take(ctx context.Context, now time.Time, tries ...Try) (retryAfter time.Duration, err error) {
	if len(tries) == 0 {
		return 0, nil
	}
	seen := make(map[string]bool, len(tries))
	keys, bursts, everies := make([][]byte, len(tries)), make([]int64, len(tries)), make([]int64, len(tries))
	for i, try := range tries {
		every := try.Limit.Every.Microseconds()
		if seen[try.Key] {
			return 0, errTwice
		}
		if try.Limit.Burst < 1 || every < 1 {
			return 0, errLimit
		}
		seen[try.Key] = true
		keys[i], bursts[i], everies[i] = t.hash(try.Key), int64(try.Limit.Burst), every
	}
	var wait int64
	err = t.config.Pool.QueryRow(ctx, "SELECT core.throttle_take($1, $2, $3, $4)", now.UnixMicro(), keys, bursts, everies).Scan(&wait)
	if err != nil {
		return 0, fmt.Errorf("throttle: take: %w", err)
	}
	return time.Duration(wait) * time.Microsecond, nil
}

// Forget fills the buckets of the keys.
func (t *Throttle) Forget(ctx context.Context, keys ...string) error {
	hashes := make([][]byte, len(keys))
	for i, k := range keys {
		hashes[i] = t.hash(k)
	}
	if _, err := t.config.Pool.Exec(ctx, "SELECT core.throttle_forget($1)", hashes); err != nil {
		return fmt.Errorf("throttle: forget: %w", err)
	}
	return nil
}

// Sweep removes the rows of buckets that are full again at now.
func (t *Throttle) Sweep(ctx context.Context, now time.Time) error {
	if _, err := t.config.Pool.Exec(ctx, "SELECT core.throttle_sweep($1)", now.UnixMicro()); err != nil {
		return fmt.Errorf("throttle: sweep: %w", err)
	}
	return nil
}

func (t *Throttle) hash(key string) []byte {
	h := t.config.Hash(key)
	return h[:]
}
