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

	// At most one of the two: User acts for somebody else.
	Delegation    domain.DelegationID    // with the rights that the delegation gives, and no others
	Impersonation domain.ImpersonationID // as the session's target
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

	PrivilegeMalformed  Reason = "privilege-malformed"
	SubjectUnknown      Reason = "subject-unknown"
	SubjectInactive     Reason = "subject-inactive"
	HomeInactive        Reason = "tenant-inactive" // the subject's tenant is suspended or closed, or that of which they are a guest
	TenantUnknown       Reason = "tenant-unknown"
	TenantForeign       Reason = "tenant-foreign" // whose rights count belongs to another tenant, not to the platform, and is no guest
	ActingTwice         Reason = "acting-twice"   // who acts for somebody acts for nobody else
	DeniedByOverride    Reason = "denied-by-override"
	BeyondCeiling       Reason = "beyond-ceiling"
	BeyondDelegation    Reason = "beyond-delegation"    // a delegation of the chain is not for this, or none ever is
	BeyondImpersonation Reason = "beyond-impersonation" // the session is not for this, none ever is, or the administrator lacks it
	NotGranted          Reason = "not-granted"

	AppDisabled  Reason = "app-disabled"  // the privilege is of an app that is not enabled in the tenant, or its version does not bring it
	LicenseEnded Reason = "license-ended" // the app needs a licence there, and none is in force
)

// Decide answers a question from what the index has seen. It fails closed.
func (x *Index) Decide(q Question) Answer {
	x.mu.RLock()
	defer x.mu.RUnlock()
	why := x.judge(&q)
	return Answer{why.allows(), x.position, why}
}

// judge tells why somebody may do something, or not. Who does not stand in the tenant at all is told so; then a deny stays a deny; then
// comes whether the app that the privilege belongs to is at work there, before all else about rights: they are asleep until it is. What
// somebody may hand out does not rest on that, see Rights: what they hand out is under the same ceiling.
func (x *Index) judge(q *Question) Reason {
	if !wellFormed(q.Privilege) {
		return PrivilegeMalformed
	}
	var b bearing
	if why := x.bear(&b, q); why != "" {
		return why
	}
	why := x.weigh(&b, &want{domain.Pattern(q.Privilege), q.Scope, q.Ceiling, false})
	if why == DeniedByOverride {
		return why
	}
	if idle := x.idle(b.t, q.Privilege, q.At); idle != "" {
		return idle
	}
	return why
}

func (why Reason) allows() bool { return why == Granted || why == AllowedByOverride }

func (q *Question) where() domain.TenantID {
	if q.Platform {
		return domain.Root
	}
	return q.Tenant
}

// acts reports whether the question is about somebody who acts for somebody else.
func (q *Question) acts() bool { return !q.Delegation.IsZero() || !q.Impersonation.IsZero() }

// want is what is asked of somebody's rights.
type want struct {
	pattern domain.Pattern // all of it
	scope   domain.Scope
	ceiling []domain.Pattern
	wholly  bool // on all of scope: a deny within it denies
}

// weigh judges rights: denies first, then the ceilings, all of them together, then what is granted.
func (x *Index) weigh(b *bearing, w *want) Reason { //nolint:cyclop // the order of a decision, in one place
	g := x.grantsOf(b.u)
	switch {
	case g.denies.touch(b.home, w, b.at), b.actor != b.u && x.barred(b, w):
		return DeniedByOverride
	case b.guest != nil && !b.away && b.guest.denies.touch(true, w, b.at):
		return DeniedByOverride
	case !within(w.ceiling, w.pattern):
		return BeyondCeiling
	case b.under != nil && !b.under.permits(w):
		return BeyondDelegation
	case b.session != nil && !x.spares(b, w):
		return BeyondImpersonation
	}
	switch {
	case (b.home || b.away) && x.grants(b, g, w):
		return Granted
	case b.home && x.lets(b, &g.allows, w):
		return AllowedByOverride
	case b.guest != nil:
		return x.weighGuest(b, w)
	}
	return NotGranted
}

// barred reports whether a deny keeps from who acts for somebody else what is wanted, whatever rights they use.
func (x *Index) barred(b *bearing, w *want) bool {
	a := b.actor
	if x.grantsOf(a).denies.touch(a.home == b.t, w, b.at) {
		return true
	}
	if a.home == b.t || a.home == x.root {
		return false
	}
	guest := x.guestGrants(a, b.t)
	return guest != nil && b.t.status == domain.TenantActive && guest.denies.touch(true, w, b.at)
}

