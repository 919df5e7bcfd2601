package commands_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// seating is allowing, with so many seats of that kind and leases of a minute.
func seating(name string, lasts, seats int, kind domain.Seating) domain.LicenseIssued {
	e := allowing(name, lasts)
	e.Terms.Seats, e.Terms.Seating = &seats, kind
	if kind == domain.Floating {
		e.Terms.LeaseSeconds = 60
	}
	return e
}

func seated(of, who string) domain.SeatTaken {
	l := licenseID(of)
	return domain.SeatTaken{Seat: l.NamedSeat(user(who)), Pool: domain.SeatPool(l), License: domain.OfLicense(l), App: "billing", User: user(who)}
}

func leased(of, holder string, until time.Time) domain.SeatTaken {
	l := licenseID(of)
	return domain.SeatTaken{Seat: l.FloatingSeat(holder), Pool: domain.SeatPool(l), License: domain.OfLicense(l), App: "billing", Holder: holder, Until: until}
}

func kept(of, holder string, until time.Time) domain.SeatKept {
	t := leased(of, holder, until)
	return domain.SeatKept{Seat: t.Seat, Pool: t.Pool, License: t.License, Until: until}
}

func freed(s domain.SeatTaken, reason string) domain.SeatReleased {
	return domain.SeatReleased{Seat: s.Seat, Pool: s.Pool, License: s.License, Reason: reason}
}

func lapsed(s domain.SeatTaken) domain.SeatLapsed {
	return domain.SeatLapsed{Seat: s.Seat, Pool: s.Pool, License: s.License, Ended: s.Until}
}

func assigning(who string) commands.AssignSeat {
	return commands.AssignSeat{License: licenseID("new"), User: user(who)}
}

func lease(holder string) commands.LeaseSeat {
	return commands.LeaseSeat{License: licenseID("new"), Holder: holder}
}

const minute = time.Minute

func TestUsersGetTheSeatsThatALicenseHas(t *testing.T) {
	h := given(seating("new", 10, 2, domain.Named), registered("ann"), registered("bob"), registered("eve"), seated("new", "ann"))
	h.When(assigning("bob").Decide(h.knowing(env()))).Then(t, seated("new", "bob"))
	h.When(assigning("ann").Decide(h.knowing(env()))).ThenNothing(t)
	full := h.and(seated("new", "bob"))
	full.When(assigning("eve").Decide(full.knowing(env()))).ThenRefused(t, domain.ErrNoSeat)
	full.When(assigning("ann").Decide(full.knowing(env()))).ThenNothing(t)
	h.When(assigning("eve").Decide(h.knowing(env(), seated("new", "bob")))).ThenRefused(t, domain.ErrNoSeat)
	h.When(assigning("eve").Decide(h.knowing(env(), seated("another", "bob")))).Then(t, seated("new", "eve"))
	h.When(assigning("eve").Decide(h.knowing(env(), seated("new", "bob"), freed(seated("new", "ann"), "")))).Then(t, seated("new", "eve"))
	freer := full.and(freed(seated("new", "ann"), ""))
	freer.When(assigning("eve").Decide(freer.knowing(env()))).Then(t, seated("new", "eve"))
	none := given(seating("new", 10, 0, domain.Named), registered("ann"))
	none.When(assigning("ann").Decide(none.knowing(env()))).ThenRefused(t, domain.ErrNoSeat)
}

func TestSeatsAreForUsersWhoAreThere(t *testing.T) {
	h := given(seating("new", 10, 2, domain.Named), registered("ann"), domain.UserDeactivated{User: user("ann")})
	h.When(assigning("ann").Decide(h.knowing(env()))).ThenRefused(t, domain.ErrUserNotActive)
	h.When(assigning("bob").Decide(h.knowing(env()))).ThenRefused(t, domain.ErrUserUnknown)
}

