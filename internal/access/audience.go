package access

import (
	"time"

	"chancery/domain"
)

// Audience is how an app stands to a tenant's events.
type Audience struct {
	Open        bool                  // it may be sent what it means now: it works, and the tenant is active
	Number      domain.Semver         // that is or was at work; empty: none ever was
	Deliverable []domain.EventPattern // what apps may be sent at all; not to be changed
}

// Audience tells how an app stands to a tenant's events at an instant.
func (x *Index) Audience(t domain.TenantID, name domain.App, at time.Time) (s Audience) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	here := x.tenants[t]
	if here == nil {
		return s
	}
	s.Deliverable = here.deliverable
	if a := here.apps[name]; a != nil {
		s.Number = a.number
		s.Open = here.status == domain.TenantActive && x.apps[name] > 0 && a.works(at)
	}
	return s
}
