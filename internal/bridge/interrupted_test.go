package bridge

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"chancery/internal/ledger"
)

// killable is a broker that runs as a process of its own.
type killable interface {
	Kill()
	Again() error
}

// interrupt copies 10,000 events of the log to a broker that is killed in the middle of a page, as is our server, and a hundred more while
// it is killed once more and our server goes on. It returns from where to where the pages lay that were under way when something broke.
func (w *world) interrupt(broker killable, has func() int64) (last int64, broken [2][2]int64) {
	w.t.Helper()
	const page = 1000
	last = 10_000
	w.events(1, last)
	started := time.Now()
	n := w.start(w.config(), page)
	for at := int64(0); at < 5*page+50; at = has() {
		if w.t.Context().Err() != nil {
			w.t.Fatalf("%d messages are there", at)
		}
	}
	w.t.Logf("%.0f events/s", 5*page/time.Since(started).Seconds())
	broker.Kill()
	for n.StatusOf("bridge").Err == "" {
		if at := n.StatusOf("bridge").Position; at >= last {
			w.t.Fatal("everything was copied before the broker was killed")
		}
	}
	n.stop()
	at := w.checkpoint()
	broken[0] = [2]int64{at, at + int64(page)}
	if err := broker.Again(); err != nil {
		w.t.Fatal(err)
	}
	n = w.start(w.config(), page)
	n.reach(last)

	broker.Kill()
	w.events(last+1, last+100)
	if err := broker.Again(); err != nil {
		w.t.Fatal(err)
	}
	broken[1] = [2]int64{last, last + 100}
	n.reach(last + 100)
	return last + 100, broken
}

func (w *world) checkpoint() (at int64) {
	w.t.Helper()
	if err := w.ledger.Pool(ledger.Owner).QueryRow(w.t.Context(), `SELECT position FROM core.projection_offsets WHERE projection = 'bridge'`).Scan(&at); err != nil {
		w.t.Fatal(err)
	}
	return at
}

// seqOf reads the header chancery-tenantseq.
func seqOf(header any) int64 {
	text, _ := header.(string)
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// wantAtLeastOnce expects each of the log's events, each tenant's in order where it comes for the first time, and what comes twice only
// from pages that broke.
func (w *world) wantAtLeastOnce(got []stored, last int64, broken [2][2]int64) {
	w.t.Helper()
	first, next, twice := map[string]int64{}, map[string]int64{}, 0
	for _, m := range got {
		if uuid.Validate(m.id) != nil {
			w.t.Fatalf("event %d has the id %q", m.position, m.id)
		}
		if at, there := first[m.id]; there {
			meant := slices.ContainsFunc(broken[:], func(b [2]int64) bool { return b[0] < at && at <= b[1] })
			if twice++; at != m.position || !meant {
				w.t.Fatalf("event %d is there twice, and was in none of the pages that broke, %v", m.position, broken)
			}
			continue
		}
		first[m.id] = m.position
		if next[m.tenant]++; m.seq != next[m.tenant] {
			w.t.Fatalf("of tenant %s comes event %d after %d", m.tenant, m.seq, next[m.tenant]-1)
		}
	}
	if want := last / 4; next[globex.String()] != want || next[acme.String()] != last-want {
		w.t.Fatalf("of %d events there are %v", last, next)
	}
	w.t.Logf("%d messages, of which %d came twice, all of pages that broke: %v", len(got), twice, broken)
}
