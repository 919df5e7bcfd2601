package feed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
)

// unit is one transaction of one lane: a page read, the writes it leads to, the checkpoint. Writes wait
// in the parcels and reach PostgreSQL together with the checkpoint, in one round trip, or never.
//
// The subscriber's goroutine owns it, except that the handler fills the parcel it was handed until it
// acknowledges it. A handler abandoned by a closing subscriber goes on filling a parcel nobody reads.
type unit struct {
	lane    *lane
	tx      pgx.Tx
	from    int64 // the checkpoint before
	parcels []*parcel
	settled []*parcel // to be written; set by settle
}

// parcel is the content of one message.
type parcel struct {
	events []dcb.Recorded // of what a reaction is not told of, and of what a follower gets, the envelope of the last one
	raws   []eventlog.Raw // the events as a follower gets them
	seen   int            // how many it is
	batch  pgx.Batch
	err    error
}

// QueryContext runs the select of a page. An event that cannot be decoded, or a hole, ends the page
// before it; at the page's start it is the error.
func (u *unit) QueryContext(ctx context.Context, query string, args ...any) (wsql.Rows, error) {
	rows, err := u.tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	standby, oldest := true, time.Time{}
	next := int64(0)
	var bad error
	for rows.Next() {
		raw, found, err := scan(rows, &u.from)
		if err != nil {
			return nil, fmt.Errorf("read an event: %w", err)
		}
		if standby {
			standby, next, oldest = false, u.from+1, raw.CreatedAt
		}
		if !found {
			break
		}
		e, err := u.open(raw, next)
		if err != nil {
			bad = err
			break
		}
		u.pack(e, raw)
		next++
	}
	rows.Close()
	if err := rows.Err(); err != nil { // watermill-sql itself never asks
		return nil, err
	}
	if standby {
		u.lane.stoodBy()
		return &parcels{unit: u}, nil
	}
	u.lane.saw(u.from, oldest)
	u.lane.seen = int(next - u.from - 1)
	if u.lane.seen == 0 && bad != nil {
		return nil, bad
	}
	return &parcels{unit: u}, nil
}

// open decodes an event and makes sure that it is the next one.
func (u *unit) open(raw eventlog.Raw, want int64) (e dcb.Recorded, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = u.stuck(raw.Position, raw.Type, fmt.Errorf("panic: %v", p), debug.Stack())
		}
	}()
	if raw.Position != want {
		return e, u.stuck(want, "", fmt.Errorf("hole in the log: event %d is missing, the next is %d", want, raw.Position), nil)
	}
	if u.lane.hears(raw) {
		if e, err = u.lane.cfg.Decode(raw); err != nil {
			return e, u.stuck(raw.Position, raw.Type, err, nil)
		}
	}
	e.Position, e.ID, e.RecordedAt = raw.Position, raw.ID, raw.CreatedAt // the unit counts on them
	return e, nil
}

func (u *unit) stuck(position int64, kind string, err error, stack []byte) error {
	return &Stuck{Projector: u.lane.name, Position: position, Type: kind, Err: err, Stack: stack}
}

// pack puts an event into its parcel. A page is one parcel; of a reaction each event that it is told of is one, and so are those
// that pass in between.
func (u *unit) pack(e dcb.Recorded, raw eventlog.Raw) {
	l, n := u.lane, len(u.parcels)
	if n == 0 || l.only != nil && (e.Event != nil || !u.parcels[n-1].passes()) {
		p := &parcel{}
		if l.only == nil && l.follow == nil {
			p.events = make([]dcb.Recorded, 0, l.seen+1) // there are often about as many as before
		}
		u.parcels, n = append(u.parcels, p), n+1
	}
	p := u.parcels[n-1]
	p.seen++
	if l.follow != nil {
		p.raws = append(p.raws, raw)
	}
	if l.only != nil || l.follow != nil {
		p.events = p.events[:0]
	}
	p.events = append(p.events, e)
}

// hears reports whether the lane has to do with an event. Types name events of Chancery's own; what an app calls its own is no matter.
func (l *lane) hears(raw eventlog.Raw) bool {
	return l.follow == nil && (l.only == nil || l.only[raw.Type] && raw.SourceApp == dcb.Core)
}

// passes reports whether nothing is to be done about what is in it.
func (p *parcel) passes() bool { return p.events[0].Event == nil && p.raws == nil }

// errPage marks a failure of several events at once: which of them it was is not known.
var errPage = errors.New("page failed")

// blame says which event failed, if that is known. A follower's failures are no event's: it says itself what was wrong.
func (u *unit) blame(p *parcel, err error, stack []byte) error {
	first := p.events[0]
	if u.lane.follow != nil {
		if stack != nil {
			err = fmt.Errorf("%w\n%s", err, stack)
		}
		return err
	}
	if len(p.events) == 1 && first.Event != nil {
		return u.stuck(first.Position, first.Event.EventType(), err, stack)
	}
	return fmt.Errorf("%w: events %d to %d: %w", errPage, first.Position, p.events[len(p.events)-1].Position, err)
}

