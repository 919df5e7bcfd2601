package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func TestAnInvitationStandsInBothTenantsUntilItEnds(t *testing.T) {
	there := domain.TenantID{UUID: uid(0x01, 2)}
	group, eve := domain.GroupID{UUID: uid(0x60, 1)}, domain.UserID{UUID: uid(0x05, 1)}
	id := func(n int) domain.InvitationID { return domain.InvitationID{UUID: uid(0x77, n)} }
	membership := domain.MembershipID{UUID: uid(0x0e, 1)}
	sent := func(n int, as domain.GroupRole) domain.InvitationSent {
		return domain.InvitationSent{
			Invitation: id(n), Group: group, GroupTenant: domain.HomeIn(acme), User: eve, UserTenant: domain.HomeIn(there), Role: as, Message: "hi",
			ExpiresAt: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC),
		}
	}
	given(sent(1, domain.Maintainer)).in(there, sent(1, domain.Maintainer)).in(acme,
		domain.InvitationAccepted{Invitation: id(1), Group: group, User: eve, Membership: membership},
		domain.MemberAdded{Membership: membership, Group: group, User: eve, Role: domain.Maintainer, Home: domain.HomeIn(there), Invitation: id(1)},
	).in(there,
		domain.InvitationAccepted{Invitation: id(1), Group: group, User: eve, Membership: membership},
		domain.OutsideMembershipEnded{Invitation: id(1), Group: group, User: eve, Reason: "left"},
	).in(acme,
		sent(2, domain.Member), domain.InvitationDeclined{Invitation: id(2), Group: group, User: eve, Reason: "no time"},
		sent(3, domain.Member), domain.InvitationWithdrawn{Invitation: id(3), Group: group, User: eve, Reason: "a mistake"},
		sent(4, domain.Member), domain.InvitationExpired{Invitation: id(4), Group: group, User: eve},
		sent(5, domain.Member),
	).expect(t, projections.Core, `SELECT tenant_id, id, group_id, group_tenant_id, user_id, user_tenant_id, role, message, status, membership_id,
			created_at, expires_at, answered_at, ended_at, end_reason, version FROM group_invitations ORDER BY tenant_id, id`,
		"0102 7701 6001 acce 0501 0102 maintainer hi ended 0e01 08:02 12:00 08:05 08:06 left 6",
		"acce 7701 6001 acce 0501 0102 maintainer hi accepted 0e01 08:01 12:00 08:03 -  3",
		"acce 7702 6001 acce 0501 0102 member hi declined - 08:07 12:00 08:08 - no time 8",
		"acce 7703 6001 acce 0501 0102 member hi withdrawn - 08:09 12:00 - 08:10 a mistake 10",
		"acce 7704 6001 acce 0501 0102 member hi expired - 08:11 12:00 - 08:12  12",
		"acce 7705 6001 acce 0501 0102 member hi open - 08:13 12:00 - -  13")
}
