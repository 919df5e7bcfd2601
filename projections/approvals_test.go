package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func TestARequestForApprovalKeepsWhatWasAskedForAndWhatCameOfIt(t *testing.T) {
	ann, bob, cat := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}, domain.UserID{UUID: uid(0x05, 3)}
	reader, crew := domain.RoleID{UUID: uid(0x09, 1)}, domain.GroupID{UUID: uid(0x04, 1)}
	end := time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)
	id := func(n int) domain.ApprovalID { return domain.ApprovalID{UUID: uid(0xa9, n)} }
	ask := func(n int) domain.ApprovalRequested {
		return domain.ApprovalRequested{
			Approval: id(n), By: bob, User: ann, Reason: "on call", ExpiresAt: end,
			Assignment: domain.RoleAssigned{Assignment: domain.AssignmentID(id(n)), Role: reader, User: ann, Window: domain.Window{From: end}},
		}
	}
	team, deputy := ask(3), ask(5)
	team.User, team.Assignment.User, team.Assignment.Group, team.For = domain.UserID{}, domain.UserID{}, crew, cat
	deputy.Assignment = domain.RoleAssigned{}
	deputy.Delegation = domain.DelegationGranted{
		Delegation: domain.DelegationID(id(5)), Grantor: bob, Delegate: ann, Window: domain.Window{From: end},
		Tenant: domain.HomeIn(acme), GrantorTenant: domain.HomeIn(acme), DelegateTenant: domain.HomeIn(acme),
	}
	given(
		ask(1), ask(2), team, ask(4), deputy,
		domain.ApprovalGiven{Approval: id(1), By: cat, Reason: "fine"},
		domain.ApprovalDenied{Approval: id(2), By: cat, Reason: "no"},
		domain.ApprovalCancelled{Approval: id(3), Reason: "a mistake"},
		domain.ApprovalExpired{Approval: id(4)},
	).expect(t, projections.Core,
		`SELECT id, kind, requested_by, requested_for, user_id, role_id, request->>'user', request->>'delegate', reason, status, created_at, expires_at,
			decided_by, decided_at, decision_reason, version FROM approvals ORDER BY id`,
		"a901 assignment 0502 - 0501 0901 "+ann.String()+" - on call given 08:01 10:00 0503 08:06 fine 6",
		"a902 assignment 0502 - 0501 0901 "+ann.String()+" - on call denied 08:02 10:00 0503 08:07 no 7",
		"a903 assignment 0502 0503 - 0901 - - on call cancelled 08:03 10:00 - 08:08 a mistake 8",
		"a904 assignment 0502 - 0501 0901 "+ann.String()+" - on call expired 08:04 10:00 - 08:09  9",
		"a905 delegation 0502 - 0501 - - "+ann.String()+" on call pending 08:05 10:00 - -  5")
}
