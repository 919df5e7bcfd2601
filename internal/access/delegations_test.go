package access_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

var (
	beta = domain.TenantID{UUID: named('t', 2)}
	cat  = domain.UserID{UUID: named('u', 3)}
	dan  = domain.UserID{UUID: named('u', 4)}
	bob  = domain.UserID{UUID: named('u', 11)} // of beta
	boss = domain.UserID{UUID: named('u', 21)} // of the platform
)

// company is acme with ann, ben, cat and dan, of whom ann has the role with repo.*; beta with bob; and the platform with boss.
func company(t testing.TB) *story {
	s := begin(t)
	s.tell(beta, domain.TenantCreated{Tenant: beta, Slug: "beta"}, domain.UserRegistered{User: bob, Status: domain.UserActive})
	s.tell(domain.Root, domain.UserRegistered{User: boss, Status: domain.UserActive})
	for _, u := range []domain.UserID{cat, dan} {
		s.tell(acme, domain.UserRegistered{User: u, Status: domain.UserActive})
	}
	s.tell(acme, domain.RolePrivilegeAdded{Role: role, Privilege: "repo.*"}, domain.RoleAssigned{Assignment: assigned(1), Role: role, User: ann})
	return s
}

func assigned(n int) domain.AssignmentID  { return domain.AssignmentID{UUID: named('a', n)} }
func delegated(n int) domain.DelegationID { return domain.DelegationID{UUID: named('D', n)} }

func (s *story) home(u domain.UserID) domain.HomeID {
	id, _, _ := s.User(u)
	return domain.HomeIn(id)
}

// granted is a delegation in acme, by the delegate of parent if there is one.
func (s *story) granted(n int, from, to domain.UserID, parents ...int) domain.DelegationGranted {
	e := domain.DelegationGranted{
		Delegation: delegated(n), Tenant: domain.HomeIn(acme), Grantor: from, GrantorTenant: s.home(from), Delegate: to, DelegateTenant: s.home(to),
	}
	for _, p := range parents {
		e.Parent = delegated(p)
		e.Chain = append(e.Chain, e.Parent)
	}
	return e
}

func accepted(e domain.DelegationGranted) domain.DelegationAccepted {
	return domain.DelegationAccepted{Delegation: e.Delegation, Tenant: e.Tenant, Grantor: e.Grantor, Delegate: e.Delegate}
}

func revoked(n int) domain.DelegationRevoked {
	return domain.DelegationRevoked{Delegation: delegated(n), Tenant: domain.HomeIn(acme)}
}

// delegate puts a delegation into force.
func (s *story) delegate(e domain.DelegationGranted) {
	s.tell(e.Tenant.Tenant(), e, accepted(e))
}

// chain is ann to ben to cat to dan, all in force.
func (s *story) chain() {
	s.delegate(s.granted(1, ann, ben))
	s.delegate(s.granted(2, ben, cat, 1))
	s.delegate(s.granted(3, cat, dan, 1, 2))
}

func under(u domain.UserID, n int) access.Question {
	return access.Question{Tenant: acme, User: u, Privilege: "repo.read", At: noon, Delegation: delegated(n)}
}

// ask decides, and holds that the explanation agrees.
func (s *story) ask(q access.Question) access.Reason {
	s.t.Helper()
	a, e := s.Decide(q), s.Explain(q)
	if e.Answer != a {
		s.t.Fatalf("%+v: decided %+v, explained %+v", q, a, e)
	}
	return a.Why
}

func (s *story) expect(q access.Question, want access.Reason) {
	s.t.Helper()
	if why := s.ask(q); why != want {
		s.t.Errorf("%+v: %s, want %s; %+v", q, why, want, s.Explain(q).Steps)
	}
}

func TestADelegateMayWhatTheGrantorMayOnceTheyHaveAccepted(t *testing.T) {
	s := company(t)
	s.expect(under(ben, 1), access.DelegationUnknown)
	e := s.granted(1, ann, ben)
	s.tell(acme, e)
	s.expect(under(ben, 1), access.DelegationPending)
	s.tell(acme, accepted(e))
	s.expect(under(ben, 1), access.Granted)
	s.expect(under(cat, 1), access.DelegationUnknown)
	s.expect(under(ann, 1), access.DelegationUnknown)
	s.expect(to(under(ben, 1), "bill.read"), access.NotGranted)
	if s.may(ben, "repo.read") {
		t.Error("a delegate has the right alone")
	}
	s.give(ben, "bill.read", "", domain.Window{})
	s.expect(to(under(ben, 1), "bill.read"), access.NotGranted)
	s.give(ann, "bill.read", "", domain.Window{})
	s.expect(to(under(ben, 1), "bill.read"), access.Granted)
	s.tell(acme, revoked(1))
	s.expect(under(ben, 1), access.DelegationOver)
	s.tell(acme, accepted(e), e)
	s.expect(under(ben, 1), access.DelegationOver)
}

func TestOneThatWasDeclinedIsNeverInForce(t *testing.T) {
	s := company(t)
	e := s.granted(1, ann, ben)
	s.tell(acme, e, domain.DelegationDeclined{Delegation: e.Delegation, Tenant: e.Tenant}, accepted(e))
	s.expect(under(ben, 1), access.DelegationOver)
}

