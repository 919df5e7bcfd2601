package commands

import (
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AssignSeat gives a user a named seat of a licence. Who has one has it already. It stays theirs until it is released, also where the
// licence has come to have fewer seats or others: then nobody gets one until enough are free.
type AssignSeat struct {
	License domain.LicenseID `json:"license_id" required:"true" description:"the licence"`
	User    domain.UserID    `json:"user_id" required:"true" description:"who gets the seat"`
}

func (c AssignSeat) Target() dcb.Tagger { return c.License.NamedSeat(c.User) }
func (c AssignSeat) Lane() string       { return seatLane }

// seatLane is one for all seats of the tenant: some are named by their ids alone.
const seatLane = "seats"

func (c AssignSeat) Decide(env Env) dcb.Decision {
	l, u := domain.LicenseOf(env.Tenant, c.License), domain.UserStatusOf(c.User)
	return dcb.From(l, u, domain.Tallied(domain.SeatPool(c.License))).Decide(func() ([]dcb.Event, error) {
		if err := env.mayUse(l.Value, "/license_id", "core.seats.assign"); err != nil {
			return nil, err
		}
		switch {
		case !u.Value.Exists():
			return nil, domain.At("/user_id", domain.ErrUserUnknown)
		case !u.Value.Present():
			return nil, domain.At("/user_id", domain.ErrUserNotActive)
		}
		p := env.pool(l.Value)
		if p.has(c.License.NamedSeat(c.User)) {
			return nil, nil
		}
		if err := p.refusal(domain.Named); err != nil {
			return nil, domain.At("/license_id", err)
		}
		return dcb.Emit(domain.SeatTaken{
			Seat: c.License.NamedSeat(c.User), Pool: p.key, License: domain.OfLicense(c.License), App: l.Value.Name, User: c.User,
		})
	})
}

// LeaseSeat takes a floating seat for whoever asks, until nothing is heard of them for the licence's lease. Who has one that the licence
// has no more (see KeepSeat) asks as one who has none.
type LeaseSeat struct {
	License domain.LicenseID `json:"license_id,omitzero" description:"the licence; or give app"`
	App     domain.App       `json:"app,omitzero" description:"the app, of whose licences that is taken which ends first and has a seat free; or give license_id"`
	Holder  string           `json:"holder" required:"true" description:"who takes it, in words of the caller's own; the same holder takes the same seat; no personal data"`
}

func (c LeaseSeat) Lane() string { return seatLane }

func (c LeaseSeat) Scope() domain.Scope {
	if c.App == "" {
		return ""
	}
	return c.App.Scope()
}

func (c LeaseSeat) Decide(env Env) dcb.Decision {
	err := domain.CheckName("/holder", c.Holder)
	switch {
	case err != nil:
	case c.License.IsZero() == (c.App == ""):
		err = domain.Invalid("/license_id", "give either license_id or app")
	case c.App != "" && c.App.Check("/app") != nil:
		err = c.App.Check("/app")
	case c.App != "" && !env.mayFor(c.App, "core.seats.lease"):
		err = domain.ErrNotAllowed // whether or not there is a licence
	}
	switch {
	case err != nil:
		return refused(err)
	case c.App == "":
		l := domain.LicenseOf(env.Tenant, c.License)
		return dcb.From(l, domain.Tallied(domain.SeatPool(c.License))).Decide(func() ([]dcb.Event, error) {
			if err := env.mayUse(l.Value, "/license_id", "core.seats.lease"); err != nil {
				return nil, err
			}
			return c.lease("/license_id", env.pool(l.Value))
		})
	}
	held, watched := domain.LicensesFor(env.Tenant, c.App), false
	return dcb.From(held).Then(func() (facts []dcb.AnyFact) {
		if watched {
			return nil
		}
		watched = true
		for _, l := range held.Value {
			facts = append(facts, domain.Tallied(domain.SeatPool(l.ID)))
		}
		return facts
	}).Decide(func() ([]dcb.Event, error) {
		pools, err := c.pools(env, held.Value)
		if err != nil {
			return nil, domain.At("/app", err)
		}
		return c.lease("/app", pools...)
	})
}

// pools are those of the licences in force, that which ends first in front.
func (c LeaseSeat) pools(env Env, held domain.Licenses) (all []pool, _ *domain.Refusal) {
	for _, l := range byEnd(held) {
		if l.State(env.Now).InForce() {
			all = append(all, env.pool(l))
		}
	}
	switch {
	case len(held) == 0:
		return nil, domain.ErrNotEntitled
	case len(all) == 0:
		return nil, notInForce(held, env.Now)
	}
	return all, nil
}

// lease takes the seat that the holder has, or else the first that is free.
func (c LeaseSeat) lease(pointer string, pools ...pool) ([]dcb.Event, error) {
	for _, p := range pools {
		id := p.license.ID.FloatingSeat(c.Holder)
		if p.has(id) && p.keeps(id) {
			return dcb.Emit(domain.SeatKept{Seat: id, Pool: p.key, License: domain.OfLicense(p.license.ID), Until: p.leasedUntil()})
		}
	}
	why := domain.ErrNoSeats
	for _, p := range pools {
		switch err := p.refusal(domain.Floating); {
		case err == nil:
			return dcb.Emit(domain.SeatTaken{
				Seat: p.license.ID.FloatingSeat(c.Holder), Pool: p.key, License: domain.OfLicense(p.license.ID), App: p.license.Name,
				Holder: c.Holder, Until: p.leasedUntil(),
			})
		case err != domain.ErrNoSeats: // there are some
			why = err
		}
	}
	return nil, domain.At(pointer, why)
}

// KeepSeat is a heartbeat: a floating seat is held on. It is recorded only when half of the lease is over. Where the licence has come to
// have fewer seats than are held, those taken last are lost; where they float no more, all are. Named ones stay, see AssignSeat.
type KeepSeat struct {
	ID domain.SeatID `json:"id" required:"true" description:"the seat"`
}

func (c KeepSeat) Target() dcb.Tagger { return c.ID }
func (c KeepSeat) Lane() string       { return seatLane }

func (c KeepSeat) Decide(env Env) dcb.Decision {
	t := env.taken(c.ID)
	return t.decision().Decide(func() ([]dcb.Event, error) {
		if err := t.refusal("core.seats.keep"); err != nil {
			return nil, err
		}
		p := env.pool(t.license.Value)
		seat, is := p.Find(c.ID)
		switch {
		case !is || !seat.Held(env.Now):
			return nil, domain.At("/id", domain.ErrSeatLost)
		case !p.license.State(env.Now).InForce():
			return nil, p.license.State(env.Now).Refusal()
		case seat.User.IsZero() && !p.keeps(c.ID):
			return nil, domain.At("/id", domain.ErrSeatLost)
		case seat.Until.IsZero(), 2*seat.Until.Sub(env.Now) >= p.lease(), !p.leasedUntil().After(seat.Until):
			return nil, nil
		}
		return dcb.Emit(domain.SeatKept{Seat: c.ID, Pool: p.key, License: seat.License, Until: p.leasedUntil()})
	})
}

// ReleaseSeat frees a seat.
type ReleaseSeat struct {
	ID     domain.SeatID `json:"id" required:"true" description:"the seat"`
	Reason string        `json:"reason,omitzero" description:"why, for the record"`
}

func (c ReleaseSeat) Target() dcb.Tagger { return c.ID }
func (c ReleaseSeat) Lane() string       { return seatLane }

func (c ReleaseSeat) Decide(env Env) dcb.Decision {
	t := env.taken(c.ID)
	return t.decision().Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckText("/reason", c.Reason), t.refusal("core.seats.release")); err != nil {
			return nil, err
		}
		seat, is := t.seat()
		if !is {
			return nil, nil
		}
		return dcb.Emit(domain.SeatReleased{Seat: c.ID, Pool: t.last.Value.Pool, License: seat.License, Reason: c.Reason})
	})
}

