package domain

import (
	"chancery/internal/dcb"
)

// GroupRole is what a member is to a group.
type GroupRole string

const (
	Member     GroupRole = "member"
	Maintainer GroupRole = "maintainer" // may add and remove members
	Owner      GroupRole = "owner"      // may also name maintainers and owners, and rename the group
)

// Check refuses an unknown role.
func (r GroupRole) Check(pointer string) error {
	switch r {
	case Member, Maintainer, Owner:
		return nil
	}
	return Invalid(pointer, "must be member, maintainer or owner")
}

// MemberAdded puts a user into a group.
type MemberAdded struct {
	Membership MembershipID `json:"membership"`
	Group      GroupID      `json:"group"`
	User       UserID       `json:"user"`
	Role       GroupRole    `json:"role"`
	Issuer     IssuerID     `json:"issuer,omitzero"` // the OpenID provider whose claim led to it; none: somebody did it by hand

	Home       HomeID       `json:"home,omitzero"`       // the member's tenant, where it is not the group's
	Invitation InvitationID `json:"invitation,omitzero"` // that led to it then

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints that it had to satisfy
}

// MemberRoleChanged makes a member something else to the group.
type MemberRoleChanged struct {
	Membership MembershipID `json:"membership"`
	Group      GroupID      `json:"group"`
	User       UserID       `json:"user"`
	Role       GroupRole    `json:"role"`
	Was        GroupRole    `json:"was"`
}

// MemberRemoved takes a user out of a group.
type MemberRemoved struct {
	Membership MembershipID `json:"membership"`
	Group      GroupID      `json:"group"`
	User       UserID       `json:"user"`
	Role       GroupRole    `json:"role"`
}

func (MemberAdded) EventType() string       { return "group-member.added" }
func (MemberRoleChanged) EventType() string { return "group-member.role-changed" }
func (MemberRemoved) EventType() string     { return "group-member.removed" }

var membershipEvents = dcb.Kind("membership",
	dcb.Of[MemberAdded](), dcb.Of[MemberRoleChanged](), dcb.Of[MemberRemoved]())

var (
	ErrMembershipUnknown = &Refusal{Missing, "not-found", "there is no such membership here"}
	ErrMemberTwice       = refuse("member-exists", "the user is a member of the group already")
	ErrLastOwner         = refuse("last-owner", "the group would be left without an owner")
)

// Membership is one user's place in one group.
type Membership struct {
	ID    MembershipID
	Group GroupID
	User  UserID
	Role  GroupRole

	Issuer IssuerID // whose claim keeps it up; none once somebody changed it by hand

	Home       HomeID // the user's tenant, where it is not the group's
	Invitation InvitationID
}

// Exists reports whether the user is in the group.
func (m Membership) Exists() bool { return m.Role != "" }

// Outside reports whether the member belongs to another tenant than the group.
func (m Membership) Outside() bool { return !m.Home.IsZero() }

func membershipOf(e MemberAdded) Membership {
	return Membership{e.Membership, e.Group, e.User, e.Role, e.Issuer, e.Home, e.Invitation}
}

// as is the membership after somebody changed the role.
func (m Membership) as(r GroupRole) Membership {
	m.Role, m.Issuer = r, IssuerID{}
	return m
}

// Members are the members of one group.
type Members map[UserID]Membership

// Owners counts the group's owners.
func (ms Members) Owners() int {
	n := 0
	for _, m := range ms {
		if m.Role == Owner {
			n++
		}
	}
	return n
}

// MembershipOf is one user's place in one group.
func MembershipOf(u UserID, g GroupID) *dcb.Fact[Membership] {
	return dcb.Ask(Membership{}, tags(u, g),
		dcb.On(func(m *Membership, e MemberAdded) { *m = membershipOf(e) }),
		dcb.On(func(m *Membership, e MemberRoleChanged) { *m = m.as(e.Role) }),
		dcb.On(func(m *Membership, _ MemberRemoved) { *m = Membership{} }),
	)
}

// MembersOf are the members of one group.
func MembersOf(g GroupID) *dcb.Fact[Members] {
	return dcb.Ask(Members{}, tags(g),
		dcb.On(func(ms *Members, e MemberAdded) { (*ms)[e.User] = membershipOf(e) }),
		dcb.On(func(ms *Members, e MemberRoleChanged) { (*ms)[e.User] = (*ms)[e.User].as(e.Role) }),
		dcb.On(func(ms *Members, e MemberRemoved) { delete(*ms, e.User) }),
	)
}

// MembershipsOf are one user's places, by the group.
func MembershipsOf(u UserID) *dcb.Fact[map[GroupID]Membership] {
	return dcb.Ask(map[GroupID]Membership{}, tags(u),
		dcb.On(func(all *map[GroupID]Membership, e MemberAdded) { (*all)[e.Group] = membershipOf(e) }),
		dcb.On(func(all *map[GroupID]Membership, e MemberRoleChanged) { (*all)[e.Group] = (*all)[e.Group].as(e.Role) }),
		dcb.On(func(all *map[GroupID]Membership, e MemberRemoved) { delete(*all, e.Group) }),
	)
}
