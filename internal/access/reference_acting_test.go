package access_test

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// acting is what history says of those who act for others.
type acting struct {
	settings  map[[2]string]string // tenant, key
	offered   map[uuid.UUID]domain.DelegationGranted
	offeredAt map[uuid.UUID]int64
	accepted  map[uuid.UUID]bool
	over      map[uuid.UUID]bool
	sessions  map[uuid.UUID]session
	demands   map[place]domain.ConstraintCreated
	undemands map[place]bool
}

// session is an impersonation, and the tenant that it was recorded in.
type session struct {
	in, admin, adminHome, target uuid.UUID
	scopes                       []domain.Pattern
	until                        time.Time
	started, ended               bool
}

func nobodyActs() acting {
	return acting{
		map[[2]string]string{}, map[uuid.UUID]domain.DelegationGranted{}, map[uuid.UUID]int64{}, map[uuid.UUID]bool{},
		map[uuid.UUID]bool{}, map[uuid.UUID]session{}, map[place]domain.ConstraintCreated{}, map[place]bool{},
	}
}

// heard takes an event. What is said of a delegation counts in the tenant alone in which it gives rights, and of an id the first
// that was said.
func (a *acting) heard(r dcb.Recorded) {
	here := func(id domain.DelegationID) bool {
		d, known := a.offered[id.UUID]
		return known && d.Tenant.UUID == r.Tenant
	}
	switch e := r.Event.(type) {
	case domain.PolicySet:
		a.settings[[2]string{r.Tenant.String(), e.Key}] = e.Value
	case domain.PolicyReset:
		delete(a.settings, [2]string{r.Tenant.String(), e.Key})
	case domain.DelegationGranted:
		if _, known := a.offered[e.Delegation.UUID]; !known && e.Tenant.UUID == r.Tenant {
			a.offered[e.Delegation.UUID], a.offeredAt[e.Delegation.UUID] = e, r.Position
		}
	case domain.DelegationAccepted:
		if here(e.Delegation) {
			a.accepted[e.Delegation.UUID] = true
		}
	case domain.DelegationDeclined:
		if here(e.Delegation) {
			a.over[e.Delegation.UUID] = true
		}
	case domain.DelegationRevoked:
		if here(e.Delegation) {
			a.over[e.Delegation.UUID] = true
		}
	case domain.ImpersonationRequested:
		if _, known := a.sessions[e.Impersonation.UUID]; !known {
			a.sessions[e.Impersonation.UUID] = session{in: r.Tenant, admin: e.Admin.UUID, adminHome: e.AdminTenant.UUID, target: e.Target.UUID}
		}
	case domain.ImpersonationStarted:
		s, known := a.sessions[e.Impersonation.UUID]
		if !known {
			s = session{in: r.Tenant, admin: e.Admin.UUID, adminHome: e.AdminTenant.UUID, target: e.Target.UUID}
		}
		if s.in == r.Tenant && s.admin == e.Admin.UUID && s.target == e.Target.UUID && !s.started && !s.ended {
			s.started, s.scopes, s.until = true, e.Scopes, e.ExpiresAt
		}
		a.sessions[e.Impersonation.UUID] = s
	case domain.ImpersonationRefused:
		a.endSession(e.Impersonation.UUID, r.Tenant)
	case domain.ImpersonationEnded:
		a.endSession(e.Impersonation.UUID, r.Tenant)
	case domain.ConstraintCreated:
		if p := (place{r.Tenant, e.Constraint.UUID, "constraint"}); !a.undemands[p] && a.demands[p].Kind == "" {
			a.demands[p] = e
		}
	case domain.ConstraintRemoved:
		if p := (place{r.Tenant, e.Constraint.UUID, "constraint"}); a.demands[p].Kind != "" {
			delete(a.demands, p)
			a.undemands[p] = true
		}
	}
}

func (a *acting) endSession(id, in uuid.UUID) {
	if s, known := a.sessions[id]; known && s.in == in {
		s.ended = true
		a.sessions[id] = s
	}
}

// says is the value of a setting in a tenant.
func (a acting) says(t uuid.UUID, s domain.Setting) string {
	if v, decided := a.settings[[2]string{t.String(), s.Key}]; decided {
		return v
	}
	return s.Default
}

func (a acting) wants(t uuid.UUID, s domain.Setting) bool { return a.says(t, s) == "true" }

// welcome reports whether a user of another tenant may be a guest in t.
func (w world) welcome(u, t uuid.UUID) bool {
	return w.stands(u) && w.tenants[t] == domain.TenantActive && w.wants(t, domain.OutsideMembers) && w.wants(w.homes[u], domain.JoinOutside)
}

