package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestATenantKeepsOneRowFromCreationToClosure(t *testing.T) {
	given(
		domain.TenantCreated{Tenant: acme, Name: "Acme", Slug: "acme"},
		domain.TenantRenamed{Tenant: acme, Name: "Acme Group"},
		domain.TenantSlugChanged{Tenant: acme, Slug: "acme-group", Released: "acme"},
		domain.TenantSuspended{Tenant: acme},
		domain.TenantReactivated{Tenant: acme},
		domain.TenantClosed{Tenant: acme, Released: "acme-group"},
	).expect(t, projections.Core, "SELECT name, slug, status, created_at, updated_at, version FROM tenants",
		"Acme Group acme-group closed 08:01 08:06 6")
}

func TestASlugThatWasFreedIsTakenByAnotherTenant(t *testing.T) {
	second, third := domain.TenantID{UUID: uid(0xaa, 2)}, domain.TenantID{UUID: uid(0xaa, 3)}
	given(
		domain.TenantCreated{Tenant: acme, Name: "Acme", Slug: "acme"},
		domain.TenantSlugChanged{Tenant: acme, Slug: "old-acme", Released: "acme"},
	).in(second,
		domain.TenantCreated{Tenant: second, Name: "Second", Slug: "acme"},
		domain.TenantClosed{Tenant: second, Released: "acme"},
	).in(third,
		domain.TenantCreated{Tenant: third, Name: "Third", Slug: "acme"},
	).expect(t, projections.Core, "SELECT name, slug, status FROM tenants ORDER BY version",
		"Acme old-acme active", "Second acme closed", "Third acme active")
}

func TestASuspendedTenantIsSuspended(t *testing.T) {
	given(
		domain.TenantCreated{Tenant: acme, Name: "Acme", Slug: "acme"},
		domain.TenantSuspended{Tenant: acme},
	).expect(t, projections.Core, "SELECT status FROM tenants", "suspended")
}
