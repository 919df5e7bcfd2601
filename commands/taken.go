package commands

import (
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// counts are what was taken of licences as a batch sees it: what Env tells, and what the batch itself decided so far, folded once.
type counts struct {
	tallied int // of Env.Ahead: those whose totals are in tallies
	tallies map[domain.Key]domain.Tally
	pools   map[domain.Key]*seats
}

func newCounts() *counts {
	return &counts{tallies: map[domain.Key]domain.Tally{}, pools: map[domain.Key]*seats{}}
}

// tally is what a meter shows, with what the same request decided before.
func (env Env) tally(key domain.Key) domain.Tally {
	c, ahead := env.counts, env.before(env.Tenant)
	if c == nil {
		c = newCounts()
	}
	for _, event := range ahead[c.tallied:] { // most tell the total that they lead to
		switch e := event.(type) {
		case domain.UsageRecorded:
			c.tallies[e.Meter] = domain.Tally{Period: e.Period, Total: e.Total}
		case domain.UsageReversed:
			c.tallies[e.Meter] = domain.Tally{Period: e.Period, Total: e.Total}
		case domain.EndpointCreated: // these do not
			env.fold(c.tallies, e.Pool, e)
		case domain.EndpointDeleted:
			env.fold(c.tallies, e.Pool, e)
		}
	}
	c.tallied = len(ahead)
	if t, taken := c.tallies[key]; taken {
		return t
	}
	return env.Tally(key)
}

// fold takes an event that tells no total into what was counted before it.
func (env Env) fold(tallies map[domain.Key]domain.Tally, key domain.Key, event dcb.Event) {
	t, counted := tallies[key]
	if !counted {
		t = env.Tally(key)
	}
	t.Fold(event)
	tallies[key] = t
}

// seats are those of a pool.
type seats struct {
	*domain.SeatPlan
	folded int // of Env.Ahead

	held        int       // of them at from, and at any time before until
	from, until time.Time // until is zero for no end; both are zero if nobody has counted
}

// seats are those of a pool, with what the same request decided before.
func (env Env) seats(pool domain.Key) *seats {
	c, ahead := env.counts, env.before(env.Tenant)
	if c == nil {
		c = newCounts()
	}
	s := c.pools[pool]
	if s == nil {
		s = &seats{SeatPlan: domain.NewSeatPlan(env.Seats(pool))}
		c.pools[pool] = s
	}
	for _, event := range ahead[s.folded:] {
		if _, of := domain.AboutSeat(event); of == pool {
			s.fold(event)
		}
	}
	s.folded = len(ahead)
	return s
}

// fold takes an event of the pool into them.
func (s *seats) fold(event dcb.Event) {
	id, _ := domain.AboutSeat(event)
	was, _ := s.Find(id)
	s.Fold(event)
	is, _ := s.Find(id)
	s.count(was, -1)
	s.count(is, 1)
}

func (s *seats) count(seat domain.Seat, n int) {
	if seat.ID == (domain.SeatID{}) || !seat.Held(s.from) {
		return
	}
	s.held += n
	if ends := seat.Until; !ends.IsZero() && (s.until.IsZero() || ends.Before(s.until)) {
		s.until = ends
	}
}

// heldAt is how many of them are held at an instant.
func (s *seats) heldAt(now time.Time) int {
	if s.from.IsZero() || now.Before(s.from) || !s.until.IsZero() && !now.Before(s.until) {
		s.held, s.from, s.until = 0, now, time.Time{}
		for seat := range s.All() {
			s.count(seat, 1)
		}
	}
	return s.held
}
