package access_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/access"
)

// What is over is not kept once that is said: who asks about a time before asks an index of then. Nobody else's word counts for it,
// and until then the time alone decides.
func TestWhatIsSaidToBeOverIsKeptNoLonger(t *testing.T) {
	a, o := domain.AssignmentID{UUID: named('a', 1)}, domain.OverrideID{UUID: named('o', 1)}
	s := begin(t)
	s.tell(acme, domain.RolePrivilegeAdded{Role: role, Privilege: "repo.*"},
		domain.RoleAssigned{Assignment: a, Role: role, User: ann, Window: domain.Window{Until: noon}},
		domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: named('a', 2)}, Role: role, User: ben},
		domain.OverrideAdded{Override: o, Effect: domain.Deny, Privilege: "repo.read", User: ben, ExpiresAt: noon})
	s.tell(domain.Root, domain.PrivilegeRegistered{Privilege: "repo.read"})
	may := func(u domain.UserID, at time.Time, want bool) {
		t.Helper()
		q := access.Question{Tenant: acme, User: u, Privilege: "repo.read", At: at}
		if got := s.Decide(q).Allowed; got != want {
			t.Errorf("at %s: %v, want %v: %s", at.Format(time.TimeOnly), got, want, s.Decide(q).Why)
		}
	}
	early := noon.Add(-time.Second)
	saidElsewhere := func(t domain.TenantID) {
		s.tell(t, domain.AssignmentExpired{Assignment: a, Role: role, User: ann}, domain.OverrideExpired{Override: o, User: ben})
	}
	for range 2 {
		may(ann, early, true)
		may(ann, noon, false)
		may(ben, early, false)
		may(ben, noon, true)
		saidElsewhere(domain.Root)
	}
	saidElsewhere(acme)
	may(ann, early, false)
	may(ann, noon, false)
	may(ben, early, true)
	may(ben, noon, true)
}
