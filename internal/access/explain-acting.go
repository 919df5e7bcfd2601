package access

import (
	"fmt"
	"slices"

	"chancery/domain"
)

// delegated weighs the delegation that the question is asked under, and each that it rests on.
func (w *witness) delegated() Reason {
	d := w.x.delegations[w.q.Delegation]
	if d == nil || d.delegate.id != w.q.User {
		w.step(RuleDelegation, false, "there is no such delegation, or it is somebody else's")
		return DelegationUnknown
	}
	chain := w.resting(d)
	if chain == nil {
		w.step(RuleDelegation, false, "it was not handed on by the delegate of the one that it rests on", d.links(d.home)...)
		return DelegationBroken
	}
	var first Reason
	for _, link := range chain {
		if why := w.inForce(link); first == "" {
			first = why
		}
	}
	if first == "" {
		w.chain, w.u = chain, w.x.users[chain[0].grantor.id]
	}
	return first
}

// resting is a delegation with all above it, the first of them first; nil if one was not handed on by the delegate of the one above.
func (w *witness) resting(d *delegation) []*delegation {
	chain := []*delegation{d}
	for at := d; !at.parent.IsZero(); at = chain[0] {
		up := w.x.delegations[at.parent]
		if up == nil || up.home != at.home || up.delegate.id != at.grantor.id || up.grantedAt >= at.grantedAt || len(chain) == domain.MaxChain {
			return nil
		}
		chain = slices.Insert(chain, 0, up)
	}
	if chain[0].grantor.home != d.home.id {
		return nil
	}
	var above []domain.DelegationID
	for _, link := range chain {
		if !slices.Equal(link.above, above) {
			return nil
		}
		above = append(above, link.id)
	}
	return chain
}

// inForce weighs one link of a chain.
func (w *witness) inForce(d *delegation) Reason { //nolint:cyclop // one case for each reason
	from, to := w.x.users[d.grantor.id], w.x.users[d.delegate.id]
	links := d.links(d.home)
	for _, u := range []*user{from, to} {
		if u != nil {
			links = append(links, Link{"user", u.id.String(), u.statusAt}, Link{"tenant", u.home.id.String(), u.home.statusAt})
		}
	}
	why, note := Reason(""), ""
	against := func(r Reason, format string, args ...any) {
		if why == "" {
			why, note = r, fmt.Sprintf(format, args...)
		}
	}
	if d.endedAt > 0 {
		against(DelegationOver, "it was declined or revoked")
	}
	if until := d.window.Until; !until.IsZero() && !w.q.At.Before(until) {
		against(DelegationOver, "it ended at %s", until.UTC().Format(instant))
	}
	if d.acceptedAt == 0 {
		against(DelegationPending, "its delegate has not accepted it")
	}
	if w.q.At.Before(d.window.From) {
		against(DelegationEarly, "it begins at %s", d.window.From.UTC().Format(instant))
	}
	for _, u := range []*user{from, to} {
		switch {
		case u == nil:
			against(GrantorInactive, "there is no such user")
		case u.status != domain.UserActive:
			against(GrantorInactive, "the user %s is %s", u.id, u.status)
		case u.home.status != domain.TenantActive:
			against(GrantorInactive, "the tenant of %s is %s", u.id, u.home.status)
		}
	}
	if why == "" && (from.home.id != d.grantor.home || to.home.id != d.delegate.home) {
		against(DelegationBroken, "one of the two belongs to another tenant than it says")
	}
	wants := func(t *tenant, s domain.Setting) {
		set := t.setting(s)
		if links = append(links, Link{"policy", s.Key, set.at}); set.value != "true" {
			against(DelegationForbidden, "%s is %s in the tenant %s", s.Key, set.value, t.id)
		}
	}
	if wants(d.home, domain.Delegable); from != nil && to != nil && from.home != to.home {
		wants(from.home, domain.DelegateOut)
		wants(to.home, domain.DelegateIn)
	}
	w.rule(RuleDelegation, note, links...)
	return why
}

// links are the events of a delegation.
func (d *delegation) links(in *tenant) []Link {
	out := []Link{{"delegation", d.id.String(), d.grantedAt}}
	for kind, at := range map[string]int64{"approval": in.approvals[d.id.UUID], "acceptance": d.acceptedAt, "end": d.endedAt} {
		if at > 0 {
			out = append(out, Link{kind, d.id.String(), at})
		}
	}
	slices.SortFunc(out[1:], func(a, b Link) int { return int(a.Position - b.Position) })
	return out
}

