package deliveries

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What a process said last before it died, or lost its locks, may reach the tables after others have read there how far its endpoints have
// come. They would not know of it, and wait for ever for what is done. So whoever writes holds a lock of each shard for as long, and has it
// looked whether the shard is its own still; and whoever takes a shard waits first for those who write.
const (
	writeClass = 4847007

	writingSQL = `SELECT pg_advisory_xact_lock_shared($1, s) FROM (SELECT DISTINCT s FROM unnest($2::int[]) s ORDER BY s) x`
	writtenSQL = `SELECT pg_advisory_xact_lock($1, s) FROM (SELECT s FROM unnest($2::int[]) s ORDER BY s) x`

	// A shard is ours while the connection lives that took it for the pump; or if nobody has it, or we have it again. It fails otherwise: all
	// that is written with it is one transaction.
	oursSQL = `SELECT 1 / bool_and(CASE WHEN NOT pg_try_advisory_xact_lock_shared($1, r.holder) OR pg_try_advisory_xact_lock_shared($2, r.shard) THEN true
    ELSE EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = $2::oid AND l.objid = r.shard::oid AND l.pid = $5 AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())) END)::int
FROM (SELECT DISTINCT holder, shard FROM unnest($3::int[], $4::int[]) u(holder, shard)) r`
)

var errTaken = errors.New("others have taken the endpoint over")

// taken reports whether a batch failed because some of its endpoints are in the hands of others.
func taken(err error) bool {
	var e *pgconn.PgError
	return errors.Is(err, errTaken) || errors.As(err, &e) && e.Code == "22012" // division_by_zero
}

// fence has a batch fail that writes to what is not ours any more.
func (s *sharer) fence(b *pgx.Batch, holders, shards []int32) {
	b.Queue(writingSQL, writeClass, shards)
	b.Queue(oursSQL, aliveClass, shardClass, holders, shards, s.pid.Load())
}

// written waits for those who may still write to shards that we have taken.
func (s *sharer) written(ctx context.Context, taken []int32) error {
	_, err := s.conn.Exec(ctx, writtenSQL, writeClass, taken)
	return err
}

// disown ends a pump whose endpoint others have taken over. Nothing of it is written any more: its cursor would pass what is not on record.
func (p *pump) disown() {
	p.stop()
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = true
}
