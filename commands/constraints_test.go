package commands_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func constraint(name string) domain.ConstraintID {
	return domain.ConstraintID{UUID: named("constraint " + name)}
}

// twoPairs says that nobody both pays and approves.
func twoPairs() domain.ConstraintCreated {
	return domain.ConstraintCreated{
		Constraint: constraint("new"), Tenant: acme, Name: "four eyes", Kind: domain.Exclusive,
		Roles: []domain.RoleID{role("payer"), role("approver")}, Most: 1,
	}
}

func duties() history {
	return given(roleMade("payer"), holds("payer", "bill.pay"), roleMade("approver"), holds("approver", "bill.approve"), roleMade("trained"))
}

func separate(e commands.Env, change func(*commands.CreateConstraint)) dcb.Decision {
	c := commands.CreateConstraint{
		ID: constraint("new"), Name: "four eyes", Kind: domain.Exclusive, Roles: []domain.RoleID{role("payer"), role("approver"), role("payer")},
	}
	if change != nil {
		change(&c)
	}
	return c.Decide(e)
}

func TestAConstraintIsOfOneOfThreeKinds(t *testing.T) {
	duties().When(separate(env(), nil)).Then(t, twoPairs())
	three := twoPairs()
	three.Roles, three.Most, three.Description = append(three.Roles, role("trained")), 2, "for audits"
	duties().When(separate(env(), func(c *commands.CreateConstraint) {
		c.Roles, c.Most, c.Description = three.Roles, 2, "for audits"
	})).Then(t, three)
	few := domain.ConstraintCreated{Constraint: constraint("new"), Tenant: acme, Name: "few", Kind: domain.Cardinality, Roles: []domain.RoleID{role("payer")}, Most: 3}
	duties().When(commands.CreateConstraint{ID: few.Constraint, Name: "few", Kind: few.Kind, Roles: few.Roles, Most: 3}.Decide(env())).Then(t, few)
	first := domain.ConstraintCreated{Constraint: constraint("new"), Tenant: acme, Name: "first", Kind: domain.Prerequisite, Roles: twoPairs().Roles, Requires: role("trained")}
	duties().When(commands.CreateConstraint{ID: first.Constraint, Name: "first", Kind: first.Kind, Roles: first.Roles, Requires: first.Requires}.Decide(env())).Then(t, first)
}

func TestAConstraintDemandsWhatCanBe(t *testing.T) {
	for pointer, bad := range map[string][]func(*commands.CreateConstraint){
		"/name":        {func(c *commands.CreateConstraint) { c.Name = "" }},
		"/description": {func(c *commands.CreateConstraint) { c.Description = "\x01" }},
		"/kind":        {func(c *commands.CreateConstraint) { c.Kind = "odd" }},
		"/role_ids": {
			func(c *commands.CreateConstraint) { c.Roles = c.Roles[:1] },
			func(c *commands.CreateConstraint) {
				for n := range domain.MaxConstraintRoles {
					c.Roles = append(c.Roles, role(string(rune('a'+n))))
				}
			},
			func(c *commands.CreateConstraint) { c.Kind, c.Most = domain.Cardinality, 1 },
			func(c *commands.CreateConstraint) {
				c.Kind, c.Roles, c.Requires = domain.Prerequisite, nil, role("trained")
			},
		},
		"/most": {
			func(c *commands.CreateConstraint) { c.Most = 2 },
			func(c *commands.CreateConstraint) { c.Most = -1 },
			func(c *commands.CreateConstraint) { c.Kind, c.Roles = domain.Cardinality, c.Roles[:1] },
			func(c *commands.CreateConstraint) {
				c.Kind, c.Roles, c.Most = domain.Cardinality, c.Roles[:1], domain.MaxHolders+1
			},
			func(c *commands.CreateConstraint) {
				c.Kind, c.Most, c.Requires = domain.Prerequisite, 1, role("trained")
			},
		},
		"/requires_role_id": {
			func(c *commands.CreateConstraint) { c.Requires = role("trained") },
			func(c *commands.CreateConstraint) { c.Kind = domain.Prerequisite },
			func(c *commands.CreateConstraint) { c.Kind, c.Requires = domain.Prerequisite, role("payer") },
		},
	} {
		for _, change := range bad {
			duties().When(separate(env(), change)).ThenInvalid(t, pointer)
		}
	}
	duties().When(separate(env(), func(c *commands.CreateConstraint) { c.Roles[1] = role("none") })).ThenRefused(t, domain.ErrRoleUnknown)
	duties().and(roleGone("payer")).When(separate(env(), nil)).ThenRefused(t, domain.ErrRoleUnknown)
	duties().When(separate(env(), func(c *commands.CreateConstraint) { c.Kind, c.Requires = domain.Prerequisite, role("none") })).ThenRefused(t, domain.ErrRoleUnknown)
	given().elsewhere(globex, roleMade("payer"), roleMade("approver")).When(separate(env(), nil)).ThenRefused(t, domain.ErrRoleUnknown)
	given().elsewhere(domain.Root, roleMade("payer"), roleMade("approver")).When(separate(env(), nil)).Events(t)
	duties().and(twoPairs()).When(separate(env(), nil)).ThenRefused(t, domain.ErrIDTaken)
	duties().elsewhere(globex, twoPairs()).When(separate(env(), nil)).ThenRefused(t, domain.ErrIDTaken)
}

