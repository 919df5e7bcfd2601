package commands_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// hook is the endpoint that the tests are about: a webhook of the app crm, which consumes events of users and of the shop.
var hook = domain.EndpointID{UUID: named("endpoint hook")}

// crmPool is all endpoints of the app.
var crmPool = domain.EndpointPool(acme, "crm")

const crmManifest = `{"app":"crm","version":"1.0.0","events":{"consumes":["core.user.*","core.endpoint.tested","shop.order.placed"]}}`

// atCRM is a tenant in which the app is at work.
func atCRM(t *testing.T) history {
	t.Helper()
	return atWork(t, given().elsewhere(domain.Root, publishedApps(t, crmManifest)...), "crm@1.0.0")
}

func hookTerms() domain.EndpointTerms {
	return domain.EndpointTerms{Types: []domain.EventPattern{"core.user.*"}, URL: "https://crm.example/hook", Body: domain.Thin, Concurrency: 10}
}

func createHook() commands.CreateEndpoint {
	return commands.CreateEndpoint{ID: hook, App: "crm", Kind: domain.Webhook, Types: []domain.EventPattern{"core.user.*"}, URL: "https://crm.example/hook"}
}

func hookMade() domain.EndpointCreated {
	return domain.EndpointCreated{Endpoint: hook, App: "crm", Kind: domain.Webhook, Terms: hookTerms(), Pool: crmPool}
}

// hookKeys are the n-th keys of the webhook, whatever they are.
func hookKeys(n int) domain.EndpointSecretRotated {
	e := domain.EndpointSecretRotated{Endpoint: hook, Version: hook.SecretID(n), Number: n, Value: dcb.Hide("whsec_x"), Private: dcb.Hide("whsk_x"), Public: "whpk_x"}
	if n > 1 {
		e.Previous = hook.SecretID(n - 1)
	}
	return e
}

// hooked is a tenant with the webhook.
func hooked(t *testing.T) history { t.Helper(); return atCRM(t).and(hookMade(), hookKeys(1)) }

// pulled is a tenant with an endpoint of the other kind.
func pulled(t *testing.T) history {
	t.Helper()
	return atCRM(t).and(domain.EndpointCreated{Endpoint: hook, App: "crm", Kind: domain.Pull, Pool: crmPool, Terms: domain.EndpointTerms{
		Types: []domain.EventPattern{"core.user.*"}, Body: domain.Thin, Lease: 30, Attempts: 10,
	}})
}

// onCRM is one who has the privileges on the app crm only, and reads events.
func onCRM(patterns ...domain.Pattern) commands.Env {
	return unprivileged(by(rights{wide: []domain.Pattern{"core.events.read"}, scoped: map[domain.Scope][]domain.Pattern{"app:crm": patterns}}))
}

func TestAWebhookIsCreatedWithItsKeys(t *testing.T) {
	c := createHook()
	c.Types = []domain.EventPattern{"shop.order.placed", "core.user.*", "core.user.*"}
	c.Filter, c.Body, c.OrderBy, c.PerSecond, c.Description, c.From = `data.size > 3`, domain.Full, "/order/id", new(5), "to the CRM", now.Add(-time.Hour)
	events := atCRM(t).When(c.Decide(env())).Events(t)
	if len(events) != 2 {
		t.Fatalf("decided %v", events)
	}
	made, keys := events[0].(domain.EndpointCreated), events[1].(domain.EndpointSecretRotated)
	want := domain.EndpointTerms{
		Description: "to the CRM", Types: []domain.EventPattern{"core.user.*", "shop.order.placed"}, Filter: `data.size > 3`,
		URL: "https://crm.example/hook", Body: domain.Full, OrderBy: "/order/id", Concurrency: 10, PerSecond: 5,
	}
	if !made.Terms.Equal(want) || made.App != "crm" || made.Kind != domain.Webhook || !made.From.Equal(c.From) {
		t.Errorf("created %+v", made)
	}
	name, secret := c.Reveal(env())
	if name != "secret" || secret != keys.Value.Reveal() || keys.Number != 1 || keys.Version != hook.SecretID(1) || keys.Previous != (domain.EndpointSecretID{}) {
		t.Errorf("the answer shows %s %s, recorded is %+v", name, secret, keys)
	}
	hmac, private, public := decoded(t, "whsec_", secret), decoded(t, "whsk_", keys.Private.Reveal()), decoded(t, "whpk_", keys.Public)
	if len(hmac) != 32 || len(private) != 32 || len(public) != 32 || bytes.Equal(hmac, private) {
		t.Errorf("keys of %d, %d and %d bytes", len(hmac), len(private), len(public))
	}
	if c.Scope() != "app:crm" {
		t.Errorf("its scope is %s", c.Scope())
	}

	c = createHook()
	c.Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	given := atCRM(t).When(c.Decide(env())).Events(t)[1].(domain.EndpointSecretRotated)
	if _, told := c.Reveal(env()); given.Value.Reveal() != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" || told != given.Value.Reveal() {
		t.Error("the secret that was given is not the one that signs")
	}
}

