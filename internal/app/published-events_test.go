package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/vault"
)

// shopTenant is acme with two apps at work: shop, which publishes, and its twin mart; each has a token.
type shopTenant struct {
	*appTenant
	shop, mart caller
}

const shopEvents = `"events":{"publishes":[{"type":"%[1]s.order.placed","schema":{"type":"object","required":["order"],
	"properties":{"order":{"type":"string"},"total":{"type":"number"},"lines":{"type":"array","items":{"type":"object","required":["sku"]}}},
	"additionalProperties":false}},{"type":"%[1]s.any","schema":{}}]}`

func newShopTenant(t *testing.T) *shopTenant {
	t.Helper()
	s := &shopTenant{appTenant: newAppTenant(t)}
	for _, name := range []string{"shop", "mart"} {
		s.root.must(t, "root", "register-app", fmt.Sprintf(`{"name":%q,"title":%q}`, name, name))
		s.publish(t, fmt.Sprintf(`{"app":%q,"version":"1.0.0",`, name)+fmt.Sprintf(shopEvents, name)+`}`)
		s.ann.must(t, "acme", "enable-app", fmt.Sprintf(`{"app":%q}`, name))
	}
	s.shop, s.mart = s.appToken(t, "shop", `["*"]`), s.appToken(t, "mart", `["*"]`)
	return s
}

// appToken is a token of an app's own: of a user who may do nothing.
func (s *appTenant) appToken(t testing.TB, app, scopes string) caller {
	t.Helper()
	user := s.ann.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":"a program","email":"%s@acme.test"}`, uuid.NewString()))
	r := s.ann.command("acme", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"x","app":%q,"scopes":%s,"expires_at":%q}`, user, app, scopes, s.in(24*time.Hour)))
	if r.status != http.StatusOK {
		t.Fatalf("issue a token: %d %s", r.status, r.body)
	}
	return s.ann.as(r.part("token"))
}

func (c caller) send(media, body string, headers ...string) reply {
	return c.do(http.MethodPost, "/v1/tenants/acme/events", body, append([]string{"Content-Type", media}, headers...)...)
}

const (
	single = "application/cloudevents+json"
	batch  = "application/cloudevents-batch+json"
)

// placed is an event in structured mode; more are its further members.
func placed(id, data string, more ...string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/checkout","type":"shop.order.placed"%s,"data":%s}`, id, strings.Join(append([]string{""}, more...), ","), data)
}

type publishedAnswer struct {
	Position string
	ID       string
	Events   []struct{ Position, ID, Type string }
}

func (r reply) published(t *testing.T) (a publishedAnswer) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &a); r.status != http.StatusOK || err != nil {
		t.Fatalf("publish: %d %s", r.status, r.body)
	}
	return a
}

// inLog are the events that apps published, with what is kept of them.
func (s *shopTenant) inLog(t *testing.T) []string {
	t.Helper()
	return s.app.column(t, `SELECT source_app_id || ' ' || type || ' ' || payload::text || ' ' || (metadata::jsonb->'cloudevent')::text FROM core.events WHERE source_app_id <> 'core' ORDER BY position`)
}

