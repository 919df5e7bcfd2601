package access_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// hands offers all that ann may do to ben, within bounds.
func (b *bank) hands(change func(*domain.DelegationGranted)) domain.DelegationGranted {
	b.said++
	here := domain.HomeIn(acme)
	e := domain.DelegationGranted{
		Delegation: domain.DelegationID{UUID: named('D', b.said)}, Tenant: here, Grantor: ann, GrantorTenant: here, Delegate: ben, DelegateTenant: here,
		Window: domain.Window{From: noon.Add(-time.Hour), Until: noon.AddDate(0, 0, 1)},
	}
	if change != nil {
		change(&e)
	}
	return e
}

func agreed(e domain.DelegationGranted) domain.DelegationAccepted {
	return domain.DelegationAccepted{Delegation: e.Delegation, Tenant: e.Tenant, Grantor: e.Grantor, Delegate: e.Delegate}
}

func (b *bank) under(e domain.DelegationGranted, p domain.Privilege) bool {
	return b.Decide(access.Question{Tenant: acme, User: e.Delegate, Privilege: p, At: noon, Delegation: e.Delegation}).Allowed
}

// Nobody accepts what they may not have beside their own, and nobody is offered it; bounds that leave it out help.
func TestADelegationIsJudgedByWhatItsDelegateCouldUse(t *testing.T) {
	b := openBank(t)
	b.tell(acme, fourEyes(), b.assigns(pays, ann), b.assigns(looks, ann), b.assigns(approves, ben))
	for name, c := range map[string]struct {
		bounds domain.Bounds
		want   []domain.ConstraintID
	}{
		"everything":          {domain.Bounds{}, []domain.ConstraintID{apart}},
		"what the role gives": {domain.Bounds{Privileges: []domain.Pattern{"bill.pay"}}, []domain.ConstraintID{apart}},
		"what it gives too":   {domain.Bounds{Privileges: []domain.Pattern{"bill.read"}}, []domain.ConstraintID{apart}},
		"all bills":           {domain.Bounds{Privileges: []domain.Pattern{"bill.*"}}, []domain.ConstraintID{apart}},
		"something else":      {domain.Bounds{Privileges: []domain.Pattern{"repo.read"}}, nil},
		"its app":             {domain.Bounds{Apps: []domain.App{"bill"}}, []domain.ConstraintID{apart}},
		"another app":         {domain.Bounds{Apps: []domain.App{"repo"}}, nil},
		"the role":            {domain.Bounds{Roles: []domain.RoleID{pays}}, []domain.ConstraintID{apart}},
		"another role":        {domain.Bounds{Roles: []domain.RoleID{looks}}, nil},
		"one thing":           {domain.Bounds{Resources: []domain.Scope{"repo:a"}}, []domain.ConstraintID{apart}},
	} {
		b.breaks(name, c.want, b.hands(func(e *domain.DelegationGranted) { e.Bounds = c.bounds }))
	}
	later := func(e *domain.DelegationGranted) {
		e.Window = domain.Window{From: noon.AddDate(0, 0, 2), Until: noon.AddDate(0, 0, 3)}
	}
	b.breaks("later", []domain.ConstraintID{apart}, b.hands(later))
	to := func(u domain.UserID) func(*domain.DelegationGranted) {
		return func(e *domain.DelegationGranted) { e.Delegate = u }
	}
	cat := b.another(1)
	b.breaks("somebody who has nothing", nil, b.hands(to(cat)))
	b.breaks("what nobody has", nil, b.hands(func(e *domain.DelegationGranted) { e.Grantor, e.Delegate = cat, ann }))
	b.breaks("nobody", nil, b.hands(to(domain.UserID{UUID: named('v', 99)})))

	mine := b.hands(to(cat))
	b.tell(acme, mine, agreed(mine))
	theirs := b.hands(func(e *domain.DelegationGranted) { e.Grantor, e.Delegate = ben, cat })
	b.breaks("what two others have", []domain.ConstraintID{apart}, theirs)
	on := b.hands(func(e *domain.DelegationGranted) {
		e.Parent, e.Chain, e.Grantor, e.Delegate = mine.Delegation, []domain.DelegationID{mine.Delegation}, cat, ben
	})
	b.breaks("handed on", []domain.ConstraintID{apart}, on)
	b.tell(acme, b.revokes(1), needsSchool())
	b.breaks("once it is taken from the grantor", nil, b.hands(nil))
}

