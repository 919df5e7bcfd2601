package commands_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func reviewID() domain.ReviewID { return domain.ReviewID{UUID: named("review")} }

func startReview(e commands.Env, change func(*commands.StartReview)) dcb.Decision {
	c := commands.StartReview{ID: reviewID(), Name: "Spring", Role: role("reader"), DueAt: now.Add(day), Silence: domain.KeepOnSilence}
	if change != nil {
		change(&c)
	}
	return c.Decide(e)
}

// givenTo is an assignment of the role reader by name.
func givenTo(name string, change func(*domain.RoleAssigned)) domain.RoleAssigned {
	return assigned(func(e *domain.RoleAssigned) {
		e.Assignment, e.User, e.Window = assignment(name), user(name), always()
		if change != nil {
			change(e)
		}
	})
}

func toGroup(name string) func(*domain.RoleAssigned) {
	return func(e *domain.RoleAssigned) { e.User, e.Group = domain.UserID{}, group(name) }
}

func toDepartment(name string) func(*domain.RoleAssigned) {
	return func(e *domain.RoleAssigned) { e.User, e.Department = domain.UserID{}, department(name) }
}

func itemOf(e domain.RoleAssigned) domain.ReviewItem {
	return domain.ReviewItem{Item: e.Assignment.UUID, User: e.User, Department: e.Department, Group: e.Group, Role: e.Role}
}

func memberItem(e domain.MemberAdded) domain.ReviewItem {
	return domain.ReviewItem{Item: e.Membership.UUID, User: e.User, Group: e.Group}
}

// inOrderOfID is how a review lists its items.
func inOrderOfID(items ...domain.ReviewItem) []domain.ReviewItem {
	slices.SortFunc(items, func(a, b domain.ReviewItem) int { return slices.Compare(a.Item[:], b.Item[:]) })
	return items
}

func reviewStarted(change func(*domain.ReviewStarted), items ...domain.ReviewItem) domain.ReviewStarted {
	e := domain.ReviewStarted{
		Review: reviewID(), Name: "Spring", Role: role("reader"), Items: inOrderOfID(items...), DueAt: now.Add(day), Silence: domain.KeepOnSilence,
	}
	if change != nil {
		change(&e)
	}
	return e
}

// overdueReview is a review that was due, in which silence takes everything back.
func overdueReview(e *domain.ReviewStarted) { e.DueAt, e.Silence = now, domain.RevokeOnSilence }

func decideItem(e commands.Env, item uuid.UUID, decision domain.Silence) dcb.Decision {
	return commands.DecideReviewItem{Review: reviewID(), Item: item, Decision: decision, Reason: "because"}.Decide(e)
}

func decidedItem(item uuid.UUID, keep bool, n int) domain.ReviewDecided {
	return domain.ReviewDecided{Review: reviewID(), Item: item, Keep: keep, By: chief, Reason: "because", Decided: n}
}

func unassignedBy(e domain.RoleAssigned, reason string) domain.RoleUnassigned {
	return domain.RoleUnassigned{Assignment: e.Assignment, Role: e.Role, User: e.User, Department: e.Department, Group: e.Group, Reason: reason}
}

func reviewClosed(reason string) domain.ReviewClosed {
	return domain.ReviewClosed{Review: reviewID(), Reason: reason}
}

func finishReview() dcb.Decision { return commands.FinishReview{ID: reviewID()}.Decide(ofSystem()) }