func TestAConstraintThatSomebodyBreaksIsCreatedOnlyAnyway(t *testing.T) {
	broken := judged(domain.Verdict{Judged: []domain.ConstraintID{constraint("new")}, Broken: []domain.ConstraintCreated{twoPairs()}}, nil)
	o := duties().When(separate(broken, nil))
	o.ThenRefused(t, domain.ErrConstraint)
	if at := new(domain.InputError); !errors.As(o.Err(), &at) || at.Pointer != "/anyway" {
		t.Errorf("refused with %v", o.Err())
	}
	duties().When(separate(broken, func(c *commands.CreateConstraint) { c.Anyway = true })).Then(t, twoPairs())
}

func TestWhoRemovesAConstraintMayGiveAllThatItKeptBack(t *testing.T) {
	h := duties().and(twoPairs())
	remove := func(e commands.Env) dcb.Decision {
		return commands.RemoveConstraint{ID: constraint("new"), Reason: "no more"}.Decide(e)
	}
	gone := domain.ConstraintRemoved{Constraint: constraint("new"), Reason: "no more"}
	h.When(remove(env())).Then(t, gone)
	h.When(remove(having("bill.pay", "bill.approve"))).Then(t, gone)
	h.When(remove(having("bill.pay"))).ThenRefused(t, domain.ErrMayNotGive)
	h.When(remove(having("bill.approve"))).ThenRefused(t, domain.ErrMayNotGive)
	h.and(roleMade("boss"), holds("boss", "bill.void"), inherits("payer", "boss")).When(remove(having("bill.pay", "bill.approve"))).ThenRefused(t, domain.ErrMayNotGive)
	h.and(gone).When(remove(env())).ThenNothing(t)
	h.When(commands.RemoveConstraint{ID: constraint("new"), Reason: "\x01"}.Decide(env())).ThenInvalid(t, "/reason")
	given().When(remove(env())).ThenRefused(t, domain.ErrConstraintUnknown)
	given().elsewhere(globex, twoPairs()).When(remove(env())).ThenRefused(t, domain.ErrConstraintUnknown)
}

// judged is the environment of somebody from whom nothing is kept, where constraints say that; see notes what they are asked.
func judged(v domain.Verdict, see func(domain.Change)) commands.Env {
	e := env()
	e.Judge = func(c domain.Change) domain.Verdict {
		if see != nil {
			see(c)
		}
		return v
	}
	return e
}