func TestADelegateNeedsWhatARoleNeeds(t *testing.T) {
	b := openBank(t)
	b.tell(acme, needsSchool(), atMost(1), b.assigns(trained, ann), b.assigns(pays, ann))
	offer := b.hands(nil)
	b.breaks("without it", []domain.ConstraintID{schooling}, offer)
	b.tell(acme, offer, agreed(offer))
	if b.under(offer, "bill.pay") || !b.under(offer, "school.enter") {
		t.Error("a delegate without it uses the role, or nothing at all")
	}
	b.tell(acme, b.assigns(trained, ben))
	b.breaks("with it", nil, offer)
	if !b.under(offer, "bill.pay") { // and the number of users is no matter: it is ann who has the role
		t.Error("a delegate with it cannot use the role")
	}
	b.tell(acme, b.revokes(1))
	if b.under(offer, "bill.pay") {
		t.Error("a delegate uses what is suspended of the grantor")
	}
}

// What somebody delegates to another one suspends nothing of theirs; it is of no use itself.
func TestNobodyDisablesAnotherOneByDelegating(t *testing.T) {
	b := openBank(t)
	b.tell(acme, fourEyes(), b.assigns(pays, ann), b.assigns(looks, ann), b.assigns(approves, ben), b.lets(ann, "bill.void"))
	offer := b.hands(nil)
	b.tell(acme, offer, agreed(offer))
	if !b.may(ben, "bill.approve") || !b.may(ben, "bill.read") || !b.may(ann, "bill.pay") {
		t.Error("somebody's own is suspended")
	}
	if b.under(offer, "bill.pay") || b.under(offer, "bill.read") || !b.under(offer, "repo.read") || !b.under(offer, "bill.void") {
		t.Error("the delegation gives what conflicts, or not what does not")
	}
	b.tell(acme, b.lets(ann, "bill.pay"))
	if b.under(offer, "bill.pay") {
		t.Error("by an allow it gives what conflicts")
	}
}

func TestTheExplanationSaysWhichConstraintSuspendsWhat(t *testing.T) {
	b := openBank(t)
	first, second := b.assigns(pays, ann), b.assigns(junior, tellers)
	b.tell(acme, fourEyes(), atMost(1), needsSchool(), first, second, b.joins(ann, tellers), b.assigns(approves, ann))
	given := b.Position()
	steps := func(q access.Question) (found []access.Step) {
		q.Tenant, q.At = acme, noon
		e := b.Explain(q)
		if d := b.Decide(q); d != e.Answer || d.Allowed {
			t.Errorf("decided %+v, explained %+v", d, e.Answer)
		}
		for _, s := range e.Steps {
			if s.Rule == access.RuleConstraint {
				found = append(found, s)
			}
			if s.Rule == access.RuleGrant && s.Counts {
				t.Errorf("it counts: %+v", s)
			}
		}
		return found
	}
	found := steps(access.Question{User: ann, Privilege: "bill.pay"})
	if len(found) != 4 { // by both assignments, both constraints
		t.Fatalf("explained with %+v", found)
	}
	s := found[0]
	if !s.Counts || !strings.Contains(s.Note, `"four eyes"`) || !strings.Contains(found[1].Note, `"schooling"`) {
		t.Errorf("explained with %+v", found)
	}
	for _, want := range []access.Link{
		{Kind: "constraint", ID: apart.String(), Position: given - 6}, {Kind: "assignment", ID: first.Assignment.String(), Position: given - 3},
		{Kind: "role", ID: approves.String(), Position: given},
	} {
		if !slices.Contains(s.Links, want) {
			t.Errorf("%+v is not among %+v", want, s.Links)
		}
	}
	b.tell(acme, domain.ConstraintRemoved{Constraint: schooling}, domain.ConstraintRemoved{Constraint: apart}, b.joins(ben, tellers))
	if found = steps(access.Question{User: ben, Privilege: "bill.pay"}); len(found) != 1 || !strings.Contains(found[0].Note, "others had the role before") {
		t.Errorf("explained with %+v", found)
	}
	b.tell(acme, domain.ConstraintRemoved{Constraint: limited}, fourEyesAgain(), b.lets(ben, "bill.approve"))
	if found = steps(access.Question{User: ben, Privilege: "bill.approve"}); len(found) != 1 || !strings.Contains(found[0].Note, "exclude one another") {
		t.Errorf("explained with %+v", found)
	}
	cat := b.another(1)
	offer := b.hands(func(e *domain.DelegationGranted) { e.Grantor, e.Delegate = cat, ann })
	b.tell(acme, b.assigns(approves, cat), offer, agreed(offer), b.revokes(3))
	if found = steps(access.Question{User: ann, Privilege: "bill.approve", Delegation: offer.Delegation}); len(found) != 1 || !strings.Contains(found[0].Note, "the delegate has") {
		t.Errorf("explained with %+v", found)
	}
}

