package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestAnIssuerIsChangedAsAWholeAndKeepsItsRow(t *testing.T) {
	one, two := domain.IssuerID{UUID: uid(0x15, 1)}, domain.IssuerID{UUID: uid(0x15, 2)}
	added := domain.IssuerAdded{
		Issuer: one, Tenant: acme, Name: "ID", URL: "https://id.test", ClientID: "c", ClientSecret: "secret://a/b", Scopes: []string{"openid"},
		Provisioning: domain.ProvisionNobody, Enabled: true,
	}
	other := added
	other.Issuer, other.URL, other.Enabled = two, "https://other.test", false
	changed := domain.IssuerChanged(added)
	changed.Name, changed.ClientSecret, changed.Audiences, changed.Provisioning = "New", "", []string{"api"}, domain.ProvisionVerifiedDomain
	changed.GroupsClaim, changed.GroupMap = "groups", []domain.GroupMapping{{Value: "staff", Group: domain.GroupID{UUID: uid(0x09, 1)}}}
	given(added, other, changed, domain.IssuerRemoved{Issuer: two, Tenant: acme}).expect(t, projections.Core,
		`SELECT id, name, url, client_id, client_secret, array_to_string(scopes, '+'), array_to_string(audiences, '+'), provisioning, groups_claim,
			coalesce(group_map->0->>'value', '-'), status, created_at, updated_at, version FROM issuers ORDER BY id`,
		"1501 New https://id.test c  openid api verified-domain groups staff enabled 08:01 08:03 3",
		"1502 ID https://other.test c secret://a/b openid  none  - removed 08:02 08:04 4")
}
