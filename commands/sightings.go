package commands

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Sightings puts on record that sessions are in use, so that they do not end as idle. Whoever notes them decides how often.
//
// mu owns pending. The goroutine of Run is the only one that appends.
type Sightings struct {
	Engine *Engine
	Log    *slog.Logger

	mu      sync.Mutex
	pending map[domain.SessionID]sighting
	wake    chan struct{}
}

type sighting struct {
	tenant domain.TenantID
	user   domain.UserID
}

// mostSightings bounds what waits; what is dropped is noted again by the session's next request.
const mostSightings = 10_000

// NewSightings makes a record; it writes while Run runs.
func NewSightings(e *Engine, log *slog.Logger) *Sightings {
	return &Sightings{Engine: e, Log: log, pending: map[domain.SessionID]sighting{}, wake: make(chan struct{}, 1)}
}

// Note says that a session is in use. It never waits.
func (s *Sightings) Note(t domain.TenantID, u domain.UserID, id domain.SessionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) >= mostSightings {
		return
	}
	s.pending[id] = sighting{t, u}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, and then what is left.
func (s *Sightings) Run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
			s.flush(ctx)
		case <-ctx.Done():
			s.flush(ctx)
			return
		}
	}
}

func (s *Sightings) flush(ctx context.Context) {
	s.mu.Lock()
	pending := s.pending
	s.pending = map[domain.SessionID]sighting{}
	s.mu.Unlock()
	orders := map[domain.TenantID][]Order{}
	for id, seen := range pending {
		by := dcb.Provenance{Actor: seen.user.UUID, Effective: seen.user.UUID, ActorTenant: seen.tenant.UUID, Session: id.UUID}
		orders[seen.tenant] = append(orders[seen.tenant], SystemOrder("record-sighting", recordSighting{id}, seen.tenant, by))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for tenant, list := range orders {
		if _, err := s.Engine.Batch(ctx, tenant, list, false); err != nil {
			s.Log.WarnContext(ctx, "sessions in use were not recorded", "tenant", tenant.UUID, "count", len(list), "error", err)
		}
	}
}

type recordSighting struct{ session domain.SessionID }

func (c recordSighting) Decide(Env) dcb.Decision {
	s := domain.SessionOf(c.session)
	return dcb.From(s).Decide(func() ([]dcb.Event, error) {
		if !s.Value.Live {
			return nil, nil
		}
		return dcb.Emit(domain.SessionSeen{Session: c.session, User: s.Value.User})
	})
}
