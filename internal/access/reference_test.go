package access_test

import (
	"slices"
	"strings"

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
	members   map[[3]uuid.UUID]domain.GroupRole // tenant, user, group
	roles     map[place]bool                    // false: deleted
	contents  map[content]bool
	parents   map[inheritance]bool
	claims    map[place]claim
	allowable []domain.Pattern
}

func (r reference) world() world {
	w := world{
		map[uuid.UUID]domain.TenantStatus{}, map[uuid.UUID]uuid.UUID{}, map[uuid.UUID]domain.UserStatus{}, map[place]uuid.UUID{},
		map[place]bool{}, map[[3]uuid.UUID]domain.GroupRole{}, map[place]bool{}, map[content]bool{}, map[inheritance]bool{},
		map[place]claim{}, nil,
	}
	for _, rec := range r.events {
		t := rec.Tenant
		put := func(kind string, id, parent uuid.UUID, create bool) {
			p := place{t, id, kind}
			if _, known := w.inside[p]; known != create {
				w.inside[p] = parent
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
				w.users[e.User.UUID] = e.Status
				w.inside[place{t, e.User.UUID, "user"}] = e.Department.UUID
			}
		case domain.UserMoved:
			if w.homes[e.User.UUID] == t && w.users[e.User.UUID] != domain.UserGone {
				w.inside[place{t, e.User.UUID, "user"}] = e.Department.UUID
			}
		case domain.UserDeactivated:
			tell(e.User.UUID, domain.UserInactive)
		case domain.UserReactivated:
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
			if k := [3]uuid.UUID{t, e.User.UUID, e.Group.UUID}; w.members[k] == "" {
				w.members[k] = e.Role
			}
		case domain.MemberRoleChanged:
			if k := [3]uuid.UUID{t, e.User.UUID, e.Group.UUID}; w.members[k] != "" {
				w.members[k] = e.Role
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
				w.parents[inheritance{t, e.Role.UUID, e.Parent.UUID}] = true
			}
		case domain.RoleParentRemoved:
			delete(w.parents, inheritance{t, e.Role.UUID, e.Parent.UUID})
		case domain.RoleAssigned:
			w.claims[place{t, e.Assignment.UUID, "assignment"}] = claim{
				tenant: t, to: whom(e.User, e.Department, e.Group), role: e.Role.UUID, scope: e.Scope, window: e.Window,
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

func (w world) allows(q access.Question) bool {
	u, where, home := q.User.UUID, q.Tenant.UUID, w.homes[q.User.UUID]
	if q.Platform {
		where = domain.Root.UUID
	}
	if w.users[u] != domain.UserActive || w.tenants[home] != domain.TenantActive || w.tenants[where] == domain.TenantUnknown {
		return false
	}
	away := where != home
	if away && home != domain.Root.UUID {
		return false
	}

	am := map[place]bool{{home, u, "user"}: true, {home, uuid.Nil, "everyone"}: true}
	exists := func(p place) bool { _, known := w.inside[p]; return known && !w.gone[p] }
	for grown := true; grown; {
		grown = false
		add := func(p place) {
			if exists(p) && !am[p] {
				am[p], grown = true, true
			}
		}
		for p, in := range w.inside {
			if am[p] && p.kind != "group" {
				add(place{home, in, "department"})
			}
			if am[p] && p.kind == "group" {
				add(place{home, in, "group"})
			}
		}
		for k := range w.members {
			if k[0] == home && k[1] == u {
				add(place{home, k[2], "group"})
			}
		}
	}

	bears := func(c claim) bool {
		mine := slices.ContainsFunc(c.to, func(p place) bool { return am[p] })
		here := c.scope == "" || !away && c.scope == q.Scope
		return c.tenant == home && mine && here && c.window.Contains(q.At)
	}
	matches := func(list []domain.Pattern) bool {
		return slices.ContainsFunc(list, func(p domain.Pattern) bool { return p.Matches(q.Privilege) })
	}
	granted := false
	for _, c := range w.claims {
		switch {
		case !bears(c):
		case c.effect == domain.Deny && c.pattern.Matches(q.Privilege):
			return false
		case c.effect == domain.Allow && c.pattern.Matches(q.Privilege) && !away && matches(w.allowable):
			granted = true
		case c.effect == "" && w.gives(home, c.role, q.Privilege):
			granted = true
		}
	}
	for k, role := range w.members {
		if k[0] == home && k[1] == u && !away && q.Scope == domain.Scope("group:"+k[2].String()) && exists(place{home, k[2], "group"}) {
			adds := strings.HasPrefix(string(q.Privilege), "core.group-memberships.")
			granted = granted || role == domain.Owner && (adds || q.Privilege == "core.groups.rename") || role == domain.Maintainer && adds
		}
	}
	return granted && (q.Ceiling == nil || matches(q.Ceiling))
}

func (w world) gives(home, id uuid.UUID, p domain.Privilege) bool {
	stands := func(tenant, id uuid.UUID) (place, bool) {
		for _, t := range []uuid.UUID{domain.Root.UUID, tenant} {
			if alive, known := w.roles[place{t, id, "role"}]; known {
				return place{t, id, "role"}, alive
			}
		}
		return place{}, false
	}
	have := map[place]bool{}
	if first, ok := stands(home, id); ok {
		have[first] = true
	}
	for grown := true; grown; {
		grown = false
		for i := range w.parents {
			if up, ok := stands(i.tenant, i.parent); ok && have[place{i.tenant, i.role, "role"}] && !have[up] {
				have[up], grown = true, true
			}
		}
	}
	for c := range w.contents {
		if have[place{c.tenant, c.role, "role"}] && c.pattern.Matches(p) {
			return true
		}
	}
	return false
}
