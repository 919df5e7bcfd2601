package commands_test

import (
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func TestWhatIsOverIsSaidToBeSoOnceAndNotBefore(t *testing.T) {
	ann, tick := user("ann"), time.Microsecond
	open := domain.Window{From: now.Add(-day)}
	tokenRevoked := domain.TokenRevoked{Token: apiToken("ci"), User: ann}
	for name, c := range map[string]struct {
		over   func(end time.Time) dcb.Event // a thing that ends then
		expire func() dcb.Decision
		want   dcb.Event
		ended  []dcb.Event // by something else
	}{
		"a token": {
			func(end time.Time) dcb.Event { return tokenIssued(end, "file.read") },
			func() dcb.Decision { return commands.ExpireToken{ID: apiToken("ci")}.Decide(ofSystem()) },
			domain.TokenExpired{Token: apiToken("ci"), User: ann}, []dcb.Event{tokenRevoked},
		},
		"a session": {
			func(end time.Time) dcb.Event {
				e := began("a", ann)
				e.ExpiresAt = end
				return e
			},
			func() dcb.Decision { return commands.ExpireSession{ID: session("a")}.Decide(ofSystem()) },
			domain.SessionEnded{Session: session("a"), User: ann, Reason: domain.SessionExpired},
			[]dcb.Event{domain.SessionEnded{Session: session("a"), User: ann, Reason: domain.SignedOut}},
		},
		"an assignment": {
			func(end time.Time) dcb.Event {
				return assigned(func(e *domain.RoleAssigned) { e.Window = domain.Window{From: open.From, Until: end} })
			},
			func() dcb.Decision { return commands.ExpireAssignment{ID: assignment("new")}.Decide(ofSystem()) },
			domain.AssignmentExpired{Assignment: assignment("new"), Role: role("reader"), User: ann},
			[]dcb.Event{domain.RoleUnassigned{Assignment: assignment("new"), Role: role("reader"), User: ann}},
		},
		"an override": {
			func(end time.Time) dcb.Event {
				return overruled(func(e *domain.OverrideAdded) { e.User, e.Group, e.ExpiresAt = domain.UserID{}, group("crew"), end })
			},
			func() dcb.Decision { return commands.ExpireOverride{ID: override("new")}.Decide(ofSystem()) },
			domain.OverrideExpired{Override: override("new"), Group: group("crew")},
			[]dcb.Event{domain.OverrideRevoked{Override: override("new"), Group: group("crew")}},
		},
		"a link": {
			func(end time.Time) dcb.Event { return linkIssued("old", ann, domain.PasswordReset, end) },
			func() dcb.Decision { return commands.ExpireLink{ID: linkID("old")}.Decide(ofSystem()) },
			domain.LinkExpired{Link: linkID("old"), User: ann}, []dcb.Event{revoked("old"), used()},
		},
	} {
		t.Run(name, func(t *testing.T) {
			given(c.over(now)).When(c.expire()).Then(t, c.want)
			given(c.over(now.Add(-day))).When(c.expire()).Then(t, c.want)
			given(c.over(now.Add(tick))).When(c.expire()).ThenNothing(t)
			given(c.over(now), c.want).When(c.expire()).ThenNothing(t)
			for _, e := range c.ended {
				given(c.over(now), e).When(c.expire()).ThenNothing(t)
			}
			given().When(c.expire()).ThenNothing(t)
			given().elsewhere(globex, c.over(now)).When(c.expire()).ThenNothing(t)
		})
	}
	expire := commands.ExpireAssignment{ID: assignment("new")}
	given(assigned(func(e *domain.RoleAssigned) { e.Window = open })).When(expire.Decide(ofSystem())).ThenNothing(t)
}

// The end that counts is the newest one.
func TestATokenThatIsOverIsBroughtBackByItsNextSecret(t *testing.T) {
	expire := func() dcb.Decision { return commands.ExpireToken{ID: apiToken("ci")}.Decide(ofSystem()) }
	expired := domain.TokenExpired{Token: apiToken("ci"), User: user("ann")}
	h := given(registered("ann"), tokenIssued(now.Add(-day), "file.read"), expired)
	h.When(commands.RotateToken{ID: apiToken("ci")}.Decide(env())).ThenInvalid(t, "/expires_at")
	h.When(commands.RotateToken{ID: apiToken("ci"), ExpiresAt: now.Add(day)}.Decide(env())).Events(t)
	h.When(commands.RevokeToken{ID: apiToken("ci")}.Decide(env())).Then(t, domain.TokenRevoked{Token: apiToken("ci"), User: user("ann")})
	rotated := domain.TokenRotated{Token: apiToken("ci"), User: user("ann"), Hash: []byte{1}, ExpiresAt: now.Add(day)}
	h.and(rotated).When(expire()).ThenNothing(t)
	rotated.ExpiresAt = now
	h.and(rotated).When(expire()).Then(t, expired)
}

// It makes no difference whether the event has been written yet.
func TestWhatIsOverByItsTimeStandsInNobodysWay(t *testing.T) {
	past := domain.Window{From: now.Add(-2 * day), Until: now}
	toAnn := assigned(func(e *domain.RoleAssigned) { e.Assignment, e.Window = assignment("old"), past })
	toSales := assigned(func(e *domain.RoleAssigned) {
		e.Assignment, e.User, e.Department, e.Window = assignment("old"), domain.UserID{}, department("sales"), past
	})
	over := domain.AssignmentExpired{Assignment: assignment("old"), Role: role("reader"), User: user("ann")}
	overSales := domain.AssignmentExpired{Assignment: assignment("old"), Role: role("reader"), Department: department("sales")}
	deny := overruled(func(e *domain.OverrideAdded) {
		e.Override, e.User, e.Department, e.ExpiresAt = override("old"), domain.UserID{}, department("sales"), now
	})
	for _, h := range []history{staff().and(toAnn), staff().and(toAnn, over)} {
		h.When(commands.DeleteRole{ID: role("reader")}.Decide(env())).Events(t)
		h.When(assign(func(c *commands.AssignRole) { c.From, c.Until = now.Add(-day), now.Add(day) })).Events(t)
	}
	for _, h := range []history{
		staff().and(toSales, deny),
		staff().and(toSales, overSales, deny, domain.OverrideExpired{Override: override("old"), Department: department("sales")}),
	} {
		h.When(commands.DeleteDepartment{ID: department("sales")}.Decide(env())).Events(t)
	}
	toCrew := assigned(func(e *domain.RoleAssigned) { e.User, e.Group, e.Window = domain.UserID{}, group("crew"), past })
	denied := overruled(func(e *domain.OverrideAdded) { e.User, e.Group, e.ExpiresAt = domain.UserID{}, group("crew"), now })
	staff().and(toCrew, denied,
		domain.AssignmentExpired{Assignment: assignment("new"), Role: role("reader"), Group: group("crew")},
		domain.OverrideExpired{Override: override("new"), Group: group("crew")},
	).When(commands.DeleteGroup{ID: group("crew")}.Decide(env())).Then(t, domain.GroupDeleted{Group: group("crew"), Released: domain.GroupKey(acme, "crew")})
	standing := staff().and(assigned(func(e *domain.RoleAssigned) { e.Window.Until = now.Add(time.Microsecond) }))
	standing.When(commands.DeleteRole{ID: role("reader")}.Decide(env())).ThenRefused(t, domain.ErrRoleInUse)
}

func TestTheSaidEndOfAnythingIsItsEnd(t *testing.T) {
	lapsed := staff().and(assigned(func(e *domain.RoleAssigned) { e.Window.Until = now }),
		domain.AssignmentExpired{Assignment: assignment("new"), Role: role("reader"), User: user("ann")})
	lapsed.When(commands.UnassignRole{ID: assignment("new")}.Decide(env())).ThenNothing(t)
	given(overruled(func(e *domain.OverrideAdded) { e.ExpiresAt = now }), domain.OverrideExpired{Override: override("new"), User: user("ann")}).
		When(commands.RevokeOverride{ID: override("new")}.Decide(env())).ThenNothing(t)
	given(linkIssued("old", user("ann"), domain.PasswordReset, now), domain.LinkExpired{Link: linkID("old"), User: user("ann")}).
		When(commands.RevokeLink{ID: linkID("old")}.Decide(env())).ThenNothing(t)
}

func TestASessionIsClosedOnceAndSaysWhy(t *testing.T) {
	ann := user("ann")
	shut := func() dcb.Decision {
		return commands.CloseSession{ID: session("a"), Reason: "tenant-suspended"}.Decide(ofSystem())
	}
	want := domain.SessionEnded{Session: session("a"), User: ann, Reason: "tenant-suspended"}
	given(began("a", ann)).When(shut()).Then(t, want)
	given(began("a", ann), want).When(shut()).ThenNothing(t)
	given().When(shut()).ThenNothing(t)
}
