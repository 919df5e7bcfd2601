package access_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

var (
	impHash  = sha256.Sum256([]byte("imp"))
	adminKey = domain.TokenID{UUID: named('k', 1)}
	reads    = domain.RoleID{UUID: named('r', 8)} // what ben has: repo.read
)

func impersonated(n int) domain.ImpersonationID { return domain.ImpersonationID{UUID: named('I', n)} }

// desk is a company where ann, who may repo.*, bill.* and start impersonations, has a token, and ben may repo.read and what is never
// done as somebody else; and the policy allows it.
func desk(t testing.TB) *story {
	s := company(t)
	s.give(ann, "core.*", "", domain.Window{})
	s.give(ann, "bill.*", "", domain.Window{})
	s.tell(acme, domain.PolicySet{Key: domain.ImpersonationWord.Key, Value: domain.Allowed},
		domain.RoleCreated{Role: reads}, domain.RolePrivilegeAdded{Role: reads, Privilege: "repo.read"},
		domain.RoleAssigned{Assignment: assigned(80), Role: reads, User: ben},
		domain.TokenIssued{Token: adminKey, User: ann, Hash: impHash[:], Scopes: []domain.Pattern{"*"}, ExpiresAt: noon.Add(2 * time.Hour)})
	return s
}

// started is ann acting as ben for an hour, by her token.
func started(n int) domain.ImpersonationStarted {
	return domain.ImpersonationStarted{
		Impersonation: impersonated(n), Admin: ann, AdminTenant: domain.HomeIn(acme), Target: ben, Scopes: []domain.Pattern{"*"}, Reason: "help",
		Hash: impHash[:], Token: adminKey, Consent: domain.Allowed, ExpiresAt: noon.Add(time.Hour),
	}
}

func as(n int) access.Question {
	return access.Question{Tenant: acme, User: ann, Privilege: "repo.read", At: noon, Impersonation: impersonated(n)}
}

func (s *story) authenticated(at time.Time) (access.Caller, access.Reason) {
	s.t.Helper()
	c, err := s.AuthenticateImpersonation(impersonated(1), impHash, at)
	if err == nil {
		return c, ""
	}
	why, ok := errors.AsType[*access.Rejection](err)
	if !ok || c.User != (domain.UserID{}) {
		s.t.Fatalf("%+v, %v", c, err)
	}
	return c, why.Reason
}

func TestAnAdministratorInASessionMayWhatBothMayAndTheSessionIsFor(t *testing.T) {
	s := desk(t)
	s.give(ben, "mail.read", "", domain.Window{})
	s.give(ben, "core.*", "", domain.Window{})
	s.tell(acme, domain.PolicySet{Key: domain.ImpersonationNever.Key, Value: "core.groups.* core.roles.create"})
	for n, c := range []struct {
		scopes    []domain.Pattern
		privilege domain.Privilege
		want      access.Reason
	}{
		{[]domain.Pattern{"*"}, "repo.read", access.Granted},
		{[]domain.Pattern{"*"}, "repo.write", access.NotGranted},         // the administrator alone
		{[]domain.Pattern{"*"}, "mail.read", access.BeyondImpersonation}, // the target alone
		{[]domain.Pattern{"*"}, "bill.pay", access.NotGranted},
		{[]domain.Pattern{"bill.*"}, "repo.read", access.BeyondImpersonation},
		{[]domain.Pattern{"bill.*", "repo.read"}, "repo.read", access.Granted},
		{[]domain.Pattern{}, "repo.read", access.BeyondImpersonation},
		{[]domain.Pattern{"*"}, "core.users.read", access.Granted},
		{[]domain.Pattern{"*"}, "core.groups.rename", access.BeyondImpersonation}, // as the tenant has it
		{[]domain.Pattern{"*"}, "core.roles.create", access.BeyondImpersonation},
		{[]domain.Pattern{"*"}, "core.roles.rename", access.Granted},
	} {
		e := started(n + 1)
		e.Scopes = c.scopes
		s.tell(acme, e)
		s.expect(to(as(n+1), c.privilege), c.want)
	}
	s.tell(acme, domain.PolicyReset{Key: domain.ImpersonationNever.Key})
	s.expect(to(as(1), "core.groups.rename"), access.Granted)
	for _, p := range append(slices.Clone(domain.NeverImpersonated), "core.signing-keys.create", "core.licenses.issue", "core.licenses.revoke") {
		name := domain.Privilege(p)
		if p.Wild() {
			name = domain.Privilege(p[:len(p)-1] + "thing")
		}
		s.expect(to(as(1), name), access.BeyondImpersonation)
	}
}

