package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AddGroupMember puts a user of the tenant into a group. One of another tenant is invited: see InviteToGroup.
type AddGroupMember struct {
	ID    domain.MembershipID `json:"id,omitzero" description:"id of the new membership; made if absent"`
	Group domain.GroupID      `json:"group_id" required:"true" description:"the group"`
	User  domain.UserID       `json:"user_id" required:"true" description:"the user"`
	Role  domain.GroupRole    `json:"role,omitzero" enum:"member,maintainer,owner" description:"member if absent"`
}

func (c *AddGroupMember) NewID() *uuid.UUID  { return &c.ID.UUID }
func (c AddGroupMember) Target() dcb.Tagger  { return c.ID }
func (c AddGroupMember) Scope() domain.Scope { return groupScope(c.Group) }

func (c AddGroupMember) Decide(env Env) dcb.Decision {
	if c.Role == "" {
		c.Role = domain.Member
	}
	group, user, given := domain.GroupOf(c.Group), domain.UserStatusOf(c.User), env.grants()
	used, is := domain.Used[domain.MemberAdded](c.ID), domain.MembershipOf(c.User, c.Group)
	e := domain.MemberAdded{Membership: c.ID, Group: c.Group, User: c.User, Role: c.Role}
	duties := env.duties(env.Tenant, func() []dcb.Event { return []dcb.Event{e} })
	return dcb.From(append(given.group(c.Group), group, user, used, is)...).Then(given.next).Then(duties.next).Decide(func() ([]dcb.Event, error) {
		if err := c.Role.Check("/role"); err != nil {
			return nil, err
		}
		switch {
		case !group.Value.Exists:
			return nil, domain.At("/group_id", domain.ErrGroupUnknown)
		case !user.Value.Exists():
			return nil, domain.At("/user_id", domain.ErrUserUnknown)
		case !user.Value.Present():
			return nil, domain.At("/user_id", domain.ErrUserNotActive)
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case is.Value.Exists() && is.Value.Role == c.Role:
			return nil, nil
		case is.Value.Exists():
			return nil, domain.ErrMemberTwice
		case c.Role != domain.Member && !env.names(c.Group):
			return nil, domain.ErrMayNotGive
		}
		if err := domain.FirstError(given.refusal(), duties.refusal()); err != nil {
			return nil, err
		}
		e.Judged = duties.judged()
		return dcb.Emit(e)
	})
}

// names reports whether the actor may name maintainers and owners of the group.
func (env Env) names(g domain.GroupID) bool {
	return env.Rights.Holds("core.group-memberships.change", groupScope(g)) && env.Rights.Holds("core.groups.rename", groupScope(g))
}

// ChangeGroupRole makes a member something else to the group.
type ChangeGroupRole struct {
	Group domain.GroupID   `json:"group_id" required:"true" description:"the group"`
	User  domain.UserID    `json:"user_id" required:"true" description:"the member"`
	Role  domain.GroupRole `json:"role" required:"true" enum:"member,maintainer,owner" description:"what the member becomes"`
}

func (c ChangeGroupRole) Scope() domain.Scope { return groupScope(c.Group) }

// Pair is the membership, by the user and the group.
func (c ChangeGroupRole) Pair(domain.TenantID) (kind string, things []dcb.Tagger) {
	return "membership", []dcb.Tagger{c.User, c.Group}
}

func (c ChangeGroupRole) Decide(env Env) dcb.Decision {
	is, members, owned := domain.MembershipOf(c.User, c.Group), domain.MembersOf(c.Group), domain.PolicyOf(env.Tenant, domain.GroupOwned)
	facts := []dcb.AnyFact{is, owned}
	if c.Role != domain.Owner {
		facts = append(facts, members)
	}
	return dcb.From(facts...).Decide(func() ([]dcb.Event, error) {
		if err := c.Role.Check("/role"); err != nil {
			return nil, err
		}
		m := is.Value
		switch {
		case !m.Exists():
			return nil, domain.At("/user_id", domain.ErrMembershipUnknown)
		case m.Role == c.Role:
			return nil, nil
		case !env.names(c.Group):
			return nil, domain.ErrMayNotGive
		case m.Outside() && c.Role == domain.Owner:
			return nil, domain.At("/role", domain.ErrOutsideOwner)
		case owned.Value.IsTrue() && m.Role == domain.Owner && members.Value.Owners() == 1:
			return nil, domain.ErrLastOwner
		}
		return dcb.Emit(domain.MemberRoleChanged{Membership: m.ID, Group: c.Group, User: c.User, Role: c.Role, Was: m.Role})
	})
}

// RemoveGroupMember takes a user out of a group. Whether another group keeps up a deny that is left is not asked.
type RemoveGroupMember struct {
	Group domain.GroupID `json:"group_id" required:"true" description:"the group"`
	User  domain.UserID  `json:"user_id" required:"true" description:"the member"`
}

func (c RemoveGroupMember) Scope() domain.Scope { return groupScope(c.Group) }

// Pair is the membership, by the user and the group.
func (c RemoveGroupMember) Pair(domain.TenantID) (kind string, things []dcb.Tagger) {
	return "membership", []dcb.Tagger{c.User, c.Group}
}

func (c RemoveGroupMember) Decide(env Env) dcb.Decision {
	is, members, owned := domain.MembershipOf(c.User, c.Group), domain.MembersOf(c.Group), domain.PolicyOf(env.Tenant, domain.GroupOwned)
	asked, left := false, env.leavingGroup()
	return dcb.From(append(left.start(c.Group), is, owned)...).Then(left.next).Then(func() []dcb.AnyFact {
		if asked || !owned.Value.IsTrue() || is.Value.Role != domain.Owner {
			return nil
		}
		asked = true
		return []dcb.AnyFact{members}
	}).Decide(func() ([]dcb.Event, error) {
		m := is.Value
		switch {
		case !m.Exists():
			return nil, domain.At("/user_id", domain.ErrMembershipUnknown)
		case asked && members.Value.Owners() == 1:
			return nil, domain.ErrLastOwner
		case m.Role != domain.Member && !env.Mine(c.User) && !env.names(c.Group):
			return nil, domain.ErrMayNotGive
		}
		if err := left.refusal(nil); err != nil {
			return nil, err
		}
		return env.removed(m, domain.OutsideRemoved), nil
	})
}