// What ends the rights of a chain of three, and of which of its delegates.
func TestWhateverOneLinkRestsOnEndsAllRightsBelowItAtOnce(t *testing.T) {
	people := []domain.UserID{ann, ben, cat, dan}
	type ending struct {
		name   string
		events []dcb.Event
		first  int // the delegation that it ends, with all below; 4: none
		why    access.Reason
	}
	endings := []ending{
		{"the role taken from the first", []dcb.Event{domain.RoleUnassigned{Assignment: assigned(1)}}, 1, access.NotGranted},
		{"the role emptied", []dcb.Event{domain.RolePrivilegeRemoved{Role: role, Privilege: "repo.*"}}, 1, access.NotGranted},
		{"the role deleted", []dcb.Event{domain.RoleDeleted{Role: role}}, 1, access.NotGranted},
		{"the tenant suspended", []dcb.Event{domain.TenantSuspended{Tenant: acme}}, 1, access.HomeInactive},
		{"no delegations any more", []dcb.Event{domain.PolicySet{Key: domain.Delegable.Key, Value: "false"}}, 1, access.DelegationForbidden},
		{"a deny for the first", []dcb.Event{domain.OverrideAdded{Effect: domain.Deny, Privilege: "repo.*", User: ann, ExpiresAt: noon.Add(1)}}, 1, access.DeniedByOverride},
		{"a role of those between", []dcb.Event{domain.RoleAssigned{Assignment: assigned(1), Role: role, User: ben}}, 1, access.NotGranted},
		{"a copy's end in another tenant", nil, 4, ""},
	}
	for n := 1; n <= 3; n++ {
		endings = append(endings,
			ending{fmt.Sprintf("link %d revoked", n), []dcb.Event{revoked(n)}, n, access.DelegationOver},
			ending{fmt.Sprintf("link %d declined", n), []dcb.Event{domain.DelegationDeclined{Delegation: delegated(n), Tenant: domain.HomeIn(acme)}}, n, access.DelegationOver},
		)
	}
	for i, u := range people {
		// Who is suspended uses nothing; and what passes through their hands ends too.
		for _, e := range []dcb.Event{domain.UserDeactivated{User: u}, domain.UserErased{User: u, Erases: u.UUID}} {
			endings = append(endings, ending{fmt.Sprintf("person %d: %T", i, e), []dcb.Event{e}, max(i, 1), access.GrantorInactive})
		}
	}
	for _, c := range endings {
		t.Run(c.name, func(t *testing.T) {
			s := company(t)
			s.chain()
			for n := 1; n <= 3; n++ {
				s.expect(under(people[n], n), access.Granted)
			}
			if s.tell(acme, c.events...); c.events == nil {
				s.tell(beta, revoked(1), revoked(2), revoked(3))
			}
			for n := 1; n <= 3; n++ {
				want := access.Granted
				if n >= c.first {
					want = c.why
				}
				if home, status, _ := s.User(people[n]); status != domain.UserActive && home == acme {
					want = access.SubjectInactive
				}
				s.expect(under(people[n], n), want)
				caller := access.Caller{User: people[n], Tenant: acme}
				acting, err := s.Delegated(caller, delegated(n), noon)
				if (err == nil) != (want == access.Granted || want == access.NotGranted || want == access.DeniedByOverride) {
					t.Errorf("acting under %d: %v, though it is %s", n, err, want)
				}
				if err == nil && s.Rights(acting, acme, noon).Holds("repo.read", "") != (want == access.Granted) {
					t.Errorf("%d hands out what is %s", n, want)
				}
			}
		})
	}
}

func TestTheWindowOfEachLinkIsJudgedWhenAsked(t *testing.T) {
	from, until := noon, noon.Add(time.Hour)
	for link := 1; link <= 2; link++ {
		s := company(t)
		first, second := s.granted(1, ann, ben), s.granted(2, ben, cat, 1)
		for n, e := range []*domain.DelegationGranted{&first, &second} {
			if n == link-1 {
				e.Window = domain.Window{From: from, Until: until}
			}
			s.delegate(*e)
		}
		for _, c := range []struct {
			at   time.Time
			want access.Reason
		}{
			{from.Add(-1), access.DelegationEarly}, {from, access.Granted}, {until.Add(-1), access.Granted}, {until, access.DelegationOver},
			{until.AddDate(1, 0, 0), access.DelegationOver}, {from, access.Granted},
		} {
			q := under(cat, 2)
			q.At = c.at
			s.expect(q, c.want)
		}
		s.tell(acme, domain.DelegationExpired{Delegation: delegated(link), Tenant: domain.HomeIn(acme)})
		s.expect(under(cat, 2), access.Granted)
	}
}

