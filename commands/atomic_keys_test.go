package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/internal/dcb"
)

// All or nothing holds for a line that is refused for its idempotency key, too.
func TestAKeyThatIsRefusedGivesUpAnAtomicBatch(t *testing.T) {
	other := func(o *commands.Order) { o.Fingerprint = []byte("another request") }
	for name, lines := range map[string]struct {
		orders func(w *world) []commands.Order
		want   []error
	}{
		"a key used for another request": {
			func(w *world) []commands.Order {
				w.must(t, w.order(acme, newUser("ann", ""), keyed("k")))
				return []commands.Order{w.order(acme, newUser("bob", "")), w.order(acme, newUser("eve", ""), keyed("k"))}
			}, []error{commands.ErrAborted, dcb.ErrKeyReused},
		},
		"a key used twice": {
			func(w *world) []commands.Order {
				return []commands.Order{w.order(acme, newUser("bob", ""), keyed("k")), w.order(acme, newUser("eve", ""), keyed("k"), other)}
			}, []error{commands.ErrAborted, dcb.ErrKeyReused},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			orders := lines.orders(w)
			head := w.head(t)
			outcomes(t, w.batch(t, acme, true, orders...), lines.want...)
			if now := w.head(t); now != head {
				t.Errorf("%d events were appended, want none", now-head)
			}
		})
	}
}
