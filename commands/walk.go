package commands

import (
	"slices"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// climb walks from things to what stands above them, stage by stage, each thing once; so it ends on a cycle too.
type climb[ID comparable, S any] struct {
	ask   func(ID) *dcb.Fact[S]
	above func(S) []ID
	known map[ID]*dcb.Fact[S]
	fresh []ID
	depth int
}

func newClimb[ID comparable, S any](ask func(ID) *dcb.Fact[S], above func(S) []ID) *climb[ID, S] {
	return &climb[ID, S]{ask: ask, above: above, known: map[ID]*dcb.Fact[S]{}}
}

// start asks about further things.
func (c *climb[ID, S]) start(ids ...ID) []dcb.AnyFact {
	var facts []dcb.AnyFact
	for _, id := range ids {
		if _, seen := c.known[id]; !seen {
			f := c.ask(id)
			c.known[id] = f
			c.fresh = append(c.fresh, id)
			facts = append(facts, f)
		}
	}
	return facts
}

// next asks about what stands above the things just learnt.
func (c *climb[ID, S]) next() []dcb.AnyFact {
	fresh := c.fresh
	c.fresh = nil
	var facts []dcb.AnyFact
	for _, id := range fresh {
		facts = append(facts, c.start(c.above(c.known[id].Value)...)...)
	}
	if len(facts) > 0 {
		c.depth++
	}
	return facts
}

func (c *climb[ID, S]) has(id ID) bool { _, ok := c.known[id]; return ok }

// levels is how many levels there are of what is known.
func (c *climb[ID, S]) levels() int { return min(c.depth+1, len(c.known)) }

func groupsAbove() *climb[domain.GroupID, domain.Group] {
	return newClimb(domain.GroupOf, func(g domain.Group) []domain.GroupID { return above(g.Node, asGroup) })
}

// groupsAboveIn is groupsAbove of another tenant.
func groupsAboveIn(host domain.HomeID) *climb[domain.GroupID, domain.Group] {
	there := func(g domain.GroupID) *dcb.Fact[domain.Group] { return domain.GroupOf(g).Only(host.UUID) }
	return newClimb(there, func(g domain.Group) []domain.GroupID { return above(g.Node, asGroup) })
}

func departmentsAbove() *climb[domain.DepartmentID, domain.Node] {
	return newClimb(domain.DepartmentOf, func(n domain.Node) []domain.DepartmentID { return above(n, asDepartment) })
}

func groupsBelow() *climb[domain.GroupID, domain.Set] {
	return newClimb(domain.GroupChildren, func(s domain.Set) []domain.GroupID { return all(s, asGroup) })
}

func departmentsBelow() *climb[domain.DepartmentID, domain.Set] {
	return newClimb(domain.DepartmentChildren, func(s domain.Set) []domain.DepartmentID { return all(s, asDepartment) })
}

func all[ID any](s domain.Set, as func(uuid.UUID) ID) []ID {
	ids := make([]ID, 0, len(s))
	for id := range s {
		ids = append(ids, as(id))
	}
	return ids
}

func rolesAbove() *climb[domain.RoleID, domain.Role] {
	return newClimb(domain.RoleOf, domain.Role.Heritage)
}

func asGroup(id uuid.UUID) domain.GroupID           { return domain.GroupID{UUID: id} }
func asDepartment(id uuid.UUID) domain.DepartmentID { return domain.DepartmentID{UUID: id} }

func above[ID any](n domain.Node, as func(uuid.UUID) ID) []ID {
	if n.Parent == uuid.Nil {
		return nil
	}
	return []ID{as(n.Parent)}
}

// grants collects every right that would come with roles, groups and departments, by walking history, so that
// the "may grant" guard judges what it really is, and a change of it in the meantime is a conflict.
type grants struct {
	sparing
	env         Env
	roles       *climb[domain.RoleID, domain.Role]
	groups      *climb[domain.GroupID, domain.Group]
	departments *climb[domain.DepartmentID, domain.Node]
	assigned    map[dcb.Tag]*dcb.Fact[domain.Assignments]
	allowed     []*dcb.Fact[domain.Overrides]
	scopes      map[domain.RoleID][]domain.Scope
}

func (env Env) grants() *grants {
	return &grants{
		sparing: sparing{rights: env.Rights}, env: env, roles: rolesAbove(), groups: groupsAbove(), departments: departmentsAbove(),
		assigned: map[dcb.Tag]*dcb.Fact[domain.Assignments]{}, scopes: map[domain.RoleID][]domain.Scope{},
	}
}

// sparing spares a walk through history where nothing is kept from the actor. The rights may move between the walk and the
// rule that rests on it: then the decision must start over.
type sparing struct {
	rights Rights
	spared bool
}

// idle reports that there is nothing to guard.
func (s *sparing) idle() bool {
	if s.rights.HoldsEverything() {
		s.spared = true
		return true
	}
	return false
}

// moved is a conflict where a walk was spared and should not have been.
func (s *sparing) moved() error {
	if s.spared && !s.rights.HoldsEverything() {
		return dcb.ErrConflict
	}
	return nil
}

// role adds a role that would become effective on a scope.
func (g *grants) role(id domain.RoleID, s domain.Scope) []dcb.AnyFact {
	if g.idle() {
		return nil
	}
	g.scopes[id] = append(g.scopes[id], s)
	return g.roles.start(id)
}

// group adds all that members of a group have.
func (g *grants) group(id domain.GroupID) []dcb.AnyFact {
	if id.IsZero() || g.idle() {
		return nil
	}
	return append(g.groups.start(id), g.subject(id)...)
}

// department adds all that users of a department have.
func (g *grants) department(id domain.DepartmentID) []dcb.AnyFact {
	if id.IsZero() || g.idle() {
		return nil
	}
	return append(g.departments.start(id), g.subject(id)...)
}

func (g *grants) subject(s dcb.Tagger) []dcb.AnyFact {
	if _, seen := g.assigned[s.Tag()]; seen {
		return nil
	}
	roles, overrides := domain.AssignmentsTo(s), domain.OverridesTo(s)
	g.assigned[s.Tag()] = roles
	g.allowed = append(g.allowed, overrides)
	return []dcb.AnyFact{roles, overrides}
}

// next goes one step further: to parents, and to the roles assigned to what is known.
func (g *grants) next() []dcb.AnyFact {
	facts := slices.Concat(g.roles.next(), g.groups.next(), g.departments.next())
	for id := range g.groups.known {
		facts = append(facts, g.subject(id)...)
	}
	for id := range g.departments.known {
		facts = append(facts, g.subject(id)...)
	}
	for _, f := range g.assigned {
		for _, a := range f.Value {
			if !a.Window.Over(g.env.Now) && !slices.Contains(g.scopes[a.Role], a.Scope) {
				facts = append(facts, g.role(a.Role, a.Scope)...)
			}
		}
	}
	return facts
}

// refusal is that some of it is a right that the actor lacks, nil if none is.
func (g *grants) refusal() error {
	if err := g.moved(); err != nil || g.spared {
		return err
	}
	for id, scopes := range g.scopes {
		for pattern := range g.closure(id) {
			for _, s := range scopes {
				if !g.env.Rights.Holds(pattern, s) {
					return domain.ErrMayNotGive
				}
			}
		}
	}
	for _, f := range g.allowed {
		for _, o := range f.Value {
			if o.Effect == domain.Allow && g.env.Now.Before(o.ExpiresAt) && !g.env.Rights.Holds(o.Privilege, o.Scope) {
				return domain.ErrMayNotGive
			}
		}
	}
	return nil
}

func (g *grants) closure(id domain.RoleID) map[domain.Pattern]struct{} {
	all, seen, todo := map[domain.Pattern]struct{}{}, map[domain.RoleID]bool{}, []domain.RoleID{id}
	for len(todo) > 0 {
		r := todo[0]
		todo = todo[1:]
		f := g.roles.known[r]
		if seen[r] || f == nil {
			continue
		}
		seen[r] = true
		for p := range f.Value.Privileges {
			all[p] = struct{}{}
		}
		for p := range f.Value.Parents {
			todo = append(todo, p)
		}
	}
	return all
}
