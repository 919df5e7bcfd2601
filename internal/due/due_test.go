package due_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/internal/due"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, ledger.Migrate) }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// dated is a database with things of many tenants, the n-th due n minutes after noon.
func dated(t *testing.T, n int) (*ledger.Ledger, []uuid.UUID) {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{URL: pgtest.URL(t), AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	if _, err := l.Pool(ledger.Owner).Exec(t.Context(), `CREATE TABLE core.things (tenant_id uuid, id uuid, ends_at timestamptz, kind text);
		GRANT SELECT ON core.things TO chancery_project`); err != nil {
		t.Fatal(err)
	}
	var ids []uuid.UUID
	for i := range n {
		id := uuid.New()
		if _, err := l.Pool(ledger.Owner).Exec(t.Context(), `INSERT INTO core.things VALUES ($1, $2, $3, 'live')`, uuid.New(), id, noon.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return l, ids
}

func watcher(l *ledger.Ledger, now time.Time, where string, do func(context.Context, due.Thing) error) *due.Watcher {
	return due.New(due.Config{
		Pool: l.Pool(ledger.Project), Now: func() time.Time { return now },
		Watches: []due.Watch{{Name: "things", Dates: due.Dates{Table: "things", Column: "ends_at", Where: where}, Do: due.Each(do)}},
	})
}

func TestWhatIsDueIsHandedOverInOrder(t *testing.T) {
	l, ids := dated(t, 450)
	if _, err := l.Pool(ledger.Owner).Exec(t.Context(), `INSERT INTO core.things VALUES (gen_random_uuid(), gen_random_uuid(), NULL, 'live'), (gen_random_uuid(), gen_random_uuid(), $1, 'dead')`, noon); err != nil {
		t.Fatal(err)
	}
	for minutes, want := range map[int]int{-1: 0, 0: 1, 5: 6, 1000: 450} {
		var got []uuid.UUID
		w := watcher(l, noon.Add(time.Duration(minutes)*time.Minute), "kind = 'live'", func(_ context.Context, d due.Thing) error {
			if want := noon.Add(time.Duration(len(got)) * time.Minute); !d.At.Equal(want) || d.Tenant == uuid.Nil {
				t.Errorf("%+v, want %s", d, want)
			}
			got = append(got, d.ID)
			return nil
		})
		if err := w.Round(t.Context()); err != nil || !slices.Equal(got, ids[:want]) {
			t.Errorf("after %d minutes %d things were handed over, want %d: %v", minutes, len(got), want, err)
		}
	}
}

func TestWhatFailsKeepsNothingElseFromBeingDone(t *testing.T) {
	l, ids := dated(t, 5)
	var got []uuid.UUID
	w := watcher(l, noon.Add(time.Hour), "", func(_ context.Context, d due.Thing) error {
		got = append(got, d.ID)
		if len(got) < 3 {
			return errors.New("failure " + d.At.Format("15:04"))
		}
		return nil
	})
	err := w.Round(t.Context())
	if !slices.Equal(got, ids) || err == nil || !strings.Contains(err.Error(), "due things: 2 failed") || !strings.Contains(err.Error(), "failure 12:00") {
		t.Errorf("%d of 5: %v", len(got), err)
	}
}

func TestThingsAreHandedOverInPortions(t *testing.T) {
	l, ids := dated(t, 1200)
	var got []uuid.UUID
	portions := 0
	w := due.New(due.Config{
		Pool: l.Pool(ledger.Project), Now: func() time.Time { return noon.Add(10_000 * time.Minute) },
		Watches: []due.Watch{{Name: "things", Dates: due.Dates{Table: "things", Column: "ends_at"}, Do: func(_ context.Context, things []due.Thing) []error {
			portions++
			for _, d := range things {
				got = append(got, d.ID)
			}
			failed := make([]error, len(things))
			failed[7] = errors.New("failure")
			return failed
		}}},
	})
	err := w.Round(t.Context())
	if !slices.Equal(got, ids) || portions < 3 || portions > 100 || err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d failed", portions)) {
		t.Errorf("%d things in %d portions: %v", len(got), portions, err)
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	l, _ := dated(t, 3)
	ctx, stop := context.WithCancel(t.Context())
	n := 0
	w := watcher(l, noon.Add(time.Hour), "", func(ctx context.Context, _ due.Thing) error { n++; stop(); return ctx.Err() })
	w.Run(ctx)
	if n != 1 {
		t.Errorf("%d things after the end", n)
	}
}
