package commands_test

import (
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

const day = 24 * time.Hour

// tokenIssued and issue are about the token ci; the first, about that of ann.
func tokenIssued(until time.Time, scopes ...domain.Pattern) domain.TokenIssued {
	prefix, hash := hashed("secret issue " + apiToken("ci").String())
	return domain.TokenIssued{Token: apiToken("ci"), User: user("ann"), Name: "ci", Prefix: prefix, Hash: hash, Scopes: scopes, ExpiresAt: until}
}

func issue(who string, until time.Time, scopes ...domain.Pattern) commands.IssueToken {
	return commands.IssueToken{ID: apiToken("ci"), User: user(who), Name: "ci", Scopes: scopes, ExpiresAt: until}
}

func TestATokenIsIssuedAndShownOnce(t *testing.T) {
	c := issue("ann", now.Add(day), "file.*")
	given(registered("ann")).When(c.Decide(env())).Then(t, tokenIssued(now.Add(day), "file.*"))
	if name, value := c.Reveal(env()); name != "token" || value != "secret issue "+apiToken("ci").String() {
		t.Errorf("the answer shows %s=%s", name, value)
	}
	c.Scopes = nil
	given(registered("ann")).When(c.Decide(env())).Then(t, tokenIssued(now.Add(day), domain.Everything))
}

func TestATokenIsTheCallersOwnUnlessItSaysWhose(t *testing.T) {
	me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
	c := issue("", now.Add(day), "file.read")
	c.User = domain.UserID{}
	got := given(me).When(c.Decide(having())).Events(t)[0].(domain.TokenIssued)
	if got.User != chief {
		t.Errorf("issued to %v, want the caller", got.User)
	}
	given().elsewhere(domain.Root, me).When(c.Decide(env())).ThenRefused(t, domain.ErrUserUnknown)
}

func TestATokenHasANameScopesAndAnEnd(t *testing.T) {
	h := given(registered("ann"))
	for name, ok := range names() {
		c := issue("ann", now.Add(day))
		c.Name = name
		if did := h.When(c.Decide(env())); ok {
			did.Events(t)
		} else {
			did.ThenInvalid(t, "/name")
		}
	}
	h.When(issue("ann", now.Add(day), "file.read", "file").Decide(env())).ThenInvalid(t, "/scopes")
	h.When(issue("ann", time.Time{}).Decide(env())).ThenInvalid(t, "/expires_at")
	h.When(issue("ann", now).Decide(env())).ThenInvalid(t, "/expires_at")
	h.When(issue("ann", now.Add(time.Nanosecond)).Decide(env())).Events(t)
	h.When(issue("ann", now.Add(365*day)).Decide(env())).Events(t)
	h.When(issue("ann", now.Add(365*day+time.Nanosecond)).Decide(env())).ThenRefused(t, domain.ErrTokenLifetime)
	short := h.and(policy(domain.TokenDays, "1"))
	short.When(issue("ann", now.Add(day)).Decide(env())).Events(t)
	short.When(issue("ann", now.Add(day+time.Nanosecond)).Decide(env())).ThenRefused(t, domain.ErrTokenLifetime)
}

func TestOnlyActiveUsersOfTheTenantGetTokens(t *testing.T) {
	c := issue("ann", now.Add(day))
	invited := registered("ann")
	invited.Status = domain.UserInvited
	given().When(c.Decide(env())).ThenRefused(t, domain.ErrUserUnknown)
	given().elsewhere(globex, registered("ann")).When(c.Decide(env())).ThenRefused(t, domain.ErrUserUnknown)
	given(invited).When(c.Decide(env())).ThenRefused(t, domain.ErrUserNotActive)
	given(registered("ann"), domain.UserDeactivated{User: user("ann")}).When(c.Decide(env())).ThenRefused(t, domain.ErrUserNotActive)
	used := tokenIssued(now.Add(day))
	given(registered("ann"), used).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	given(registered("ann")).elsewhere(globex, used).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestATokenIsNeverWorthMoreThanItsIssuer(t *testing.T) {
	h := given(registered("ann"))
	c := issue("ann", now.Add(day), "file.read")
	h.When(c.Decide(having("file.*"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(c.Decide(by(rights{covers: []domain.UserID{user("ann")}}))).Events(t)

	own := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
	ceiling := by(rights{ceiling: []domain.Pattern{"file.*"}})
	mine := func(scopes ...domain.Pattern) dcb.Decision {
		c := issue("", now.Add(day), scopes...)
		c.User = chief
		return c.Decide(ceiling)
	}
	given(own).When(mine("file.read", "file.*")).Events(t)
	given(own).When(mine("file.read", "repo.read")).ThenRefused(t, domain.ErrMayNotGive)
	given(own).When(mine()).ThenRefused(t, domain.ErrMayNotGive)

	theirs := tokenIssued(now.Add(day), "file.read")
	rotate := func(e commands.Env) dcb.Decision { return commands.RotateToken{ID: apiToken("ci")}.Decide(e) }
	h.and(theirs).When(rotate(having("file.*"))).ThenRefused(t, domain.ErrMayNotGive)
	h.and(theirs).When(rotate(by(rights{covers: []domain.UserID{user("ann")}}))).Events(t)
	wide := theirs
	wide.User, wide.Scopes = chief, []domain.Pattern{domain.Everything}
	given(own, wide).When(rotate(ceiling)).ThenRefused(t, domain.ErrMayNotGive)
	wide.Scopes = []domain.Pattern{"file.write"}
	given(own, wide).When(rotate(ceiling)).Events(t)
}

func TestATokenGetsANewSecretAndKeepsItsEndUnlessToldOtherwise(t *testing.T) {
	rotate := func(until time.Time) dcb.Decision {
		return commands.RotateToken{ID: apiToken("ci"), ExpiresAt: until}.Decide(env())
	}
	rotated := func(until time.Time) domain.TokenRotated {
		_, hash := hashed("secret rotate " + apiToken("ci").String())
		return domain.TokenRotated{Token: apiToken("ci"), User: user("ann"), Hash: hash, ExpiresAt: until}
	}
	h := given(registered("ann"), tokenIssued(now.Add(day), "file.read"))
	h.When(rotate(time.Time{})).Then(t, rotated(now.Add(day)))
	h.When(rotate(now.Add(2*day))).Then(t, rotated(now.Add(2*day)))
	h.and(rotated(now.Add(3*day))).When(rotate(time.Time{})).Then(t, rotated(now.Add(3*day)))
	h.When(rotate(now)).ThenInvalid(t, "/expires_at")
	h.When(rotate(now.Add(366*day))).ThenRefused(t, domain.ErrTokenLifetime)
	over := given(tokenIssued(now, "file.read"))
	over.When(rotate(time.Time{})).ThenInvalid(t, "/expires_at")
	over.When(rotate(now.Add(day))).Events(t)
	if name, value := (commands.RotateToken{ID: apiToken("ci")}).Reveal(env()); name != "token" || value != "secret rotate "+apiToken("ci").String() {
		t.Errorf("the answer shows %s=%s", name, value)
	}
}

func TestARevokedTokenStaysRevoked(t *testing.T) {
	issued := tokenIssued(now.Add(day), "file.read")
	revoked := domain.TokenRevoked{Token: apiToken("ci"), User: user("ann"), Reason: "leaked"}
	revoke := func() dcb.Decision {
		return commands.RevokeToken{ID: apiToken("ci"), Reason: "leaked"}.Decide(having())
	}
	rotate := func() dcb.Decision { return commands.RotateToken{ID: apiToken("ci")}.Decide(env()) }
	given(issued).When(revoke()).Then(t, revoked)
	given(issued, revoked).When(revoke()).ThenNothing(t)
	given(issued, revoked).When(rotate()).ThenRefused(t, domain.ErrTokenRevoked)
	for _, d := range []func() dcb.Decision{revoke, rotate} {
		given().When(d()).ThenRefused(t, domain.ErrTokenUnknown)
		given().elsewhere(globex, issued).When(d()).ThenRefused(t, domain.ErrTokenUnknown)
	}
	given(issued).When(commands.RevokeToken{ID: apiToken("ci"), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
}

// A token with a ceiling makes no token above it, whoever it is for, nor one that outlives it.
func TestATokenWithACeilingMakesNoneAboveIt(t *testing.T) {
	h := given(registered("ann"))
	low := by(rights{covers: []domain.UserID{user("ann")}, ceiling: []domain.Pattern{"file.*"}})
	h.When(issue("ann", now.Add(day), "file.read").Decide(low)).Events(t)
	h.When(issue("ann", now.Add(day), "repo.read").Decide(low)).ThenRefused(t, domain.ErrMayNotGive)
	h.When(issue("ann", now.Add(day)).Decide(low)).ThenRefused(t, domain.ErrMayNotGive)
	rotate := commands.RotateToken{ID: apiToken("ci")}
	h.and(tokenIssued(now.Add(day), "file.read")).When(rotate.Decide(low)).Events(t)
	h.and(tokenIssued(now.Add(day), "repo.read")).When(rotate.Decide(low)).ThenRefused(t, domain.ErrMayNotGive)
}

func TestATokenWithACeilingMakesNoneThatOutlivesIt(t *testing.T) {
	me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
	short := by(rights{until: now.Add(day), covers: []domain.UserID{user("ann")}})
	for _, to := range []domain.UserID{chief, user("ann")} {
		issueTo := func(until time.Time) dcb.Decision {
			c := issue("", until, "file.read")
			c.User = to
			return c.Decide(short)
		}
		rotate := func(until time.Time) dcb.Decision {
			return commands.RotateToken{ID: apiToken("ci"), ExpiresAt: until}.Decide(short)
		}
		issued := func(until time.Time) history {
			e := tokenIssued(until, "file.read")
			e.User = to
			return given(me, registered("ann"), e)
		}
		h := given(me, registered("ann"))
		h.When(issueTo(now.Add(day))).Events(t)
		h.When(issueTo(now.Add(day+time.Microsecond))).ThenRefused(t, domain.ErrMayNotGive)
		issued(now.Add(day)).When(rotate(time.Time{})).Events(t)
		issued(now.Add(day)).When(rotate(now.Add(day))).Events(t)
		issued(now.Add(day)).When(rotate(now.Add(2*day))).ThenRefused(t, domain.ErrMayNotGive)
		issued(now.Add(2*day)).When(rotate(time.Time{})).ThenRefused(t, domain.ErrMayNotGive)
	}
}