func TestOnlyALicenseInForceWithSeatsOfThatKindGivesThem(t *testing.T) {
	for name, c := range map[string]struct {
		h    history
		want *domain.Refusal
	}{
		"none":         {given(), domain.ErrLicenseUnknown},
		"floating":     {given(seating("new", 10, 2, domain.Floating)), domain.ErrNoSeats},
		"not counted":  {given(allowing("new", 10)), domain.ErrNoSeats},
		"suspended":    {given(seating("new", 10, 2, domain.Named), suspended("")), domain.ErrLicenseSuspended},
		"over":         {given(seating("new", -1, 2, domain.Named)).and(over("new")), domain.ErrLicenseOver},
		"another's":    {given().elsewhere(globex, seating("new", 10, 2, domain.Named)), domain.ErrLicenseUnknown},
		"the vendor's": {given(sellersCopy()), domain.ErrLicenseUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			h := c.h.and(registered("ann"))
			h.When(assigning("ann").Decide(h.knowing(env()))).ThenRefused(t, c.want)
		})
	}
}

// over is the licence with a window that has ended.
func over(name string) domain.LicenseChanged {
	e := seating(name, 10, 2, domain.Named)
	e.Terms.Window = domain.Window{From: now.Add(-2 * day), Until: now.Add(-day)}
	return domain.LicenseChanged(e)
}

func sellersCopy() domain.LicenseIssued {
	e := seating("new", 10, 2, domain.Named)
	e.Holder = domain.HomeIn(globex)
	return e
}

func TestAFloatingSeatIsLeasedUntilNothingIsHeard(t *testing.T) {
	h := given(seating("new", 10, 1, domain.Floating))
	h.When(lease("ci-1").Decide(h.knowing(env()))).Then(t, leased("new", "ci-1", now.Add(minute)))
	h = h.and(leased("new", "ci-1", now.Add(time.Second)))
	h.When(lease("ci-2").Decide(h.knowing(env()))).ThenRefused(t, domain.ErrNoSeat)
	h.When(lease("ci-1").Decide(h.knowing(env()))).Then(t, kept("new", "ci-1", now.Add(minute)))
	late := h.knowing(env())
	late.Now = now.Add(time.Second) // no event says that it is over
	h.When(lease("ci-2").Decide(late)).Then(t, leased("new", "ci-2", late.Now.Add(minute)))
	h.When(lease("ci-1").Decide(late)).Then(t, leased("new", "ci-1", late.Now.Add(minute)))

	soon := seating("new", 10, 1, domain.Floating)
	soon.Terms.Window.Until = now.Add(time.Second)
	h = given(soon)
	h.When(lease("ci-1").Decide(h.knowing(env()))).Then(t, leased("new", "ci-1", now.Add(time.Second)))
	usual := seating("new", 10, 1, domain.Floating)
	usual.Terms.LeaseSeconds = 0
	h = given(usual)
	h.When(lease("ci-1").Decide(h.knowing(env()))).Then(t, leased("new", "ci-1", now.Add(5*minute)))
}

func TestASeatOfAnAppIsLeasedFromTheLicenseThatEndsFirstAndHasOneFree(t *testing.T) {
	c := commands.LeaseSeat{App: "billing", Holder: "ci"}
	h := given(seating("long", 20, 1, domain.Floating), seating("short", 5, 1, domain.Floating), seating("named", 1, 9, domain.Named))
	h.When(c.Decide(h.knowing(env()))).Then(t, leased("short", "ci", now.Add(minute)))
	h = h.and(leased("short", "other", now.Add(minute)))
	h.When(c.Decide(h.knowing(env()))).Then(t, leased("long", "ci", now.Add(minute)))
	mine := h.and(leased("long", "ci", now.Add(time.Second)), freed(leased("short", "other", now), ""))
	mine.When(c.Decide(mine.knowing(env()))).Then(t, kept("long", "ci", now.Add(minute)))
	full := h.and(leased("long", "another", now.Add(minute)))
	full.When(c.Decide(full.knowing(env()))).ThenRefused(t, domain.ErrNoSeat)

	given().When(c.Decide(given().knowing(env()))).ThenRefused(t, domain.ErrNotEntitled)
	h = given(seating("new", 10, 1, domain.Floating), suspended(""))
	h.When(c.Decide(h.knowing(env()))).ThenRefused(t, domain.ErrLicenseSuspended)
	h = given(seating("new", 10, 1, domain.Named))
	h.When(c.Decide(h.knowing(env()))).ThenRefused(t, domain.ErrNoSeats)
}

