package commands_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// gaveUp is Chancery's own disabling of the webhook, at an instant.
func gaveUp(at time.Time) domain.EndpointDisabled {
	return domain.EndpointDisabled{Endpoint: hook, Why: domain.DisabledGone, NotBefore: at.Add(time.Hour)}
}

func TestAnEndpointIsDisabledAndEnabled(t *testing.T) {
	off := domain.EndpointDisabled{Endpoint: hook, Why: domain.DisabledByHand, Reason: "it moves"}
	disable := commands.DisableEndpoint{ID: hook, Reason: "it moves"}
	hooked(t).When(disable.Decide(env())).Then(t, off)
	hooked(t).and(off).When(disable.Decide(env())).ThenNothing(t)
	hooked(t).and(gaveUp(now)).When(disable.Decide(env())).ThenNothing(t)
	disable.Reason = strings.Repeat("x", 3000)
	hooked(t).When(disable.Decide(env())).ThenInvalid(t, "/reason")

	hooked(t).and(off).When(commands.EnableEndpoint{ID: hook}.Decide(env())).Then(t, domain.EndpointEnabled{Endpoint: hook})
	hooked(t).and(off).When(commands.EnableEndpoint{ID: hook, Skip: true}.Decide(env())).Then(t, domain.EndpointEnabled{Endpoint: hook, Skips: true})
	hooked(t).When(commands.EnableEndpoint{ID: hook}.Decide(env())).ThenNothing(t)
}

func TestAnEndpointThatChanceryDisabledCoolsDown(t *testing.T) {
	enable := commands.EnableEndpoint{ID: hook}
	early := hooked(t).and(gaveUp(now.Add(-59 * time.Minute))).When(enable.Decide(env()))
	early.ThenRefused(t, domain.ErrEndpointCooling)
	var told *domain.InputError
	if until := now.Add(time.Minute).UTC().Format(time.RFC3339); !errors.As(early.Err(), &told) || !strings.Contains(told.Detail, until) {
		t.Errorf("told is %v, not that it ends at %s", early.Err(), until)
	}
	hooked(t).and(gaveUp(now.Add(-time.Hour))).When(enable.Decide(env())).Then(t, domain.EndpointEnabled{Endpoint: hook})
}

func TestADeletedEndpointIsNoMore(t *testing.T) {
	remove := commands.DeleteEndpoint{ID: hook}
	deleted := domain.EndpointDeleted{Endpoint: hook, Pool: crmPool}
	hooked(t).When(remove.Decide(env())).Then(t, deleted, keysGone(1))
	hooked(t).and(gaveUp(now)).When(remove.Decide(env())).Then(t, deleted, keysGone(1))
	pulled(t).When(remove.Decide(env())).Then(t, deleted)
	hooked(t).and(deleted, keysGone(1)).When(remove.Decide(env())).ThenNothing(t) // sent again until it is on record
	uncounted := hookMade()
	uncounted.Pool = ""
	atCRM(t).and(uncounted, hookKeys(1)).When(remove.Decide(env())).Then(t, domain.EndpointDeleted{Endpoint: hook}, keysGone(1))
}

// keysGone says that the n-th keys of the webhook are destroyed.
func keysGone(n int) domain.EndpointSecretDestroyed {
	return domain.EndpointSecretDestroyed{Endpoint: hook, Version: hook.SecretID(n), Number: n, Erases: hook.SecretID(n)}
}

func TestADeletedEndpointLeavesNoKeyThatIsNotDestroyed(t *testing.T) {
	h := hooked(t).and(rotations(2, time.Hour)...) // 1 and 2 sign beside 3
	all := []dcb.Event{domain.EndpointDeleted{Endpoint: hook, Pool: crmPool}, keysGone(1), keysGone(2), keysGone(3)}
	h.When(commands.DeleteEndpoint{ID: hook}.Decide(env())).Then(t, all...)
	h.and(keysGone(1)).When(commands.DeleteEndpoint{ID: hook}.Decide(env())).Then(t, all[0], all[2], all[3])
}

