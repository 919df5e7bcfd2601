package access

import (
	"time"

	"chancery/domain"
)

// Question asks whether a user may do something on something.
type Question struct {
	Tenant    domain.TenantID
	User      domain.UserID
	Privilege domain.Privilege
	Scope     domain.Scope // empty for the whole tenant
	At        time.Time
	Ceiling   []domain.Pattern // the most that may be allowed; nil for no ceiling, empty for nothing at all
	Platform  bool             // the right must be held on the platform: Tenant is not looked at
}

// Answer is a decision, and the position of the log it rests on.
type Answer struct {
	Allowed  bool
	Position int64
	Why      Reason
}

// Reason says in one word why. It is for operators and for explanations; callers act on Allowed alone.
type Reason string

const (
	Granted           Reason = "granted"
	AllowedByOverride Reason = "allowed-by-override"

	PrivilegeMalformed Reason = "privilege-malformed"
	SubjectUnknown     Reason = "subject-unknown"
	SubjectInactive    Reason = "subject-inactive"
	HomeInactive       Reason = "tenant-inactive" // the subject's tenant is suspended or closed
	TenantUnknown      Reason = "tenant-unknown"
	TenantForeign      Reason = "tenant-foreign" // the subject belongs to another tenant, and not to the platform
	DeniedByOverride   Reason = "denied-by-override"
	BeyondCeiling      Reason = "beyond-ceiling"
	NotGranted         Reason = "not-granted"
)

// Decide answers a question from what the index has seen. It fails closed.
func (x *Index) Decide(q Question) Answer {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.decide(q)
}

func (x *Index) decide(q Question) Answer {
	allowed, why := x.judge(q)
	return Answer{allowed, x.position, why}
}

func (x *Index) judge(q Question) (bool, Reason) {
	if !wellFormed(q.Privilege) {
		return false, PrivilegeMalformed
	}
	u, away, why := x.admit(q.User, q.where())
	if u == nil {
		return false, why
	}
	g := x.grantsOf(u)
	p := domain.Pattern(q.Privilege)
	if someRule(g.denies.wide, p, q.At) || !away && someRule(g.denies.scoped[q.Scope], p, q.At) {
		return false, DeniedByOverride
	}
	if !within(q.Ceiling, p) {
		return false, BeyondCeiling
	}
	if someHeld(g.wide, p, q.At) || !away && q.Scope != "" && someHeld(g.scoped[q.Scope], p, q.At) {
		return true, Granted
	}
	if !away && (someRule(g.allows.wide, p, q.At) || someRule(g.allows.scoped[q.Scope], p, q.At)) && x.permitted(p) {
		return true, AllowedByOverride
	}
	return false, NotGranted
}

func (q Question) where() domain.TenantID {
	if q.Platform {
		return domain.Root
	}
	return q.Tenant
}

// admit is the user if they and the tenants allow them to do anything there at all. Away says that a user of the
// platform acts in another tenant: then only what they were assigned on the whole of root counts, and the tenant's own
// state and overrides do not bind them.
func (x *Index) admit(id domain.UserID, where domain.TenantID) (u *user, away bool, why Reason) {
	u, t := x.users[id], x.tenants[where]
	switch {
	case u == nil:
		return nil, false, SubjectUnknown
	case u.status != domain.UserActive:
		return nil, false, SubjectInactive
	case u.home.status != domain.TenantActive:
		return nil, false, HomeInactive
	case u.home == t:
		return u, false, ""
	case u.home != x.root:
		return nil, false, TenantForeign
	case t == nil || t.status == domain.TenantUnknown:
		return nil, false, TenantUnknown
	}
	return u, true, ""
}

func someHeld(list []held, p domain.Pattern, at time.Time) bool {
	for i := range list {
		if list[i].live(at) && list[i].set.has(p) {
			return true
		}
	}
	return false
}

func someRule(list []*override, p domain.Pattern, at time.Time) bool {
	for _, o := range list {
		if o.pattern.Covers(p) && o.window.Contains(at) {
			return true
		}
	}
	return false
}

func within(ceiling []domain.Pattern, p domain.Pattern) bool {
	return ceiling == nil || covers(ceiling, p)
}

func covers(patterns []domain.Pattern, p domain.Pattern) bool {
	for _, c := range patterns {
		if c.Covers(p) {
			return true
		}
	}
	return false
}

// permitted reports whether the platform lets tenants allow p by override.
func (x *Index) permitted(p domain.Pattern) bool { return covers(x.allowable, p) }
