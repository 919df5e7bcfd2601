package pulls_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/internal/pulls"
)

// patience is for what would never come.
const patience = 20 * time.Second

// other is an endpoint of another tenant, which nothing has happened in.
func (w *world) other() *pulls.Endpoint {
	e := w.found()
	e.Tenant = uuid.New()
	return e
}

func always(e *pulls.Endpoint) func(context.Context) (*pulls.Endpoint, error) {
	return func(context.Context) (*pulls.Endpoint, error) { return e, nil }
}

// comes has somebody else's receive, who does not wait, be answered while something else goes on.
func (w *world) comes(e *pulls.Endpoint) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	if _, err := w.pulls.Receive(ctx, over(), e.Tenant, e.ID, 1, always(e)); err != nil {
		w.Errorf("another tenant waits: %v", err)
	}
}

// sized gives all payloads a size.
func (w *world) sized(bytes int) {
	w.Helper()
	for _, sql := range []string{`ALTER TABLE core.events DISABLE TRIGGER ALL`, `UPDATE core.events SET payload = '{"x":"` + strings.Repeat("x", bytes-8) + `"}'`} {
		if _, err := w.ledger.Pool(ledger.Owner).Exec(w.Context(), sql); err != nil {
			w.Fatal(err)
		}
	}
}

func TestAnAnswerIsBoundedInBytesAlsoOfWhatIsHandedOutAgain(t *testing.T) {
	w := newWorld(t)
	w.happen(times(80, "shop.wanted")...)
	w.sized(250_000)
	const fit = 8 << 20 / 250_000
	size := func(items []pulls.Item, first, n, attempt int) {
		t.Helper()
		if len(items) != n || items[0].Attempt != attempt || int(items[0].Event.TenantSeq) != first {
			t.Errorf("%d events in an answer, want %d from %d on: %v", len(items), n, first, said(items))
		}
	}
	size(w.receive(100), 1, fit, 1)
	w.forward(time.Second)
	size(w.receive(8), fit+1, 8, 1)
	w.forward(time.Minute)
	size(w.receive(100), 1, fit, 2)
	mixed := w.receive(100) // what is due, and what is new as far as it fits
	size(mixed, fit+1, fit-8+8, 2)
	if last := mixed[len(mixed)-1]; last.Attempt != 1 {
		t.Errorf("nothing new: %v", said(mixed))
	}
	if _, err := w.pulls.Ack(t.Context(), w.e, leasesOf(mixed)); err != nil {
		t.Fatal(err)
	}
	w.sized(5 << 20)
	w.forward(time.Minute)
	size(w.receive(100), 1, 1, 3)
}

func TestAFilterKeepsNoOtherTenantWaiting(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted")
	ctx, cancel := context.WithCancel(t.Context())
	judging := make(chan struct{}, 10)
	var all sync.WaitGroup
	for range 10 {
		e := w.found()
		e.ID, e.Means = uuid.New(), func(*eventlog.Raw) bool { judging <- struct{}{}; <-ctx.Done(); return false }
		all.Go(func() { _, _ = w.pulls.Receive(ctx, over(), e.Tenant, e.ID, 1, always(e)) })
	}
	<-judging
	<-judging
	w.comes(w.other())
	cancel()
	all.Wait()
}

