package commands_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/apitoken"
	"chancery/internal/dcb"
)

func impersonation(name string) domain.ImpersonationID {
	return domain.ImpersonationID{UUID: named("impersonation " + name)}
}

// impersonator is a caller of the tenant, in a session.
func impersonator(r rights) commands.Env {
	e := by(r)
	e.Home, e.Session = acme, session("chief")
	return e
}

// actAs is by one who has every right of the user.
func actAs(who string, changes ...func(*commands.StartImpersonation)) dcb.Decision {
	return actAsBy(impersonator(rights{covers: []domain.UserID{user(who)}}), who, changes...)
}

func actAsBy(e commands.Env, who string, changes ...func(*commands.StartImpersonation)) dcb.Decision {
	c := commands.StartImpersonation{ID: impersonation("i"), User: user(who), Reason: "the page stays empty"}
	for _, change := range changes {
		change(&c)
	}
	return c.Decide(e)
}

func during(minutes int) func(*commands.StartImpersonation) {
	return func(c *commands.StartImpersonation) { c.Minutes = minutes }
}

func consentWord(word string) domain.PolicySet { return policy(domain.ImpersonationWord, word) }

// atOnce is a tenant with ann, in which nobody need be asked.
func atOnce() history { return given(registered("ann"), consentWord(domain.Allowed)) }

// onRequest is one in which somebody must be, and of which chief is a user.
func onRequest(more ...dcb.Event) history {
	return given(registered("ann"), registered("bob"), consentWord(domain.OnRequest)).and(more...)
}

func begun(name, who string, minutes int) domain.ImpersonationStarted {
	_, hash := hashed("secret impersonation " + impersonation(name).String())
	return domain.ImpersonationStarted{
		Impersonation: impersonation(name), Admin: chief, AdminTenant: domain.HomeIn(acme), Target: user(who), Scopes: []domain.Pattern{domain.Everything},
		Reason: "the page stays empty", Hash: hash, Session: session("chief"), Consent: domain.Allowed,
		ExpiresAt: now.Add(time.Duration(minutes) * time.Minute),
	}
}

