package commands

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Refusals puts refused commands on record, in the caller's own tenant. The first of a kind is written at once; its
// repetitions are counted and written as one event when the minute is over, so that a flood cannot fill the log.
//
// mu owns pending. The goroutine of Run is the only one that appends.
type Refusals struct {
	Engine *Engine
	Log    *slog.Logger

	mu      sync.Mutex
	pending map[refusal]*tally
	wake    chan struct{}
}

type refusal struct {
	by            Party
	command, code string
	of            string // the object, where nobody is known who did it
}

// Party is who was refused: a user, in their own tenant, and for whom they acted.
type Party struct {
	Tenant        domain.TenantID
	User          domain.UserID // nobody: it is not known who
	For           domain.UserID // nobody: for themselves
	Delegation    domain.DelegationID
	Chain         [domain.MaxChain]domain.DelegationID // that Delegation rests on, the first one first, as many as there are
	Impersonation domain.ImpersonationID
}

func (p Party) provenance() dcb.Provenance {
	by := dcb.Provenance{
		Actor: p.User.UUID, Effective: p.User.UUID, ActorTenant: p.Tenant.UUID, Delegation: p.Delegation.UUID, Impersonation: p.Impersonation.UUID,
	}
	if !p.For.IsZero() {
		by.Effective = p.For.UUID
	}
	for _, id := range p.Chain {
		if !id.IsZero() {
			by.Chain = append(by.Chain, id.UUID)
		}
	}
	return by
}

type tally struct {
	first, last time.Time
	object      string
	count       int  // not yet written
	written     bool // once in this window already
	closes      time.Time
}

const (
	refusalWindow = time.Minute
	refusalKinds  = 1000 // distinct refusals per window; those beyond are counted together
)

// NewRefusals makes a record; it writes while Run runs.
func NewRefusals(e *Engine, log *slog.Logger) *Refusals {
	return &Refusals{Engine: e, Log: log, pending: map[refusal]*tally{}, wake: make(chan struct{}, 1)}
}

// Note counts a refusal. It never waits.
func (r *Refusals) Note(by Party, command, code, object string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Engine.Now() // under the lock, so that the last is never before the first
	key := refusal{by: by, command: command, code: code}
	if by.User.IsZero() {
		key.of = object
	}
	if _, known := r.pending[key]; !known && len(r.pending) >= refusalKinds {
		key, object = refusal{by: Party{Tenant: domain.Root}, command: "*", code: "*"}, ""
	}
	t := r.pending[key]
	if t == nil {
		t = &tally{first: now, object: object, closes: now.Add(refusalWindow)}
		r.pending[key] = t
	}
	if t.count == 0 {
		t.first = now
	}
	t.last = now
	t.count++
	if t.object != object {
		t.object = ""
	}
	if !t.written {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// Run writes until ctx ends, and then what is left.
func (r *Refusals) Run(ctx context.Context) {
	tick := time.NewTicker(refusalWindow / 12)
	defer tick.Stop()
	for {
		select {
		case <-r.wake:
			r.flush(ctx, false)
		case <-tick.C:
			r.flush(ctx, false)
		case <-ctx.Done():
			r.flush(ctx, true)
			return
		}
	}
}

// due takes what is to be written now: first refusals, and the counts of windows that closed.
func (r *Refusals) due(all bool) map[domain.TenantID][]Order {
	now := r.Engine.Now()
	orders := map[domain.TenantID][]Order{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, t := range r.pending {
		over := all || !now.Before(t.closes)
		if t.count > 0 && (over || !t.written) {
			event := domain.CommandRefused{
				Command: key.command, Code: key.code, Object: t.object, Count: t.count, First: t.first, Last: t.last,
			}
			home := key.by.Tenant
			orders[home] = append(orders[home], SystemOrder("record-refusal", recordRefusal{event}, home, key.by.provenance()))
			t.count, t.written = 0, true
		}
		if over {
			delete(r.pending, key)
		}
	}
	return orders
}

// flush is finished even where ctx ends: what was taken from pending is nowhere else.
func (r *Refusals) flush(ctx context.Context, all bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for tenant, orders := range r.due(all) {
		if _, err := r.Engine.Batch(ctx, tenant, orders, false); err != nil {
			r.Log.ErrorContext(ctx, "refused commands were not recorded", "tenant", tenant.UUID, "count", len(orders), "error", err)
		}
	}
}

type recordRefusal struct{ event domain.CommandRefused }

func (c recordRefusal) Decide(Env) dcb.Decision {
	return dcb.From().Decide(func() ([]dcb.Event, error) { return dcb.Emit(c.event) })
}
