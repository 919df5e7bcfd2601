package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// deniedAt is a deny of file.read to everybody at a place, for a day.
func deniedAt(change func(*domain.OverrideAdded)) domain.OverrideAdded {
	return overruled(func(e *domain.OverrideAdded) { e.User = domain.UserID{}; change(e) })
}

func atDepartment(name string) func(*domain.OverrideAdded) {
	return func(e *domain.OverrideAdded) { e.Department = department(name) }
}

func atGroup(name string) func(*domain.OverrideAdded) {
	return func(e *domain.OverrideAdded) { e.Group = group(name) }
}

// wayOut is a command that takes people out of the places under north, or of those under crew.
type wayOut struct {
	given  history
	places []func(*domain.OverrideAdded) // those that are left
	do     func(commands.Env) dcb.Decision
}

func waysOut() map[string]wayOut {
	departments := given(departmentMade("world", ""), departmentMade("north", "world"), departmentMade("sales", "north"), departmentMade("south", "world"))
	inSales := registered("ann")
	inSales.Department = department("sales")
	groups := given(groupMade("all", ""), groupMade("crew", "all"), groupMade("deck", "crew"), groupMade("hold", "all"),
		registered("ann"), joined("ann", "deck", domain.Member))
	return map[string]wayOut{
		"a user moves to another department": {
			departments.and(inSales), []func(*domain.OverrideAdded){atDepartment("sales"), atDepartment("north")},
			func(e commands.Env) dcb.Decision { return moveUser("ann", "south", e) },
		},
		"a user leaves all departments": {
			departments.and(inSales), []func(*domain.OverrideAdded){atDepartment("sales"), atDepartment("north"), atDepartment("world")},
			func(e commands.Env) dcb.Decision { return moveUser("ann", "", e) },
		},
		"a department moves": {
			departments, []func(*domain.OverrideAdded){atDepartment("north")},
			func(e commands.Env) dcb.Decision {
				return commands.MoveDepartment{ID: department("sales"), Parent: department("south")}.Decide(e)
			},
		},
		"a department moves to the top": {
			departments, []func(*domain.OverrideAdded){atDepartment("north"), atDepartment("world")},
			func(e commands.Env) dcb.Decision { return commands.MoveDepartment{ID: department("sales")}.Decide(e) },
		},
		"a member is removed": {
			groups, []func(*domain.OverrideAdded){atGroup("deck"), atGroup("crew"), atGroup("all")},
			func(e commands.Env) dcb.Decision {
				return commands.RemoveGroupMember{Group: group("deck"), User: user("ann")}.Decide(e)
			},
		},
		"a group moves": {
			groups, []func(*domain.OverrideAdded){atGroup("crew")},
			func(e commands.Env) dcb.Decision { return moveGroup("deck", "hold", e) },
		},
		"a group moves to the top": {
			groups, []func(*domain.OverrideAdded){atGroup("crew"), atGroup("all")},
			func(e commands.Env) dcb.Decision { return moveGroup("deck", "", e) },
		},
		"a group is deleted": {
			groups, []func(*domain.OverrideAdded){atGroup("deck"), atGroup("crew"), atGroup("all")},
			func(e commands.Env) dcb.Decision { return commands.DeleteGroup{ID: group("deck")}.Decide(e) },
		},
	}
}

// Whoever leaves a place leaves its denies behind: so it needs what revoking them needs.
func TestNobodyLeadsAnybodyOutOfADenyOfWhatTheyLack(t *testing.T) {
	for name, way := range waysOut() {
		t.Run(name, func(t *testing.T) {
			way.given.When(way.do(having())).Events(t)
			for _, place := range way.places {
				h := way.given.and(deniedAt(place))
				h.When(way.do(having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
				h.When(way.do(having("file.*"))).Events(t)
				h.When(way.do(env())).Events(t)
				h.and(domain.OverrideRevoked{Override: override("new"), Department: deniedAt(place).Department, Group: deniedAt(place).Group}).
					When(way.do(having())).Events(t)
				for _, harmless := range []func(*domain.OverrideAdded){
					func(e *domain.OverrideAdded) { e.ExpiresAt = now },
					func(e *domain.OverrideAdded) { e.Effect = domain.Allow },
				} {
					way.given.and(deniedAt(func(e *domain.OverrideAdded) { place(e); harmless(e) })).When(way.do(having())).Events(t)
				}
				scoped := way.given.and(deniedAt(func(e *domain.OverrideAdded) { place(e); e.Scope = "repo:web" }))
				there := func(s domain.Scope) commands.Env {
					return by(rights{scoped: map[domain.Scope][]domain.Pattern{s: {"file.read"}}})
				}
				scoped.When(way.do(there("repo:app"))).ThenRefused(t, domain.ErrMayNotGive)
				scoped.When(way.do(there("repo:web"))).Events(t)
			}
		})
	}
}

// A deny that goes on to hold is no obstacle: one on what moves, or on what both the old place and the new one stand below.
func TestADenyThatGoesOnToHoldIsNoObstacle(t *testing.T) {
	ways := waysOut()
	for name, places := range map[string][]func(*domain.OverrideAdded){
		"a user moves to another department": {atDepartment("world"), atDepartment("south")},
		"a department moves":                 {atDepartment("sales"), atDepartment("world"), atDepartment("south")},
		"a department moves to the top":      {atDepartment("sales")},
		"a group moves":                      {atGroup("deck"), atGroup("all"), atGroup("hold")},
		"a group moves to the top":           {atGroup("deck")},
	} {
		for _, place := range places {
			ways[name].given.and(deniedAt(place)).When(ways[name].do(having())).Events(t)
		}
	}
}

func TestAGroupsOverridesEndWithIt(t *testing.T) {
	allow := deniedAt(func(e *domain.OverrideAdded) {
		atGroup("deck")(e)
		e.Override, e.Effect = override("old"), domain.Allow
	})
	h := given(groupMade("deck", ""), deniedAt(atGroup("deck")), allow, domain.OverrideRevoked{Override: override("old"), Group: group("deck")})
	ended := domain.OverrideRevoked{Override: override("new"), Group: group("deck"), Reason: "the group was deleted"}
	h.When(commands.DeleteGroup{ID: group("deck")}.Decide(env())).Then(t, ended, groupGone("deck", ""))
}

func TestADepartmentWithOverridesInForceIsNotDeleted(t *testing.T) {
	remove := func() dcb.Decision { return commands.DeleteDepartment{ID: department("sales")}.Decide(env()) }
	h := given(departmentMade("sales", ""))
	denied := h.and(deniedAt(atDepartment("sales")))
	denied.When(remove()).ThenRefused(t, domain.ErrDepartmentNotEmpty)
	denied.and(domain.OverrideRevoked{Override: override("new"), Department: department("sales")}).When(remove()).Events(t)
	h.and(deniedAt(func(e *domain.OverrideAdded) { atDepartment("sales")(e); e.ExpiresAt = now })).When(remove()).Events(t)
}