// bounds weighs what the delegations of the chain are for, but for their roles.
func (w *witness) bounds() bool {
	within := true
	for _, d := range w.chain {
		if d.privileges == nil && d.apps == nil && d.resources == nil {
			continue
		}
		against := ""
		switch {
		case d.privileges != nil && !w.matches(d.privileges):
			against = "it is not for this privilege"
		case d.apps != nil && !w.matches(d.apps):
			against = "it is not for this app"
		case d.resources != nil && !slices.Contains(d.resources, w.q.Scope):
			against = "it is not for this resource"
		}
		within = w.rule(RuleDelegation, against, Link{"delegation", d.id.String(), d.grantedAt}) && within
	}
	if w.chain != nil && w.matches(domain.NeverDelegated) {
		w.step(RuleDelegation, false, "nobody uses this privilege for somebody else")
		within = false
	}
	return within
}

func (w *witness) matches(list []domain.Pattern) bool {
	return slices.ContainsFunc(list, func(p domain.Pattern) bool { return p.Matches(w.q.Privilege) })
}

// byRoles are the bounds by role of the chain.
func (w *witness) byRoles() (all [][]domain.RoleID) {
	for _, d := range w.chain {
		if d.roles != nil {
			all = append(all, d.roles)
		}
	}
	return all
}

// impersonating weighs the session that the question is asked in.
func (w *witness) impersonating() Reason { //nolint:cyclop // one case for each reason
	i := w.x.impersonations[w.q.Impersonation]
	if i == nil || i.startedAt == 0 || i.admin.id != w.q.User || i.admin.home != w.actor.home.id {
		w.step(RuleImpersonation, false, "there is no such impersonation, or it is somebody else's")
		return ImpersonationUnknown
	}
	word := i.home.setting(domain.ImpersonationWord)
	links := []Link{{"impersonation", i.id.String(), i.startedAt}}
	if i.consentedAt > 0 {
		links = append(links, Link{"consent", i.id.String(), i.consentedAt})
	}
	if i.endedAt > 0 {
		links = append(links, Link{"end", i.id.String(), i.endedAt})
	}
	links = append(links, Link{"policy", domain.ImpersonationWord.Key, word.at})
	u := w.x.users[i.target.id]
	if u != nil {
		links = append(links, Link{"user", u.id.String(), u.statusAt}, Link{"tenant", u.home.id.String(), u.home.statusAt})
	}
	why, note := Reason(""), ""
	switch {
	case i.endedAt > 0:
		why, note = ImpersonationOver, "it was ended"
	case !w.q.At.Before(i.expiresAt):
		why, note = ImpersonationOver, "it ended at "+i.expiresAt.UTC().Format(instant)
	case u == nil || u.home != i.home:
		why, note = TargetInactive, "there is no such user"
	case u.status != domain.UserActive:
		why, note = TargetInactive, "the user is "+string(u.status)
	case u.home.status != domain.TenantActive:
		why, note = TargetInactive, "the user's tenant is "+string(u.home.status)
	case word.value == domain.Forbade:
		why, note = ImpersonationForbidden, "the tenant forbids it"
	}
	if w.rule(RuleImpersonation, note, links...) {
		w.u = u
	}
	return why
}

// uses is bearing.uses.
func (w *witness) uses() *user {
	if !w.q.Impersonation.IsZero() {
		return w.u
	}
	return w.actor
}

// spared weighs what the session is for, and that the administrator may do so alone.
func (w *witness) spared() bool {
	i := w.x.impersonations[w.q.Impersonation]
	self := Link{"impersonation", i.id.String(), i.startedAt}
	never := i.home.setting(domain.ImpersonationNever)
	against := ""
	switch {
	case !w.matches(i.scopes):
		against = "it is not for this privilege"
	case w.matches(domain.NeverImpersonated):
		against = "nobody uses this privilege as somebody else"
	case w.matches(patternsOf(never.value)):
		against = "the tenant lets nobody use this privilege as somebody else"
	}
	within := w.rule(RuleImpersonation, against, self, Link{"policy", domain.ImpersonationNever.Key, never.at})

	alone := &witness{x: w.x, q: w.q, alone: true, ways: map[stem][]Link{}}
	alone.q.Impersonation, alone.q.Ceiling = domain.ImpersonationID{}, nil
	if alone.explain(); alone.why.allows() {
		return w.rule(RuleImpersonation, "", append([]Link{self}, alone.decisive()...)...) && within
	}
	w.step(RuleImpersonation, false, "the administrator may not do so: "+string(alone.why), append([]Link{self}, alone.decisive()...)...)
	return false
}

// decisive are the links of the step that an answer turns on most.
func (w *witness) decisive() []Link {
	for _, s := range w.steps {
		given := s.Rule == RuleGrant || s.Rule == RuleAllow
		if w.why.allows() && given && s.Counts || w.why == DeniedByOverride && s.Rule == RuleDeny && s.Counts {
			return s.Links
		}
	}
	return nil
}
