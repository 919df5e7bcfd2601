package eventlog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"chancery/internal/ledger"
)

// span bounds the positions that one call of Own passes: a minute's worth of counting would hold a snapshot for a minute.
const span = 1 << 20

// ownSQL asks for everything in one statement, so in one snapshot: what is not Chancery's own up to through is an app's, or missing.
// Own events come by an index of theirs; all others are counted by the primary key, and never read.
const ownSQL = `
WITH own AS MATERIALIZED (
	SELECT ` + Columns + ` FROM core.events
	WHERE source_app_id = 'core' AND position > $1 AND position <= $1 + $3 ORDER BY position LIMIT $2),
through AS MATERIALIZED (
	SELECT CASE WHEN (SELECT count(*) FROM own) = $2 THEN (SELECT max(position) FROM own)
		ELSE (SELECT max(position) FROM core.events WHERE position > $1 AND position <= $1 + $3) END AS through),
passed AS MATERIALIZED (
	SELECT count(*) AS passed FROM core.events WHERE position > $1 AND position <= (SELECT through FROM through))
SELECT through, passed, ` + Columns + ` FROM through CROSS JOIN passed LEFT JOIN own ON true ORDER BY position`

// Own implements Log.
func (p *PG) Own(ctx context.Context, after int64, limit int) (page []Raw, through int64, err error) {
	page, through, err = p.own(ctx, after, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("read own events after %d: %w", after, err)
	}
	return page, through, nil
}

func (p *PG) own(ctx context.Context, after int64, limit int) (page []Raw, through int64, err error) {
	rows, err := p.ledger.Pool(ledger.Project).Query(ctx, ownSQL, pgx.QueryResultFormats{pgx.BinaryFormatCode}, after, limit, span)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	through = after
	var passed int64
	for rows.Next() {
		v := rows.RawValues()
		if v[0] == nil { // nothing follows
			continue
		}
		through, passed = int8Of(v[0]), int8Of(v[1])
		if v[2] == nil { // nothing of our own does
			continue
		}
		e, err := RawOf(v[2:])
		if err != nil {
			return nil, 0, err
		}
		page = append(page, e)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, err
	}
	if passed != through-after {
		return nil, 0, fmt.Errorf("%w: %d events at positions %d to %d", ErrHole, passed, after+1, through)
	}
	return page, through, nil
}
