package access_test

import (
	"slices"
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// Eve and zoe belong to globex; the crew is a group of acme, below all.
var (
	globex = domain.TenantID{UUID: named('t', 2)}
	eve    = domain.UserID{UUID: named('u', 3)}
	zoe    = domain.UserID{UUID: named('u', 4)}
	all    = domain.GroupID{UUID: named('g', 1)}
	crew   = domain.GroupID{UUID: named('g', 2)}
	deck   = domain.GroupID{UUID: named('g', 3)}
)

func setting(t domain.TenantID, s domain.Setting, value string) domain.PolicySet {
	return domain.PolicySet{Policy: s.ID(t), Key: s.Key, Value: value}
}

func fromOutside(u domain.UserID, g domain.GroupID) domain.MemberAdded {
	return domain.MemberAdded{
		Membership: domain.MembershipID{UUID: named('m', int(u.UUID[15])*16+int(g.UUID[15]))}, Group: g, User: u, Role: domain.Member, Home: domain.HomeIn(globex),
	}
}

func taken(e domain.MemberAdded) domain.MemberRemoved {
	return domain.MemberRemoved{Membership: e.Membership, Group: e.Group, User: e.User, Role: e.Role}
}

// visit is a story with eve in the crew.
func visit(t testing.TB) *story {
	s := begin(t)
	s.tell(globex, domain.TenantCreated{Tenant: globex, Slug: "globex"}, setting(globex, domain.JoinOutside, "true"),
		domain.UserRegistered{User: eve, Status: domain.UserActive}, domain.UserRegistered{User: zoe, Status: domain.UserActive})
	s.tell(acme, setting(acme, domain.OutsideMembers, "true"),
		domain.GroupCreated{Group: all}, domain.GroupCreated{Group: crew, Parent: all}, domain.GroupCreated{Group: deck},
		fromOutside(eve, crew))
	return s
}

// grantTo assigns a role of one pattern to a group of acme.
func (s *story) grantTo(g domain.GroupID, p domain.Pattern, on domain.Scope) domain.AssignmentID {
	r, a := domain.RoleID{UUID: named('x', int(s.n))}, domain.AssignmentID{UUID: named('a', int(s.n))}
	s.tell(acme, domain.RoleCreated{Role: r}, domain.RolePrivilegeAdded{Role: r, Privilege: p},
		domain.RoleAssigned{Assignment: a, Role: r, Group: g, Scope: on})
	return a
}

// overrule adds an override in a tenant, to a group or, without one, to everybody.
func (s *story) overrule(t domain.TenantID, e domain.Effect, p domain.Pattern, on domain.Scope, g domain.GroupID) {
	s.tell(t, domain.OverrideAdded{
		Override: domain.OverrideID{UUID: named('o', int(s.n))}, Effect: e, Privilege: p, Scope: on, Group: g, ExpiresAt: noon.Add(time.Hour),
	})
}

func (s *story) judge(u domain.UserID, t domain.TenantID, p domain.Privilege, on domain.Scope) (bool, access.Reason) {
	a := s.Decide(access.Question{Tenant: t, User: u, Privilege: p, Scope: on, At: noon})
	return a.Allowed, a.Why
}

func (s *story) want(u domain.UserID, p domain.Privilege, on domain.Scope, want bool) {
	s.t.Helper()
	if got, why := s.judge(u, acme, p, on); got != want {
		s.t.Errorf("%s on %q: %v (%s), want %v", p, on, got, why, want)
	}
}

func caller(u domain.UserID, t domain.TenantID) access.Caller {
	return access.Caller{User: u, Tenant: t, Scopes: []domain.Pattern{domain.Everything}}
}

func TestAGuestHasWhatTheGroupsGiveAndNothingElse(t *testing.T) {
	s := visit(t)
	s.grantTo(crew, "file.read", "")
	s.grantTo(all, "file.write", "")
	s.grantTo(all, "file.lock", "repo:web")
	s.grantTo(deck, "file.delete", "")
	s.give(eve, "file.own", "", domain.Window{}) // no command gives it to a user of another tenant
	s.tell(domain.Root, setting(domain.Root, domain.OverrideAllow, "mail.*"))
	s.overrule(acme, domain.Allow, "mail.read", "", all)
	s.overrule(acme, domain.Allow, "mail.send", "", domain.GroupID{})
	for p, want := range map[domain.Privilege]bool{
		"file.read": true, "file.write": true, "file.delete": false, "file.own": false, "mail.read": true, "mail.send": false, "file.lock": false,
	} {
		s.want(eve, p, "", want)
		s.want(zoe, p, "", false)
	}
	s.want(eve, "file.lock", "repo:web", true)
	s.want(eve, "file.lock", "repo:app", false)
	if got, _ := s.judge(eve, globex, "file.read", ""); got {
		t.Error("what a group of another tenant gives counts at home")
	}
	if got, _ := s.judge(eve, domain.Root, "file.read", ""); got {
		t.Error("what a group of another tenant gives counts on the platform")
	}
}

func TestDeniesOfBothTenantsBindAGuest(t *testing.T) {
	for name, c := range map[string]struct {
		in     domain.TenantID
		on     domain.Scope
		group  domain.GroupID
		denied map[domain.Scope]bool // on which file.read is denied then
	}{
		"the group":              {acme, "", crew, map[domain.Scope]bool{"": true, "repo:web": true}},
		"a group above":          {acme, "", all, map[domain.Scope]bool{"": true, "repo:web": true}},
		"a group that is not":    {acme, "", deck, nil},
		"everybody":              {acme, "", domain.GroupID{}, map[domain.Scope]bool{"": true, "repo:web": true}},
		"everybody on one thing": {acme, "repo:web", domain.GroupID{}, map[domain.Scope]bool{"repo:web": true}},
		"the group on one thing": {acme, "repo:web", crew, map[domain.Scope]bool{"repo:web": true}},
		"at home":                {globex, "", domain.GroupID{}, map[domain.Scope]bool{"": true, "repo:web": true}},
		"at home on one thing":   {globex, "repo:web", domain.GroupID{}, nil}, // of the same name
		"a third tenant":         {domain.Root, "", domain.GroupID{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := visit(t)
			s.grantTo(crew, "file.read", "")
			s.want(eve, "file.read", "", true)
			s.overrule(c.in, domain.Deny, "file.*", c.on, c.group)
			for _, on := range []domain.Scope{"", "repo:web"} {
				s.want(eve, "file.read", on, !c.denied[on])
			}
		})
	}
}

func TestAnOfficeFromOutsideCountsInItsGroupAlone(t *testing.T) {
	s := visit(t)
	on := func(g domain.GroupID) domain.Scope { return domain.Scope("group:" + g.String()) }
	s.want(eve, "core.group-memberships.add", on(crew), false)
	s.tell(acme, domain.MemberRoleChanged{Group: crew, User: eve, Role: domain.Maintainer, Was: domain.Member})
	for _, p := range []domain.Privilege{"core.group-memberships.add", "core.group-memberships.remove", "core.group-invitations.create", "core.group-invitations.withdraw"} {
		s.want(eve, p, on(crew), true)
		s.want(eve, p, on(all), false)
		s.want(eve, p, on(deck), false)
		s.want(eve, p, "", false)
	}
	s.want(eve, "core.groups.rename", on(crew), false)
	s.tell(acme, domain.MemberRoleChanged{Group: crew, User: eve, Role: domain.Member, Was: domain.Maintainer})
	s.want(eve, "core.group-memberships.add", on(crew), false)
}

// ends are the ways in which everything that a guest has ends, and what brings it back, if anything does.
func ends() map[string]struct {
	in         domain.TenantID
	by, undone dcb.Event
} {
	type end = struct {
		in         domain.TenantID
		by, undone dcb.Event
	}
	join := fromOutside(eve, crew)
	return map[string]end{
		"the membership":      {acme, taken(join), join},
		"the group":           {acme, domain.GroupDeleted{Group: crew, Parent: all}, nil},
		"their policy":        {globex, setting(globex, domain.JoinOutside, "false"), setting(globex, domain.JoinOutside, "true")},
		"their policy, reset": {globex, domain.PolicyReset{Key: domain.JoinOutside.Key}, setting(globex, domain.JoinOutside, "true")},
		"the policy":          {acme, setting(acme, domain.OutsideMembers, "false"), setting(acme, domain.OutsideMembers, "true")},
		"the policy, reset":   {acme, domain.PolicyReset{Key: domain.OutsideMembers.Key}, setting(acme, domain.OutsideMembers, "true")},
		"the tenant":          {acme, domain.TenantSuspended{Tenant: acme}, domain.TenantReactivated{Tenant: acme}},
		"their tenant":        {globex, domain.TenantSuspended{Tenant: globex}, domain.TenantReactivated{Tenant: globex}},
		"the tenant for ever": {acme, domain.TenantClosed{Tenant: acme}, nil},
		"their tenant gone":   {globex, domain.TenantClosed{Tenant: globex}, nil},
		"the user":            {globex, domain.UserDeactivated{User: eve}, domain.UserReactivated{User: eve}},
		"the user, erased":    {globex, domain.UserErased{User: eve}, nil},
	}
}

func TestWhatAGuestHasEndsAtOnce(t *testing.T) {
	for name, end := range ends() {
		t.Run(name, func(t *testing.T) {
			s := visit(t)
			s.grantTo(crew, "file.read", "")
			holds := func(want bool) {
				t.Helper()
				s.want(eve, "file.read", "", want)
				if got := s.MayEnter(caller(eve, globex), acme); got != want {
					t.Errorf("may enter: %v", got)
				}
				if _, got := s.OutsideMember(caller(eve, globex), acme, crew); got != want {
					t.Errorf("is a member: %v", got)
				}
				if got := s.Rights(caller(eve, globex), acme, noon).Holds("file.read", ""); got != want {
					t.Errorf("may hand out: %v", got)
				}
				if got := slices.Contains(s.SearchSubjects(access.Question{Tenant: acme, Privilege: "file.read", At: noon}), eve); got != want {
					t.Errorf("is found: %v", got)
				}
			}
			holds(true)
			s.tell(end.in, end.by)
			holds(false)
			if end.undone != nil {
				s.tell(end.in, end.undone)
				holds(true)
			}
		})
	}
}

func TestWhatAGuestHasFollowsWhatTheGroupHas(t *testing.T) {
	s := visit(t)
	a := s.grantTo(all, "file.read", "")
	s.want(eve, "file.read", "", true)
	s.tell(acme, domain.RoleUnassigned{Assignment: a, Group: all})
	s.want(eve, "file.read", "", false)
	s.grantTo(deck, "file.read", "")
	s.want(eve, "file.read", "", false)
	s.tell(acme, domain.GroupMoved{Group: all, Parent: deck})
	s.want(eve, "file.read", "", true)
	s.tell(acme, domain.GroupMoved{Group: crew, From: all})
	s.want(eve, "file.read", "", false)
	s.tell(acme, fromOutside(eve, deck))
	s.want(eve, "file.read", "", true)
	s.tell(acme, taken(fromOutside(eve, crew)))
	s.want(eve, "file.read", "", true)
	s.tell(domain.Root, domain.RoleCreated{Role: role})
	s.tell(acme, domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: named('a', 1)}, Role: role, Group: deck})
	s.want(eve, "file.write", "", false)
	s.tell(domain.Root, domain.RolePrivilegeAdded{Role: role, Privilege: "file.write"}) // a role of the platform
	s.want(eve, "file.write", "", true)
}

