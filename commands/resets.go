package commands

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Resets carries out what is asked for by people who have not signed in, behind their backs: they are answered before
// anybody has looked whether there is such a user, so that the time of the answer tells nothing. What waits when the process
// dies is lost; who waits for the mail asks again.
type Resets struct {
	Engine *Engine
	Log    *slog.Logger

	waiting chan Order
}

// mostResets bounds what waits; what is beyond is dropped, as if the mail had been.
const mostResets = 1000

// NewResets makes a queue; it is worked off while Run runs.
func NewResets(e *Engine, log *slog.Logger) *Resets {
	return &Resets{Engine: e, Log: log, waiting: make(chan Order, mostResets)}
}

// Ask asks for a mail to whoever has the address in the tenant. It never waits.
func (r *Resets) Ask(t domain.TenantID, email string, by dcb.Provenance) {
	c := RequestReset{Link: domain.LinkID{UUID: uuid.Must(uuid.NewV7())}, Email: email}
	select {
	case r.waiting <- AnonymousOrder("request-reset", c, t, by):
	default:
		r.Log.Warn("a password reset was dropped: too many are asked for", "tenant", t.UUID)
	}
}

// Run works until ctx ends, and then works off what is left.
func (r *Resets) Run(ctx context.Context) {
	for {
		select {
		case o := <-r.waiting:
			r.do(ctx, o)
			continue
		default:
		}
		select {
		case o := <-r.waiting:
			r.do(ctx, o)
		case <-ctx.Done():
			for len(r.waiting) > 0 {
				r.do(ctx, <-r.waiting)
			}
			return
		}
	}
}

func (r *Resets) do(ctx context.Context, o Order) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := r.Engine.Execute(ctx, o)
	if _, refusal := domain.IsRefusal(err); err != nil && !refusal { // a tenant that is not there refuses; nobody is to know
		r.Log.ErrorContext(ctx, "a password reset was not carried out", "tenant", o.Tenant.UUID, "error", err)
	}
}
