package access

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
)

// source is a tenant that gives something to somebody, and how it reaches them.
type source struct {
	t      *tenant
	u      *user
	local  bool // it is the tenant asked about: what holds on single things counts too
	guest  bool
	chains []chain
}

// chain is one way in which something given to subject reaches the user.
type chain struct {
	to    subject
	links []Link
}

// own is what somebody's own tenant gives them.
func (w *witness) own(u *user) source {
	home := u.home
	self := Link{"user", u.id.String(), u.statusAt}
	out := []chain{
		{subject{}, []Link{self, {"tenant", home.id.String(), home.statusAt}}},
		{subject{toUser, u.id.UUID}, []Link{self}},
	}
	if !u.department.IsZero() {
		into := []Link{{"user", u.id.String(), u.departmentAt}}
		out = above(out, "department", toDepartment, home.departments, u.department.UUID, into)
	}
	for _, m := range home.members[u.id] {
		into := []Link{self, {"membership", m.id.String(), m.madeAt}}
		out = above(out, "group", toGroup, home.groups, m.group.UUID, into)
	}
	return source{home, u, home == w.t, false, out}
}

// host is what the groups of the tenant asked about give to a user of another one. What it denies to everybody, or to them, binds too.
func (w *witness) host(u *user) source {
	self := Link{"user", u.id.String(), u.statusAt}
	out := []chain{
		{subject{}, []Link{self, {"tenant", w.t.id.String(), w.t.statusAt}}},
		{subject{toUser, u.id.UUID}, []Link{self}},
	}
	for _, m := range w.t.members[u.id] {
		if m.home == u.home.id {
			into := []Link{self, {"membership", m.id.String(), m.madeAt}}
			out = above(out, "group", toGroup, w.t.groups, m.group.UUID, into)
		}
	}
	return source{w.t, u, true, true, out}
}

// above adds a chain for a place and for each place over it; a place met before on the way ends it.
func above(out []chain, kind string, to subjectKind, trees map[uuid.UUID]*node, id uuid.UUID, links []Link) []chain {
	n, known := trees[id]
	again := slices.ContainsFunc(links, func(l Link) bool { return l.Kind == kind && l.ID == id.String() })
	if !known || n.gone || again {
		return out
	}
	links = append(slices.Clip(links), Link{kind, id.String(), n.placedAt})
	return above(append(out, chain{subject{to, id}, links}), kind, to, trees, n.parent, links)
}

// bears tells why something on scope, given in window, does not bear on the question; empty if it does.
func (w *witness) bears(from source, scope domain.Scope, window domain.Window) string {
	switch {
	case !from.local && scope != "" && from.t.id == domain.Root:
		return "it holds on " + string(scope) + " of the platform only"
	case !from.local && scope != "":
		return "it holds on " + string(scope) + " of another tenant only"
	case from.local && !scope.Covers(w.q.Scope):
		return "it holds on " + string(scope) + " only"
	case w.q.At.Before(window.From):
		return "it begins at " + window.From.UTC().Format(instant)
	case !window.Until.IsZero() && !w.q.At.Before(window.Until):
		return "it ended at " + window.Until.UTC().Format(instant)
	}
	return ""
}

const instant = "2006-01-02T15:04:05.999999999Z07:00"

func (w *witness) overrides(from source, effect domain.Effect) bool {
	rule, some := RuleDeny, false
	if effect != domain.Deny {
		rule = RuleAllow
	}
	for _, c := range from.chains {
		if rule == RuleAllow && from.guest && c.to.kind != toGroup {
			continue
		}
		for _, o := range from.t.ruled[c.to] {
			if (o.effect == domain.Deny) != (effect == domain.Deny) || !o.pattern.Matches(w.q.Privilege) {
				continue
			}
			note := w.bears(from, o.scope, o.window)
			links := append(slices.Clip(c.links), Link{"override", o.id.String(), o.madeAt})
			if rule == RuleDeny {
				some = w.rule(rule, note, links...) || some
				if from.t != w.t {
					w.steps[len(w.steps)-1].From = from.t.id
				}
				continue
			}
			if note == "" {
				note = w.permission(from)
				links = append(links, Link{"policy", domain.OverrideAllow.Key, w.x.allowedAt})
			}
			var suspending []Step
			if note == "" {
				suspending = w.constraintsOnAllow(from.t, o)
			}
			some = w.unless(rule, suspending, note, links) || some
		}
	}
	return some
}

// unless is a step that counts where nothing is said against it and no constraint suspends it; the steps of those follow it.
func (w *witness) unless(r Rule, suspending []Step, against string, links []Link) bool {
	if len(suspending) > 0 {
		against = "a constraint suspends it"
	}
	counts := w.rule(r, against, links...)
	w.steps = append(w.steps, suspending...)
	return counts
}

// permission tells why the platform does not let an allow count here; empty if it does.
func (w *witness) permission(from source) string {
	if !from.local {
		return "overrides of the platform allow nothing in tenants"
	}
	if len(w.byRoles()) > 0 {
		return "the delegation is for what roles give"
	}
	for _, p := range w.x.allowable {
		if p.Matches(w.q.Privilege) {
			return ""
		}
	}
	return "the platform does not let this privilege be allowed by override"
}

