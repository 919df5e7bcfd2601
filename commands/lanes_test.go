package commands_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/codec"
	"chancery/internal/dcb"
)

// turn is a contended command that does as the test says.
type turn struct {
	lane string
	do   func() ([]dcb.Event, error)
}

func (c turn) Lane() string { return c.lane }

func (c turn) Decide(commands.Env) dcb.Decision { return dcb.From().Decide(c.do) }

func (w *world) turn(do func() ([]dcb.Event, error), changes ...func(*commands.Order)) commands.Order {
	o := commands.Order{Spec: &commands.Spec{Name: "turn"}, Command: turn{"lane", do}, Tenant: acme, Request: uuid.New(), Rights: rights{all: true}}
	o.Fingerprint = o.Request[:]
	for _, change := range changes {
		change(&o)
	}
	return o
}

// makes is a group of that name.
func makes(name string) func() ([]dcb.Event, error) {
	return func() ([]dcb.Event, error) { return dcb.Emit(groupMade(name, "")) }
}

// answers are what orders come to that are executed each on its own.
type answers struct {
	sync.WaitGroup
	results []commands.Result
	errs    []error
}

// line executes orders one behind the other, while something else is decided in their lane.
func (w *world) line(ctx []context.Context, orders ...commands.Order) *answers {
	a := &answers{results: make([]commands.Result, len(orders)), errs: make([]error, len(orders))}
	before, _ := w.InLane(acme, "lane")
	for i, o := range orders {
		a.Go(func() { a.results[i], a.errs[i] = w.Execute(ctx[i], o) })
		w.until(func(waiting int, _ bool) bool { return waiting == before+i+1 })
	}
	return a
}

func (w *world) until(is func(waiting int, busy bool) bool) {
	for !is(w.InLane(acme, "lane")) {
		runtime.Gosched()
	}
}

func contexts(n int) []context.Context {
	return slices.Repeat([]context.Context{context.Background()}, n)
}

// held has somebody decide in the lane until the test lets go.
func (w *world) held(ctx context.Context) (letGo func(), done chan error) {
	begun, end := make(chan struct{}), make(chan struct{})
	done = make(chan error, 1)
	go func() {
		_, err := w.Execute(ctx, w.turn(func() ([]dcb.Event, error) { close(begun); <-end; return makes("first")() }))
		done <- err
	}()
	<-begun
	return func() { close(end) }, done
}

// made are the names of the groups that were made after a position.
func (w *world) made(t testing.TB, after int64) (names []string) {
	for _, r := range w.stored(t, after) {
		if e, is := r.Event.(domain.GroupCreated); is {
			names = append(names, e.Name)
		}
	}
	return names
}

func TestThoseWhoWaitInALaneShareAnAppendInTheOrderInWhichTheyCame(t *testing.T) {
	w := newWorld(t)
	before := w.head(t)
	letGo, first := w.held(t.Context())
	appends := w.countAppends()
	a := w.line(contexts(3), w.turn(makes("a")), w.turn(func() ([]dcb.Event, error) { return nil, domain.ErrNoSeat }), w.turn(makes("b")))
	letGo()
	a.Wait()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if a.errs[0] != nil || !isRefusal(a.errs[1], domain.ErrNoSeat) || a.errs[2] != nil {
		t.Errorf("answers: %v", a.errs)
	}
	if n := appends(); n != 2 {
		t.Errorf("%d appends, want the first and one for all others", n)
	}
	if got := w.made(t, before); !slices.Equal(got, []string{"first", "a", "b"}) {
		t.Errorf("stored %v", got)
	}
	if _, busy := w.InLane(acme, "lane"); busy {
		t.Error("the lane is not free")
	}
}

// countAppends counts them from now on until it is asked.
func (w *world) countAppends() func() int {
	var n atomic.Int64
	store := w.Store.(*codec.Store)
	w.Store = appending{store, func() { n.Add(1) }}
	return func() int { w.Store = store; return int(n.Load()) }
}

type appending struct {
	*codec.Store
	count func()
}

func (s appending) Append(ctx context.Context, parts []dcb.Part, c []dcb.Condition) ([]dcb.Receipt, []dcb.Recorded, error) {
	s.count()
	return s.Store.Append(ctx, parts, c)
}

func TestNoMoreThanSoManyShareAnAppend(t *testing.T) {
	w := newWorld(t)
	letGo, first := w.held(t.Context())
	appends := w.countAppends()
	var orders []commands.Order
	for i := range commands.MostTogether + 1 {
		orders = append(orders, w.turn(makes(fmt.Sprint("g", i))))
	}
	a := w.line(contexts(len(orders)), orders...)
	letGo()
	a.Wait()
	if err := errors.Join(append(a.errs, <-first)...); err != nil {
		t.Error(err)
	}
	if n := appends(); n != 3 {
		t.Errorf("%d appends, want 3", n)
	}
}

