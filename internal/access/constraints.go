package access

import (
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// constraint is one that stands in a tenant. It is judged on what users have by assignments, wherever it holds, and not on what
// is left of that once others have been suspended: so the order of constraints does not matter.
type constraint struct {
	domain.ConstraintCreated
	madeAt  int64
	holders atomic.Pointer[holders] // of a cardinality
}

// roleMask is some of a constraint's roles, by their places in its list.
type roleMask uint32

func (m roleMask) count() int { return bits.OnesCount32(uint32(m)) }

func (t *tenant) foldConstraint(event dcb.Event, at int64) {
	switch e := event.(type) {
	case domain.ConstraintCreated:
		if _, known := t.constrained[e.Constraint]; !known {
			t.constrained[e.Constraint] = struct{}{}
			t.constraints = append(t.constraints, &constraint{ConstraintCreated: e, madeAt: at})
		}
	case domain.ConstraintRemoved:
		t.constraints = slices.DeleteFunc(t.constraints, func(c *constraint) bool { return c.Constraint == e.Constraint })
	}
	t.gen++
}

// within is which of the constraint's roles a set gives.
func (c *constraint) within(s *roleSet) (m roleMask) {
	for i, r := range c.Roles {
		if s.from(r) {
			m |= 1 << i
		}
	}
	return m
}

// suspended reports whether a constraint of t keeps p, which a set gives, from actor: they use the rights of holder there, which
// are their own, or those of another one under a delegation.
func (x *Index) suspended(actor, holder *user, t *tenant, s *roleSet, p domain.Pattern, at time.Time) bool {
	if len(t.constraints) == 0 || len(s.roles) == 0 {
		return false
	}
	q := question{compiled{x, t}, actor, holder, p, at}
	for _, c := range t.constraints {
		if m := c.within(s); m != 0 && q.keeps(c, m) != "" {
			return true
		}
	}
	return false
}

// suspendedAllow is the same of what an allow gives.
func (x *Index) suspendedAllow(actor, holder *user, t *tenant, o *override, p domain.Pattern, at time.Time) bool {
	if len(t.constraints) == 0 {
		return false
	}
	q := question{compiled{x, t}, actor, holder, p, at}
	for _, c := range t.constraints {
		if q.keepsAllow(c, o) != "" {
			return true
		}
	}
	return false
}

// question is whether constraints keep something from actor that holder has.
type question struct {
	by            sight
	actor, holder *user
	p             domain.Pattern
	at            time.Time
}

// sight is what a question is answered by: what was compiled or, to explain, the facts.
type sight interface {
	having(u *user) having
	holding(c *constraint) []standing
	set(id domain.RoleID) *roleSet
	tenant() *tenant
}

// having is what somebody has of the roles of constraints.
type having interface {
	has(c *constraint, id domain.RoleID, at time.Time) bool
	held(c *constraint, at time.Time) roleMask
	allowed(c *constraint, at time.Time) []piece // what allows give of them
}

// keeps tells why a constraint keeps back what some of its roles give, empty if it does not.
func (q *question) keeps(c *constraint, m roleMask) string {
	theirs := q.by.having(q.holder)
	switch c.Kind {
	case domain.Exclusive:
		if theirs.held(c, q.at).count() > c.Most {
			return "the roles exclude one another"
		}
	case domain.Cardinality:
		if !q.first(c) {
			return "others had the role before, as many as may have it"
		}
	case domain.Prerequisite:
		if !theirs.has(c, c.Requires, q.at) {
			return "the role that it needs is not there"
		}
	}
	if q.actor != q.holder {
		return q.keepsFrom(c, q.exercised(c, m))
	}
	return ""
}

// exercised are those of a constraint's roles whose power somebody uses who does p by them.
func (q *question) exercised(c *constraint, m roleMask) (used roleMask) {
	for i, id := range c.Roles {
		if m&(1<<i) == 0 {
			continue
		}
		if s := q.by.set(id); s != nil && s.has(q.p) {
			used |= 1 << i
		}
	}
	return used
}

// keepsFrom tells why a delegate may not use such roles of somebody else. What the delegate has stays: nobody takes a right from
// another one by delegating theirs.
func (q *question) keepsFrom(c *constraint, used roleMask) string {
	if used == 0 {
		return ""
	}
	own := q.by.having(q.actor)
	switch c.Kind {
	case domain.Exclusive:
		if needed(c, own.held(c, q.at)|used, own.allowed(c, q.at)) > c.Most {
			return "it and what the delegate has exclude one another"
		}
	case domain.Prerequisite:
		if !own.has(c, c.Requires, q.at) {
			return "the delegate has not the role that it needs"
		}
	case domain.Cardinality: // counts those who have the role
	}
	return ""
}

// keepsAllow tells why a constraint keeps back what an allow gives, empty if it does not.
func (q *question) keepsAllow(c *constraint, o *override) string {
	if c.Kind != domain.Exclusive {
		return ""
	}
	theirs := q.by.having(q.holder)
	all := theirs.allowed(c, q.at)
	of := slices.DeleteFunc(slices.Clone(all), func(m piece) bool { return m.o != o })
	if had := theirs.held(c, q.at); beyond(had, of) && needed(c, had, all) > c.Most {
		return "it and a role exclude one another"
	}
	if q.actor == q.holder {
		return ""
	}
	own := q.by.having(q.actor)
	of = slices.DeleteFunc(of, func(m piece) bool { return !m.pattern.Meets(q.p) })
	if had := own.held(c, q.at); beyond(had, of) && needed(c, had, append(of, own.allowed(c, q.at)...)) > c.Most {
		return "it and what the delegate has exclude one another"
	}
	return ""
}

// piece is what an allow gives of a constraint's roles: a pattern, and those of the roles that give it.
type piece struct {
	o       *override
	pattern domain.Pattern
	by      roleMask
}

// piecesOf are those of an allow, as far as the platform lets it allow anything.
func piecesOf(c *constraint, allowable []domain.Pattern, o *override, set func(domain.RoleID) *roleSet) []piece {
	var pieces []piece
	for _, permitted := range allowable {
		if !permitted.Meets(o.pattern) {
			continue
		}
		allowed := permitted.Narrower(o.pattern)
		for _, id := range c.Roles {
			s := set(id)
			if s == nil {
				continue
			}
			for p := range s.each {
				if p.Meets(allowed) {
					pieces = addPiece(pieces, c, o, p.Narrower(allowed), set)
				}
			}
		}
	}
	return pieces
}

func addPiece(pieces []piece, c *constraint, o *override, p domain.Pattern, set func(domain.RoleID) *roleSet) []piece {
	if slices.ContainsFunc(pieces, func(m piece) bool { return m.pattern == p }) {
		return pieces
	}
	m := piece{o, p, 0}
	for i, id := range c.Roles {
		if s := set(id); s != nil && s.has(p) {
			m.by |= 1 << i
		}
	}
	return append(pieces, m)
}

// beyond reports whether some of the pieces is given by none of the roles.
func beyond(had roleMask, pieces []piece) bool {
	return slices.ContainsFunc(pieces, func(m piece) bool { return m.by&had == 0 })
}

// needed is the least number of the constraint's roles, those had among them, that explain all of the pieces.
func needed(c *constraint, had roleMask, pieces []piece) int {
	if !beyond(had, pieces) {
		return had.count()
	}
	least := len(c.Roles)
	for more := range roleMask(1) << len(c.Roles) {
		if n := (had | more).count(); n < least && !beyond(had|more, pieces) {
			least = n
		}
	}
	return least
}
