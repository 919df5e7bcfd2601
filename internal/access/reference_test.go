package access_test

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// reference answers as slowly and plainly as can be: it reads the whole history for every question and grows sets until
// they grow no more. It shares nothing with the index.
type reference struct{ events []dcb.Recorded }

type place struct {
	tenant, id uuid.UUID
	kind       string
}

type claim struct {
	tenant  uuid.UUID
	to      []place
	pattern domain.Pattern // of overrides
	effect  domain.Effect
	role    uuid.UUID // of assignments
	scope   domain.Scope
	window  domain.Window
	at      int64
}

// membership is a user's place in a group; home is the tenant that it says they are of.
type membership struct {
	role domain.GroupRole
	home uuid.UUID
	at   int64
}

type inheritance struct{ tenant, role, parent uuid.UUID }

type content struct {
	tenant, role uuid.UUID
	pattern      domain.Pattern
}

// world is what the history amounts to.
type world struct {
	tenants   map[uuid.UUID]domain.TenantStatus
	homes     map[uuid.UUID]uuid.UUID
	users     map[uuid.UUID]domain.UserStatus
	inside    map[place]uuid.UUID // departments, groups and users: what they stand in
	gone      map[place]bool
	placed    map[place]int64             // when they were put there
	present   map[uuid.UUID]int64         // since when a user is there at all
	members   map[[3]uuid.UUID]membership // tenant, user, group
	roles     map[place]bool              // false: deleted
	contents  map[content]bool
	parents   map[inheritance]int64
	claims    map[place]claim
	allowable []domain.Pattern
	acting
	installing
}

