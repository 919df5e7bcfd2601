// Package dcbtest states rules as Given-When-Then, with no database.
package dcbtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// Now is the time at which every rule is tested.
var Now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Tenant is the tenant in which every rule is tested.
var Tenant = uuid.MustParse("00000000-0000-7000-8000-00000000acce")

// History is what happened before a command.
type History []dcb.Recorded

// Given starts a history in Tenant, an hour before Now.
func Given(events ...dcb.Event) History { return History{}.And(events...) }

// And adds events to the history.
func (h History) And(events ...dcb.Event) History { return h.in(Tenant, events...) }

// Elsewhere adds events of another tenant.
func (h History) Elsewhere(tenant uuid.UUID, events ...dcb.Event) History {
	return h.in(tenant, events...)
}

func (h History) in(tenant uuid.UUID, events ...dcb.Event) History {
	h = append(History{}, h...)
	for _, e := range events {
		e, home := dcb.Place(e, tenant)
		at := Now.Add(-time.Hour)
		h = append(h, dcb.Recorded{
			Meta:  dcb.Meta{Position: int64(len(h) + 1), Tenant: home, At: at, RecordedAt: at},
			Event: e, Tags: dcb.TagsOf(e),
		})
	}
	return h
}

// Outcome is what a command decided.
type Outcome struct {
	events []dcb.Event
	err    error
}

// When decides in Tenant, on the history.
func (h History) When(d dcb.Decision) Outcome { return h.WhenIn(Tenant, d) }

// WhenIn decides in another tenant.
func (h History) WhenIn(tenant uuid.UUID, d dcb.Decision) Outcome {
	same := func(t dcb.Tag) dcb.Tag { return t }
	events, _, err := d.Run(context.Background(), tenant, same, func(q dcb.Query) ([]dcb.Recorded, error) {
		var found []dcb.Recorded
		for _, r := range h {
			if q.Matches(r.Event.EventType(), r.Tags) {
				found = append(found, r)
			}
		}
		return found, nil
	})
	return Outcome{events, err}
}

// Then requires exactly these events.
func (o Outcome) Then(t testing.TB, want ...dcb.Event) {
	t.Helper()
	if o.err != nil {
		t.Fatalf("refused: %v", o.err)
	}
	compare := cmp.Options{
		cmp.Comparer(func(a, b dcb.Personal) bool { return a.Reveal() == b.Reveal() }),
		cmp.Comparer(func(a, b dcb.Sealed) bool { return a.Reveal() == b.Reveal() }),
		cmp.Comparer(func(a, b dcb.Claim) bool { return a.Tag() == b.Tag() }),
	}
	if len(want) == 0 && len(o.events) == 0 {
		return
	}
	if diff := cmp.Diff(want, o.events, compare); diff != "" {
		t.Fatalf("decided otherwise (-want +got):\n%s", diff)
	}
}

// ThenRefused requires a refusal.
func (o Outcome) ThenRefused(t testing.TB, want error) {
	t.Helper()
	if !errors.Is(o.err, want) {
		t.Fatalf("got %v (events %v), want refusal %v", o.err, o.events, want)
	}
}

// Err is why nothing was decided, nil if something was.
func (o Outcome) Err() error { return o.err }

// Events are the decided events; a refusal fails the test.
func (o Outcome) Events(t testing.TB) []dcb.Event {
	t.Helper()
	if o.err != nil {
		t.Fatalf("refused: %v", o.err)
	}
	return o.events
}
