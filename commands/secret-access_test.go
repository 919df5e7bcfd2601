package commands_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func TestAReadingIsOnRecordWithItsVersion(t *testing.T) {
	c := commands.ReadSecret{ID: smtp, Purpose: "mail"}
	want := reading(2)
	want.Purpose = "mail"
	pair().When(c.Decide(env())).Then(t, want)
	c.ID, c.Ref = domain.SecretID{}, "secret://billing/smtp"
	pair().When(c.Decide(env())).Then(t, want)
	if c.Scope() != "app:billing" || (commands.ReadSecret{ID: smtp}).Scope() != "" || (commands.ReadSecret{Ref: "x"}).Scope() != "" {
		t.Error("the scope is not that of the app in the reference")
	}
	name, value := c.Disclose([]dcb.Event{want})
	if name != "value" || value.Item().Tags[0] != versionOf(2).Tag() {
		t.Errorf("it tells %s of %v", name, value.Item().Tags)
	}
}

func TestASecretIsNamedInOneWay(t *testing.T) {
	for pointer, c := range map[string]commands.ReadSecret{
		"/id": {}, "/purpose": {ID: smtp, Purpose: "x "}, "/ref": {Ref: "secret://billing"},
	} {
		pair().When(c.Decide(env())).ThenInvalid(t, pointer)
	}
	both := commands.ReadSecret{ID: smtp, Ref: "secret://billing/smtp"}
	pair().When(both.Decide(env())).ThenInvalid(t, "/id")
	for _, ref := range []string{"billing/smtp", "secret://billing/", "secret:///smtp", "secret://Billing/smtp", "secret://billing/smtp/", "secret://billing/smtp?x"} {
		pair().When(commands.ReadSecret{Ref: ref}.Decide(env())).ThenInvalid(t, "/ref")
	}
	unknown := commands.ReadSecret{Ref: "secret://billing/other"}
	pair().When(unknown.Decide(env())).ThenRefused(t, domain.ErrSecretUnknown)
}

func TestWhoMayNotReadAnAppsSecretsLearnsNothingFromReferences(t *testing.T) {
	for _, ref := range []string{"secret://billing/smtp", "secret://billing/other"} {
		c := commands.ReadSecret{Ref: ref}
		pair().When(c.Decide(onBilling("core.users.*"))).ThenRefused(t, domain.ErrNotAllowed)
	}
	c := commands.ReadSecret{Ref: "secret://billing/smtp"}
	pair().When(c.Decide(onBilling("core.secrets.read"))).Then(t, reading(2))
	given().elsewhere(globex, secretMade("billing")).When(c.Decide(env())).ThenRefused(t, domain.ErrSecretUnknown)
}

func TestAnAppReadsItsOwnSecretsByItsToken(t *testing.T) {
	for _, c := range []commands.ReadSecret{{ID: smtp}, {Ref: "secret://billing/smtp"}} {
		as := func(app string, r rights) commands.Env { e := unprivileged(by(r)); e.App = app; return e }
		pair().When(c.Decide(as("billing", rights{}))).Then(t, reading(2))
		pair().When(c.Decide(as("billing", rights{ceiling: []domain.Pattern{"core.secrets.*"}}))).Events(t)
		no := domain.ErrSecretUnknown
		if c.Ref != "" {
			no = domain.ErrNotAllowed
		}
		pair().When(c.Decide(as("shop", rights{}))).ThenRefused(t, no)
		pair().When(c.Decide(as("", rights{}))).ThenRefused(t, no)
		pair().When(c.Decide(as("billing", rights{ceiling: []domain.Pattern{"core.users.*"}}))).ThenRefused(t, no)
		for _, s := range []domain.Scope{"", "app:billing"} {
			denied := rights{denied: map[domain.Scope][]domain.Pattern{s: {"core.secrets.read"}}}
			pair().When(c.Decide(as("billing", denied))).ThenRefused(t, no)
		}
		pair().When(commands.ReadSecret{ID: c.ID, Ref: c.Ref, Version: 1}.Decide(as("billing", rights{}))).ThenRefused(t, domain.ErrVersionOver)
	}
}

