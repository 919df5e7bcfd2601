package access

import (
	"slices"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

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
