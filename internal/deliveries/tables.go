package deliveries

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// tables is a batch of records as the columns of the rows that they are written to. It can be written again: what was written before
// does not change.
type tables struct {
	rows struct {
		tenant, endpoint, id, event []uuid.UUID
		seq, position, sequence     []int64
		typ, app, status            []string
		key, err                    []*string
		attempts, round             []int32
		at, last, next, delivered   []*time.Time
		response                    []*int32
	}
	attempts struct {
		tenant, endpoint, event []uuid.UUID
		seq, took               []int64
		number                  []int32
		at                      []time.Time
		status                  []string
		next                    []*time.Time
		response                []*int32
		start                   [][]byte
		err                     []*string
	}
	demoted struct {
		tenant, endpoint []uuid.UUID
		seq              []int64
	}
	released struct {
		tenant, endpoint []uuid.UUID
		key              []string
		of               []*record
	}
	cursors struct {
		tenant, endpoint       []uuid.UUID
		seq, sequence          []int64
		holder, shard          []int32
		failing, good, failure []*time.Time
	}
}

// SQL is kept here, as that of the other engines is: no feature reads it. An attempt is written once; one that another process has
// written a later attempt of, in the moment in which an endpoint changes hands, does not undo that.
const (
	rowsSQL = `INSERT INTO core.event_deliveries AS d (tenant_id, endpoint_id, tenant_seq, id, event_id, event_type, position, consumer_app_id,
    sequence, ordering_key, status, attempt_count, round, first_attempt_at, last_attempt_at, next_attempt_at, delivered_at, response_status, error, created_at)
SELECT r.*, $20::timestamptz FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::text[], $7::bigint[], $8::text[],
    $9::bigint[], $10::text[], $11::text[], $12::int[], $13::int[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::int[], $19::text[]) r
ON CONFLICT (tenant_id, endpoint_id, tenant_seq) DO UPDATE SET
    -- Redelivery asked for during an attempt has the last word, unless there is no need for it any more.
    status = CASE WHEN d.round > excluded.round AND excluded.status <> 'delivered' THEN d.status ELSE excluded.status END,
    next_attempt_at = CASE WHEN d.round > excluded.round AND excluded.status <> 'delivered' THEN d.next_attempt_at ELSE excluded.next_attempt_at END,
    attempt_count = excluded.attempt_count, round = greatest(d.round, excluded.round),
    first_attempt_at = coalesce(d.first_attempt_at, excluded.first_attempt_at), last_attempt_at = coalesce(excluded.last_attempt_at, d.last_attempt_at),
    delivered_at = coalesce(excluded.delivered_at, d.delivered_at), response_status = excluded.response_status, error = excluded.error
WHERE d.attempt_count < excluded.attempt_count
    OR d.attempt_count = excluded.attempt_count AND d.status = 'retrying' AND excluded.status = 'dead' -- refused`

	attemptsSQL = `INSERT INTO core.delivery_attempts (tenant_id, endpoint_id, event_id, tenant_seq, latency, number, attempted_at, status,
    next_attempt_at, response_status, response_start, error, log_position, process)
SELECT r.tenant_id, r.endpoint_id, r.event_id, r.tenant_seq, r.took * interval '1 microsecond', r.number, r.attempted_at, r.status,
    r.next_attempt_at, r.response_status, r.response_start, r.error, (SELECT coalesce(max(position), 0) FROM core.events), $13::text
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::int[], $7::timestamptz[], $8::text[], $9::timestamptz[],
    $10::int[], $11::bytea[], $12::text[])
    r(tenant_id, endpoint_id, event_id, tenant_seq, took, number, attempted_at, status, next_attempt_at, response_status, response_start, error)
ON CONFLICT (tenant_id, endpoint_id, tenant_seq, number) DO NOTHING`

	demotedSQL = `UPDATE core.event_deliveries d SET status = 'waiting', next_attempt_at = NULL
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) r(tenant_id, endpoint_id, tenant_seq)
WHERE d.tenant_id = r.tenant_id AND d.endpoint_id = r.endpoint_id AND d.tenant_seq = r.tenant_seq AND d.status = 'retrying'`

	// A key whose next one is due already is answered with it, so that writing a batch again changes nothing.
	releasedSQL = `UPDATE core.event_deliveries d SET status = 'retrying', next_attempt_at = coalesce(d.next_attempt_at, $4)
FROM (SELECT r.n, r.tenant_id, r.endpoint_id, w.tenant_seq
    FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY r(tenant_id, endpoint_id, key, n)
    CROSS JOIN LATERAL (SELECT o.tenant_seq FROM core.event_deliveries o
        WHERE o.tenant_id = r.tenant_id AND o.endpoint_id = r.endpoint_id AND o.ordering_key = r.key AND o.status IN ('waiting', 'retrying')
        ORDER BY o.tenant_seq LIMIT 1) w) x
WHERE d.tenant_id = x.tenant_id AND d.endpoint_id = x.endpoint_id AND d.tenant_seq = x.tenant_seq
RETURNING x.n, d.tenant_seq`

	cursorsSQL = `INSERT INTO core.delivery_cursors AS c (tenant_id, endpoint_id, tenant_seq, sequence, failing_since, last_success_at, last_failure_at)
SELECT r.* FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]) r
ON CONFLICT (tenant_id, endpoint_id) DO UPDATE SET
    tenant_seq = greatest(c.tenant_seq, excluded.tenant_seq), sequence = greatest(c.sequence, excluded.sequence), failing_since = excluded.failing_since,
    last_success_at = coalesce(excluded.last_success_at, c.last_success_at), last_failure_at = coalesce(excluded.last_failure_at, c.last_failure_at)`
)