func TestARotationDestroysTheKeysThatSignNoLonger(t *testing.T) {
	rotate := func(h history, grace int) []dcb.Event {
		t.Helper()
		return h.When(commands.RotateEndpointSecret{ID: hook, Grace: &grace}.Decide(env())).Events(t)[1:]
	}
	for what, c := range map[string]struct {
		h     history
		grace int
		want  []dcb.Event
	}{
		"the first, with a grace":      {hooked(t), 24, nil},
		"the first, without":           {hooked(t), 0, []dcb.Event{keysGone(1)}},
		"some sign still":              {hooked(t).and(rotations(2, time.Hour)...), 24, nil},
		"some sign still, and are not": {hooked(t).and(rotations(2, time.Hour)...), 0, []dcb.Event{keysGone(1), keysGone(2), keysGone(3)}},
		"some sign no longer":          {hooked(t).and(append(rotations(2, 0), hookKeysUntil(4, time.Hour))...), 24, []dcb.Event{keysGone(1), keysGone(2)}},
		"they are destroyed already":   {hooked(t).and(rotations(2, 0)...).and(keysGone(1)), 24, []dcb.Event{keysGone(2)}},
	} {
		if diff := cmp.Diff(c.want, rotate(c.h, c.grace), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// hookKeysUntil are the n-th keys of the webhook, which leave those before them a grace.
func hookKeysUntil(n int, grace time.Duration) domain.EndpointSecretRotated {
	e := hookKeys(n)
	e.GraceUntil = now.Add(grace)
	return e
}

func TestWhereKeysBeforeAreDestroyedAnEndpointGoesOn(t *testing.T) {
	h := hooked(t).and(hookKeys(2), keysGone(1))
	h.When(commands.RevealEndpointSecret{ID: hook}.Decide(env())).
		Then(t, domain.EndpointSecretRevealed{Endpoint: domain.EndpointReading(hook), Version: hook.SecretID(2), Number: 2})
	if next := h.When(commands.RotateEndpointSecret{ID: hook}.Decide(env())).Events(t); len(next) != 1 || next[0].(domain.EndpointSecretRotated).Number != 3 {
		t.Errorf("decided %v", next)
	}
}

func TestADisabledEndpointIsNotTested(t *testing.T) {
	test := commands.TestEndpoint{ID: hook, Message: "hello"}
	hooked(t).When(test.Decide(env())).Then(t, domain.EndpointTested{Endpoint: hook, Message: "hello"})
	hooked(t).and(gaveUp(now)).When(test.Decide(env())).ThenRefused(t, domain.ErrEndpointDisabled)
	hooked(t).and(domain.AppDisabled{TenantApp: domain.App("crm").In(acme), Name: "crm"}).When(test.Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	test.Message = strings.Repeat("x", 3000)
	hooked(t).When(test.Decide(env())).ThenInvalid(t, "/message")
}

func TestChanceryGivesUpOnce(t *testing.T) {
	gone := commands.GiveUpEndpoint{ID: hook, Gone: true}
	hooked(t).When(gone.Decide(env())).Then(t, gaveUp(now))
	for name, h := range map[string]history{
		"disabled": hooked(t).and(gaveUp(now)), "deleted": hooked(t).and(domain.EndpointDeleted{Endpoint: hook}), "unknown": given(),
	} {
		t.Run(name, func(t *testing.T) { h.When(gone.Decide(env())).ThenNothing(t) })
	}
}

func TestAnEndpointHasItsTimeToFail(t *testing.T) {
	failing := func(since, after time.Duration) dcb.Decision {
		return commands.GiveUpEndpoint{ID: hook, FailingSince: now.Add(-since), After: after}.Decide(env())
	}
	ends := func(since time.Duration) domain.EndpointDisabled {
		return domain.EndpointDisabled{Endpoint: hook, Why: domain.DisabledFailed, FailingSince: now.Add(-since), NotBefore: now.Add(time.Hour)}
	}
	hooked(t).When(failing(5*day, 0)).Then(t, ends(5*day))
	hooked(t).When(failing(5*day-time.Second, 0)).ThenNothing(t)
	hooked(t).When(failing(time.Hour, time.Minute)).Then(t, ends(time.Hour))
	// Enabled again, it has all of its time anew.
	hooked(t).and(gaveUp(now), domain.EndpointEnabled{Endpoint: hook}).When(failing(6*day, 0)).ThenNothing(t)
}
