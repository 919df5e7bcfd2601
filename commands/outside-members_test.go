package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func leaveCrew(e commands.Env, changes ...func(*commands.LeaveGroup)) dcb.Decision {
	c := commands.LeaveGroup{ID: guestInvitation("eve")}
	for _, change := range changes {
		change(&c)
	}
	return c.Decide(e)
}

func TestAMemberFromOutsideLeavesAtWillOrIsTakenOutByTheirTenant(t *testing.T) {
	gone := membershipEnded(domain.OutsideLeft)
	insideCrew().WhenIn(globex, leaveCrew(asUser("eve"))).Then(t, inAcme(leftCrew(domain.Member)), inAcme(gone), gone)
	insideCrew().WhenIn(globex, leaveCrew(adminThere())).Then(t, inAcme(leftCrew(domain.Member)), inAcme(gone), gone)
	because := membershipEnded("enough")
	insideCrew().WhenIn(globex, leaveCrew(asUser("eve"), func(c *commands.LeaveGroup) { c.Reason = "enough" })).Then(t, inAcme(leftCrew(domain.Member)), inAcme(because), because)
	insideCrew(asMaintainer).WhenIn(globex, leaveCrew(asUser("eve"))).Then(t, inAcme(leftCrew(domain.Maintainer)), inAcme(gone), gone)
	promoted := insideCrew().and(domain.MemberRoleChanged{Membership: placeOf(guestInvitation("eve")), Group: group("crew"), User: user("eve"), Role: domain.Maintainer, Was: domain.Member})
	promoted.WhenIn(globex, leaveCrew(asUser("eve"))).Then(t, inAcme(leftCrew(domain.Maintainer)), inAcme(gone), gone)
	insideCrew().WhenIn(globex, leaveCrew(asUser("eve"), func(c *commands.LeaveGroup) { c.Reason = "\x07" })).ThenInvalid(t, "/reason")
}

func TestNothingOfTheGroupsTenantKeepsAMember(t *testing.T) {
	for name, h := range map[string]history{
		"suspended":           insideCrew().elsewhere(domain.Root, domain.TenantSuspended{Tenant: acme}),
		"closed":              insideCrew().elsewhere(domain.Root, domain.TenantClosed{Tenant: acme}),
		"its policy":          insideCrew().and(policyOf(acme, domain.OutsideMembers, "false")),
		"their own policy":    insideCrew().elsewhere(globex, policyOf(globex, domain.JoinOutside, "false")),
		"an owner is wanted":  insideCrew().and(policyOf(acme, domain.GroupOwned, "true")),
		"a deny of the group": insideCrew().and(deniedAt(atGroup("crew"))),
	} {
		t.Run(name, func(t *testing.T) {
			if n := len(h.WhenIn(globex, leaveCrew(asUser("eve"))).Events(t)); n != 3 {
				t.Errorf("%d events", n)
			}
		})
	}
}

func TestNobodyLeavesForSomebodyElse(t *testing.T) {
	h := insideCrew()
	h.WhenIn(globex, leaveCrew(asUser("zoe"))).ThenRefused(t, domain.ErrInvitationUnknown)
	delegate := asUser("eve")
	delegate.Delegation = domain.DelegationID{UUID: named("delegation")}
	h.WhenIn(globex, leaveCrew(delegate)).ThenRefused(t, domain.ErrInvitationUnknown)
	h.When(leaveCrew(env())).ThenRefused(t, domain.ErrInvitationUnknown) // the group's tenant removes
	twoTenants().WhenIn(globex, leaveCrew(asUser("eve"))).ThenRefused(t, domain.ErrInvitationUnknown)
	awaiting().WhenIn(globex, leaveCrew(asUser("eve"))).ThenRefused(t, domain.ErrMembershipUnknown)
	out := h.and(leftCrew(domain.Member)).both(membershipEnded(""))
	out.WhenIn(globex, leaveCrew(asUser("eve"))).ThenNothing(t)
}

// inTwo is eve in the crew, and in the deck of the same tenant.
func inTwo(more ...dcb.Event) history {
	deck := inviting("eve", func(e *domain.InvitationSent) { e.Invitation, e.Group = guestInvitation("deck"), group("deck") })
	return insideCrew().and(groupMade("hull", ""), groupMade("deck", "hull")).both(deck).
		both(domain.InvitationAccepted{Invitation: deck.Invitation, Group: deck.Group, User: deck.User, Membership: membership("eve deck")}).
		and(domain.MemberAdded{Membership: membership("eve deck"), Group: deck.Group, User: deck.User, Role: domain.Member, Home: domain.HomeIn(globex), Invitation: deck.Invitation}).
		and(more...)
}

