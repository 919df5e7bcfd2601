package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func TestADelegationHasARowInEachTenantThatItConcerns(t *testing.T) {
	beta := domain.TenantID{UUID: uid(0xaa, 2)}
	ann, bob, cat := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}, domain.UserID{UUID: uid(0x05, 3)}
	one, two := domain.DelegationID{UUID: uid(0xde, 1)}, domain.DelegationID{UUID: uid(0xde, 2)}
	home, there := domain.HomeIn(acme), domain.HomeIn(beta)
	window := domain.Window{From: time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC), Until: time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)}
	first := domain.DelegationGranted{
		Delegation: one, Tenant: home, Grantor: ann, GrantorTenant: home, Delegate: bob, DelegateTenant: there,
		Bounds: domain.Bounds{Privileges: []domain.Pattern{"repo.read"}}, Window: window, Redelegations: 1, Reason: "leave",
	}
	second := domain.DelegationGranted{
		Delegation: two, Tenant: home, Grantor: bob, GrantorTenant: there, Delegate: cat, DelegateTenant: there,
		Parent: one, Chain: []domain.DelegationID{one}, Bounds: first.Bounds, Window: window,
	}
	accepted := domain.DelegationAccepted{Delegation: one, Tenant: home, Grantor: ann, Delegate: bob}
	revoked := domain.DelegationRevoked{Delegation: one, Tenant: home, Grantor: ann, Delegate: bob, Reason: "back"}
	declined := domain.DelegationDeclined{Delegation: two, Tenant: home, Grantor: bob, Delegate: cat}
	given(first).in(beta, first).in(acme, accepted).in(beta, accepted).in(acme, second).in(beta, second).
		in(acme, declined).in(beta, declined).in(acme, revoked).in(beta, revoked).
		expect(t, projections.Core, `SELECT tenant_id, id, home_tenant_id, grantor_user_id, grantor_tenant_id, delegate_user_id, delegate_tenant_id,
			parent_id, chain::text, action_scope::text, starts_at, ends_at, redelegations, reason, status, created_at, accepted_at, ended_at, end_reason, version
			FROM delegations ORDER BY tenant_id, id`,
			`aa02 de01 acce 0501 acce 0502 aa02 - {} {"privileges": ["repo.read"]} 09:00 10:00 1 leave revoked 08:02 08:04 08:10 back 10`,
			`aa02 de02 acce 0502 aa02 0503 aa02 de01 {`+one.String()+`} {"privileges": ["repo.read"]} 09:00 10:00 0  declined 08:06 - 08:08 - 8`,
			`acce de01 acce 0501 acce 0502 aa02 - {} {"privileges": ["repo.read"]} 09:00 10:00 1 leave revoked 08:01 08:03 08:09 back 9`,
			`acce de02 acce 0502 aa02 0503 aa02 de01 {`+one.String()+`} {"privileges": ["repo.read"]} 09:00 10:00 0  declined 08:05 - 08:07 - 7`)
}

func TestADelegationExpiresWhetherOrNotItWasAccepted(t *testing.T) {
	ann, bob := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}
	one, two := domain.DelegationID{UUID: uid(0xde, 1)}, domain.DelegationID{UUID: uid(0xde, 2)}
	home := domain.HomeIn(acme)
	granted := func(id domain.DelegationID) domain.DelegationGranted {
		return domain.DelegationGranted{Delegation: id, Tenant: home, Grantor: ann, GrantorTenant: home, Delegate: bob, DelegateTenant: home}
	}
	given(
		granted(one), granted(two),
		domain.DelegationAccepted{Delegation: one, Tenant: home, Grantor: ann, Delegate: bob},
		domain.DelegationExpired{Delegation: one, Tenant: home, Grantor: ann, Delegate: bob},
		domain.DelegationExpired{Delegation: two, Tenant: home, Grantor: ann, Delegate: bob},
	).expect(t, projections.Core, "SELECT id, action_scope::text, status, accepted_at, ended_at, end_reason, version FROM delegations ORDER BY id",
		"de01 {} expired 08:03 08:04 - 4", "de02 {} expired - 08:05 - 5")
}
