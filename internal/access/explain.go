package access

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
)

// Explanation is an answer with all that was weighed, also what did not count and why.
type Explanation struct {
	Answer
	Steps []Step
}

// Step is one thing weighed. A question is allowed if every subject, tenant and ceiling step counts, no deny counts, and
// some grant or allow counts.
type Step struct {
	Rule   Rule
	Counts bool
	Note   string // in words, mostly why it does not count
	Links  []Link // how one thing led to the next, from the user on
}

// Rule is what a step is about, in the order in which they are weighed.
type Rule string

const (
	RuleSubject Rule = "subject"
	RuleTenant  Rule = "tenant"
	RuleDeny    Rule = "deny"
	RuleCeiling Rule = "ceiling"
	RuleGrant   Rule = "grant"
	RuleAllow   Rule = "allow"
)

// Link is one fact of a step and the event that made it so; Position is 0 where no event did.
type Link struct {
	Kind     string // user tenant membership group department assignment override role privilege policy token
	ID       string
	Position int64
}

// Positions are those of all events named, sorted, each once.
func (e Explanation) Positions() []int64 {
	var out []int64
	for _, s := range e.Steps {
		for _, l := range s.Links {
			if l.Position > 0 {
				out = append(out, l.Position)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Explain decides the question again, from the facts and not from what Decide memoised, and says how. It always
// agrees with Decide at the same position.
func (x *Index) Explain(q Question) Explanation {
	x.mu.RLock()
	defer x.mu.RUnlock()
	w := &witness{x: x, q: q, ways: map[domain.RoleID][]Link{}}
	w.explain()
	return Explanation{Answer{w.why == Granted || w.why == AllowedByOverride, x.position, w.why}, w.steps}
}

// witness gathers the steps of one explanation.
type witness struct {
	x     *Index
	q     Question
	u     *user
	away  bool
	why   Reason
	steps []Step
	ways  map[domain.RoleID][]Link // by inheritance, of this explanation only
}

func (w *witness) explain() {
	if err := w.q.Privilege.Check(""); err != nil {
		w.why = PrivilegeMalformed
		return
	}
	if w.why = w.standing(); w.why != "" {
		return
	}
	chains := w.chains()
	denied := w.overrides(chains, domain.Deny)
	capped := !w.ceiling()
	granted := w.grants(chains)
	allowed := w.overrides(chains, domain.Allow)
	switch {
	case denied:
		w.why = DeniedByOverride
	case capped:
		w.why = BeyondCeiling
	case granted:
		w.why = Granted
	case allowed:
		w.why = AllowedByOverride
	default:
		w.why = NotGranted
	}
}

func (w *witness) step(r Rule, counts bool, note string, links ...Link) {
	w.steps = append(w.steps, Step{r, counts, note, links})
}

// standing weighs the subject and the tenants; it returns why nothing else matters, if so.
func (w *witness) standing() Reason {
	u := w.x.users[w.q.User]
	if u == nil {
		w.step(RuleSubject, false, "there is no such user")
		return SubjectUnknown
	}
	w.u = u
	active := u.status == domain.UserActive
	w.step(RuleSubject, active, "the user is "+string(u.status), Link{"user", u.id.String(), u.statusAt})
	if !active {
		return SubjectInactive
	}
	home := u.home
	open := home.status == domain.TenantActive
	w.step(RuleTenant, open, "the user's tenant is "+string(home.status), Link{"tenant", home.id.String(), home.statusAt})
	if !open {
		return HomeInactive
	}
	where := w.q.Tenant
	if w.q.Platform {
		where = domain.Root
	}
	if where == home.id {
		return ""
	}
	if home.id != domain.Root {
		w.step(RuleTenant, false, "the user belongs to another tenant")
		return TenantForeign
	}
	t, ok := w.x.tenants[where]
	if !ok || t.status == domain.TenantUnknown {
		w.step(RuleTenant, false, "there is no such tenant")
		return TenantUnknown
	}
	w.away = true
	w.step(RuleTenant, true, "a user of the platform acts here with what holds on the whole platform",
		Link{"tenant", t.id.String(), t.statusAt})
	return ""
}

// chain is one way in which something given to subject reaches the user.
type chain struct {
	to    subject
	links []Link
}

func (w *witness) chains() []chain {
	home := w.u.home
	self := Link{"user", w.u.id.String(), w.u.statusAt}
	out := []chain{
		{subject{}, []Link{self, {"tenant", home.id.String(), home.statusAt}}},
		{subject{toUser, w.u.id.UUID}, []Link{self}},
	}
	if !w.u.department.IsZero() {
		into := []Link{{"user", w.u.id.String(), w.u.departmentAt}}
		out = above(out, "department", toDepartment, home.departments, w.u.department.UUID, into)
	}
	for _, m := range home.members[w.u.id] {
		into := []Link{self, {"membership", m.id.String(), m.madeAt}}
		out = above(out, "group", toGroup, home.groups, m.group.UUID, into)
	}
	return out
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

func (w *witness) ceiling() bool {
	if w.q.Ceiling == nil {
		return true
	}
	for _, p := range w.q.Ceiling {
		if p.Matches(w.q.Privilege) {
			w.step(RuleCeiling, true, "within "+string(p))
			return true
		}
	}
	w.step(RuleCeiling, false, "the token is not for this privilege")
	return false
}

// bears tells why something on scope, given in window, does not bear on the question; empty if it does.
func (w *witness) bears(scope domain.Scope, window domain.Window) string {
	switch {
	case w.away && scope != "":
		return "it holds on " + string(scope) + " of the platform only"
	case !w.away && !scope.Covers(w.q.Scope):
		return "it holds on " + string(scope) + " only"
	case w.q.At.Before(window.From):
		return "it begins at " + window.From.UTC().Format(instant)
	case !window.Until.IsZero() && !w.q.At.Before(window.Until):
		return "it ended at " + window.Until.UTC().Format(instant)
	}
	return ""
}

const instant = "2006-01-02T15:04:05.999999999Z07:00"

func (w *witness) overrides(chains []chain, effect domain.Effect) bool {
	rule, some := RuleDeny, false
	if effect != domain.Deny {
		rule = RuleAllow
	}
	for _, c := range chains {
		for _, o := range w.u.home.ruled[c.to] {
			if (o.effect == domain.Deny) != (effect == domain.Deny) || !o.pattern.Matches(w.q.Privilege) {
				continue
			}
			note := w.bears(o.scope, o.window)
			links := append(slices.Clip(c.links), Link{"override", o.id.String(), o.madeAt})
			if rule == RuleAllow && note == "" {
				note = w.permission()
				links = append(links, Link{"policy", domain.OverrideAllow.Key, w.x.allowedAt})
			}
			w.step(rule, note == "", note, links...)
			some = some || note == ""
		}
	}
	return some
}

// permission tells why the platform does not let an allow count here; empty if it does.
func (w *witness) permission() string {
	if w.away {
		return "overrides of the platform allow nothing in tenants"
	}
	for _, p := range w.x.allowable {
		if p.Matches(w.q.Privilege) {
			return ""
		}
	}
	return "the platform does not let this privilege be allowed by override"
}

func (w *witness) grants(chains []chain) bool {
	some := false
	for _, c := range chains {
		for _, a := range w.u.home.given[c.to] {
			roles, known := w.ways[a.role]
			if !known {
				roles = w.inheritance(a.role)
				w.ways[a.role] = roles
			}
			if roles == nil {
				continue
			}
			note := w.bears(a.scope, a.window)
			links := append(slices.Clip(c.links), Link{"assignment", a.id.String(), a.madeAt})
			w.step(RuleGrant, note == "", note, append(links, roles...)...)
			some = some || note == ""
		}
	}
	for _, m := range w.u.home.members[w.u.id] {
		some = w.officer(m) || some
	}
	return some
}

// inheritance is the shortest way from a role to a pattern of the privilege asked about: nil if there is none.
func (w *witness) inheritance(id domain.RoleID) []Link {
	type way struct {
		r     *role
		links []Link
	}
	find := func(home *tenant, id domain.RoleID) *role {
		for _, t := range []*tenant{w.x.tenants[domain.Root], home} {
			if r, ok := t.roles[id]; ok {
				if r.gone {
					return nil
				}
				return r
			}
		}
		return nil
	}
	first := find(w.u.home, id)
	if first == nil {
		return nil
	}
	met := map[domain.RoleID]bool{id: true}
	for open := []way{{first, []Link{{"role", id.String(), first.madeAt}}}}; len(open) > 0; open = open[1:] {
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
			if r := find(at.r.home, parent); r != nil && !met[parent] {
				met[parent] = true
				links := append(slices.Clip(at.links), Link{"role", parent.String(), at.r.parents[parent]})
				open = append(open, way{r, links})
			}
		}
	}
	return nil
}

// officer weighs what a group's maintainers and owners may do with it.
func (w *witness) officer(m *member) bool {
	var may []domain.Privilege
	switch m.role {
	case domain.Owner:
		may = []domain.Privilege{"core.groups.rename", "core.group-memberships.add", "core.group-memberships.remove", "core.group-memberships.change"}
	case domain.Maintainer:
		may = []domain.Privilege{"core.group-memberships.add", "core.group-memberships.remove", "core.group-memberships.change"}
	case domain.Member:
	}
	g, known := w.u.home.groups[m.group.UUID]
	if !known || g.gone || !slices.Contains(may, w.q.Privilege) {
		return false
	}
	counts := !w.away && w.q.Scope == domain.Scope("group:"+m.group.String())
	note := fmt.Sprintf("the user is %s of the group", m.role)
	if !counts {
		note += ", which is not asked about"
	}
	w.step(RuleGrant, counts, note,
		Link{"user", w.u.id.String(), w.u.statusAt}, Link{"membership", m.id.String(), m.roledAt},
		Link{"group", m.group.String(), g.placedAt})
	return counts
}
