package commands_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// The crew is a group of acme. Eve belongs to globex.

func guestInvitation(name string) domain.InvitationID {
	return domain.InvitationID{UUID: named("invitation " + name)}
}

func policyOf(t domain.TenantID, s domain.Setting, value string) domain.PolicySet {
	return domain.PolicySet{Policy: s.ID(t), Key: s.Key, Value: value, Version: 1}
}

// twoTenants let their users join: acme has the crew, globex has eve and zoe.
func twoTenants(more ...dcb.Event) history {
	return given(tenantMade(acme, "acme"), tenantMade(globex, "globex"), groupMade("crew", ""), policyOf(acme, domain.OutsideMembers, "true")).
		elsewhere(globex, policyOf(globex, domain.JoinOutside, "true"), registered("eve"), registered("zoe")).and(more...)
}

// invite invites eve.
func inviteEve(e commands.Env, changes ...func(*commands.InviteToGroup)) dcb.Decision {
	c := commands.InviteToGroup{ID: guestInvitation("eve"), Group: group("crew"), Tenant: "globex", User: user("eve")}
	for _, change := range changes {
		change(&c)
	}
	return c.Decide(e)
}

func inviting(name string, changes ...func(*domain.InvitationSent)) domain.InvitationSent {
	e := domain.InvitationSent{
		Invitation: guestInvitation(name), Group: group("crew"), GroupTenant: domain.HomeIn(acme), User: user(name), UserTenant: domain.HomeIn(globex),
		Role: domain.Member, ExpiresAt: now.Add(domain.GroupInvitationLife),
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func asMaintainer(e *domain.InvitationSent) { e.Role = domain.Maintainer }

func pastDue(e *domain.InvitationSent) { e.ExpiresAt = now }

// both adds what is recorded in both tenants.
func (h history) both(e dcb.Event) history { return h.and(e).elsewhere(globex, e) }

// awaited is eve with an invitation that waits.
func awaiting(changes ...func(*domain.InvitationSent)) history {
	return twoTenants().both(inviting("eve", changes...))
}

func placeOf(i domain.InvitationID) domain.MembershipID {
	return domain.MembershipID{UUID: uuid.NewSHA1(i.UUID, []byte("membership"))}
}

func joinedBy() domain.InvitationAccepted {
	return domain.InvitationAccepted{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve"), Membership: placeOf(guestInvitation("eve"))}
}

func joinedFromOutside(as domain.GroupRole) domain.MemberAdded {
	return domain.MemberAdded{
		Membership: placeOf(guestInvitation("eve")), Group: group("crew"), User: user("eve"), Role: as, Home: domain.HomeIn(globex), Invitation: guestInvitation("eve"),
	}
}

// inside is eve in the crew.
func insideCrew(changes ...func(*domain.InvitationSent)) history {
	return awaiting(changes...).both(joinedBy()).and(joinedFromOutside(inviting("eve", changes...).Role))
}

func leftCrew(as domain.GroupRole) domain.MemberRemoved {
	return domain.MemberRemoved{Membership: placeOf(guestInvitation("eve")), Group: group("crew"), User: user("eve"), Role: as}
}

func membershipEnded(reason string) domain.OutsideMembershipEnded {
	return domain.OutsideMembershipEnded{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve"), Reason: reason}
}

func inGlobex(e dcb.Event) dcb.Event { return dcb.In(globex.UUID, e) }

func inAcme(e dcb.Event) dcb.Event { return dcb.In(acme.UUID, e) }

// asUser is a user of globex, without any privilege.
func asUser(name string) commands.Env {
	e := unprivileged(by(rights{acts: user(name)}))
	e.Tenant = globex
	return e
}

// adminThere is an administrator of globex.
func adminThere() commands.Env { e := env(); e.Tenant = globex; return e }

func acceptIt(e commands.Env) dcb.Decision {
	return commands.AcceptGroupInvitation{ID: guestInvitation("eve")}.Decide(e)
}

func declineIt(e commands.Env) dcb.Decision {
	return commands.DeclineGroupInvitation{ID: guestInvitation("eve"), Reason: "no"}.Decide(e)
}

func withdrawIt(e commands.Env) dcb.Decision {
	return commands.WithdrawGroupInvitation{ID: guestInvitation("eve"), Group: group("crew"), Reason: "no"}.Decide(e)
}

func TestAUserOfAnotherTenantIsInvitedAndBothHaveItOnRecord(t *testing.T) {
	e := inviting("eve")
	twoTenants().When(inviteEve(env())).Then(t, e, inGlobex(e))
	byID := func(c *commands.InviteToGroup) { c.Tenant = globex.String() }
	twoTenants().When(inviteEve(env(), byID)).Then(t, e, inGlobex(e))
	all := inviting("eve", asMaintainer, func(e *domain.InvitationSent) { e.Message, e.ExpiresAt = "come", now.Add(domain.GroupInvitationMost) })
	twoTenants().When(inviteEve(env(), func(c *commands.InviteToGroup) {
		c.Role, c.Message, c.ExpiresAt = domain.Maintainer, "come", now.Add(domain.GroupInvitationMost)
	})).Then(t, all, inGlobex(all))
}

func TestAnInvitationMakesSense(t *testing.T) {
	for pointer, change := range map[string]func(*commands.InviteToGroup){
		"/role":       func(c *commands.InviteToGroup) { c.Role = "captain" },
		"/message":    func(c *commands.InviteToGroup) { c.Message = "\x07" },
		"/expires_at": func(c *commands.InviteToGroup) { c.ExpiresAt = now },
		"/tenant":     func(c *commands.InviteToGroup) { c.Tenant = "" },
	} {
		twoTenants().When(inviteEve(env(), change)).ThenInvalid(t, pointer)
	}
	late := func(c *commands.InviteToGroup) { c.ExpiresAt = now.Add(domain.GroupInvitationMost + time.Microsecond) }
	twoTenants().When(inviteEve(env(), late)).ThenInvalid(t, "/expires_at")
	for _, own := range []string{"acme", acme.String()} {
		twoTenants(registered("ann")).When(inviteEve(env(), func(c *commands.InviteToGroup) { c.Tenant, c.User = own, user("ann") })).ThenInvalid(t, "/tenant")
	}
}

func TestWhatIsWrongOnTheOtherSideIsOneAnswer(t *testing.T) {
	never := policyOf(globex, domain.JoinOutside, "false")
	asInvited := registered("eve")
	asInvited.Status = domain.UserInvited
	outside := []dcb.Event{policyOf(acme, domain.OutsideMembers, "true"), groupMade("crew", "")}
	for name, h := range map[string]history{
		"no such tenant":    given(outside...),
		"no such user":      given(outside...).and(tenantMade(globex, "globex")).elsewhere(globex, policyOf(globex, domain.JoinOutside, "true")),
		"invited only":      given(outside...).and(tenantMade(globex, "globex")).elsewhere(globex, policyOf(globex, domain.JoinOutside, "true"), asInvited),
		"a user of ours":    given(outside...).and(tenantMade(globex, "globex"), registered("eve")).elsewhere(globex, policyOf(globex, domain.JoinOutside, "true")),
		"the policy":        twoTenants().elsewhere(globex, never),
		"by default":        given(outside...).and(tenantMade(globex, "globex")).elsewhere(globex, registered("eve")),
		"our policy at all": given(outside...).and(tenantMade(globex, "globex"), policyOf(acme, domain.JoinOutside, "true")).elsewhere(globex, registered("eve")),
		"inactive":          twoTenants().elsewhere(globex, domain.UserDeactivated{User: user("eve")}),
		"erased":            twoTenants().elsewhere(globex, erased("eve")),
		"suspended":         twoTenants().elsewhere(domain.Root, domain.TenantSuspended{Tenant: globex}),
		"closed":            twoTenants().elsewhere(domain.Root, domain.TenantClosed{Tenant: globex, Released: "globex"}),
	} {
		t.Run(name, func(t *testing.T) {
			h.When(inviteEve(env())).ThenRefused(t, domain.ErrOutsideUser)
			h.When(inviteEve(env(), func(c *commands.InviteToGroup) { c.Tenant = globex.String() })).ThenRefused(t, domain.ErrOutsideUser)
		})
	}
	for _, nowhere := range []string{"Globex!", named("nowhere").String(), "globex.test", "nowhere"} {
		twoTenants().When(inviteEve(env(), func(c *commands.InviteToGroup) { c.Tenant = nowhere })).ThenRefused(t, domain.ErrOutsideUser)
	}
}

func TestWhatIsWrongOnTheGroupsSideIsTold(t *testing.T) {
	given(tenantMade(globex, "globex"), policyOf(acme, domain.OutsideMembers, "true")).When(inviteEve(env())).ThenRefused(t, domain.ErrGroupUnknown)
	twoTenants(groupGone("crew", "")).When(inviteEve(env())).ThenRefused(t, domain.ErrGroupUnknown)
	twoTenants(policyOf(acme, domain.OutsideMembers, "false")).When(inviteEve(env())).ThenRefused(t, domain.ErrOutsideMembers)
	given(groupMade("crew", "")).When(inviteEve(env())).ThenRefused(t, domain.ErrOutsideMembers)
	awaiting().When(inviteEve(env(), func(c *commands.InviteToGroup) { c.ID = guestInvitation("again") })).ThenRefused(t, domain.ErrInvitationOpen)
	late := awaiting(pastDue)
	late.When(inviteEve(env(), func(c *commands.InviteToGroup) { c.ID = guestInvitation("again") })).Events(t) // whether or not somebody has said so
	insideCrew().When(inviteEve(env(), func(c *commands.InviteToGroup) { c.ID = guestInvitation("again") })).ThenRefused(t, domain.ErrMemberTwice)
}

func TestAnInvitationsIDIsNeverUsedAgain(t *testing.T) {
	zoe := func(c *commands.InviteToGroup) { c.User = user("zoe") }
	for _, h := range []history{
		awaiting(), awaiting().both(domain.InvitationDeclined{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve")}),
		insideCrew().both(membershipEnded("")), twoTenants().elsewhere(domain.Root, inviting("eve")),
	} {
		h.When(inviteEve(env(), zoe)).ThenRefused(t, domain.ErrIDTaken)
	}
	// The place in the group has an id that follows from the invitation's; nobody can have it first and then be taken for its member.
	taken := awaiting().and(registered("ann"), domain.MemberAdded{Membership: placeOf(guestInvitation("eve")), Group: group("deck"), User: user("ann"), Role: domain.Member})
	taken.WhenIn(globex, acceptIt(asUser("eve"))).ThenRefused(t, domain.ErrIDTaken)
}

func TestNobodyInvitesIntoAGroupThatGivesMoreThanTheyHave(t *testing.T) {
	h := twoTenants(groupMade("all", ""), groupMoved("crew", "", "all"), roleMade("reader"), holds("reader", "file.read"),
		domain.RoleAssigned{Assignment: assignment("a"), Role: role("reader"), Group: group("all"), Window: always()})
	h.When(inviteEve(having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(inviteEve(having("file.*"))).Events(t)
	twoTenants(allowedTo("crew")).When(inviteEve(having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
	// On their own side everything is judged before anything is told of the other.
	h.elsewhere(globex, domain.UserDeactivated{User: user("eve")}).When(inviteEve(having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
}

func allowedTo(g string) domain.OverrideAdded {
	return overruled(func(e *domain.OverrideAdded) { e.Effect, e.User, e.Group = domain.Allow, domain.UserID{}, group(g) })
}

func TestNobodyFromOutsideOwnsAGroup(t *testing.T) {
	twoTenants().When(inviteEve(env(), func(c *commands.InviteToGroup) { c.Role = domain.Owner })).ThenRefused(t, domain.ErrOutsideOwner)
	h := insideCrew()
	h.When(changeRole("eve", domain.Owner, env())).ThenRefused(t, domain.ErrOutsideOwner)
	h.When(changeRole("eve", domain.Owner, owner())).ThenRefused(t, domain.ErrOutsideOwner)
	h.When(changeRole("eve", domain.Maintainer, owner())).Then(t, domain.MemberRoleChanged{
		Membership: placeOf(guestInvitation("eve")), Group: group("crew"), User: user("eve"), Role: domain.Maintainer, Was: domain.Member,
	})
	once := h.and(domain.MemberRoleChanged{Membership: placeOf(guestInvitation("eve")), Group: group("crew"), User: user("eve"), Role: domain.Maintainer, Was: domain.Member})
	once.When(changeRole("eve", domain.Owner, env())).ThenRefused(t, domain.ErrOutsideOwner)
	// Nor by the way on which users of the tenant join.
	inTheirName := commands.AddGroupMember{ID: membership("eve crew"), Group: group("crew"), User: user("eve"), Role: domain.Owner}
	twoTenants().When(inTheirName.Decide(env())).ThenRefused(t, domain.ErrUserUnknown)
	h.When(inTheirName.Decide(env())).ThenRefused(t, domain.ErrUserUnknown)
}

func TestOnlyOwnersInviteMaintainersAndNoMaintainerBecomesMore(t *testing.T) {
	makeMaintainer := func(c *commands.InviteToGroup) { c.Role = domain.Maintainer }
	twoTenants().When(inviteEve(maintainer())).Events(t)
	twoTenants().When(inviteEve(maintainer(), makeMaintainer)).ThenRefused(t, domain.ErrMayNotGive)
	twoTenants().When(inviteEve(owner(), makeMaintainer)).Events(t)
	// Eve acts in acme, with what the office gives there.
	eve := by(rights{acts: user("eve"), scoped: map[domain.Scope][]domain.Pattern{
		domain.Scope(group("crew").Tag()): {"core.group-memberships.*", "core.group-invitations.create", "core.group-invitations.withdraw"},
	}})
	h := insideCrew(asMaintainer)
	for _, as := range []domain.GroupRole{domain.Owner, domain.Member} {
		h.When(changeRole("eve", as, eve)).ThenRefused(t, domain.ErrMayNotGive)
	}
	h.and(joined("cat", "crew", domain.Member)).When(changeRole("cat", domain.Owner, eve)).ThenRefused(t, domain.ErrMayNotGive)
	h.When(inviteEve(eve, makeMaintainer, func(c *commands.InviteToGroup) { c.ID, c.User = guestInvitation("zoe"), user("zoe") })).ThenRefused(t, domain.ErrMayNotGive)
	h.When(inviteEve(eve, func(c *commands.InviteToGroup) { c.ID, c.User = guestInvitation("zoe"), user("zoe") })).Events(t)
}

func TestNobodyInvitesThemselvesNorWhomTheyActFor(t *testing.T) {
	h := twoTenants()
	// A delegate uses an administrator's rights in acme, and belongs to globex.
	mine := func(c *commands.InviteToGroup) { c.User = chief }
	delegate := by(rights{all: true, acts: user("ann")})
	delegate.Delegation = domain.DelegationID{UUID: named("delegation")}
	h.When(inviteEve(delegate, mine)).ThenRefused(t, domain.ErrSelf)
	h.When(inviteEve(by(rights{all: true, acts: user("eve")}))).ThenRefused(t, domain.ErrSelf)
	acting := env()
	acting.Impersonation = domain.ImpersonationID{UUID: named("impersonation")}
	h.When(inviteEve(acting)).ThenRefused(t, domain.ErrImpersonating)
	theirs := asUser("eve")
	theirs.Impersonation = acting.Impersonation
	awaiting().WhenIn(globex, acceptIt(theirs)).ThenRefused(t, domain.ErrImpersonating)
}

func TestTheInvitedUserAccepts(t *testing.T) {
	e := joinedBy()
	awaiting().WhenIn(globex, acceptIt(asUser("eve"))).Then(t, inAcme(e), e, inAcme(joinedFromOutside(domain.Member)))
	awaiting(asMaintainer).WhenIn(globex, acceptIt(asUser("eve"))).Then(t, inAcme(e), e, inAcme(joinedFromOutside(domain.Maintainer)))
}

func TestNobodyAcceptsOrDeclinesForSomebodyElse(t *testing.T) {
	h := awaiting()
	for name, do := range map[string]func(commands.Env) dcb.Decision{"accept": acceptIt, "decline": declineIt} {
		t.Run(name, func(t *testing.T) {
			h.WhenIn(globex, do(asUser("zoe"))).ThenRefused(t, domain.ErrInvitationUnknown)
			h.WhenIn(globex, do(adminThere())).ThenRefused(t, domain.ErrOnlyTheInvited)
			delegate := asUser("eve")
			delegate.Delegation = domain.DelegationID{UUID: named("delegation")}
			h.WhenIn(globex, do(delegate)).ThenRefused(t, domain.ErrInvitationUnknown)
			twoTenants().WhenIn(globex, do(asUser("eve"))).ThenRefused(t, domain.ErrInvitationUnknown)
			// Not in the group's tenant either, whoever asks there.
			guest := by(rights{acts: user("eve")})
			h.When(do(guest)).ThenRefused(t, domain.ErrInvitationUnknown)
			h.When(do(env())).ThenRefused(t, domain.ErrInvitationUnknown)
		})
	}
}

func TestAnInvitationIsAcceptedOnce(t *testing.T) {
	in := insideCrew()
	in.WhenIn(globex, acceptIt(asUser("eve"))).ThenNothing(t)
	in.WhenIn(globex, declineIt(asUser("eve"))).ThenRefused(t, domain.ErrInvitationOver)
	out := in.and(leftCrew(domain.Member)).both(membershipEnded(""))
	out.WhenIn(globex, acceptIt(asUser("eve"))).ThenRefused(t, domain.ErrInvitationOver)
	// Two invitations, of which one expired unanswered: one place in the group.
	twice := awaiting(pastDue).both(inviting("eve", func(e *domain.InvitationSent) { e.Invitation = guestInvitation("again") }))
	first := func() dcb.Decision {
		return commands.AcceptGroupInvitation{ID: guestInvitation("again")}.Decide(asUser("eve"))
	}
	twice.WhenIn(globex, first()).Events(t)
	twice.WhenIn(globex, acceptIt(asUser("eve"))).ThenRefused(t, domain.ErrInvitationOver)
	twice.and(joinedFromOutside(domain.Member)).WhenIn(globex, first()).ThenRefused(t, domain.ErrMemberTwice)
}

func TestNothingIsAcceptedOnceItIsOver(t *testing.T) {
	declined := domain.InvitationDeclined{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve")}
	for name, h := range map[string]history{
		"declined":         awaiting().both(declined),
		"withdrawn":        awaiting().both(domain.InvitationWithdrawn{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve")}),
		"expired":          awaiting().both(domain.InvitationExpired{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve")}),
		"late, unrecorded": awaiting(pastDue),
		"no group":         awaiting().and(groupGone("crew", "")),
	} {
		t.Run(name, func(t *testing.T) { h.WhenIn(globex, acceptIt(asUser("eve"))).ThenRefused(t, domain.ErrInvitationOver) })
	}
}

func TestBothTenantsAreAskedAgainWhenAnInvitationIsAccepted(t *testing.T) {
	accepts := func(h history, want *domain.Refusal) {
		t.Helper()
		h.WhenIn(globex, acceptIt(asUser("eve"))).ThenRefused(t, want)
	}
	accepts(awaiting().and(policyOf(acme, domain.OutsideMembers, "false")), domain.ErrOutsideMembers)
	accepts(awaiting().elsewhere(globex, policyOf(globex, domain.JoinOutside, "false")), domain.ErrJoinOutside)
	accepts(awaiting().elsewhere(domain.Root, domain.TenantSuspended{Tenant: acme}), domain.ErrOutsideMembers)
	accepts(awaiting().elsewhere(domain.Root, domain.TenantClosed{Tenant: acme}), domain.ErrOutsideMembers)
	accepts(awaiting().elsewhere(globex, domain.UserDeactivated{User: user("eve")}), domain.ErrUserNotActive)
	// The inviter may have gone since: they could give it when they did.
	awaiting().and(domain.UserDeactivated{User: chief}).WhenIn(globex, acceptIt(asUser("eve"))).Events(t)
}

func TestConstraintsOfTheGroupsTenantHoldForWhoeverAccepts(t *testing.T) {
	judges := func(v domain.Verdict, see func(domain.Change)) commands.Env {
		e := asUser("eve")
		e.Judge = judged(v, see).Judge
		return e
	}
	four := []domain.ConstraintID{constraint("new")}
	joined := joinedFromOutside(domain.Member)
	joined.Judged = four
	var asked domain.Change
	held := judges(domain.Verdict{Judged: four}, func(c domain.Change) { asked = c })
	awaiting().WhenIn(globex, acceptIt(held)).Then(t, inAcme(joinedBy()), joinedBy(), inAcme(joined))
	if asked.Tenant != acme || len(asked.Events) != 1 {
		t.Errorf("judged was %+v", asked)
	}
	broken := judges(domain.Verdict{Judged: four, Broken: []domain.ConstraintCreated{twoPairs()}}, nil)
	forbidden := awaiting().WhenIn(globex, acceptIt(broken))
	forbidden.ThenRefused(t, domain.ErrConstraint)
	if text := forbidden.Err().Error(); strings.Contains(text, twoPairs().Name) || strings.Contains(text, twoPairs().Roles[0].String()) {
		t.Errorf("another tenant is told %q", text)
	}
}

func TestAnInvitationIsDeclinedOrWithdrawnUntilItIsAnswered(t *testing.T) {
	declined := domain.InvitationDeclined{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve"), Reason: "no"}
	withdrawn := domain.InvitationWithdrawn{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve"), Reason: "no"}
	awaiting().WhenIn(globex, declineIt(asUser("eve"))).Then(t, inAcme(declined), declined)
	awaiting().When(withdrawIt(env())).Then(t, withdrawn, inGlobex(withdrawn))
	for _, h := range []history{insideCrew(), awaiting(pastDue)} {
		h.WhenIn(globex, declineIt(asUser("eve"))).ThenRefused(t, domain.ErrInvitationOver)
		h.When(withdrawIt(env())).ThenRefused(t, domain.ErrInvitationOver)
	}
	awaiting().both(declined).WhenIn(globex, declineIt(asUser("eve"))).ThenNothing(t)
	awaiting().both(withdrawn).When(withdrawIt(env())).ThenNothing(t)
	awaiting().both(declined).When(withdrawIt(env())).ThenRefused(t, domain.ErrInvitationOver)
	twoTenants().When(withdrawIt(env())).ThenRefused(t, domain.ErrInvitationUnknown)
	awaiting().WhenIn(globex, withdrawIt(adminThere())).ThenRefused(t, domain.ErrInvitationUnknown)
	ofAnother := commands.WithdrawGroupInvitation{ID: guestInvitation("eve"), Group: group("deck")}
	awaiting().and(groupMade("deck", "")).When(ofAnother.Decide(env())).ThenRefused(t, domain.ErrInvitationUnknown)
	bad := commands.WithdrawGroupInvitation{ID: guestInvitation("eve"), Group: group("crew"), Reason: "\x07"}
	awaiting().When(bad.Decide(env())).ThenInvalid(t, "/reason")
	worse := commands.DeclineGroupInvitation{ID: guestInvitation("eve"), Reason: "\x07"}
	awaiting().WhenIn(globex, worse.Decide(asUser("eve"))).ThenInvalid(t, "/reason")
	awaiting().both(declined).When(inviteEve(env(), func(c *commands.InviteToGroup) { c.ID = guestInvitation("again") })).Events(t)
}

func TestAnInvitationExpiresOnceItsTimeHasCome(t *testing.T) {
	expire := func() dcb.Decision { return commands.ExpireInvitation{ID: guestInvitation("eve")}.Decide(env()) }
	e := domain.InvitationExpired{Invitation: guestInvitation("eve"), Group: group("crew"), User: user("eve")}
	awaiting(pastDue).When(expire()).Then(t, e, inGlobex(e))
	awaiting(pastDue).both(e).When(expire()).ThenNothing(t)
	for _, h := range []history{awaiting(), insideCrew(), insideCrew(pastDue), twoTenants()} {
		h.When(expire()).ThenNothing(t)
	}
}
