package access

import (
	"slices"

	"chancery/domain"
)

// Explanation is an answer with all that was weighed, also what did not count and why.
type Explanation struct {
	Answer
	Steps []Step
	Staff bool // it tells of what somebody of the platform holds
}

// Step is one thing weighed. A question is allowed if every subject, tenant, app, ceiling, delegation and impersonation step counts,
// some license step does if there are any, no deny counts, and some grant or allow counts.
type Step struct {
	Rule   Rule
	Counts bool
	Note   string // in words, mostly why it does not count
	Links  []Link // how one thing led to the next, from the user on

	From domain.TenantID // whose matter alone it is; zero: whoever may ask may be told
}

// Rule is what a step is about, in the order in which they are weighed.
type Rule string

const (
	RuleSubject       Rule = "subject"
	RuleTenant        Rule = "tenant"
	RuleDelegation    Rule = "delegation"    // one link of the chain acted under: that it is in force, or what it is for
	RuleImpersonation Rule = "impersonation" // that the session is in force, what it is for, and that the administrator may do so alone
	RuleGuest         Rule = "guest"         // one membership in a group of another tenant
	RuleDeny          Rule = "deny"
	RuleApp           Rule = "app"     // that the app to which the privilege belongs is at work in the tenant
	RuleLicense       Rule = "license" // one licence of the tenant for that app
	RuleCeiling       Rule = "ceiling"
	RuleGrant         Rule = "grant"
	RuleAllow         Rule = "allow"
	RuleConstraint    Rule = "constraint" // what suspends the grant or allow before it
)

// Link is one fact of a step and the event that made it so; Position is 0 where no event did.
type Link struct {
	// user tenant membership group department assignment override role privilege policy token delegation acceptance end approval
	// impersonation consent constraint app tenant-app app-version license; acceptance and end are of the delegation or the impersonation of that id, approval is of the
	// assignment or the delegation, consent of the impersonation
	Kind     string
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
	w := &witness{x: x, q: q, ways: map[stem][]Link{}}
	w.explain()
	return Explanation{Answer{w.why.allows(), x.position, w.why}, w.steps, w.staff()}
}

// staff reports whether somebody of the platform acts, or is acted for.
func (w *witness) staff() bool {
	d := w.x.delegations[w.q.Delegation]
	return d != nil && d.home == w.x.root || w.actor != nil && w.actor.home == w.x.root || w.u != nil && w.u.home == w.x.root
}

// witness gathers the steps of one explanation.
type witness struct {
	x     *Index
	q     Question
	actor *user
	u     *user // whose rights count
	t     *tenant
	away  bool
	guest bool // u is one of t
	alone bool // asked of who acts for somebody else: not as a guest
	chain []*delegation
	why   Reason
	steps []Step
	ways  map[stem][]Link // by inheritance, of this explanation only
}

// stem is where a way to the privilege asked about begins: a role, as a tenant knows it.
type stem struct {
	t    *tenant
	role domain.RoleID
}

func (w *witness) explain() {
	if err := w.q.Privilege.Check(""); err != nil {
		w.why = PrivilegeMalformed
		return
	}
	if w.why = w.standing(); w.why == "" {
		w.why = w.verdict()
	}
}

func (w *witness) step(r Rule, counts bool, note string, links ...Link) {
	w.steps = append(w.steps, Step{Rule: r, Counts: counts, Note: note, Links: links})
}

// rule is a step that counts where nothing is said against it.
func (w *witness) rule(r Rule, against string, links ...Link) bool {
	w.step(r, against == "", against, links...)
	return against == ""
}

// standing weighs who acts, for whom, and the tenants; it returns why nothing else matters, if so.
func (w *witness) standing() Reason {
	why := w.person(w.q.User)
	if why != "" {
		return why
	}
	w.u = w.actor
	switch {
	case w.q.Delegation.IsZero() && w.q.Impersonation.IsZero():
	case w.q.Impersonation.IsZero():
		why = w.delegated()
	case w.q.Delegation.IsZero():
		why = w.impersonating()
	default:
		w.step(RuleSubject, false, "nobody acts under a delegation and in an impersonation at once")
		why = ActingTwice
	}
	if why != "" {
		return why
	}
	return w.place()
}

