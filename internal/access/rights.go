package access

import (
	"time"

	"chancery/domain"
)

// Rights are what a caller may hand out in a tenant: nobody hands out what they lack. Each method looks at what the
// index knows when it is called.
type Rights struct {
	index  *Index
	caller Caller
	tenant domain.TenantID
	at     time.Time
}

// Rights are those of a caller in a tenant at an instant.
func (x *Index) Rights(caller Caller, tenant domain.TenantID, at time.Time) *Rights {
	return &Rights{x, caller, tenant, at}
}

// Actor is the acting user.
func (r *Rights) Actor() domain.UserID { return r.caller.User }

// Holds reports whether the actor holds every privilege of p on s, under the token's ceiling. A deny that touches any
// of them anywhere within s makes it false.
func (r *Rights) Holds(p domain.Pattern, s domain.Scope) bool {
	r.index.mu.RLock()
	defer r.index.mu.RUnlock()
	return r.holds(p, s)
}

// Denied reports whether an override keeps p, or a part of it, from the actor on s, or whether they may do nothing at all there.
func (r *Rights) Denied(p domain.Pattern, s domain.Scope) bool {
	r.index.mu.RLock()
	defer r.index.mu.RUnlock()
	u, away, _ := r.index.admit(r.caller.User, r.tenant)
	if u == nil || u.home.id != r.caller.Tenant {
		return true
	}
	g := r.index.grantsOf(u)
	return r.touched(g.denies.wide, p) || !away && r.touchedWithin(g, p, s)
}

// HoldsEverything reports whether the actor holds every privilege on the whole tenant.
func (r *Rights) HoldsEverything() bool { return r.Holds(domain.Everything, "") }

// Covers reports whether the actor holds every right that other has by any path, now or in a window to come. What is
// denied to other counts as theirs: a deny ends. One whom the index does not know has no rights yet: the question MUST be
// asked of an index that has seen all that the asker has, as commands.Engine's Follow makes sure.
func (r *Rights) Covers(other domain.UserID) bool {
	r.index.mu.RLock()
	defer r.index.mu.RUnlock()
	u := r.index.users[other]
	return u == nil || u.home.id == r.tenant && r.coversAll(r.index.grantsOf(u))
}

func (r *Rights) coversAll(g *grants) bool {
	if u, _, _ := r.index.admit(r.caller.User, r.tenant); u == nil {
		return false
	}
	if !r.coversHeld("", g.wide) {
		return false
	}
	for s, list := range g.scoped {
		if !r.coversHeld(s, list) {
			return false
		}
	}
	if !r.coversAllowed("", g.allows.wide) {
		return false
	}
	for s, list := range g.allows.scoped {
		if !r.coversAllowed(s, list) {
			return false
		}
	}
	return true
}

func (r *Rights) coversHeld(s domain.Scope, list []held) bool {
	for i := range list {
		if list[i].over(r.at) {
			continue
		}
		for p := range list[i].set.each {
			if !r.holds(p, s) {
				return false
			}
		}
	}
	return true
}

// coversAllowed asks for as much of each allow as the platform permits.
func (r *Rights) coversAllowed(s domain.Scope, list []*override) bool {
	for _, o := range list {
		if !o.window.Contains(r.at) {
			continue
		}
		for _, p := range r.index.allowable {
			if o.pattern.Covers(p) && !r.holds(p, s) || p.Covers(o.pattern) && !r.holds(o.pattern, s) {
				return false
			}
		}
	}
	return true
}

func (r *Rights) holds(p domain.Pattern, s domain.Scope) bool {
	u, away, _ := r.index.admit(r.caller.User, r.tenant)
	if u == nil || u.home.id != r.caller.Tenant || !within(r.caller.Scopes, p) {
		return false
	}
	g := r.index.grantsOf(u)
	if r.touched(g.denies.wide, p) || !away && r.touchedWithin(g, p, s) {
		return false
	}
	if someHeld(g.wide, p, r.at) || !away && s != "" && someHeld(g.scoped[s], p, r.at) {
		return true
	}
	return !away && (someRule(g.allows.wide, p, r.at) || someRule(g.allows.scoped[s], p, r.at)) && r.index.permitted(p)
}

func (r *Rights) touchedWithin(g *grants, p domain.Pattern, s domain.Scope) bool {
	if s != "" {
		return r.touched(g.denies.scoped[s], p)
	}
	for _, list := range g.denies.scoped {
		if r.touched(list, p) {
			return true
		}
	}
	return false
}

func (r *Rights) touched(denies []*override, p domain.Pattern) bool {
	for _, o := range denies {
		if o.pattern.Meets(p) && o.window.Contains(r.at) {
			return true
		}
	}
	return false
}
