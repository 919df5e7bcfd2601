package access

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
)

// Change is what somebody may do in a tenant after something, and could not before, and the reverse. Delegation is set where they
// act under it; what it changes for them alone is another Change.
type Change struct {
	User       domain.UserID
	Delegation domain.DelegationID
	Gained     []domain.Right
	Lost       []domain.Right
}

// Holder is somebody who acts in a tenant: alone, or under a delegation.
type Holder struct {
	User       domain.UserID
	Delegation domain.DelegationID
}

// Holders are all who may have rights in a tenant: its users, guests, and the delegates of delegations that give rights there; in no
// order. Those of the platform are holders on the platform alone.
func (x *Index) Holders(t domain.TenantID) []Holder {
	x.mu.RLock()
	defer x.mu.RUnlock()
	here := x.tenants[t]
	if here == nil {
		return nil
	}
	var all []Holder
	for _, u := range here.users {
		all = append(all, Holder{User: u})
	}
	for u := range here.guests {
		all = append(all, Holder{User: u})
	}
	for _, d := range x.delegations {
		if d.home == here && d.acceptedAt > 0 && d.endedAt == 0 && d.chain != nil {
			all = append(all, Holder{d.delegate.id, d.id})
		}
	}
	return all
}

// Effective are the privileges, of the platform and of the tenant's apps, that somebody has in a tenant at an instant, on the whole of it and on each resource that
// a right names; sorted. Decide says the same of each.
func (x *Index) Effective(t domain.TenantID, who Holder, at time.Time) []domain.Right {
	x.mu.RLock()
	defer x.mu.RUnlock()
	home := x.tenants[t]
	if home == nil || x.users[who.User] == nil {
		return nil
	}
	var out []domain.Right
	q := Question{Tenant: t, User: who.User, At: at, Delegation: who.Delegation}
	scopes := []domain.Scope{""}
	for s := range x.scopesOf(home, who) {
		scopes = append(scopes, s)
	}
	for _, p := range x.privilegesIn(home) {
		for _, s := range scopes {
			q.Privilege, q.Scope = p, s
			if x.judge(&q).allows() {
				out = append(out, domain.Right{Privilege: p, Scope: s})
				if s == "" && !x.narrower(q, scopes) {
					break // it holds on every resource too
				}
			}
		}
	}
	slices.SortFunc(out, compareRights)
	return out
}

// narrower reports whether what holds on the whole tenant is kept from the user on one of the resources.
func (x *Index) narrower(q Question, scopes []domain.Scope) bool {
	for _, s := range scopes[1:] {
		q.Scope = s
		if !x.judge(&q).allows() {
			return true
		}
	}
	return false
}

// scopesOf are the resources that rights of somebody name.
func (x *Index) scopesOf(t *tenant, who Holder) map[domain.Scope]struct{} {
	found := map[domain.Scope]struct{}{}
	take := func(g *grants) {
		if g == nil {
			return
		}
		for s := range g.scoped {
			found[s] = struct{}{}
		}
		for s := range g.denies.scoped {
			found[s] = struct{}{}
		}
		for s := range g.allows.scoped {
			found[s] = struct{}{}
		}
	}
	u := x.users[who.User]
	if d := x.delegations[who.Delegation]; d != nil && d.chain != nil {
		u = x.who(&d.chain[0].grantor)
		for _, link := range d.chain {
			for _, s := range link.resources {
				found[s] = struct{}{}
			}
		}
	}
	if u != nil && u.home == t {
		take(x.grantsOf(u))
	} else if u != nil {
		take(x.guestGrants(u, t))
	}
	return found
}

// Compare tells what differs for whom between two indexes at an instant; before comes first in the log. Most bounds how many changes
// are told, 0 for no bound; total is how many there are.
func Compare(before, after *Index, t domain.TenantID, at time.Time, most int) (changes []Change, total int) {
	holders := slices.Concat(before.Holders(t), after.Holders(t))
	slices.SortFunc(holders, func(a, b Holder) int {
		return cmp.Or(compareIDs(a.User.UUID, b.User.UUID), compareIDs(a.Delegation.UUID, b.Delegation.UUID))
	})
	for _, p := range slices.Compact(holders) {
		gained, lost := Difference(before.Effective(t, p, at), after.Effective(t, p, at))
		if len(gained)+len(lost) == 0 {
			continue
		}
		if total++; most == 0 || len(changes) < most {
			changes = append(changes, Change{p.User, p.Delegation, gained, lost})
		}
	}
	return changes, total
}

// Difference is what two sorted lists of rights do not share.
func Difference(before, after []domain.Right) (gained, lost []domain.Right) {
	only := func(list, other []domain.Right) (out []domain.Right) {
		for _, r := range list {
			if _, both := slices.BinarySearchFunc(other, r, compareRights); !both {
				out = append(out, r)
			}
		}
		return out
	}
	return only(after, before), only(before, after)
}

func compareRights(a, b domain.Right) int {
	return cmp.Or(cmp.Compare(a.Privilege, b.Privilege), cmp.Compare(a.Scope, b.Scope))
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
