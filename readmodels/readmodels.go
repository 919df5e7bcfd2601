// Package readmodels answers questions from the relational tables and from the log. It never writes.
package readmodels

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/semaphore"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/turns"
	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Source runs fn in one read-only snapshot that holds the rows of one tenant, as the tables of a schema have them.
// *ledger.Ledger is one.
type Source interface {
	QueryIn(ctx context.Context, schema string, tenant uuid.UUID, fn func(pgx.Tx) error) error
}

// Opener reads personal data. *vault.Vault is one.
type Opener interface {
	Preload(ctx context.Context, tenant uuid.UUID, subjects []uuid.UUID) error
	Open(ctx context.Context, tenant uuid.UUID, field, sealed string) (string, error)
	OpenJSON(ctx context.Context, tenant uuid.UUID, raw []byte) ([]byte, error)
}

// Config of a Reader; everything is required unless its comment says otherwise.
type Config struct {
	Source Source
	Opener Opener
	Claim  func(tenant uuid.UUID, t dcb.Tag) dcb.Tag // the stored form of a personal tag; dcb.Store has it
	// Means makes of an endpoint whether it means an event of its tenant. It MUST read nothing. None: nothing is pending.
	Means func(Subscriber) func(*eventlog.Raw) bool
	Clock func() time.Time // by which it is measured how long that takes; time.Now if nil
}

// Reader answers queries. Safe for concurrent use.
type Reader struct {
	config Config
	turns  *turns.Turns[uuid.UUID] // of tenants
	all    *semaphore.Weighted
}

// How many questions judge at once. Each holds a connection meanwhile, since what it reads before and after must be of one moment, and
// keeps a core busy for as long as its judge lets it; the pool has 16.
const (
	turnsAtOnce = 4
	turnsTenant = 2  // of them, of one tenant
	turnsAsked  = 32 // for a tenant, with those that wait
)

// ErrBusy says that as many questions of the tenant as may wait do so.
var ErrBusy = errors.New("too many questions about what is pending are being asked at once; try again")

// turn waits until a question may judge; the caller MUST call done. Errors: ErrBusy, why the context ended.
func (r *Reader) turn(ctx context.Context, tenant uuid.UUID) (done func(), err error) {
	switch done, err = r.turns.TakeOf(ctx, r.all, tenant); {
	case errors.Is(err, turns.ErrBusy):
		return nil, ErrBusy
	case err != nil:
		return nil, fmt.Errorf("wait for a turn to judge: %w", err)
	}
	return done, nil
}

// New makes a reader.
func New(c Config) *Reader {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Reader{c, turns.Of[uuid.UUID](turnsTenant, turnsAsked), semaphore.NewWeighted(turnsAtOnce)}
}

// Position is a place in the log. Its JSON is a string.
type Position = decimal.Int64

// live is the schema that the projectors keep.
const live = "core"

// View is what one tenant sees of the tables, now or as of an earlier position.
type View struct {
	reader *Reader
	tenant domain.TenantID
	schema string
	upTo   Position
	by     time.Time // what is no event counts if it had happened by then; zero: if it had when an event followed upTo
}

// Now is the present.
func (r *Reader) Now(tenant domain.TenantID) View {
	return View{reader: r, tenant: tenant, schema: live, upTo: math.MaxInt64}
}

// AsOf is the past: schema holds the tables as they were at the position, put there by replay. If a time was asked for, by is that.
func (r *Reader) AsOf(tenant domain.TenantID, schema string, position int64, by time.Time) View {
	return View{r, tenant, schema, Position(position), by}
}

// read runs fn on one snapshot, and returns the position that it showed: of the projector, or of the log if it is "".
// What needs other connections (the data keys do) MUST wait until read has returned.
func (v View) read(ctx context.Context, projector string, fn func(*rows.Queries) error) (seen Position, err error) {
	err = v.reader.config.Source.QueryIn(ctx, v.schema, v.tenant.UUID, func(tx pgx.Tx) error {
		timesInUTC(tx.Conn())
		db := rows.New(planned{tx})
		if seen, err = v.seen(ctx, db, projector); err != nil {
			return fmt.Errorf("position: %w", err)
		}
		return fn(db)
	})
	return seen, err
}

func (v View) seen(ctx context.Context, db *rows.Queries, projector string) (Position, error) {
	var at int64
	var err error
	switch {
	case v.schema != live:
		return v.upTo, nil
	case projector == "":
		at, err = db.SeenInLog(ctx, v.tenant.UUID)
	default:
		at, err = db.Seen(ctx, projector)
	}
	return Position(at), err
}
