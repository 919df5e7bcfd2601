package dcb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/dcb"
)

type thing string

func (t thing) Tag() dcb.Tag {
	if t == "" {
		return ""
	}
	return dcb.Tag("thing:" + t)
}

type linked struct {
	From   thing        `json:"from"`
	To     thing        `json:"to,omitzero"`
	Others []thing      `json:"others,omitzero"`
	Note   dcb.Personal `json:"note,omitzero"`
	Key    dcb.Claim    `json:"key,omitzero"`
}

func (linked) EventType() string { return "linked" }

type linkedOnce struct {
	Names []thing `json:"names"`
}

func (linkedOnce) EventType() string { return "linked-once" }

var (
	here  = uuid.MustParse("00000000-0000-0000-0000-00000000000a")
	there = uuid.MustParse("00000000-0000-0000-0000-00000000000b")
)

func same(t dcb.Tag) dcb.Tag { return t }

// asking answers from a history, and notes what it was asked.
func asking(history []dcb.Recorded, asked *[]dcb.Query) dcb.Source {
	return func(q dcb.Query) (found []dcb.Recorded, _ error) {
		*asked = append(*asked, q)
		for _, r := range history {
			if q.Matches(r.Event.EventType(), r.Tags) {
				found = append(found, r)
			}
		}
		return found, nil
	}
}

func happened(tenant uuid.UUID, events ...dcb.Event) (all []dcb.Recorded) {
	for i, e := range events {
		all = append(all, dcb.Recorded{Meta: dcb.Meta{Position: int64(i + 1), Tenant: tenant}, Event: e, Tags: dcb.TagsOf(e)})
	}
	return all
}

func goesTo(from thing) *dcb.Fact[thing] {
	return dcb.Ask(thing(""), []dcb.Tag{from.Tag()}, dcb.On(func(to *thing, e linked) {
		if e.From == from {
			*to = e.To
		}
	}))
}

func TestEveryFieldThatKnowsItsTagGivesOne(t *testing.T) {
	e := linked{From: "b", To: "a", Others: []thing{"c", "a", ""}, Key: dcb.Claimed("email", "x")}
	want := []dcb.Tag{"thing:a", "thing:b", "thing:c", "~email:x"}
	if diff := cmp.Diff(want, dcb.TagsOf(e)); diff != "" {
		t.Error(diff)
	}
	if got := dcb.TagsOf(linked{}); len(got) != 0 {
		t.Errorf("an empty event has the tags %v", got)
	}
}

func TestADecisionWalksAChainOfUnknownLength(t *testing.T) {
	history := happened(here, linked{From: "a", To: "b"}, linked{From: "b", To: "c"}, linked{From: "c", To: "d"}, linked{From: "x", To: "y"})
	var asked []dcb.Query
	var path []thing
	fact := goesTo("a")
	d := dcb.From(fact).Then(func() []dcb.AnyFact {
		if fact.Value == "" {
			return nil
		}
		path = append(path, fact.Value)
		fact = goesTo(fact.Value)
		return []dcb.AnyFact{fact}
	}).Decide(func() ([]dcb.Event, error) { return dcb.Emit(linked{From: path[len(path)-1]}) })
	events, whole, err := d.Run(context.Background(), here, same, asking(history, &asked))
	if err != nil || len(events) != 1 || events[0].(linked).From != "d" {
		t.Fatalf("decided %v, %v", events, err)
	}
	if len(asked) != 4 || len(whole) != 4 {
		t.Errorf("asked %d times for %d items, want 4 and 4", len(asked), len(whole))
	}
	for i, name := range []dcb.Tag{"thing:a", "thing:b", "thing:c", "thing:d"} {
		if whole[i].Tags[0] != name || whole[i].Types[0] != "linked" {
			t.Errorf("item %d is %v", i, whole[i])
		}
	}
}

