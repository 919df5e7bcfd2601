package domain

import (
	"time"

	"chancery/internal/dcb"
)

// RoleAssigned gives a role to a user, a department or a group.
type RoleAssigned struct {
	Assignment AssignmentID `json:"assignment"`
	Role       RoleID       `json:"role"`
	User       UserID       `json:"user,omitzero"`
	Department DepartmentID `json:"department,omitzero"`
	Group      GroupID      `json:"group,omitzero"`
	Scope      Scope        `json:"scope,omitzero"`
	Window     Window       `json:"window"`
	Reason     string       `json:"reason,omitzero"`

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints that it had to satisfy
}

// RoleUnassigned takes it back.
type RoleUnassigned struct {
	Assignment AssignmentID `json:"assignment"`
	Role       RoleID       `json:"role"`
	User       UserID       `json:"user,omitzero"`
	Department DepartmentID `json:"department,omitzero"`
	Group      GroupID      `json:"group,omitzero"`
	Reason     string       `json:"reason,omitzero"`
}

// AssignmentExpired says that the window of an assignment is over.
type AssignmentExpired struct {
	Assignment AssignmentID `json:"assignment"`
	Role       RoleID       `json:"role"`
	User       UserID       `json:"user,omitzero"`
	Department DepartmentID `json:"department,omitzero"`
	Group      GroupID      `json:"group,omitzero"`
}

func (AssignmentExpired) EventType() string { return "role.assignment-expired" }

func (RoleAssigned) EventType() string   { return "role.assigned" }
func (RoleUnassigned) EventType() string { return "role.unassigned" }

var assignmentEvents = dcb.Kind("assignment", dcb.Of[RoleAssigned](), dcb.Of[RoleUnassigned](), dcb.Of[AssignmentExpired]())

var (
	ErrAssignmentUnknown = &Refusal{Missing, "not-found", "there is no such assignment here"}
	ErrAssignmentTwice   = refuse("assignment-exists", "the same role is assigned there already in that window")
	ErrOneSubject        = refuse("one-subject", "name exactly one of user_id, department_id and group_id")
	ErrReasonRequired    = refuse("reason-required", "the tenant requires a reason")
	ErrTooLong           = refuse("window-too-long", "the tenant does not allow so long a window")
	ErrLastAdmin         = refuse("last-administrator", "the platform would be left without an administrator")
)

// Assignment is what decisions need to know of one.
type Assignment struct {
	ID     AssignmentID
	Role   RoleID
	To     Subjects
	Scope  Scope
	Window Window
	Known  bool
	Ended  bool
}

// Assignments are those that still stand; whether one is over by its time, its window says.
type Assignments map[AssignmentID]Assignment

// Like reports whether one that is not over at now gives the same role on the same scope in an overlapping window.
func (as Assignments) Like(role RoleID, s Scope, w Window, now time.Time) bool {
	for _, a := range as {
		if a.Role == role && a.Scope == s && a.Window.Overlaps(w) && !a.Window.Over(now) {
			return true
		}
	}
	return false
}

// Standing reports whether some of them are not over at now.
func (as Assignments) Standing(now time.Time) bool {
	for _, a := range as {
		if !a.Window.Over(now) {
			return true
		}
	}
	return false
}

func assignmentOf(e RoleAssigned) Assignment {
	return Assignment{
		ID: e.Assignment, Role: e.Role, To: Subjects{e.User, e.Department, e.Group},
		Scope: e.Scope, Window: e.Window, Known: true,
	}
}

// AssignmentOf is one assignment.
func AssignmentOf(id AssignmentID) *dcb.Fact[Assignment] {
	return dcb.Ask(Assignment{}, tags(id),
		dcb.On(func(a *Assignment, e RoleAssigned) { *a = assignmentOf(e) }),
		dcb.On(func(a *Assignment, _ RoleUnassigned) { a.Ended = true }),
		dcb.On(func(a *Assignment, _ AssignmentExpired) { a.Ended = true }),
	)
}

// AssignmentsTo are the standing assignments to one user, department or group directly.
func AssignmentsTo(subject dcb.Tagger) *dcb.Fact[Assignments] { return assignments(tags(subject)) }

// AssignmentsLike are the standing assignments of one role to one subject.
func AssignmentsLike(subject dcb.Tagger, role RoleID) *dcb.Fact[Assignments] {
	return assignments(tags(subject, role))
}

// AssignmentsOf are the standing assignments of one role, in every tenant.
func AssignmentsOf(role RoleID) *dcb.Fact[Assignments] { return assignments(tags(role)).Anywhere() }

// AssignmentsHere are the standing assignments of one role in the tenant of the decision.
func AssignmentsHere(role RoleID) *dcb.Fact[Assignments] { return assignments(tags(role)) }

func assignments(of []dcb.Tag) *dcb.Fact[Assignments] {
	return dcb.Ask(Assignments{}, of,
		dcb.On(func(as *Assignments, e RoleAssigned) { (*as)[e.Assignment] = assignmentOf(e) }),
		dcb.On(func(as *Assignments, e RoleUnassigned) { delete(*as, e.Assignment) }),
		dcb.On(func(as *Assignments, e AssignmentExpired) { delete(*as, e.Assignment) }),
	)
}