func TestAUserOfAnotherTenantIsAGuestOnlyWhereAnInvitationLedToIt(t *testing.T) {
	s := visit(t)
	s.grantTo(crew, "file.read", "")
	s.tell(acme, domain.MemberAdded{Group: crew, User: zoe, Role: domain.Member}) // as of a user of acme
	s.want(zoe, "file.read", "", false)
	lie := fromOutside(zoe, deck)
	lie.Home = domain.HomeIn(domain.Root)
	s.grantTo(deck, "file.read", "")
	s.tell(acme, lie)
	s.want(zoe, "file.read", "", false)
	beside := fromOutside(eve, deck)
	beside.Home = domain.HomeIn(domain.Root)
	s.grantTo(deck, "file.delete", "")
	s.tell(acme, beside)
	s.want(eve, "file.delete", "", false)
	// Nor is it where the event stands elsewhere.
	other := fromOutside(zoe, crew)
	s.tell(globex, other)
	s.want(zoe, "file.read", "", false)
}

func TestOnlyAGuestEntersAndOnlyForThemselves(t *testing.T) {
	s := visit(t)
	for name, c := range map[string]struct {
		who  access.Caller
		to   domain.TenantID
		want bool
	}{
		"at home":          {caller(eve, globex), globex, true},
		"a guest":          {caller(eve, globex), acme, true},
		"no guest":         {caller(zoe, globex), acme, false},
		"the other way":    {caller(ann, acme), globex, false},
		"no such tenant":   {caller(eve, globex), domain.TenantID{UUID: named('t', 9)}, false},
		"the platform":     {caller(ann, domain.Root), globex, true},
		"for a guest":      {access.Caller{User: zoe, Tenant: globex, For: eve, ForTenant: globex}, acme, false},
		"a guest for some": {access.Caller{User: eve, Tenant: globex, For: zoe, ForTenant: globex}, acme, false},
	} {
		if got := s.MayEnter(c.who, c.to); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	// A group that gives nothing lets its members in all the same: they may see one another.
	if sees, is := s.OutsideMember(caller(eve, globex), acme, crew); !is || sees != domain.SeeOwn {
		t.Errorf("eve sees %q, %v", sees, is)
	}
	s.tell(acme, setting(acme, domain.MembersSee, domain.SeeAll))
	if sees, is := s.OutsideMember(caller(eve, globex), acme, crew); !is || sees != domain.SeeAll {
		t.Errorf("eve sees %q, %v", sees, is)
	}
	for _, g := range []domain.GroupID{all, deck, {}} {
		if _, is := s.OutsideMember(caller(eve, globex), acme, g); is {
			t.Errorf("eve is taken for a member of %s", g)
		}
	}
	s.tell(acme, domain.MemberAdded{Group: crew, User: ann, Role: domain.Member})
	if _, is := s.OutsideMember(caller(ann, acme), acme, crew); is {
		t.Error("a member at home is taken for one from outside")
	}
}

func TestPartnersAreTenantsWhoseUsersEverHadRightsInOneAnother(t *testing.T) {
	s := visit(t)
	other := domain.TenantID{UUID: named('t', 3)}
	s.tell(other, domain.TenantCreated{Tenant: other, Slug: "other"})
	want := func(t2 domain.TenantID, partners ...domain.TenantID) {
		t.Helper()
		if got := s.Partners(t2); !slices.Equal(got, partners) {
			t.Errorf("partners of %s are %v", t2, got)
		}
	}
	want(acme, globex)
	want(globex, acme)
	want(other)
	want(domain.Root)
	s.tell(acme, taken(fromOutside(eve, crew)))
	want(acme, globex) // the past rests on it
	s.tell(acme, domain.DelegationGranted{
		Delegation: domain.DelegationID{UUID: named('d', 1)}, Tenant: domain.HomeIn(acme), Grantor: ann, GrantorTenant: domain.HomeIn(acme),
		Delegate: zoe, DelegateTenant: domain.HomeIn(other),
	})
	want(acme, globex, other)
	want(other, acme)
}
