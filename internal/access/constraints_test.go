package access_test

import (
	"slices"
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// bank is a tenant in which nobody both pays and approves. The roles read bills, too; juniors inherit from payers.
type bank struct {
	*story
	said int
}

var (
	pays      = domain.RoleID{UUID: named('r', 11)}
	approves  = domain.RoleID{UUID: named('r', 12)}
	junior    = domain.RoleID{UUID: named('r', 13)}
	looks     = domain.RoleID{UUID: named('r', 14)}
	trained   = domain.RoleID{UUID: named('r', 15)}
	apart     = domain.ConstraintID{UUID: named('k', 1)}
	limited   = domain.ConstraintID{UUID: named('k', 2)}
	schooling = domain.ConstraintID{UUID: named('k', 3)}
	tellers   = domain.GroupID{UUID: named('g', 1)}
	clerks    = domain.GroupID{UUID: named('g', 2)}
	front     = domain.DepartmentID{UUID: named('d', 1)}
	house     = domain.DepartmentID{UUID: named('d', 2)}
)

func openBank(t testing.TB) *bank {
	b := &bank{story: begin(t)}
	for r, p := range map[domain.RoleID]domain.Pattern{pays: "bill.pay", approves: "bill.approve", looks: "repo.read", trained: "school.enter"} {
		b.tell(acme, domain.RoleCreated{Role: r}, domain.RolePrivilegeAdded{Role: r, Privilege: p})
	}
	for _, r := range []domain.RoleID{pays, approves} {
		b.tell(acme, domain.RolePrivilegeAdded{Role: r, Privilege: "bill.read"})
	}
	b.tell(acme, domain.RoleCreated{Role: junior}, domain.RoleParentAdded{Role: junior, Parent: pays},
		domain.GroupCreated{Group: tellers}, domain.GroupCreated{Group: clerks}, domain.DepartmentCreated{Department: front}, domain.DepartmentCreated{Department: house})
	b.tell(domain.Root, domain.PolicySet{Key: domain.OverrideAllow.Key, Value: "bill.*"})
	return b
}

func fourEyes() domain.ConstraintCreated {
	return domain.ConstraintCreated{Constraint: apart, Tenant: acme, Name: "four eyes", Kind: domain.Exclusive, Roles: []domain.RoleID{pays, approves}, Most: 1}
}

func atMost(n int) domain.ConstraintCreated {
	return domain.ConstraintCreated{Constraint: limited, Tenant: acme, Name: "few", Kind: domain.Cardinality, Roles: []domain.RoleID{pays}, Most: n}
}

func needsSchool() domain.ConstraintCreated {
	return domain.ConstraintCreated{Constraint: schooling, Tenant: acme, Name: "schooling", Kind: domain.Prerequisite, Roles: []domain.RoleID{pays}, Requires: trained}
}

// assigns is an assignment of its own id to a user, a department or a group.
func (b *bank) assigns(r domain.RoleID, to any, windows ...domain.Window) domain.RoleAssigned {
	b.said++
	e := domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: named('A', b.said)}, Role: r}
	switch to := to.(type) {
	case domain.UserID:
		e.User = to
	case domain.DepartmentID:
		e.Department = to
	case domain.GroupID:
		e.Group = to
	}
	for _, w := range windows {
		e.Window = w
	}
	return e
}

func (b *bank) joins(u domain.UserID, g domain.GroupID) domain.MemberAdded {
	b.said++
	return domain.MemberAdded{Membership: domain.MembershipID{UUID: named('M', b.said)}, Group: g, User: u, Role: domain.Member}
}

func (b *bank) lets(u domain.UserID, p domain.Pattern) domain.OverrideAdded {
	b.said++
	return domain.OverrideAdded{Override: domain.OverrideID{UUID: named('O', b.said)}, Effect: domain.Allow, Privilege: p, User: u, ExpiresAt: noon.AddDate(0, 1, 0)}
}

func (b *bank) another(n int) domain.UserID {
	u := domain.UserID{UUID: named('v', n)}
	b.tell(acme, domain.UserRegistered{User: u, Status: domain.UserActive})
	return u
}

func (b *bank) judge(events ...dcb.Event) domain.Verdict {
	return b.Judge(domain.Change{Tenant: acme, At: noon, Events: events})
}