// LapseSeat records that nothing was heard of the holder of a floating seat in time. It is no command of callers: Chancery gives it to
// itself when the date has come.
type LapseSeat struct{ ID domain.SeatID }

func (c LapseSeat) Target() dcb.Tagger { return c.ID }

func (c LapseSeat) Decide(env Env) dcb.Decision {
	t := env.taken(c.ID)
	return t.decision().Decide(func() ([]dcb.Event, error) {
		seat, is := t.seat()
		if !is || seat.Held(env.Now) {
			return nil, nil
		}
		return dcb.Emit(domain.SeatLapsed{Seat: c.ID, Pool: t.last.Value.Pool, License: seat.License, Ended: seat.Until})
	})
}

// taken is a seat that somebody may have.
type taken struct {
	env     Env
	id      domain.SeatID
	last    *dcb.Fact[domain.SeatTaken]
	license *dcb.Fact[domain.License] // nil as long as it is not known of which licence it is
}

func (env Env) taken(id domain.SeatID) *taken {
	return &taken{env: env, id: id, last: domain.SeatTakenLast(id)}
}

func (t *taken) decision() dcb.Decision {
	return dcb.From(t.last).Then(func() []dcb.AnyFact {
		if t.license != nil || t.last.Value.License.IsZero() {
			return nil
		}
		t.license = domain.LicenseOf(t.env.Tenant, domain.LicenseID(t.last.Value.License))
		return []dcb.AnyFact{t.license, domain.Tallied(t.last.Value.Pool)}
	})
}