func TestAReviewListsWhatStandsWhenItStarts(t *testing.T) {
	ann, crew, sales := givenTo("ann", nil), givenTo("crew", toGroup("crew")), givenTo("sales", toDepartment("sales"))
	later := givenTo("later", func(e *domain.RoleAssigned) { e.Window.From = now.Add(time.Hour) })
	over := givenTo("over", func(e *domain.RoleAssigned) { e.Window.Until = now })
	gone := givenTo("gone", nil)
	other := givenTo("other", func(e *domain.RoleAssigned) { e.Role = role("writer") })
	h := staff().and(roleMade("writer"), ann, crew, sales, later, over, gone, unassignedBy(gone, ""), other).elsewhere(globex, givenTo("theirs", nil))

	h.When(startReview(env(), nil)).Then(t, reviewStarted(nil, itemOf(ann), itemOf(crew), itemOf(sales), itemOf(later)))
	deck := []domain.MemberAdded{joined("ann", "crew", domain.Owner), joined("bob", "crew", domain.Member)}
	h.and(deck[0], deck[1], joined("cat", "deck", domain.Member)).When(startReview(env(), func(c *commands.StartReview) { c.Role, c.Group = domain.RoleID{}, group("crew") })).
		Then(t, reviewStarted(func(e *domain.ReviewStarted) { e.Role, e.Group = domain.RoleID{}, group("crew") }, memberItem(deck[0]), memberItem(deck[1])))
	everything := env()
	everything.Assigned = func() []domain.RoleID { return []domain.RoleID{role("writer"), role("reader"), role("none")} }
	h.When(startReview(everything, func(c *commands.StartReview) { c.Role = domain.RoleID{} })).
		Then(t, reviewStarted(func(e *domain.ReviewStarted) { e.Role = domain.RoleID{} }, itemOf(ann), itemOf(crew), itemOf(sales), itemOf(later), itemOf(other)))
}

func TestAReviewIsOfSomethingThatIsThere(t *testing.T) {
	h := staff().and(givenTo("ann", nil))
	start := func(h history, change func(*commands.StartReview)) outcome { return h.When(startReview(env(), change)) }
	start(h, func(c *commands.StartReview) { c.Role = role("none") }).ThenRefused(t, domain.ErrRoleUnknown)
	start(h, func(c *commands.StartReview) { c.Role, c.Group = domain.RoleID{}, group("none") }).ThenRefused(t, domain.ErrGroupUnknown)
	start(h, func(c *commands.StartReview) { c.Group = group("crew") }).ThenRefused(t, domain.ErrReviewOne)
	start(h, func(c *commands.StartReview) { c.Role, c.Group = domain.RoleID{}, group("crew") }).ThenRefused(t, domain.ErrReviewEmpty)
	start(staff(), nil).ThenRefused(t, domain.ErrReviewEmpty)
	start(h, func(c *commands.StartReview) { c.Role = domain.RoleID{} }).ThenRefused(t, domain.ErrReviewEmpty)
	start(h.and(reviewStarted(nil, itemOf(givenTo("ann", nil)))), nil).ThenRefused(t, domain.ErrIDTaken)
	start(h.elsewhere(globex, reviewStarted(nil)), nil).ThenRefused(t, domain.ErrIDTaken)
	for name, ok := range names() {
		if o := start(h, func(c *commands.StartReview) { c.Name = name }); ok {
			o.Events(t)
		} else {
			o.ThenInvalid(t, "/name")
		}
	}
}

func TestAReviewHasAnEndThatLeavesTime(t *testing.T) {
	due := func(at time.Time) outcome {
		return staff().and(givenTo("ann", nil)).When(startReview(env(), func(c *commands.StartReview) { c.DueAt = at }))
	}
	due(now.Add(time.Hour)).Events(t)
	due(now.Add(time.Hour-1)).ThenInvalid(t, "/due_at")
	due(now.AddDate(1, 0, 0)).Events(t)
	due(now.AddDate(1, 0, 0).Add(1)).ThenInvalid(t, "/due_at")
	due(time.Time{}).ThenInvalid(t, "/due_at")
}

func TestThatSilenceRevokesEverybodyNeedsAnExplicitWord(t *testing.T) {
	h := staff().and(givenTo("ann", nil))
	revoking := func(word string) outcome {
		return h.When(startReview(env(), func(c *commands.StartReview) { c.Silence, c.Confirm = domain.RevokeOnSilence, word }))
	}
	revoking("revoke everybody on silence").Then(t, reviewStarted(func(e *domain.ReviewStarted) { e.Silence = domain.RevokeOnSilence }, itemOf(givenTo("ann", nil))))
	for _, word := range []string{"", "yes", "true", "Revoke everybody on silence", "revoke everybody on silence ", "revoke"} {
		revoking(word).ThenRefused(t, domain.ErrReviewSilence)
	}
	for _, silence := range []domain.Silence{"", "maybe"} {
		h.When(startReview(env(), func(c *commands.StartReview) { c.Silence, c.Confirm = silence, domain.RevokeEverybody })).ThenInvalid(t, "/on_silence")
	}
}

