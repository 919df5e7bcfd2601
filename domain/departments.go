package domain

import (
	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// DepartmentCreated adds a department under Parent, or at the top.
type DepartmentCreated struct {
	Department DepartmentID `json:"department"`
	Parent     DepartmentID `json:"parent,omitzero"`
	Name       string       `json:"name"`
	Key        Key          `json:"key"`
}

// DepartmentRenamed gives a department another name.
type DepartmentRenamed struct {
	Department DepartmentID `json:"department"`
	Name       string       `json:"name"`
	Key        Key          `json:"key"`
	Released   Key          `json:"released"`
}

// DepartmentMoved puts a department with all below it under Parent, or at the top.
type DepartmentMoved struct {
	Department DepartmentID `json:"department"`
	Parent     DepartmentID `json:"parent,omitzero"`
	From       DepartmentID `json:"from,omitzero"`
	Key        Key          `json:"key"`
	Released   Key          `json:"released"`

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints that it had to satisfy
}

// DepartmentDeleted removes an empty department.
type DepartmentDeleted struct {
	Department DepartmentID `json:"department"`
	Parent     DepartmentID `json:"parent,omitzero"`
	Released   Key          `json:"released"`
}

func (DepartmentCreated) EventType() string { return "department.created" }
func (DepartmentRenamed) EventType() string { return "department.renamed" }
func (DepartmentMoved) EventType() string   { return "department.moved" }
func (DepartmentDeleted) EventType() string { return "department.deleted" }

var departmentEvents = dcb.Kind("department",
	dcb.Of[DepartmentCreated](), dcb.Of[DepartmentRenamed](), dcb.Of[DepartmentMoved](), dcb.Of[DepartmentDeleted]())

var (
	ErrDepartmentUnknown  = &Refusal{Missing, "not-found", "there is no such department here"}
	ErrDepartmentName     = refuse("department-name-taken", "a department of that name stands there already")
	ErrDepartmentCycle    = refuse("department-cycle", "a department cannot stand below itself")
	ErrDepartmentNotEmpty = refuse("department-not-empty", "the department still has users, departments, roles or overrides")
	ErrDepartmentDeep     = refuse("department-too-deep", "departments nest at most 32 deep")
)

// MaxDepth is how deep departments and groups nest.
const MaxDepth = 32

// Node is a place in a tree: of departments or of groups.
type Node struct {
	Known  bool
	Exists bool
	Name   string
	Parent uuid.UUID
	Key    Key
}

// DepartmentOf is one department.
func DepartmentOf(id DepartmentID) *dcb.Fact[Node] {
	return dcb.Ask(Node{}, tags(id),
		dcb.On(func(n *Node, e DepartmentCreated) {
			if e.Department == id {
				*n = Node{true, true, e.Name, e.Parent.UUID, e.Key}
			}
		}),
		dcb.On(func(n *Node, e DepartmentRenamed) { n.Name, n.Key = e.Name, e.Key }),
		dcb.On(func(n *Node, e DepartmentMoved) {
			if e.Department == id {
				n.Parent, n.Key = e.Parent.UUID, e.Key
			}
		}),
		dcb.On(func(n *Node, e DepartmentDeleted) {
			if e.Department == id {
				n.Exists = false
			}
		}),
	)
}

// DepartmentNameHolder is the department that has the key, nil if it is free.
func DepartmentNameHolder(k Key) *dcb.Fact[uuid.UUID] {
	return holderOf(k.Tag(),
		dcb.On(func(h *uuid.UUID, e DepartmentCreated) { *h = k.heldBy(e.Department.UUID, e.Key) }),
		dcb.On(func(h *uuid.UUID, e DepartmentRenamed) { *h = k.heldBy(e.Department.UUID, e.Key) }),
		dcb.On(func(h *uuid.UUID, e DepartmentMoved) { *h = k.heldBy(e.Department.UUID, e.Key) }),
		dcb.On(func(h *uuid.UUID, _ DepartmentDeleted) { *h = uuid.Nil }),
	)
}

// Set is a set of ids.
type Set map[uuid.UUID]struct{}

func (s Set) add(id uuid.UUID)  { s[id] = struct{}{} }
func (s Set) drop(id uuid.UUID) { delete(s, id) }

func (s Set) place(id uuid.UUID, within bool) {
	if within {
		s.add(id)
	} else {
		s.drop(id)
	}
}

// DepartmentChildren are the departments directly below id.
func DepartmentChildren(id DepartmentID) *dcb.Fact[Set] {
	return dcb.Ask(Set{}, tags(id), departmentsIn(id)...)
}

func departmentsIn(id DepartmentID) []dcb.Fold[Set] {
	return []dcb.Fold[Set]{
		dcb.On(func(s *Set, e DepartmentCreated) { s.place(e.Department.UUID, e.Parent == id) }),
		dcb.On(func(s *Set, e DepartmentMoved) { s.place(e.Department.UUID, e.Parent == id) }),
		dcb.On(func(s *Set, e DepartmentDeleted) { s.drop(e.Department.UUID) }),
	}
}

// DepartmentContents are the departments directly below id and the users in it.
func DepartmentContents(id DepartmentID) *dcb.Fact[Set] {
	return dcb.Ask(Set{}, tags(id), departmentsIn(id)...).Folding(
		dcb.On(func(s *Set, e UserRegistered) { s.place(e.User.UUID, e.Department == id) }),
		dcb.On(func(s *Set, e UserMoved) { s.place(e.User.UUID, e.Department == id) }),
		dcb.On(func(s *Set, e UserErased) { s.drop(e.User.UUID) }),
	)
}

// DepartmentKey keeps the names of sibling departments apart.
func DepartmentKey(t TenantID, parent DepartmentID, name string) Key {
	if parent.IsZero() {
		return keyOf("department-name", t.UUID, name)
	}
	return keyOf("department-name", parent.UUID, name)
}
