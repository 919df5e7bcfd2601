package bridge

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"chancery/internal/ledger"
)

// forgetful is a stream that somebody has made beforehand, and that knows ids for as short as NATS lets it.
func (w *world) forgetful(change func(*jetstream.StreamConfig)) jetstream.Stream {
	w.t.Helper()
	w.dial()
	c := jetstream.StreamConfig{Name: "chancery", Subjects: []string{"chancery.>", "theirs.>"}, Duplicates: 100 * time.Millisecond}
	if change != nil {
		change(&c)
	}
	s, err := w.js.CreateStream(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// forget returns when the stream has forgotten the ids of what it has.
func (w *world) forget() {
	w.t.Helper()
	id := uuid.NewString() // younger than all that
	for again := false; ; again = true {
		ack, err := w.js.Publish(w.t.Context(), "theirs.probe", nil, jetstream.WithMsgID(id))
		if err != nil {
			w.t.Fatal(err)
		}
		if again && !ack.Duplicate {
			return
		}
	}
}

// rewind sets the checkpoint back, as if we had been killed before it was stored.
func (w *world) rewind(projection string, position int64) {
	w.t.Helper()
	if _, err := w.ledger.Pool(ledger.Owner).Exec(w.t.Context(), `UPDATE core.projection_offsets SET position = $2 WHERE projection = $1`, projection, position); err != nil {
		w.t.Fatal(err)
	}
}

// again runs a server until everything is copied, and returns how many events it has sent.
func (w *world) again(c Config, page int, last int64) (sent int) {
	w.t.Helper()
	c.Published = func(n int) { sent += n }
	n := w.start(c, page)
	n.reach(last)
	n.stop()
	return sent
}

func TestEveryEventIsOnTheBrokerOnceThoughItForgetsIdsAndIsKilledInTheMiddleOfAPage(t *testing.T) {
	w := newWorld(t)
	s := w.forgetful(nil)
	last, _ := w.interrupt(forgetting{w}, func() int64 {
		info, err := s.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return int64(info.State.Msgs)
	})
	w.wantOnce(last, acme, globex)
}

// forgetting is the broker, which has forgotten all ids when it comes back.
type forgetting struct{ w *world }

func (f forgetting) Kill() { f.w.broker.Kill() }
func (f forgetting) Again() error {
	if err := f.w.broker.Again(); err != nil {
		return err
	}
	f.w.dial()
	f.w.forget()
	return nil
}

func TestWhatWasSentAndNotCheckpointedIsNotSentAgainThoughOthersPublishThereToo(t *testing.T) {
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"as NATS makes it": nil,
		"direct gets":      func(c *jetstream.StreamConfig) { c.AllowDirect = true },
		"in memory":        func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.forgetful(change)
			w.events(1, 400)
			w.again(w.config(), 100, 400)
			w.theirs("theirs.before", 3000)
			w.events(401, 700)
			w.again(w.config(), 50, 700)
			w.theirs("theirs.between", 3000)
			w.theirs("chancery.and.ours", 100)
			w.events(701, 900)
			w.again(w.config(), 100, 900)
			w.theirs("chancery.and.ours.too", 100)
			w.forget()
			for _, at := range []int64{0, 400, 650, 899} {
				w.rewind("bridge", at)
				if sent := w.again(w.config(), 100, 900); sent != 0 {
					t.Errorf("after event %d, %d events were sent again", at, sent)
				}
			}
			w.events(901, 1000)
			w.rewind("bridge", 850)
			if sent := w.again(w.config(), 100, 1000); sent != 100 {
				t.Errorf("of 100 new events %d were sent", sent)
			}
			w.wantOnce(1000, acme, globex)
		})
	}
}

// theirs are messages of somebody else.
func (w *world) theirs(subject string, n int) {
	w.t.Helper()
	for range n {
		if _, err := w.js.PublishAsync(subject, nil); err != nil {
			w.t.Fatal(err)
		}
	}
	<-w.js.PublishAsyncComplete()
}

func TestABridgeOfOneTenantDoesNotSendWhatThatOfTheWholeLogHas(t *testing.T) {
	w := newWorld(t)
	w.forgetful(nil)
	w.events(1, 1000)
	whole, one := w.config(), w.config()
	one.Tenant = globex
	w.again(whole, 100, 1000)
	w.forget()
	if sent := w.again(one, 100, 1000); sent != 0 {
		t.Errorf("the tenant's sent %d events", sent)
	}
	w.events(1001, 1100)
	if sent := w.again(one, 100, 1100); sent != 25 {
		t.Errorf("the tenant's sent %d new events", sent)
	}
	w.forget()
	if sent := w.again(whole, 100, 1100); sent != 75 {
		t.Errorf("the whole log's sent %d new events", sent)
	}
	w.forget()
	w.rewind("bridge/"+globex.String(), 300)
	if sent := w.again(one, 100, 1100); sent != 0 {
		t.Errorf("the tenant's sent %d events again", sent)
	}
}

func TestAStreamThatHasDroppedEverythingIsFilledFromTheCheckpointOn(t *testing.T) {
	w := newWorld(t)
	s := w.forgetful(nil)
	w.events(1, 900)
	w.again(w.config(), 100, 900)
	w.forget()
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.rewind("bridge", 850)
	if sent := w.again(w.config(), 100, 900); sent != 50 {
		t.Errorf("%d events were sent again", sent)
	}
}

func TestEventsThatAreNotThereAreSentThoughTheirPositionsOnceWere(t *testing.T) {
	w := newWorld(t)
	w.forgetful(nil)
	w.events(1, 900)
	w.again(w.config(), 100, 900)
	// A backup of the time of event 400 is restored, and other things happen.
	if _, err := w.ledger.Pool(ledger.Owner).Exec(t.Context(), `ALTER TABLE core.events DISABLE TRIGGER ALL; DELETE FROM core.events WHERE position > 400; ALTER TABLE core.events ENABLE TRIGGER ALL`); err != nil {
		t.Fatal(err)
	}
	w.rewind("bridge", 350)
	w.events(401, 800)
	if sent := w.again(w.config(), 100, 800); sent != 400 {
		t.Errorf("of 400 other events %d were sent", sent)
	}
}

func TestAServerThatStoodByAsksWhatTheOtherHasSent(t *testing.T) {
	w := newWorld(t)
	s := w.forgetful(nil)
	a, b := w.bridge(w.config()), w.bridge(w.config())
	events := page(300)
	for _, sends := range []struct {
		by   *Bridge
		page int
	}{{a, 0}, {b, 1}, {a, 1}, {a, 2}, {b, 1}, {b, 2}} { // b dies before its checkpoint is stored, then a does
		if err := sends.by.Follow(t.Context(), slices.Clone(events[100*sends.page:100*(sends.page+1)])); err != nil {
			t.Fatal(err)
		}
		w.forget()
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter("chancery.>"))
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for _, of := range info.State.Subjects {
		n += of
	}
	if n != 300 {
		t.Errorf("%d messages of 300 events", n)
	}
}

func TestAStreamWhoseReadersTakeThingsOutIsNotAsked(t *testing.T) {
	w := newWorld(t)
	w.forgetful(func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy })
	b := w.bridge(w.config())
	for range 2 {
		if err := b.Follow(t.Context(), page(10)); err != nil {
			t.Fatal(err)
		}
	}
}
