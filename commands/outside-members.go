package commands

import (
	"cmp"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// LeaveGroup takes a user out of a group of another tenant: at their own will, or as an administrator of their tenant has it. It is
// sent to the user's tenant. Neither the group's tenant nor anything in it can keep them: that holds while it is suspended too.
type LeaveGroup struct {
	ID     domain.InvitationID `json:"id" required:"true" description:"the invitation by which the user is in the group"`
	All    bool                `json:"all,omitzero" description:"leave all groups of that tenant"`
	Reason string              `json:"reason,omitzero" description:"why, for the record of both tenants"`
}

func (c LeaveGroup) Target() dcb.Tagger { return c.ID }

// Decide lets whoever leaves shed a deny of the group, which nobody does who is a member at home: with the group they lose all that
// they had there, so there is nothing that the deny could have held back. Only who is in several groups of that tenant would keep
// what another one gives; they leave them together, or those first.
func (c LeaveGroup) Decide(env Env) dcb.Decision {
	i := domain.InvitationOf(c.ID)
	var out *departure
	return dcb.From(i).Then(func() []dcb.AnyFact {
		switch {
		case env.leaves(i.Value) != nil:
			return nil
		case out == nil:
			out = env.departure(i.Value, c.All)
			return out.places.facts()
		}
		return out.next()
	}).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckText("/reason", c.Reason), env.leaves(i.Value)); err != nil {
			return nil, err
		}
		switch {
		case i.Value.Status == domain.InvitationPast:
			return nil, nil
		case i.Value.Status != domain.InvitationDone:
			return nil, domain.At("/id", domain.ErrMembershipUnknown)
		case out.shed.refusal(out.kept) != nil:
			return nil, domain.ErrLeaveAll
		}
		var events []dcb.Event
		for _, v := range out.left() {
			events = append(events, out.places.left(v, cmp.Or(c.Reason, domain.OutsideLeft))...)
		}
		return events, nil
	})
}

// leaves refuses whoever may not end that a user of the tenant is in a group of another one.
func (env Env) leaves(i domain.GroupInvitation) error {
	if i.Status == domain.InvitationNone || i.UserTenant.Tenant() != env.Tenant || !env.Mine(i.User) && !env.Privileged {
		return domain.At("/id", domain.ErrInvitationUnknown)
	}
	return nil
}

// departure is a user on the way out of a group, or of all groups of its tenant.
type departure struct {
	places *places
	from   domain.GroupInvitation
	all    bool
	begun  bool
	shed   *leaving[domain.GroupID, domain.Group] // the denies of what is left
	kept   *climb[domain.GroupID, domain.Group]   // the groups that are not, with all above them
}

func (env Env) departure(i domain.GroupInvitation, all bool) *departure {
	return &departure{env.places(i.User), i, all, false, env.leavingAbroad(i.GroupTenant), groupsAboveIn(i.GroupTenant)}
}

func (d *departure) next() []dcb.AnyFact {
	facts := d.places.next()
	switch {
	case len(facts) > 0:
		return facts
	case d.begun:
		return append(d.shed.next(), d.kept.next()...)
	}
	d.begun = true
	var others []domain.GroupID
	for _, i := range d.places.in(d.from.GroupTenant) {
		if i.Invitation != d.from.Invitation {
			others = append(others, i.Group)
		}
	}
	if d.all || len(others) == 0 {
		return nil
	}
	return append(d.shed.start(d.from.Group), d.kept.start(others...)...)
}

// left are the groups that the user leaves.
func (d *departure) left() []domain.GroupInvitation {
	if d.all {
		return d.places.in(d.from.GroupTenant)
	}
	return []domain.GroupInvitation{d.from}
}

// places are the groups of other tenants in which a user is, or into which they are invited, asked about in the user's own tenant.
type places struct {
	env      Env
	standing *dcb.Fact[domain.GroupInvitations]
	is       map[domain.InvitationID]*dcb.Fact[domain.Membership]
}

