package commands_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// deep is a tenant that lets as many delegations rest on one another as there ever may.
func deep() history { return staffed().and(policy(domain.DelegationDepth, "8")) }

// handedOn is what handOn makes of the last of a chain.
func handedOn(all []domain.DelegationGranted, changes ...func(*domain.DelegationGranted)) domain.DelegationGranted {
	above := newest(all)
	return terms(append([]func(*domain.DelegationGranted){func(e *domain.DelegationGranted) {
		e.Parent, e.Chain, e.Delegate = above.Delegation, append(slices.Clone(above.Chain), above.Delegation), user("dora")
	}}, changes...)...)
}

func TestADelegationIsHandedOn(t *testing.T) {
	one := chain("ann", "chief")
	staffed().standing(one...).When(handOn(one[0].Delegation)).Then(t, placed(handedOn(one), acme)...)
	two := chain("ann", "bob", "chief")
	staffed().standing(two...).When(handOn(two[1].Delegation)).Then(t, placed(handedOn(two), acme)...)
}

func TestWhatTheParentNarrowsTheChildTakesOver(t *testing.T) {
	narrow := chain("ann", "chief")
	narrow[0].Bounds = domain.Bounds{Privileges: []domain.Pattern{"repo.*"}, Roles: []domain.RoleID{role("reader")}, Apps: []domain.App{"repo"}, Resources: []domain.Scope{"repo:web", "repo:app"}}
	h := staffed().standing(narrow...)
	h.When(handOn(narrow[0].Delegation)).Then(t, placed(handedOn(narrow, func(e *domain.DelegationGranted) { e.Bounds = narrow[0].Bounds }), acme)...)
	h.When(handOn(narrow[0].Delegation, func(c *commands.GrantDelegation) {
		c.Privileges, c.Resources, c.Until = []domain.Pattern{"repo.read"}, []domain.Scope{"repo:web"}, now.Add(day)
	})).Then(t, placed(handedOn(narrow, func(e *domain.DelegationGranted) {
		e.Bounds = narrow[0].Bounds
		e.Bounds.Privileges, e.Bounds.Resources, e.Window.Until = []domain.Pattern{"repo.read"}, []domain.Scope{"repo:web"}, now.Add(day)
	}), acme)...)
}

func TestScopeWidenedOnRedelegation(t *testing.T) {
	narrow := chain("ann", "chief")
	narrow[0].Bounds = domain.Bounds{Privileges: []domain.Pattern{"repo.*"}, Roles: []domain.RoleID{role("reader")}, Apps: []domain.App{"repo"}, Resources: []domain.Scope{"repo:web"}}
	narrow[0].Redelegations, narrow[0].Window = 2, domain.Window{From: now.Add(-time.Hour), Until: now.Add(5 * day)}
	h := staffed().standing(narrow...)
	for name, widen := range map[string]func(*commands.GrantDelegation){
		"all privileges":     func(c *commands.GrantDelegation) { c.Privileges = []domain.Pattern{"*"} },
		"another role":       func(c *commands.GrantDelegation) { c.Roles = []domain.RoleID{role("reader"), role("writer")} },
		"another app":        func(c *commands.GrantDelegation) { c.Apps = []domain.App{"repo", "file"} },
		"another resource":   func(c *commands.GrantDelegation) { c.Resources = []domain.Scope{"repo:app"} },
		"an earlier start":   func(c *commands.GrantDelegation) { c.From = now.Add(-2 * time.Hour) },
		"a later end":        func(c *commands.GrantDelegation) { c.Until = now.Add(5*day + time.Microsecond) },
		"as much handing on": func(c *commands.GrantDelegation) { c.Redelegations = 2 },
		"more of handing on": func(c *commands.GrantDelegation) { c.Redelegations = 3 },
		"all, and less again": func(c *commands.GrantDelegation) {
			c.Resources, c.Privileges = []domain.Scope{"repo:web"}, []domain.Pattern{"*"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h.When(handOn(narrow[0].Delegation, widen)).ThenRefused(t, domain.ErrDelegationWider)
		})
	}
	h.When(handOn(narrow[0].Delegation, func(c *commands.GrantDelegation) { c.Redelegations = 1 })).Events(t)
	narrow[0].Bounds.Apps = nil // what is of none of the apps is refused for that
	staffed().standing(narrow...).When(handOn(narrow[0].Delegation, func(c *commands.GrantDelegation) {
		c.Privileges = []domain.Pattern{"repo.read", "repo-admin.*"}
	})).ThenRefused(t, domain.ErrDelegationWider)
}