func decoded(t *testing.T, prefix, text string) []byte {
	t.Helper()
	rest, ok := strings.CutPrefix(text, prefix)
	b, err := base64.StdEncoding.DecodeString(rest)
	if !ok || err != nil {
		t.Fatalf("%q is no %s: %v", text, prefix, err)
	}
	return b
}

func TestAPullEndpointHasNoKeys(t *testing.T) {
	c := commands.CreateEndpoint{ID: hook, App: "crm", Kind: domain.Pull, Types: []domain.EventPattern{"core.user.*"}}
	atCRM(t).When(c.Decide(env())).Then(t, domain.EndpointCreated{Endpoint: hook, App: "crm", Kind: domain.Pull, Pool: crmPool, Terms: domain.EndpointTerms{
		Types: []domain.EventPattern{"core.user.*"}, Body: domain.Thin, Lease: 30, Attempts: 10,
	}})
	if name, _ := c.Reveal(env()); name != "" {
		t.Errorf("its answer shows %s", name)
	}
}

func TestAnEndpointHasOnlyWhatManifestAndPolicyAllow(t *testing.T) {
	c := createHook()
	c.Types = []domain.EventPattern{"*", "core.*", "core.user.*", "core.user.registered", "shop.*", "shop.order.placed"}
	refusal := atCRM(t).When(c.Decide(env()))
	refusal.ThenRefused(t, domain.ErrTypesNotAllowed)
	var all *domain.InputErrors
	if !errors.As(refusal.Err(), &all) || len(all.Places) != 3 {
		t.Errorf("told are %v", refusal.Err())
	}

	narrow := atCRM(t).and(policy(domain.EventsDeliverable, "core.user.registered shop.*"))
	c.Types = []domain.EventPattern{"shop.order.placed", "shop.order.placed", "core.user.*"} // the caller's places, whatever is recorded
	refusal = narrow.When(c.Decide(env()))
	refusal.ThenRefused(t, domain.ErrTypesNotAllowed)
	if !errors.As(refusal.Err(), &all) || len(all.Places) != 1 || all.Places[0].Pointer != "/types/2" || !strings.Contains(all.Places[0].Detail, "events.deliverable") {
		t.Errorf("told are %v", refusal.Err())
	}
	c.Types = []domain.EventPattern{"core.user.registered", "shop.order.placed"}
	if err := narrow.When(c.Decide(env())).Err(); err != nil {
		t.Errorf("what both allow: %v", err)
	}
}

