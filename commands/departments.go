package commands

import (
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// CreateDepartment adds a department under another one, or at the top.
type CreateDepartment struct {
	ID     domain.DepartmentID `json:"id,omitzero" description:"id of the new department; made if absent"`
	Name   string              `json:"name" required:"true" description:"unique among its siblings"`
	Parent domain.DepartmentID `json:"parent_id,omitzero" description:"the department above; absent for the top"`
}

func (c *CreateDepartment) NewID() *uuid.UUID { return &c.ID.UUID }
func (c CreateDepartment) Target() dcb.Tagger { return c.ID }

func (c CreateDepartment) Decide(env Env) dcb.Decision {
	key := domain.DepartmentKey(env.Tenant, c.Parent, c.Name)
	used, holder, up := domain.Used[domain.DepartmentCreated](c.ID), domain.DepartmentNameHolder(key), departmentsAbove()
	return dcb.From(append(up.start(some(c.Parent)...), used, holder)...).Then(up.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckName("/name", c.Name); err != nil {
			return nil, err
		}
		switch {
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case !c.Parent.IsZero() && !up.known[c.Parent].Value.Exists:
			return nil, domain.At("/parent_id", domain.ErrDepartmentUnknown)
		case holder.Value != uuid.Nil:
			return nil, domain.At("/name", domain.ErrDepartmentName)
		case up.levels() >= domain.MaxDepth:
			return nil, domain.At("/parent_id", domain.ErrDepartmentDeep)
		}
		return dcb.Emit(domain.DepartmentCreated{Department: c.ID, Parent: c.Parent, Name: c.Name, Key: key})
	})
}

// RenameDepartment gives a department another name.
type RenameDepartment struct {
	ID   domain.DepartmentID `json:"id" required:"true" description:"the department"`
	Name string              `json:"name" required:"true" description:"unique among its siblings"`
}

func (c RenameDepartment) Target() dcb.Tagger { return c.ID }

func (c RenameDepartment) Decide(env Env) dcb.Decision {
	d := domain.DepartmentOf(c.ID)
	claim := departmentName{env: env, of: d}
	return dcb.From(d).Then(func() []dcb.AnyFact {
		return claim.ask(asDepartment(d.Value.Parent), c.Name)
	}).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckName("/name", c.Name); err != nil {
			return nil, err
		}
		switch {
		case !d.Value.Exists:
			return nil, domain.At("/id", domain.ErrDepartmentUnknown)
		case d.Value.Name == c.Name:
			return nil, nil
		case claim.taken(c.ID):
			return nil, domain.At("/name", domain.ErrDepartmentName)
		}
		return dcb.Emit(domain.DepartmentRenamed{Department: c.ID, Name: c.Name, Key: claim.key, Released: d.Value.Key})
	})
}

// MoveDepartment puts a department, with all below it, under another one or at the top.
type MoveDepartment struct {
	ID     domain.DepartmentID `json:"id" required:"true" description:"the department"`
	Parent domain.DepartmentID `json:"parent_id,omitzero" description:"the department above; absent for the top"`
}

func (c MoveDepartment) Target() dcb.Tagger { return c.ID }

func (c MoveDepartment) Decide(env Env) dcb.Decision {
	d, up, below := domain.DepartmentOf(c.ID), departmentsAbove(), departmentsBelow()
	given, left := env.grants(), env.leavingDepartment()
	claim := departmentName{env: env, of: d}
	duties := env.duties(env.Tenant, func() []dcb.Event { return []dcb.Event{domain.DepartmentMoved{Department: c.ID, Parent: c.Parent}} })
	facts := append(up.start(some(c.Parent)...), given.department(c.Parent)...)
	if !c.Parent.IsZero() {
		facts = append(facts, below.start(c.ID)...)
	}
	return dcb.From(append(facts, d)...).Then(up.next).Then(below.next).Then(given.next).Then(func() []dcb.AnyFact {
		return append(claim.ask(c.Parent, d.Value.Name), left.start(asDepartment(d.Value.Parent))...)
	}).Then(left.next).Then(duties.next).Decide(func() ([]dcb.Event, error) {
		switch {
		case !d.Value.Exists:
			return nil, domain.At("/id", domain.ErrDepartmentUnknown)
		case !c.Parent.IsZero() && !up.known[c.Parent].Value.Exists:
			return nil, domain.At("/parent_id", domain.ErrDepartmentUnknown)
		case d.Value.Parent == c.Parent.UUID:
			return nil, nil
		case up.has(c.ID):
			return nil, domain.At("/parent_id", domain.ErrDepartmentCycle)
		case claim.taken(c.ID):
			return nil, domain.At("/parent_id", domain.ErrDepartmentName)
		case up.levels()+below.levels() > domain.MaxDepth:
			return nil, domain.At("/parent_id", domain.ErrDepartmentDeep)
		}
		if err := domain.FirstError(given.refusal(), left.refusal(up), duties.refusal()); err != nil {
			return nil, err
		}
		return dcb.Emit(domain.DepartmentMoved{
			Department: c.ID, Parent: c.Parent, From: asDepartment(d.Value.Parent), Key: claim.key, Released: d.Value.Key, Judged: duties.judged(),
		})
	})
}

// DeleteDepartment removes a department that has no users, departments, roles or overrides in force.
type DeleteDepartment struct {
	ID domain.DepartmentID `json:"id" required:"true" description:"the department"`
}

func (c DeleteDepartment) Target() dcb.Tagger { return c.ID }

func (c DeleteDepartment) Decide(env Env) dcb.Decision {
	d, contents := domain.DepartmentOf(c.ID), domain.DepartmentContents(c.ID)
	roles, overrides := domain.AssignmentsTo(c.ID), domain.OverridesTo(c.ID)
	return dcb.From(d, contents, roles, overrides).Decide(func() ([]dcb.Event, error) {
		switch {
		case !d.Value.Exists:
			return nil, domain.At("/id", domain.ErrDepartmentUnknown)
		case len(contents.Value) > 0, roles.Value.Standing(env.Now), overrides.Value.InForce(env.Now):
			return nil, domain.ErrDepartmentNotEmpty
		}
		return dcb.Emit(domain.DepartmentDeleted{Department: c.ID, Parent: asDepartment(d.Value.Parent), Released: d.Value.Key})
	})
}

// departmentName asks who has a name under a parent, once both are known.
type departmentName struct {
	env    Env
	of     *dcb.Fact[domain.Node]
	key    domain.Key
	holder *dcb.Fact[uuid.UUID]
}

func (n *departmentName) ask(parent domain.DepartmentID, name string) []dcb.AnyFact {
	if n.holder != nil || !n.of.Value.Exists {
		return nil
	}
	n.key = domain.DepartmentKey(n.env.Tenant, parent, name)
	n.holder = domain.DepartmentNameHolder(n.key)
	return []dcb.AnyFact{n.holder}
}

func (n *departmentName) taken(by domain.DepartmentID) bool {
	return n.holder != nil && n.holder.Value != uuid.Nil && n.holder.Value != by.UUID
}
