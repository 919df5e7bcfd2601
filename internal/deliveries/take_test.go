package deliveries

import (
	"context"
	"slices"
	"testing"

	"chancery/internal/eventlog"
)

// cutOff never answers some events, and all others at once.
func cutOff(some func(*eventlog.Raw) bool) func(context.Context, Endpoint, Item) Outcome {
	return func(ctx context.Context, _ Endpoint, i Item) Outcome {
		if some(&i.Event) {
			<-ctx.Done()
			return Outcome{Err: "cut off"}
		}
		return Outcome{Delivered: true}
	}
}

func only(seq ...int64) func(*eventlog.Raw) bool {
	return func(raw *eventlog.Raw) bool { return slices.Contains(seq, raw.TenantSeq) }
}

func all(*eventlog.Raw) bool { return true }

// numbers are those of all deliveries, in the order of the log.
func (w *world) numbers(ep Endpoint, want ...int64) {
	w.t.Helper()
	rows, err := w.login().Query(w.t.Context(), `SELECT tenant_seq, sequence FROM core.event_deliveries WHERE endpoint_id = $1 ORDER BY tenant_seq`, ep.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var got []int64
	for rows.Next() {
		var seq, sequence int64
		if err := rows.Scan(&seq, &sequence); err != nil {
			w.t.Fatal(err)
		}
		got = append(got, seq, sequence)
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("event and number: %d, want %d", got, want)
	}
}

const cursorAt = `SELECT coalesce(max(tenant_seq), 0) FROM core.delivery_cursors WHERE endpoint_id = $1`

func TestWhatIsSkippedKeepsItsNumbers(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(nil)
	w.answers(cutOff(only(1)))
	n := w.node("a", nil)
	w.append(1, 4, "thing.happened", 10)
	w.untilNumber(3, delivered, ep.ID)
	n.stop()
	w.change(ep.ID, func(e *Endpoint) { e.SkippedThrough = 5 })
	w.append(5, 7, "thing.happened", 10)
	w.node("b", nil)
	w.untilNumber(7, cursorAt, ep.ID)
	w.numbers(ep, 2, 2, 3, 3, 4, 4, 6, 5, 7, 6)
}

// TestWhatWasReadByOtherTermsKeepsItsNumbers: when an endpoint changes hands, rows beyond its cursor tell what was meant before them.
func TestWhatWasReadByOtherTermsKeepsItsNumbers(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after func(*eventlog.Raw) bool
		underWay      []int64
		rows          int64
		numbers       []int64
	}{
		{"more is meant", func(raw *eventlog.Raw) bool { return raw.TenantSeq != 4 }, all, []int64{2}, 3, []int64{1, 1, 2, 2, 3, 3, 5, 4, 6, 5}},
		{"and it cannot be told what was", func(raw *eventlog.Raw) bool { return raw.TenantSeq != 2 && raw.TenantSeq != 3 }, all, []int64{1}, 2, []int64{1, 1, 2, 0, 3, 0, 4, 2, 5, 3, 6, 4}},
		{"less is meant", all, func(raw *eventlog.Raw) bool { return raw.TenantSeq > 4 }, []int64{2}, 4, []int64{1, 1, 3, 3, 4, 4, 5, 5, 6, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			ep := w.endpoint(func(e *Endpoint) { e.Means = c.before })
			w.answers(cutOff(only(c.underWay...)))
			n := w.node("a", nil)
			w.append(1, 5, "thing.happened", 10)
			w.untilNumber(c.rows, delivered, ep.ID)
			n.stop()
			w.change(ep.ID, func(e *Endpoint) { e.Means = c.after })
			w.append(6, 6, "endpoint.changed", 10)
			w.answers(cutOff(only()))
			b := w.node("b", nil)
			w.untilNumber(6, cursorAt, ep.ID)
			b.stop()
			w.numbers(ep, c.numbers...)
		})
	}
}