func TestADelegationIsHandedOnAsOftenAsItSays(t *testing.T) {
	final := chain("ann", "chief")
	final[0].Redelegations = 0
	staffed().standing(final...).When(handOn(final[0].Delegation)).ThenRefused(t, domain.ErrDelegationFinal)
}

func TestNoMoreDelegationsRestOnOneAnotherThanTheTenantAllows(t *testing.T) {
	three := chain("ann", "bob", "carl", "chief")
	staffed().standing(three...).When(handOn(newest(three).Delegation)).ThenRefused(t, domain.ErrDelegationDepth)
	deep().standing(three...).When(handOn(newest(three).Delegation)).Events(t)
	one := chain("ann", "chief")
	staffed().and(policy(domain.DelegationDepth, "1")).standing(one...).When(handOn(one[0].Delegation)).ThenRefused(t, domain.ErrDelegationDepth)
	eight := chain("ann", "bob", "carl", "emil", "fred", "gert", "hans", "ida", "chief")
	h := deep().and(registered("ida")).standing(eight...)
	h.When(handOn(newest(eight).Delegation)).ThenRefused(t, domain.ErrDelegationDepth)
	h.and(policy(domain.DelegationDepth, "9")).When(handOn(newest(eight).Delegation)).ThenRefused(t, domain.ErrDelegationDepth) // whatever a setting says
}

func TestCircularDelegationHoweverLong(t *testing.T) {
	everybody := []string{"dora", "ann", "bob", "carl", "emil", "fred", "chief"}
	for n := range everybody[1:] {
		all := chain(append([]string{"dora"}, everybody[len(everybody)-1-n:]...)...)
		deep().standing(all...).When(handOn(newest(all).Delegation)).ThenRefused(t, domain.ErrDelegationCycle)
	}
	middle := chain("ann", "dora", "bob", "chief")
	deep().standing(middle...).When(handOn(newest(middle).Delegation)).ThenRefused(t, domain.ErrDelegationCycle)
	deep().standing(middle...).When(handOn(newest(middle).Delegation, func(c *commands.GrantDelegation) { c.Delegate = chief })).ThenRefused(t, domain.ErrSelf)
	straight := chain("ann", "emil", "bob", "chief")
	deep().standing(straight...).When(handOn(newest(straight).Delegation)).Events(t)
}

func TestDelegationChainsSplicedFromTwoValidOnes(t *testing.T) {
	mine, theirs := chain("ann", "chief"), chain("bob", "carl", "emil")
	h := deep().standing(mine...).standing(theirs...)
	for _, d := range theirs { // valid, of somebody else's
		h.When(handOn(d.Delegation)).ThenRefused(t, domain.ErrDelegationUnknown)
	}
	h.When(handOn(delegation("none"))).ThenRefused(t, domain.ErrDelegationUnknown)
	// Who grants to oneself by another's hand still stands under what was really granted.
	own := chain("chief", "ann")[0]
	h.standing(own).When(handOn(own.Delegation)).ThenRefused(t, domain.ErrDelegationUnknown)
	h.When(handOn(mine[0].Delegation)).Then(t, placed(handedOn(mine), acme)...)
	// A delegate elsewhere has the same name for it and no other rights.
	h.elsewhere(globex, agreed(theirs[1])).When(handOn(theirs[1].Delegation)).ThenRefused(t, domain.ErrDelegationUnknown)
}