func TestWhoGivesUpInALaneTakesNobodyWithThem(t *testing.T) {
	w := newWorld(t)
	before := w.head(t)
	letGo, first := w.held(t.Context())
	ctx, cancel := context.WithCancel(context.Background())
	a := w.line([]context.Context{context.Background(), ctx, context.Background()}, w.turn(makes("a")), w.turn(makes("gave up")), w.turn(makes("b")))
	cancel()
	w.until(func(waiting int, _ bool) bool { return waiting == 2 })
	letGo()
	a.Wait()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if a.errs[0] != nil || !errors.Is(a.errs[1], context.Canceled) || a.errs[2] != nil {
		t.Errorf("answers: %v", a.errs)
	}
	if got := w.made(t, before); !slices.Equal(got, []string{"first", "a", "b"}) {
		t.Errorf("stored %v", got)
	}
}

func TestOneWhoDecidesForOthersAndGivesUpGoesOnForThem(t *testing.T) {
	w := newWorld(t)
	before := w.head(t)
	letGo, first := w.held(t.Context())
	leading, cancel := context.WithCancel(context.Background())
	a := w.line([]context.Context{leading, context.Background()},
		w.turn(func() ([]dcb.Event, error) { cancel(); return makes("leads")() }), w.turn(makes("follows")))
	letGo()
	a.Wait()
	if err := <-first; err != nil || a.errs[1] != nil {
		t.Errorf("answers: %v, %v", err, a.errs)
	}
	if got := w.made(t, before); !slices.Equal(got, []string{"first", "leads", "follows"}) {
		t.Errorf("stored %v", got)
	}
}

func TestWhenAllHaveGivenUpNothingIsDecidedForThem(t *testing.T) {
	w := newWorld(t)
	letGo, first := w.held(t.Context())
	one, giveUp := context.WithCancel(context.Background())
	other, too := context.WithCancel(context.Background())
	var stopped error
	a := w.line([]context.Context{one, other}, w.turn(func() ([]dcb.Event, error) { giveUp(); too(); return makes("a")() }), w.turn(makes("b")))
	w.Store = waiting{w.Store.(*codec.Store), &stopped}
	letGo()
	a.Wait()
	<-first
	if !errors.Is(a.errs[1], context.Canceled) || !errors.Is(stopped, context.Canceled) {
		t.Errorf("answers: %v; the append ended with %v", a.errs, stopped)
	}
}

// waiting is a store that appends no more than one event before its caller gives up.
type waiting struct {
	*codec.Store
	stopped *error
}

func (s waiting) Append(ctx context.Context, parts []dcb.Part, c []dcb.Condition) ([]dcb.Receipt, []dcb.Recorded, error) {
	if len(parts) < 2 {
		return s.Store.Append(ctx, parts, c)
	}
	<-ctx.Done()
	*s.stopped = ctx.Err()
	return nil, nil, ctx.Err()
}

func TestTheSameRequestTwiceInALaneIsDoneOnceAndAnsweredTwice(t *testing.T) {
	w := newWorld(t)
	before := w.head(t)
	letGo, first := w.held(t.Context())
	same, other := keyed("k"), func(o *commands.Order) { o.Fingerprint = []byte("another body") }
	a := w.line(contexts(4), w.turn(makes("a"), same, ofBody("x")), w.turn(makes("a"), same, ofBody("x")), w.turn(makes("b")), w.turn(makes("c"), same, other))
	letGo()
	a.Wait()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if a.errs[0] != nil || a.errs[1] != nil || a.errs[2] != nil || !errors.Is(a.errs[3], dcb.ErrKeyReused) {
		t.Errorf("answers: %v", a.errs)
	}
	if one, two := a.results[0], a.results[1]; two.ID != one.ID || two.Position != one.Position || one.Replayed == two.Replayed {
		t.Errorf("the same request is answered %+v and %+v", one, two)
	}
	if got := w.made(t, before); !slices.Equal(got, []string{"first", "a", "b"}) {
		t.Errorf("stored %v", got)
	}
}

func ofBody(text string) func(*commands.Order) {
	return func(o *commands.Order) { o.Fingerprint = []byte(text) }
}