func TestAReviewHasAtMostFiveThousandItems(t *testing.T) {
	h := staff()
	for i := range domain.MostReviewed {
		h.History = append(h.History, given(givenTo(strconv.Itoa(i), nil)).History...)
	}
	if e := h.When(startReview(env(), nil)).Events(t)[0].(domain.ReviewStarted); len(e.Items) != domain.MostReviewed {
		t.Errorf("%d items", len(e.Items))
	}
	h.and(givenTo("one more", nil)).When(startReview(env(), nil)).ThenRefused(t, domain.ErrReviewLarge)
}

func TestAnItemIsKeptOrTakenBackAtOnce(t *testing.T) {
	ann, crew := givenTo("ann", nil), givenTo("crew", toGroup("crew"))
	h := staff().and(ann, crew, reviewStarted(nil, itemOf(ann), itemOf(crew)))
	h.When(decideItem(env(), ann.Assignment.UUID, domain.KeepOnSilence)).Then(t, decidedItem(ann.Assignment.UUID, true, 1))
	h.When(decideItem(env(), ann.Assignment.UUID, domain.RevokeOnSilence)).Then(t, decidedItem(ann.Assignment.UUID, false, 1), unassignedBy(ann, "because"))
	h.When(decideItem(env(), crew.Assignment.UUID, domain.RevokeOnSilence)).Then(t, decidedItem(crew.Assignment.UUID, false, 1), unassignedBy(crew, "because"))

	bob := joined("bob", "crew", domain.Member)
	members := staff().and(bob, reviewStarted(nil, memberItem(bob), itemOf(ann)))
	members.When(decideItem(env(), bob.Membership.UUID, domain.RevokeOnSilence)).
		Then(t, decidedItem(bob.Membership.UUID, false, 1), domain.MemberRemoved{Membership: bob.Membership, Group: group("crew"), User: user("bob"), Role: domain.Member})
}

func TestAReviewClosesItselfWithTheLastDecision(t *testing.T) {
	ann, bob := givenTo("ann", nil), givenTo("bob", nil)
	h := staff().and(ann, bob, reviewStarted(nil, itemOf(ann), itemOf(bob)), decidedItem(ann.Assignment.UUID, true, 1))
	h.When(decideItem(env(), bob.Assignment.UUID, domain.RevokeOnSilence)).
		Then(t, decidedItem(bob.Assignment.UUID, false, 2), unassignedBy(bob, "because"), reviewClosed(domain.ReviewDone))
}

func TestAnItemIsDecidedOnce(t *testing.T) {
	ann, bob := givenTo("ann", nil), givenTo("bob", nil)
	h := staff().and(ann, bob, reviewStarted(nil, itemOf(ann), itemOf(bob)))
	kept := h.and(decidedItem(ann.Assignment.UUID, true, 1))
	kept.When(decideItem(env(), ann.Assignment.UUID, domain.KeepOnSilence)).ThenNothing(t)
	kept.When(decideItem(env(), ann.Assignment.UUID, domain.RevokeOnSilence)).ThenRefused(t, domain.ErrReviewDecided)
	revoked := h.and(decidedItem(ann.Assignment.UUID, false, 1), unassignedBy(ann, "because"))
	revoked.When(decideItem(env(), ann.Assignment.UUID, domain.RevokeOnSilence)).ThenNothing(t)
	revoked.When(decideItem(env(), ann.Assignment.UUID, domain.KeepOnSilence)).ThenRefused(t, domain.ErrReviewDecided)
}

