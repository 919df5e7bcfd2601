package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestADomainIsPendingThenVerifiedThenPrimaryThenRemoved(t *testing.T) {
	one, two := domain.DomainID{UUID: uid(0xd0, 1)}, domain.DomainID{UUID: uid(0xd0, 2)}
	three := domain.DomainID{UUID: uid(0xd0, 3)}
	given(
		domain.DomainAdded{Domain: one, Tenant: acme, Name: "acme.test", Challenge: "c1"},
		domain.DomainAdded{Domain: two, Tenant: acme, Name: "acme.example", Challenge: "c2"},
		domain.DomainAdded{Domain: three, Tenant: acme, Name: "acme.org", Challenge: "c3"},
		domain.DomainVerified{Domain: one, Tenant: acme, Name: "acme.test"},
		domain.DomainVerified{Domain: two, Tenant: acme, Name: "acme.example"},
		domain.DomainMadePrimary{Domain: one, Tenant: acme},
		domain.DomainMadePrimary{Domain: two, Tenant: acme, Previous: one},
		domain.DomainRemoved{Domain: one, Tenant: acme, Name: "acme.test"},
	).expect(t, projections.Core,
		"SELECT name, challenge, status, is_primary, created_at, updated_at, verified_at, version FROM tenant_domains ORDER BY id",
		"acme.test c1 removed false 08:01 08:08 08:04 8",
		"acme.example c2 verified true 08:02 08:07 08:05 7",
		"acme.org c3 pending false 08:03 08:03 - 3")
}
