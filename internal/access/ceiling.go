package access

import "chancery/domain"

// WithinCeiling reports whether all of the patterns lie under the ceiling of the caller's own token.
func (r *Rights) WithinCeiling(patterns []domain.Pattern) bool {
	for _, p := range patterns {
		if !within(r.caller.Scopes, p) {
			return false
		}
	}
	return true
}
