package access

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// scene is a tenant as the index knows it, or as it would be after some further events: who has which roles is worked out from
// the facts, and nothing is memoised beyond the scene. What a map lacks is as the index has it. Of the platform, and of other
// tenants, it is what the index knows.
type scene struct {
	x *Index
	t *tenant

	users       map[domain.UserID]*user
	nodes       map[subject]*node
	members     map[domain.UserID][]*member
	roles       map[domain.RoleID]*role
	given       map[subject][]*assignment
	ruled       map[subject][]*override
	constraints []*constraint

	heirlooms map[domain.RoleID]map[domain.RoleID]int64
	sets      map[domain.RoleID]*roleSet
}

func (x *Index) sceneOf(t *tenant) *scene {
	return &scene{
		x: x, t: t, constraints: slices.Clone(t.constraints),
		users: map[domain.UserID]*user{}, nodes: map[subject]*node{}, members: map[domain.UserID][]*member{},
		roles: map[domain.RoleID]*role{}, given: map[subject][]*assignment{}, ruled: map[subject][]*override{},
		heirlooms: map[domain.RoleID]map[domain.RoleID]int64{}, sets: map[domain.RoleID]*roleSet{},
	}
}

// latest stands for a position after all that there are.
const latest = int64(1) << 62

// record adds an event of the tenant, as far as it bears on who has which roles.
func (s *scene) record(event dcb.Event) { //nolint:cyclop // one case for each kind of event
	switch e := event.(type) {
	case domain.UserRegistered:
		if s.user(e.User) == nil {
			s.users[e.User] = &user{
				id: e.User, home: s.t, status: e.Status, statusAt: latest, presentAt: latest, department: e.Department, departmentAt: latest,
			}
		}
	case domain.UserMoved:
		s.changeUser(e.User, func(u *user) { u.department, u.departmentAt = e.Department, latest })
	case domain.UserDeactivated:
		s.changeUser(e.User, func(u *user) { u.status = domain.UserInactive })
	case domain.UserReactivated:
		s.changeUser(e.User, func(u *user) {
			if u.status == domain.UserInactive {
				u.presentAt = latest
			}
			u.status = domain.UserActive
		})
	case domain.UserErased:
		s.changeUser(e.User, func(u *user) { u.status = domain.UserGone })

	case domain.DepartmentCreated:
		s.plant(subject{toDepartment, e.Department.UUID}, e.Parent.UUID)
	case domain.DepartmentMoved:
		s.changeNode(subject{toDepartment, e.Department.UUID}, func(n *node) { n.parent, n.placedAt = e.Parent.UUID, latest })
	case domain.DepartmentDeleted:
		s.changeNode(subject{toDepartment, e.Department.UUID}, func(n *node) { n.gone = true })
	case domain.GroupCreated:
		s.plant(subject{toGroup, e.Group.UUID}, e.Parent.UUID)
	case domain.GroupMoved:
		s.changeNode(subject{toGroup, e.Group.UUID}, func(n *node) { n.parent, n.placedAt = e.Parent.UUID, latest })
	case domain.GroupDeleted:
		s.changeNode(subject{toGroup, e.Group.UUID}, func(n *node) { n.gone = true })
	case domain.MemberAdded:
		if in := s.membersOf(e.User); !slices.ContainsFunc(in, func(m *member) bool { return m.group == e.Group }) {
			s.members[e.User] = append(slices.Clone(in), &member{id: e.Membership, group: e.Group, home: e.Home.Tenant(), role: e.Role, madeAt: latest})
		}
	case domain.MemberRemoved:
		s.members[e.User] = slices.DeleteFunc(slices.Clone(s.membersOf(e.User)), func(m *member) bool { return m.group == e.Group })

	case domain.RoleAssigned:
		for _, to := range subjects(e.User, e.Department, e.Group) {
			s.given[to] = append(slices.Clone(s.givenTo(to)),
				&assignment{id: e.Assignment, role: e.Role, to: to, scope: e.Scope, window: e.Window, madeAt: latest})
		}
	case domain.RoleUnassigned:
		for _, to := range subjects(e.User, e.Department, e.Group) {
			s.given[to] = slices.DeleteFunc(slices.Clone(s.givenTo(to)), func(a *assignment) bool { return a.id == e.Assignment })
		}
	case domain.OverrideAdded:
		for _, to := range orEveryone(subjects(e.User, e.Department, e.Group)) {
			s.ruled[to] = append(slices.Clone(s.ruledTo(to)),
				&override{id: e.Override, effect: e.Effect, pattern: e.Privilege, scope: e.Scope, window: domain.Window{Until: e.ExpiresAt}, madeAt: latest})
		}
	case domain.OverrideRevoked:
		for _, to := range orEveryone(subjects(e.User, e.Department, e.Group)) {
			s.ruled[to] = slices.DeleteFunc(slices.Clone(s.ruledTo(to)), func(o *override) bool { return o.id == e.Override })
		}

	case domain.ConstraintCreated:
		s.constraints = append(s.constraints, &constraint{ConstraintCreated: e, madeAt: latest})
	case domain.ConstraintRemoved:
		s.constraints = slices.DeleteFunc(s.constraints, func(c *constraint) bool { return c.Constraint == e.Constraint })
	default:
		s.recordRole(event)
	}
}

