package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/deliveries"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
)

// hooked is a platform with the tenants acme and beta, and acme's administrator. The app crm is at work in acme; it may be sent events of
// users and of the shop, and endpoints at all.
type hooked struct {
	*App
	clock      *clock
	root, ann  caller
	acme, beta string
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	c := newClock(time.Now().UTC().Truncate(time.Second))
	s := &hooked{clock: c}
	s.App, s.root = platformWith(t, Config{Now: c.now, DueEvery: 24 * time.Hour})
	s.acme = s.root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	s.beta = s.root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
	s.ann = s.root.user(t, "acme", "ann", true)
	s.root.must(t, "root", "register-app", `{"name":"crm","title":"CRM"}`)
	s.publish(t, "1.0.0", "core.user.*", "shop.order.placed")
	s.ann.must(t, "acme", "enable-app", `{"app":"crm"}`)
	return s
}

func (s *hooked) publish(t *testing.T, version string, consumes ...string) {
	t.Helper()
	list, err := json.Marshal(consumes)
	if err != nil {
		t.Fatal(err)
	}
	s.root.must(t, "root", "publish-app-version", fmt.Sprintf(`{"manifest":{"app":"crm","version":%q,"events":{"consumes":%s}}}`, version, list))
}

const hookBody = `{"app":"crm","kind":"webhook","types":["core.user.*"],"url":"https://crm.example/hook"}`

// loaded is the endpoint as it is delivered to; the zero one if it is not.
func (s *hooked) loaded(t *testing.T, id string) (e deliveries.Endpoint) {
	t.Helper()
	s.settled(t)
	all, err := s.webhooks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.ID.String() == id {
			return e
		}
	}
	return e
}

