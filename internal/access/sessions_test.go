package access_test

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// at tells what was recorded then.
func (s *story) at(t domain.TenantID, when time.Time, events ...dcb.Event) {
	s.t.Helper()
	told := page(s.n+1, t, events...)
	for i := range told {
		told[i].At, told[i].RecordedAt = when, when
	}
	if err := s.Apply(told); err != nil {
		s.t.Fatal(err)
	}
	s.n += int64(len(events))
}

func sessionID(n int) domain.SessionID { return domain.SessionID{UUID: named('s', n)} }

var sessionHash = sha256.Sum256([]byte("session"))

// begun is ann's session: half an hour of idleness, two hours in all.
func begun(n int) domain.SessionStarted {
	return domain.SessionStarted{
		Session: sessionID(n), User: ann, Hash: sessionHash[:], Methods: []string{"pwd"}, Idle: 1800, ExpiresAt: noon.Add(2 * time.Hour),
	}
}

func (s *story) reason(n int, hash [32]byte, now time.Time) access.Reason {
	_, err := s.AuthenticateSession(sessionID(n), hash, now)
	var why *access.Rejection
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &why) || !errors.Is(err, access.ErrUnauthenticated) || err.Error() != access.ErrUnauthenticated.Error():
		s.t.Fatalf("rejected with %v", err)
	}
	return why.Reason
}

func TestASessionIsAcceptedWhileItLives(t *testing.T) {
	other := sha256.Sum256([]byte("other"))
	began := func(s *story) { s.at(acme, noon, begun(1)) }
	soon := noon.Add(time.Minute)
	for _, c := range []struct {
		name string
		tell func(s *story)
		hash [32]byte
		now  time.Time
		why  access.Reason
	}{
		{"a good one", began, sessionHash, soon, ""},
		{"just before it is idle", began, sessionHash, noon.Add(30*time.Minute - 1), ""},
		{"when it is idle", began, sessionHash, noon.Add(30 * time.Minute), access.SessionIdle},
		{"one seen since", func(s *story) {
			began(s)
			s.at(acme, noon.Add(20*time.Minute), domain.SessionSeen{Session: sessionID(1)})
		}, sessionHash, noon.Add(49 * time.Minute), ""},
		{"one that another tenant saw", func(s *story) {
			began(s)
			s.at(domain.Root, noon.Add(20*time.Minute), domain.SessionSeen{Session: sessionID(1)})
		}, sessionHash, noon.Add(49 * time.Minute), access.SessionIdle},
		{"at its end", func(s *story) {
			began(s)
			s.at(acme, noon.Add(119*time.Minute), domain.SessionSeen{Session: sessionID(1)})
		}, sessionHash, noon.Add(2 * time.Hour), access.TokenExpired},
		{"with another hash", began, other, soon, access.TokenWrong},
		{"with no hash", began, [32]byte{}, soon, access.TokenWrong},
		{"one nobody started", func(*story) {}, sessionHash, soon, access.TokenUnknown},
		{"one nobody started with no hash", func(*story) {}, [32]byte{}, soon, access.TokenUnknown},
		{"an ended one", func(s *story) { began(s); s.at(acme, noon, domain.SessionEnded{Session: sessionID(1)}) }, sessionHash, soon, access.TokenUnknown},
		{"one that another tenant ended", func(s *story) { began(s); s.at(domain.Root, noon, domain.SessionEnded{Session: sessionID(1)}) }, sessionHash, soon, ""},
		{"one started twice", func(s *story) {
			began(s)
			again := begun(1)
			again.User, again.Hash = ben, other[:]
			s.at(acme, noon, again)
		}, other, soon, access.TokenWrong},
		{"of a deactivated user", func(s *story) { began(s); s.tell(acme, domain.UserDeactivated{User: ann}) }, sessionHash, soon, access.SubjectInactive},
		{"of a suspended tenant", func(s *story) { began(s); s.tell(acme, domain.TenantSuspended{Tenant: acme}) }, sessionHash, soon, access.HomeInactive},
		{"of a user of another tenant", func(s *story) { s.at(domain.Root, noon, begun(1)) }, sessionHash, soon, access.TenantForeign},
		{"of a user of the platform in a tenant", func(s *story) {
			staff := domain.UserID{UUID: named('u', 9)}
			s.tell(domain.Root, domain.UserRegistered{User: staff, Status: domain.UserActive})
			e := begun(1)
			e.User = staff
			s.at(acme, noon, e)
		}, sessionHash, soon, access.SubjectUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t)
			c.tell(s)
			if why := s.reason(1, c.hash, c.now); why != c.why {
				t.Errorf("got %q, want %q", why, c.why)
			}
		})
	}
}

