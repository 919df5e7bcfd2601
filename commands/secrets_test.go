package commands_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func secret(name string) domain.SecretID { return domain.SecretID{UUID: named("secret " + name)} }

// smtp is the secret that the rest is about.
var smtp = secret("smtp")

func secretKey(app domain.App) domain.Key { return domain.SecretRef{App: app, Name: "smtp"}.Key(acme) }

func secretMade(app domain.App) domain.SecretCreated {
	return domain.SecretCreated{Secret: smtp, App: app, Name: "smtp", Key: secretKey(app)}
}

// versionOf is the n-th version.
func versionOf(n int) domain.VersionID {
	return domain.VersionID{UUID: uuid.NewSHA1(smtp.UUID, []byte{0, 0, 0, byte(n)})}
}

func rotated(n int, value string) domain.SecretRotated {
	e := domain.SecretRotated{Secret: smtp, Version: versionOf(n), Number: n, Value: dcb.Hide(value)}
	if n > 1 {
		e.Previous = versionOf(n - 1)
	}
	return e
}

func versionGone(n int) domain.SecretVersionDestroyed {
	return domain.SecretVersionDestroyed{Secret: smtp, Version: versionOf(n), Number: n, Erases: versionOf(n)}
}

func reading(n int) domain.SecretRead {
	return domain.SecretRead{Secret: domain.Reading(smtp), Version: versionOf(n), Number: n}
}

// pair is the secret smtp of the app billing, with two versions.
func pair() history {
	return given(secretMade("billing"), rotated(1, "one"), rotated(2, "two"))
}

// onBilling is one who has the privileges on the app billing only.
func onBilling(patterns ...domain.Pattern) commands.Env {
	return unprivileged(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:billing": patterns}}))
}

func days(n int) time.Duration { return time.Duration(n) * day }

func TestASecretIsCreatedWithItsFirstVersion(t *testing.T) {
	c := commands.CreateSecret{ID: smtp, App: "billing", Name: "smtp", Description: "mail", Value: "one"}
	made := secretMade("billing")
	made.Description = "mail"
	given().When(c.Decide(env())).Then(t, made, rotated(1, "one"))
	if c.Scope() != "app:billing" {
		t.Errorf("its scope is %s", c.Scope())
	}

	c.App, c.Description, c.EveryDays = "", "", 30
	made = secretMade("core")
	first := rotated(1, "one")
	first.DueAt = now.Add(days(30))
	given().When(c.Decide(env())).Then(t, made, first, domain.SecretScheduled{Secret: smtp, EveryDays: 30, DueAt: first.DueAt})
	if c.Scope() != "app:core" {
		t.Errorf("its scope is %s", c.Scope())
	}
}

func TestASecretsNameIsUniqueInItsApp(t *testing.T) {
	c := commands.CreateSecret{ID: secret("new"), App: "billing", Name: "smtp", Value: "x"}
	pair().When(c.Decide(env())).ThenRefused(t, domain.ErrSecretName)
	pair().and(versionGone(1), versionGone(2), domain.SecretDestroyed{Secret: smtp, Released: secretKey("billing")}).
		When(c.Decide(env())).Events(t)
	c.App = "shop"
	pair().When(c.Decide(env())).Events(t)
	c.ID = smtp
	pair().When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	given().elsewhere(globex, secretMade("billing")).When(c.Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestASecretTakesTextAndNoNonsense(t *testing.T) {
	try := func(change func(*commands.CreateSecret)) outcome {
		c := commands.CreateSecret{ID: smtp, App: "billing", Name: "smtp", Value: "x"}
		change(&c)
		return given().When(c.Decide(env()))
	}
	for value, ok := range map[domain.SecretText]bool{
		"": false, "\tpadded": true, "padded\r\n": true, "a\x00b": false, "\xff": false, "é": true,
		domain.SecretText(strings.Repeat("x", domain.MaxSecret)): true, domain.SecretText(strings.Repeat("x", domain.MaxSecret+1)): false,
	} {
		did := try(func(c *commands.CreateSecret) { c.Value = value })
		if ok {
			if got := did.Events(t)[1].(domain.SecretRotated).Value.Reveal(); got != string(value) {
				t.Error("the value is not kept as it was")
			}
		} else {
			did.ThenInvalid(t, "/value")
		}
		if turned := (commands.RotateSecret{ID: smtp, Value: value}); !ok {
			pair().When(turned.Decide(env())).ThenInvalid(t, "/value")
		}
	}
	for name, ok := range map[string]bool{
		"": false, "a": true, "A": false, "a/b": false, "a.b_c-9": true, "-a": false, "ä": false, "a b": false,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
	} {
		if did := try(func(c *commands.CreateSecret) { c.Name = name }); ok {
			did.Events(t)
		} else {
			did.ThenInvalid(t, "/name")
		}
	}
	try(func(c *commands.CreateSecret) { c.App = "No App" }).ThenInvalid(t, "/app")
	try(func(c *commands.CreateSecret) { c.Description = " x" }).ThenInvalid(t, "/description")
	for _, n := range []int{-1, 3651} {
		try(func(c *commands.CreateSecret) { c.EveryDays = n }).ThenInvalid(t, "/rotate_every_days")
	}
}

func TestAValueOnItsWayInIsNeverPrinted(t *testing.T) {
	var logged strings.Builder
	c := commands.CreateSecret{Value: "canary"}
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "command", c, "value", c.Value)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&logged, verb+verb, c, c.Value)
	}
	if strings.Contains(logged.String(), "canary") || strings.Contains(logged.String(), fmt.Sprintf("%x", "canary")) {
		t.Errorf("printed: %s", logged.String())
	}
}

