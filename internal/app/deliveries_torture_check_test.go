package app

import (
	"cmp"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"chancery/internal/deliveries/receivertest"
)

// tally is what arrived, and why some of it did twice: the receiver had done its work and we had not heard.
type tally struct {
	deliveries, dead, arrivals int
	twice                      int // arrivals of what the receiver had taken before
	unheard, unrecorded        int // requests whose answer never reached us in time; that are in no record, since somebody died
	processes                  int // that made attempts
}

// check holds what arrived against what was published, and against what Chancery has on record.
func (w *torment) check(t *testing.T, rules receivertest.Rules) (all tally) {
	t.Helper()
	all.processes = w.read(t)
	for _, e := range w.endpoints {
		e.checkSequence(t, w.events)
		for id, p := range w.events {
			if e.means(p) {
				e.checkDelivery(t, id, p, rules, &all)
			} else if n := len(e.arrivals[id]); n > 0 {
				t.Errorf("%s: %s is not meant, and arrived %d times", e.path, p.typ, n)
			}
		}
		for id := range e.arrivals {
			if w.events[id] == nil {
				t.Errorf("%s: %s arrived, and was never published", e.path, id)
			}
		}
	}
	return all
}

// read fetches what the receiver and Chancery have written down.
func (w *torment) read(t *testing.T) (processes int) {
	t.Helper()
	journal, err := receivertest.Journal(w.journal)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]*tormented{}
	for _, e := range w.endpoints {
		e.arrivals, e.attempts, e.states = map[string][]receivertest.Arrival{}, map[string][]attempted{}, map[string]string{}
		by[e.path], by[e.id] = e, e
	}
	newest := map[[2]string]int64{} // sequence by path and key
	for _, a := range journal {
		e := by[a.Path]
		if e == nil {
			t.Fatalf("something arrived at %s", a.Path)
		}
		e.arrivals[a.ID] = append(e.arrivals[a.ID], a)
		if of := [2]string{a.Path, a.Subject}; a.Sequence < newest[of] && e.ordered {
			t.Errorf("%s: number %d of %s arrived after number %d", a.Path, a.Sequence, a.Subject, newest[of])
		} else {
			newest[of] = a.Sequence
		}
	}
	ctx, db := t.Context(), w.query(t.Context(), t)
	var endpoint, event, status, process string
	var number, answer int
	scan := func(sql string, each func(), into ...any) {
		t.Helper()
		rows, err := db.Query(ctx, sql)
		if err == nil {
			_, err = pgx.ForEachRow(rows, into, func() error { each(); return nil })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	made := map[string]bool{}
	scan(`SELECT endpoint_id::text, event_id::text, number, status, coalesce(response_status, 0), process FROM core.delivery_attempts ORDER BY number`, func() {
		e := by[endpoint]
		if e.attempts[event] = append(e.attempts[event], attempted{status, answer}); len(e.attempts[event]) != number {
			t.Errorf("%s: attempt %d of %s is missing", e.path, len(e.attempts[event]), event)
		}
		made[process] = true
	}, &endpoint, &event, &number, &status, &answer, &process)
	scan(`SELECT endpoint_id::text, event_id::text, status FROM core.event_deliveries ORDER BY endpoint_id, event_id`, func() {
		by[endpoint].states[event] = status
	}, &endpoint, &event, &status)
	return len(made)
}

// checkSequence finds what the endpoint means numbered from 1 without a gap, in the order of the log.
func (e *tormented) checkSequence(t *testing.T, events map[string]*tormentEvent) {
	t.Helper()
	var meant []string
	for id, p := range events {
		if e.means(p) {
			meant = append(meant, id)
		}
	}
	slices.SortFunc(meant, func(a, b string) int { return cmp.Compare(events[a].position, events[b].position) })
	for i, id := range meant {
		if len(e.arrivals[id]) == 0 {
			t.Errorf("%s: %s never arrived", e.path, id)
			continue
		}
		for _, a := range e.arrivals[id] {
			if a.Sequence != int64(i+1) {
				t.Errorf("%s: %s arrived as number %d, want %d", e.path, id, a.Sequence, i+1)
			}
		}
	}
	if len(meant) != len(e.states) {
		t.Errorf("%s: %d deliveries are on record of %d", e.path, len(e.states), len(meant))
	}
}

func (e *tormented) checkDelivery(t *testing.T, id string, p *tormentEvent, rules receivertest.Rules, all *tally) {
	t.Helper()
	arrivals, attempts, state := e.arrivals[id], e.attempts[id], e.states[id]
	if len(arrivals) == 0 || len(attempts) == 0 {
		t.Errorf("%s: %s has %d arrivals and %d attempts", e.path, id, len(arrivals), len(attempts))
		return
	}
	e.checkContent(t, p, arrivals)
	all.deliveries++
	all.arrivals += len(arrivals)

	statuses := map[string]int{}
	for _, a := range attempts {
		statuses[a.status]++
	}
	last := attempts[len(attempts)-1].status
	switch {
	case last != state || statuses["retrying"] != len(attempts)-1:
		t.Errorf("%s: %s is %s after %v", e.path, id, state, attempts)
	case state == "dead" && len(attempts) != len(tormentSchedule), len(attempts) > len(tormentSchedule):
		t.Errorf("%s: %s is %s after %d attempts, the schedule has %d", e.path, id, state, len(attempts), len(tormentSchedule))
	case rules.DoomedAt(e.path, id) != (state == "dead") && len(attempts) < len(tormentSchedule): // any may have bad luck each time
		t.Errorf("%s: %s is %s, and should not be", e.path, id, state)
	case state == "delivered" && !slices.ContainsFunc(arrivals, func(a receivertest.Arrival) bool { return a.Taken && a.Answered }):
		t.Errorf("%s: %s is delivered, and the receiver never took it", e.path, id)
	}
	if state == "dead" {
		all.dead++
	}
	e.explain(t, id, all)
}

// checkContent finds the same words at every arrival, signed, and the data as it was published.
func (e *tormented) checkContent(t *testing.T, p *tormentEvent, arrivals []receivertest.Arrival) {
	t.Helper()
	want := receivertest.Arrival{Path: e.path, ID: arrivals[0].ID, Sequence: arrivals[0].Sequence, Subject: p.key, Type: p.typ, Body: arrivals[0].Body}
	if e.full {
		want.Data = p.sum
	}
	for i, a := range arrivals {
		a.Taken, a.Answered = false, false
		if want.Nth = i + 1; a != want {
			t.Errorf("%s: arrived %+v, want %+v", e.path, a, want)
		}
	}
}

// explain counts what arrived after the receiver had taken it: each time there is a request that we made, and whose answer we never had.
func (e *tormented) explain(t *testing.T, id string, all *tally) {
	t.Helper()
	taken, unheard := 0, 0
	for _, a := range e.arrivals[id] {
		if a.Taken {
			taken++
		}
	}
	for _, a := range e.attempts[id] {
		if a.answer == 0 {
			unheard++
		}
	}
	lost := max(len(e.arrivals[id])-len(e.attempts[id]), 0)
	all.unrecorded, all.unheard, all.twice = all.unrecorded+lost, all.unheard+unheard, all.twice+max(taken-1, 0)
	heard := 0
	if e.states[id] == "delivered" {
		heard = 1
	}
	if taken > heard+unheard+lost {
		t.Errorf("%s: %s was taken %d times: one answer heard, %d unheard and %d requests lost do not explain it: %+v %+v",
			e.path, id, taken, unheard, lost, e.arrivals[id], e.attempts[id])
	}
}
