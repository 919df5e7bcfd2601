package commands

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// appRoles are the roles of an app in a tenant, on their way to be as a version says. A role that no version of it brings any more
// stays with those who have it, and gives nothing.
type appRoles struct {
	env  Env
	app  domain.App
	from domain.Manifest
	to   domain.Manifest
	kept []appRole
	gone []appRole
}

type appRole struct {
	domain.ManifestRole
	id      domain.RoleID
	now     *dcb.Fact[domain.Role]
	names   [2]string // the title, and what it is called where the tenant has a role of that name
	holders [2]*dcb.Fact[uuid.UUID]
}

func (env Env) appRoles(app domain.App, from, to domain.Manifest) appRoles {
	r := appRoles{env: env, app: app, from: from, to: to}
	for _, role := range to.Roles {
		id := app.RoleID(env.Tenant, role.Key)
		is := appRole{ManifestRole: role, id: id, now: domain.RoleOf(id), names: [2]string{role.Title, fmt.Sprintf("%s (%s)", role.Title, app)}}
		for i, name := range is.names {
			is.holders[i] = domain.RoleNameHolder(domain.RoleKey(env.Tenant, name))
		}
		r.kept = append(r.kept, is)
	}
	for _, role := range from.Roles {
		if !slices.ContainsFunc(to.Roles, func(o domain.ManifestRole) bool { return o.Key == role.Key }) {
			id := app.RoleID(env.Tenant, role.Key)
			r.gone = append(r.gone, appRole{ManifestRole: role, id: id, now: domain.RoleOf(id)})
		}
	}
	return r
}

func (r appRoles) facts() (facts []dcb.AnyFact) {
	for _, k := range r.kept {
		facts = append(facts, k.now, k.holders[0], k.holders[1])
	}
	for _, g := range r.gone {
		facts = append(facts, g.now)
	}
	return facts
}

// named gives each role its name: the one that it has, if it is still one of its two, else the first that is free. One that has a name
// keeps it where none is free.
func (r appRoles) named() (names []string) {
	used := map[domain.Key]bool{}
	for _, k := range r.kept {
		name := ""
		if now := k.now.Value; now.Exists && slices.Contains(k.names[:], now.Name) {
			name = now.Name
		}
		for i, candidate := range k.names {
			free := k.holders[i].Value == uuid.Nil || k.holders[i].Value == k.id.UUID
			if name == "" && free && !used[r.key(candidate)] && domain.CheckName("", candidate) == nil {
				name = candidate
			}
		}
		if name == "" {
			name = k.now.Value.Name
		}
		used[r.key(name)] = true
		names = append(names, name)
	}
	return names
}

func (r appRoles) key(name string) domain.Key { return domain.RoleKey(r.env.Tenant, name) }

// untitled are the roles for which there is no name.
func (r appRoles) untitled() (all []domain.Place) {
	for i, name := range r.named() {
		if name == "" {
			k := r.kept[i]
			all = append(all, domain.Place{Pointer: "/app", Detail: fmt.Sprintf("brings the role %q, and the tenant has roles named %q and %q; rename one of them", k.Key, k.names[0], k.names[1])})
		}
	}
	return all
}

// refusal is that a role that somebody may have would get what the actor lacks.
func (r appRoles) refusal() error {
	for _, k := range r.kept {
		for _, p := range r.gains(k) {
			if k.now.Value.Exists && !r.env.Rights.Holds(p, "") {
				return domain.At("/app", domain.ErrMayNotGive)
			}
		}
	}
	return nil
}

// gains are the patterns that a role gets, and the privileges that those which it has come to match.
func (r appRoles) gains(k appRole) (all []domain.Pattern) {
	had := k.now.Value.Patterns()
	matched := r.from.Matched(had)
	for _, p := range slices.Concat(k.Privileges, r.to.Matched(k.Privileges)) {
		if !slices.Contains(had, p) && !slices.Contains(matched, p) {
			all = append(all, p)
		}
	}
	return all
}

// events are the differences.
func (r appRoles) events() (events []dcb.Event) {
	names := r.named()
	for i, k := range r.kept {
		now, key := k.now.Value, r.key(names[i])
		switch {
		case !now.Exists:
			events = append(events, domain.RoleCreated{Role: k.id, Name: names[i], Description: k.Description, Key: key, Builtin: true})
		case now.Name != names[i] || now.Desc != k.Description:
			e := domain.RoleRenamed{Role: k.id, Name: names[i], Description: k.Description, Key: key}
			if key != now.Key {
				e.Released = now.Key
			}
			events = append(events, e)
		}
		for _, p := range now.Patterns() {
			if !slices.Contains(k.Privileges, p) {
				events = append(events, domain.RolePrivilegeRemoved{Role: k.id, Privilege: p})
			}
		}
		for _, p := range k.Privileges {
			if _, has := now.Privileges[p]; !has {
				events = append(events, domain.RolePrivilegeAdded{Role: k.id, Privilege: p})
			}
		}
	}
	for _, g := range r.gone {
		for _, p := range g.now.Value.Patterns() {
			events = append(events, domain.RolePrivilegeRemoved{Role: g.id, Privilege: p})
		}
	}
	return events
}
