package commands_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// till is an endpoint of the app billing.
var till = domain.EndpointID{UUID: named("endpoint till")}

func tillOpened() history {
	return given(domain.EndpointCreated{Endpoint: till, App: "billing", Kind: domain.Webhook, Terms: domain.EndpointTerms{Types: []domain.EventPattern{"*"}, Body: domain.Thin}})
}

// delivering has the tenant and the endpoint have the event delivered.
func delivering(e commands.Env) commands.Env {
	e.Recorded = func(_ context.Context, id uuid.UUID) (bool, error) {
		return id == delivered || id == named("not meant"), nil
	}
	e.Delivers = func(_ context.Context, to domain.EndpointID, id uuid.UUID) (bool, error) {
		return to == till && id == delivered, nil
	}
	return e
}

type redelivery struct {
	needs domain.Pattern
	ask   commands.Command
	then  domain.RedeliveryRequested
}

// redeliveries are the three ways to ask, and what they come to.
func redeliveries() map[string]redelivery {
	event, day := delivered, 24*time.Hour
	return map[string]redelivery{
		"one": {
			"core.deliveries.redeliver",
			commands.RedeliverEvent{Endpoint: till, Event: event},
			domain.RedeliveryRequested{Endpoint: till, Event: event},
		},
		"a span": {
			"core.deliveries.redeliver-range",
			commands.RedeliverRange{Endpoint: till, From: now.Add(-2 * day), Until: now.Add(-day)},
			domain.RedeliveryRequested{Endpoint: till, From: now.Add(-2 * day), Until: now.Add(-day)},
		},
		"all dead letters": {
			"core.deliveries.redeliver-failed",
			commands.RedeliverFailed{Endpoint: till},
			domain.RedeliveryRequested{Endpoint: till, Failed: true},
		},
	}
}

func TestEventsAreDeliveredAnew(t *testing.T) {
	for name, c := range redeliveries() {
		t.Run(name, func(t *testing.T) {
			tillOpened().When(c.ask.Decide(delivering(env()))).Then(t, c.then)
			tillOpened().and(c.then).When(c.ask.Decide(delivering(env()))).Then(t, c.then) // each time that it is asked for
			pull := given(domain.EndpointCreated{Endpoint: till, App: "billing", Kind: domain.Pull})
			pull.When(c.ask.Decide(delivering(env()))).Then(t, c.then)
			if c.ask.(commands.Targeted).Target() != dcb.Tagger(till) {
				t.Error("it is not about the endpoint")
			}
		})
	}
}

func TestNothingIsDeliveredAnewToAnEndpointThatIsNotOpen(t *testing.T) {
	off := domain.EndpointDisabled{Endpoint: till, Why: domain.DisabledByHand}
	for name, c := range redeliveries() {
		t.Run(name, func(t *testing.T) {
			given().When(c.ask.Decide(delivering(env()))).ThenRefused(t, domain.ErrEndpointUnknown)
			given().elsewhere(globex, domain.EndpointCreated{Endpoint: till, App: "billing"}).When(c.ask.Decide(delivering(env()))).ThenRefused(t, domain.ErrEndpointUnknown)
			tillOpened().and(domain.EndpointDeleted{Endpoint: till}).When(c.ask.Decide(delivering(env()))).ThenRefused(t, domain.ErrEndpointUnknown)
			tillOpened().and(off).When(c.ask.Decide(delivering(env()))).ThenRefused(t, domain.ErrEndpointDisabled)
			tillOpened().and(off, domain.EndpointEnabled{Endpoint: till}).When(c.ask.Decide(delivering(env()))).Then(t, c.then)
		})
	}
}

func TestOnlyWhoMayOnTheEndpointsAppHasEventsDeliveredAnew(t *testing.T) {
	for name, c := range redeliveries() {
		t.Run(name, func(t *testing.T) {
			tillOpened().When(c.ask.Decide(delivering(onBilling(c.needs)))).Then(t, c.then)
			for _, reads := range []domain.Pattern{"core.deliveries.read", "core.endpoints.read"} {
				tillOpened().When(c.ask.Decide(onBilling(reads))).ThenRefused(t, domain.ErrNotAllowed)
			}
			tillOpened().When(c.ask.Decide(onBilling("core.secrets.read"))).ThenRefused(t, domain.ErrEndpointUnknown)
			shop := unprivileged(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:shop": {"core.deliveries.*"}}}))
			tillOpened().When(c.ask.Decide(shop)).ThenRefused(t, domain.ErrEndpointUnknown)
		})
	}
}

func TestOnlyWhatTheEndpointWasOrIsToBeSentIsDeliveredAnew(t *testing.T) {
	ask := func(event string) commands.RedeliverEvent {
		return commands.RedeliverEvent{Endpoint: till, Event: named(event)}
	}
	tillOpened().When(ask("another tenant's").Decide(delivering(env()))).ThenRefused(t, domain.ErrEventUnknown)
	tillOpened().When(ask("not meant").Decide(delivering(env()))).ThenRefused(t, domain.ErrNothingToDeliver)

	one := commands.RedeliverEvent{Endpoint: till, Event: delivered}
	blind := delivering(env())
	blind.Delivers = nil
	tillOpened().When(one.Decide(blind)).ThenRefused(t, domain.ErrNothingToDeliver)
	blind.Recorded = nil
	tillOpened().When(one.Decide(blind)).ThenRefused(t, domain.ErrEventUnknown)

	away := delivering(env())
	away.Delivers = func(context.Context, domain.EndpointID, uuid.UUID) (bool, error) { return false, errNoAnswer }
	if err := tillOpened().When(one.Decide(away)).Err(); !errors.Is(err, errNoAnswer) {
		t.Errorf("the fault was lost: %v", err)
	}
	given().When(one.Decide(away)).ThenRefused(t, domain.ErrEndpointUnknown) // who may not know of the endpoint is not told of its events
}

func TestASpanToDeliverAnewLiesInThePast(t *testing.T) {
	hour := time.Hour
	c := commands.RedeliverRange{Endpoint: till, From: now.Add(-hour)}
	tillOpened().When(c.Decide(delivering(env()))).Then(t, domain.RedeliveryRequested{Endpoint: till, From: now.Add(-hour), Until: now})
	for _, wrong := range []struct {
		from, until time.Time
		pointer     string
	}{
		{time.Time{}, now, "/from"},
		{now, time.Time{}, "/from"},
		{now.Add(hour), now.Add(2 * hour), "/from"},
		{now.Add(-hour), now.Add(hour), "/until"},
		{now.Add(-hour), now.Add(-hour), "/until"},
		{now.Add(-hour), now.Add(-2 * hour), "/until"},
	} {
		c.From, c.Until = wrong.from, wrong.until
		tillOpened().When(c.Decide(delivering(env()))).ThenInvalid(t, wrong.pointer)
	}
	berlin := time.FixedZone("CET", 3600)
	c.From, c.Until = now.Add(-hour).In(berlin), now.In(berlin)
	tillOpened().When(c.Decide(delivering(env()))).Then(t, domain.RedeliveryRequested{Endpoint: till, From: now.Add(-hour), Until: now})
	tillOpened().When(commands.RedeliverEvent{Endpoint: till, Event: uuid.Nil}.Decide(delivering(env()))).ThenInvalid(t, "/event_id")
}