func TestADisabledSecretIsReadByNobody(t *testing.T) {
	off := pair().and(domain.SecretDisabled{Secret: smtp})
	c := commands.ReadSecret{ID: smtp}
	off.When(c.Decide(env())).ThenRefused(t, domain.ErrSecretDisabled)
	off.and(domain.SecretEnabled{Secret: smtp}).When(c.Decide(env())).Events(t)
}

func TestAReplacedVersionIsReadAsLongAsItsGraceLasts(t *testing.T) {
	grace := rotated(2, "two")
	grace.GraceUntil = now.Add(time.Nanosecond)
	h := given(secretMade("billing"), rotated(1, "one"), grace, rotated(3, "three"))
	one := func(version int, e commands.Env) outcome {
		return h.When(commands.ReadSecret{ID: smtp, Version: version}.Decide(e))
	}
	reader := onBilling("core.secrets.read")
	one(0, reader).Then(t, reading(3))
	one(3, reader).Then(t, reading(3))
	one(1, reader).Then(t, reading(1))
	one(2, reader).ThenRefused(t, domain.ErrVersionOver)
	reader.Now = now.Add(time.Nanosecond)
	one(1, reader).ThenRefused(t, domain.ErrVersionOver)
	one(1, onBilling("core.secrets.read", "core.secrets.read-any-version")).Then(t, reading(1))
	one(4, reader).ThenRefused(t, domain.ErrVersionUnknown)
	one(-1, reader).ThenRefused(t, domain.ErrVersionUnknown)
	h = h.and(versionGone(1))
	one(1, env()).ThenRefused(t, domain.ErrDestroyed)
}

func TestAScheduleMakesADateOfTheLastRotation(t *testing.T) {
	every := func(n int) commands.ScheduleRotation {
		return commands.ScheduleRotation{ID: smtp, EveryDays: &n}
	}
	set := domain.SecretScheduled{Secret: smtp, EveryDays: 30, DueAt: now.Add(days(30) - time.Hour)} // history is an hour old
	pair().When(every(30).Decide(env())).Then(t, set)
	pair().and(set).When(every(30).Decide(env())).ThenNothing(t)
	pair().and(set).When(every(0).Decide(env())).Then(t, domain.SecretScheduled{Secret: smtp})
	for _, n := range []int{-1, 3651} {
		pair().When(every(n).Decide(env())).ThenInvalid(t, "/every_days")
	}
}

func TestARotationIsRemindedOfOnceForADate(t *testing.T) {
	due := now.Add(-time.Hour).Add(day)
	h := pair().and(domain.SecretScheduled{Secret: smtp, EveryDays: 1, DueAt: due})
	remind := func(h history, now, due time.Time) outcome {
		e := env()
		e.Now = now
		return h.When(commands.RemindRotation{ID: smtp, DueAt: due}.Decide(e))
	}
	said := domain.SecretRotationDue{Secret: smtp, Version: versionOf(2), DueAt: due}
	remind(h, due, due).Then(t, said)
	remind(h, due.Add(-time.Nanosecond), due).ThenNothing(t)
	remind(h, due, due.Add(time.Hour)).ThenNothing(t)
	remind(h.and(said), due, due).ThenNothing(t)
	remind(h.and(domain.SecretDisabled{Secret: smtp}), due, due).ThenNothing(t)
	remind(h.and(domain.SecretScheduled{Secret: smtp}), due, due).ThenNothing(t)
	remind(h.and(domain.SecretDestroyed{Secret: smtp}), due, due).ThenNothing(t)
	next := rotated(3, "three")
	next.DueAt = due.Add(day)
	remind(h.and(said, next), due.Add(day), due).ThenNothing(t)
	remind(h.and(said, next), due.Add(day), next.DueAt).Then(t, domain.SecretRotationDue{Secret: smtp, Version: versionOf(3), DueAt: next.DueAt})
}

// The rest is about the engine: when a value leaves.

func (w *world) secretOf(t *testing.T, value string) {
	t.Helper()
	w.must(t, w.order(acme, &commands.CreateSecret{ID: smtp, App: "billing", Name: "smtp", Value: domain.SecretText(value)}))
}

