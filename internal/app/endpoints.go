package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/cloudevents"
	"chancery/internal/dcb"
	"chancery/internal/deliveries"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/internal/masks"
	"chancery/internal/vault"
	"chancery/readmodels"
)

// meaning is which events of a tenant an endpoint of an app means: those that its terms ask for, that the manifest of the version at
// work lets the app consume, and that the tenant's policy lets it have; and its own test events. What is said of the app and by the policy
// is looked up for every event, so it need not be made anew when they change. Safe for concurrent use.
func (a *App) meaning(tenant domain.TenantID, id domain.EndpointID, app domain.App, terms domain.EndpointTerms) func(*eventlog.Raw) bool {
	selection, err := terms.Compile()
	if err != nil { // it did when it was decided: the language has lost something since
		a.log.Error("the filter of an endpoint cannot be read any more, so it means nothing", "tenant", tenant, "endpoint", id, "error", err)
	}
	consumes := &consuming{app: a, name: app}
	return func(raw *eventlog.Raw) bool {
		if raw.SourceApp == dcb.Core && raw.Type == testEvent {
			return slices.Contains(raw.Tags, string(id.Tag()))
		}
		typ := domain.OutwardType(raw.SourceApp, raw.Type)
		if selection == nil || !selection.Asks(typ) {
			return false
		}
		audience := a.index.Audience(tenant, app, a.config.Now())
		if !domain.MatchesAny(audience.Deliverable, typ) || !domain.MatchesAny(consumes.patterns(audience.Number), typ) {
			return false
		}
		if !selection.Reads() {
			return true
		}
		e, err := outward(raw)
		return err == nil && selection.Means(e)
	}
}

var testEvent = domain.EndpointTested{}.EventType()

// consuming is what the version of an app at work may be sent. It keeps what it was told last.
type consuming struct {
	app  *App
	name domain.App
	last atomic.Pointer[domain.AppEvents]
}

// patterns reads a manifest at most once for each change of version. If that fails, what held before holds on until it succeeds.
func (c *consuming) patterns(at domain.Semver) []domain.EventPattern {
	last := c.last.Load()
	if last != nil && last.Number == at {
		return last.Consumes
	}
	if at == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	events, err := c.app.engine.AppEvents(ctx, c.name, at)
	if err == nil {
		c.last.Store(events)
		return events.Consumes
	}
	c.app.log.Error("what an app consumes could not be read", "app", c.name, "version", at, "error", err)
	if last == nil {
		return nil
	}
	return last.Consumes
}

// outward is an event as apps see it, with its data.
func outward(raw *eventlog.Raw) (domain.OutwardEvent, error) {
	said, err := cloudevents.AttributesOf(raw)
	e := domain.OutwardEvent{
		ID: said.ID, Source: said.Source, Subject: said.Subject, Type: said.Type, Tenant: raw.Tenant.String(), Time: said.Time, Data: raw.Payload,
	}
	if raw.SourceApp == dcb.Core {
		e.Data = masks.Payload(raw.Type, raw.Payload)
	}
	return e, err
}

// openFor reports whether an app may be sent something now; what its endpoints mean waits meanwhile.
func (a *App) openFor(tenant domain.TenantID, app domain.App) func(time.Time) bool {
	return func(now time.Time) bool { return a.index.Audience(tenant, app, now).Open }
}

// webhookDirectory keeps what was made of each webhook until its row changes.
type webhookDirectory struct {
	mu  sync.Mutex // owns the rest
	all map[uuid.UUID]deliveries.Endpoint
}

// webhooks are all that are enabled, of every tenant, ready to be delivered to.
func (a *App) webhooks(ctx context.Context) ([]deliveries.Endpoint, error) {
	found, err := readmodels.Webhooks(ctx, a.ledger.Pool(ledger.Project))
	if err != nil {
		return nil, err
	}
	d := &a.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := a.preload(ctx, d.all, found); err != nil {
		return nil, err
	}
	now, out := make(map[uuid.UUID]deliveries.Endpoint, len(found)), make([]deliveries.Endpoint, 0, len(found))
	for _, w := range found {
		e, known := d.all[w.ID]
		if !known || e.Version != int64(w.Version) || e.Tenant != w.TenantID {
			switch e, err = a.webhook(ctx, w); {
			case errors.Is(err, vault.ErrErased), errors.Is(err, vault.ErrUnreadable):
				a.log.ErrorContext(ctx, "the keys of an endpoint cannot be opened, so nothing is sent to it", "tenant", w.TenantID, "endpoint", w.ID, "error", err)
				continue
			case err != nil:
				return nil, err
			}
		}
		now[w.ID], out = e, append(out, e)
	}
	d.all = now
	return out, nil
}

