package domain

import (
	"regexp"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// Slug is a tenant's name in addresses; unique on the platform.
type Slug string

// Tag keeps slugs unique.
func (s Slug) Tag() dcb.Tag {
	if s == "" {
		return ""
	}
	return dcb.Tag("slug:" + s)
}

// TenantCreated opens a tenant.
type TenantCreated struct {
	Tenant TenantID `json:"tenant"`
	Name   string   `json:"name"`
	Slug   Slug     `json:"slug"`
}

// TenantRenamed gives a tenant another name; its slug stays.
type TenantRenamed struct {
	Tenant TenantID `json:"tenant"`
	Name   string   `json:"name"`
}

// TenantSlugChanged gives a tenant another slug and frees the old one.
type TenantSlugChanged struct {
	Tenant   TenantID `json:"tenant"`
	Slug     Slug     `json:"slug"`
	Released Slug     `json:"released"`
}

// TenantSuspended stops every access of the tenant's users.
type TenantSuspended struct {
	Tenant TenantID `json:"tenant"`
	Reason string   `json:"reason,omitzero"`
}

// TenantReactivated ends a suspension.
type TenantReactivated struct {
	Tenant TenantID `json:"tenant"`
}

// TenantClosed ends a tenant for ever and frees its slug.
type TenantClosed struct {
	Tenant   TenantID `json:"tenant"`
	Released Slug     `json:"released"`
	Reason   string   `json:"reason,omitzero"`
}

func (TenantCreated) EventType() string     { return "tenant.created" }
func (TenantRenamed) EventType() string     { return "tenant.renamed" }
func (TenantSlugChanged) EventType() string { return "tenant.slug-changed" }
func (TenantSuspended) EventType() string   { return "tenant.suspended" }
func (TenantReactivated) EventType() string { return "tenant.reactivated" }
func (TenantClosed) EventType() string      { return "tenant.closed" }

func (e TenantCreated) Home() uuid.UUID     { return e.Tenant.UUID }
func (e TenantRenamed) Home() uuid.UUID     { return e.Tenant.UUID }
func (e TenantSlugChanged) Home() uuid.UUID { return e.Tenant.UUID }
func (e TenantSuspended) Home() uuid.UUID   { return e.Tenant.UUID }
func (e TenantReactivated) Home() uuid.UUID { return e.Tenant.UUID }
func (e TenantClosed) Home() uuid.UUID      { return e.Tenant.UUID }

var tenantEvents = dcb.Kind("tenant",
	dcb.Of[TenantCreated](), dcb.Of[TenantRenamed](), dcb.Of[TenantSlugChanged](),
	dcb.Of[TenantSuspended](), dcb.Of[TenantReactivated](), dcb.Of[TenantClosed]())

var (
	ErrTenantUnknown   = &Refusal{Missing, "not-found", "there is no such tenant"}
	ErrTenantSuspended = refuse("tenant-suspended", "the tenant is suspended")
	ErrTenantClosed    = refuse("tenant-closed", "the tenant is closed")
	ErrSlugTaken       = refuse("slug-taken", "the slug is taken")
	ErrRootTenant      = refuse("root-tenant", "the platform's own tenant cannot be changed so")
)

// TenantStatus is where a tenant is in its life.
type TenantStatus string

const (
	TenantUnknown TenantStatus = ""
	TenantActive  TenantStatus = "active"
	TenantOnHold  TenantStatus = "suspended"
	TenantEnded   TenantStatus = "closed"
)

// Tenant is what decisions need to know of one.
type Tenant struct {
	Status TenantStatus
	Name   string
	Slug   Slug
}

// Refusal tells why nothing may change in the tenant, nil if it may.
func (t Tenant) Refusal() error {
	switch t.Status {
	case TenantUnknown:
		return ErrTenantUnknown
	case TenantOnHold:
		return ErrTenantSuspended
	case TenantEnded:
		return ErrTenantClosed
	case TenantActive:
	}
	return nil
}

// TenantOf is one tenant, wherever it is asked about.
func TenantOf(id TenantID) *dcb.Fact[Tenant] {
	return dcb.Ask(Tenant{}, tags(id),
		dcb.On(func(t *Tenant, e TenantCreated) { *t = Tenant{TenantActive, e.Name, e.Slug} }),
		dcb.On(func(t *Tenant, e TenantRenamed) { t.Name = e.Name }),
		dcb.On(func(t *Tenant, e TenantSlugChanged) { t.Slug = e.Slug }),
		dcb.On(func(t *Tenant, _ TenantSuspended) { t.Status = TenantOnHold }),
		dcb.On(func(t *Tenant, _ TenantReactivated) { t.Status = TenantActive }),
		dcb.On(func(t *Tenant, _ TenantClosed) { t.Status = TenantEnded }),
	).Anywhere().Sole()
}

// SlugHolder is the tenant that has the slug, nil if it is free.
func SlugHolder(s Slug) *dcb.Fact[uuid.UUID] {
	return holderOf(s.Tag(),
		dcb.On(func(h *uuid.UUID, e TenantCreated) { *h = e.Tenant.UUID }),
		dcb.On(func(h *uuid.UUID, e TenantSlugChanged) {
			if e.Slug == s {
				*h = e.Tenant.UUID
			} else {
				*h = uuid.Nil
			}
		}),
		dcb.On(func(h *uuid.UUID, _ TenantClosed) { *h = uuid.Nil }),
	).Anywhere()
}

var slugForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Check refuses what is no label of a host name (RFC 1123, section 2.1), and what looks like an id.
func (s Slug) Check(pointer string) error {
	if !slugForm.MatchString(string(s)) {
		return Invalid(pointer, "must be 1 to 63 of a-z, 0-9 and -, not beginning or ending with -")
	}
	if _, err := uuid.Parse(string(s)); err == nil {
		return Invalid(pointer, "must not look like an id")
	}
	return nil
}