// breaks requires that the events break just these constraints.
func (b *bank) breaks(name string, ids []domain.ConstraintID, events ...dcb.Event) {
	b.t.Helper()
	var got []domain.ConstraintID
	v := b.judge(events...)
	for _, c := range v.Broken {
		got = append(got, c.Constraint)
		if !slices.Contains(v.Judged, c.Constraint) {
			b.t.Errorf("%s: %s is broken and was not judged", name, c.Name)
		}
	}
	if !slices.Equal(got, ids) {
		b.t.Errorf("%s: broken are %v, want %v", name, got, ids)
	}
}

// Each way by which a role becomes effective brings two together that exclude one another.
func TestEachWayUpIsFound(t *testing.T) {
	for name, way := range map[string]struct {
		before func(b *bank) []dcb.Event
		last   func(b *bank) dcb.Event
	}{
		"direct assignment": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(pays, ann)} },
			func(b *bank) dcb.Event { return b.assigns(approves, ann) },
		},
		"assignment on one thing": {
			func(b *bank) []dcb.Event { e := b.assigns(pays, ann); e.Scope = "repo:a"; return []dcb.Event{e} },
			func(b *bank) dcb.Event { e := b.assigns(approves, ann); e.Scope = "repo:b"; return e },
		},
		"assignment of an heir": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(approves, ann)} },
			func(b *bank) dcb.Event { return b.assigns(junior, ann) },
		},
		"assignment to a department": {
			func(b *bank) []dcb.Event {
				return []dcb.Event{b.assigns(approves, ann), domain.UserMoved{User: ann, Department: front}}
			},
			func(b *bank) dcb.Event { return b.assigns(pays, front) },
		},
		"assignment to a group above": {
			func(b *bank) []dcb.Event {
				return []dcb.Event{b.assigns(approves, ann), domain.GroupMoved{Group: clerks, Parent: tellers}, b.joins(ann, clerks)}
			},
			func(b *bank) dcb.Event { return b.assigns(pays, tellers) },
		},
		"role edit": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(approves, ann), b.assigns(looks, ann)} },
			func(*bank) dcb.Event { return domain.RoleParentAdded{Role: looks, Parent: pays} },
		},
		"parent role edit": {
			func(b *bank) []dcb.Event {
				return []dcb.Event{b.assigns(approves, ann), b.assigns(looks, ann), domain.RoleParentAdded{Role: looks, Parent: trained}}
			},
			func(*bank) dcb.Event { return domain.RoleParentAdded{Role: trained, Parent: junior} },
		},
		"group ownership": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(approves, ann), b.assigns(pays, tellers)} },
			func(b *bank) dcb.Event { e := b.joins(ann, tellers); e.Role = domain.Owner; return e },
		},
		"group move": {
			func(b *bank) []dcb.Event {
				return []dcb.Event{b.assigns(approves, ann), b.assigns(pays, tellers), b.joins(ann, clerks)}
			},
			func(*bank) dcb.Event { return domain.GroupMoved{Group: clerks, Parent: tellers} },
		},
		"department move": {
			func(b *bank) []dcb.Event {
				return []dcb.Event{b.assigns(approves, ann), b.assigns(pays, house), domain.UserMoved{User: ann, Department: front}}
			},
			func(*bank) dcb.Event { return domain.DepartmentMoved{Department: front, Parent: house} },
		},
		"move of a user": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(approves, ann), b.assigns(pays, front)} },
			func(*bank) dcb.Event { return domain.UserMoved{User: ann, Department: front} },
		},
		"registration": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(junior, front), b.assigns(approves, house)} },
			func(b *bank) dcb.Event {
				b.tell(acme, domain.DepartmentMoved{Department: front, Parent: house})
				return domain.UserRegistered{User: domain.UserID{UUID: named('v', 1)}, Department: front, Status: domain.UserInvited}
			},
		},
		"return": {
			func(b *bank) []dcb.Event {
				return []dcb.Event{domain.UserDeactivated{User: ann}, b.assigns(pays, ann), b.assigns(approves, ann)}
			},
			func(*bank) dcb.Event { return domain.UserReactivated{User: ann} },
		},
		"override": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(pays, ann)} },
			func(b *bank) dcb.Event { return b.lets(ann, "bill.approve") },
		},
		"override of more than a role gives": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(pays, ann)} },
			func(b *bank) dcb.Event { return b.lets(ann, "bill.*") },
		},
		"override for everybody": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(pays, ann)} },
			func(b *bank) dcb.Event { e := b.lets(domain.UserID{}, "bill.approve"); return e },
		},
		"assignment after an override": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.lets(ann, "bill.approve")} },
			func(b *bank) dcb.Event { return b.assigns(pays, ann) },
		},
		"group with an override": {
			func(b *bank) []dcb.Event {
				e := b.lets(domain.UserID{}, "bill.approve")
				e.Group = tellers
				return []dcb.Event{b.assigns(pays, ann), e}
			},
			func(b *bank) dcb.Event { return b.joins(ann, tellers) },
		},
		"two overrides": {
			func(b *bank) []dcb.Event { return []dcb.Event{b.lets(ann, "bill.pay")} },
			func(b *bank) dcb.Event { return b.lets(ann, "bill.approve") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBank(t)
			b.tell(acme, way.before(b)...)
			last := way.last(b)
			if v := b.judge(last); v.Judged != nil || v.Broken != nil || v.Rests != nil {
				t.Errorf("without constraints it is judged: %+v", v)
			}
			b.breaks("constraint after it", nil, fourEyes())
			b.tell(acme, fourEyes())
			b.breaks(name, []domain.ConstraintID{apart}, last)
			b.tell(acme, last)
			if b.may(ann, "bill.pay") && b.may(ann, "bill.approve") {
				t.Error("at use ann may do both")
			}
			b.breaks("another constraint over it", []domain.ConstraintID{fourEyesAgain().Constraint}, fourEyesAgain())
			b.tell(acme, domain.ConstraintRemoved{Constraint: apart})
			if v := b.judge(last); v.Judged != nil {
				t.Errorf("once it is removed it judges: %+v", v)
			}
		})
	}
}

