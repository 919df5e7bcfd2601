package access

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"chancery/domain"
)

// SearchSubjects are all users of whom Decide answers the question with yes, whoever it names: those of the tenant, those of the
// platform, and guests; under a delegation the delegate, in an impersonation the administrator.
func (x *Index) SearchSubjects(q Question) []domain.UserID {
	found := sweep(x, &q, func() []domain.UserID { return x.candidates(&q) }, func(u domain.UserID) bool {
		q.User = u
		return x.judge(&q).allows()
	})
	return sortedBy(found, domain.UserID.String)
}

func (x *Index) candidates(q *Question) []domain.UserID {
	t := x.tenants[q.where()]
	switch d, i := x.delegations[q.Delegation], x.impersonations[q.Impersonation]; {
	case d != nil:
		return []domain.UserID{d.delegate.id}
	case i != nil:
		return []domain.UserID{i.admin.id}
	case q.acts():
		return nil
	case t == nil || t == x.root:
		return slices.AppendSeq(slices.Clone(x.root.users), maps.Keys(x.root.guests))
	}
	return slices.AppendSeq(slices.Concat(t.users, x.root.users), maps.Keys(t.guests))
}

// SearchResources are the ids of all known resources of a type of which Decide answers the question with yes, whatever scope it
// names. Whole says that it does so of the whole tenant, so of unknown ones too, save where denied. Known are the resources that
// standing assignments and overrides name, or the delegation asked about, and the tenant's own groups, departments and users;
// "tenant" is the tenant itself.
func (x *Index) SearchResources(q Question, typ string) (ids []string, whole bool) {
	ask := func(s domain.Scope) bool {
		q.Scope = s
		return x.judge(&q).allows()
	}
	found := sweep(x, &q, func() []string {
		whole = ask("")
		return x.known(&q, typ)
	}, func(id string) bool {
		if typ == "tenant" {
			return ask("")
		}
		return ask(domain.Scope(typ + ":" + id))
	})
	return sortedBy(found, strings.Clone), whole
}

func (x *Index) known(q *Question, typ string) []string {
	t := x.tenants[q.where()]
	if t == nil {
		return nil
	}
	known := map[string]struct{}{}
	if d := x.delegations[q.Delegation]; d != nil {
		for _, link := range d.chain {
			for _, s := range link.resources {
				if id, ok := strings.CutPrefix(string(s), typ+":"); ok {
					known[id] = struct{}{}
				}
			}
		}
	}
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

// SearchActions are those of the privileges of which Decide answers the question with yes, whichever it names; without privileges,
// of all that the platform has registered or that apps bring into the tenant.
func (x *Index) SearchActions(q Question, of []domain.Privilege) []domain.Privilege {
	found := sweep(x, &q, func() []domain.Privilege {
		if of != nil {
			return of
		}
		return x.privilegesIn(x.tenants[q.where()])
	}, func(p domain.Privilege) bool {
		q.Privilege = p
		return x.judge(&q).allows()
	})
	return sortedBy(found, func(p domain.Privilege) string { return string(p) })
}

const (
	stride   = 256
	attempts = 3
)

// sweep keeps the candidates that pass. It gives the lock up now and then, so that a long search does not hold up the
// log; if something changed meanwhile that could bear on it, it begins again, and at last does not let go. So the answer is
// that of one position.
func sweep[C any](x *Index, q *Question, candidates func() []C, pass func(C) bool) []C {
	for attempt := 1; ; attempt++ {
		x.mu.RLock()
		on := x.concerned(q)
		all, since := candidates(), newest(on)
		var found []C
		for i, c := range all {
			if i%stride == stride-1 && attempt < attempts {
				x.mu.RUnlock()
				x.mu.RLock()
				if newest(on) != since {
					break
				}
			}
			if pass(c) {
				found = append(found, c)
			}
		}
		same := newest(on) == since
		x.mu.RUnlock()
		if same {
			return found
		}
	}
}

// concerned are the tenants whose events could bear on an answer: the platform, that asked about, and those whose users have rights
// there, or make use of some. They are the same until one of them changes.
func (x *Index) concerned(q *Question) []*tenant {
	on := []*tenant{x.root}
	add := func(id domain.TenantID) {
		if t := x.tenants[id]; t != nil && !slices.Contains(on, t) {
			on = append(on, t)
		}
	}
	add(q.where())
	for _, t := range slices.Clone(on) {
		for id := range t.partners {
			add(id)
		}
	}
	if u := x.users[q.User]; u != nil {
		add(u.home.id)
	}
	if d := x.delegations[q.Delegation]; d != nil {
		add(d.home.id)
		for id := range d.home.partners {
			add(id)
		}
	}
	return on
}

// newest is the newest event of the tenants.
func newest(on []*tenant) (at int64) {
	for _, t := range on {
		at = max(at, t.changed)
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
