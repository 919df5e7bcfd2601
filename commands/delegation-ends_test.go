package commands_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func revokeIt(e commands.Env, d domain.DelegationGranted) dcb.Decision {
	return commands.RevokeDelegation{ID: d.Delegation, Reason: "back"}.Decide(e)
}

func TestADelegationIsRevokedByWhomItConcerns(t *testing.T) {
	nobody := unprivileged(having())
	mine, forMe := chain("chief", "ann")[0], chain("ann", "chief")[0]
	for _, d := range []domain.DelegationGranted{mine, forMe} {
		offeredTo(staffed(), d).When(revokeIt(nobody, d)).Then(t, placed(takenBack(d, "back"), acme)...)
		staffed().standing(d).When(revokeIt(nobody, d)).Then(t, placed(takenBack(d, "back"), acme)...)
	}
	below := chain("chief", "ann", "bob", "carl")
	staffed().standing(below...).When(revokeIt(nobody, below[2])).Then(t, placed(takenBack(below[2], "back"), acme)...)
	staffed().standing(mine).When(commands.RevokeDelegation{ID: mine.Delegation, Reason: "\a"}.Decide(nobody)).ThenInvalid(t, "/reason")

	others := chain("ann", "bob", "chief")
	h := staffed().standing(others...)
	h.When(revokeIt(nobody, others[0])).ThenRefused(t, domain.ErrDelegationUnknown) // the delegate of what rests on it is not asked
	h.When(revokeIt(nobody, chain("ann", "carl")[0])).ThenRefused(t, domain.ErrDelegationUnknown)
	h.When(revokeIt(env(), chain("ann", "carl")[0])).ThenRefused(t, domain.ErrDelegationUnknown)
	h.When(revokeIt(env(), others[0])).Events(t)
}

func TestAnAdministratorRevokesWhatConcernsTheirTenant(t *testing.T) {
	initech := domain.TenantID{UUID: named("initech")}
	d := chain("ann", "bob")[0]
	d.GrantorTenant, d.DelegateTenant = domain.HomeIn(globex), domain.HomeIn(initech)
	h := staffed().standing(d)
	in := func(at domain.TenantID) outcome {
		e := env()
		e.Tenant = at
		return h.WhenIn(at, revokeIt(e, d))
	}
	for _, at := range []domain.TenantID{acme, globex, initech} {
		in(at).Then(t, placed(takenBack(d, "back"), acme, globex, initech)...)
	}
	in(domain.Root).ThenRefused(t, domain.ErrDelegationUnknown)
	in(domain.TenantID{UUID: named("fourth")}).ThenRefused(t, domain.ErrDelegationUnknown)
}

func TestWithADelegationAllThatRestsOnItEnds(t *testing.T) {
	line := chain("ann", "bob", "carl", "dora")
	side := chain("ann", "bob", "emil")[1]
	side.DelegateTenant, side.Delegate = domain.HomeIn(globex), user("gus")
	over := chain("ann", "bob", "fred")[1]
	apart := chain("ann", "carl", "dora")
	h := offeredTo(staffed().standing(line...), side).standing(over).and(takenBack(over, "")).standing(apart...)
	below := slices.Concat(placed(takenBack(line[1], "parent-ended"), acme), placed(takenBack(line[2], "parent-ended"), acme), placed(takenBack(side, "parent-ended"), acme, globex))
	whole := append(placed(takenBack(line[0], "back"), acme), below...)
	h.When(revokeIt(env(), line[0])).Then(t, whole...)
	h.and(whole...).When(revokeIt(env(), line[0])).ThenNothing(t)
	h.When(revokeIt(env(), line[2])).Then(t, placed(takenBack(line[2], "back"), acme)...)
	// What was left of the records, since they were too many at once, ends when it is said again.
	h.and(takenBack(line[0], "back")).When(revokeIt(env(), line[0])).Then(t, below...)
	h.When(commands.EndDelegation{ID: line[0].Delegation, Reason: "user-deactivated"}.Decide(env())).
		Then(t, append(placed(takenBack(line[0], "user-deactivated"), acme), below...)...)
	h.and(whole...).When(commands.EndDelegation{ID: line[0].Delegation, Reason: "again"}.Decide(env())).ThenNothing(t)
	h.When(commands.EndDelegation{ID: delegation("none"), Reason: "x"}.Decide(env())).ThenNothing(t)
}

