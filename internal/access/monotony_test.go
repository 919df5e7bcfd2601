package access_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"chancery/domain"
	"chancery/internal/access"
)

// What acting for somebody never does, in whatever history. These rest on no other evaluator: the index is held against itself.

// alone is the question whether somebody may it by themselves.
func alone(q access.Question, u domain.UserID) access.Question {
	q.User, q.Delegation, q.Impersonation, q.Ceiling = u, domain.DelegationID{}, domain.ImpersonationID{}, nil
	return q
}

func TestNobodyGetsByADelegationWhatItsFirstGrantorLacks(t *testing.T) {
	given := 0
	property(t, 60, func(rt *rapid.T, c chance, p *play) {
		for range 20 {
			q := c.question(p.x, p.world)
			if q.Delegation.IsZero() || !p.x.Decide(q).Allowed {
				continue
			}
			given++
			d := p.world.offered[q.Delegation.UUID]
			for !d.Parent.IsZero() {
				d = p.world.offered[d.Parent.UUID]
			}
			if a := p.x.Decide(alone(q, d.Grantor)); !a.Allowed {
				rt.Fatalf("%+v: the delegate may, the first grantor %s may not: %s", q, d.Grantor, a.Why)
			}
		}
	})
	plenty(t, given, 100)
}

func TestAChildGivesNoMoreThanItsParent(t *testing.T) {
	given := 0
	property(t, 60, func(rt *rapid.T, c chance, p *play) {
		for range 20 {
			q := c.question(p.x, p.world)
			up := p.world.offered[q.Delegation.UUID].Parent
			if up.IsZero() || !p.x.Decide(q).Allowed {
				continue
			}
			parent := q
			parent.Delegation, parent.User = up, p.world.offered[up.UUID].Delegate
			given++
			a := p.x.Decide(parent)
			if a.Why == access.DeniedByOverride || a.Why == access.NotGranted && len(p.world.demands) > 0 {
				continue // this binds who acts, not what is delegated
			}
			if !a.Allowed {
				rt.Fatalf("%+v: the child gives it, the parent does not: %s", q, a.Why)
			}
		}
	})
	plenty(t, given, 15)
}

func TestNobodyMayInAnImpersonationWhatOneOfTheTwoMayNot(t *testing.T) {
	given := 0
	property(t, 60, func(rt *rapid.T, c chance, p *play) {
		for range 20 {
			q := c.question(p.x, p.world)
			if q.Impersonation.IsZero() || !p.x.Decide(q).Allowed {
				continue
			}
			given++
			for _, u := range []uuid.UUID{p.world.sessions[q.Impersonation.UUID].target, q.User.UUID} {
				if a := p.x.Decide(alone(q, domain.UserID{UUID: u})); !a.Allowed {
					rt.Fatalf("%+v: allowed, though %s may not alone: %s", q, u, a.Why)
				}
			}
		}
	})
	plenty(t, given, 30)
}

// taking are events that take something away from somebody, and never give anything.
func (c chance) taking(w world) []told {
	var all []told
	for _, id := range sortedKeys(w.offered) {
		d := w.offered[id]
		if w.accepted[id] && !w.over[id] {
			all = append(all,
				told{d.Tenant.UUID, domain.DelegationRevoked{Delegation: d.Delegation, Tenant: d.Tenant, Grantor: d.Grantor, Delegate: d.Delegate}},
				told{d.Tenant.UUID, domain.DelegationDeclined{Delegation: d.Delegation, Tenant: d.Tenant, Grantor: d.Grantor, Delegate: d.Delegate}})
		}
	}
	u, d, g := c.subjects(true)
	deny := domain.OverrideAdded{
		Override: domain.OverrideID{UUID: uuid.NewSHA1(named('o', 99), []byte{byte(c.IntN(256)), byte(c.IntN(256))})}, Effect: domain.Deny,
		Privilege: pick(c, patterns...), User: u, Department: d, Group: g, Scope: c.scope(),
	}
	all = append(all, told{c.tenant(), deny}, told{c.tenant(), domain.PolicySet{Key: domain.Delegable.Key, Value: "false"}},
		told{c.tenant(), domain.PolicySet{Key: pick(c, domain.DelegateIn, domain.DelegateOut).Key, Value: "false"}},
		told{c.tenant(), domain.PolicySet{Key: domain.ImpersonationWord.Key, Value: domain.Forbade}})
	for _, id := range sortedKeys(w.sessions) {
		all = append(all, told{w.sessions[id].in, domain.ImpersonationEnded{Impersonation: domain.ImpersonationID{UUID: id}}})
	}
	return all
}

func TestRevokingDenyingAndForbiddingAddNoRights(t *testing.T) {
	taken, tried := 0, 0
	property(t, 60, func(rt *rapid.T, c chance, p *play) {
		if c.IntN(4) > 0 {
			return
		}
		var asked []access.Question
		var before []bool
		for range 80 {
			q := c.question(p.x, p.world)
			asked, before = append(asked, q), append(before, p.x.Decide(q).Allowed)
		}
		e := pick(c, c.taking(p.world)...)
		p.tell(rt, e)
		for i, q := range asked {
			tried++
			switch now := p.x.Decide(q); {
			case now.Allowed && !before[i]:
				rt.Fatalf("after %T%+v in %s, %+v is allowed: %s", e.event, e.event, e.in, q, now.Why)
			case !now.Allowed && before[i]:
				taken++
			}
		}
	})
	t.Logf("%d of %d were taken away", taken, tried)
	plenty(t, taken, 20)
}

// Each link of a chain is as good as the next: without any one of them the last gives nothing.
func TestAChainHangsOnEachOfItsLinks(t *testing.T) {
	broken := 0
	property(t, 60, func(rt *rapid.T, c chance, p *play) {
		for range 10 {
			q := c.question(p.x, p.world)
			if q.Delegation.IsZero() || !p.x.Decide(q).Allowed {
				continue
			}
			d := p.world.offered[q.Delegation.UUID]
			links := append(slices.Clone(d.Chain), d.Delegation)
			p.tell(rt, told{d.Tenant.UUID, domain.DelegationRevoked{Delegation: pick(c, links...), Tenant: d.Tenant}})
			if broken++; p.x.Decide(q).Allowed {
				rt.Fatalf("%+v is allowed though a link of %v was revoked", q, links)
			}
		}
	})
	plenty(t, broken, 15)
}

func plenty(t *testing.T, got, want int) {
	t.Helper()
	if t.Logf("%d", got); got < want && !testing.Short() {
		t.Errorf("only %d: the histories are too tame", got)
	}
}
