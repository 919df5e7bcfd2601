package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// addMember adds ann.
func addMember(where string, as domain.GroupRole, e commands.Env) dcb.Decision {
	return commands.AddGroupMember{ID: membership("ann " + where), Group: group(where), User: user("ann"), Role: as}.Decide(e)
}

func changeRole(who string, as domain.GroupRole, e commands.Env) dcb.Decision {
	return commands.ChangeGroupRole{Group: group("crew"), User: user(who), Role: as}.Decide(e)
}

func removeMember(who string, e commands.Env) dcb.Decision {
	return commands.RemoveGroupMember{Group: group("crew"), User: user(who)}.Decide(e)
}

func removed(who string, was domain.GroupRole) domain.MemberRemoved {
	return domain.MemberRemoved{Membership: membership(who + " crew"), Group: group("crew"), User: user(who), Role: was}
}

func changed(who string, as, was domain.GroupRole) domain.MemberRoleChanged {
	return domain.MemberRoleChanged{Membership: membership(who + " crew"), Group: group("crew"), User: user(who), Role: as, Was: was}
}

func TestAUserJoinsAGroupOnce(t *testing.T) {
	h := given(groupMade("crew", ""), registered("ann"))
	h.When(addMember("crew", "", env())).Then(t, joined("ann", "crew", domain.Member))
	h.When(addMember("crew", domain.Owner, env())).Then(t, joined("ann", "crew", domain.Owner))
	h.When(addMember("crew", "captain", env())).ThenInvalid(t, "/role")
	in := h.and(joined("ann", "crew", domain.Member))
	other := commands.AddGroupMember{ID: membership("other"), Group: group("crew"), User: user("ann")}
	in.When(other.Decide(env())).ThenNothing(t)
	other.Role = domain.Owner
	in.When(other.Decide(env())).ThenRefused(t, domain.ErrMemberTwice)
	other.Role = domain.Member
	in.and(removed("ann", domain.Member)).When(other.Decide(env())).Events(t)
}

func TestOnlyWhatExistsHereIsPutTogether(t *testing.T) {
	add := func() dcb.Decision { return addMember("crew", "", env()) }
	given(registered("ann")).When(add()).ThenRefused(t, domain.ErrGroupUnknown)
	given(registered("ann"), groupMade("crew", ""), groupGone("crew", "")).When(add()).ThenRefused(t, domain.ErrGroupUnknown)
	given(groupMade("crew", "")).When(add()).ThenRefused(t, domain.ErrUserUnknown)
	given(groupMade("crew", "")).elsewhere(globex, registered("ann")).When(add()).ThenRefused(t, domain.ErrUserUnknown)
	given(registered("ann")).elsewhere(globex, groupMade("crew", "")).When(add()).ThenRefused(t, domain.ErrGroupUnknown)
	here := given(groupMade("crew", ""), registered("ann"))
	here.and(domain.UserDeactivated{User: user("ann")}).When(add()).ThenRefused(t, domain.ErrUserNotActive)
	invited := registered("ann")
	invited.Status = domain.UserInvited
	given(groupMade("crew", ""), invited).When(add()).Events(t)
	here.elsewhere(globex, joined("ann", "crew", domain.Member)).When(add()).ThenRefused(t, domain.ErrIDTaken)
	here.and(joined("ann", "crew", domain.Member), removed("ann", domain.Member)).When(add()).ThenRefused(t, domain.ErrIDTaken)
}

