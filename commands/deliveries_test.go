package commands_test

import (
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

type redelivery struct {
	needs domain.Pattern
	ask   commands.Command
	then  domain.RedeliveryRequested
}

// redeliveries are the three ways to ask, and what they come to.
func redeliveries() map[string]redelivery {
	event, day := named("event"), 24*time.Hour
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
			tillOpened().When(c.ask.Decide(env())).Then(t, c.then)
			tillOpened().and(c.then).When(c.ask.Decide(env())).Then(t, c.then) // each time that it is asked for
			pull := given(domain.EndpointCreated{Endpoint: till, App: "billing", Kind: domain.Pull})
			pull.When(c.ask.Decide(env())).Then(t, c.then)
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
			given().When(c.ask.Decide(env())).ThenRefused(t, domain.ErrEndpointUnknown)
			given().elsewhere(globex, domain.EndpointCreated{Endpoint: till, App: "billing"}).When(c.ask.Decide(env())).ThenRefused(t, domain.ErrEndpointUnknown)
			tillOpened().and(domain.EndpointDeleted{Endpoint: till}).When(c.ask.Decide(env())).ThenRefused(t, domain.ErrEndpointUnknown)
			tillOpened().and(off).When(c.ask.Decide(env())).ThenRefused(t, domain.ErrEndpointDisabled)
			tillOpened().and(off, domain.EndpointEnabled{Endpoint: till}).When(c.ask.Decide(env())).Then(t, c.then)
		})
	}
}

func TestOnlyWhoMayOnTheEndpointsAppHasEventsDeliveredAnew(t *testing.T) {
	for name, c := range redeliveries() {
		t.Run(name, func(t *testing.T) {
			tillOpened().When(c.ask.Decide(onBilling(c.needs))).Then(t, c.then)
			for _, reads := range []domain.Pattern{"core.deliveries.read", "core.endpoints.read"} {
				tillOpened().When(c.ask.Decide(onBilling(reads))).ThenRefused(t, domain.ErrNotAllowed)
			}
			tillOpened().When(c.ask.Decide(onBilling("core.secrets.read"))).ThenRefused(t, domain.ErrEndpointUnknown)
			shop := unprivileged(by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:shop": {"core.deliveries.*"}}}))
			tillOpened().When(c.ask.Decide(shop)).ThenRefused(t, domain.ErrEndpointUnknown)
		})
	}
}

func TestASpanToDeliverAnewLiesInThePast(t *testing.T) {
	hour := time.Hour
	c := commands.RedeliverRange{Endpoint: till, From: now.Add(-hour)}
	tillOpened().When(c.Decide(env())).Then(t, domain.RedeliveryRequested{Endpoint: till, From: now.Add(-hour), Until: now})
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
		tillOpened().When(c.Decide(env())).ThenInvalid(t, wrong.pointer)
	}
	berlin := time.FixedZone("CET", 3600)
	c.From, c.Until = now.Add(-hour).In(berlin), now.In(berlin)
	tillOpened().When(c.Decide(env())).Then(t, domain.RedeliveryRequested{Endpoint: till, From: now.Add(-hour), Until: now})
	tillOpened().When(commands.RedeliverEvent{Endpoint: till, Event: uuid.Nil}.Decide(env())).ThenInvalid(t, "/event_id")
}
