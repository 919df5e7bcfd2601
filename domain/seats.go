package domain

import (
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// SeatTaken gives a seat of a licence to a user or, where seats float, to whoever asked.
type SeatTaken struct {
	Seat    SeatID    `json:"seat"`
	Pool    Key       `json:"pool"`
	License OfLicense `json:"license"`
	App     App       `json:"app"`
	User    UserID    `json:"user,omitzero"`   // of a named seat
	Holder  string    `json:"holder,omitzero"` // of a floating one, as it calls itself; no personal data
	Until   time.Time `json:"until,omitzero"`  // of a floating one: when it is free again without a heartbeat
}

// SeatKept is a heartbeat: a floating seat is held on.
type SeatKept struct {
	Seat    SeatID    `json:"seat"`
	Pool    Key       `json:"pool"`
	License OfLicense `json:"license"`
	Until   time.Time `json:"until"`
}

// SeatReleased frees a seat.
type SeatReleased struct {
	Seat    SeatID    `json:"seat"`
	Pool    Key       `json:"pool"`
	License OfLicense `json:"license"`
	Reason  string    `json:"reason,omitzero"`
}

// SeatLapsed says that a floating seat is free because nothing was heard of its holder.
type SeatLapsed struct {
	Seat    SeatID    `json:"seat"`
	Pool    Key       `json:"pool"`
	License OfLicense `json:"license"`
	Ended   time.Time `json:"ended"`
}

func (SeatTaken) EventType() string    { return "seat.taken" }
func (SeatKept) EventType() string     { return "seat.kept" }
func (SeatReleased) EventType() string { return "seat.released" }
func (SeatLapsed) EventType() string   { return "seat.lapsed" }

var seatEvents = dcb.Kind("seat", dcb.Of[SeatTaken](), dcb.Of[SeatKept](), dcb.Of[SeatReleased](), dcb.Of[SeatLapsed]())

var (
	ErrSeatUnknown = &Refusal{Missing, "not-found", "there is no such seat here"}
	ErrNoSeat      = refuse("no-seat-free", "all seats of the licence are taken")
	ErrNoSeats     = refuse("seats-not-counted", "the licence has no seats of that kind")
	ErrSeatLost    = refuse("seat-lost", "the seat was released, or its lease is over")
)

// SeatPool is all seats of a licence. Whatever is taken of it carries its tag.
func SeatPool(l LicenseID) Key { return Key("seats:" + l.String()) }

// NamedSeat is the seat that a user has of a licence. Whoever takes it again takes the same.
func (id LicenseID) NamedSeat(u UserID) SeatID {
	return SeatID{uuid.NewSHA1(id.UUID, []byte("seat of user:"+u.String()))}
}

// FloatingSeat is the seat of whoever calls itself holder.
func (id LicenseID) FloatingSeat(holder string) SeatID {
	return SeatID{uuid.NewSHA1(id.UUID, []byte("seat of holder:"+holder))}
}

// Seat is one that is taken.
type Seat struct {
	ID      SeatID
	License OfLicense
	App     App
	User    UserID
	Holder  string
	Until   time.Time // zero: until it is released
}

// Held reports whether it is taken at an instant.
func (s Seat) Held(at time.Time) bool { return s.Until.IsZero() || at.Before(s.Until) }

// Seats are those of a pool that were taken and not freed, the first taken first.
type Seats []Seat

// Fold takes an event of the pool into them. It never changes what it was called on. SeatPlan is it for many events.
func (ss Seats) Fold(event dcb.Event) Seats {
	ss = slices.Clone(ss)
	without := func(id SeatID) Seats {
		return slices.DeleteFunc(ss, func(s Seat) bool { return s.ID == id })
	}
	switch e := event.(type) {
	case SeatTaken:
		return append(without(e.Seat), Seat{e.Seat, e.License, e.App, e.User, e.Holder, e.Until})
	case SeatKept:
		for i := range ss {
			if ss[i].ID == e.Seat {
				ss[i].Until = e.Until
			}
		}
	case SeatReleased:
		return without(e.Seat)
	case SeatLapsed:
		return without(e.Seat)
	}
	return ss
}

// AboutSeat is the seat that an event takes, keeps or frees, and its pool; neither for all other events.
func AboutSeat(event dcb.Event) (SeatID, Key) {
	switch e := event.(type) {
	case SeatTaken:
		return e.Seat, e.Pool
	case SeatKept:
		return e.Seat, e.Pool
	case SeatReleased:
		return e.Seat, e.Pool
	case SeatLapsed:
		return e.Seat, e.Pool
	}
	return SeatID{}, ""
}

// SeatPlan is Seats, folded in constant time for each event however many there are.
type SeatPlan struct {
	all []Seat // in the order in which they were taken; those that were freed are without an id
	at  map[SeatID]int
}

// NewSeatPlan begins with some that are taken.
func NewSeatPlan(taken Seats) *SeatPlan {
	p := &SeatPlan{all: slices.Clone(taken), at: make(map[SeatID]int, len(taken))}
	for i, s := range taken {
		p.at[s.ID] = i
	}
	return p
}

// Len is how many are taken.
func (p *SeatPlan) Len() int { return len(p.at) }

// All are those taken, the first taken first.
func (p *SeatPlan) All() iter.Seq[Seat] {
	return func(yield func(Seat) bool) {
		for i := range p.all {
			if p.all[i].ID != (SeatID{}) && !yield(p.all[i]) {
				return
			}
		}
	}
}

// Find is a seat that is taken.
func (p *SeatPlan) Find(id SeatID) (Seat, bool) {
	i, taken := p.at[id]
	if !taken {
		return Seat{}, false
	}
	return p.all[i], true
}

// Fold takes an event of the pool into it.
func (p *SeatPlan) Fold(event dcb.Event) {
	switch e := event.(type) {
	case SeatTaken:
		p.free(e.Seat)
		p.at[e.Seat] = len(p.all)
		p.all = append(p.all, Seats(nil).Fold(e)...)
	case SeatKept:
		if i, taken := p.at[e.Seat]; taken {
			p.all[i].Until = e.Until
		}
	case SeatReleased:
		p.free(e.Seat)
	case SeatLapsed:
		p.free(e.Seat)
	}
}

// free leaves a gap, and closes them all once they are most of the plan.
func (p *SeatPlan) free(id SeatID) {
	i, taken := p.at[id]
	if !taken {
		return
	}
	p.all[i] = Seat{}
	delete(p.at, id)
	if len(p.all) < 2*len(p.at)+16 {
		return
	}
	kept := p.all[:0]
	for _, s := range p.all {
		if s.ID != (SeatID{}) {
			p.at[s.ID] = len(kept)
			kept = append(kept, s)
		}
	}
	clear(p.all[len(kept):])
	p.all = kept
}

// SeatTakenLast is how a seat was last taken; the zero value if it never was. Whether it is held still the pool tells: a fact that heard
// every heartbeat would read ever more.
func SeatTakenLast(id SeatID) *dcb.Fact[SeatTaken] {
	return dcb.Ask(SeatTaken{}, tags(id), dcb.On(func(last *SeatTaken, e SeatTaken) { *last = e }))
}
