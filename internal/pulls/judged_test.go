package pulls_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/internal/pulls"
)

// The endpoint is found, and while its receiver waits for its turn its types are widened and an event of the new type is recorded.
func TestWhatIsRecordedAfterAnEndpointWasFoundIsLeftToWhoFindsItAnew(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted", "shop.other")
	narrow := w.found()
	w.e.Means = func(*eventlog.Raw) bool { return true }
	w.happen("shop.other", "shop.wanted")

	page, err := w.pulls.Read(t.Context(), narrow, 0, 10)
	if err != nil || len(page.Events) != 1 || page.Next != 2 || page.More || !page.Newer {
		t.Fatalf("%+v, %v", page, err)
	}
	w.got(w.receiveAs(10, func(context.Context) (*pulls.Endpoint, error) { return narrow, nil }), "1 1 1")
	w.got(w.receiveAs(10, func(context.Context) (*pulls.Endpoint, error) { return narrow, nil }))
	w.got(w.receive(10), "3 2 1", "4 3 1")
}

func TestWhoWaitsFindsTheEndpointAnewForWhatWasRecordedSince(t *testing.T) {
	w := newWorld(t)
	first := true
	items, err := w.pulls.Receive(t.Context(), t.Context(), w.e.Tenant, w.e.ID, 10, func(context.Context) (*pulls.Endpoint, error) {
		e := w.found()
		if first { // nobody hears of it
			w.happen("shop.wanted")
		}
		first = false
		return e, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.got(items, "1 1 1")
}

// Another process has handed an event out that this one does not know of yet, nor what lets the endpoint have it.
func TestWhatOneDoesNotKnowYetIsNotJudgedToBeHandedOutAgain(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted")
	behind := w.found()
	behind.Permits = func(*eventlog.Raw) bool { return false }
	behind.Through = 0
	w.fates([]pulls.Fate{"nacked"})(w.pulls.Nack(t.Context(), w.e, leasesOf(w.receive(10)), 0))
	w.got(w.receiveAs(10, func(context.Context) (*pulls.Endpoint, error) { return behind, nil }))
	w.got(w.receive(10), "1 1 2")
}

func TestLeasesRunByTheClockOfTheDatabase(t *testing.T) {
	w := newWorld(t)
	w.pulls = pulls.New(pulls.Config{Pool: w.ledger.Pool(ledger.Project), Process: "two"})
	clock := func() (now time.Time) {
		t.Helper()
		if err := w.ledger.Pool(ledger.Project).QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&now); err != nil {
			t.Fatal(err)
		}
		return now
	}
	within := func(what string, until, before time.Time, lasts time.Duration) {
		t.Helper()
		if after := clock(); until.Location() != time.UTC || until.Before(before.Add(lasts)) || until.After(after.Add(lasts)) {
			t.Errorf("%s until %s, between %s and %s", what, until, before, after)
		}
	}
	w.happen("shop.wanted")
	before := clock()
	got := w.receive(10)
	within("leased", got[0].Until, before, 30*time.Second)
	w.got(w.receive(10))
	before = clock()
	fates, until, err := w.pulls.Extend(t.Context(), w.e, leasesOf(got), time.Minute)
	w.fates([]pulls.Fate{"extended"})(fates, err)
	within("extended", until, before, time.Minute)
	w.fates([]pulls.Fate{"nacked"})(w.pulls.Nack(t.Context(), w.e, leasesOf(got), 0))
	w.got(w.receive(10), "1 1 2")
}

// stuck has so many wait where what the endpoint goes by is known only so far, until they have looked as often as they may in vain.
func (w *world) stuck(waiting int, through int64) {
	w.Helper()
	const enough = 40
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	before, began := w.looked(), time.Now()
	var all sync.WaitGroup
	for range waiting {
		all.Go(func() {
			items, err := w.pulls.Receive(w.Context(), ctx, w.e.Tenant, w.e.ID, 1, func(context.Context) (*pulls.Endpoint, error) {
				e := w.found()
				e.Through = through
				if w.looked()-before >= enough {
					cancel()
				}
				return e, nil
			})
			if err != nil || len(items) > 0 {
				w.Errorf("%v, %v", said(items), err)
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	if looks, most := w.looked()-before, 3*waiting+int(took/(20*time.Millisecond)); looks > most { // others may have appended something, besides
		w.Errorf("%d looks by %d in %s, want at most %d", looks, waiting, took, most)
	}
}

func TestWhoWaitsDoesNotLookAllTheTimeForWhatIsNewer(t *testing.T) {
	w := newWorld(t)
	w.happen(times(5, "shop.other")...)
	w.stuck(1, 2)
	w.stuck(8, 2) // one of them looks for all
}

// Another process has handed an event out that this one does not know of yet.
func TestWhoWaitsDoesNotLookAllTheTimeForWhatIsDueAndNotKnownYet(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted")
	w.fates([]pulls.Fate{"nacked"})(w.pulls.Nack(t.Context(), w.e, leasesOf(w.receive(10)), 0))
	w.stuck(1, 0)
}

// Nobody is told of anything: there is no Run.
func TestWhoLookedForAllIsFollowedByAnotherWhenItGivesUp(t *testing.T) {
	w := newWorld(t)
	w.pulls = pulls.New(pulls.Config{Pool: w.ledger.Pool(ledger.Project), Now: w.now, Process: "alone"})
	w.happen("shop.wanted")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var known atomic.Bool
	find := func() *pulls.Endpoint {
		e := w.found()
		if !known.Load() {
			e.Through = 0
		}
		return e
	}
	first, leave := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = w.pulls.Receive(ctx, first, w.e.Tenant, w.e.ID, 1, func(context.Context) (*pulls.Endpoint, error) { return find(), nil })
	}()
	for w.looked() < 2 && ctx.Err() == nil { // it has looked, and looks again
		<-time.After(time.Millisecond)
	}
	got, looking := make(chan []pulls.Item, 1), make(chan struct{})
	var once sync.Once
	go func() {
		items, _ := w.pulls.Receive(ctx, ctx, w.e.Tenant, w.e.ID, 1, func(context.Context) (*pulls.Endpoint, error) {
			once.Do(func() { close(looking) })
			return find(), nil
		})
		got <- items
	}()
	<-looking
	before := w.looked()
	for w.looked() < before+3 && ctx.Err() == nil { // the other one has looked in vain by then
		<-time.After(time.Millisecond)
	}
	leave()
	<-gone
	known.Store(true)
	w.got(<-got, "1 1 1")
}