func TestTheBoundsOfEveryLinkNarrow(t *testing.T) {
	other := domain.RoleID{UUID: named('r', 2)} // inherits from role, and has bill.pay besides
	third := domain.RoleID{UUID: named('r', 3)}
	web := domain.Scope("repo:web")
	for _, c := range []struct {
		name          string
		parent, child domain.Bounds
		privilege     domain.Privilege
		on            domain.Scope
		want          access.Reason
	}{
		{"none", domain.Bounds{}, domain.Bounds{}, "repo.read", "", access.Granted},
		{"a privilege", domain.Bounds{Privileges: []domain.Pattern{"repo.read"}}, domain.Bounds{}, "repo.read", "", access.Granted},
		{"not another", domain.Bounds{Privileges: []domain.Pattern{"repo.read"}}, domain.Bounds{}, "repo.write", "", access.BeyondDelegation},
		{"a pattern", domain.Bounds{}, domain.Bounds{Privileges: []domain.Pattern{"bill.*", "repo.*"}}, "repo.write", "", access.Granted},
		{"of the child alone", domain.Bounds{}, domain.Bounds{Privileges: []domain.Pattern{"bill.*"}}, "repo.write", "", access.BeyondDelegation},
		{"wider in the child", domain.Bounds{Privileges: []domain.Pattern{"repo.read"}}, domain.Bounds{Privileges: []domain.Pattern{"*"}}, "repo.write", "", access.BeyondDelegation},
		{"what the grantor lacks", domain.Bounds{Privileges: []domain.Pattern{"*"}}, domain.Bounds{}, "mail.send", "", access.NotGranted},
		{"an app", domain.Bounds{Apps: []domain.App{"repo"}}, domain.Bounds{}, "repo.read", "", access.Granted},
		{"another app", domain.Bounds{Apps: []domain.App{"bill"}}, domain.Bounds{}, "repo.read", "", access.BeyondDelegation},
		{"an app of which it is the beginning", domain.Bounds{Apps: []domain.App{"rep"}}, domain.Bounds{}, "repo.read", "", access.BeyondDelegation},
		{"an app and a privilege of another", domain.Bounds{Apps: []domain.App{"repo"}}, domain.Bounds{Privileges: []domain.Pattern{"bill.*"}}, "bill.pay", "", access.BeyondDelegation},
		{"a resource", domain.Bounds{Resources: []domain.Scope{web}}, domain.Bounds{}, "repo.read", web, access.Granted},
		{"another resource", domain.Bounds{Resources: []domain.Scope{web}}, domain.Bounds{}, "repo.read", "repo:ops", access.BeyondDelegation},
		{"nothing on the whole tenant", domain.Bounds{}, domain.Bounds{Resources: []domain.Scope{web}}, "repo.read", "", access.BeyondDelegation},
		{"resources of each", domain.Bounds{Resources: []domain.Scope{web, "repo:ops"}}, domain.Bounds{Resources: []domain.Scope{web, "repo:x"}}, "repo.read", "repo:ops", access.BeyondDelegation},
		{"a role", domain.Bounds{Roles: []domain.RoleID{other}}, domain.Bounds{}, "bill.pay", "", access.Granted},
		{"all that it inherits", domain.Bounds{Roles: []domain.RoleID{other}}, domain.Bounds{}, "repo.read", "", access.Granted},
		{"a role that is inherited", domain.Bounds{Roles: []domain.RoleID{role}}, domain.Bounds{}, "repo.read", "", access.Granted},
		{"and nothing that it does not give", domain.Bounds{Roles: []domain.RoleID{role}}, domain.Bounds{}, "bill.pay", "", access.NotGranted},
		{"a role that the grantor lacks", domain.Bounds{Roles: []domain.RoleID{third}}, domain.Bounds{}, "repo.read", "", access.NotGranted},
		{"no role of the name", domain.Bounds{Roles: []domain.RoleID{{UUID: named('r', 4)}}}, domain.Bounds{}, "repo.read", "", access.NotGranted},
		{"one of two roles", domain.Bounds{Roles: []domain.RoleID{third, other}}, domain.Bounds{Roles: []domain.RoleID{other}}, "bill.pay", "", access.Granted},
		{"another role in the child", domain.Bounds{Roles: []domain.RoleID{role}}, domain.Bounds{Roles: []domain.RoleID{other}}, "bill.pay", "", access.NotGranted},
		{"not an override", domain.Bounds{Roles: []domain.RoleID{other}}, domain.Bounds{}, "mail.read", "", access.NotGranted},
		{"an override without roles", domain.Bounds{}, domain.Bounds{}, "mail.read", "", access.AllowedByOverride},
		{"not an office", domain.Bounds{Roles: []domain.RoleID{other}}, domain.Bounds{}, "core.groups.rename", domain.Scope("group:" + named('g', 1).String()), access.NotGranted},
		{"an office without roles", domain.Bounds{}, domain.Bounds{}, "core.groups.rename", domain.Scope("group:" + named('g', 1).String()), access.Granted},
		{"a role on one thing", domain.Bounds{Roles: []domain.RoleID{third}}, domain.Bounds{}, "repo.read", "repo:third", access.NotGranted},
		{"nothing at all", domain.Bounds{Privileges: []domain.Pattern{}}, domain.Bounds{}, "repo.read", "", access.BeyondDelegation},
		{"no app at all", domain.Bounds{Apps: []domain.App{}}, domain.Bounds{}, "repo.read", "", access.BeyondDelegation},
		{"no resource at all", domain.Bounds{Resources: []domain.Scope{}}, domain.Bounds{}, "repo.read", web, access.BeyondDelegation},
		{"no role at all", domain.Bounds{Roles: []domain.RoleID{}}, domain.Bounds{}, "repo.read", "", access.NotGranted},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := company(t)
			group := domain.GroupID{UUID: named('g', 1)}
			s.tell(domain.Root, domain.PolicySet{Key: domain.OverrideAllow.Key, Value: "mail.*"})
			s.tell(acme, domain.RoleCreated{Role: other}, domain.RoleCreated{Role: third}, domain.RolePrivilegeAdded{Role: other, Privilege: "bill.pay"},
				domain.RoleParentAdded{Role: other, Parent: role}, domain.RoleUnassigned{Assignment: assigned(1)},
				domain.RoleAssigned{Assignment: assigned(2), Role: other, User: ann}, domain.RoleAssigned{Assignment: assigned(3), Role: third, User: ann, Scope: "repo:third"},
				domain.OverrideAdded{Effect: domain.Allow, Privilege: "mail.read", User: ann, ExpiresAt: noon.Add(1)},
				domain.GroupCreated{Group: group}, domain.MemberAdded{Group: group, User: ann, Role: domain.Owner})
			first, second := s.granted(1, ann, ben), s.granted(2, ben, cat, 1)
			first.Bounds, second.Bounds = c.parent, c.child
			s.delegate(first)
			s.delegate(second)
			q := under(cat, 2)
			q.Privilege, q.Scope = c.privilege, c.on
			s.expect(q, c.want)
			acting, err := s.Delegated(access.Caller{User: cat, Tenant: acme}, delegated(2), noon)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Rights(acting, acme, noon).Holds(domain.Pattern(c.privilege), c.on); got != (c.want == access.Granted || c.want == access.AllowedByOverride) {
				t.Errorf("holds: %v", got)
			}
		})
	}
}

