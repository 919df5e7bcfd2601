package readmodels

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"chancery/readmodels/internal/rows"
)

// planned has every statement planned for its very parameters, so that a filter that is absent vanishes from the plan and one
// that is given finds its index. A prepared statement would, after five uses, be given one plan for all filters.
type planned struct{ tx rows.DBTX }

func (p planned) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return p.tx.Query(ctx, sql, unprepared(args)...)
}

func (p planned) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return p.tx.QueryRow(ctx, sql, unprepared(args)...)
}

func (p planned) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return p.tx.Exec(ctx, sql, unprepared(args)...)
}

func unprepared(args []any) []any { return append([]any{pgx.QueryExecModeCacheDescribe}, args...) }

// timesInUTC has a connection read times in UTC, whatever zone the machine is in. It is done once per connection.
func timesInUTC(c *pgx.Conn) {
	types := c.TypeMap()
	if known, ok := types.TypeForOID(pgtype.TimestamptzOID); ok {
		if codec, ok := known.Codec.(*pgtype.TimestamptzCodec); ok && codec.ScanLocation == time.UTC {
			return
		}
	}
	types.RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
}
