package commands_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

const (
	shop1 = `{"app":"shop","version":"1.0.0","events":{"consumes":["core.user.*"],"publishes":[
		{"type":"shop.placed","schema":{"type":"object","required":["order"],"properties":{"order":{"type":"string"}}}}]}}`
	shop2 = `{"app":"shop","version":"2.0.0","events":{"publishes":[
		{"type":"shop.placed","schema":{"type":"object","required":["order","total"],"properties":{"total":{"type":"number"}}}},
		{"type":"shop.sent","schema":{}}]}}`
)

// order of the shop, as it was published.
func shopEvent(id, data string) domain.Published {
	return domain.Published{App: "shop", Type: "shop.placed", Payload: jsontext.Value(data), About: domain.CloudEvent{ID: id, Source: "/checkout"}}
}

// asShop is a token of the app.
func asShop() commands.Env {
	e := env()
	e.App, e.Privileged = "shop", false
	return e
}

// withShop has versions of shop published, and some come to work in acme one after another.
func withShop(t *testing.T, working ...string) history {
	return atWork(t, given().elsewhere(domain.Root, publishedApps(t, shop1, shop2)...), working...)
}

func TestAnAppPublishesWhatItsVersionAtWorkDeclares(t *testing.T) {
	h := withShop(t, "shop@1.0.0")
	e := shopEvent("1", ` {"order": "1" } `)
	h.When(commands.PublishEvent{Event: e}.Decide(asShop())).Then(t, e)

	wrong := commands.PublishEvent{Event: shopEvent("1", `{"order":1}`), Pointer: "/3"}.Decide(asShop())
	h.When(wrong).ThenRefused(t, domain.ErrPayloadInvalid)
	if at := domain.PlacesOf(h.When(wrong).Err()); len(at) != 1 || at[0].Pointer != "/3/data/order" {
		t.Errorf("refused at %+v", at)
	}
	e.Type = "shop.sent"
	h.When(commands.PublishEvent{Event: e}.Decide(asShop())).ThenRefused(t, domain.ErrTypeUndeclared)
	e.Type = "user.registered"
	h.When(commands.PublishEvent{Event: e}.Decide(asShop())).ThenRefused(t, domain.ErrTypeUndeclared)

	h = withShop(t)
	h.When(commands.PublishEvent{Event: shopEvent("1", `{"order":"1"}`)}.Decide(asShop())).ThenRefused(t, domain.ErrAppNotEnabled)
	h = withShop(t, "shop@1.0.0").and(domain.AppDisabled{TenantApp: acmeApp("shop"), Name: "shop"})
	h.When(commands.PublishEvent{Event: shopEvent("1", `{"order":"1"}`)}.Decide(asShop())).ThenRefused(t, domain.ErrAppNotEnabled)
}

func TestOnlyTheAppItselfPublishes(t *testing.T) {
	h := withShop(t, "shop@1.0.0")
	c := commands.PublishEvent{Event: shopEvent("1", `{"order":"1"}`)}
	for _, app := range []string{"", "mart"} {
		e := env() // from whom nothing is kept
		e.App = app
		h.When(c.Decide(e)).ThenRefused(t, domain.ErrNotTheApp)
	}
	nobody := c
	nobody.Event.App = ""
	h.When(nobody.Decide(env())).ThenRefused(t, domain.ErrNotTheApp)
}

// publishing is the order that a token of shop sends.
func (w *world) publishing(e domain.Published, changes ...func(*commands.Order)) commands.Order {
	o := commands.Order{
		Spec: &commands.Publishing, Command: commands.PublishEvent{Event: e}, Tenant: acme, Keyed: true,
		Request: domain.PublishedID(acme, e.App, e.About.Source, e.About.ID), Rights: rights{all: true},
		By: dcb.Provenance{Actor: chief.UUID, Effective: chief.UUID, ActorTenant: acme.UUID, App: "shop"},
	}
	o.Fingerprint = commands.Fingerprint([]byte(e.Type), e.Payload, e.Envelope())
	for _, change := range changes {
		change(&o)
	}
	return o
}

