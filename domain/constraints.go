package domain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"chancery/internal/dcb"
)

// ConstraintKind is what a constraint demands.
type ConstraintKind string

const (
	Exclusive    ConstraintKind = "exclusive"    // nobody has more than Most of Roles at a time; static separation of duty (ANSI INCITS 359-2012, section 5.4)
	Cardinality  ConstraintKind = "cardinality"  // at most Most users have the one role at a time
	Prerequisite ConstraintKind = "prerequisite" // who has one of Roles has Requires too
)

// ConstraintCreated separates duties in a tenant. It names the tenant as a thing that it is about: so it conflicts with whatever is
// decided there at the same time, and nothing is given past it.
type ConstraintCreated struct {
	Constraint  ConstraintID   `json:"constraint"`
	Tenant      TenantID       `json:"tenant"`
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	Kind        ConstraintKind `json:"kind"`
	Roles       []RoleID       `json:"roles"`
	Most        int            `json:"most,omitzero"`
	Requires    RoleID         `json:"requires,omitzero"`
}

// ConstraintRemoved ends it.
type ConstraintRemoved struct {
	Constraint ConstraintID `json:"constraint"`
	Reason     string       `json:"reason,omitzero"`
}

func (ConstraintCreated) EventType() string { return "constraint.created" }
func (ConstraintRemoved) EventType() string { return "constraint.removed" }

var constraintEvents = dcb.Kind("constraint", dcb.Of[ConstraintCreated](), dcb.Of[ConstraintRemoved]())

var (
	ErrConstraintUnknown = &Refusal{Missing, "not-found", "there is no such constraint here"}
	ErrConstraint        = refuse("constraint-violated", "a constraint of the tenant forbids it")
)

// The bounds of a constraint.
const (
	MaxConstraintRoles = 12
	MaxHolders         = 100_000
)

// Check refuses a constraint that demands nothing, or what cannot be.
func (c ConstraintCreated) Check() error { //nolint:cyclop // one case for each rule
	listed := func(least, most int) error {
		if len(c.Roles) < least || len(c.Roles) > most {
			return Invalid("/role_ids", "must name %d to %d roles for this kind", least, most)
		}
		return nil
	}
	between := func(least, most int) error {
		if c.Most < least || c.Most > most {
			return Invalid("/most", "must be a whole number from %d to %d for this kind and these roles", least, most)
		}
		return nil
	}
	var err error
	switch c.Kind {
	case Exclusive:
		err = FirstError(listed(2, MaxConstraintRoles), between(1, len(c.Roles)-1))
	case Cardinality:
		if len(c.Roles) != 1 {
			return Invalid("/role_ids", "must name one role for this kind")
		}
		err = between(1, MaxHolders)
	case Prerequisite:
		err = listed(1, MaxConstraintRoles)
		switch {
		case err != nil:
		case c.Most != 0:
			err = Invalid("/most", "has no meaning for this kind")
		case c.Requires.IsZero():
			err = Invalid("/requires_role_id", "must name a role for this kind")
		case c.Names(c.Requires):
			err = Invalid("/requires_role_id", "must not be one of the roles that require it")
		}
	default:
		return Invalid("/kind", "must be exclusive, cardinality or prerequisite")
	}
	if err == nil && c.Kind != Prerequisite && !c.Requires.IsZero() {
		err = Invalid("/requires_role_id", "has no meaning for this kind")
	}
	return err
}

// Names reports whether a role is one of those that the constraint is about.
func (c ConstraintCreated) Names(id RoleID) bool {
	return slices.Contains(c.Roles, id)
}

// Demand is what it asks, in words.
func (c ConstraintCreated) Demand() string {
	ids := make([]string, len(c.Roles))
	for i, r := range c.Roles {
		ids[i] = r.String()
	}
	list := strings.Join(ids, ", ")
	switch c.Kind {
	case Cardinality:
		return fmt.Sprintf("the constraint %q: at most %d users have the role %s at a time", c.Name, c.Most, list)
	case Prerequisite:
		return fmt.Sprintf("the constraint %q: who has one of the roles %s has the role %s too", c.Name, list, c.Requires)
	case Exclusive:
	}
	return fmt.Sprintf("the constraint %q: nobody has more than %d of the roles %s at a time", c.Name, c.Most, list)
}

// Violation is the refusal of what the constraint forbids.
func (c ConstraintCreated) Violation() error {
	return &InputError{ErrConstraint, "", "it would break " + c.Demand()}
}

// Constraint is what decisions need to know of one.
type Constraint struct {
	ConstraintCreated
	Known   bool
	Removed bool
}

// ConstraintOf is one constraint.
func ConstraintOf(id ConstraintID) *dcb.Fact[Constraint] {
	return dcb.Ask(Constraint{}, tags(id),
		dcb.On(func(c *Constraint, e ConstraintCreated) { c.ConstraintCreated, c.Known = e, true }),
		dcb.On(func(c *Constraint, _ ConstraintRemoved) { c.Removed = true }),
	)
}

// Change is what a decision is about to record in a tenant.
type Change struct {
	Tenant TenantID
	At     time.Time
	Before []dcb.Event // what the same request decided before it
	Events []dcb.Event
}

// Verdict is what the constraints of the tenant say of a change.
type Verdict struct {
	Judged []ConstraintID      // those that it has to satisfy
	Broken []ConstraintCreated // those that it would break, or break further
	Rests  []dcb.AnyFact       // ways by which what is given reaches somebody: none may be added at the same time
}

// Judgements of a constraint conflict with one another: all that it was judged by carries its tag.
func Judgements(id ConstraintID) dcb.AnyFact { return dcb.Watch(tags(id)) }

// WaysUp watches for what would give more to a role, a department or a group, and so to all below it.
func WaysUp(thing dcb.Tagger) dcb.AnyFact {
	if _, role := thing.(RoleID); role {
		return dcb.Watch(tags(thing), RoleParentAdded{}.EventType())
	}
	return dcb.Watch(tags(thing),
		RoleAssigned{}.EventType(), OverrideAdded{}.EventType(), GroupMoved{}.EventType(), DepartmentMoved{}.EventType())
}

// WaysDown watches for what would put somebody below a role, a department or a group.
func WaysDown(thing dcb.Tagger) dcb.AnyFact {
	return dcb.Watch(tags(thing),
		RoleAssigned{}.EventType(), RoleParentAdded{}.EventType(), MemberAdded{}.EventType(), GroupMoved{}.EventType(),
		UserRegistered{}.EventType(), UserMoved{}.EventType(), DepartmentMoved{}.EventType())
}