func TestWhatDoesNotMeetInOneUserIsNoViolation(t *testing.T) {
	for name, harmless := range map[string]func(b *bank) []dcb.Event{ // the last is judged
		"another user": func(b *bank) []dcb.Event { return []dcb.Event{b.assigns(pays, ann), b.assigns(approves, ben)} },
		"the same role again": func(b *bank) []dcb.Event {
			return []dcb.Event{b.assigns(pays, ann), b.assigns(junior, ann)}
		},
		"one after the other": func(b *bank) []dcb.Event {
			return []dcb.Event{b.assigns(pays, ann, domain.Window{Until: noon.Add(time.Hour)}), b.assigns(approves, ann, domain.Window{From: noon.Add(time.Hour)})}
		},
		"one that is over": func(b *bank) []dcb.Event {
			return []dcb.Event{b.assigns(pays, ann, domain.Window{Until: noon}), b.assigns(approves, ann)}
		},
		"somebody inactive": func(b *bank) []dcb.Event {
			return []dcb.Event{domain.UserDeactivated{User: ann}, b.assigns(pays, ann), b.assigns(approves, ann)}
		},
		"an allow of what both give": func(b *bank) []dcb.Event {
			return []dcb.Event{b.assigns(pays, ann), b.lets(ann, "bill.read")}
		},
		"an allow of what the role gives": func(b *bank) []dcb.Event {
			return []dcb.Event{b.assigns(pays, ann), b.lets(ann, "bill.pay")}
		},
		"an allow that the platform does not permit": func(b *bank) []dcb.Event {
			b.tell(domain.Root, domain.PolicySet{Key: domain.OverrideAllow.Key, Value: "repo.*"})
			return []dcb.Event{b.assigns(pays, ann), b.lets(ann, "bill.approve")}
		},
		"a deny": func(b *bank) []dcb.Event {
			e := b.lets(ann, "bill.approve")
			e.Effect = domain.Deny
			return []dcb.Event{b.assigns(pays, ann), e}
		},
		"a group of nobody": func(b *bank) []dcb.Event {
			return []dcb.Event{b.assigns(pays, ann), b.assigns(approves, tellers)}
		},
		"an empty group below": func(b *bank) []dcb.Event {
			return []dcb.Event{b.assigns(pays, ann), b.assigns(approves, tellers), domain.GroupMoved{Group: clerks, Parent: tellers}}
		},
		"the group above": func(b *bank) []dcb.Event {
			return []dcb.Event{b.assigns(pays, ann), b.joins(ann, tellers), domain.GroupMoved{Group: clerks, Parent: tellers}, b.assigns(approves, clerks)}
		},
		"a role of another tenant under the same id": func(b *bank) []dcb.Event {
			beta := domain.TenantID{UUID: named('t', 9)}
			b.tell(beta, domain.TenantCreated{Tenant: beta}, domain.RoleCreated{Role: approves})
			return []dcb.Event{b.assigns(pays, ann), b.assigns(looks, ann)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBank(t)
			b.tell(acme, fourEyes())
			events := harmless(b)
			b.tell(acme, events[:len(events)-1]...)
			b.breaks(name, nil, events[len(events)-1])
		})
	}
}

