package access

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
)

// grants are the rights of one user, compiled from memberships, assignments, overrides and roles. They hold every
// window as it is and no instant, so they are as good for yesterday as for tomorrow; they end with their generations.
// They are never changed once stored.
type grants struct {
	homeGen, rootGen uint64

	wide   []held                  // on the whole tenant
	places *places                 // of privileges in wide, where it is long; nil where it is not
	scoped map[domain.Scope][]held // on one resource
	denies rules
	allows rules

	visiting bool // they are those of a guest, who is in one of the tenant's groups

	duties atomic.Pointer[duties] // see constraints.go
}

// places say which sets may have a privilege, so that one among a thousand is not looked for in all.
type places struct {
	exact map[domain.Privilege][]int32 // those that name it
	broad []int32                      // those with patterns
}

// long is from how many sets on places are worth their making.
const long = 16

func placesIn(wide []held) *places {
	if len(wide) < long {
		return nil
	}
	at := &places{exact: map[domain.Privilege][]int32{}}
	for i := range wide {
		n := int32(i)
		for p := range wide[i].set.exact {
			at.exact[p] = append(at.exact[p], n)
		}
		if wide[i].set.everything || len(wide[i].set.wild) > 0 {
			at.broad = append(at.broad, n)
		}
	}
	return at
}

// held is a set of privileges, given at least once.
type held struct {
	set     *roleSet
	always  bool
	windows []domain.Window // where not always
}

func (h *held) live(at time.Time) bool {
	if h.always {
		return true
	}
	for _, w := range h.windows {
		if w.Contains(at) {
			return true
		}
	}
	return false
}

// over reports whether no window is open or still to come.
func (h *held) over(at time.Time) bool {
	if h.always {
		return false
	}
	for _, w := range h.windows {
		if w.Until.IsZero() || at.Before(w.Until) {
			return false
		}
	}
	return true
}

// rules are overrides of one effect.
type rules struct {
	wide   []*override
	scoped map[domain.Scope][]*override
}

func (r *rules) add(o *override) {
	if o.scope == "" {
		r.wide = append(r.wide, o)
		return
	}
	if r.scoped == nil {
		r.scoped = map[domain.Scope][]*override{}
	}
	r.scoped[o.scope] = append(r.scoped[o.scope], o)
}

// roleSet is what a role gives with all that it inherits.
type roleSet struct {
	homeGen, rootGen uint64
	everything       bool
	exact            map[domain.Privilege]struct{}
	wild             []domain.Pattern
	roles            []domain.RoleID // the role and all that it inherits from, sorted; none where no role gives it
}

func setOf(ps ...domain.Privilege) *roleSet {
	s := &roleSet{exact: map[domain.Privilege]struct{}{}}
	for _, p := range ps {
		s.add(domain.Pattern(p))
	}
	return s
}

func (s *roleSet) add(p domain.Pattern) {
	switch {
	case p == domain.Everything:
		s.everything = true
	case p.Wild():
		s.wild = append(s.wild, p)
	default:
		s.exact[domain.Privilege(p)] = struct{}{}
	}
}

// has reports whether all of p is in the set. No two patterns cover together what neither covers alone, save by
// listing every privilege that a third one could ever mean.
func (s *roleSet) has(p domain.Pattern) bool {
	if s.everything {
		return true
	}
	if _, ok := s.exact[domain.Privilege(p)]; ok {
		return true
	}
	for _, w := range s.wild {
		if w.Covers(p) {
			return true
		}
	}
	return false
}

func (s *roleSet) each(yield func(domain.Pattern) bool) {
	if s.everything && !yield(domain.Everything) {
		return
	}
	for p := range s.exact {
		if !yield(domain.Pattern(p)) {
			return
		}
	}
	for _, p := range s.wild {
		if !yield(p) {
			return
		}
	}
}

// grantsOf is the compiled form of u's rights. Readers may compile the same thing twice at once; the state that they
// compile cannot move while they hold the lock.
func (x *Index) grantsOf(u *user) *grants {
	g := u.compiled.Load()
	if g != nil && g.homeGen == u.home.gen && g.rootGen == x.root.roleGen {
		return g
	}
	g = x.compile(u.home, u.home.reach(u)...)
	for _, m := range u.home.members[u.id] {
		if set := x.implied[m.role]; set != nil && u.home.stands(u.home.groups, m.group.UUID) {
			g.give(domain.Scope("group:"+m.group.String()), set, domain.Window{})
		}
	}
	g.places = placesIn(g.wide)
	u.compiled.Store(g)
	return g
}

