package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// CreateRole adds a role. One made on the platform may be assigned in every tenant.
type CreateRole struct {
	ID          domain.RoleID    `json:"id,omitzero" description:"id of the new role; made if absent"`
	Name        string           `json:"name" required:"true" description:"unique in the tenant"`
	Description string           `json:"description,omitzero" description:"what the role is for"`
	Privileges  []domain.Pattern `json:"privileges,omitzero" description:"registered privileges, or patterns such as repo.*"`
	Parents     []domain.RoleID  `json:"parents,omitzero" description:"roles to inherit from"`
}

func (c *CreateRole) NewID() *uuid.UUID { return &c.ID.UUID }
func (c CreateRole) Target() dcb.Tagger { return c.ID }

func (c CreateRole) Decide(env Env) dcb.Decision {
	key := domain.RoleKey(env.Tenant, c.Name)
	used, holder := domain.Used[domain.RoleCreated](c.ID), domain.RoleNameHolder(key)
	privileges, parents := askPrivileges(env.Tenant, c.Privileges), env.parents(c.Parents)
	facts := append(privileges.facts(), parents.facts()...)
	return dcb.From(append(facts, used, holder)...).Then(parents.given.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckName("/name", c.Name), domain.CheckText("/description", c.Description)); err != nil {
			return nil, err
		}
		switch {
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case holder.Value != uuid.Nil:
			return nil, domain.At("/name", domain.ErrRoleName)
		}
		if err := domain.FirstError(privileges.refusal(env, "/privileges"), parents.refusal("/parents")); err != nil {
			return nil, err
		}
		events := []dcb.Event{domain.RoleCreated{Role: c.ID, Name: c.Name, Description: c.Description, Key: key}}
		for _, p := range unique(c.Privileges) {
			events = append(events, domain.RolePrivilegeAdded{Role: c.ID, Privilege: p})
		}
		for _, p := range unique(c.Parents) {
			events = append(events, domain.RoleParentAdded{Role: c.ID, Parent: p})
		}
		return events, nil
	})
}

// asked are privileges on their way into a role or an override.
type asked struct {
	patterns []domain.Pattern
	known    []*dcb.Fact[domain.Registered]
}

func askPrivileges(t domain.TenantID, patterns []domain.Pattern) asked {
	a := asked{patterns: patterns}
	for _, p := range patterns {
		a.known = append(a.known, domain.PrivilegeOf(t, domain.Privilege(p)))
	}
	return a
}

func (a asked) facts() []dcb.AnyFact {
	var facts []dcb.AnyFact
	for i, p := range a.patterns {
		if !p.Wild() {
			facts = append(facts, a.known[i])
		}
	}
	return facts
}

func (a asked) refusal(env Env, pointer string) error {
	for i, p := range a.patterns {
		if err := p.Check(pointer); err != nil {
			return err
		}
		switch {
		case p == domain.Everything:
			return domain.At(pointer, domain.ErrRoleEverything)
		case !p.Wild() && !a.known[i].Value.Exists:
			return domain.At(pointer, domain.ErrPrivilegeUnknown)
		case !env.Rights.Holds(p, ""):
			return domain.At(pointer, domain.ErrMayNotGive)
		}
	}
	return nil
}

// heritage are roles on their way to become parents.
type heritage struct {
	ids   []domain.RoleID
	roles []*dcb.Fact[domain.Role]
	given *grants
}

func (env Env) parents(ids []domain.RoleID) *heritage {
	h := &heritage{ids: ids, given: env.grants()}
	for _, id := range ids {
		h.roles = append(h.roles, domain.RoleOf(id))
	}
	return h
}

func (h *heritage) facts() []dcb.AnyFact {
	var facts []dcb.AnyFact
	for i, id := range h.ids {
		facts = append(append(facts, h.roles[i]), h.given.role(id, "")...)
	}
	return facts
}

func (h *heritage) refusal(pointer string) error {
	for _, r := range h.roles {
		if !r.Value.Exists {
			return domain.At(pointer, domain.ErrRoleUnknown)
		}
	}
	return h.given.refusal()
}

// ofTenant refuses to change a role that is not the tenant's own, or is Chancery's.
func (env Env) ofTenant(r domain.Role) error {
	switch {
	case !r.Exists:
		return domain.At("/id", domain.ErrRoleUnknown)
	case r.Tenant != env.Tenant:
		return domain.At("/id", domain.ErrRoleForeign)
	case r.Builtin:
		return domain.At("/id", domain.ErrRoleBuiltin)
	}
	return nil
}

// RenameRole gives a role another name, description, or both.
type RenameRole struct {
	ID          domain.RoleID `json:"id" required:"true" description:"the role"`
	Name        string        `json:"name,omitzero" description:"unique in the tenant; absent to keep it"`
	Description *string       `json:"description,omitzero" description:"absent to keep it"`
}

func (c RenameRole) Target() dcb.Tagger { return c.ID }

func (c RenameRole) Decide(env Env) dcb.Decision {
	key := domain.RoleKey(env.Tenant, c.Name)
	r, holder := domain.RoleOf(c.ID), domain.RoleNameHolder(key)
	return dcb.From(r, holder).Decide(func() ([]dcb.Event, error) {
		if err := env.ofTenant(r.Value); err != nil {
			return nil, err
		}
		was := label{r.Value.Name, r.Value.Desc, r.Value.Key}
		is, err := was.changed(c.Name, c.Description, key)
		if err != nil {
			return nil, err
		}
		e := domain.RoleRenamed{Role: c.ID, Name: is.name, Description: is.description, Key: is.key}
		switch {
		case c.Name != "" && holder.Value != uuid.Nil && holder.Value != c.ID.UUID:
			return nil, domain.At("/name", domain.ErrRoleName)
		case is == was:
			return nil, nil
		case is.key != was.key:
			e.Released = was.key
		}
		return dcb.Emit(e)
	})
}

