package commands

import (
	"slices"

	"chancery/domain"
	"chancery/internal/dcb"
)

// offer is a delegation on its way, with all that it rests on: whoever grants, approves and accepts it is asked the same.
type offer struct {
	leg
	env            Env
	allowed, depth *dcb.Fact[domain.Policy] // of the tenant in which it gives rights
	days           *dcb.Fact[domain.Policy]
	above          []*dcb.Fact[domain.Delegation]
	legs           []*leg // of those above, once they are known
	duties         *duties
}

func (env Env) offer(terms domain.DelegationGranted) *offer {
	home := terms.Tenant.Tenant()
	o := &offer{
		env: env, leg: newLeg(terms), allowed: domain.PolicyOf(home, domain.Delegable),
		depth: domain.PolicyOf(home, domain.DelegationDepth), days: domain.PolicyOf(home, domain.DelegationDays),
		duties: env.duties(home, func() []dcb.Event { return []dcb.Event{terms} }),
	}
	for _, id := range terms.Chain {
		o.above = append(o.above, domain.DelegationOf(id))
	}
	return o
}

func (o *offer) facts() []dcb.AnyFact {
	facts := append(o.leg.facts(), o.allowed, o.depth, o.days)
	for _, f := range o.above {
		facts = append(facts, f)
	}
	return facts
}

// next asks what those above rest on, and then what is to be kept apart.
func (o *offer) next() (facts []dcb.AnyFact) {
	if len(o.legs) == len(o.above) {
		return o.duties.next()
	}
	for _, f := range o.above {
		l := newLeg(f.Value.Terms)
		o.legs = append(o.legs, &l)
		facts = append(facts, l.facts()...)
	}
	return facts
}

// refusal is why it cannot be, nil if it can. Nothing about another tenant shows but that its delegate is not to be had.
func (o *offer) refusal() error { return domain.FirstError(o.loose(), o.apart()) }

// apart is that the delegate would come to use what is to be kept apart.
func (o *offer) apart() error {
	err := o.duties.refusal()
	if isViolation(err) && o.env.Tenant != o.duties.tenant {
		return domain.ErrDelegationLoose
	}
	return err
}

// loose is that something it rests on does not hold.
func (o *offer) loose() error {
	if err := o.leg.refusal(); err != nil {
		return err
	}
	switch {
	case !o.allowed.Value.IsTrue():
		return domain.ErrDelegationsOff
	case len(o.terms.Chain)+1 > min(o.depth.Value.Number(), domain.MaxChain):
		return domain.At("/parent_id", domain.ErrDelegationDepth)
	case o.terms.Window.Over(o.env.Now):
		return domain.ErrDelegationOver
	case o.tooLong():
		return domain.At("/until", domain.ErrTooLong)
	case slices.ContainsFunc(o.above, func(f *dcb.Fact[domain.Delegation]) bool { return f.Value.Terms.Grantor == o.terms.Delegate }):
		return domain.At("/delegate_user_id", domain.ErrDelegationCycle)
	}
	for i, f := range o.above {
		if !f.Value.InForce(o.env.Now) || o.legs[i].refusal() != nil {
			return domain.At("/parent_id", domain.ErrDelegationLoose)
		}
	}
	return nil
}

// tooLong reports whether the tenant allows no window as long as this.
func (o *offer) tooLong() bool {
	w := o.terms.Window
	return w.Until.IsZero() || w.Until.After(w.From.Add(o.days.Value.Days()))
}

// leg is what one delegation rests on besides those above it: two users, and what their tenants say.
type leg struct {
	terms             domain.DelegationGranted
	grantor, delegate *dcb.Fact[domain.Resident]
	from, to          *dcb.Fact[domain.Tenant]
	out, in           *dcb.Fact[domain.Policy]
}

func newLeg(terms domain.DelegationGranted) leg {
	from, to := terms.GrantorTenant.Tenant(), terms.DelegateTenant.Tenant()
	return leg{
		terms: terms, grantor: domain.ResidentOf(terms.Grantor), delegate: domain.ResidentOf(terms.Delegate),
		from: domain.TenantOf(from), to: domain.TenantOf(to),
		out: domain.PolicyOf(from, domain.DelegateOut), in: domain.PolicyOf(to, domain.DelegateIn),
	}
}

func (l *leg) facts() []dcb.AnyFact {
	return []dcb.AnyFact{l.grantor, l.delegate, l.from, l.to, l.out, l.in}
}

func (l *leg) abroad() bool { return l.terms.GrantorTenant != l.terms.DelegateTenant }

func (l *leg) refusal() error {
	const who = "/delegate_user_id"
	to, delegate := l.terms.DelegateTenant.Tenant(), l.delegate.Value
	switch {
	case !l.grantor.Value.ActiveIn(l.terms.GrantorTenant.Tenant()):
		return domain.ErrDelegateAway
	case l.from.Value.Refusal() != nil:
		return l.from.Value.Refusal()
	case l.abroad() && !l.out.Value.IsTrue():
		return domain.At("/delegate_tenant", domain.ErrDelegationsOut)
	case l.abroad() && (l.to.Value.Refusal() != nil || !delegate.ActiveIn(to) || !l.in.Value.IsTrue()):
		return domain.At(who, domain.ErrDelegateAbroad)
	case delegate.Home != to || delegate.Status == domain.UserGone:
		return domain.At(who, domain.ErrUserUnknown)
	case !delegate.ActiveIn(to):
		return domain.At(who, domain.ErrUserNotActive)
	}
	return nil
}

// copies are an event in the log of each tenant that the delegation concerns.
func copies(of domain.DelegationGranted, e dcb.Event) (all []dcb.Event) {
	for _, t := range of.Tenants() {
		all = append(all, dcb.In(t.UUID, e))
	}
	return all
}