func fourEyesAgain() domain.ConstraintCreated {
	e := fourEyes()
	e.Constraint = domain.ConstraintID{UUID: named('k', 9)}
	return e
}

// A verdict rests on all that could add a step to the way from somebody to a role, at the same time.
func TestAVerdictRestsOnTheWays(t *testing.T) {
	b := openBank(t)
	top := domain.GroupID{UUID: named('g', 9)}
	b.tell(acme, domain.GroupCreated{Group: top}, domain.GroupMoved{Group: tellers, Parent: top}, domain.DepartmentMoved{Department: front, Parent: house},
		b.assigns(junior, tellers), b.assigns(looks, top), fourEyes())
	rests := func(e dcb.Event) (whole dcb.Query) {
		for _, f := range b.judge(e).Rests {
			whole = append(whole, f.Item())
		}
		return whole
	}
	check := func(name string, whole dcb.Query, conflicts bool, others ...dcb.Event) {
		t.Helper()
		for _, e := range others {
			if got := whole.Matches(e.EventType(), dcb.TagsOf(e)); got != conflicts {
				t.Errorf("%s: %T%+v conflicts: %v", name, e, e, got)
			}
		}
	}
	other := domain.GroupID{UUID: named('g', 10)}
	joins := rests(b.joins(ann, tellers))
	check("steps up", joins, true, domain.GroupMoved{Group: tellers, Parent: other}, domain.GroupMoved{Group: top, Parent: other}, b.assigns(approves, tellers),
		b.assigns(approves, top), domain.RoleParentAdded{Role: looks, Parent: approves}, domain.RoleParentAdded{Role: pays, Parent: approves})
	check("steps elsewhere", joins, false, b.joins(ben, tellers), b.assigns(looks, ann), b.assigns(looks, clerks), domain.GroupMoved{Group: clerks, Parent: other})
	gives := rests(b.assigns(approves, top))
	check("steps to those who get it", gives, true, b.joins(ann, tellers), b.joins(ann, top), domain.GroupMoved{Group: clerks, Parent: tellers})
	check("steps to others", gives, false, b.joins(ann, clerks), domain.UserMoved{User: ann, Department: front})
	edits := rests(domain.RoleParentAdded{Role: looks, Parent: approves})
	check("steps to who has the role", edits, true, b.joins(ann, tellers), b.assigns(looks, ann), domain.RoleParentAdded{Role: trained, Parent: looks})
	check("steps to who has it not", edits, false, b.joins(ann, clerks), b.assigns(trained, ann))
	moves := rests(domain.DepartmentMoved{Department: house, Parent: domain.DepartmentID{UUID: named('d', 9)}})
	check("what concerns no constraint", moves, false, domain.UserMoved{User: ann, Department: front})
	b.tell(acme, b.assigns(pays, house))
	assigns := rests(b.assigns(pays, house))
	check("departments below", assigns, true, domain.UserMoved{User: ann, Department: front},
		domain.UserRegistered{User: b.another(5), Department: house}, domain.DepartmentMoved{Department: domain.DepartmentID{UUID: named('d', 9)}, Parent: front})
	made := rests(fourEyesAgain())
	check("a new constraint", made, true, b.assigns(pays, ann), b.assigns(junior, clerks), b.joins(ann, tellers), domain.UserMoved{User: ann, Department: front},
		domain.RoleParentAdded{Role: trained, Parent: junior})
	check("a new constraint of other roles", made, false, b.assigns(looks, ann), b.joins(ann, clerks))
}
