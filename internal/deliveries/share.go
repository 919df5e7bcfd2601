package deliveries

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/eventlog"
)

// sharer shares the endpoints out among processes. An endpoint belongs to a shard, and is served by the process that holds the shard's
// advisory lock; each process also holds a lock of its own, by which the others count it. All locks are of one connection, which also
// hears of new events: when it is lost, so are they, and everything that they stood for is given up at once.
//
// One goroutine owns the connection and what is in hand.
type sharer struct {
	e     *Engine
	ready chan struct{} // closed when endpoints are in hand for the first time

	conn      *pgx.Conn
	pid       atomic.Int32 // of its backend
	mine      map[int]bool // shards whose lock we hold
	parting   map[int]bool // of them, those that are being given back
	endpoints []Endpoint
	ahead     bool        // begun
	loading   bool        // endpoints are being loaded, by a goroutine of its own: nothing must hold up the news that locks are lost
	loads     chan loaded // capacity 1

	mu     sync.Mutex // guards what follows
	nudge  context.CancelFunc
	wanted int64 // endpoints are to be loaded as of this position; 0: they are fine
	back   []int // shards that are ready to be given back
}

const (
	shards     = 64
	shardClass = 4847005 // of advisory locks: one for each shard
	aliveClass = 4847006 // and one for each process, by its backend's pid

	tick    = time.Second
	refresh = 30 * time.Second       // how often endpoints are loaded without a reason
	grace   = 200 * time.Millisecond // in which another process notices that it has lost what we have taken
	patient = 5 * time.Second        // with the database, about locks
)

func shardOf(id uuid.UUID) int {
	h := fnv.New32a()
	_, _ = h.Write(id[:]) // never fails
	return int(h.Sum32() % shards)
}

func newSharer(e *Engine) *sharer {
	return &sharer{e: e, ready: make(chan struct{}), mine: map[int]bool{}, parting: map[int]bool{}, loads: make(chan loaded, 1)}
}

// reload has endpoints loaded as of a position.
func (s *sharer) reload(position int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = max(s.wanted, position)
	s.rouse()
}

// rouse ends the wait of the sharer's goroutine. mu is held.
func (s *sharer) rouse() {
	if s.nudge != nil {
		s.nudge()
	}
}

// givenBack has shards returned, unless the connection was lost that held them: the next may be giving them back too, and is not ready.
func (s *sharer) givenBack(list []int, pid int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pid == s.pid.Load() {
		s.back = append(s.back, list...)
		s.rouse()
	}
}

// run shares until ctx ends, and then gives everything back.
func (s *sharer) run(ctx context.Context) {
	pause := 100 * time.Millisecond
	for ctx.Err() == nil {
		held, err := s.hold(ctx)
		if ctx.Err() != nil {
			break
		}
		s.lose(ctx)
		if held {
			pause = 100 * time.Millisecond
		}
		s.e.cfg.Logger.Warn("deliveries: endpoints were given up for now: the database cannot be reached", "error", err, "retry_in", pause)
		sleep(ctx, pause)
		pause = min(2*pause, 5*time.Second)
	}
	s.leave()
}

// hold connects and serves what it gets hold of, until something fails. It reports whether it had begun.
func (s *sharer) hold(ctx context.Context) (held bool, err error) {
	if err := s.connect(ctx); err != nil {
		return false, err
	}
	if err := s.e.tail.begin(ctx); err != nil {
		return false, err
	}
	if err := s.prepare(ctx); err != nil {
		return false, err
	}
	ticked, loaded := time.Time{}, time.Now()
	for {
		if time.Since(ticked) >= tick {
			took, err := s.balance(ctx)
			if err == nil && took {
				sleep(ctx, grace)
				err = s.serve(ctx)
			}
			if err != nil {
				return held, err
			}
			ticked = time.Now()
		}
		if !held {
			held = true
			s.begun()
		}
		if err := s.listen(ctx, tick-time.Since(ticked)); err != nil {
			return held, err
		}
		if err := s.returnShards(ctx); err != nil {
			return held, err
		}
		if !s.loading && (s.wants() || time.Since(loaded) > refresh) {
			loaded = time.Now()
			s.loading = true
			s.e.sends.Go(func() { s.fetch(ctx) })
		}
		s.takeUp(ctx)
	}
}

