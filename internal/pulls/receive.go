package pulls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
)

// Receive leases events of an endpoint, at most so many. If there are none it waits for some until the other context ends. Find is asked
// each time before it looks: for the endpoint as it is by then, or why the receiver gets nothing any more.
func (p *Pulls) Receive(ctx, until context.Context, id uuid.UUID, most int, find func(context.Context) (*Endpoint, error)) ([]Item, error) {
	r := p.enter(id)
	defer p.exit(id, r)
	t := &ticket{wake: make(chan struct{}, 1)}
	defer p.leave(r, t)
	for {
		e, err := find(ctx)
		if err != nil {
			return nil, err
		}
		p.stand(r, t, e) // before it looks: what comes from now on wakes it
		got, err := p.take(ctx, r, e, most)
		switch {
		case err != nil:
			return nil, fmt.Errorf("receive: %w", err)
		case len(got.items) > 0:
			if got.more {
				p.next(r)
			}
			return got.items, nil
		case until.Err() != nil:
			return nil, nil
		case got.more:
			continue
		}
		p.await(until, t, got.due)
	}
}

// await returns when the ticket is called, when something comes due, or when it is time to give up.
func (p *Pulls) await(until context.Context, t *ticket, due time.Time) {
	var timer <-chan time.Time
	if !due.IsZero() {
		wait := time.NewTimer(max(due.Sub(p.now()), time.Millisecond))
		defer wait.Stop()
		timer = wait.C
	}
	select {
	case <-t.wake:
	case <-timer:
	case <-until.Done():
	}
}

// taken is what one transaction came to.
type taken struct {
	items []Item
	more  bool      // to be had at once
	due   time.Time // when something comes due; zero: nothing is under way
}

// cursor is how far an endpoint has come.
type cursor struct{ seq, sequence int64 }

// delivery is a row whose time has come: its lease is over, or it is to be handed out again.
type delivery struct {
	row             string // where it lies, as long as it is locked
	seq, sequence   int64
	event           uuid.UUID
	attempts, round int
	leased          bool
	last            *time.Time
}

