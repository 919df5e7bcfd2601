package commands

import (
	"context"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// EndpointMail is what the mail to the owner of an endpoint is made of that Chancery disabled. Address is in the clear: it MUST go into
// the mail alone.
type EndpointMail struct {
	Organisation string // the tenant's name
	App          domain.App
	Address      string // empty: there is nobody to tell
	Over         bool   // it is enabled again, or deleted: there is nothing to tell
}

// EndpointMail reads whom to tell of a disabled endpoint, as the log knows it now: whoever created it, where that was somebody.
func (e *Engine) EndpointMail(ctx context.Context, t domain.TenantID, id domain.EndpointID) (EndpointMail, error) {
	endpoint, tenant := domain.EndpointOf(id), domain.TenantOf(t)
	created := dcb.LatestOf([]string{domain.EndpointCreated{}.EventType()}, []dcb.Tag{id.Tag()}, func(dcb.Event) bool { return true })
	if err := e.Ask(ctx, t, dcb.From(endpoint, tenant, created)); err != nil {
		return EndpointMail{}, err
	}
	m := EndpointMail{Organisation: tenant.Value.Name, App: endpoint.Value.App, Over: !endpoint.Value.Exists || !endpoint.Value.Disabled}
	owner := created.Value.Provenance
	if m.Over || owner.Actor == uuid.Nil {
		return m, nil
	}
	person := domain.PersonOf(domain.UserID{UUID: owner.Actor})
	err := e.Ask(ctx, domain.TenantID{UUID: owner.ActorTenant}, dcb.From(person).Opening())
	m.Address = person.Value.Email.Reveal()
	return m, err
}