func TestOneRevocationRecordsSoManyEndsAtMost(t *testing.T) {
	top := chain("ann", "bob")[0]
	h := staffed().standing(top)
	var all []dcb.Event
	for i := range 5100 {
		d := chain("ann", "bob", "carl")[1]
		d.Delegation = delegation(strconv.Itoa(i))
		all = append(all, d)
	}
	h = h.and(all...)
	ended := h.When(revokeIt(env(), top)).Events(t)
	if len(ended) != 5000 || ended[0].(dcb.Placed).Event.(domain.DelegationRevoked).Delegation != top.Delegation {
		t.Fatalf("%d ends, the first %v; want 5000, and first that of the delegation itself", len(ended), ended[0])
	}
	if rest := h.and(ended...).When(revokeIt(env(), top)).Events(t); len(rest) != 101 {
		t.Errorf("%d are left for the second time, want 101", len(rest))
	}
}

func TestADelegationExpiresOnceItsWindowIsOver(t *testing.T) {
	d := chain("ann", "bob", "carl")[1]
	d.Window.Until = now
	d.DelegateTenant = domain.HomeIn(globex)
	expired := domain.DelegationExpired{Delegation: d.Delegation, Tenant: d.Tenant, Grantor: d.Grantor, Delegate: d.Delegate}
	expire := func(h history) outcome { return h.When(commands.ExpireDelegation{ID: d.Delegation}.Decide(env())) }
	expire(staffed().standing(d)).Then(t, placed(expired, acme, globex)...)
	expire(offeredTo(staffed(), d)).Then(t, placed(expired, acme, globex)...)
	expire(staffed()).ThenNothing(t)
	expire(staffed().standing(d).and(expired)).ThenNothing(t)
	expire(staffed().standing(d).and(takenBack(d, ""))).ThenNothing(t)
	expire(offeredTo(staffed(), d).and(domain.DelegationDeclined{Delegation: d.Delegation})).ThenNothing(t)
	d.Window.Until = now.Add(time.Microsecond)
	expire(staffed().standing(d)).ThenNothing(t)
}

func TestTheDelegationsOfAUserAreThoseThatStand(t *testing.T) {
	forBob, offered, declined, ended := chain("ann", "bob")[0], chain("bob", "carl")[0], chain("bob", "dora")[0], chain("bob", "emil")[0]
	others := chain("ann", "fred", "bob")[0]
	abroad := chain("bob", "gert")[0]
	abroad.DelegateTenant = domain.HomeIn(globex)
	h := offeredTo(offeredTo(staffed().standing(forBob, ended, others, abroad), offered), declined).
		and(domain.DelegationDeclined{Delegation: declined.Delegation, Delegate: user("dora"), Grantor: user("bob")}, takenBack(ended, ""))
	of := domain.DelegationsOf(user("bob"))
	h.When(dcb.From(of).Decide(func() ([]dcb.Event, error) { return nil, nil })).ThenNothing(t)
	for _, d := range []domain.DelegationGranted{forBob, offered, abroad} {
		got, stands := of.Value[d.Delegation]
		if !stands || got.Accepted != (d.Delegation != offered.Delegation) || got.InForce(now) != got.Accepted || got.InForce(d.Window.Until) {
			t.Errorf("%v: %+v", d.Delegation, got)
		}
	}
	if len(of.Value) != 3 {
		t.Errorf("%d delegations, want 3: %+v", len(of.Value), of.Value)
	}
}

func orderedBy(name string) func(*commands.Order) {
	return func(o *commands.Order) { o.Rights, o.Privileged = somebody{rights{}, user(name)}, false }
}

// delegating is a world in which ann has delegated something to bob, who has it.
func delegating(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	for _, name := range []string{"ann", "bob", "carl"} {
		w.must(t, w.order(acme, &commands.RegisterUser{ID: user(name), DisplayName: name}))
	}
	w.must(t, w.order(acme, &commands.GrantDelegation{ID: delegation("first"), Delegate: user("bob"), Until: now.Add(day), Redelegations: 1}, orderedBy("ann")))
	w.must(t, w.order(acme, &commands.AcceptDelegation{ID: delegation("first")}, orderedBy("bob")))
	return w
}

func (w *world) handOn(name string) commands.Order {
	return w.order(acme, &commands.GrantDelegation{ID: delegation(name), Delegate: user("carl"), Parent: delegation("first")}, orderedBy("bob"))
}

func (w *world) revokeFirst() commands.Order {
	return w.order(acme, &commands.RevokeDelegation{ID: delegation("first")}, orderedBy("ann"))
}

