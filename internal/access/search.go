package access

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
)

// SearchSubjects are all users whom Decide allows the privilege: those of the tenant, and those of the platform, whom
// it allows to act there.
func (x *Index) SearchSubjects(t domain.TenantID, p domain.Privilege, s domain.Scope, at time.Time) []domain.UserID {
	found := sweep(x, t, func() []domain.UserID {
		list := x.root.users
		if home := x.tenants[t]; home != nil && home != x.root {
			list = slices.Concat(home.users, list)
		}
		return list
	}, func(u domain.UserID) bool {
		return x.decide(Question{Tenant: t, User: u, Privilege: p, Scope: s, At: at}).Allowed
	})
	return sortedBy(found, domain.UserID.String)
}

// SearchResources are the ids of all known resources of a type on which Decide allows the privilege. Whole says that it
// is allowed on the whole tenant, so on unknown ones too, save where denied. Known are the resources that standing
// assignments and overrides name, and the tenant's own groups, departments and users; "tenant" is the tenant itself.
func (x *Index) SearchResources(t domain.TenantID, u domain.UserID, p domain.Privilege, typ string, at time.Time) (ids []string, whole bool) {
	ask := func(s domain.Scope) bool {
		return x.decide(Question{Tenant: t, User: u, Privilege: p, Scope: s, At: at}).Allowed
	}
	found := sweep(x, t, func() []string {
		whole = ask("")
		return x.known(t, typ)
	}, func(id string) bool {
		if typ == "tenant" {
			return ask("")
		}
		return ask(domain.Scope(typ + ":" + id))
	})
	return sortedBy(found, strings.Clone), whole
}

func (x *Index) known(id domain.TenantID, typ string) []string {
	t := x.tenants[id]
	if t == nil {
		return nil
	}
	known := map[string]struct{}{}
	for id := range t.scopes[typ] {
		known[id] = struct{}{}
	}
	standing := func(trees map[uuid.UUID]*node) {
		for id, n := range trees {
			if !n.gone {
				known[id.String()] = struct{}{}
			}
		}
	}
	switch typ {
	case "tenant":
		return []string{t.id.String()}
	case "group":
		standing(t.groups)
	case "department":
		standing(t.departments)
	case "user":
		for _, u := range t.users {
			known[u.String()] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(known))
}

// SearchActions are those of the privileges that Decide allows; without privileges, those of all registered ones.
func (x *Index) SearchActions(t domain.TenantID, u domain.UserID, s domain.Scope, at time.Time, of []domain.Privilege) []domain.Privilege {
	found := sweep(x, t, func() []domain.Privilege {
		if of != nil {
			return of
		}
		return slices.Collect(maps.Keys(x.privileges))
	}, func(p domain.Privilege) bool {
		return x.decide(Question{Tenant: t, User: u, Privilege: p, Scope: s, At: at}).Allowed
	})
	return sortedBy(found, func(p domain.Privilege) string { return string(p) })
}

const (
	stride   = 256
	attempts = 3
)

// sweep keeps the candidates that pass. It gives the lock up now and then, so that a long search does not hold up the
// log; if the tenant or the platform changed meanwhile it begins again, and at last does not let go. So the answer is
// that of one position.
func sweep[C any](x *Index, id domain.TenantID, candidates func() []C, pass func(C) bool) []C {
	for attempt := 1; ; attempt++ {
		x.mu.RLock()
		all, since := candidates(), x.changes(id)
		var found []C
		for i, c := range all {
			if i%stride == stride-1 && attempt < attempts {
				x.mu.RUnlock()
				x.mu.RLock()
				if x.changes(id) != since {
					break
				}
			}
			if pass(c) {
				found = append(found, c)
			}
		}
		same := x.changes(id) == since
		x.mu.RUnlock()
		if same {
			return found
		}
	}
}

// changes are the newest events that could bear on a tenant.
func (x *Index) changes(id domain.TenantID) [2]int64 {
	at := [2]int64{x.root.changed}
	if t := x.tenants[id]; t != nil {
		at[1] = t.changed
	}
	return at
}

// sortedBy sorts by text and leaves one of each; the result is never nil.
func sortedBy[C any](list []C, text func(C) string) []C {
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b C) int { return strings.Compare(text(a), text(b)) })
	out = slices.CompactFunc(out, func(a, b C) bool { return text(a) == text(b) })
	if out == nil {
		out = []C{}
	}
	return out
}
