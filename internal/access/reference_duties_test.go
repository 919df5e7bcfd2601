package access_test

import (
	"bytes"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
)

// What constraints keep from users, by the rules for whom has what at an instant.

type roleIDs map[uuid.UUID]int64 // and the event since which

// has is every role that reaches the user in t at that time, on whatever.
func (w world) has(u, t uuid.UUID, at time.Time) roleIDs {
	all, am := roleIDs{}, w.reached(u, t)
	for _, c := range w.claims {
		if c.effect != "" || c.tenant != t || !c.window.Contains(at) {
			continue
		}
		for _, p := range c.to {
			since, is := am[p]
			if !is {
				continue
			}
			for id, inherited := range w.closure(t, c.role) {
				first := max(since, c.at, inherited)
				if old, known := all[id]; !known || first < old {
					all[id] = first
				}
			}
		}
	}
	return all
}

// suspended reports whether a constraint of t keeps a privilege from the actor that the holder has by a role.
func (w world) suspended(actor, holder, t, role uuid.UUID, p domain.Privilege, at time.Time) bool {
	set := w.closure(t, role)
	for id, c := range w.demands {
		touched := common(c.Roles, set)
		if id.tenant != t || len(touched) == 0 {
			continue
		}
		mine := w.has(holder, t, at)
		used := slices.DeleteFunc(touched, func(r uuid.UUID) bool { return actor == holder || !w.gives(t, r, p) }) // by another
		switch c.Kind {
		case domain.Exclusive:
			if len(common(c.Roles, mine)) > c.Most {
				return true
			}
			if len(used) > 0 && w.needed(c, t, union(common(c.Roles, w.has(actor, t, at)), used), w.pieces(c, actor, t, at)) > c.Most {
				return true
			}
		case domain.Cardinality:
			if !slices.Contains(w.first(c, t, at), holder) {
				return true
			}
		case domain.Prerequisite:
			if _, has := mine[c.Requires.UUID]; !has {
				return true
			}
			if _, has := w.has(actor, t, at)[c.Requires.UUID]; len(used) > 0 && !has {
				return true
			}
		}
	}
	return false
}

// allowSuspended reports whether a constraint of t keeps a privilege from the actor that the holder is allowed by an override.
func (w world) allowSuspended(actor, holder, t uuid.UUID, o claim, p domain.Privilege, at time.Time) bool {
	unexplained := func(pieces []domain.Pattern, by []uuid.UUID) bool {
		return slices.ContainsFunc(pieces, func(m domain.Pattern) bool {
			return !slices.ContainsFunc(by, func(r uuid.UUID) bool { return w.covers(t, r, m) })
		})
	}
	for id, c := range w.demands {
		if id.tenant != t || c.Kind != domain.Exclusive {
			continue
		}
		all := w.piecesOf(c, t, o)
		theirs := common(c.Roles, w.has(holder, t, at))
		if w.needed(c, t, theirs, w.pieces(c, holder, t, at)) > c.Most && unexplained(all, theirs) {
			return true
		}
		used := slices.DeleteFunc(all, func(m domain.Pattern) bool { return actor == holder || !m.Matches(p) }) // by another
		mine := common(c.Roles, w.has(actor, t, at))
		if w.needed(c, t, mine, append(w.pieces(c, actor, t, at), used...)) > c.Most && unexplained(used, mine) {
			return true
		}
	}
	return false
}

// first are the users who hold the role of a cardinality first: as many as it admits.
func (w world) first(c domain.ConstraintCreated, t uuid.UUID, at time.Time) []uuid.UUID {
	type holder struct {
		user  uuid.UUID
		since int64
	}
	var all []holder
	for u, status := range w.users {
		if status != domain.UserActive && status != domain.UserInvited {
			continue
		}
		for id, since := range w.has(u, t, at) {
			if len(common(c.Roles, roleIDs{id: 0})) > 0 {
				all = append(all, holder{u, since})
			}
		}
	}
	slices.SortFunc(all, func(a, b holder) int {
		if a.since != b.since {
			return int(a.since - b.since)
		}
		return bytes.Compare(a.user[:], b.user[:])
	})
	var out []uuid.UUID
	for _, h := range all {
		if !slices.Contains(out, h.user) && len(out) < c.Most {
			out = append(out, h.user)
		}
	}
	return out
}

// pieces are what all allows of a user in t amount to, in the words of the roles of a constraint.
func (w world) pieces(c domain.ConstraintCreated, u, t uuid.UUID, at time.Time) []domain.Pattern {
	var all []domain.Pattern
	am := w.reached(u, t)
	for _, o := range w.claims {
		reaches := slices.ContainsFunc(o.to, func(p place) bool { _, is := am[p]; return is })
		if o.effect == domain.Allow && o.tenant == t && reaches && o.window.Contains(at) {
			all = append(all, w.piecesOf(c, t, o)...)
		}
	}
	return all
}

func (w world) piecesOf(c domain.ConstraintCreated, t uuid.UUID, o claim) []domain.Pattern {
	var all []domain.Pattern
	for _, permitted := range w.allowable {
		that, meet := narrower(o.pattern, permitted)
		if !meet {
			continue
		}
		for _, r := range c.Roles {
			for _, g := range w.patterns(t, r.UUID) {
				if m, meet := narrower(that, g); meet {
					all = append(all, m)
				}
			}
		}
	}
	return all
}

// needed is the least number of the constraint's roles that explain both what somebody has of them and each of the pieces.
func (w world) needed(c domain.ConstraintCreated, t uuid.UUID, has []uuid.UUID, pieces []domain.Pattern) int {
	least := len(c.Roles) + 1
	for choice := range 1 << len(c.Roles) {
		chosen := slices.Clone(has)
		for i, r := range c.Roles {
			if choice>>i&1 == 1 {
				chosen = union(chosen, []uuid.UUID{r.UUID})
			}
		}
		explained := !slices.ContainsFunc(pieces, func(m domain.Pattern) bool {
			return !slices.ContainsFunc(chosen, func(r uuid.UUID) bool { return w.covers(t, r, m) })
		})
		if explained {
			least = min(least, len(chosen))
		}
	}
	return least
}

// covers reports whether one pattern of a role covers another pattern.
func (w world) covers(t, role uuid.UUID, m domain.Pattern) bool {
	return slices.ContainsFunc(w.patterns(t, role), func(g domain.Pattern) bool { return g.Covers(m) })
}

func narrower(a, b domain.Pattern) (domain.Pattern, bool) {
	if a.Covers(b) {
		return b, true
	}
	return a, b.Covers(a)
}

func common(of []domain.RoleID, with roleIDs) []uuid.UUID {
	var out []uuid.UUID
	for _, r := range of {
		if _, is := with[r.UUID]; is && !slices.Contains(out, r.UUID) {
			out = append(out, r.UUID)
		}
	}
	return out
}

func union(a, b []uuid.UUID) []uuid.UUID {
	out := slices.Clone(a)
	for _, id := range b {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}
