package throttle_test

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"chancery/internal/ledger"
	"chancery/internal/pgtest"
	"chancery/internal/throttle"
)

func TestMain(m *testing.M) { pgtest.Main(m, ledger.Migrate) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func hash(key string) [32]byte { return sha256.Sum256([]byte(key)) }

func open(t *testing.T, url string) (*throttle.Throttle, *ledger.Ledger) {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{URL: url, AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return throttle.New(throttle.Config{Pool: l.Pool(ledger.Append), Hash: hash}), l
}

func take(t *testing.T, th *throttle.Throttle, at time.Time, tries ...throttle.Try) time.Duration {
	t.Helper()
	wait, err := th.Take(t.Context(), at, tries...)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

func rows(t *testing.T, l *ledger.Ledger) (n int) {
	t.Helper()
	if err := l.Pool(ledger.Append).QueryRow(t.Context(), "SELECT count(*) FROM core.throttle").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestABurstIsAdmittedAndThenOneAtATime(t *testing.T) {
	th, _ := open(t, pgtest.URL(t))
	try := throttle.Try{Key: "a", Limit: throttle.Limit{Burst: 3, Every: time.Minute}}
	for i := range 3 {
		if wait := take(t, th, noon, try); wait != 0 {
			t.Fatalf("try %d is to wait %s", i+1, wait)
		}
	}
	if wait := take(t, th, noon.Add(10*time.Second), try); wait != 50*time.Second {
		t.Errorf("the fourth is to wait %s, want 50s", wait)
	}
	if wait := take(t, th, noon.Add(time.Minute), try); wait != 0 {
		t.Errorf("whoever has waited is to wait %s more", wait)
	}
	if wait := take(t, th, noon.Add(time.Minute), try); wait != time.Minute {
		t.Errorf("the next is to wait %s, want 1m", wait)
	}
	if wait := take(t, th, noon.Add(time.Hour), try); wait != 0 {
		t.Errorf("after a long time: wait %s", wait)
	}
}

func TestOneFullBucketSparesTheOthers(t *testing.T) {
	th, _ := open(t, pgtest.URL(t))
	narrow := throttle.Try{Key: "narrow", Limit: throttle.Limit{Burst: 1, Every: time.Hour}}
	wide := throttle.Try{Key: "wide", Limit: throttle.Limit{Burst: 2, Every: time.Minute}}
	if wait := take(t, th, noon, narrow, wide); wait != 0 {
		t.Fatalf("wait %s", wait)
	}
	for range 5 {
		if wait := take(t, th, noon, wide, narrow); wait != time.Hour {
			t.Fatalf("wait %s, want the longest, 1h", wait)
		}
	}
	if wait := take(t, th, noon, wide); wait != 0 {
		t.Errorf("tries that were refused took from the other bucket: wait %s", wait)
	}
}

func TestOfAHundredAtOnceABurstIsAdmitted(t *testing.T) {
	url := pgtest.URL(t)
	here, _ := open(t, url)
	there, _ := open(t, url) // another process has pools of its own
	limit := throttle.Limit{Burst: 10, Every: time.Hour}
	tries := [2][]throttle.Try{{{Key: "a", Limit: limit}, {Key: "b", Limit: limit}}, {{Key: "b", Limit: limit}, {Key: "a", Limit: limit}}}
	var admitted atomic.Int32
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			wait, err := []*throttle.Throttle{here, there}[i%2].Take(t.Context(), noon, tries[i/2%2]...)
			if err != nil {
				t.Error(err)
			}
			if err == nil && wait == 0 {
				admitted.Add(1)
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != 10 {
		t.Errorf("%d of 100 were admitted, want 10", n)
	}
}

// lined holds the rows of all keys until as many takes as given wait for them, so that all of these race.
func lined(t *testing.T, l *ledger.Ledger, waiting int, takes func()) {
	t.Helper()
	owner := l.Pool(ledger.Owner)
	err := pgx.BeginFunc(t.Context(), owner, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "SELECT key FROM core.throttle ORDER BY key FOR UPDATE"); err != nil {
			return err
		}
		takes()
		for n := 0; n < waiting; {
			err := owner.QueryRow(t.Context(), `SELECT count(DISTINCT pid) FROM pg_locks
				WHERE NOT granted AND (database IS NULL OR database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&n)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTakersOfTheSameBucketsWaitInLine(t *testing.T) {
	th, l := open(t, pgtest.URL(t))
	limit := throttle.Limit{Burst: 2, Every: time.Hour}
	a, b := throttle.Try{Key: "a", Limit: limit}, throttle.Try{Key: "b", Limit: limit}
	take(t, th, noon, a, b)
	var admitted atomic.Int32
	var wg sync.WaitGroup
	lined(t, l, 6, func() {
		for range 6 {
			wg.Go(func() {
				wait, err := th.Take(t.Context(), noon, a, b)
				if err != nil {
					t.Error(err)
				}
				if err == nil && wait == 0 {
					admitted.Add(1)
				}
			})
		}
	})
	wg.Wait()
	if n := admitted.Load(); n != 1 {
		t.Errorf("%d of those in line were admitted, want the one for whom there is room", n)
	}
}

func TestTakersInAnyOrderDoNotDeadlock(t *testing.T) {
	th, l := open(t, pgtest.URL(t))
	limit := throttle.Limit{Burst: 1000, Every: time.Hour}
	a, b := throttle.Try{Key: "a", Limit: limit}, throttle.Try{Key: "b", Limit: limit}
	take(t, th, noon, a, b)
	for range 20 {
		var wg sync.WaitGroup
		lined(t, l, 2, func() {
			for _, tries := range [][]throttle.Try{{a, b}, {b, a}} {
				wg.Go(func() {
					if _, err := th.Take(t.Context(), noon, tries...); err != nil {
						t.Error(err)
					}
				})
			}
		})
		wg.Wait()
	}
}

func TestForgettingAndSweepingAtOnceAdmitNobodyTwice(t *testing.T) {
	th, l := open(t, pgtest.URL(t))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kept := throttle.Limit{Burst: 10, Every: time.Hour}
	var admitted atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		others := []string{strconv.Itoa(random.IntN(5)), strconv.Itoa(5 + random.IntN(5))}
		past := throttle.Limit{Burst: 100, Every: time.Microsecond}
		wg.Go(func() {
			wait, err := th.Take(t.Context(), noon, throttle.Try{Key: others[1], Limit: past}, throttle.Try{Key: "kept", Limit: kept}, throttle.Try{Key: others[0], Limit: past})
			if err != nil {
				t.Error(err)
			}
			if err == nil && wait == 0 {
				admitted.Add(1)
			}
		})
		wg.Go(func() {
			if err := th.Sweep(t.Context(), noon.Add(time.Minute)); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := th.Forget(t.Context(), others...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != 10 {
		t.Errorf("%d were admitted, want 10", n)
	}
	if err := th.Sweep(t.Context(), noon.Add(time.Minute)); err != nil || rows(t, l) != 1 {
		t.Errorf("%d rows stay after sweeping (%v), want the one that still counts", rows(t, l), err)
	}
}

func TestForgettingFillsABucket(t *testing.T) {
	th, l := open(t, pgtest.URL(t))
	try := throttle.Try{Key: "a", Limit: throttle.Limit{Burst: 1, Every: time.Hour}}
	take(t, th, noon, try)
	if err := th.Forget(t.Context(), "a", "never seen"); err != nil || rows(t, l) != 0 {
		t.Fatalf("%v, %d rows", err, rows(t, l))
	}
	if wait := take(t, th, noon, try); wait != 0 {
		t.Errorf("wait %s", wait)
	}
}

func TestTheTableHoldsNoKeyInTheClear(t *testing.T) {
	th, l := open(t, pgtest.URL(t))
	take(t, th, noon, throttle.Try{Key: "canary@example.org", Limit: throttle.Limit{Burst: 1, Every: time.Hour}})
	var key []byte
	if err := l.Pool(ledger.Append).QueryRow(t.Context(), "SELECT key FROM core.throttle").Scan(&key); err != nil {
		t.Fatal(err)
	}
	want := hash("canary@example.org")
	if diff := cmp.Diff(want[:], key); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyTheAppendRoleSeesTheTable(t *testing.T) {
	_, l := open(t, pgtest.URL(t))
	for _, role := range []ledger.Role{ledger.Query, ledger.Project} {
		if _, err := l.Pool(role).Exec(t.Context(), "SELECT key FROM core.throttle"); err == nil {
			t.Errorf("%s reads it", role)
		}
		if _, err := l.Pool(role).Exec(t.Context(), "SELECT core.throttle_take(0, '{}', '{}', '{}')"); err == nil {
			t.Errorf("%s takes", role)
		}
	}
}

func TestWhatMakesNoSenseIsAFault(t *testing.T) {
	th, l := open(t, pgtest.URL(t))
	fine := throttle.Limit{Burst: 1, Every: time.Second}
	for what, tries := range map[string][]throttle.Try{
		"one key twice": {{Key: "a", Limit: fine}, {Key: "a", Limit: fine}},
		"no burst":      {{Key: "a", Limit: throttle.Limit{Every: time.Second}}},
		"no pace":       {{Key: "a", Limit: throttle.Limit{Burst: 1}}},
	} {
		if _, err := th.Take(t.Context(), noon, tries...); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if wait := take(t, th, noon); wait != 0 || rows(t, l) != 0 {
		t.Error("no tries are something")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := th.Take(over, noon, throttle.Try{Key: "a", Limit: fine}); err == nil {
		t.Error("a cancelled context takes")
	}
}

func BenchmarkTake(b *testing.B) {
	l, err := ledger.Open(b.Context(), ledger.Config{URL: pgtest.URL(b), AllowUnsafe: true})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	th := throttle.New(throttle.Config{Pool: l.Pool(ledger.Append), Hash: hash})
	limit := throttle.Limit{Burst: 1 << 20, Every: time.Second}
	i := 0
	for b.Loop() {
		i++
		n := strconv.Itoa(i)
		if _, err := th.Take(b.Context(), noon, throttle.Try{Key: "a", Limit: limit}, throttle.Try{Key: "b" + n, Limit: limit}, throttle.Try{Key: "c" + n, Limit: limit}); err != nil {
			b.Fatal(err)
		}
	}
}