// DeleteRole removes a role that nobody has and no role inherits from; what it held goes before it.
type DeleteRole struct {
	ID domain.RoleID `json:"id" required:"true" description:"the role"`
}

func (c DeleteRole) Target() dcb.Tagger { return c.ID }

func (c DeleteRole) Decide(env Env) dcb.Decision {
	r, given, heirs := domain.RoleOf(c.ID), domain.AssignmentsOf(c.ID), domain.RoleHeirs(c.ID)
	return dcb.From(r, given, heirs).Decide(func() ([]dcb.Event, error) {
		if err := env.ofTenant(r.Value); err != nil {
			return nil, err
		}
		if given.Value.Standing(env.Now) || len(heirs.Value) > 0 {
			return nil, domain.ErrRoleInUse
		}
		var events []dcb.Event
		for _, p := range r.Value.Patterns() {
			events = append(events, domain.RolePrivilegeRemoved{Role: c.ID, Privilege: p})
		}
		for _, p := range r.Value.Heritage() {
			events = append(events, domain.RoleParentRemoved{Role: c.ID, Parent: p})
		}
		return append(events, domain.RoleDeleted{Role: c.ID, Released: r.Value.Key}), nil
	})
}

// AddRolePrivilege puts a privilege, or a pattern of them, into a role.
type AddRolePrivilege struct {
	ID        domain.RoleID  `json:"id" required:"true" description:"the role"`
	Privilege domain.Pattern `json:"privilege" required:"true" description:"a registered privilege, or a pattern such as repo.*"`
}

func (c AddRolePrivilege) Target() dcb.Tagger { return c.ID }

func (c AddRolePrivilege) Decide(env Env) dcb.Decision {
	r, privilege := domain.RoleOf(c.ID), askPrivileges(env.Tenant, []domain.Pattern{c.Privilege})
	return dcb.From(append(privilege.facts(), r)...).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(env.ofTenant(r.Value), privilege.refusal(env, "/privilege")); err != nil {
			return nil, err
		}
		if _, has := r.Value.Privileges[c.Privilege]; has {
			return nil, nil
		}
		return dcb.Emit(domain.RolePrivilegeAdded{Role: c.ID, Privilege: c.Privilege})
	})
}

// RemoveRolePrivilege takes a privilege out of a role.
type RemoveRolePrivilege struct {
	ID        domain.RoleID  `json:"id" required:"true" description:"the role"`
	Privilege domain.Pattern `json:"privilege" required:"true" description:"a privilege or pattern that the role has"`
}

func (c RemoveRolePrivilege) Target() dcb.Tagger { return c.ID }

func (c RemoveRolePrivilege) Decide(env Env) dcb.Decision {
	r := domain.RoleOf(c.ID)
	return dcb.From(r).Decide(func() ([]dcb.Event, error) {
		if err := env.ofTenant(r.Value); err != nil {
			return nil, err
		}
		if _, has := r.Value.Privileges[c.Privilege]; !has {
			return nil, nil
		}
		return dcb.Emit(domain.RolePrivilegeRemoved{Role: c.ID, Privilege: c.Privilege})
	})
}

// AddRoleParent makes a role inherit all that another one has.
type AddRoleParent struct {
	ID     domain.RoleID `json:"id" required:"true" description:"the role"`
	Parent domain.RoleID `json:"parent_id" required:"true" description:"the role to inherit from"`
}

func (c AddRoleParent) Target() dcb.Tagger { return c.ID }

func (c AddRoleParent) Decide(env Env) dcb.Decision {
	r, parent, up := domain.RoleOf(c.ID), env.parents([]domain.RoleID{c.Parent}), rolesAbove()
	e := domain.RoleParentAdded{Role: c.ID, Parent: c.Parent}
	duties := env.duties(env.Tenant, func() []dcb.Event { return []dcb.Event{e} })
	facts := append(parent.facts(), up.start(c.Parent)...)
	return dcb.From(append(facts, r)...).Then(up.next).Then(parent.given.next).Then(duties.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(env.ofTenant(r.Value), parent.refusal("/parent_id")); err != nil {
			return nil, err
		}
		if up.has(c.ID) {
			return nil, domain.At("/parent_id", domain.ErrRoleCycle)
		}
		if _, has := r.Value.Parents[c.Parent]; has {
			return nil, nil
		}
		if err := duties.refusal(); err != nil {
			return nil, err
		}
		e.Judged = duties.judged()
		return dcb.Emit(e)
	})
}

// RemoveRoleParent ends an inheritance.
type RemoveRoleParent struct {
	ID     domain.RoleID `json:"id" required:"true" description:"the role"`
	Parent domain.RoleID `json:"parent_id" required:"true" description:"the role it inherits from"`
}

func (c RemoveRoleParent) Target() dcb.Tagger { return c.ID }

func (c RemoveRoleParent) Decide(env Env) dcb.Decision {
	r := domain.RoleOf(c.ID)
	return dcb.From(r).Decide(func() ([]dcb.Event, error) {
		if err := env.ofTenant(r.Value); err != nil {
			return nil, err
		}
		if _, has := r.Value.Parents[c.Parent]; !has {
			return nil, nil
		}
		return dcb.Emit(domain.RoleParentRemoved{Role: c.ID, Parent: c.Parent})
	})
}
