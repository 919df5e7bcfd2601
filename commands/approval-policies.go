package commands

import (
	"slices"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// approval is the question whether what a command would give needs somebody else's approval first. The policies say so of roles and
// of privileges; what Chancery orders itself needs none.
type approval struct {
	env    Env
	in     domain.TenantID // in which the rights are; its policies rule
	id     domain.ApprovalID
	given  giving
	taken  *dcb.Fact[bool]
	listed *dcb.Fact[domain.Policy] // roles
	barred *dcb.Fact[domain.Policy] // privileges
	hours  *dcb.Fact[domain.Policy]
	roles  *climb[domain.RoleID, domain.Role]
	begun  bool
}

// giving is what would be given: what the roles give, as far as the privileges let it through. Without roles it is whatever the privileges
// let through; without both it is anything.
type giving struct {
	roles      []domain.RoleID
	privileges []domain.Pattern
}

// approval asks about the giving of rights in a tenant. Its id is that of the thing that will be.
func (env Env) approval(in domain.TenantID, id domain.ApprovalID, g giving) *approval {
	return &approval{
		env: env, in: in, id: id, given: g, taken: domain.Used[domain.ApprovalRequested](id), hours: domain.PolicyOf(in, domain.ApprovalHours),
		listed: domain.PolicyOf(in, domain.ApproveRoles), barred: domain.PolicyOf(in, domain.ApprovePrivileges),
		roles: newClimb(func(r domain.RoleID) *dcb.Fact[domain.Role] { return domain.RoleOf(r).Anywhere() }, domain.Role.Heritage),
	}
}

func (a *approval) facts() []dcb.AnyFact {
	return []dcb.AnyFact{a.taken, a.listed, a.barred}
}

// next walks the roles, where the policies make it matter.
func (a *approval) next() []dcb.AnyFact {
	if a.begun {
		return a.roles.next()
	}
	a.begun = true
	if a.off() {
		return nil
	}
	walked := a.given.roles
	if len(walked) == 0 && len(a.given.privileges) > 0 {
		walked = a.listed.Value.Roles()
	}
	return append(a.roles.start(walked...), a.hours)
}

func (a *approval) off() bool {
	_, system := a.env.Rights.(System)
	return system || a.listed.Value.Value == "" && a.barred.Value.Value == ""
}

// used reports whether the id was ever given to a request for approval.
func (a *approval) used() bool { return a.taken.Value }

// needed reports whether somebody must approve it.
func (a *approval) needed() bool {
	listed := a.listed.Value.Roles()
	switch {
	case a.off():
		return false
	case len(a.given.roles) > 0:
		return slices.ContainsFunc(listed, a.roles.has) || a.meets(a.patterns(), a.barred.Value.Patterns())
	case len(a.given.privileges) > 0:
		return a.meets(a.given.privileges, a.barred.Value.Patterns()) || a.meets(a.given.privileges, a.patterns())
	}
	return true
}

// patterns are what all the walked roles give.
func (a *approval) patterns() (all []domain.Pattern) {
	for _, f := range a.roles.known {
		all = append(all, f.Value.Patterns()...)
	}
	return all
}

// meets reports whether something is of both lists, and let through.
func (a *approval) meets(some, others []domain.Pattern) bool {
	for _, p := range some {
		for _, o := range others {
			if p.Meets(o) && a.through(p.Narrower(o)) {
				return true
			}
		}
	}
	return false
}

func (a *approval) through(p domain.Pattern) bool {
	return len(a.given.privileges) == 0 || slices.ContainsFunc(a.given.privileges, p.Meets)
}

// requested is the request in place of what would be given: e says what that is. It belongs into the tenant in which the rights are, for
// those there to answer.
func (a *approval) requested(e domain.ApprovalRequested) domain.ApprovalRequested {
	e.Approval = a.id
	e.By, e.For = a.env.asking()
	e.ExpiresAt = a.env.Now.Add(time.Duration(a.hours.Value.Number()) * time.Hour)
	return e
}