func TestOverlapsThatAreToComeAreViolationsToo(t *testing.T) {
	b := openBank(t)
	b.tell(acme, fourEyes(), b.assigns(pays, ann, domain.Window{From: noon.AddDate(0, 0, 7), Until: noon.AddDate(0, 0, 8)}))
	week := func(from, until int) domain.RoleAssigned {
		return b.assigns(approves, ann, domain.Window{From: noon.AddDate(0, 0, from), Until: noon.AddDate(0, 0, until)})
	}
	b.breaks("before", nil, week(0, 7))
	b.breaks("into it", []domain.ConstraintID{apart}, week(0, 8))
	b.breaks("within", []domain.ConstraintID{apart}, b.assigns(approves, ann, domain.Window{From: noon.AddDate(0, 0, 7).Add(time.Hour), Until: noon.AddDate(0, 0, 8)}))
	b.breaks("after", nil, week(8, 9))
}

// Who breaks a constraint already may go on to be given what makes it no worse.
func TestOnlyWhatMakesItWorseIsAViolation(t *testing.T) {
	b := openBank(t)
	three := fourEyes()
	three.Roles = append(three.Roles, trained)
	b.tell(acme, b.assigns(pays, ann), b.assigns(approves, ann))
	b.breaks("created over a violation", []domain.ConstraintID{apart}, three)
	b.tell(acme, three)
	b.breaks("one that is had already", nil, b.assigns(junior, ann))
	b.breaks("one that is none of them", nil, b.assigns(looks, ann))
	b.breaks("a third", []domain.ConstraintID{apart}, b.assigns(trained, ann))
	b.breaks("a third for another", nil, b.assigns(trained, ben))
	b.breaks("taking", nil, domain.RoleUnassigned{Assignment: domain.AssignmentID{UUID: named('A', 1)}, Role: pays, User: ann})
}

func TestAnExclusiveSetMayAdmitSeveral(t *testing.T) {
	b := openBank(t)
	three := fourEyes()
	three.Roles, three.Most = append(three.Roles, trained), 2
	b.tell(acme, three, b.assigns(pays, ann))
	b.breaks("two of three", nil, b.assigns(approves, ann))
	b.tell(acme, b.assigns(approves, ann))
	b.breaks("three of three", []domain.ConstraintID{apart}, b.assigns(trained, ann))
	if !b.may(ann, "bill.pay") || !b.may(ann, "bill.approve") {
		t.Error("two of three are suspended")
	}
	b.tell(acme, b.assigns(trained, ann))
	if b.may(ann, "bill.pay") || b.may(ann, "bill.approve") || b.may(ann, "school.enter") {
		t.Error("of three none is suspended")
	}
}

func TestARoleOfAFewIsCountedByUsers(t *testing.T) {
	b := openBank(t)
	b.tell(acme, atMost(2), b.assigns(pays, ann), b.assigns(junior, ann))
	b.breaks("the second", nil, b.assigns(pays, ben))
	b.tell(acme, b.assigns(pays, ben))
	cat, dan := b.another(1), b.another(2)
	b.breaks("the third", []domain.ConstraintID{limited}, b.assigns(junior, cat))
	b.breaks("once more for the first", nil, b.assigns(pays, ann, domain.Window{Until: noon.AddDate(1, 0, 0)}))
	b.breaks("a later window of the third", []domain.ConstraintID{limited}, b.assigns(pays, cat, domain.Window{From: noon.AddDate(0, 0, 1)}))
	b.breaks("a role that is inherited by others", []domain.ConstraintID{limited}, domain.RoleParentAdded{Role: looks, Parent: pays}, b.assigns(looks, cat))
	b.tell(acme, domain.UserDeactivated{User: ben})
	b.breaks("the third while the second is away", nil, b.assigns(pays, cat))
	b.tell(acme, b.assigns(pays, cat))
	b.breaks("the second again", []domain.ConstraintID{limited}, domain.UserReactivated{User: ben})
	b.breaks("an empty group", nil, b.assigns(pays, tellers))
	b.tell(acme, b.assigns(pays, tellers))
	b.breaks("one more in the group", []domain.ConstraintID{limited}, b.joins(dan, tellers))
	b.breaks("the first in the group", nil, b.joins(ann, tellers))
	b.breaks("a department of nobody", nil, b.assigns(pays, front))
	b.tell(acme, b.assigns(pays, front))
	b.breaks("the registration of one more", []domain.ConstraintID{limited}, domain.UserRegistered{User: domain.UserID{UUID: named('v', 3)}, Department: front, Status: domain.UserActive})
	b.breaks("created over it", nil, domain.ConstraintCreated{Constraint: apart, Kind: domain.Cardinality, Roles: []domain.RoleID{pays}, Most: 2})
	b.breaks("created below it", []domain.ConstraintID{apart}, domain.ConstraintCreated{Constraint: apart, Kind: domain.Cardinality, Roles: []domain.RoleID{pays}, Most: 1})
	b.tell(acme, domain.ConstraintCreated{Constraint: apart, Kind: domain.Cardinality, Roles: []domain.RoleID{pays}, Most: 1})
	b.breaks("too many already, and no more", nil, b.assigns(pays, ann, domain.Window{Until: noon.AddDate(2, 0, 0)}))
	b.breaks("too many already, and one more", []domain.ConstraintID{limited, apart}, b.assigns(pays, dan))
}