// grants weighs assignments and offices. Each bound by role lets some of them through: there must be one for each.
func (w *witness) grants(from source) bool { //nolint:gocognit,cyclop // one way after the other
	bounds := w.byRoles()
	through := make([]bool, max(1, len(bounds)))
	for _, c := range from.chains {
		if from.guest && c.to.kind != toGroup {
			continue
		}
		for _, a := range from.t.given[c.to] {
			roles := w.inherits(from.t, a.role)
			if roles == nil {
				continue
			}
			links := append(slices.Clip(c.links), Link{"assignment", a.id.String(), a.madeAt})
			if at := from.t.approvals[a.id.UUID]; at > 0 {
				links = append(links, Link{"approval", a.id.String(), at})
			}
			note := w.bears(from, a.scope, a.window)
			counts := w.passes(from, a, note == "", bounds, through)
			if note == "" && !slices.Contains(counts, true) && len(bounds) > 0 {
				note = "the delegation is for what other roles give"
			}
			var suspending []Step
			if note == "" {
				suspending = w.constraints(from.t, a.role)
			}
			if w.unless(RuleGrant, suspending, note, append(links, roles...)) {
				for i := range through {
					through[i] = through[i] || counts[i]
				}
			}
		}
	}
	for _, m := range from.t.members[from.u.id] {
		if !from.guest || m.home == from.u.home.id {
			through[0] = w.officer(from, m) || through[0]
		}
	}
	return !slices.Contains(through, false)
}

// passes tells which of the bounds by role let an assignment through; without bounds, whether it bears at all.
func (w *witness) passes(from source, a *assignment, bears bool, bounds [][]domain.RoleID, through []bool) []bool {
	out := make([]bool, len(through))
	if len(bounds) == 0 {
		out[0] = bears
	}
	for i, roles := range bounds {
		out[i] = bears && slices.ContainsFunc(roles, func(id domain.RoleID) bool {
			return w.heirs(from.t, a.role)[id] && w.inherits(from.t, id) != nil
		})
	}
	return out
}

// role is one as a tenant may use it.
func (w *witness) role(t *tenant, id domain.RoleID) *role {
	for _, t := range []*tenant{w.x.tenants[domain.Root], t} {
		if r, ok := t.roles[id]; ok {
			if r.gone {
				return nil
			}
			return r
		}
	}
	return nil
}

// heirs are a role and all that it inherits from.
func (w *witness) heirs(t *tenant, id domain.RoleID) map[domain.RoleID]bool {
	all := map[domain.RoleID]bool{}
	var add func(t *tenant, id domain.RoleID)
	add = func(t *tenant, id domain.RoleID) {
		r := w.role(t, id)
		if r == nil || all[id] {
			return
		}
		all[id] = true
		for parent := range r.parents {
			add(r.home, parent)
		}
	}
	add(t, id)
	return all
}

func (w *witness) inherits(t *tenant, id domain.RoleID) []Link {
	links, known := w.ways[stem{t, id}]
	if !known {
		links = w.inheritance(t, id)
		w.ways[stem{t, id}] = links
	}
	return links
}

// inheritance is the shortest way from a role to a pattern of the privilege asked about: nil if there is none.
func (w *witness) inheritance(t *tenant, id domain.RoleID) []Link {
	type reached struct {
		r     *role
		links []Link
	}
	first := w.role(t, id)
	if first == nil {
		return nil
	}
	met := map[domain.RoleID]bool{id: true}
	for open := []reached{{first, []Link{{"role", id.String(), first.madeAt}}}}; len(open) > 0; open = open[1:] {
		at := open[0]
		var names []string
		for p := range at.r.privileges {
			if p.Matches(w.q.Privilege) {
				names = append(names, string(p))
			}
		}
		if len(names) > 0 {
			p := slices.Max(names) // the most particular, more or less, and always the same one
			return append(at.links, Link{"privilege", p, at.r.privileges[domain.Pattern(p)]})
		}
		for _, parent := range sortedBy(slices.Collect(maps.Keys(at.r.parents)), domain.RoleID.String) {
			if r := w.role(at.r.home, parent); r != nil && !met[parent] {
				met[parent] = true
				links := append(slices.Clip(at.links), Link{"role", parent.String(), at.r.parents[parent]})
				open = append(open, reached{r, links})
			}
		}
	}
	return nil
}

// officer weighs what a group's maintainers and owners may do with it.
func (w *witness) officer(from source, m *member) bool {
	set := w.x.implied[m.role]
	g, known := from.t.groups[m.group.UUID]
	if set == nil || !set.has(domain.Pattern(w.q.Privilege)) || !known || g.gone {
		return false
	}
	note := ""
	switch {
	case !from.local || w.q.Scope != domain.Scope("group:"+m.group.String()):
		note = "which is not asked about"
	case len(w.byRoles()) > 0:
		note = "but the delegation is for what roles give"
	}
	words := fmt.Sprintf("the user is %s of the group", m.role)
	if note != "" {
		words += ", " + note
	}
	w.step(RuleGrant, note == "", words,
		Link{"user", from.u.id.String(), from.u.statusAt}, Link{"membership", m.id.String(), m.roledAt},
		Link{"group", m.group.String(), g.placedAt})
	return note == ""
}