// shopAtWork has shop at work in acme.
func shopAtWork(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.must(t, w.order(domain.Root, &commands.AdmitVendor{Tenant: domain.Root}))
	w.must(t, w.order(domain.Root, &commands.RegisterApp{Name: "shop", Title: "Shop"}))
	for _, m := range []string{shop1, shop2} {
		w.must(t, w.order(domain.Root, &commands.PublishAppVersion{Manifest: jsontext.Value(m)}))
	}
	w.must(t, w.order(acme, &commands.EnableApp{App: "shop", Version: "1.0.0"}))
	return w
}

func (w *world) publish(running domain.Semver, orders ...commands.Order) ([]commands.Result, error) {
	return w.Publish(context.Background(), running, orders)
}

// published are the ids that apps gave the events after a position, and the data.
func (w *world) published(t *testing.T, after int64) (all []string) {
	t.Helper()
	for _, r := range w.stored(t, after) {
		if e, is := r.Event.(domain.Published); is {
			all = append(all, e.About.ID+" "+string(e.Payload))
		}
	}
	return all
}

func (w *world) thenPublished(t *testing.T, after int64, want ...string) {
	t.Helper()
	if got := w.published(t, after); !slices.Equal(got, want) {
		t.Errorf("published %q, want %q", got, want)
	}
}