func TestALeaseNamesALicenseOrAnAppAndAHolder(t *testing.T) {
	for pointer, c := range map[string]commands.LeaseSeat{
		"/license_id": {License: licenseID("new"), App: "billing", Holder: "ci"},
		"/app":        {App: "Not a name", Holder: "ci"},
		"/holder":     {App: "billing"},
	} {
		given().When(c.Decide(given().knowing(env()))).ThenInvalid(t, pointer)
	}
	given().When(commands.LeaseSeat{Holder: "ci"}.Decide(given().knowing(env()))).ThenInvalid(t, "/license_id")
}

func TestAHeartbeatIsRecordedWhenHalfOfTheLeaseIsOver(t *testing.T) {
	id := licenseID("new").FloatingSeat("ci")
	keep := func(h history, at time.Time) outcome {
		e := h.knowing(env())
		e.Now = at
		return h.When(commands.KeepSeat{ID: id}.Decide(e))
	}
	h := given(seating("new", 10, 1, domain.Floating), leased("new", "ci", now.Add(minute)))
	keep(h, now.Add(30*time.Second)).ThenNothing(t)
	keep(h, now.Add(31*time.Second)).Then(t, kept("new", "ci", now.Add(91*time.Second)))
	keep(h, now.Add(minute)).ThenRefused(t, domain.ErrSeatLost)
	longer := h.and(kept("new", "ci", now.Add(2*minute)))
	keep(longer, now.Add(minute)).ThenNothing(t)
	keep(longer, now.Add(91*time.Second)).Then(t, kept("new", "ci", now.Add(151*time.Second)))
	keep(h.and(freed(leased("new", "ci", now), "")), now).ThenRefused(t, domain.ErrSeatLost)
	keep(h.and(suspended("")), now).ThenRefused(t, domain.ErrLicenseSuspended)
	keep(given(), now).ThenRefused(t, domain.ErrSeatUnknown)

	named := given(seating("new", 10, 1, domain.Named), registered("ann"), seated("new", "ann"))
	named.When(commands.KeepSeat{ID: licenseID("new").NamedSeat(user("ann"))}.Decide(named.knowing(env()))).ThenNothing(t)
	ending := seating("new", 10, 1, domain.Floating)
	ending.Terms.Window.Until = now.Add(minute)
	keep(given(ending, leased("new", "ci", now.Add(minute))), now.Add(59*time.Second)).ThenNothing(t)
}

func TestASeatIsReleasedOnce(t *testing.T) {
	h := given(seating("new", 10, 1, domain.Named), registered("ann"), seated("new", "ann"))
	c := commands.ReleaseSeat{ID: licenseID("new").NamedSeat(user("ann")), Reason: "left"}
	h.When(c.Decide(h.knowing(env()))).Then(t, freed(seated("new", "ann"), "left"))
	h.and(revokedLicense("")).When(c.Decide(h.knowing(env()))).Then(t, freed(seated("new", "ann"), "left"))
	free := h.and(freed(seated("new", "ann"), ""))
	free.When(c.Decide(free.knowing(env()))).ThenNothing(t)
	given().When(c.Decide(given().knowing(env()))).ThenRefused(t, domain.ErrSeatUnknown)
	h.WhenIn(globex, c.Decide(h.knowing(env()))).ThenRefused(t, domain.ErrSeatUnknown)
	c.Reason = "\x00"
	h.When(c.Decide(h.knowing(env()))).ThenInvalid(t, "/reason")
}

func TestASeatLapsesOnceItsLeaseIsOverAndNotBefore(t *testing.T) {
	taken := leased("new", "ci", now)
	h := given(seating("new", 10, 1, domain.Floating), taken)
	lapse := func(h history, id domain.SeatID) outcome {
		return h.When(commands.LapseSeat{ID: id}.Decide(h.knowing(env())))
	}
	lapse(h, taken.Seat).Then(t, lapsed(taken))
	lapse(h.and(lapsed(taken)), taken.Seat).ThenNothing(t)
	lapse(h.and(kept("new", "ci", now.Add(1))), taken.Seat).ThenNothing(t)
	lapse(h, domain.SeatID{UUID: uuid.New()}).ThenNothing(t)
	named := given(seating("new", 10, 1, domain.Named), seated("new", "ann"))
	lapse(named, seated("new", "ann").Seat).ThenNothing(t)
}

