package access_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/access"
)

func (s *story) rights(scopes ...domain.Pattern) *access.Rights {
	return s.Rights(access.Caller{User: ann, Tenant: acme, Scopes: scopes}, acme, noon)
}

func TestOneHoldsAPatternOnlyWhole(t *testing.T) {
	s := begin(t)
	s.give(ann, "repo.*", "", domain.Window{})
	s.give(ann, "bill.read", "bill:1", domain.Window{})
	s.give(ann, "old.*", "", domain.Window{Until: noon})
	s.give(ann, "new.*", "", domain.Window{From: noon.Add(1)})
	for _, c := range []struct {
		pattern domain.Pattern
		on      domain.Scope
		want    bool
	}{
		{"repo.*", "", true},
		{"repo.read", "", true},
		{"repo.a.*", "", true},
		{"repo.*", "repo:web", true},
		{"repository.*", "", false},
		{"*", "", false},
		{"bill.read", "bill:1", true},
		{"bill.read", "bill:2", false},
		{"bill.read", "", false},
		{"bill.*", "bill:1", false},
		{"old.read", "", false},
		{"new.read", "", false},
	} {
		if got := s.rights("*").Holds(c.pattern, c.on); got != c.want {
			t.Errorf("%s on %q: %v", c.pattern, c.on, got)
		}
	}
}

func TestATokensCeilingBindsWhatItMayHandOut(t *testing.T) {
	s := begin(t)
	s.give(ann, "*", "", domain.Window{})
	if !s.rights("*").HoldsEverything() || !s.rights().Holds("repo.read", "") {
		t.Error("an administrator lacks something")
	}
	r := s.rights("repo.*", "bill.read")
	if r.HoldsEverything() || r.Holds("bill.*", "") || !r.Holds("repo.read", "") || !r.Holds("bill.read", "") || r.Actor() != ann {
		t.Error("the ceiling is too high or too low")
	}
	if none := s.Rights(access.Caller{User: ann, Tenant: acme, Scopes: []domain.Pattern{}}, acme, noon); none.Holds("repo.read", "") {
		t.Error("a token for nothing hands something out")
	}
	if s.Rights(access.Caller{}, acme, noon).Holds("repo.read", "") {
		t.Error("nobody holds something")
	}
	if s.Rights(access.Caller{User: ann, Tenant: domain.Root}, acme, noon).Holds("repo.read", "") {
		t.Error("a caller of another tenant than the user's holds something")
	}
}

func TestATokenWithACeilingBindsUntilItEnds(t *testing.T) {
	s := begin(t)
	until := func(scopes ...domain.Pattern) time.Time {
		return s.Rights(access.Caller{User: ann, Tenant: acme, Scopes: scopes, ExpiresAt: noon}, acme, noon).Until()
	}
	if got := until("repo.*", "bill.read"); !got.Equal(noon) {
		t.Errorf("what it makes may live until %v", got)
	}
	if got := until("repo.*", "*"); !got.IsZero() {
		t.Errorf("a token without a ceiling binds until %v", got)
	}
}

func TestADenyThatTouchesThePatternMakesItLacking(t *testing.T) {
	s := begin(t)
	s.give(ann, "*", "", domain.Window{})
	s.tell(acme, domain.OverrideAdded{
		Override: domain.OverrideID{UUID: named('o', 1)}, Effect: domain.Deny, Privilege: "repo.write", User: ann, Scope: "repo:web", ExpiresAt: noon.Add(1),
	})
	r := s.rights("*")
	for _, c := range []struct {
		pattern domain.Pattern
		on      domain.Scope
		want    bool
	}{
		{"repo.write", "repo:web", false},
		{"repo.*", "repo:web", false},
		{"repo.*", "", false}, // the whole tenant holds the thing that is denied
		{"*", "", false},
		{"repo.write", "repo:ops", true},
		{"repo.read", "repo:web", true},
		{"repo.read", "", true},
	} {
		if got := r.Holds(c.pattern, c.on); got != c.want {
			t.Errorf("%s on %q: %v", c.pattern, c.on, got)
		}
	}
	if late := s.Rights(access.Caller{User: ann, Tenant: acme}, acme, noon.Add(1)); !late.HoldsEverything() {
		t.Error("an expired deny still touches")
	}
}

