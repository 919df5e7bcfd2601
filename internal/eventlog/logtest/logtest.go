// Package logtest is the suite that every eventlog.Log passes; it knows none of them.
package logtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// Opener returns an empty log that lives as long as the test. It heeds Now and OnAppend of the configuration.
type Opener func(t *testing.T, c eventlog.Config) eventlog.Log

// Run runs the suite.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"an event comes back as it was written":                          comesBack,
		"positions and tenant sequences have no gaps":                    gapless,
		"own events come without those of apps, and say how far":         ownEvents,
		"a condition fails on any of its items":                          conditions,
		"reading finds exactly what a query matches":                     reading,
		"an item without tags is too wide":                               tooWide,
		"a repeated part is a duplicate, with another body a reused key": repeated,
		"a request is taken wholly or not at all":                        allOrNothing,
		"parts may cover no events":                                      emptyParts,
		"a request without events is remembered":                         noEvents,
		"business time never goes back within a tenant":                  businessTime,
		"created_at never goes back, whatever the clock does":            clock,
		"of many claimers exactly one wins":                              claimers,
		"malformed requests are refused and harm nobody":                 malformed,
		"strange texts come back unchanged":                              strange,
		"a data key is stored once and never replaced":                   keys,
		"an event that erases leaves no data key and lets none in":       erasing,
		"what was appended is passed on in order, before the answer":     passedOn,
		"a cancelled context ends the call":                              cancelled,
		"the head of a read covers everything acknowledged before it":    heads,
		"concurrent writers of all kinds agree on one history":           oneHistory,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// at is when these tests happen.
func at(seconds int) time.Time { return time.Date(2026, 1, 2, 3, 4, seconds, 5000, time.UTC) }

func tenant(n byte) uuid.UUID { return uuid.UUID{15: n} }

// Event is a small event of tenant 1.
func Event(kind string, tags ...string) eventlog.Raw {
	return eventlog.Raw{Tenant: tenant(1), Type: kind, Payload: []byte(`{"a":1}`), Metadata: []byte(`{}`), Tags: tags}
}

// Request appends events as one part.
func Request(events ...eventlog.Raw) eventlog.Request {
	return eventlog.Request{Parts: []eventlog.Part{{ID: uuid.New(), Fingerprint: []byte("body"), Events: len(events)}}, Events: events}
}

func provided(r eventlog.Request, after int64, q ...eventlog.Item) eventlog.Request {
	r.Conditions = append(r.Conditions, eventlog.Condition{Query: q, After: after})
	return r
}

func item(types string, tags ...string) eventlog.Item {
	return eventlog.Item{Types: strings.Fields(types), Tags: tags}
}