func TestASessionIsItsAdministratorsAndOfItsTenant(t *testing.T) {
	s := desk(t)
	s.expect(as(1), access.ImpersonationUnknown)
	s.tell(acme, started(1))
	s.expect(as(1), access.Granted)
	for _, u := range []domain.UserID{ben, cat} {
		q := as(1)
		q.User = u
		s.expect(q, access.ImpersonationUnknown)
	}
	for at, want := range map[time.Duration]access.Reason{time.Hour - 1: access.Granted, time.Hour: access.ImpersonationOver} {
		q := as(1)
		q.At = noon.Add(at)
		s.expect(q, want)
	}
	elsewhere := as(1)
	elsewhere.Tenant = beta
	s.expect(elsewhere, access.TenantForeign)
	s.visit(ben)
	s.expect(elsewhere, access.TenantForeign)
	elsewhere.Platform = true
	s.expect(elsewhere, access.TenantForeign)
	s.tell(acme, domain.ImpersonationExpired{Impersonation: impersonated(1)})
	s.expect(as(1), access.Granted)
	s.tell(beta, domain.ImpersonationEnded{Impersonation: impersonated(1)})
	s.expect(as(1), access.Granted)
	if got := s.SearchSubjects(as(1)); !slices.Equal(got, []domain.UserID{ann}) {
		t.Errorf("%v", got)
	}
	s.tell(acme, domain.ImpersonationEnded{Impersonation: impersonated(1)}, started(1))
	s.expect(as(1), access.ImpersonationOver)
	other := started(2)
	other.Admin = cat
	s.tell(acme, domain.ImpersonationRequested{Impersonation: impersonated(2), Admin: ann, AdminTenant: domain.HomeIn(acme), Target: ben}, other)
	s.expect(as(2), access.ImpersonationUnknown)
	theirs := as(2)
	theirs.User = cat
	s.expect(theirs, access.ImpersonationUnknown)
	s.tell(acme, started(2), other)
	s.expect(as(2), access.Granted)
}

func TestASessionThatAnotherTenantSpeaksOfIsNone(t *testing.T) {
	s := desk(t)
	s.tell(beta, domain.PolicySet{Key: domain.ImpersonationWord.Key, Value: domain.Allowed}, started(1))
	s.expect(as(1), access.TargetInactive)
	s.tell(acme, started(1))
	s.expect(as(1), access.TargetInactive)
	e := started(2)
	e.AdminTenant = domain.HomeIn(beta)
	s.tell(acme, e)
	s.expect(as(2), access.ImpersonationUnknown)
}

func TestDeniesOfBothBindAnAdministratorInASession(t *testing.T) {
	for _, c := range []struct {
		whom domain.UserID
		on   domain.Scope
		want [2]access.Reason
	}{
		{ann, "", [2]access.Reason{access.DeniedByOverride, access.DeniedByOverride}},
		{ben, "", [2]access.Reason{access.DeniedByOverride, access.DeniedByOverride}},
		{ann, "repo:web", [2]access.Reason{access.Granted, access.DeniedByOverride}},
		{ben, "repo:web", [2]access.Reason{access.Granted, access.DeniedByOverride}},
		{cat, "", [2]access.Reason{access.Granted, access.Granted}},
	} {
		s := desk(t)
		s.tell(acme, started(1), domain.OverrideAdded{Effect: domain.Deny, Privilege: "repo.*", User: c.whom, Scope: c.on, ExpiresAt: noon.Add(1)})
		s.expect(as(1), c.want[0])
		s.expect(on(as(1), "repo", "web"), c.want[1])
	}
}

