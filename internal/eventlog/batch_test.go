package eventlog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/eventlog"
	"chancery/internal/eventlog/logtest"
	"chancery/internal/eventlog/memlog"
)

func provided(r eventlog.Request, after int64, items ...eventlog.Item) eventlog.Request {
	r.Conditions = append(r.Conditions, eventlog.Condition{Query: items, After: after})
	return r
}

func TestOneBatchGivesEachRequestItsOwnVerdict(t *testing.T) {
	p := open(t, eventlog.Config{})
	old := logtest.Request(logtest.Event("old", "x"))
	older := logtest.Request(logtest.Event("old", "w"))
	for _, r := range []eventlog.Request{old, older} {
		if _, err := p.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	tenant2 := logtest.Request(logtest.Event("c"), logtest.Event("d"))
	tenant2.Events[0].Tenant = uuid.UUID{1}
	reused := logtest.Request(logtest.Event("never"))
	reused.Parts[0].ID, reused.Parts[0].Fingerprint = older.Parts[0].ID, []byte("another")
	early := logtest.Request(logtest.Event("never"))
	early.Events[0].Tenant, early.Events[0].OccurredAt = uuid.UUID{2}, time.Date(3999, 1, 1, 0, 0, 0, 0, time.UTC)
	taken := logtest.Event("never")
	taken.ID = uuid.UUID{9}
	first := logtest.Event("b", "y")
	first.ID = taken.ID
	requests := []eventlog.Request{
		provided(logtest.Request(logtest.Event("a")), 0, eventlog.Item{Types: []string{"a"}, Tags: []string{"x"}}),
		old,
		logtest.Request(first),
		provided(logtest.Request(logtest.Event("never"), logtest.Event("never")), 0, eventlog.Item{Tags: []string{"w"}}),
		reused,
		logtest.Request(taken), // breaks the statement: the id is that of the third
		tenant2,
		early,
	}
	_, verdicts, errs, batches := p.Commit(t.Context(), requests)
	if batches != 1 {
		t.Errorf("%d batches", batches)
	}
	var got []string
	for i, v := range verdicts {
		switch {
		case errors.Is(errs[i], eventlog.ErrBadRequest):
			got = append(got, "bad")
		case errs[i] != nil:
			t.Error(errs[i])
		default:
			got = append(got, fmt.Sprintf("%s %d %d %d", v.Status, v.First, v.Last, v.ConflictAt))
		}
	}
	want := []string{"accepted 3 3 0", "duplicate 1 1 0", "accepted 4 4 0", "conflict 0 0 2", "key reused 0 0 0", "bad", "accepted 5 6 0", "too early 0 0 0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	page, err := p.Page(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range page {
		kinds = append(kinds, fmt.Sprint(e.Type, e.TenantSeq))
	}
	if diff := cmp.Diff([]string{"old1", "old2", "a3", "b4", "c1", "d5"}, kinds); diff != "" {
		t.Error(diff)
	}
	if err := p.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRequestsThatTouchOneAnotherAreJudgedOneAfterTheOther(t *testing.T) {
	p := open(t, eventlog.Config{})
	claim := func() eventlog.Request {
		return provided(logtest.Request(logtest.Event("claimed", "a", "slug")), 0, eventlog.Item{Types: []string{"claimed"}, Tags: []string{"slug"}})
	}
	again := claim()
	requests := []eventlog.Request{claim(), claim(), again, again, logtest.Request(logtest.Event("claimed", "other"))}
	_, verdicts, _, batches := p.Commit(t.Context(), requests)
	var got []eventlog.Status
	for _, v := range verdicts {
		got = append(got, v.Status)
	}
	want := []eventlog.Status{eventlog.Accepted, eventlog.Conflict, eventlog.Conflict, eventlog.Conflict, eventlog.Accepted}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if batches != 4 { // the claim and the bystander; then each rival by itself
		t.Errorf("%d batches", batches)
	}
}

// TestPostgreSQLDecidesAsMemoryDoes gives both the same requests in the order in which PostgreSQL judged them.
func TestPostgreSQLDecidesAsMemoryDoes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	clock := eventlog.Config{Now: func() time.Time { return now }, MaxBatch: 20}
	pg, memory := open(t, clock), memlog.New(clock)
	seen := map[eventlog.Status]int{}
	var old []eventlog.Part
	for range 60 {
		now = now.Add(time.Duration(random.IntN(20)-5) * time.Second)
		head, err := memory.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		requests := make([]eventlog.Request, 1+random.IntN(30))
		for i := range requests {
			requests[i] = randomRequest(random, now, head, old)
			old = append(old, requests[i].Parts...)
		}
		order, verdicts, errs, _ := pg.Commit(t.Context(), requests)
		for _, i := range order {
			want, err := memory.Append(t.Context(), requests[i])
			if err != nil || errs[i] != nil {
				t.Fatal(err, errs[i])
			}
			seen[want.Status]++
			if diff := cmp.Diff(want, verdicts[i]); diff != "" {
				t.Fatalf("request %d %+v at head %d: %s", i, requests[i], head, diff)
			}
		}
		query := randomQuery(random)
		want, wantHead, _ := memory.Read(t.Context(), query)
		got, gotHead, err := pg.Read(t.Context(), query)
		if err != nil || gotHead != wantHead {
			t.Fatalf("head %d, want %d, %v", gotHead, wantHead, err)
		}
		if len(want)+len(got) > 0 {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("read %v: %s", query, diff)
			}
		}
	}
	want, _ := memory.Page(t.Context(), 0, 1<<20)
	got, err := pg.Page(t.Context(), 0, 1<<20)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
	for s := eventlog.Accepted; s <= eventlog.TooEarly; s++ {
		if seen[s] == 0 {
			t.Errorf("no request was %s: the generator is too tame", s)
		}
	}
	t.Log(seen, len(got), "events")
}

