package pulls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"chancery/internal/dcb"
)

// Receive leases events of an endpoint, at most so many. If there are none it waits for some until the other context ends. Find is asked
// each time before it looks: for the endpoint as it is by then, or why the receiver gets nothing any more.
func (p *Pulls) Receive(ctx, until context.Context, tenant, id uuid.UUID, most int, find func(context.Context) (*Endpoint, error)) ([]Item, error) {
	here := place{tenant, id}
	r := p.enter(here)
	defer p.exit(here, r)
	t := &ticket{wake: make(chan struct{}, 1)}
	defer p.leave(r, t)
	for {
		e, err := find(ctx)
		if err != nil {
			return nil, err
		}
		p.stand(r, t, e) // before it looks: what comes from now on wakes it
		got, err := p.take(ctx, r, t, e, most)
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
		p.await(until, r, t, got)
	}
}

// await returns when the ticket is called, when something comes due, when it is time to look again for what is newer, or to give up.
func (p *Pulls) await(until context.Context, r *room, t *ticket, got taken) {
	var timer, soon <-chan time.Time
	if !got.due.IsZero() { // what is due may lie beyond Through
		wait := time.NewTimer(max(got.due.Sub(got.at), mostBehind))
		defer wait.Stop()
		timer = wait.C
	}
	if again := Soon(until, got.newer); p.watches(r, t) {
		soon = again
	}
	select {
	case <-t.wake:
	case <-timer:
	case <-soon:
	case <-until.Done():
	}
}

