package commands

import (
	"context"
	"errors"
	"strconv"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// ConsumeEvent says that an app has handled an event. However many say so at once, one of them is told that it was the first.
type ConsumeEvent struct {
	Event uuid.UUID  `json:"event_id" required:"true" description:"the event, as deliveries name it"`
	App   domain.App `json:"app,omitzero" description:"the app that has handled it, which is enabled in the tenant; that of the token if absent, and no other if the token is an app's"`
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
	case !env.speaksFor(app, "core.consumption.record"):
		return refused(domain.ErrNotTheApp)
	}
	id := domain.ConsumedBy(env.Tenant, app, c.Event)
	done, here, there := domain.Consumed(id), domain.TenantAppOf(env.Tenant, app), false
	return dcb.From(done, here).Consult(func(ctx context.Context) (err error) {
		if !done.Value && here.Value.Enabled {
			there, err = env.recorded(ctx, c.Event)
		}
		return err
	}).Decide(func() ([]dcb.Event, error) {
		switch {
		case !here.Value.Enabled: // to name another app by mistake must not pass for having been the first
			return nil, domain.At("/app", domain.ErrAppNotEnabled)
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
	Through  TenantSeq         `json:"through" required:"true" description:"tenantseq of the last event that was handled, as a string or a number; next of a page of events; with back, 0 is before the first"`
	Back     bool              `json:"back,omitzero" description:"have it, even though it lies before the checkpoint so far; unless set, one that does changes nothing"`
}

func (c CommitCheckpoint) Target() dcb.Tagger { return domain.CheckpointID(c.Endpoint) }

// Decide does not rest on earlier checkpoints, of which there are many: it looks up what they have come to. One that is recorded beside
// another one and changes nothing does no harm.
func (c CommitCheckpoint) Decide(env Env) dcb.Decision {
	e, through := domain.EndpointOf(c.Endpoint), int64(c.Through)
	var so domain.Checkpoint
	reached := false
	return dcb.From(e).Consult(func(ctx context.Context) (err error) {
		if e.Value.Exists && through > 0 && env.Reached != nil {
			reached, err = env.Reached(ctx, through)
		}
		if err == nil && e.Value.Exists {
			so, err = env.checkpoint(ctx, c.Endpoint)
		}
		return err
	}).Decide(func() ([]dcb.Event, error) {
		switch {
		case !e.Value.Exists || !env.maySee(e.Value.App):
			return nil, domain.At("/endpoint_id", domain.ErrEndpointUnknown)
		case !env.speaksFor(e.Value.App, "core.consumption.checkpoint"):
			return nil, domain.ErrNotTheApp
		case e.Value.Kind != domain.Pull:
			return nil, domain.At("/endpoint_id", domain.ErrEndpointKind)
		case through < 0, through == 0 && !c.Back:
			return nil, domain.Invalid("/through", "must be the tenantseq of an event")
		case through > 0 && !reached: // whoever said it by mistake would never hear of what comes until then
			return nil, domain.Invalid("/through", "lies beyond the newest event of the tenant")
		}
		said := domain.CheckpointCommitted{Checkpoint: domain.CheckpointID(c.Endpoint), App: e.Value.App, Through: through, Back: c.Back}
		if so.After(said) == so {
			return nil, nil
		}
		return dcb.Emit(said)
	})
}

// checkpoint is how far the consumer has said that it has come, in this request too.
func (env Env) checkpoint(ctx context.Context, id domain.EndpointID) (so domain.Checkpoint, err error) {
	if env.Checkpoint != nil {
		so, err = env.Checkpoint(ctx, id)
	}
	for _, e := range env.before(env.Tenant) {
		if said, is := e.(domain.CheckpointCommitted); is && said.Checkpoint == domain.CheckpointID(id) {
			so = so.After(said)
		}
	}
	return so, err
}

// TenantSeq is the place of an event in the log of its tenant: a number or, as answers have it, a text of its digits.
type TenantSeq int64

// UnmarshalJSON takes both.
func (s *TenantSeq) UnmarshalJSON(value []byte) error {
	text := string(value)
	if text == "null" {
		text = "0"
	}
	if len(text) > 2 && text[0] == '"' && text[1] >= '0' && text[1] <= '9' {
		text = text[1 : len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return errTenantSeq
	}
	*s = TenantSeq(n)
	return nil
}

var errTenantSeq = errors.New("must be a whole number, or a text of its digits")

// speaksFor reports whether the caller may say what the app has done. A token of another app speaks for that one alone, whoever holds it.
func (env Env) speaksFor(app domain.App, p domain.Pattern) bool {
	return (env.App == "" || domain.App(env.App) == app) && env.mayFor(app, p)
}

// maySee reports whether the caller may know of the app's endpoints: who may not is told that there is none.
func (env Env) maySee(app domain.App) bool {
	return env.mayFor(app, "core.consumption.checkpoint") || env.App == string(app) || env.Rights.Holds("core.endpoints.read", app.Scope())
}
