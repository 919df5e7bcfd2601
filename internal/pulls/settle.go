package pulls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Fate is what became of a lease.
type Fate string

// The fates.
const (
	Acked        Fate = "acked"
	AlreadyAcked Fate = "already-acked" // by the same lease, earlier
	Nacked       Fate = "nacked"        // to be handed out again
	Dead         Fate = "dead"          // a dead letter: it was handed out often enough
	Extended     Fate = "extended"
	Over         Fate = "lease-over" // there is no such lease any more
)

const (
	heldSQL = `SELECT u.n, d.* FROM unnest($3::bigint[], $4::uuid[]) WITH ORDINALITY u(seq, lease, n)
		CROSS JOIN LATERAL (SELECT ctid::text, tenant_seq, event_id, attempt_count, round, status, last_attempt_at FROM core.event_deliveries
			WHERE tenant_id = $1 AND endpoint_id = $2 AND tenant_seq = u.seq AND lease = u.lease AND status IN ('leased', 'delivered') LIMIT 1 FOR UPDATE) d
		ORDER BY u.n`
	// ackSQL leaves the lease in the row, so that who acknowledges it again is told so.
	ackSQL    = `UPDATE core.event_deliveries SET status = 'delivered', delivered_at = $2, next_attempt_at = NULL, error = NULL WHERE ctid = ANY ($1::tid[])`
	ackedSQL  = `UPDATE core.delivery_cursors SET failing_since = NULL, last_success_at = $3 WHERE tenant_id = $1 AND endpoint_id = $2`
	nackSQL   = `UPDATE core.event_deliveries SET status = $2, next_attempt_at = $3, lease = NULL, error = $4 WHERE ctid = ANY ($1::tid[])`
	nackedSQL = `UPDATE core.delivery_cursors SET failing_since = coalesce(failing_since, $3), last_failure_at = $3 WHERE tenant_id = $1 AND endpoint_id = $2`
	extendSQL = `UPDATE core.event_deliveries SET next_attempt_at = $2 WHERE ctid = ANY ($1::tid[])`
)

const givenBack = "its receiver gave it back"

// Ack says that the events of leases were handled. A lease that has ended counts as long as nobody else has the event.
func (p *Pulls) Ack(ctx context.Context, e *Endpoint, leases []Lease) ([]Fate, error) {
	return p.settle(ctx, e, leases, Acked, func(b *pgx.Batch, held []delivery, now time.Time) {
		queue(b, len(held), ackSQL, rowsAt(held), now)
		b.Queue(ackedSQL, e.Tenant, e.ID, now)
		done := &attempts{}
		done.add("delivered", held...)
		done.queue(b, p, e, now, nil, nil)
	})
}

// Nack gives events back, to be handed out again after a while; or never, if they were often enough.
func (p *Pulls) Nack(ctx context.Context, e *Endpoint, leases []Lease, delay time.Duration) ([]Fate, error) {
	var dead map[int64]bool
	fates, err := p.settle(ctx, e, leases, Nacked, func(b *pgx.Batch, held []delivery, now time.Time) {
		again, over := sort(held, e.Attempts)
		dead = map[int64]bool{}
		for _, d := range over {
			dead[d.seq] = true
		}
		due, text := now.Add(delay), givenBack
		for _, part := range []struct {
			status string
			next   *time.Time
			of     []delivery
		}{{"retrying", &due, again}, {"dead", nil, over}} {
			if len(part.of) == 0 {
				continue
			}
			a := &attempts{}
			a.add(part.status, part.of...)
			queue(b, len(part.of), nackSQL, rowsAt(part.of), part.status, part.next, text)
			a.queue(b, p, e, now, part.next, &text)
		}
		b.Queue(nackedSQL, e.Tenant, e.ID, now)
	})
	for i, f := range fates {
		if f == Nacked && dead[leases[i].Seq] {
			fates[i] = Dead
		}
	}
	if err == nil {
		p.stir(e.place()) // whoever waits may have them
	}
	return fates, err
}

// Extend has leases end so long from now, and says when that is.
func (p *Pulls) Extend(ctx context.Context, e *Endpoint, leases []Lease, by time.Duration) (fates []Fate, until time.Time, err error) {
	fates, err = p.settle(ctx, e, leases, Extended, func(b *pgx.Batch, held []delivery, now time.Time) {
		until = now.Add(by)
		queue(b, len(held), extendSQL, rowsAt(held), until)
	})
	return fates, until, err
}

// settle does something about those of the leases that are held, under the cursor's lock as everything. The others are over, or were
// acknowledged before.
func (p *Pulls) settle(ctx context.Context, e *Endpoint, leases []Lease, fate Fate, do func(*pgx.Batch, []delivery, time.Time)) ([]Fate, error) {
	r := p.enter(e.place())
	defer p.exit(e.place(), r)
	seqs, ids := make([]int64, len(leases)), make([]uuid.UUID, len(leases))
	for i, l := range leases {
		seqs[i], ids[i] = l.Seq, l.ID
	}
	var fates []Fate
	err := p.inTurn(ctx, r, func() error {
		return p.transact(ctx, e.Tenant, func(tx pgx.Tx) error {
			fates = make([]Fate, len(leases))
			for i := range fates {
				fates[i] = Over
			}
			var ask pgx.Batch
			ask.Queue(lockSQL, e.Tenant, e.ID)
			ask.Queue(heldSQL, e.Tenant, e.ID, seqs, ids)
			ask.Queue(nowSQL, p.given())
			held, now, err := p.held(tx.SendBatch(ctx, &ask), fates, fate)
			if err != nil || len(held) == 0 {
				return err
			}
			var b pgx.Batch
			do(&b, held, now)
			return tx.SendBatch(ctx, &b).Close()
		})
	})
	if err != nil {
		return nil, fmt.Errorf("settle leases: %w", err)
	}
	return fates, nil
}

// held are those that are leased, and what time it is; the fate of each lease is noted.
func (p *Pulls) held(results pgx.BatchResults, fates []Fate, fate Fate) (held []delivery, now time.Time, err error) {
	defer func() { err = errors.Join(err, results.Close()) }()
	if _, err := results.Exec(); err != nil {
		return nil, now, err
	}
	rows, err := results.Query()
	if err != nil {
		return nil, now, err
	}
	defer rows.Close()
	known := map[int64]bool{}
	for rows.Next() {
		var n int
		var status string
		d := delivery{leased: true}
		if err := rows.Scan(&n, &d.row, &d.seq, &d.event, &d.attempts, &d.round, &status, &d.last); err != nil {
			return nil, now, err
		}
		if status == "delivered" {
			fates[n-1] = AlreadyAcked
			continue
		}
		if fates[n-1] = fate; !known[d.seq] { // named twice
			known[d.seq] = true
			held = append(held, d)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, now, err
	}
	now, err = told(results)
	return held, now, err
}
