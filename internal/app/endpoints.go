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
	"chancery/internal/vault"
	"chancery/readmodels"
)

// permission is which events of a tenant an endpoint of an app may have: those that the manifest of the version at work lets the app
// consume, and that the tenant's policy lets it have; and its own test events. Both are looked up for every event, so it need not be made
// anew when they change. Safe for concurrent use.
func (a *App) permission(tenant domain.TenantID, id domain.EndpointID, app domain.App) func(*eventlog.Raw) bool {
	consumes := &consuming{app: a, name: app}
	return func(raw *eventlog.Raw) bool {
		if raw.SourceApp == dcb.Core && raw.Type == testEvent {
			return slices.Contains(raw.Tags, string(id.Tag()))
		}
		typ := domain.OutwardType(raw.SourceApp, raw.Type)
		audience := a.index.Audience(tenant, app, a.config.Now())
		return domain.MatchesAny(audience.Deliverable, typ) && domain.MatchesAny(consumes.patterns(audience.Number), typ)
	}
}

// meaning is which events an endpoint means: those that its terms ask for and that it may have; and its own test events, always.
// It fails where the language of filters has lost something since they were decided: then nobody knows, and everything waits.
func (a *App) meaning(
	tenant domain.TenantID, id domain.EndpointID, terms domain.EndpointTerms, permits func(*eventlog.Raw) bool,
) (func(*eventlog.Raw) bool, error) {
	selection, err := terms.Compile()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFilter, err)
	}
	var told sync.Once
	return func(raw *eventlog.Raw) bool {
		if raw.SourceApp == dcb.Core && raw.Type == testEvent {
			return permits(raw)
		}
		if !selection.Asks(domain.OutwardType(raw.SourceApp, raw.Type)) || !permits(raw) {
			return false
		}
		if !selection.Reads() {
			return true
		}
		e, err := outward(raw)
		if err != nil {
			return false
		}
		means, err := selection.Judge(e)
		if err != nil {
			told.Do(func() {
				a.log.Error("the filter of an endpoint fails, so it does not mean the event", "tenant", tenant, "endpoint", id, "position", raw.Position, "error", err)
			})
		}
		return means
	}, nil
}

var errFilter = errors.New("the filter cannot be read any more; give the endpoint another")

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
		ID: said.ID, Source: said.Source, Subject: said.Subject, Type: said.Type, Tenant: raw.Tenant.String(), Time: said.Time, Data: shown(raw),
	}
	if e.Time.IsZero() {
		e.Time = raw.CreatedAt
	}
	return e, err
}

// shown is what apps see of an event's data.
func shown(raw *eventlog.Raw) []byte {
	if raw.SourceApp == dcb.Core {
		return mask.Payload(raw.Type, raw.Payload)
	}
	return raw.Payload
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
			last := e
			switch e, err = a.webhook(ctx, w); {
			case errors.Is(err, vault.ErrErased) && known && last.Tenant == w.TenantID:
				e = last // until the row shows the rotation that destroyed the keys in it
			case errors.Is(err, vault.ErrErased), errors.Is(err, vault.ErrUnreadable), errors.Is(err, errFilter):
				a.log.ErrorContext(ctx, "nothing is sent to an endpoint, all waits: its keys or its filter cannot be read", "tenant", w.TenantID, "endpoint", w.ID, "error", err)
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
		subjects[w.TenantID] = append(subjects[w.TenantID], domain.EndpointID{UUID: w.ID}.SecretID(int(w.SecretVersion)).UUID)
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
	permits := a.permission(tenant, domain.EndpointID{UUID: w.ID}, app)
	means, err := a.meaning(tenant, domain.EndpointID{UUID: w.ID}, terms, permits)
	if err != nil {
		return deliveries.Endpoint{}, err
	}
	e := deliveries.Endpoint{
		Tenant: w.TenantID, ID: w.ID, Version: int64(w.Version), App: w.AppID, URL: deref(w.Url), Full: w.Body == string(domain.Full),
		OrderBy: deref(w.OrderBy), Concurrency: int(w.Concurrency), PerSecond: int(w.PerSecond),
		StartsAfter: w.StartsAfter, SkippedThrough: w.SkippedThrough,
		Means: means, Permits: permits, Open: a.openFor(tenant, app),
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
	newest, err := a.newestKeys(ctx, w)
	if err != nil {
		return e, err
	}
	before, err := a.keysBefore(ctx, w)
	e.Keys = append([]deliveries.Keys{newest}, before...)
	return e, err
}

func (a *App) newestKeys(ctx context.Context, w readmodels.Webhook) (k deliveries.Keys, err error) {
	if k.Secret, err = a.vault.OpenSecret(ctx, w.TenantID, "value", deref(w.SecretSealed)); err != nil {
		return k, fmt.Errorf("open the secret of an endpoint: %w", err)
	}
	if k.Private, err = a.vault.OpenSecret(ctx, w.TenantID, "private", deref(w.PrivateSealed)); err != nil {
		return k, fmt.Errorf("open the private key of an endpoint: %w", err)
	}
	return k, nil
}

// keysBefore are those that sign beside the newest, the newest first. They are few and not for long, so no table has them: the log does,
// which may know of a rotation before the row does; then those of the row are among them.
func (a *App) keysBefore(ctx context.Context, w readmodels.Webhook) (all []deliveries.Keys, err error) {
	now := a.config.Now()
	if w.SecretVersion == 1 || w.SecretRotatedAt == nil || !now.Before(w.SecretRotatedAt.Add(domain.LongestOverlap)) {
		return nil, nil
	}
	e := domain.EndpointOf(domain.EndpointID{UUID: w.ID})
	if err := a.engine.Ask(ctx, domain.TenantID{UUID: w.TenantID}, dcb.From(e).Unsealing()); err != nil {
		return nil, fmt.Errorf("read the keys of an endpoint: %w", err)
	}
	for _, k := range slices.Backward(e.Value.Overlap(now)) {
		if k.Value.Reveal() != "" { // else it was erased
			all = append(all, deliveries.Keys{Secret: k.Value.Reveal(), Private: k.Private.Reveal(), Until: k.Until})
		}
	}
	return all, nil
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
