package access

import (
	"time"

	"chancery/domain"
)

// WithinCeiling reports whether all of the patterns lie under the ceiling of the caller's own token, and of what they act under.
func (r *Rights) WithinCeiling(patterns []domain.Pattern) bool {
	for _, p := range patterns {
		if !within(r.caller.Scopes, p) {
			return false
		}
	}
	if !r.caller.Acting() {
		return true
	}
	r.index.mu.RLock()
	defer r.index.mu.RUnlock()
	b, ok := r.stands(r.caller.Stands())
	return ok && b.byRoles() == nil && b.spareAll(patterns)
}

// spareAll reports whether no bound of what is acted under keeps any of the patterns everywhere.
func (b *bearing) spareAll(patterns []domain.Pattern) bool {
	for _, p := range patterns {
		for d := b.under; d != nil; d = d.up {
			if !within(d.privileges, p) || !within(d.apps, p) {
				return false
			}
		}
		if b.under != nil && meets(domain.NeverDelegated, p) || b.session != nil && !b.session.spares(p) {
			return false
		}
	}
	return true
}

// Until is when the caller's own token ends, or what they act under; zero if that never ends, and the token may do whatever its
// user may, and hand out as much.
func (r *Rights) Until() time.Time {
	var until time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (until.IsZero() || t.Before(until)) {
			until = t
		}
	}
	if !within(r.caller.Scopes, domain.Everything) || !r.caller.Impersonation.IsZero() {
		earlier(r.caller.ExpiresAt)
	}
	r.index.mu.RLock()
	defer r.index.mu.RUnlock()
	if d := r.index.delegations[r.caller.Delegation]; d != nil {
		for _, link := range d.chain {
			earlier(link.window.Until)
		}
	}
	return until
}
