package domain_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
)

func TestAPatternMeansATypeOrAllThatBeginWithItsWords(t *testing.T) {
	for _, c := range []struct {
		pattern domain.EventPattern
		typ     string
		want    bool
	}{
		{"shop.order.placed", "shop.order.placed", true},
		{"shop.order.placed", "shop.order.placed.2", false},
		{"shop.order.placed", "shop.order", false},
		{"shop.order.*", "shop.order.placed", true},
		{"shop.order.*", "shop.order.line.added", true},
		{"shop.order.*", "shop.order", false},
		{"shop.order.*", "shop.orders.placed", false},
		{"shop.*", "shopping.cart", false},
		{"core.*", "core.user.registered", true},
		{"core.user.*", "user.registered", false},
		{"*", "core.user.registered", true},
		{"*", "", true},
		{"", "x", false},
	} {
		if got := c.pattern.Matches(c.typ); got != c.want {
			t.Errorf("%q matches %q: %t", c.pattern, c.typ, got)
		}
	}
}

func TestAPatternCoversThoseThatMeanNoMore(t *testing.T) {
	for _, c := range []struct {
		p, o domain.EventPattern
		want bool
	}{
		{"*", "*", true},
		{"*", "shop.*", true},
		{"*", "shop.order", true},
		{"shop.*", "*", false},
		{"shop.*", "shop.*", true},
		{"shop.*", "shop.order.*", true},
		{"shop.order.*", "shop.*", false},
		{"shop.*", "shop.order.placed", true},
		{"shop.*", "shopping.*", false},
		{"shop.order.placed", "shop.order.placed", true},
		{"shop.order.placed", "shop.order.*", false},
		{"shop.order.placed", "shop.order.sent", false},
	} {
		if got := c.p.Covers(c.o); got != c.want {
			t.Errorf("%q covers %q: %t", c.p, c.o, got)
		}
		for _, typ := range []string{"shop.order.placed", "shop.order.sent", "shop.x", "shopping.x", "core.user.registered"} {
			if c.want && c.o.Matches(typ) && !c.p.Matches(typ) {
				t.Errorf("%q covers %q, and does not mean %q", c.p, c.o, typ)
			}
		}
	}
}

func TestNoTwoEventsShareARequest(t *testing.T) {
	a, b := domain.TenantID{UUID: uuid.New()}, domain.TenantID{UUID: uuid.New()}
	seen := map[uuid.UUID]string{}
	for name, id := range map[string]uuid.UUID{
		"a":             domain.PublishedID(a, "shop", "/x", "1"),
		"other tenant":  domain.PublishedID(b, "shop", "/x", "1"),
		"other app":     domain.PublishedID(a, "mart", "/x", "1"),
		"other source":  domain.PublishedID(a, "shop", "/y", "1"),
		"other id":      domain.PublishedID(a, "shop", "/x", "2"),
		"moved slash":   domain.PublishedID(a, "shop", "/x/1", ""),
		"moved slash 2": domain.PublishedID(a, "shop", "", "/x/1"),
	} {
		if other := seen[id]; other != "" {
			t.Errorf("%s and %s are one request", name, other)
		}
		seen[id] = name
	}
}

