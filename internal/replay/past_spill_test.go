package replay

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/internal/ledger"
)

func TestAPastLongerThanWhatIsKeptInMemoryIsWhole(t *testing.T) {
	w := newWorld(t)
	var entries []entryOf
	var want []string
	for n := range 2*chunkSize + 500 {
		name := fmt.Sprintf("a-%04d", n)
		entries, want = append(entries, made(acme, 2020, name)), append(want, name)
	}
	w.append(entries...)
	growing := toys(projector{})
	growing[0].Grows = true
	p, err := OpenPast(context.Background(), PastConfig{
		Owner: w.Pool(ledger.Owner), Project: w.Pool(ledger.Project), Decode: decode, Projections: growing, Spill: chunkSize / 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	got := w.names(acme, w.ask(p, Question{Tenant: acme, Position: int64(len(entries))}))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if foreign := w.names(other, w.ask(p, Question{Tenant: acme, Position: int64(len(entries))})); len(foreign) > 0 {
		t.Errorf("another tenant sees %d", len(foreign))
	}
}