// Everything that a session rests on is asked again with each request.
func TestASessionIsAcceptedOnlyWhileAllThatItRestsOnStands(t *testing.T) {
	session := domain.SessionID{UUID: named('s', 1)}
	group := domain.GroupID{UUID: named('g', 1)}
	deny := func(u domain.UserID, p domain.Pattern) domain.OverrideAdded {
		return domain.OverrideAdded{Effect: domain.Deny, Privilege: p, User: u, ExpiresAt: noon.AddDate(1, 0, 0)}
	}
	later := noon.Add(time.Minute)
	for _, c := range []struct {
		name   string
		start  func(e *domain.ImpersonationStarted)
		events []dcb.Event
		at     time.Time
		why    access.Reason
	}{
		{name: "all is well", at: noon.Add(time.Hour - 1)},
		{name: "its time is over", at: noon.Add(time.Hour), why: access.ImpersonationOver},
		{name: "it was ended", events: []dcb.Event{domain.ImpersonationEnded{Impersonation: impersonated(1)}}, why: access.ImpersonationOver},
		{name: "its consent was withdrawn", events: []dcb.Event{domain.ImpersonationRefused{Impersonation: impersonated(1)}}, why: access.ImpersonationOver},
		{name: "the administrator is inactive", events: []dcb.Event{domain.UserDeactivated{User: ann}}, why: access.SubjectInactive},
		{name: "the administrator is erased", events: []dcb.Event{domain.UserErased{User: ann}}, why: access.SubjectInactive},
		{name: "the target is inactive", events: []dcb.Event{domain.UserDeactivated{User: ben}}, why: access.TargetInactive},
		{name: "the tenant is suspended", events: []dcb.Event{domain.TenantSuspended{Tenant: acme}}, why: access.HomeInactive},
		{name: "the policy forbids it", events: []dcb.Event{domain.PolicySet{Key: domain.ImpersonationWord.Key, Value: domain.Forbade}}, why: access.ImpersonationForbidden},
		{name: "the policy is none any more", events: []dcb.Event{domain.PolicyReset{Key: domain.ImpersonationWord.Key}}, why: access.ImpersonationForbidden},
		{name: "the policy wants consent", events: []dcb.Event{domain.PolicySet{Key: domain.ImpersonationWord.Key, Value: domain.OnRequest}}, why: access.ImpersonationForbidden},
		{name: "consent was given", events: []dcb.Event{
			domain.PolicySet{Key: domain.ImpersonationWord.Key, Value: domain.OnRequest}, domain.ImpersonationConsented{Impersonation: impersonated(1), By: ben},
		}},
		{name: "it says there was consent, and there was none", start: func(e *domain.ImpersonationStarted) { e.Consent = domain.OnRequest }, why: access.ImpersonationForbidden},
		{name: "the token was revoked", events: []dcb.Event{domain.TokenRevoked{Token: adminKey}}, why: access.ImpersonationBaseless},
		{name: "the token is over", events: []dcb.Event{domain.TokenRotated{Token: adminKey, Hash: impHash[:], ExpiresAt: later}}, at: later, why: access.ImpersonationBaseless},
		{name: "the token is not over yet", events: []dcb.Event{domain.TokenRotated{Token: adminKey, Hash: impHash[:], ExpiresAt: later}}, at: later.Add(-1)},
		{name: "it names a token that is none", start: func(e *domain.ImpersonationStarted) { e.Token.UUID = named('k', 9) }, why: access.ImpersonationBaseless},
		{name: "it names somebody else's token", start: func(e *domain.ImpersonationStarted) { e.Token.UUID = named('k', 2) }, events: []dcb.Event{
			domain.TokenIssued{Token: domain.TokenID{UUID: named('k', 2)}, User: cat, Hash: impHash[:], Scopes: []domain.Pattern{"*"}, ExpiresAt: noon.Add(time.Hour)},
		}, why: access.ImpersonationBaseless},
		{name: "it names nothing by which it was started", start: func(e *domain.ImpersonationStarted) { e.Token = domain.TokenID{} }, why: access.ImpersonationBaseless},
		{name: "the administrator may not start any more", events: []dcb.Event{deny(ann, domain.Pattern(access.StartImpersonation))}, why: access.ImpersonationUnearned},
		{name: "the administrator lost a right that the target has", events: []dcb.Event{domain.RoleUnassigned{Assignment: assigned(1)}}, why: access.ImpersonationUncovered},
		{name: "the target was given more", events: []dcb.Event{domain.RolePrivilegeAdded{Role: reads, Privilege: "mail.read"}}, why: access.ImpersonationUncovered},
		{name: "the target was given as much", events: []dcb.Event{domain.RolePrivilegeAdded{Role: reads, Privilege: "bill.pay"}}},
		{name: "the target is owner of a group", events: []dcb.Event{domain.GroupCreated{Group: group}, domain.MemberAdded{Group: group, User: ben, Role: domain.Owner}}},
		{name: "the target may as a delegate", events: []dcb.Event{
			domain.RoleCreated{Role: domain.RoleID{UUID: named('r', 9)}}, domain.RolePrivilegeAdded{Role: domain.RoleID{UUID: named('r', 9)}, Privilege: "mail.read"},
			domain.RoleAssigned{Assignment: assigned(9), Role: domain.RoleID{UUID: named('r', 9)}, User: cat},
			domain.DelegationGranted{
				Delegation: delegated(1), Tenant: domain.HomeIn(acme), Grantor: cat, GrantorTenant: domain.HomeIn(acme), Delegate: ben, DelegateTenant: domain.HomeIn(acme),
			},
			domain.DelegationAccepted{Delegation: delegated(1), Tenant: domain.HomeIn(acme)},
		}, why: access.ImpersonationUncovered},
		{name: "a deny for the administrator", events: []dcb.Event{deny(ann, "repo.*")}, why: access.ImpersonationUncovered},
		{name: "a deny for the target", events: []dcb.Event{deny(ben, "*")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := desk(t)
			e := started(1)
			if c.start != nil {
				c.start(&e)
			}
			s.tell(acme, e)
			s.tell(acme, c.events...)
			if c.at.IsZero() {
				c.at = noon
			}
			if _, why := s.authenticated(c.at); why != c.why {
				t.Errorf("%q, want %q", why, c.why)
			}
			own, err := s.OwnImpersonation(impersonated(1), impHash)
			if err != nil || own.User != ann || own.Impersonation != impersonated(1) || own.Scopes == nil || len(own.Scopes) > 0 {
				t.Errorf("it cannot be ended: %+v, %v", own, err)
			}
		})
	}
	t.Run("sessions", func(t *testing.T) {
		signedIn := func(idle int, scopes ...domain.Pattern) *story {
			s := desk(t)
			e := started(1)
			e.Token, e.Session = domain.TokenID{}, session
			s.at(acme, noon, domain.SessionStarted{Session: session, User: ann, Hash: impHash[:], Idle: idle, Scopes: scopes, ExpiresAt: noon.Add(30 * time.Minute)})
			s.tell(acme, e)
			return s
		}
		expect := func(s *story, at time.Duration, want access.Reason) {
			t.Helper()
			if _, why := s.authenticated(noon.Add(at)); why != want {
				t.Errorf("after %v: %q, want %q", at, why, want)
			}
		}
		s := signedIn(600)
		expect(s, 10*time.Minute-1, "")
		expect(s, 10*time.Minute, access.ImpersonationBaseless) // that was no use of the session
		if _, err := s.AuthenticateSession(session, impHash, noon.Add(9*time.Minute)); err != nil {
			t.Fatal(err)
		}
		expect(s, 19*time.Minute-1, "")
		expect(s, 19*time.Minute, access.ImpersonationBaseless)
		s = signedIn(3600)
		expect(s, 30*time.Minute-1, "")
		expect(s, 30*time.Minute, access.ImpersonationBaseless)
		s.tell(acme, domain.SessionEnded{Session: session})
		expect(s, 0, access.ImpersonationBaseless)
		expect(signedIn(600, "repo.*"), 0, access.ImpersonationUnearned)
		expect(signedIn(600, "core.*"), 0, access.ImpersonationUncovered)
	})
}