func (s *scene) recordRole(event dcb.Event) {
	change := func(id domain.RoleID, fn func(r *role)) {
		was := s.t.roles[id]
		if r, changed := s.roles[id]; changed {
			was = r
		}
		if was == nil {
			return
		}
		s.roles[id] = &role{id: id, home: s.t, gone: was.gone, privileges: maps.Clone(was.privileges), parents: maps.Clone(was.parents)}
		fn(s.roles[id])
		clear(s.heirlooms)
		clear(s.sets)
	}
	switch e := event.(type) {
	case domain.RoleCreated:
		s.roles[e.Role] = &role{id: e.Role, home: s.t, privileges: map[domain.Pattern]int64{}, parents: map[domain.RoleID]int64{}}
	case domain.RoleDeleted:
		change(e.Role, func(r *role) { r.gone = true })
	case domain.RolePrivilegeAdded:
		change(e.Role, func(r *role) { r.privileges[e.Privilege] = latest })
	case domain.RolePrivilegeRemoved:
		change(e.Role, func(r *role) { delete(r.privileges, e.Privilege) })
	case domain.RoleParentAdded:
		change(e.Role, func(r *role) { r.parents[e.Parent] = latest })
	case domain.RoleParentRemoved:
		change(e.Role, func(r *role) { delete(r.parents, e.Parent) })
	}
}

func (s *scene) changeUser(id domain.UserID, fn func(u *user)) {
	if u := s.user(id); u != nil && u.home == s.t && u.status != domain.UserGone {
		s.users[id] = &user{
			id: id, home: u.home, status: u.status, presentAt: u.presentAt, department: u.department, departmentAt: u.departmentAt,
		}
		fn(s.users[id])
	}
}

func (s *scene) plant(at subject, parent uuid.UUID) {
	if s.node(at) == nil {
		s.nodes[at] = &node{parent: parent, placedAt: latest}
	}
}

func (s *scene) changeNode(at subject, fn func(n *node)) {
	if n := s.node(at); n != nil {
		n = &node{n.parent, n.placedAt, n.gone}
		fn(n)
		s.nodes[at] = n
	}
}

func orEveryone(to []subject) []subject {
	if len(to) == 0 {
		return []subject{{kind: toEveryone}}
	}
	return to
}

func (s *scene) user(id domain.UserID) *user {
	if u, changed := s.users[id]; changed {
		return u
	}
	return s.x.users[id]
}

func (s *scene) node(at subject) *node {
	if n, changed := s.nodes[at]; changed {
		return n
	}
	return s.t.trees(at.kind)[at.id]
}

func (s *scene) membersOf(u domain.UserID) []*member {
	if ms, changed := s.members[u]; changed {
		return ms
	}
	return s.t.members[u]
}

func (s *scene) givenTo(to subject) []*assignment {
	if as, changed := s.given[to]; changed {
		return as
	}
	return s.t.given[to]
}

func (s *scene) ruledTo(to subject) []*override {
	if os, changed := s.ruled[to]; changed {
		return os
	}
	return s.t.ruled[to]
}

// role is a role as one of home may inherit from it, or have it; as Index.role.
func (s *scene) role(home *tenant, id domain.RoleID) *role {
	r := s.x.root.roles[id]
	if changed := s.roles[id]; home == s.t && changed != nil && (r == nil || s.t == s.x.root) {
		r = changed
	}
	if r == nil {
		r = home.roles[id]
	}
	if r == nil || r.gone {
		return nil
	}
	return r
}

// inherited are a role and all that it inherits from, and since when: of several ways to the same one, the oldest.
func (s *scene) inherited(id domain.RoleID) map[domain.RoleID]int64 {
	if known, ok := s.heirlooms[id]; ok {
		return known
	}
	since := map[domain.RoleID]int64{}
	var open []*role
	if r := s.role(s.t, id); r != nil {
		since[id], open = 0, []*role{r}
	}
	for len(open) > 0 {
		r := open[len(open)-1]
		open = open[:len(open)-1]
		for parent, at := range r.parents {
			p := s.role(r.home, parent)
			if p == nil {
				continue
			}
			at = max(at, since[r.id])
			if old, known := since[parent]; !known || at < old {
				since[parent], open = at, append(open, p)
			}
		}
	}
	s.heirlooms[id] = since
	return since
}

// set is what a role gives with all that it inherits; nil if there is no such role.
func (s *scene) set(id domain.RoleID) *roleSet {
	if known, ok := s.sets[id]; ok {
		return known
	}
	var set *roleSet
	for r := range s.inherited(id) {
		if set == nil {
			set = setOf()
		}
		for p := range s.roleAnywhere(r).privileges {
			set.add(p)
		}
	}
	s.sets[id] = set
	return set
}

func (s *scene) roleAnywhere(id domain.RoleID) *role {
	if r := s.role(s.t, id); r != nil {
		return r
	}
	return s.role(s.x.root, id)
}