// handle is the Watermill handler. It never returns an error: a nack would resend the message inside
// the same transaction. Failure is kept in the parcel, and undoes the unit at the acknowledgement.
func (l *lane) handle(m *message.Message) error {
	tx, _ := wsql.TxFromContext(m.Context())
	u := tx.(*unit)
	i, _ := strconv.Atoi(m.Metadata[parcelKey])
	p := u.parcels[i]
	if i > 0 && u.parcels[i-1].err != nil {
		p.err = u.parcels[i-1].err // nothing is done after a failure
		return nil
	}
	if p.passes() {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			p.err = u.blame(p, fmt.Errorf("panic: %v", r), debug.Stack())
		}
	}()
	if l.follow != nil {
		if err := l.follow(m.Context(), p.raws); err != nil {
			p.err = u.blame(p, err, nil)
		}
		return nil
	}
	if err := l.apply(m.Context(), (*writes)(p), p.events); err != nil {
		p.err = u.blame(p, err, nil)
	}
	return nil
}

// settle chooses what to write: the parcels acknowledged up to an offset, before the first failed one.
// It returns the offset they end at, or the failure if there are none.
func (u *unit) settle(acked int64) (int64, error) {
	var upTo int64
	for _, p := range u.parcels {
		last := p.events[len(p.events)-1].Position
		if last > acked {
			break
		}
		if p.err != nil {
			if upTo == 0 {
				return 0, p.err
			}
			break
		}
		u.settled, upTo = append(u.settled, p), last
	}
	return upTo, nil
}

// ExecContext sends what is settled and then the given statement, which MUST change one row unless
// nothing is settled. It is not cut short by stopping: that would only mean doing the page again.
func (u *unit) ExecContext(ctx context.Context, query string, args ...any) (wsql.Result, error) {
	ctx, cancel := finishing(ctx)
	defer cancel()
	if len(u.settled) == 0 { // before subscribing
		tag, err := u.tx.Exec(ctx, query, args...)
		return wsql.PgxResult{CommandTag: tag}, err
	}
	all := &pgx.Batch{}
	for _, p := range u.settled {
		all.QueuedQueries = append(all.QueuedQueries, p.batch.QueuedQueries...)
	}
	all.Queue(query, args...)
	sent := u.tx.SendBatch(ctx, all)
	var tag pgconn.CommandTag
	var err error
	for i := 0; i < all.Len() && err == nil; i++ {
		tag, err = sent.Exec()
	}
	if closed := sent.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, u.refused(err)
	}
	if tag.RowsAffected() != 1 {
		return nil, fmt.Errorf("the checkpoint of %s moved from %d under us", u.lane.name, u.from)
	}
	return wsql.PgxResult{CommandTag: tag}, nil
}

// refused tells an event that PostgreSQL will never take from a passing trouble.
func (u *unit) refused(err error) error {
	pg := new(pgconn.PgError)
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code[:2] {
	case "08", "25", "40", "53", "55", "57", "58": // connection, transaction, serialization, resources, state, operator, system
		return err
	}
	together := &parcel{}
	for _, p := range u.settled {
		together.events = append(together.events, p.events...)
	}
	return u.blame(together, err, nil)
}

// Commit is the moment at which rows and checkpoint become visible.
func (u *unit) Commit() error {
	ctx, cancel := finishing(context.Background())
	defer cancel()
	err := u.tx.Commit(ctx)
	if len(u.settled) == 0 {
		return err
	}
	if err != nil {
		u.lane.mu.Lock()
		u.lane.commit = fmt.Errorf("commit: %w", err)
		u.lane.mu.Unlock()
		return nil // HandleError speaks of it
	}
	events := 0
	for _, p := range u.settled {
		events += p.seen
	}
	last := u.settled[len(u.settled)-1].events
	u.lane.committed(last[len(last)-1].Position, events, last[len(last)-1].RecordedAt)
	return nil
}

// Rollback is silent about a connection that is gone: whatever broke it has been reported.
func (u *unit) Rollback() error {
	ctx, cancel := finishing(context.Background())
	defer cancel()
	gone := u.tx.Conn().IsClosed()
	if err := u.tx.Rollback(ctx); err != nil && !gone {
		return err
	}
	return nil
}

// finishing outlives the order to stop, but not a database that does not answer.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
}

// parcels are the rows that watermill-sql sees.
type parcels struct {
	unit *unit
	next int
}

func (r *parcels) Next() bool {
	r.next++
	return r.next <= len(r.unit.parcels)
}
func (r *parcels) Close() error      { return nil }
func (r *parcels) Scan(...any) error { return errors.New("feed: rows are not scanned") }

// writes is a parcel as a DBTX.
type writes parcel

var errRead = errors.New("feed: a projector never reads")

func (w *writes) Exec(_ context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	w.batch.Queue(query, args...)
	return pgconn.CommandTag{}, nil
}

func (w *writes) Query(_ context.Context, query string, _ ...any) (pgx.Rows, error) {
	return nil, fmt.Errorf("%w: %s", errRead, strings.SplitN(query, "\n", 2)[0])
}

func (w *writes) QueryRow(context.Context, string, ...any) pgx.Row { return noRow{} }

type noRow struct{}

func (noRow) Scan(...any) error { return errRead }

// scan reads a row of a page; found is false on the row that carries the offset alone.
func scan(rows pgx.Rows, offset *int64) (raw eventlog.Raw, found bool, err error) {
	v := rows.RawValues()
	*offset = int64(binary.BigEndian.Uint64(v[0]))
	if v[1] == nil {
		return raw, false, nil
	}
	raw, err = eventlog.RawOf(v[1:])
	return raw, true, err
}