// shopEvents is what version 1.0.0 of an app says about events.
func shopEvents(t *testing.T, publishes string) *domain.AppEvents {
	t.Helper()
	m, _, _, err := domain.ParseManifest([]byte(`{"app":"shop","version":"1.0.0","events":{"publishes":` + publishes + `,"consumes":["shop.*","core.user.registered"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return domain.NewAppEvents(m)
}

func TestDataIsJudgedAsTheManifestDeclaresIt(t *testing.T) {
	a := shopEvents(t, `[
		{"type":"shop.placed","schema":{"type":"object","required":["order"],"properties":{"order":{"type":"string"},"lines":{"type":"array","items":{"type":"integer"}}},"additionalProperties":false}},
		{"type":"shop.any","schema":{}},
		{"type":"shop.tree","schema":{"type":"object","properties":{"below":{"type":"array","items":{"$ref":"#"}}},"additionalProperties":false}},
		{"type":"shop.fork","schema":{"properties":{"x":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}},
		{"type":"shop.dynamic","schema":{"$dynamicAnchor":"a","properties":{"x":{"$dynamicRef":"#a"}}}}]`)
	deep := strings.Repeat(`{"x":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct {
		typ, data string
		refused   *domain.Refusal
		places    []string
	}{
		{"shop.placed", ` { "order" : "1" } `, nil, nil},
		{"shop.placed", `{"lines":[1,"x",2.5],"more":1}`, domain.ErrPayloadInvalid, []string{"/2/data/lines/1", "/2/data/lines/2", "/2/data/more", "/2/data/order"}},
		{"shop.placed", `7`, domain.ErrPayloadInvalid, []string{"/2/data"}},
		{"shop.placed", `{`, domain.ErrPayloadInvalid, []string{"/2/data"}},
		{"shop.any", `null`, nil, nil},
		{"shop.tree", `{"below":[{"below":[{}]}]}`, nil, nil},
		{"shop.tree", `{"below":[{"below":[1]}]}`, domain.ErrPayloadInvalid, []string{"/2/data/below/0/below/0"}},
		{"shop.fork", deep, domain.ErrPayloadInvalid, []string{"/2/data"}}, // judged 2 to the power of 40 times
		{"shop.dynamic", `{"x":1}`, domain.ErrPayloadInvalid, []string{"/2/data"}},
		{"shop.sent", `{}`, domain.ErrTypeUndeclared, []string{"/2/type"}},
	} {
		before := c.data
		err := a.Judge("/2", c.typ, []byte(c.data))
		got, _ := domain.IsRefusal(err)
		var at []string
		for _, p := range domain.PlacesOf(err) {
			at = append(at, p.Pointer)
		}
		slices.Sort(at)
		if got != c.refused || !slices.Equal(at, c.places) {
			t.Errorf("%s %s: %v at %q, want %v at %q", c.typ, c.data[:min(len(c.data), 60)], err, at, c.refused, c.places)
		}
		if c.data != before {
			t.Error("the data was changed")
		}
	}
}

func TestAVersionConsumesWhatItsPatternsCover(t *testing.T) {
	a := shopEvents(t, `[]`)
	for p, want := range map[domain.EventPattern]bool{"shop.*": true, "shop.x": true, "core.user.registered": true, "core.user.*": false, "*": false} {
		if a.Consuming(p) != want {
			t.Errorf("%s: %t", p, !want)
		}
	}
	if a.Declares("shop.x") {
		t.Error("it declares what it does not")
	}
}

func TestAnEnvelopeIsReadAsItWasWritten(t *testing.T) {
	e := domain.Published{App: "shop", Type: "shop.placed", Payload: []byte(` {"b":1, "a":2}`), About: domain.CloudEvent{ID: "1", Source: "/x", Extensions: []byte(`{"n":1}`)}}
	again, err := domain.Catalog.DecodeForeign(e.PublishedBy(), e.EventType(), e.Data(), e.Envelope())
	if err != nil {
		t.Fatal(err)
	}
	if got := again.(domain.Published); string(got.Payload) != string(e.Payload) || string(got.Envelope()) != string(e.Envelope()) || !json.Valid(got.Envelope()) {
		t.Errorf("got %+v", got)
	}
}

func TestNoAppIsCalledLikeChancerysOwnEvents(t *testing.T) {
	for _, name := range []domain.App{"core", "user", "role", "tenant", "license", "event", "events", "app", "tenant-app", "endpoint", "consumption", "seat"} {
		if !name.Reserved() {
			t.Errorf("an app may be called %s", name)
		}
	}
	for _, name := range []domain.App{"shop", "github", "users", "use", "tenant-apps", "billing"} {
		if name.Reserved() {
			t.Errorf("no app may be called %s", name)
		}
	}
	for _, typ := range domain.Catalog.Types() {
		if first, _, _ := strings.Cut(typ, "."); !domain.App(first).Reserved() {
			t.Errorf("an app may be called %s, and publish %s", first, typ)
		}
	}
}
