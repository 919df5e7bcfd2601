package commands_test

import (
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// platformOf is a platform with these administrators, and dan, who is none.
func platformOf(admins ...string) history {
	h := given().elsewhere(domain.Root, known("file.read"), registered("dan"), groupMade("crew", ""), departmentMade("sales", ""),
		domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive})
	for _, name := range admins {
		h = h.elsewhere(domain.Root, registered(name), adminOf(name))
	}
	return h
}

// A deny beats everything, so one on the platform may shut nobody out who is needed to end it.
func TestADenyOnThePlatformNamesOneUser(t *testing.T) {
	h := platformOf("ann", "bob")
	deny := func(change func(*commands.AddOverride)) outcome {
		return h.WhenIn(domain.Root, overrule(onPlatform(env()), change))
	}
	deny(nil).Then(t, overruled(nil))
	for _, to := range []func(*commands.AddOverride){
		func(c *commands.AddOverride) { c.User = domain.UserID{} },
		func(c *commands.AddOverride) { c.User, c.Group = domain.UserID{}, group("crew") },
		func(c *commands.AddOverride) { c.User, c.Department = domain.UserID{}, department("sales") },
	} {
		got := deny(to)
		got.ThenRefused(t, domain.ErrLastAdmin)
		if at, ok := got.Err().(*domain.InputError); !ok || at.Pointer != "/user_id" { //nolint:errorlint // never wrapped
			t.Errorf("refused with %v, want the place in the input", got.Err())
		}
		listed := h.elsewhere(domain.Root, domain.PolicySet{
			Policy: domain.OverrideAllow.ID(domain.Root), Key: domain.OverrideAllow.Key, Value: "file.read", Version: 1,
		})
		listed.WhenIn(domain.Root, overrule(onPlatform(env()), func(c *commands.AddOverride) { to(c); c.Effect = domain.Allow })).Events(t)
	}
	deny(func(c *commands.AddOverride) { c.User = chief }).ThenRefused(t, domain.ErrSelf)
	given(known("file.read"), registered("ann"), adminOf("ann")).elsewhere(domain.Root, known("file.read")).
		When(overrule(env(), func(c *commands.AddOverride) { c.User = domain.UserID{} })).Events(t)
}

func TestThePlatformsLastAdministratorIsDeniedNothing(t *testing.T) {
	deny := func(h history, who string) outcome {
		return h.WhenIn(domain.Root, overrule(onPlatform(env()), func(c *commands.AddOverride) { c.User = user(who) }))
	}
	one, two := platformOf("ann"), platformOf("ann", "bob")
	deny(one, "ann").ThenRefused(t, domain.ErrLastAdmin)
	deny(one, "dan").Events(t)
	deny(two, "ann").Events(t)
	deny(two.elsewhere(domain.Root, domain.UserDeactivated{User: user("bob")}), "ann").ThenRefused(t, domain.ErrLastAdmin)

	// One who is denied something is not the one who can always help.
	bobDenied := func(until time.Time) history {
		return two.elsewhere(domain.Root, overruled(func(e *domain.OverrideAdded) {
			e.Override, e.User, e.ExpiresAt = override("old"), user("bob"), until
		}))
	}
	deny(bobDenied(now.Add(day)), "ann").ThenRefused(t, domain.ErrLastAdmin)
	deny(bobDenied(now.Add(day)).elsewhere(domain.Root, domain.OverrideRevoked{Override: override("old"), User: user("bob")}), "ann").Events(t)
	deny(bobDenied(now), "ann").Events(t)
	for _, d := range []func() dcb.Decision{
		func() dcb.Decision {
			return commands.UnassignRole{ID: assignment("admin ann")}.Decide(onPlatform(env()))
		},
		func() dcb.Decision { return commands.DeactivateUser{ID: user("ann")}.Decide(onPlatform(env())) },
	} {
		bobDenied(now.Add(day)).WhenIn(domain.Root, d()).ThenRefused(t, domain.ErrLastAdmin)
		two.WhenIn(domain.Root, d()).Events(t)
	}
	bobDenied(now.Add(day)).WhenIn(domain.Root, commands.DeactivateUser{ID: user("bob")}.Decide(onPlatform(env()))).Events(t)
}
