package app

import (
	"errors"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// fickle refuses the first so many times that it is decided.
type fickle struct {
	user    domain.UserID
	refuses *int
}

func (c fickle) Decide(commands.Env) dcb.Decision {
	return dcb.From().Decide(func() ([]dcb.Event, error) {
		if *c.refuses > 0 {
			*c.refuses--
			return nil, domain.ErrTooMuch
		}
		return dcb.Emit(domain.SessionSeen{User: c.user})
	})
}

func TestWhatFailsTogetherIsTriedAloneAndKeepsNothingElseFromBeingDone(t *testing.T) {
	a := start(t)
	orders := make([]commands.Order, 6)
	for i, refuses := range []int{0, 1, 0, 2, 0, 0} { // once with the others, once more alone
		c := fickle{domain.UserID{UUID: domain.NamedID(domain.Root, "user", string(rune('a'+i)))}, &refuses}
		orders[i] = commands.SystemOrder("fickle", c, domain.TenantID{UUID: domain.NamedID(domain.Root, "tenant", string(rune('a'+i%2)))}, dcb.Provenance{})
	}
	failed := a.orderAll(t.Context(), orders)
	for i, err := range failed {
		if want := i == 3; errors.Is(err, domain.ErrTooMuch) != want || err != nil != want {
			t.Errorf("order %d: %v", i, err)
		}
	}
	said := a.column(t, `SELECT DISTINCT payload->>'user' FROM core.events WHERE type = 'session.seen'`)
	if len(said) != 5 {
		t.Errorf("%d were done, want 5", len(said))
	}
}