func TestADecisionIsAboutAnItemOfAnOpenReviewAndSaysWhy(t *testing.T) {
	ann := givenTo("ann", nil)
	h := staff().and(ann)
	open := h.and(reviewStarted(nil, itemOf(ann)))
	id := ann.Assignment.UUID
	h.When(decideItem(env(), id, domain.KeepOnSilence)).ThenRefused(t, domain.ErrReviewUnknown)
	h.elsewhere(globex, reviewStarted(nil, itemOf(ann))).When(decideItem(env(), id, domain.KeepOnSilence)).ThenRefused(t, domain.ErrReviewUnknown)
	open.When(decideItem(env(), named("x"), domain.KeepOnSilence)).ThenRefused(t, domain.ErrReviewItem)
	open.When(decideItem(env(), id, "perhaps")).ThenInvalid(t, "/decision")
	unreasoned := func(d domain.Silence) outcome {
		return open.When(commands.DecideReviewItem{Review: reviewID(), Item: id, Decision: d}.Decide(env()))
	}
	unreasoned(domain.KeepOnSilence).Events(t)
	unreasoned(domain.RevokeOnSilence).ThenInvalid(t, "/reason")
	open.When(commands.DecideReviewItem{Review: reviewID(), Item: id, Decision: domain.KeepOnSilence, Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
	open.and(reviewClosed("")).When(decideItem(env(), id, domain.KeepOnSilence)).ThenRefused(t, domain.ErrReviewOver)
	due := func(at time.Time) history {
		return h.and(reviewStarted(func(e *domain.ReviewStarted) { e.DueAt = at }, itemOf(ann)))
	}
	due(now).When(decideItem(env(), id, domain.KeepOnSilence)).ThenRefused(t, domain.ErrReviewOver)
	due(now.Add(1)).When(decideItem(env(), id, domain.KeepOnSilence)).Events(t)
}

func TestNobodyReviewsTheirOwnAccess(t *testing.T) {
	mine := givenTo("me", func(e *domain.RoleAssigned) { e.User = chief })
	crew, deck, other := givenTo("crew", toGroup("crew")), givenTo("deck", toGroup("deck")), givenTo("other", toGroup("other"))
	sales, north, south := givenTo("sales", toDepartment("sales")), givenTo("north", toDepartment("north")), givenTo("south", toDepartment("south"))
	inDeck := domain.MemberAdded{Membership: membership("me"), Group: group("deck"), User: chief, Role: domain.Member}
	me := domain.UserRegistered{User: chief, DisplayName: dcb.Plain("chief"), Status: domain.UserActive, Department: department("sales")}
	theirs := joined("bob", "deck", domain.Member)
	h := given(
		roleMade("reader"), groupMade("crew", ""), groupMade("deck", "crew"), groupMade("other", ""), departmentMade("north", ""), departmentMade("sales", "north"),
		departmentMade("south", "north"), me, inDeck, theirs, mine, crew, deck, other, sales, north, south,
		reviewStarted(nil, itemOf(mine), itemOf(crew), itemOf(deck), itemOf(other), itemOf(sales), itemOf(north), itemOf(south), memberItem(inDeck), memberItem(theirs)),
	)
	for name, own := range map[string]uuid.UUID{
		"given to oneself": mine.Assignment.UUID, "given to one's group": deck.Assignment.UUID, "given to the group above": crew.Assignment.UUID,
		"given to one's department": sales.Assignment.UUID, "given to the department above": north.Assignment.UUID, "one's own membership": inDeck.Membership.UUID,
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range []domain.Silence{domain.KeepOnSilence, domain.RevokeOnSilence} {
				h.When(decideItem(env(), own, d)).ThenRefused(t, domain.ErrReviewOwn)
			}
		})
	}
	for _, id := range []uuid.UUID{other.Assignment.UUID, south.Assignment.UUID, theirs.Membership.UUID} {
		h.When(decideItem(env(), id, domain.KeepOnSilence)).Events(t)
	}
	left := domain.MemberRemoved{Membership: inDeck.Membership, Group: group("deck"), User: chief, Role: domain.Member}
	h.and(left).When(decideItem(env(), deck.Assignment.UUID, domain.KeepOnSilence)).Events(t)
}