func must(t *testing.T, l eventlog.Log, r eventlog.Request) eventlog.Verdict {
	t.Helper()
	v, err := l.Append(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func accept(t *testing.T, l eventlog.Log, r eventlog.Request) eventlog.Verdict {
	t.Helper()
	v := must(t, l, r)
	if v.Status != eventlog.Accepted {
		t.Fatalf("got %+v, want it accepted", v)
	}
	return v
}

func history(t *testing.T, l eventlog.Log) []eventlog.Raw {
	t.Helper()
	all, err := l.Page(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func comesBack(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{Now: func() time.Time { return at(30).Add(999) }})
	e := eventlog.Raw{
		ID: uuid.New(), Tenant: tenant(7), SourceApp: "crm", Type: "crm.deal.won", Payload: []byte("{ \"b\":1,\n \"a\": \"\\u0000\" }"),
		Metadata: []byte(`{"actor":"x"}`), Tags: []string{"b", "a"}, OccurredAt: at(10), Typed: "never stored",
	}
	r := Request(e)
	v := accept(t, l, r)
	if diff := cmp.Diff(eventlog.Verdict{First: 1, Last: 1, CreatedAt: at(30)}, v); diff != "" {
		t.Error(diff)
	}
	want := e
	want.Position, want.TenantSeq, want.RequestID, want.CreatedAt, want.Typed = 1, 1, r.Parts[0].ID, at(30), nil
	if diff := cmp.Diff([]eventlog.Raw{want}, history(t, l)); diff != "" {
		t.Error("page:", diff)
	}
	for range 2 { // from the table, from a cache
		got, head, err := l.Read(t.Context(), eventlog.Query{item("", "a")})
		if err != nil || head != 1 {
			t.Errorf("head %d, %v", head, err)
		}
		if diff := cmp.Diff([]eventlog.Raw{want}, got); diff != "" {
			t.Error("read:", diff)
		}
	}
	plain := Event("plain")
	accept(t, l, Request(plain))
	got := history(t, l)[1]
	if got.ID == uuid.Nil || got.SourceApp != "core" || !got.OccurredAt.Equal(got.CreatedAt) || len(got.Tags) != 0 {
		t.Errorf("defaults: %+v", got)
	}
}

func gapless(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	var wg sync.WaitGroup
	for n := range 120 {
		wg.Go(func() {
			r := Request(Event("x", "t"), Event("y", "t"))
			r.Events[1].Tenant = tenant(byte(n%3 + 2))
			if n%4 == 0 {
				r = provided(r, 0, item("never", "t"), item("x", fmt.Sprint("u", n)))
			}
			if n%5 == 0 {
				r = provided(r, 0, item("x", "t")) // all but the first fail, and must leave no gap
			}
			if _, err := l.Append(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seqs := map[uuid.UUID]int64{}
	for i, e := range history(t, l) {
		seqs[e.Tenant]++
		if e.Position != int64(i+1) || e.TenantSeq != seqs[e.Tenant] {
			t.Fatalf("event %d stands at %d, tenant sequence %d, want %d", i, e.Position, e.TenantSeq, seqs[e.Tenant])
		}
	}
	head, err := l.Head(t.Context())
	if err != nil || head != int64(len(history(t, l))) {
		t.Errorf("head %d, %v", head, err)
	}
}

func ownEvents(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	if page, through, err := l.Own(t.Context(), 0, 10); err != nil || len(page) != 0 || through != 0 {
		t.Errorf("of an empty log: %d events through %d, %v", len(page), through, err)
	}
	for _, source := range []string{"core", "github", "github", "core", "core", "github"} {
		e := Event("x", "t")
		e.SourceApp = source
		must(t, l, Request(e))
	}
	for _, c := range []struct {
		after   int64
		limit   int
		want    []int64
		through int64
	}{
		{0, 10, []int64{1, 4, 5}, 6},
		{0, 2, []int64{1, 4}, 4},
		{0, 3, []int64{1, 4, 5}, 5},
		{1, 1, []int64{4}, 4},
		{5, 10, nil, 6},
		{6, 10, nil, 6},
	} {
		page, through, err := l.Own(t.Context(), c.after, c.limit)
		var got []int64
		for _, e := range page {
			got = append(got, e.Position)
			if e.SourceApp != "core" || string(e.Payload) != `{"a":1}` {
				t.Errorf("event %d is %+v", e.Position, e)
			}
		}
		if err != nil || !slices.Equal(got, c.want) || through != c.through {
			t.Errorf("after %d, at most %d: %v through %d, %v; want %v through %d", c.after, c.limit, got, through, err, c.want, c.through)
		}
	}
}

// cases are queries over three events: 1 {a: x y}, 2 {b: x}, 3 {a: y z}.
func cases() []struct {
	query eventlog.Query
	want  []int64
} {
	return []struct {
		query eventlog.Query
		want  []int64
	}{
		{eventlog.Query{item("a", "x")}, []int64{1}},
		{eventlog.Query{item("b", "x")}, []int64{2}},
		{eventlog.Query{item("a b", "x")}, []int64{1, 2}},
		{eventlog.Query{item("", "x")}, []int64{1, 2}},
		{eventlog.Query{item("a", "y")}, []int64{1, 3}},
		{eventlog.Query{item("c", "x")}, nil},
		{eventlog.Query{item("", "w")}, nil},
		{eventlog.Query{item("a", "x", "y")}, []int64{1}},
		{eventlog.Query{item("a", "y", "z")}, []int64{3}},
		{eventlog.Query{item("", "x", "y")}, []int64{1}},
		{eventlog.Query{item("b", "x", "y")}, nil},
		{eventlog.Query{item("a b", "x", "y", "z")}, nil},
		{eventlog.Query{item("", "x", "y", "z")}, nil},
		{eventlog.Query{item("b", "x"), item("a", "z")}, []int64{2, 3}},
		{eventlog.Query{item("a", "x"), item("", "x", "y")}, []int64{1}},
		{eventlog.Query{item("c", "x"), item("", "w")}, nil},
		{eventlog.Query{}, nil},
	}
}

func conditions(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	accept(t, l, Request(Event("a", "x", "y"), Event("b", "x"), Event("a", "y", "z")))
	head := int64(3)
	for _, c := range cases() {
		for after := range int64(4) {
			want := eventlog.Verdict{Status: eventlog.Accepted, First: head + 1, Last: head + 1}
			if i := slices.IndexFunc(c.want, func(p int64) bool { return p > after }); i >= 0 {
				want = eventlog.Verdict{Status: eventlog.Conflict, ConflictAt: c.want[i]}
			}
			got := must(t, l, provided(Request(Event("d", "q")), after, c.query...))
			got.CreatedAt = time.Time{}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v after %d: %s", c.query, after, diff)
			}
			if got.Status == eventlog.Accepted {
				head++
			}
		}
	}
}

func reading(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	if got, head, err := l.Read(t.Context(), eventlog.Query{item("", "x")}); len(got) != 0 || head != 0 || err != nil {
		t.Errorf("empty log: %v, head %d, %v", got, head, err)
	}
	accept(t, l, Request(Event("a", "x", "y"), Event("b", "x"), Event("a", "y", "z")))
	var wg sync.WaitGroup
	for _, c := range cases() {
		wg.Go(func() {
			events, head, err := l.Read(t.Context(), c.query)
			if err != nil || head != 3 {
				t.Errorf("%v: head %d, %v", c.query, head, err)
			}
			var got []int64
			for _, e := range events {
				got = append(got, e.Position)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%v: %s", c.query, diff)
			}
		})
	}
	wg.Wait()
	page, err := l.Page(t.Context(), 1, 1)
	if err != nil || len(page) != 1 || page[0].Position != 2 {
		t.Errorf("page after 1: %v, %v", page, err)
	}
	if page, err := l.Page(t.Context(), 3, 10); err != nil || len(page) != 0 {
		t.Errorf("page after the head: %v, %v", page, err)
	}
}

func tooWide(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	if _, _, err := l.Read(t.Context(), eventlog.Query{item("a")}); !errors.Is(err, eventlog.ErrTooWide) {
		t.Errorf("read: %v", err)
	}
	if _, err := l.Append(t.Context(), provided(Request(Event("a", "x")), 0, item(""))); !errors.Is(err, eventlog.ErrTooWide) {
		t.Errorf("append: %v", err)
	}
}

func repeated(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	accept(t, l, Request(Event("before")))
	first := provided(Request(Event("a", "x"), Event("b", "x")), 1, item("a", "x"))
	original := accept(t, l, first)
	// The repeated request would conflict with itself; being known comes first.
	if diff := cmp.Diff(eventlog.Verdict{Status: eventlog.Duplicate, First: 2, Last: 3, CreatedAt: original.CreatedAt}, must(t, l, first)); diff != "" {
		t.Error(diff)
	}
	other := Request(Event("c"), Event("d"))
	other.Parts = []eventlog.Part{{ID: uuid.New(), Events: 1}, {ID: first.Parts[0].ID, Fingerprint: []byte("other"), Events: 1}}
	if diff := cmp.Diff(eventlog.Verdict{Status: eventlog.KeyReused, Part: 1}, must(t, l, other)); diff != "" {
		t.Error(diff)
	}
	known, err := l.Receipts(t.Context(), []uuid.UUID{first.Parts[0].ID, other.Parts[0].ID})
	if err != nil {
		t.Fatal(err)
	}
	want := map[uuid.UUID]eventlog.Receipt{first.Parts[0].ID: {Fingerprint: []byte("body"), First: 2, Last: 3, CreatedAt: original.CreatedAt}}
	if diff := cmp.Diff(want, known); diff != "" {
		t.Error(diff)
	}
	// The same request many times at once.
	again := Request(Event("e", "z"))
	var mu sync.Mutex
	statuses := map[eventlog.Status]int{}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			v := must(t, l, again)
			mu.Lock()
			defer mu.Unlock()
			statuses[v.Status]++
			if v.First != 4 || v.Last != 4 {
				t.Errorf("%+v", v)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[eventlog.Status]int{eventlog.Accepted: 1, eventlog.Duplicate: 9}, statuses); diff != "" {
		t.Error(diff)
	}
}

func allOrNothing(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	known := Request(Event("a", "x"))
	accept(t, l, known)
	both := Request(Event("b"), Event("a", "x"))
	both.Parts = []eventlog.Part{{ID: uuid.New(), Events: 1}, known.Parts[0]}
	if v := must(t, l, both); v.Status != eventlog.Duplicate || v.Part != 1 || v.First != 1 {
		t.Errorf("%+v", v)
	}
	both.Parts[1] = eventlog.Part{ID: uuid.New(), Events: 1}
	if v := must(t, l, provided(both, 1, item("b", "q"), item("a", "q"))); v.Status != eventlog.Accepted {
		t.Errorf("%+v", v)
	}
	both.Parts = []eventlog.Part{{ID: uuid.New(), Events: 1}, {ID: uuid.New(), Events: 1}}
	if v := must(t, l, provided(both, 0, item("a", "x"))); v.Status != eventlog.Conflict || v.ConflictAt != 1 {
		t.Errorf("%+v", v)
	}
	if got := len(history(t, l)); got != 3 {
		t.Errorf("%d events", got)
	}
	if got, err := l.Receipts(t.Context(), []uuid.UUID{both.Parts[0].ID, both.Parts[1].ID}); err != nil || len(got) != 0 {
		t.Errorf("a rejected request is remembered: %v, %v", got, err)
	}
}

func emptyParts(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	r := Request(Event("a"), Event("b"))
	r.Parts = []eventlog.Part{{ID: uuid.New()}, {ID: uuid.New(), Events: 1}, {ID: uuid.New()}, {ID: uuid.New(), Events: 1}}
	accept(t, l, r)
	got, err := l.Receipts(t.Context(), []uuid.UUID{r.Parts[0].ID, r.Parts[1].ID, r.Parts[2].ID, r.Parts[3].ID})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]int64{{1, 0}, {1, 1}, {2, 1}, {2, 2}} {
		if p := got[r.Parts[i].ID]; p.First != want[0] || p.Last != want[1] {
			t.Errorf("part %d: %+v, want %v", i, p, want)
		}
	}
	for i, e := range history(t, l) {
		if e.RequestID != r.Parts[2*i+1].ID {
			t.Errorf("event %d belongs to %s", i, e.RequestID)
		}
	}
	r.Parts = r.Parts[:1]
	if v := must(t, l, eventlog.Request{Parts: append(r.Parts, eventlog.Part{ID: uuid.New(), Events: 1}), Events: r.Events[:1]}); v.Status != eventlog.Duplicate || v.First != 1 || v.Last != 0 {
		t.Errorf("%+v", v)
	}
}

// noEvents: a request without events is remembered as any other, alone and among others in flight, and takes no position.
func noEvents(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{OnAppend: func(events []eventlog.Raw) {
		if len(events) == 0 {
			t.Error("OnAppend was called for no events")
		}
	}})
	accept(t, l, Request(Event("a")))
	none := eventlog.Request{Parts: []eventlog.Part{{ID: uuid.New(), Fingerprint: []byte("f")}}}
	for _, want := range []eventlog.Status{eventlog.Accepted, eventlog.Duplicate} {
		if v := must(t, l, none); v.Status != want || v.First != 2 || v.Last != 1 {
			t.Errorf("%+v, want status %v from 2 to 1", v, want)
		}
	}
	none.Parts[0].Fingerprint = []byte("g")
	if v := must(t, l, none); v.Status != eventlog.KeyReused {
		t.Errorf("%+v", v)
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			r := eventlog.Request{Parts: []eventlog.Part{{ID: uuid.New()}}}
			if i%2 == 0 {
				r = Request(Event("a", strconv.Itoa(i)))
			}
			if v, err := l.Append(t.Context(), r); err != nil || v.Status != eventlog.Accepted || v.Last-v.First != int64(len(r.Events))-1 {
				t.Errorf("%d: %+v %v", i, v, err)
			}
		})
	}
	wg.Wait()
	if n := len(history(t, l)); n != 21 {
		t.Errorf("%d events", n)
	}
}

func businessTime(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{Now: func() time.Time { return at(50) }})
	when := func(tenants byte, seconds ...int) eventlog.Request {
		var events []eventlog.Raw
		for _, s := range seconds {
			e := Event("a")
			e.Tenant = tenant(tenants)
			if s >= 0 {
				e.OccurredAt = at(s)
			}
			events = append(events, e)
		}
		return Request(events...)
	}
	for i, c := range []struct {
		r    eventlog.Request
		want eventlog.Status
	}{
		{when(1, 10), eventlog.Accepted},
		{when(1, 9), eventlog.TooEarly},
		{when(2, 9), eventlog.Accepted}, // another tenant
		{when(1, 10, 20, 20), eventlog.Accepted},
		{when(1, 30, 29), eventlog.TooEarly}, // out of order in itself
		{when(1, 51), eventlog.TooEarly},     // the future
		{when(1, -1, 50), eventlog.TooEarly}, // what follows "now" is now
		{when(1, 50), eventlog.Accepted},
		{when(2, 9, -1), eventlog.Accepted},
		{when(2, 49), eventlog.TooEarly},
		{when(2, -1), eventlog.Accepted},
	} {
		if v := must(t, l, c.r); v.Status != c.want {
			t.Errorf("case %d: %+v, want %s", i, v, c.want)
		}
	}
}

func clock(t *testing.T, open Opener) {
	var mu sync.Mutex
	now := at(30)
	l := open(t, eventlog.Config{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	for _, s := range []int{30, 10, 20, 40} {
		mu.Lock()
		now = at(s)
		mu.Unlock()
		accept(t, l, Request(Event("a")))
	}
	var got []time.Time
	for _, e := range history(t, l) {
		got = append(got, e.CreatedAt)
	}
	if diff := cmp.Diff([]time.Time{at(30), at(30), at(30), at(40)}, got); diff != "" {
		t.Error(diff)
	}
}

func claimers(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	for round := range 10 {
		var mu sync.Mutex
		statuses := map[eventlog.Status]int{}
		var wg sync.WaitGroup
		tag := fmt.Sprint("slug:", round)
		_, head, err := l.Read(t.Context(), eventlog.Query{item("claimed", tag)})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			wg.Go(func() {
				query := item("claimed", tag)
				if n%2 == 0 {
					query = item("", tag)
				}
				v := must(t, l, provided(Request(Event("claimed", tag, fmt.Sprint("owner:", n))), head, query))
				mu.Lock()
				defer mu.Unlock()
				statuses[v.Status]++
			})
		}
		wg.Wait()
		if diff := cmp.Diff(map[eventlog.Status]int{eventlog.Accepted: 1, eventlog.Conflict: 19}, statuses); diff != "" {
			t.Fatal(diff)
		}
	}
}

func malformed(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	change := func(f func(*eventlog.Request)) eventlog.Request {
		r := Request(Event("a", "x"))
		f(&r)
		return r
	}
	bad := map[string]eventlog.Request{
		"nothing":           {},
		"no parts":          change(func(r *eventlog.Request) { r.Parts = nil }),
		"uncovered event":   change(func(r *eventlog.Request) { r.Parts[0].Events = 0 }),
		"negative part":     change(func(r *eventlog.Request) { r.Parts[0].Events = -1 }),
		"part twice":        change(func(r *eventlog.Request) { r.Parts = append(r.Parts, eventlog.Part{ID: r.Parts[0].ID}) }),
		"part without id":   change(func(r *eventlog.Request) { r.Parts[0].ID = uuid.Nil }),
		"no tenant":         change(func(r *eventlog.Request) { r.Events[0].Tenant = uuid.Nil }),
		"no type":           change(func(r *eventlog.Request) { r.Events[0].Type = "" }),
		"NUL in type":       change(func(r *eventlog.Request) { r.Events[0].Type = "a\x00b" }),
		"NUL in tag":        change(func(r *eventlog.Request) { r.Events[0].Tags[0] = "\x00" }),
		"separator in tag":  change(func(r *eventlog.Request) { r.Events[0].Tags[0] = "a\x1fb" }),
		"empty tag":         change(func(r *eventlog.Request) { r.Events[0].Tags[0] = "" }),
		"bad UTF-8 in tag":  change(func(r *eventlog.Request) { r.Events[0].Tags[0] = "\xff" }),
		"NUL in app":        change(func(r *eventlog.Request) { r.Events[0].SourceApp = "\x00" }),
		"NUL in payload":    change(func(r *eventlog.Request) { r.Events[0].Payload = []byte("\"\x00\"") }),
		"bad UTF-8":         change(func(r *eventlog.Request) { r.Events[0].Payload = []byte("\"\xff\"") }),
		"half a payload":    change(func(r *eventlog.Request) { r.Events[0].Payload = []byte("{") }),
		"two payloads":      change(func(r *eventlog.Request) { r.Events[0].Payload = []byte("{}{}") }),
		"no metadata":       change(func(r *eventlog.Request) { r.Events[0].Metadata = nil }),
		"NUL in condition":  provided(Request(Event("a")), 0, item("", "\x00")),
		"key without bytes": change(func(r *eventlog.Request) { r.Keys = []eventlog.SubjectKey{{Tenant: tenant(1), Subject: tenant(2)}} }),
	}
	var wg sync.WaitGroup
	for name, r := range bad {
		wg.Go(func() {
			if _, err := l.Append(t.Context(), r); !errors.Is(err, eventlog.ErrBadRequest) {
				t.Errorf("%s: %v", name, err)
			}
		})
		wg.Go(func() {
			if v := must(t, l, Request(Event("good"))); v.Status != eventlog.Accepted {
				t.Errorf("neighbour: %+v", v)
			}
		})
	}
	wg.Wait()
	if got := len(history(t, l)); got != len(bad) {
		t.Errorf("%d events, want %d", got, len(bad))
	}
	// Found out only on the way: an event id that is taken.
	e := Event("a")
	e.ID = uuid.New()
	accept(t, l, Request(e))
	if _, ok := l.(interface{ Verify(context.Context) error }); ok {
		if _, err := l.Append(t.Context(), Request(e)); !errors.Is(err, eventlog.ErrBadRequest) {
			t.Errorf("event id twice: %v", err)
		}
	}
}

func strange(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	var want []eventlog.Raw
	for _, s := range []string{`'`, `"`, `\`, `{}`, `NULL`, `null`, `a,b`, `$1`, `'; DROP SCHEMA core CASCADE; --`, ` `, "\u2028", "ﷺ👩‍👩‍👧", `\x1f`, strings.Repeat("x", 10_000)} {
		body, err := json.Marshal(map[string]string{"text": s})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, eventlog.Raw{Tenant: tenant(1), SourceApp: s, Type: s, Tags: []string{s, "all"}, Payload: body, Metadata: body})
	}
	large := Event("large", "all")
	large.Payload = []byte(`"` + strings.Repeat("y", 1<<20) + `"`)
	want = append(want, large)
	var wg sync.WaitGroup
	for _, e := range want {
		wg.Go(func() {
			accept(t, l, provided(Request(e), 0, eventlog.Item{Types: []string{e.Type}, Tags: e.Tags[:1]}))
		})
	}
	wg.Wait()
	key := func(e eventlog.Raw) string { return e.Type }
	got := map[string]eventlog.Raw{}
	for _, e := range history(t, l) {
		got[key(e)] = e
	}
	for _, e := range want {
		g := got[key(e)]
		found, _, err := l.Read(t.Context(), eventlog.Query{{Types: []string{e.Type}, Tags: e.Tags}})
		if err != nil || len(found) != 1 || found[0].Position != g.Position {
			t.Errorf("%.20q: read %d events, %v", e.Type, len(found), err)
		}
		if string(g.Payload) != string(e.Payload) || string(g.Metadata) != string(e.Metadata) || !slices.Equal(g.Tags, e.Tags) || e.SourceApp != "" && g.SourceApp != e.SourceApp {
			t.Errorf("%.20q came back changed", e.Type)
		}
	}
}

func keys(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	with := func(wrapped string) eventlog.Request {
		r := Request(Event("a"))
		r.Keys = []eventlog.SubjectKey{{Tenant: tenant(1), Subject: tenant(2), Wrapped: []byte(wrapped)}}
		return r
	}
	rejected := provided(with("never"), 0, item("a", "x"))
	accept(t, l, Request(Event("a", "x")))
	if v := must(t, l, rejected); v.Status != eventlog.Conflict {
		t.Errorf("%+v", v)
	}
	accept(t, l, with("one"))
	accept(t, l, with("one"))
	if v := must(t, l, with("two")); v.Status != eventlog.Conflict || v.ConflictAt != 0 {
		t.Errorf("%+v: what is sealed with a key that is not stored could never be read", v)
	}
}

func erasing(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	with := func(in, subject byte, events ...eventlog.Raw) eventlog.Request {
		r := Request(events...)
		r.Keys = []eventlog.SubjectKey{{Tenant: tenant(in), Subject: tenant(subject), Wrapped: []byte("key")}}
		return r
	}
	erase := func(typ string, subject byte) eventlog.Raw {
		e := Event(typ)
		e.Payload = fmt.Appendf(nil, `{"erases":%q}`, tenant(subject))
		return e
	}
	for subject, typ := range map[byte]string{2: "user.erased", 3: "secret.version-destroyed", 4: "user.deactivated", 9: "endpoint.secret-destroyed"} {
		accept(t, l, with(1, subject, Event("a")))
		accept(t, l, with(5, subject, Event("a")))
		accept(t, l, Request(erase(typ, subject)))
	}
	forged := erase("user.erased", 8)
	forged.SourceApp = "billing"
	accept(t, l, with(1, 8, Event("a")))
	accept(t, l, Request(forged))
	accept(t, l, with(1, 6, erase("user.erased", 6))) // made and destroyed in one
	accept(t, l, Request(erase("user.erased", 7)))    // never made
	for _, c := range []struct {
		in, subject byte
		want        eventlog.Status
	}{
		{1, 2, eventlog.Conflict}, {1, 3, eventlog.Conflict}, {1, 6, eventlog.Conflict}, {1, 7, eventlog.Conflict},
		{1, 4, eventlog.Accepted}, {1, 8, eventlog.Accepted}, {5, 2, eventlog.Accepted}, {5, 3, eventlog.Accepted}, {5, 7, eventlog.Accepted},
		{1, 9, eventlog.Conflict}, {5, 9, eventlog.Accepted},
	} {
		if v := must(t, l, with(c.in, c.subject, Event("a"))); v.Status != c.want || v.ConflictAt != 0 {
			t.Errorf("the key of subject %d of tenant %d: %+v, want %v", c.subject, c.in, v, c.want)
		}
	}
}

func passedOn(t *testing.T, open Opener) {
	var mu sync.Mutex
	var passed []eventlog.Raw
	l := open(t, eventlog.Config{OnAppend: func(events []eventlog.Raw) {
		mu.Lock()
		defer mu.Unlock()
		passed = append(passed, events...)
	}})
	var wg sync.WaitGroup
	for n := range 60 {
		wg.Go(func() {
			e := Event("a", "x")
			e.Typed = n
			r := Request(e, Event("b"))
			if n%3 == 0 {
				r = provided(r, 0, item("a", "x")) // all but one of these fail, or all
			}
			v := must(t, l, r)
			if v.Status != eventlog.Accepted {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if int64(len(passed)) < v.Last || passed[v.First-1].Typed != n || passed[v.First].Typed != nil {
				t.Errorf("answered %+v with %d events passed on", v, len(passed))
			}
		})
	}
	wg.Wait()
	for i := range passed {
		passed[i].Typed = nil
	}
	if diff := cmp.Diff(history(t, l), passed); diff != "" {
		t.Error(diff)
	}
}

func cancelled(t *testing.T, open Opener) {
	l := open(t, eventlog.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(ctx, Request(Event("a"))); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	if _, _, err := l.Read(ctx, eventlog.Query{item("a", "x")}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	accept(t, l, Request(Event("b")))
}