func TestOnlyAnAppAtWorkGetsEvents(t *testing.T) {
	given().When(createHook().Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	given().elsewhere(domain.Root, publishedApps(t, crmManifest)...).When(createHook().Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	atCRM(t).and(domain.AppDisabled{TenantApp: domain.App("crm").In(acme), Name: "crm"}).When(createHook().Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
}

func TestAnIDOfAnEndpointIsUsedOnce(t *testing.T) {
	hooked(t).When(createHook().Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	hooked(t).and(domain.EndpointDeleted{Endpoint: hook}).When(createHook().Decide(env())).ThenRefused(t, domain.ErrIDTaken)
	atCRM(t).elsewhere(globex, hookMade()).When(createHook().Decide(env())).ThenRefused(t, domain.ErrIDTaken)
}

func TestNobodyHasEventsSentWhoDoesNotReadThem(t *testing.T) {
	blind := by(rights{scoped: map[domain.Scope][]domain.Pattern{"app:crm": {"core.endpoints.*"}}})
	atCRM(t).When(createHook().Decide(blind)).ThenRefused(t, domain.ErrNotAllowed)
	url := "https://other.example/"
	hooked(t).When(commands.ChangeEndpoint{ID: hook, URL: &url}.Decide(blind)).ThenRefused(t, domain.ErrNotAllowed)
}

func TestAChangeOfAnEndpointKeepsWhatItDoesNotName(t *testing.T) {
	url, filter, rate, body := "https://new.example/", `type == "core.user.registered"`, 7, domain.Full
	terms := hookTerms()
	terms.URL, terms.Filter, terms.PerSecond, terms.Body = url, filter, rate, body
	change := commands.ChangeEndpoint{ID: hook, URL: &url, Filter: &filter, PerSecond: &rate, Body: &body}
	hooked(t).When(change.Decide(onCRM("core.endpoints.change"))).Then(t, domain.EndpointChanged{Endpoint: hook, Terms: terms})
	hooked(t).and(domain.EndpointChanged{Endpoint: hook, Terms: terms}).When(change.Decide(env())).ThenNothing(t)

	older, words := hookTerms(), "for the crew"
	older.Filter = `time.getHours("UTC") >= 0` // the language had that once
	renamed := older
	renamed.Description = words
	unread := func() history { return hooked(t).and(domain.EndpointChanged{Endpoint: hook, Terms: older}) }
	unread().When(commands.ChangeEndpoint{ID: hook, Description: &words}.Decide(env())).Then(t, domain.EndpointChanged{Endpoint: hook, Terms: renamed})
	unread().When(commands.ChangeEndpoint{ID: hook, Filter: &older.Filter}.Decide(env())).ThenInvalid(t, "/filter")

	types := []domain.EventPattern{"shop.order.placed", "core.user.*"}
	terms = hookTerms()
	terms.Types = []domain.EventPattern{"core.user.*", "shop.order.placed"}
	hooked(t).When(commands.ChangeEndpoint{ID: hook, Types: &types}.Decide(env())).Then(t, domain.EndpointChanged{Endpoint: hook, Terms: terms})

	types = []domain.EventPattern{"shop.order.placed", "core.*"}
	refusal := hooked(t).When(commands.ChangeEndpoint{ID: hook, Types: &types}.Decide(env()))
	refusal.ThenRefused(t, domain.ErrTypesNotAllowed)
	if all := (*domain.InputErrors)(nil); !errors.As(refusal.Err(), &all) || all.Places[0].Pointer != "/types/1" {
		t.Errorf("told are %v", refusal.Err())
	}
	types = []domain.EventPattern{"shop.order.placed", "Bad"}
	hooked(t).When(commands.ChangeEndpoint{ID: hook, Types: &types}.Decide(env())).ThenInvalid(t, "/types/1")
	off := domain.AppDisabled{TenantApp: domain.App("crm").In(acme), Name: "crm"}
	types = []domain.EventPattern{"core.user.*"}
	hooked(t).and(off).When(commands.ChangeEndpoint{ID: hook, Types: &types}.Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	bad, lease := "http://new.example/", 5
	hooked(t).When(commands.ChangeEndpoint{ID: hook, URL: &bad}.Decide(env())).ThenInvalid(t, "/url")
	hooked(t).When(commands.ChangeEndpoint{ID: hook, Lease: &lease}.Decide(env())).ThenInvalid(t, "/lease_seconds")

	// A policy that was narrowed afterwards does not keep the rest from being changed.
	narrowed := hooked(t).and(policy(domain.EventsDeliverable, "shop.*"))
	if err := narrowed.When(commands.ChangeEndpoint{ID: hook, URL: &url}.Decide(env())).Err(); err != nil {
		t.Errorf("another URL, after the policy was narrowed: %v", err)
	}
}

// TestAnEndpointIsItsAppsBusiness: each command asks for its privilege on the app, and who may not know of the endpoint learns nothing.
func TestAnEndpointIsItsAppsBusiness(t *testing.T) {
	disabled := domain.EndpointDisabled{Endpoint: hook, Why: domain.DisabledByHand}
	name := "x"
	for privilege, c := range map[domain.Pattern]commands.Command{
		"core.endpoints.change":        commands.ChangeEndpoint{ID: hook, Description: &name},
		"core.endpoints.enable":        commands.EnableEndpoint{ID: hook},
		"core.endpoints.disable":       commands.DisableEndpoint{ID: hook},
		"core.endpoints.delete":        commands.DeleteEndpoint{ID: hook},
		"core.endpoints.rotate-secret": commands.RotateEndpointSecret{ID: hook},
		"core.endpoints.reveal-secret": commands.RevealEndpointSecret{ID: hook},
		"core.endpoints.test":          commands.TestEndpoint{ID: hook},
	} {
		t.Run(string(privilege), func(t *testing.T) {
			h := hooked(t)
			if privilege == "core.endpoints.enable" {
				h = h.and(disabled)
			}
			decided := 1
			if privilege == "core.endpoints.delete" {
				decided = 2 // with its keys
			}
			if events := h.When(c.Decide(onCRM(privilege))).Events(t); len(events) != decided {
				t.Errorf("decided %v", events)
			}
			h.When(c.Decide(onCRM("core.endpoints.read"))).ThenRefused(t, domain.ErrNotAllowed)
			h.When(c.Decide(onCRM("core.secrets.read"))).ThenRefused(t, domain.ErrEndpointUnknown)
			h.When(c.Decide(onBilling(privilege))).ThenRefused(t, domain.ErrEndpointUnknown)
			given().When(c.Decide(env())).ThenRefused(t, domain.ErrEndpointUnknown)
			atCRM(t).elsewhere(globex, hookMade(), hookKeys(1)).When(c.Decide(env())).ThenRefused(t, domain.ErrEndpointUnknown)
			gone := h.and(domain.EndpointDeleted{Endpoint: hook})
			gone.When(c.Decide(onCRM("core.endpoints.read"))).ThenRefused(t, domain.ErrEndpointUnknown)
			if privilege != "core.endpoints.delete" {
				gone.When(c.Decide(env())).ThenRefused(t, domain.ErrEndpointUnknown)
			}
		})
	}
}
