package commands_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// staff is a tenant in which there is somebody to assign to.
func staff() history {
	return given(registered("ann"), departmentMade("sales", ""), groupMade("crew", ""), roleMade("reader"), holds("reader", "file.read"))
}

func assign(change func(*commands.AssignRole)) dcb.Decision { return assignBy(env(), change) }

func assignBy(e commands.Env, change func(*commands.AssignRole)) dcb.Decision {
	c := commands.AssignRole{ID: assignment("new"), Role: role("reader"), User: user("ann")}
	if change != nil {
		change(&c)
	}
	return c.Decide(e)
}

func assigned(change func(*domain.RoleAssigned)) domain.RoleAssigned {
	e := domain.RoleAssigned{Assignment: assignment("new"), Role: role("reader"), User: user("ann"), Window: domain.Window{From: now}}
	if change != nil {
		change(&e)
	}
	return e
}

func TestARoleIsAssignedToAUserADepartmentOrAGroup(t *testing.T) {
	h := staff()
	h.When(assign(nil)).Then(t, assigned(nil))
	h.When(assign(func(c *commands.AssignRole) { c.User, c.Department = domain.UserID{}, department("sales") })).
		Then(t, assigned(func(e *domain.RoleAssigned) { e.User, e.Department = domain.UserID{}, department("sales") }))
	h.When(assign(func(c *commands.AssignRole) {
		c.User, c.Group, c.On, c.Reason = domain.UserID{}, group("crew"), "repo:web", "on call"
	})).
		Then(t, assigned(func(e *domain.RoleAssigned) {
			e.User, e.Group, e.Scope, e.Reason = domain.UserID{}, group("crew"), "repo:web", "on call"
		}))
	h.When(assign(func(c *commands.AssignRole) { c.User = domain.UserID{} })).ThenRefused(t, domain.ErrOneSubject)
	h.When(assign(func(c *commands.AssignRole) { c.Group = group("crew") })).ThenRefused(t, domain.ErrOneSubject)
	h.When(assign(func(c *commands.AssignRole) { c.Group, c.Department = group("crew"), department("sales") })).ThenRefused(t, domain.ErrOneSubject)
}

func TestOnlyWhatIsThereIsAssigned(t *testing.T) {
	h := staff()
	h.When(assign(func(c *commands.AssignRole) { c.Role = role("none") })).ThenRefused(t, domain.ErrRoleUnknown)
	h.When(assign(func(c *commands.AssignRole) { c.User = user("none") })).ThenRefused(t, domain.ErrUserUnknown)
	h.When(assign(func(c *commands.AssignRole) { c.User, c.Group = domain.UserID{}, group("none") })).ThenRefused(t, domain.ErrGroupUnknown)
	h.When(assign(func(c *commands.AssignRole) { c.User, c.Department = domain.UserID{}, department("none") })).ThenRefused(t, domain.ErrDepartmentUnknown)
	h.and(roleGone("reader")).When(assign(nil)).ThenRefused(t, domain.ErrRoleUnknown)
	h.and(domain.UserDeactivated{User: user("ann")}).When(assign(nil)).ThenRefused(t, domain.ErrUserNotActive)
	h.and(groupGone("crew", "")).When(assign(func(c *commands.AssignRole) { c.User, c.Group = domain.UserID{}, group("crew") })).ThenRefused(t, domain.ErrGroupUnknown)
	h.and(departmentGone("sales", "")).When(assign(func(c *commands.AssignRole) { c.User, c.Department = domain.UserID{}, department("sales") })).ThenRefused(t, domain.ErrDepartmentUnknown)
	theirs := given(roleMade("own")).elsewhere(globex, registered("ann"), roleMade("reader"))
	theirs.When(assign(func(c *commands.AssignRole) { c.Role = role("own") })).ThenRefused(t, domain.ErrUserUnknown)
	theirs.and(registered("bob")).When(assign(func(c *commands.AssignRole) { c.User = user("bob") })).ThenRefused(t, domain.ErrRoleUnknown)
	given(registered("ann")).elsewhere(domain.Root, platformRole("reader")).When(assign(nil)).Events(t)
	h.and(assigned(func(e *domain.RoleAssigned) { e.Role = role("x") })).When(assign(nil)).ThenRefused(t, domain.ErrIDTaken)
	h.elsewhere(globex, assigned(nil)).When(assign(nil)).ThenRefused(t, domain.ErrIDTaken)
}