func TestAChainIsOnlyWhatEachDelegateHandedOn(t *testing.T) {
	for _, c := range []struct {
		name   string
		splice func(s *story) domain.DelegationGranted // what dan holds
		want   access.Reason
	}{
		{"a sound one", func(s *story) domain.DelegationGranted { return s.granted(3, ben, dan, 1) }, access.Granted},
		{"handed on by somebody else", func(s *story) domain.DelegationGranted { return s.granted(3, cat, dan, 1) }, access.DelegationBroken},
		{"of two valid chains", func(s *story) domain.DelegationGranted {
			s.delegate(s.granted(2, cat, ann)) // cat's own, whose delegate is ann
			return s.granted(3, ben, dan, 2)
		}, access.DelegationBroken},
		{"under one that is none", func(s *story) domain.DelegationGranted { return s.granted(3, ben, dan, 9) }, access.DelegationBroken},
		{"by one who claims another chain", func(s *story) domain.DelegationGranted {
			e := s.granted(3, ben, dan, 1)
			e.Chain = []domain.DelegationID{delegated(9), delegated(1)}
			return e
		}, access.DelegationBroken},
		{"by one who claims no chain", func(s *story) domain.DelegationGranted {
			e := s.granted(3, ben, dan, 1)
			e.Chain = nil
			return e
		}, access.DelegationBroken},
		{"a first one that claims a chain", func(s *story) domain.DelegationGranted {
			e := s.granted(3, ann, dan)
			e.Chain = []domain.DelegationID{delegated(1)}
			return e
		}, access.DelegationBroken},
		{"on a broken one, which it denies to rest on", func(s *story) domain.DelegationGranted {
			s.delegate(s.granted(2, cat, ann, 9))
			e := s.granted(3, ann, dan, 2)
			e.Chain = nil
			return e
		}, access.DelegationBroken},
		{"a first one of somebody of another tenant", func(s *story) domain.DelegationGranted {
			s.tell(beta, domain.PolicySet{Key: domain.DelegateOut.Key, Value: "true"})
			s.tell(acme, domain.PolicySet{Key: domain.DelegateIn.Key, Value: "true"})
			return s.granted(3, bob, dan)
		}, access.DelegationBroken},
		{"one who says to be of acme and is not", func(s *story) domain.DelegationGranted {
			e := s.granted(3, bob, dan)
			e.GrantorTenant = domain.HomeIn(acme)
			return e
		}, access.DelegationBroken},
		{"to one whose tenant is another", func(s *story) domain.DelegationGranted {
			e := s.granted(3, ann, dan)
			e.DelegateTenant = domain.HomeIn(beta)
			return e
		}, access.DelegationBroken},
		{"by one who was never heard of", func(s *story) domain.DelegationGranted {
			e := s.granted(3, domain.UserID{UUID: named('u', 99)}, dan)
			e.GrantorTenant = domain.HomeIn(acme)
			return e
		}, access.GrantorInactive},
		{"on one of another tenant", func(s *story) domain.DelegationGranted {
			above := s.granted(2, bob, ben)
			above.Tenant = domain.HomeIn(beta)
			s.delegate(above)
			return s.granted(3, ben, dan, 2)
		}, access.DelegationBroken},
		{"itself its parent", func(s *story) domain.DelegationGranted { return s.granted(3, ann, dan, 3) }, access.DelegationBroken},
		{"a circle", func(s *story) domain.DelegationGranted {
			s.delegate(s.granted(2, dan, ann, 3))
			return s.granted(3, ann, dan, 2)
		}, access.DelegationBroken},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := company(t)
			s.delegate(s.granted(1, ann, ben))
			s.delegate(c.splice(s))
			s.expect(under(dan, 3), c.want)
		})
	}
}

