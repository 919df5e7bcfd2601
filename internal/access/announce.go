package access

import (
	"slices"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Announcing are the tenants that want changes of access on record (domain.AnnounceAccess), in the order of their ids.
func (x *Index) Announcing() []domain.TenantID {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []domain.TenantID
	for id, t := range x.tenants {
		if t.says(domain.AnnounceAccess) {
			all = append(all, id)
		}
	}
	return sortedBy(all, domain.TenantID.String)
}

// Concerned are all whose own rights in a tenant an event may change, as far as the index knows them: ask one that stands before the
// event and one behind it. They may be more than those whose rights do change, and never fewer. (That a department, a group or a
// role is made concerns nobody: its id is new.)
func (x *Index) Concerned(t domain.TenantID, r dcb.Recorded) []domain.UserID {
	x.mu.RLock()
	defer x.mu.RUnlock()
	here := x.tenants[t]
	if here == nil {
		return nil
	}
	whom, users, guests := x.reach(here, r)
	if users {
		whom = append(whom, here.users...)
	}
	for id := range here.guests {
		u := x.users[id] // staff of the platform have here what they have there
		if guests || r.Tenant == domain.Root.UUID && u != nil && u.home == x.root {
			whom = append(whom, id)
		}
	}
	whom = slices.DeleteFunc(whom, func(id domain.UserID) bool {
		u := x.users[id]
		return u == nil || u.home != here && here.guests[id] == nil
	})
	slices.SortFunc(whom, func(a, b domain.UserID) int { return compareIDs(a.UUID, b.UUID) })
	return slices.Compact(whom)
}

// reach is whom an event concerns: some by name, all users of a tenant, all its guests.
func (x *Index) reach(here *tenant, r dcb.Recorded) (whom []domain.UserID, users, guests bool) {
	there := domain.TenantID{UUID: r.Tenant}
	home := there == here.id || there == domain.Root
	whom, all := x.reached(here, r.Event)
	if x.constrained(here.id, domain.Root) { // rights then hang on what others have, on what people may do for others, and on what roles are
		_, dealings := here.partners[there]
		home = home || dealings
		all = all || home && weighty(r.Event)
	}
	if x.constrained(there) || x.constrainsGuests(here) {
		all = all || weighty(r.Event)
	}
	return whom, all && home, all
}

// Beneficiaries are all whom an assignment may give something.
func (x *Index) Beneficiaries(t domain.TenantID, id domain.AssignmentID) []domain.UserID {
	x.mu.RLock()
	a := (*assignment)(nil)
	if here := x.tenants[t]; here != nil {
		a = here.assignments[id]
	}
	x.mu.RUnlock()
	if a == nil {
		return nil
	}
	e := domain.RoleAssigned{Assignment: id, Role: a.role}
	if a.to.kind == toUser {
		e.User.UUID = a.to.id
	}
	return x.Concerned(t, dcb.Recorded{Meta: dcb.Meta{Tenant: t.UUID}, Event: e})
}

// EndOf is when the window of what an event says to be over was over. The index MUST stand before the event.
func (x *Index) EndOf(r dcb.Recorded) (time.Time, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := x.tenants[domain.TenantID{UUID: r.Tenant}]
	if t == nil {
		return time.Time{}, false
	}
	switch e := r.Event.(type) {
	case domain.AssignmentExpired:
		if a := t.assignments[e.Assignment]; a != nil {
			return a.window.Until, true
		}
	case domain.OverrideExpired:
		if o := t.overrides[e.Override]; o != nil {
			return o.window.Until, true
		}
	case domain.LicenseEnded:
		if x.licenses[e.License] != nil {
			return e.Ended, true
		}
	}
	return time.Time{}, false
}

// reached are the users that an event reaches one by one, or all.
func (x *Index) reached(t *tenant, event dcb.Event) (whom []domain.UserID, all bool) { //nolint:cyclop // one case for each kind of event
	one := func(u domain.UserID) ([]domain.UserID, bool) {
		if u.IsZero() {
			return nil, true
		}
		return []domain.UserID{u}, false
	}
	switch e := event.(type) {
	case domain.UserRegistered:
		return one(e.User)
	case domain.UserMoved:
		return one(e.User)
	case domain.UserDeactivated:
		return one(e.User)
	case domain.UserReactivated:
		return one(e.User)
	case domain.UserErased:
		return one(e.User)
	case domain.MemberAdded:
		return one(e.User)
	case domain.MemberRoleChanged:
		return one(e.User)
	case domain.MemberRemoved:
		return one(e.User)
	case domain.RoleAssigned:
		return one(e.User)
	case domain.RoleUnassigned:
		return one(e.User)
	case domain.AssignmentExpired:
		return one(e.User)
	case domain.OverrideAdded:
		return one(e.User)
	case domain.OverrideRevoked:
		return one(e.User)
	case domain.OverrideExpired:
		return one(e.User)
	case domain.RolePrivilegeAdded:
		return x.having(t, e.Role)
	case domain.RolePrivilegeRemoved:
		return x.having(t, e.Role)
	case domain.RoleParentAdded:
		return x.having(t, e.Role)
	case domain.RoleParentRemoved:
		return x.having(t, e.Role)
	case domain.PolicySet:
		return nil, rightsRestOn[e.Key]
	case domain.PolicyReset:
		return nil, rightsRestOn[e.Key]
	case domain.TenantSuspended, domain.TenantReactivated, domain.TenantClosed, domain.DepartmentMoved, domain.DepartmentDeleted,
		domain.GroupMoved, domain.GroupDeleted, domain.RoleDeleted, domain.ConstraintCreated, domain.ConstraintRemoved, domain.PrivilegeRegistered,
		domain.AppEnabled, domain.AppUpgraded, domain.AppRolledBack, domain.AppDisabled:
		return nil, true
	}
	_, holder, licensed := domain.AboutLicense(event)
	return nil, licensed && holder.Tenant() == t.id && weighty(event) // others have copies
}

// rightsRestOn are the settings on which what users may do themselves rests.
var rightsRestOn = map[string]bool{domain.OverrideAllow.Key: true, domain.OutsideMembers.Key: true, domain.JoinOutside.Key: true}

// Weighty are the types of events that may change what users may do themselves.
func Weighty() []string {
	var all []string
	for _, e := range []dcb.Event{
		domain.UserRegistered{}, domain.UserMoved{}, domain.UserDeactivated{}, domain.UserReactivated{}, domain.UserErased{},
		domain.TenantSuspended{}, domain.TenantReactivated{}, domain.TenantClosed{},
		domain.DepartmentMoved{}, domain.DepartmentDeleted{}, domain.GroupMoved{}, domain.GroupDeleted{},
		domain.MemberAdded{}, domain.MemberRoleChanged{}, domain.MemberRemoved{},
		domain.RoleDeleted{}, domain.RolePrivilegeAdded{}, domain.RolePrivilegeRemoved{}, domain.RoleParentAdded{}, domain.RoleParentRemoved{},
		domain.RoleAssigned{}, domain.RoleUnassigned{}, domain.AssignmentExpired{},
		domain.OverrideAdded{}, domain.OverrideRevoked{}, domain.OverrideExpired{},
		domain.DelegationAccepted{}, domain.DelegationRevoked{}, domain.DelegationExpired{}, // where there are constraints
		domain.ConstraintCreated{}, domain.ConstraintRemoved{}, domain.PolicySet{}, domain.PolicyReset{}, domain.PrivilegeRegistered{},
		domain.AppRegistered{}, domain.AppEnabled{}, domain.AppUpgraded{}, domain.AppRolledBack{}, domain.AppDisabled{},
		domain.LicenseIssued{}, domain.LicenseRenewed{}, domain.LicenseChanged{}, domain.LicenseSuspended{}, domain.LicenseReinstated{},
		domain.LicenseRevoked{}, domain.LicenseEnded{},
	} {
		all = append(all, e.EventType())
	}
	return all
}

// constrained reports whether there are constraints in one of the tenants.
func (x *Index) constrained(of ...domain.TenantID) bool {
	return slices.ContainsFunc(of, func(id domain.TenantID) bool { return x.tenants[id] != nil && len(x.tenants[id].constraints) > 0 })
}

// constrainsGuests reports whether there are constraints where guests come from.
func (x *Index) constrainsGuests(t *tenant) bool {
	for id := range t.guests {
		if u := x.users[id]; u != nil && len(u.home.constraints) > 0 {
			return true
		}
	}
	return false
}

// weighty reports whether an event may change rights at all.
func weighty(event dcb.Event) bool {
	switch e := event.(type) {
	case domain.PolicySet:
		return rightsRestOn[e.Key]
	case domain.PolicyReset:
		return rightsRestOn[e.Key]
	}
	return slices.Contains(Weighty(), event.EventType())
}

// having are the users who have a role in a tenant, or one that inherits from it; all if it is assigned to departments or groups.
func (x *Index) having(t *tenant, id domain.RoleID) (whom []domain.UserID, all bool) {
	with := map[domain.RoleID]bool{id: true}
	for grown := true; grown; {
		grown = false
		for _, roles := range []map[domain.RoleID]*role{t.roles, x.root.roles} {
			for heir, r := range roles {
				for parent := range r.parents {
					if with[parent] && !with[heir] {
						with[heir], grown = true, true
					}
				}
			}
		}
	}
	for _, a := range t.assignments {
		switch {
		case !with[a.role]:
		case a.to.kind == toUser:
			whom = append(whom, domain.UserID{UUID: a.to.id})
		default:
			return nil, true
		}
	}
	return whom, false
}
