package bridge

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestEveryEventIsOnTheBrokerOnceThoughItIsKilledInTheMiddleAndSoAreWe(t *testing.T) {
	w := newWorld(t)
	const last = 10_000
	w.events(1, last)
	var mu sync.Mutex
	copied, halfway := 0, make(chan struct{})
	c := w.config()
	c.Published = func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if copied < last/2 && copied+n >= last/2 {
			close(halfway)
		}
		copied += n
	}
	n := w.start(c, 200)
	<-halfway
	w.broker.Kill()
	for n.StatusOf("bridge").Err == "" {
		if at := n.StatusOf("bridge").Position; at >= last {
			t.Fatal("everything was copied before the broker was killed")
		}
	}
	n.stop() // in the middle, too
	if err := w.broker.Again(); err != nil {
		t.Fatal(err)
	}
	_, before := w.stream()
	if before < last/2 || before >= last {
		t.Fatalf("the broker has kept %d messages", before)
	}
	// The checkpoint does not move before the broker has said that it has the page: so what follows it was sent, and is sent again.
	n = w.start(w.config(), 200)
	n.reach(last)
	w.wantOnce(last, acme, globex)

	w.broker.Kill() // between pages: the same server goes on by itself
	w.events(last+1, last+100)
	if err := w.broker.Again(); err != nil {
		t.Fatal(err)
	}
	n.reach(last + 100)
	w.wantOnce(last+100, acme, globex)
}

func TestTwoServersShareTheBridgeAndNeitherDisturbsTheOrder(t *testing.T) {
	w := newWorld(t)
	w.events(1, 3000)
	a, b := w.start(w.config(), 50), w.start(w.config(), 50)
	a.reach(3000)
	b.reach(3000)
	w.wantOnce(3000, acme, globex)
}

func TestABridgeOfOneTenantCopiesThatOneFromItsFirstEvent(t *testing.T) {
	w := newWorld(t)
	w.events(1, 1000)
	c := w.config()
	c.Tenant = globex
	n := w.start(c, 100)
	n.reach(1000)
	w.wantOnce(1000, globex)
	if n.bridge.Name() != "bridge/"+globex.String() {
		t.Errorf("its checkpoint is %q", n.bridge.Name())
	}
}

func TestTheStreamIsMadeToDeduplicateAndOneThatIsThereIsUsed(t *testing.T) {
	w := newWorld(t)
	w.events(1, 10)
	n := w.start(w.config(), 10)
	n.reach(10)
	s, _ := w.stream()
	if c := s.CachedInfo().Config; c.Duplicates != duplicateWindow || c.Storage != jetstream.FileStorage || c.Subjects[0] != "chancery.>" || c.MaxMsgs != -1 {
		t.Errorf("the stream is %+v", c)
	}
	made := jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"other.place.>"}, Duplicates: 3 * time.Minute}
	if _, err := w.js.CreateStream(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	c := w.config()
	c.Prefix, c.Tenant = "other.place", acme
	w.start(c, 10).reach(10)
	theirs, err := w.js.Stream(t.Context(), "THEIRS")
	if err != nil || theirs.CachedInfo().State.Msgs != 8 {
		t.Errorf("their stream has %+v, %v", theirs, err)
	}
}

func TestABrokerThatRefusesOrIsSilentIsNamedAndItsPasswordIsNot(t *testing.T) {
	w := newWorld(t)
	w.events(1, 10)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for url, want := range map[string]string{
		"nats://ann:top-secret@127.0.0.1:1":                                         "cannot connect to nats at 127.0.0.1:1: ",
		"nats://ann:top-secret@" + silent.Addr().String():                           "cannot connect to nats at " + silent.Addr().String(),
		strings.Replace(w.broker.URL, "p%2Fw%40d", "top-secret", 1):                 "Authorization Violation",
		"tls://ann:top-secret@" + w.broker.URL[strings.Index(w.broker.URL, "@")+1:]: "cannot connect to nats",
	} {
		c := w.config()
		c.URL, c.Timeout = url, 500*time.Millisecond
		b, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		err = b.Follow(t.Context(), page(1))
		b.Close()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "top-secret") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestAPageFailsWhereNoStreamTakesAnEvent(t *testing.T) {
	w := newWorld(t)
	c := w.config()
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Follow(t.Context(), page(3)); err != nil {
		t.Fatal(err)
	}
	w.stream()
	if err := w.js.DeleteStream(t.Context(), "chancery"); err != nil {
		t.Fatal(err)
	}
	if err := b.Follow(t.Context(), page(6)[3:]); err == nil || !strings.Contains(err.Error(), errNoStream.Error()) {
		t.Errorf("without a stream: %v", err)
	}
	if err := b.Follow(t.Context(), page(3)); err != nil { // the next connection makes one
		t.Error(err)
	}
	full := jetstream.StreamConfig{Name: "full", Subjects: []string{"full.>"}, MaxMsgs: 1, Discard: jetstream.DiscardNew}
	if _, err := w.js.CreateStream(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	c.Prefix = "full"
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Follow(t.Context(), page(2)); err == nil || !strings.Contains(err.Error(), "maximum messages exceeded") {
		t.Errorf("a full stream: %v", err)
	}
}

func TestAnAnswerThatIsNoAcknowledgementIsAFailure(t *testing.T) {
	for _, data := range []string{"", "{}", "x", `{"seq":1}`} {
		if err := refusal(&nats.Msg{Data: []byte(data)}); err == nil {
			t.Errorf("%q was taken for one", data)
		}
	}
	if err := refusal(&nats.Msg{Data: []byte(`{"stream":"chancery","seq":4,"duplicate":true}`)}); err != nil {
		t.Errorf("a duplicate: %v", err)
	}
}
