package access_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// office is a tenant of 1,000 users in 50 departments and 100 groups, with 20 roles of 30 privileges each that inherit
// from one another, 2,000 assignments, half of them on single things, and 100 overrides.
func office(b *testing.B) *story {
	s := begin(b)
	var all []dcb.Event
	tell := func(e dcb.Event) { all = append(all, e) }
	for n := range 50 {
		d := domain.DepartmentCreated{Department: domain.DepartmentID{UUID: named('d', n)}}
		if n > 0 {
			d.Parent.UUID = named('d', (n-1)/3)
		}
		tell(d)
	}
	for n := range 100 {
		g := domain.GroupCreated{Group: domain.GroupID{UUID: named('g', n)}}
		if n > 0 {
			g.Parent.UUID = named('g', (n-1)/4)
		}
		tell(g)
	}
	for n := range 20 {
		r := domain.RoleID{UUID: named('R', n)}
		tell(domain.RoleCreated{Role: r})
		for p := range 30 {
			tell(domain.RolePrivilegeAdded{Role: r, Privilege: domain.Pattern(fmt.Sprintf("app%d.thing%d.read", n, p))})
		}
		if n%4 > 0 {
			tell(domain.RoleParentAdded{Role: r, Parent: domain.RoleID{UUID: named('R', n-1)}})
		}
	}
	for n := range 1000 {
		u := domain.UserID{UUID: named('U', n)}
		tell(domain.UserRegistered{User: u, Department: domain.DepartmentID{UUID: named('d', n%50)}, Status: domain.UserActive})
		for m := range 3 {
			tell(domain.MemberAdded{User: u, Group: domain.GroupID{UUID: named('g', (n*7+m*31)%100)}, Role: domain.Member})
		}
	}
	for n := range 2000 {
		a := domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: named('A', n)}, Role: domain.RoleID{UUID: named('R', n%20)}}
		switch n % 4 {
		case 0, 1:
			a.User.UUID, a.Scope = named('U', n%1000), domain.Scope(fmt.Sprintf("repo:%d", n%300))
		case 2:
			a.Group.UUID, a.Window.Until = named('g', n%100), noon.AddDate(1, 0, 0)
		case 3:
			a.Department.UUID = named('d', n%50)
		}
		tell(a)
	}
	for n := range 100 {
		tell(domain.OverrideAdded{
			Override: domain.OverrideID{UUID: named('O', n)}, Effect: domain.Deny, Privilege: "app1.*", User: domain.UserID{UUID: named('U', n*10)},
			Scope: "repo:5", ExpiresAt: noon.AddDate(0, 1, 0),
		})
	}
	s.tell(acme, all...)
	return s
}

func ask(n int) access.Question {
	return access.Question{
		Tenant: acme, User: domain.UserID{UUID: named('U', n%1000)}, Privilege: "app7.thing3.read", Scope: "repo:7", At: noon,
		Ceiling: []domain.Pattern{"app7.*"},
	}
}

func BenchmarkDecideWarm(b *testing.B) {
	s := office(b)
	for n := range 1000 {
		s.Decide(ask(n))
	}
	n, yes := 0, 0
	for b.Loop() {
		if s.Decide(ask(n)).Allowed {
			yes++
		}
		n++
	}
	b.ReportMetric(float64(yes)/float64(n), "allowed/op")
}

func BenchmarkDecideWarmParallel(b *testing.B) {
	s := office(b)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			s.Decide(ask(n))
		}
	})
}

// Every user is compiled anew: each question follows a change of the tenant's groups. Apply is in the time.
func BenchmarkDecideCold(b *testing.B) {
	s := office(b)
	n := 0
	for b.Loop() {
		s.tell(acme, domain.GroupMoved{Group: domain.GroupID{UUID: named('g', 99)}})
		s.Decide(ask(n))
		n++
	}
}

// A role changed: the role sets are made anew too.
func BenchmarkDecideColdRoles(b *testing.B) {
	s := office(b)
	n := 0
	for b.Loop() {
		s.tell(acme, domain.RolePrivilegeAdded{Role: role, Privilege: "repo.read"})
		s.Decide(ask(n))
		n++
	}
}

func BenchmarkApply(b *testing.B) {
	s := office(b)
	for b.Loop() {
		s.tell(acme, domain.UserMoved{User: domain.UserID{UUID: named('U', 1)}})
	}
}

func BenchmarkExplain(b *testing.B) {
	s := office(b)
	n := 0
	for b.Loop() {
		s.Explain(ask(n))
		n++
	}
}

func BenchmarkSearchSubjects(b *testing.B) {
	s := office(b)
	for b.Loop() {
		s.SearchSubjects(access.Question{Tenant: acme, Privilege: "app7.thing3.read", Scope: "repo:7", At: noon})
	}
}

