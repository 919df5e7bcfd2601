package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"chancery/internal/mail/mailtest"
)

// errors waits until so many of the deliveries listed say why, in these words.
func (h *watching) errors(n int, words string) {
	h.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for patience := time.Now().Add(30 * time.Second); ; <-tick.C {
		_, _, body := h.list("")
		if strings.Count(body, words) == n {
			return
		}
		if time.Now().After(patience) {
			h.Fatalf("not %d times %q: %s", n, words, body)
		}
	}
}

func TestWhatATenantTookBackIsNotSentAgain(t *testing.T) {
	const denied = "not sent: by the app's manifest or the tenant's policy"
	h := newWatching(t, Config{})
	for _, name := range []string{"One", "Two"} {
		h.ann.must(t, "acme", "create-group", `{"name":"`+name+`"}`)
	}
	dead := h.becomes("dead 2, dead 2")
	h.answer.Store(http.StatusOK)
	sent := h.requests.Load()
	failed := fmt.Sprintf(`{"endpoint_id":%q}`, h.endpoint)

	h.ann.must(t, "acme", "set-policy", `{"key":"events.deliverable","value":"core.user.*"}`)
	h.ask("redeliver-failed", failed)
	h.errors(2, denied)
	h.becomes("dead 2, dead 2")
	if now := h.requests.Load(); now != sent {
		t.Errorf("%d requests went out against the policy", now-sent)
	}
	stats := h.ann.do(http.MethodGet, "/v1/tenants/acme/endpoints/"+h.endpoint+"/stats", "").body
	if !strings.Contains(stats, `"attempts":4`) || !strings.Contains(stats, `"dead_letters":2`) {
		t.Errorf("statistics: %s", stats)
	}
	h.ann.must(t, "acme", "reset-policy", `{"key":"events.deliverable"}`)

	h.root.must(t, "root", "publish-app-version", `{"manifest":{"app":"stock","version":"1.1.0","events":{"consumes":["core.user.*"]}}}`)
	hash := h.app.column(t, `SELECT payload->>'hash' FROM core.events WHERE type LIKE 'app-version.%' AND payload->>'number' = '1.1.0' AND payload->>'hash' <> ''`)[0]
	h.exec(`UPDATE core.event_deliveries SET error = NULL`)
	h.ann.must(t, "acme", "upgrade-app", fmt.Sprintf(`{"app":"stock","version":"1.1.0","confirm":%q}`, hash))
	h.ask("redeliver-failed", failed)
	h.errors(2, denied)
	if now := h.requests.Load(); now != sent {
		t.Errorf("%d requests went out against the manifest", now-sent)
	}

	// What the endpoint asks for by now is no matter: somebody asked for these.
	h.root.must(t, "root", "publish-app-version", `{"manifest":{"app":"stock","version":"1.2.0","events":{"consumes":["core.*"]}}}`)
	hash = h.app.column(t, `SELECT payload->>'hash' FROM core.events WHERE type LIKE 'app-version.%' AND payload->>'number' = '1.2.0' AND payload->>'hash' <> ''`)[0]
	h.ann.must(t, "acme", "upgrade-app", fmt.Sprintf(`{"app":"stock","version":"1.2.0","confirm":%q}`, hash))
	h.ann.must(t, "acme", "change-endpoint", fmt.Sprintf(`{"id":%q,"types":["core.user.*"],"filter":"false"}`, h.endpoint))
	h.ask("redeliver-event", fmt.Sprintf(`{"endpoint_id":%q,"event_id":%q}`, h.endpoint, dead[1].Event))
	h.becomes("dead 2, delivered 3")
}

func TestTheOwnerOfAnEndpointThatOnlyFailsIsToldByMail(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	c, began := posting(server), newClock(time.Now().UTC().Truncate(time.Second))
	c.Now, c.DeliveryGiveUp, c.DueEvery = began.now, time.Hour, 24*time.Hour
	h := newWatching(t, c)
	since := began.now()
	h.ann.must(t, "acme", "create-group", `{"name":"One"}`)
	h.becomes("retrying 1")
	began.forward(2 * time.Hour)
	m := to(t, server, 1, "ann@acme.test", 1)[0]
	if m.Subject != "An endpoint of stock at Acme is disabled" {
		t.Errorf("it is about %q", m.Subject)
	}
	for _, want := range []string{h.endpoint, "Nothing could be delivered to it since " + since.Format("2 January 2006, 15:04 UTC"), "enable-endpoint", "and not before"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("the mail lacks %q:\n%s", want, m.Text)
		}
	}
}

// redelivered returns when all that was asked for anew is due.
func (a *App) redelivered(t *testing.T) {
	t.Helper()
	if err := a.feed.Wait(t.Context(), "redeliveries", a.headForTest(t)); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for patience := time.Now().Add(30 * time.Second); a.column(t, `SELECT count(*)::text FROM core.redeliveries`)[0] != "0"; <-tick.C {
		if time.Now().After(patience) {
			t.Fatal("redeliveries are not worked off")
		}
	}
}