func TestAParentGrantedAfterTheChildIsNone(t *testing.T) {
	s := company(t)
	s.delegate(s.granted(2, ben, cat, 1))
	s.delegate(s.granted(1, ann, ben))
	s.expect(under(ben, 1), access.Granted)
	s.expect(under(cat, 2), access.DelegationBroken)
}

func TestAChainHasAnEnd(t *testing.T) {
	s := company(t)
	people, parents := []domain.UserID{ann}, []int{}
	for n := 1; n <= domain.MaxChain+1; n++ {
		people = append(people, domain.UserID{UUID: named('U', n)})
		s.tell(acme, domain.UserRegistered{User: people[n], Status: domain.UserActive})
		s.delegate(s.granted(n, people[n-1], people[n], parents...))
		parents = append(parents, n)
	}
	s.expect(under(people[domain.MaxChain], domain.MaxChain), access.Granted)
	s.expect(under(people[domain.MaxChain+1], domain.MaxChain+1), access.DelegationBroken)
}

func TestOnlyTheCopyInTheTenantInWhichADelegationGivesRightsIsHeard(t *testing.T) {
	s := company(t)
	e := s.granted(1, ann, ben)
	s.tell(beta, e, accepted(e))
	s.expect(under(ben, 1), access.DelegationUnknown)
	s.tell(acme, e)
	s.tell(beta, accepted(e))
	s.expect(under(ben, 1), access.DelegationPending)
	s.tell(acme, accepted(e))
	s.expect(under(ben, 1), access.Granted)
	s.tell(beta, revoked(1), domain.DelegationDeclined{Delegation: delegated(1), Tenant: domain.HomeIn(acme)})
	s.expect(under(ben, 1), access.Granted)

	lies := s.granted(2, ann, ben)
	lies.Tenant = domain.HomeIn(beta)
	s.tell(acme, lies, accepted(lies))
	s.expect(under(ben, 2), access.DelegationUnknown)
}

func TestAnIDOfADelegationIsNeverAnothers(t *testing.T) {
	s := company(t)
	s.give(cat, "bill.pay", "", domain.Window{})
	s.delegate(s.granted(1, ann, ben))
	again := s.granted(1, cat, dan)
	s.delegate(again)
	s.expect(under(ben, 1), access.Granted)
	s.expect(to(under(ben, 1), "bill.pay"), access.NotGranted)
	s.expect(under(dan, 1), access.DelegationUnknown)
	s.tell(acme, revoked(1), again, accepted(again))
	s.expect(under(dan, 1), access.DelegationUnknown)
	s.expect(under(ben, 1), access.DelegationOver)
}

func TestNobodyUsesForSomebodyElseWhatProvesWhoTheyAre(t *testing.T) {
	s := company(t)
	s.give(ann, "*", "", domain.Window{})
	s.delegate(s.granted(1, ann, ben))
	all := append(slices.Clone(domain.NeverDelegated), "core.delegations.grant", "core.tokens.issue", "core.signing-keys.create", "core.users.create")
	for _, p := range all[:len(all)-1] {
		name := domain.Privilege(p)
		if p.Wild() {
			name = domain.Privilege(p[:len(p)-1] + "thing")
		}
		s.expect(to(under(ben, 1), name), access.BeyondDelegation)
	}
	s.expect(to(under(ben, 1), "core.users.create"), access.Granted)
}

func TestDeniesOfBothBindADelegate(t *testing.T) {
	deny := func(u domain.UserID, on domain.Scope) domain.OverrideAdded {
		return domain.OverrideAdded{Effect: domain.Deny, Privilege: "repo.read", User: u, Scope: on, ExpiresAt: noon.Add(1)}
	}
	for _, c := range []struct {
		name  string
		where domain.TenantID
		deny  domain.OverrideAdded
		whole access.Reason
		web   access.Reason
	}{
		{"the grantor's", acme, deny(ann, ""), access.DeniedByOverride, access.DeniedByOverride},
		{"the grantor's on a thing", acme, deny(ann, "repo:web"), access.Granted, access.DeniedByOverride},
		{"the delegate's", acme, deny(ben, ""), access.DeniedByOverride, access.DeniedByOverride},
		{"the delegate's on a thing", acme, deny(ben, "repo:web"), access.Granted, access.DeniedByOverride},
		{"everybody's", acme, deny(domain.UserID{}, ""), access.DeniedByOverride, access.DeniedByOverride},
		{"another one's", acme, deny(cat, ""), access.Granted, access.Granted},
		{"in another tenant", beta, deny(ben, ""), access.Granted, access.Granted},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := company(t)
			s.delegate(s.granted(1, ann, ben))
			s.tell(c.where, c.deny)
			s.expect(under(ben, 1), c.whole)
			s.expect(on(under(ben, 1), "repo", "web"), c.web)
		})
	}
}