func TestWhatIsHandedOnIsInForceAllTheWayUp(t *testing.T) {
	three := chain("ann", "bob", "chief")
	parent := three[1].Delegation
	initech := domain.TenantID{UUID: named("initech")}
	for name, h := range map[string]history{
		"only offered":            staffed().standing(three[0]).and(copied(three[1], three[1])...),
		"the first only offered":  staffed().and(three[0]).standing(three[1]),
		"revoked":                 staffed().standing(three...).and(takenBack(three[1], "")),
		"the first revoked":       staffed().standing(three...).and(takenBack(three[0], "")),
		"the first declined":      staffed().and(three[0], domain.DelegationDeclined{Delegation: three[0].Delegation}).standing(three[1]),
		"the first expired":       staffed().standing(three...).and(domain.DelegationExpired{Delegation: three[0].Delegation}),
		"the first grantor left":  staffed().standing(three...).and(domain.UserDeactivated{User: user("ann")}),
		"the second grantor left": staffed().standing(three...).and(domain.UserErased{User: user("bob")}),
	} {
		t.Run(name, func(t *testing.T) { h.When(handOn(parent)).ThenRefused(t, domain.ErrDelegationLoose) })
	}
	for i := range three {
		later := slices.Clone(three)
		later[i].Window.From = now.Add(time.Hour)
		staffed().standing(later...).When(handOn(parent, func(c *commands.GrantDelegation) { c.From = now.Add(2 * time.Hour) })).ThenRefused(t, domain.ErrDelegationLoose)
		over := slices.Clone(three)
		over[i].Window.Until = now
		staffed().standing(over...).When(handOn(parent, func(c *commands.GrantDelegation) { c.Until = now.Add(time.Hour) })).ThenRefused(t, domain.ErrDelegationLoose)
	}
	// The first comes from another tenant: that one says, as long as it lasts.
	far := chain("ann", "bob", "chief")
	for i := range far {
		far[i].Tenant = domain.HomeIn(initech)
	}
	far[0].GrantorTenant, far[0].Grantor = domain.HomeIn(initech), user("ingo")
	h := staffed().and(domain.TenantCreated{Tenant: initech}, policy(domain.DelegateIn, "true")).
		elsewhere(initech, registered("ingo"), policyIn(initech, domain.DelegateOut, "true")).standing(far...)
	h.When(handOn(parent)).Then(t, placed(handedOn(far, func(e *domain.DelegationGranted) { e.Tenant = domain.HomeIn(initech) }), initech, acme)...)
	for name, h := range map[string]history{
		"suspended":         h.and(domain.TenantSuspended{Tenant: initech}),
		"no longer out":     h.elsewhere(initech, policyIn(initech, domain.DelegateOut, "false")),
		"no longer in":      h.and(policy(domain.DelegateIn, "false")),
		"the grantor is no": h.elsewhere(initech, domain.UserDeactivated{User: user("ingo")}),
	} {
		t.Run(name, func(t *testing.T) { h.When(handOn(parent)).ThenRefused(t, domain.ErrDelegationLoose) })
	}
	h.elsewhere(initech, policyIn(initech, domain.Delegable, "false")).When(handOn(parent)).ThenRefused(t, domain.ErrDelegationsOff)
	h.elsewhere(initech, policyIn(initech, domain.DelegationDepth, "2")).When(handOn(parent)).ThenRefused(t, domain.ErrDelegationDepth)
	h.elsewhere(initech, policyIn(initech, domain.DelegationDays, "1")).When(handOn(parent)).ThenRefused(t, domain.ErrTooLong)
	h.and(policy(domain.Delegable, "false"), policy(domain.DelegationDepth, "1"), policy(domain.DelegationDays, "1")).When(handOn(parent)).Events(t)
}

func TestATokenHandsOnNoMoreThanItIsWorth(t *testing.T) {
	open, narrow := chain("ann", "chief"), chain("ann", "chief")
	narrow[0].Bounds.Privileges = []domain.Pattern{"repo.read"}
	on := func(parent []domain.DelegationGranted) outcome {
		c := commands.GrantDelegation{ID: delegation("new"), Delegate: user("dora"), Parent: parent[0].Delegation}
		return staffed().standing(parent...).When(c.Decide(by(rights{ceiling: []domain.Pattern{"repo.*"}})))
	}
	on(open).ThenRefused(t, domain.ErrMayNotGive)
	on(narrow).Events(t)
}

