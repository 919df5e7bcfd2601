package eventlog

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/ledger"
)

// Config of a PG. The zero value works.
type Config struct {
	// Now is the clock of created_at. Default time.Now.
	Now func() time.Time
	// OnAppend receives the events of every commit of this process, in position order, before their callers are answered.
	// Events of other processes do not pass here: follow Page for those. It MUST be quick: the appender waits for it.
	OnAppend func([]Raw)
	// OnBatch observes each commit, before OnAppend; for metrics. It MUST be quick, too.
	OnBatch func(BatchStats)
	// MaxBatch bounds the requests of one commit, MaxBatchBytes their size. Defaults 512 and 1 MiB.
	MaxBatch, MaxBatchBytes int
	// Readers is how many goroutines serve Read and Head. Default 2.
	Readers int
	// CacheBytes bounds the memory in which recent events are kept for Read. Default 64 MiB.
	CacheBytes int
	// Patience bounds one attempt on the database; after it the connection is given up and the batch sent again. Default 20 s.
	Patience time.Duration
}

// BatchStats describes one commit.
type BatchStats struct {
	Requests, Events, Bytes int
	Took                    time.Duration
	Attempts                int // 1 unless the batch was sent again
}

// PG is the log on PostgreSQL. It owns three kinds of goroutines, stopped by Close: one appender, some readers, one
// notifier; they share nothing but the queues, the cache and head.
type PG struct {
	cfg     Config
	ledger  *ledger.Ledger
	appends *queue[*call]
	reads   *queue[*read]
	cache   *cache
	head    atomic.Int64  // newest position that this process appended; for the notification
	wake    chan struct{} // tells the notifier; holds one

	abort   context.Context //nolint:containedctx // ends when Close loses patience: nothing is retried any more
	cancel  context.CancelFunc
	working sync.WaitGroup // appender and readers
	notices sync.WaitGroup // notifier, which outlives the appender
	closing sync.Once
}

// Open starts the log of a ledger, which must stay open until Close has returned.
func Open(l *ledger.Ledger, c Config) *PG {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.MaxBatch = or(c.MaxBatch, 512)
	c.MaxBatchBytes = or(c.MaxBatchBytes, 1<<20)
	c.Readers = or(c.Readers, 2)
	c.CacheBytes = or(c.CacheBytes, 64<<20)
	if c.Patience == 0 {
		c.Patience = 20 * time.Second
	}
	p := &PG{cfg: c, ledger: l, appends: newQueue[*call](), reads: newQueue[*read](), cache: newCache(c.CacheBytes), wake: make(chan struct{}, 1)}
	p.abort, p.cancel = context.WithCancel(context.Background())
	p.working.Go((&appender{PG: p, enc: newEncoder()}).run)
	for range c.Readers {
		p.working.Go((&reader{PG: p}).run)
	}
	p.notices.Go(p.notify)
	return p
}

func or(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

// Close refuses new calls, commits what waits and stops. When ctx ends first it gives up what is under way, whose callers
// then do not know the outcome.
func (p *PG) Close(ctx context.Context) error {
	patient := context.AfterFunc(ctx, p.cancel)
	p.appends.close()
	p.reads.close()
	p.working.Wait()
	p.closing.Do(func() { close(p.wake) })
	p.notices.Wait()
	defer p.cancel()
	if !patient() {
		return fmt.Errorf("eventlog: close: %w", context.Cause(ctx))
	}
	return nil
}

// Append implements Log.
func (p *PG) Append(ctx context.Context, r Request) (Verdict, error) {
	r, err := r.Normal()
	if err != nil {
		return Verdict{}, err
	}
	c := newCall(ctx, r)
	if !p.appends.put(c) {
		return Verdict{}, ErrClosed
	}
	select {
	case a := <-c.done:
		return a.verdict, a.err
	case <-ctx.Done():
		return Verdict{}, fmt.Errorf("append %d events, outcome unknown: %w", len(r.Events), context.Cause(ctx))
	}
}

// Receipts implements Log.
func (p *PG) Receipts(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Receipt, error) {
	rows, err := p.ledger.Pool(ledger.Append).Query(ctx, `SELECT request_id, fingerprint, first_position, last_position, created_at
		FROM core.append_requests WHERE request_id = ANY ($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	found := map[uuid.UUID]Receipt{}
	var id uuid.UUID
	var r Receipt
	_, err = pgx.ForEachRow(rows, []any{&id, &r.Fingerprint, &r.First, &r.Last, &r.CreatedAt}, func() error {
		r.CreatedAt = r.CreatedAt.UTC()
		found[id] = r
		r = Receipt{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	return found, nil
}

// Page implements Log.
func (p *PG) Page(ctx context.Context, after int64, limit int) ([]Raw, error) {
	return p.page(ctx, Columns, after, limit, math.MaxInt)
}

// Bare is a log as projectors read it: without the payload of what apps publish.
type Bare struct{ *PG }

// Page is that of the log, but for what is left out.
func (b Bare) Page(ctx context.Context, after int64, limit int) ([]Raw, error) {
	return b.page(ctx, BareColumns, after, limit, math.MaxInt)
}

// Sips is a log for who reads on with little in hand: a page ends with the event that makes it a few megabytes, though more are there.
type Sips struct{ *PG }

const sip = 4 << 20 // bytes

// Page is the beginning of that of the log. It is empty only where that is.
func (s Sips) Page(ctx context.Context, after int64, limit int) ([]Raw, error) {
	return s.page(ctx, Columns, after, limit, sip)
}

func (p *PG) page(ctx context.Context, columns string, after int64, limit, most int) ([]Raw, error) {
	rows, err := p.ledger.Pool(ledger.Project).Query(ctx,
		`SELECT `+columns+` FROM core.events WHERE position > $1 ORDER BY position LIMIT $2`,
		pgx.QueryResultFormats{pgx.BinaryFormatCode}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read page after %d: %w", after, err)
	}
	defer rows.Close()
	var page []Raw
	for rows.Next() {
		e, err := RawOf(rows.RawValues())
		if err != nil {
			return nil, fmt.Errorf("read page after %d: %w", after, err)
		}
		if want := after + int64(len(page)) + 1; e.Position != want {
			return nil, fmt.Errorf("%w: position %d follows %d", ErrHole, e.Position, want-1)
		}
		page = append(page, e)
		if most -= len(e.Payload) + len(e.Metadata); most <= 0 {
			return page, nil
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read page after %d: %w", after, err)
	}
	return page, nil
}

// Verify counts the whole log and reports ErrHole if positions, or sequence numbers of some tenant, are not 1, 2, 3, …
func (p *PG) Verify(ctx context.Context) error {
	return pgx.BeginTxFunc(ctx, p.ledger.Pool(ledger.Project), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		var n, first, last int64
		err := tx.QueryRow(ctx, "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0) FROM core.events").Scan(&n, &first, &last)
		if err != nil {
			return fmt.Errorf("verify positions: %w", err)
		}
		if first != 1 || last != n {
			return fmt.Errorf("%w: %d events at positions %d to %d", ErrHole, n, first, last)
		}
		var tenant *uuid.UUID
		err = tx.QueryRow(ctx, `SELECT min(tenant_id::text)::uuid FROM (SELECT tenant_id FROM core.events GROUP BY tenant_id
			HAVING min(tenant_seq) <> 1 OR max(tenant_seq) <> count(*)) t`).Scan(&tenant)
		if err != nil {
			return fmt.Errorf("verify sequences: %w", err)
		}
		if tenant != nil {
			return fmt.Errorf("%w: in the sequence of tenant %s", ErrHole, tenant)
		}
		return nil
	})
}
