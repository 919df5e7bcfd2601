package domain

import (
	"time"

	"chancery/internal/dcb"
)

// Effect is what an override does.
type Effect string

const (
	Allow Effect = "allow" // only of privileges that the platform lists
	Deny  Effect = "deny"  // beats everything
)

// OverrideAdded allows or denies privileges past all roles, to one subject or to the whole tenant.
type OverrideAdded struct {
	Override   OverrideID   `json:"override"`
	Effect     Effect       `json:"effect"`
	Privilege  Pattern      `json:"privilege"`
	User       UserID       `json:"user,omitzero"`
	Department DepartmentID `json:"department,omitzero"`
	Group      GroupID      `json:"group,omitzero"`
	Scope      Scope        `json:"scope,omitzero"`
	ExpiresAt  time.Time    `json:"expires_at"`
	Reason     string       `json:"reason"`

	Judged []ConstraintID `json:"judged,omitzero"` // the constraints that it had to satisfy
}

// OverrideRevoked ends an override.
type OverrideRevoked struct {
	Override   OverrideID   `json:"override"`
	User       UserID       `json:"user,omitzero"`
	Department DepartmentID `json:"department,omitzero"`
	Group      GroupID      `json:"group,omitzero"`
	Reason     string       `json:"reason,omitzero"`
}

// OverrideExpired says that an override's time is over.
type OverrideExpired struct {
	Override   OverrideID   `json:"override"`
	User       UserID       `json:"user,omitzero"`
	Department DepartmentID `json:"department,omitzero"`
	Group      GroupID      `json:"group,omitzero"`
}

func (OverrideExpired) EventType() string { return "override.expired" }

func (OverrideAdded) EventType() string   { return "override.added" }
func (OverrideRevoked) EventType() string { return "override.revoked" }

var overrideEvents = dcb.Kind("override", dcb.Of[OverrideAdded](), dcb.Of[OverrideRevoked](), dcb.Of[OverrideExpired]())

var (
	ErrOverrideUnknown = &Refusal{Missing, "not-found", "there is no such override here"}
	ErrOverrideAllow   = refuse("override-not-permitted", "the platform does not let tenants allow this privilege by override")
)

// Override is what decisions need to know of one.
type Override struct {
	ID        OverrideID
	Effect    Effect
	Privilege Pattern
	To        Subjects
	Scope     Scope
	ExpiresAt time.Time
	Known     bool
	Ended     bool // revoked, or over and said to be so
}

// InForce reports whether it rules at that time.
func (o Override) InForce(at time.Time) bool {
	return o.Known && !o.Ended && at.Before(o.ExpiresAt)
}

// Overrides are those that still stand; whether one is over by its time, InForce says.
type Overrides map[OverrideID]Override

func overrideOf(e OverrideAdded) Override {
	return Override{
		ID: e.Override, Effect: e.Effect, Privilege: e.Privilege, To: Subjects{e.User, e.Department, e.Group},
		Scope: e.Scope, ExpiresAt: e.ExpiresAt, Known: true,
	}
}

// InForce reports whether some of them rule at that time.
func (os Overrides) InForce(at time.Time) bool {
	for _, o := range os {
		if o.InForce(at) {
			return true
		}
	}
	return false
}

// OverrideOf is one override.
func OverrideOf(id OverrideID) *dcb.Fact[Override] {
	return dcb.Ask(Override{}, tags(id),
		dcb.On(func(o *Override, e OverrideAdded) { *o = overrideOf(e) }),
		dcb.On(func(o *Override, _ OverrideRevoked) { o.Ended = true }),
		dcb.On(func(o *Override, _ OverrideExpired) { o.Ended = true }),
	)
}

// OverridesTo are the overrides for one user, department or group directly.
func OverridesTo(subject dcb.Tagger) *dcb.Fact[Overrides] {
	return dcb.Ask(Overrides{}, tags(subject),
		dcb.On(func(os *Overrides, e OverrideAdded) { (*os)[e.Override] = overrideOf(e) }),
		dcb.On(func(os *Overrides, e OverrideRevoked) { delete(*os, e.Override) }),
		dcb.On(func(os *Overrides, e OverrideExpired) { delete(*os, e.Override) }),
	)
}
