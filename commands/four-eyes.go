package commands

import (
	"slices"

	"chancery/domain"
	"chancery/internal/dcb"
)

// fourEyes is the rule that somebody else decides: on their own account, and neither concerned themselves nor acting for somebody
// concerned, nor the reverse. A delegation ties its delegate to its grantor, and to the grantors of all that it rests on.
type fourEyes struct {
	env   Env
	ties  map[domain.UserID]*dcb.Fact[domain.Delegations]
	above map[domain.DelegationID]*dcb.Fact[domain.Delegation]
}

func (env Env) fourEyes() *fourEyes {
	return &fourEyes{
		env: env, ties: map[domain.UserID]*dcb.Fact[domain.Delegations]{},
		above: map[domain.DelegationID]*dcb.Fact[domain.Delegation]{},
	}
}

// start asks about the caller and the people concerned.
func (f *fourEyes) start(concerned ...domain.UserID) []dcb.AnyFact {
	var facts []dcb.AnyFact
	for _, u := range append(concerned, f.env.Rights.Actor()) {
		if !u.IsZero() && f.ties[u] == nil {
			f.ties[u] = domain.DelegationsOf(u)
			facts = append(facts, f.ties[u])
		}
	}
	return facts
}

// next asks who granted what their delegations rest on.
func (f *fourEyes) next() []dcb.AnyFact {
	var facts []dcb.AnyFact
	for _, ties := range f.ties {
		for _, d := range ties.Value {
			for _, id := range d.Terms.Chain {
				if f.above[id] == nil {
					f.above[id] = domain.DelegationOf(id)
					facts = append(facts, f.above[id])
				}
			}
		}
	}
	return facts
}

// refusal is what keeps the caller from deciding, nil if nothing does.
func (f *fourEyes) refusal(concerned ...domain.UserID) error {
	me := f.env.Rights.Actor()
	switch {
	case f.env.acting():
		return domain.ErrActing
	case slices.ContainsFunc(concerned, f.env.Self):
		return domain.ErrFourEyes
	case slices.ContainsFunc(concerned, func(u domain.UserID) bool { return f.acts(me, u) || f.acts(u, me) }):
		return domain.ErrFourEyesTied
	}
	return nil
}

// acts reports whether somebody may act for somebody else at present.
func (f *fourEyes) acts(delegate, grantor domain.UserID) bool {
	if delegate.IsZero() || grantor.IsZero() {
		return false
	}
	granted := func(id domain.DelegationID) bool { return f.above[id].Value.Terms.Grantor == grantor }
	for _, d := range f.ties[delegate].Value {
		if d.Terms.Delegate == delegate && d.InForce(f.env.Now) && (d.Terms.Grantor == grantor || slices.ContainsFunc(d.Terms.Chain, granted)) {
			return true
		}
	}
	return false
}

// asking is who asks for something, and on whose behalf where they act for somebody.
func (env Env) asking() (by, on domain.UserID) {
	by, on = env.Rights.Actor(), env.Rights.Effective()
	if on == by {
		on = domain.UserID{}
	}
	return by, on
}

// acting reports whether the caller acts for somebody else.
func (env Env) acting() bool { return !env.Delegation.IsZero() || !env.Impersonation.IsZero() }