func TestNobodyReviewsWhileActingForSomebodyElse(t *testing.T) {
	ann := givenTo("ann", nil)
	h := staff().and(ann, reviewStarted(nil, itemOf(ann)))
	for _, e := range []commands.Env{forByDelegation(env(), user("bob")), asByImpersonation(env(), user("bob")), forByDelegation(env(), user("ann"))} {
		h.When(decideItem(e, ann.Assignment.UUID, domain.KeepOnSilence)).ThenRefused(t, domain.ErrActing)
	}
}

func TestWhatHasEndedMeanwhileIsDecidedAndNotEndedAgain(t *testing.T) {
	ann, bob := givenTo("ann", func(e *domain.RoleAssigned) { e.Window.Until = now }), givenTo("bob", nil)
	cat := joined("cat", "crew", domain.Member)
	back := joined("cat", "crew", domain.Member)
	back.Membership = membership("again")
	h := staff().and(ann, bob, unassignedBy(bob, "left"), cat, domain.MemberRemoved{Membership: cat.Membership, Group: cat.Group, User: cat.User, Role: cat.Role}, back,
		reviewStarted(nil, itemOf(ann), itemOf(bob), memberItem(cat), itemOf(givenTo("x", nil))))
	for _, id := range []uuid.UUID{ann.Assignment.UUID, bob.Assignment.UUID, cat.Membership.UUID} {
		e := decidedItem(id, false, 1)
		e.Already = true
		h.When(decideItem(env(), id, domain.RevokeOnSilence)).Then(t, e)
	}
}

func TestAReviewTakesNothingBackThatOtherWaysMayNot(t *testing.T) {
	ann := adminOf("ann")
	root := given().elsewhere(domain.Root, registered("ann"), registered("bob"), ann, reviewStarted(nil, itemOf(ann)))
	root.WhenIn(domain.Root, decideItem(onPlatform(env()), ann.Assignment.UUID, domain.RevokeOnSilence)).ThenRefused(t, domain.ErrLastAdmin)
	root.WhenIn(domain.Root, decideItem(onPlatform(env()), ann.Assignment.UUID, domain.KeepOnSilence)).Events(t)
	root.elsewhere(domain.Root, adminOf("bob")).WhenIn(domain.Root, decideItem(onPlatform(env()), ann.Assignment.UUID, domain.RevokeOnSilence)).Events(t)

	own, plain := joined("ann", "crew", domain.Owner), joined("bob", "crew", domain.Member)
	h := staff().and(own, plain, reviewStarted(nil, memberItem(own), memberItem(plain)))
	h.When(decideItem(maintainer(), own.Membership.UUID, domain.RevokeOnSilence)).ThenRefused(t, domain.ErrMayNotGive)
	h.When(decideItem(owner(), own.Membership.UUID, domain.RevokeOnSilence)).Events(t)
	h.and(policy(domain.GroupOwned, "true")).When(decideItem(owner(), own.Membership.UUID, domain.RevokeOnSilence)).ThenRefused(t, domain.ErrLastOwner)
	deny := h.and(deniedAt(atGroup("crew")))
	deny.When(decideItem(having(), plain.Membership.UUID, domain.RevokeOnSilence)).ThenRefused(t, domain.ErrMayNotGive)
	deny.When(decideItem(having("file.read"), plain.Membership.UUID, domain.RevokeOnSilence)).Events(t)
	deny.When(decideItem(having(), plain.Membership.UUID, domain.KeepOnSilence)).Events(t)
}

func TestAMemberFromAnotherTenantLeavesForBoth(t *testing.T) {
	cat := joined("cat", "crew", domain.Member)
	cat.Home, cat.Invitation = domain.HomeIn(globex), domain.InvitationID{UUID: named("invitation")}
	h := staff().and(cat, reviewStarted(nil, memberItem(cat), itemOf(givenTo("x", nil))))
	ended := map[uuid.UUID]bool{}
	for _, e := range h.When(decideItem(env(), cat.Membership.UUID, domain.RevokeOnSilence)).Events(t) {
		e, where := dcb.Place(e, acme.UUID)
		if _, is := e.(domain.OutsideMembershipEnded); is {
			ended[where] = true
		}
	}
	if len(ended) != 2 || !ended[acme.UUID] || !ended[globex.UUID] {
		t.Errorf("it ended in %v", ended)
	}
}