func TestWhoMayDoWhatWithSeats(t *testing.T) {
	h := given(seating("new", 10, 5, domain.Floating), registered("ann"), leased("new", "ci", now.Add(minute)), leased("new", "ci-2", now.Add(time.Second)), seated("new", "chief"))
	h = h.and(domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive})
	own := seated("new", "ann")
	own.Seat, own.User = licenseID("new").NamedSeat(chief), chief
	h = h.and(own)
	app := unprivileged(having())
	app.App = "billing"
	reader := unprivileged(having("core.licenses.read"))
	for name, c := range map[string]struct {
		decide func(commands.Env) dcb.Decision
		env    commands.Env
		want   *domain.Refusal
	}{
		"nobody assigns":         {assigning("ann").Decide, unprivileged(having()), domain.ErrLicenseUnknown},
		"a reader assigns":       {assigning("ann").Decide, reader, domain.ErrNotAllowed},
		"nobody leases":          {lease("x").Decide, unprivileged(having()), domain.ErrLicenseUnknown},
		"nobody leases, by app":  {commands.LeaseSeat{App: "billing", Holder: "x"}.Decide, unprivileged(having()), domain.ErrNotAllowed},
		"nobody keeps":           {commands.KeepSeat{ID: licenseID("new").FloatingSeat("ci")}.Decide, unprivileged(having()), domain.ErrSeatUnknown},
		"nobody releases":        {commands.ReleaseSeat{ID: licenseID("new").FloatingSeat("ci")}.Decide, unprivileged(having()), domain.ErrSeatUnknown},
		"the app leases":         {lease("x").Decide, app, nil},
		"the app leases, by app": {commands.LeaseSeat{App: "billing", Holder: "x"}.Decide, app, nil},
		"the app keeps":          {commands.KeepSeat{ID: licenseID("new").FloatingSeat("ci-2")}.Decide, app, nil},
		"the app releases":       {commands.ReleaseSeat{ID: licenseID("new").FloatingSeat("ci")}.Decide, app, nil},
		"users release theirs":   {commands.ReleaseSeat{ID: own.Seat}.Decide, unprivileged(having()), nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := h.When(c.decide(h.knowing(c.env)))
			if c.want != nil {
				o.ThenRefused(t, c.want)
			} else if len(o.Events(t)) != 1 {
				t.Error("nothing came of it")
			}
		})
	}
}

func TestAPoolThatShrankKeepsThoseWhoWereThereFirst(t *testing.T) {
	keep := func(h history, holder string) outcome {
		e := h.knowing(env())
		e.Now = now.Add(40 * time.Second)
		return h.When(commands.KeepSeat{ID: licenseID("new").FloatingSeat(holder)}.Decide(e))
	}
	take := func(h history, holder string, ahead ...dcb.Event) outcome {
		return h.When(lease(holder).Decide(h.knowing(env(), ahead...)))
	}
	until := now.Add(minute)
	of := func(seats int, kind domain.Seating) history {
		to := domain.LicenseChanged(seating("new", 10, seats, kind))
		return given(seating("new", 10, 3, domain.Floating), leased("new", "a", until), leased("new", "b", until), leased("new", "c", until)).and(to)
	}
	one := of(1, domain.Floating)
	keep(one, "a").Then(t, kept("new", "a", now.Add(100*time.Second)))
	take(one, "a").Then(t, kept("new", "a", until))
	for _, holder := range []string{"b", "c"} {
		keep(one, holder).ThenRefused(t, domain.ErrSeatLost)
		take(one, holder).ThenRefused(t, domain.ErrNoSeat)
	}
	freer := one.and(freed(leased("new", "a", until), ""))
	keep(freer, "b").Then(t, kept("new", "b", now.Add(100*time.Second)))
	keep(freer, "c").ThenRefused(t, domain.ErrSeatLost)
	take(one, "b", freed(leased("new", "a", until), "")).Then(t, kept("new", "b", until))
	silent := given(seating("new", 10, 1, domain.Floating), leased("new", "a", now), leased("new", "b", until)) // nothing is heard of a
	keep(silent, "b").Then(t, kept("new", "b", now.Add(100*time.Second)))

	named := of(3, domain.Named)
	keep(named, "a").ThenRefused(t, domain.ErrSeatLost)
	take(named, "a").ThenRefused(t, domain.ErrNoSeats)
	uncounted := given(seating("new", 10, 3, domain.Floating), leased("new", "a", until), domain.LicenseChanged(allowing("new", 10)))
	keep(uncounted, "a").ThenRefused(t, domain.ErrSeatLost)

	ann := given(seating("new", 10, 1, domain.Named), registered("ann"), registered("bob"), seated("new", "ann"), seated("new", "bob"))
	ann.When(assigning("bob").Decide(ann.knowing(env()))).ThenNothing(t) // until it is released
	ann.When(commands.KeepSeat{ID: licenseID("new").NamedSeat(user("bob"))}.Decide(ann.knowing(env()))).ThenNothing(t)
}

