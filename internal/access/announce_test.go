package access_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// rightsOf is what everybody may do themselves, in each tenant.
func rightsOf(x *access.Index, at time.Time) map[domain.TenantID]map[domain.UserID][]domain.Right {
	all := map[domain.TenantID]map[domain.UserID][]domain.Right{}
	for _, id := range []uuid.UUID{domain.Root.UUID, named('t', 1), named('t', 2)} {
		t := domain.TenantID{UUID: id}
		all[t] = map[domain.UserID][]domain.Right{}
		for _, h := range x.Holders(t) {
			if h.Delegation.IsZero() {
				all[t][h.User] = x.Effective(t, h, at)
			}
		}
	}
	return all
}

func TestWhoseRightsAnEventChangesIsConcernedByIt(t *testing.T) {
	const want = 600
	changes, spared := 0, 0
	c := seeded(t)
	for changes < want {
		p := c.begin(t)
		for range 60 {
			for _, e := range c.happening(p.world) {
				at := c.instant()
				before, r := rightsOf(p.x, at), dcb.Recorded{Meta: dcb.Meta{Tenant: e.in}, Event: e.event}
				concerned := map[domain.TenantID][]domain.UserID{}
				for tenant := range before {
					concerned[tenant] = p.x.Concerned(tenant, r)
				}
				known := p.reuses(e)
				if p.tell(t, e); known {
					continue
				}
				for tenant, users := range rightsOf(p.x, at) {
					concerned[tenant] = append(concerned[tenant], p.x.Concerned(tenant, r)...)
					for u, rights := range users {
						gained, lost := access.Difference(before[tenant][u], rights)
						changed := len(gained)+len(lost) > 0
						switch {
						case changed && !slices.Contains(concerned[tenant], u):
							t.Fatalf("%T %+v in %s: %s gains %v and loses %v in %s, and is not concerned", e.event, e.event, e.in, u, gained, lost, tenant)
						case changed && !slices.Contains(access.Weighty(), e.event.EventType()):
							t.Fatalf("%T changes rights and is not among the events that do", e.event)
						case changed:
							changes++
						case !slices.Contains(concerned[tenant], u):
							spared++
						}
					}
				}
			}
		}
	}
	if spared < 10*changes {
		t.Errorf("of those whose rights did not change only %d were spared, for %d changes", spared, changes)
	}
}

// reuses reports whether something would be made under an id that is in use, as it never is in a log.
func (p *play) reuses(e told) bool {
	switch e.event.(type) {
	case domain.DepartmentCreated, domain.GroupCreated, domain.RoleCreated:
		return true // somebody may be said to be in it already
	}
	return slices.ContainsFunc(p.paper.events, func(r dcb.Recorded) bool {
		switch old := r.Event.(type) {
		case domain.RoleAssigned:
			now, is := e.event.(domain.RoleAssigned)
			return is && now.Assignment == old.Assignment
		case domain.OverrideAdded:
			now, is := e.event.(domain.OverrideAdded)
			return is && now.Override == old.Override
		}
		return false
	})
}

func TestTheTenantsThatWantToHearOfChangesAreKnown(t *testing.T) {
	s := begin(t)
	if got := s.Announcing(); len(got) > 0 {
		t.Errorf("%v announce at first", got)
	}
	s.tell(acme, domain.PolicySet{Key: domain.AnnounceAccess.Key, Value: "true"})
	s.tell(domain.Root, domain.PolicySet{Key: domain.AnnounceAccess.Key, Value: "true"})
	want := []domain.TenantID{domain.Root, acme}
	slices.SortFunc(want, func(a, b domain.TenantID) int { return cmp.Compare(a.String(), b.String()) })
	if got := s.Announcing(); !slices.Equal(got, want) {
		t.Errorf("%v announce, want %v", got, want)
	}
	s.tell(acme, domain.PolicyReset{Key: domain.AnnounceAccess.Key})
	if got := s.Announcing(); !slices.Equal(got, []domain.TenantID{domain.Root}) {
		t.Errorf("%v announce, want the platform", got)
	}
}
