package access

import (
	"slices"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// license is one that a tenant holds, and the newest events that say how it stands.
type license struct {
	domain.License // without its file
	issuedAt       int64
	termsAt        int64 // renewed or changed
	wordAt         int64 // suspended, reinstated or revoked
	overAt         int64 // said to be expired or ended
}

// tally is what a meter shows, and the newest event of it.
type tally struct {
	domain.Tally
	at int64
}

// license is the best state of its licences.
func (a *tenantApp) license(at time.Time) domain.LicenseState {
	return domain.BestState(func(yield func(domain.LicenseState) bool) {
		for _, l := range a.licenses {
			if !yield(l.State(at)) {
				return
			}
		}
	})
}

// licensed reports whether one of them is in force.
func (a *tenantApp) licensed(at time.Time) bool {
	for _, l := range a.licenses {
		if l.inForce(at) {
			return true
		}
	}
	return false
}

// inForce is State(at).InForce(), without a copy: it is in the way of decisions. One of which the end was recorded is over at whatever
// instant, as is an assignment that expired: what a record of an end changes is then seen by comparing before it and behind it.
func (l *license) inForce(at time.Time) bool {
	if l.Revoked || l.Suspended || at.Before(l.Terms.Window.From) {
		return false
	}
	return (l.Terms.Window.Contains(at) || at.Before(l.Terms.GraceUntil())) && !l.EndRecorded()
}

// positions are those of the events that say how the licence stands, the first first.
func (l *license) positions() []int64 {
	all := slices.DeleteFunc([]int64{l.issuedAt, l.termsAt, l.wordAt, l.overAt}, func(at int64) bool { return at == 0 })
	slices.Sort(all)
	return all
}

// foldLicense hears of licences in the log of their holder alone: a vendor has copies of what it issued to others.
func (x *Index) foldLicense(t *tenant, event dcb.Event, at int64) {
	issued := func(e domain.LicenseIssued) {
		if e.Holder.Tenant() != t.id || x.licenses[e.License] != nil {
			return
		}
		l := &license{issuedAt: at}
		x.licenses[e.License] = l
		a := t.app(e.Name)
		a.licenses = append(a.licenses, l)
		l.take(e)
	}
	change := func(id domain.LicenseID, newest func(l *license) *int64) {
		l := x.licenses[id]
		if l == nil || l.Holder.Tenant() != t.id {
			return
		}
		l.take(event)
		if newest != nil {
			*newest(l) = at
		}
	}
	terms := func(l *license) *int64 { return &l.termsAt }
	word := func(l *license) *int64 { return &l.wordAt }
	over := func(l *license) *int64 { return &l.overAt }
	switch e := event.(type) {
	case domain.LicenseIssued:
		issued(e)
	case domain.LicenseRenewed:
		change(e.License, terms)
	case domain.LicenseChanged:
		change(e.License, terms)
	case domain.LicenseSigned:
		change(e.License, nil)
	case domain.LicenseSuspended:
		change(e.License, word)
	case domain.LicenseReinstated:
		change(e.License, word)
	case domain.LicenseRevoked:
		change(e.License, word)
	case domain.LicenseExpired:
		change(e.License, over)
	case domain.LicenseEnded:
		change(e.License, over)
	}
}

// take folds an event. Whose a licence is and what for never changes, and its file is nobody's business here.
func (l *license) take(event dcb.Event) {
	was := l.License
	l.Fold(event)
	l.File.Blob = ""
	if was.Known {
		l.Holder, l.Vendor, l.Name = was.Holder, was.Vendor, was.Name
	}
}

// Tally is what a meter shows.
func (x *Index) Tally(meter domain.Key) domain.Tally {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.tallies[meter].Tally
}

// Seats are those taken of a pool. They MUST NOT be changed.
func (x *Index) Seats(pool domain.Key) domain.Seats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if p := x.pools[pool]; p != nil {
		return p.seats()
	}
	return nil
}

// foldTaken hears of what is taken of a licence in the log of its holder alone.
func (x *Index) foldTaken(t *tenant, event dcb.Event, at int64) {
	count := func(of domain.OfLicense, meter domain.Key) {
		if x.holds(t, of) {
			x.count(meter, event, at)
		}
	}
	seat := func(of domain.OfLicense, pool domain.Key) {
		if !x.holds(t, of) {
			return
		}
		p := x.pools[pool]
		if p == nil {
			p = newSeatPool()
			x.pools[pool] = p
		}
		p.fold(event)
	}
	switch e := event.(type) {
	case domain.UsageRecorded:
		count(e.License, e.Meter)
	case domain.UsageReversed:
		count(e.License, e.Meter)
	case domain.SeatTaken:
		seat(e.License, e.Pool)
	case domain.SeatKept:
		seat(e.License, e.Pool)
	case domain.SeatReleased:
		seat(e.License, e.Pool)
	case domain.SeatLapsed:
		seat(e.License, e.Pool)
	}
}

// count takes an event into what a meter, or a pool of endpoints, shows.
func (x *Index) count(key domain.Key, event dcb.Event, at int64) {
	shown := x.tallies[key]
	shown.Fold(event)
	shown.at = at
	x.tallies[key] = shown
}

func (x *Index) holds(t *tenant, of domain.OfLicense) bool {
	l := x.licenses[domain.LicenseID(of)]
	return l != nil && l.Holder.Tenant() == t.id
}
