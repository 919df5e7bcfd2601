package access_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"chancery/domain"
	"chancery/internal/dcb"
)

func TestWhatIsLeftOfAMeterIsWhatThePlainReadingOfHistorySays(t *testing.T) {
	states := map[domain.LicenseState]int{}
	left := 0
	property(t, 40, func(rt *rapid.T, c chance, p *play) {
		for range 4 {
			tenant, name, at := domain.TenantID{UUID: c.tenant()}, pick(c, names...), c.instant()
			got, grounds := p.x.ExplainEntitlement(tenant, name, "calls", at)
			if same := p.x.Entitlement(tenant, name, "calls", at); same != got {
				rt.Fatalf("explained %+v, answered %+v", got, same)
			}
			limit, used, rest := p.world.metered(tenant.UUID, name, "calls", at)
			if got.Limit != limit || got.Used != used || got.Left != rest || got.Allowed != (rest > 0) {
				rt.Fatalf("%s of %s at %s: %+v, history says %d of %d, %d left; %+v", name, tenant, at, got, used, limit, rest, grounds)
			}
			if got.State.InForce() != p.world.licensed(tenant.UUID, name, at) {
				rt.Fatalf("%s of %s at %s: %s", name, tenant, at, got.State)
			}
			sum := int64(0)
			for _, g := range grounds {
				if g.Counts {
					sum += g.Gives.Limit
				}
				if held := p.world.held[g.License.UUID]; held.Holder.UUID != tenant.UUID || held.Name != name || len(g.Events) == 0 {
					rt.Fatalf("a ground that is none: %+v", g)
				}
			}
			if sum != limit {
				rt.Fatalf("grounds give %d, history %d", sum, limit)
			}
			if states[got.State]++; rest > 0 {
				left++
			}
			works := p.world.apps[name] && !p.world.asleepApp(tenant, name, at)
			if a := p.x.App(tenant, name, at); a.Works != works || a.Registered != p.world.apps[name] || a.License != got.State {
				rt.Fatalf("%s of %s at %s: %+v, history says %v", name, tenant, at, a, works)
			}
		}
	})
	t.Log(states, left)
	for _, s := range []domain.LicenseState{
		domain.LicenseIsActive, domain.LicenseInGrace, domain.LicenseIsEarly, domain.LicenseIsSuspended, domain.LicenseIsOver,
	} {
		if states[s] == 0 && !testing.Short() {
			t.Errorf("no licence was ever %s: the histories are too tame", s)
		}
	}
}

// asleepApp reports whether an app is not at work in a tenant.
func (w world) asleepApp(t domain.TenantID, name domain.App, at time.Time) bool {
	v, enabled := w.running[installed{t.UUID, name}]
	return !enabled || v.needs && !w.licensed(t.UUID, name, at)
}

// A pool of seats is folded in constant time. It shows exactly what the domain's own fold does, and never takes back what it has shown.
func TestSeatsAreThoseThatTheDomainFolds(t *testing.T) {
	c, s := seeded(t), begin(t)
	id := domain.LicenseID{UUID: named('L', 1)}
	s.tell(acme, domain.LicenseIssued{License: id, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(domain.Root), Name: "wiki", Revision: 1})
	at := domain.SeatPool(id)
	var want domain.Seats
	type shown struct{ was, is domain.Seats }
	var earlier []shown
	for n := range 3000 {
		seat := domain.SeatID{UUID: named('S', c.IntN(60))}
		e := seatEvent(c, seat, at, id, n)
		s.tell(acme, e)
		want = want.Fold(e)
		if c.IntN(4) > 0 {
			continue
		}
		got := s.Seats(at)
		sameSeats(t, got, want)
		earlier = append(earlier, shown{append(domain.Seats(nil), got...), got})
	}
	for _, e := range earlier {
		sameSeats(t, e.is, e.was)
	}
	s.tell(domain.Root, domain.SeatReleased{Seat: want[0].ID, Pool: at, License: domain.OfLicense(id)})
	sameSeats(t, s.Seats(at), want)
}

func sameSeats(t *testing.T, got, want domain.Seats) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d seats, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("seat %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func seatEvent(c chance, seat domain.SeatID, at domain.Key, id domain.LicenseID, n int) dcb.Event {
	of, until := domain.OfLicense(id), noon.Add(time.Duration(n)*time.Second)
	taken := domain.SeatTaken{Seat: seat, Pool: at, License: of, App: "wiki", Holder: "desk", Until: until}
	return pick[dcb.Event](c, taken, taken, domain.SeatKept{Seat: seat, Pool: at, License: of, Until: until},
		domain.SeatReleased{Seat: seat, Pool: at, License: of}, domain.SeatLapsed{Seat: seat, Pool: at, License: of, Ended: until})
}
