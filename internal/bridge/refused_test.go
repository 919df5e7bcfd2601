package bridge

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"chancery/internal/eventlog"
	"chancery/internal/ledger"
)

// told is what the log was told, and how often an event was refused.
type told struct {
	mu       sync.Mutex
	text     strings.Builder
	refusals int
	enough   chan struct{} // closed at the third refusal
}

func (l *told) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *told) refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refusals++; l.refusals == 3 {
		close(l.enough)
	}
}

// complaints are the lines about refused events.
func (l *told) complaints() (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, "does not take an event") {
			out = append(out, line)
		}
	}
	return out
}

// until runs the bridge until the broker has refused an event thrice, lets it be mended, and waits for everything. It wants one line of the
// log, which names the event, and the checkpoint just before it.
func (w *world) until(c Config, position, last int64, says string, mend func()) {
	w.t.Helper()
	l := &told{enough: make(chan struct{})}
	c.Log, c.Refused = slog.New(slog.NewTextHandler(l, nil)), l.refused
	n := w.start(c, 100)
	n.reach(position - 1)
	<-l.enough
	if at := w.checkpoint(); at != position-1 {
		w.t.Errorf("the checkpoint is at %d, and event %d is refused", at, position)
	}
	if all := l.complaints(); len(all) != 1 || !strings.Contains(all[0], says) || !strings.Contains(all[0], fmt.Sprintf("position=%d ", position)) {
		w.t.Errorf("event %d is refused, and the log says %q", position, all)
	}
	mend()
	n.reach(last)
	n.stop()
}

func TestAFullStreamStopsTheBridgeBeforeAnEventAndNothingIsLostOrOutOfOrder(t *testing.T) {
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"messages": func(c *jetstream.StreamConfig) { c.MaxMsgs = 250 },
		"bytes":    func(c *jetstream.StreamConfig) { c.MaxBytes = 100_000 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.forgetful(func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardNew; change(c) })
			const last = 900
			w.events(1, last)
			w.refill(s, last)
		})
	}
}

// refill expects the bridge to stop where the stream is full, and makes it larger.
func (w *world) refill(s jetstream.Stream, last int64) {
	w.t.Helper()
	// How many fit is the stream's affair: whoever is first to be refused is told by the log.
	l := &told{enough: make(chan struct{})}
	c := w.config()
	c.Log, c.Refused = slog.New(slog.NewTextHandler(l, nil)), l.refused
	n := w.start(c, 100)
	<-l.enough
	info, err := s.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	full := int64(info.State.Msgs)
	n.reach(full)
	all := l.complaints()
	if len(all) != 1 || !strings.Contains(all[0], "exceeded") || !strings.Contains(all[0], fmt.Sprintf("position=%d ", full+1)) {
		w.t.Errorf("event %d does not fit, and the log says %q", full+1, all)
	}
	larger := info.Config
	larger.MaxMsgs, larger.MaxBytes = -1, -1
	if _, err := w.js.UpdateStream(w.t.Context(), larger); err != nil {
		w.t.Fatal(err)
	}
	n.reach(last)
	n.stop()
	w.wantOnce(last, acme, globex)
}

func TestAnEventThatIsTooLargeStopsTheBridgeBeforeItAndNothingIsLostOrOutOfOrder(t *testing.T) {
	const large, last = 333, 700
	t.Run("for the stream", func(t *testing.T) {
		w := newWorld(t)
		s := w.forgetful(func(c *jetstream.StreamConfig) { c.MaxMsgSize = 64 << 10 })
		w.events(1, last)
		if _, err := w.ledger.Pool(ledger.Owner).Exec(t.Context(), `ALTER TABLE core.events DISABLE TRIGGER ALL;
			UPDATE core.events SET payload = json_build_object('p', 333, 'text', repeat('x', 100000)) WHERE position = 333; ALTER TABLE core.events ENABLE TRIGGER ALL`); err != nil {
			t.Fatal(err)
		}
		w.until(w.config(), large, last, "message size exceeds maximum allowed", func() {
			larger := s.CachedInfo().Config
			larger.MaxMsgSize = -1
			if _, err := w.js.UpdateStream(t.Context(), larger); err != nil {
				t.Fatal(err)
			}
		})
		w.wantOnce(last, acme, globex)
	})
	t.Run("for the server", func(t *testing.T) {
		w := newWorld(t)
		w.tooLarge(t, "maximum payload exceeded: the server takes 1048576 bytes", func(last int64) { w.wantOnce(last, acme, globex) })
	})
}

// tooLarge copies 700 events, of which one has a body of more than a mebibyte until the test has seen the bridge stop before it.
func (w *world) tooLarge(t *testing.T, says string, want func(last int64)) {
	t.Helper()
	const large, last = 333, 700
	w.events(1, last)
	var mended atomic.Bool
	c := w.config()
	c.Encode = func(e *eventlog.Raw) ([]byte, error) {
		if e.Position == large && !mended.Load() {
			return append(make([]byte, 1<<20), e.Payload...), nil
		}
		return e.Payload, nil
	}
	w.until(c, large, last, says, func() { mended.Store(true) })
	want(last)
}