// What one group denies, another one may give: to leave the one alone would be to get it.
func TestLeavingOneGroupDoesNotFreeOfWhatItDeniesInTheOther(t *testing.T) {
	eve := asUser("eve")
	inTwo().WhenIn(globex, leaveCrew(eve)).Events(t)
	top := inTwo(groupMade("all", ""), groupMoved("crew", "", "all"))
	for _, h := range []history{inTwo(deniedAt(atGroup("crew"))), top.and(deniedAt(atGroup("all")))} {
		h.WhenIn(globex, leaveCrew(eve)).ThenRefused(t, domain.ErrLeaveAll)
		h.WhenIn(globex, leaveCrew(adminThere())).ThenRefused(t, domain.ErrLeaveAll)
		if n := len(h.WhenIn(globex, leaveCrew(eve, func(c *commands.LeaveGroup) { c.All = true })).Events(t)); n != 6 {
			t.Errorf("all are left by %d events", n)
		}
		other := func(c *commands.LeaveGroup) { c.ID = guestInvitation("deck") }
		first := h.WhenIn(globex, leaveCrew(eve, other)).Events(t)
		h.elsewhere(globex, first...).WhenIn(globex, leaveCrew(eve)).Events(t)
	}
	// It goes on to hold by the other group, or is over.
	top.and(groupMoved("hull", "", "all"), deniedAt(atGroup("all"))).WhenIn(globex, leaveCrew(eve)).Events(t)
	inTwo(deniedAt(func(e *domain.OverrideAdded) { atGroup("crew")(e); e.ExpiresAt = now })).WhenIn(globex, leaveCrew(eve)).Events(t)
	inTwo(deniedAt(func(*domain.OverrideAdded) {})).WhenIn(globex, leaveCrew(eve)).Events(t)
	// A group of a third tenant is none of this one's.
	elsewhere := func(e *domain.InvitationSent) {
		e.Invitation, e.GroupTenant, e.Group = guestInvitation("far"), domain.HomeIn(domain.Root), group("far")
	}
	far := insideCrew().and(deniedAt(atGroup("crew"))).elsewhere(globex, inviting("eve", elsewhere), domain.InvitationAccepted{
		Invitation: guestInvitation("far"), Group: group("far"), User: user("eve"), Membership: membership("far"),
	})
	far.WhenIn(globex, leaveCrew(eve)).Events(t)
	if n := len(inTwo().WhenIn(globex, leaveCrew(eve, func(c *commands.LeaveGroup) { c.All, c.ID = true, guestInvitation("deck") })).Events(t)); n != 6 {
		t.Errorf("all are left by %d events", n)
	}
}

func TestTheGroupsSideTakesMembersFromOutsideOutAsItsOwn(t *testing.T) {
	gone := membershipEnded(domain.OutsideRemoved)
	insideCrew().When(removeMember("eve", env())).Then(t, leftCrew(domain.Member), gone, inGlobex(gone))
	insideCrew().When(removeMember("eve", maintainer())).Then(t, leftCrew(domain.Member), gone, inGlobex(gone))
	insideCrew(asMaintainer).When(removeMember("eve", maintainer())).ThenRefused(t, domain.ErrMayNotGive)
	insideCrew().elsewhere(domain.Root, domain.TenantClosed{Tenant: globex}).When(removeMember("eve", env())).Events(t)
	again := insideCrew().and(leftCrew(domain.Member)).both(gone)
	again.When(removeMember("eve", env())).ThenRefused(t, domain.ErrMembershipUnknown)
	again.When(inviteEve(env(), func(c *commands.InviteToGroup) { c.ID = guestInvitation("again") })).Events(t)
	insideCrew().and(deniedAt(atGroup("crew"))).When(removeMember("eve", having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
}

func TestADeletedGroupEndsMembershipsAndInvitationsInBothTenants(t *testing.T) {
	zoe := inviting("zoe")
	gone := membershipEnded(domain.OutsideGroupGone)
	withdrawn := domain.InvitationWithdrawn{Invitation: guestInvitation("zoe"), Group: group("crew"), User: user("zoe"), Reason: domain.OutsideGroupGone}
	insideCrew().both(zoe).When(commands.DeleteGroup{ID: group("crew")}.Decide(env())).Then(t,
		leftCrew(domain.Member), gone, inGlobex(gone), withdrawn, inGlobex(withdrawn), groupGone("crew", ""))
}

func TestAnErasedUserIsInNoGroupOfAnotherTenantAndInvitedToNone(t *testing.T) {
	gone := membershipEnded(domain.EndedWithErasure)
	want := []dcb.Event{inAcme(leftCrew(domain.Member)), inAcme(gone), gone, erased("eve")}
	insideCrew().WhenIn(globex, erase("eve", adminThere())).Then(t, want...)
	insideCrew().elsewhere(globex, asked("eve", "bob")).WhenIn(globex, approve(adminThere())).Then(t, append(want[:3:3], erased("eve", unreasoned))...)
	withdrawn := domain.InvitationWithdrawn{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve"), Reason: domain.EndedWithErasure}
	awaiting().WhenIn(globex, erase("eve", adminThere())).Then(t, inAcme(withdrawn), withdrawn, erased("eve"))
	again := insideCrew().WhenIn(globex, commands.EraseAgain{User: user("eve")}.Decide(adminThere())).Events(t)
	if len(again) != 4 {
		t.Errorf("a restored database erases again by %v", again)
	}
	awaiting().both(membershipEnded("")).WhenIn(globex, erase("eve", adminThere())).Then(t, erased("eve"))
}

func TestWhatAMembershipRestsOnEndsItFromEitherSide(t *testing.T) {
	end := func(e commands.Env) dcb.Decision {
		return commands.EndOutsideMembership{ID: guestInvitation("eve"), Reason: domain.EndedWithTenant}.Decide(e)
	}
	gone := membershipEnded(domain.EndedWithTenant)
	insideCrew().WhenIn(globex, end(adminThere())).Then(t, inAcme(leftCrew(domain.Member)), inAcme(gone), gone)
	insideCrew().When(end(env())).Then(t, leftCrew(domain.Member), gone, inGlobex(gone))
	withdrawn := domain.InvitationWithdrawn{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve"), Reason: domain.EndedWithTenant}
	awaiting().When(end(env())).Then(t, withdrawn, inGlobex(withdrawn))
	insideCrew().and(leftCrew(domain.Member)).both(gone).When(end(env())).ThenNothing(t)
	twoTenants().When(end(env())).ThenNothing(t)
}