func TestAcrossTenantsBothPoliciesMustSayYesAtEveryUse(t *testing.T) {
	say := func(s domain.Setting, value string) domain.PolicySet {
		return domain.PolicySet{Key: s.Key, Value: value}
	}
	s := company(t)
	s.delegate(s.granted(1, ann, bob))
	s.delegate(s.granted(2, bob, cat, 1))
	s.expect(under(bob, 1), access.DelegationForbidden)
	s.tell(acme, say(domain.DelegateOut, "true"))
	s.expect(under(bob, 1), access.DelegationForbidden)
	s.tell(beta, say(domain.DelegateIn, "true"))
	s.expect(under(bob, 1), access.Granted)
	s.expect(under(cat, 2), access.DelegationForbidden) // back again: the other way round
	s.tell(beta, say(domain.DelegateOut, "true"))
	s.tell(acme, say(domain.DelegateIn, "true"))
	s.expect(under(cat, 2), access.Granted)

	s.tell(beta, domain.OverrideAdded{Override: domain.OverrideID{UUID: named('o', 1)}, Effect: domain.Deny, Privilege: "repo.*", User: bob, Scope: "repo:web", ExpiresAt: noon.Add(1)})
	s.expect(on(under(bob, 1), "repo", "web"), access.Granted) // beta's thing of that name is another one
	s.tell(beta, domain.OverrideAdded{Override: domain.OverrideID{UUID: named('o', 2)}, Effect: domain.Deny, Privilege: "repo.*", User: bob, ExpiresAt: noon.Add(1)})
	s.expect(under(bob, 1), access.DeniedByOverride)
	s.expect(under(cat, 2), access.Granted)

	elsewhere := under(cat, 2)
	elsewhere.Tenant = beta
	s.expect(elsewhere, access.TenantForeign)
	s.tell(beta, domain.TenantSuspended{Tenant: beta})
	s.expect(under(bob, 1), access.HomeInactive)
	s.expect(under(cat, 2), access.GrantorInactive)
	s.tell(beta, domain.TenantReactivated{Tenant: beta})
	s.expect(under(cat, 2), access.Granted)
	s.tell(acme, domain.PolicyReset{Key: domain.DelegateOut.Key})
	s.expect(under(cat, 2), access.DelegationForbidden)
}

func TestADelegateOfThePlatformsStaffActsWhereTheStaffDoes(t *testing.T) {
	s := company(t)
	reader := domain.RoleID{UUID: named('r', 5)}
	s.tell(domain.Root, domain.RoleCreated{Role: reader}, domain.RolePrivilegeAdded{Role: reader, Privilege: "repo.read"},
		domain.RoleAssigned{Assignment: assigned(5), Role: reader, User: boss},
		domain.PolicySet{Key: domain.DelegateOut.Key, Value: "true"})
	s.tell(acme, domain.PolicySet{Key: domain.DelegateIn.Key, Value: "true"})
	e := s.granted(1, boss, ben)
	e.Tenant = domain.HomeIn(domain.Root)
	s.delegate(e)
	for _, where := range []domain.TenantID{acme, beta, domain.Root} {
		q := under(ben, 1)
		q.Tenant = where
		s.expect(q, access.Granted)
		s.expect(on(q, "repo", "web"), access.Granted)
		s.expect(to(q, "repo.write"), access.NotGranted)
	}
	nowhere := under(ben, 1)
	nowhere.Tenant.UUID = named('t', 77)
	s.expect(nowhere, access.TenantUnknown)
	platform := under(ben, 1)
	platform.Platform = true
	s.expect(platform, access.Granted)
	acting, err := s.Delegated(access.Caller{User: ben, Tenant: acme}, delegated(1), noon)
	if err != nil || acting.ForTenant != domain.Root || !s.MayEnter(acting, beta) {
		t.Errorf("%+v, %v", acting, err)
	}
}

func TestRightsOfOthersAreNotHandedOn(t *testing.T) {
	s := company(t)
	s.delegate(s.granted(1, ann, ben))
	s.delegate(s.granted(2, ben, cat)) // ben's own rights, of which there are none
	s.expect(under(ben, 1), access.Granted)
	s.expect(under(cat, 2), access.NotGranted)

	// What ben has as a guest of beta is for ben alone.
	s.visit(ben)
	q := under(ben, 0)
	q.Tenant, q.Delegation = beta, domain.DelegationID{}
	s.expect(q, access.Granted)
	q = under(cat, 2)
	q.Tenant = beta
	s.expect(q, access.TenantForeign)
}

// visit makes a user of acme a guest of beta, in a group that may repo.*.
func (s *story) visit(u domain.UserID) {
	club, r := domain.GroupID{UUID: named('g', 30)}, domain.RoleID{UUID: named('r', 30)}
	s.tell(acme, domain.PolicySet{Key: domain.JoinOutside.Key, Value: "true"})
	s.tell(beta, domain.PolicySet{Key: domain.OutsideMembers.Key, Value: "true"}, domain.GroupCreated{Group: club}, domain.RoleCreated{Role: r},
		domain.RolePrivilegeAdded{Role: r, Privilege: "repo.*"}, domain.RoleAssigned{Assignment: assigned(30), Role: r, Group: club},
		domain.MemberAdded{Group: club, User: u, Role: domain.Member, Home: domain.HomeIn(acme)})
}