// offeredTo is a history in which ann has offered the acting user something, on top of what stands.
func offeredTo(h history, d domain.DelegationGranted) history { return h.and(copied(d, d)...) }

func accept(d domain.DelegationGranted) dcb.Decision {
	return commands.AcceptDelegation{ID: d.Delegation}.Decide(unprivileged(having()))
}

func decline(d domain.DelegationGranted) dcb.Decision {
	return commands.DeclineDelegation{ID: d.Delegation, Reason: "no time"}.Decide(unprivileged(having()))
}

func TestTheDelegateAcceptsOrDeclinesOnce(t *testing.T) {
	d := chain("ann", "chief")[0]
	h := offeredTo(staffed(), d)
	declined := domain.DelegationDeclined{Delegation: d.Delegation, Tenant: d.Tenant, Grantor: d.Grantor, Delegate: d.Delegate, Reason: "no time"}
	h.When(accept(d)).Then(t, placed(agreed(d), acme)...)
	h.When(decline(d)).Then(t, placed(declined, acme)...)
	h.and(agreed(d)).When(accept(d)).ThenNothing(t)
	h.and(agreed(d)).When(decline(d)).ThenRefused(t, domain.ErrDelegationAccepted)
	for _, end := range []dcb.Event{declined, takenBack(d, ""), domain.DelegationExpired{Delegation: d.Delegation}} {
		h.and(end).When(accept(d)).ThenRefused(t, domain.ErrDelegationOver)
		h.and(agreed(d), end).When(accept(d)).ThenRefused(t, domain.ErrDelegationOver)
		h.and(end).When(decline(d)).ThenNothing(t)
	}
	d.Window.Until = now
	offeredTo(staffed(), d).When(accept(d)).ThenRefused(t, domain.ErrDelegationOver)
	h.When(commands.DeclineDelegation{ID: d.Delegation, Reason: " "}.Decide(env())).ThenInvalid(t, "/reason")
	abroad := chain("ann", "chief")[0]
	abroad.Tenant, abroad.GrantorTenant, abroad.Grantor = domain.HomeIn(globex), domain.HomeIn(globex), user("gus")
	crossing := offeredTo(staffed().and(policy(domain.DelegateIn, "true")).elsewhere(globex, policyIn(globex, domain.DelegateOut, "true")), abroad)
	crossing.When(accept(abroad)).Then(t, placed(agreed(abroad), globex, acme)...)
}

func TestNobodyAcceptsForSomebodyElse(t *testing.T) {
	granted, others, none := chain("chief", "ann")[0], chain("bob", "carl")[0], chain("ann", "bob")[0]
	h := offeredTo(offeredTo(staffed(), granted), others)
	for _, d := range []domain.DelegationGranted{granted, others, none} { // whatever the caller may, and whoever asked for it
		h.When(commands.AcceptDelegation{ID: d.Delegation}.Decide(env())).ThenRefused(t, domain.ErrDelegationUnknown)
		h.When(commands.DeclineDelegation{ID: d.Delegation}.Decide(env())).ThenRefused(t, domain.ErrDelegationUnknown)
	}
	mine := chain("ann", "chief")[0]
	offeredTo(staffed(), mine).WhenIn(domain.Root, commands.AcceptDelegation{ID: mine.Delegation}.Decide(onPlatform(env()))).ThenRefused(t, domain.ErrDelegationUnknown)
}