func (x *Index) compile(t *tenant, to ...subject) *grants {
	g := &grants{homeGen: t.gen, rootGen: x.root.roleGen}
	for _, s := range to {
		for _, a := range t.given[s] {
			if r := x.role(t, a.role); r != nil {
				g.give(a.scope, x.closureOf(r), a.window)
			}
		}
		for _, o := range t.ruled[s] {
			if o.effect == domain.Deny {
				g.denies.add(o)
			} else {
				g.allows.add(o)
			}
		}
	}
	return g
}

func (g *grants) give(on domain.Scope, set *roleSet, w domain.Window) {
	list := g.wide
	if on != "" {
		list = g.scoped[on]
	}
	i := 0
	for i < len(list) && list[i].set != set {
		i++
	}
	if i == len(list) {
		list = append(list, held{set: set})
	}
	if w == (domain.Window{}) {
		list[i].always = true
	} else {
		list[i].windows = append(list[i].windows, w)
	}
	if on == "" {
		g.wide = list
		return
	}
	if g.scoped == nil {
		g.scoped = map[domain.Scope][]held{}
	}
	g.scoped[on] = list
}

// reach is everything in t that a right may be given to so that u has it.
func (t *tenant) reach(u *user) []subject {
	out := []subject{{kind: toEveryone}, {toUser, u.id.UUID}}
	out = t.climb(out, toDepartment, u.department.UUID)
	for _, m := range t.members[u.id] {
		out = t.climb(out, toGroup, m.group.UUID)
	}
	return out
}

// climb adds a department or group and all above it. A deleted or unknown one ends the chain, as does one seen before,
// so a circle ends too.
func (t *tenant) climb(out []subject, kind subjectKind, id uuid.UUID) []subject {
	trees := t.trees(kind)
	for {
		n := trees[id]
		if n == nil || n.gone {
			return out
		}
		if slices.Contains(out, subject{kind, id}) {
			return out
		}
		out = append(out, subject{kind, id})
		id = n.parent
	}
}

func (t *tenant) trees(kind subjectKind) map[uuid.UUID]*node {
	if kind == toDepartment {
		return t.departments
	}
	return t.groups
}

func (t *tenant) stands(trees map[uuid.UUID]*node, id uuid.UUID) bool {
	n := trees[id]
	return n != nil && !n.gone
}

// role is a role as t may use it: one of root, or its own. An id of root means root's role, whatever t calls so.
func (x *Index) role(t *tenant, id domain.RoleID) *role {
	r := x.root.roles[id]
	if r == nil {
		r = t.roles[id]
	}
	if r == nil || r.gone {
		return nil
	}
	return r
}

func (x *Index) closureOf(r *role) *roleSet {
	s := r.closure.Load()
	if s != nil && s.homeGen == r.home.roleGen && s.rootGen == x.root.roleGen {
		return s
	}
	s = setOf()
	s.homeGen, s.rootGen = r.home.roleGen, x.root.roleGen
	seen := map[*role]bool{r: true}
	for open := []*role{r}; len(open) > 0; {
		next := open[len(open)-1]
		open = open[:len(open)-1]
		s.roles = append(s.roles, next.id)
		for p := range next.privileges {
			s.add(p)
		}
		for id := range next.parents {
			if parent := x.role(next.home, id); parent != nil && !seen[parent] {
				seen[parent] = true
				open = append(open, parent)
			}
		}
	}
	slices.SortFunc(s.roles, compareRoles)
	r.closure.Store(s)
	return s
}

// wellFormed is what domain.Privilege.Check accepts, without its diagnosis. A pattern is not.
func wellFormed(p domain.Privilege) bool { //nolint:cyclop // in the way of every decision: one pass, no calls
	words, length := 1, 0
	for i := range len(p) {
		switch c := p[i]; {
		case c == '.' && length > 0:
			words, length = words+1, 0
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || length > 0 && length < 63 && (c == '-' || c == '_'):
			if length++; length > 63 {
				return false
			}
		default:
			return false
		}
	}
	return length > 0 && words >= 2 && words <= 6
}
