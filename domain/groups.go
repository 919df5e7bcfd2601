package domain

import (
	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// GroupCreated adds a group; members of a group are members of its Parent too.
type GroupCreated struct {
	Group       GroupID `json:"group"`
	Parent      GroupID `json:"parent,omitzero"`
	Name        string  `json:"name"`
	Description string  `json:"description,omitzero"`
	Key         Key     `json:"key"`
}

// GroupRenamed gives a group another name and description.
type GroupRenamed struct {
	Group       GroupID `json:"group"`
	Name        string  `json:"name"`
	Description string  `json:"description,omitzero"`
	Key         Key     `json:"key"`
	Released    Key     `json:"released,omitzero"`
}

// GroupMoved puts a group with all below it under Parent, or at the top.
type GroupMoved struct {
	Group  GroupID `json:"group"`
	Parent GroupID `json:"parent,omitzero"`
	From   GroupID `json:"from,omitzero"`

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints that it had to satisfy
}

// GroupDeleted removes a group that has no groups below it; its members, roles and overrides were taken out before.
type GroupDeleted struct {
	Group    GroupID `json:"group"`
	Parent   GroupID `json:"parent,omitzero"`
	Released Key     `json:"released"`
}

func (GroupCreated) EventType() string { return "group.created" }
func (GroupRenamed) EventType() string { return "group.renamed" }
func (GroupMoved) EventType() string   { return "group.moved" }
func (GroupDeleted) EventType() string { return "group.deleted" }

var groupEvents = dcb.Kind("group",
	dcb.Of[GroupCreated](), dcb.Of[GroupRenamed](), dcb.Of[GroupMoved](), dcb.Of[GroupDeleted]())

var (
	ErrGroupUnknown   = &Refusal{Missing, "not-found", "there is no such group here"}
	ErrGroupName      = refuse("group-name-taken", "a group of that name exists already")
	ErrGroupCycle     = refuse("group-cycle", "a group cannot stand below itself")
	ErrGroupHasGroups = refuse("group-not-empty", "the group still has groups below it")
	ErrGroupDeep      = refuse("group-too-deep", "groups nest at most 32 deep")
)

// Group is what decisions need to know of one.
type Group struct {
	Node
	Description string
}

// GroupOf is one group.
func GroupOf(id GroupID) *dcb.Fact[Group] {
	return dcb.Ask(Group{}, tags(id),
		dcb.On(func(g *Group, e GroupCreated) {
			if e.Group == id {
				*g = Group{Node{true, true, e.Name, e.Parent.UUID, e.Key}, e.Description}
			}
		}),
		dcb.On(func(g *Group, e GroupRenamed) { g.Name, g.Description, g.Key = e.Name, e.Description, e.Key }),
		dcb.On(func(g *Group, e GroupMoved) {
			if e.Group == id {
				g.Parent = e.Parent.UUID
			}
		}),
		dcb.On(func(g *Group, e GroupDeleted) {
			if e.Group == id {
				g.Exists = false
			}
		}),
	)
}

// GroupNameHolder is the group that has the key, nil if it is free.
func GroupNameHolder(k Key) *dcb.Fact[uuid.UUID] {
	return holderOf(k.Tag(),
		dcb.On(func(h *uuid.UUID, e GroupCreated) { *h = k.heldBy(e.Group.UUID, e.Key) }),
		dcb.On(func(h *uuid.UUID, e GroupRenamed) { *h = k.heldBy(e.Group.UUID, e.Key) }),
		dcb.On(func(h *uuid.UUID, _ GroupDeleted) { *h = uuid.Nil }),
	)
}

// GroupChildren are the groups directly below id.
func GroupChildren(id GroupID) *dcb.Fact[Set] {
	return dcb.Ask(Set{}, tags(id),
		dcb.On(func(s *Set, e GroupCreated) { s.place(e.Group.UUID, e.Parent == id) }),
		dcb.On(func(s *Set, e GroupMoved) { s.place(e.Group.UUID, e.Parent == id) }),
		dcb.On(func(s *Set, e GroupDeleted) { s.drop(e.Group.UUID) }),
	)
}

// GroupKey keeps the names of a tenant's groups apart.
func GroupKey(t TenantID, name string) Key { return keyOf("group-name", t.UUID, name) }
