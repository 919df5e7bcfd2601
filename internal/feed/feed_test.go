package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chancery/internal/dcb"
)

func TestEveryEventBecomesOneRowHoweverOftenTheFeedRestartsWithinAPage(t *testing.T) {
	w := newWorld(t)
	const last = 5000
	w.append(1, last, "toy.happened")
	for range 8 {
		entered := make(chan struct{}, 1000)
		p := &toy{name: "toys", entered: func() { entered <- struct{}{} }}
		f := start(t, w.Ledger, Config{Projectors: []Projector{p}, Page: 300})
		<-entered
		f.Close() // while a page is worked on
		if at := w.offset("toys"); at < last {
			w.wantRows("toys", at)
		}
	}
	f := start(t, w.Ledger, Config{Projectors: []Projector{&toy{name: "toys"}}, Page: 300})
	reach(t, f, "toys", last)
	w.wantRows("toys", last)
}

func TestAPoisonEventStopsItsProjectorExactlyBeforeIt(t *testing.T) {
	const poison, last = 217, 600
	at := func(err error) func(dcb.Recorded) error {
		return func(e dcb.Recorded) error {
			if e.Position == poison {
				if err == nil {
					panic("bad event")
				}
				return err
			}
			return nil
		}
	}
	for name, before := range map[string]func(dcb.Recorded) error{
		"by an error": at(errors.New("bad event")), "by a panic": at(nil), "by a row that PostgreSQL refuses": at(errForbidden),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.append(1, last, "toy.happened")
			var said logged
			bad, good := &toy{name: "bad", before: before}, &toy{name: "good"}
			f := start(t, w.Ledger, Config{Projectors: []Projector{bad, good}, Log: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError}))})

			reach(t, f, "bad", poison-1)
			wantStuck(t, f, "bad", poison)
			w.wantRows("bad", poison-1)
			if at := w.offset("bad"); at != poison-1 {
				t.Errorf("offset %d", at)
			}
			if s := f.Status()[0]; s.Stuck != poison || s.StuckType != "toy.happened" || s.Err == "" || s.Lag <= 0 || s.Position != poison-1 {
				t.Errorf("status %+v", s)
			}
			if s := said.String(); s == "" {
				t.Error("nothing was logged")
			}
			reach(t, f, "good", last)
			w.wantRows("good", last)

			bad.repair()
			eventually(t, f, "bad", last)
			w.wantRows("bad", last)
			if s := f.Status()[0]; s.Stuck != 0 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// eventually is reach for a projector that is stuck and about to be freed.
func eventually(t *testing.T, f *Feed, projector string, position int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		err := f.Wait(ctx, projector, position)
		if stuck := new(Stuck); !errors.As(err, &stuck) {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestAnEventThatCannotBeDecodedStopsTheProjectorBeforeIt(t *testing.T) {
	for _, kind := range []string{"toy.unheard-of", "toy.panics"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			w.append(1, 40, "toy.happened")
			w.append(41, 41, kind)
			w.append(42, 50, "toy.happened")
			f := start(t, w.Ledger, Config{Projectors: []Projector{&toy{name: "toys"}}})
			reach(t, f, "toys", 40)
			if s := wantStuck(t, f, "toys", 41); s.Type != kind {
				t.Errorf("stuck before a %q", s.Type)
			}
			w.wantRows("toys", 40)
		})
	}
}

func TestAHoleInTheLogHaltsTheProjector(t *testing.T) {
	w := newWorld(t)
	w.append(1, 10, "toy.happened")
	w.append(12, 20, "toy.happened")
	f := start(t, w.Ledger, Config{Projectors: []Projector{&toy{name: "toys"}}})
	reach(t, f, "toys", 10)
	wantStuck(t, f, "toys", 11)
	w.wantRows("toys", 10)
	w.append(11, 11, "toy.happened")
	eventually(t, f, "toys", 20)
	w.wantRows("toys", 20)
}

func TestTwoNodesShareAProjectorAndOneTakesOverFromTheOther(t *testing.T) {
	w := newWorld(t)
	feeds := map[string]*Feed{}
	for _, node := range []string{"a", "b"} {
		feeds[node] = start(t, w.node(node), Config{Projectors: []Projector{&toy{name: "toys", node: node}}, Page: 50})
	}
	w.append(1, 3000, "toy.happened")
	feeds["a"].Poke()
	feeds["b"].Poke()
	reach(t, feeds["a"], "toys", 3000) // both can be asked, whoever works
	reach(t, feeds["b"], "toys", 3000)

	feeds["a"].Close()
	w.append(3001, 4000, "toy.happened")
	feeds["b"].Poke()
	reach(t, feeds["b"], "toys", 4000)
	w.wantRows("toys", 4000)
	if n := w.number(`SELECT count(*) FROM core.toys WHERE position > 3000 AND node <> 'b'`); n != 0 {
		t.Errorf("%d rows by the closed node", n)
	}
}

