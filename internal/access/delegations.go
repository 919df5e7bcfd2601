package access

import (
	"errors"
	"slices"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// delegation is what the copy of its events says that was recorded in the tenant in which it gives rights. One that has ended is
// kept: its id is never another's, and who asks is told so. There may be very many, and most of what a check costs then is to
// fetch one from memory: what each check reads stands first.
type delegation struct {
	to         domain.UserID // the delegate
	giver      *user         // the grantor, and
	taker      *user         // the delegate; nil if they were not known, or belonged to another tenant than was said, when it was granted
	home       *tenant
	acceptedAt int64
	endedAt    int64
	up         *delegation // that on which it rests, if it does on one

	window     domain.Window
	sound      bool             // it rests on what it says
	narrows    bool             // by one of the three:
	privileges []domain.Pattern // nil for all, as the other bounds
	apps       []domain.Pattern
	resources  []domain.Scope

	id        domain.DelegationID
	grantor   party
	delegate  party
	roles     []domain.RoleID
	byRoles   [][]domain.RoleID // those bounds by role, of all in the chain, that do not follow from another one
	grantedAt int64
	parent    domain.DelegationID
	above     []domain.DelegationID // all that it says it rests on
	chain     []*delegation         // all that it rests on, the first of them first, itself last; nil if it is not sound
	ids       []domain.DelegationID // of the chain
}

// party is one of the two, and the tenant that they are said to belong to.
type party struct {
	id   domain.UserID
	home domain.TenantID
}

// who is a party; nil if they are unknown.
func (x *Index) who(p *party) *user { return x.users[p.id] }

// member is a party who belongs to the tenant that they are said to; nil for anybody else.
func (x *Index) member(p party) *user {
	if u := x.users[p.id]; u != nil && u.home.id == p.home {
		return u
	}
	return nil
}

// ErrNoDelegation says that there is no such delegation, or that it is none of the caller's.
var ErrNoDelegation = errors.New("there is no such delegation")

// Why a delegation gives nothing; of each in its chain.
const (
	DelegationUnknown   Reason = "delegation-unknown" // there is none, or the subject is not its delegate
	DelegationBroken    Reason = "delegation-broken"  // it was not handed on by the delegate of the one that it rests on
	DelegationPending   Reason = "delegation-not-accepted"
	DelegationEarly     Reason = "delegation-early"
	DelegationOver      Reason = "delegation-over"
	DelegationForbidden Reason = "delegation-forbidden" // by the policy of a tenant
	GrantorInactive     Reason = "grantor-inactive"     // somebody of the chain, or their tenant
)

func (x *Index) foldDelegation(t *tenant, event dcb.Event, at int64) {
	change := func(id domain.DelegationID, fn func(d *delegation)) {
		if d := x.delegations[id]; d != nil && d.home == t && d.endedAt == 0 {
			fn(d)
		}
	}
	end := func(d *delegation) {
		d.endedAt = at
		if x.inbound[d.to] = without(x.inbound[d.to], d); len(x.inbound[d.to]) == 0 {
			delete(x.inbound, d.to)
		}
	}
	switch e := event.(type) {
	case domain.DelegationGranted:
		if e.Tenant.Tenant() == t.id && x.delegations[e.Delegation] == nil {
			x.grant(t, e, at)
		}
	case domain.DelegationAccepted:
		change(e.Delegation, func(d *delegation) {
			if d.acceptedAt == 0 {
				d.acceptedAt = at
			}
		})
	case domain.DelegationDeclined:
		change(e.Delegation, end)
	case domain.DelegationRevoked:
		change(e.Delegation, end)
	case domain.DelegationExpired:
		// Its window is judged when asked.
	}
}

func (x *Index) grant(t *tenant, e domain.DelegationGranted, at int64) {
	d := x.offer(t, e)
	d.grantedAt = at
	d.privileges, d.apps = x.once(d.privileges), x.once(d.apps)
	x.partner(t, e.GrantorTenant)
	x.partner(t, e.DelegateTenant)
	x.delegations[d.id] = d
	x.inbound[d.to] = append(x.inbound[d.to], d)
}

// once is a list that all delegations share which are for the same.
func (x *Index) once(list []domain.Pattern) []domain.Pattern {
	if len(list) == 0 {
		return list
	}
	key := make([]byte, 0, 64)
	for _, p := range list {
		key = append(append(key, p...), ' ')
	}
	kept, known := x.bounds[string(key)]
	if !known {
		kept = list
		x.bounds[string(key)] = kept
	}
	return kept
}

// offer is a delegation as it is granted.
func (x *Index) offer(t *tenant, e domain.DelegationGranted) *delegation {
	d := &delegation{
		id: e.Delegation, home: t, to: e.Delegate, parent: e.Parent, above: slices.Clone(e.Chain), window: e.Window,
		grantor: party{e.Grantor, e.GrantorTenant.Tenant()}, delegate: party{e.Delegate, e.DelegateTenant.Tenant()},
		privileges: slices.Clone(e.Bounds.Privileges), roles: slices.Clone(e.Bounds.Roles), resources: slices.Clone(e.Bounds.Resources),
	}
	if e.Bounds.Apps != nil {
		d.apps = make([]domain.Pattern, len(e.Bounds.Apps))
	}
	for i, app := range e.Bounds.Apps {
		d.apps[i] = domain.Pattern(app + ".*")
	}
	d.giver, d.taker = x.member(d.grantor), x.member(d.delegate)
	d.narrows = d.privileges != nil || d.apps != nil || d.resources != nil
	d.rest(x.delegations[e.Parent])
	return d
}

// rest finds what a delegation rests on. That was granted before, so there is no circle. What was handed on by somebody else than the
// delegate rests on nothing.
func (d *delegation) rest(parent *delegation) {
	switch above := d.above; {
	case d.parent.IsZero() && d.grantor.home == d.home.id && len(above) == 0:
	case parent != nil && parent.sound && parent.home == d.home && parent.delegate.id == d.grantor.id && slices.Equal(parent.ids, above) && len(above) < domain.MaxChain:
		d.up, d.chain, d.byRoles = parent, slices.Clone(parent.chain), slices.Clone(parent.byRoles)
	default:
		return
	}
	d.sound, d.chain, d.ids = true, append(d.chain, d), append(slices.Clone(d.above), d.id)
	if d.roles != nil {
		d.byRoles = slices.DeleteFunc(d.byRoles, func(wider []domain.RoleID) bool { return isWithin(d.roles, wider) })
		d.byRoles = append(d.byRoles, d.roles)
	}
}

func isWithin[T comparable](these, those []T) bool {
	return !slices.ContainsFunc(these, func(t T) bool { return !slices.Contains(those, t) })
}

// under is a delegation that is the delegate's and in force, with all that it rests on; and whose rights it gives.
func (x *Index) under(id domain.DelegationID, delegate domain.UserID, at time.Time) (*delegation, *user, Reason) {
	d := x.delegations[id]
	switch {
	case d == nil || d.to != delegate:
		return nil, nil, DelegationUnknown
	case !d.sound:
		return nil, nil, DelegationBroken
	}
	first, why := x.inForce(d, at)
	return d, first, why
}

// inForce is the first grantor of a chain, and why it is not in force: of the first link that is not.
func (x *Index) inForce(d *delegation, at time.Time) (first *user, why Reason) { //nolint:cyclop // one case for each reason
	giver, taker := d.giver, d.taker
	if giver == nil || taker == nil { // nearly never: they may have been registered since
		giver, taker = x.who(&d.grantor), x.who(&d.delegate)
	}
	if first = giver; d.up != nil {
		if first, why = x.inForce(d.up, at); why != "" {
			return nil, why
		}
	}
	switch {
	case d.endedAt > 0 || d.window.Over(at):
		return nil, DelegationOver
	case d.acceptedAt == 0:
		return nil, DelegationPending
	case at.Before(d.window.From):
		return nil, DelegationEarly
	case !giver.active() || !taker.active():
		return nil, GrantorInactive
	case (d.giver == nil || d.taker == nil) && (x.member(d.grantor) == nil || x.member(d.delegate) == nil):
		return nil, DelegationBroken
	case !d.home.says(domain.Delegable):
		return nil, DelegationForbidden
	case giver.home != taker.home && (!giver.home.says(domain.DelegateOut) || !taker.home.says(domain.DelegateIn)):
		return nil, DelegationForbidden
	}
	return first, ""
}

// permits reports whether a delegation, with all that it rests on, is for what is wanted, but for its roles; and whether any ever is.
func (d *delegation) permits(w *want) bool {
	for link := d; link != nil; link = link.up {
		if !link.narrows {
			continue
		}
		if !within(link.privileges, w.pattern) || !within(link.apps, w.pattern) || link.resources != nil && !slices.Contains(link.resources, w.scope) {
			return false
		}
	}
	return !meets(domain.NeverDelegated, w.pattern)
}

// through reports whether a set is that of one of the roles, or of one which inherits from it, and that role gives p too.
func (x *Index) through(t *tenant, s *roleSet, roles []domain.RoleID, p domain.Pattern) bool {
	for _, id := range roles {
		if r := x.role(t, id); r != nil && s.from(id) && x.closureOf(r).has(p) {
			return true
		}
	}
	return false
}

// from reports whether the role is the set's, or one that it inherits from.
func (s *roleSet) from(id domain.RoleID) bool {
	_, found := slices.BinarySearchFunc(s.roles, id, compareRoles)
	return found
}

func compareRoles(a, b domain.RoleID) int { return compareIDs(a.UUID, b.UUID) }

// Delegated is the caller acting under a delegation. Errors: ErrNoDelegation; a *Rejection where it is the caller's and not in
// force, and for a caller who acts for somebody already.
func (x *Index) Delegated(c Caller, id domain.DelegationID, now time.Time) (Caller, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if c.Acting() || !c.Impersonation.IsZero() || !c.Delegation.IsZero() {
		return Caller{}, &Rejection{ActingTwice}
	}
	d, first, why := x.under(id, c.User, now)
	switch {
	case why == DelegationUnknown:
		return Caller{}, ErrNoDelegation
	case why != "":
		return Caller{}, &Rejection{why}
	}
	c.For, c.ForTenant, c.Delegation, c.Chain = first.id, first.home.id, d.id, d.ids
	return c, nil
}