func TestCoveringAnotherCountsEveryRightOfTheirs(t *testing.T) {
	deny := domain.OverrideAdded{Override: domain.OverrideID{UUID: named('o', 1)}, Effect: domain.Deny, Privilege: "*", User: ben, ExpiresAt: noon.Add(1)}
	group := domain.GroupID{UUID: named('g', 1)}
	for _, c := range []struct {
		name string
		tell func(s *story)
		want bool
	}{
		{"none", func(*story) {}, true},
		{"one the actor has", func(s *story) { s.give(ben, "repo.read", "repo:web", domain.Window{}) }, true},
		{"one on more", func(s *story) { s.give(ben, "bill.read", "", domain.Window{}) }, false},
		{"one that is wider", func(s *story) { s.give(ben, "repo.*", "", domain.Window{}) }, false},
		{"one to come", func(s *story) { s.give(ben, "repo.write", "", domain.Window{From: noon.AddDate(1, 0, 0)}) }, false},
		{"one that is over", func(s *story) { s.give(ben, "repo.write", "", domain.Window{Until: noon}) }, true},
		{"one that is denied for now", func(s *story) { s.give(ben, "repo.write", "", domain.Window{}); s.tell(acme, deny) }, false},
		{"one by a group", func(s *story) {
			s.tell(acme, domain.GroupCreated{Group: group}, domain.MemberAdded{Group: group, User: ben, Role: domain.Member},
				domain.RolePrivilegeAdded{Role: role, Privilege: "repo.write"}, domain.RoleAssigned{Role: role, Group: group})
		}, false},
		{"that of a group's owner", func(s *story) {
			s.tell(acme, domain.GroupCreated{Group: group}, domain.MemberAdded{Group: group, User: ben, Role: domain.Owner})
		}, false},
		{"an allow that is not permitted", func(s *story) {
			s.tell(acme, domain.OverrideAdded{Effect: domain.Allow, Privilege: "*", User: ben, ExpiresAt: noon.Add(1)})
		}, true},
		{"an allow of which some is permitted", func(s *story) {
			s.tell(domain.Root, domain.PolicySet{Key: domain.OverrideAllow.Key, Value: "repo.write"})
			s.tell(acme, domain.OverrideAdded{Effect: domain.Allow, Privilege: "*", User: ben, ExpiresAt: noon.Add(1)})
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t)
			s.give(ann, "repo.read", "", domain.Window{})
			s.give(ann, "bill.read", "bill:1", domain.Window{})
			c.tell(s)
			if got := s.rights("*").Covers(ben); got != c.want {
				t.Errorf("covers: %v", got)
			}
		})
	}
	s := begin(t)
	boss := domain.UserID{UUID: named('u', 9)}
	s.tell(domain.Root, domain.UserRegistered{User: boss, Status: domain.UserActive})
	s.give(ann, "*", "", domain.Window{})
	if s.rights("*").Covers(boss) {
		t.Error("a user of another tenant is covered")
	}
	if !s.rights("*").Covers(domain.UserID{UUID: named('u', 8)}) {
		t.Error("one who was never heard of has rights")
	}
}

func TestTheCeilingBindsCovering(t *testing.T) {
	s := begin(t)
	s.give(ann, "*", "", domain.Window{})
	s.give(ben, "repo.write", "", domain.Window{})
	if s.rights("repo.read").Covers(ben) || !s.rights("repo.*").Covers(ben) {
		t.Error("it does not")
	}
}

// caller is who asks a question about themselves, alone or for somebody else; false if they may not act so.
func (w world) caller(x *access.Index, q access.Question) (access.Caller, bool) {
	home, _, _ := x.User(q.User)
	c := access.Caller{User: q.User, Tenant: home, Scopes: q.Ceiling}
	switch s := w.sessions[q.Impersonation.UUID]; {
	case !q.Delegation.IsZero():
		c, err := x.Delegated(c, q.Delegation, q.At)
		return c, err == nil
	case !q.Impersonation.IsZero():
		c.For.UUID, c.ForTenant.UUID, c.Impersonation = s.target, s.in, q.Impersonation
	}
	return c, true
}