func TestTheTokenOfASessionIsComparedWhole(t *testing.T) {
	s := desk(t)
	wrong := sha256.Sum256([]byte("wrong"))
	refused := func(hash [sha256.Size]byte, want access.Reason) {
		t.Helper()
		for _, authenticate := range []func() (access.Caller, error){
			func() (access.Caller, error) { return s.AuthenticateImpersonation(impersonated(1), hash, noon) },
			func() (access.Caller, error) { return s.OwnImpersonation(impersonated(1), hash) },
		} {
			c, err := authenticate()
			if why, ok := errors.AsType[*access.Rejection](err); !ok || why.Reason != want || c.User != (domain.UserID{}) {
				t.Errorf("%+v, %v, want %s", c, err, want)
			}
		}
	}
	refused(impHash, access.TokenUnknown)
	s.tell(acme, domain.ImpersonationRequested{Impersonation: impersonated(1), Admin: ann, AdminTenant: domain.HomeIn(acme), Target: ben})
	refused([sha256.Size]byte{}, access.TokenUnknown)
	s.tell(acme, started(1))
	refused(wrong, access.TokenWrong)
	refused([sha256.Size]byte{}, access.TokenWrong)
	c, why := s.authenticated(noon)
	want := access.Caller{
		User: ann, Tenant: acme, For: ben, ForTenant: acme, Impersonation: impersonated(1), Scopes: []domain.Pattern{"*"}, ExpiresAt: noon.Add(time.Hour),
	}
	if diff := cmp.Diff(want, c); why != "" || diff != "" {
		t.Errorf("%s\n%s", why, diff)
	}
	own, _ := s.OwnImpersonation(impersonated(1), impHash)
	if s.Rights(own, acme, noon).Holds("repo.read", "") {
		t.Error("the token that only ends it does more")
	}
}