// relay is a chain of five delegations, each with bounds of every kind, from one who has 1,000 roles by as many assignments, of
// which the last alone gives what is asked.
func relay(b *testing.B) (*story, access.Question) {
	s := begin(b)
	var all []dcb.Event
	first, last := domain.UserID{UUID: named('U', 0)}, domain.RoleID{UUID: named('R', 999)}
	all = append(all, domain.UserRegistered{User: first, Status: domain.UserActive})
	for n := range 1000 {
		r := domain.RoleID{UUID: named('R', n)}
		all = append(all, domain.RoleCreated{Role: r})
		for p := range 20 {
			all = append(all, domain.RolePrivilegeAdded{Role: r, Privilege: domain.Pattern(fmt.Sprintf("app%d.thing%d.read", n, p))})
		}
		all = append(all, domain.RoleAssigned{Assignment: assigned(n), Role: r, User: first})
	}
	q := access.Question{Tenant: acme, Privilege: "app999.thing7.read", Scope: "repo:7", At: noon, Ceiling: []domain.Pattern{"app999.*"}}
	var above []domain.DelegationID
	from := first
	for n := range 5 {
		to := domain.UserID{UUID: named('U', n+1)}
		e := domain.DelegationGranted{
			Delegation: delegated(n), Tenant: domain.HomeIn(acme), Grantor: from, GrantorTenant: domain.HomeIn(acme), Delegate: to, DelegateTenant: domain.HomeIn(acme),
			Chain: above, Window: domain.Window{Until: noon.AddDate(0, 1, 0)},
			Bounds: domain.Bounds{
				Privileges: []domain.Pattern{"app1.*", "app999.*"}, Roles: []domain.RoleID{{UUID: named('R', 1)}, last},
				Apps: []domain.App{"app1", "app999"}, Resources: []domain.Scope{"repo:1", "repo:7"},
			},
		}
		if n > 0 {
			e.Parent = delegated(n - 1)
		}
		all = append(all, domain.UserRegistered{User: to, Status: domain.UserActive}, e, accepted(e))
		above = append(above[:n:n], e.Delegation)
		from, q.User, q.Delegation = to, to, e.Delegation
	}
	s.tell(acme, all...)
	return s, q
}

func BenchmarkDecideUnderAChainOfFiveOverAThousandRoles(b *testing.B) {
	s, q := relay(b)
	for b.Loop() {
		if a := s.Decide(q); !a.Allowed {
			b.Fatal(a)
		}
	}
}

func BenchmarkDecideUnderAChainOfFiveWhatNobodyGives(b *testing.B) {
	s, q := relay(b)
	q.Privilege = "app999.thing99.read"
	for b.Loop() {
		if a := s.Decide(q); a.Why != access.NotGranted {
			b.Fatal(a)
		}
	}
}

// BenchmarkDecideWithLiveDelegations asks under a hundred of them all over the index, from one of a hundred users to another; and
// under all of them in turn, which costs what the machine's memory costs.
func BenchmarkDecideWithLiveDelegations(b *testing.B) {
	for _, c := range []struct{ many, used int }{{100, 100}, {100_000, 100}, {100_000, 100_000}} {
		b.Run(fmt.Sprintf("%d of %d", c.used, c.many), func(b *testing.B) {
			s := office(b)
			var all []dcb.Event
			for n := range c.many {
				e := domain.DelegationGranted{
					Delegation: delegated(n), Tenant: domain.HomeIn(acme), Grantor: domain.UserID{UUID: named('U', n%100)}, GrantorTenant: domain.HomeIn(acme),
					Delegate: domain.UserID{UUID: named('U', (n+7)%100)}, DelegateTenant: domain.HomeIn(acme), Window: domain.Window{Until: noon.AddDate(0, 1, 0)},
					Bounds: domain.Bounds{Apps: []domain.App{"app7"}},
				}
				all = append(all, e, accepted(e))
			}
			s.tell(acme, all...)
			q, n, yes := ask(0), 0, 0
			q.Delegation = delegated(0)
			for b.Loop() {
				n++
				i := n % c.used * 7919 % c.many                                  // so that neighbours in time are none in memory
				binary.BigEndian.PutUint64(q.User.UUID[8:], uint64((i+7)%100+1)) // as named does it, and allocates nothing
				binary.BigEndian.PutUint64(q.Delegation.UUID[8:], uint64(i+1))
				if s.Decide(q).Allowed {
					yes++
				}
			}
			b.ReportMetric(float64(yes)/float64(n), "allowed/op")
		})
	}
}

// The same questions as BenchmarkDecideWarm: where apps are registered to which they have nothing to do, and where they are about
// privileges of one of them.
func BenchmarkDecideWhereThereAreApps(b *testing.B) {
	for name, own := range map[string]bool{"of other names": false, "of the name": true} {
		b.Run(name, func(b *testing.B) {
			s := office(b)
			for n := range 100 {
				s.tell(domain.Root, domain.AppRegistered{Name: domain.App(fmt.Sprintf("other%d", n))})
			}
			if own {
				s.tell(domain.Root, domain.AppRegistered{Name: "app7"})
				s.tell(acme, enabled("app7", "1.0.0", true, "app7.thing3.read"))
				l := june()
				l.Name = "app7"
				s.tell(acme, l)
			}
			yes, n := 0, 0
			for n := range 1000 {
				s.Decide(ask(n))
			}
			for b.Loop() {
				if s.Decide(ask(n)).Allowed {
					yes++
				}
				n++
			}
			b.ReportMetric(float64(yes)/float64(n), "allowed/op")
		})
	}
}

func BenchmarkEntitlement(b *testing.B) {
	s := shop(b)
	s.tell(acme, used(juneID, "sales", "2026-06", 7))
	for b.Loop() {
		s.Entitlement(acme, "shop", "sales", noon)
	}
}

func BenchmarkApplySeatsOfAPoolOfTenThousand(b *testing.B) {
	s := shop(b)
	take := func(n int) domain.SeatTaken {
		return domain.SeatTaken{Seat: domain.SeatID{UUID: named('S', n)}, Pool: domain.SeatPool(juneID), License: domain.OfLicense(juneID), Until: noon}
	}
	for n := range 10_000 {
		s.tell(acme, take(n))
	}
	n := 0
	for b.Loop() {
		s.tell(acme, domain.SeatReleased{Seat: take(n % 10_000).Seat, Pool: domain.SeatPool(juneID), License: domain.OfLicense(juneID)}, take(n%10_000))
		n++
	}
}