func (r reference) world() world {
	w := world{
		tenants: map[uuid.UUID]domain.TenantStatus{}, homes: map[uuid.UUID]uuid.UUID{}, users: map[uuid.UUID]domain.UserStatus{},
		inside: map[place]uuid.UUID{}, gone: map[place]bool{}, placed: map[place]int64{}, present: map[uuid.UUID]int64{},
		members: map[[3]uuid.UUID]membership{}, roles: map[place]bool{}, contents: map[content]bool{}, parents: map[inheritance]int64{},
		claims: map[place]claim{}, acting: nobodyActs(), installing: nothingInstalled(),
	}
	for _, rec := range r.events {
		t := rec.Tenant
		w.heard(rec)
		w.installs(rec)
		put := func(kind string, id, parent uuid.UUID, create bool) {
			p := place{t, id, kind}
			if _, known := w.inside[p]; known != create {
				w.inside[p], w.placed[p] = parent, rec.Position
			}
		}
		end := func(kind string, id uuid.UUID) {
			p := place{t, id, kind}
			_, known := w.inside[p]
			w.gone[p] = known
		}
		tell := func(id uuid.UUID, s domain.UserStatus) {
			if w.homes[id] == t && w.users[id] != domain.UserGone {
				w.users[id] = s
			}
		}
		status := func(s domain.TenantStatus) {
			if w.tenants[t] != domain.TenantEnded {
				w.tenants[t] = s
			}
		}
		whom := func(u domain.UserID, d domain.DepartmentID, g domain.GroupID) []place {
			switch {
			case !u.IsZero():
				return []place{{t, u.UUID, "user"}}
			case !d.IsZero():
				return []place{{t, d.UUID, "department"}}
			case !g.IsZero():
				return []place{{t, g.UUID, "group"}}
			}
			return []place{{t, uuid.Nil, "everyone"}}
		}
		switch e := rec.Event.(type) {
		case domain.TenantCreated:
			if w.tenants[t] == domain.TenantUnknown {
				status(domain.TenantActive)
			}
		case domain.TenantSuspended:
			status(domain.TenantOnHold)
		case domain.TenantReactivated:
			status(domain.TenantActive)
		case domain.TenantClosed:
			status(domain.TenantEnded)
		case domain.UserRegistered:
			if _, known := w.homes[e.User.UUID]; !known {
				w.homes[e.User.UUID] = t
				w.users[e.User.UUID], w.present[e.User.UUID] = e.Status, rec.Position
				p := place{t, e.User.UUID, "user"}
				w.inside[p], w.placed[p] = e.Department.UUID, rec.Position
			}
		case domain.UserMoved:
			if w.homes[e.User.UUID] == t && w.users[e.User.UUID] != domain.UserGone {
				p := place{t, e.User.UUID, "user"}
				w.inside[p], w.placed[p] = e.Department.UUID, rec.Position
			}
		case domain.UserDeactivated:
			tell(e.User.UUID, domain.UserInactive)
		case domain.UserReactivated:
			if w.homes[e.User.UUID] == t && w.users[e.User.UUID] == domain.UserInactive {
				w.present[e.User.UUID] = rec.Position
			}
			tell(e.User.UUID, domain.UserActive)
		case domain.UserErased:
			tell(e.User.UUID, domain.UserGone)
			if w.homes[e.User.UUID] == t {
				w.inside[place{t, e.User.UUID, "user"}] = uuid.Nil
			}
		case domain.DepartmentCreated:
			put("department", e.Department.UUID, e.Parent.UUID, true)
		case domain.DepartmentMoved:
			put("department", e.Department.UUID, e.Parent.UUID, false)
		case domain.DepartmentDeleted:
			end("department", e.Department.UUID)
		case domain.GroupCreated:
			put("group", e.Group.UUID, e.Parent.UUID, true)
		case domain.GroupMoved:
			put("group", e.Group.UUID, e.Parent.UUID, false)
		case domain.GroupDeleted:
			end("group", e.Group.UUID)
		case domain.MemberAdded:
			k := [3]uuid.UUID{t, e.User.UUID, e.Group.UUID}
			if _, is := w.members[k]; !is {
				w.members[k] = membership{e.Role, e.Home.UUID, rec.Position}
			}
		case domain.MemberRoleChanged:
			k := [3]uuid.UUID{t, e.User.UUID, e.Group.UUID}
			if m, is := w.members[k]; is {
				m.role = e.Role
				w.members[k] = m
			}
		case domain.MemberRemoved:
			delete(w.members, [3]uuid.UUID{t, e.User.UUID, e.Group.UUID})
		case domain.RoleCreated:
			if _, known := w.roles[place{t, e.Role.UUID, "role"}]; !known {
				w.roles[place{t, e.Role.UUID, "role"}] = true
			}
		case domain.RoleDeleted:
			if w.roles[place{t, e.Role.UUID, "role"}] {
				w.roles[place{t, e.Role.UUID, "role"}] = false
			}
		case domain.RolePrivilegeAdded:
			if _, known := w.roles[place{t, e.Role.UUID, "role"}]; known {
				w.contents[content{t, e.Role.UUID, e.Privilege}] = true
			}
		case domain.RolePrivilegeRemoved:
			delete(w.contents, content{t, e.Role.UUID, e.Privilege})
		case domain.RoleParentAdded:
			if _, known := w.roles[place{t, e.Role.UUID, "role"}]; known {
				w.parents[inheritance{t, e.Role.UUID, e.Parent.UUID}] = rec.Position
			}
		case domain.RoleParentRemoved:
			delete(w.parents, inheritance{t, e.Role.UUID, e.Parent.UUID})
		case domain.RoleAssigned:
			w.claims[place{t, e.Assignment.UUID, "assignment"}] = claim{
				tenant: t, to: whom(e.User, e.Department, e.Group), role: e.Role.UUID, scope: e.Scope, window: e.Window, at: rec.Position,
			}
		case domain.RoleUnassigned:
			delete(w.claims, place{t, e.Assignment.UUID, "assignment"})
		case domain.OverrideAdded:
			w.claims[place{t, e.Override.UUID, "override"}] = claim{
				tenant: t, to: whom(e.User, e.Department, e.Group), pattern: e.Privilege, effect: e.Effect, scope: e.Scope,
				window: domain.Window{Until: e.ExpiresAt},
			}
		case domain.OverrideRevoked:
			delete(w.claims, place{t, e.Override.UUID, "override"})
		case domain.PolicySet:
			if t == domain.Root.UUID && e.Key == "overrides.allowable" {
				w.allowable = nil
				for f := range strings.FieldsSeq(e.Value) {
					w.allowable = append(w.allowable, domain.Pattern(f))
				}
			}
		case domain.PolicyReset:
			if t == domain.Root.UUID && e.Key == "overrides.allowable" {
				w.allowable = nil
			}
		}
	}
	return w
}

// allows is the answer.
func (w world) allows(q access.Question) bool {
	where := q.Tenant.UUID
	if q.Platform {
		where = domain.Root.UUID
	}
	a := own{q.User.UUID, where, q.Privilege, q.Scope, q.At}
	if q.Privilege.Check("") != nil || q.Ceiling != nil && !matches(q.Ceiling, q.Privilege) || w.asleep(where, q.Privilege, q.At) {
		return false
	}
	switch {
	case !q.Delegation.IsZero():
		return w.mayFor(a, q.Delegation.UUID)
	case !q.Impersonation.IsZero():
		return w.mayAs(a, q.Impersonation.UUID)
	}
	return w.may(a)
}

