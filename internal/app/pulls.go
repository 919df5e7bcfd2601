package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/feed"
	"chancery/internal/ledger"
	"chancery/internal/pulls"
	"chancery/readmodels"
	"chancery/transport"
)

// openPulls makes ready to hand out events; commands ask it, too, which events there are.
func (a *App) openPulls(_, running context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	a.pulls = pulls.New(pulls.Config{Pool: a.ledger.Pool(ledger.Project), Now: a.given, Process: fmt.Sprintf("%s/%d", host, os.Getpid())})
	a.running.Go(func() { a.pulls.Run(running) })
	return nil
}

// listening has those who wait for events told when other processes append some.
func (a *App) listening(h feed.Hooks) feed.Hooks {
	h.Notified = a.pulls.Elsewhere
	return h
}

// recorded reports whether a tenant has an event of that id.
func (a *App) recorded(ctx context.Context, t domain.TenantID, id uuid.UUID) (bool, error) {
	return a.pulls.Has(ctx, t.UUID, id)
}

// reached reports whether a tenant has an event of that tenant_seq.
func (a *App) reached(ctx context.Context, t domain.TenantID, seq int64) (bool, error) {
	head, err := a.pulls.Head(ctx, t.UUID)
	return seq <= head, err
}

// pullable tells those who wait of what this process appended.
func (a *App) pullable(events []eventlog.Raw) {
	a.pulls.Heard(events)
	for i := range events {
		if endpointsConcern(&events[i]) {
			a.pulls.Changed(events[i].Tenant)
		}
	}
}

// puller hands out events at the edge. What an endpoint is it asks the log itself, so that nothing lags.
type puller struct {
	*pulls.Pulls
	app *App

	mu   sync.Mutex
	made map[[2]uuid.UUID]meant // mu owns it: of endpoints that were asked for, by tenant and id
}

// meant is which events an endpoint means by the terms that an event gave it, and which it may have.
type meant struct {
	at                    int64
	means, stirs, permits func(*eventlog.Raw) bool
}

const mostMade = 10_000

func (a *App) puller() *puller {
	return &puller{Pulls: a.pulls, app: a, made: map[[2]uuid.UUID]meant{}}
}

// ends is an endpoint as its events tell it.
type ends struct {
	domain.EndpointState
	at             int64 // position of the last event that says what it asks for
	after, skipped int64
	from           time.Time
}

func endOf(id domain.EndpointID) *dcb.Fact[ends] {
	return dcb.Ask(ends{}, []dcb.Tag{id.Tag()},
		dcb.OnMeta(func(s *ends, e domain.EndpointCreated, m dcb.Meta) {
			*s = ends{EndpointState: domain.EndpointState{Exists: true, App: e.App, Kind: e.Kind, Terms: e.Terms}, at: m.Position, after: m.TenantSeq, from: e.From}
		}),
		dcb.OnMeta(func(s *ends, e domain.EndpointChanged, m dcb.Meta) { s.Terms, s.at = e.Terms, m.Position }),
		dcb.OnMeta(func(s *ends, e domain.EndpointEnabled, m dcb.Meta) {
			if s.Disabled = false; e.Skips {
				s.skipped = m.TenantSeq
			}
		}),
		dcb.On(func(s *ends, _ domain.EndpointDisabled) { s.Disabled = true }),
		dcb.On(func(s *ends, _ domain.EndpointDeleted) { s.Exists = false }),
	)
}