// Nobody has the role that grows; but what an allow gives of its roles grows with it.
func TestARoleThatGrowsIsJudgedForThoseWhomOverridesAllowWhatItGives(t *testing.T) {
	b := openBank(t)
	empty := domain.RoleID{UUID: named('r', 16)}
	two := domain.ConstraintCreated{Constraint: apart, Tenant: acme, Kind: domain.Exclusive, Roles: []domain.RoleID{pays, empty}, Most: 1}
	b.tell(acme, domain.RoleCreated{Role: empty}, two, b.lets(ann, "bill.pay"), b.lets(ann, "bill.approve"))
	b.breaks("a parent", []domain.ConstraintID{apart}, domain.RoleParentAdded{Role: empty, Parent: approves})
	b.breaks("a parent of a parent", []domain.ConstraintID{apart},
		domain.RoleParentAdded{Role: looks, Parent: approves}, domain.RoleParentAdded{Role: empty, Parent: looks})
	b.breaks("a parent that gives what nobody is allowed", nil, domain.RoleParentAdded{Role: empty, Parent: trained})
}

// When a group grows past what a role admits, the first ones keep it.
func TestOfTooManyTheFirstKeepTheRole(t *testing.T) {
	b := openBank(t)
	cat := b.another(1)
	may := func(want ...domain.UserID) {
		t.Helper()
		for _, u := range []domain.UserID{ann, ben, cat} {
			if got := b.may(u, "bill.pay"); got != slices.Contains(want, u) {
				t.Errorf("%s may pay: %v", u, got)
			}
		}
	}
	b.tell(acme, atMost(2), b.joins(cat, tellers), b.assigns(pays, ben), b.assigns(pays, tellers), b.joins(ann, tellers))
	may(ben, cat)
	b.tell(acme, domain.UserDeactivated{User: ben})
	may(cat, ann)
	b.tell(acme, domain.UserReactivated{User: ben}) // who comes back comes last
	may(cat, ann)
	b.tell(acme, b.assigns(junior, cat)) // a second way changes nothing
	may(cat, ann)
	b.tell(acme, domain.MemberRemoved{Group: tellers, User: cat}) // but what is left of the first does
	may(ann, ben)
	b.tell(acme, domain.RoleParentRemoved{Role: junior, Parent: pays})
	may(ann, ben)
	b.tell(acme, domain.RoleParentAdded{Role: junior, Parent: pays})
	may(ann, ben)
	b.tell(acme, domain.MemberRemoved{Group: tellers, User: ann})
	may(ben, cat)
	b.tell(acme, domain.ConstraintRemoved{Constraint: limited}, b.joins(ann, tellers))
	may(ann, ben, cat)
}

func TestWindowsOfHoldersAreJudgedAtTheInstant(t *testing.T) {
	b := openBank(t)
	b.tell(acme, atMost(1), b.assigns(pays, ann, domain.Window{From: noon.Add(time.Hour)}), b.assigns(pays, ben))
	at := func(u domain.UserID, when time.Time) bool {
		return b.Decide(access.Question{Tenant: acme, User: u, Privilege: "bill.pay", At: when}).Allowed
	}
	if !at(ben, noon) || at(ann, noon) {
		t.Error("before her window begins it is not ann's")
	}
	if later := noon.Add(time.Hour); at(ben, later) || !at(ann, later) {
		t.Error("what was given first comes first once it begins")
	}
}