func TestWhoeverHoldsOrCoversMayDoAsMuch(t *testing.T) {
	c := seeded(t)
	held, covered := map[bool]int{}, map[bool]int{}
	histories(t, c, 40, 120, func(x *access.Index, w world) {
		q := c.question(x, w)
		q.Platform = false
		acts := !q.Delegation.IsZero() || !q.Impersonation.IsZero()
		caller, ok := w.caller(x, q)
		if !ok {
			return
		}
		r := x.Rights(caller, q.Tenant, q.At)
		for _, p := range patterns {
			if !r.Holds(p, q.Scope) {
				continue
			}
			held[acts]++
			for _, priv := range privileges {
				for _, on := range []domain.Scope{q.Scope, "repo:0", "repo:1", "other:thing"} {
					ask := q
					ask.Privilege, ask.Scope = priv, on
					if p.Matches(priv) && q.Scope.Covers(on) && !w.allows(ask) {
						t.Fatalf("%+v holds %s and may not %s on %q; %s", q, p, priv, on, x.Decide(ask).Why)
					}
				}
			}
		}
		other := domain.UserID{UUID: c.id('u')}
		if !r.Covers(other) {
			return
		}
		covered[acts]++
		ways := []domain.DelegationID{{}, {}, {}, {}, {}} // alone, and as whoever's delegate they are
		for id, d := range w.offered {
			if d.Delegate == other {
				ways = append(ways, domain.DelegationID{UUID: id})
			}
		}
		for _, way := range ways {
			ask := c.question(x)
			ask.At, ask.Ceiling, ask.Platform = q.At, nil, false
			theirs, mine := ask, ask
			theirs.User, theirs.Delegation = other, way
			mine.User, mine.Ceiling, mine.Delegation, mine.Impersonation = q.User, q.Ceiling, q.Delegation, q.Impersonation
			if w.allows(theirs) && !w.allows(mine) {
				t.Fatalf("%+v covers %s and may not what they may: %+v; %+v", mine, other, theirs, x.Explain(theirs).Steps)
			}
		}
	})
	t.Logf("held %v, covered %v", held, covered)
	if held[false] < 50 || covered[false] < 50 || held[true] < 5 || covered[true] < 5 {
		t.Error("the histories are too tame")
	}
}

func TestAWindowIsJudgedAtTheInstantAskedWhateverWasAskedBefore(t *testing.T) {
	s := begin(t)
	from, until := noon, noon.Add(time.Hour)
	s.give(ann, "repo.read", "", domain.Window{From: from, Until: until})
	for _, c := range []struct {
		at   time.Time
		want bool
	}{{from, true}, {from.Add(-1), false}, {until.Add(-1), true}, {until, false}, {from, true}, {time.Time{}, false}} {
		if got := s.Decide(access.Question{Tenant: acme, User: ann, Privilege: "repo.read", At: c.at}).Allowed; got != c.want {
			t.Errorf("at %s: %v", c.at, got)
		}
	}
}

func TestADenyThatTouchesAPatternIsKnownWithoutAGrant(t *testing.T) {
	s := begin(t)
	deny := func(n int, p domain.Pattern, on domain.Scope) {
		s.tell(acme, domain.OverrideAdded{Override: domain.OverrideID{UUID: named('o', n)}, Effect: domain.Deny, Privilege: p, User: ann, Scope: on, ExpiresAt: noon.Add(1)})
	}
	deny(1, "core.secrets.*", "app:shop")
	deny(2, "core.users.read", "")
	for _, c := range []struct {
		pattern domain.Pattern
		on      domain.Scope
		want    bool
	}{
		{"core.secrets.read", "app:shop", true},
		{"core.secrets.read", "app:billing", false},
		{"core.secrets.read", "", true}, // on a part of the tenant
		{"core.users.read", "app:billing", true},
		{"core.users.*", "", true},
		{"core.groups.read", "", false},
	} {
		if got := s.rights("*").Denied(c.pattern, c.on); got != c.want {
			t.Errorf("%s on %q: %v", c.pattern, c.on, got)
		}
	}
	s.tell(acme, domain.UserDeactivated{User: ann})
	if !s.rights("*").Denied("core.groups.read", "") {
		t.Error("to one who may not act at all everything is denied")
	}
}

