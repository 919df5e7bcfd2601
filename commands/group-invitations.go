package commands

import (
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// InviteToGroup invites a user of another tenant into a group. They are in it once they accept, in their own tenant.
type InviteToGroup struct {
	ID        domain.InvitationID `json:"id,omitzero" description:"id of the new invitation; made if absent"`
	Group     domain.GroupID      `json:"group_id" required:"true" description:"the group"`
	Tenant    string              `json:"tenant" required:"true" description:"the tenant that the user belongs to, by id or slug"`
	User      domain.UserID       `json:"user_id" required:"true" description:"the user"`
	Role      domain.GroupRole    `json:"role,omitzero" enum:"member,maintainer" description:"member if absent; nobody from outside owns a group"`
	Message   string              `json:"message,omitzero" description:"what the user reads with it; it stays on record for ever, so without personal data"`
	ExpiresAt time.Time           `json:"expires_at,omitzero" description:"until when it can be accepted, at most 30 days; after 7 days if absent"`
}

func (c *InviteToGroup) NewID() *uuid.UUID  { return &c.ID.UUID }
func (c InviteToGroup) Target() dcb.Tagger  { return c.ID }
func (c InviteToGroup) Scope() domain.Scope { return groupScope(c.Group) }

func (c InviteToGroup) Decide(env Env) dcb.Decision {
	if c.Role == "" {
		c.Role = domain.Member
	}
	if c.ExpiresAt.IsZero() {
		c.ExpiresAt = env.Now.Add(domain.GroupInvitationLife)
	}
	group, used, wanted := domain.GroupOf(c.Group), domain.Used[domain.InvitationSent](c.ID), domain.PolicyOf(env.Tenant, domain.OutsideMembers)
	is, invited := domain.MembershipOf(c.User, c.Group), domain.InvitationsStanding(c.User, c.Group)
	given, who := env.grants(), env.outsider(c.Tenant, c.User)
	facts := append(given.group(c.Group), group, used, wanted, is, invited)
	return dcb.From(append(facts, who.facts()...)...).Then(given.next).Then(who.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(c.Role.Check("/role"), domain.CheckText("/message", c.Message), c.checkEnd(env.Now), who.check()); err != nil {
			return nil, err
		}
		switch {
		case !env.Impersonation.IsZero():
			return nil, domain.ErrImpersonating
		case !group.Value.Exists:
			return nil, domain.At("/group_id", domain.ErrGroupUnknown)
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case c.Role == domain.Owner:
			return nil, domain.At("/role", domain.ErrOutsideOwner)
		case env.Self(c.User): // who asks is never who consents
			return nil, domain.At("/user_id", domain.ErrSelf)
		case is.Value.Exists():
			return nil, domain.ErrMemberTwice
		case invited.Value.Open(env.Now):
			return nil, domain.ErrInvitationOpen
		case !wanted.Value.IsTrue():
			return nil, domain.ErrOutsideMembers
		case c.Role != domain.Member && !env.names(c.Group):
			return nil, domain.ErrMayNotGive
		}
		if err := domain.FirstError(given.refusal(), who.refusal()); err != nil {
			return nil, err
		}
		e := domain.InvitationSent{
			Invitation: c.ID, Group: c.Group, GroupTenant: domain.HomeIn(env.Tenant), User: c.User, UserTenant: domain.HomeIn(who.home),
			Role: c.Role, Message: c.Message, ExpiresAt: c.ExpiresAt,
		}
		return env.both(e, e), nil
	})
}

func (c InviteToGroup) checkEnd(now time.Time) error {
	if !now.Before(c.ExpiresAt) || c.ExpiresAt.After(now.Add(domain.GroupInvitationMost)) {
		return domain.Invalid("/expires_at", "must lie in the future, at most 30 days from now")
	}
	return nil
}

// in places an event in a tenant.
func (env Env) in(t domain.HomeID, e dcb.Event) dcb.Event {
	if t.Tenant() == env.Tenant {
		return e
	}
	return dcb.In(t.UUID, e)
}