// add puts a record into the tables. The mu of its pump is held.
func (w *recorder) add(t *tables, endpoints map[*pump]int, r *record) {
	p, q := r.p, r.q
	i, ok := endpoints[p]
	if !ok {
		i = len(t.cursors.seq)
		endpoints[p] = i
		c := &t.cursors
		c.tenant, c.endpoint = append(c.tenant, p.tenant), append(c.endpoint, p.id)
		c.seq, c.sequence = append(c.seq, 0), append(c.sequence, 0)
		c.holder, c.shard = append(c.holder, p.holder), append(c.shard, int32(p.shard))
		c.failing, c.good, c.failure = append(c.failing, nil), append(c.good, nil), append(c.failure, nil)
	}
	switch r.kind { //nolint:exhaustive // the others move the cursor alone
	case attempted:
		t.row(w.e, r)
		t.attempt(r)
		if !r.success.IsZero() {
			t.cursors.good[i] = &r.success
		}
		if !r.failure.IsZero() {
			t.cursors.failure[i] = &r.failure
		}
	case refused:
		t.row(w.e, r)
	case waits:
		r.status = statusWaiting
		t.row(w.e, r)
	case demoted:
		d := &t.demoted
		d.tenant, d.endpoint, d.seq = append(d.tenant, p.tenant), append(d.endpoint, p.id), append(d.seq, q.seq)
	}
	if r.release {
		l := &t.released
		r.released = 0 // of a transaction that failed
		l.tenant, l.endpoint, l.key, l.of = append(l.tenant, p.tenant), append(l.endpoint, p.id), append(l.key, q.key), append(l.of, r)
	}
}

