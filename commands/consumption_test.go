package commands_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
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

func TestAnAppSaysOnceThatItHandledAnEvent(t *testing.T) {
	c := commands.ConsumeEvent{Event: delivered}
	given().When(c.Decide(pulling("stock"))).Then(t, handled("stock"))
	given(handled("stock")).When(c.Decide(pulling("stock"))).ThenRefused(t, domain.ErrEventConsumed)
	given(handled("crm")).When(c.Decide(pulling("stock"))).Then(t, handled("stock"))
	given().elsewhere(globex, handled("stock")).When(c.Decide(pulling("stock"))).Then(t, handled("stock"))

	c.App = "stock"
	given().When(c.Decide(pulling("stock"))).Then(t, handled("stock"))
	given().When(c.Decide(pulling("crm"))).ThenRefused(t, domain.ErrNotTheApp)
	given().When(c.Decide(looking(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:stock": {"core.consumption.record"}}})))).Then(t, handled("stock"))
	given().When(c.Decide(looking(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:crm": {"core.consumption.record"}}})))).ThenRefused(t, domain.ErrNotTheApp)
	c.App = "No App"
	given().When(c.Decide(pulling("stock"))).ThenInvalid(t, "/app")
	c.App = ""
	given().When(c.Decide(looking(env()))).ThenInvalid(t, "/app")
}

func TestATokenThatWasIssuedForLessSaysNothingOfEvents(t *testing.T) {
	c := commands.ConsumeEvent{Event: delivered}
	e := looking(by(rights{ceiling: []domain.Pattern{"core.users.read"}}))
	e.App = "stock"
	given().When(c.Decide(e)).ThenRefused(t, domain.ErrNotTheApp)
	e = looking(by(rights{denied: map[domain.Scope][]domain.Pattern{"app:stock": {"core.consumption.*"}}}))
	e.App = "stock"
	given().When(c.Decide(e)).ThenRefused(t, domain.ErrNotTheApp)
}

func TestOnlyAnEventOfTheTenantIsHandled(t *testing.T) {
	given().When(commands.ConsumeEvent{Event: named("another")}.Decide(pulling("stock"))).ThenRefused(t, domain.ErrEventUnknown)

	blind := pulling("stock")
	blind.Recorded = nil
	given().When(commands.ConsumeEvent{Event: delivered}.Decide(blind)).ThenRefused(t, domain.ErrEventUnknown)

	away := pulling("stock")
	away.Recorded = func(context.Context, uuid.UUID) (bool, error) { return false, errNoAnswer }
	if err := given().When(commands.ConsumeEvent{Event: delivered}.Decide(away)).Err(); !errors.Is(err, errNoAnswer) {
		t.Errorf("the fault was lost: %v", err)
	}
	given(handled("stock")).When(commands.ConsumeEvent{Event: delivered}.Decide(away)).ThenRefused(t, domain.ErrEventConsumed) // nobody need be asked
}

func pullEnd(kind domain.EndpointKind) domain.EndpointCreated {
	return domain.EndpointCreated{Endpoint: domain.EndpointID{UUID: named("endpoint")}, App: "stock", Kind: kind}
}

func TestAConsumerSaysHowFarItHasCome(t *testing.T) {
	e := pullEnd(domain.Pull)
	commit := func(through int64, back bool) commands.CommitCheckpoint {
		return commands.CommitCheckpoint{Endpoint: e.Endpoint, Through: through, Back: back}
	}
	said := func(through int64, back bool) domain.CheckpointCommitted {
		return domain.CheckpointCommitted{Checkpoint: domain.CheckpointID(e.Endpoint), App: "stock", Through: through, Back: back}
	}
	h := given(e)
	h.When(commit(42, false).Decide(pulling("stock"))).Then(t, said(42, false))
	h.and(said(42, false)).When(commit(7, false).Decide(pulling("stock"))).Then(t, said(7, false)) // nothing is asked of those before: the table keeps the greatest
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
	h.When(commit(1, false).Decide(scoped("core.users.read"))).ThenRefused(t, domain.ErrEndpointUnknown)
	h.When(commit(1, false).Decide(pulling("crm"))).ThenRefused(t, domain.ErrEndpointUnknown)
	given().When(commit(1, false).Decide(pulling("stock"))).ThenRefused(t, domain.ErrEndpointUnknown)
	given().elsewhere(globex, e).When(commit(1, false).Decide(pulling("stock"))).ThenRefused(t, domain.ErrEndpointUnknown)
	h.and(domain.EndpointDeleted{Endpoint: e.Endpoint}).When(commit(1, false).Decide(pulling("stock"))).ThenRefused(t, domain.ErrEndpointUnknown)
	given(pullEnd(domain.Webhook)).When(commit(1, false).Decide(pulling("stock"))).ThenRefused(t, domain.ErrEndpointKind)
}

func TestThoseWhoHandleOneEventShareALaneAndOthersDoNot(t *testing.T) {
	of := func(app domain.App, event uuid.UUID) string {
		return commands.ConsumeEvent{App: app, Event: event}.Lane()
	}
	if of("", delivered) != of("stock", delivered) || of("", delivered) == of("", named("another")) {
		t.Error("the lanes are wrong")
	}
}