func TestASessionSaysHowAndWhenItWasProven(t *testing.T) {
	s := begin(t)
	s.at(acme, noon, begun(1))
	caller := func(now time.Time) access.Caller {
		t.Helper()
		c, err := s.AuthenticateSession(sessionID(1), sessionHash, now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := access.Caller{
		User: ann, Tenant: acme, Session: sessionID(1), Scopes: []domain.Pattern{domain.Everything}, ExpiresAt: noon.Add(2 * time.Hour),
		Methods: []string{"pwd"}, AuthenticatedAt: noon, ProofLasts: 10 * time.Minute,
	}
	first := caller(noon)
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	s.at(acme, noon.Add(time.Minute), domain.SessionElevated{Session: sessionID(1), Methods: []string{"pwd", "otp"}})
	s.tell(acme, domain.PolicySet{Key: domain.StepUpMinutes.Key, Value: "3"})
	want.Methods, want.AuthenticatedAt, want.ProofLasts = []string{"pwd", "otp"}, noon.Add(time.Minute), 3*time.Minute
	if diff := cmp.Diff(want, caller(noon.Add(time.Minute))); diff != "" {
		t.Error(diff)
	}
	if len(first.Methods) != 1 {
		t.Errorf("what was told before has changed: %v", first.Methods)
	}
	s.tell(acme, domain.PolicyReset{Key: domain.StepUpMinutes.Key})
	s.tell(domain.Root, domain.PolicySet{Key: domain.StepUpMinutes.Key, Value: "1"})
	if got := caller(noon.Add(time.Minute)).ProofLasts; got != 10*time.Minute {
		t.Errorf("a proof lasts %s", got)
	}
}

func TestUseKeepsASessionAliveAndIsWorthARecordAQuarterLater(t *testing.T) {
	s := begin(t)
	s.at(acme, noon, begun(1))
	due := func(after time.Duration) bool {
		t.Helper()
		c, err := s.AuthenticateSession(sessionID(1), sessionHash, noon.Add(after))
		if err != nil {
			t.Fatalf("after %s: %v", after, err)
		}
		return c.Unseen
	}
	for _, c := range []struct {
		minutes int
		due     bool
	}{{7, false}, {8, true}, {29, true}, {58, true}, {57, true}, {87, true}} {
		if got := due(time.Duration(c.minutes) * time.Minute); got != c.due {
			t.Errorf("after %d minutes: due %v", c.minutes, got)
		}
	}
	s.at(acme, noon.Add(90*time.Minute), domain.SessionSeen{Session: sessionID(1)})
	if due(91 * time.Minute) {
		t.Error("it is due at once again")
	}
	if why := s.reason(1, sessionHash, noon.Add(2*time.Hour)); why != access.TokenExpired {
		t.Errorf("at its end: %q", why)
	}
}

func TestABoundSessionIsFreedByASecondFactor(t *testing.T) {
	s := begin(t)
	s.give(ann, "*", "", domain.Window{})
	e := begun(1)
	e.Scopes = []domain.Pattern{domain.Enrolling}
	s.at(acme, noon, e)
	may := func(p domain.Privilege) bool {
		c, err := s.AuthenticateSession(sessionID(1), sessionHash, noon)
		if err != nil {
			t.Fatal(err)
		}
		return s.Decide(access.Question{Tenant: acme, User: c.User, Privilege: p, At: noon, Ceiling: c.Scopes}).Allowed
	}
	if may("repo.read") || !may("core.credentials.enroll.totp") {
		t.Error("it may do other things than it should")
	}
	s.at(acme, noon, domain.SessionElevated{Session: sessionID(1), Methods: []string{"pwd"}})
	if may("repo.read") {
		t.Error("a password freed it")
	}
	s.at(acme, noon, domain.SessionElevated{Session: sessionID(1), Methods: []string{"otp", domain.ByMany}})
	if !may("repo.read") {
		t.Error("a second factor did not free it")
	}
}

func TestSessionsThatAreOverLeaveMemory(t *testing.T) {
	s := begin(t)
	for i := range 2000 {
		e := begun(i)
		e.ExpiresAt = noon.Add(time.Duration(i+1) * time.Minute)
		s.at(acme, noon.Add(time.Duration(i)*time.Minute), e)
	}
	if n := s.Sessions(); n > 200 {
		t.Errorf("%d are kept of which one lives", n)
	}
	if why := s.reason(1999, sessionHash, noon.Add(1999*time.Minute)); why != "" {
		t.Errorf("the one that lives: %q", why)
	}
}

func TestPowerIsAllOfATenantOrAnyOfThePlatform(t *testing.T) {
	for i, c := range []struct {
		pattern domain.Pattern
		scope   domain.Scope
		window  domain.Window
		at      domain.TenantID
		want    bool
	}{
		{"*", "", domain.Window{}, acme, true},
		{"core.*", "", domain.Window{}, acme, false},
		{"*", "repo:a", domain.Window{}, acme, false},
		{"*", "", domain.Window{Until: noon}, acme, false},
		{"*", "", domain.Window{From: noon.Add(time.Hour)}, acme, true},
		{"core.users.read", "", domain.Window{}, domain.Root, true},
		{"core.users.read", "repo:a", domain.Window{}, domain.Root, true},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			s := begin(t)
			u := domain.UserID{UUID: named('u', 7)}
			r := domain.RoleID{UUID: named('x', 7)}
			s.tell(c.at, domain.UserRegistered{User: u, Status: domain.UserActive}, domain.RoleCreated{Role: r}, domain.RolePrivilegeAdded{Role: r, Privilege: c.pattern},
				domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: named('a', 7)}, Role: r, User: u, Scope: c.scope, Window: c.window})
			if got := s.Powerful(u, noon); got != c.want {
				t.Errorf("powerful: %v", got)
			}
			if s.Powerful(ben, noon) || s.Powerful(domain.UserID{}, noon) {
				t.Error("who holds nothing is powerful")
			}
		})
	}
}