// both places an event in the two tenants that an invitation concerns, that of the group first: each has all of it on record.
func (env Env) both(i domain.InvitationSent, e dcb.Event) []dcb.Event {
	return []dcb.Event{env.in(i.GroupTenant, e), env.in(i.UserTenant, e)}
}

// AcceptGroupInvitation puts the invited user into the group. It is sent to the user's own tenant.
type AcceptGroupInvitation struct {
	ID domain.InvitationID `json:"id" required:"true" description:"the invitation"`
}

func (c AcceptGroupInvitation) Target() dcb.Tagger { return c.ID }

// membership is the id of the place in the group: the same each time it is decided.
func (c AcceptGroupInvitation) membership() domain.MembershipID {
	return domain.MembershipID{UUID: uuid.NewSHA1(c.ID.UUID, []byte("membership"))}
}

// Decide asks once more whether both tenants want it. What the inviter may give is not asked again: they could give it when they did,
// and whatever the group has got since was given to it by somebody who could.
func (c AcceptGroupInvitation) Decide(env Env) dcb.Decision {
	i, used := domain.InvitationOf(c.ID), domain.Used[domain.MemberAdded](c.membership())
	var host *hosting
	return dcb.From(i, used).Then(func() []dcb.AnyFact {
		switch {
		case env.invited(i.Value) != nil:
			return nil
		case host == nil:
			host = env.hosting(i.Value, c.joins(i.Value))
			return host.facts()
		}
		return host.duties.next()
	}).Decide(func() ([]dcb.Event, error) {
		if err := env.invited(i.Value); err != nil {
			return nil, err
		}
		switch {
		case !env.Impersonation.IsZero():
			return nil, domain.ErrImpersonating
		case i.Value.Status == domain.InvitationDone:
			return nil, nil
		case !i.Value.Open(env.Now), !host.group.Value.Exists:
			return nil, domain.At("/id", domain.ErrInvitationOver)
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		}
		if err := host.refusal(); err != nil {
			return nil, err
		}
		e := c.joins(i.Value)
		e.Judged = host.duties.judged()
		accepted := domain.InvitationAccepted{Invitation: c.ID, Group: e.Group, User: e.User, Membership: e.Membership}
		return append(env.both(i.Value.InvitationSent, accepted), env.in(i.Value.GroupTenant, e)), nil
	})
}

func (c AcceptGroupInvitation) joins(i domain.GroupInvitation) domain.MemberAdded {
	return domain.MemberAdded{Membership: c.membership(), Group: i.Group, User: i.User, Role: i.Role, Home: i.UserTenant, Invitation: c.ID}
}

// invited refuses whoever does not answer an invitation for themselves, in their own tenant.
func (env Env) invited(i domain.GroupInvitation) error {
	switch {
	case i.Status == domain.InvitationNone, i.UserTenant.Tenant() != env.Tenant:
		return domain.At("/id", domain.ErrInvitationUnknown)
	case env.Mine(i.User):
		return nil
	case env.Privileged:
		return domain.ErrOnlyTheInvited
	}
	return domain.At("/id", domain.ErrInvitationUnknown)
}

// hosting is whether both tenants still let a user into a group of the other one.
type hosting struct {
	group        *dcb.Fact[domain.Group]
	tenant       *dcb.Fact[domain.Tenant]
	user         *dcb.Fact[domain.User]
	is           *dcb.Fact[domain.Membership]
	takes, joins *dcb.Fact[domain.Policy]
	duties       *duties // what the constraints of the group's tenant ask of whoever joins
}

func (env Env) hosting(i domain.GroupInvitation, joins domain.MemberAdded) *hosting {
	host := i.GroupTenant
	return &hosting{
		domain.GroupOf(i.Group).Only(host.UUID), domain.TenantOf(host.Tenant()), domain.UserStatusOf(i.User),
		domain.MembershipOf(i.User, i.Group).Only(host.UUID),
		domain.PolicyOf(host.Tenant(), domain.OutsideMembers), domain.PolicyOf(env.Tenant, domain.JoinOutside),
		env.duties(host.Tenant(), func() []dcb.Event { return []dcb.Event{joins} }),
	}
}