func TestWhoActsForSomebodyActsForNobodyElse(t *testing.T) {
	s := company(t)
	s.chain()
	me := access.Caller{User: ben, Tenant: acme, Scopes: []domain.Pattern{"repo.*"}}
	acting, err := s.Delegated(me, delegated(1), noon)
	want := me
	want.For, want.ForTenant, want.Delegation, want.Chain = ann, acme, delegated(1), []domain.DelegationID{delegated(1)}
	if diff := cmp.Diff(want, acting); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	refused := func(c access.Caller, n int, want access.Reason) {
		t.Helper()
		got, err := s.Delegated(c, delegated(n), noon)
		why := &access.Rejection{}
		if !errors.As(err, &why) || why.Reason != want || got.User != (domain.UserID{}) {
			t.Errorf("%+v, %v %+v", got, err, why)
		}
	}
	refused(acting, 1, access.ActingTwice)
	refused(access.Caller{User: ben, Tenant: acme, For: cat, Impersonation: domain.ImpersonationID{UUID: named('I', 1)}}, 1, access.ActingTwice)
	both := under(ben, 1)
	both.Impersonation.UUID = named('I', 1)
	s.expect(both, access.ActingTwice)

	last, err := s.Delegated(access.Caller{User: dan, Tenant: acme}, delegated(3), noon)
	if chain := []domain.DelegationID{delegated(1), delegated(2), delegated(3)}; err != nil || last.For != ann || !slices.Equal(last.Chain, chain) {
		t.Errorf("%+v, %v", last, err)
	}
	for _, n := range []int{1, 2, 9} {
		if _, err := s.Delegated(access.Caller{User: dan, Tenant: acme}, delegated(n), noon); !errors.Is(err, access.ErrNoDelegation) || errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("dan under %d: %v", n, err)
		}
	}
	s.tell(acme, revoked(2))
	refused(access.Caller{User: dan, Tenant: acme}, 3, access.DelegationOver)
}

func TestTheTokensOwnCeilingStays(t *testing.T) {
	s := company(t)
	s.delegate(s.granted(1, ann, ben))
	q := under(ben, 1)
	q.Ceiling = []domain.Pattern{"repo.write"}
	s.expect(q, access.BeyondCeiling)
	s.expect(to(q, "repo.write"), access.Granted)
}

func TestWhatADelegateHandsOutIsUnderEveryBound(t *testing.T) {
	s := company(t)
	s.give(ann, "*", "", domain.Window{})
	first, second := s.granted(1, ann, ben), s.granted(2, ben, cat, 1)
	first.Window.Until, second.Window.Until = noon.Add(time.Minute), noon.Add(2*time.Minute)
	s.delegate(first)
	second.Bounds = domain.Bounds{Privileges: []domain.Pattern{"repo.*", "core.*"}}
	s.delegate(second)
	as := func(u domain.UserID, n int, scopes ...domain.Pattern) *access.Rights {
		c, err := s.Delegated(access.Caller{User: u, Tenant: acme, Scopes: scopes, ExpiresAt: noon.Add(time.Second)}, delegated(n), noon)
		if err != nil {
			t.Fatal(err)
		}
		return s.Rights(c, acme, noon)
	}
	r := as(ben, 1, "*")
	if r.Actor() != ben || r.Effective() != ann {
		t.Errorf("%s acts for %s", r.Actor(), r.Effective())
	}
	if r.HoldsEverything() || !r.Holds("repo.*", "") || r.Holds("core.*", "") || r.Holds("core.tokens.*", "") || !r.Holds("core.users.*", "") {
		t.Error("what nobody delegates is held, or more is not")
	}
	if r.WithinCeiling([]domain.Pattern{"*"}) || !r.WithinCeiling([]domain.Pattern{"repo.*"}) || r.WithinCeiling([]domain.Pattern{"core.approvals.give"}) {
		t.Error("the ceiling is not what is delegated")
	}
	if r.Denied("repo.read", "") || !r.Denied("core.tokens.issue", "") {
		t.Error("what is never delegated is not denied, or more is")
	}
	if got := r.Until(); !got.Equal(noon.Add(time.Minute)) {
		t.Errorf("until %v", got)
	}
	r = as(cat, 2, "*")
	if r.Holds("bill.pay", "") || !r.Holds("repo.read", "") || r.WithinCeiling([]domain.Pattern{"bill.pay"}) || !r.Denied("bill.pay", "") {
		t.Error("the child's bounds do not bind")
	}
	if got := r.Until(); !got.Equal(noon.Add(time.Minute)) {
		t.Errorf("the child outlives its parent: %v", got)
	}
	if got := as(cat, 2, "repo.*").Until(); !got.Equal(noon.Add(time.Second)) {
		t.Errorf("what a narrow token makes outlives it: %v", got)
	}
	if !r.Covers(dan) || r.Covers(ann) {
		t.Error("covering is not what the delegation gives")
	}
	byRole := s.granted(3, ann, dan)
	byRole.Bounds.Roles = []domain.RoleID{role}
	s.delegate(byRole)
	r = as(dan, 3, "*")
	if !r.Holds("repo.read", "") || r.Holds("bill.pay", "") || r.WithinCeiling([]domain.Pattern{"repo.read"}) || !r.Denied("bill.pay", "") || r.Denied("repo.read", "") {
		t.Error("a bound by role does not bind")
	}
	forged := access.Caller{User: dan, Tenant: acme, For: cat, ForTenant: acme, Delegation: delegated(3)}
	if s.Rights(forged, acme, noon).Holds("repo.read", "") {
		t.Error("one who says to act for somebody else than they do holds something")
	}
	idle := access.Caller{User: ann, Tenant: acme, For: cat, ForTenant: acme}
	if s.Rights(idle, acme, noon).Holds("repo.read", "") || s.Rights(idle, acme, noon).WithinCeiling([]domain.Pattern{"repo.read"}) {
		t.Error("one who acts for somebody by nothing holds something")
	}
}

