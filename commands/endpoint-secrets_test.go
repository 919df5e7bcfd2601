package commands_test

import (
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func TestTheKeysBeforeSignOnForADay(t *testing.T) {
	rotate := func(c commands.RotateEndpointSecret) domain.EndpointSecretRotated {
		t.Helper()
		c.ID = hook
		events := hooked(t).and(hookKeys(2)).When(c.Decide(env())).Events(t)
		if len(events) == 0 {
			t.Fatal("nothing is decided")
		}
		e := events[0].(domain.EndpointSecretRotated)
		if _, told := c.Reveal(env()); told != e.Value.Reveal() || e.Number != 3 || e.Version != hook.SecretID(3) || e.Previous != hook.SecretID(2) {
			t.Errorf("the answer shows %s, recorded is %+v", told, e)
		}
		return e
	}
	hours, none := 48, 0
	if e := rotate(commands.RotateEndpointSecret{}); !e.GraceUntil.Equal(now.Add(24 * time.Hour)) {
		t.Errorf("without a word the keys before sign until %v", e.GraceUntil)
	}
	if e := rotate(commands.RotateEndpointSecret{Grace: &hours}); !e.GraceUntil.Equal(now.Add(48 * time.Hour)) {
		t.Errorf("with 48 hours they sign until %v", e.GraceUntil)
	}
	if e := rotate(commands.RotateEndpointSecret{Grace: &none}); !e.GraceUntil.IsZero() {
		t.Errorf("with none they sign until %v", e.GraceUntil)
	}
	if e := rotate(commands.RotateEndpointSecret{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}); e.Value.Reveal() != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" {
		t.Error("the secret that was given is not the one that signs")
	}
}

// rotations are so many of the webhook's keys, at one instant, each of which leaves those before it the grace.
func rotations(n int, grace time.Duration) (all []dcb.Event) {
	for i := range n {
		e := hookKeys(2 + i)
		e.GraceUntil = now.Add(grace)
		all = append(all, e)
	}
	return all
}

func TestKeysSignAsLongAsWasSaidHoweverOftenOthersFollow(t *testing.T) {
	none := 0
	with := func(events ...dcb.Event) history { return hooked(t).and(events...) }
	rotate := commands.RotateEndpointSecret{ID: hook}.Decide(env())
	if events := with(rotations(4, time.Hour)...).When(rotate).Events(t); len(events) != 1 {
		t.Errorf("with four before it decided %v", events)
	}
	with(rotations(5, time.Hour)...).When(rotate).ThenRefused(t, domain.ErrEndpointKeys)
	for what, h := range map[string]history{
		"over": with(rotations(5, 0)...), "ended at once": with(append(rotations(5, time.Hour), hookKeys(7))...),
	} {
		if events := h.When(rotate).Events(t); len(events) == 0 {
			t.Errorf("%s: decided %v", what, events)
		}
	}
	if events := with(rotations(5, time.Hour)...).When(commands.RotateEndpointSecret{ID: hook, Grace: &none}.Decide(env())).Events(t); len(events) == 0 {
		t.Errorf("to end all: decided %v", events)
	}
}

func TestToRotateToTheKeyInForceChangesNothing(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	given := hookKeys(2)
	given.Value, given.GraceUntil = dcb.Hide(secret), now.Add(time.Hour)
	hooked(t).and(given).When(commands.RotateEndpointSecret{ID: hook, Secret: secret}.Decide(env())).ThenNothing(t)
	back := commands.RotateEndpointSecret{ID: hook, Secret: secret}.Decide(env())
	if events := hooked(t).and(given, hookKeys(3)).When(back).Events(t); len(events) == 0 {
		t.Errorf("to one before: decided %v", events)
	}
}

func TestARotationIsChecked(t *testing.T) {
	long, negative := 169, -1
	for _, hours := range []*int{&long, &negative} {
		hooked(t).When(commands.RotateEndpointSecret{ID: hook, Grace: hours}.Decide(env())).ThenInvalid(t, "/grace_hours")
	}
	for _, secret := range []domain.SecretText{"x", "whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + domain.SecretText(strings.Repeat("AAAA", 22))} {
		hooked(t).When(commands.RotateEndpointSecret{ID: hook, Secret: secret}.Decide(env())).ThenInvalid(t, "/secret")
	}
	pulled(t).When(commands.RotateEndpointSecret{ID: hook}.Decide(env())).ThenRefused(t, domain.ErrEndpointKind)
}

func TestTheKeyOfAWebhookIsToldOnRecord(t *testing.T) {
	c := commands.RevealEndpointSecret{ID: hook, Purpose: "the receiver lost it"}
	told := domain.EndpointSecretRevealed{Endpoint: domain.EndpointReading(hook), Version: hook.SecretID(2), Number: 2, Purpose: "the receiver lost it"}
	h := hooked(t).and(hookKeys(2))
	h.When(c.Decide(env())).Then(t, told)
	name, value := c.Disclose(h.When(c.Decide(env())).Events(t))
	if name != "secret" || value == nil {
		t.Errorf("the answer shows %s", name)
	}
	pulled(t).When(c.Decide(env())).ThenRefused(t, domain.ErrEndpointKind)
	c.Purpose = strings.Repeat("x", 3000)
	h.When(c.Decide(env())).ThenInvalid(t, "/purpose")
}