func randomRequest(random *rand.Rand, now time.Time, head int64, old []eventlog.Part) eventlog.Request {
	var r eventlog.Request
	for range 1 + random.IntN(3) {
		part := eventlog.Part{ID: uuid.New(), Fingerprint: []byte{1}, Events: random.IntN(3)}
		if len(old) > 0 && random.IntN(20) == 0 {
			part.ID = old[random.IntN(len(old))].ID
			part.Fingerprint = []byte{byte(random.IntN(2))}
		}
		r.Parts = append(r.Parts, part)
	}
	r.Parts[0].Events++
	if len(r.Parts) > 1 && r.Parts[0].ID == r.Parts[1].ID || len(r.Parts) > 2 && (r.Parts[2].ID == r.Parts[0].ID || r.Parts[2].ID == r.Parts[1].ID) {
		return randomRequest(random, now, head, nil)
	}
	timed := random.IntN(8) == 0
	for _, p := range r.Parts {
		for range p.Events {
			e := logtest.Event(string(rune('a'+random.IntN(3))), randomTags(random, 0)...)
			e.ID, e.Tenant = uuid.New(), uuid.UUID{byte(1 + random.IntN(3))}
			if timed {
				e.OccurredAt = now.Add(time.Duration(random.IntN(16)-12) * time.Second)
			}
			r.Events = append(r.Events, e)
		}
	}
	for range random.IntN(3) {
		r.Conditions = append(r.Conditions, eventlog.Condition{Query: randomQuery(random), After: max(0, head-int64(random.IntN(40)))})
	}
	if random.IntN(6) == 0 {
		r.Keys = []eventlog.SubjectKey{{Tenant: uuid.UUID{1}, Subject: uuid.UUID{byte(1 + random.IntN(50))}, Wrapped: []byte{byte(random.IntN(2))}}}
	}
	return r
}

func randomTags(random *rand.Rand, atLeast int) []string {
	var tags []string
	for range atLeast + random.IntN(3) {
		tags = append(tags, fmt.Sprint("tag", random.IntN(25)))
	}
	return tags
}

func randomQuery(random *rand.Rand) eventlog.Query {
	var q eventlog.Query
	for range random.IntN(3) {
		i := eventlog.Item{Tags: randomTags(random, 1)}
		for range random.IntN(3) {
			i.Types = append(i.Types, string(rune('a'+random.IntN(3))))
		}
		q = append(q, i)
	}
	return q
}