func TestANodeThatDiesInTheMiddleOfAPageIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.append(1, 100, "toy.happened")
	inside, resume := make(chan struct{}), make(chan struct{})
	let := sync.OnceFunc(func() { close(resume) })
	var once sync.Once
	dying := &toy{name: "toys", node: "dying", entered: func() { once.Do(func() { close(inside); <-resume }) }}
	a := start(t, w.node("dying"), Config{Projectors: []Projector{dying}})
	t.Cleanup(let)
	<-inside
	b := start(t, w.node("heir"), Config{Projectors: []Projector{&toy{name: "toys", node: "heir"}}, Poll: 10 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := b.Wait(ctx, "toys", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the standby worked: %v", err)
	}
	w.kill(`application_name = 'dying chancery_project' AND state = 'idle in transaction'`)
	reach(t, b, "toys", 100)
	let()
	reach(t, a, "toys", 100)
	w.wantRows("toys", 100)
	if n := w.number(`SELECT count(*) FROM core.toys WHERE node = 'dying'`); n != 0 {
		t.Errorf("%d rows by the dead node", n)
	}
}

// kill ends other connections.
func (w *world) kill(which string) {
	w.t.Helper()
	conn := w.login()
	defer conn.Close(context.Background())
	var n int
	if err := conn.QueryRow(w.t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND `+which).Scan(&n); err != nil || n == 0 {
		w.t.Fatalf("killed %d: %v", n, err)
	}
}

func TestClosingWaitsForTheHandlerAndDropsItsPage(t *testing.T) {
	w := newWorld(t)
	w.append(1, 100, "toy.happened")
	inside, resume := make(chan struct{}), make(chan struct{})
	f := start(t, w.Ledger, Config{Projectors: []Projector{&toy{name: "toys", entered: func() { close(inside); <-resume }}}})
	<-inside
	closed := make(chan struct{})
	go func() { f.Close(); close(closed) }()
	<-f.quit
	select {
	case <-closed:
		t.Error("closed while the handler was at work")
	default:
	}
	close(resume)
	<-closed
	at := w.offset("toys")
	if at != 0 && at != 100 {
		t.Errorf("offset %d", at)
	}
	w.wantRows("toys", at)
}

func TestReactionsGetOneEventAtATimeAndKeepWhatPrecedesAFailure(t *testing.T) {
	w := newWorld(t)
	var calls [61]atomic.Int64
	p := &toy{name: "reaction", before: func(e dcb.Recorded) error {
		calls[e.Position].Add(1)
		if e.Position == 33 && calls[33].Load() < 4 {
			return errors.New("not yet")
		}
		return nil
	}}
	f := start(t, w.Ledger, Config{Reactions: []Reaction{p}})
	w.append(1, 60, "toy.happened")
	eventually(t, f, "reaction", 60)
	w.wantRows("reaction", 60)
	for i := range calls {
		if n := calls[i].Load(); i > 0 && i != 33 && n != 1 {
			t.Errorf("event %d was handled %d times", i, n)
		}
	}
}

func TestAReactionBeginsAtTheHeadAndGoesOnWhereItWas(t *testing.T) {
	w := newWorld(t)
	w.append(1, 20, "toy.happened")
	var heard []int64
	p := &toy{name: "reaction", before: func(e dcb.Recorded) error { heard = append(heard, e.Position); return nil }}
	f := made(t, w.Ledger, Config{Reactions: []Reaction{p}})
	w.append(21, 25, "toy.happened")
	run(t, f)
	reach(t, f, "reaction", 25)
	f.Close()
	w.append(26, 30, "toy.happened") // while nobody listens
	again := start(t, w.Ledger, Config{Reactions: []Reaction{p}})
	reach(t, again, "reaction", 30)
	again.Close()
	if want := []int64{21, 22, 23, 24, 25, 26, 27, 28, 29, 30}; !slices.Equal(heard, want) {
		t.Errorf("heard of %v, want %v", heard, want)
	}
}

func TestAReactionIsNotToldOfOtherTypesWhateverTheyAre(t *testing.T) {
	w := newWorld(t)
	p := &toy{name: "reaction"}
	q := &toy{name: "deaf", before: func(dcb.Recorded) error { return errors.New("told of something") }}
	f := start(t, w.Ledger, Config{Reactions: []Reaction{p, deaf{q}}})
	for i, kind := range []string{"toy.happened", "toy.unknown", "toy.panics", "toy.happened", "toy.happened", "toy.unknown"} {
		w.append(int64(i+1), int64(i+1), kind)
	}
	w.append(7, 3000, "toy.unknown") // more than a page
	w.append(3001, 3001, "toy.happened")
	reach(t, f, "reaction", 3001)
	reach(t, f, "deaf", 3001)
	if got, want := w.texts(`SELECT position::text FROM core.toys ORDER BY serial`), []string{"1", "4", "5", "3001"}; !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
	for _, s := range f.Status() {
		if !s.Reaction || s.Position != 3001 {
			t.Errorf("%+v", s)
		}
	}
}

// deaf hears nothing.
type deaf struct{ *toy }

func (deaf) Types() []string { return nil }

func TestAReactionFindsAHoleAmongWhatPassesIt(t *testing.T) {
	w := newWorld(t)
	f := start(t, w.Ledger, Config{Reactions: []Reaction{&toy{name: "reaction"}}})
	w.append(1, 3, "toy.unknown")
	w.append(5, 5, "toy.unknown")
	wantStuck(t, f, "reaction", 4)
	w.append(4, 4, "toy.unknown")
	eventually(t, f, "reaction", 5)
}

func TestALostListenerIsReplacedAndNothingIsMissed(t *testing.T) {
	w := newWorld(t)
	f := start(t, w.Ledger, Config{Projectors: []Projector{&toy{name: "toys"}}, Poll: time.Hour})
	for i := range int64(3) {
		w.await(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`, 1)
		started := time.Now()
		w.append(i+1, i+1, "toy.happened")
		w.exec(`SELECT pg_notify('chancery_events', '')`)
		reach(t, f, "toys", i+1)
		t.Logf("insert, notify, project, wait: %v", time.Since(started).Round(10*time.Microsecond))
		w.kill(`query LIKE 'LISTEN %'`)
		w.await(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %' AND state <> 'idle'`, 0)
	}
}

// await asks until it gets the answer.
func (w *world) await(sql string, want int64) {
	w.t.Helper()
	conn := w.login()
	defer conn.Close(context.Background())
	for end := time.Now().Add(20 * time.Second); ; {
		var n int64
		if err := conn.QueryRow(w.t.Context(), sql).Scan(&n); err != nil {
			w.t.Fatal(err)
		}
		if n == want {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s: %d, want %d", sql, n, want)
		}
	}
}

func TestAProjectorThatReadsIsStopped(t *testing.T) {
	w := newWorld(t)
	w.append(1, 1, "toy.happened")
	f := start(t, w.Ledger, Config{Projectors: []Projector{reading{}}})
	if s := wantStuck(t, f, "reading", 1); !errors.Is(s, errRead) {
		t.Error(s)
	}
}

type reading struct{}

func (reading) Name() string { return "reading" }
func (reading) Apply(ctx context.Context, db DBTX, _ []dcb.Recorded) error {
	var n int
	return db.QueryRow(ctx, "SELECT 1").Scan(&n)
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	f := start(t, w.Ledger, Config{Projectors: []Projector{&toy{name: "toys"}}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := f.Wait(ctx, "toys", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := f.Wait(t.Context(), "nobody", 1); err == nil {
		t.Error("waited for an unknown projector")
	}
}

func TestHooksCountEventsAndLag(t *testing.T) {
	w := newWorld(t)
	w.append(1, 2500, "toy.happened")
	var events, pages atomic.Int64
	f := start(t, w.Ledger, Config{Projectors: []Projector{&toy{name: "toys"}}, Now: func() time.Time { return time.Now().Add(time.Hour) },
		Hooks: Hooks{Committed: func(_ string, n int, lag time.Duration) {
			events.Add(int64(n))
			pages.Add(1)
			if lag < time.Hour || lag > 2*time.Hour {
				t.Errorf("lag %v", lag)
			}
		}}})
	reach(t, f, "toys", 2500)
	f.Close()
	if events.Load() != 2500 || pages.Load() != 3 {
		t.Errorf("%d events in %d pages", events.Load(), pages.Load())
	}
}

func TestProjectingIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	w := newWorld(t)
	const last = 50000
	w.append(1, last, "toy.happened")
	started := time.Now()
	f := start(t, w.Ledger, Config{Projectors: []Projector{&toy{name: "toys"}}})
	reach(t, f, "toys", last)
	t.Logf("%.0f events/s, one row each", last/time.Since(started).Seconds())
}

func TestLatencyIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	for _, projectors := range []int{1, 5} {
		w := newWorld(t)
		cfg := Config{Poll: time.Hour}
		for i := range projectors {
			cfg.Projectors = append(cfg.Projectors, &toy{name: fmt.Sprint("toys", i)})
		}
		f := start(t, w.Ledger, cfg)
		w.append(1, 20, "toy.happened")
		f.Poke()
		for i := range projectors {
			reach(t, f, fmt.Sprint("toys", i), 20)
		}
		var took []time.Duration
		for i := range int64(200) {
			w.append(21+i, 21+i, "toy.happened")
			started := time.Now()
			f.Poke()
			for p := range projectors {
				reach(t, f, fmt.Sprint("toys", p), 21+i)
			}
			took = append(took, time.Since(started))
		}
		slices.Sort(took)
		t.Logf("%d projectors, from poke to all visible: p50 %v, p95 %v, p99 %v", projectors,
			took[100].Round(10*time.Microsecond), took[190].Round(10*time.Microsecond), took[198].Round(10*time.Microsecond))
	}
}
