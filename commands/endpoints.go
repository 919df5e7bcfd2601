package commands

import (
	"cmp"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// CreateEndpoint opens a way for events of the tenant to an app: they are sent to it, or it comes for them.
type CreateEndpoint struct {
	ID          domain.EndpointID     `json:"id,omitzero" description:"id of the new endpoint; made if absent"`
	App         domain.App            `json:"app" required:"true" description:"the app that gets the events; it is enabled in the tenant"`
	Kind        domain.EndpointKind   `json:"kind" required:"true" enum:"webhook,pull" description:"webhook: events are sent to its URL; pull: the app comes for them"`
	Types       []domain.EventPattern `json:"types" required:"true" minItems:"1" maxItems:"50" description:"types of events such as core.user.registered, or the first words of some and .* after; no more than the app's manifest consumes and the policy events.deliverable allows"`
	Filter      string                `json:"filter,omitzero" maxLength:"1000" description:"CEL over id, source, subject, type, tenant, time and data, true of the events that are meant, of 1,000 bytes at most; all of the types if absent"`
	URL         string                `json:"url,omitzero" maxLength:"2000" description:"of a webhook: where events are sent to"`
	Body        domain.BodyKind       `json:"body,omitzero" enum:"thin,full" description:"thin: what happened to what; full: the data too; thin if absent"`
	OrderBy     string                `json:"order_by,omitzero" description:"of a webhook: subject, or a JSON pointer into the data; events alike in it arrive in order"`
	Concurrency *int                  `json:"concurrency,omitzero" minimum:"1" maximum:"100" description:"of a webhook: the most requests at once; 10 if absent"`
	PerSecond   *int                  `json:"per_second,omitzero" minimum:"0" maximum:"10000" description:"of a webhook: the most requests in a second; no bound if absent or 0"`
	Lease       *int                  `json:"lease_seconds,omitzero" minimum:"1" maximum:"43200" description:"of a pull endpoint: how long a receiver has to handle an event; 30 if absent"`
	Attempts    *int                  `json:"max_attempts,omitzero" minimum:"1" maximum:"1000" description:"of a pull endpoint: how often an event is handed out before it is a dead letter; 10 if absent"`
	Description string                `json:"description,omitzero" description:"what it is for"`
	From        time.Time             `json:"from,omitzero" description:"events recorded since then are meant too; those from now on if absent"`
	Secret      domain.SecretText     `json:"secret,omitzero" description:"of a webhook: the key to sign with, whsec_ and the base64 of 24 to 64 bytes; made if absent"`
}

func (c *CreateEndpoint) NewID() *uuid.UUID { return &c.ID.UUID }
func (c CreateEndpoint) Target() dcb.Tagger { return c.ID }

func (c CreateEndpoint) Scope() domain.Scope { return c.App.Scope() }

// Lane is one for all endpoints of the app: they are counted.
func (c CreateEndpoint) Lane() string { return "endpoints/" + string(c.App) }

func (c CreateEndpoint) terms() domain.EndpointTerms {
	t := domain.DefaultTerms(c.Kind)
	t.Description, t.Types, t.Filter, t.URL, t.OrderBy = c.Description, c.Types, c.Filter, c.URL, c.OrderBy
	t.Body = cmp.Or(c.Body, t.Body)
	set(&t.Concurrency, c.Concurrency)
	set(&t.PerSecond, c.PerSecond)
	set(&t.Lease, c.Lease)
	set(&t.Attempts, c.Attempts)
	return t
}

func (c CreateEndpoint) Decide(env Env) dcb.Decision {
	terms := c.terms()
	if err := domain.FirstError(c.App.Check("/app"), terms.Check(c.Kind, env.PrivateWebhooks), c.checkSecret(), c.checkFrom(env)); err != nil {
		return refused(err)
	}
	used, reach, pool := domain.Used[domain.EndpointCreated](c.ID), env.reachOf(c.App), domain.EndpointPool(env.Tenant, c.App)
	return reach.from(used, domain.Tallied(pool)).Decide(func() ([]dcb.Event, error) {
		if err := env.maySubscribe(); err != nil {
			return nil, err
		}
		if used.Value {
			return nil, domain.At("/id", domain.ErrIDTaken)
		}
		if err := reach.allows(terms); err != nil {
			return nil, err
		}
		if env.tally(pool).Total >= domain.MostEndpoints {
			return nil, domain.At("/app", domain.ErrEndpointsTooMany)
		}
		events := []dcb.Event{domain.EndpointCreated{
			Endpoint: c.ID, App: c.App, Kind: c.Kind, Terms: terms.Settled(), From: c.From.UTC(), Pool: pool,
		}}
		if c.Kind == domain.Webhook {
			events = append(events, env.endpointKeys(c.ID, c.Secret).event(1))
		}
		return events, nil
	})
}

func (c CreateEndpoint) checkSecret() error {
	switch {
	case c.Secret == "":
		return nil
	case c.Kind != domain.Webhook:
		return domain.Invalid("/secret", "is nothing for an endpoint of the kind %s", c.Kind)
	}
	return domain.CheckWebhookSecret("/secret", c.Secret)
}

func (c CreateEndpoint) checkFrom(env Env) error {
	if c.From.After(env.Now) {
		return domain.Invalid("/from", "must not lie in the future")
	}
	return nil
}

// Reveal is the key of a webhook.
func (c CreateEndpoint) Reveal(env Env) (name, value string) {
	if c.Kind != domain.Webhook {
		return "", ""
	}
	return "secret", env.endpointKeys(c.ID, c.Secret).secret
}

// maySubscribe refuses who does not read events: nobody has sent to others what they may not see.
func (env Env) maySubscribe() error {
	if !env.Rights.Holds("core.events.read", "") {
		return domain.ErrNotAllowed
	}
	return nil
}

// reach is what an app may be sent in a tenant.
type reach struct {
	here   *dcb.Fact[domain.TenantApp]
	policy *dcb.Fact[domain.Policy]
	text   *dcb.Fact[string] // the manifest of the version at work; nil until that is known, or where none is
	app    domain.App
}

func (env Env) reachOf(app domain.App) *reach {
	return &reach{here: domain.TenantAppOf(env.Tenant, app), policy: domain.PolicyOf(env.Tenant, domain.EventsDeliverable), app: app}
}

// from starts a decision that rests on it, and on further facts.
func (r *reach) from(others ...dcb.AnyFact) dcb.Decision {
	return dcb.From(append(others, r.here, r.policy)...).Then(func() []dcb.AnyFact {
		if r.text != nil || !r.here.Value.Enabled {
			return nil
		}
		r.text = domain.ManifestOf(r.app, r.here.Value.Number)
		return []dcb.AnyFact{r.text}
	})
}

// allows refuses types that the app may not be sent, with all of them.
func (r *reach) allows(t domain.EndpointTerms) error {
	if r.text == nil {
		return domain.At("/app", domain.ErrAppNotEnabled)
	}
	m, err := domain.ReadManifest(r.text.Value)
	if err != nil {
		return err
	}
	return domain.Refused(domain.ErrTypesNotAllowed, t.BeyondReach(domain.NewAppEvents(m).Consumes, r.policy.Value.EventPatterns()))
}

// ChangeEndpoint gives an endpoint other terms. What is absent stays; what was attempted before stays with its own schedule.
type ChangeEndpoint struct {
	ID          domain.EndpointID      `json:"id" required:"true" description:"the endpoint"`
	Types       *[]domain.EventPattern `json:"types,omitzero" minItems:"1" maxItems:"50" description:"types of events, or patterns of them; those so far if absent"`
	Filter      *string                `json:"filter,omitzero" maxLength:"1000" description:"CEL, true of the events that are meant, of 1,000 bytes at most; empty for all of the types"`
	URL         *string                `json:"url,omitzero" maxLength:"2000" description:"of a webhook: where events are sent to"`
	Body        *domain.BodyKind       `json:"body,omitzero" enum:"thin,full" description:"thin or full"`
	OrderBy     *string                `json:"order_by,omitzero" description:"of a webhook: subject, or a JSON pointer into the data; empty for no order"`
	Concurrency *int                   `json:"concurrency,omitzero" minimum:"1" maximum:"100" description:"of a webhook: the most requests at once"`
	PerSecond   *int                   `json:"per_second,omitzero" minimum:"0" maximum:"10000" description:"of a webhook: the most requests in a second; 0 for no bound"`
	Lease       *int                   `json:"lease_seconds,omitzero" minimum:"1" maximum:"43200" description:"of a pull endpoint: how long a receiver has to handle an event"`
	Attempts    *int                   `json:"max_attempts,omitzero" minimum:"1" maximum:"1000" description:"of a pull endpoint: how often an event is handed out before it is a dead letter"`
	Description *string                `json:"description,omitzero" description:"what it is for"`
}

func (c ChangeEndpoint) Target() dcb.Tagger { return c.ID }

func (c ChangeEndpoint) terms(t domain.EndpointTerms) domain.EndpointTerms {
	set(&t.Types, c.Types)
	set(&t.Filter, c.Filter)
	set(&t.URL, c.URL)
	set(&t.Body, c.Body)
	set(&t.OrderBy, c.OrderBy)
	set(&t.Concurrency, c.Concurrency)
	set(&t.PerSecond, c.PerSecond)
	set(&t.Lease, c.Lease)
	set(&t.Attempts, c.Attempts)
	set(&t.Description, c.Description)
	return t
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Decide judges the types only where they are changed: what was allowed and is no more is not sent, and does not keep the rest from
// being changed.
func (c ChangeEndpoint) Decide(env Env) dcb.Decision {
	e := domain.EndpointOf(c.ID)
	var r *reach
	return dcb.From(e).Then(func() []dcb.AnyFact {
		if !e.Value.Exists || c.Types == nil {
			return nil
		}
		if r == nil {
			r = env.reachOf(e.Value.App)
			return []dcb.AnyFact{r.here, r.policy}
		}
		if r.text == nil && r.here.Value.Enabled {
			r.text = domain.ManifestOf(r.app, r.here.Value.Number)
			return []dcb.AnyFact{r.text}
		}
		return nil
	}).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(env.mayOnEndpoint(e.Value, "core.endpoints.change"), env.maySubscribe()); err != nil {
			return nil, err
		}
		terms := c.terms(e.Value.Terms)
		judged := terms
		if c.Filter == nil { // whoever has one that would be refused today can still change the rest
			judged.Filter = ""
		}
		if err := judged.Check(e.Value.Kind, env.PrivateWebhooks); err != nil {
			return nil, err
		}
		if r != nil {
			if err := r.allows(terms); err != nil {
				return nil, err
			}
		}
		if terms = terms.Settled(); terms.Equal(e.Value.Terms) {
			return nil, nil
		}
		return dcb.Emit(domain.EndpointChanged{Endpoint: c.ID, Terms: terms})
	})
}