// Every path by which rights arise is heard: the rest is in TestCoveringAnotherCountsEveryRightOfTheirs.
func TestCoveringAnotherHearsWhatTheyHaveElsewhereAndForOthers(t *testing.T) {
	write := domain.RoleID{UUID: named('r', 60)}
	// writer gives cat repo.write and bill.read, of which the actor has bill.read on bill:1 alone.
	writer := func(s *story) {
		s.tell(acme, domain.RoleCreated{Role: write}, domain.RolePrivilegeAdded{Role: write, Privilege: "repo.write"},
			domain.RolePrivilegeAdded{Role: write, Privilege: "bill.read"}, domain.RoleAssigned{Assignment: assigned(60), Role: write, User: cat})
	}
	from := func(change func(e *domain.DelegationGranted)) func(s *story) {
		return func(s *story) {
			writer(s)
			e := s.granted(1, cat, ben)
			change(&e)
			s.delegate(e)
		}
	}
	for _, c := range []struct {
		name string
		tell func(s *story)
		want bool
	}{
		{"nothing", func(*story) {}, true},
		{"as a guest of a group", func(s *story) { s.visit(ben) }, false},
		{"as a guest of a suspended tenant", func(s *story) { s.visit(ben); s.tell(beta, domain.TenantSuspended{Tenant: beta}) }, false},
		{"as a guest who left", func(s *story) {
			s.visit(ben)
			s.tell(beta, domain.MemberRemoved{Group: domain.GroupID{UUID: named('g', 30)}, User: ben})
		}, true},
		{"as a guest beside the actor", func(s *story) {
			s.visit(ben)
			s.tell(beta, domain.MemberAdded{Group: domain.GroupID{UUID: named('g', 30)}, User: ann, Role: domain.Member, Home: domain.HomeIn(acme)})
		}, true},
		{"as the owner of a group of guests", func(s *story) {
			s.visit(ben)
			s.tell(beta, domain.MemberAdded{Group: domain.GroupID{UUID: named('g', 30)}, User: ann, Role: domain.Member, Home: domain.HomeIn(acme)},
				domain.MemberRoleChanged{Group: domain.GroupID{UUID: named('g', 30)}, User: ben, Role: domain.Owner})
		}, false},
		{"by their department", func(s *story) {
			d := domain.DepartmentID{UUID: named('d', 1)}
			s.tell(acme, domain.DepartmentCreated{Department: d}, domain.UserMoved{User: ben, Department: d}, domain.RoleCreated{Role: write},
				domain.RolePrivilegeAdded{Role: write, Privilege: "repo.write"}, domain.RoleAssigned{Role: write, Department: d})
		}, false},
		{"an allow to come to an end", func(s *story) {
			s.tell(domain.Root, domain.PolicySet{Key: domain.OverrideAllow.Key, Value: "repo.*"})
			s.tell(acme, domain.OverrideAdded{Effect: domain.Allow, Privilege: "repo.write", User: ben, ExpiresAt: noon.Add(1)})
		}, false},
		{"as a delegate", from(func(*domain.DelegationGranted) {}), false},
		{"as a delegate who has not accepted", func(s *story) { writer(s); s.tell(acme, s.granted(1, cat, ben)) }, true},
		{"as a delegate from tomorrow", from(func(e *domain.DelegationGranted) { e.Window.From = noon.AddDate(0, 0, 1) }), false},
		{"as a delegate until now", from(func(e *domain.DelegationGranted) { e.Window.Until = noon }), true},
		{"as a delegate whose delegation was revoked", func(s *story) {
			from(func(*domain.DelegationGranted) {})(s)
			s.tell(acme, revoked(1))
		}, true},
		{"as a delegate of one who is suspended", func(s *story) {
			from(func(*domain.DelegationGranted) {})(s)
			s.tell(acme, domain.UserDeactivated{User: cat})
		}, false},
		{"as a delegate of one who has nothing any more", func(s *story) {
			from(func(*domain.DelegationGranted) {})(s)
			s.tell(acme, domain.RoleUnassigned{Assignment: assigned(60)})
		}, true},
		{"as a delegate for what the actor has", from(func(e *domain.DelegationGranted) {
			e.Bounds.Privileges = []domain.Pattern{"bill.*"}
			e.Bounds.Resources = []domain.Scope{"bill:1"}
		}), true},
		{"as a delegate for what the actor has elsewhere", from(func(e *domain.DelegationGranted) {
			e.Bounds.Privileges = []domain.Pattern{"bill.*"}
			e.Bounds.Resources = []domain.Scope{"bill:1", "bill:2"}
		}), false},
		{"as a delegate for another app", from(func(e *domain.DelegationGranted) { e.Bounds.Apps = []domain.App{"mail"} }), true},
		{"as a delegate for an app", from(func(e *domain.DelegationGranted) { e.Bounds.Apps = []domain.App{"repo"} }), false},
		{"as a delegate for a role", from(func(e *domain.DelegationGranted) { e.Bounds.Roles = []domain.RoleID{write} }), false},
		{"as a delegate for a role that the grantor lacks", from(func(e *domain.DelegationGranted) { e.Bounds.Roles = []domain.RoleID{role} }), true},
		{"as a delegate of a delegate", func(s *story) {
			writer(s)
			s.delegate(s.granted(1, cat, dan))
			s.delegate(s.granted(2, dan, ben, 1))
		}, false},
		{"as a delegate of a delegate, of which a link ended", func(s *story) {
			writer(s)
			s.delegate(s.granted(1, cat, dan))
			s.delegate(s.granted(2, dan, ben, 1))
			s.tell(acme, revoked(1))
		}, true},
		{"as a delegate of nobody", func(s *story) { writer(s); s.delegate(s.granted(2, cat, ben, 1)) }, true},
		{"as a delegate for what is never delegated", func(s *story) {
			s.tell(acme, domain.RoleCreated{Role: write}, domain.RolePrivilegeAdded{Role: write, Privilege: "core.tokens.*"},
				domain.RoleAssigned{Role: write, User: cat})
			s.delegate(s.granted(1, cat, ben))
		}, true},
		{"as a delegate of somebody of another tenant", func(s *story) {
			s.tell(beta, domain.RoleCreated{Role: write}, domain.RolePrivilegeAdded{Role: write, Privilege: "repo.read"}, domain.RoleAssigned{Role: write, User: bob})
			e := s.granted(1, bob, ben)
			e.Tenant = domain.HomeIn(beta)
			s.delegate(e)
		}, false},
		{"as a delegate of the platform's staff", func(s *story) {
			s.tell(domain.Root, domain.RoleCreated{Role: write}, domain.RolePrivilegeAdded{Role: write, Privilege: "repo.read"}, domain.RoleAssigned{Role: write, User: boss})
			e := s.granted(1, boss, ben)
			e.Tenant, e.Bounds.Resources = domain.HomeIn(domain.Root), []domain.Scope{"repo:web"}
			s.delegate(e)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := company(t)
			s.tell(acme, domain.RolePrivilegeRemoved{Role: role, Privilege: "repo.*"}, domain.RolePrivilegeAdded{Role: role, Privilege: "repo.read"})
			s.give(ann, "bill.read", "bill:1", domain.Window{})
			c.tell(s)
			if got := s.rights("*").Covers(ben); got != c.want {
				t.Errorf("covers: %v", got)
			}
		})
	}
}

func TestAGuestHandsOutWhatTheGroupGives(t *testing.T) {
	s := company(t)
	s.visit(ben)
	r := s.Rights(access.Caller{User: ben, Tenant: acme}, beta, noon)
	if !r.Holds("repo.*", "") || r.Holds("*", "") || !r.Holds("repo.read", "repo:web") || r.Denied("repo.read", "") {
		t.Error("a guest does not hold what the group gives, or more")
	}
	s.tell(beta, domain.OverrideAdded{Effect: domain.Deny, Privilege: "repo.read", Group: domain.GroupID{UUID: named('g', 30)}, Scope: "repo:web", ExpiresAt: noon.Add(1)})
	if r.Holds("repo.*", "") || !r.Holds("repo.*", "repo:ops") || !r.Denied("repo.read", "") || r.Denied("repo.read", "repo:ops") {
		t.Error("the host's deny does not touch")
	}
	s.tell(beta, domain.PolicyReset{Key: domain.OutsideMembers.Key})
	if r.Holds("repo.write", "") || !r.Denied("repo.write", "") {
		t.Error("one whom the tenant does not want holds something")
	}
}