func TestStagesAreKnownInTheOrderInWhichTheyWereNamed(t *testing.T) {
	var order []string
	stage := func(name string, fact *dcb.Fact[thing]) func() []dcb.AnyFact {
		done := false
		return func() []dcb.AnyFact {
			if done {
				return nil
			}
			done = true
			order = append(order, name)
			return []dcb.AnyFact{fact}
		}
	}
	d := dcb.From(goesTo("a")).Then(stage("one", goesTo("b"))).Then(stage("two", goesTo("c"))).
		Consult(func(context.Context) error { order = append(order, "consult"); return nil }).
		Decide(func() ([]dcb.Event, error) { order = append(order, "decide"); return nil, nil }).
		Guarded(goesTo("g"), func() error { order = append(order, "first guard"); return nil }).
		Guarded(goesTo("h"), func() error { order = append(order, "last guard"); return nil })
	var asked []dcb.Query
	if _, _, err := d.Run(context.Background(), here, same, asking(nil, &asked)); err != nil {
		t.Fatal(err)
	}
	want := []string{"last guard", "first guard", "one", "two", "consult", "decide"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Error(diff)
	}
}

func TestAFactHearsItsOwnTenantUnlessItSaysOtherwise(t *testing.T) {
	history := append(happened(here, linked{From: "a", To: "mine"}), happened(there, linked{From: "a", To: "theirs"})...)
	for what, c := range map[string]struct {
		fact *dcb.Fact[thing]
		want thing
	}{
		"its own":      {goesTo("a"), "mine"},
		"anywhere":     {goesTo("a").Anywhere(), "theirs"},
		"one more":     {goesTo("a").Also(there), "theirs"},
		"another more": {goesTo("a").Also(uuid.Max), "mine"},
		"that one":     {goesTo("a").Only(there), "theirs"},
		"its own only": {goesTo("a").Only(here), "mine"},
		"nobody's":     {goesTo("a").Only(uuid.Max), ""},
	} {
		var asked []dcb.Query
		d := dcb.From(c.fact).Decide(func() ([]dcb.Event, error) { return nil, nil })
		if _, _, err := d.Run(context.Background(), here, same, asking(history, &asked)); err != nil || c.fact.Value != c.want {
			t.Errorf("%s: %q, %v; want %q", what, c.fact.Value, err, c.want)
		}
	}
}

