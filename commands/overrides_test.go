package commands_test

import (
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// permitting is a platform that lets tenants allow what the list names.
func permitting(list string) history {
	return registry().and(registered("ann"), departmentMade("sales", ""), groupMade("crew", "")).elsewhere(domain.Root,
		domain.PolicySet{Policy: domain.OverrideAllow.ID(domain.Root), Key: domain.OverrideAllow.Key, Value: list, Version: 1})
}

func overrule(e commands.Env, change func(*commands.AddOverride)) dcb.Decision {
	c := commands.AddOverride{ID: override("new"), Effect: domain.Deny, Privilege: "file.read", User: user("ann"), ExpiresAt: now.Add(day), Reason: "incident"}
	if change != nil {
		change(&c)
	}
	return c.Decide(e)
}

func overruled(change func(*domain.OverrideAdded)) domain.OverrideAdded {
	e := domain.OverrideAdded{Override: override("new"), Effect: domain.Deny, Privilege: "file.read", User: user("ann"), ExpiresAt: now.Add(day), Reason: "incident"}
	if change != nil {
		change(&e)
	}
	return e
}

func TestAnOverrideIsForOneSubjectOrForAll(t *testing.T) {
	h := permitting("")
	h.When(overrule(env(), nil)).Then(t, overruled(nil))
	h.When(overrule(env(), func(c *commands.AddOverride) { c.User = domain.UserID{} })).Then(t, overruled(func(e *domain.OverrideAdded) { e.User = domain.UserID{} }))
	h.When(overrule(env(), func(c *commands.AddOverride) { c.User, c.Group, c.On = domain.UserID{}, group("crew"), "repo:web" })).
		Then(t, overruled(func(e *domain.OverrideAdded) { e.User, e.Group, e.Scope = domain.UserID{}, group("crew"), "repo:web" }))
	h.When(overrule(env(), func(c *commands.AddOverride) { c.User, c.Department = domain.UserID{}, department("sales") })).Events(t)
	h.When(overrule(env(), func(c *commands.AddOverride) { c.Group = group("crew") })).ThenRefused(t, domain.ErrOneSubject)
	h.When(overrule(env(), func(c *commands.AddOverride) { c.User = user("none") })).ThenRefused(t, domain.ErrUserUnknown)
	h.When(overrule(env(), func(c *commands.AddOverride) { c.User, c.Group = domain.UserID{}, group("none") })).ThenRefused(t, domain.ErrGroupUnknown)
	h.When(overrule(env(), func(c *commands.AddOverride) { c.User, c.Department = domain.UserID{}, department("none") })).ThenRefused(t, domain.ErrDepartmentUnknown)
	h.elsewhere(globex, registered("bob")).When(overrule(env(), func(c *commands.AddOverride) { c.User = user("bob") })).ThenRefused(t, domain.ErrUserUnknown)
	h.and(domain.UserDeactivated{User: user("ann")}).When(overrule(env(), nil)).ThenRefused(t, domain.ErrUserNotActive)
	h.and(overruled(nil)).When(overrule(env(), nil)).ThenRefused(t, domain.ErrIDTaken)
	h.elsewhere(globex, overruled(nil)).When(overrule(env(), nil)).ThenRefused(t, domain.ErrIDTaken)
}

func TestAnOverrideSaysWhatWhereAndWhy(t *testing.T) {
	h := permitting("")
	for pointer, change := range map[string]func(*commands.AddOverride){
		"/effect":     func(c *commands.AddOverride) { c.Effect = "maybe" },
		"/privilege":  func(c *commands.AddOverride) { c.Privilege = "file" },
		"/scope":      func(c *commands.AddOverride) { c.On = "repo" },
		"/reason":     func(c *commands.AddOverride) { c.Reason = "" },
		"/expires_at": func(c *commands.AddOverride) { c.ExpiresAt = time.Time{} },
	} {
		h.When(overrule(env(), change)).ThenInvalid(t, pointer)
	}
	h.When(overrule(env(), func(c *commands.AddOverride) { c.Privilege = "no.such" })).ThenRefused(t, domain.ErrPrivilegeUnknown)
	h.When(overrule(env(), func(c *commands.AddOverride) { c.Privilege = "no.*" })).Events(t)
	h.When(overrule(env(), func(c *commands.AddOverride) { c.Privilege = domain.Everything })).Events(t)
}

func TestAnOverrideEnds(t *testing.T) {
	until := func(h history, at time.Time) outcome {
		return h.When(overrule(env(), func(c *commands.AddOverride) { c.ExpiresAt = at }))
	}
	h := permitting("")
	until(h, now).ThenInvalid(t, "/expires_at")
	until(h, now.Add(time.Nanosecond)).Events(t)
	until(h, now.Add(90*day)).Events(t)
	until(h, now.Add(90*day+time.Nanosecond)).ThenRefused(t, domain.ErrTooLong)
	until(h.and(policy(domain.OverrideDays, "1")), now.Add(day+time.Nanosecond)).ThenRefused(t, domain.ErrTooLong)
	until(h.and(policy(domain.OverrideDays, "365")), now.Add(365*day)).Events(t)
}

func TestATenantAllowsOnlyWhatThePlatformLists(t *testing.T) {
	allow := func(p domain.Pattern) dcb.Decision {
		return overrule(env(), func(c *commands.AddOverride) { c.Effect, c.Privilege = domain.Allow, p })
	}
	permitting("").When(allow("file.read")).ThenRefused(t, domain.ErrOverrideAllow)
	permitting("file.write").When(allow("file.read")).ThenRefused(t, domain.ErrOverrideAllow)
	permitting("file.read").When(allow("file.*")).ThenRefused(t, domain.ErrOverrideAllow)
	permitting("file.*").When(allow("*")).ThenRefused(t, domain.ErrOverrideAllow)
	permitting("file.read repo.*").When(allow("file.read")).Then(t, overruled(func(e *domain.OverrideAdded) { e.Effect = domain.Allow }))
	permitting("file.*").When(allow("file.read")).Events(t)
	permitting("file.*").When(allow("file.*")).Events(t)
	// A tenant's own setting of that name says nothing.
	permitting("").and(policy(domain.OverrideAllow, "*")).When(allow("file.read")).ThenRefused(t, domain.ErrOverrideAllow)
}

func TestAllowingNeedsThePrivilegeAndDenyingDoesNot(t *testing.T) {
	h := permitting("file.*")
	allow := func(e commands.Env) dcb.Decision {
		return overrule(e, func(c *commands.AddOverride) { c.Effect, c.On = domain.Allow, "repo:web" })
	}
	h.When(allow(having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(allow(having("file.read"))).Events(t)
	h.When(allow(by(rights{scoped: map[domain.Scope][]domain.Pattern{"repo:web": {"file.read"}}}))).Events(t)
	h.When(allow(by(rights{scoped: map[domain.Scope][]domain.Pattern{"repo:app": {"file.read"}}}))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(overrule(having(), nil)).Events(t)
}

func TestAnOverrideIsRevokedOnce(t *testing.T) {
	revoke := func() dcb.Decision {
		return commands.RevokeOverride{ID: override("new"), Reason: "over"}.Decide(having("file.read"))
	}
	revoked := domain.OverrideRevoked{Override: override("new"), User: user("ann"), Reason: "over"}
	given(overruled(nil)).When(revoke()).Then(t, revoked)
	given(overruled(nil), revoked).When(revoke()).ThenNothing(t)
	given().When(revoke()).ThenRefused(t, domain.ErrOverrideUnknown)
	given().elsewhere(globex, overruled(nil)).When(revoke()).ThenRefused(t, domain.ErrOverrideUnknown)
	given(overruled(nil)).When(commands.RevokeOverride{ID: override("new"), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
}
