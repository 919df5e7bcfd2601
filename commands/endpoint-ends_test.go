package commands_test

import (
	"errors"
	"strings"
	"testing"
	"time"

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
	hooked(t).When(commands.DeleteEndpoint{ID: hook}.Decide(env())).Then(t, domain.EndpointDeleted{Endpoint: hook})
	hooked(t).and(gaveUp(now)).When(commands.DeleteEndpoint{ID: hook}.Decide(env())).Then(t, domain.EndpointDeleted{Endpoint: hook})
}

func TestADisabledEndpointIsNotTested(t *testing.T) {
	test := commands.TestEndpoint{ID: hook, Message: "hello"}
	hooked(t).When(test.Decide(env())).Then(t, domain.EndpointTested{Endpoint: hook, Message: "hello"})
	hooked(t).and(gaveUp(now)).When(test.Decide(env())).ThenRefused(t, domain.ErrEndpointDisabled)
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