func TestAnAssignmentHasAWindow(t *testing.T) {
	ns := time.Nanosecond
	window := func(from, until time.Time) outcome {
		return staff().When(assign(func(c *commands.AssignRole) { c.From, c.Until = from, until }))
	}
	window(time.Time{}, now.Add(ns)).Then(t, assigned(func(e *domain.RoleAssigned) { e.Window.Until = now.Add(ns) }))
	window(now.Add(-day), now.Add(ns)).Events(t)
	window(now.Add(day), now.Add(day+ns)).Events(t)
	window(now.Add(day), time.Time{}).Events(t)
	window(time.Time{}, now).ThenInvalid(t, "/until")
	window(now.Add(-day), now).ThenInvalid(t, "/until")
	window(now.Add(day), now.Add(day)).ThenInvalid(t, "/until")
	window(now.Add(day), now.Add(day-ns)).ThenInvalid(t, "/until")
}

func TestAScopeNamesAResource(t *testing.T) {
	on := func(s domain.Scope) outcome { return staff().When(assign(func(c *commands.AssignRole) { c.On = s })) }
	for _, ok := range []domain.Scope{"", "repo:web", "repo:a:b", "group:" + domain.Scope(group("crew").String()), domain.Scope("r:" + strings.Repeat("x", 198))} {
		on(ok).Events(t)
	}
	for _, bad := range []domain.Scope{"repo", ":web", "repo:", "Repo:web", "re po:web", "repo: web", "repo:a\x00", domain.Scope("r:" + strings.Repeat("x", 199))} {
		on(bad).ThenInvalid(t, "/scope")
	}
}

func TestTheSameAssignmentStandsOnceAtATime(t *testing.T) {
	until := now.Add(day)
	h := staff().and(assigned(func(e *domain.RoleAssigned) { e.Assignment, e.Window.Until = assignment("old"), until }))
	h.When(assign(nil)).ThenRefused(t, domain.ErrAssignmentTwice)
	h.When(assign(func(c *commands.AssignRole) { c.From = until.Add(-time.Nanosecond) })).ThenRefused(t, domain.ErrAssignmentTwice)
	h.When(assign(func(c *commands.AssignRole) { c.From = until })).Events(t)
	h.When(assign(func(c *commands.AssignRole) { c.From, c.Until = now.Add(-day), now.Add(time.Nanosecond) })).ThenRefused(t, domain.ErrAssignmentTwice)
	h.When(assign(func(c *commands.AssignRole) { c.On = "repo:web" })).Events(t)
	h.When(assign(func(c *commands.AssignRole) { c.User, c.Group = domain.UserID{}, group("crew") })).Events(t)
	h.and(domain.RoleUnassigned{Assignment: assignment("old"), Role: role("reader"), User: user("ann")}).When(assign(nil)).Events(t)
}

func TestATenantMayWantReasonsAndShortAssignments(t *testing.T) {
	reason := staff().and(policy(domain.ReasonRequired, "true"))
	reason.When(assign(nil)).ThenRefused(t, domain.ErrReasonRequired)
	reason.When(assign(func(c *commands.AssignRole) { c.Reason = "on call" })).Events(t)
	staff().When(assign(func(c *commands.AssignRole) { c.Reason = "\x01" })).ThenInvalid(t, "/reason")
	short := staff().and(policy(domain.AssignmentDays, "7"))
	short.When(assign(nil)).ThenRefused(t, domain.ErrTooLong)
	short.When(assign(func(c *commands.AssignRole) { c.Until = now.Add(7 * day) })).Events(t)
	short.When(assign(func(c *commands.AssignRole) { c.Until = now.Add(7*day + time.Nanosecond) })).ThenRefused(t, domain.ErrTooLong)
	short.When(assign(func(c *commands.AssignRole) { c.From, c.Until = now.Add(30*day), now.Add(37*day) })).Events(t)
}

