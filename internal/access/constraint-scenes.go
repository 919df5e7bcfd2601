package access

import (
	"maps"
	"slices"
	"time"

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

func (s *scene) tenant() *tenant { return s.t }

func (s *scene) holding(c *constraint) []standing { return s.holders(c) }

// having is what somebody has of the roles of any constraint.
func (s *scene) having(u *user) having { return factual{s, u} }

type factual struct {
	s *scene
	u *user
}

func (f factual) standing(c *constraint) standing {
	if !f.s.t.counts(f.u) {
		return standing{c: c, u: f.u}
	}
	return f.s.standing(c, f.u)
}

func (f factual) has(c *constraint, id domain.RoleID, at time.Time) bool {
	return f.standing(c).has(id, at)
}
func (f factual) held(c *constraint, at time.Time) roleMask   { return f.standing(c).held(at) }
func (f factual) allowed(c *constraint, at time.Time) []piece { return f.standing(c).allowed(at) }

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

// reach is something that a right may be given to so that somebody has it, and since when it does.
type reach struct {
	to    subject
	since int64
}

// reaches are all that reach a user, where they are present: for a guest the groups alone.
func (s *scene) reaches(u *user) []reach {
	var out []reach
	if u.home == s.t {
		out = []reach{{to: subject{kind: toEveryone}}, {to: subject{toUser, u.id.UUID}}}
		out = s.climb(out, subject{toDepartment, u.department.UUID}, u.departmentAt)
	}
	for _, m := range s.membersOf(u.id) {
		if u.home == s.t || m.home == u.home.id {
			out = s.climb(out, subject{toGroup, m.group.UUID}, m.madeAt)
		}
	}
	return out
}

// climb adds a place and all above it. One met before ends it, unless this way to it is older.
func (s *scene) climb(out []reach, at subject, since int64) []reach {
	for {
		n := s.node(at)
		if n == nil || n.gone {
			return out
		}
		since = max(since, n.placedAt)
		i := slices.IndexFunc(out, func(r reach) bool { return r.to == at })
		switch {
		case i < 0:
			out = append(out, reach{at, since})
		case out[i].since <= since:
			return out
		default:
			out[i].since = since
		}
		at.id = n.parent
	}
}

// counts reports whether somebody has what reaches them in a tenant: a user of it who may act, now or once they follow their
// invitation; a guest who may act there.
func (t *tenant) counts(u *user) bool {
	switch {
	case u == nil:
		return false
	case u.home == t:
		return u.status == domain.UserActive || u.status == domain.UserInvited
	}
	return u.active() && t.status == domain.TenantActive && t.says(domain.OutsideMembers) && u.home.says(domain.JoinOutside)
}

// way is how somebody comes to have a role.
type way struct {
	role  domain.RoleID
	of    *assignment
	since int64
}

// ways are those to roles that are wanted.
func (s *scene) ways(u *user, wanted func(domain.RoleID) bool) []way {
	var out []way
	for _, r := range s.reaches(u) {
		for _, a := range s.givenTo(r.to) {
			for id, since := range s.inherited(a.role) {
				if wanted(id) {
					out = append(out, way{id, a, max(r.since, a.madeAt, since)})
				}
			}
		}
	}
	return out
}

// allows are the allows for somebody.
func (s *scene) allows(u *user) []*override {
	var out []*override
	for _, r := range s.reaches(u) {
		for _, o := range s.ruledTo(r.to) {
			if o.effect == domain.Allow && !slices.Contains(out, o) {
				out = append(out, o)
			}
		}
	}
	return out
}

// standing is what a user has to do with one constraint, where they count.
type standing struct {
	c      *constraint
	u      *user
	ways   []way
	pieces []piece
}

func (s *scene) standing(c *constraint, u *user) standing {
	st := standing{c: c, u: u, ways: s.ways(u, func(id domain.RoleID) bool { return id == c.Requires || c.Names(id) })}
	if c.Kind == domain.Exclusive {
		for _, o := range s.allows(u) {
			st.pieces = append(st.pieces, piecesOf(c, s.x.allowable, o, s.set)...)
		}
	}
	return st
}

func (st standing) has(id domain.RoleID, at time.Time) bool {
	return slices.ContainsFunc(st.ways, func(w way) bool { return w.role == id && w.of.window.Contains(at) })
}

func (st standing) held(at time.Time) (m roleMask) {
	for i, id := range st.c.Roles {
		if st.has(id, at) {
			m |= 1 << i
		}
	}
	return m
}

func (st standing) allowed(at time.Time) []piece {
	return slices.DeleteFunc(slices.Clone(st.pieces), func(m piece) bool { return !m.o.window.Contains(at) })
}

// since is when the user came to have the constraint's role, if they have it at that time: by the newest event on the oldest way
// to it.
func (st standing) since(at time.Time) (first int64, has bool) {
	for _, w := range st.ways {
		if w.role == st.c.Roles[0] && w.of.window.Contains(at) && (!has || w.since < first) {
			first, has = w.since, true
		}
	}
	return max(first, st.u.presentAt), has
}

// excess is how much of what the constraint forbids a user has at that time.
func (st standing) excess(at time.Time) int {
	switch st.c.Kind {
	case domain.Exclusive:
		return max(0, needed(st.c, st.held(at), st.allowed(at))-st.c.Most)
	case domain.Prerequisite:
		if !st.has(st.c.Requires, at) {
			return st.held(at).count()
		}
	case domain.Cardinality:
	}
	return 0
}

// below are all users to whom some of the roles are given, or roles that inherit from them, present or not. Watch, if any, is told
// of the roles, departments and groups on the way.
func (s *scene) below(roles []domain.RoleID, watch func(dcb.Tagger)) []*user {
	leads := func(id domain.RoleID) bool {
		up := s.inherited(id)
		return slices.ContainsFunc(roles, func(r domain.RoleID) bool { _, has := up[r]; return has })
	}
	if watch != nil {
		for _, known := range []map[domain.RoleID]*role{s.x.root.roles, s.t.roles, s.roles} {
			for id := range known {
				if leads(id) {
					watch(id)
				}
			}
		}
	}
	var to []subject
	for at := range keys(s.t.given, s.given) {
		if slices.ContainsFunc(s.givenTo(at), func(a *assignment) bool { return leads(a.role) }) {
			to = append(to, at)
		}
	}
	return s.within(to, watch)
}

// allowed are all users for whom there is an allow.
func (s *scene) allowed() []*user {
	var to []subject
	for at := range keys(s.t.ruled, s.ruled) {
		if slices.ContainsFunc(s.ruledTo(at), func(o *override) bool { return o.effect == domain.Allow }) {
			to = append(to, at)
		}
	}
	return s.within(to, nil)
}

// within are all users whom something given to one of these reaches, present or not.
func (s *scene) within(to []subject, watch func(dcb.Tagger)) []*user {
	places, named := map[subject]bool{}, map[domain.UserID]bool{}
	for _, at := range to {
		if at.kind == toUser {
			named[domain.UserID{UUID: at.id}] = true
		} else {
			places[at] = true
		}
	}
	if len(places) > 0 {
		s.spread(places, toDepartment, watch)
		s.spread(places, toGroup, watch)
		for u := range s.everybody() {
			if !named[u.id] && slices.ContainsFunc(s.reaches(u), func(r reach) bool { return places[r.to] }) {
				named[u.id] = true
			}
		}
	}
	out := make([]*user, 0, len(named))
	for id := range named {
		if u := s.user(id); u != nil {
			out = append(out, u)
		}
	}
	return out
}

// spread adds the places below to those of one kind.
func (s *scene) spread(places map[subject]bool, kind subjectKind, watch func(dcb.Tagger)) {
	of := map[subject]bool{}
	for at := range places {
		if at.kind == kind {
			of[at] = true
		}
	}
	if len(of) == 0 {
		return
	}
	known := map[subject]bool{}
	for id := range s.t.trees(kind) {
		known[subject{kind, id}] = true
	}
	for at := range s.nodes {
		known[at] = at.kind == kind
	}
	for at, is := range known {
		if is && slices.ContainsFunc(s.climb(nil, at, 0), func(r reach) bool { return of[r.to] }) {
			places[at] = true
			if watch != nil {
				watch(at.tagger())
			}
		}
	}
}

// everybody are the users of the tenant, and the guests in its groups.
func (s *scene) everybody() map[*user]struct{} {
	all := map[*user]struct{}{}
	for _, id := range s.t.users {
		all[s.user(id)] = struct{}{}
	}
	for id := range s.users {
		all[s.user(id)] = struct{}{}
	}
	for id := range keys(s.t.members, s.members) {
		if u := s.user(id); u != nil {
			all[u] = struct{}{}
		}
	}
	return all
}

// keys are those of both maps.
func keys[K comparable, V any](a, b map[K]V) map[K]struct{} {
	all := make(map[K]struct{}, len(a)+len(b))
	for k := range a {
		all[k] = struct{}{}
	}
	for k := range b {
		all[k] = struct{}{}
	}
	return all
}
