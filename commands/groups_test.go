package commands_test

import (
	"fmt"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func groupGone(name, parent string) domain.GroupDeleted {
	made := groupMade(name, parent)
	return domain.GroupDeleted{Group: made.Group, Parent: made.Parent, Released: made.Key}
}

func groupRenamed(name, to string) domain.GroupRenamed {
	return domain.GroupRenamed{Group: group(name), Name: to, Key: domain.GroupKey(acme, to), Released: domain.GroupKey(acme, name)}
}

func groupMoved(name, from, to string) domain.GroupMoved {
	return domain.GroupMoved{Group: group(name), Parent: groupMade("x", to).Parent, From: groupMade("x", from).Parent}
}

func moveGroup(name, to string, e commands.Env) dcb.Decision {
	return commands.MoveGroup{ID: group(name), Parent: groupMade("x", to).Parent}.Decide(e)
}

func TestAGroupIsCreatedAtTheTopOrUnderAnother(t *testing.T) {
	top := commands.CreateGroup{ID: group("crew"), Name: "crew", Description: "all\nhands"}
	made := groupMade("crew", "")
	made.Description = "all\nhands"
	given().When(top.Decide(env())).Then(t, made)
	below := commands.CreateGroup{ID: group("deck"), Name: "deck", Parent: group("crew")}
	given(groupMade("crew", "")).When(below.Decide(env())).Then(t, groupMade("deck", "crew"))
	given().When(below.Decide(env())).ThenRefused(t, domain.ErrGroupUnknown)
	given().elsewhere(globex, groupMade("crew", "")).When(below.Decide(env())).ThenRefused(t, domain.ErrGroupUnknown)
	given(groupMade("crew", ""), groupGone("crew", "")).When(below.Decide(env())).ThenRefused(t, domain.ErrGroupUnknown)
	given().When(commands.CreateGroup{ID: group("crew"), Name: "crew", Description: "\x07"}.Decide(env())).ThenInvalid(t, "/description")
}

func TestGroupNamesHaveALength(t *testing.T) {
	for name, ok := range names() {
		made := given().When(commands.CreateGroup{ID: group("x"), Name: name}.Decide(env()))
		if ok {
			made.Events(t)
		} else {
			made.ThenInvalid(t, "/name")
		}
		if name == "" {
			continue // an absent name is kept
		}
		changed := given(groupMade("crew", "")).When(commands.RenameGroup{ID: group("crew"), Name: name}.Decide(env()))
		if ok {
			changed.Events(t)
		} else {
			changed.ThenInvalid(t, "/name")
		}
	}
}

func TestAGroupIDIsNeverUsedTwice(t *testing.T) {
	c := commands.CreateGroup{ID: group("crew"), Name: "other"}
	given(groupMade("crew", ""), groupGone("crew", "")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	given().elsewhere(globex, groupMade("crew", "")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestAGroupsNameIsItsOwnUntilItIsGivenUp(t *testing.T) {
	h := given(groupMade("crew", ""), groupMade("deck", "crew"))
	create := func() dcb.Decision { return commands.CreateGroup{ID: group("new"), Name: "DECK"}.Decide(env()) }
	h.When(create()).ThenRefused(t, domain.ErrGroupName)
	h.When(commands.RenameGroup{ID: group("crew"), Name: "Deck"}.Decide(env())).ThenRefused(t, domain.ErrGroupName)
	h.and(groupMoved("deck", "crew", "")).When(create()).ThenRefused(t, domain.ErrGroupName)
	h.and(groupRenamed("deck", "hold")).When(create()).Events(t)
	h.and(groupGone("deck", "crew")).When(create()).Events(t)
	described := domain.GroupRenamed{Group: group("deck"), Name: "deck", Description: "d", Key: domain.GroupKey(acme, "deck")}
	h.and(described).When(create()).ThenRefused(t, domain.ErrGroupName)
	given().elsewhere(globex, groupMade("deck", "")).When(create()).Events(t)
}

func TestRenamingAGroupKeepsWhatIsNotSaid(t *testing.T) {
	made := groupMade("crew", "")
	made.Description = "all hands"
	h := given(made)
	rename := func(c commands.RenameGroup) outcome { c.ID = group("crew"); return h.When(c.Decide(env())) }
	rename(commands.RenameGroup{}).ThenNothing(t)
	rename(commands.RenameGroup{Name: "crew", Description: new("all hands")}).ThenNothing(t)
	renamed := groupRenamed("crew", "team")
	renamed.Description = "all hands"
	rename(commands.RenameGroup{Name: "team"}).Then(t, renamed)
	rename(commands.RenameGroup{Description: new("")}).Then(t, domain.GroupRenamed{Group: group("crew"), Name: "crew", Key: made.Key})
	rename(commands.RenameGroup{Description: new(" padded ")}).ThenInvalid(t, "/description")
	rename(commands.RenameGroup{Name: "CREW"}).Then(t, domain.GroupRenamed{Group: group("crew"), Name: "CREW", Description: "all hands", Key: made.Key})
	given().When(commands.RenameGroup{ID: group("crew"), Name: "x"}.Decide(env())).ThenRefused(t, domain.ErrGroupUnknown)
}

func TestAGroupMovesButNeverBelowItself(t *testing.T) {
	h := given(groupMade("crew", ""), groupMade("deck", "crew"), groupMade("boat", "deck"), groupMade("port", ""))
	h.When(moveGroup("deck", "port", env())).Then(t, groupMoved("deck", "crew", "port"))
	h.When(moveGroup("deck", "", env())).Then(t, groupMoved("deck", "crew", ""))
	h.When(moveGroup("deck", "crew", env())).ThenNothing(t)
	for _, to := range []string{"crew", "deck", "boat"} {
		h.When(moveGroup("crew", to, env())).ThenRefused(t, domain.ErrGroupCycle)
	}
	h.When(moveGroup("none", "crew", env())).ThenRefused(t, domain.ErrGroupUnknown)
	h.When(moveGroup("crew", "none", env())).ThenRefused(t, domain.ErrGroupUnknown)
	h.elsewhere(globex, groupMade("theirs", "")).When(moveGroup("crew", "theirs", env())).ThenRefused(t, domain.ErrGroupUnknown)
	long := given(groupChain(domain.MaxDepth)...)
	long.When(moveGroup("g0", fmt.Sprint("g", domain.MaxDepth-1), env())).ThenRefused(t, domain.ErrGroupCycle)
}

func groupChain(n int) []dcb.Event {
	events := []dcb.Event{groupMade("g0", "")}
	for i := 1; i < n; i++ {
		events = append(events, groupMade(fmt.Sprint("g", i), fmt.Sprint("g", i-1)))
	}
	return events
}

func TestGroupsNestAtMost32Deep(t *testing.T) {
	last := func(n int) string { return fmt.Sprint("g", n-1) }
	create := func(parent string) dcb.Decision {
		return commands.CreateGroup{ID: group("new"), Name: "new", Parent: group(parent)}.Decide(env())
	}
	given(groupChain(31)...).When(create(last(31))).Events(t)
	given(groupChain(32)...).When(create(last(32))).ThenRefused(t, domain.ErrGroupDeep)
	pair := []dcb.Event{groupMade("a", ""), groupMade("b", "a")}
	given(groupChain(30)...).and(pair...).When(moveGroup("a", last(30), env())).Events(t)
	given(groupChain(31)...).and(pair...).When(moveGroup("a", last(31), env())).ThenRefused(t, domain.ErrGroupDeep)
	given(groupChain(31)...).and(pair...).When(moveGroup("b", last(31), env())).Events(t)
	given(groupChain(31)...).and(pair...).and(groupMoved("b", "a", "")).When(moveGroup("a", last(31), env())).Events(t)
}

func TestDeletingAGroupTakesItsMembersAndRolesOutFirst(t *testing.T) {
	given1 := domain.RoleAssigned{Assignment: assignment("a"), Role: role("r"), Group: group("deck"), Window: always()}
	h := given(groupMade("crew", ""), groupMade("deck", "crew"), joined("ann", "deck", domain.Owner), joined("bob", "deck", domain.Member),
		joined("cat", "deck", domain.Member), domain.MemberRemoved{Membership: membership("cat deck"), Group: group("deck"), User: user("cat"), Role: domain.Member},
		given1, domain.MemberRoleChanged{Membership: membership("bob deck"), Group: group("deck"), User: user("bob"), Role: domain.Maintainer, Was: domain.Member})
	remove := func(name string) dcb.Decision { return commands.DeleteGroup{ID: group(name)}.Decide(env()) }
	h.When(remove("crew")).ThenRefused(t, domain.ErrGroupHasGroups)
	h.When(remove("none")).ThenRefused(t, domain.ErrGroupUnknown)

	events := h.When(remove("deck")).Events(t)
	want := map[string]int{"group-member.removed": 2, "role.unassigned": 1, "group.deleted": 1}
	got := map[string]int{}
	for _, e := range events {
		got[e.EventType()]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || events[len(events)-1] != dcb.Event(groupGone("deck", "crew")) {
		t.Fatalf("decided %v, want %v and the deletion last", events, want)
	}
	gone := h.and(events...)
	gone.When(remove("deck")).ThenRefused(t, domain.ErrGroupUnknown)
	gone.When(remove("crew")).Then(t, groupGone("crew", ""))
	gone.When(commands.RemoveGroupMember{Group: group("deck"), User: user("ann")}.Decide(env())).ThenRefused(t, domain.ErrMembershipUnknown)
	gone.When(commands.UnassignRole{ID: assignment("a")}.Decide(env())).ThenNothing(t)
	h.and(groupMoved("deck", "crew", "")).When(remove("crew")).Events(t)
}

func TestMovingAGroupGivesItsMembersNoMoreThanTheMoverHas(t *testing.T) {
	h := given(groupMade("crew", ""), groupMade("board", ""), groupMade("inner", "board"),
		roleMade("writer"), holds("writer", "file.write"),
		domain.RoleAssigned{Assignment: assignment("a"), Role: role("writer"), Group: group("board"), Window: always()})
	h.When(moveGroup("crew", "inner", having("file.read"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(moveGroup("crew", "inner", having("file.write"))).Events(t)
	h.When(moveGroup("inner", "", having())).Events(t)
	h.and(domain.RoleUnassigned{Assignment: assignment("a"), Role: role("writer"), Group: group("board")}).
		When(moveGroup("crew", "inner", having())).Events(t)
}

func TestWhatIsOverIsNotGivenAndWhatIsToComeIs(t *testing.T) {
	in := func(w domain.Window) outcome {
		return given(groupMade("crew", ""), groupMade("board", ""), roleMade("writer"), holds("writer", "file.write"),
			domain.RoleAssigned{Assignment: assignment("a"), Role: role("writer"), Group: group("board"), Window: w}).
			When(moveGroup("crew", "board", having()))
	}
	long := now.Add(-24 * time.Hour)
	in(domain.Window{From: long, Until: now}).Events(t)
	in(domain.Window{From: long, Until: now.Add(time.Nanosecond)}).ThenRefused(t, domain.ErrMayNotGive)
	in(domain.Window{From: now.Add(time.Hour)}).ThenRefused(t, domain.ErrMayNotGive)
}

func TestAnAllowOverrideOfAGroupIsGivenToItsMembersToo(t *testing.T) {
	allowed := domain.OverrideAdded{Override: override("o"), Effect: domain.Allow, Privilege: "file.write", Group: group("board"), ExpiresAt: now.Add(time.Nanosecond), Reason: "r"}
	h := given(groupMade("crew", ""), groupMade("board", ""), groupMade("inner", "board"), registered("ann"))
	add := commands.AddGroupMember{ID: membership("new"), Group: group("inner"), User: user("ann")}
	h.and(allowed).When(moveGroup("crew", "inner", having())).ThenRefused(t, domain.ErrMayNotGive)
	h.and(allowed).When(add.Decide(having())).ThenRefused(t, domain.ErrMayNotGive)
	h.and(allowed).When(add.Decide(having("file.write"))).Events(t)
	over := allowed
	over.ExpiresAt = now
	h.and(over).When(add.Decide(having())).Events(t)
	denied := allowed
	denied.Effect = domain.Deny
	h.and(denied).When(add.Decide(having())).Events(t)
	h.and(allowed, domain.OverrideRevoked{Override: override("o"), Group: group("board")}).When(add.Decide(having())).Events(t)
}
