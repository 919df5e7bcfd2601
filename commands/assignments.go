package commands

import (
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AssignRole gives a role to a user, a department or a group.
type AssignRole struct {
	ID         domain.AssignmentID `json:"id,omitzero" description:"id of the new assignment; made if absent"`
	Role       domain.RoleID       `json:"role_id" required:"true" description:"a role of the tenant or of the platform"`
	User       domain.UserID       `json:"user_id,omitzero" description:"exactly one of user_id, department_id and group_id"`
	Department domain.DepartmentID `json:"department_id,omitzero" description:"everybody in the department and below"`
	Group      domain.GroupID      `json:"group_id,omitzero" description:"every member of the group and of groups below"`
	On         domain.Scope        `json:"scope,omitzero" description:"type:id of a resource; absent for the whole tenant"`
	From       time.Time           `json:"from,omitzero" description:"when it begins; at once if absent"`
	Until      time.Time           `json:"until,omitzero" description:"when it ends; never if absent"`
	Reason     string              `json:"reason,omitzero" description:"why, for the record"`
}

func (c *AssignRole) NewID() *uuid.UUID { return &c.ID.UUID }
func (c AssignRole) Target() dcb.Tagger { return c.ID }

func (c AssignRole) Decide(env Env) dcb.Decision {
	to := domain.Subjects{User: c.User, Department: c.Department, Group: c.Group}
	if to.Count() != 1 {
		return refused(domain.At("/user_id", domain.ErrOneSubject))
	}
	window := domain.Window{From: c.From, Until: c.Until}
	if window.From.IsZero() {
		window.From = env.Now
	}
	a := env.assigning(domain.RoleAssigned{
		Assignment: c.ID, Role: c.Role, User: c.User, Department: c.Department, Group: c.Group,
		Scope: c.On, Window: window, Reason: c.Reason,
	})
	used, approval := domain.Used[domain.RoleAssigned](c.ID), env.approval(env.Tenant, domain.ApprovalID(c.ID), giving{roles: []domain.RoleID{c.Role}})
	facts := append(append(a.facts(), approval.facts()...), used)
	return dcb.From(facts...).Then(a.next).Then(approval.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(c.On.Check("/scope"), window.Check(env.Now), domain.CheckText("/reason", c.Reason), a.known()); err != nil {
			return nil, err
		}
		if used.Value || approval.used() {
			return nil, domain.At("/id", domain.ErrIDTaken)
		}
		if err := a.refusal(); err != nil {
			return nil, err
		}
		if approval.needed() {
			return dcb.Emit(approval.requested(domain.ApprovalRequested{User: c.User, Assignment: a.event, Reason: c.Reason}))
		}
		return a.events(), nil
	})
}

// assigning is an assignment on its way. It is judged when it is asked for, and again when somebody approves it, with the rights
// of whoever that is.
type assigning struct {
	env     Env
	event   domain.RoleAssigned
	subject subject
	role    *dcb.Fact[domain.Role]
	twins   *dcb.Fact[domain.Assignments]
	reason  *dcb.Fact[domain.Policy] // whether one is needed
	days    *dcb.Fact[domain.Policy]
	given   *grants
	duties  *duties
}

func (env Env) assigning(e domain.RoleAssigned) *assigning {
	to := domain.Subjects{User: e.User, Department: e.Department, Group: e.Group}
	return &assigning{
		env: env, event: e, subject: env.subject(to), role: domain.RoleOf(e.Role), twins: domain.AssignmentsLike(to.Tagger(), e.Role),
		reason: domain.PolicyOf(env.Tenant, domain.ReasonRequired), days: domain.PolicyOf(env.Tenant, domain.AssignmentDays),
		given: env.grants(), duties: env.duties(env.Tenant, func() []dcb.Event { return []dcb.Event{e} }),
	}
}

func (a *assigning) facts() []dcb.AnyFact {
	return append(a.given.role(a.event.Role, a.event.Scope), a.subject.fact, a.role, a.twins, a.reason, a.days)
}

func (a *assigning) next() []dcb.AnyFact { return append(a.given.next(), a.duties.next()...) }

// known is that there is no such role, nobody to have it, or no time left for it; nil if there is.
func (a *assigning) known() error {
	return domain.FirstError(a.subject.refusal(), unless(a.role.Value.Exists, "/role_id", domain.ErrRoleUnknown),
		unless(!a.event.Window.Over(a.env.Now), "/until", domain.ErrApprovalMoot))
}

// refusal is what forbids that it is given now, nil if nothing does.
func (a *assigning) refusal() error {
	w, most := a.event.Window, a.days.Value.Days()
	switch {
	case a.event.Reason == "" && a.reason.Value.IsTrue():
		return domain.At("/reason", domain.ErrReasonRequired)
	case most > 0 && (w.Until.IsZero() || w.Until.After(w.From.Add(most))):
		return domain.At("/until", domain.ErrTooLong)
	case a.twins.Value.Like(a.event.Role, a.event.Scope, w, a.env.Now):
		return domain.ErrAssignmentTwice
	}
	return domain.FirstError(a.given.refusal(), a.duties.refusal())
}

// events are asked for once nothing refuses it.
func (a *assigning) events() []dcb.Event {
	e := a.event
	e.Judged = a.duties.judged()
	return []dcb.Event{e}
}

