package access

import (
	"time"

	"chancery/domain"
)

// Rights are what a caller may hand out in a tenant: nobody hands out what they lack. Those of a caller who acts for somebody are
// the other one's, under every bound of that. Each method looks at what the index knows when it is called.
type Rights struct {
	index  *Index
	caller Caller
	tenant domain.TenantID
	at     time.Time
}

// Rights are those of a caller in a tenant at an instant.
func (x *Index) Rights(caller Caller, tenant domain.TenantID, at time.Time) *Rights {
	return &Rights{x, caller, tenant, at}
}

// Actor is the acting user.
func (r *Rights) Actor() domain.UserID { return r.caller.User }

// Effective is whose rights they are: the actor's own unless they act for somebody else.
func (r *Rights) Effective() domain.UserID { return r.caller.Effective() }

// Holds reports whether the caller holds every privilege of p on s, under the token's ceiling. A deny that touches any
// of them anywhere within s makes it false, as does a bound that keeps any of them.
func (r *Rights) Holds(p domain.Pattern, s domain.Scope) bool {
	r.index.mu.RLock()
	defer r.index.mu.RUnlock()
	return r.holds(p, s)
}

// HoldsEverything reports whether the caller holds every privilege on the whole tenant.
func (r *Rights) HoldsEverything() bool { return r.Holds(domain.Everything, "") }

// Denied reports whether an override keeps p, or a part of it, from the caller on s, or a bound of what they act under does, or
// whether they may do nothing at all there.
func (r *Rights) Denied(p domain.Pattern, s domain.Scope) bool {
	r.index.mu.RLock()
	defer r.index.mu.RUnlock()
	b, ok := r.stands(r.tenant)
	if !ok {
		return true
	}
	switch why := r.index.weigh(&b, &want{p, s, nil, true}); why {
	case DeniedByOverride, BeyondDelegation, BeyondImpersonation:
		return true
	default:
		return b.byRoles() != nil && !why.allows()
	}
}

func (r *Rights) holds(p domain.Pattern, s domain.Scope) bool {
	b, ok := r.stands(r.tenant)
	return ok && r.index.weigh(&b, &want{p, s, r.caller.Scopes, true}).allows()
}

// stands is how the caller stands in a tenant, if they are who they say.
func (r *Rights) stands(t domain.TenantID) (bearing, bool) {
	q := r.caller.Asking(Question{Tenant: t}, r.at)
	var b bearing
	why := r.index.bear(&b, &q)
	return b, why == "" && b.actor.home.id == r.caller.Tenant && b.u.id == r.caller.Effective()
}