// taken is what one transaction came to.
type taken struct {
	items []Item
	more  bool      // to be had at once
	newer bool      // something was recorded after Through: it may be nothing that is meant
	at    time.Time // when it was
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
	// nowSQL is asked when the cursor is locked, and after dueSQL: what was due is due by then.
	nowSQL = `SELECT coalesce($1::timestamptz, clock_timestamp())`
	// dueSQL locks the rows too: redelivery changes them without the cursor's lock. What it is about to change is found next time.
	dueSQL = `SELECT ctid::text, tenant_seq, sequence, event_id, attempt_count, round, status = 'leased', last_attempt_at FROM core.event_deliveries
		WHERE tenant_id = $1 AND endpoint_id = $2 AND next_attempt_at <= coalesce($3::timestamptz, statement_timestamp()) AND position <= $4
		ORDER BY next_attempt_at, tenant_seq LIMIT $5 FOR UPDATE SKIP LOCKED`
	moveSQL = `UPDATE core.delivery_cursors SET tenant_seq = $3, sequence = $4, last_failure_at = coalesce($5, last_failure_at),
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

const (
	leaseOver    = "the lease ended and nobody had acknowledged the event"
	notPermitted = "not handed out: by the app's manifest or the tenant's policy it may not have events of this type any more"
)

// take leases what is due and then what is new, in one transaction. What is new is read and judged before: a filter takes a while, and
// nothing is locked meanwhile. If others have taken some of it by then, the rest is left.
func (p *Pulls) take(ctx context.Context, r *room, t *ticket, e *Endpoint, most int) (got taken, err error) {
	err = p.inTurn(ctx, r, func() (err error) {
		defer func() {
			if err == nil {
				p.watch(r, t, got)
			}
		}()
		seen, err := p.glance(ctx, e, most)
		if err != nil {
			return err
		}
		begin := max(seen.after, e.SkippedThrough)
		ahead := scanned{last: begin, more: true}
		if seen.due < most {
			if ahead, err = p.scan(ctx, e, begin, most-seen.due); err != nil {
				return err
			}
		}
		if got = (taken{at: seen.at, due: seen.next, newer: ahead.newer}); seen.due == 0 && ahead.last == seen.after {
			return nil
		}
		return p.transact(ctx, e.Tenant, func(tx pgx.Tx) error {
			got, err = p.takeOf(ctx, tx, e, most, seen, ahead)
			return err
		})
	})
	return got, err
}

// takeOf leases what is due, and what is left of what was found before.
func (p *Pulls) takeOf(ctx context.Context, tx pgx.Tx, e *Endpoint, most int, seen glimpse, ahead scanned) (got taken, err error) {
	c, due, now, err := p.open(ctx, tx, e, most)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && c.seq < seen.after { // it was begun anew
		return taken{more: true}, nil
	}
	if err != nil {
		return got, err
	}
	b, err := bring(ctx, tx, e, due)
	if err != nil {
		return got, err
	}
	s := ahead.from(max(c.seq, e.SkippedThrough), most-len(due), mostBytes-b.bytes, len(b.again) == 0)
	until := now.Add(e.Lease)
	for i, d := range b.again {
		got.items = append(got.items, Item{Event: b.events[i], Lease: Lease{d.seq, uuid.New()}, Until: until, Sequence: d.sequence, Attempt: d.attempts + 1})
	}
	for i := range s.events {
		got.items = append(got.items, Item{Event: s.events[i], Lease: Lease{s.events[i].TenantSeq, uuid.New()}, Until: until, Sequence: c.sequence + int64(i) + 1, Attempt: 1})
	}
	got.at, got.due, got.more, got.newer = now, seen.next, s.more || b.full || len(due) == most, s.newer
	return got, p.lease(ctx, tx, e, now, c, s, got.items, b)
}

// open locks the endpoint's cursor, and reads what is due, and what time it is.
func (p *Pulls) open(ctx context.Context, tx pgx.Tx, e *Endpoint, most int) (c cursor, due []delivery, now time.Time, err error) {
	var b pgx.Batch
	given := p.given()
	b.Queue(lockSQL, e.Tenant, e.ID)
	b.Queue(dueSQL, e.Tenant, e.ID, given, e.Through, most)
	b.Queue(nowSQL, given)
	return opened(tx.SendBatch(ctx, &b))
}

func opened(results pgx.BatchResults) (c cursor, due []delivery, now time.Time, err error) {
	defer func() { err = errors.Join(err, results.Close()) }()
	if err := results.QueryRow().Scan(&c.seq, &c.sequence); err != nil {
		return c, nil, now, err
	}
	rows, err := results.Query()
	if err != nil {
		return c, nil, now, err
	}
	due, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d delivery, err error) {
		return d, row.Scan(&d.row, &d.seq, &d.sequence, &d.event, &d.attempts, &d.round, &d.leased, &d.last)
	})
	if err == nil {
		now, err = told(results)
	}
	return c, due, now, err
}

// told is what time it is, by nowSQL.
func told(results pgx.BatchResults) (now time.Time, err error) {
	err = results.QueryRow().Scan(&now)
	return now.UTC(), err
}

// lease writes down what was handed out: first come those of again. A lease that was over is an attempt that failed.
func (p *Pulls) lease(ctx context.Context, tx pgx.Tx, e *Endpoint, now time.Time, c cursor, s scanned, items []Item, of brought) error {
	var b pgx.Batch
	var failed *time.Time
	over := &attempts{}
	over.add("retrying", of.again...)
	over.add("dead", of.dead...)
	over.add("dead", of.denied...)
	if len(over.seqs) > 0 {
		failed = &now
		text := leaseOver
		over.queue(&b, p, e, now, nil, &text)
	}
	if len(of.dead) > 0 {
		queue(&b, len(of.dead), buryOverSQL, rowsAt(of.dead), leaseOver)
	}
	if len(of.denied) > 0 {
		queue(&b, len(of.denied), buryOverSQL, rowsAt(of.denied), notPermitted)
	}
	if len(of.again) > 0 {
		leases := make([]uuid.UUID, len(of.again))
		for i := range of.again {
			leases[i] = items[i].Lease.ID
		}
		queue(&b, len(of.again), leaseAgainSQL, now, now.Add(e.Lease), rowsAt(of.again), leases)
	}
	if fresh := items[len(of.again):]; len(fresh) > 0 {
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
