package access

import "chancery/domain"

// Knows reports whether a tenant may hear of a user in the answer to a question: one of its own or of the platform, a guest, or the
// delegate of the delegation asked about. Any other is one that does not exist.
func (x *Index) Knows(t domain.TenantID, u domain.UserID, q Question) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	who, here := x.users[u], x.tenants[t]
	if who == nil || here == nil {
		return false
	}
	if d := x.delegations[q.Delegation]; d != nil && d.delegate.id == u && (d.home == here || d.home == x.root) {
		return true
	}
	return who.home == here || who.home == x.root || x.guestGrants(who, here) != nil
}