func (s *shopTenant) thenLogged(t *testing.T, want ...string) {
	t.Helper()
	if got := s.inLog(t); !slices.Equal(got, want) {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAnAppPublishesInThreeModes(t *testing.T) {
	s := newShopTenant(t)
	odd := "{ \"total\" :1.50,\t\"order\":\"\\u0031\",\"lines\": [ {\"sku\":1e2} ] }"
	one := s.shop.send(single, placed("1", odd, `"subject":"17"`, `"time":"2026-01-31T13:00:00+01:00"`, `"zone":"eu"`, `"n":7`, `"gone":null`)).published(t)
	if one.ID == "" || one.ID != one.Events[0].ID || one.Position != one.Events[0].Position || one.Events[0].Type != "shop.order.placed" {
		t.Errorf("answered %+v", one)
	}
	s.shop.send("application/json; charset=UTF-8", " "+odd+"\n", "ce-specversion", "1.0", "ce-id", "2", "Ce-Source", "/a%20%C3%BC", "ce-type", "shop.order.placed", "ce-zone", "eu").published(t)
	two := s.shop.send(batch, "["+placed("3", odd)+" , "+placed("1", odd, `"subject":"17"`, `"time":"2026-01-31T12:00:00Z"`, `"n":7`, `"zone":"\u0065u"`)+"]").published(t)
	if two.ID != "" || len(two.Events) != 2 || two.Events[1] != one.Events[0] {
		t.Errorf("answered %+v, want the first event's again in the second place", two)
	}
	s.thenLogged(t,
		`shop shop.order.placed `+odd+` {"id": "1", "time": "2026-01-31T12:00:00Z", "source": "/checkout", "subject": "17", "extensions": {"n": 7, "zone": "eu"}}`,
		`shop shop.order.placed  `+odd+"\n"+` {"id": "2", "source": "/a ü", "extensions": {"zone": "eu"}, "datacontenttype": "application/json; charset=UTF-8"}`,
		`shop shop.order.placed `+odd+` {"id": "3", "source": "/checkout"}`)

	r := s.ann.do(http.MethodGet, "/v1/tenants/acme/events/"+one.ID, "")
	if r.status != http.StatusOK || r.part("source_app_id") != "shop" {
		t.Errorf("the event is read as %d %s", r.status, r.body)
	}
	s.app.settled(t) // no projector stands still over it
}

func TestTheSameEventIsPublishedOnce(t *testing.T) {
	s := newShopTenant(t)
	first := s.shop.send(single, placed("1", `{"order":"1"}`))
	if again := s.shop.send(single, placed("1", `{"order":"1"}`)); again.body != first.body || again.status != http.StatusOK {
		t.Errorf("first %d %s, then %d %s", first.status, first.body, again.status, again.body)
	}
	for _, other := range []string{placed("1", `{"order":"2"}`), placed("1", `{"order":"1"}`, `"subject":"x"`)} {
		if r := s.shop.send(single, other); r.status != http.StatusUnprocessableEntity || r.code() != "event-id-reused" || !slices.Equal(r.places(), []string{"/id: " + domain.ErrEventIDReused.Text}) {
			t.Errorf("%s: %d %s", other, r.status, r.body)
		}
	}
	if r := s.shop.send(batch, "["+placed("2", `{"order":"2"}`)+","+placed("1", `{"order":"2"}`)+"]"); r.code() != "event-id-reused" {
		t.Errorf("in a batch: %d %s", r.status, r.body)
	}
	if n := len(s.inLog(t)); n != 1 {
		t.Errorf("there are %d events", n)
	}
	s.mart.send(single, strings.Replace(placed("1", `{"order":"1"}`), "shop.", "mart.", 1)).published(t) // whose id it is no matter
}

func TestWhatIsNoEventOfTheAppIsRefused(t *testing.T) {
	s := newShopTenant(t)
	big := `{"order":"` + strings.Repeat("x", domain.MaxEventData) + `"}`
	bin := []string{"ce-specversion", "1.0", "ce-id", "1", "ce-source", "/x", "ce-type", "shop.order.placed"}
	for _, c := range []struct {
		media, body string
		headers     []string
		status      int
		code        string
		places      []string // beginnings
	}{
		{single, placed("1", `{"order":1,"lines":[{"sku":1},{}]}`), nil, 422, "event-data-invalid", []string{"/data/lines/1/sku: ", "/data/order: "}},
		{batch, "[" + placed("1", `{"order":"1"}`) + "," + placed("2", `{}`) + "]", nil, 422, "event-data-invalid", []string{"/1/data/order: "}},
		{"application/json", `{"order":1}`, bin, 422, "event-data-invalid", []string{"/data/order: "}},
		{single, strings.Replace(placed("1", `{}`), "order.placed", "order.sent", 1), nil, 422, "event-type-undeclared", []string{"/type: "}},
		{single, strings.Replace(placed("1", `{}`), "shop.order", "mart.order", 1), nil, 422, "event-type-undeclared", []string{"/type: "}},
		{single, strings.Replace(placed("1", `{}`), "shop.order.placed", "user.registered", 1), nil, 422, "event-type-undeclared", []string{"/type: "}},
		{single, `{"specversion":"1.0","id":"1","source":"/x","type":"shop.any"}`, nil, 422, "event-data-invalid", []string{"/data: is required"}},
		{single, `{"specversion":"1.0","id":"1","source":"/x","type":"shop.any","data_base64":"e30="}`, nil, 422, "event-data-invalid", []string{"/data_base64: "}},
		{single, placed("1", `"<x/>"`, `"datacontenttype":"text/xml"`), nil, 422, "event-data-invalid", []string{"/datacontenttype: "}},
		{single, `{}`, nil, 400, "malformed", []string{"/id: is required", "/source: is required", "/specversion: is required", "/type: is required"}},
		{single, strings.Replace(placed("1", `{}`), "1.0", "0.3", 1), nil, 400, "malformed", []string{"/specversion: must be 1.0"}},
		{single, placed("", `{}`), nil, 400, "malformed", []string{"/id: must not be empty"}},
		{single, placed("1", `{}`, `"time":"yesterday"`, `"Zone":"x"`, `"position":"x"`, `"list":[1]`, `"n":1.5`, `"m":3000000000`, `"subject":7`), nil, 400, "malformed",
			[]string{"/Zone: ", "/list: ", "/m: ", "/n: ", "/position: is for Chancery", "/subject: must be a string", "/time: must be a time"}},
		{single, placed("1", `{}`, `"time":"0001-01-01T00:00:00+01:00"`), nil, 400, "malformed", []string{"/time: "}},
		{single, placed("1", `{}`, `"dataschema":"x"`), nil, 400, "malformed", []string{"/dataschema: "}},
		{single, placed("1", `{}`, `"":"x"`), nil, 400, "malformed", []string{"/: "}},
		{single, placed("1", `{"order":"1","order":"2"}`), nil, 400, "malformed", []string{"/data/order: given twice"}},
		{single, placed("1", `{"order":"\u0000"}`), nil, 400, "malformed", []string{"/data/order: "}},
		{single, placed("1", "{\"order\":\"\xff\"}"), nil, 400, "malformed", []string{"/data/order: "}},
		{single, placed("1", `{"order":"1"}`) + "{}", nil, 400, "malformed", []string{": must be one JSON object"}},
		{batch, `{}`, nil, 400, "malformed", []string{": must be a list"}},
		{batch, `[1]`, nil, 400, "malformed", []string{"/0: "}},
		{batch, "[" + placed("1", `{"order":"1"}`) + "]]", nil, 400, "malformed", nil},
		{batch, "[" + strings.Repeat(placed("1", `{"order":"1"}`)+",", 100) + placed("1", `{"order":"1"}`) + "]", nil, 400, "malformed", []string{": holds more than 100 events"}},
		{"application/json", `{"order":"1"}`, nil, 400, "malformed", []string{"/ce-id: is required", "/ce-source: ", "/ce-specversion: ", "/ce-type: "}},
		{"application/json", `{"order":"1"},"x":2`, bin, 400, "malformed", []string{": must be one JSON value"}},
		{"application/json", `{"order":"1"}}`, bin, 400, "malformed", nil},
		{"application/json", ``, bin, 422, "event-data-invalid", []string{"/data: is required"}},
		{"application/json", `{"order":"1"}`, append(bin, "ce-subject", "%ff"), 400, "malformed", []string{"/ce-subject: must be percent-encoded"}},
		{"application/json", `{"order":"1"}`, append(bin, "ce-data", "x"), 400, "malformed", []string{"/ce-data: has no meaning"}},
		{"text/plain", `x`, bin, 415, "unsupported-media-type", nil},
		{"application/cloudevents+xml", `x`, nil, 415, "unsupported-media-type", nil},
		{single + "; charset=latin1", placed("1", `{}`), nil, 415, "unsupported-media-type", nil},
		{single, placed("1", big), nil, 413, "too-large", nil},
		{single, placed("1", strings.Repeat(big, 2)), nil, 413, "too-large", nil},
		{single, placed("1", `{}`), []string{"Idempotency-Key", "x"}, 400, "malformed", []string{"/Idempotency-Key: "}},
	} {
		r := s.shop.send(c.media, c.body, c.headers...)
		got := r.places()
		same := len(c.places) == 0 || slices.EqualFunc(got, c.places, strings.HasPrefix)
		if r.status != c.status || r.code() != c.code || !same {
			t.Errorf("%s %v %.200s:\n%d %s", c.media, c.headers, c.body, r.status, r.body)
		}
	}
	escaped := fmt.Sprintf(`\u%04x`, vault.Mark[0]) + vault.Mark[1:]
	for _, sealed := range []string{placed("1", `{"order":"`+vault.Mark+`x"}`), placed("1", `{"order":"`+escaped+`x"}`), placed("1", `{}`, `"subject":"`+vault.Mark+`x"`)} {
		if r := s.shop.send(single, sealed); r.status != http.StatusBadRequest || len(r.places()) != 1 || !strings.Contains(r.places()[0], ": must not begin with") {
			t.Errorf("%s: %d %s", sealed, r.status, r.body)
		}
	}
	s.thenLogged(t)
}

func TestNobodyElsePublishesInTheNameOfAnApp(t *testing.T) {
	s := newShopTenant(t)
	s.root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
	body := placed("1", `{"order":"1"}`)
	refused := func(name string, r reply, status int, code string) {
		t.Helper()
		if r.status != status || r.code() != code {
			t.Errorf("%s: %d %s, want %d %s", name, r.status, r.body, status, code)
		}
	}
	refused("the administrator", s.ann.send(single, body), 403, "not-the-app")
	refused("the operator", s.root.send(single, body), 403, "not-the-app")
	refused("another app", s.mart.send(single, body), 422, "event-type-undeclared")
	refused("a token of less", s.appToken(t, "shop", `["core.users.*"]`).send(single, body), 403, "not-allowed")
	refused("in another tenant", s.shop.do(http.MethodPost, "/v1/tenants/beta/events", body, "Content-Type", single), 404, "not-found")
	refused("nobody", caller{s.ann.Handler, ""}.send(single, body), 401, "unauthenticated")
	s.appToken(t, "shop", `["core.events.*"]`).send(single, body).published(t)

	s.ann.must(t, "acme", "disable-app", `{"app":"shop"}`)
	refused("of a disabled app", s.shop.send(single, placed("2", `{"order":"1"}`)), 422, "app-not-enabled")
	s.root.must(t, "root", "register-app", `{"name":"paid","title":"Paid"}`)
	s.publish(t, `{"app":"paid","version":"1.0.0","license_required":true,`+fmt.Sprintf(shopEvents, "paid")+`}`)
	license := s.root.must(t, "root", "issue-license", fmt.Sprintf(`{"tenant_id":%q,"app":"paid","ends_at":%q}`, s.acme, s.in(time.Hour)))
	s.ann.must(t, "acme", "enable-app", `{"app":"paid"}`)
	paid := s.appToken(t, "paid", `["*"]`)
	paid.send(single, strings.Replace(placed("3", `{"order":"1"}`), "shop", "paid", 1)).published(t)
	s.root.must(t, "root", "suspend-license", fmt.Sprintf(`{"id":%q,"reason":"unpaid"}`, license))
	refused("of an app without a licence", paid.send(single, strings.Replace(placed("4", `{"order":"1"}`), "shop", "paid", 1)), 422, "not-entitled")
	if n := len(s.inLog(t)); n != 2 {
		t.Errorf("there are %d events", n)
	}
}

const githubPayloads = "../../../shared/data/github-webhooks.ndjson"

func TestRealPayloadsAreKeptToTheByte(t *testing.T) {
	f, err := os.Open(githubPayloads)
	if err != nil {
		t.Skipf("the payloads are not here: %v", err)
	}
	defer func() { _ = f.Close() }()
	var types, data []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one struct {
			Type string          `json:"type"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		types, data = append(types, one.Type), append(data, string(one.Data))
	}
	var declared []string
	for _, typ := range slices.Compact(slices.Sorted(slices.Values(types))) {
		declared = append(declared, fmt.Sprintf(`{"type":%q,"schema":{"type":"object"}}`, typ))
	}
	s := newAppTenant(t)
	s.root.must(t, "root", "register-app", `{"name":"github","title":"GitHub"}`)
	s.publish(t, `{"app":"github","version":"1.0.0","events":{"publishes":[`+strings.Join(declared, ",")+`]}}`)
	s.ann.must(t, "acme", "enable-app", `{"app":"github"}`)
	hub := s.appToken(t, "github", `["*"]`)
	for i, typ := range types {
		event := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"https://github.test","type":%q,"data":%s}`, i, typ, data[i])
		if r := hub.send(single, event); r.status != http.StatusOK {
			t.Fatalf("line %d: %d %s", i+1, r.status, r.body)
		}
	}
	got := s.app.column(t, `SELECT payload::text FROM core.events WHERE source_app_id = 'github' ORDER BY position`)
	if !slices.Equal(got, data) {
		t.Errorf("%d payloads of %d are not as they were sent", len(got), len(data))
	}
	s.app.settled(t)
}

func TestWhateverIsSentAsAnEventIsAnsweredAndNothingRefusedIsStored(t *testing.T) {
	s := newShopTenant(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	seeds := []string{
		placed("1", `{"order":"1","total":1.5,"lines":[{"sku":1}]}`, `"time":"2026-01-31T12:00:00Z"`, `"zone":"eu"`, `"subject":"x"`, `"dataschema":"urn:x:y"`),
		"[" + placed("1", `{"order":"1"}`) + "," + placed("2", `{"order":"2"}`) + "]",
		`{"order":"1"}`,
	}
	bits := []string{`"`, `{`, `}`, `[`, `]`, `,`, `:`, `null`, `\u0000`, `\ud800`, "\x00", "\xff", `1e999`, `-0`, `"data":`, `"data_base64":"AA=="`, `"":1`, `"id":7`, "é", "%", `"specversion":"0.3"`, `"type":"shop.any"`, strings.Repeat("[", 80), `{"a":{}}`, "9223372036854775808"}
	accepted := 0
	for n := range 1500 {
		media := []string{single, batch, "application/json", "application/x+json", "text/plain", ""}[r.IntN(6)]
		body := []byte(seeds[r.IntN(len(seeds))])
		for range r.IntN(4) {
			at := r.IntN(len(body) + 1)
			switch bit := bits[r.IntN(len(bits))]; r.IntN(3) {
			case 0:
				body = slices.Insert(body, at, []byte(bit)...)
			case 1:
				body = slices.Replace(body, at, min(at+r.IntN(8), len(body)), []byte(bit)...)
			default:
				body = slices.Delete(body, at, min(at+r.IntN(20), len(body)))
			}
		}
		id := strconv.Itoa(n)
		headers := []string{"ce-specversion", "1.0", "ce-id", id, "ce-source", "/x", "ce-type", "shop.order.placed"}
		if r.IntN(3) == 0 {
			headers[r.IntN(4)*2+1] = []string{"", " ", "%", "%00", "\xff", "x%zz", strings.Repeat("x", 300), "ü"}[r.IntN(8)]
		}
		before := len(s.inLog(t))
		got := s.shop.send(media, string(body), headers...)
		after := len(s.inLog(t))
		switch {
		case got.status >= 500:
			t.Fatalf("seed %d: %q %q %q: %d %s", seed, media, headers, body, got.status, got.body)
		case got.status != http.StatusOK && after != before:
			t.Fatalf("seed %d: %q %q %q: refused with %s, and stored", seed, media, headers, body, got.body)
		case got.status == http.StatusOK:
			accepted++
		}
	}
	if accepted < 20 {
		t.Errorf("seed %d: only %d were accepted: the test tries too little", seed, accepted)
	}
	s.app.settled(t)
}
