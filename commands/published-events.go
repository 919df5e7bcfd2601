package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// PublishEvent records an event that an app publishes in a tenant. It is no command of the registry: what comes in is a CloudEvent, whose
// data is kept to the byte. The request's id MUST be domain.PublishedID, so that the same event is recorded once.
type PublishEvent struct {
	Event   domain.Published
	Pointer string // of the event in the input; empty where it is all of the input

	judged  domain.Semver // by the manifest of this version; empty: not yet
	verdict error
}

// Publishing is its spec.
var Publishing = of[PublishEvent]("core.events.publish", "Publish events, as the app itself: by a token of its own.").own()

// Scope is that of the app.
func (c PublishEvent) Scope() domain.Scope { return c.Event.App.Scope() }

// Lane is one for all events of an app in a tenant. Large ones go by themselves: how much goes into the log at once is bounded.
func (c PublishEvent) Lane() string {
	if len(c.Event.Payload) > mostInLane {
		return ""
	}
	return "events/" + string(c.Event.App)
}

const mostInLane = 32 << 10 // bytes

func (c PublishEvent) Decide(env Env) dcb.Decision {
	app := c.Event.App
	if env.App == "" || domain.App(env.App) != app {
		return refused(domain.ErrNotTheApp)
	}
	here := domain.TenantAppOf(env.Tenant, app)
	var manifest *dcb.Fact[string] // of the version at work, where that is not the one that the event was judged by
	return dcb.From(here).Then(func() []dcb.AnyFact {
		if manifest != nil || !here.Value.Enabled || here.Value.Number == c.judged {
			return nil
		}
		manifest = domain.ManifestOf(app, here.Value.Number)
		return []dcb.AnyFact{manifest}
	}).Decide(func() ([]dcb.Event, error) {
		err := c.verdict
		switch {
		case !here.Value.Enabled:
			return nil, domain.ErrAppNotEnabled
		case manifest != nil:
			m, fault := domain.ReadManifest(manifest.Value)
			if fault != nil {
				return nil, fault
			}
			err = domain.NewAppEvents(m).Judge(c.Pointer, c.Event.Type, c.Event.Payload)
		}
		if err != nil {
			return nil, err
		}
		return dcb.Emit(c.Event)
	})
}

// Publish records the events of PublishEvent orders of one app in one tenant: all of them or none. Those that were recorded before
// count as done, and their results are of then. Running is the version that is at work there as far as the caller knows: the events
// are judged by it before anybody waits for them, and anew where it was another.
func (e *Engine) Publish(ctx context.Context, running domain.Semver, orders []Order) ([]Result, error) {
	for i := range orders {
		if err := e.judge(ctx, running, &orders[i]); err != nil {
			return nil, err
		}
	}
	if len(orders) == 1 {
		r, err := e.Execute(ctx, orders[0])
		return []Result{r}, published(orders[0], err)
	}
	firsts, same, err := distinct(orders)
	if err != nil {
		return nil, err
	}
	outcomes, err := e.Batch(ctx, orders[0].Tenant, firsts, true)
	if errors.Is(err, dcb.ErrKeyReused) { // meanwhile: now it is known which
		outcomes, err = e.Batch(ctx, orders[0].Tenant, firsts, true)
	}
	if err != nil {
		return nil, err
	}
	for i, o := range outcomes {
		if o.Err != nil && !errors.Is(o.Err, ErrAborted) {
			return nil, published(firsts[i], o.Err)
		}
	}
	results := make([]Result, len(orders))
	for i := range orders {
		results[i] = outcomes[same[i]].Result
	}
	return results, nil
}

// judge has the manifest of a version judge an order's event.
func (e *Engine) judge(ctx context.Context, running domain.Semver, o *Order) error {
	c, ok := o.Command.(PublishEvent)
	if !ok {
		return fmt.Errorf("publish: %T is no event", o.Command)
	}
	if running == "" {
		return nil
	}
	by, err := e.AppEvents(ctx, c.Event.App, running)
	if err != nil {
		return err
	}
	c.judged, c.verdict = running, by.Judge(c.Pointer, c.Event.Type, c.Event.Payload)
	o.Command = c
	return nil
}

// distinct leaves out what is the same event as one before it, and tells for each where it is.
func distinct(orders []Order) (firsts []Order, same []int, err error) {
	at := make(map[uuid.UUID]int, len(orders))
	for _, o := range orders {
		i, twin := at[o.Request]
		switch {
		case !twin:
			i = len(firsts)
			at[o.Request], firsts = i, append(firsts, o)
		case string(firsts[i].Fingerprint) != string(o.Fingerprint):
			return nil, nil, published(o, dcb.ErrKeyReused)
		}
		same = append(same, i)
	}
	return firsts, same, nil
}

// published words what a reused key is here.
func published(o Order, err error) error {
	if c, ok := o.Command.(PublishEvent); ok && errors.Is(err, dcb.ErrKeyReused) {
		return domain.At(c.Pointer+"/id", domain.ErrEventIDReused)
	}
	return err
}