func TestARotationAddsAVersionAndGivesGraceToTheLast(t *testing.T) {
	c := commands.RotateSecret{ID: smtp, Value: "three"}
	pair().When(c.Decide(env())).Then(t, rotated(3, "three"))

	c.Grace = 3600
	next := rotated(3, "three")
	next.GraceUntil = now.Add(time.Hour)
	pair().When(c.Decide(env())).Then(t, next)

	next.DueAt = now.Add(days(7))
	pair().and(domain.SecretScheduled{Secret: smtp, EveryDays: 7}).When(c.Decide(env())).Then(t, next)

	for grace, ok := range map[int]bool{-1: false, 30 * 86400: true, 30*86400 + 1: false} {
		c.Grace = grace
		if did := pair().When(c.Decide(env())); ok {
			did.Events(t)
		} else {
			did.ThenInvalid(t, "/grace_seconds")
		}
	}
}

func TestARotationComparesAndSets(t *testing.T) {
	c := commands.RotateSecret{ID: smtp, Value: "three", Expected: 2}
	pair().When(c.Decide(env())).Events(t)
	for _, other := range []int{1, 3, -1} {
		c.Expected = other
		pair().When(c.Decide(env())).ThenRefused(t, domain.ErrSecretMoved)
	}
}

func TestTheVersionsOfASecretAreBounded(t *testing.T) {
	h := given(secretMade("billing"))
	for n := range domain.MostVersions {
		e := rotated(1, "x")
		e.Version, e.Number = domain.VersionID{UUID: named(fmt.Sprint("version ", n))}, n+1
		h = h.and(e)
	}
	c := commands.RotateSecret{ID: smtp, Value: "y"}
	h.When(c.Decide(env())).ThenRefused(t, domain.ErrVersionsTooMany)
	h.and(domain.SecretVersionDestroyed{Secret: smtp, Number: 1}).When(c.Decide(env())).Events(t)
}

