package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chancery/internal/ledger"
	"chancery/internal/mail/mailtest"
)

// watching is a tenant with an app that has events of groups sent to a receiver, which answers as it is told.
type watching struct {
	*testing.T
	app       *App
	root, ann caller
	answer    atomic.Int64 // status
	requests  atomic.Int64
	endpoint  string
}

func newWatching(t *testing.T, c Config) *watching {
	t.Helper()
	h := &watching{T: t}
	h.answer.Store(http.StatusInternalServerError)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.requests.Add(1)
		w.WriteHeader(int(h.answer.Load()))
		fmt.Fprint(w, "so it is")
	}))
	t.Cleanup(receiver.Close)
	c.WebhookNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c.DeliverySchedule = []time.Duration{0, time.Millisecond}
	h.app, h.root = platformWith(t, c)
	h.root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	h.ann = h.root.user(t, "acme", "ann", true)
	h.root.must(t, "root", "register-app", `{"name":"stock","title":"Stock"}`)
	h.root.must(t, "root", "publish-app-version", `{"manifest":{"app":"stock","version":"1.0.0","events":{"consumes":["core.group.*"]}}}`)
	h.ann.must(t, "acme", "enable-app", `{"app":"stock"}`)
	h.endpoint = h.ann.must(t, "acme", "create-endpoint", fmt.Sprintf(`{"app":"stock","kind":"webhook","types":["core.group.*"],"url":%q}`, receiver.URL))
	return h
}

type seenDelivery struct {
	ID       string `json:"id"`
	Event    string `json:"event_id"`
	Status   string `json:"status"`
	Attempts int    `json:"attempt_count"`
}

// list is what the query shows, in short, with all of it.
func (h *watching) list(more string) (short string, all []seenDelivery, body string) {
	h.Helper()
	r := h.ann.do(http.MethodGet, "/v1/tenants/acme/deliveries?endpoint_id="+h.endpoint+more, "")
	var page struct {
		Items json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != http.StatusOK {
		h.Fatalf("list: %d %s", r.status, r.body)
	}
	if err := json.Unmarshal(page.Items, &all); err != nil {
		h.Fatal(err)
	}
	var words []string
	for _, d := range all {
		words = append(words, fmt.Sprintf("%s %d", d.Status, d.Attempts))
	}
	return strings.Join(words, ", "), all, string(page.Items)
}

// becomes waits until the list is so, which a receiver or a schedule decides.
func (h *watching) becomes(want string) (all []seenDelivery) {
	h.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for patience := time.Now().Add(30 * time.Second); ; <-tick.C {
		got, all, _ := h.list("")
		if got == want {
			return all
		}
		if time.Now().After(patience) {
			h.Fatalf("deliveries are %q, want %q", got, want)
		}
	}
}

func (h *watching) ask(command, body string) {
	h.Helper()
	if r := h.ann.command("acme", command, body); r.status != http.StatusOK {
		h.Fatalf("%s: %d %s", command, r.status, r.body)
	}
}

func TestDeliveriesAreSeenRedeliveredAndNeverMadeByAReplay(t *testing.T) {
	h := newWatching(t, Config{})
	for _, name := range []string{"One", "Two", "Three"} {
		h.ann.must(t, "acme", "create-group", `{"name":"`+name+`"}`)
	}
	dead := h.becomes("dead 2, dead 2, dead 2")
	one := h.ann.do(http.MethodGet, "/v1/tenants/acme/deliveries/"+dead[0].ID, "")
	if !strings.Contains(one.body, `"response_status":500`) || !strings.Contains(one.body, `"response_start":"so it is"`) || strings.Count(one.body, `"latency_ms"`) != 2 {
		t.Errorf("one of them: %s", one.body)
	}
	then := h.app.headForTest(t)
	h.answer.Store(http.StatusOK)

	h.ask("redeliver-event", fmt.Sprintf(`{"endpoint_id":%q,"event_id":%q}`, h.endpoint, dead[1].Event))
	h.becomes("dead 2, delivered 3, dead 2")
	h.ask("redeliver-failed", fmt.Sprintf(`{"endpoint_id":%q}`, h.endpoint))
	h.becomes("delivered 3, delivered 3, delivered 3")
	h.ask("redeliver-range", fmt.Sprintf(`{"endpoint_id":%q,"from":"2020-01-01T00:00:00Z"}`, h.endpoint))
	h.becomes("delivered 4, delivered 4, delivered 4")

	stats := h.ann.do(http.MethodGet, "/v1/tenants/acme/endpoints/"+h.endpoint+"/stats?window=24h", "")
	for _, want := range []string{`"window":"24h"`, `"backlog":0`, `"dead_letters":0`, `"attempts":12`, `"success_rate":0.5`, `"p99":`, `"failing_since":null`, `"oldest_pending_at":null`} {
		if !strings.Contains(stats.body, want) {
			t.Errorf("the statistics lack %s: %s", want, stats.body)
		}
	}
	metrics := h.ann.do(http.MethodGet, "/metrics", "").body
	for _, want := range []string{
		`chancery_delivery_attempts_total{outcome="delivered"} 6`, `chancery_delivery_attempts_total{outcome="dead"} 3`, "chancery_delivery_seconds_count 12",
		"chancery_delivery_latency_seconds_count 6", `outcome="retrying",`, `chancery_endpoint_backlog{endpoint="` + h.endpoint, `chancery_endpoint_oldest_pending_seconds{endpoint="` + h.endpoint,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s:\n%s", want, linesWith(metrics, "chancery_delivery_a", "chancery_endpoint", "_count"))
		}
	}
	for _, wrong := range []string{"?window=2h", "?as_of=1", "?limit=1"} {
		if r := h.ann.do(http.MethodGet, "/v1/tenants/acme/endpoints/"+h.endpoint+"/stats"+wrong, ""); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", wrong, r.status, r.body)
		}
	}

	h.app.settled(t)
	sent := h.requests.Load()
	_, _, before := h.list("")
	was, _, _ := h.list(fmt.Sprintf("&as_of=%d", then))
	if was != "dead 2, dead 2, dead 2" {
		t.Errorf("as of %d they were %q", then, was)
	}
	if was, _, _ := h.list("&as_of=1"); was != "" {
		t.Errorf("before there was an endpoint: %q", was)
	}
	r, err := h.app.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Verify(t.Context(), 10); err != nil || v.Total != 0 {
		t.Errorf("verify: %v, %v", v, err)
	}
	if _, _, after := h.list(""); after != before {
		t.Errorf("a rebuild changed the list from\n%s\nto\n%s", before, after)
	}
	if now := h.requests.Load(); now != sent {
		t.Errorf("looking at the past sent %d requests", now-sent)
	}
	h.ann.must(t, "acme", "delete-endpoint", `{"id":"`+h.endpoint+`"}`)
	h.ann.must(t, "acme", "create-group", `{"name":"Four"}`)
	h.app.settled(t)
	if got, _, _ := h.list(""); got != "delivered 4, delivered 4, delivered 4" {
		t.Errorf("when the endpoint is gone they are %q", got)
	}
}