func (h *hosting) facts() []dcb.AnyFact {
	return []dcb.AnyFact{h.group, h.tenant, h.user, h.is, h.takes, h.joins}
}

func (h *hosting) refusal() error {
	switch {
	case h.user.Value.Status != domain.UserActive:
		return domain.ErrUserNotActive
	case !h.joins.Value.IsTrue():
		return domain.ErrJoinOutside
	case h.tenant.Value.Status != domain.TenantActive, !h.takes.Value.IsTrue():
		return domain.ErrOutsideMembers
	case h.is.Value.Exists():
		return domain.ErrMemberTwice
	}
	err := h.duties.refusal()
	if isViolation(err) {
		return domain.ErrConstraint // what it is called, and about which roles it is, is the group's tenant's own matter
	}
	return err
}

// DeclineGroupInvitation says that the invited user does not want to join.
type DeclineGroupInvitation struct {
	ID     domain.InvitationID `json:"id" required:"true" description:"the invitation"`
	Reason string              `json:"reason,omitzero" description:"why, for the record of both tenants"`
}

func (c DeclineGroupInvitation) Target() dcb.Tagger { return c.ID }

func (c DeclineGroupInvitation) Decide(env Env) dcb.Decision {
	i := domain.InvitationOf(c.ID)
	return dcb.From(i).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckText("/reason", c.Reason), env.invited(i.Value)); err != nil {
			return nil, err
		}
		switch {
		case i.Value.Status == domain.InvitationNo:
			return nil, nil
		case !i.Value.Open(env.Now):
			return nil, domain.At("/id", domain.ErrInvitationOver)
		}
		e := domain.InvitationDeclined{Invitation: c.ID, Group: i.Value.Group, User: i.Value.User, Reason: c.Reason}
		return env.both(i.Value.InvitationSent, e), nil
	})
}

// WithdrawGroupInvitation takes an invitation back that nobody has answered. It is sent to the group's tenant.
type WithdrawGroupInvitation struct {
	ID     domain.InvitationID `json:"id" required:"true" description:"the invitation"`
	Group  domain.GroupID      `json:"group_id" required:"true" description:"the group that it is about"`
	Reason string              `json:"reason,omitzero" description:"why, for the record of both tenants"`
}

func (c WithdrawGroupInvitation) Target() dcb.Tagger  { return c.ID }
func (c WithdrawGroupInvitation) Scope() domain.Scope { return groupScope(c.Group) }

func (c WithdrawGroupInvitation) Decide(env Env) dcb.Decision {
	i := domain.InvitationOf(c.ID)
	return dcb.From(i).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		switch v := i.Value; {
		case v.Status == domain.InvitationNone, v.GroupTenant.Tenant() != env.Tenant, v.Group != c.Group:
			return nil, domain.At("/id", domain.ErrInvitationUnknown)
		case v.Status == domain.InvitationBack:
			return nil, nil
		case !v.Open(env.Now):
			return nil, domain.At("/id", domain.ErrInvitationOver)
		default:
			return env.withdrawn(v, c.Reason), nil
		}
	})
}

func (env Env) withdrawn(i domain.GroupInvitation, reason string) []dcb.Event {
	return env.both(i.InvitationSent, domain.InvitationWithdrawn{Invitation: i.Invitation, Group: i.Group, User: i.User, Reason: reason})
}

// ExpireInvitation says that an invitation's time is over. It is no command of callers: Chancery gives it to itself, in one of the two
// tenants, when the date has come.
type ExpireInvitation struct{ ID domain.InvitationID }

func (c ExpireInvitation) Target() dcb.Tagger { return c.ID }

func (c ExpireInvitation) Decide(env Env) dcb.Decision {
	i := domain.InvitationOf(c.ID)
	return dcb.From(i).Decide(func() ([]dcb.Event, error) {
		if i.Value.Status != domain.InvitationOpen || i.Value.Open(env.Now) {
			return nil, nil // answered meanwhile
		}
		e := domain.InvitationExpired{Invitation: c.ID, Group: i.Value.Group, User: i.Value.User}
		return env.both(i.Value.InvitationSent, e), nil
	})
}