func (w *witness) person(id domain.UserID) Reason {
	u := w.x.users[id]
	if u == nil {
		w.step(RuleSubject, false, "there is no such user")
		return SubjectUnknown
	}
	w.actor = u
	active := u.status == domain.UserActive
	w.step(RuleSubject, active, "the user is "+string(u.status), Link{"user", u.id.String(), u.statusAt})
	if !active {
		return SubjectInactive
	}
	open := u.home.status == domain.TenantActive
	w.step(RuleTenant, open, "the user's tenant is "+string(u.home.status), Link{"tenant", u.home.id.String(), u.home.statusAt})
	if !open {
		return HomeInactive
	}
	return ""
}

// place weighs what the tenant asked about is to whose rights count.
func (w *witness) place() Reason {
	w.t = w.x.tenants[w.q.where()]
	if w.t == w.u.home {
		return ""
	}
	w.away = w.u.home.id == domain.Root && w.q.Impersonation.IsZero()
	known := w.t != nil && w.t.status != domain.TenantUnknown
	if w.away && !known {
		w.step(RuleTenant, false, "there is no such tenant")
		return TenantUnknown
	}
	visits := w.t != nil && !w.q.acts() && !w.alone && w.visits(w.u)
	switch {
	case !w.away && !visits:
		w.step(RuleTenant, false, "the user belongs to another tenant")
		return TenantForeign
	case !w.away && w.t.status != domain.TenantActive:
		w.step(RuleTenant, false, "the tenant is "+string(w.t.status), Link{"tenant", w.t.id.String(), w.t.statusAt})
		return HomeInactive
	case w.away:
		w.step(RuleTenant, true, "a user of the platform acts here with what holds on the whole platform",
			Link{"tenant", w.t.id.String(), w.t.statusAt})
	}
	w.guest = visits && w.t.status == domain.TenantActive
	return ""
}

// visits weighs the groups of the tenant that the user of another one is in.
func (w *witness) visits(u *user) bool {
	some := false
	for _, m := range w.t.members[u.id] {
		g := w.t.groups[m.group.UUID]
		if m.home != u.home.id || g == nil || g.gone {
			continue
		}
		theirs, ours := w.t.setting(domain.OutsideMembers), u.home.setting(domain.JoinOutside)
		against := ""
		switch {
		case theirs.value != "true":
			against = "the group's tenant wants no members of other tenants"
		case ours.value != "true":
			against = "the user's tenant wants no members in groups of other tenants"
		}
		some = w.rule(RuleGuest, against, Link{"user", u.id.String(), u.statusAt}, Link{"membership", m.id.String(), m.madeAt},
			Link{"group", m.group.String(), g.placedAt},
			Link{"policy", domain.OutsideMembers.Key, theirs.at}, Link{"policy", domain.JoinOutside.Key, ours.at}) || some
	}
	return some
}

// verdict weighs rights, in the order in which they are.
func (w *witness) verdict() Reason { //nolint:cyclop // the order of a decision, in one place
	own := w.own(w.u)
	denied := w.overrides(own, domain.Deny)
	if a := w.actor; a != w.u {
		denied = w.overrides(w.own(a), domain.Deny) || denied
		if a.home != w.t && a.home.id != domain.Root && w.t.status == domain.TenantActive && w.visits(a) {
			denied = w.overrides(w.host(a), domain.Deny) || denied
		}
	}
	var host source
	if w.guest {
		host = w.host(w.u)
	}
	if w.guest && !w.away {
		denied = w.overrides(host, domain.Deny) || denied
	}
	idle := w.app()
	capped, beyond := !w.ceiling(), !w.bounds()
	spared := w.q.Impersonation.IsZero() || w.spared()
	granted, allowed := false, false
	if own.local || w.away {
		granted = w.grants(own)
		allowed = w.overrides(own, domain.Allow)
	}
	why := NotGranted
	switch {
	case denied:
		return DeniedByOverride
	case capped:
		why = BeyondCeiling
	case beyond:
		why = BeyondDelegation
	case !spared:
		why = BeyondImpersonation
	case granted:
		why = Granted
	case allowed:
		why = AllowedByOverride
	case w.guest:
		why = w.asGuest(host)
	}
	if idle != "" && why != DeniedByOverride {
		return idle
	}
	return why
}

// asGuest weighs what groups give to somebody of another tenant.
func (w *witness) asGuest(host source) Reason {
	denied := w.away && w.overrides(host, domain.Deny)
	granted := w.grants(host)
	allowed := w.overrides(host, domain.Allow)
	switch {
	case denied:
		return DeniedByOverride
	case granted:
		return Granted
	case allowed:
		return AllowedByOverride
	}
	return NotGranted
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
