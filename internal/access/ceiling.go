package access

import (
	"time"

	"chancery/domain"
)

// WithinCeiling reports whether all of the patterns lie under the ceiling of the caller's own token.
func (r *Rights) WithinCeiling(patterns []domain.Pattern) bool {
	for _, p := range patterns {
		if !within(r.caller.Scopes, p) {
			return false
		}
	}
	return true
}

// Until is when the caller's own token ends; zero if it may do whatever its user may, and hand out as much.
func (r *Rights) Until() time.Time {
	if within(r.caller.Scopes, domain.Everything) {
		return time.Time{}
	}
	return r.caller.ExpiresAt
}
