package access_test

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

const (
	delegations    = 60
	impersonations = 20
)

// acting lets some questions be about somebody who acts for somebody else, mostly by what is theirs.
func (c chance) acting(q *access.Question, w world) {
	kind := c.IntN(8)
	if kind < 3 && len(w.offered) == 0 || kind >= 3 && kind < 5 && len(w.sessions) == 0 {
		return
	}
	switch kind {
	case 0, 1, 2:
		q.Delegation.UUID = named('D', c.IntN(delegations))
		if c.IntN(8) > 0 {
			q.Delegation.UUID = c.offered(w)
		}
		d := w.offered[q.Delegation.UUID]
		if c.IntN(8) > 0 {
			q.User = d.Delegate
		}
		if c.IntN(8) > 0 {
			q.Tenant = d.Tenant.Tenant()
		}
		if r := d.Bounds.Resources; len(r) > 0 && c.IntN(3) > 0 {
			q.Scope = pick(c, r...)
		}
	case 3, 4:
		all := sortedKeys(w.sessions)
		good := slices.DeleteFunc(slices.Clone(all), func(id uuid.UUID) bool { return !w.sessions[id].started || w.sessions[id].ended })
		if q.Impersonation.UUID = pick(c, all...); len(good) > 0 && c.IntN(5) > 0 {
			q.Impersonation.UUID = pick(c, good...)
		}
		if c.IntN(8) == 0 {
			q.Impersonation.UUID = named('I', c.IntN(impersonations))
		}
		s := w.sessions[q.Impersonation.UUID]
		if s.started && c.IntN(3) > 0 {
			q.At = s.until.Add(-time.Duration(c.IntN(2*86400)) * time.Second).Add(-1)
		}
		if c.IntN(8) > 0 {
			q.User.UUID = s.admin
		}
		if c.IntN(8) > 0 {
			q.Tenant.UUID = s.in
		}
	case 5: // where they are members, whatever tenant that is
		for _, k := range slices.SortedFunc(maps.Keys(w.members), func(a, b [3]uuid.UUID) int {
			return slices.CompareFunc(a[:], b[:], func(x, y uuid.UUID) int { return bytes.Compare(x[:], y[:]) })
		}) {
			if k[1] == q.User.UUID && c.IntN(2) == 0 {
				q.Tenant.UUID = k[0]
			}
		}
	}
}

// offered is a delegation of which something was heard, mostly one that was accepted and has not ended.
func (c chance) offered(w world) uuid.UUID {
	all := sortedKeys(w.offered)
	good := slices.DeleteFunc(slices.Clone(all), func(id uuid.UUID) bool { return !w.accepted[id] || w.over[id] })
	if len(good) > 0 && c.IntN(5) > 0 {
		return pick(c, good...)
	}
	return pick(c, all...)
}

