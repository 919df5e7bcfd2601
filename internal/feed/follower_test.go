package feed

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"chancery/internal/eventlog"
)

// parrot notes what it is told, and fails while the test wants it to.
type parrot struct {
	name string

	mu    sync.Mutex
	heard []eventlog.Raw
	tries int
	fail  func(page []eventlog.Raw) error
}

func (p *parrot) Name() string { return p.name }

func (p *parrot) Follow(_ context.Context, page []eventlog.Raw) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	if p.fail != nil {
		if err := p.fail(page); err != nil {
			return err
		}
	}
	p.heard = append(p.heard, page...)
	return nil
}

func (p *parrot) set(fail func([]eventlog.Raw) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = fail
}

func (p *parrot) wantAll(t *testing.T, last int64) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range p.heard {
		if e.Position != int64(i)+1 || string(e.Payload) != "{}" || e.Type == "" {
			t.Fatalf("the %d. event was %+v", i+1, e)
		}
	}
	if int64(len(p.heard)) != last {
		t.Errorf("heard %d events of %d", len(p.heard), last)
	}
}

func TestAFollowerIsToldOfEveryEventAsItIsStoredAndGoesOnFromItsCheckpoint(t *testing.T) {
	w := newWorld(t)
	w.append(1, 500, "toy.happened")
	w.append(501, 900, "toy.unheard-of") // a follower decodes nothing
	p := &parrot{name: "parrot"}
	f := start(t, w.Ledger, Config{Followers: []Follower{p}, Page: 70})
	reach(t, f, "parrot", 900)
	f.Close()
	w.append(901, 1000, "toy.panics")
	f = start(t, w.Ledger, Config{Followers: []Follower{p}, Page: 70})
	reach(t, f, "parrot", 1000)
	p.wantAll(t, 1000)
	if s := f.StatusOf("parrot"); !s.Follower || s.Reaction {
		t.Errorf("status %+v", s)
	}
	if at := w.offset("parrot"); at != 1000 {
		t.Errorf("checkpoint %d", at)
	}
}

func TestAFollowerThatFailsIsTriedAgainAndHoldsUpNobody(t *testing.T) {
	for name, fail := range map[string]func([]eventlog.Raw) error{
		"by an error": func([]eventlog.Raw) error { return errors.New("the broker is away") },
		"by a panic":  func([]eventlog.Raw) error { panic("the broker is away") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.append(1, 600, "toy.happened")
			p, tries := &parrot{name: "parrot"}, make(chan int, 10000)
			p.fail = func(page []eventlog.Raw) error {
				tries <- len(page)
				return fail(page)
			}
			var said logged
			log := slog.New(slog.NewTextHandler(&said, nil))
			f := start(t, w.Ledger, Config{Projectors: []Projector{&toy{name: "toys"}}, Followers: []Follower{p}, Log: log})
			reach(t, f, "toys", 600)
			for range 10 {
				<-tries
			}
			s := f.StatusOf("parrot")
			if s.Position != 0 || s.Stuck != 0 || s.Lag <= 0 || !strings.Contains(s.Err, "the broker is away") || f.StatusOf("toys").Err != "" {
				t.Errorf("status %+v", s)
			}
			if n := strings.Count(said.String(), "goes on trying"); n != 1 {
				t.Errorf("said %d times that it does not work:\n%s", n, said.String())
			}
			p.set(nil)
			reach(t, f, "parrot", 600)
			p.wantAll(t, 600)
			w.wantRows("toys", 600)
			f.Close() // what is said after the last page has been said
			if n := strings.Count(said.String(), "works again"); n != 1 {
				t.Errorf("said %d times that it works again:\n%s", n, said.String())
			}
		})
	}
}