// mayOnEndpoint refuses who lacks the privilege on the endpoint's app. Who may not even know of it is told that there is none.
func (env Env) mayOnEndpoint(e domain.EndpointState, p domain.Privilege) error {
	holds := func(p domain.Privilege) bool { return env.Rights.Holds(domain.Pattern(p), e.App.Scope()) }
	switch {
	case !e.Exists:
		return domain.At("/id", domain.ErrEndpointUnknown)
	case holds(p):
		return nil
	case holds(readEndpoints):
		return domain.ErrNotAllowed
	}
	return domain.At("/id", domain.ErrEndpointUnknown)
}

// TestEndpoint sends an endpoint a test event, whatever it asks for otherwise.
type TestEndpoint struct {
	ID      domain.EndpointID `json:"id" required:"true" description:"the endpoint"`
	Message string            `json:"message,omitzero" description:"what the event says"`
}

func (c TestEndpoint) Target() dcb.Tagger { return c.ID }

func (c TestEndpoint) Decide(env Env) dcb.Decision {
	e := domain.EndpointOf(c.ID)
	var app *dcb.Fact[domain.TenantApp]
	return dcb.From(e).Then(func() []dcb.AnyFact {
		if app != nil || !e.Value.Exists {
			return nil
		}
		app = domain.TenantAppOf(env.Tenant, e.Value.App)
		return []dcb.AnyFact{app}
	}).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckText("/message", c.Message), env.mayOnEndpoint(e.Value, "core.endpoints.test")); err != nil {
			return nil, err
		}
		switch {
		case e.Value.Disabled:
			return nil, domain.At("/id", domain.ErrEndpointDisabled)
		case !app.Value.Enabled:
			return nil, domain.At("/id", domain.ErrAppNotEnabled)
		}
		return dcb.Emit(domain.EndpointTested{Endpoint: c.ID, Message: c.Message})
	})
}
