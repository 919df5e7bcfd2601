package commands

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AddOverride allows or denies a privilege past all roles, until it expires.
type AddOverride struct {
	ID         domain.OverrideID   `json:"id,omitzero" description:"id of the new override; made if absent"`
	Effect     domain.Effect       `json:"effect" required:"true" enum:"allow,deny" description:"deny beats everything, and on the platform names one user; allow only what the platform lists"`
	Privilege  domain.Pattern      `json:"privilege" required:"true" description:"a registered privilege, or a pattern such as repo.*"`
	User       domain.UserID       `json:"user_id,omitzero" description:"at most one of user_id, department_id and group_id; none for the whole tenant"`
	Department domain.DepartmentID `json:"department_id,omitzero" description:"everybody in the department and below"`
	Group      domain.GroupID      `json:"group_id,omitzero" description:"every member of the group and of groups below"`
	On         domain.Scope        `json:"scope,omitzero" description:"type:id of a resource; absent for the whole tenant"`
	ExpiresAt  time.Time           `json:"expires_at" required:"true" description:"when it ends"`
	Reason     string              `json:"reason" required:"true" description:"why, for the record"`
}

func (c *AddOverride) NewID() *uuid.UUID { return &c.ID.UUID }
func (c AddOverride) Target() dcb.Tagger { return c.ID }

func (c AddOverride) Decide(env Env) dcb.Decision { //nolint:cyclop // one case for each rule
	to := domain.Subjects{User: c.User, Department: c.Department, Group: c.Group}
	if to.Count() > 1 {
		return refused(domain.At("/user_id", domain.ErrOneSubject))
	}
	used, privilege := domain.Used[domain.OverrideAdded](c.ID), domain.PrivilegeOf(env.Tenant, domain.Privilege(c.Privilege))
	list, most := domain.PolicyOf(env.Tenant, domain.OverrideAllow), domain.PolicyOf(env.Tenant, domain.OverrideDays)
	facts := []dcb.AnyFact{used, list, most}
	if !c.Privilege.Wild() {
		facts = append(facts, privilege)
	}
	subject := env.subject(to)
	if to.Count() == 1 {
		facts = append(facts, subject.fact)
	}
	admins := env.administrators()
	if c.Effect == domain.Deny {
		facts = append(facts, admins.facts()...)
	}
	e := domain.OverrideAdded{
		Override: c.ID, Effect: c.Effect, Privilege: c.Privilege, User: c.User, Department: c.Department, Group: c.Group,
		Scope: c.On, ExpiresAt: c.ExpiresAt, Reason: c.Reason,
	}
	duties := env.duties(env.Tenant, func() []dcb.Event { return []dcb.Event{e} })
	return dcb.From(facts...).Then(admins.next).Then(duties.next).Decide(func() ([]dcb.Event, error) {
		err := domain.FirstError(c.Privilege.Check("/privilege"), c.On.Check("/scope"),
			checkEnd(env, c.ExpiresAt, most.Value, domain.ErrTooLong), domain.CheckName("/reason", c.Reason))
		if err == nil && to.Count() == 1 {
			err = subject.refusal()
		}
		if err != nil {
			return nil, err
		}
		switch {
		case c.Effect != domain.Allow && c.Effect != domain.Deny:
			return nil, domain.Invalid("/effect", "must be allow or deny")
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case !c.Privilege.Wild() && !privilege.Value.Exists:
			return nil, domain.At("/privilege", domain.ErrPrivilegeUnknown)
		case c.Effect == domain.Allow && !covered(list.Value.Patterns(), c.Privilege):
			return nil, domain.At("/privilege", domain.ErrOverrideAllow)
		case c.Effect == domain.Allow && !env.Rights.Holds(c.Privilege, c.On):
			return nil, domain.At("/privilege", domain.ErrMayNotGive)
		}
		if err := domain.FirstError(c.locksOut(admins), duties.refusal()); err != nil {
			return nil, err
		}
		e.Judged = duties.judged()
		return dcb.Emit(e)
	})
}

// locksOut holds that a deny on the platform, which nothing beats, leaves somebody there who can end it.
func (c AddOverride) locksOut(admins *administrators) error {
	switch {
	case c.Effect != domain.Deny || admins.env.Tenant != domain.Root:
		return nil
	case c.User.IsZero():
		return &domain.InputError{Refusal: domain.ErrLastAdmin, Pointer: "/user_id", Detail: "on the platform a deny must name one user"}
	case admins.env.Self(c.User):
		return domain.At("/user_id", domain.ErrSelf)
	case admins.last(func(a domain.Assignment) bool { return a.To.User == c.User }):
		return domain.At("/user_id", domain.ErrLastAdmin)
	}
	return nil
}

func covered(list []domain.Pattern, p domain.Pattern) bool {
	return slices.ContainsFunc(list, func(l domain.Pattern) bool { return l.Covers(p) })
}

// RevokeOverride ends an override before it expires.
type RevokeOverride struct {
	ID     domain.OverrideID `json:"id" required:"true" description:"the override"`
	Reason string            `json:"reason,omitzero" description:"why, for the record"`
}

func (c RevokeOverride) Target() dcb.Tagger { return c.ID }

func (c RevokeOverride) Decide(env Env) dcb.Decision {
	o := domain.OverrideOf(c.ID)
	return dcb.From(o).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		switch {
		case !o.Value.Known:
			return nil, domain.At("/id", domain.ErrOverrideUnknown)
		case o.Value.Ended:
			return nil, nil
		case o.Value.Effect == domain.Deny && env.Now.Before(o.Value.ExpiresAt) && !env.Rights.Holds(o.Value.Privilege, o.Value.Scope):
			return nil, domain.ErrMayNotGive // least of all to themselves: what a deny held back becomes effective
		}
		to := o.Value.To
		return dcb.Emit(domain.OverrideRevoked{Override: c.ID, User: to.User, Department: to.Department, Group: to.Group, Reason: c.Reason})
	})
}

// ExpireOverride says that an override is over. It is no command of callers: Chancery gives it to itself when that is due.
// Saying it twice changes nothing.
type ExpireOverride struct{ ID domain.OverrideID }

func (c ExpireOverride) Target() dcb.Tagger { return c.ID }

func (c ExpireOverride) Decide(env Env) dcb.Decision {
	o := domain.OverrideOf(c.ID)
	return dcb.From(o).Decide(func() ([]dcb.Event, error) {
		v := o.Value
		if !v.Known || v.Ended || env.Now.Before(v.ExpiresAt) {
			return nil, nil
		}
		return dcb.Emit(domain.OverrideExpired{Override: c.ID, User: v.To.User, Department: v.To.Department, Group: v.To.Group})
	})
}
