package pulls

import (
	"context"
	"errors"
	"slices"
	"time"
)

// room is where those are who wait at an endpoint. Pulls.mu owns all of it but turn. Of those in line one is woken for what is new: it
// takes as much as it may, and if that is not all it wakes the next.
type room struct {
	turn     chan struct{} // holds one: somebody is at the endpoint's rows
	users    int
	endpoint *Endpoint     // as who came last saw it; nil: nobody waits yet
	line     []*ticket     // who waits for something to lease
	watcher  *ticket       // who looks again soon, as something newer than what it knew was there; the others are woken by it
	news     chan struct{} // closed when there is something new for those who only read; nil: nobody asked since
	looked   time.Time     // when somebody was last woken
	readers  int           // how many read on
	stirred  time.Time     // when it was last woken by what was heard
	owed     bool          // it is to be woken by what was heard, but was a moment ago
}

// ticket is a place in line. Whoever is woken has left the line.
type ticket struct {
	wake   chan struct{} // holds one
	called bool          // mu owns it: woken, and not looked since
}

// The waker's bounds.
const (
	mostHeard = 4096                  // events that wait to be told
	recheck   = 5 * time.Second       // somebody looks at least as often where anybody waits: other processes hand things back, too
	pause     = 50 * time.Millisecond // at least between two times that a room is woken by what was heard: it may be none that the endpoint means
)

// Who finds only what is newer than what it knew of looks again, but not all the time: a tenant may go on publishing what is not meant.
const (
	leastBehind = 5 * time.Millisecond
	mostBehind  = 25 * time.Millisecond
)

// Soon waits a moment if there was something newer, and returns what tells when to look again for it though nobody was woken.
func Soon(until context.Context, newer bool) <-chan time.Time {
	if !newer {
		return nil
	}
	again := time.After(mostBehind)
	select {
	case <-time.After(leastBehind):
	case <-until.Done():
	}
	return again
}

// MostReaders is how many may read on at an endpoint at once.
const MostReaders = 100

// ErrCrowded says that so many do.
var ErrCrowded = errors.New("too many read on at the endpoint")

func (p *Pulls) enter(id place) *room {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rooms[id]
	if r == nil {
		r = &room{turn: make(chan struct{}, 1), looked: time.Now()}
		p.rooms[id] = r
	}
	r.users++
	return r
}

func (p *Pulls) exit(id place, r *room) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.users--; r.users == 0 {
		delete(p.rooms, id)
	}
}

// stand puts a ticket at the end of the line, unless it stands there.
func (p *Pulls) stand(r *room, t *ticket, e *Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.endpoint = e
	if t.called {
		t.called = false
		select {
		case <-t.wake:
		default:
		}
	}
	if !slices.Contains(r.line, t) {
		r.line = append(r.line, t)
	}
}

// watch is told, in turn, what a ticket came to: one of those who saw something newer looks again for all, until nothing is.
func (p *Pulls) watch(r *room, t *ticket, got taken) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case got.newer && r.watcher == nil:
		r.watcher = t
	case !got.newer && !got.more && r.watcher == t:
		r.watcher = nil
	}
}

func (p *Pulls) watches(r *room, t *ticket) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return r.watcher == t
}

// leave takes a ticket out of the line. One that was woken and did not look any more wakes the next instead, and so does who looked for all.
func (p *Pulls) leave(r *room, t *ticket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(r.line, t); i >= 0 {
		r.line = slices.Delete(r.line, i, i+1)
	}
	if r.watcher == t {
		r.watcher, t.called = nil, true
	}
	if t.called {
		r.call()
	}
}

// next wakes one more.
func (p *Pulls) next(r *room) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.call()
}

// call wakes the first in line.
func (r *room) call() {
	r.looked = time.Now()
	if len(r.line) == 0 {
		return
	}
	t := r.line[0]
	r.line = r.line[1:]
	t.called = true
	t.wake <- struct{}{} // it holds one, and who has left the line is not called again
}

// tell wakes those who only read.
func (r *room) tell() {
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
}

// stir wakes whoever is at an endpoint, if anybody is.
func (p *Pulls) stir(id place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.rooms[id]; r != nil {
		r.call()
	}
}

// Reader is somebody who reads on at an endpoint as new events come. Close it.
type Reader struct {
	p    *Pulls
	at   place
	room *room
}

// Follow begins to read on, unless MostReaders do: ErrCrowded.
func (p *Pulls) Follow(e *Endpoint) (*Reader, error) {
	r := &Reader{p, e.place(), p.enter(e.place())}
	p.mu.Lock()
	r.room.readers++
	crowded := r.room.readers > MostReaders
	p.mu.Unlock()
	if crowded {
		r.Close()
		return nil, ErrCrowded
	}
	return r, nil
}

// Close ends it.
func (r *Reader) Close() {
	r.p.mu.Lock()
	r.room.readers--
	r.p.mu.Unlock()
	r.p.exit(r.at, r.room)
}

// News is closed when something came that the endpoint may mean, or that may change what it means. Ask for it before reading on, so that
// nothing is missed between the two.
func (r *Reader) News(e *Endpoint) <-chan struct{} {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	r.room.endpoint = e
	if r.room.news == nil {
		r.room.news = make(chan struct{})
	}
	return r.room.news
}