func TestATenantHoldsNoMoreThanHalfOfTheConnections(t *testing.T) {
	w := newWorld(t)
	w.happen("shop.wanted", "shop.wanted")
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mine []*pulls.Endpoint
	for range 10 {
		e := w.found()
		e.ID = uuid.New()
		if _, err := w.pulls.Receive(ctx, over(), e.Tenant, e.ID, 1, always(e)); err != nil {
			t.Fatal(err)
		}
		mine = append(mine, e)
	}
	tx, err := w.ledger.Pool(ledger.Owner).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM core.delivery_cursors WHERE tenant_id = $1 FOR UPDATE`, w.e.Tenant); err != nil {
		t.Fatal(err)
	}
	for _, e := range mine {
		all.Go(func() { _, _ = w.pulls.Receive(ctx, over(), e.Tenant, e.ID, 1, always(e)) })
	}
	waiting := `SELECT DISTINCT pid::text FROM pg_locks WHERE NOT granted AND $1::uuid IS NOT NULL`
	for len(w.rows(waiting)) < 2 && t.Context().Err() == nil {
		<-time.After(time.Millisecond) // nothing tells who waits for a lock
	}
	w.comes(w.other())
	if n := len(w.rows(waiting)); n != 2 {
		t.Errorf("%d connections are one tenant's", n)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	all.Wait()
	cancel()
}

func TestJudgingIsBoundedInTime(t *testing.T) {
	w := newWorld(t)
	w.happen(append(times(199, "shop.other"), "shop.wanted")...)
	judged := 0
	slow := w.found()
	slow.Means = func(*eventlog.Raw) bool {
		if judged++; judged == 1 {
			<-time.After(150 * time.Millisecond)
		}
		return false
	}
	if _, err := w.pulls.Receive(t.Context(), over(), slow.Tenant, slow.ID, 1, always(slow)); err != nil || judged != 50 {
		t.Fatalf("%d judged in one go, %v", judged, err)
	}
	w.are(`SELECT tenant_seq::text FROM core.delivery_cursors WHERE tenant_id = $1`, "50")
	w.got(w.receive(1), "200 1 1")
}

func TestWhatOthersTookMeanwhileIsLeftToThem(t *testing.T) {
	w := newWorld(t)
	w.happen(times(5, "shop.wanted")...)
	slow, another := w.found(), w.process("two")
	slow.Means = func(raw *eventlog.Raw) bool {
		if raw.TenantSeq == 5 {
			items, err := another.Receive(t.Context(), over(), w.e.Tenant, w.e.ID, 3, w.find)
			if err != nil {
				t.Error(err)
			}
			if len(said(items)) != 3 {
				t.Errorf("the other had %v", said(items))
			}
		}
		return true
	}
	w.got(w.receiveAs(10, always(slow)), "4 4 1", "5 5 1")
	w.got(w.receive(10))
}

func TestAFilterKeepsNobodyFromBeingWoken(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	evil := w.other()
	evil.ID, evil.Stirs, evil.Means = uuid.New(), nil, func(*eventlog.Raw) bool { <-ctx.Done(); return false }
	var all sync.WaitGroup
	all.Go(func() { _, _ = w.pulls.Receive(ctx, ctx, evil.Tenant, evil.ID, 1, always(evil)) })
	got := make(chan []pulls.Item, 1)
	all.Go(func() {
		items, _ := w.pulls.Receive(ctx, ctx, w.e.Tenant, w.e.ID, 1, w.find)
		got <- items
	})
	for len(w.rows(`SELECT 'it has looked' FROM core.delivery_cursors WHERE $1::uuid IS NOT NULL`)) < 2 && ctx.Err() == nil {
		<-time.After(time.Millisecond)
	}
	w.pulls.Heard([]eventlog.Raw{{Tenant: evil.Tenant, TenantSeq: 1, Type: "shop.other"}})
	w.pulls.Heard(w.happen("shop.wanted"))
	w.got(<-got, "1 1 1")
	cancel()
	all.Wait()
}

func TestWhoIsWokenForNothingIsNotWokenAllTheTime(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	var all sync.WaitGroup
	all.Go(func() {
		_, _ = w.pulls.Receive(ctx, ctx, w.e.Tenant, w.e.ID, 1, func(context.Context) (*pulls.Endpoint, error) {
			e := w.found()
			e.Stirs, e.Through = nil, math.MaxInt64
			return e, nil
		})
	})
	for range 400 {
		w.pulls.Heard(w.happen("shop.other"))
	}
	looks, least := w.looked(), 1+int(time.Since(began)/(50*time.Millisecond))
	if most := 2*least + 2; looks > most { // it is looked besides when others may have appended something
		t.Errorf("%d looks in %s, want at most %d", looks, time.Since(began), most)
	}
	cancel()
	all.Wait()
}

func TestAnEndpointOfAnotherTenantWithTheSameIDIsAnother(t *testing.T) {
	w := newWorld(t)
	w.happen(times(20, "shop.wanted")...)
	twin := w.other()
	twin.From = noon.Add(-time.Hour)
	w.comes(twin)
	w.e.StartsAfter, w.e.From = 20, noon.Add(19*time.Second)
	w.got(w.receive(100), "19 1 1", "20 2 1")

	// Whoever looks there does not stand in the way of who waits here.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got := make(chan []pulls.Item, 1)
	go func() {
		items, _ := w.pulls.Receive(ctx, ctx, w.e.Tenant, w.e.ID, 1, w.find)
		got <- items
	}()
	for !w.pulls.Awaited() && ctx.Err() == nil {
		<-time.After(time.Millisecond)
	}
	reader, err := w.pulls.Follow(twin)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	reader.News(twin)
	w.pulls.Heard(w.happen("shop.wanted"))
	w.got(<-got, "21 3 1")
}

func TestSoManyReadOnAtAnEndpoint(t *testing.T) {
	w := newWorld(t)
	var all []*pulls.Reader
	for range pulls.MostReaders {
		r, err := w.pulls.Follow(w.e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if _, err := w.pulls.Follow(w.e); !errors.Is(err, pulls.ErrCrowded) {
		t.Fatalf("one more: %v", err)
	}
	if r, err := w.pulls.Follow(w.other()); err != nil {
		t.Error(err)
	} else {
		r.Close()
	}
	all[0].Close()
	r, err := w.pulls.Follow(w.e)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range append(all[1:], r) {
		r.Close()
	}
	if w.pulls.Awaited() {
		t.Error("something is left of them")
	}
}