func TestADelegationHandedOnWhileItIsRevoked(t *testing.T) {
	w := delegating(t)
	w.log.beforeNextAppend(func() { w.must(t, w.revokeFirst()) })
	w.refused(t, w.handOn("second"), domain.ErrDelegationLoose)
	// The other way round, what was handed on in the meantime ends with the rest.
	w = delegating(t)
	w.log.beforeNextAppend(func() { w.must(t, w.handOn("second")) })
	if r := w.must(t, w.revokeFirst()); len(r.Events) != 2 || w.tried("revoke-delegation") != 2 {
		t.Errorf("ended %+v after %d attempts, want both in the second", r.Events, w.tried("revoke-delegation"))
	}
}

func TestADelegationAcceptedWhileWhatItRestsOnEnds(t *testing.T) {
	for name, c := range map[string]struct {
		rival func(*world) commands.Order
		want  *domain.Refusal
	}{
		"it is revoked": {func(w *world) commands.Order {
			return w.order(acme, &commands.RevokeDelegation{ID: delegation("second")}, orderedBy("bob"))
		}, domain.ErrDelegationOver},
		"the one above is revoked": {(*world).revokeFirst, domain.ErrDelegationOver},
		"the first grantor goes":   {func(w *world) commands.Order { return w.order(acme, &commands.DeactivateUser{ID: user("ann")}) }, domain.ErrDelegationLoose},
		"the tenant forbids it": {func(w *world) commands.Order {
			return w.order(acme, &commands.SetPolicy{Key: domain.Delegable.Key, Value: "false"})
		}, domain.ErrDelegationLoose},
		"the delegate declines it": {func(w *world) commands.Order {
			return w.order(acme, &commands.DeclineDelegation{ID: delegation("second")}, orderedBy("carl"))
		}, domain.ErrDelegationOver},
		"the tenant allows but one": {func(w *world) commands.Order {
			return w.order(acme, &commands.SetPolicy{Key: domain.DelegationDepth.Key, Value: "1"})
		}, domain.ErrDelegationLoose},
		"the grantor is deactivated": {func(w *world) commands.Order { return w.order(acme, &commands.DeactivateUser{ID: user("bob")}) }, domain.ErrDelegationLoose},
	} {
		t.Run(name, func(t *testing.T) {
			w := delegating(t)
			w.must(t, w.handOn("second"))
			w.log.beforeNextAppend(func() { w.must(t, c.rival(w)) })
			w.refused(t, w.order(acme, &commands.AcceptDelegation{ID: delegation("second")}, orderedBy("carl")), c.want)
		})
	}
}

func TestCopiesOfADelegationStandInTheLogOfEachTenant(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, &commands.RegisterUser{ID: user("ann"), DisplayName: "ann"}))
	w.must(t, w.order(globex, &commands.RegisterUser{ID: user("gus"), DisplayName: "gus"}))
	w.must(t, w.order(acme, &commands.SetPolicy{Key: domain.DelegateOut.Key, Value: "true"}))
	w.must(t, w.order(globex, &commands.SetPolicy{Key: domain.DelegateIn.Key, Value: "true"}))
	before := w.head(t)
	grant := w.order(acme, &commands.GrantDelegation{ID: delegation("new"), Delegate: user("gus"), DelegateTenant: "globex", Until: now.Add(day)}, orderedBy("ann"), keyed("grant"))
	first := w.must(t, grant)
	if again := w.must(t, grant); !again.Replayed || again.ID != first.ID || first.ID != delegation("new").UUID {
		t.Errorf("%+v and then %+v", first, again)
	}
	w.must(t, w.order(globex, &commands.AcceptDelegation{ID: delegation("new")}, orderedBy("gus")))
	w.must(t, w.order(globex, &commands.RevokeDelegation{ID: delegation("new")}, orderedBy("gus")))
	events := w.stored(t, before)
	var got []string
	for _, r := range events {
		got = append(got, r.Event.EventType())
	}
	if want := []string{"delegation.granted", "delegation.granted", "delegation.accepted", "delegation.accepted", "delegation.revoked", "delegation.revoked"}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i, r := range events {
		if want := []domain.TenantID{acme, globex}[i%2]; r.Tenant != want.UUID || r.Target != delegation("new").UUID {
			t.Errorf("%s stands in %s, about %s; want %s", r.Event.EventType(), r.Tenant, r.Target, want)
		}
	}
}