// refusal is that of one who may not do that with the seat. Users have a say over their own.
func (t *taken) refusal(p domain.Pattern) error {
	last := t.last.Value
	if t.license == nil || !t.env.mayFor(last.App, p) && !t.env.Mine(last.User) {
		return domain.At("/id", domain.ErrSeatUnknown)
	}
	return nil
}

func (t *taken) seat() (domain.Seat, bool) {
	if t.license == nil {
		return domain.Seat{}, false
	}
	return t.env.pool(t.license.Value).Find(t.id)
}

// pool is the seats of a licence, with what the same request decided before.
type pool struct {
	*seats
	license domain.License
	key     domain.Key
	now     time.Time
}

func (env Env) pool(l domain.License) pool {
	key := domain.SeatPool(l.ID)
	return pool{env.seats(key), l, key, env.Now}
}

// has reports whether the seat is held.
func (p pool) has(id domain.SeatID) bool {
	s, is := p.Find(id)
	return is && s.Held(p.now)
}

// refusalOf says why there are no seats of that kind to have, free or not.
func (p pool) refusalOf(kind domain.Seating) *domain.Refusal {
	state, terms := p.license.State(p.now), p.license.Terms
	switch {
	case !state.InForce():
		return state.Refusal()
	case terms.Seats == nil || terms.Seating != kind:
		return domain.ErrNoSeats
	}
	return nil
}

// refusal says why none can be had, nil if one is free.
func (p pool) refusal(kind domain.Seating) *domain.Refusal {
	if err := p.refusalOf(kind); err != nil {
		return err
	}
	if p.heldAt(p.now) >= *p.license.Terms.Seats {
		return domain.ErrNoSeat
	}
	return nil
}

// keeps reports whether a floating seat that is held is one of those that the licence still has: of more, those taken first.
func (p pool) keeps(id domain.SeatID) bool {
	if p.refusalOf(domain.Floating) != nil {
		return false
	}
	left := *p.license.Terms.Seats
	if p.heldAt(p.now) <= left {
		return true
	}
	for s := range p.All() {
		switch {
		case left <= 0:
			return false
		case s.ID == id:
			return true
		case s.Held(p.now):
			left--
		}
	}
	return false
}

func (p pool) lease() time.Duration {
	seconds := p.license.Terms.LeaseSeconds
	if seconds <= 0 {
		seconds = usualLease
	}
	return time.Duration(seconds) * time.Second
}

// leasedUntil is when a lease of now ends: not after the licence.
func (p pool) leasedUntil() time.Time {
	until, end := p.now.Add(p.lease()), p.license.Terms.GraceUntil()
	if !end.IsZero() && until.After(end) {
		return end
	}
	return until
}

// mayUse refuses who may not do that with a licence of the tenant. Who may not even know of it is told that there is none.
func (env Env) mayUse(l domain.License, pointer string, p domain.Pattern) error {
	switch {
	case !l.Known || l.Holder.Tenant() != env.Tenant:
		return domain.At(pointer, domain.ErrLicenseUnknown)
	case env.mayFor(l.Name, p):
		return nil
	case env.Rights.Holds("core.licenses.read", l.Name.Scope()):
		return domain.ErrNotAllowed
	}
	return domain.At(pointer, domain.ErrLicenseUnknown)
}
