package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// traffic is the life of events between two apps of one tenant: shop publishes, stock consumes.
type traffic struct {
	*life
	shop, stock caller
	hooks       *hooks
	push, pull  string // endpoints
	secret      string
	moments     []moments
}

// hooks is a receiver of webhooks that answers as it is told.
type hooks struct {
	*httptest.Server
	mu       sync.Mutex
	status   int
	requests []request
	more     chan struct{} // closed and replaced at each request
}

type request struct {
	id, sequence, attempt, body string
	header                      http.Header
}

func newHooks(t *testing.T) *hooks {
	h := &hooks{status: http.StatusOK, more: make(chan struct{})}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.requests = append(h.requests, request{r.Header.Get("webhook-id"), r.Header.Get("Chancery-Sequence"), r.Header.Get("Chancery-Attempt"), string(body), r.Header})
		close(h.more)
		h.more = make(chan struct{})
		w.WriteHeader(h.status)
		fmt.Fprint(w, "thank you")
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hooks) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

// got waits until there were n requests, and returns all.
func (h *hooks) got(t *testing.T, n int) []request {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		h.mu.Lock()
		all, more := slices.Clone(h.requests), h.more
		h.mu.Unlock()
		if len(all) >= n {
			return all
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("%d requests, want %d", len(all), n)
		}
	}
}

const (
	shopOne = `,"events":{"publishes":[
		{"type":"shop.order.placed","schema":{"type":"object","required":["order"],"properties":{"order":{"type":"string"},"total":{"type":"number"}},"additionalProperties":false}},
		{"type":"shop.order.paid","schema":{"type":"object"}}]}`
	stockOne = `,"events":{"consumes":["shop.order.*","core.user.*"]}`
	stockTwo = `,"events":{"consumes":["shop.order.paid"]}`
)

// questions are asked at each moment, and again of that moment at the end.
func (l *traffic) questions(asOf string) map[string]string {
	l.Helper()
	answers, query := map[string]string{}, "?limit=1000"
	if asOf != "" {
		query += "&as_of=" + asOf
	}
	for _, what := range []string{"endpoints", "events", "deliveries", "consumption"} {
		r := l.ann.do(http.MethodGet, "/v1/tenants/acme/"+what+query, "")
		if r.status != http.StatusOK {
			l.Fatalf("%s as of %q: %d %s", what, asOf, r.status, r.body)
		}
		var page struct {
			Items json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal([]byte(r.body), &page); err != nil {
			l.Fatal(err)
		}
		answers[what] = string(page.Items)
	}
	return answers
}

func (l *traffic) moment(name string) map[string]string {
	l.Helper()
	l.quiet()
	answers := l.questions("")
	l.moments = append(l.moments, moments{name, strconv.FormatInt(l.app.headForTest(l.T), 10), answers})
	l.clock.forward(time.Second)
	return answers
}

func (l *traffic) expect(at map[string]string, question string, says ...string) {
	l.Helper()
	for _, s := range says {
		text, absent := strings.CutPrefix(s, "!")
		if strings.Contains(at[question], text) == absent {
			l.Errorf("%s: %s: want %q in %s", l.moments[len(l.moments)-1].name, question, s, at[question])
		}
	}
}

// delivery waits until the deliveries of an endpoint are counted so by status.
func (l *traffic) delivered(endpoint, want string) {
	l.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	got := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		if got = strings.Join(l.app.column(l.T, `SELECT status || ' ' || count(*) FROM core.event_deliveries WHERE endpoint_id = '`+endpoint+`' GROUP BY status ORDER BY 1`), ", "); got == want {
			return
		}
	}
	l.Fatalf("deliveries: %s, want %s", got, want)
}

// publish is of an event whose subject is what its id begins with.
func (l *traffic) publish(id, typ, data string) reply {
	l.Helper()
	subject, _, _ := strings.Cut(id, " ")
	return l.shop.do(http.MethodPost, "/v1/tenants/acme/events", fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/checkout","type":%q,"subject":%q,"data":%s}`, id, typ, subject, data),
		"Content-Type", "application/cloudevents+json")
}

func (l *traffic) published(id, typ, data string) (event string) {
	l.Helper()
	r := l.publish(id, typ, data)
	if r.status != http.StatusOK {
		l.Fatalf("publish %s: %d %s", id, r.status, r.body)
	}
	var answer struct{ Events []struct{ ID string } }
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil || len(answer.Events) != 1 {
		l.Fatalf("%s: %v", r.body, err)
	}
	return answer.Events[0].ID
}