func TestJoiningAGroupGivesNoMoreThanTheAdderHas(t *testing.T) {
	h := given(groupMade("board", ""), groupMade("inner", "board"), groupMade("core", "inner"), registered("ann"),
		roleMade("reader"), holds("reader", "file.read"), roleMade("writer"), inherits("writer", "reader"), roleMade("editor"), inherits("editor", "writer"),
		domain.RoleAssigned{Assignment: assignment("a"), Role: role("editor"), Group: group("board"), Scope: "repo:web", Window: always()})
	h.When(addMember("core", "", having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(addMember("core", "", having("file.read"))).Events(t)
	there := by(rights{scoped: map[domain.Scope][]domain.Pattern{"repo:web": {"file.*"}}})
	h.When(addMember("core", "", there)).Events(t)
	elsewhere := by(rights{scoped: map[domain.Scope][]domain.Pattern{"repo:app": {"file.*"}}})
	h.When(addMember("core", "", elsewhere)).ThenRefused(t, domain.ErrMayNotGive)
	h.and(domain.RoleParentRemoved{Role: role("editor"), Parent: role("writer")}).When(addMember("core", "", having())).Events(t)
	// A platform role counts as one of the tenant's own.
	given(groupMade("board", ""), registered("ann"), domain.RoleAssigned{Assignment: assignment("a"), Role: role("all"), Group: group("board"), Window: always()}).
		elsewhere(domain.Root, roleMade("all"), holds("all", "*")).When(addMember("board", "", having("file.*"))).ThenRefused(t, domain.ErrMayNotGive)
}

func TestTheSameRoleOnTwoScopesIsJudgedOnBoth(t *testing.T) {
	h := given(groupMade("board", ""), registered("ann"), roleMade("reader"), holds("reader", "file.read"),
		domain.RoleAssigned{Assignment: assignment("a"), Role: role("reader"), Group: group("board"), Scope: "repo:web", Window: always()},
		domain.RoleAssigned{Assignment: assignment("b"), Role: role("reader"), Group: group("board"), Scope: "repo:app", Window: always()})
	for scope, ok := range map[domain.Scope]bool{"repo:web": false, "repo:app": false, "": true} {
		did := h.When(addMember("board", "", by(rights{scoped: map[domain.Scope][]domain.Pattern{scope: {"file.read"}}, wide: wideOnly(scope)})))
		if ok {
			did.Events(t)
		} else {
			did.ThenRefused(t, domain.ErrMayNotGive)
		}
	}
}

func wideOnly(s domain.Scope) []domain.Pattern {
	if s == "" {
		return []domain.Pattern{"file.read"}
	}
	return nil
}

// maintainer and owner are members with what their place implies on the group.
func maintainer() commands.Env {
	return by(rights{scoped: map[domain.Scope][]domain.Pattern{domain.Scope(group("crew").Tag()): {"core.group-memberships.*"}}})
}

func owner() commands.Env {
	return by(rights{scoped: map[domain.Scope][]domain.Pattern{domain.Scope(group("crew").Tag()): {"core.group-memberships.*", "core.groups.rename"}}})
}

func TestOnlyOwnersNameMaintainersAndOwners(t *testing.T) {
	h := given(groupMade("crew", ""), registered("ann"), registered("bob"), joined("bob", "crew", domain.Member), joined("cat", "crew", domain.Maintainer))
	for _, as := range []domain.GroupRole{domain.Maintainer, domain.Owner} {
		h.When(addMember("crew", as, maintainer())).ThenRefused(t, domain.ErrMayNotGive)
		h.When(addMember("crew", as, owner())).Events(t)
		h.When(changeRole("bob", as, maintainer())).ThenRefused(t, domain.ErrMayNotGive)
		h.When(changeRole("bob", as, owner())).Then(t, changed("bob", as, domain.Member))
	}
	h.When(addMember("crew", domain.Member, maintainer())).Events(t)
	h.When(removeMember("bob", maintainer())).Then(t, removed("bob", domain.Member))
	h.When(removeMember("cat", maintainer())).ThenRefused(t, domain.ErrMayNotGive)
	h.When(removeMember("cat", owner())).Then(t, removed("cat", domain.Maintainer))
	own := domain.MemberAdded{Membership: membership("m"), Group: group("crew"), User: chief, Role: domain.Maintainer}
	h.and(own).When(commands.RemoveGroupMember{Group: group("crew"), User: chief}.Decide(maintainer())).Events(t)
}

func TestAMemberBecomesSomethingElse(t *testing.T) {
	h := given(groupMade("crew", ""), joined("ann", "crew", domain.Member))
	h.When(changeRole("ann", domain.Maintainer, env())).Then(t, changed("ann", domain.Maintainer, domain.Member))
	h.When(changeRole("ann", domain.Member, env())).ThenNothing(t)
	h.When(changeRole("ann", "captain", env())).ThenInvalid(t, "/role")
	h.When(changeRole("ann", "", env())).ThenInvalid(t, "/role")
	h.When(changeRole("bob", domain.Owner, env())).ThenRefused(t, domain.ErrMembershipUnknown)
	h.When(removeMember("bob", env())).ThenRefused(t, domain.ErrMembershipUnknown)
	given().elsewhere(globex, joined("ann", "crew", domain.Member)).When(removeMember("ann", env())).ThenRefused(t, domain.ErrMembershipUnknown)
}

func TestTheLastOwnerStaysWhereTheTenantWantsIt(t *testing.T) {
	free := given(groupMade("crew", ""), joined("ann", "crew", domain.Owner), joined("bob", "crew", domain.Member))
	free.When(removeMember("ann", env())).Events(t)
	free.When(changeRole("ann", domain.Member, env())).Events(t)
	h := free.and(policy(domain.GroupOwned, "true"))
	h.When(removeMember("ann", env())).ThenRefused(t, domain.ErrLastOwner)
	h.When(changeRole("ann", domain.Member, env())).ThenRefused(t, domain.ErrLastOwner)
	h.When(changeRole("ann", domain.Maintainer, env())).ThenRefused(t, domain.ErrLastOwner)
	h.When(removeMember("bob", env())).Events(t)
	two := h.and(changed("bob", domain.Owner, domain.Member))
	two.When(removeMember("ann", env())).Events(t)
	two.and(removed("bob", domain.Owner)).When(removeMember("ann", env())).ThenRefused(t, domain.ErrLastOwner)
	two.When(changeRole("ann", domain.Member, env())).Events(t)
	h.When(commands.DeleteGroup{ID: group("crew")}.Decide(env())).Events(t)
}