// own is a question about somebody's own rights.
type own struct {
	user, where uuid.UUID
	privilege   domain.Privilege
	scope       domain.Scope
	at          time.Time
}

// may reports whether the user may by rights of their own.
func (w world) may(a own) bool {
	return w.mayAtHome(a, a.user, nil) || w.homes[a.user] != a.where && w.mayAsGuest(a)
}

// mayAtHome reports whether the user may by what their own tenant gives, while actor makes use of it; each of within narrows that to
// what they have by one of the roles in it.
func (w world) mayAtHome(a own, actor uuid.UUID, within [][]domain.RoleID) bool {
	home := w.homes[a.user]
	if !w.stands(a.user) || w.tenants[a.where] == domain.TenantUnknown {
		return false
	}
	am := w.reached(a.user, home)
	if home != a.where { // what holds on the whole platform holds in every tenant
		return home == domain.Root.UUID && !w.denied(a, am, home, "") && w.granted(a, actor, within, am, home, "")
	}
	if w.denied(a, am, home, a.scope) {
		return false
	}
	return w.granted(a, actor, within, am, home, a.scope) ||
		within == nil && (w.allowed(a, actor, am, home, a.scope) || w.inOffice(a, am, home))
}

// mayAsGuest reports whether the user may by what groups of another tenant give there.
func (w world) mayAsGuest(a own) bool {
	home := w.homes[a.user]
	am := w.reached(a.user, a.where)
	if len(am) == 0 || w.denied(a, w.reached(a.user, home), home, "") || w.deniedGuest(a, am) {
		return false
	}
	return w.granted(a, a.user, nil, am, a.where, a.scope) || w.allowed(a, a.user, am, a.where, a.scope) || w.inOffice(a, am, a.where)
}

// deniedGuest reports whether a deny of another tenant binds its guest.
func (w world) deniedGuest(a own, am map[place]int64) bool {
	named := map[place]int64{{a.where, uuid.Nil, "everyone"}: 0, {a.where, a.user, "user"}: 0}
	return w.denied(a, am, a.where, a.scope) || w.denied(a, named, a.where, a.scope)
}

// stands reports whether the user and their tenant are active.
func (w world) stands(u uuid.UUID) bool {
	return w.users[u] == domain.UserActive && w.tenants[w.homes[u]] == domain.TenantActive
}

// reached is all that the user is in a tenant: themselves and their department, at home; their groups; and all above. With
// each goes the event since which they are. A user of another tenant is nothing there unless they are its guest.
func (w world) reached(u, t uuid.UUID) map[place]int64 {
	am := map[place]int64{}
	if w.homes[u] == t {
		am[place{t, u, "user"}] = w.present[u]
		am[place{t, uuid.Nil, "everyone"}] = w.present[u]
	} else if !w.welcome(u, t) {
		return am
	}
	for grown := true; grown; {
		grown = false
		add := func(kind string, id uuid.UUID, since ...int64) {
			p := place{t, id, kind}
			if _, known := w.inside[p]; !known || w.gone[p] {
				return
			}
			at := slices.Max(append(since, w.placed[p]))
			if old, is := am[p]; !is || at < old {
				am[p], grown = at, true
			}
		}
		for p, in := range w.inside {
			since, is := am[p]
			switch {
			case !is:
			case p.kind == "group":
				add("group", in, since)
			case p.kind == "user":
				add("department", in, since, w.placed[p])
			default:
				add("department", in, since)
			}
		}
		for k, m := range w.members {
			if k[0] == t && k[1] == u && w.isMember(k, m) {
				add("group", k[2], w.present[u], m.at)
			}
		}
	}
	return am
}

// isMember reports whether a membership says rightly where a user of another tenant is from.
func (w world) isMember(k [3]uuid.UUID, m membership) bool {
	return w.homes[k[1]] == k[0] || w.homes[k[1]] == m.home
}

// denied reports whether a deny of t for somebody in am binds on the scope.
func (w world) denied(a own, am map[place]int64, t uuid.UUID, on domain.Scope) bool {
	for _, c := range w.claims {
		if c.effect == domain.Deny && c.bears(am, t, on, a.at) && c.pattern.Matches(a.privilege) {
			return true
		}
	}
	return false
}

