package access_test

import (
	"fmt"
	"sync"
	"testing"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// One writer takes a right and gives it back; once Apply has returned, no reader may be answered by what was before.
func TestWhatIsAppliedIsHonouredByEveryReaderAtOnce(t *testing.T) {
	s := begin(t)
	group := domain.GroupID{UUID: named('g', 1)}
	var many []dcb.Event
	for n := range 600 { // more than a stride of the searches
		many = append(many, domain.UserRegistered{User: domain.UserID{UUID: named('m', n)}, Status: domain.UserActive})
	}
	s.tell(acme, many...)
	s.tell(acme, domain.GroupCreated{Group: group}, domain.MemberAdded{Group: group, User: ann, Role: domain.Member},
		domain.RolePrivilegeAdded{Role: role, Privilege: "repo.read"})
	give, take := domain.RoleAssigned{Role: role, Group: group}, domain.RoleUnassigned{Role: role, Group: group}
	ask := access.Question{Tenant: acme, User: ann, Privilege: "repo.read", At: noon}

	first := s.n + 1 // even distance: given; odd: taken
	given := func(position int64) bool { return position >= first && (position-first)%2 == 0 }
	const turns = 400
	var wg sync.WaitGroup
	problems := make(chan string, 16)
	complain := func(format string, args ...any) {
		select {
		case problems <- fmt.Sprintf(format, args...):
		default:
		}
	}
	for range 4 {
		wg.Go(func() {
			for at := int64(0); at < first+turns-1; {
				seen := s.Position()
				a := s.Decide(ask)
				if a.Position < seen || a.Position < at {
					complain("answered from %d after %d was seen", a.Position, max(seen, at))
				}
				if a.Allowed != given(a.Position) {
					complain("at %d allowed is %v", a.Position, a.Allowed)
				}
				if e := s.Explain(ask); e.Allowed != given(e.Position) {
					complain("at %d explained is %v", e.Position, e.Allowed)
				}
				at = a.Position
			}
		})
	}
	wg.Go(func() {
		for s.Position() < first+turns-1 {
			if got := s.SearchSubjects(access.Question{Tenant: acme, Privilege: "repo.read", At: noon}); len(got) > 1 || len(got) == 1 && got[0] != ann {
				complain("found %v", got)
			}
		}
	})
	for n := range int64(turns) {
		var e dcb.Event = take
		if n%2 == 0 {
			e = give
		}
		if err := s.Apply(page(first+n, acme, e)); err != nil {
			t.Fatal(err)
		}
		if got := s.Decide(ask).Allowed; got != given(first+n) {
			t.Fatalf("right after %d allowed is %v", first+n, got)
		}
	}
	wg.Wait()
	close(problems)
	for p := range problems {
		t.Error(p)
	}
}

// A right goes from the first user to the last and back, each time in one page: a search that let go of the lock in
// between must not find both or neither.
func TestASearchIsTheAnswerOfOnePosition(t *testing.T) {
	s := begin(t)
	var many []dcb.Event
	for n := range 2000 {
		many = append(many, domain.UserRegistered{User: domain.UserID{UUID: named('m', n)}, Status: domain.UserActive})
	}
	s.tell(acme, many...)
	last := domain.UserID{UUID: named('m', 1999)}
	one, two := domain.AssignmentID{UUID: named('a', 1)}, domain.AssignmentID{UUID: named('a', 2)}
	s.tell(acme, domain.RolePrivilegeAdded{Role: role, Privilege: "repo.read"}, domain.RoleAssigned{Assignment: one, Role: role, User: ann})

	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if got := s.SearchSubjects(access.Question{Tenant: acme, Privilege: "repo.read", At: noon}); len(got) != 1 {
				t.Errorf("found %d users", len(got))
				return
			}
		}
	})
	at := s.n + 1
	for range 1000 {
		for _, p := range [][]dcb.Event{
			{domain.RoleUnassigned{Assignment: one}, domain.RoleAssigned{Assignment: two, Role: role, User: last}},
			{domain.RoleUnassigned{Assignment: two}, domain.RoleAssigned{Assignment: one, Role: role, User: ann}},
		} {
			if err := s.Apply(page(at, acme, p...)); err != nil {
				t.Fatal(err)
			}
			at += 2
		}
	}
	close(done)
	wg.Wait()
}
