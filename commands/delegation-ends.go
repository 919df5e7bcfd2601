package commands

import (
	"slices"

	"chancery/domain"
	"chancery/internal/dcb"
)

// RevokeDelegation ends a delegation and all that rest on it. Its grantor, its delegate and every grantor above can, and so can who has
// the privilege in a tenant that it concerns.
type RevokeDelegation struct {
	ID     domain.DelegationID `json:"id" required:"true" description:"the delegation"`
	Reason string              `json:"reason,omitzero" description:"why, for the record; each tenant that it concerns can read it"`
}

func (c RevokeDelegation) Target() dcb.Tagger { return c.ID }

func (c RevokeDelegation) Decide(env Env) dcb.Decision {
	if env.acting() {
		return refused(domain.ErrActing)
	}
	end, above := env.ending(c.ID), []*dcb.Fact[domain.Delegation](nil)
	return dcb.From(end.facts()...).Then(end.next).Then(func() (facts []dcb.AnyFact) {
		if len(above) > 0 {
			return nil
		}
		for _, id := range end.top.Value.Terms.Chain {
			f := domain.DelegationOf(id)
			above, facts = append(above, f), append(facts, f)
		}
		return facts
	}).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		t := end.top.Value.Terms
		mine := func(f *dcb.Fact[domain.Delegation]) bool { return env.Mine(f.Value.Terms.Grantor) }
		privileged := env.Privileged && slices.Contains(t.Tenants(), env.Tenant)
		if !end.top.Value.Known() || !privileged && !env.Mine(t.Delegate) && !slices.ContainsFunc(append(above, end.top), mine) {
			return nil, domain.At("/id", domain.ErrDelegationUnknown)
		}
		return end.events(c.Reason), nil
	})
}

// ending is the end of a delegation, and with it of all that rest on it.
type ending struct {
	top   *dcb.Fact[domain.Delegation]
	ids   *dcb.Fact[[]domain.DelegationID]
	below []*dcb.Fact[domain.Delegation]
}

func (env Env) ending(id domain.DelegationID) *ending {
	return &ending{top: domain.DelegationOf(id), ids: domain.DelegationsBelow(id)}
}

func (e *ending) facts() []dcb.AnyFact { return []dcb.AnyFact{e.top, e.ids} }

func (e *ending) next() (facts []dcb.AnyFact) {
	if len(e.below) > 0 {
		return nil
	}
	for _, id := range e.ids.Value {
		f := domain.DelegationOf(id)
		e.below, facts = append(e.below, f), append(facts, f)
	}
	return facts
}

// mostEndings bounds what one decision records. The rights below end in any case; what is left of the records ends when it is said again.
const mostEndings = 5000

func (e *ending) events(reason string) (all []dcb.Event) {
	for i, f := range append([]*dcb.Fact[domain.Delegation]{e.top}, e.below...) {
		d := f.Value
		if i > 0 {
			reason = domain.DelegationParentEnded
		}
		if d.Ended || len(all) >= mostEndings {
			continue
		}
		all = append(all, copies(d.Terms, domain.DelegationRevoked{
			Delegation: d.Terms.Delegation, Tenant: d.Terms.Tenant, Grantor: d.Terms.Grantor, Delegate: d.Terms.Delegate, Reason: reason,
		})...)
	}
	return all
}

// EndDelegation ends a delegation because something else ended. It is no command of callers. Reason says what.
type EndDelegation struct {
	ID     domain.DelegationID
	Reason string
}

func (c EndDelegation) Target() dcb.Tagger { return c.ID }

func (c EndDelegation) Decide(env Env) dcb.Decision {
	end := env.ending(c.ID)
	return dcb.From(end.facts()...).Then(end.next).Decide(func() ([]dcb.Event, error) {
		if !end.top.Value.Known() {
			return nil, nil
		}
		return end.events(c.Reason), nil
	})
}

// ExpireDelegation records that the window of a delegation is over. It is no command of callers: Chancery gives it to itself when the
// date has come. Those below are over by then, too, and expire themselves.
type ExpireDelegation struct{ ID domain.DelegationID }

func (c ExpireDelegation) Target() dcb.Tagger { return c.ID }

func (c ExpireDelegation) Decide(env Env) dcb.Decision {
	d := domain.DelegationOf(c.ID)
	return dcb.From(d).Decide(func() ([]dcb.Event, error) {
		t := d.Value.Terms
		if !d.Value.Known() || d.Value.Ended || !t.Window.Over(env.Now) {
			return nil, nil
		}
		return copies(t, domain.DelegationExpired{Delegation: c.ID, Tenant: t.Tenant, Grantor: t.Grantor, Delegate: t.Delegate}), nil
	})
}
