package commands

import (
	"chancery/domain"
	"chancery/internal/dcb"
)

// leaving is the counterpart of grants: the denies that no longer hold people back once they leave a place. To lift a
// deny is to make effective what it held back, so it needs what giving needs, by whichever way it is done.
type leaving[ID place, S any] struct {
	sparing
	env    Env
	places *climb[ID, S] // the place that is left, and all above it
	ask    func(dcb.Tagger) *dcb.Fact[domain.Overrides]
	denies map[ID]*dcb.Fact[domain.Overrides]
}

// place is a department or a group.
type place interface {
	domain.DepartmentID | domain.GroupID
	dcb.Tagger
	IsZero() bool
}

func (env Env) leavingGroup() *leaving[domain.GroupID, domain.Group] {
	return newLeaving(env, groupsAbove(), domain.OverridesTo)
}

// leavingAbroad is leavingGroup of another tenant, in which whoever leaves may lift nothing.
func (env Env) leavingAbroad(host domain.HomeID) *leaving[domain.GroupID, domain.Group] {
	env.Rights = powerless{}
	return newLeaving(env, groupsAboveIn(host), func(place dcb.Tagger) *dcb.Fact[domain.Overrides] {
		return domain.OverridesTo(place).Only(host.UUID)
	})
}

// powerless has no rights at all.
type powerless struct{ System }

func (powerless) Holds(domain.Pattern, domain.Scope) bool { return false }
func (powerless) HoldsEverything() bool                   { return false }

func (env Env) leavingDepartment() *leaving[domain.DepartmentID, domain.Node] {
	return newLeaving(env, departmentsAbove(), domain.OverridesTo)
}

func newLeaving[ID place, S any](env Env, up *climb[ID, S], ask func(dcb.Tagger) *dcb.Fact[domain.Overrides]) *leaving[ID, S] {
	return &leaving[ID, S]{sparing{rights: env.Rights}, env, up, ask, map[ID]*dcb.Fact[domain.Overrides]{}}
}

// start asks about the place that is left; about none where nothing is kept from the actor.
func (l *leaving[ID, S]) start(id ID) []dcb.AnyFact {
	if id.IsZero() || l.idle() {
		return nil
	}
	return append(l.places.start(id), l.deniesOf()...)
}

// next goes one step further up.
func (l *leaving[ID, S]) next() []dcb.AnyFact { return append(l.places.next(), l.deniesOf()...) }

func (l *leaving[ID, S]) deniesOf() []dcb.AnyFact {
	var facts []dcb.AnyFact
	for id := range l.places.known {
		if l.denies[id] == nil {
			l.denies[id] = l.ask(id)
			facts = append(facts, l.denies[id])
		}
	}
	return facts
}

// refusal is that a deny on what the actor lacks would be lifted, nil if none would. A deny on a place that is among
// those entered goes on to hold.
func (l *leaving[ID, S]) refusal(entered *climb[ID, S]) error {
	if err := l.moved(); err != nil {
		return err
	}
	for id, f := range l.denies {
		if entered != nil && entered.has(id) {
			continue
		}
		for _, o := range f.Value {
			if o.Effect == domain.Deny && o.InForce(l.env.Now) && !l.env.Rights.Holds(o.Privilege, o.Scope) {
				return domain.ErrMayNotGive
			}
		}
	}
	return nil
}