func (env Env) places(u domain.UserID) *places {
	return &places{env, domain.InvitationsStanding(u), map[domain.InvitationID]*dcb.Fact[domain.Membership]{}}
}

func (p *places) facts() []dcb.AnyFact { return []dcb.AnyFact{p.standing} }

// next asks what the user is to each group.
func (p *places) next() []dcb.AnyFact {
	var facts []dcb.AnyFact
	for id, i := range p.standing.Value {
		if p.is[id] == nil && i.Status == domain.InvitationDone {
			p.is[id] = domain.MembershipOf(i.User, i.Group).Only(i.GroupTenant.UUID)
			facts = append(facts, p.is[id])
		}
	}
	return facts
}

// in are those groups in which the user is, of one tenant.
func (p *places) in(host domain.HomeID) []domain.GroupInvitation {
	var all []domain.GroupInvitation
	for _, i := range p.all() {
		if i.Status == domain.InvitationDone && i.GroupTenant == host {
			all = append(all, i)
		}
	}
	return all
}

func (p *places) all() []domain.GroupInvitation {
	return inOrder(p.standing.Value, func(i domain.GroupInvitation) uuid.UUID { return i.Invitation.UUID })
}

// left takes the user out of a group.
func (p *places) left(i domain.GroupInvitation, reason string) []dcb.Event {
	var events []dcb.Event
	if m := p.is[i.Invitation].Value; m.Exists() {
		events = append(events, p.env.in(i.GroupTenant, domain.MemberRemoved{Membership: m.ID, Group: m.Group, User: m.User, Role: m.Role}))
	}
	return append(events, p.env.ended(i.InvitationSent, reason)...)
}

// events end everything: memberships, and invitations that wait for an answer.
func (p *places) events(reason string) []dcb.Event {
	var events []dcb.Event
	for _, i := range p.all() {
		if i.Status == domain.InvitationDone {
			events = append(events, p.left(i, reason)...)
		} else {
			events = append(events, p.env.withdrawn(i, reason)...)
		}
	}
	return events
}

func (env Env) ended(i domain.InvitationSent, reason string) []dcb.Event {
	return env.both(i, domain.OutsideMembershipEnded{Invitation: i.Invitation, Group: i.Group, User: i.User, Reason: reason})
}

// removed takes a member out of a group of the deciding tenant; that one from another tenant was in it ends for both.
func (env Env) removed(m domain.Membership, reason string) []dcb.Event {
	events := []dcb.Event{domain.MemberRemoved{Membership: m.ID, Group: m.Group, User: m.User, Role: m.Role}}
	if !m.Outside() {
		return events
	}
	return append(events, env.ended(domain.InvitationSent{
		Invitation: m.Invitation, Group: m.Group, GroupTenant: domain.HomeIn(env.Tenant), User: m.User, UserTenant: m.Home,
	}, reason)...)
}

// EndOutsideMembership ends an invitation, or that a user is in a group by it. It is no command of callers: Chancery gives it to
// itself, in one of the two tenants, when what it rests on has ended for good.
type EndOutsideMembership struct {
	ID     domain.InvitationID
	Reason string
}

func (c EndOutsideMembership) Target() dcb.Tagger { return c.ID }

func (c EndOutsideMembership) Decide(env Env) dcb.Decision {
	i := domain.InvitationOf(c.ID)
	var is *dcb.Fact[domain.Membership]
	return dcb.From(i).Then(func() []dcb.AnyFact {
		if is != nil || i.Value.Status != domain.InvitationDone {
			return nil
		}
		is = domain.MembershipOf(i.Value.User, i.Value.Group).Only(i.Value.GroupTenant.UUID)
		return []dcb.AnyFact{is}
	}).Decide(func() ([]dcb.Event, error) {
		switch i.Value.Status {
		case domain.InvitationOpen:
			return env.withdrawn(i.Value, c.Reason), nil
		case domain.InvitationDone:
			p := &places{env, nil, map[domain.InvitationID]*dcb.Fact[domain.Membership]{c.ID: is}}
			return p.left(i.Value, c.Reason), nil
		default:
			return nil, nil
		}
	})
}