func TestAnAdministratorOfThePlatformActsAsATenantsUser(t *testing.T) {
	s := desk(t)
	everything := domain.RoleID{UUID: named('r', 40)}
	key := domain.TokenID{UUID: named('k', 7)}
	e := started(1)
	e.Admin, e.AdminTenant, e.Token = boss, domain.HomeIn(domain.Root), key
	s.tell(domain.Root, domain.TokenIssued{Token: key, User: boss, Hash: impHash[:], Scopes: []domain.Pattern{"*"}, ExpiresAt: noon.Add(time.Hour)})
	s.tell(acme, e)
	q := as(1)
	q.User = boss
	s.expect(q, access.BeyondImpersonation)
	if _, why := s.authenticated(noon); why != access.ImpersonationUnearned {
		t.Error(why)
	}
	s.tell(domain.Root, domain.RoleCreated{Role: everything}, domain.RolePrivilegeAdded{Role: everything, Privilege: "*"},
		domain.RoleAssigned{Assignment: assigned(40), Role: everything, User: boss})
	s.expect(q, access.Granted)
	s.expect(to(q, "repo.write"), access.NotGranted)
	c, why := s.authenticated(noon)
	if why != "" || c.Tenant != domain.Root || c.ForTenant != acme || s.MayEnter(c, beta) || !s.MayEnter(c, acme) {
		t.Errorf("%+v %s", c, why)
	}
	q.Tenant = beta
	s.expect(q, access.TenantForeign)
	s.tell(domain.Root, domain.UserDeactivated{User: boss})
	if _, why := s.authenticated(noon); why != access.SubjectInactive {
		t.Error(why)
	}
}

