package commands_test

import (
	"context"
	"errors"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

var delivered = named("the event")

// pulling is what a token of an app may, with no privilege at all. The tenant has the event delivered, and 42 in all.
func pulling(app string) commands.Env {
	e := unprivileged(by(rights{}))
	e.App = app
	return looking(e)
}

func looking(e commands.Env) commands.Env {
	e.Recorded = func(_ context.Context, id uuid.UUID) (bool, error) { return id == delivered, nil }
	e.Reached = func(_ context.Context, seq int64) (bool, error) { return seq <= 42, nil }
	return e
}

func handled(app domain.App) domain.EventConsumed {
	return domain.EventConsumed{Consumption: domain.ConsumedBy(acme, app, delivered), App: app, Event: delivered}
}

// atBoth is a tenant in which the apps stock and crm are at work.
func atBoth(t *testing.T) history {
	t.Helper()
	return atWork(t, given().elsewhere(domain.Root, publishedApps(t, `{"app":"stock","version":"1.0.0"}`, crmManifest)...), "stock@1.0.0", "crm@1.0.0")
}

func TestAnAppSaysOnceThatItHandledAnEvent(t *testing.T) {
	c := commands.ConsumeEvent{Event: delivered}
	atBoth(t).When(c.Decide(pulling("stock"))).Then(t, handled("stock"))
	atBoth(t).and(handled("stock")).When(c.Decide(pulling("stock"))).ThenRefused(t, domain.ErrEventConsumed)
	atBoth(t).and(handled("crm")).When(c.Decide(pulling("stock"))).Then(t, handled("stock"))
	atBoth(t).elsewhere(globex, handled("stock")).When(c.Decide(pulling("stock"))).Then(t, handled("stock"))

	c.App = "stock"
	atBoth(t).When(c.Decide(pulling("stock"))).Then(t, handled("stock"))
	atBoth(t).When(c.Decide(pulling("crm"))).ThenRefused(t, domain.ErrNotTheApp)
	atBoth(t).When(c.Decide(looking(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:stock": {"core.consumption.record"}}})))).Then(t, handled("stock"))
	atBoth(t).When(c.Decide(looking(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:crm": {"core.consumption.record"}}})))).ThenRefused(t, domain.ErrNotTheApp)
	both := looking(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:stock": {"core.consumption.record"}}}))
	both.App = "crm" // whoever holds the token of an app: it speaks for that app
	atBoth(t).When(c.Decide(both)).ThenRefused(t, domain.ErrNotTheApp)
	c.App = "stok"
	atBoth(t).When(c.Decide(looking(env()))).ThenRefused(t, domain.ErrAppNotEnabled)
	c.App = "stock"
	off := domain.AppDisabled{TenantApp: domain.App("stock").In(acme), Name: "stock"}
	atBoth(t).and(off).When(c.Decide(pulling("stock"))).ThenRefused(t, domain.ErrAppNotEnabled)
	c.App = "No App"
	atBoth(t).When(c.Decide(pulling("stock"))).ThenInvalid(t, "/app")
	c.App = ""
	atBoth(t).When(c.Decide(looking(env()))).ThenInvalid(t, "/app")
}

func TestATokenThatWasIssuedForLessSaysNothingOfEvents(t *testing.T) {
	c := commands.ConsumeEvent{Event: delivered}
	e := looking(by(rights{ceiling: []domain.Pattern{"core.users.read"}}))
	e.App = "stock"
	atBoth(t).When(c.Decide(e)).ThenRefused(t, domain.ErrNotTheApp)
	e = looking(by(rights{denied: map[domain.Scope][]domain.Pattern{"app:stock": {"core.consumption.*"}}}))
	e.App = "stock"
	atBoth(t).When(c.Decide(e)).ThenRefused(t, domain.ErrNotTheApp)
}

func TestOnlyAnEventOfTheTenantIsHandled(t *testing.T) {
	atBoth(t).When(commands.ConsumeEvent{Event: named("another")}.Decide(pulling("stock"))).ThenRefused(t, domain.ErrEventUnknown)

	blind := pulling("stock")
	blind.Recorded = nil
	atBoth(t).When(commands.ConsumeEvent{Event: delivered}.Decide(blind)).ThenRefused(t, domain.ErrEventUnknown)

	away := pulling("stock")
	away.Recorded = func(context.Context, uuid.UUID) (bool, error) { return false, errNoAnswer }
	if err := atBoth(t).When(commands.ConsumeEvent{Event: delivered}.Decide(away)).Err(); !errors.Is(err, errNoAnswer) {
		t.Errorf("the fault was lost: %v", err)
	}
	atBoth(t).and(handled("stock")).When(commands.ConsumeEvent{Event: delivered}.Decide(away)).ThenRefused(t, domain.ErrEventConsumed) // nobody need be asked
}

func pullEnd(kind domain.EndpointKind) domain.EndpointCreated {
	return domain.EndpointCreated{Endpoint: domain.EndpointID{UUID: named("endpoint")}, App: "stock", Kind: kind}
}

func TestAConsumerSaysHowFarItHasCome(t *testing.T) {
	e := pullEnd(domain.Pull)
	commit := func(through int64, back bool) commands.CommitCheckpoint {
		return commands.CommitCheckpoint{Endpoint: e.Endpoint, Through: commands.TenantSeq(through), Back: back}
	}
	said := func(through int64, back bool) domain.CheckpointCommitted {
		return domain.CheckpointCommitted{Checkpoint: domain.CheckpointID(e.Endpoint), App: "stock", Through: through, Back: back}
	}
	h := given(e)
	h.When(commit(42, false).Decide(pulling("stock"))).Then(t, said(42, false))
	at := func(so domain.Checkpoint) commands.Env {
		e := pulling("stock")
		e.Checkpoint = func(context.Context, domain.EndpointID) (domain.Checkpoint, error) { return so, nil }
		return e
	}
	seven := at(domain.Checkpoint{Committed: true, Through: 7})
	for _, again := range []commands.CommitCheckpoint{commit(7, false), commit(6, false), commit(7, true)} {
		h.When(again.Decide(seven)).ThenNothing(t)
	}
	h.When(commit(8, false).Decide(seven)).Then(t, said(8, false))
	h.When(commit(6, true).Decide(seven)).Then(t, said(6, true))
	seven.Ahead = func(domain.TenantID) []dcb.Event { return []dcb.Event{said(3, true)} }
	h.When(commit(7, false).Decide(seven)).Then(t, said(7, false)) // what the same request said before counts
	h.When(commit(3, true).Decide(seven)).ThenNothing(t)
	h.When(commit(1, false).Decide(at(domain.Checkpoint{}))).Then(t, said(1, false))
	away := pulling("stock")
	away.Checkpoint = func(context.Context, domain.EndpointID) (domain.Checkpoint, error) {
		return domain.Checkpoint{}, errNoAnswer
	}
	if err := h.When(commit(7, false).Decide(away)).Err(); !errors.Is(err, errNoAnswer) {
		t.Errorf("the fault was lost: %v", err)
	}

	h.When(commit(0, true).Decide(pulling("stock"))).Then(t, said(0, true))
	h.When(commit(43, false).Decide(pulling("stock"))).ThenInvalid(t, "/through")
	h.When(commit(43, true).Decide(pulling("stock"))).ThenInvalid(t, "/through")
	h.When(commit(0, false).Decide(pulling("stock"))).ThenInvalid(t, "/through")
	h.When(commit(-1, true).Decide(pulling("stock"))).ThenInvalid(t, "/through")

	scoped := func(p domain.Pattern) commands.Env {
		return looking(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:stock": {p}}}))
	}
	h.When(commit(1, false).Decide(scoped("core.consumption.checkpoint"))).Then(t, said(1, false))
	h.When(commit(1, false).Decide(scoped("core.endpoints.read"))).ThenRefused(t, domain.ErrNotTheApp)
	another := scoped("core.consumption.checkpoint")
	another.App = "crm"
	h.When(commit(1, false).Decide(another)).ThenRefused(t, domain.ErrNotTheApp)
	h.When(commit(1, false).Decide(scoped("core.users.read"))).ThenRefused(t, domain.ErrEndpointUnknown)
	h.When(commit(1, false).Decide(pulling("crm"))).ThenRefused(t, domain.ErrEndpointUnknown)
	given().When(commit(1, false).Decide(pulling("stock"))).ThenRefused(t, domain.ErrEndpointUnknown)
	given().elsewhere(globex, e).When(commit(1, false).Decide(pulling("stock"))).ThenRefused(t, domain.ErrEndpointUnknown)
	h.and(domain.EndpointDeleted{Endpoint: e.Endpoint}).When(commit(1, false).Decide(pulling("stock"))).ThenRefused(t, domain.ErrEndpointUnknown)
	given(pullEnd(domain.Webhook)).When(commit(1, false).Decide(pulling("stock"))).ThenRefused(t, domain.ErrEndpointKind)
}

func TestAPlaceIsANumberOrATextOfItsDigits(t *testing.T) {
	for text, want := range map[string]commands.TenantSeq{`7`: 7, `"7"`: 7, `"9223372036854775807"`: 1<<63 - 1, `-1`: -1, `null`: 0, `"0"`: 0} {
		var s commands.TenantSeq
		if err := json.Unmarshal([]byte(text), &s); err != nil || s != want {
			t.Errorf("%s is %d, %v", text, s, err)
		}
	}
	for _, text := range []string{`"-1"`, `""`, `"x"`, `"7x"`, `1.5`, `1e3`, `"9223372036854775808"`, `true`, `[7]`, `"+7"`, `" 7"`, `"\u0037"`} {
		if s := commands.TenantSeq(0); json.Unmarshal([]byte(text), &s) == nil {
			t.Errorf("%s is %d", text, s)
		}
	}
}

func TestThoseWhoHandleOneEventShareALaneAndOthersDoNot(t *testing.T) {
	of := func(app domain.App, event uuid.UUID) string {
		return commands.ConsumeEvent{App: app, Event: event}.Lane()
	}
	if of("", delivered) != of("stock", delivered) || of("", delivered) == of("", named("another")) {
		t.Error("the lanes are wrong")
	}
}