// chain is a delegation with all above it, the first of them first; nil if it is not sound.
func (w world) chain(id uuid.UUID) []domain.DelegationGranted {
	var links []domain.DelegationGranted
	for id != uuid.Nil {
		d, known := w.offered[id]
		if !known || len(links) > 0 && w.offeredAt[id] >= w.offeredAt[links[0].Delegation.UUID] || len(links) == domain.MaxChain {
			return nil
		}
		links = slices.Insert(links, 0, d)
		id = d.Parent.UUID
	}
	var above []domain.DelegationID
	for i, d := range links {
		if !slices.Equal(d.Chain, above) || d.Tenant != links[0].Tenant {
			return nil
		}
		if i == 0 && d.GrantorTenant != d.Tenant || i > 0 && d.Grantor != links[i-1].Delegate {
			return nil
		}
		if w.homes[d.Grantor.UUID] != d.GrantorTenant.UUID || w.homes[d.Delegate.UUID] != d.DelegateTenant.UUID {
			return nil
		}
		above = append(slices.Clone(above), d.Delegation)
	}
	return links
}

// mayFor reports whether the user may under a delegation.
func (w world) mayFor(a own, id uuid.UUID) bool {
	links := w.chain(id)
	if links == nil || links[len(links)-1].Delegate.UUID != a.user {
		return false
	}
	if !w.wants(links[0].Tenant.UUID, domain.Delegable) || w.barred(a) || matches(domain.NeverDelegated, a.privilege) {
		return false
	}
	var within [][]domain.RoleID
	for _, d := range links {
		if !w.inForce(d, a) || !bounded(d.Bounds, a) {
			return false
		}
		if d.Bounds.Roles != nil {
			within = append(within, d.Bounds.Roles)
		}
	}
	first := a
	first.user = links[0].Grantor.UUID
	return w.mayAtHome(first, a.user, within)
}

// inForce reports whether one link holds when it is asked.
func (w world) inForce(d domain.DelegationGranted, a own) bool {
	crosses := d.GrantorTenant != d.DelegateTenant
	return w.accepted[d.Delegation.UUID] && !w.over[d.Delegation.UUID] && d.Window.Contains(a.at) &&
		w.stands(d.Grantor.UUID) && w.stands(d.Delegate.UUID) &&
		(!crosses || w.wants(d.GrantorTenant.UUID, domain.DelegateOut) && w.wants(d.DelegateTenant.UUID, domain.DelegateIn))
}

// bounded reports whether all bounds but those of roles let the question through.
func bounded(b domain.Bounds, a own) bool {
	ofApp := func(app domain.App) bool { return strings.HasPrefix(string(a.privilege), string(app)+".") }
	return (b.Privileges == nil || matches(b.Privileges, a.privilege)) &&
		(b.Apps == nil || slices.ContainsFunc(b.Apps, ofApp)) &&
		(b.Resources == nil || slices.Contains(b.Resources, a.scope))
}

// barred reports whether a deny keeps it from who acts, whatever rights they use.
func (w world) barred(a own) bool {
	home := w.homes[a.user]
	on := a.scope
	if home != a.where {
		on = ""
	}
	if w.denied(a, w.reached(a.user, home), home, on) {
		return true
	}
	guest := w.reached(a.user, a.where)
	return home != a.where && home != domain.Root.UUID && len(guest) > 0 && w.deniedGuest(a, guest)
}

// mayAs reports whether the user may in an impersonation: in the tenant of the target, what both of them may, though not as guests.
func (w world) mayAs(a own, id uuid.UUID) bool {
	s, known := w.sessions[id]
	if !known || !s.started || s.ended || s.admin != a.user || !a.at.Before(s.until) || w.homes[s.target] != s.in || w.homes[a.user] != s.adminHome {
		return false
	}
	if !w.stands(a.user) || !w.stands(s.target) || w.says(s.in, domain.ImpersonationWord) == domain.Forbade || a.where != s.in {
		return false
	}
	var never []domain.Pattern
	for word := range strings.FieldsSeq(w.says(s.in, domain.ImpersonationNever)) {
		never = append(never, domain.Pattern(word))
	}
	if !matches(s.scopes, a.privilege) || matches(domain.NeverImpersonated, a.privilege) || matches(never, a.privilege) {
		return false
	}
	theirs := a
	theirs.user = s.target
	return w.mayAtHome(a, a.user, nil) && w.mayAtHome(theirs, s.target, nil)
}
