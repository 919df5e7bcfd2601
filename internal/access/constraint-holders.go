package access

import (
	"slices"

	"chancery/domain"
	"chancery/internal/dcb"
)

// holders are all who have, or will have, the role of a cardinality, with every window as it is. They end with what they were
// compiled from; whether they count is asked each time.
type holders struct {
	gen, reached, roleGen uint64
	all                   []standing
}

// stir notes that what reaches one user may have changed. What changes for many is noted by the tenant's generation.
func (t *tenant) stir(event dcb.Event) {
	switch event.(type) {
	case domain.RoleAssigned, domain.RoleUnassigned, domain.MemberAdded, domain.MemberRemoved,
		domain.UserRegistered, domain.UserMoved, domain.UserErased:
		t.reached++
	}
}

// holdersOf are compiled at most once for each change.
func (x *Index) holdersOf(c *constraint, t *tenant) []standing {
	h := c.holders.Load()
	if h == nil || h.gen != t.gen || h.reached != t.reached || h.roleGen != x.root.roleGen {
		h = &holders{t.gen, t.reached, x.root.roleGen, x.sceneOf(t).holders(c)}
		c.holders.Store(h)
	}
	return h.all
}

// holders are who has the role at whatever time.
func (s *scene) holders(c *constraint) []standing {
	var all []standing
	for _, u := range s.below(c.Roles, nil) {
		if st := s.standing(c, u); len(st.ways) > 0 {
			all = append(all, st)
		}
	}
	return all
}

// first reports whether the holder is among those whom the role reached first, as many as may have it; or has it not at all. Who
// came to have it by the same event goes by their ids.
func (q *question) first(c *constraint) bool {
	all := q.by.holding(c)
	i := slices.IndexFunc(all, func(st standing) bool { return st.u == q.holder })
	if len(all) <= c.Most || i < 0 {
		return true
	}
	mine, has := all[i].since(q.at)
	before := 0
	for _, st := range all {
		since, is := st.since(q.at)
		if is && q.by.tenant().counts(st.u) && (since < mine || since == mine && compareIDs(st.u.id.UUID, q.holder.id.UUID) < 0) {
			before++
		}
	}
	return !has || before < c.Most
}
