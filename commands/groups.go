package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// CreateGroup adds a group. Members of a group are members of the group above it too.
type CreateGroup struct {
	ID          domain.GroupID `json:"id,omitzero" description:"id of the new group; made if absent"`
	Name        string         `json:"name" required:"true" description:"unique in the tenant"`
	Description string         `json:"description,omitzero" description:"what the group is for"`
	Parent      domain.GroupID `json:"parent_id,omitzero" description:"the group above; absent for the top"`
}

func (c *CreateGroup) NewID() *uuid.UUID { return &c.ID.UUID }
func (c CreateGroup) Target() dcb.Tagger { return c.ID }

func (c CreateGroup) Decide(env Env) dcb.Decision {
	key := domain.GroupKey(env.Tenant, c.Name)
	used, holder, up := domain.Used[domain.GroupCreated](c.ID), domain.GroupNameHolder(key), groupsAbove()
	return dcb.From(append(up.start(some(c.Parent)...), used, holder)...).Then(up.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckName("/name", c.Name), domain.CheckText("/description", c.Description)); err != nil {
			return nil, err
		}
		switch {
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case !c.Parent.IsZero() && !up.known[c.Parent].Value.Exists:
			return nil, domain.At("/parent_id", domain.ErrGroupUnknown)
		case holder.Value != uuid.Nil:
			return nil, domain.At("/name", domain.ErrGroupName)
		case up.levels() >= domain.MaxDepth:
			return nil, domain.At("/parent_id", domain.ErrGroupDeep)
		}
		return dcb.Emit(domain.GroupCreated{Group: c.ID, Parent: c.Parent, Name: c.Name, Description: c.Description, Key: key})
	})
}

// RenameGroup gives a group another name, description, or both.
type RenameGroup struct {
	ID          domain.GroupID `json:"id" required:"true" description:"the group"`
	Name        string         `json:"name,omitzero" description:"unique in the tenant; absent to keep it"`
	Description *string        `json:"description,omitzero" description:"absent to keep it"`
}

func (c RenameGroup) Target() dcb.Tagger  { return c.ID }
func (c RenameGroup) Scope() domain.Scope { return groupScope(c.ID) }

func (c RenameGroup) Decide(env Env) dcb.Decision {
	key := domain.GroupKey(env.Tenant, c.Name)
	g, holder := domain.GroupOf(c.ID), domain.GroupNameHolder(key)
	return dcb.From(g, holder).Decide(func() ([]dcb.Event, error) {
		if !g.Value.Exists {
			return nil, domain.At("/id", domain.ErrGroupUnknown)
		}
		was := label{g.Value.Name, g.Value.Description, g.Value.Key}
		is, err := was.changed(c.Name, c.Description, key)
		if err != nil {
			return nil, err
		}
		e := domain.GroupRenamed{Group: c.ID, Name: is.name, Description: is.description, Key: is.key}
		switch {
		case c.Name != "" && holder.Value != uuid.Nil && holder.Value != c.ID.UUID:
			return nil, domain.At("/name", domain.ErrGroupName)
		case is == was:
			return nil, nil
		case is.key != was.key:
			e.Released = was.key
		}
		return dcb.Emit(e)
	})
}

// MoveGroup puts a group, with all below it, under another one or at the top.
type MoveGroup struct {
	ID     domain.GroupID `json:"id" required:"true" description:"the group"`
	Parent domain.GroupID `json:"parent_id,omitzero" description:"the group above; absent for the top"`
}

func (c MoveGroup) Target() dcb.Tagger { return c.ID }

