package commands

import (
	"context"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// ConsumeEvent says that an app has handled an event. However many say so at once, one of them is told that it was the first.
type ConsumeEvent struct {
	Event uuid.UUID  `json:"event_id" required:"true" description:"the event, as deliveries name it"`
	App   domain.App `json:"app,omitzero" description:"the app that has handled it; that of the token if absent"`
}

// Lane is one for each event: those who race for it share an append, and others do not wait for them.
func (c ConsumeEvent) Lane() string { return "consumption/" + c.Event.String() }

func (c ConsumeEvent) Scope() domain.Scope { return scopeOf(c.App) }

func scopeOf(app domain.App) domain.Scope {
	if app == "" {
		return ""
	}
	return app.Scope()
}

func (c ConsumeEvent) Decide(env Env) dcb.Decision {
	app := c.App
	if app == "" {
		app = domain.App(env.App)
	}
	switch {
	case app == "":
		return refused(domain.Invalid("/app", "is required: the token speaks for no app"))
	case app.Check("/app") != nil:
		return refused(app.Check("/app"))
	case !env.mayFor(app, "core.consumption.record"):
		return refused(domain.ErrNotTheApp)
	}
	id := domain.ConsumedBy(env.Tenant, app, c.Event)
	done, there := domain.Consumed(id), false
	return dcb.From(done).Consult(func(ctx context.Context) (err error) {
		if !done.Value {
			there, err = env.recorded(ctx, c.Event)
		}
		return err
	}).Decide(func() ([]dcb.Event, error) {
		switch {
		case done.Value:
			return nil, domain.At("/event_id", domain.ErrEventConsumed)
		case !there:
			return nil, domain.At("/event_id", domain.ErrEventUnknown)
		}
		return dcb.Emit(domain.EventConsumed{Consumption: id, App: app, Event: c.Event})
	})
}

// recorded reports whether the tenant has such an event. No event ever goes, and none that comes later has an id that was known
// before, so the decision need not rely on the answer.
func (env Env) recorded(ctx context.Context, event uuid.UUID) (bool, error) {
	if env.Recorded == nil {
		return false, nil
	}
	return env.Recorded(ctx, event)
}

// CommitCheckpoint says how far the consumer of a pull endpoint has come.
type CommitCheckpoint struct {
	Endpoint domain.EndpointID `json:"endpoint_id" required:"true" description:"the endpoint, of the kind pull"`
	Through  int64             `json:"through" required:"true" description:"tenantseq of the last event that was handled; next of a page of events; with back, 0 is before the first"`
	Back     bool              `json:"back,omitzero" description:"have it, even though it lies before the checkpoint so far; unless set, one that does changes nothing"`
}

func (c CommitCheckpoint) Target() dcb.Tagger { return domain.CheckpointID(c.Endpoint) }

// Decide asks nothing about earlier checkpoints: there are many of them, and the table keeps the greatest.
func (c CommitCheckpoint) Decide(env Env) dcb.Decision {
	e, reached := domain.EndpointOf(c.Endpoint), false
	return dcb.From(e).Consult(func(ctx context.Context) (err error) {
		if e.Value.Exists && c.Through > 0 && env.Reached != nil {
			reached, err = env.Reached(ctx, c.Through)
		}
		return err
	}).Decide(func() ([]dcb.Event, error) {
		switch {
		case !e.Value.Exists || !env.maySee(e.Value.App):
			return nil, domain.At("/endpoint_id", domain.ErrEndpointUnknown)
		case !env.mayFor(e.Value.App, "core.consumption.checkpoint"):
			return nil, domain.ErrNotTheApp
		case e.Value.Kind != domain.Pull:
			return nil, domain.At("/endpoint_id", domain.ErrEndpointKind)
		case c.Through < 0, c.Through == 0 && !c.Back:
			return nil, domain.Invalid("/through", "must be the tenantseq of an event")
		case c.Through > 0 && !reached: // whoever said it by mistake would never hear of what comes until then
			return nil, domain.Invalid("/through", "lies beyond the newest event of the tenant")
		}
		return dcb.Emit(domain.CheckpointCommitted{
			Checkpoint: domain.CheckpointID(c.Endpoint), App: e.Value.App, Through: c.Through, Back: c.Back,
		})
	})
}

// maySee reports whether the caller may know of the app's endpoints: who may not is told that there is none.
func (env Env) maySee(app domain.App) bool {
	return env.mayFor(app, "core.consumption.checkpoint") || env.App == string(app) || env.Rights.Holds("core.endpoints.read", app.Scope())
}