func TestAsOfATimeAreTheAttemptsThatHadBeenMadeByThen(t *testing.T) {
	h := newWatching(t, Config{})
	h.ann.must(t, "acme", "create-group", `{"name":"One"}`)
	dead := h.becomes("dead 2")[0]
	var one struct {
		Attempts []struct {
			At time.Time `json:"attempted_at"`
		} `json:"attempts"`
	}
	get := func(more string) string {
		return h.ann.do(http.MethodGet, "/v1/tenants/acme/deliveries/"+dead.ID+more, "").body
	}
	if err := json.Unmarshal([]byte(get("")), &one); err != nil || len(one.Attempts) != 2 {
		t.Fatalf("%v: %s", err, get(""))
	}
	for i, want := range []string{"pending 0", "retrying 1"} { // when an attempt began those before it had come to something
		asOf := "as_of=" + one.Attempts[i].At.Format(time.RFC3339Nano)
		if was, _, _ := h.list("&" + asOf); was != want {
			t.Errorf("when attempt %d began it was %q, want %q", i+1, was, want)
		}
		if was := get("?" + asOf); strings.Count(was, `"latency_ms"`) != i {
			t.Errorf("when attempt %d began there was %s", i+1, was)
		}
	}
}

func TestOnlyWhatAnEndpointWasSentOrIsToBeSentIsRedelivered(t *testing.T) {
	h := newWatching(t, Config{})
	h.ann.must(t, "acme", "create-group", `{"name":"One"}`)
	dead := h.becomes("dead 2")[0]
	redeliver := func(event, code string) {
		t.Helper()
		r := h.ann.command("acme", "redeliver-event", fmt.Sprintf(`{"endpoint_id":%q,"event_id":%q}`, h.endpoint, event))
		if code == "" && r.status != http.StatusOK || code != "" && r.code() != code {
			t.Errorf("redeliver %s: %d %s, want %q", event, r.status, r.body, code)
		}
	}
	events := func(typ string) []string {
		return h.app.column(t, `SELECT e.id::text FROM core.events e JOIN tenants t ON t.id = e.tenant_id WHERE t.slug = 'acme' AND e.type = $1`, typ)
	}
	redeliver("00000000-0000-0000-0000-000000000001", "not-found")
	redeliver(events("endpoint.created")[0], "nothing-to-deliver") // of a type that it does not ask for
	if asked := events("endpoint.redelivery-requested"); len(asked) > 0 {
		t.Errorf("what was refused is recorded: %v", asked)
	}
	h.exec(`DELETE FROM core.event_deliveries`)
	redeliver(dead.Event, "nothing-to-deliver") // it is forgotten
	pull := h.ann.must(t, "acme", "create-endpoint", `{"app":"stock","kind":"pull","types":["core.group.*"]}`)
	h.ann.must(t, "acme", "create-group", `{"name":"Two"}`)
	h.endpoint = pull
	redeliver(events("group.created")[1], "") // it is pending
	redeliver(dead.Event, "nothing-to-deliver")
}