func (c MoveGroup) Decide(env Env) dcb.Decision {
	g, up, below, given, left := domain.GroupOf(c.ID), groupsAbove(), groupsBelow(), env.grants(), env.leavingGroup()
	duties := env.duties(env.Tenant, func() []dcb.Event { return []dcb.Event{domain.GroupMoved{Group: c.ID, Parent: c.Parent}} })
	facts := append(up.start(some(c.Parent)...), given.group(c.Parent)...)
	if !c.Parent.IsZero() {
		facts = append(facts, below.start(c.ID)...)
	}
	return dcb.From(append(facts, g)...).Then(up.next).Then(below.next).Then(given.next).Then(func() []dcb.AnyFact {
		return left.start(asGroup(g.Value.Parent))
	}).Then(left.next).Then(duties.next).Decide(func() ([]dcb.Event, error) {
		switch {
		case !g.Value.Exists:
			return nil, domain.At("/id", domain.ErrGroupUnknown)
		case !c.Parent.IsZero() && !up.known[c.Parent].Value.Exists:
			return nil, domain.At("/parent_id", domain.ErrGroupUnknown)
		case g.Value.Parent == c.Parent.UUID:
			return nil, nil
		case up.has(c.ID):
			return nil, domain.At("/parent_id", domain.ErrGroupCycle)
		case up.levels()+below.levels() > domain.MaxDepth:
			return nil, domain.At("/parent_id", domain.ErrGroupDeep)
		}
		if err := domain.FirstError(given.refusal(), left.refusal(up), duties.refusal()); err != nil {
			return nil, err
		}
		return dcb.Emit(domain.GroupMoved{Group: c.ID, Parent: c.Parent, From: asGroup(g.Value.Parent), Judged: duties.judged()})
	})
}

// DeleteGroup removes a group with its memberships, roles and overrides; groups below it must go first.
type DeleteGroup struct {
	ID domain.GroupID `json:"id" required:"true" description:"the group"`
}

func (c DeleteGroup) Target() dcb.Tagger { return c.ID }

func (c DeleteGroup) Decide(env Env) dcb.Decision {
	g, below, left := domain.GroupOf(c.ID), domain.GroupChildren(c.ID), env.leavingGroup()
	members, roles, overrides := domain.MembersOf(c.ID), domain.AssignmentsTo(c.ID), domain.OverridesTo(c.ID)
	invitations := domain.InvitationsStanding(c.ID)
	return dcb.From(append(left.start(c.ID), g, below, members, roles, overrides, invitations)...).Then(left.next).Decide(func() ([]dcb.Event, error) {
		switch {
		case !g.Value.Exists:
			return nil, domain.At("/id", domain.ErrGroupUnknown)
		case len(below.Value) > 0:
			return nil, domain.ErrGroupHasGroups
		}
		if err := left.refusal(nil); err != nil && len(members.Value) > 0 {
			return nil, err
		}
		var events []dcb.Event
		for _, m := range inOrder(members.Value, func(m domain.Membership) uuid.UUID { return m.ID.UUID }) {
			events = append(events, env.removed(m, domain.OutsideGroupGone)...)
		}
		for _, i := range inOrder(invitations.Value, func(i domain.GroupInvitation) uuid.UUID { return i.Invitation.UUID }) {
			if i.Status == domain.InvitationOpen {
				events = append(events, env.withdrawn(i, domain.OutsideGroupGone)...)
			}
		}
		for _, a := range inOrder(roles.Value, func(a domain.Assignment) uuid.UUID { return a.ID.UUID }) {
			events = append(events, domain.RoleUnassigned{Assignment: a.ID, Role: a.Role, Group: c.ID, Reason: "the group was deleted"})
		}
		for _, o := range inOrder(overrides.Value, func(o domain.Override) uuid.UUID { return o.ID.UUID }) {
			events = append(events, domain.OverrideRevoked{Override: o.ID, Group: c.ID, Reason: "the group was deleted"})
		}
		return append(events, domain.GroupDeleted{Group: c.ID, Parent: asGroup(g.Value.Parent), Released: g.Value.Key}), nil
	})
}

func groupScope(id domain.GroupID) domain.Scope { return domain.Scope("group:" + id.String()) }
