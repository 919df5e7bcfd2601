package access

import (
	"cmp"
	"slices"

	"chancery/domain"
)

// constraints are the steps by which constraints of t keep back what a role gives that would grant; none if none does. They are worked
// out from the facts.
func (w *witness) constraints(t *tenant, role domain.RoleID) []Step {
	if len(t.constraints) == 0 {
		return nil
	}
	s, q := w.scene(t)
	given := s.inherited(role)
	var steps []Step
	for _, c := range t.constraints {
		var m roleMask
		for i, id := range c.Roles {
			if _, gives := given[id]; gives {
				m |= 1 << i
			}
		}
		if m == 0 {
			continue
		}
		if why := q.keeps(c, m); why != "" {
			steps = append(steps, w.constraint(s, c, why))
		}
	}
	return steps
}

// constraintsOnAllow are the same of an allow.
func (w *witness) constraintsOnAllow(t *tenant, o *override) []Step {
	if len(t.constraints) == 0 {
		return nil
	}
	s, q := w.scene(t)
	var steps []Step
	for _, c := range t.constraints {
		if why := q.keepsAllow(c, o); why != "" {
			steps = append(steps, w.constraint(s, c, why))
		}
	}
	return steps
}

func (w *witness) scene(t *tenant) (*scene, *question) {
	s := w.x.sceneOf(t)
	return s, &question{s, w.uses(), w.u, domain.Pattern(w.q.Privilege), w.q.At}
}

// constraint is the step of one: what it demands, and those of its roles that the holder and the actor have, with the assignments by
// which they do.
func (w *witness) constraint(s *scene, c *constraint, why string) Step {
	links := []Link{{"constraint", c.Constraint.String(), c.madeAt}}
	who := []*user{w.u}
	if a := w.uses(); a != w.u {
		who = append(who, a)
	}
	for _, u := range who {
		ways := factual{s, u}.standing(c).ways
		slices.SortFunc(ways, func(a, b way) int {
			return cmp.Or(cmp.Compare(a.since, b.since), compareIDs(a.of.id.UUID, b.of.id.UUID), compareRoles(a.role, b.role))
		})
		for _, y := range ways {
			if y.of.window.Contains(w.q.At) {
				links = append(links, Link{"assignment", y.of.id.String(), y.of.madeAt}, Link{"role", y.role.String(), y.since})
			}
		}
	}
	return Step{Rule: RuleConstraint, Counts: true, Note: why + ": " + c.Demand(), Links: links}
}
