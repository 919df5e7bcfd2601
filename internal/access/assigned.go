package access

import "chancery/domain"

// Assigned are the roles that are assigned in a tenant, those of the platform among them, in no order.
func (x *Index) Assigned(id domain.TenantID) []domain.RoleID {
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := x.tenants[id]
	if t == nil {
		return nil
	}
	seen := map[domain.RoleID]struct{}{}
	var all []domain.RoleID
	for _, a := range t.assignments {
		if _, known := seen[a.role]; !known {
			seen[a.role] = struct{}{}
			all = append(all, a.role)
		}
	}
	return all
}
