package access

import (
	"strings"

	"chancery/domain"
)

// Begins reports whether a privilege that the platform itself registered begins with the app's name.
func (x *Index) Begins(a domain.App) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for p := range x.privileges {
		if strings.HasPrefix(string(p), string(a)+".") {
			return true
		}
	}
	return false
}