func TestASecretIsDisabledAndEnabled(t *testing.T) {
	off := domain.SecretDisabled{Secret: smtp, Reason: "leaked"}
	disable, enable := commands.DisableSecret{ID: smtp, Reason: "leaked"}, commands.EnableSecret{ID: smtp}
	pair().When(disable.Decide(env())).Then(t, off)
	pair().and(off).When(disable.Decide(env())).ThenNothing(t)
	pair().and(off).When(enable.Decide(env())).Then(t, domain.SecretEnabled{Secret: smtp})
	pair().When(enable.Decide(env())).ThenNothing(t)
	disable.Reason = "x "
	pair().When(disable.Decide(env())).ThenInvalid(t, "/reason")
}

func TestOnlyReplacedVersionsAreDestroyedAlone(t *testing.T) {
	c := commands.DestroySecretVersion{ID: smtp, Version: 1}
	pair().When(c.Decide(env())).Then(t, versionGone(1))
	pair().and(versionGone(1)).When(c.Decide(env())).ThenNothing(t)
	c.Version = 2
	pair().When(c.Decide(env())).ThenRefused(t, domain.ErrVersionCurrent)
	for _, n := range []int{-1, 0, 3} {
		c.Version = n
		pair().When(c.Decide(env())).ThenRefused(t, domain.ErrVersionUnknown)
	}
}

func TestADestroyedSecretLosesEveryVersionAndItsName(t *testing.T) {
	c := commands.DestroySecret{ID: smtp}
	over := domain.SecretDestroyed{Secret: smtp, Released: secretKey("billing")}
	pair().When(c.Decide(env())).Then(t, versionGone(1), versionGone(2), over)
	h := pair().and(versionGone(1))
	h.When(c.Decide(env())).Then(t, versionGone(2), over)
	h = h.and(versionGone(2), over)
	h.When(c.Decide(env())).ThenNothing(t) // it may be sent again, as whoever was told that it is not on record yet does
	h.When(c.Decide(onBilling("core.secrets.list"))).ThenRefused(t, domain.ErrSecretUnknown)
	h.When(commands.RotateSecret{ID: smtp, Value: "x"}.Decide(env())).ThenRefused(t, domain.ErrSecretUnknown)
}

func TestWhoMayNotKnowOfASecretIsToldThatThereIsNone(t *testing.T) {
	every, privileges := ofSMTP()
	for name, c := range every {
		t.Run(name, func(t *testing.T) {
			pair().When(c.Decide(onBilling(privileges[name]))).Events(t)
			shop := unprivileged(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:shop": {"core.secrets.*"}}}))
			pair().When(c.Decide(shop)).ThenRefused(t, domain.ErrSecretUnknown)
			pair().When(c.Decide(onBilling("core.users.*"))).ThenRefused(t, domain.ErrSecretUnknown)
			pair().When(c.Decide(onBilling("core.secrets.list"))).ThenRefused(t, domain.ErrNotAllowed)
			given().When(c.Decide(env())).ThenRefused(t, domain.ErrSecretUnknown)
			given().elsewhere(globex, secretMade("billing"), rotated(1, "x")).When(c.Decide(env())).ThenRefused(t, domain.ErrSecretUnknown)
		})
	}
}

// ofSMTP is every command about one secret by its id, with its privilege.
func ofSMTP() (map[string]commands.Command, map[string]domain.Pattern) {
	id := smtp
	every := map[string]commands.Command{
		"rotate-secret": commands.RotateSecret{ID: id, Value: "x"}, "disable-secret": commands.DisableSecret{ID: id},
		"enable-secret": commands.EnableSecret{ID: id}, "destroy-secret-version": commands.DestroySecretVersion{ID: id, Version: 1},
		"destroy-secret": commands.DestroySecret{ID: id}, "schedule-rotation": commands.ScheduleRotation{ID: id}, "read-secret": commands.ReadSecret{ID: id},
	}
	privileges := map[string]domain.Pattern{}
	for name := range every {
		spec, _ := commands.Named(name)
		privileges[name] = domain.Pattern(spec.Privilege)
	}
	return every, privileges
}
