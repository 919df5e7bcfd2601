package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The prepared statements of a session.
const (
	appendStatement = "append"
	findStatement   = "find"
	fetchStatement  = "fetch"
)

// session is a connection taken out of the pool for one goroutine, with the hot statements prepared and the planner told
// to probe indexes whatever the statistics of a young table say.
type session struct{ conn *pgx.Conn }

func openSession(ctx context.Context, pool *pgxpool.Pool, statements map[string]string) (*session, error) {
	pooled, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s := &session{conn: pooled.Hijack()}
	_, err = s.conn.PgConn().Exec(ctx, `SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
		SET enable_bitmapscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan`).ReadAll()
	if err != nil {
		s.close()
		return nil, fmt.Errorf("set up session: %w", err)
	}
	for name, sql := range statements {
		if _, err := s.conn.PgConn().Prepare(ctx, name, sql, nil); err != nil {
			s.close()
			return nil, fmt.Errorf("prepare %s: %w", name, err)
		}
	}
	return s, nil
}

// each runs a prepared statement, parameters and rows in binary. What row receives is valid until it returns.
func (s *session) each(ctx context.Context, statement string, params [][]byte, row func([][]byte) error) error {
	rows := s.conn.PgConn().ExecPrepared(ctx, statement, params, []int16{pgx.BinaryFormatCode}, []int16{pgx.BinaryFormatCode})
	var failed error
	for rows.NextRow() {
		if failed == nil {
			failed = row(rows.Values())
		}
	}
	if _, err := rows.Close(); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("%w: %w", errGarbled, failed)
	}
	return nil
}

// errGarbled is an answer that we cannot read; asking again would not help.
var errGarbled = errors.New("answer of the database not understood")

// close lets the connection go without waiting for long: it may be the network that is broken.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.conn.Close(ctx)
}

// badData reports whether the statement failed for what it was given, so that another batch may do better.
func badData(err error) bool {
	switch class(err) {
	case "22", "23", "54":
		return true
	}
	return false
}

// retiredKey reports whether core.subject_keys refused a row for the key that it lies under.
func retiredKey(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == "subject_keys_kek_not_retired"
}

// passing reports whether the same statement may succeed later, on another connection: anything but an answer of the
// server about the statement itself.
func passing(err error) bool {
	if errors.Is(err, errGarbled) || errors.Is(err, ErrHole) {
		return false
	}
	switch class(err) {
	case "", "08", "25", "40", "53", "55", "57", "58":
		return true
	}
	return false
}

func class(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && len(pg.Code) == 5 {
		return pg.Code[:2]
	}
	return ""
}
