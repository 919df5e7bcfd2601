package domain

import (
	"time"

	"chancery/internal/dcb"
)

// InvitationSent invites a user of another tenant into a group. These events are recorded in both tenants; who is in the group is
// said by the group's own (MemberAdded, MemberRemoved), in the group's tenant.
type InvitationSent struct {
	Invitation  InvitationID `json:"invitation"`
	Group       GroupID      `json:"group"`
	GroupTenant HomeID       `json:"group_tenant"`
	User        UserID       `json:"user"`
	UserTenant  HomeID       `json:"user_tenant"`
	Role        GroupRole    `json:"role"`
	Message     string       `json:"message,omitzero"`
	ExpiresAt   time.Time    `json:"expires_at"`
}

// InvitationAccepted puts the user into the group.
type InvitationAccepted struct {
	Invitation InvitationID `json:"invitation"`
	Group      GroupID      `json:"group"`
	User       UserID       `json:"user"`
	Membership MembershipID `json:"membership"`
}

// InvitationDeclined says that the user does not want it.
type InvitationDeclined struct {
	Invitation InvitationID `json:"invitation"`
	Group      GroupID      `json:"group"`
	User       UserID       `json:"user"`
	Reason     string       `json:"reason,omitzero"`
}

// InvitationWithdrawn takes an invitation back that nobody has answered.
type InvitationWithdrawn struct {
	Invitation InvitationID `json:"invitation"`
	Group      GroupID      `json:"group"`
	User       UserID       `json:"user"`
	Reason     string       `json:"reason,omitzero"`
}

// InvitationExpired says that nobody answered in time.
type InvitationExpired struct {
	Invitation InvitationID `json:"invitation"`
	Group      GroupID      `json:"group"`
	User       UserID       `json:"user"`
}

// OutsideMembershipEnded says that the user is in the group no more: they left, or one of the two tenants ended it.
type OutsideMembershipEnded struct {
	Invitation InvitationID `json:"invitation"`
	Group      GroupID      `json:"group"`
	User       UserID       `json:"user"`
	Reason     string       `json:"reason,omitzero"`
}

func (InvitationSent) EventType() string         { return "group-invitation.sent" }
func (InvitationAccepted) EventType() string     { return "group-invitation.accepted" }
func (InvitationDeclined) EventType() string     { return "group-invitation.declined" }
func (InvitationWithdrawn) EventType() string    { return "group-invitation.withdrawn" }
func (InvitationExpired) EventType() string      { return "group-invitation.expired" }
func (OutsideMembershipEnded) EventType() string { return "group-invitation.ended" }

var invitationEvents = dcb.Kind("group-invitation",
	dcb.Of[InvitationSent](), dcb.Of[InvitationAccepted](), dcb.Of[InvitationDeclined](), dcb.Of[InvitationWithdrawn](),
	dcb.Of[InvitationExpired](), dcb.Of[OutsideMembershipEnded]())

var (
	ErrInvitationUnknown = &Refusal{Missing, "not-found", "there is no such invitation here"}
	ErrInvitationOpen    = refuse("invitation-open", "the user is invited to the group already; withdraw that invitation first")
	ErrInvitationOver    = refuse("invitation-over", "the invitation is over: it was answered, withdrawn or ended, or nobody answered in time")
	ErrOnlyTheInvited    = &Refusal{Forbidden, "only-the-invited", "only the invited user answers an invitation"}
	// ErrOutsideUser is the one answer to a user of another tenant who is unknown or not active, or whose tenant is, or does not want it.
	ErrOutsideUser    = refuse("outside-user", "there is no such active user in the other tenant, or its users may not join groups of other tenants")
	ErrOutsideMembers = refuse("outside-members-off", "the group's tenant does not let users of other tenants into its groups")
	ErrJoinOutside    = refuse("join-outside-off", "the user's tenant does not let its users join groups of other tenants")
	ErrOutsideOwner   = refuse("outside-owner", "a user of another tenant cannot own a group")
	// ErrLeaveAll refuses to lift what one group denies and another one gives.
	ErrLeaveAll = refuse("leave-all", "the group keeps something from its members: leave the other groups of its tenant first, or all at once")
)

