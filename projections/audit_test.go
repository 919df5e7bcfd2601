package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

func TestEveryEventIsAuditedWithWhoDidItAndForWhom(t *testing.T) {
	ann, bob := uid(0x05, 1), uid(0x05, 2)
	one := domain.UserID{UUID: uid(0x05, 3)}
	h := given(
		domain.UserUpdated{User: one, DisplayName: sealed("Eve")},
		domain.UserReactivated{User: one},
		domain.MemberAdded{Membership: domain.MembershipID{UUID: uid(0x0e, 1)}, Group: domain.GroupID{UUID: uid(0x60, 1)}, User: one, Role: domain.Member},
		domain.UserDeactivated{User: one},
	)
	h[0].Provenance = dcb.Provenance{Actor: ann}
	h[1].Provenance = dcb.Provenance{Actor: ann, Effective: bob, Delegation: uid(0x4e, 1)}
	h[2].Provenance = dcb.Provenance{Actor: ann, Effective: bob, Impersonation: uid(0x4e, 2)}
	h.expect(t, projections.Audit,
		`SELECT position, id, actor_user_id, action, effective_user_id, right(object_ref, 4), split_part(object_ref, ':', 1),
			is_delegated, delegation_id, is_impersonated, impersonation_id, occurred_at, created_at - occurred_at = '24 hours'
		 FROM audit_log ORDER BY position`,
		"1 6501 0501 user.updated 0501 0503 user false - false - 08:01 true",
		"2 6502 0501 user.reactivated 0502 0503 user true 4e01 false - 08:02 true",
		"3 6503 0501 group-member.added 0502 0e01 membership false - true 4e02 08:03 true",
		"4 6504 - user.deactivated - 0503 user false - false - 08:04 true")
}

func TestTheMetadataTellHowItCameAbout(t *testing.T) {
	h := given(domain.UserReactivated{User: domain.UserID{UUID: uid(0x05, 3)}})
	h[0].Request = uid(0x4e, 3)
	h[0].Provenance = dcb.Provenance{
		Actor: uid(0x05, 1), ActorTenant: domain.Root.UUID, Token: uid(0x70, 1), Command: "reactivate-user", Target: uid(0x05, 3),
		Correlation: "r-1", Causation: uid(0x65, 9), Session: uid(0x5e, 1), App: "billing", IP: sealed("ip"), Agent: sealed("agent"),
	}
	h.expect(t, projections.Audit,
		`SELECT e.key, e.value #>> '{}' FROM audit_log, jsonb_each(metadata) e ORDER BY e.key`,
		"actor_tenant 00000000-0000-0000-0000-000000000001",
		"app billing",
		"causation 00000000-0000-7000-8000-000000006509",
		"command reactivate-user",
		"correlation r-1",
		"request 00000000-0000-7000-8000-000000004e03",
		"session 00000000-0000-7000-8000-000000005e01",
		"source_app core",
		"target 00000000-0000-7000-8000-000000000503",
		"token 00000000-0000-7000-8000-000000007001")
}

func TestARefusalIsAudited(t *testing.T) {
	first := time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)
	given(domain.CommandRefused{
		Command: "assign-role", Code: "may-not-grant", Object: "role:x", Count: 3, First: first, Last: first.Add(time.Minute),
	}).expect(t, projections.Audit,
		`SELECT action, object_ref, metadata->>'command', metadata->>'code', metadata->>'count', metadata->>'first', metadata->>'last' FROM audit_log`,
		"command.refused role:x assign-role may-not-grant 3 2026-01-02T08:00:00Z 2026-01-02T08:01:00Z")
}

func TestFromWhereSomebodyActedIsKeptAsItWasSealed(t *testing.T) {
	one := domain.UserID{UUID: uid(0x05, 3)}
	h := given(domain.UserReactivated{User: one}, domain.UserDeactivated{User: one})
	h[0].Provenance = dcb.Provenance{Actor: uid(0x05, 1), IP: sealed("ip"), Agent: sealed("agent")}
	h.expect(t, projections.Audit, `SELECT position, ip, user_agent, metadata ?| '{ip,user_agent}' FROM audit_log ORDER BY position`,
		"1 sealed:ip sealed:agent false", "2 - - false")
}