func (t *tables) row(e *Engine, r *record) {
	p, q, ev, d := r.p, r.q, r.q.event, &t.rows
	d.tenant, d.endpoint = append(d.tenant, p.tenant), append(d.endpoint, p.id)
	d.id, d.event = append(d.id, e.cfg.ID(p.id, ev.ID)), append(d.event, ev.ID)
	d.seq, d.position, d.sequence = append(d.seq, q.seq), append(d.position, ev.Position), append(d.sequence, q.sequence)
	d.typ, d.app, d.status = append(d.typ, e.cfg.Type(ev)), append(d.app, p.ep.App), append(d.status, r.status)
	d.key, d.err = append(d.key, text(q.key)), append(d.err, text(r.out.Err))
	d.attempts, d.round = append(d.attempts, int32(q.attempts)), append(d.round, int32(q.round))
	d.at, d.last, d.next = append(d.at, moment(r.at)), append(d.last, moment(r.at)), append(d.next, moment(r.next))
	d.response = append(d.response, number(r.out.Status))
	var delivered *time.Time
	if r.status == statusDelivered {
		delivered = moment(r.success)
	}
	d.delivered = append(d.delivered, delivered)
}

func (t *tables) attempt(r *record) {
	p, q, a := r.p, r.q, &t.attempts
	a.tenant, a.endpoint, a.event = append(a.tenant, p.tenant), append(a.endpoint, p.id), append(a.event, q.event.ID)
	a.seq, a.took, a.number = append(a.seq, q.seq), append(a.took, r.out.Took.Microseconds()), append(a.number, int32(q.attempts))
	a.at, a.status, a.next = append(a.at, r.at), append(a.status, r.status), append(a.next, moment(r.next))
	a.response, a.start, a.err = append(a.response, number(r.out.Status)), append(a.start, r.out.Answer), append(a.err, text(r.out.Err))
}

// cursor says how far an endpoint is once the batch is written. The mu of the pump is held.
func (t *tables) cursor(p *pump, i int) {
	c := &t.cursors
	c.seq[i], c.sequence[i] = p.cursor()
	c.failing[i] = moment(p.failing)
	p.saved, p.dirty = c.seq[i], false
}

func (w *recorder) write(ctx context.Context, t *tables, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	b := &pgx.Batch{} // one round trip, and one transaction
	now := w.e.cfg.Now()
	b.Queue("SELECT set_config('lock_timeout', $1, true)", strconv.FormatInt(patience.Milliseconds(), 10))
	w.e.share.fence(b, t.cursors.holder, t.cursors.shard)
	if slices.ContainsFunc(t.rows.status, func(s string) bool { return s != statusDelivered }) {
		// The cursor passes what is not delivered: its row MUST outlive a crash of the database. What is lost of the others is sent again.
		b.Queue("SELECT set_config('synchronous_commit', 'on', true)")
	}
	if d := &t.rows; len(d.seq) > 0 {
		b.Queue(rowsSQL, d.tenant, d.endpoint, d.seq, d.id, d.event, d.typ, d.position, d.app, d.sequence, d.key, d.status, d.attempts, d.round,
			d.at, d.last, d.next, d.delivered, d.response, d.err, now)
	}
	if a := &t.attempts; len(a.seq) > 0 {
		b.Queue(attemptsSQL, a.tenant, a.endpoint, a.event, a.seq, a.took, a.number, a.at, a.status, a.next, a.response, a.start, a.err, w.e.cfg.Process)
	}
	if d := &t.demoted; len(d.seq) > 0 {
		b.Queue(demotedSQL, d.tenant, d.endpoint, d.seq)
	}
	if l := &t.released; len(l.of) > 0 {
		b.Queue(releasedSQL, l.tenant, l.endpoint, l.key, now).Query(func(rows pgx.Rows) error {
			var n, seq int64
			_, err := pgx.ForEachRow(rows, []any{&n, &seq}, func() error {
				l.of[n-1].released = seq
				return nil
			})
			return err
		})
	}
	c := &t.cursors
	b.Queue(cursorsSQL, c.tenant, c.endpoint, c.seq, c.sequence, c.failing, c.good, c.failure)
	return w.e.cfg.Pool.SendBatch(ctx, b).Close()
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func number(n int) *int32 {
	if n == 0 {
		return nil
	}
	m := int32(n)
	return &m
}