// preload fetches the data keys of what is new, with one question for each tenant.
func (a *App) preload(ctx context.Context, known map[uuid.UUID]deliveries.Endpoint, found []readmodels.Webhook) error {
	subjects := map[uuid.UUID][]uuid.UUID{}
	for _, w := range found {
		if known[w.ID].Version == int64(w.Version) {
			continue
		}
		id, number := domain.EndpointID{UUID: w.ID}, int(w.SecretVersion)
		subjects[w.TenantID] = append(subjects[w.TenantID], id.SecretID(number).UUID)
		if w.PreviousSecretSealed != nil {
			subjects[w.TenantID] = append(subjects[w.TenantID], id.SecretID(number-1).UUID)
		}
	}
	for tenant, all := range subjects {
		if err := a.vault.Preload(ctx, tenant, all); err != nil {
			return fmt.Errorf("load the keys of endpoints: %w", err)
		}
	}
	return nil
}

func (a *App) webhook(ctx context.Context, w readmodels.Webhook) (deliveries.Endpoint, error) {
	tenant, app := domain.TenantID{UUID: w.TenantID}, domain.App(w.AppID)
	terms := domain.EndpointTerms{Types: typesIn(w.Types), Filter: deref(w.Filter)}
	e := deliveries.Endpoint{
		Tenant: w.TenantID, ID: w.ID, Version: int64(w.Version), App: w.AppID, URL: deref(w.Url), Full: w.Body == string(domain.Full),
		OrderBy: deref(w.OrderBy), Concurrency: int(w.Concurrency), PerSecond: int(w.PerSecond),
		StartsAfter: w.StartsAfter, SkippedThrough: w.SkippedThrough,
		Means: a.meaning(tenant, domain.EndpointID{UUID: w.ID}, app, terms), Open: a.openFor(tenant, app),
	}
	if w.FromTime != nil {
		e.From = *w.FromTime
	}
	// Known before the first event asks, so that none is judged without it.
	if number := a.index.Audience(tenant, app, a.config.Now()).Number; number != "" {
		if _, err := a.engine.AppEvents(ctx, app, number); err != nil {
			return e, err
		}
	}
	newest, err := a.keysOf(ctx, w.TenantID, w.SecretSealed, w.PrivateSealed)
	if err != nil {
		return e, err
	}
	e.Keys = append(e.Keys, newest)
	if w.PreviousSecretSealed != nil && w.PreviousUntil != nil {
		before, err := a.keysOf(ctx, w.TenantID, w.PreviousSecretSealed, w.PreviousPrivateSealed)
		if err != nil {
			return e, err
		}
		before.Until = *w.PreviousUntil
		e.Keys = append(e.Keys, before)
	}
	return e, nil
}

func (a *App) keysOf(ctx context.Context, tenant uuid.UUID, secret, private *string) (k deliveries.Keys, err error) {
	if k.Secret, err = a.vault.OpenSecret(ctx, tenant, "value", deref(secret)); err != nil {
		return k, fmt.Errorf("open the secret of an endpoint: %w", err)
	}
	if k.Private, err = a.vault.OpenSecret(ctx, tenant, "private", deref(private)); err != nil {
		return k, fmt.Errorf("open the private key of an endpoint: %w", err)
	}
	return k, nil
}

func typesIn(texts []string) []domain.EventPattern {
	all := make([]domain.EventPattern, len(texts))
	for i, t := range texts {
		all[i] = domain.EventPattern(t)
	}
	return all
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// endpointsConcern reports whether an event may change what webhooks answers, or which of them are open.
func endpointsConcern(raw *eventlog.Raw) bool {
	if raw.SourceApp != dcb.Core {
		return false
	}
	kind, _, _ := strings.Cut(raw.Type, ".")
	switch kind {
	case "endpoint":
		return raw.Type != testEvent
	case "tenant-app", "policy", "license", "tenant":
		return true
	}
	return false
}

// disableEndpoint is Chancery giving up on an endpoint: its receiver is gone, or nothing was delivered since. It may be said again.
func (a *App) disableEndpoint(ctx context.Context, tenant, id uuid.UUID, gone bool, failingSince time.Time) error {
	give := commands.GiveUpEndpoint{ID: domain.EndpointID{UUID: id}, Gone: gone, FailingSince: failingSince, After: a.config.DeliveryGiveUp}
	_, err := a.engine.Execute(ctx, commands.SystemOrder("give-up-endpoint", give, domain.TenantID{UUID: tenant}, dcb.Provenance{}))
	if err != nil {
		return fmt.Errorf("disable endpoint %s: %w", id, err)
	}
	return nil
}
