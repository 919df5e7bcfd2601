package turns

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/semaphore"
)

func TestAKeyHasItsTurnsAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, all := Of[string](2, 4), semaphore.NewWeighted(3)
		take := func(ctx context.Context, key string) (<-chan func(), <-chan error) {
			got, failed := make(chan func(), 1), make(chan error, 1)
			go func() {
				done, err := turns.TakeOf(ctx, all, key)
				if err != nil {
					failed <- err
					return
				}
				got <- done
			}()
			synctest.Wait()
			return got, failed
		}
		has := func(what string, got <-chan func(), want bool) {
			t.Helper()
			if (len(got) == 1) != want {
				t.Errorf("%s has a turn: %v", what, !want)
			}
		}
		first, _ := take(t.Context(), "a")
		second, _ := take(t.Context(), "a")
		third, _ := take(t.Context(), "a")
		gone, cancel := context.WithCancelCause(t.Context())
		fourth, failed := take(gone, "a")
		has("the second", second, true)
		has("the third of two", third, false)
		if _, busy := take(t.Context(), "a"); !errors.Is(<-busy, ErrBusy) {
			t.Error("a fifth may wait where four may ask")
		}
		other, _ := take(t.Context(), "b")
		has("another key", other, true)
		last, _ := take(t.Context(), "b")
		has("the fourth of three of all", last, false)

		why := errors.New("no patience")
		cancel(why)
		if err := <-failed; !errors.Is(err, why) || len(fourth) != 0 {
			t.Errorf("who gave up: %v", err)
		}
		(<-first)()
		synctest.Wait()
		if len(third)+len(last) != 1 {
			t.Errorf("a turn given back became %d", len(third)+len(last))
		}
		(<-second)()
		synctest.Wait()
		for _, done := range []<-chan func(){third, other, last} {
			(<-done)()
		}
		if len(turns.lines) != 0 || !all.TryAcquire(3) {
			t.Errorf("%d keys are kept, or turns of all are lost", len(turns.lines))
		}
	})
}

func TestWhoGivesUpTheTurnOfAllGivesUpItsOwn(t *testing.T) {
	turns, all := Of[int](1, 0), semaphore.NewWeighted(0)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.TakeOf(over, all, 7); !errors.Is(err, context.Canceled) {
		t.Errorf("took one of none: %v", err)
	}
	done, err := turns.Take(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	done()
	if len(turns.lines) != 0 {
		t.Error("a key is kept")
	}
}
