package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// CreateTenant opens a tenant. Sent to the platform.
type CreateTenant struct {
	ID   domain.TenantID `json:"id,omitzero" description:"id of the new tenant; made if absent"`
	Name string          `json:"name" required:"true" description:"1 to 200 characters"`
	Slug domain.Slug     `json:"slug" required:"true" description:"unique on the platform; a-z, 0-9 and -, at most 63"`
}

func (c *CreateTenant) NewID() *uuid.UUID { return &c.ID.UUID }
func (c CreateTenant) Target() dcb.Tagger { return c.ID }

func (c CreateTenant) Decide(env Env) dcb.Decision {
	used, holder := domain.Used[domain.TenantCreated](c.ID), domain.SlugHolder(c.Slug)
	return dcb.From(used, holder).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckName("/name", c.Name), c.Slug.Check("/slug")); err != nil {
			return nil, err
		}
		switch {
		case env.Tenant != domain.Root:
			return nil, domain.ErrNotFound
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case holder.Value != uuid.Nil:
			return nil, domain.At("/slug", domain.ErrSlugTaken)
		}
		return dcb.Emit(domain.TenantCreated{Tenant: c.ID, Name: c.Name, Slug: c.Slug})
	})
}

// TenantNamed says which tenant a command is about: the one it is sent to; sent to the platform, the one named here.
type TenantNamed struct {
	ID domain.TenantID `json:"id,omitzero" description:"the tenant, when sent to the platform"`
}

// Destination is the tenant that the command changes.
func (c TenantNamed) Destination(sent domain.TenantID) domain.TenantID {
	if sent == domain.Root && !c.ID.IsZero() {
		return c.ID
	}
	return sent
}

// Pair is the tenant itself.
func (TenantNamed) Pair(t domain.TenantID) (kind string, things []dcb.Tagger) {
	return "tenant", []dcb.Tagger{t}
}

// tenant starts a decision about the tenant itself.
func (env Env) tenant(rule func(domain.Tenant) ([]dcb.Event, error), more ...dcb.AnyFact) dcb.Decision {
	t := domain.TenantOf(env.Tenant)
	return dcb.From(append(more, t)...).Decide(func() ([]dcb.Event, error) { return rule(t.Value) })
}

// RenameTenant gives the tenant another name, slug, or both.
type RenameTenant struct {
	TenantNamed
	Name string      `json:"name,omitzero" description:"the new name; absent to keep it"`
	Slug domain.Slug `json:"slug,omitzero" description:"the new slug; absent to keep it"`
}

func (c RenameTenant) Decide(env Env) dcb.Decision {
	holder := domain.SlugHolder(c.Slug)
	more := []dcb.AnyFact{holder}
	if c.Slug == "" {
		more = nil
	}
	return env.tenant(func(t domain.Tenant) (events []dcb.Event, err error) {
		if c.Name == "" && c.Slug == "" {
			return nil, domain.Invalid("/name", "give a name, a slug or both")
		}
		if c.Name != "" && c.Name != t.Name {
			if err := domain.CheckName("/name", c.Name); err != nil {
				return nil, err
			}
			events = append(events, domain.TenantRenamed{Tenant: env.Tenant, Name: c.Name})
		}
		if c.Slug != "" && c.Slug != t.Slug {
			switch err := c.Slug.Check("/slug"); {
			case err != nil:
				return nil, err
			case env.Tenant == domain.Root:
				return nil, domain.ErrRootTenant
			case holder.Value != uuid.Nil:
				return nil, domain.At("/slug", domain.ErrSlugTaken)
			}
			events = append(events, domain.TenantSlugChanged{Tenant: env.Tenant, Slug: c.Slug, Released: t.Slug})
		}
		return events, nil
	}, more...)
}

// SuspendTenant stops every access of the tenant's users, until it is reactivated.
type SuspendTenant struct {
	TenantNamed
	Reason string `json:"reason,omitzero" description:"why, for the record"`
}

func (c SuspendTenant) Decide(env Env) dcb.Decision {
	return env.tenant(func(domain.Tenant) ([]dcb.Event, error) {
		if env.Tenant == domain.Root {
			return nil, domain.ErrRootTenant
		}
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		return dcb.Emit(domain.TenantSuspended{Tenant: env.Tenant, Reason: c.Reason})
	})
}

// ReactivateTenant ends a suspension.
type ReactivateTenant struct{ TenantNamed }

func (c ReactivateTenant) Decide(env Env) dcb.Decision {
	return env.tenant(func(t domain.Tenant) ([]dcb.Event, error) {
		switch t.Status {
		case domain.TenantActive:
			return nil, nil
		case domain.TenantOnHold:
			return dcb.Emit(domain.TenantReactivated{Tenant: env.Tenant})
		case domain.TenantUnknown, domain.TenantEnded:
		}
		return nil, t.Refusal()
	})
}

// CloseTenant ends a tenant for ever; its slug and its domains become free.
type CloseTenant struct {
	TenantNamed
	Reason string `json:"reason,omitzero" description:"why, for the record"`
}

func (c CloseTenant) Decide(env Env) dcb.Decision {
	domains := domain.DomainsOf(env.Tenant)
	return env.tenant(func(t domain.Tenant) ([]dcb.Event, error) {
		switch {
		case env.Tenant == domain.Root:
			return nil, domain.ErrRootTenant
		case t.Status == domain.TenantEnded:
			return nil, nil
		}
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		var events []dcb.Event
		for _, d := range inOrder(domains.Value, func(d domain.Domain) uuid.UUID { return d.ID.UUID }) {
			events = append(events, domain.DomainRemoved{Domain: d.ID, Tenant: env.Tenant, Name: d.Name})
		}
		return append(events, domain.TenantClosed{Tenant: env.Tenant, Released: t.Slug, Reason: c.Reason}), nil
	}, domains)
}