func consentAsked(who string, changes ...func(*domain.ImpersonationRequested)) domain.ImpersonationRequested {
	e := domain.ImpersonationRequested{
		Impersonation: impersonation("i"), Admin: chief, AdminTenant: domain.HomeIn(acme), Target: user(who), Reason: "the invoice is wrong",
		Reference: "T-1", Minutes: 30, ExpiresAt: now.Add(day),
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func consentGiven(by string) domain.ImpersonationConsented {
	return domain.ImpersonationConsented{Impersonation: impersonation("i"), Admin: chief, Target: user("ann"), By: user(by)}
}

func stopped(name, who, reason string) domain.ImpersonationEnded {
	return domain.ImpersonationEnded{Impersonation: impersonation(name), Admin: chief, Target: user(who), Reason: reason}
}

func timedOut(name, who string) domain.ImpersonationExpired {
	return domain.ImpersonationExpired{Impersonation: impersonation(name), Admin: chief, Target: user(who)}
}

func TestAnAdministratorActsAsAUserAtOnceWhereTheTenantAllowsIt(t *testing.T) {
	atOnce().When(actAs("ann")).Then(t, begun("i", "ann", 60))
	c := commands.StartImpersonation{ID: impersonation("i")}
	if name, value := c.Reveal(env()); name != "token" || value != "secret impersonation "+c.ID.String() {
		t.Errorf("the answer shows %s=%s", name, value)
	}
	want := begun("i", "ann", 5)
	want.Scopes, want.Reference = []domain.Pattern{"billing.*"}, "T-7"
	want.Session, want.Token, want.AdminTenant = domain.SessionID{}, apiToken("ci"), domain.HomeIn(domain.Root)
	e := impersonator(rights{all: true})
	e.Session, e.Token, e.Home = domain.SessionID{}, apiToken("ci"), domain.Root
	atOnce().When(actAsBy(e, "ann", during(5), func(c *commands.StartImpersonation) {
		c.Scopes, c.Reference = []domain.Pattern{"billing.*"}, "T-7"
	})).Then(t, want)
}

func TestAnImpersonationHasAReasonAndWellFormedBounds(t *testing.T) {
	for name, ok := range names() {
		did := atOnce().When(actAs("ann", func(c *commands.StartImpersonation) { c.Reason = name }))
		ask := onRequest().When(commands.RequestImpersonation{ID: impersonation("i"), User: user("ann"), Reason: name}.Decide(impersonator(rights{all: true})))
		if !ok {
			did.ThenInvalid(t, "/reason")
			ask.ThenInvalid(t, "/reason")
			continue
		}
		did.Events(t)
		ask.Events(t)
		if name != "" {
			atOnce().When(actAs("ann", func(c *commands.StartImpersonation) { c.Reference = name })).Events(t)
		}
	}
	atOnce().When(actAs("ann", func(c *commands.StartImpersonation) { c.Reference = " x" })).ThenInvalid(t, "/reference")
	atOnce().When(actAs("ann", func(c *commands.StartImpersonation) { c.Scopes = []domain.Pattern{"file.read", "file"} })).ThenInvalid(t, "/scopes")
}

func TestAnImpersonationPastSixtyMinutesIsRefused(t *testing.T) {
	for _, minutes := range []int{-1, 61, 1 << 40} {
		atOnce().When(actAs("ann", during(minutes))).ThenInvalid(t, "/minutes")
	}
	for _, minutes := range []int{1, 60} {
		atOnce().When(actAs("ann", during(minutes))).Then(t, begun("i", "ann", minutes))
	}
	short := atOnce().and(policy(domain.ImpersonationMost, "10"))
	short.When(actAs("ann", during(11))).ThenRefused(t, domain.ErrImpersonationTooLong)
	short.When(actAs("ann", during(10))).Then(t, begun("i", "ann", 10))
	short.When(actAs("ann")).Then(t, begun("i", "ann", 10))
	if _, err := domain.ImpersonationMost.Check("", "61"); err == nil {
		t.Error("a tenant allows more than an hour")
	}
}

func TestWithoutAPolicyNobodyActsAsAnybody(t *testing.T) {
	for _, h := range []history{given(registered("ann")), given(registered("ann"), consentWord(domain.Forbade))} {
		h.When(actAs("ann")).ThenRefused(t, domain.ErrImpersonationForbidden)
		h.When(requestConsent().Decide(impersonator(rights{all: true}))).ThenRefused(t, domain.ErrImpersonationForbidden)
	}
	was := onRequest(consentAsked("ann"), consentGiven("ann"), consentWord(domain.Forbade))
	was.When(actAs("ann")).ThenRefused(t, domain.ErrImpersonationForbidden)
	waiting := onRequest(consentAsked("ann"), consentWord(domain.Forbade))
	waiting.When(consentBy("ann")).ThenRefused(t, domain.ErrImpersonationForbidden)
}

func TestImpersonatingOneselfSomebodyUnknownOrSomebodyInactiveIsRefused(t *testing.T) {
	me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
	oneself := commands.StartImpersonation{ID: impersonation("i"), User: chief, Reason: "x"}.Decide(impersonator(rights{all: true}))
	atOnce().and(me).When(oneself).ThenRefused(t, domain.ErrSelf)
	atOnce().When(actAs("nobody")).ThenRefused(t, domain.ErrUserUnknown)
	given(consentWord(domain.Allowed)).elsewhere(globex, registered("ann")).When(actAs("ann")).ThenRefused(t, domain.ErrUserUnknown)
	atOnce().and(domain.UserDeactivated{User: user("ann")}).When(actAs("ann")).ThenRefused(t, domain.ErrUserNotActive)
	atOnce().and(erased("ann")).When(actAs("ann")).ThenRefused(t, domain.ErrUserUnknown)
	invited := registered("ann")
	invited.Status = domain.UserInvited
	given(invited, consentWord(domain.Allowed)).When(actAs("ann")).ThenRefused(t, domain.ErrUserNotActive)
}

// A impersonates B, who impersonates A; and whatever else somebody would begin, allow or forbid while they act for somebody.
func TestCircularImpersonation(t *testing.T) {
	asB := impersonator(rights{all: true, acts: user("bob")})
	asB.Impersonation = impersonation("b")
	forB := impersonator(rights{all: true, acts: user("bob")})
	forB.Delegation = domain.DelegationID{UUID: named("delegation")}
	h := onRequest(begun("b", "bob", 60), consentAsked("ann"))
	granted := h.and(consentGiven("bob"))
	for _, e := range []commands.Env{asB, forB} {
		atOnce().When(actAsBy(e, "ann")).ThenRefused(t, domain.ErrActing)
		granted.When(actAsBy(e, "ann")).ThenRefused(t, domain.ErrActing)
		back := commands.StartImpersonation{ID: impersonation("i"), User: chief, Reason: "x"}
		me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
		atOnce().and(me).When(back.Decide(e)).ThenRefused(t, domain.ErrActing)
		h.When(requestConsent().Decide(e)).ThenRefused(t, domain.ErrActing)
		h.When(commands.ConsentToImpersonation{ID: impersonation("i")}.Decide(e)).ThenRefused(t, domain.ErrActing)
		h.When(commands.RefuseImpersonation{ID: impersonation("i")}.Decide(e)).ThenRefused(t, domain.ErrActing)
	}
}

// everywhere holds everything in the tenant, and lacks what the user has elsewhere: as a guest of another one's group, say.
type everywhere struct{ rights }

func (everywhere) Covers(domain.UserID) bool { return false }

func TestImpersonatingSomebodyWithARightThatOneLacks(t *testing.T) {
	lacking := impersonator(rights{wide: []domain.Pattern{"core.*"}})
	guest := impersonator(rights{})
	guest.Rights = everywhere{rights{all: true}}
	granted := onRequest(consentAsked("ann"), consentGiven("ann"))
	for _, e := range []commands.Env{lacking, guest} {
		atOnce().When(actAsBy(e, "ann")).ThenRefused(t, domain.ErrMayNotImpersonate)
		granted.When(actAsBy(e, "ann")).ThenRefused(t, domain.ErrMayNotImpersonate)
		onRequest().When(requestConsent().Decide(e)).ThenRefused(t, domain.ErrMayNotImpersonate)
	}
}

func TestAGuestFromAnotherTenantActsAsNobody(t *testing.T) {
	guest := impersonator(rights{all: true})
	guest.Home = globex
	atOnce().When(actAsBy(guest, "ann")).ThenRefused(t, domain.ErrNotAllowed)
	onRequest().When(requestConsent().Decide(guest)).ThenRefused(t, domain.ErrNotAllowed)
}

func TestAnImpersonationIsWorthNoMoreThanTheTokenThatStartsIt(t *testing.T) {
	low := impersonator(rights{all: true, ceiling: []domain.Pattern{"core.*"}, until: now.Add(10 * time.Minute)})
	scoped := func(s ...domain.Pattern) func(*commands.StartImpersonation) {
		return func(c *commands.StartImpersonation) { c.Scopes = s }
	}
	atOnce().When(actAsBy(low, "ann")).ThenRefused(t, domain.ErrMayNotGive)
	atOnce().When(actAsBy(low, "ann", scoped("core.users.*", "billing.*"))).ThenRefused(t, domain.ErrMayNotGive)
	atOnce().When(actAsBy(low, "ann", scoped("core.users.*"), during(11))).ThenRefused(t, domain.ErrMayNotGive)
	want := begun("i", "ann", 10)
	want.Scopes = []domain.Pattern{"core.users.*"}
	atOnce().When(actAsBy(low, "ann", scoped("core.users.*"), during(10))).Then(t, want)
	atOnce().When(actAsBy(low, "ann", scoped("core.users.*"))).Then(t, want)
}

func TestAnImpersonationIsBoundToASessionOrAToken(t *testing.T) {
	unbound := impersonator(rights{all: true})
	unbound.Session = domain.SessionID{}
	atOnce().When(actAsBy(unbound, "ann")).ThenRefused(t, domain.ErrImpersonationUnbound)
}

func TestASecondLiveImpersonationIsRefusedWhereverTheFirstIs(t *testing.T) {
	other := begun("other", "bob", 60)
	refused := func(h history) {
		t.Helper()
		did := h.When(actAs("ann"))
		did.ThenRefused(t, domain.ErrImpersonationOpen)
		if !strings.Contains(did.Err().Error(), impersonation("other").String()) {
			t.Errorf("nobody learns which one to end: %v", did.Err())
		}
	}
	refused(atOnce().and(other))
	refused(atOnce().elsewhere(globex, other))
	for _, over := range []history{
		atOnce().and(begun("other", "bob", 0)),
		atOnce().elsewhere(globex, other, stopped("other", "bob", "")),
		atOnce().and(other, timedOut("other", "bob")),
		atOnce().and(consentAsked("bob", func(e *domain.ImpersonationRequested) { e.Impersonation = impersonation("other") })),
	} {
		over.When(actAs("ann")).Then(t, begun("i", "ann", 60))
	}
	theirs, asMe := other, other
	theirs.Admin, asMe.Admin, asMe.Target = user("bob"), user("bob"), chief
	atOnce().and(theirs, asMe).When(actAs("ann")).Then(t, begun("i", "ann", 60))
}

func TestOfTwoParallelStartsOneWins(t *testing.T) {
	w := newWorld(t)
	for _, home := range []domain.TenantID{acme, globex} {
		w.must(t, w.order(home, &commands.SetPolicy{Key: domain.ImpersonationWord.Key, Value: domain.Allowed}))
	}
	w.must(t, w.order(acme, newUser("ann", "")))
	w.must(t, w.order(globex, newUser("bob", "")))
	start := func(home domain.TenantID, who, name string) commands.Order {
		return w.order(home, &commands.StartImpersonation{ID: impersonation(name), User: user(who), Reason: "x"}, inSession)
	}
	w.log.beforeNextAppend(func() { w.must(t, start(globex, "bob", "there")) })
	w.refused(t, start(acme, "ann", "here"), domain.ErrImpersonationOpen)
	if w.tried("start-impersonation") != 2 {
		t.Errorf("decided %d times, and the second never saw the first", w.tried("start-impersonation"))
	}
}

func inSession(o *commands.Order) { o.By.Session = session("chief").UUID }

func requestConsent() commands.RequestImpersonation {
	return commands.RequestImpersonation{ID: impersonation("i"), User: user("ann"), Reason: "the invoice is wrong", Reference: "T-1", Minutes: 30}
}

func TestConsentIsAskedForOnce(t *testing.T) {
	ask := func(c commands.RequestImpersonation) dcb.Decision { return c.Decide(impersonator(rights{all: true})) }
	onRequest().When(ask(requestConsent())).Then(t, consentAsked("ann"))
	long := requestConsent()
	long.Minutes = 0
	onRequest().When(ask(long)).Then(t, consentAsked("ann", func(e *domain.ImpersonationRequested) { e.Minutes = 60 }))
	onRequest(policy(domain.ImpersonationMost, "29")).When(ask(requestConsent())).ThenRefused(t, domain.ErrImpersonationTooLong)
	atOnce().When(ask(requestConsent())).ThenRefused(t, domain.ErrConsentNotNeeded)
	onRequest(consentAsked("ann")).When(ask(requestConsent())).ThenRefused(t, domain.ErrIDTaken)
	onRequest().elsewhere(globex, consentAsked("ann")).When(ask(requestConsent())).ThenRefused(t, domain.ErrIDTaken)
	again := requestConsent()
	again.ID = impersonation("again")
	onRequest(consentAsked("ann")).When(ask(again)).ThenRefused(t, domain.ErrConsentRequested)
	onRequest(consentAsked("ann"), consentGiven("ann")).When(ask(again)).ThenRefused(t, domain.ErrConsentRequested)
	overdue := consentAsked("ann", func(e *domain.ImpersonationRequested) { e.ExpiresAt = now })
	for _, h := range []history{
		onRequest(overdue), onRequest(consentAsked("bob")), onRequest(consentAsked("ann"), stopped("i", "ann", "")),
		onRequest(consentAsked("ann", func(e *domain.ImpersonationRequested) { e.Admin = user("bob") })),
	} {
		h.When(ask(again)).Events(t)
	}
}

func TestAnImpersonationStartsUnderTheIDOfTheRequestThatWasConsentedTo(t *testing.T) {
	want := begun("i", "ann", 30)
	want.Reason, want.Reference, want.Consent = "the invoice is wrong", "T-1", domain.OnRequest
	bare := func(c *commands.StartImpersonation) { c.Reason = "" }
	granted := onRequest(consentAsked("ann"), consentGiven("bob"))
	granted.When(actAs("ann", bare)).Then(t, want)
	granted.When(actAs("ann", func(c *commands.StartImpersonation) { c.Reason, c.Reference = want.Reason, want.Reference })).Then(t, want)
	granted.and(consentWord(domain.Allowed)).When(actAs("ann", bare)).Then(t, want)
	want.ExpiresAt = now.Add(7 * time.Minute)
	granted.When(actAs("ann", bare, during(7))).Then(t, want)
	granted.and(policy(domain.ImpersonationMost, "7")).When(actAs("ann", bare)).Then(t, want)
	granted.When(actAs("ann", bare, during(31))).ThenRefused(t, domain.ErrImpersonationTooLong)
	granted.When(actAs("ann")).ThenInvalid(t, "/reason")
	granted.When(actAs("ann", bare, func(c *commands.StartImpersonation) { c.Reference = "T-2" })).ThenInvalid(t, "/reference")
	granted.When(actAs("bob", bare)).ThenInvalid(t, "/target_user_id")

	onRequest().When(actAs("ann")).ThenRefused(t, domain.ErrConsentNeeded)
	onRequest(consentAsked("ann")).When(actAs("ann", bare)).ThenRefused(t, domain.ErrConsentNeeded)
	atOnce().and(consentAsked("ann")).When(actAs("ann", bare)).ThenRefused(t, domain.ErrConsentNeeded)
	elsewhere := granted.and() // whose consent it is, a different id does not say
	elsewhere.When(actAs("ann", func(c *commands.StartImpersonation) { c.ID = impersonation("j") })).ThenRefused(t, domain.ErrConsentNeeded)
}

func TestConsentUsedTwice(t *testing.T) {
	bare := func(c *commands.StartImpersonation) { c.Reason = "" }
	used := onRequest(consentAsked("ann"), consentGiven("ann"), begun("i", "ann", 30))
	for _, h := range []history{
		used, used.and(stopped("i", "ann", "")), used.and(timedOut("i", "ann")), used.and(consentGiven("ann"), stopped("i", "ann", "")),
		atOnce().and(begun("i", "ann", 0)), atOnce().and(begun("i", "ann", 60), stopped("i", "ann", "")),
	} {
		h.When(actAs("ann", bare)).ThenRefused(t, domain.ErrImpersonationOver)
	}
}

func TestAnotherAdministratorsConsent(t *testing.T) {
	bare := func(c *commands.StartImpersonation) { c.Reason = "" }
	theirs := consentAsked("ann", func(e *domain.ImpersonationRequested) { e.Admin = user("bob") })
	onRequest(theirs, consentGiven("ann")).When(actAs("ann", bare)).ThenRefused(t, domain.ErrImpersonationUnknown)
	atOnce().and(theirs, consentGiven("ann")).When(actAs("ann", bare)).ThenRefused(t, domain.ErrImpersonationUnknown)
}

func TestExpiredRefusedOrWithdrawnConsent(t *testing.T) {
	bare := func(c *commands.StartImpersonation) { c.Reason = "" }
	until := func(at time.Time) domain.ImpersonationRequested {
		return consentAsked("ann", func(e *domain.ImpersonationRequested) { e.ExpiresAt = at })
	}
	onRequest(until(now.Add(time.Nanosecond)), consentGiven("ann")).When(actAs("ann", bare)).Events(t)
	no := domain.ImpersonationRefused{Impersonation: impersonation("i"), Admin: chief, Target: user("ann"), By: user("ann")}
	for _, h := range []history{
		onRequest(until(now), consentGiven("ann")),
		onRequest(consentAsked("ann"), consentGiven("ann"), timedOut("i", "ann")),
		onRequest(consentAsked("ann"), consentGiven("ann"), no),
		onRequest(consentAsked("ann"), consentGiven("ann"), stopped("i", "ann", "")),
	} {
		h.When(actAs("ann", bare)).ThenRefused(t, domain.ErrImpersonationOver)
	}
}

func TestConsentOfAnotherTenant(t *testing.T) {
	bare := func(c *commands.StartImpersonation) { c.Reason = "" }
	there := onRequest().elsewhere(globex, registered("ann"), consentAsked("ann"), consentGiven("ann"))
	there.When(actAs("ann", bare)).ThenRefused(t, domain.ErrIDTaken)
	atOnce().elsewhere(globex, consentAsked("ann"), consentGiven("ann")).When(actAs("ann")).ThenRefused(t, domain.ErrIDTaken)
	atOnce().elsewhere(globex, begun("i", "ann", 0)).When(actAs("ann")).ThenRefused(t, domain.ErrIDTaken)
	for _, d := range []dcb.Decision{consentBy("bob"), refuseBy("bob"), endBy("bob", true)} {
		there.When(d).ThenRefused(t, domain.ErrImpersonationUnknown)
	}
}

// concerned is a caller who is no administrator of their own; with the privilege where it says so.
func concerned(who string, privileged bool) commands.Env {
	e := impersonator(rights{})
	e.Rights, e.Privileged = another{rights{}, user(who)}, privileged
	return e
}

// another is the rights of a caller who is not chief.
type another struct {
	rights
	who domain.UserID
}

func (a another) Actor() domain.UserID     { return a.who }
func (a another) Effective() domain.UserID { return a.who }

func consentBy(who string) dcb.Decision {
	return commands.ConsentToImpersonation{ID: impersonation("i")}.Decide(concerned(who, who != "ann"))
}

func refuseBy(who string) dcb.Decision {
	return commands.RefuseImpersonation{ID: impersonation("i"), Reason: "no"}.Decide(concerned(who, who != "ann"))
}

func endBy(who string, privileged bool) dcb.Decision {
	return commands.EndImpersonation{ID: impersonation("i"), Reason: "enough"}.Decide(concerned(who, privileged))
}

func TestTheUserOrAnAdministratorOfTheirTenantConsents(t *testing.T) {
	for _, who := range []string{"ann", "bob"} {
		h := onRequest(consentAsked("ann"))
		h.When(consentBy(who)).Then(t, consentGiven(who))
		h.and(consentGiven("ann")).When(consentBy(who)).ThenNothing(t)
		for _, over := range [][]dcb.Event{
			{begun("i", "ann", 60)}, {stopped("i", "ann", "")}, {timedOut("i", "ann")},
			{domain.ImpersonationRefused{Impersonation: impersonation("i"), Admin: chief, Target: user("ann"), By: user("bob")}},
		} {
			h.and(over...).When(consentBy(who)).ThenRefused(t, domain.ErrImpersonationOver)
		}
		late := consentAsked("ann", func(e *domain.ImpersonationRequested) { e.ExpiresAt = now })
		onRequest(late).When(consentBy(who)).ThenRefused(t, domain.ErrImpersonationOver)
		onRequest().When(consentBy(who)).ThenRefused(t, domain.ErrImpersonationUnknown)
	}
	unknown := commands.ConsentToImpersonation{ID: impersonation("i")}.Decide(concerned("bob", false))
	onRequest(consentAsked("ann")).When(unknown).ThenRefused(t, domain.ErrImpersonationUnknown)
}

func TestConsentGivenByOneself(t *testing.T) {
	me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive}
	for _, e := range []commands.Env{impersonator(rights{all: true}), unprivileged(impersonator(rights{}))} {
		h := onRequest(me, consentAsked("ann"))
		h.When(commands.ConsentToImpersonation{ID: impersonation("i")}.Decide(e)).ThenRefused(t, domain.ErrMayNotConsent)
		h.When(commands.RefuseImpersonation{ID: impersonation("i")}.Decide(e)).ThenRefused(t, domain.ErrMayNotConsent)
	}
}

func TestConsentGivenByAColleagueFromAnotherTenant(t *testing.T) {
	onRequest(consentAsked("ann")).elsewhere(domain.Root, registered("eve")).When(consentBy("eve")).ThenRefused(t, domain.ErrMayNotConsent)
}

func TestConsentGivenByWhoActsForTheOneWhoAsked(t *testing.T) {
	cat := registered("cat")
	granted := func(name, from, to string, chain ...string) domain.DelegationGranted {
		who := func(name string) domain.UserID {
			if name == "chief" {
				return chief
			}
			return user(name)
		}
		e := domain.DelegationGranted{
			Delegation: domain.DelegationID{UUID: named("delegation " + name)}, Tenant: domain.HomeIn(acme), Grantor: who(from),
			GrantorTenant: domain.HomeIn(acme), Delegate: who(to), DelegateTenant: domain.HomeIn(acme), Window: always(),
		}
		for _, above := range chain {
			e.Chain = append(e.Chain, domain.DelegationID{UUID: named("delegation " + above)})
			e.Parent = e.Chain[len(e.Chain)-1]
		}
		return e
	}
	accepted := func(e domain.DelegationGranted) domain.DelegationAccepted {
		return domain.DelegationAccepted{Delegation: e.Delegation, Tenant: e.Tenant, Grantor: e.Grantor, Delegate: e.Delegate}
	}
	asked := onRequest(cat, consentAsked("ann"))
	with := func(all ...domain.DelegationGranted) history {
		h := asked
		for _, d := range all {
			h = h.and(d, accepted(d))
		}
		return h
	}
	for name, h := range map[string]history{
		"their delegate":            with(granted("d", "chief", "bob")),
		"their grantor":             with(granted("d", "bob", "chief")),
		"the delegate's delegate":   with(granted("d", "chief", "cat"), granted("e", "cat", "bob", "d")),
		"whose delegate's delegate": with(granted("d", "bob", "cat"), granted("e", "cat", "chief", "d")),
	} {
		t.Run(name, func(t *testing.T) {
			h.When(consentBy("bob")).ThenRefused(t, domain.ErrMayNotConsent)
		})
	}
	d := granted("d", "chief", "bob")
	revoked := domain.DelegationRevoked{Delegation: d.Delegation, Tenant: d.Tenant, Grantor: chief, Delegate: user("bob")}
	over := granted("d", "chief", "bob")
	over.Window.Until = now
	for _, h := range []history{asked.and(d, accepted(d), revoked), with(over), with(granted("d", "cat", "bob"))} {
		h.When(consentBy("bob")).Then(t, consentGiven("bob"))
	}
}

func TestWhoMayConsentMayRefuse(t *testing.T) {
	for _, who := range []string{"ann", "bob"} {
		no := domain.ImpersonationRefused{Impersonation: impersonation("i"), Admin: chief, Target: user("ann"), By: user(who), Reason: "no"}
		h := onRequest(consentAsked("ann"))
		h.When(refuseBy(who)).Then(t, no)
		h.and(consentGiven("ann")).When(refuseBy(who)).Then(t, no)
		h.and(no).When(refuseBy(who)).ThenNothing(t)
		h.and(consentGiven("ann"), begun("i", "ann", 60)).When(refuseBy(who)).ThenRefused(t, domain.ErrImpersonationOver)
		onRequest().When(refuseBy(who)).ThenRefused(t, domain.ErrImpersonationUnknown)
	}
	unknown := commands.RefuseImpersonation{ID: impersonation("i")}.Decide(concerned("bob", false))
	onRequest(consentAsked("ann")).When(unknown).ThenRefused(t, domain.ErrImpersonationUnknown)
	bad := commands.RefuseImpersonation{ID: impersonation("i"), Reason: "\x01"}.Decide(concerned("ann", false))
	onRequest(consentAsked("ann")).When(bad).ThenInvalid(t, "/reason")
}

func TestAnImpersonationIsEndedByWhoActsByTheUserByAnAdministratorAndByChancery(t *testing.T) {
	end := func(e commands.Env) dcb.Decision {
		return commands.EndImpersonation{ID: impersonation("i"), Reason: "enough"}.Decide(e)
	}
	system := impersonator(rights{})
	system.Rights, system.Privileged = commands.System{}, false
	admin := unprivileged(impersonator(rights{}))
	within := admin // by the very token of it
	within.Rights, within.Impersonation = rights{acts: user("ann")}, impersonation("i")
	for name, e := range map[string]commands.Env{
		"who acts": admin, "who acts, by its token": within, "the user": concerned("ann", false), "an administrator": concerned("bob", true), "Chancery": system,
	} {
		t.Run(name, func(t *testing.T) {
			for _, open := range [][]dcb.Event{
				{begun("i", "ann", 60)}, {consentAsked("ann")}, {consentAsked("ann"), consentGiven("bob")},
			} {
				h := onRequest(open...)
				h.When(end(e)).Then(t, stopped("i", "ann", "enough"))
				h.and(stopped("i", "ann", "")).When(end(e)).ThenNothing(t)
				h.and(timedOut("i", "ann")).When(end(e)).ThenNothing(t)
			}
			onRequest(begun("i", "ann", 0)).When(end(e)).ThenNothing(t)
			onRequest().When(end(e)).ThenRefused(t, domain.ErrImpersonationUnknown)
		})
	}
	live := onRequest(begun("i", "ann", 60))
	live.When(end(concerned("bob", false))).ThenRefused(t, domain.ErrImpersonationUnknown)
	live.When(commands.EndImpersonation{ID: impersonation("i"), Reason: "\x01"}.Decide(admin)).ThenInvalid(t, "/reason")
}

func TestWhoActsAsAUserDoesNotEndAnotherAdministratorsImpersonation(t *testing.T) {
	theirs := begun("i", "ann", 60)
	theirs.Admin = user("bob")
	as := unprivileged(impersonator(rights{acts: user("ann")}))
	as.Impersonation = impersonation("mine")
	onRequest(theirs).When(commands.EndImpersonation{ID: impersonation("i")}.Decide(as)).ThenRefused(t, domain.ErrImpersonationUnknown)
}

func TestAnImpersonationAndARequestForOneExpireOnceWhenTheirTimeIsOver(t *testing.T) {
	expire := func() dcb.Decision { return commands.ExpireImpersonation{ID: impersonation("i")}.Decide(env()) }
	late := consentAsked("ann", func(e *domain.ImpersonationRequested) { e.ExpiresAt = now })
	for _, h := range []history{given(begun("i", "ann", 0)), given(late), given(late, consentGiven("ann"))} {
		h.When(expire()).Then(t, timedOut("i", "ann"))
		h.and(timedOut("i", "ann")).When(expire()).ThenNothing(t)
		h.and(stopped("i", "ann", "")).When(expire()).ThenNothing(t)
	}
	for _, h := range []history{
		given(), given(begun("i", "ann", 1)), given(late, consentGiven("ann"), begun("i", "ann", 1)),
		given(late, domain.ImpersonationRefused{Impersonation: impersonation("i"), Admin: chief, Target: user("ann")}),
	} {
		h.When(expire()).ThenNothing(t)
	}
}

func TestImpersonationsAreFoundByWhomAndByWhatTheyRestOn(t *testing.T) {
	one, two := begun("one", "ann", 60), begun("two", "bob", 60)
	two.Session, two.Token = domain.SessionID{}, apiToken("ci")
	consented := consentGiven("bob") // whoever consented is not a party
	consented.Impersonation = impersonation("one")
	h := given(consented, one).elsewhere(globex, two, stopped("two", "bob", ""))
	found := func(f *dcb.Fact[domain.Impersonations]) (all []string) {
		t.Helper()
		h.When(dcb.From(f).Decide(func() ([]dcb.Event, error) { return nil, nil })).Events(t)
		for _, i := range f.Value {
			if !i.Admin.IsZero() {
				all = append(all, strings.Join([]string{i.ID.String(), i.Tenant.String(), string(i.Status)}, " "))
			}
		}
		return all
	}
	first, second := impersonation("one").String()+" "+acme.String(), impersonation("two").String()+" "+globex.String()
	for name, c := range map[string]struct {
		fact *dcb.Fact[domain.Impersonations]
		want []string
	}{
		"the administrator":  {domain.ImpersonationsOf(chief), []string{first + " active", second + " ended"}},
		"a target":           {domain.ImpersonationsOf(user("ann")), []string{first + " active"}},
		"who consented":      {domain.ImpersonationsOf(user("bob")), []string{second + " ended"}},
		"a session":          {domain.ImpersonationsBy(session("chief")), []string{first + " active"}},
		"a token, no ending": {domain.ImpersonationsBy(apiToken("ci")), []string{second + " active"}},
	} {
		if got := found(c.fact); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAnImpersonationsTokenIsShownAgainOnlyToWhatItIsBoundTo(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, &commands.SetPolicy{Key: domain.ImpersonationWord.Key, Value: domain.Allowed}))
	w.must(t, w.order(acme, newUser("ann", "")))
	start := func(change func(*commands.Order)) commands.Order {
		o := w.order(acme, &commands.StartImpersonation{User: user("ann"), Reason: "x"}, keyed("k"), inSession, change)
		o.Fingerprint = []byte("the same body")
		return o
	}
	first := w.must(t, start(func(*commands.Order) {}))
	token, err := apitoken.Parse(first.Reveal[1])
	if err != nil || token.Kind != apitoken.Impersonation || token.ID != first.ID {
		t.Fatalf("told %+v, %v", token, err)
	}
	if again := w.must(t, start(func(*commands.Order) {})); again.Reveal != first.Reveal || again.ID != first.ID || !again.Replayed {
		t.Errorf("answered %+v, first %+v", again, first)
	}
	w.refused(t, start(func(o *commands.Order) { o.By.Session = session("other").UUID }), domain.ErrMayNotGive)
	w.refused(t, start(func(o *commands.Order) { o.By.Token = apiToken("ci").UUID }), domain.ErrMayNotGive)
	recorded, err := w.Store.Range(t.Context(), first.Events[0].Position, first.Position)
	if err != nil {
		t.Fatal(err)
	}
	e := recorded[0].Event.(domain.ImpersonationStarted)
	if !slices.Equal(e.Hash, token.Hash[:]) || e.Admin != chief || e.AdminTenant.Tenant() != domain.Root || e.Session != session("chief") {
		t.Errorf("recorded %+v", e)
	}
}
