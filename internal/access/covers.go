package access

import (
	"slices"

	"chancery/domain"
)

// Covers reports whether the caller holds every right that other has by any path, now or in a window to come: what they were given
// themselves, by their department, groups and offices; what groups of other tenants give them; what an override allows; and what
// they may do for others, under delegations that they have accepted. What is denied to other, or kept from them by a policy, a
// constraint or somebody's suspension, counts as theirs: these end. One whom the index does not know has no rights yet: the question
// MUST be asked of an index that has seen all that the asker has, as commands.Engine's Follow makes sure.
func (r *Rights) Covers(other domain.UserID) bool {
	r.index.mu.RLock()
	defer r.index.mu.RUnlock()
	return r.covers(other)
}

func (r *Rights) covers(other domain.UserID) bool {
	x := r.index
	u := x.users[other]
	if u == nil {
		return true
	}
	here, stands := r.stands(r.tenant)
	if !stands || u.home.id != r.tenant || !(&cover{r, &here}).grants(x.grantsOf(u)) {
		return false
	}
	for id := range u.home.partners {
		if g := x.visitorGrants(u, x.tenants[id]); g != nil && !r.coverIn(id).grants(g) {
			return false
		}
	}
	for _, d := range x.inbound[other] {
		if !r.coverIn(d.home.id).delegation(d) {
			return false
		}
	}
	return true
}

// cover asks whether the caller holds in a tenant what somebody else has there.
type cover struct {
	*Rights
	b *bearing // nil: they may do nothing at all there
}

func (r *Rights) coverIn(t domain.TenantID) *cover {
	if b, ok := r.stands(t); ok {
		return &cover{r, &b}
	}
	return &cover{r, nil}
}

// holds is Rights.holds. What staff has on the whole platform it has in every tenant: neither a guest nor a session has so much.
func (c *cover) holds(p domain.Pattern, s domain.Scope) bool {
	if c.b == nil || c.b.t == c.index.root && s == "" && (!c.b.home || c.b.session != nil) {
		return false
	}
	return c.index.weigh(c.b, &want{p, s, c.caller.Scopes, true}).allows()
}

func (c *cover) grants(g *grants) bool { return c.all(c.index.rightsOf(g, c.Rights), nil) }

// delegation asks it of what a delegation gives to its delegate, as soon as nothing but a policy or a suspension is in the way.
func (c *cover) delegation(d *delegation) bool {
	for _, link := range d.chain {
		if link.acceptedAt == 0 || link.endedAt > 0 || link.window.Over(c.at) {
			return true
		}
	}
	if d.chain == nil {
		return true
	}
	first := c.index.who(&d.chain[0].grantor)
	return first == nil || c.all(c.index.rightsOf(c.index.grantsOf(first), c.Rights), d)
}

func (c *cover) all(rights []right, under *delegation) bool {
	for _, have := range rights {
		for _, p := range c.index.narrowed(have, under) {
			for _, s := range scopesOf(have, under) {
				if !c.holds(p, s) {
					return false
				}
			}
		}
	}
	return true
}

// right is one pattern that somebody holds, or will hold.
type right struct {
	pattern domain.Pattern
	scope   domain.Scope
	set     *roleSet // by which; nil for an override
}

// rightsOf are all of grants that are not over, of each allow as much as the platform permits.
func (x *Index) rightsOf(g *grants, r *Rights) (out []right) {
	hold := func(s domain.Scope, list []held) {
		for i := range list {
			if list[i].over(r.at) {
				continue
			}
			for p := range list[i].set.each {
				out = append(out, right{p, s, list[i].set})
			}
		}
	}
	allow := func(s domain.Scope, list []*override) {
		for _, o := range list {
			if !o.window.Over(r.at) {
				for _, p := range common([]domain.Pattern{o.pattern}, x.allowable) {
					out = append(out, right{p, s, nil})
				}
			}
		}
	}
	hold("", g.wide)
	for s, list := range g.scoped {
		hold(s, list)
	}
	allow("", g.allows.wide)
	for s, list := range g.allows.scoped {
		allow(s, list)
	}
	return out
}

// narrowed is what a delegation, with all that it rests on, leaves of a right; all of it without a delegation. Of a pattern that is
// more than what is never delegated it leaves all.
func (x *Index) narrowed(have right, under *delegation) []domain.Pattern {
	out := []domain.Pattern{have.pattern}
	if under == nil {
		return out
	}
	for _, d := range under.chain {
		if d.privileges != nil {
			out = common(out, d.privileges)
		}
		if d.apps != nil {
			out = common(out, d.apps)
		}
	}
	if under.byRoles != nil {
		out = common(out, x.passed(under, have.set))
	}
	return slices.DeleteFunc(out, func(p domain.Pattern) bool { return covers(domain.NeverDelegated, p) })
}

// passed is what some bound by role lets through of a set.
func (x *Index) passed(d *delegation, s *roleSet) (out []domain.Pattern) {
	for _, id := range slices.Concat(d.byRoles...) {
		if r := x.role(d.home, id); s != nil && r != nil && s.from(id) {
			out = slices.AppendSeq(out, x.closureOf(r).each)
		}
	}
	return out
}

// scopesOf is where a right holds under a delegation. One of the platform holds in every tenant: so must what covers it.
func scopesOf(have right, under *delegation) []domain.Scope {
	out := []domain.Scope{have.scope}
	if under == nil {
		return out
	}
	for _, d := range under.chain {
		switch {
		case d.resources == nil:
		case have.scope == "" && out[0] == "":
			out = slices.Clone(d.resources)
		default:
			out = slices.DeleteFunc(out, func(s domain.Scope) bool { return !slices.Contains(d.resources, s) })
		}
		if len(out) == 0 {
			return nil
		}
	}
	if have.scope == "" && under.home.id == domain.Root {
		return []domain.Scope{""}
	}
	return out
}

// common are the patterns of what lies in both.
func common(a, b []domain.Pattern) (out []domain.Pattern) {
	for _, p := range a {
		for _, o := range b {
			if p.Meets(o) {
				out = append(out, p.Narrower(o))
			}
		}
	}
	return out
}
