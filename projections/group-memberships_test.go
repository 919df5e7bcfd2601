package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestAMembershipIsThereWhileItLasts(t *testing.T) {
	group := domain.GroupID{UUID: uid(0x60, 1)}
	ann, bob := domain.UserID{UUID: uid(0x05, 1)}, domain.UserID{UUID: uid(0x05, 2)}
	eve, outside := domain.UserID{UUID: uid(0x05, 3)}, domain.MembershipID{UUID: uid(0x0e, 4)}
	first, second, again := domain.MembershipID{UUID: uid(0x0e, 1)}, domain.MembershipID{UUID: uid(0x0e, 2)}, domain.MembershipID{UUID: uid(0x0e, 3)}
	given(
		domain.MemberAdded{Membership: first, Group: group, User: ann, Role: domain.Member},
		domain.MemberAdded{Membership: second, Group: group, User: bob, Role: domain.Owner},
		domain.MemberRoleChanged{Membership: second, Group: group, User: bob, Role: domain.Maintainer, Was: domain.Owner},
		domain.MemberRemoved{Membership: first, Group: group, User: ann, Role: domain.Member},
		domain.MemberAdded{Membership: again, Group: group, User: ann, Role: domain.Member},
		domain.MemberAdded{
			Membership: outside, Group: group, User: eve, Role: domain.Member, Home: domain.HomeID{UUID: uid(0x01, 2)}, Invitation: domain.InvitationID{UUID: uid(0x77, 1)},
		},
		domain.MemberRoleChanged{Membership: outside, Group: group, User: eve, Role: domain.Maintainer, Was: domain.Member},
	).expect(t, projections.Core, "SELECT id, group_id, user_id, role, home_tenant_id, invitation_id, created_at, updated_at, version FROM group_memberships ORDER BY id",
		"0e02 6001 0502 maintainer - - 08:02 08:03 3",
		"0e03 6001 0501 member - - 08:05 08:05 5",
		"0e04 6001 0503 maintainer 0102 7701 08:06 08:07 7")
}