func sortedKeys[V any](m map[uuid.UUID]V) []uuid.UUID {
	return slices.SortedFunc(maps.Keys(m), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
}

// happening is what happens next. What concerns several tenants is told to all of them, or to a wrong one.
func (c chance) happening(w world) []told {
	tenant := c.tenant()
	switch c.IntN(24) {
	case 0, 1:
		return c.grants(w)
	case 2:
		return c.handsOn(w)
	case 3, 4:
		return c.answers(w)
	case 5, 6:
		return []told{{tenant, c.session(w, tenant)}}
	case 7:
		return []told{{tenant, c.decides()}}
	case 8, 9:
		return []told{{tenant, c.joins(w, tenant)}}
	case 10:
		return []told{{tenant, c.demands(w, tenant)}}
	case 11, 12, 13, 14:
		return c.installs(w, tenant)
	}
	return []told{{tenant, c.event(tenant)}}
}

// member is somebody and their tenant; of one who is not there yet, a guess.
func (c chance) member(w world) (domain.UserID, domain.HomeID) {
	u := c.id('u')
	home, known := w.homes[u]
	if !known {
		home = c.tenant()
	}
	return domain.UserID{UUID: u}, domain.HomeID{UUID: home}
}

// grants offers a delegation: often one that hangs on another, at times one that no command would make.
func (c chance) grants(w world) []told {
	user := func() (domain.UserID, domain.HomeID) { return c.member(w) }
	e := domain.DelegationGranted{Bounds: c.bounds()}
	if c.IntN(3) == 0 {
		e.Window = domain.Window{From: c.instantOrNone(), Until: c.instantOrNone()}
	}
	if e.Delegation.UUID = named('D', len(w.offered)%delegations); c.IntN(8) == 0 {
		e.Delegation.UUID = named('D', c.IntN(delegations))
	}
	e.Grantor, e.GrantorTenant = user()
	e.Delegate, e.DelegateTenant = user()
	e.Tenant = e.GrantorTenant
	if len(w.offered) > 0 && c.IntN(3) > 0 {
		p := w.offered[c.offered(w)]
		e.Parent, e.Tenant, e.Grantor, e.GrantorTenant = p.Delegation, p.Tenant, p.Delegate, p.DelegateTenant
		e.Chain = append(slices.Clone(p.Chain), p.Delegation)
	}
	in := e.Tenant.UUID
	if c.IntN(8) == 0 {
		some := domain.DelegationID{UUID: named('D', c.IntN(delegations))}
		switch c.IntN(9) {
		case 0:
			e.Parent = some
		case 1:
			e.Chain = nil
		case 2:
			e.Chain = append(e.Chain, some)
		case 3:
			e.Grantor, e.GrantorTenant = user()
		case 4:
			e.Tenant.UUID = c.tenant()
		case 5:
			e.GrantorTenant.UUID = c.tenant()
		case 6:
			e.DelegateTenant.UUID = c.tenant()
		case 7:
			in = c.tenant()
		case 8:
			e.Parent = e.Delegation
		}
	}
	out := []told{{in, e}}
	if e.DelegateTenant.UUID != in && c.IntN(2) == 0 {
		out = append(out, told{e.DelegateTenant.UUID, e})
	}
	if c.IntN(4) > 0 {
		out = append(out, told{in, domain.DelegationAccepted{Delegation: e.Delegation, Tenant: e.Tenant, Grantor: e.Grantor, Delegate: e.Delegate}})
	}
	return out
}

// handsOn offers a delegation that is handed on a few times, and accepted by all; little narrows it.
func (c chance) handsOn(w world) []told {
	who := func() (domain.UserID, domain.HomeID) { return c.member(w) }
	var out []told
	e := domain.DelegationGranted{}
	e.Delegate, e.DelegateTenant = who()
	e.Tenant = e.DelegateTenant
	for n := range 2 + c.IntN(5) {
		if n > 0 {
			e.Parent, e.Chain = e.Delegation, append(slices.Clone(e.Chain), e.Delegation)
		}
		e.Delegation.UUID = named('D', (len(w.offered)+n)%delegations)
		e.Grantor, e.GrantorTenant, e.Bounds, e.Window = e.Delegate, e.DelegateTenant, domain.Bounds{}, domain.Window{}
		if e.Delegate, e.DelegateTenant = who(); c.IntN(5) == 0 {
			e.Bounds = c.bounds()
		}
		if c.IntN(5) == 0 {
			e.Window = domain.Window{From: c.instantOrNone(), Until: c.instantOrNone()}
		}
		out = append(out, told{e.Tenant.UUID, e},
			told{e.Tenant.UUID, domain.DelegationAccepted{Delegation: e.Delegation, Tenant: e.Tenant, Grantor: e.Grantor, Delegate: e.Delegate}})
	}
	return out
}

func (c chance) bounds() (b domain.Bounds) {
	some := func() int { return c.IntN(6)/5 + c.IntN(6)/5 + 1 - c.IntN(8)/7 } // one, at times two or three, seldom none
	if c.IntN(4) == 0 {
		b.Privileges = []domain.Pattern{}
		for range some() {
			b.Privileges = append(b.Privileges, pick(c, patterns...))
		}
	}
	if c.IntN(4) == 0 {
		b.Roles = []domain.RoleID{}
		for range some() {
			b.Roles = append(b.Roles, domain.RoleID{UUID: c.id('r')})
		}
	}
	if c.IntN(8) == 0 {
		b.Apps = []domain.App{}
		for range some() {
			b.Apps = append(b.Apps, pick(c, domain.App("repo"), "repository", "core"))
		}
	}
	if c.IntN(5) == 0 {
		b.Resources = []domain.Scope{}
		for range some() {
			if s := c.scope(); s != "" {
				b.Resources = append(b.Resources, s)
			}
		}
	}
	return b
}

// answers tells what becomes of a delegation.
func (c chance) answers(w world) []told {
	id := domain.DelegationID{UUID: named('D', c.IntN(delegations))}
	d := w.offered[id.UUID]
	in, at := d.Tenant, d.Tenant.UUID
	switch c.IntN(12) {
	case 0:
		in.UUID, at = c.tenant(), c.tenant()
	case 1:
		at = c.tenant()
	case 2:
		in.UUID = c.tenant()
	}
	switch c.IntN(5) {
	case 0, 1:
		return []told{{at, domain.DelegationAccepted{Delegation: id, Tenant: in, Grantor: d.Grantor, Delegate: d.Delegate}}}
	case 2:
		return []told{{at, domain.DelegationDeclined{Delegation: id, Tenant: in, Grantor: d.Grantor, Delegate: d.Delegate}}}
	case 3:
		return []told{{at, domain.DelegationRevoked{Delegation: id, Tenant: in, Grantor: d.Grantor, Delegate: d.Delegate}}}
	}
	return []told{{at, domain.DelegationExpired{Delegation: id, Tenant: in, Grantor: d.Grantor, Delegate: d.Delegate}}}
}

// session tells of an impersonation in a tenant.
func (c chance) session(w world, t uuid.UUID) dcb.Event {
	id := domain.ImpersonationID{UUID: named('I', len(w.sessions)%impersonations)}
	if c.IntN(2) == 0 {
		id.UUID = named('I', c.IntN(impersonations))
	}
	admin, target := domain.UserID{UUID: c.id('u')}, domain.UserID{UUID: c.id('u')}
	for _, u := range sortedKeys(w.homes) {
		if w.homes[u] == t && c.IntN(2) == 0 {
			target.UUID = u
		} else if (w.homes[u] == domain.Root.UUID || w.homes[u] == t) && c.IntN(2) == 0 {
			admin.UUID = u
		}
	}
	home := domain.HomeID{UUID: w.homes[admin.UUID]}
	if s := w.sessions[id.UUID]; s.admin != uuid.Nil && c.IntN(4) > 0 {
		admin.UUID, target.UUID = s.admin, s.target
	}
	if c.IntN(12) == 0 {
		home.UUID = c.tenant()
	}
	switch c.IntN(10) {
	case 0, 1:
		return domain.ImpersonationRequested{Impersonation: id, Admin: admin, AdminTenant: home, Target: target}
	case 2:
		return domain.ImpersonationConsented{Impersonation: id, Admin: admin, Target: target, By: target}
	case 3:
		return pick[dcb.Event](c, domain.ImpersonationRefused{Impersonation: id, Admin: admin, Target: target, By: target},
			domain.ImpersonationEnded{Impersonation: id, Admin: admin, Target: target}, domain.ImpersonationExpired{Impersonation: id, Admin: admin, Target: target})
	}
	scopes := []domain.Pattern{domain.Everything}
	if c.IntN(3) == 0 {
		scopes = []domain.Pattern{pick(c, patterns...)}
	}
	return domain.ImpersonationStarted{Impersonation: id, Admin: admin, AdminTenant: home, Target: target, Scopes: scopes, ExpiresAt: c.instant()}
}

// decides changes a setting.
func (c chance) decides() dcb.Event {
	s := pick(c, domain.Delegable, domain.DelegateIn, domain.DelegateOut, domain.OutsideMembers, domain.JoinOutside, domain.ImpersonationWord, domain.ImpersonationNever)
	if c.IntN(6) == 0 {
		return domain.PolicyReset{Key: s.Key}
	}
	value := pick(c, "true", "true", "true", "false")
	switch s.Key {
	case domain.ImpersonationWord.Key:
		value = pick(c, domain.Allowed, domain.OnRequest, domain.Forbade)
	case domain.ImpersonationNever.Key:
		value = pick(c, "", "repo.write", "core.groups.* repository.*")
	}
	return domain.PolicySet{Key: s.Key, Value: value}
}

// joins puts somebody into a group of a tenant, and says where they come from.
func (c chance) joins(w world, t uuid.UUID) dcb.Event {
	user, group := domain.UserID{UUID: c.id('u')}, domain.GroupID{UUID: c.id('g')}
	e := domain.MemberAdded{User: user, Group: group, Role: pick(c, domain.Member, domain.Maintainer, domain.Owner)}
	switch {
	case c.IntN(10) == 0:
		e.Home.UUID = c.tenant()
	case w.homes[user.UUID] != t:
		e.Home.UUID = w.homes[user.UUID]
	}
	return e
}

// demands separates duties, or does so no more.
func (c chance) demands(w world, t uuid.UUID) dcb.Event {
	id := domain.ConstraintID{UUID: named('c', c.IntN(12))}
	if _, stands := w.demands[place{t, id.UUID, "constraint"}]; stands && c.IntN(2) == 0 {
		return domain.ConstraintRemoved{Constraint: id}
	}
	e := domain.ConstraintCreated{Constraint: domain.ConstraintID{UUID: named('c', c.IntN(12))}, Most: 1 + c.IntN(5)/4}
	role := func() domain.RoleID { return domain.RoleID{UUID: named('r', c.IntN(2*pool))} }
	switch c.IntN(4) {
	case 0, 1:
		e.Kind, e.Roles = domain.Exclusive, []domain.RoleID{role(), role(), role()}
		slices.SortFunc(e.Roles, func(a, b domain.RoleID) int { return bytes.Compare(a.UUID[:], b.UUID[:]) })
		e.Roles = slices.Compact(e.Roles)
	case 2:
		e.Kind, e.Roles = domain.Cardinality, []domain.RoleID{role()}
	case 3:
		e.Kind, e.Roles, e.Most, e.Requires = domain.Prerequisite, []domain.RoleID{role()}, 0, role()
	}
	return e
}