// Find is an endpoint of the tenant, as it is now. What it may have the index tells, which may lag: events are judged only as far as it
// knows by now.
func (p *puller) Find(ctx context.Context, t domain.TenantID, id domain.EndpointID) (transport.PullEndpoint, error) {
	e, through := endOf(id), p.app.index.Position()
	if err := p.app.engine.Ask(ctx, t, dcb.From(e)); err != nil {
		return transport.PullEndpoint{}, fmt.Errorf("find the endpoint: %w", err)
	}
	s := e.Value
	if !s.Exists {
		return transport.PullEndpoint{}, domain.ErrEndpointUnknown
	}
	found := transport.PullEndpoint{App: s.App, Kind: s.Kind, Full: s.Terms.Body == domain.Full, Disabled: s.Disabled}
	if s.Kind != domain.Pull {
		return found, nil
	}
	of, err := p.means(ctx, t, id, s)
	if err != nil {
		return found, err
	}
	found.Endpoint = &pulls.Endpoint{
		Tenant: t.UUID, ID: id.UUID, App: string(s.App), Lease: time.Duration(s.Terms.Lease) * time.Second, Attempts: s.Terms.Attempts,
		StartsAfter: s.after, From: s.from, SkippedThrough: s.skipped, Through: through, Means: of.means, Stirs: of.stirs, Permits: of.permits,
	}
	return found, nil
}

// means is which events an endpoint means, made once for its terms: to compile a filter takes longer than all else here.
func (p *puller) means(ctx context.Context, t domain.TenantID, id domain.EndpointID, s ends) (meant, error) {
	// Known before the first event asks: that is while rows are locked.
	if number := p.app.index.Audience(t, s.App, p.app.config.Now()).Number; number != "" {
		if _, err := p.app.engine.AppEvents(ctx, s.App, number); err != nil {
			return meant{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	here := [2]uuid.UUID{t.UUID, id.UUID}
	known := p.made[here]
	if known.means == nil || known.at != s.at {
		if len(p.made) >= mostMade {
			clear(p.made)
		}
		permits := p.app.permission(t, id, s.App)
		means, err := p.app.meaning(t, id, s.Terms, permits)
		if err != nil {
			return meant{}, err // a refusal, at /filter
		}
		known = meant{s.at, means, stirs(id, s.Terms.Types), permits}
		p.made[here] = known
	}
	return known, nil
}

// stirs is which events may be meant, as far as their types tell.
func stirs(id domain.EndpointID, types []domain.EventPattern) func(*eventlog.Raw) bool {
	return func(raw *eventlog.Raw) bool {
		if raw.SourceApp == dcb.Core && raw.Type == testEvent {
			return slices.Contains(raw.Tags, string(id.Tag()))
		}
		return domain.MatchesAny(types, domain.OutwardType(raw.SourceApp, raw.Type))
	}
}

// Checkpoint is how far the endpoint's consumer says that it has come.
func (p *puller) Checkpoint(ctx context.Context, e transport.PullEndpoint) (seq int64, committed bool, err error) {
	so, err := p.app.checkpoint(ctx, domain.TenantID{UUID: e.Tenant}, domain.EndpointID{UUID: e.ID})
	return so.Through, so.Committed, err
}

// checkpoint is what the log says now of how far the consumer of an endpoint has come: what its row says, and those that came since.
func (a *App) checkpoint(ctx context.Context, t domain.TenantID, id domain.EndpointID) (so domain.Checkpoint, err error) {
	of, _ := readmodels.CollectionOf("consumption")
	after := int64(0)
	item, err := a.reader.Now(t).One(ctx, of, id.String())
	if err != nil && !errors.Is(err, readmodels.ErrNotFound) {
		return so, fmt.Errorf("read the checkpoint: %w", err)
	}
	if c, found := item.Value.(*readmodels.Consumed); found && c.Checkpoint != nil { // an endpoint may have been given the id of something else there
		so, after = domain.Checkpoint{Committed: true, Through: int64(*c.Checkpoint)}, int64(c.Version)
	}
	since, err := a.pulls.Since(ctx, t.UUID, string(domain.CheckpointID(id).Tag()), domain.CheckpointCommitted{}.EventType(), after)
	if err != nil {
		return so, fmt.Errorf("read the checkpoint: %w", err)
	}
	for _, payload := range since {
		var said domain.CheckpointCommitted
		if err := json.Unmarshal(payload, &said); err != nil {
			return so, fmt.Errorf("read the checkpoint: %w", err)
		}
		so = so.After(said)
	}
	return so, nil
}