func TestARoleMayNeedAnother(t *testing.T) {
	b := openBank(t)
	b.tell(acme, needsSchool())
	none, schools := []domain.ConstraintID(nil), []domain.ConstraintID{schooling}
	b.breaks("without it", schools, b.assigns(pays, ann))
	b.breaks("an heir without it", schools, b.assigns(junior, ann))
	b.breaks("a group that has it not", none, b.assigns(pays, tellers))
	b.tell(acme, b.assigns(trained, ann, domain.Window{From: noon.AddDate(0, 0, 1), Until: noon.AddDate(0, 0, 9)}))
	b.breaks("before it begins", schools, b.assigns(pays, ann))
	b.breaks("from when it begins, though it ends first", none, b.assigns(pays, ann, domain.Window{From: noon.AddDate(0, 0, 1)}))
	b.tell(acme, b.assigns(pays, ann))
	for day, want := range map[int]bool{0: false, 1: true, 8: true, 9: false} {
		if got := b.Decide(access.Question{Tenant: acme, User: ann, Privilege: "bill.pay", At: noon.AddDate(0, 0, day)}).Allowed; got != want {
			t.Errorf("on day %d ann may pay: %v", day, got)
		}
	}
	b.breaks("one more of what lacks it already", none, b.assigns(junior, ann))
	b.breaks("both at once", none, b.assigns(trained, ben), b.assigns(pays, ben))
	again := needsSchool()
	again.Constraint = apart
	b.breaks("created over it", []domain.ConstraintID{apart}, again)
}

// Of a batch, what came before is judged as if it had happened.
func TestABatchIsJudgedAsOne(t *testing.T) {
	b := openBank(t)
	b.tell(acme, fourEyes(), atMost(1), b.assigns(pays, ann))
	cat, role := domain.UserID{UUID: named('v', 7)}, domain.RoleID{UUID: named('r', 20)}
	place, above, unit, top := domain.GroupID{UUID: named('g', 20)}, domain.GroupID{UUID: named('g', 21)}, domain.DepartmentID{UUID: named('d', 20)}, domain.DepartmentID{UUID: named('d', 21)}
	made := []dcb.Event{
		domain.UserRegistered{User: cat, Status: domain.UserInvited}, domain.RoleCreated{Role: role}, domain.RoleParentAdded{Role: role, Parent: pays},
		domain.GroupCreated{Group: above}, domain.GroupCreated{Group: place, Parent: above}, domain.DepartmentCreated{Department: top}, domain.DepartmentCreated{Department: unit, Parent: top},
	}
	lets := b.lets(cat, "bill.approve")
	for name, c := range map[string]struct {
		before []dcb.Event
		event  dcb.Event
		want   []domain.ConstraintID
	}{
		"both roles":            {[]dcb.Event{b.assigns(approves, ben)}, b.assigns(pays, ben), []domain.ConstraintID{apart, limited}},
		"one is gone":           {[]dcb.Event{b.revokes(1)}, b.assigns(approves, ann), nil},
		"the first is gone":     {[]dcb.Event{b.revokes(1)}, b.assigns(pays, ben), nil},
		"the first is away":     {[]dcb.Event{domain.UserDeactivated{User: ann}}, b.assigns(pays, ben), nil},
		"the first is erased":   {[]dcb.Event{domain.UserErased{User: ann}}, b.assigns(pays, ben), nil},
		"the first is back":     {[]dcb.Event{domain.UserDeactivated{User: ann}, domain.UserReactivated{User: ann}}, b.assigns(pays, ben), []domain.ConstraintID{limited}},
		"a new role":            {append(made, b.assigns(approves, cat)), b.assigns(role, cat), []domain.ConstraintID{apart, limited}},
		"no heir any more":      {append(made, b.assigns(approves, cat), domain.RoleParentRemoved{Role: role, Parent: pays}), b.assigns(role, cat), nil},
		"a role that is gone":   {append(made, b.assigns(approves, cat), domain.RoleDeleted{Role: role}), b.assigns(role, cat), nil},
		"a new group":           {append(made, b.assigns(pays, above), b.assigns(approves, cat)), b.joins(cat, place), []domain.ConstraintID{apart, limited}},
		"a group that moved":    {append(made, b.assigns(pays, above), domain.GroupMoved{Group: place}, b.assigns(approves, cat)), b.joins(cat, place), nil},
		"a group that is gone":  {append(made, b.assigns(pays, above), domain.GroupDeleted{Group: above}, b.assigns(approves, cat)), b.joins(cat, place), nil},
		"who left it":           {append(made, b.joins(cat, place), b.assigns(approves, cat), domain.MemberRemoved{Group: place, User: cat}), b.assigns(pays, place), nil},
		"who joined it":         {append(made, b.joins(cat, place), b.assigns(approves, cat)), b.assigns(pays, above), []domain.ConstraintID{apart, limited}},
		"a new department":      {append(made, b.assigns(pays, top), b.assigns(approves, cat)), domain.UserMoved{User: cat, Department: unit}, []domain.ConstraintID{apart, limited}},
		"one that moved":        {append(made, b.assigns(pays, top), domain.DepartmentMoved{Department: unit}, b.assigns(approves, cat)), domain.UserMoved{User: cat, Department: unit}, nil},
		"one that is gone":      {append(made, b.assigns(pays, top), domain.DepartmentDeleted{Department: top}, b.assigns(approves, cat)), domain.UserMoved{User: cat, Department: unit}, nil},
		"an allow":              {append(made, lets, domain.UserDeactivated{User: ann}), b.assigns(pays, cat), []domain.ConstraintID{apart}},
		"an allow that is gone": {append(made, lets, domain.OverrideRevoked{Override: lets.Override, User: cat}, domain.UserDeactivated{User: ann}), b.assigns(pays, cat), nil},
		"less that a role gives": {
			append(made, domain.RolePrivilegeRemoved{Role: approves, Privilege: "bill.approve"}, lets, domain.UserDeactivated{User: ann}), b.assigns(pays, cat), nil,
		},
		"more that a role gives": {
			append(made, domain.RolePrivilegeAdded{Role: pays, Privilege: "bill.approve"}, lets, domain.UserDeactivated{User: ann}), b.assigns(pays, cat), nil,
		},
		"a constraint that is gone": {[]dcb.Event{domain.ConstraintRemoved{Constraint: limited}}, b.assigns(pays, ben), nil},
		"another constraint":        {[]dcb.Event{needsSchool()}, b.assigns(pays, ann), nil},
	} {
		v := b.Judge(domain.Change{Tenant: acme, At: noon, Before: c.before, Events: []dcb.Event{c.event}})
		var got []domain.ConstraintID
		for _, broken := range v.Broken {
			got = append(got, broken.Constraint)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: broken are %v, want %v", name, got, c.want)
		}
	}
	b.breaks("nothing of it has happened", nil, b.assigns(approves, ben))
}

