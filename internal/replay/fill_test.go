package replay

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"chancery/internal/ledger"
)

func TestARebuildThatBringsRowsInWhileItReadsIsWhole(t *testing.T) {
	w := newWorld(t)
	const all = 2*pageSize + 500
	for n := range all / 500 {
		var some []entryOf
		for i := range 500 {
			some = append(some, made(acme, 2020, fmt.Sprint(n, "-", i)))
		}
		w.append(some...)
	}
	growing := toys(projector{})
	growing[0].Grows = true
	r, err := New(Config{Owner: w.Pool(ledger.Owner), Project: w.Pool(ledger.Project), Source: w.log, Decode: decode, Projections: growing})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		done, err := r.Rebuild(t.Context())
		if err != nil || done.Events != w.head || done.Rows != w.head || done.Position != w.head {
			t.Fatalf("of %d events: %+v %v", w.head, done, err)
		}
	}
	w.wantVerified(r)
	if got := w.texts(`SELECT count(DISTINCT id)::text FROM core.things`); !slices.Equal(got, []string{strconv.FormatInt(w.head, 10)}) {
		t.Errorf("%v things of %d", got, w.head)
	}
}