func TestWhatIsWatchedIsReliedOnAndNotRead(t *testing.T) {
	var asked []dcb.Query
	more := []dcb.AnyFact{dcb.Watch([]dcb.Tag{"thing:c"})}
	d := dcb.From(goesTo("a"), dcb.Watch([]dcb.Tag{"thing:b"}, "linked-once")).Then(func() []dcb.AnyFact {
		now := more
		more = nil
		return now
	}).Decide(func() ([]dcb.Event, error) { return nil, nil })
	_, whole, err := d.Run(context.Background(), here, same, asking(nil, &asked))
	if err != nil {
		t.Fatal(err)
	}
	want := dcb.Query{
		{Types: []string{"linked-once"}, Tags: []dcb.Tag{"thing:b"}}, {Types: []string{"linked"}, Tags: []dcb.Tag{"thing:a"}}, {Tags: []dcb.Tag{"thing:c"}},
	}
	if diff := cmp.Diff(want, whole); diff != "" {
		t.Errorf("relied on something else (-want +got):\n%s", diff)
	}
	read := []dcb.Query{want[1:2]}
	if diff := cmp.Diff(read, asked); diff != "" {
		t.Errorf("read something else (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(read[0], d.FirstQuery(same)); diff != "" {
		t.Errorf("begins with something else (-want +got):\n%s", diff)
	}
}

func TestTheLatestEventIsOneThatCounts(t *testing.T) {
	history := happened(here, linked{From: "a"}, linked{From: "b", To: "a"}, linked{From: "c"})
	f := dcb.LatestOf([]string{"linked"}, []dcb.Tag{"thing:a"}, func(e dcb.Event) bool { return e.(linked).From == "a" })
	all := dcb.LatestOf([]string{"linked"}, []dcb.Tag{"thing:a"}, func(dcb.Event) bool { return true })
	var asked []dcb.Query
	d := dcb.From(f, all).Decide(func() ([]dcb.Event, error) { return nil, nil })
	if _, _, err := d.Run(context.Background(), here, same, asking(history, &asked)); err != nil || f.Value.Position != 1 || all.Value.Position != 2 {
		t.Errorf("at %d and %d, %v; want 1 and 2", f.Value.Position, all.Value.Position, err)
	}
}

func TestFaultsOfTheHistoryAndOfGuardsEndTheDecision(t *testing.T) {
	fault := errors.New("no history")
	never := func() ([]dcb.Event, error) { t.Error("it was decided"); return nil, nil }
	broken := func(dcb.Query) ([]dcb.Recorded, error) { return nil, fault }
	if _, _, err := dcb.From(goesTo("a")).Decide(never).Run(context.Background(), here, same, broken); !errors.Is(err, fault) {
		t.Errorf("got %v", err)
	}
	var asked []dcb.Query
	guarded := dcb.From().Decide(never).Guarded(goesTo("a"), func() error { return fault })
	if _, _, err := guarded.Run(context.Background(), here, same, asking(nil, &asked)); !errors.Is(err, fault) {
		t.Errorf("got %v", err)
	}
}

func TestPersonalValuesAreNeverPrintedAndNeverEncodedInTheClear(t *testing.T) {
	e := linked{From: "a", Note: dcb.Plain("canary"), Key: dcb.Claimed("email", "canary")}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "note", e.Note, "key", e.Key)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "note", e.Note, "key", e.Key)
	for _, s := range []string{
		log.String(), fmt.Sprint(e.Note, e.Key), fmt.Sprintf("%v %+v %#v %s %q", e.Note, e.Note, e.Note, e.Note, e.Note),
		fmt.Sprintf("%v %+v %#v %s %q", e.Key, e.Key, e.Key, e.Key, e.Key), fmt.Sprintf("%v %+v %#v", e, e, e),
	} {
		if strings.Contains(s, "canary") {
			t.Errorf("printed as %s", s)
		}
	}
	for _, v := range []any{e, linked{Note: e.Note}, linked{Key: e.Key}} {
		if b, err := jsonv2.Marshal(v); err == nil {
			t.Errorf("encoded as %s", b)
		}
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("encoded as %s", b)
		}
	}
	sealed, err := dcb.MapPersonal(e, func(name string, p dcb.Personal) (dcb.Personal, error) {
		return dcb.FromCiphertext("sealed " + name + " " + strconv.Itoa(len(p.Reveal()))), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := jsonv2.Marshal(dcb.MapClaims(sealed, func(tag dcb.Tag) dcb.Tag { return dcb.Tag(fmt.Sprint("hash of ", len(tag))) }))
	if want := `{"from":"a","note":"sealed note 6","key":"hash of 13"}`; err != nil || string(b) != want {
		t.Errorf("encoded as %s, %v; want %s", b, err, want)
	}
	if e.Note.Reveal() != "canary" || e.Key.Tag() != "~email:canary" {
		t.Error("the event itself was changed")
	}
}

func TestARetiredTypeIsReadAsItsSuccessor(t *testing.T) {
	c := dcb.NewCatalog(dcb.Kind("thing", dcb.Of[linked](), dcb.Upcast(func(old linkedOnce) linked { return linked{From: old.Names[0], To: old.Names[1]} })))
	got, err := c.Decode("linked-once", []byte(`{"names":["a","b"]}`))
	if e, ok := got.(linked); err != nil || !ok || e.From != "a" || e.To != "b" {
		t.Errorf("read as %#v, %v", got, err)
	}
	for typ, payload := range map[string]string{"unknown": `{}`, "linked": `[]`, "linked-once": `{"names":1}`} {
		if _, err := c.Decode(typ, []byte(payload)); err == nil {
			t.Errorf("%s %s was read", typ, payload)
		}
	}
	if diff := cmp.Diff([]string{"linked", "linked-once"}, c.KindTypes("thing")); diff != "" || c.KindOf("linked-once") != "thing" || c.Zero("unknown") != nil {
		t.Errorf("the catalogue says otherwise: %s", diff)
	}
}

func TestATypeIsListedOnce(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a type was listed twice")
		}
	}()
	dcb.NewCatalog(dcb.Kind("a", dcb.Of[linked]()), dcb.Kind("b", dcb.Of[linked]()))
}