// weighGuest judges what groups give to somebody of another tenant. What the group's tenant denies binds these rights only: one of
// the platform has others there.
func (x *Index) weighGuest(b *bearing, w *want) Reason {
	switch {
	case b.guest.denies.touch(true, w, b.at):
		return DeniedByOverride
	case x.gives(b, b.t, b.guest, w, nil):
		return Granted
	case x.lets(b, &b.guest.allows, w):
		return AllowedByOverride
	}
	return NotGranted
}

// grants reports whether the user's own tenant gives what is wanted, through each of the bounds by role.
func (x *Index) grants(b *bearing, g *grants, w *want) bool {
	bounds := b.byRoles()
	for _, roles := range bounds {
		if !x.gives(b, b.u.home, g, w, roles) {
			return false
		}
	}
	return bounds != nil || x.gives(b, b.u.home, g, w, nil)
}

// gives reports whether a set of g, which is by t, gives what is wanted; and through one of the roles, if there are any.
func (x *Index) gives(b *bearing, t *tenant, g *grants, w *want, roles []domain.RoleID) bool {
	return x.someWide(b, t, g, w.pattern, roles) ||
		w.scope != "" && t == b.t && x.someHeld(b, t, g.scoped[w.scope], w.pattern, roles)
}

func (x *Index) someWide(b *bearing, t *tenant, g *grants, p domain.Pattern, roles []domain.RoleID) bool {
	if g.places == nil {
		return x.someHeld(b, t, g.wide, p, roles)
	}
	for _, some := range [][]int32{g.places.exact[domain.Privilege(p)], g.places.broad} {
		for _, i := range some {
			if x.counts(b, t, &g.wide[i], p, roles) {
				return true
			}
		}
	}
	return false
}

func (x *Index) someHeld(b *bearing, t *tenant, list []held, p domain.Pattern, roles []domain.RoleID) bool {
	for i := range list {
		if x.counts(b, t, &list[i], p, roles) {
			return true
		}
	}
	return false
}

// counts reports whether a set gives what is wanted now; through one of the roles, if there are any.
func (x *Index) counts(b *bearing, t *tenant, h *held, p domain.Pattern, roles []domain.RoleID) bool {
	return h.live(b.at) && h.set.has(p) && (roles == nil || x.through(t, h.set, roles, p)) &&
		(len(t.constraints) == 0 || !x.suspended(b.uses(), b.u, t, h.set, p, b.at))
}

// lets reports whether an override allows it that the platform permits.
func (x *Index) lets(b *bearing, allows *rules, w *want) bool {
	some := x.someAllow(b, allows.wide, w.pattern) || w.scope != "" && x.someAllow(b, allows.scoped[w.scope], w.pattern)
	return some && x.permitted(w.pattern) && b.byRoles() == nil
}

func (x *Index) someAllow(b *bearing, list []*override, p domain.Pattern) bool {
	for _, o := range list {
		if o.pattern.Covers(p) && o.window.Contains(b.at) && !x.suspendedAllow(b.uses(), b.u, b.t, o, p, b.at) {
			return true
		}
	}
	return false
}

// touch reports whether a deny touches what is wanted. One on a single thing binds in its own tenant only.
func (r *rules) touch(local bool, w *want, at time.Time) bool {
	if someMeet(r.wide, w.pattern, at) {
		return true
	}
	if !local || r.scoped == nil {
		return false
	}
	if !w.wholly || w.scope != "" {
		return someMeet(r.scoped[w.scope], w.pattern, at)
	}
	for _, list := range r.scoped {
		if someMeet(list, w.pattern, at) {
			return true
		}
	}
	return false
}

func someMeet(list []*override, p domain.Pattern, at time.Time) bool {
	for _, o := range list {
		if o.pattern.Meets(p) && o.window.Contains(at) {
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

func meets(patterns []domain.Pattern, p domain.Pattern) bool {
	for _, c := range patterns {
		if c.Meets(p) {
			return true
		}
	}
	return false
}

// permitted reports whether the platform lets tenants allow p by override.
func (x *Index) permitted(p domain.Pattern) bool { return covers(x.allowable, p) }
