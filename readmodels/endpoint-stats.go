package readmodels

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
	"chancery/readmodels/internal/rows"
)

// EndpointStats is how an endpoint does.
type EndpointStats struct {
	EndpointID uuid.UUID `json:"endpoint_id"`
	Window     string    `json:"window" enum:"1h,24h,7d"` // that attempts are of

	Backlog         int64      `json:"backlog"`                    // deliveries that are neither delivered nor dead
	BacklogIsLeast  bool       `json:"backlog_is_least,omitempty"` // there may be more: counting ends at some number, and when judging what is pending takes long
	OldestPendingAt *time.Time `json:"oldest_pending_at"`          // when its event was recorded; null: nothing is pending
	OldestPending   *float64   `json:"oldest_pending_age_seconds"` // since then
	DeadLetters     int64      `json:"dead_letters"`               // that are kept
	DeadAreLeast    bool       `json:"dead_letters_are_least,omitempty"`

	Attempts         int64    `json:"attempts"`                     // in the window
	AttemptsAreLeast bool     `json:"attempts_are_least,omitempty"` // the newest are counted and measured
	SuccessRate      *float64 `json:"success_rate"`                 // from 0 to 1, of those that came to something; null: none did
	Latency          *Latency `json:"latency_ms"`                   // of the same attempts; null: there are none

	LastSuccessAt *time.Time `json:"last_success_at"`
	LastFailureAt *time.Time `json:"last_failure_at"`
	FailingSince  *time.Time `json:"failing_since"` // the first failure after the last success; null: it does not fail
	Position      Position   `json:"position"`
}

// Latency is quantiles in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// The most that statistics count.
const (
	MostBacklog  = 10_000
	mostMeasured = 100_000
)

// EndpointStats is how an endpoint does at a time, by the attempts of the window before. Errors: ErrNotFound, ErrBusy, faults.
func (v View) EndpointStats(ctx context.Context, id string, window time.Duration, at time.Time) (EndpointStats, error) {
	if !deliveries.names(id) {
		return EndpointStats{}, ErrNotFound
	}
	q := v.about(deliveries)
	q.only = id
	endpoint := *q.onlyID()
	s := EndpointStats{EndpointID: endpoint}
	done, err := v.reader.turn(ctx, q.tenant)
	if err != nil {
		return s, err
	}
	defer done()
	seen, err := v.read(ctx, core, func(db *rows.Queries) error {
		subs, err := subscribers(ctx, db, q, &endpoint, nil)
		if err != nil {
			return err
		}
		if len(subs) == 0 {
			return ErrNotFound
		}
		if err := s.attempts(ctx, db, q, at.Add(-window)); err != nil {
			return err
		}
		return s.backlog(ctx, db, q, subs[0], at)
	})
	s.Position = seen
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("read how an endpoint does: %w", err)
	}
	return s, err
}

func (s *EndpointStats) attempts(ctx context.Context, db *rows.Queries, q query, since time.Time) error {
	made, err := db.EndpointAttempts(ctx, rows.EndpointAttemptsParams{TenantID: q.tenant, EndpointID: s.EndpointID, Since: since, Most: mostMeasured})
	if err != nil || made.Attempts == 0 {
		return err
	}
	s.Attempts, s.AttemptsAreLeast = made.Attempts, made.Attempts == mostMeasured
	s.Latency = &Latency{made.P50 * 1000, made.P95 * 1000, made.P99 * 1000}
	if ended := made.Attempts - made.Leased; ended > 0 {
		rate := float64(made.Delivered) / float64(ended)
		s.SuccessRate = &rate
	}
	return nil
}

// backlog counts what has a row, and then what is pending, which lies behind it in the log.
func (s *EndpointStats) backlog(ctx context.Context, db *rows.Queries, q query, sub subscriber, at time.Time) error {
	kept, err := db.EndpointBacklog(ctx, rows.EndpointBacklogParams{TenantID: q.tenant, EndpointID: s.EndpointID, Most: MostBacklog})
	if err != nil {
		return err
	}
	s.Backlog = kept.Due + kept.Waiting
	s.DeadLetters, s.DeadAreLeast = kept.Dead, kept.Dead == MostBacklog
	s.LastSuccessAt, s.LastFailureAt, s.FailingSince = kept.LastSuccessAt, kept.LastFailureAt, kept.FailingSince
	if kept.Oldest > 0 {
		events, err := db.EventsBySeq(ctx, rows.EventsBySeqParams{TenantID: q.tenant, Seqs: []int64{kept.Oldest}, UpTo: q.upTo})
		if err != nil || len(events) == 0 {
			return err
		}
		s.oldest(events[0].CreatedAt, at)
	}
	if s.Backlog < MostBacklog {
		beyond, err := db.KeptBeyond(ctx, rows.KeptBeyondParams{TenantID: q.tenant, EndpointID: s.EndpointID, Reached: Position(sub.reached), Most: 2 * MostBacklog})
		if err != nil {
			return err
		}
		kept := make(map[Position]bool, len(beyond))
		for _, seq := range beyond {
			kept[seq] = true
		}
		err = scan(ctx, db, q.tenant, q.upTo, begin([]subscriber{sub}), func(e *eventlog.Raw, seen int) bool {
			if q.judge.pending(sub, e) && !kept[Position(e.TenantSeq)] {
				s.Backlog++
				s.oldest(e.CreatedAt, at)
			}
			s.BacklogIsLeast = seen == 2*MostBacklog || q.judge.spent()
			return s.Backlog < MostBacklog && !s.BacklogIsLeast
		})
		if err != nil {
			return err
		}
	}
	if s.Backlog >= MostBacklog {
		s.Backlog, s.BacklogIsLeast = MostBacklog, true
	}
	return nil
}

// oldest notes when the oldest was recorded; the first that is noted is the oldest.
func (s *EndpointStats) oldest(recorded, at time.Time) {
	if s.OldestPendingAt == nil {
		age := max(0, at.Sub(recorded).Seconds())
		s.OldestPendingAt, s.OldestPending = &recorded, &age
	}
}