// subject is whom a right is given to, with the question whether they exist.
type subject struct {
	fact    dcb.AnyFact
	refusal func() error
}

func (env Env) subject(to domain.Subjects) subject {
	switch {
	case !to.Department.IsZero():
		f := domain.DepartmentOf(to.Department)
		return subject{f, func() error { return unless(f.Value.Exists, "/department_id", domain.ErrDepartmentUnknown) }}
	case !to.Group.IsZero():
		f := domain.GroupOf(to.Group)
		return subject{f, func() error { return unless(f.Value.Exists, "/group_id", domain.ErrGroupUnknown) }}
	}
	f := domain.UserStatusOf(to.User)
	return subject{f, func() error {
		return domain.FirstError(
			unless(f.Value.Exists(), "/user_id", domain.ErrUserUnknown),
			unless(f.Value.Present(), "/user_id", domain.ErrUserNotActive))
	}}
}

func unless(ok bool, pointer string, r *domain.Refusal) error {
	if ok {
		return nil
	}
	return domain.At(pointer, r)
}

// UnassignRole takes a role back. The platform keeps at least one administrator.
type UnassignRole struct {
	ID     domain.AssignmentID `json:"id" required:"true" description:"the assignment"`
	Reason string              `json:"reason,omitzero" description:"why, for the record"`
}

func (c UnassignRole) Target() dcb.Tagger { return c.ID }

func (c UnassignRole) Decide(env Env) dcb.Decision {
	a, admins := domain.AssignmentOf(c.ID), env.administrators()
	return dcb.From(append(admins.facts(), a)...).Then(admins.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		switch {
		case !a.Value.Known:
			return nil, domain.At("/id", domain.ErrAssignmentUnknown)
		case a.Value.Ended:
			return nil, nil
		case admins.last(func(a domain.Assignment) bool { return a.ID == c.ID }):
			return nil, domain.ErrLastAdmin
		}
		to := a.Value.To
		return dcb.Emit(domain.RoleUnassigned{
			Assignment: c.ID, Role: a.Value.Role, User: to.User, Department: to.Department, Group: to.Group, Reason: c.Reason,
		})
	})
}

// ExpireAssignment says that the window of an assignment is over. It is no command of callers: Chancery gives it to itself
// when that is due. Saying it twice changes nothing.
type ExpireAssignment struct{ ID domain.AssignmentID }

func (c ExpireAssignment) Target() dcb.Tagger { return c.ID }

func (c ExpireAssignment) Decide(env Env) dcb.Decision {
	a := domain.AssignmentOf(c.ID)
	return dcb.From(a).Decide(func() ([]dcb.Event, error) {
		v := a.Value
		if !v.Known || v.Ended || !v.Window.Over(env.Now) {
			return nil, nil
		}
		return dcb.Emit(domain.AssignmentExpired{
			Assignment: c.ID, Role: v.Role, User: v.To.User, Department: v.To.Department, Group: v.To.Group,
		})
	})
}

// administrators are who can always help: the active users to whom the platform is assigned by name and without an
// end, and to whom nothing is denied. One who has it only as a member of a group does not count, since groups can be emptied.
type administrators struct {
	env    Env
	given  *dcb.Fact[domain.Assignments]
	users  map[domain.UserID]*dcb.Fact[domain.User]
	denies map[domain.UserID]*dcb.Fact[domain.Overrides]
}

func (env Env) administrators() *administrators {
	return &administrators{
		env: env, given: domain.AssignmentsHere(domain.PlatformAdmin),
		users: map[domain.UserID]*dcb.Fact[domain.User]{}, denies: map[domain.UserID]*dcb.Fact[domain.Overrides]{},
	}
}

// facts are none in a tenant other than the platform: administrators elsewhere are that tenant's own matter.
func (as *administrators) facts() []dcb.AnyFact {
	if as.env.Tenant != domain.Root {
		return nil
	}
	return []dcb.AnyFact{as.given}
}

func (as *administrators) next() []dcb.AnyFact {
	var facts []dcb.AnyFact
	for _, a := range as.given.Value {
		if _, asked := as.users[a.To.User]; !asked && as.lasting(a) {
			status, denies := domain.UserStatusOf(a.To.User), domain.OverridesTo(a.To.User)
			as.users[a.To.User], as.denies[a.To.User] = status, denies
			facts = append(facts, status, denies)
		}
	}
	return facts
}

func (as *administrators) lasting(a domain.Assignment) bool {
	return !a.To.User.IsZero() && a.Scope == "" && a.Window.Until.IsZero() && a.Window.Contains(as.env.Now)
}

// last reports whether some of them go, and none would be left then.
func (as *administrators) last(goes func(domain.Assignment) bool) bool {
	some := false
	for _, a := range as.given.Value {
		if !as.lasting(a) || as.users[a.To.User].Value.Status != domain.UserActive {
			continue
		}
		switch {
		case goes(a):
			some = true
		case !as.denied(a.To.User):
			return false
		}
	}
	return some
}

func (as *administrators) denied(u domain.UserID) bool {
	for _, o := range as.denies[u].Value {
		if o.Effect == domain.Deny && o.InForce(as.env.Now) {
			return true
		}
	}
	return false
}