func TestAGuestImpersonatesNobody(t *testing.T) {
	s := desk(t)
	s.visit(ben)
	host := domain.RoleID{UUID: named('r', 41)}
	s.tell(beta, domain.RoleCreated{Role: host}, domain.RolePrivilegeAdded{Role: host, Privilege: "*"},
		domain.RoleAssigned{Assignment: assigned(41), Role: host, Group: domain.GroupID{UUID: named('g', 30)}},
		domain.PolicySet{Key: domain.ImpersonationWord.Key, Value: domain.Allowed})
	key := domain.TokenID{UUID: named('k', 8)}
	s.tell(acme, domain.TokenIssued{Token: key, User: ben, Hash: impHash[:], Scopes: []domain.Pattern{"*"}, ExpiresAt: noon.Add(time.Hour)})
	e := started(1)
	e.Admin, e.Target, e.Token = ben, bob, key
	s.tell(beta, e)
	q := as(1)
	q.User, q.Tenant = ben, beta
	s.expect(q, access.BeyondImpersonation)
	if _, why := s.authenticated(noon); why != access.ImpersonationUnearned {
		t.Error(why)
	}
}

func TestWhatIsHandedOutInASessionIsUnderItsBounds(t *testing.T) {
	s := desk(t)
	s.give(ben, "core.*", "", domain.Window{})
	e := started(1)
	e.Scopes = []domain.Pattern{"repo.*", "core.*"}
	s.tell(acme, e, domain.PolicySet{Key: domain.ImpersonationNever.Key, Value: "core.groups.*"})
	c, why := s.authenticated(noon)
	if why != "" {
		t.Fatal(why)
	}
	r := s.Rights(c, acme, noon)
	if r.Actor() != ann || r.Effective() != ben {
		t.Errorf("%s as %s", r.Actor(), r.Effective())
	}
	for p, want := range map[domain.Pattern]bool{
		"repo.read": true, "repo.*": false, "core.users.read": true, "core.users.*": false, "core.*": false, "core.groups.*": false,
		"core.roles.*": true, "core.tokens.issue": false, "*": false,
	} {
		if r.Holds(p, "") != want {
			t.Errorf("holds %s: %v", p, !want)
		}
	}
	for p, want := range map[domain.Pattern]bool{"repo.read": true, "repo.*": true, "core.roles.*": true, "core.groups.rename": false, "core.*": false, "bill.pay": false} {
		if r.WithinCeiling([]domain.Pattern{p}) != want {
			t.Errorf("within: %s %v", p, !want)
		}
	}
	if got := r.Until(); !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("until %v", got)
	}
	if r.Denied("repo.read", "") || !r.Denied("core.groups.rename", "") || !r.Covers(dan) || r.Covers(ann) {
		t.Error("denied or covering is wrong")
	}
	s.tell(acme, domain.ImpersonationEnded{Impersonation: impersonated(1)})
	if r.Holds("repo.read", "") || r.WithinCeiling([]domain.Pattern{"repo.read"}) || !r.Denied("repo.read", "") {
		t.Error("it was ended")
	}
}

func TestAnExplanationNamesTheSessionAndTheConsent(t *testing.T) {
	s := desk(t)
	base := s.n
	s.tell(acme, domain.ImpersonationRequested{Impersonation: impersonated(1), Admin: ann, AdminTenant: domain.HomeIn(acme), Target: ben},
		domain.ImpersonationConsented{Impersonation: impersonated(1), By: ben}, started(1)) // +1 to +3
	e := s.Explain(as(1))
	all := e.Positions()
	for _, p := range []int64{base + 2, base + 3} {
		if !slices.Contains(all, p) {
			t.Errorf("%d is not in %v", p-base, all)
		}
	}
	if rules := countRules(e); rules[access.RuleImpersonation] != 3 || rules[access.RuleGrant] == 0 {
		t.Errorf("%v", rules)
	}
}

func countRules(e access.Explanation) map[access.Rule]int {
	n := map[access.Rule]int{}
	for _, s := range e.Steps {
		n[s.Rule]++
	}
	return n
}
