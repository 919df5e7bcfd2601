package access_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
)

func TestTheRolesThatATenantAssignsAreKnown(t *testing.T) {
	s := begin(t)
	before := s.Assigned(acme)
	ours, theirs, lent := domain.RoleID{UUID: named('x', 7)}, domain.RoleID{UUID: named('x', 8)}, domain.RoleID{UUID: named('x', 9)}
	give := func(n int, r domain.RoleID) domain.RoleAssigned {
		return domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: named('a', n)}, Role: r, User: domain.UserID{UUID: named('u', n)}}
	}
	s.tell(domain.Root, domain.RoleCreated{Role: lent})
	s.tell(domain.TenantID{UUID: named('t', 77)}, domain.TenantCreated{Tenant: domain.TenantID{UUID: named('t', 77)}}, domain.RoleCreated{Role: theirs}, give(701, theirs))
	s.tell(acme, domain.RoleCreated{Role: ours}, give(702, ours), give(703, ours), give(704, lent))
	sorted := func(ids []domain.RoleID) []string {
		var all []string
		for _, id := range ids {
			if !slices.Contains(before, id) {
				all = append(all, id.String())
			}
		}
		slices.Sort(all)
		return all
	}
	want := sorted([]domain.RoleID{ours, lent})
	if diff := cmp.Diff(want, sorted(s.Assigned(acme))); diff != "" {
		t.Errorf("assigned in acme (-want +got):\n%s", diff)
	}
	s.tell(acme, domain.RoleUnassigned{Assignment: domain.AssignmentID{UUID: named('a', 704)}, Role: lent, User: domain.UserID{UUID: named('u', 704)}})
	if diff := cmp.Diff(sorted([]domain.RoleID{ours}), sorted(s.Assigned(acme))); diff != "" {
		t.Errorf("after the last is taken back (-want +got):\n%s", diff)
	}
	if got := s.Assigned(domain.TenantID{UUID: named('t', 99)}); len(got) != 0 {
		t.Errorf("assigned in no tenant: %v", got)
	}
}
