package deliveries

import (
	"testing"
	"time"

	"chancery/internal/ledger"
)

func TestWhatChangedWhileTheClerkLookedIsNotAttemptedTwice(t *testing.T) {
	w := newWorld(t)
	ep := w.endpoint(func(e *Endpoint) { e.Open = func(time.Time) bool { return false } })
	n := w.node("a", func(c *Config) { c.Pool = w.Pool(ledger.Project) })
	p := n.newPump(ep)
	p.asking, p.touched, p.busy = true, map[int64]bool{5: true}, map[int64]bool{6: true}
	p.hear(&finding{due: []*parcel{{seq: 5}, {seq: 6}, {seq: 7}}}, w.now(), nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.due) != 1 || p.due[0].seq != 7 || p.asking {
		t.Errorf("%d are due", len(p.due))
	}
}
