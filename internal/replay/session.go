package replay

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// session is a connection whose advisory lock says that this process lives. The lock's number is part of
// the names of the schemas that this process makes; whoever gets the lock may drop them.
type session struct {
	mu   sync.Mutex // one statement at a time
	conn *pgx.Conn
	tag  int32
}

const schemaPrefix = "asof_"

func openSession(ctx context.Context, pool *pgxpool.Pool) (*session, error) {
	c, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{conn: c.Hijack()}
	for {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		s.tag = int32(binary.BigEndian.Uint32(b[:]))
		if s.tag == lockBuild {
			continue
		}
		mine, err := s.lock(ctx, s.tag)
		if err != nil {
			s.close(ctx)
			return nil, err
		}
		if mine {
			return s, nil
		}
	}
}

func (s *session) lock(ctx context.Context, tag int32) (mine bool, err error) {
	err = s.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1::int, $2::int)`, lockClass, tag).Scan(&mine)
	return mine, err
}

func (s *session) close(ctx context.Context) { _ = s.conn.Close(context.WithoutCancel(ctx)) }

// alive does not depend on the caller's patience: a ping cut short would end the connection.
func (s *session) alive(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return s.conn.Ping(ctx) == nil
}

func (s *session) schema(key string) string {
	return fmt.Sprintf("%s%08x_%s", schemaPrefix, uint32(s.tag), key)
}

// dropLeftovers drops the schemas of processes that do not live any more.
func (s *session) dropLeftovers(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, err := s.conn.Query(ctx, `SELECT nspname FROM pg_namespace WHERE nspname ~ '^asof_[0-9a-f]{8}_[0-9a-f]+$' ORDER BY nspname`)
	if err != nil {
		return err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		n, err := strconv.ParseUint(strings.TrimPrefix(schema, schemaPrefix)[:8], 16, 32)
		if err != nil || int32(uint32(n)) == s.tag {
			continue
		}
		dead, err := s.lock(ctx, int32(uint32(n)))
		if err != nil {
			return err
		}
		if !dead {
			continue
		}
		if _, err := s.conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+ident(schema)+" CASCADE"); err != nil {
			return err
		}
		if _, err := s.conn.Exec(ctx, `SELECT pg_advisory_unlock($1::int, $2::int)`, lockClass, int32(uint32(n))); err != nil {
			return err
		}
	}
	return nil
}