// wayUp is a command by which roles become effective for somebody, and what it would record.
type wayUp struct {
	given  history
	do     func(commands.Env) dcb.Decision
	asks   dcb.Event // what constraints are asked about
	judged func(dcb.Event) []domain.ConstraintID
}

func waysUp() map[string]wayUp {
	off := domain.UserDeactivated{User: user("ann")}
	places := given(registered("ann"), departmentMade("sales", ""), departmentMade("north", ""), groupMade("crew", ""), groupMade("deck", ""),
		roleMade("reader"), roleMade("payer")).
		elsewhere(domain.Root, domain.PrivilegeRegistered{Privilege: "bill.pay"},
			domain.PolicySet{Policy: domain.OverrideAllow.ID(domain.Root), Key: domain.OverrideAllow.Key, Value: "bill.*", Version: 1})
	return map[string]wayUp{
		"assignment": {places, func(e commands.Env) dcb.Decision { return assignBy(e, nil) }, assigned(nil), func(e dcb.Event) []domain.ConstraintID { return e.(domain.RoleAssigned).Judged }},
		"group member": {
			places, func(e commands.Env) dcb.Decision {
				return commands.AddGroupMember{ID: membership("ann crew"), Group: group("crew"), User: user("ann")}.Decide(e)
			}, joined("ann", "crew", domain.Member), func(e dcb.Event) []domain.ConstraintID { return e.(domain.MemberAdded).Judged },
		},
		"registration in a department": {
			places, func(e commands.Env) dcb.Decision {
				return commands.RegisterUser{ID: user("bob"), DisplayName: "bob", Department: department("sales")}.Decide(e)
			}, domain.UserRegistered{User: user("bob"), Department: department("sales"), Status: domain.UserActive},
			func(e dcb.Event) []domain.ConstraintID { return e.(domain.UserRegistered).Judged },
		},
		"move of a user": {
			places, func(e commands.Env) dcb.Decision { return moveUser("ann", "sales", e) },
			domain.UserMoved{User: user("ann"), Department: department("sales")},
			func(e dcb.Event) []domain.ConstraintID { return e.(domain.UserMoved).Judged },
		},
		"return of a user": {
			places.and(off), func(e commands.Env) dcb.Decision { return commands.ReactivateUser{ID: user("ann")}.Decide(e) },
			domain.UserReactivated{User: user("ann")}, func(e dcb.Event) []domain.ConstraintID { return e.(domain.UserReactivated).Judged },
		},
		"move of a department": {
			places, func(e commands.Env) dcb.Decision {
				return commands.MoveDepartment{ID: department("north"), Parent: department("sales")}.Decide(e)
			}, domain.DepartmentMoved{Department: department("north"), Parent: department("sales")},
			func(e dcb.Event) []domain.ConstraintID { return e.(domain.DepartmentMoved).Judged },
		},
		"move of a group": {
			places, func(e commands.Env) dcb.Decision { return moveGroup("deck", "crew", e) },
			domain.GroupMoved{Group: group("deck"), Parent: group("crew")},
			func(e dcb.Event) []domain.ConstraintID { return e.(domain.GroupMoved).Judged },
		},
		"edit of a role": {
			places, func(e commands.Env) dcb.Decision {
				return commands.AddRoleParent{ID: role("reader"), Parent: role("payer")}.Decide(e)
			}, inherits("reader", "payer"), func(e dcb.Event) []domain.ConstraintID { return e.(domain.RoleParentAdded).Judged },
		},
		"override": {
			places, func(e commands.Env) dcb.Decision {
				return commands.AddOverride{ID: override("new"), Effect: domain.Allow, Privilege: "bill.pay", User: user("ann"), ExpiresAt: now.Add(day), Reason: "r"}.Decide(e)
			}, domain.OverrideAdded{Override: override("new"), Effect: domain.Allow, Privilege: "bill.pay", User: user("ann"), ExpiresAt: now.Add(day), Reason: "r"},
			func(e dcb.Event) []domain.ConstraintID { return e.(domain.OverrideAdded).Judged },
		},
	}
}