func TestAReviewIsClosedEarlyAndTheRestStaysAsItIs(t *testing.T) {
	ann := givenTo("ann", nil)
	h := staff().and(ann, reviewStarted(nil, itemOf(ann)))
	closing := func(reason string) dcb.Decision {
		return commands.CloseReview{ID: reviewID(), Reason: reason}.Decide(env())
	}
	h.When(closing("a mistake")).Then(t, reviewClosed("a mistake"))
	h.and(reviewClosed("")).When(closing("x")).ThenNothing(t)
	h.When(closing("\x01")).ThenInvalid(t, "/reason")
	staff().When(closing("x")).ThenRefused(t, domain.ErrReviewUnknown)
	staff().and(ann, reviewStarted(overdueReview, itemOf(ann))).When(closing("so that nothing is revoked")).ThenRefused(t, domain.ErrReviewOver)
}

func TestSilenceKeepsOrTakesBackAsTheStartSays(t *testing.T) {
	ann, bob := givenTo("ann", nil), givenTo("bob", nil)
	items := inOrderOfID(itemOf(ann), itemOf(bob))
	silent := func(i domain.ReviewItem, keep bool, n int) domain.ReviewDecided {
		return domain.ReviewDecided{Review: reviewID(), Item: i.Item, Keep: keep, Reason: domain.ReviewSilent, Decided: n}
	}
	event := map[uuid.UUID]domain.RoleAssigned{ann.Assignment.UUID: ann, bob.Assignment.UUID: bob}
	revoke := staff().and(ann, bob, reviewStarted(overdueReview, items...))
	revoke.When(finishReview()).Then(t,
		silent(items[0], false, 1), unassignedBy(event[items[0].Item], domain.ReviewSilent),
		silent(items[1], false, 2), unassignedBy(event[items[1].Item], domain.ReviewSilent), reviewClosed(domain.ReviewDue))
	keep := staff().and(ann, bob, reviewStarted(func(e *domain.ReviewStarted) { e.DueAt = now }, items...))
	keep.When(finishReview()).Then(t, silent(items[0], true, 1), silent(items[1], true, 2), reviewClosed(domain.ReviewDue))
	revoke.and(decidedItem(items[0].Item, true, 1)).When(finishReview()).
		Then(t, silent(items[1], false, 2), unassignedBy(event[items[1].Item], domain.ReviewSilent), reviewClosed(domain.ReviewDue))
	gone := silent(items[0], false, 1)
	gone.Already = true
	revoke.and(unassignedBy(event[items[0].Item], "left")).When(finishReview()).
		Then(t, gone, silent(items[1], false, 2), unassignedBy(event[items[1].Item], domain.ReviewSilent), reviewClosed(domain.ReviewDue))
}

func TestSilenceMeansNothingBeforeAReviewIsDueNorAfterItsEnd(t *testing.T) {
	ann := givenTo("ann", nil)
	h := staff().and(ann)
	due := h.and(reviewStarted(overdueReview, itemOf(ann)))
	due.When(finishReview()).Events(t)
	due.and(reviewClosed("")).When(finishReview()).ThenNothing(t)
	h.When(finishReview()).ThenNothing(t)
	h.elsewhere(globex, reviewStarted(overdueReview, itemOf(ann))).When(finishReview()).ThenNothing(t)
	h.and(reviewStarted(func(e *domain.ReviewStarted) { overdueReview(e); e.DueAt = now.Add(1) }, itemOf(ann))).When(finishReview()).ThenNothing(t)
}