const (
	lockSQL = `SELECT tenant_seq, sequence FROM core.delivery_cursors WHERE tenant_id = $1 AND endpoint_id = $2 FOR UPDATE`
	// dueSQL locks the rows too: who asks for redelivery changes them without the cursor's lock.
	dueSQL = `SELECT ctid::text, tenant_seq, sequence, event_id, attempt_count, round, status = 'leased', last_attempt_at FROM core.event_deliveries
		WHERE tenant_id = $1 AND endpoint_id = $2 AND next_attempt_at <= $3 ORDER BY next_attempt_at, tenant_seq LIMIT $4 FOR UPDATE`
	nextDueSQL = `SELECT next_attempt_at FROM core.event_deliveries WHERE tenant_id = $1 AND endpoint_id = $2 AND next_attempt_at IS NOT NULL
		ORDER BY next_attempt_at LIMIT 1`
	beginSQL = `INSERT INTO core.delivery_cursors (tenant_id, endpoint_id, tenant_seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	moveSQL  = `UPDATE core.delivery_cursors SET tenant_seq = $3, sequence = $4, last_failure_at = coalesce($5, last_failure_at),
		failing_since = coalesce(failing_since, $5) WHERE tenant_id = $1 AND endpoint_id = $2`
	leaseNewSQL = `INSERT INTO core.event_deliveries (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id,
		sequence, status, attempt_count, first_attempt_at, last_attempt_at, next_attempt_at, lease, created_at)
		SELECT $1, $2, u.seq, u.id, u.event, u.type, u.position, $3, $4 + u.n, 'leased', 1, $5, $5, $6, u.lease, $5
		FROM unnest($7::bigint[], $8::uuid[], $9::uuid[], $10::text[], $11::bigint[], $12::uuid[]) WITH ORDINALITY u(seq, id, event, type, position, lease, n)`
	leaseAgainSQL = `UPDATE core.event_deliveries d SET status = 'leased', attempt_count = d.attempt_count + 1, last_attempt_at = $1,
		first_attempt_at = coalesce(d.first_attempt_at, $1), next_attempt_at = $2, lease = u.lease, error = NULL
		FROM unnest($3::tid[], $4::uuid[]) u(row, lease) WHERE d.ctid = u.row`
	buryOverSQL = `UPDATE core.event_deliveries SET status = 'dead', next_attempt_at = NULL, lease = NULL, error = $2 WHERE ctid = ANY ($1::tid[])`
	attemptSQL  = `INSERT INTO core.delivery_attempts (tenant_id, endpoint_id, tenant_seq, number, event_id, attempted_at, latency, log_position,
		status, next_attempt_at, error, process)
		SELECT $1, $2, u.seq, u.number, u.event, u.at, greatest($3 - u.at, interval '0'), (SELECT coalesce(max(position), 0) FROM core.events), u.status, $4, $5, $6
		FROM unnest($7::bigint[], $8::int[], $9::uuid[], $10::timestamptz[], $11::text[]) u(seq, number, event, at, status)
		ON CONFLICT DO NOTHING`
)

const leaseOver = "the lease ended and nobody had acknowledged the event"

// take leases what is due and then what is new, in one transaction.
func (p *Pulls) take(ctx context.Context, r *room, e *Endpoint, most int) (got taken, err error) {
	err = p.inTurn(ctx, r, func(tx pgx.Tx) error {
		now := p.now()
		c, due, err := p.open(ctx, tx, e, now, most)
		if err != nil {
			return err
		}
		got = taken{}
		again, dead := sort(due, e.Attempts)
		events, err := at(ctx, tx, e.Tenant, seqsOf(again))
		if err != nil {
			return err
		}
		s := scanned{last: max(c.seq, e.SkippedThrough), more: len(again)+len(dead) == most}
		if len(again)+len(dead) < most {
			if s, err = scan(ctx, tx, e, s.last, most-len(again)-len(dead)); err != nil {
				return err
			}
		}
		until := now.Add(e.Lease)
		for _, d := range again {
			raw, there := events[d.seq]
			if !there {
				return fmt.Errorf("%w: tenant %s has no event %d", eventlog.ErrHole, e.Tenant, d.seq)
			}
			got.items = append(got.items, Item{Event: raw, Lease: Lease{d.seq, uuid.New()}, Until: until, Sequence: d.sequence, Attempt: d.attempts + 1})
		}
		for i := range s.events {
			got.items = append(got.items, Item{Event: s.events[i], Lease: Lease{s.events[i].TenantSeq, uuid.New()}, Until: until, Sequence: c.sequence + int64(i) + 1, Attempt: 1})
		}
		got.more = s.more
		if err := p.lease(ctx, tx, e, now, c, s, got.items, again, dead); err != nil {
			return err
		}
		if len(got.items) > 0 || got.more {
			return nil
		}
		err = tx.QueryRow(ctx, nextDueSQL, e.Tenant, e.ID).Scan(&got.due)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return got, err
}

// open locks the endpoint's cursor, which it makes first if there is none, and reads what is due.
func (p *Pulls) open(ctx context.Context, tx pgx.Tx, e *Endpoint, now time.Time, most int) (c cursor, due []delivery, err error) {
	for range 2 {
		var b pgx.Batch
		b.Queue(lockSQL, e.Tenant, e.ID)
		b.Queue(dueSQL, e.Tenant, e.ID, now, most)
		c, due, err = opened(tx.SendBatch(ctx, &b))
		if !errors.Is(err, pgx.ErrNoRows) {
			return c, due, err
		}
		begin, err := p.beginning(ctx, tx, e)
		if err != nil {
			return c, nil, err
		}
		if _, err := tx.Exec(ctx, beginSQL, e.Tenant, e.ID, begin); err != nil {
			return c, nil, fmt.Errorf("begin: %w", err)
		}
	}
	return c, nil, err
}

func opened(results pgx.BatchResults) (c cursor, due []delivery, err error) {
	defer func() { err = errors.Join(err, results.Close()) }()
	if err := results.QueryRow().Scan(&c.seq, &c.sequence); err != nil {
		return c, nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return c, nil, err
	}
	due, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d delivery, err error) {
		return d, row.Scan(&d.row, &d.seq, &d.sequence, &d.event, &d.attempts, &d.round, &d.leased, &d.last)
	})
	return c, due, err
}

// sort tells those that are handed out once more from those that were handed out often enough.
func sort(due []delivery, attempts int) (again, dead []delivery) {
	for _, d := range due {
		if d.attempts-d.round >= attempts {
			dead = append(dead, d)
		} else {
			again = append(again, d)
		}
	}
	return again, dead
}

func seqsOf(all []delivery) []int64 {
	seqs := make([]int64, len(all))
	for i, d := range all {
		seqs[i] = d.seq
	}
	return seqs
}

// lease writes down what was handed out: first come those of again. A lease that was over is an attempt that failed.
func (p *Pulls) lease(ctx context.Context, tx pgx.Tx, e *Endpoint, now time.Time, c cursor, s scanned, items []Item, again, dead []delivery) error {
	var b pgx.Batch
	var failed *time.Time
	over := &attempts{}
	over.add("retrying", again...)
	over.add("dead", dead...)
	if len(over.seqs) > 0 {
		failed = &now
		text := leaseOver
		over.queue(&b, p, e, now, nil, &text)
	}
	if len(dead) > 0 {
		queue(&b, len(dead), buryOverSQL, rowsAt(dead), leaseOver)
	}
	if len(again) > 0 {
		leases := make([]uuid.UUID, len(again))
		for i := range again {
			leases[i] = items[i].Lease.ID
		}
		queue(&b, len(again), leaseAgainSQL, now, now.Add(e.Lease), rowsAt(again), leases)
	}
	if fresh := items[len(again):]; len(fresh) > 0 {
		queueFresh(&b, e, now, c, fresh)
	}
	if s.last != c.seq || failed != nil {
		b.Queue(moveSQL, e.Tenant, e.ID, s.last, c.sequence+int64(len(s.events)), failed)
	}
	if b.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	return nil
}

func queueFresh(b *pgx.Batch, e *Endpoint, now time.Time, c cursor, fresh []Item) {
	n := len(fresh)
	seqs, positions := make([]int64, n), make([]int64, n)
	ids, events, leases, types := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n), make([]string, n)
	for i := range fresh {
		raw := &fresh[i].Event
		seqs[i], positions[i], events[i], leases[i] = raw.TenantSeq, raw.Position, raw.ID, fresh[i].Lease.ID
		ids[i] = uuid.NewSHA1(e.ID, raw.ID[:])
		if types[i] = raw.Type; raw.SourceApp == dcb.Core {
			types[i] = dcb.Core + "." + raw.Type
		}
	}
	b.Queue(leaseNewSQL, e.Tenant, e.ID, e.App, c.sequence, now, now.Add(e.Lease), seqs, ids, events, types, positions, leases)
}

// attempts are those of whose outcome a record is made.
type attempts struct {
	seqs     []int64
	numbers  []int32
	events   []uuid.UUID
	at       []time.Time
	statuses []string
}

// add takes those that were leased.
func (a *attempts) add(status string, all ...delivery) {
	for _, d := range all {
		if !d.leased || d.last == nil {
			continue
		}
		a.seqs, a.numbers, a.events = append(a.seqs, d.seq), append(a.numbers, int32(d.attempts)), append(a.events, d.event)
		a.at, a.statuses = append(a.at, *d.last), append(a.statuses, status)
	}
}

func (a *attempts) queue(b *pgx.Batch, p *Pulls, e *Endpoint, now time.Time, next *time.Time, failure *string) {
	b.Queue(attemptSQL, e.Tenant, e.ID, now, next, failure, p.cfg.Process, a.seqs, a.numbers, a.events, a.at, a.statuses)
}