// revokes takes back the assignment that was said n-th.
func (b *bank) revokes(n int) domain.RoleUnassigned {
	return domain.RoleUnassigned{Assignment: domain.AssignmentID{UUID: named('A', n)}, Role: pays, User: ann}
}

// Guests are users of the tenant in which they are guests, as far as they have roles there; at home they are none of its.
func TestGuestsAreBoundByTheConstraintsOfTheHost(t *testing.T) {
	b := openBank(t)
	beta, zoe := domain.TenantID{UUID: named('t', 9)}, domain.UserID{UUID: named('z', 1)}
	b.tell(beta, domain.TenantCreated{Tenant: beta}, domain.UserRegistered{User: zoe, Status: domain.UserActive},
		domain.PolicySet{Key: domain.JoinOutside.Key, Value: "true"})
	b.tell(acme, domain.PolicySet{Key: domain.OutsideMembers.Key, Value: "true"}, fourEyes(), atMost(1),
		b.assigns(pays, tellers), b.assigns(approves, clerks))
	visits := func(g domain.GroupID) domain.MemberAdded {
		e := b.joins(zoe, g)
		e.Home = domain.HomeIn(beta)
		return e
	}
	b.breaks("one group", nil, visits(tellers))
	b.tell(acme, visits(tellers))
	b.breaks("the other", []domain.ConstraintID{apart}, visits(clerks))
	b.breaks("one more payer", []domain.ConstraintID{limited}, b.joins(ben, tellers))
	b.tell(beta, domain.UserDeactivated{User: zoe})
	b.breaks("while she is away", nil, b.joins(ben, tellers))
	b.tell(beta, domain.UserReactivated{User: zoe})
	b.tell(acme, domain.PolicyReset{Key: domain.OutsideMembers.Key})
	b.breaks("while no guests are wanted", nil, b.joins(ben, tellers))
	b.tell(acme, domain.PolicySet{Key: domain.OutsideMembers.Key, Value: "true"}, b.joins(ben, tellers))
	if !b.may(zoe, "bill.pay") || b.may(ben, "bill.pay") {
		t.Error("the one who came last may pay, or the first may not")
	}
	b.tell(beta, domain.UserDeactivated{User: zoe}, domain.UserReactivated{User: zoe})
	if b.may(zoe, "bill.pay") || !b.may(ben, "bill.pay") {
		t.Error("who comes back does not come last")
	}
	b.tell(acme, domain.ConstraintRemoved{Constraint: limited}, visits(clerks))
	if b.may(zoe, "bill.pay") || b.may(zoe, "bill.approve") {
		t.Error("a guest does both")
	}
	b.tell(beta, b.assigns(approves, zoe), domain.ConstraintCreated{Constraint: limited, Kind: domain.Exclusive, Roles: []domain.RoleID{pays, approves}, Most: 1})
	b.tell(acme, domain.ConstraintRemoved{Constraint: apart})
	if !b.may(zoe, "bill.pay") || !b.may(zoe, "bill.approve") {
		t.Error("the constraints of a guest's own tenant hold abroad")
	}
}

