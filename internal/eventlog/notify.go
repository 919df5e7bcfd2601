package eventlog

import (
	"context"
	"strconv"
	"time"

	"chancery/internal/ledger"
)

// Channel carries the head as text, some milliseconds after commits. It is a hint, never a promise: listeners poll as well.
const Channel = "chancery_events"

// notify tells other connections of new events, at most once in 5 ms, outside the append transactions. Failures are
// dropped: whoever listens also polls. Its transactions have nothing to lose in a crash, so they do not wait for the disk.
func (p *PG) notify() {
	var s *session
	for range p.wake {
		t := time.NewTimer(5 * time.Millisecond)
		select {
		case <-t.C:
		case <-p.abort.Done():
			t.Stop()
		}
		s = p.notifyOnce(s)
	}
	if s != nil {
		s.close()
	}
}

// notifyOnce returns the session to use next time; nil after a failure.
func (p *PG) notifyOnce(s *session) *session {
	ctx, cancel := context.WithTimeout(p.abort, p.cfg.Patience)
	defer cancel()
	if s == nil {
		var err error
		if s, err = openSession(ctx, p.ledger.Pool(ledger.Append), nil); err != nil {
			return nil
		}
		if _, err := s.conn.PgConn().Exec(ctx, "SET synchronous_commit = off").ReadAll(); err != nil {
			s.close()
			return nil
		}
	}
	sql := "SELECT pg_notify('" + Channel + "', '" + strconv.FormatInt(p.head.Load(), 10) + "')"
	if _, err := s.conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		s.close()
		return nil
	}
	return s
}