func TestMetricsTellWhatWaitsForEveryEndpoint(t *testing.T) {
	h := newWatching(t, Config{})
	create := func(kind string) string {
		return h.ann.must(t, "acme", "create-endpoint", fmt.Sprintf(`{"app":"stock","kind":%q,"types":["core.group.*"]%s}`, kind, map[bool]string{true: `,"url":"http://127.0.0.1:9/"`}[kind == "webhook"]))
	}
	pull, off, gone := create("pull"), create("webhook"), create("pull")
	h.ann.must(t, "acme", "disable-endpoint", `{"id":"`+off+`"}`)
	for _, name := range []string{"One", "Two"} {
		h.ann.must(t, "acme", "create-group", `{"name":"`+name+`"}`)
	}
	h.ann.must(t, "acme", "delete-endpoint", `{"id":"`+gone+`"}`)
	h.becomes("dead 2, dead 2")
	h.app.settled(t)
	metrics := linesWith(h.ann.do(http.MethodGet, "/metrics", "").body, "chancery_endpoint_backlog", "chancery_endpoint_oldest")
	for id, waits := range map[string]string{h.endpoint: "0", pull: "2", off: "2"} {
		if !strings.Contains(metrics, `chancery_endpoint_backlog{endpoint="`+id+`"`) || !strings.Contains(metrics, id+`",tenant="`+h.tenant()+`"} `+waits+"\n") {
			t.Errorf("%s waits for %s:\n%s", waits, id, metrics)
		}
	}
	if strings.Contains(metrics, gone) {
		t.Errorf("one that was deleted is there:\n%s", metrics)
	}
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "chancery_endpoint_oldest") && strings.HasSuffix(line, "} 0\n") != strings.Contains(line, h.endpoint) {
			t.Errorf("the oldest: %s", line)
		}
	}
}

func (h *watching) tenant() string {
	h.Helper()
	return h.app.column(h.T, `SELECT id::text FROM tenants WHERE slug = 'acme'`)[0]
}

func linesWith(text string, words ...string) string {
	var lines []string
	for line := range strings.Lines(text) {
		for _, w := range words {
			if strings.Contains(line, w) && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
				break
			}
		}
	}
	return strings.Join(lines, "")
}

func TestTheOwnerOfAnEndpointThatIsGoneIsToldByMail(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	h := newWatching(t, posting(server))
	h.answer.Store(http.StatusGone)
	h.ann.must(t, "acme", "create-group", `{"name":"One"}`)
	m := to(t, server, 1, "ann@acme.test", 1)[0]
	if m.Subject != "An endpoint of stock at Acme is disabled" {
		t.Errorf("it is about %q", m.Subject)
	}
	for _, want := range []string{h.endpoint, "answered 410 Gone", "enable-endpoint", "https://chancery.example.org/v1/tenants/", "and not before"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("the mail lacks %q:\n%s", want, m.Text)
		}
	}
	if r := h.ann.command("acme", "redeliver-failed", `{"endpoint_id":"`+h.endpoint+`"}`); r.code() != "endpoint-disabled" {
		t.Errorf("deliver anew: %d %s", r.status, r.body)
	}
}

func TestWhatIsOldIsForgottenUnlessItWaits(t *testing.T) {
	h := newWatching(t, Config{})
	h.ann.must(t, "acme", "create-group", `{"name":"One"}`)
	h.becomes("dead 2")
	if gone, err := h.app.forgetDeliveries(t.Context()); gone != 0 || err != nil {
		t.Errorf("%d went at once, %v", gone, err)
	}
	for _, table := range []string{"event_deliveries SET last_attempt_at", "delivery_attempts SET attempted_at"} {
		h.exec(`UPDATE core.` + table + ` = now() - interval '91 days'`)
	}
	if gone, err := h.app.forgetDeliveries(t.Context()); gone != 3 || err != nil {
		t.Errorf("%d went after 91 days, %v", gone, err)
	}
	if got, _, _ := h.list(""); got != "" {
		t.Errorf("still there: %s", got)
	}
}

func (h *watching) exec(sql string) {
	h.Helper()
	if _, err := h.app.ledger.Pool(ledger.Project).Exec(h.Context(), sql); err != nil {
		h.Fatal(err)
	}
}