// sealedFields compares what has no exported fields; all that is given to constraints is without it.
var sealedFields = cmp.Options{
	cmp.Comparer(func(a, b dcb.Personal) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(func(a, b dcb.Claim) bool { return a.Tag() == b.Tag() }),
}

func TestEveryWayUpIsJudgedByTheConstraints(t *testing.T) {
	ids := []domain.ConstraintID{constraint("a"), constraint("b")}
	for name, way := range waysUp() {
		t.Run(name, func(t *testing.T) {
			var seen []domain.Change
			events := way.given.When(way.do(judged(domain.Verdict{Judged: ids}, func(c domain.Change) { seen = append(seen, c) }))).Events(t)
			if len(events) != 1 || !slices.Equal(way.judged(events[0]), ids) {
				t.Errorf("decided %+v, want one event that was judged by both", events)
			}
			want := domain.Change{Tenant: acme, At: now, Events: []dcb.Event{way.asks}}
			for _, got := range seen {
				if diff := cmp.Diff(want, got, sealedFields); diff != "" {
					t.Errorf("asked about something else (-want +got):\n%s", diff)
				}
			}
			way.given.When(way.do(judged(domain.Verdict{Judged: ids, Broken: []domain.ConstraintCreated{twoPairs()}}, nil))).ThenRefused(t, domain.ErrConstraint)
		})
	}
}

// What is judged rests on more than can be read: so each of it is watched from the moment when it was first asked about.
func TestAConstraintThatComesInTheMeantimeMakesTheCommandDecideAgain(t *testing.T) {
	for name, way := range waysUp() {
		for what, later := range map[string]domain.Verdict{
			"constraint": {Judged: []domain.ConstraintID{constraint("a")}},
			"way":        {Rests: []dcb.AnyFact{domain.WaysUp(role("reader"))}},
		} {
			t.Run(name+" and a "+what, func(t *testing.T) {
				asked := 0
				e := env()
				e.Judge = func(domain.Change) domain.Verdict {
					if asked++; asked == 1 {
						return domain.Verdict{}
					}
					return later
				}
				if err := way.given.When(way.do(e)).Err(); !errors.Is(err, dcb.ErrConflict) {
					t.Errorf("got %v, want a conflict", err)
				}
			})
		}
	}
}

func TestWhatIsJudgedIsWatchedAndNotRead(t *testing.T) {
	id := constraint("a")
	way := waysUp()["assignment"]
	d := way.do(judged(domain.Verdict{Judged: []domain.ConstraintID{id}, Rests: []dcb.AnyFact{domain.WaysUp(role("reader"))}}, nil))
	var read dcb.Query
	_, whole, err := d.Run(t.Context(), acme.UUID, func(t dcb.Tag) dcb.Tag { return t }, func(q dcb.Query) ([]dcb.Recorded, error) {
		read = append(read, q...)
		var found []dcb.Recorded
		for _, r := range way.given.History {
			if q.Matches(r.Event.EventType(), r.Tags) {
				found = append(found, r)
			}
		}
		return found, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rival := assigned(func(e *domain.RoleAssigned) {
		e.User, e.Role, e.Judged = user("ann"), role("payer"), []domain.ConstraintID{id}
	})
	mine := assigned(func(e *domain.RoleAssigned) {
		e.Assignment, e.User, e.Role = assignment("other"), user("bob"), role("payer")
	})
	for _, e := range []dcb.Event{rival, inherits("reader", "payer")} {
		if tags := dcb.TagsOf(e); !whole.Matches(e.EventType(), tags) {
			t.Errorf("%+v at the same time is no conflict", e)
		}
	}
	if tags := dcb.TagsOf(mine); whole.Matches(mine.EventType(), tags) {
		t.Errorf("%+v at the same time is a conflict", mine)
	}
	for _, item := range read {
		if slices.Contains(item.Tags, id.Tag()) {
			t.Errorf("%v was read", item)
		}
	}
}

func TestAConstraintConflictsWithWhateverIsDecidedInItsTenant(t *testing.T) {
	tenant := domain.TenantOf(acme)
	_, whole, err := dcb.From(tenant).Decide(func() ([]dcb.Event, error) { return nil, nil }).
		Run(t.Context(), acme.UUID, func(t dcb.Tag) dcb.Tag { return t }, func(dcb.Query) ([]dcb.Recorded, error) { return nil, nil })
	if e := twoPairs(); err != nil || !whole.Matches(e.EventType(), dcb.TagsOf(e)) {
		t.Errorf("a decision of the tenant does not conflict with %+v: %v", e, err)
	}
}

// Who comes with the word of an issuer is not kept out by what it says of their groups: what a constraint forbids, they do not join.
func TestASignInPassesOverGroupsThatAConstraintForbids(t *testing.T) {
	h := given(trusted("id", mapping("crew", "deck", "hold")), registered("ann"), linked("x", "ann", "https://id.test", "42"),
		groupMade("crew", ""), groupMade("deck", ""), groupMade("hold", ""))
	c := commands.SignInByIssuer{ID: knock, Ticket: once, Vouched: vouched("42", claiming("deck", "crew", "hold"))}
	breaks := func(e dcb.Event) bool { m, joins := e.(domain.MemberAdded); return joins && m.Group == group("deck") }
	e := env()
	e.Judge = func(c domain.Change) domain.Verdict {
		v := domain.Verdict{Judged: []domain.ConstraintID{constraint("a")}}
		if slices.ContainsFunc(c.Events, breaks) {
			v.Broken = []domain.ConstraintCreated{twoPairs()}
		}
		return v
	}
	var in []domain.GroupID
	for _, event := range h.When(c.Decide(e)).Events(t) {
		if m, is := event.(domain.MemberAdded); is {
			in = append(in, m.Group)
			if !slices.Equal(m.Judged, []domain.ConstraintID{constraint("a")}) {
				t.Errorf("%+v was judged by %v", m, m.Judged)
			}
		}
	}
	if len(in) != 2 || slices.Contains(in, group("deck")) {
		t.Errorf("joined %v, want crew and hold", in)
	}
}

// Earlier commands of a batch are in no index yet: who judges is told of them.
func TestACommandOfABatchIsJudgedAfterThoseBeforeIt(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, &commands.RegisterUser{ID: user("ann"), DisplayName: "Ann"}))
	w.must(t, w.order(acme, &commands.CreateGroup{ID: group("crew"), Name: "crew"}))
	var before [][]dcb.Event
	w.Judge = func(c domain.Change) domain.Verdict {
		if _, joins := c.Events[0].(domain.MemberAdded); joins {
			before = append(before, c.Before)
		}
		return domain.Verdict{}
	}
	join := &commands.AddGroupMember{Group: group("crew"), User: user("ann")}
	w.batch(t, acme, true, w.order(acme, &commands.CreateRole{ID: role("reader"), Name: "reader"}),
		w.order(acme, &commands.AssignRole{ID: assignment("a"), Role: role("reader"), Group: group("crew")}), w.order(acme, join))
	w.must(t, w.order(acme, &commands.RemoveGroupMember{Group: group("crew"), User: user("ann")}))
	w.must(t, w.order(acme, &commands.AddGroupMember{Group: group("crew"), User: user("ann")}))
	for i, n := range []int{2, 2, 0, 0} { // each is judged once before it is decided, and once when
		if i >= len(before) || len(before[i]) != n {
			t.Fatalf("judged after %v", before)
		}
	}
	made, is := before[0][0].(domain.RoleCreated)
	given, was := before[0][1].(domain.RoleAssigned)
	if !is || !was || made.Role != role("reader") || given.Group != group("crew") {
		t.Errorf("judged after %v", before[0])
	}
}