func TestWhatADelegationRestsOnIsJudgedAnewWhenItIsAccepted(t *testing.T) {
	three := chain("ann", "bob", "chief")
	d := three[1]
	h := offeredTo(staffed().standing(three[0]), d)
	h.When(accept(d)).Events(t)
	for name, now := range map[string]history{
		"the grantor left":            h.and(domain.UserDeactivated{User: user("bob")}),
		"the first grantor left":      h.and(domain.UserDeactivated{User: user("ann")}),
		"the one above was revoked":   h.and(takenBack(three[0], "")),
		"the one above expired":       h.and(domain.DelegationExpired{Delegation: three[0].Delegation}),
		"nobody delegates any more":   h.and(policy(domain.Delegable, "false")),
		"no so many may rest on one":  h.and(policy(domain.DelegationDepth, "1")),
		"so long is too long":         h.and(policy(domain.DelegationDays, "1")),
		"the delegate is not active":  h.and(domain.UserDeactivated{User: chief}),
		"the one above was not taken": offeredTo(staffed(), d).and(three[0]),
	} {
		t.Run(name, func(t *testing.T) { now.When(accept(d)).ThenRefused(t, domain.ErrDelegationLoose) })
	}
	abroad := chain("ann", "chief")[0]
	abroad.Tenant, abroad.GrantorTenant, abroad.Grantor = domain.HomeIn(globex), domain.HomeIn(globex), user("gus")
	both := offeredTo(staffed().and(policy(domain.DelegateIn, "true")).elsewhere(globex, policyIn(globex, domain.DelegateOut, "true")), abroad)
	both.When(accept(abroad)).Events(t)
	for name, now := range map[string]history{
		"no longer out":    both.elsewhere(globex, policyIn(globex, domain.DelegateOut, "false")),
		"no longer in":     both.and(policy(domain.DelegateIn, "false")),
		"suspended":        both.and(domain.TenantSuspended{Tenant: globex}),
		"the grantor left": both.elsewhere(globex, domain.UserDeactivated{User: user("gus")}),
	} {
		t.Run("abroad "+name, func(t *testing.T) { now.When(accept(abroad)).ThenRefused(t, domain.ErrDelegationLoose) })
	}
}

func TestWhatADelegateCouldUseIsKeptApartFromTheirOwn(t *testing.T) {
	apart := domain.ConstraintCreated{Constraint: constraint("apart"), Tenant: acme, Name: "apart", Kind: domain.Exclusive, Most: 1}
	fine := domain.Verdict{Judged: []domain.ConstraintID{apart.Constraint}}
	broken := domain.Verdict{Judged: fine.Judged, Broken: []domain.ConstraintCreated{apart}}
	var asked []domain.Change
	see := func(c domain.Change) { asked = append(asked, c) }
	staffed().When(grant(judged(broken, nil))).ThenRefused(t, domain.ErrConstraint)
	staffed().When(grant(judged(fine, see))).Then(t, placed(terms(), acme)...)
	d := chain("ann", "chief")[0]
	accept := func(h history, d domain.DelegationGranted, v domain.Verdict) outcome {
		return h.When(commands.AcceptDelegation{ID: d.Delegation}.Decide(judged(v, see)))
	}
	agreement := agreed(d)
	agreement.Judged = fine.Judged
	accept(offeredTo(staffed(), d), d, broken).ThenRefused(t, domain.ErrConstraint)
	accept(offeredTo(staffed(), d), d, fine).Then(t, placed(agreement, acme)...)
	for _, c := range asked {
		if _, is := c.Events[0].(domain.DelegationGranted); !is || c.Tenant != acme || len(c.Events) != 1 {
			t.Errorf("%+v is judged", c)
		}
	}
	// Those of another tenant show in nothing but that it cannot be, and are noted there alone.
	abroad := chain("ann", "chief")[0]
	abroad.Tenant, abroad.GrantorTenant, abroad.Grantor = domain.HomeIn(globex), domain.HomeIn(globex), user("gus")
	h := offeredTo(staffed().and(policy(domain.DelegateIn, "true")).elsewhere(globex, policyIn(globex, domain.DelegateOut, "true")), abroad)
	accept(h, abroad, broken).ThenRefused(t, domain.ErrDelegationLoose)
	noted := agreed(abroad)
	noted.Judged = fine.Judged
	accept(h, abroad, fine).Then(t, append(placed(noted, globex), placed(agreed(abroad), acme)...)...)
	// What moves between the question and the rule starts the decision over.
	calls := 0
	moving := judged(fine, nil)
	moving.Judge = func(domain.Change) domain.Verdict {
		calls++
		if calls > 1 {
			return fine
		}
		return domain.Verdict{}
	}
	err := offeredTo(staffed(), d).When(commands.AcceptDelegation{ID: d.Delegation}.Decide(moving)).Err()
	if !errors.Is(err, dcb.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}