func TestAValueIsToldOnlyWhenItsRecordIsSettled(t *testing.T) {
	w := newWorld(t)
	w.secretOf(t, "canary")
	var settled int64
	w.Settle = func(_ context.Context, position int64) error { settled = position; return nil }
	read := func() (commands.Result, error) {
		return w.Execute(t.Context(), w.order(acme, &commands.ReadSecret{ID: smtp}))
	}
	got, err := read()
	if err != nil || got.Reveal != [2]string{"value", "canary"} || settled != got.Position || len(got.Events) != 1 || got.ID != smtp.UUID {
		t.Fatalf("%+v %v, settled %d", got, err, settled)
	}
	stuck := errors.New("the tables are stuck")
	w.Settle = func(context.Context, int64) error { return stuck }
	if got, err = read(); !errors.Is(err, stuck) || got.Reveal[1] != "" {
		t.Errorf("it was told without its row: %v", err)
	}
}

func TestADestroyedValueIsToldToNobody(t *testing.T) {
	w := newWorld(t)
	w.secretOf(t, "one")
	w.must(t, w.order(acme, &commands.RotateSecret{ID: smtp, Value: "two"}))
	w.Settle = func(context.Context, int64) error { // after the reading is decided, before it is opened
		w.Settle = nil
		w.must(t, w.order(acme, &commands.DestroySecret{ID: smtp}))
		return nil
	}
	got, err := w.Execute(t.Context(), w.order(acme, &commands.ReadSecret{ID: smtp}))
	if !errors.Is(err, domain.ErrDestroyed) || got.Reveal[1] != "" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestEachDisclosureHasARecordOfItsOwn(t *testing.T) {
	for _, spec := range commands.Registry {
		if _, tells := spec.Zero.(commands.Disclosing); tells && !spec.Anew {
			t.Errorf("%s tells a value and may be repeated", spec.Name)
		}
	}
	w := newWorld(t)
	w.secretOf(t, "one")
	o := w.order(acme, &commands.ReadSecret{ID: smtp})
	o.Keyed = true
	w.must(t, o)
	if got := w.must(t, o); !got.Replayed || got.Reveal[1] != "" {
		t.Errorf("told again without another record: %+v", got)
	}
}

// A time in the past would bring a version's grace back, and the record would say that it was read then.
func TestNoValueIsToldAtATimeInThePast(t *testing.T) {
	w := newWorld(t)
	w.secretOf(t, "one")
	w.must(t, w.order(acme, &commands.RotateSecret{ID: smtp, Value: "two", Grace: 60}))
	past := w.now
	w.now = w.now.Add(time.Hour)
	reader := func(o *commands.Order) { o.Rights = onBilling("core.secrets.read").Rights }
	one := &commands.ReadSecret{ID: smtp, Version: 1}
	w.refused(t, w.order(acme, one, reader), domain.ErrVersionOver)
	w.refused(t, w.order(acme, one, reader, at(past.Add(time.Second))), domain.ErrInvalid)
}

func TestIfMatchDoesNotTellThatThereIsASecret(t *testing.T) {
	w := newWorld(t)
	w.secretOf(t, "one")
	nobody := func(o *commands.Order) { o.Rights = rights{} }
	w.refused(t, w.order(acme, &commands.ReadSecret{ID: smtp}, nobody, ifMatch(1)), domain.ErrSecretUnknown)
	w.refused(t, w.order(acme, &commands.DisableSecret{ID: smtp}, nobody, ifMatch(1)), domain.ErrSecretUnknown)
	w.refused(t, w.order(acme, &commands.DisableSecret{ID: smtp}, ifMatch(1)), domain.ErrStale)
}

func TestTheFingerprintOfAnOlderReleaseStillMatches(t *testing.T) {
	w := newWorld(t)
	o := w.order(acme, &commands.CreateGroup{ID: group("g"), Name: "g"})
	o.Keyed, o.Fingerprint = true, []byte("old")
	w.must(t, o)
	o.Fingerprint, o.Former = []byte("new"), []byte("old")
	if got, err := w.Execute(t.Context(), o); err != nil || !got.Replayed {
		t.Errorf("%+v %v", got, err)
	}
	o.Former = []byte("other")
	if _, err := w.Execute(t.Context(), o); !errors.Is(err, dcb.ErrKeyReused) {
		t.Errorf("another request under the same key: %v", err)
	}
}