func TestTheLifeOfEvents(t *testing.T) {
	l := &traffic{life: &life{T: t, began: time.Now().UTC().Truncate(time.Second), tenants: map[string]string{}}, hooks: newHooks(t)}
	l.clock = newClock(l.began)
	l.app, l.root = platformWith(t, Config{Now: l.clock.now, WebhookNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		DeliverySchedule: []time.Duration{0, 5 * time.Second, 10 * time.Second}})
	for _, slug := range []string{"forge", "acme"} {
		l.tenants[slug] = l.send(l.root, "root", "create-tenant", fmt.Sprintf(`{"name":%q,"slug":%q}`, slug, slug))
	}
	l.vic, l.ann = l.resident("forge", "vic", true), l.resident("acme", "ann", true)
	l.send(l.root, "root", "admit-vendor", `{"tenant_id":"`+l.tenants["forge"]+`"}`)
	for app, more := range map[string]string{"shop": shopOne, "stock": stockOne} {
		l.send(l.vic, "forge", "register-app", fmt.Sprintf(`{"name":%q,"title":%q}`, app, app))
		l.send(l.vic, "forge", "publish-app-version", manifest(app, "1.0.0", more))
		l.send(l.ann, "acme", "enable-app", fmt.Sprintf(`{"app":%q}`, app))
	}
	l.shop, l.stock = l.robot("shop"), l.robot("stock")
	l.subscribe()
	l.trade()
	l.fail()
	l.change()
	l.fetch()
	l.checkPast()
	l.rebuild()
}

