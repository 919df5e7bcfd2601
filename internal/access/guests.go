package access

import (
	"maps"
	"slices"
	"sync/atomic"

	"chancery/domain"
)

// guest is a user of another tenant who is, or was, in groups of this one. What the groups give is compiled when it is asked for, as
// that of users at home is.
type guest struct{ compiled atomic.Pointer[grants] }

// guestGrants are what the groups of t give to u, a user of another tenant, and what t denies to them or to everybody; nil if u is in
// none, or one of the two tenants' policies does not want it (any more). Nothing else of t reaches a guest. Who asks MUST judge whether
// u and both tenants are active, and what u's own tenant denies them everywhere.
func (x *Index) guestGrants(u *user, t *tenant) *grants {
	if u.home == t || !t.says(domain.OutsideMembers) || !u.home.says(domain.JoinOutside) {
		return nil
	}
	return x.visitorGrants(u, t)
}

// visitorGrants are guestGrants whatever the policies of the two tenants say now.
func (x *Index) visitorGrants(u *user, t *tenant) *grants {
	v := t.guests[u.id]
	if v == nil {
		return nil
	}
	g := v.compiled.Load()
	if g == nil || g.homeGen != t.gen || g.rootGen != x.root.roleGen {
		g = x.compileGuest(u, t)
		v.compiled.Store(g)
	}
	if !g.visiting {
		return nil
	}
	return g
}

func (x *Index) compileGuest(u *user, t *tenant) *grants {
	var groups []subject
	for _, m := range t.members[u.id] {
		if m.home == u.home.id {
			groups = t.climb(groups, toGroup, m.group.UUID)
		}
	}
	g := x.compile(t, groups...)
	for _, s := range []subject{{kind: toEveryone}, {toUser, u.id.UUID}} {
		for _, o := range t.ruled[s] {
			if o.effect == domain.Deny {
				g.denies.add(o)
			}
		}
	}
	for _, m := range t.members[u.id] {
		if m.home != u.home.id || !t.stands(t.groups, m.group.UUID) {
			continue
		}
		g.visiting = true
		if set := x.implied[m.role]; set != nil {
			g.give(domain.Scope("group:"+m.group.String()), set, domain.Window{})
		}
	}
	return g
}

// welcome makes a user a guest of t, if they belong to another tenant.
func (x *Index) welcome(t *tenant, u domain.UserID, home domain.HomeID) {
	if home.IsZero() {
		return
	}
	if t.guests[u] == nil {
		t.guests[u] = &guest{}
	}
	x.partner(t, home)
}

// partner notes that somebody of another tenant has, or had, rights in t.
func (x *Index) partner(t *tenant, home domain.HomeID) {
	if home.IsZero() || home.Tenant() == t.id {
		return
	}
	other := x.tenant(home.Tenant())
	t.partners[other.id], other.partners[t.id] = struct{}{}, struct{}{}
}

// MayEnter reports whether a caller may know of a tenant and act there at all: it is that of whose rights count, which is the
// platform's, or which has them as a guest. Nobody is a guest for somebody else.
func (x *Index) MayEnter(c Caller, t domain.TenantID) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return t == c.Stands() || c.Stands() == domain.Root || x.visited(c, t) != nil
}

// visited is the tenant if the caller acts there as a guest of one of its groups, nil if not.
func (x *Index) visited(c Caller, id domain.TenantID) *tenant {
	u, t := x.users[c.User], x.tenants[id]
	if c.Acting() || !u.active() || t == nil || t.status != domain.TenantActive || x.guestGrants(u, t) == nil {
		return nil
	}
	return t
}

// OutsideMember tells whom of a group a caller may see who is in it and belongs to another tenant: one of the words of
// groups.outside-members-see. It is false for everybody else.
func (x *Index) OutsideMember(c Caller, id domain.TenantID, g domain.GroupID) (sees string, is bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := x.visited(c, id)
	if t == nil {
		return "", false
	}
	m := t.member(c.User, g)
	if m == nil || m.home != c.Tenant || !t.stands(t.groups, g.UUID) {
		return "", false
	}
	return t.setting(domain.MembersSee).value, true
}

// Partners are the tenants whose users have, or had at some time, rights in t, or act there under a delegation; and those in which
// users of t have, or had, such.
func (x *Index) Partners(t domain.TenantID) []domain.TenantID {
	x.mu.RLock()
	defer x.mu.RUnlock()
	here := x.tenants[t]
	if here == nil {
		return nil
	}
	return sortedBy(slices.Collect(maps.Keys(here.partners)), domain.TenantID.String)
}