func TestTheLifeOfAWebhook(t *testing.T) {
	s := newHooked(t)
	made := s.ann.command("acme", "create-endpoint", hookBody, "Idempotency-Key", "once")
	again := s.ann.command("acme", "create-endpoint", hookBody, "Idempotency-Key", "once")
	id, first := made.part("id"), made.part("secret")
	if made.status != 200 || !strings.HasPrefix(first, "whsec_") || again.part("secret") != first || again.part("id") != id {
		t.Fatalf("created: %d %s, again: %s", made.status, made.body, again.body)
	}
	say := func(name, more string) reply {
		return s.ann.command("acme", name, fmt.Sprintf(`{"id":%q%s}`, id, more))
	}
	do := func(name, more string) reply {
		t.Helper()
		r := say(name, more)
		if r.status != 200 {
			t.Fatalf("%s: %d %s", name, r.status, r.body)
		}
		return r
	}
	if e := s.loaded(t, id); len(e.Keys) != 1 || e.Keys[0].Secret != first || !strings.HasPrefix(e.Keys[0].Private, "whsk_") || e.URL != "https://crm.example/hook" || !e.Open(s.clock.now()) {
		t.Errorf("it is delivered to as %+v", e)
	}

	second := do("rotate-endpoint-secret", "").part("secret")
	if e := s.loaded(t, id); second == first || len(e.Keys) != 2 || e.Keys[0].Secret != second || e.Keys[1].Secret != first || !e.Keys[1].Until.Equal(s.clock.now().Add(24*time.Hour)) {
		t.Errorf("after the rotation from %s to %s it is delivered to as %+v", first, second, e.Keys)
	}
	third := do("rotate-endpoint-secret", `,"grace_hours":1`).part("secret") // within the grace of the first, which goes on
	in := func(d time.Duration) time.Time { return s.clock.now().Add(d) }
	if e := s.loaded(t, id); len(e.Keys) != 3 || e.Keys[0].Secret != third || e.Keys[1].Secret != second || !e.Keys[1].Until.Equal(in(time.Hour)) ||
		e.Keys[2].Secret != first || !e.Keys[2].Until.Equal(in(24*time.Hour)) || !strings.HasPrefix(e.Keys[2].Private, "whsk_") || e.Keys[2].Private == e.Keys[0].Private {
		t.Errorf("after two rotations it is delivered to as %+v", e.Keys)
	}
	if r := do("rotate-endpoint-secret", fmt.Sprintf(`,"secret":%q`, third)); !strings.Contains(r.body, `"events":[]`) || strings.Contains(r.body, "whsec_") {
		t.Errorf("a rotation to the key in force: %s", r.body)
	}
	s.clock.forward(time.Hour)
	do("change-endpoint", `,"description":"after an hour"`)
	if e := s.loaded(t, id); len(e.Keys) != 2 || e.Keys[0].Secret != third || e.Keys[1].Secret != first {
		t.Errorf("after an hour it is delivered to as %+v", e.Keys)
	}
	second = do("rotate-endpoint-secret", `,"grace_hours":0`).part("secret")
	if e := s.loaded(t, id); len(e.Keys) != 1 || e.Keys[0].Secret != second {
		t.Errorf("after all were ended it is delivered to as %+v", e.Keys)
	}
	told := do("reveal-endpoint-secret", `,"purpose":"lost"`)
	if told.part("secret") != second {
		t.Errorf("revealed is %s, not %s", told.body, second)
	}
	if n := len(s.column(t, `SELECT id::text FROM core.events WHERE type = 'endpoint.secret-revealed' AND position = $1::bigint`, told.part("position"))); n != 1 {
		t.Error("what was revealed is not on record")
	}

	do("disable-endpoint", `,"reason":"it moves"`)
	if e := s.loaded(t, id); e.ID != uuid.Nil {
		t.Error("a disabled endpoint is delivered to")
	}
	if r := say("test-endpoint", ""); r.status != 422 || r.code() != "endpoint-disabled" {
		t.Errorf("a test of a disabled endpoint: %d %s", r.status, r.body)
	}
	do("enable-endpoint", `,"skip":true`)
	if e := s.loaded(t, id); e.SkippedThrough <= e.StartsAfter {
		t.Errorf("it goes on at %d, and began at %d", e.SkippedThrough, e.StartsAfter)
	}

	for range 2 {
		if err := s.disableEndpoint(t.Context(), uuid.MustParse(s.acme), uuid.MustParse(id), true, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	cooling := say("enable-endpoint", "")
	if until := s.clock.now().Add(time.Hour).Format(time.RFC3339); cooling.status != 422 || cooling.code() != "endpoint-cooling-down" || !strings.Contains(cooling.body, until) {
		t.Errorf("enabled at once: %d %s, want a word of %s", cooling.status, cooling.body, until)
	}
	s.clock.forward(time.Hour)
	do("enable-endpoint", "")
	if e := s.loaded(t, id); e.ID == uuid.Nil {
		t.Error("an endpoint that goes on is not delivered to")
	}
	do("test-endpoint", `,"message":"hello"`)
	s.ann.must(t, "acme", "disable-app", `{"app":"crm"}`)
	if r := say("test-endpoint", ""); r.code() != "app-not-enabled" {
		t.Errorf("a test while the app is disabled: %d %s", r.status, r.body)
	}
	do("delete-endpoint", "")
	if r := say("enable-endpoint", ""); r.status != 404 {
		t.Errorf("a deleted endpoint: %d %s", r.status, r.body)
	}

	s.settled(t)
	for _, address := range []string{"endpoints", "endpoints/" + id, "endpoints/" + id + "/history", "events?limit=1000", "audit?limit=1000"} {
		r := s.ann.do("GET", "/v1/tenants/acme/"+address, "")
		if r.status != 200 || strings.Contains(r.body, "whsec_") || strings.Contains(r.body, "whsk_") || strings.Contains(r.body, "sealed:") || strings.Contains(r.body, "secret_sealed") {
			t.Errorf("%s: %d %s", address, r.status, r.body)
		}
	}
	before := s.ann.do("GET", "/v1/tenants/acme/endpoints/"+id+"?as_of="+made.part("position"), "")
	if before.status != 200 || !strings.Contains(before.body, `"status":"enabled"`) {
		t.Errorf("as it was at first: %d %s", before.status, before.body)
	}
	verified, err := s.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := verified.Verify(t.Context(), 5); err != nil || v.Total != 0 {
		t.Errorf("the tables differ from the log: %v %v", v.Differences, err)
	}
}

func TestAnEndpointOfAnotherTenantIsNone(t *testing.T) {
	s := newHooked(t)
	id := s.ann.must(t, "acme", "create-endpoint", hookBody)
	bea := s.root.user(t, "beta", "bea", true)
	for _, name := range []string{"change-endpoint", "enable-endpoint", "disable-endpoint", "delete-endpoint", "rotate-endpoint-secret", "reveal-endpoint-secret", "test-endpoint"} {
		if r := bea.command("beta", name, fmt.Sprintf(`{"id":%q}`, id)); r.status != 404 || strings.Contains(r.body, "whsec_") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := bea.command("beta", "create-endpoint", hookBody); r.code() != "app-not-enabled" {
		t.Errorf("an endpoint of an app that is not enabled: %d %s", r.status, r.body)
	}
	s.settled(t)
	if r := bea.do("GET", "/v1/tenants/beta/endpoints/"+id, ""); r.status != 404 {
		t.Errorf("read: %d %s", r.status, r.body)
	}
}

// happened is an event of acme as the log has it.
func (s *hooked) happened(source, typ, payload string, tags ...string) *eventlog.Raw {
	return &eventlog.Raw{
		ID: uuid.New(), Tenant: uuid.MustParse(s.acme), SourceApp: source, Type: typ, Payload: []byte(payload), Tags: tags,
		Metadata: []byte(`{"cloudevent":{"id":"1","source":"//shop","subject":"order/7"}}`),
	}
}

func TestAnEndpointMeansWhatTermsManifestAndPolicyHaveInCommon(t *testing.T) {
	s := newHooked(t)
	id := s.ann.must(t, "acme", "create-endpoint", `{"app":"crm","kind":"webhook","types":["core.user.registered","shop.order.placed"],
		"filter":"type != \"shop.order.placed\" || (data.total > 100 && subject == \"order/7\")","url":"https://crm.example/"}`)
	e := s.loaded(t, id)
	registered, small := s.happened(dcb.Core, "user.registered", `{}`, "user:1"), s.happened("shop", "shop.order.placed", `{"total":1}`)
	large, tested := s.happened("shop", "shop.order.placed", `{"total":101}`), s.happened(dcb.Core, "endpoint.tested", `{}`, "endpoint:"+id)
	other := s.happened(dcb.Core, "endpoint.tested", `{}`, "endpoint:"+uuid.NewString())
	forged := s.happened("shop", "user.registered", `{}`) // of an app, under a name of Chancery's
	expect := func(when string, want map[*eventlog.Raw]bool) {
		t.Helper()
		for raw, means := range want {
			if got := e.Means(raw); got != means {
				t.Errorf("%s: %s of %s with %s is meant: %v", when, raw.Type, raw.SourceApp, raw.Payload, got)
			}
		}
	}
	expect("at first", map[*eventlog.Raw]bool{registered: true, small: false, large: true, tested: true, other: false, forged: false})
	deleted := s.happened(dcb.Core, "user.deleted", `{}`, "user:1")
	permitted := func(when string, want map[*eventlog.Raw]bool) { // whatever its types and its filter say
		t.Helper()
		for raw, permits := range want {
			if got := e.Permits(raw); got != permits {
				t.Errorf("%s: %s of %s may be sent: %v", when, raw.Type, raw.SourceApp, got)
			}
		}
	}
	permitted("at first", map[*eventlog.Raw]bool{registered: true, deleted: true, small: true, large: true, tested: true, other: false, forged: false})

	s.ann.must(t, "acme", "set-policy", `{"key":"events.deliverable","value":"shop.* core.group.*"}`)
	expect("after the policy was narrowed", map[*eventlog.Raw]bool{registered: false, large: true, tested: true})
	permitted("after the policy was narrowed", map[*eventlog.Raw]bool{registered: false, deleted: false, small: true, tested: true})
	s.ann.must(t, "acme", "reset-policy", `{"key":"events.deliverable"}`)
	expect("after that was taken back", map[*eventlog.Raw]bool{registered: true, large: true})

	s.publish(t, "1.1.0", "core.user.*")
	s.ann.must(t, "acme", "upgrade-app", s.confirmed(t, "1.1.0"))
	expect("under a version that consumes less", map[*eventlog.Raw]bool{registered: true, large: false, tested: true})
	permitted("under a version that consumes less", map[*eventlog.Raw]bool{deleted: true, small: false, tested: true})
	if !e.Open(s.clock.now()) {
		t.Error("it is closed while its app works")
	}
	s.ann.must(t, "acme", "disable-app", `{"app":"crm"}`)
	if e.Open(s.clock.now()) {
		t.Error("it is open though its app is disabled")
	}
	permitted("while its app is disabled, when it waits", map[*eventlog.Raw]bool{registered: true, large: false})
	s.ann.must(t, "acme", "enable-app", `{"app":"crm"}`)
	s.root.must(t, "root", "suspend-tenant", fmt.Sprintf(`{"id":%q}`, s.acme))
	if e.Open(s.clock.now()) {
		t.Error("it is open though its tenant is suspended")
	}
	for _, raw := range []*eventlog.Raw{registered, large, tested, s.happened("endpoint", "endpoint.created", `{}`)} {
		if endpointsConcern(raw) {
			t.Errorf("%s of %s concerns endpoints", raw.Type, raw.SourceApp)
		}
	}
	for _, typ := range []string{"endpoint.created", "tenant-app.upgraded", "policy.set", "license.revoked", "tenant.suspended"} {
		if !endpointsConcern(s.happened(dcb.Core, typ, `{}`)) {
			t.Errorf("%s does not concern endpoints", typ)
		}
	}
}

// confirmed is the body of an upgrade that was read.
func (s *hooked) confirmed(t *testing.T, version string) string {
	t.Helper()
	hash := s.column(t, `SELECT payload->>'hash' FROM core.events WHERE type LIKE 'app-version.%' AND payload->>'number' = $1 AND payload->>'hash' <> ''`, version)
	if len(hash) != 1 {
		t.Fatalf("%d versions %s", len(hash), version)
	}
	return fmt.Sprintf(`{"app":"crm","version":%q,"confirm":%q}`, version, hash[0])
}

func (s *hooked) means(t *testing.T, tenant domain.TenantID, id domain.EndpointID, terms domain.EndpointTerms) func(*eventlog.Raw) bool {
	t.Helper()
	means, err := s.meaning(tenant, id, terms, s.permission(tenant, id, "crm"))
	if err != nil {
		t.Fatal(err)
	}
	return means
}

// TestAFilterSeesNoSecrets: what is masked for readers of events is masked for filters, or they would tell it letter by letter.
func TestAFilterSeesNoSecrets(t *testing.T) {
	s := newHooked(t)
	tenant := domain.TenantID{UUID: uuid.MustParse(s.acme)}
	sees := func(raw *eventlog.Raw, filter string) bool {
		t.Helper()
		terms := domain.EndpointTerms{Types: []domain.EventPattern{"core.user.*"}, Filter: filter}
		id := domain.EndpointID{UUID: uuid.New()}
		return s.means(t, tenant, id, terms)(raw)
	}
	sealed := s.happened(dcb.Core, "user.registered", `{"display_name":"sealed:1:0194f3a0-0040-7000-8000-000000000001:AZ2kq0mY","email_key":"email:5b6f","user":"x"}`, "user:0194f3a0-0040-7000-8000-000000000001")
	if sees(sealed, `data.display_name.contains("AZ2") || data.email_key.contains("5b")`) {
		t.Error("a filter sees a sealed text or a keyed hash")
	}
	if !sees(sealed, `data.display_name == "[sealed]" && data.user == "x" && subject == "user:0194f3a0-0040-7000-8000-000000000001"`) {
		t.Error("a filter does not see the rest")
	}
}

func TestAnEventWithoutATimeHasThatOfItsRecordInFilters(t *testing.T) {
	s := newHooked(t)
	tenant, id := domain.TenantID{UUID: uuid.MustParse(s.acme)}, domain.EndpointID{UUID: uuid.New()}
	raw := s.happened("shop", "shop.order.placed", `{}`)
	raw.CreatedAt = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	for filter, want := range map[string]bool{`time == timestamp("2026-03-02T09:30:00Z")`: true, `time < timestamp("2026-01-01T00:00:00Z")`: false} {
		terms := domain.EndpointTerms{Types: []domain.EventPattern{"shop.*"}, Filter: filter}
		if got := s.means(t, tenant, id, terms)(raw); got != want {
			t.Errorf("%s means it: %v", filter, got)
		}
	}
}

// TestAWebhookWhoseFilterCannotBeReadAnyMoreWaits: nothing passes it that its owner may have meant.
func TestAWebhookWhoseFilterCannotBeReadAnyMoreWaits(t *testing.T) {
	s := newHooked(t)
	waits, goesOn := s.ann.must(t, "acme", "create-endpoint", hookBody), s.ann.must(t, "acme", "create-endpoint", hookBody)
	s.settled(t)
	const lost = `UPDATE core.endpoints SET filter = 'time.getHours("UTC") >= 0', version = version + 1 WHERE id = $1` // the language had that once
	if _, err := s.ledger.Pool(ledger.Project).Exec(t.Context(), lost, waits); err != nil {
		t.Fatal(err)
	}
	all, err := s.webhooks(t.Context())
	if err != nil || len(all) != 1 || all[0].ID.String() != goesOn {
		t.Errorf("%d webhooks, %v", len(all), err)
	}
	tenant, id := domain.TenantID{UUID: uuid.MustParse(s.acme)}, domain.EndpointID{UUID: uuid.MustParse(waits)}
	if means, err := s.meaning(tenant, id, domain.EndpointTerms{Filter: `time.getHours("UTC") >= 0`}, nil); means != nil || !errors.Is(err, errFilter) {
		t.Errorf("means something: %v", err)
	}
}

func TestManyWebhooksAreLoadedAtOnce(t *testing.T) {
	s := newHooked(t)
	for range 30 {
		s.ann.must(t, "acme", "create-endpoint", hookBody)
	}
	s.settled(t)
	load := func() (n int, took time.Duration) {
		t.Helper()
		began := time.Now()
		all, err := s.webhooks(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return len(all), time.Since(began)
	}
	for _, what := range []string{"at first", "again"} {
		n, took := load()
		t.Logf("%d webhooks, %s: %v", n, what, took)
		if n != 30 {
			t.Errorf("%d webhooks of 30, %s", n, what)
		}
	}
}
