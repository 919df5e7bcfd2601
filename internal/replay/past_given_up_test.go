package replay

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
)

// Who asks and leaves must not have more states built at once than are kept, nor leave schemas behind that nobody drops.
func TestAStateThatIsBeingBuiltKeepsItsPlaceWhenItsCallerLeaves(t *testing.T) {
	w := newWorld(t)
	w.story()
	building, goOn := make(chan struct{}, 100), make(chan struct{})
	p, err := OpenPast(context.Background(), PastConfig{
		Owner: w.Pool(ledger.Owner), Project: w.Pool(ledger.Project), Projections: toys(projector{}), Schemas: 1,
		Log: slog.New(slog.DiscardHandler),
		Decode: func(raw eventlog.Raw) (dcb.Recorded, error) {
			building <- struct{}{}
			<-goOn
			return decode(raw)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)

	impatient, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := p.AsOf(impatient, Question{Tenant: acme, Position: 4})
		left <- err
	}()
	<-building
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := p.AsOf(soon, Question{Tenant: acme, Position: 6}); !errors.Is(err, ErrFull) {
		t.Errorf("another state is being built beside the one that fills the place: %v", err)
	}
	close(goOn)
	w.ask(p, Question{Tenant: acme, Position: 4}).Release()
	w.ask(p, Question{Tenant: acme, Position: 6}).Release() // in the place of the other one
	if got := w.schemas(); len(got) != 1 {
		t.Errorf("schemas %v, want one", got)
	}
}

// Forgotten states are dropped outside the lock: one that is made again meanwhile must not be hit.
func TestAStateThatIsMadeAgainHasASchemaOfItsOwn(t *testing.T) {
	w := newWorld(t)
	w.story()
	now := time.Now()
	p := w.past(PastConfig{Keep: time.Hour, Now: func() time.Time { return now }})
	first := w.ask(p, Question{Tenant: acme, Position: 4})
	first.Release()
	now = now.Add(2 * time.Hour)
	p.Sweep(t.Context())
	if again := w.ask(p, Question{Tenant: acme, Position: 4}); again.Schema == first.Schema {
		t.Errorf("both are called %s", again.Schema)
	}
}
