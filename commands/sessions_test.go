package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func TestASessionIsEndedByItsUserOrByPrivilege(t *testing.T) {
	end := func(e commands.Env, name string) dcb.Decision {
		return commands.EndSession{ID: session(name)}.Decide(e)
	}
	h := withMe(registered("ann"), began("ann's", user("ann"), domain.ByPassword))
	h.When(end(signedIn(), "here")).Then(t, ended("here", chief, domain.SignedOut))
	h.When(end(signedIn(), "there")).Then(t, ended("there", chief, domain.EndedRemotely))
	h.and(ended("there", chief, "")).When(end(signedIn(), "there")).ThenNothing(t)
	h.When(end(signedIn(), "ann's")).ThenRefused(t, domain.ErrSessionUnknown)
	h.When(end(having(), "ann's")).Then(t, ended("ann's", user("ann"), domain.EndedRemotely))
	h.When(end(having(), "none")).ThenRefused(t, domain.ErrSessionUnknown)
	given().elsewhere(globex, began("ann's", user("ann"))).When(end(having(), "ann's")).ThenRefused(t, domain.ErrSessionUnknown)
}

func TestAllOtherSessionsAreEndedAtOnce(t *testing.T) {
	end := func(e commands.Env, u domain.UserID) dcb.Decision { return commands.EndSessions{User: u}.Decide(e) }
	h := withMe(registered("ann"), began("ann's", user("ann"), domain.ByPassword))
	there := ended("there", chief, domain.EndedRemotely)
	h.When(end(signedIn(), domain.UserID{})).Then(t, there)
	h.When(end(signedIn(), chief)).Then(t, there)
	h.When(end(unprivileged(having()), chief)).Then(t, ended("here", chief, domain.EndedRemotely), there)
	h.When(end(signedIn(), user("ann"))).ThenRefused(t, domain.ErrNotAllowed)
	h.When(end(having(), user("ann"))).Then(t, ended("ann's", user("ann"), domain.EndedRemotely))
	h.When(end(having(), user("nobody"))).ThenRefused(t, domain.ErrUserUnknown)
	given(me()).When(end(signedIn(), domain.UserID{})).ThenNothing(t)
}

func TestSigningOutEndsTheSession(t *testing.T) {
	out := commands.SignOut{Session: session("here")}
	withMe().When(out.Decide(signedIn())).Then(t, ended("here", chief, domain.SignedOut))
	withMe(ended("here", chief, "")).When(out.Decide(signedIn())).ThenNothing(t)
}

func TestADeactivationEndsEverySessionForGood(t *testing.T) {
	h := given(registered("ann"), began("ann's", user("ann"), domain.ByPassword))
	h.When(commands.DeactivateUser{ID: user("ann")}.Decide(env())).Then(t,
		domain.UserDeactivated{User: user("ann")}, ended("ann's", user("ann"), domain.EndedWithUser))
}
