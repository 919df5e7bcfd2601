package domain

import (
	"bytes"
	"maps"
	"slices"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// RoleCreated adds a role. A role of the root tenant is a platform role: every tenant may assign it.
type RoleCreated struct {
	Role        RoleID `json:"role"`
	Name        string `json:"name"`
	Description string `json:"description,omitzero"`
	Key         Key    `json:"key"`
	Builtin     bool   `json:"builtin,omitzero"` // cannot be changed
}

// RoleRenamed gives a role another name and description.
type RoleRenamed struct {
	Role        RoleID `json:"role"`
	Name        string `json:"name"`
	Description string `json:"description,omitzero"`
	Key         Key    `json:"key"`
	Released    Key    `json:"released,omitzero"`
}

// RoleDeleted removes a role that nobody has.
type RoleDeleted struct {
	Role     RoleID `json:"role"`
	Released Key    `json:"released"`
}

// RolePrivilegeAdded puts privileges into a role.
type RolePrivilegeAdded struct {
	Role      RoleID  `json:"role"`
	Privilege Pattern `json:"privilege"`
}

// RolePrivilegeRemoved takes privileges out of a role.
type RolePrivilegeRemoved struct {
	Role      RoleID  `json:"role"`
	Privilege Pattern `json:"privilege"`
}

// RoleParentAdded makes a role inherit all that Parent has.
type RoleParentAdded struct {
	Role   RoleID `json:"role"`
	Parent RoleID `json:"parent"`

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints that it had to satisfy
}

// RoleParentRemoved ends that.
type RoleParentRemoved struct {
	Role   RoleID `json:"role"`
	Parent RoleID `json:"parent"`
}

func (RoleCreated) EventType() string          { return "role.created" }
func (RoleRenamed) EventType() string          { return "role.renamed" }
func (RoleDeleted) EventType() string          { return "role.deleted" }
func (RolePrivilegeAdded) EventType() string   { return "role.privilege-added" }
func (RolePrivilegeRemoved) EventType() string { return "role.privilege-removed" }
func (RoleParentAdded) EventType() string      { return "role.parent-added" }
func (RoleParentRemoved) EventType() string    { return "role.parent-removed" }

var roleEvents = dcb.Kind("role",
	dcb.Of[RoleCreated](), dcb.Of[RoleRenamed](), dcb.Of[RoleDeleted](),
	dcb.Of[RolePrivilegeAdded](), dcb.Of[RolePrivilegeRemoved](),
	dcb.Of[RoleParentAdded](), dcb.Of[RoleParentRemoved]())

var (
	ErrRoleUnknown    = &Refusal{Missing, "not-found", "there is no such role here"}
	ErrRoleName       = refuse("role-name-taken", "a role of that name exists already")
	ErrRoleBuiltin    = refuse("role-builtin", "the role belongs to Chancery itself and cannot be changed")
	ErrRoleCycle      = refuse("role-cycle", "a role cannot inherit from itself")
	ErrRoleInUse      = refuse("role-in-use", "the role is still assigned or inherited")
	ErrRoleForeign    = refuse("role-of-platform", "a platform role is changed on the platform")
	ErrRoleEverything = refuse("role-everything", "only Chancery's own roles hold every privilege")
)

// Role is what decisions need to know of one.
type Role struct {
	Known      bool
	Exists     bool
	Builtin    bool
	Tenant     TenantID
	Name       string
	Desc       string
	Key        Key
	Privileges map[Pattern]struct{}
	Parents    map[RoleID]struct{}
}

// Patterns are the role's own privileges, sorted.
func (r Role) Patterns() []Pattern { return slices.Sorted(maps.Keys(r.Privileges)) }

// Heritage are the roles that the role inherits from directly, in the order of their ids.
func (r Role) Heritage() []RoleID {
	return slices.SortedFunc(maps.Keys(r.Parents), func(a, b RoleID) int { return bytes.Compare(a.UUID[:], b.UUID[:]) })
}

// RoleOf is one role, of the tenant or of the platform.
func RoleOf(id RoleID) *dcb.Fact[Role] {
	mine := func(r *Role, role RoleID, fn func()) {
		if role == id {
			if r.Privileges == nil {
				r.Privileges, r.Parents = map[Pattern]struct{}{}, map[RoleID]struct{}{}
			}
			fn()
		}
	}
	return dcb.Ask(Role{}, tags(id),
		dcb.OnMeta(func(r *Role, e RoleCreated, m dcb.Meta) {
			mine(r, e.Role, func() {
				r.Known, r.Exists, r.Builtin, r.Tenant = true, true, e.Builtin, TenantID{m.Tenant}
				r.Name, r.Desc, r.Key = e.Name, e.Description, e.Key
			})
		}),
		dcb.On(func(r *Role, e RoleRenamed) { r.Name, r.Desc, r.Key = e.Name, e.Description, e.Key }),
		dcb.On(func(r *Role, _ RoleDeleted) { r.Exists = false }),
		dcb.On(func(r *Role, e RolePrivilegeAdded) {
			mine(r, e.Role, func() { r.Privileges[e.Privilege] = struct{}{} })
		}),
		dcb.On(func(r *Role, e RolePrivilegeRemoved) { mine(r, e.Role, func() { delete(r.Privileges, e.Privilege) }) }),
		dcb.On(func(r *Role, e RoleParentAdded) { mine(r, e.Role, func() { r.Parents[e.Parent] = struct{}{} }) }),
		dcb.On(func(r *Role, e RoleParentRemoved) { mine(r, e.Role, func() { delete(r.Parents, e.Parent) }) }),
	).Also(Root.UUID)
}

// RoleHeirs are the roles that inherit from id directly.
func RoleHeirs(id RoleID) *dcb.Fact[Set] {
	return dcb.Ask(Set{}, tags(id),
		dcb.On(func(s *Set, e RoleParentAdded) {
			if e.Parent == id {
				s.add(e.Role.UUID)
			}
		}),
		dcb.On(func(s *Set, e RoleParentRemoved) {
			if e.Parent == id {
				s.drop(e.Role.UUID)
			}
		}),
	).Anywhere()
}

// RoleNameHolder is the role that has the key, nil if it is free.
func RoleNameHolder(k Key) *dcb.Fact[uuid.UUID] {
	return holderOf(k.Tag(),
		dcb.On(func(h *uuid.UUID, e RoleCreated) { *h = k.heldBy(e.Role.UUID, e.Key) }),
		dcb.On(func(h *uuid.UUID, e RoleRenamed) { *h = k.heldBy(e.Role.UUID, e.Key) }),
		dcb.On(func(h *uuid.UUID, _ RoleDeleted) { *h = uuid.Nil }),
	)
}

// RoleKey keeps the names of a tenant's roles apart.
func RoleKey(t TenantID, name string) Key { return keyOf("role-name", t.UUID, name) }

// The roles of Chancery itself; ids are the same in every installation.
var (
	PlatformAdmin = RoleID{NamedID(Root, "role", "platform-admin")} // everything, in the tenant where it is assigned; assigned in root: everywhere
	TenantAdmin   = RoleID{NamedID(Root, "role", "tenant-admin")}   // everything within one tenant
	TenantAuditor = RoleID{NamedID(Root, "role", "tenant-auditor")} // reads everything within one tenant
)