func TestAFaultOfTheWholeReachesEachAndTheLaneGoesOn(t *testing.T) {
	w := newWorld(t)
	letGo, first := w.held(t.Context())
	fault := errors.New("the disk is full")
	a := w.line(contexts(2), w.turn(func() ([]dcb.Event, error) { return nil, fault }), w.turn(makes("a")))
	letGo()
	a.Wait()
	if err := <-first; err != nil || !errors.Is(a.errs[0], fault) || !errors.Is(a.errs[1], fault) {
		t.Errorf("answers: %v, %v", err, a.errs)
	}
	if _, err := w.do(w.turn(makes("later"))); err != nil {
		t.Error(err)
	}
}

func TestWhatOneBringsAlongThatCannotBeStoredFailsThatOneAlone(t *testing.T) {
	for _, whole := range []error{dcb.ErrBadData, dcb.ErrKeyReused} {
		w := newWorld(t)
		letGo, first := w.held(t.Context())
		a := w.line(contexts(3), w.turn(makes("a")), w.turn(makes("bad")), w.turn(makes("b")))
		w.Store = picky{w.Store.(*codec.Store), whole}
		letGo()
		a.Wait()
		if err := <-first; err != nil || a.errs[0] != nil || !errors.Is(a.errs[1], whole) || a.errs[2] != nil {
			t.Errorf("answers: %v, %v", err, a.errs)
		}
	}
}

// picky is a store that does not take one group.
type picky struct {
	*codec.Store
	err error
}

func (s picky) Append(ctx context.Context, parts []dcb.Part, c []dcb.Condition) ([]dcb.Receipt, []dcb.Recorded, error) {
	for _, p := range parts {
		for _, e := range p.Events {
			if g, is := e.Event.(domain.GroupCreated); is && g.Name == "bad" {
				return nil, nil, s.err
			}
		}
	}
	return s.Store.Append(ctx, parts, c)
}

func TestAPanicOfOneLeavesNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	letGo, first := w.held(t.Context())
	broken := w.turn(func() ([]dcb.Event, error) { panic("a mistake in a rule") })
	a := &answers{errs: make([]error, 2)}
	a.Go(func() {
		defer func() { recover() }() // as the server does
		_, a.errs[0] = w.Execute(context.Background(), broken)
	})
	w.until(func(waiting int, _ bool) bool { return waiting == 1 })
	behind := w.line(contexts(1), w.turn(makes("a")))
	letGo()
	a.Wait()
	behind.Wait()
	if err := <-first; err != nil || behind.errs[0] == nil {
		t.Errorf("answers: %v, %v", err, behind.errs)
	}
	if _, err := w.do(w.turn(makes("later"))); err != nil {
		t.Error(err)
	}
}

