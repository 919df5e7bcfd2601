package commands_test

import (
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func approvalOf(a domain.AssignmentID) domain.ApprovalID { return domain.ApprovalID(a) }

// guarded is staff of a tenant in which the role reader is not given without somebody else's approval.
func guarded() history {
	return staff().and(policy(domain.ApproveRoles, role("reader").String()))
}

// wanted is a request of bob that ann gets the role reader.
func wanted(changes ...func(*domain.ApprovalRequested)) domain.ApprovalRequested {
	e := domain.ApprovalRequested{
		Approval: approvalOf(assignment("new")), By: user("bob"), User: user("ann"), Assignment: assigned(nil), Reason: "on call",
		ExpiresAt: now.Add(time.Hour),
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func onBehalfOf(who domain.UserID) func(*domain.ApprovalRequested) {
	return func(e *domain.ApprovalRequested) { e.For = who }
}

func askedBy(who domain.UserID) func(*domain.ApprovalRequested) {
	return func(e *domain.ApprovalRequested) { e.By = who }
}

func askedUntil(when time.Time) func(*domain.ApprovalRequested) {
	return func(e *domain.ApprovalRequested) { e.ExpiresAt = when }
}

func approval(e commands.Env) dcb.Decision {
	return commands.ApproveRequest{ID: approvalOf(assignment("new")), Reason: "fine"}.Decide(e)
}

func denial(e commands.Env) dcb.Decision {
	return commands.DenyRequest{ID: approvalOf(assignment("new")), Reason: "no"}.Decide(e)
}

func withdrawal(e commands.Env) dcb.Decision {
	return commands.CancelRequest{ID: approvalOf(assignment("new")), Reason: "a mistake"}.Decide(e)
}

func requestApproved() domain.ApprovalGiven {
	return domain.ApprovalGiven{Approval: approvalOf(assignment("new")), By: chief, Reason: "fine"}
}

func requestDenied() domain.ApprovalDenied {
	return domain.ApprovalDenied{Approval: approvalOf(assignment("new")), By: chief, Reason: "no"}
}

func requestWithdrawn() domain.ApprovalCancelled {
	return domain.ApprovalCancelled{Approval: approvalOf(assignment("new")), Reason: "a mistake"}
}

func requestExpired() domain.ApprovalExpired {
	return domain.ApprovalExpired{Approval: approvalOf(assignment("new"))}
}

// tiedBy is a delegation that is in force; the chain names those above it.
func tiedBy(name string, grantor, delegate domain.UserID, chain ...string) []dcb.Event {
	e := domain.DelegationGranted{
		Delegation: delegation(name), Tenant: domain.HomeIn(acme), Grantor: grantor, GrantorTenant: domain.HomeIn(acme),
		Delegate: delegate, DelegateTenant: domain.HomeIn(acme), Window: domain.Window{From: now.Add(-time.Hour), Until: now.Add(time.Hour)},
	}
	for _, above := range chain {
		e.Chain = append(e.Chain, delegation(above))
		e.Parent = delegation(above)
	}
	return []dcb.Event{e, domain.DelegationAccepted{Delegation: e.Delegation, Tenant: e.Tenant, Grantor: grantor, Delegate: delegate}}
}

// forByDelegation is a caller who acts for somebody by a delegation, asByImpersonation one who acts as them.
func forByDelegation(e commands.Env, of domain.UserID) commands.Env {
	e.Delegation = delegation("used")
	e.Rights = rights{all: true, acts: of}
	return e
}

func asByImpersonation(e commands.Env, of domain.UserID) commands.Env {
	e.Impersonation = domain.ImpersonationID{UUID: named("impersonation")}
	e.Rights = rights{all: true, acts: of}
	return e
}

func TestAnAssignmentThatNeedsApprovalIsAskedForAndNotGiven(t *testing.T) {
	ask := func(h history, change func(*commands.AssignRole)) outcome { return h.When(assign(change)) }
	request := wanted(askedBy(chief), askedUntil(now.Add(24*time.Hour)), func(e *domain.ApprovalRequested) { e.Reason = "" })
	ask(guarded(), nil).Then(t, request)
	ask(guarded().and(policy(domain.ApprovalHours, "2")), nil).Then(t, wanted(askedBy(chief), askedUntil(now.Add(2*time.Hour)), func(e *domain.ApprovalRequested) { e.Reason = "" }))
	for name, patterns := range map[string]string{"the privilege": "file.read", "a pattern of it": "file.*", "everything": "*", "among others": "x.y file.read"} {
		t.Run(name, func(t *testing.T) { ask(staff().and(policy(domain.ApprovePrivileges, patterns)), nil).Then(t, request) })
	}
	ask(staff().and(policy(domain.ApprovePrivileges, "file.write repo.*"), policy(domain.ApproveRoles, role("other").String())), nil).Then(t, assigned(nil))
	ask(guarded().and(domain.PolicyReset{Policy: domain.ApproveRoles.ID(acme), Key: domain.ApproveRoles.Key, Version: 2}), nil).Then(t, assigned(nil))
	staff().elsewhere(globex, policy(domain.ApproveRoles, role("reader").String())).When(assign(nil)).Then(t, assigned(nil))

	team := ask(guarded(), func(c *commands.AssignRole) {
		c.User, c.Group, c.Reason = domain.UserID{}, group("crew"), "on call"
	}).Events(t)
	if e := team[0].(domain.ApprovalRequested); len(team) != 1 || !e.User.IsZero() || e.Assignment.Group != group("crew") || e.Reason != "on call" {
		t.Errorf("asked for %+v", e)
	}
	h := guarded()
	e := having("file.read")
	e.Delegation, e.Rights = delegation("used"), rights{wide: []domain.Pattern{"file.read"}, acts: user("bob")}
	h.When(assignBy(e, nil)).Then(t, wanted(askedBy(chief), onBehalfOf(user("bob")), askedUntil(now.Add(24*time.Hour)), func(e *domain.ApprovalRequested) { e.Reason = "" }))
	h.When(assignBy(ofSystem(), nil)).Then(t, assigned(nil))
}

func TestARoleThatInheritsFromOneThatNeedsApprovalNeedsItToo(t *testing.T) {
	heirs := []dcb.Event{roleMade("mid"), inherits("mid", "reader"), roleMade("top"), inherits("top", "mid")}
	for _, h := range []history{guarded().and(heirs...), staff().and(heirs...).and(policy(domain.ApprovePrivileges, "file.*"))} {
		events := h.When(assign(func(c *commands.AssignRole) { c.Role = role("top") })).Events(t)
		if _, asks := events[0].(domain.ApprovalRequested); len(events) != 1 || !asks {
			t.Errorf("decided %v", events)
		}
	}
	above := staff().and(heirs...).and(policy(domain.ApproveRoles, role("top").String()))
	above.When(assign(nil)).Then(t, assigned(nil))
}

func TestWhatIsRefusedIsNotAskedForEither(t *testing.T) {
	guarded().When(assignBy(having("file.write"), nil)).ThenRefused(t, domain.ErrMayNotGive)
	guarded().When(assign(func(c *commands.AssignRole) { c.User = user("none") })).ThenRefused(t, domain.ErrUserUnknown)
	guarded().and(assigned(func(e *domain.RoleAssigned) { e.Assignment = assignment("old") })).When(assign(nil)).ThenRefused(t, domain.ErrAssignmentTwice)
	for _, h := range []history{guarded().and(wanted()), guarded().and(wanted(), requestDenied()), staff().and(wanted(), requestExpired()), guarded().elsewhere(globex, wanted())} {
		h.When(assign(nil)).ThenRefused(t, domain.ErrIDTaken)
	}
}

func TestSomebodyElseApprovesAndItIsGivenWithThat(t *testing.T) {
	h := guarded().and(wanted())
	h.When(approval(env())).Then(t, requestApproved(), assigned(nil))
	h.When(approval(having("file.read"))).Then(t, requestApproved(), assigned(nil))
	h.When(commands.ApproveRequest{ID: approvalOf(assignment("new")), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
	given().When(approval(env())).ThenRefused(t, domain.ErrApprovalUnknown)
	given().elsewhere(globex, wanted()).When(approval(env())).ThenRefused(t, domain.ErrApprovalUnknown)
	later := wanted(func(e *domain.ApprovalRequested) {
		e.Assignment.Window = domain.Window{From: now.Add(-day), Until: now.Add(day)}
	})
	guarded().and(later).When(approval(env())).Then(t, requestApproved(), later.Assignment)
	h.and(domain.PolicyReset{Policy: domain.ApproveRoles.ID(acme), Key: domain.ApproveRoles.Key, Version: 2}).When(approval(env())).Then(t, requestApproved(), assigned(nil))
}

func TestARequestHasOneAnswerAndTheSameAgainChangesNothing(t *testing.T) {
	answers := map[string]struct {
		event dcb.Event
		give  func(commands.Env) dcb.Decision
	}{
		"approved": {requestApproved(), approval}, "denied": {requestDenied(), denial}, "withdrawn": {requestWithdrawn(), withdrawal},
	}
	for had, first := range answers {
		for gets, second := range answers {
			o := guarded().and(wanted(), first.event).When(second.give(env()))
			if had == gets {
				o.ThenNothing(t)
			} else {
				o.ThenRefused(t, domain.ErrApprovalOver)
			}
		}
		h := guarded().and(wanted())
		h.When(first.give(env())).Events(t)
		h.and(requestExpired()).When(first.give(env())).ThenRefused(t, domain.ErrApprovalExpired)
		given().When(first.give(env())).ThenRefused(t, domain.ErrApprovalUnknown)
	}
	guarded().and(wanted()).When(denial(env())).Then(t, requestDenied())
	guarded().and(wanted()).When(withdrawal(env())).Then(t, requestWithdrawn())
	guarded().and(wanted()).When(commands.DenyRequest{ID: approvalOf(assignment("new")), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
	guarded().and(wanted()).When(commands.CancelRequest{ID: approvalOf(assignment("new")), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
}

func TestAnApprovalUsedTwiceGivesOnce(t *testing.T) {
	h := guarded().and(wanted(), requestApproved(), assigned(nil))
	h.When(approval(env())).ThenNothing(t)
	h.and(domain.RoleUnassigned{Assignment: assignment("new"), Role: role("reader"), User: user("ann")}).When(approval(env())).ThenNothing(t)
}

func TestAnExpiredRequestIsNotApprovedWhetherOrNotThatIsOnRecord(t *testing.T) {
	for _, answer := range []func(commands.Env) dcb.Decision{approval, denial, withdrawal} {
		guarded().and(wanted(askedUntil(now))).When(answer(env())).ThenRefused(t, domain.ErrApprovalExpired)
		guarded().and(wanted(askedUntil(now)), requestExpired()).When(answer(env())).ThenRefused(t, domain.ErrApprovalExpired)
		guarded().and(wanted(askedUntil(now.Add(1)))).When(answer(env())).Events(t)
	}
}

func TestNobodyApprovesTheirOwnRequest(t *testing.T) {
	self := wanted(askedBy(chief))
	guarded().and(self).When(approval(env())).ThenRefused(t, domain.ErrFourEyes)
	guarded().and(wanted(onBehalfOf(chief))).When(approval(env())).ThenRefused(t, domain.ErrFourEyes)
	guarded().and(wanted(), self).When(approval(env())).ThenRefused(t, domain.ErrFourEyes)
}

func TestNobodyApprovesWhatTheyAreToGet(t *testing.T) {
	mine := wanted(func(e *domain.ApprovalRequested) { e.User, e.Assignment.User = chief, chief })
	me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
	guarded().and(me, mine).When(approval(env())).ThenRefused(t, domain.ErrFourEyes)
}

func TestNobodyApprovesThroughADelegate(t *testing.T) {
	h := guarded().and(wanted())
	h.When(approval(forByDelegation(env(), user("bob")))).ThenRefused(t, domain.ErrActing)
	h.When(approval(forByDelegation(env(), user("cat")))).ThenRefused(t, domain.ErrActing)
	h.When(denial(forByDelegation(env(), user("cat")))).ThenRefused(t, domain.ErrActing)
}

func TestNobodyApprovesWhileImpersonating(t *testing.T) {
	h := guarded().and(wanted())
	h.When(approval(asByImpersonation(env(), user("bob")))).ThenRefused(t, domain.ErrActing)
	h.When(approval(asByImpersonation(env(), user("cat")))).ThenRefused(t, domain.ErrActing)
	h.When(denial(asByImpersonation(env(), user("cat")))).ThenRefused(t, domain.ErrActing)
}

func TestNobodyApprovesWhatTheirGrantorOrTheirDelegateAskedFor(t *testing.T) {
	bob, cat := user("bob"), user("cat")
	for name, c := range map[string]struct {
		tie     []dcb.Event
		request domain.ApprovalRequested
	}{
		"the requester's delegate":              {tiedBy("d", bob, chief), wanted()},
		"the requester's grantor":               {tiedBy("d", chief, bob), wanted()},
		"the delegate of whom it was asked for": {tiedBy("d", cat, chief), wanted(onBehalfOf(cat))},
		"the grantor of whom it was asked for":  {tiedBy("d", chief, cat), wanted(onBehalfOf(cat))},
		"the delegate of who gets it":           {tiedBy("d", user("ann"), chief), wanted()},
		"the requester's delegate, through cat": {append(tiedBy("d", bob, cat), tiedBy("e", cat, chief, "d")...), wanted()},
		"the requester's grantor, through cat":  {append(tiedBy("d", chief, cat), tiedBy("e", cat, bob, "d")...), wanted()},
		"the delegate, two delegations further": {append(append(tiedBy("d", bob, user("x")), tiedBy("e", user("x"), cat, "d")...), tiedBy("f", cat, chief, "d", "e")...), wanted()},
	} {
		t.Run(name, func(t *testing.T) {
			guarded().and(c.tie...).and(c.request).When(approval(env())).ThenRefused(t, domain.ErrFourEyesTied)
			guarded().elsewhere(globex, c.tie...).and(c.request).When(approval(env())).ThenRefused(t, domain.ErrFourEyesTied)
		})
	}
	tie := tiedBy("d", bob, chief)
	granted := tie[0].(domain.DelegationGranted)
	ended := func(e dcb.Event) []dcb.Event { return append(tiedBy("d", bob, chief), e) }
	at := func(from, until time.Time) []dcb.Event {
		e := granted
		e.Window = domain.Window{From: from, Until: until}
		return []dcb.Event{e, tie[1]}
	}
	id := domain.DelegationRevoked{Delegation: granted.Delegation, Tenant: granted.Tenant, Grantor: bob, Delegate: chief}
	for name, loose := range map[string][]dcb.Event{
		"only offered": tie[:1], "revoked": ended(id), "declined": {granted, domain.DelegationDeclined{Delegation: id.Delegation, Tenant: id.Tenant, Grantor: bob, Delegate: chief}},
		"expired": ended(domain.DelegationExpired{Delegation: id.Delegation, Tenant: id.Tenant, Grantor: bob, Delegate: chief}),
		"over":    at(now.Add(-day), now), "to come": at(now.Add(1), now.Add(day)),
		"of others": tiedBy("d", bob, cat), "of a common delegate": append(tiedBy("d", bob, cat), tiedBy("e", chief, cat)...),
	} {
		t.Run(name, func(t *testing.T) {
			guarded().and(loose...).and(wanted()).When(approval(env())).Then(t, requestApproved(), assigned(nil))
		})
	}
}

func TestWhoeverApprovesMustHoldWhatTheRoleGivesNow(t *testing.T) {
	h := guarded().and(wanted())
	h.When(approval(having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
	more := h.and(holds("reader", "file.write"))
	more.When(approval(having("file.read"))).ThenRefused(t, domain.ErrMayNotGive)
	more.When(approval(having("file.*"))).Then(t, requestApproved(), assigned(nil))
	heir := h.and(roleMade("all"), holds("all", "repo.read"), inherits("reader", "all"))
	heir.When(approval(having("file.read"))).ThenRefused(t, domain.ErrMayNotGive)
}

func TestWhatCannotBeGivenAnyMoreIsNotApproved(t *testing.T) {
	h := guarded().and(wanted())
	h.and(domain.UserDeactivated{User: user("ann")}).When(approval(env())).ThenRefused(t, domain.ErrUserNotActive)
	h.and(erased("ann")).When(approval(env())).ThenRefused(t, domain.ErrApprovalMoot)
	h.and(roleGone("reader")).When(approval(env())).ThenRefused(t, domain.ErrApprovalMoot)
	h.and(assigned(func(e *domain.RoleAssigned) { e.Assignment = assignment("old") })).When(approval(env())).ThenRefused(t, domain.ErrAssignmentTwice)
	over := wanted(func(e *domain.ApprovalRequested) {
		e.Assignment.Window = domain.Window{From: now.Add(-day), Until: now}
	})
	guarded().and(over).When(approval(env())).ThenRefused(t, domain.ErrApprovalMoot)
	h.and(domain.UserDeactivated{User: user("ann")}).When(denial(env())).Then(t, requestDenied())
}

func TestWhatTheTenantHasComeToDemandOfAssignmentsIsDemandedOfThoseThatWait(t *testing.T) {
	h := guarded().and(wanted())
	h.and(policy(domain.ReasonRequired, "true")).When(approval(env())).ThenRefused(t, domain.ErrReasonRequired)
	h.and(policy(domain.AssignmentDays, "7")).When(approval(env())).ThenRefused(t, domain.ErrTooLong)
}

func TestARequestIsWithdrawnByWhoAskedOrByWhoMay(t *testing.T) {
	mine, onMyBehalf := guarded().and(wanted(askedBy(chief))), guarded().and(wanted(onBehalfOf(chief)))
	me := unprivileged(having())
	mine.When(withdrawal(me)).Then(t, requestWithdrawn())
	onMyBehalf.When(withdrawal(me)).Then(t, requestWithdrawn())
	guarded().and(wanted()).When(withdrawal(me)).ThenRefused(t, domain.ErrApprovalUnknown)
	guarded().and(wanted(), requestDenied()).When(withdrawal(me)).ThenRefused(t, domain.ErrApprovalUnknown)
	mine.When(withdrawal(unprivileged(forByDelegation(env(), chief)))).ThenRefused(t, domain.ErrApprovalUnknown)
	guarded().and(wanted()).When(withdrawal(having())).Then(t, requestWithdrawn())
}

func TestARequestRunsOutOnceAndWhenItIsTime(t *testing.T) {
	expire := func() dcb.Decision {
		return commands.ExpireApproval{ID: approvalOf(assignment("new"))}.Decide(ofSystem())
	}
	drop := func() dcb.Decision {
		return commands.DropApproval{ID: approvalOf(assignment("new")), Reason: "a mistake"}.Decide(ofSystem())
	}
	due := guarded().and(wanted(askedUntil(now)))
	due.When(expire()).Then(t, requestExpired())
	due.When(drop()).ThenNothing(t)
	guarded().and(wanted()).When(expire()).ThenNothing(t)
	guarded().and(wanted()).When(drop()).Then(t, requestWithdrawn())
	for _, h := range []history{given(), due.and(requestExpired()), due.and(requestApproved(), assigned(nil)), due.and(requestDenied()), due.and(requestWithdrawn())} {
		h.When(expire()).ThenNothing(t)
		h.When(drop()).ThenNothing(t)
	}
}

// Over the log in memory.

// requesting is a world in which a request for approval waits.
func requesting(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.must(t, w.order(acme, &commands.RegisterUser{ID: user("ann"), DisplayName: "Ann"}))
	w.must(t, w.order(acme, &commands.CreateRole{ID: role("reader"), Name: "reader"}))
	w.must(t, w.order(acme, &commands.SetPolicy{Key: domain.ApproveRoles.Key, Value: role("reader").String()}))
	asked := w.must(t, w.order(acme, &commands.AssignRole{ID: assignment("new"), Role: role("reader"), User: user("ann")}, ordering(user("bob"))))
	if asked.ID != assignment("new").UUID || len(asked.Events) != 1 || asked.Events[0].Type != "approval.requested" {
		t.Fatalf("answered %+v", asked)
	}
	return w
}

// ordering is the order of somebody else from whom nothing is kept.
func ordering(who domain.UserID) func(*commands.Order) {
	return func(o *commands.Order) {
		o.Rights = somebody{rights{all: true}, who}
		o.By.Actor, o.By.Effective = who.UUID, who.UUID
	}
}

type somebody struct {
	rights
	who domain.UserID
}

func (p somebody) Actor() domain.UserID     { return p.who }
func (p somebody) Effective() domain.UserID { return p.who }

func (w *world) countOf(t *testing.T, typ string) (n int) {
	t.Helper()
	for _, r := range w.stored(t, 0) {
		if r.Event.EventType() == typ {
			n++
		}
	}
	return n
}

func TestOfTwoWhoApproveAtTheSameTimeOneDoes(t *testing.T) {
	w := requesting(t)
	rival := func() commands.Order {
		return w.order(acme, &commands.ApproveRequest{ID: approvalOf(assignment("new"))}, ordering(user("cat")))
	}
	w.log.beforeNextAppend(func() { w.must(t, rival()) })
	w.must(t, w.order(acme, &commands.ApproveRequest{ID: approvalOf(assignment("new"))}))
	if given, assigned := w.countOf(t, "approval.given"), w.countOf(t, "role.assigned"); given != 1 || assigned != 1 {
		t.Errorf("approved %d times, assigned %d times", given, assigned)
	}
}

func TestOfAnApprovalAndAWithdrawalAtTheSameTimeOneWins(t *testing.T) {
	approve := func(w *world) commands.Order {
		return w.order(acme, &commands.ApproveRequest{ID: approvalOf(assignment("new"))})
	}
	cancel := func(w *world) commands.Order {
		return w.order(acme, &commands.CancelRequest{ID: approvalOf(assignment("new"))}, ordering(user("bob")))
	}
	w := requesting(t)
	w.log.beforeNextAppend(func() { w.must(t, cancel(w)) })
	w.refused(t, approve(w), domain.ErrApprovalOver)
	if n := w.countOf(t, "role.assigned"); n != 0 {
		t.Errorf("assigned %d times", n)
	}
	w = requesting(t)
	w.log.beforeNextAppend(func() { w.must(t, approve(w)) })
	w.refused(t, cancel(w), domain.ErrApprovalOver)
	if n := w.countOf(t, "approval.cancelled"); n != 0 {
		t.Errorf("withdrawn %d times", n)
	}
}

func TestARoleEditedWhileSomebodyApprovesIsJudgedAsItIsThen(t *testing.T) {
	w := requesting(t)
	w.log.beforeNextAppend(func() {
		w.must(t, w.order(domain.Root, &commands.RegisterPrivilege{Name: "file.write", Description: "Write."}))
		w.must(t, w.order(acme, &commands.AddRolePrivilege{ID: role("reader"), Privilege: "file.write"}))
	})
	approve := w.order(acme, &commands.ApproveRequest{ID: approvalOf(assignment("new"))})
	approve.Rights = rights{wide: []domain.Pattern{"file.read"}}
	w.refused(t, approve, domain.ErrMayNotGive)
}

func TestAnIDThatARequestHasIsNobodyElses(t *testing.T) {
	w := requesting(t)
	other := &commands.AssignRole{ID: assignment("new"), Role: role("reader"), User: user("ann")}
	w.refused(t, w.order(acme, other), domain.ErrIDTaken)
	w.must(t, w.order(acme, &commands.DenyRequest{ID: approvalOf(assignment("new"))}))
	w.refused(t, w.order(acme, other), domain.ErrIDTaken)
}