func (s *sharer) begun() {
	if !s.ahead {
		s.ahead = true
		close(s.ready)
	}
	s.e.tail.poke()
}

func (s *sharer) wants() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wanted > 0
}

func (s *sharer) asked() (position int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	position, s.wanted = s.wanted, 0
	return position
}

func (s *sharer) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	c, err := s.e.cfg.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	s.conn = c.Hijack() // for itself: the locks are its
	s.pid.Store(int32(s.conn.PgConn().PID()))
	if _, err := s.conn.Exec(ctx, "SELECT pg_advisory_lock($1, pg_backend_pid())", aliveClass); err != nil {
		return err
	}
	_, err = s.conn.Exec(ctx, "LISTEN "+eventlog.Channel)
	return err
}

// listen waits for news, and no longer than so long.
func (s *sharer) listen(ctx context.Context, most time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, max(most, time.Millisecond))
	defer cancel()
	s.mu.Lock()
	if s.wanted > 0 && !s.loading || len(s.back) > 0 || len(s.loads) > 0 {
		s.mu.Unlock()
		return nil
	}
	s.nudge = cancel
	s.mu.Unlock()
	_, err := s.conn.WaitForNotification(waiting)
	s.mu.Lock()
	s.nudge = nil
	s.mu.Unlock()
	switch {
	case err == nil:
		s.e.tail.poke()
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case waiting.Err() != nil && !s.conn.IsClosed():
		return nil
	}
	return err
}

const aliveSQL = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objsubid = 2 AND granted AND mode = 'ExclusiveLock' -- the fence shares them
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// balance takes shards that nobody has, up to our share, and begins to give back those beyond it. It also shows that the connection lives.
func (s *sharer) balance(ctx context.Context) (took bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	var alive int
	if err := s.conn.QueryRow(ctx, aliveSQL, aliveClass).Scan(&alive); err != nil {
		return false, err
	}
	share := (shards + alive - 1) / max(1, alive)
	if surplus := len(s.mine) - len(s.parting) - share; surplus > 0 {
		s.part(surplus)
		return false, nil
	}
	if len(s.mine) >= share {
		return false, nil
	}
	var free []int32
	for n, from := 0, rand.IntN(shards); n < shards; n++ { //nolint:gosec // where to begin is no secret
		if shard := (from + n) % shards; !s.mine[shard] {
			free = append(free, int32(shard))
		}
	}
	rows, err := s.conn.Query(ctx, "SELECT s FROM unnest($1::int[]) s WHERE pg_try_advisory_lock($2, s) LIMIT $3", free, shardClass, share-len(s.mine))
	if err != nil {
		return false, err
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	for _, shard := range got {
		s.mine[int(shard)] = true
	}
	if err != nil || len(got) == 0 {
		return false, err
	}
	return true, s.written(ctx, got)
}

// part begins to give shards back.
func (s *sharer) part(n int) {
	var list []int
	for shard := range s.mine {
		if !s.parting[shard] && len(list) < n {
			list = append(list, shard)
			s.parting[shard] = true
		}
	}
	pumps, pid := s.of(list), s.pid.Load()
	s.e.sends.Go(func() {
		s.e.drain(pumps, s.e.cfg.Patience)
		s.givenBack(list, pid)
	})
}

func (s *sharer) of(list []int) []*pump {
	in := map[int]bool{}
	for _, shard := range list {
		in[shard] = true
	}
	var pumps []*pump
	for _, p := range s.e.list() {
		if in[p.shard] {
			pumps = append(pumps, p)
		}
	}
	return pumps
}

func (s *sharer) returnShards(ctx context.Context) error {
	s.mu.Lock()
	back := s.back
	s.back = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	for _, shard := range back {
		if !s.parting[shard] { // lost meanwhile
			continue
		}
		if _, err := s.conn.Exec(ctx, "SELECT pg_advisory_unlock($1, $2)", shardClass, shard); err != nil {
			return err
		}
		delete(s.mine, shard)
		delete(s.parting, shard)
	}
	return nil
}
