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

func TestWhoeverHoldsOrCoversMayDoAsMuch(t *testing.T) {
	c := seeded(t)
	held, covered := 0, 0
	histories(t, c, 40, 120, func(x *access.Index, w world) {
		q := c.question(x)
		q.Platform = false
		home, _, _ := x.User(q.User)
		r := x.Rights(access.Caller{User: q.User, Tenant: home, Scopes: q.Ceiling}, q.Tenant, q.At)
		for _, p := range patterns {
			if !r.Holds(p, q.Scope) {
				continue
			}
			held++
			for _, priv := range privileges {
				for _, on := range []domain.Scope{q.Scope, "repo:0", "repo:1", "other:thing"} {
					ask := q
					ask.Privilege, ask.Scope = priv, on
					if p.Matches(priv) && q.Scope.Covers(on) && !w.allows(ask) {
						t.Fatalf("%+v holds %s and may not %s on %q", q, p, priv, on)
					}
				}
			}
		}
		other := domain.UserID{UUID: c.id('u')}
		if otherHome, _, _ := x.User(other); r.Covers(other) {
			covered++
			for range 10 {
				ask := c.question(x)
				ask.Tenant, ask.At, ask.Ceiling, ask.Platform = otherHome, q.At, nil, false
				theirs, mine := ask, ask
				theirs.User, mine.User, mine.Ceiling = other, q.User, q.Ceiling
				if w.allows(theirs) && !w.allows(mine) {
					t.Fatalf("%s covers %s and may not %+v", q.User, other, mine)
				}
			}
		}
	})
	if t.Logf("held %d, covered %d", held, covered); held < 50 || covered < 50 {
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
