package access_test

import (
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
		s.SearchSubjects(acme, "app7.thing3.read", "repo:7", noon)
	}
}