// countedWorld is a world in which acme has those licences, and what is taken of them is counted.
func countedWorld(t testing.TB, licenses ...dcb.Event) *world {
	w := newWorld(t)
	w.counted()
	var events []dcb.Pending
	for _, l := range licenses {
		events = append(events, dcb.Pending{Event: l, Tenant: acme.UUID})
	}
	if _, _, err := w.Store.Append(t.Context(), []dcb.Part{{ID: uuid.New(), Events: events}}, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// repeated makes orders of commands that are numbered.
func (w *world) repeated(n int, command func(int) any) []commands.Order {
	orders := make([]commands.Order, n)
	for i := range orders {
		orders[i] = w.order(acme, command(i))
	}
	return orders
}

// What a batch took before is folded once, not by each of its lines anew.
func TestALargeBatchOfSeatsIsDecidedInNoTime(t *testing.T) {
	for _, n := range []int{2500, 5000} {
		w := countedWorld(t, seating("new", 10, n-1, domain.Floating))
		began := time.Now()
		got := w.batch(t, acme, false, w.repeated(n, func(i int) any {
			return &commands.LeaseSeat{License: licenseID("new"), Holder: strconv.Itoa(i)}
		})...)
		t.Logf("%d seats: %s", n, time.Since(began))
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		if i := slices.IndexFunc(got, func(o commands.Outcome) bool { return o.Err != nil }); i != n-1 || !isRefusal(got[i].Err, domain.ErrNoSeat) {
			t.Fatalf("line %d was refused first: %v", i, got[max(i, 0)].Err)
		}
		began = time.Now()
		got = w.batch(t, acme, true, w.repeated(n-1, func(i int) any {
			return &commands.ReleaseSeat{ID: licenseID("new").FloatingSeat(strconv.Itoa(i))}
		})...)
		t.Logf("%d releases: %s", n, time.Since(began))
		if took := time.Since(began); got[0].Err != nil || took > 10*time.Second {
			t.Errorf("to release them took %s, %v", took, got[0].Err)
		}
	}
}

func TestNobodyDecidesForACallerWhoLeft(t *testing.T) {
	w := newWorld(t)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	decided := 0
	turn := w.turn(func() ([]dcb.Event, error) { decided++; leave(); return nil, domain.ErrNoSeat })
	if _, err := w.Batch(ctx, acme, []commands.Order{turn, w.turn(func() ([]dcb.Event, error) { decided++; return nil, nil })}, false); !errors.Is(err, context.Canceled) || decided != 1 {
		t.Errorf("%d were decided: %v", decided, err)
	}
}

// The lines of a batch see exactly those seats that the domain's own fold says are taken.
func TestABatchSeesTheSeatsThatItTookItself(t *testing.T) {
	w := countedWorld(t, seating("new", 10, 2, domain.Floating))
	release := func(holder string) any { return &commands.ReleaseSeat{ID: licenseID("new").FloatingSeat(holder)} }
	take := func(holder string) any { return &commands.LeaseSeat{License: licenseID("new"), Holder: holder} }
	w.must(t, w.order(acme, take("before")))
	var orders []commands.Order
	for _, c := range []any{take("a"), take("b"), release("before"), take("b"), take("before"), release("a"), take("a"), take("before"), release("c")} {
		orders = append(orders, w.order(acme, c))
	}
	outcomes(t, w.batch(t, acme, false, orders...), nil, domain.ErrNoSeat, nil, nil, domain.ErrNoSeat, nil, nil, domain.ErrNoSeat, domain.ErrSeatUnknown)
	var want domain.Seats
	for _, r := range w.stored(t, 0) {
		want = want.Fold(r.Event)
	}
	if got := w.Seats(domain.SeatPool(licenseID("new"))); len(want) != 2 || want[0].Holder != "b" || want[1].Holder != "a" || len(got) != 1 {
		t.Errorf("the seats are %v, seen were %v", want, got)
	}
}