func TestNobodyAssignsWhatTheyLack(t *testing.T) {
	h := staff().and(roleMade("mid"), inherits("mid", "reader"), roleMade("top"), inherits("top", "mid"), inherits("reader", "top"))
	there := by(rights{scoped: map[domain.Scope][]domain.Pattern{"repo:web": {"file.read"}}})
	for _, name := range []string{"reader", "mid", "top"} { // they inherit in a circle, which no command makes
		h.When(assignBy(having("file.write"), func(c *commands.AssignRole) { c.Role = role(name) })).ThenRefused(t, domain.ErrMayNotGive)
		h.When(assignBy(having("file.read"), func(c *commands.AssignRole) { c.Role = role(name) })).Events(t)
		h.When(assignBy(there, func(c *commands.AssignRole) { c.Role = role(name) })).ThenRefused(t, domain.ErrMayNotGive)
		h.When(assignBy(there, func(c *commands.AssignRole) { c.Role, c.On = role(name), "repo:web" })).Events(t)
		h.When(assignBy(there, func(c *commands.AssignRole) { c.Role, c.On = role(name), "repo:app" })).ThenRefused(t, domain.ErrMayNotGive)
	}
	given(registered("ann")).elsewhere(domain.Root, platformRole("all"), holds("all", "*")).
		When(assignBy(having("file.*", "core.*"), func(c *commands.AssignRole) { c.Role = role("all") })).ThenRefused(t, domain.ErrMayNotGive)
	h.When(assignBy(ofSystem(), nil)).Events(t)
}

func TestARoleIsTakenBackByWhoeverMay(t *testing.T) {
	unassign := func() dcb.Decision {
		return commands.UnassignRole{ID: assignment("new"), Reason: "left"}.Decide(having())
	}
	back := domain.RoleUnassigned{Assignment: assignment("new"), Role: role("reader"), User: user("ann"), Reason: "left"}
	given(assigned(nil)).When(unassign()).Then(t, back)
	given(assigned(nil), back).When(unassign()).ThenNothing(t)
	given().When(unassign()).ThenRefused(t, domain.ErrAssignmentUnknown)
	given().elsewhere(globex, assigned(nil)).When(unassign()).ThenRefused(t, domain.ErrAssignmentUnknown)
	given(assigned(nil)).When(commands.UnassignRole{ID: assignment("new"), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
}

func TestThePlatformKeepsAnAdministrator(t *testing.T) {
	admin := func(name string, change func(*domain.RoleAssigned)) domain.RoleAssigned {
		e := adminOf(name)
		if change != nil {
			change(&e)
		}
		return e
	}
	unassign := func(name string) dcb.Decision {
		return commands.UnassignRole{ID: assignment("admin " + name)}.Decide(onPlatform(env()))
	}
	one := given().elsewhere(domain.Root, registered("ann"), registered("bob"), groupMade("crew", ""), admin("ann", nil))
	one.WhenIn(domain.Root, unassign("ann")).ThenRefused(t, domain.ErrLastAdmin)
	one.elsewhere(domain.Root, admin("bob", nil)).WhenIn(domain.Root, unassign("ann")).Events(t)

	for why, other := range map[string]domain.RoleAssigned{
		"it ends":                     admin("bob", func(e *domain.RoleAssigned) { e.Window.Until = now.Add(day) }),
		"it is yet to begin":          admin("bob", func(e *domain.RoleAssigned) { e.Window.From = now.Add(time.Nanosecond) }),
		"it is of one resource":       admin("bob", func(e *domain.RoleAssigned) { e.Scope = "repo:web" }),
		"it is a group's":             admin("bob", func(e *domain.RoleAssigned) { e.User, e.Group = domain.UserID{}, group("crew") }),
		"it is of somebody not there": admin("nobody", nil),
	} {
		t.Run(why, func(t *testing.T) {
			h := one.elsewhere(domain.Root, other)
			h.WhenIn(domain.Root, unassign("ann")).ThenRefused(t, domain.ErrLastAdmin)
			h.WhenIn(domain.Root, commands.UnassignRole{ID: other.Assignment}.Decide(onPlatform(env()))).Events(t)
		})
	}
	two := one.elsewhere(domain.Root, admin("bob", nil))
	two.elsewhere(domain.Root, domain.UserDeactivated{User: user("bob")}).WhenIn(domain.Root, unassign("ann")).ThenRefused(t, domain.ErrLastAdmin)
	// Administrators of tenants do not run the platform.
	one.and(registered("cat"), admin("cat", nil)).WhenIn(domain.Root, unassign("ann")).ThenRefused(t, domain.ErrLastAdmin)
	given(registered("cat"), admin("cat", nil)).When(commands.UnassignRole{ID: assignment("admin cat")}.Decide(env())).Events(t)
}

func TestAnAssignmentsTextsAreTheSameEachTime(t *testing.T) {
	first := fmt.Sprint(staff().When(assign(nil)).Events(t))
	for range 20 {
		if again := fmt.Sprint(staff().When(assign(nil)).Events(t)); again != first {
			t.Fatalf("decided %s, then %s", first, again)
		}
	}
}

func ofSystem() commands.Env { e := env(); e.Rights = commands.System{}; return e }
