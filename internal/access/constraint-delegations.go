package access

import (
	"slices"
	"time"

	"chancery/domain"
)

// offered is a delegation as it would be, once it is accepted; nil if nothing could come of it.
func (x *Index) offered(t *tenant, e domain.DelegationGranted) *delegation {
	d := x.offer(t, e)
	if d.chain == nil {
		return nil
	}
	if from, to := x.who(&d.chain[0].grantor), x.who(&d.delegate); from == nil || to == nil || from.home != t {
		return nil
	}
	return d
}

// lends tells whether a delegation lets its delegate use what the constraint is about, and whether that breaks the constraint
// together with what the delegate has, and with what others delegate to them.
func (j *judging) lends(c *constraint, d *delegation) (concerned, breaks bool) {
	x := j.is.x
	holder, delegate := x.who(&d.chain[0].grantor), x.who(&d.delegate)
	theirs, own := j.is.standing(c, holder), standing{c: c}
	if j.is.t.counts(delegate) {
		own = j.is.standing(c, delegate)
	}
	from := j.at
	if d.window.From.After(from) {
		from = d.window.From
	}
	for _, at := range instants(from, theirs, own) {
		used, pieces := j.lent(c, d, theirs, at)
		if !d.window.Contains(at) || used == 0 && len(pieces) == 0 {
			continue
		}
		concerned = true
		had := own.held(at)
		switch c.Kind {
		case domain.Exclusive:
			had |= j.lentByOthers(c, d, delegate.id, at)
			conflicts := used != 0 || beyond(had, pieces)
			breaks = breaks || conflicts && needed(c, had|used, append(own.allowed(at), pieces...)) > c.Most
		case domain.Prerequisite:
			breaks = breaks || used != 0 && !own.has(c.Requires, at)
		case domain.Cardinality: // counts users
		}
	}
	return concerned, breaks
}

// lent is what of the constraint's roles, and of the holder's allows, can be used by a delegation at that time.
func (j *judging) lent(c *constraint, d *delegation, theirs standing, at time.Time) (used roleMask, pieces []piece) {
	for _, w := range theirs.ways {
		if i := slices.Index(c.Roles, w.role); i >= 0 && w.of.window.Contains(at) && j.passes(d, w) {
			used |= 1 << i
		}
	}
	for _, m := range theirs.allowed(at) {
		if passesBounds(d, m.pattern, m.o.scope) && !slices.ContainsFunc(d.chain, func(l *delegation) bool { return l.roles != nil }) {
			pieces = append(pieces, m)
		}
	}
	return used, pieces
}

func (j *judging) lentByOthers(c *constraint, d *delegation, delegate domain.UserID, at time.Time) (used roleMask) {
	x := j.is.x
	for _, other := range x.inbound[delegate] {
		if other.id == d.id || other.home != j.is.t {
			continue
		}
		if _, holder, why := x.under(other.id, delegate, at); why == "" {
			more, _ := j.lent(c, other, j.is.standing(c, holder), at)
			used |= more
		}
	}
	return used
}

// passes reports whether something that a role gives, come by in that way, passes all bounds of a delegation.
func (j *judging) passes(d *delegation, w way) bool {
	set := j.is.set(w.role)
	if set == nil {
		return false
	}
	for p := range set.each {
		through := func(l *delegation) bool {
			return l.roles == nil || slices.ContainsFunc(l.roles, func(id domain.RoleID) bool {
				_, from := j.is.inherited(w.of.role)[id]
				return from && j.is.set(id).meets(p)
			})
		}
		if passesBounds(d, p, w.of.scope) && !slices.ContainsFunc(d.chain, func(l *delegation) bool { return !through(l) }) {
			return true
		}
	}
	return false
}

func passesBounds(d *delegation, p domain.Pattern, on domain.Scope) bool {
	for _, l := range d.chain {
		if l.privileges != nil && !meets(l.privileges, p) || l.apps != nil && !meets(l.apps, p) ||
			l.resources != nil && on != "" && !slices.Contains(l.resources, on) {
			return false
		}
	}
	return !covers(domain.NeverDelegated, p)
}

func (s *roleSet) meets(p domain.Pattern) bool {
	for own := range s.each {
		if own.Meets(p) {
			return true
		}
	}
	return false
}