func TestSilenceKeepsTheLastAdministratorAndTheLastOwner(t *testing.T) {
	ann, bob := adminOf("ann"), adminOf("bob")
	items := inOrderOfID(itemOf(ann), itemOf(bob))
	root := given().elsewhere(domain.Root, registered("ann"), registered("bob"), ann, bob, reviewStarted(overdueReview, items...))
	inRoot := commands.FinishReview{ID: reviewID()}.Decide(onPlatform(ofSystem()))
	events := root.WhenIn(domain.Root, inRoot).Events(t)
	last := events[2].(domain.ReviewDecided)
	if len(events) != 4 || events[0].(domain.ReviewDecided).Keep || !last.Keep || last.Item != items[1].Item || last.Reason != domain.ReviewSilent+"; it is kept: "+domain.ErrLastAdmin.Text {
		t.Errorf("decided %+v", events)
	}

	own, other := joined("ann", "crew", domain.Owner), joined("bob", "crew", domain.Owner)
	crew := staff().and(policy(domain.GroupOwned, "true"), own, other, reviewStarted(overdueReview, memberItem(own), memberItem(other)))
	events = crew.When(finishReview()).Events(t)
	if kept := events[2].(domain.ReviewDecided); len(events) != 4 || events[0].(domain.ReviewDecided).Keep || !kept.Keep {
		t.Errorf("decided %+v", events)
	}
}

// Whoever starts a review need not have what a deny keeps back: so silence leads nobody out of one.
func TestSilenceLeadsNobodyOutOfADeny(t *testing.T) {
	ann := joined("ann", "deck", domain.Member)
	h := staff().and(groupMade("deck", "crew"), ann, reviewStarted(overdueReview, memberItem(ann)))
	taken := h.When(finishReview()).Events(t)
	if taken[0].(domain.ReviewDecided).Keep {
		t.Errorf("without a deny: decided %+v", taken)
	}
	for _, place := range []string{"deck", "crew"} {
		events := h.and(deniedAt(atGroup(place))).When(finishReview()).Events(t)
		if kept := events[0].(domain.ReviewDecided); len(events) != 2 || !kept.Keep || kept.Reason != domain.ReviewSilent+"; it is kept: "+domain.ErrMayNotGive.Text {
			t.Errorf("with a deny on %s: decided %+v", place, events)
		}
	}
}

func TestALargeReviewIsFinishedInPortions(t *testing.T) {
	h := staff()
	var items []domain.ReviewItem
	for i := range 1201 {
		a := givenTo(strconv.Itoa(i), nil)
		items = append(items, itemOf(a))
		h.History = append(h.History, given(a).History...)
	}
	h = h.and(reviewStarted(overdueReview, items...))
	var portions []int
	unassigned := map[domain.AssignmentID]bool{}
	for range 10 {
		events := h.When(finishReview()).Events(t)
		if len(events) == 0 {
			break
		}
		n := 0
		for _, e := range events {
			switch e := e.(type) {
			case domain.ReviewDecided:
				n++
			case domain.RoleUnassigned:
				unassigned[e.Assignment] = true
			}
		}
		portions = append(portions, n)
		h = h.and(events...)
	}
	if !slices.Equal(portions, []int{500, 500, 201}) || len(unassigned) != 1201 {
		t.Errorf("portions of %v, %d taken back", portions, len(unassigned))
	}
	h.When(finishReview()).ThenNothing(t)
}

// Over the log in memory.

func TestTwoWhoDecideOfTheLastItemsAtTheSameTimeCloseTheReviewOnce(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, &commands.CreateRole{ID: role("reader"), Name: "reader"}))
	for _, name := range []string{"ann", "bob"} {
		w.must(t, w.order(acme, &commands.RegisterUser{ID: user(name), DisplayName: name}))
		w.must(t, w.order(acme, &commands.AssignRole{ID: assignment(name), Role: role("reader"), User: user(name)}))
	}
	w.must(t, w.order(acme, &commands.StartReview{ID: reviewID(), Name: "Spring", Role: role("reader"), DueAt: now.Add(day), Silence: domain.KeepOnSilence}))
	decision := func(name string) *commands.DecideReviewItem {
		return &commands.DecideReviewItem{Review: reviewID(), Item: assignment(name).UUID, Decision: domain.KeepOnSilence}
	}
	w.log.beforeNextAppend(func() { w.must(t, w.order(acme, decision("bob"))) })
	w.must(t, w.order(acme, decision("ann")))
	if n := w.countOf(t, "review.closed"); n != 1 {
		t.Errorf("closed %d times", n)
	}
}