func TestTenantsAndLanesDoNotWaitForOneAnother(t *testing.T) {
	w := newWorld(t)
	letGo, first := w.held(t.Context())
	w.must(t, w.turn(makes("elsewhere"), func(o *commands.Order) { o.Tenant = globex }))
	w.must(t, w.turn(nil, func(o *commands.Order) { o.Command = turn{"another", makes("x")} }))
	w.must(t, w.turn(nil, func(o *commands.Order) { o.Command = turn{"", makes("none")} }))
	w.refused(t, w.turn(makes("at a time of its own"), at(w.clock())), domain.ErrInvalid)
	if got := w.batch(t, acme, true, w.turn(makes("in a batch"))); got[0].Err != nil {
		t.Error(got[0].Err)
	}
	letGo()
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// counted has the engine count what is taken, as the access index does.
func (w *world) counted() {
	var mu sync.Mutex // owns the rest
	var seen int64
	tallies, seats := map[dcb.Tag]*domain.Tally{}, map[dcb.Tag]domain.Seats{}
	store := w.Store.(*codec.Store)
	w.Follow = func(ctx context.Context, _ int64) error {
		mu.Lock()
		defer mu.Unlock()
		raws, err := w.log.Page(ctx, seen, 1<<20)
		if err != nil {
			return err
		}
		events, err := store.DecodeAll(raws)
		for _, r := range events {
			seen = r.Position
			for _, tag := range r.Tags {
				if tallies[tag] == nil {
					tallies[tag] = &domain.Tally{}
				}
				tallies[tag].Fold(r.Event)
				seats[tag] = seats[tag].Fold(r.Event)
			}
		}
		return err
	}
	w.Tally = func(k domain.Key) domain.Tally {
		mu.Lock()
		defer mu.Unlock()
		if t := tallies[k.Tag()]; t != nil {
			return *t
		}
		return domain.Tally{}
	}
	w.Seats = func(k domain.Key) domain.Seats { mu.Lock(); defer mu.Unlock(); return seats[k.Tag()] }
}

func TestRacersForAHardLimitNeverOverrunItAndEachIsToldWhy(t *testing.T) {
	before := runtime.NumGoroutine()
	for round := range 5 {
		w := newWorld(t)
		w.counted()
		l := allowing("a", 10, invoices(1000))
		w.record(t, acme, l)
		start := w.head(t)
		a := &answers{results: make([]commands.Result, 200), errs: make([]error, 200)}
		wanted := make([]int64, 200)
		for i := range wanted {
			wanted[i] = 1 + rand.Int64N(30)
			a.Go(func() {
				a.results[i], a.errs[i] = w.do(w.order(acme, &commands.Consume{App: "billing", Entitlement: "invoices", Amount: wanted[i]}))
			})
		}
		a.Wait()
		told, least := int64(0), int64(1000)
		for i, err := range a.errs {
			switch {
			case err == nil:
				told += wanted[i]
			case isRefusal(err, domain.ErrAllowance):
				least = min(least, wanted[i])
			default:
				t.Errorf("round %d: %v", round, err)
			}
		}
		sum := int64(0)
		for _, r := range w.stored(t, start) {
			e := r.Event.(domain.UsageRecorded)
			if sum += e.Amount; sum != e.Total {
				t.Errorf("the event says %d in all, it is %d", e.Total, sum)
			}
		}
		if sum > 1000 || sum != told || sum+least <= 1000 {
			t.Errorf("round %d: %d recorded, %d told, the least that was refused is %d", round, sum, told, least)
		}
		if tried := w.tried("consume"); tried != 1 {
			t.Errorf("round %d: nobody else is there, and the last took %d attempts", round, tried)
		}
	}
	for runtime.NumGoroutine() > before {
		runtime.Gosched() // the test times out if one is left
	}
}

func TestRacersForTheLastSeatsGetThemAndNoMore(t *testing.T) {
	w := newWorld(t)
	w.counted()
	w.record(t, acme, seating("new", 10, 3, domain.Floating))
	before := w.head(t)
	a := &answers{errs: make([]error, 100)}
	for i := range a.errs {
		a.Go(func() {
			_, a.errs[i] = w.do(w.order(acme, &commands.LeaseSeat{App: "billing", Holder: fmt.Sprint("ci-", i)}))
		})
	}
	a.Wait()
	got := 0
	for _, err := range a.errs {
		if err == nil {
			got++
		} else if !isRefusal(err, domain.ErrNoSeat) {
			t.Error(err)
		}
	}
	if n := w.head(t) - before; got != 3 || n != 3 {
		t.Errorf("%d were told yes, there are %d events; want 3", got, n)
	}
}

// One batch of a caller takes what is left, and no more; and the events of many lines are many, not their square.
func TestTheLinesOfOneBatchNeverOverrun(t *testing.T) {
	w := newWorld(t)
	w.counted()
	w.record(t, acme, allowing("a", 10, invoices(150)), seating("new", 10, 70, domain.Floating))
	var orders []commands.Order
	for i := range 200 {
		orders = append(orders, w.order(acme, &commands.Consume{App: "billing", Entitlement: "invoices", Amount: 1}),
			w.order(acme, &commands.LeaseSeat{License: licenseID("new"), Holder: fmt.Sprint("ci-", i)}))
	}
	before := w.head(t)
	for i, o := range w.batch(t, acme, false, orders...) {
		want := error(nil)
		switch {
		case i%2 == 0 && i/2 >= 150:
			want = domain.ErrAllowance
		case i%2 == 1 && i/2 >= 70:
			want = domain.ErrNoSeat
		}
		if !errors.Is(o.Err, want) {
			t.Fatalf("line %d: %v, want %v", i, o.Err, want)
		}
	}
	if n := w.head(t) - before; n != 220 {
		t.Errorf("%d events, want 220", n)
	}
}

func TestARivalWhoTakesInBetweenIsSeenAndNothingIsOverrun(t *testing.T) {
	w := newWorld(t)
	w.counted()
	w.record(t, acme, allowing("a", 10, invoices(10)))
	w.log.beforeNextAppend(func() { w.record(t, acme, consumed("a", "rival", 6, 6)) })
	w.refused(t, w.order(acme, &commands.Consume{App: "billing", Entitlement: "invoices", Amount: 5}), domain.ErrAllowance)
	w.record(t, acme, seating("new", 10, 1, domain.Floating))
	w.log.beforeNextAppend(func() { w.record(t, acme, leased("new", "rival", now.Add(time.Hour))) })
	w.refused(t, w.order(acme, &commands.LeaseSeat{License: licenseID("new"), Holder: "x"}), domain.ErrNoSeat)
}