func TestThePlatformsConstraintsHoldForItsUsersWhereverTheyAct(t *testing.T) {
	b := openBank(t)
	sid := domain.UserID{UUID: named('s', 1)}
	one, two := domain.RoleID{UUID: named('R', 1)}, domain.RoleID{UUID: named('R', 2)}
	b.tell(domain.Root, domain.UserRegistered{User: sid, Status: domain.UserActive}, domain.RoleCreated{Role: one}, domain.RoleCreated{Role: two},
		domain.RolePrivilegeAdded{Role: one, Privilege: "bill.pay"}, domain.RolePrivilegeAdded{Role: two, Privilege: "bill.approve"},
		domain.ConstraintCreated{Constraint: apart, Tenant: domain.Root, Kind: domain.Exclusive, Roles: []domain.RoleID{one, two}, Most: 1}, b.assigns(one, sid))
	if !b.may(sid, "bill.pay") {
		t.Error("one of two is suspended")
	}
	v := b.Judge(domain.Change{Tenant: domain.Root, At: noon, Events: []dcb.Event{b.assigns(two, sid)}})
	if len(v.Broken) != 1 {
		t.Errorf("on the platform nothing is broken: %+v", v)
	}
	b.tell(domain.Root, b.assigns(two, sid))
	if b.may(sid, "bill.pay") || b.may(sid, "bill.approve") {
		t.Error("both do")
	}
	b.tell(acme, b.assigns(one, ann), b.assigns(two, ann))
	if !b.may(ann, "bill.pay") || !b.may(ann, "bill.approve") {
		t.Error("a tenant's user is bound by the platform's constraints")
	}
}

// What the index remembers of a user's duties ends with what it was made of.
func TestDutiesAreForgottenWhenWhatTheyRestOnChanges(t *testing.T) {
	b := openBank(t)
	b.tell(domain.Root, domain.PolicySet{Key: domain.OverrideAllow.Key, Value: "repo.*"})
	b.tell(acme, fourEyes(), b.assigns(pays, ann), b.assigns(trained, ann), b.lets(ann, "bill.approve"))
	both := func(pay, approve bool) {
		t.Helper()
		if p, a := b.may(ann, "bill.pay"), b.may(ann, "bill.approve"); p != pay || a != approve {
			t.Errorf("ann pays: %v, approves: %v", p, a)
		}
	}
	both(true, false)
	b.tell(domain.Root, domain.PolicySet{Key: domain.OverrideAllow.Key, Value: "bill.*"})
	both(true, false) // the platform permits the allow now, and the constraint suspends it
	b.tell(acme, needsSchool())
	both(true, false)
	b.tell(acme, domain.RoleUnassigned{Assignment: domain.AssignmentID{UUID: named('A', 2)}, Role: trained, User: ann})
	both(false, false)
	b.tell(acme, b.assigns(trained, front), domain.UserMoved{User: ann, Department: front})
	both(true, false)
	b.tell(acme, domain.RolePrivilegeAdded{Role: pays, Privilege: "bill.approve"})
	both(true, true) // what the role gives itself needs no other one
	b.tell(acme, domain.RolePrivilegeRemoved{Role: pays, Privilege: "bill.approve"}, domain.ConstraintRemoved{Constraint: apart})
	both(true, true)
}