// Lives of invitations.
const (
	GroupInvitationLife = 7 * 24 * time.Hour  // unless something else is asked for
	GroupInvitationMost = 30 * 24 * time.Hour // the longest
)

// Why invitations and memberships from outside end, where nobody said why.
const (
	OutsideLeft      = "left"
	OutsideRemoved   = "removed"
	OutsideGroupGone = "group-deleted"
)

// InvitationStatus is where an invitation is in its life.
type InvitationStatus string

const (
	InvitationNone InvitationStatus = ""
	InvitationOpen InvitationStatus = "open"
	InvitationDone InvitationStatus = "accepted" // the user is in the group
	InvitationNo   InvitationStatus = "declined"
	InvitationBack InvitationStatus = "withdrawn"
	InvitationLate InvitationStatus = "expired"
	InvitationPast InvitationStatus = "ended" // the user was in the group
)

// GroupInvitation is an invitation, and what became of it.
type GroupInvitation struct {
	InvitationSent
	Membership MembershipID
	Status     InvitationStatus
}

// Open reports whether it can be answered at that time.
func (i GroupInvitation) Open(at time.Time) bool {
	return i.Status == InvitationOpen && at.Before(i.ExpiresAt)
}

// InvitationOf is one invitation, as the deciding tenant has it on record.
func InvitationOf(id InvitationID) *dcb.Fact[GroupInvitation] {
	return dcb.Ask(GroupInvitation{}, tags(id),
		dcb.On(func(i *GroupInvitation, e InvitationSent) {
			*i = GroupInvitation{InvitationSent: e, Status: InvitationOpen}
		}),
		dcb.On(func(i *GroupInvitation, e InvitationAccepted) { i.Membership, i.Status = e.Membership, InvitationDone }),
		dcb.On(func(i *GroupInvitation, _ InvitationDeclined) { i.Status = InvitationNo }),
		dcb.On(func(i *GroupInvitation, _ InvitationWithdrawn) { i.Status = InvitationBack }),
		dcb.On(func(i *GroupInvitation, _ InvitationExpired) { i.Status = InvitationLate }),
		dcb.On(func(i *GroupInvitation, _ OutsideMembershipEnded) { i.Status = InvitationPast }),
	)
}

// GroupInvitations are those that stand: they wait for an answer, or the user is in the group by them.
type GroupInvitations map[InvitationID]GroupInvitation

// Open reports whether one of them can be answered at that time.
func (is GroupInvitations) Open(at time.Time) bool {
	for _, i := range is {
		if i.Open(at) {
			return true
		}
	}
	return false
}

// InvitationsStanding are those that stand of a user, into a group, or of that user into that group, as the deciding tenant has them
// on record.
func InvitationsStanding(of ...dcb.Tagger) *dcb.Fact[GroupInvitations] {
	return dcb.Ask(GroupInvitations{}, tags(of...),
		dcb.On(func(is *GroupInvitations, e InvitationSent) {
			(*is)[e.Invitation] = GroupInvitation{InvitationSent: e, Status: InvitationOpen}
		}),
		dcb.On(func(is *GroupInvitations, e InvitationAccepted) {
			i := (*is)[e.Invitation]
			i.Membership, i.Status = e.Membership, InvitationDone
			(*is)[e.Invitation] = i
		}),
		dcb.On(func(is *GroupInvitations, e InvitationDeclined) { delete(*is, e.Invitation) }),
		dcb.On(func(is *GroupInvitations, e InvitationWithdrawn) { delete(*is, e.Invitation) }),
		dcb.On(func(is *GroupInvitations, e InvitationExpired) { delete(*is, e.Invitation) }),
		dcb.On(func(is *GroupInvitations, e OutsideMembershipEnded) { delete(*is, e.Invitation) }),
	)
}
