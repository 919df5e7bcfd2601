package commands

import (
	"bytes"
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// census collects what stands and can be reviewed.
type census struct {
	env         Env
	role        *dcb.Fact[domain.Role]  // nil where none is named
	group       *dcb.Fact[domain.Group] // nil likewise
	members     *dcb.Fact[domain.Members]
	assignments map[domain.RoleID]*dcb.Fact[domain.Assignments]
	both        bool
}

func (env Env) census(role domain.RoleID, group domain.GroupID) *census {
	c := &census{env: env, both: !role.IsZero() && !group.IsZero(), assignments: map[domain.RoleID]*dcb.Fact[domain.Assignments]{}}
	if !role.IsZero() {
		c.role, c.assignments[role] = domain.RoleOf(role), domain.AssignmentsHere(role)
	}
	if !group.IsZero() {
		c.group, c.members = domain.GroupOf(group), domain.MembersOf(group)
	}
	return c
}

func (c *census) facts() []dcb.AnyFact {
	var facts []dcb.AnyFact
	if c.role != nil {
		facts = append(facts, c.role)
	}
	if c.group != nil {
		facts = append(facts, c.group, c.members)
	}
	for _, f := range c.assignments {
		facts = append(facts, f)
	}
	return facts
}

// next asks, where nothing is named, about each role that the tenant assigns. Nothing in the log is tagged with its tenant, so which
// roles these are the rights know, who have seen as much as the decision.
func (c *census) next() []dcb.AnyFact {
	if c.role != nil || c.group != nil || c.env.Assigned == nil {
		return nil
	}
	var facts []dcb.AnyFact
	for _, role := range c.env.Assigned() {
		if c.assignments[role] == nil {
			c.assignments[role] = domain.AssignmentsHere(role)
			facts = append(facts, c.assignments[role])
		}
	}
	return facts
}

func (c *census) refusal() error {
	switch {
	case c.both:
		return domain.At("/group_id", domain.ErrReviewOne)
	case c.role != nil:
		return unless(c.role.Value.Exists, "/role_id", domain.ErrRoleUnknown)
	case c.group != nil:
		return unless(c.group.Value.Exists, "/group_id", domain.ErrGroupUnknown)
	}
	return nil
}

// items are in the order of their ids.
func (c *census) items() []domain.ReviewItem {
	var all []domain.ReviewItem
	for _, f := range c.assignments {
		for _, a := range f.Value {
			if !a.Window.Over(c.env.Now) {
				all = append(all, domain.ReviewItem{Item: a.ID.UUID, User: a.To.User, Department: a.To.Department, Group: a.To.Group, Role: a.Role})
			}
		}
	}
	if c.members != nil {
		for _, m := range c.members.Value {
			all = append(all, domain.ReviewItem{Item: m.ID.UUID, User: m.User, Group: m.Group})
		}
	}
	slices.SortFunc(all, func(a, b domain.ReviewItem) int { return bytes.Compare(a.Item[:], b.Item[:]) })
	return all
}

// belonging is what the caller gets by being in groups and a department.
type belonging struct {
	env         Env
	user        *dcb.Fact[domain.User]
	places      *dcb.Fact[map[domain.GroupID]domain.Membership]
	groups      *climb[domain.GroupID, domain.Group]
	departments *climb[domain.DepartmentID, domain.Node]
	begun       bool
}

func (env Env) belonging() *belonging {
	me := env.Rights.Actor()
	return &belonging{env: env, user: domain.UserStatusOf(me), places: domain.MembershipsOf(me), groups: groupsAbove(), departments: departmentsAbove()}
}

func (b *belonging) facts() []dcb.AnyFact { return []dcb.AnyFact{b.user, b.places} }

func (b *belonging) next() []dcb.AnyFact {
	if b.begun {
		return append(b.groups.next(), b.departments.next()...)
	}
	b.begun = true
	facts := b.departments.start(some(b.user.Value.Department)...)
	for g := range b.places.Value {
		facts = append(facts, b.groups.start(g)...)
	}
	return facts
}

// has reports whether an item under review is the caller's own: theirs by name, or given to a group or a department that they are in.
func (b *belonging) has(i domain.ReviewItem) bool {
	switch {
	case !i.User.IsZero():
		return b.env.Self(i.User)
	case !i.Group.IsZero():
		return b.groups.has(i.Group)
	}
	return b.departments.has(i.Department)
}

// takingBack is the end of items of one review: of assignments, or of memberships in one group. It is judged as unassign-role and
// remove-group-member are.
type takingBack struct {
	env     Env
	items   []domain.ReviewItem
	given   map[uuid.UUID]*dcb.Fact[domain.Assignment]
	admins  *administrators
	members *dcb.Fact[domain.Members] // nil where assignments are under review
	owned   *dcb.Fact[domain.Policy]
	left    *leaving[domain.GroupID, domain.Group]
	gone    map[uuid.UUID]bool // what it has taken back
}

func (env Env) takingBack(items ...domain.ReviewItem) *takingBack {
	return &takingBack{
		env: env, items: items, given: map[uuid.UUID]*dcb.Fact[domain.Assignment]{}, admins: env.administrators(),
		owned: domain.PolicyOf(env.Tenant, domain.GroupOwned), left: env.leavingGroup(), gone: map[uuid.UUID]bool{},
	}
}

// liftingNothing keeps those whom a deny of the group holds back: where nobody decides, nobody has shown that they may lift it.
func (b *takingBack) liftingNothing() *takingBack {
	env := b.env
	env.Rights = powerless{}
	b.left = env.leavingGroup()
	return b
}

func (b *takingBack) facts() []dcb.AnyFact {
	facts := append(b.admins.facts(), b.owned)
	for _, i := range b.items {
		switch {
		case !i.Role.IsZero():
			b.given[i.Item] = domain.AssignmentOf(domain.AssignmentID{UUID: i.Item})
			facts = append(facts, b.given[i.Item])
		case b.members == nil:
			b.members = domain.MembersOf(i.Group)
			facts = append(append(facts, b.members), b.left.start(i.Group)...)
		}
	}
	return facts
}

func (b *takingBack) next() []dcb.AnyFact { return append(b.admins.next(), b.left.next()...) }

// member is the membership that an item stands for, nobody's if it has ended.
func (b *takingBack) member(i domain.ReviewItem) domain.Membership {
	if m := b.members.Value[i.User]; m.ID.UUID == i.Item {
		return m
	}
	return domain.Membership{}
}

// ended reports whether an item has ended without the review.
func (b *takingBack) ended(i domain.ReviewItem) bool {
	if i.Role.IsZero() {
		return !b.member(i).Exists()
	}
	a := b.given[i.Item].Value
	return a.Ended || a.Window.Over(b.env.Now)
}

// refusal is what forbids that an item is taken back, nil if nothing does.
func (b *takingBack) refusal(i domain.ReviewItem) error {
	if !i.Role.IsZero() {
		if b.admins.last(func(a domain.Assignment) bool { return a.ID.UUID == i.Item || b.gone[a.ID.UUID] }) {
			return domain.ErrLastAdmin
		}
		return nil
	}
	m := b.member(i)
	switch {
	case b.owned.Value.IsTrue() && m.Role == domain.Owner && b.owners() == 1:
		return domain.ErrLastOwner
	case m.Role != domain.Member && !b.env.names(m.Group):
		return domain.ErrMayNotGive
	}
	return b.left.refusal(nil)
}

func (b *takingBack) owners() int {
	n := 0
	for _, m := range b.members.Value {
		if m.Role == domain.Owner && !b.gone[m.ID.UUID] {
			n++
		}
	}
	return n
}

// events take an item back.
func (b *takingBack) events(i domain.ReviewItem, reason string) []dcb.Event {
	b.gone[i.Item] = true
	if i.Role.IsZero() {
		return b.env.removed(b.member(i), domain.OutsideRemoved)
	}
	return []dcb.Event{domain.RoleUnassigned{
		Assignment: domain.AssignmentID{UUID: i.Item}, Role: i.Role, User: i.User, Department: i.Department, Group: i.Group, Reason: reason,
	}}
}