// robot is a token by which an app speaks.
func (l *traffic) robot(app string) caller {
	l.Helper()
	user := l.send(l.root, "acme", "register-user", fmt.Sprintf(`{"display_name":%q,"email":"%s@acme.test"}`, app, app))
	r := l.root.command("acme", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"robot","app":%q,"expires_at":%q}`, user, app, l.began.AddDate(0, 11, 0).Format(time.RFC3339)))
	if r.status != http.StatusOK {
		l.Fatalf("%d %s", r.status, r.body)
	}
	return l.root.as(r.part("token"))
}

func (l *traffic) subscribe() {
	l.refused(l.ann, "acme", "create-endpoint", `{"app":"stock","kind":"webhook","url":"`+l.hooks.URL+`","types":["shop.order.*","core.roles.*"]}`, "event-types-not-allowed", "core.roles.*")
	r := l.ann.command("acme", "create-endpoint", `{"app":"stock","kind":"webhook","url":"`+l.hooks.URL+`","types":["shop.order.*"],"body":"full","order_by":"subject"}`)
	if r.status != http.StatusOK || !strings.HasPrefix(r.part("secret"), "whsec_") {
		l.Fatalf("%d %s", r.status, r.body)
	}
	l.push, l.secret = r.part("id"), r.part("secret")
	l.pull = l.send(l.ann, "acme", "create-endpoint", `{"app":"stock","kind":"pull","types":["shop.order.*"],"filter":"type == 'shop.order.paid' || data.total > 100.0","body":"full"}`)
	l.expect(l.moment("subscribed"), "endpoints", l.push, l.pull, "!"+l.secret, "!whsk_")
}

func (l *traffic) trade() {
	first := l.published("1", "shop.order.placed", `{"order":"1",  "total":5}`)
	if again := l.published("1", "shop.order.placed", `{"order":"1",  "total":5}`); again != first {
		l.Errorf("published again it is %s, and was %s", again, first)
	}
	for name, r := range map[string]reply{
		"event-id-reused":       l.publish("1", "shop.order.placed", `{"order":"2"}`),
		"event-type-undeclared": l.publish("9", "shop.order.lost", `{}`),
		"event-data-invalid":    l.publish("9", "shop.order.placed", `{"order":2}`),
	} {
		if r.status != http.StatusUnprocessableEntity || r.code() != name {
			l.Errorf("want %s: %d %s", name, r.status, r.body)
		}
	}
	got := l.hooks.got(l.T, 1)[0]
	if got.id != first || got.sequence != "1" || got.attempt != "1" || !strings.Contains(got.body, `"data":{"order":"1",  "total":5}`) || !strings.Contains(got.body, `"id":"1"`) {
		l.Errorf("%+v", got)
	}
	l.verifies(got, l.secret)
	l.delivered(l.push, "delivered 1")
	at := l.moment("delivered")
	l.expect(at, "deliveries", `"status":"delivered"`, first)
	l.expect(at, "events", `"source_app_id":"shop"`, `{"order":"1","total":5}`, "!lost")
}

func (l *traffic) verifies(r request, secret string) {
	l.Helper()
	w, err := webhooks.NewWebhook(secret)
	if err != nil {
		l.Fatal(err)
	}
	if err := w.VerifyIgnoringTimestamp([]byte(r.body), r.header); err != nil {
		l.Errorf("%s does not verify: %v", r.id, err)
	}
	if err := w.VerifyIgnoringTimestamp([]byte(r.body+" "), r.header); err == nil {
		l.Errorf("%s verifies with another body", r.id)
	}
}

func (l *traffic) fail() {
	l.hooks.answer(http.StatusServiceUnavailable)
	second := l.published("2", "shop.order.placed", `{"order":"2"}`)
	l.hooks.got(l.T, 2)
	l.delivered(l.push, "delivered 1, retrying 1")
	l.expect(l.moment("failed"), "deliveries", `"status":"retrying"`)
	l.published("2 paid", "shop.order.paid", `{}`) // of the same subject: it waits
	l.published("3", "shop.order.paid", `{}`)
	l.hooks.got(l.T, 3)
	l.delivered(l.push, "delivered 1, retrying 2, waiting 1")
	l.clock.forward(6 * time.Second)
	l.attempted(l.push, 5)
	l.clock.forward(12 * time.Second)
	l.attempted(l.push, 8) // the two for the last time, and who waited for the first
	l.delivered(l.push, "dead 2, delivered 1, retrying 1")
	l.expect(l.moment("given up"), "deliveries", `"status":"dead"`, second)
	l.hooks.answer(http.StatusNoContent)
	l.clock.forward(6 * time.Second)
	l.delivered(l.push, "dead 2, delivered 2")
	l.send(l.ann, "acme", "redeliver-failed", `{"endpoint_id":"`+l.push+`"}`)
	l.delivered(l.push, "delivered 4")
	l.expect(l.moment("redelivered"), "deliveries", "!dead")
	ids := map[string]map[string]bool{}
	for _, r := range l.hooks.got(l.T, 11) {
		if ids[r.id] == nil {
			ids[r.id] = map[string]bool{}
		}
		ids[r.id][r.sequence] = true
	}
	for id, sequences := range ids {
		if len(sequences) != 1 {
			l.Errorf("event %s was sent under the numbers %v", id, sequences)
		}
	}
}

func (l *traffic) change() {
	r := l.ann.command("acme", "rotate-endpoint-secret", `{"id":"`+l.push+`"}`)
	if r.status != http.StatusOK {
		l.Fatalf("%d %s", r.status, r.body)
	}
	l.quiet()
	before := len(l.hooks.got(l.T, 0))
	l.until("both keys sign", func() bool {
		l.send(l.ann, "acme", "test-endpoint", `{"id":"`+l.push+`"}`)
		before++
		last := l.hooks.got(l.T, before)[before-1]
		l.verifies(last, l.secret)
		return strings.Count(last.header.Get("webhook-signature"), "v1,") == 2
	})
	l.verifies(l.hooks.got(l.T, before)[before-1], r.part("secret"))

	l.send(l.vic, "forge", "publish-app-version", manifest("stock", "2.0.0", stockTwo))
	l.quiet()
	hash := l.app.column(l.T, `SELECT manifest_hash FROM core.app_versions WHERE app = 'stock' AND app_version = '2.0.0'`)
	l.send(l.ann, "acme", "upgrade-app", `{"app":"stock","confirm":"`+hash[0]+`"}`)
	l.published("4", "shop.order.placed", `{"order":"4"}`) // no longer meant
	l.hooks.answer(http.StatusGone)
	paid := l.published("4 paid", "shop.order.paid", `{}`)
	if last := l.hooks.got(l.T, before+1)[before]; last.id != paid {
		l.Errorf("sent %+v, want %s", last, paid)
	}
	l.until("the endpoint is disabled", func() bool { l.quiet(); return strings.Contains(l.questions("")["endpoints"], `"disabled_why":"gone"`) })
	l.refused(l.ann, "acme", "enable-endpoint", `{"id":"`+l.push+`"}`, "endpoint-cooling-down")
	l.expect(l.moment("gone"), "endpoints", `"status":"disabled"`)
	later := l.published("5", "shop.order.paid", `{}`)
	l.expect(l.moment("waiting"), "deliveries", `"status":"pending"`, later)
	l.hooks.answer(http.StatusOK)
	l.clock.forward(time.Hour)
	l.send(l.ann, "acme", "enable-endpoint", `{"id":"`+l.push+`"}`)
	l.until("everything is delivered", func() bool {
		return !strings.Contains(l.statuses(l.push), "retrying") && len(l.hooks.got(l.T, 0)) >= before+3
	})
	l.moment("back")
}

// attempted waits until so many attempts are on record.
func (l *traffic) attempted(endpoint string, n int) {
	l.Helper()
	l.until(fmt.Sprint(n, " attempts"), func() bool {
		return l.app.column(l.T, `SELECT count(*)::text FROM core.delivery_attempts WHERE endpoint_id = '`+endpoint+`'`)[0] == strconv.Itoa(n)
	})
}

func (l *traffic) statuses(endpoint string) string {
	l.Helper()
	return strings.Join(l.app.column(l.T, `SELECT status FROM core.event_deliveries WHERE endpoint_id = '`+endpoint+`'`), " ")
}

func (l *traffic) until(what string, done func() bool) {
	l.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			l.Fatalf("%s: not in time", what)
		}
	}
}

func (l *traffic) fetch() {
	at := "/v1/tenants/acme/endpoints/" + l.pull
	if r := l.shop.do(http.MethodPost, at+"/receive", `{"max":10}`); r.status != http.StatusNotFound && r.status != http.StatusForbidden {
		l.Errorf("another app receives: %d %s", r.status, r.body)
	}
	r := l.stock.do(http.MethodPost, at+"/receive", `{"max":10}`)
	var got struct {
		Items []struct {
			Lease string
			Event struct {
				ID, Type, EventID string
			}
		}
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != http.StatusOK || len(got.Items) != 4 { // paid 2, 3, 4, 5
		l.Fatalf("%d %s %v", r.status, r.body, err)
	}
	for i, it := range got.Items {
		verb := map[bool]string{true: "ack", false: "nack"}[i < 3]
		if r := l.stock.do(http.MethodPost, at+"/"+verb, `{"leases":["`+it.Lease+`"]}`); r.status != http.StatusOK {
			l.Errorf("%s: %d %s", verb, r.status, r.body)
		}
	}
	l.delivered(l.pull, "delivered 3, retrying 1")
	event := l.app.column(l.T, `SELECT id::text FROM core.events WHERE source_app_id = 'shop' ORDER BY position LIMIT 1`)[0]
	l.send(l.stock, "acme", "consume-event", `{"event_id":"`+event+`"}`)
	l.refused(l.stock, "acme", "consume-event", `{"event_id":"`+event+`"}`, "event-consumed")
	l.send(l.stock, "acme", "commit-checkpoint", `{"endpoint_id":"`+l.pull+`","through":7}`)
	l.expect(l.moment("fetched"), "consumption", event, `"checkpoint":"7"`)
}

// checkPast asks every question again of the moments at which it was asked. Deliveries go on while the log stands still: as of a
// position they are what they came to by the next one.
func (l *traffic) checkPast() {
	for _, m := range l.moments {
		past := l.questions(m.position)
		delete(past, "deliveries")
		delete(m.answers, "deliveries")
		if d := diff.Diff(m.answers, past); d != "" {
			l.Errorf("%s, as of %s, is answered otherwise than it was then (-then +now):\n%s", m.name, m.position, d)
		}
	}
}

// rebuild makes the tables anew: the picture is the same, and nothing is sent.
func (l *traffic) rebuild() {
	l.quiet()
	before, sent := l.questions(""), len(l.hooks.got(l.T, 0))
	replayed, err := l.app.Replay()
	if err != nil {
		l.Fatal(err)
	}
	if _, err := replayed.Rebuild(l.Context()); err != nil {
		l.Fatal(err)
	}
	if d := diff.Diff(before, l.questions("")); d != "" {
		l.Errorf("after a rebuild (-before +after):\n%s", d)
	}
	if v, err := replayed.Verify(l.Context(), 10); err != nil || v.Total != 0 {
		l.Errorf("the tables differ from the log: %+v, %v", v, err)
	}
	// What is sent from now on comes after whatever a rebuild might have sent.
	l.send(l.ann, "acme", "test-endpoint", `{"id":"`+l.push+`"}`)
	if got := l.hooks.got(l.T, sent+1); len(got) != sent+1 {
		l.Errorf("%d requests after the rebuild, want 1", len(got)-sent)
	}
	if missing := l.app.column(l.T, `SELECT e.type FROM core.events e LEFT JOIN core.audit_log a ON a.id = e.id WHERE a.id IS NULL AND e.position <= `+
		`(SELECT position FROM core.projection_offsets WHERE projection = 'audit')`); len(missing) > 0 {
		l.Errorf("events without their row of the audit log: %v", missing)
	}
}