func TestSearchesUnderADelegationFindWhatChecksAllow(t *testing.T) {
	s := company(t)
	for _, p := range []domain.Privilege{"repo.read", "repo.write", "bill.pay"} {
		s.tell(domain.Root, domain.PrivilegeRegistered{Privilege: p})
	}
	e := s.granted(1, ann, ben)
	e.Bounds = domain.Bounds{Resources: []domain.Scope{"repo:web", "repo:ops", "bill:1"}, Privileges: []domain.Pattern{"repo.read"}}
	s.delegate(e)
	s.tell(acme, domain.OverrideAdded{Effect: domain.Deny, Privilege: "repo.*", User: ann, Scope: "repo:ops", ExpiresAt: noon.Add(1)})

	q := under(domain.UserID{}, 1)
	q.Scope = "repo:web"
	if got := s.SearchSubjects(q); !slices.Equal(got, []domain.UserID{ben}) {
		t.Errorf("subjects: %v", got)
	}
	if got := s.SearchSubjects(on(q, "repo", "ops")); len(got) != 0 {
		t.Errorf("subjects of what is denied: %v", got)
	}
	q.User = ben
	if ids, whole := s.SearchResources(q, "repo"); !slices.Equal(ids, []string{"web"}) || whole {
		t.Errorf("resources: %v, %v", ids, whole)
	}
	if got := s.SearchActions(q, nil); !slices.Equal(got, []domain.Privilege{"repo.read"}) {
		t.Errorf("actions: %v", got)
	}
	q.User = cat
	if ids, _ := s.SearchResources(q, "repo"); len(ids) != 0 || len(s.SearchActions(q, nil)) != 0 {
		t.Error("somebody else's delegation lets cat do something")
	}
	q.Delegation = delegated(9)
	if got := s.SearchSubjects(q); len(got) != 0 {
		t.Errorf("subjects under no delegation: %v", got)
	}
}

func TestASearchForSubjectsFindsGuests(t *testing.T) {
	s := company(t)
	s.visit(ben)
	q := access.Question{Tenant: beta, Privilege: "repo.read", At: noon}
	if got := s.SearchSubjects(q); !slices.Equal(got, []domain.UserID{ben}) {
		t.Errorf("%v", got)
	}
	s.tell(acme, domain.PolicyReset{Key: domain.JoinOutside.Key})
	if got := s.SearchSubjects(q); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestAnExplanationNamesEveryEventOfTheChain(t *testing.T) {
	s := company(t)
	base := s.n
	first, second := s.granted(1, ann, ben), s.granted(2, ben, cat, 1)
	second.Bounds.Privileges = []domain.Pattern{"repo.read"}
	s.tell(acme, domain.ApprovalGiven{Approval: domain.ApprovalID{UUID: first.Delegation.UUID}, By: dan}) // +1
	s.tell(acme, first, accepted(first), second, accepted(second))                                        // +2 to +5
	s.tell(acme, domain.PolicySet{Key: domain.Delegable.Key, Value: "true"})                              // +6
	s.tell(acme, domain.ApprovalGiven{Approval: domain.ApprovalID{UUID: named('a', 7)}, By: dan},         // +7
		domain.RoleAssigned{Assignment: assigned(7), Role: role, User: ann}) // +8
	steps := func(rule access.Rule) (out []string) {
		e := s.Explain(under(cat, 2))
		for _, step := range e.Steps {
			if step.Rule != rule {
				continue
			}
			var line strings.Builder
			fmt.Fprintf(&line, "%v:", step.Counts)
			for _, l := range step.Links {
				if l.Position > base {
					fmt.Fprintf(&line, " %s+%d", l.Kind, l.Position-base)
				}
			}
			out = append(out, line.String())
		}
		return out
	}
	want := []string{"true: approval+1 delegation+2 acceptance+3 policy+6", "true: delegation+4 acceptance+5 policy+6", "true: delegation+4"}
	got := steps(access.RuleDelegation)
	for i := range got {
		got[i] = sortWords(got[i])
	}
	for i := range want {
		want[i] = sortWords(want[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"true:", "true: assignment+8 approval+7"}, steps(access.RuleGrant)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.tell(acme, revoked(1)) // +9
	s.expect(under(cat, 2), access.DelegationOver)
	if got := steps(access.RuleDelegation)[0]; sortWords(got) != sortWords("false: delegation+2 approval+1 acceptance+3 end+9 policy+6") {
		t.Errorf("%s", got)
	}
}

func sortWords(s string) string {
	words := slices.Sorted(strings.FieldsSeq(s))
	return fmt.Sprint(words)
}
