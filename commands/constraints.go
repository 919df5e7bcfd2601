package commands

import (
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// CreateConstraint separates duties: from then on nothing is given that breaks it, and what breaks it nonetheless gives nothing.
type CreateConstraint struct {
	ID          domain.ConstraintID   `json:"id,omitzero" description:"id of the new constraint; made if absent"`
	Name        string                `json:"name" required:"true" description:"what refusals call it"`
	Description string                `json:"description,omitzero" description:"what it is for"`
	Kind        domain.ConstraintKind `json:"kind" required:"true" enum:"exclusive,cardinality,prerequisite" description:"exclusive: nobody has more of the roles at a time than most says; cardinality: no more users than that have the one role; prerequisite: who has one of the roles has requires_role_id too"`
	Roles       []domain.RoleID       `json:"role_ids" required:"true" description:"the roles, of the tenant or of the platform"`
	Most        int                   `json:"most,omitzero" description:"how many; of an exclusive one 1 if absent"`
	Requires    domain.RoleID         `json:"requires_role_id,omitzero" description:"of a prerequisite: the role to be had first"`
	Anyway      bool                  `json:"anyway,omitzero" description:"create it though somebody breaks it already: what breaks it gives nothing from then on"`
}

func (c *CreateConstraint) NewID() *uuid.UUID { return &c.ID.UUID }
func (c CreateConstraint) Target() dcb.Tagger { return c.ID }

func (c CreateConstraint) Decide(env Env) dcb.Decision {
	e := domain.ConstraintCreated{
		Constraint: c.ID, Tenant: env.Tenant, Name: c.Name, Description: c.Description, Kind: c.Kind, Roles: unique(c.Roles),
		Most: c.Most, Requires: c.Requires,
	}
	if e.Kind == domain.Exclusive && e.Most == 0 {
		e.Most = 1
	}
	if err := e.Check(); err != nil {
		return refused(err)
	}
	used, broken := domain.Used[domain.ConstraintCreated](c.ID), env.duties(env.Tenant, func() []dcb.Event { return []dcb.Event{e} })
	facts := []dcb.AnyFact{used}
	var roles []*dcb.Fact[domain.Role]
	for _, id := range append(slices.Clone(e.Roles), some(e.Requires)...) {
		f := domain.RoleOf(id)
		roles, facts = append(roles, f), append(facts, f)
	}
	return dcb.From(facts...).Then(broken.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckName("/name", c.Name), domain.CheckText("/description", c.Description)); err != nil {
			return nil, err
		}
		if used.Value {
			return nil, domain.At("/id", domain.ErrIDTaken)
		}
		for i, f := range roles {
			if !f.Value.Exists && i < len(e.Roles) {
				return nil, domain.At("/role_ids", domain.ErrRoleUnknown)
			}
			if !f.Value.Exists {
				return nil, domain.At("/requires_role_id", domain.ErrRoleUnknown)
			}
		}
		switch err := broken.refusal(); {
		case isViolation(err) && !c.Anyway:
			return nil, &domain.InputError{Refusal: domain.ErrConstraint, Pointer: "/anyway", Detail: "somebody breaks it already; true creates it nonetheless, and what breaks it gives nothing from then on"}
		case err != nil && !isViolation(err):
			return nil, err
		}
		return dcb.Emit(e)
	})
}

// RemoveConstraint ends a constraint. What it kept back becomes effective: so it needs what giving the roles needs.
type RemoveConstraint struct {
	ID     domain.ConstraintID `json:"id" required:"true" description:"the constraint"`
	Reason string              `json:"reason,omitzero" description:"why, for the record"`
}

func (c RemoveConstraint) Target() dcb.Tagger { return c.ID }

func (c RemoveConstraint) Decide(env Env) dcb.Decision {
	is, given, begun := domain.ConstraintOf(c.ID), env.grants(), false
	return dcb.From(is).Then(func() []dcb.AnyFact {
		if begun {
			return given.next()
		}
		begun = true
		var facts []dcb.AnyFact
		for _, id := range is.Value.Roles {
			facts = append(facts, given.role(id, "")...)
		}
		return facts
	}).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		switch {
		case !is.Value.Known:
			return nil, domain.At("/id", domain.ErrConstraintUnknown)
		case is.Value.Removed:
			return nil, nil
		}
		if err := given.refusal(); err != nil {
			return nil, err
		}
		return dcb.Emit(domain.ConstraintRemoved{Constraint: c.ID, Reason: c.Reason})
	})
}

// duties are what the constraints of a tenant ask of something that is about to be given there. It is judged by Env.Judge, which has
// seen all that the decision has. Whatever could change the judgement at the same time is a conflict.
type duties struct {
	env    Env
	tenant domain.TenantID
	would  func() []dcb.Event
	asked  map[string]struct{}
	last   domain.Verdict
}

// duties judge the events that would be recorded in a tenant; would is called once all that was asked before is known.
func (env Env) duties(tenant domain.TenantID, would func() []dcb.Event) *duties {
	return &duties{env: env, tenant: tenant, would: would}
}

// next watches for all that the judgement rests on. It comes after what would be recorded is known.
func (d *duties) next() []dcb.AnyFact {
	if d.asked != nil || d.env.Judge == nil {
		return nil
	}
	d.asked = map[string]struct{}{}
	facts := d.judge(d.would())
	for _, f := range facts {
		d.asked[nameOf(f.Item())] = struct{}{}
	}
	return facts
}

// judge asks for the verdict, and tells what it rests on.
func (d *duties) judge(events []dcb.Event) []dcb.AnyFact {
	d.last = d.env.Judge(domain.Change{Tenant: d.tenant, At: d.env.Now, Before: d.env.before(d.tenant), Events: events})
	facts := d.last.Rests
	for _, id := range d.last.Judged {
		facts = append(facts, domain.Judgements(id))
	}
	return facts
}

// refusal is that a constraint forbids it, nil if none does.
func (d *duties) refusal() error { return d.refusalOf(d.would()) }

func (d *duties) refusalOf(events []dcb.Event) error {
	if d.env.Judge == nil {
		return nil
	}
	for _, f := range d.judge(events) {
		if !has(d.asked, nameOf(f.Item())) { // a constraint, or a way, that came since
			return dcb.ErrConflict
		}
	}
	if len(d.last.Broken) > 0 {
		return d.last.Broken[0].Violation()
	}
	return nil
}

// spared are the events without those memberships that a constraint forbids, for what nobody asks for by name. All others stay.
func (d *duties) spared(events []dcb.Event) ([]dcb.Event, error) {
	var spared []dcb.Event
	all := d.refusalOf(events)
	for _, event := range events {
		e, joins := event.(domain.MemberAdded)
		if !joins {
			spared = append(spared, event)
			continue
		}
		err := all
		if isViolation(all) {
			err = d.refusalOf(append(slices.Clone(spared), e))
		}
		switch {
		case err == nil:
			e.Judged = d.judged()
			spared = append(spared, e)
		case !isViolation(err):
			return nil, err
		}
	}
	return spared, nil
}

// judged are the constraints that it satisfies, once nothing refuses it.
func (d *duties) judged() []domain.ConstraintID { return d.last.Judged }

// isViolation reports whether it is a constraint that forbids it.
func isViolation(err error) bool {
	r, is := domain.IsRefusal(err)
	return is && r == domain.ErrConstraint
}

// before is what the same request decided earlier, as far as it is recorded in that tenant.
func (env Env) before(t domain.TenantID) []dcb.Event {
	if env.Ahead == nil {
		return nil
	}
	return env.Ahead(t)
}
