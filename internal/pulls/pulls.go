// Package pulls hands events of the log to receivers who come for them: leased, so that nobody else has them meanwhile, or in order from
// a place on. It knows no feature, and writes nothing but the tables of migration 00060.
package pulls

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"chancery/internal/eventlog"
	"chancery/internal/turns"
)

// Endpoint is where an app comes for events of a tenant, and which.
type Endpoint struct {
	Tenant, ID uuid.UUID
	App        string        // the consumer
	Lease      time.Duration // how long a receiver has to handle an event
	Attempts   int           // how often an event is handed out before it is a dead letter

	StartsAfter    int64     // tenant_seq; what was recorded by then is not meant
	From           time.Time // unless it was recorded since then; zero: none is
	SkippedThrough int64     // tenant_seq; what was not handed out by then is not meant any more

	// Through is the position up to which all that Means and Permits go by is known. What was recorded later is not judged, and not passed.
	Through int64
	// Means reports whether an event of its tenant is meant. It may take a while, and MUST be safe for concurrent use.
	Means func(*eventlog.Raw) bool
	// Stirs reports whether Means may hold, by the event's type and tags alone: whoever waits is woken by it. It MUST be quick, as it is asked
	// for all tenants by one. Nil: any may.
	Stirs func(*eventlog.Raw) bool
	// Permits reports whether an event that was handed out before may be once more, whether it is asked for or not. It MUST be quick.
	Permits func(*eventlog.Raw) bool
}

// Item is an event that was handed out.
type Item struct {
	Event    eventlog.Raw
	Lease    Lease
	Until    time.Time // when the lease ends
	Sequence int64     // of the delivery within the endpoint, from 1; the same whenever it is handed out
	Attempt  int       // from 1
}

// Lease is what a receiver shows for an event that it has.
type Lease struct {
	Seq int64 // tenant_seq of the event
	ID  uuid.UUID
}

func (l Lease) String() string { return strconv.FormatInt(l.Seq, 10) + "." + l.ID.String() }

// ParseLease reads what String made.
func ParseLease(text string) (Lease, bool) {
	seq, id, _ := strings.Cut(text, ".")
	var l Lease
	n, err := strconv.ParseInt(seq, 10, 64)
	if err == nil {
		l.ID, err = uuid.Parse(id)
	}
	l.Seq = n
	return l, err == nil && l.String() == text
}

// Config of Pulls.
type Config struct {
	Pool    *pgxpool.Pool    // as role chancery_project with search_path core
	Now     func() time.Time // for tests; nil: leases run by the database's clock, whatever those of the processes say
	Process string           // which of ours this is
}

// Pulls hands out events of all endpoints. Safe for concurrent use, in several processes at once: whatever is done about one endpoint is
// done one after the other, under the lock of its cursor.
type Pulls struct {
	cfg    Config
	slots  *semaphore.Weighted
	shares *turns.Turns[uuid.UUID] // of tenants

	mu     sync.Mutex
	rooms  map[place]*room     // of endpoints at which somebody is; mu owns it, and what is in the rooms
	begins map[place]int64     // of endpoints with From, what beginning came to; mu owns it
	queue  []eventlog.Raw      // of Heard, to be told to the rooms; mu owns it
	lost   bool                // there were too many of them; mu owns it
	heads  map[uuid.UUID]int64 // the newest tenant_seq that those who wait know of; mu owns it

	wake   chan struct{} // holds one: the queue is not empty
	others chan struct{} // holds one: some process has appended something
}

// place names an endpoint. An id alone does not: whoever makes an endpoint may choose it.
type place struct{ tenant, id uuid.UUID }

func (e *Endpoint) place() place { return place{e.Tenant, e.ID} }

const mostBegins = 10_000 // that are kept

// New makes one; without Run nobody is told of new events.
func New(c Config) *Pulls {
	return &Pulls{
		cfg: c, slots: semaphore.NewWeighted(connections), shares: turns.Of[uuid.UUID](ofTenant, 0), rooms: map[place]*room{}, begins: map[place]int64{},
		wake: make(chan struct{}, 1), others: make(chan struct{}, 1),
	}
}

// given is the time that a statement is to go by; nil: the database's own.
func (p *Pulls) given() *time.Time {
	if p.cfg.Now == nil {
		return nil
	}
	now := p.cfg.Now().UTC().Truncate(time.Microsecond)
	return &now
}

// durable begins a transaction whose commit is on disk when it returns: what a receiver was told holds. The role's own do not wait. Rows
// are found one by one, by their keys or where they lie: what the planner knows of tables that grow is too old to choose by.
var durable = pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"}

// inTurn runs fn when nobody else of this process is about the endpoint.
func (p *Pulls) inTurn(ctx context.Context, r *room, fn func() error) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
		return fn()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// transact runs fn in a transaction, on a connection of the tenant's share. It may be run again.
func (p *Pulls) transact(ctx context.Context, tenant uuid.UUID, fn func(pgx.Tx) error) error {
	release, err := p.slot(ctx, tenant)
	if err != nil {
		return err
	}
	defer release()
	for range 3 { // others change rows, too: who asks for redelivery
		if err = pgx.BeginTxFunc(ctx, p.cfg.Pool, durable, fn); !errors.Is(err, errMoved) && !deadlocked(err) {
			break
		}
	}
	return err
}

// errMoved says that a row was not where it lay when it was locked.
var errMoved = errors.New("a delivery was changed while it was locked")

// rowsAt are the places of deliveries as PostgreSQL takes them: {"(0,1)","(0,2)"}.
func rowsAt(all []delivery) string {
	b := []byte{'{'}
	for i, d := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, d.row)
	}
	return string(append(b, '}'))
}

// queue adds a statement that changes locked rows, so many.
func queue(b *pgx.Batch, rows int, sql string, args ...any) {
	b.Queue(sql, args...).Exec(func(done pgconn.CommandTag) error {
		if done.RowsAffected() != int64(rows) {
			return errMoved
		}
		return nil
	})
}

func deadlocked(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40P01" || pg.Code == "40001")
}

// beginning is the tenant_seq after which the endpoint means anything: an event is meant that was recorded after the endpoint was made, or
// since From.
func (p *Pulls) beginning(ctx context.Context, e *Endpoint) (int64, error) {
	if e.From.IsZero() {
		return e.StartsAfter, nil
	}
	p.mu.Lock()
	known, ok := p.begins[e.place()]
	p.mu.Unlock()
	if ok {
		return known, nil
	}
	release, err := p.slot(ctx, e.Tenant)
	if err != nil {
		return 0, err
	}
	defer release()
	low, high := int64(0), e.StartsAfter // low is before From or 0; what follows high is meant
	for low < high {
		middle := low + (high-low)/2 + 1
		var at time.Time
		if err := p.cfg.Pool.QueryRow(ctx, `SELECT created_at FROM core.events WHERE tenant_id = $1 AND tenant_seq = $2`, e.Tenant, middle).Scan(&at); err != nil {
			return 0, fmt.Errorf("look for the beginning: %w", err)
		}
		if at.Before(e.From) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.begins) >= mostBegins {
		clear(p.begins)
	}
	p.begins[e.place()] = low
	return low, nil
}