// allowed reports whether an override of t for somebody in am allows it.
func (w world) allowed(a own, actor uuid.UUID, am map[place]int64, t uuid.UUID, on domain.Scope) bool {
	for _, c := range w.claims {
		if c.effect == domain.Allow && c.bears(am, t, on, a.at) && c.pattern.Matches(a.privilege) && matches(w.allowable, a.privilege) &&
			!w.allowSuspended(actor, a.user, t, c, a.privilege, a.at) {
			return true
		}
	}
	return false
}

// granted reports whether roles given in t to those in am give it, within each of the bounds.
func (w world) granted(a own, actor uuid.UUID, within [][]domain.RoleID, am map[place]int64, t uuid.UUID, on domain.Scope) bool {
	given := func(bound []domain.RoleID) bool {
		for _, c := range w.claims {
			if c.effect != "" || !c.bears(am, t, on, a.at) || w.suspended(actor, a.user, t, c.role, a.privilege, a.at) {
				continue
			}
			if bound == nil && w.gives(t, c.role, a.privilege) {
				return true
			}
			for _, r := range bound {
				if _, has := w.closure(t, c.role)[r.UUID]; has && w.gives(t, r.UUID, a.privilege) {
					return true
				}
			}
		}
		return false
	}
	for _, bound := range within {
		if !given(bound) {
			return false
		}
	}
	return within != nil || given(nil)
}

// inOffice reports whether it goes with an office in the group asked about.
func (w world) inOffice(a own, am map[place]int64, t uuid.UUID) bool {
	for k, m := range w.members {
		group := place{t, k[2], "group"}
		if _, is := am[group]; !is || k[0] != t || k[1] != a.user || !w.isMember(k, m) || a.scope != domain.Scope("group:"+k[2].String()) {
			continue
		}
		adds := strings.HasPrefix(string(a.privilege), "core.group-memberships.") ||
			a.privilege == "core.group-invitations.create" || a.privilege == "core.group-invitations.withdraw"
		if m.role == domain.Owner && (adds || a.privilege == "core.groups.rename") || m.role == domain.Maintainer && adds {
			return true
		}
	}
	return false
}

// bears reports whether a claim is for somebody in am, on the scope, and in force.
func (c claim) bears(am map[place]int64, t uuid.UUID, on domain.Scope, at time.Time) bool {
	mine := slices.ContainsFunc(c.to, func(p place) bool { _, is := am[p]; return is })
	return c.tenant == t && mine && (c.scope == "" || c.scope == on) && c.window.Contains(at)
}

// gives reports whether a role of t, or one that it inherits, has the privilege.
func (w world) gives(t, role uuid.UUID, p domain.Privilege) bool {
	return matches(w.patterns(t, role), p)
}

// patterns are all that a role and those it inherits hold.
func (w world) patterns(t, role uuid.UUID) []domain.Pattern {
	var all []domain.Pattern
	for id := range w.closure(t, role) {
		at, _ := w.roleOf(t, id)
		for c := range w.contents {
			if c.tenant == at.tenant && c.role == id {
				all = append(all, c.pattern)
			}
		}
	}
	return all
}

// closure is a role of t with all that it inherits, and for each the event since which it does.
func (w world) closure(t, role uuid.UUID) map[uuid.UUID]int64 {
	have := map[uuid.UUID]int64{}
	if _, alive := w.roleOf(t, role); alive {
		have[role] = 0
	}
	for grown := true; grown; {
		grown = false
		for i, at := range w.parents {
			since, is := have[i.role]
			from, _ := w.roleOf(t, i.role)
			if _, alive := w.roleOf(i.tenant, i.parent); !is || !alive || from.tenant != i.tenant {
				continue
			}
			if old, known := have[i.parent]; !known || max(since, at) < old {
				have[i.parent], grown = max(since, at), true
			}
		}
	}
	return have
}

// roleOf is where a role of that id stands for a tenant: the platform's come first.
func (w world) roleOf(t, id uuid.UUID) (p place, alive bool) {
	for _, tenant := range []uuid.UUID{domain.Root.UUID, t} {
		if alive, known := w.roles[place{tenant, id, "role"}]; known {
			return place{tenant, id, "role"}, alive
		}
	}
	return place{}, false
}

func matches(list []domain.Pattern, p domain.Privilege) bool {
	return slices.ContainsFunc(list, func(one domain.Pattern) bool { return one.Matches(p) })
}
