package eventlog_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"chancery/internal/eventlog"
	"chancery/internal/eventlog/logtest"
	"chancery/internal/pgtest"
)

func TestTwoProcessesExtendOneLog(t *testing.T) {
	database := pgtest.URL(t)
	var passed [2]recorder
	logs := []*eventlog.PG{openAt(t, database, eventlog.Config{OnAppend: passed[0].add}), openAt(t, database, eventlog.Config{OnAppend: passed[1].add})}
	var won atomic.Int64
	var wg sync.WaitGroup
	const names, rivals = 40, 4
	for n := range names {
		for r := range rivals {
			wg.Go(func() {
				claim := provided(logtest.Request(logtest.Event("claimed", fmt.Sprint("name:", n))), 0,
					eventlog.Item{Types: []string{"claimed"}, Tags: []string{fmt.Sprint("name:", n)}})
				v, err := logs[r%2].Append(t.Context(), claim)
				if err != nil {
					t.Error(err)
				}
				if v.Status == eventlog.Accepted {
					won.Add(1)
				}
				if _, err := logs[r%2].Append(t.Context(), logtest.Request(logtest.Event("noted"))); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if won.Load() != names {
		t.Errorf("%d names were claimed %d times", names, won.Load())
	}
	page, err := logs[0].Page(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := logs[1].Verify(t.Context()); err != nil {
		t.Error(err)
	}
	byPosition := func(a, b eventlog.Raw) int { return int(a.Position - b.Position) }
	for i := range passed {
		if len(passed[i].events) == 0 || !slices.IsSortedFunc(passed[i].events, byPosition) {
			t.Errorf("process %d was passed %d events, or out of order", i, len(passed[i].events))
		}
	}
	both := slices.Concat(passed[0].events, passed[1].events)
	slices.SortFunc(both, byPosition)
	if diff := cmp.Diff(page, both); diff != "" {
		t.Error(diff)
	}
}

func TestAppendsAreAnnouncedAfterTheCommit(t *testing.T) {
	database := pgtest.URL(t)
	p := openAt(t, database, eventlog.Config{})
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "LISTEN "+eventlog.Channel); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := p.Append(t.Context(), logtest.Request(logtest.Event("a"))); err != nil {
			t.Fatal(err)
		}
	}
	for {
		n, err := conn.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n.Payload == "3" {
			return
		}
	}
}

func TestClosingCommitsWhatWaitsAndRefusesTheRest(t *testing.T) {
	database := pgtest.URL(t)
	hold, reached := make(chan struct{}), make(chan struct{}, 100)
	p := openAt(t, database, eventlog.Config{OnAppend: func([]eventlog.Raw) { reached <- struct{}{}; <-hold }})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if v, err := p.Append(t.Context(), logtest.Request(logtest.Event("a"))); err != nil && !errors.Is(err, eventlog.ErrClosed) {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	<-reached
	close(hold)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if _, err := p.Append(t.Context(), logtest.Request(logtest.Event("a"))); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, err := p.Head(t.Context()); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("head: %v", err)
	}
}