func TestAnEventIsPublishedOnceForEver(t *testing.T) {
	w := shopAtWork(t)
	before := w.head(t)
	e := shopEvent("1", `{ "order":"1"}`)
	first, err := w.publish("1.0.0", w.publishing(e))
	if err != nil || len(first) != 1 || len(first[0].Events) != 1 || first[0].Events[0].Type != "shop.placed" || first[0].Position != before+1 {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := w.publish("1.0.0", w.publishing(e))
	if err != nil || !again[0].Replayed || again[0].Events[0] != first[0].Events[0] {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	e.Payload = jsontext.Value(`{"order":"1"}`)
	_, err = w.publish("1.0.0", w.publishing(e))
	if see(domain.ErrEventIDReused); !isRefusal(err, domain.ErrEventIDReused) || domain.PlacesOf(err)[0].Pointer != "/id" {
		t.Errorf("with other content: %v", err)
	}
	// What was published stays so, also where the version of now would not take it.
	w.must(t, w.order(acme, &commands.DisableApp{App: "shop"}))
	if again, err = w.publish("2.0.0", w.publishing(shopEvent("1", `{ "order":"1"}`))); err != nil || !again[0].Replayed {
		t.Errorf("when the app is gone: %+v, %v", again, err)
	}
	w.thenPublished(t, before, `1 { "order":"1"}`)
}

func TestABatchIsPublishedAsAWholeOrNotAtAll(t *testing.T) {
	w := shopAtWork(t)
	before := w.head(t)
	one, two, three := shopEvent("1", `{"order":"1"}`), shopEvent("2", `{"order":"2"}`), shopEvent("3", `{"order":3}`)
	at := func(pointer string) func(*commands.Order) {
		return func(o *commands.Order) {
			c := o.Command.(commands.PublishEvent)
			c.Pointer = pointer
			o.Command = c
		}
	}
	_, err := w.publish("1.0.0", w.publishing(one, at("/0")), w.publishing(three, at("/1")), w.publishing(two, at("/2")))
	if !isRefusal(err, domain.ErrPayloadInvalid) || domain.PlacesOf(err)[0].Pointer != "/1/data/order" {
		t.Errorf("with a wrong one: %v", err)
	}
	w.thenPublished(t, before)

	first, err := w.publish("1.0.0", w.publishing(one))
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.publish("1.0.0", w.publishing(two, at("/0")), w.publishing(one, at("/1")), w.publishing(two, at("/2")))
	if err != nil || len(all) != 3 || all[1].Events[0] != first[0].Events[0] || all[0].Events[0] != all[2].Events[0] {
		t.Errorf("with one of before, and one twice: %+v, %v", all, err)
	}
	other := two
	other.Payload = jsontext.Value(`{"order":"x"}`)
	for name, orders := range map[string][]commands.Order{
		"within the batch": {w.publishing(shopEvent("4", `{"order":"4"}`), at("/0")), w.publishing(shopEvent("4", `{"order":"x"}`), at("/1"))},
		"of before":        {w.publishing(shopEvent("5", `{"order":"5"}`), at("/0")), w.publishing(other, at("/1"))},
	} {
		if _, err := w.publish("1.0.0", orders...); !isRefusal(err, domain.ErrEventIDReused) || domain.PlacesOf(err)[0].Pointer != "/1/id" {
			t.Errorf("other content %s: %v", name, err)
		}
	}
	w.thenPublished(t, before, `1 {"order":"1"}`, `2 {"order":"2"}`)
}

func TestTheVersionAtWorkJudgesWhateverTheCallerThoughtWasRunning(t *testing.T) {
	w := shopAtWork(t)
	w.must(t, w.order(acme, &commands.UpgradeApp{App: "shop", Version: "2.0.0", Confirm: hashOf(t, shop2)}))
	before := w.head(t)
	if _, err := w.publish("1.0.0", w.publishing(shopEvent("1", `{"order":"1"}`))); !isRefusal(err, domain.ErrPayloadInvalid) {
		t.Errorf("as of version 1: %v", err)
	}
	if _, err := w.publish("1.0.0", w.publishing(shopEvent("1", `{"order":"1","total":1}`))); err != nil {
		t.Error(err)
	}
	sent := shopEvent("2", `0`)
	sent.Type = "shop.sent"
	if _, err := w.publish("1.0.0", w.publishing(sent)); err != nil {
		t.Errorf("a type of version 2: %v", err)
	}
	w.thenPublished(t, before, `1 {"order":"1","total":1}`, `2 0`)

	// The app goes while the event is on its way.
	w.log.beforeNextAppend(func() { w.must(t, w.order(acme, &commands.DisableApp{App: "shop"})) })
	if _, err := w.publish("2.0.0", w.publishing(shopEvent("3", `{"order":"1","total":1}`))); !isRefusal(err, domain.ErrAppNotEnabled) {
		t.Errorf("while the app is disabled: %v", err)
	}
}

func hashOf(t *testing.T, manifest string) string {
	t.Helper()
	_, _, hash, err := domain.ParseManifest([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestManyPublishAtOnceAndEachEventIsThereOnce(t *testing.T) {
	w := shopAtWork(t)
	before := w.head(t)
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() {
			id := string(rune('a' + n%20)) // each twice
			if n%3 == 0 {
				_, err := w.publish("1.0.0", w.publishing(shopEvent(id, `{"order":"x"}`)), w.publishing(shopEvent(id+"+", `{"order":"x"}`)))
				if err != nil {
					t.Error(err)
				}
				return
			}
			if _, err := w.publish("1.0.0", w.publishing(shopEvent(id, `{"order":"x"}`))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := w.published(t, before)
	slices.Sort(got)
	if n := len(got); n != len(slices.Compact(got)) || n < 20 {
		t.Errorf("%d events, some of them twice", n)
	}
}

func TestWhatAVersionSaysOfEventsIsReadOnce(t *testing.T) {
	w := shopAtWork(t)
	first, err := w.AppEvents(t.Context(), "shop", "1.0.0")
	if err != nil || !first.Declares("shop.placed") || !first.Consuming("core.user.registered") {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := w.AppEvents(t.Context(), "shop", "1.0.0"); err != nil || again != first {
		t.Errorf("read again: %v", err)
	}
	if _, err := w.AppEvents(t.Context(), "shop", "9.0.0"); err == nil {
		t.Error("a version that there is not says something")
	}
}
