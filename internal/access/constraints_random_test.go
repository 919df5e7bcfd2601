package access_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// giving is an event that might give somebody a role, under an id that is new.
func (c chance) giving(p *play, t uuid.UUID, kind byte) dcb.Event {
	fresh := named(kind, len(p.paper.events))
	user, group, department := domain.UserID{UUID: c.id('u')}, domain.GroupID{UUID: c.id('g')}, domain.DepartmentID{UUID: c.id('d')}
	role := func() domain.RoleID { return domain.RoleID{UUID: named('r', c.IntN(2*pool))} }
	switch c.IntN(9) {
	case 0:
		return domain.GroupMoved{Group: group, Parent: domain.GroupID{UUID: c.maybe('g')}}
	case 1:
		return domain.DepartmentMoved{Department: department, Parent: domain.DepartmentID{UUID: c.maybe('d')}}
	case 2:
		if p.world.homes[user.UUID] == t {
			return domain.UserMoved{User: user, Department: department}
		}
		return domain.UserRegistered{User: domain.UserID{UUID: fresh}, Department: department, Status: domain.UserInvited}
	case 3:
		return domain.RoleParentAdded{Role: role(), Parent: role()}
	case 4:
		e := c.joins(p.world, t).(domain.MemberAdded)
		e.Membership.UUID = fresh
		return e
	case 5:
		e := domain.OverrideAdded{Override: domain.OverrideID{UUID: fresh}, Effect: domain.Allow, Privilege: pick(c, patterns...), Scope: c.scope(), ExpiresAt: c.instant()}
		e.User, e.Department, e.Group = c.subjects(true)
		return e
	case 6:
		e := c.demands(p.world, t)
		if made, is := e.(domain.ConstraintCreated); is {
			made.Constraint.UUID = fresh
			return made
		}
		return domain.UserReactivated{User: user}
	}
	e := domain.RoleAssigned{Assignment: domain.AssignmentID{UUID: fresh}, Role: role(), Scope: c.scope(), Window: domain.Window{From: c.instantOrNone(), Until: c.instantOrNone()}}
	e.User, e.Department, e.Group = c.subjects(false)
	return e
}

// What is judged before something happens is what history says afterwards.
func TestTheJudgementOfAChangeIsWhatComesOfIt(t *testing.T) {
	broke, kept := 0, 0
	property(t, 25, func(rt *rapid.T, c chance, p *play) {
		for range 4 {
			t, at := c.tenant(), c.instant()
			before, e := c.giving(p, t, 'B'), c.giving(p, t, 'E')
			if c.IntN(3) > 0 {
				before = nil
			}
			was := p.paper
			change := domain.Change{Tenant: domain.TenantID{UUID: t}, At: at, Events: []dcb.Event{e}}
			if before != nil {
				change.Before = []dcb.Event{before}
				was = was.and(t, before)
			}
			is := was.and(t, e)
			if added, is := e.(domain.UserRegistered); is { // what everybody has is not given to them
				added.Department = domain.DepartmentID{}
				was = was.and(t, added)
			}
			v, after := p.x.Judge(change), is.world()
			got, want := []domain.ConstraintID{}, slices.DeleteFunc(broken(was.world(), after, t, at), func(id domain.ConstraintID) bool {
				lost := after.demands[place{t, id.UUID, "constraint"}].Kind == domain.Prerequisite // by a move: taking away is free
				return lost && !slices.Contains(v.Judged, id)
			})
			for _, b := range v.Broken {
				got = append(got, b.Constraint)
				if !slices.Contains(v.Judged, b.Constraint) {
					rt.Fatalf("%v is broken and was not judged", b.Constraint)
				}
			}
			slices.SortFunc(got, byBytes)
			if !slices.Equal(got, want) {
				rt.Fatalf("%T%+v\nin %v at %v after %T%+v: judged that it breaks %v, history says %v", e, e, t, at, before, before, got, want)
			}
			if broke += len(got); len(got) == 0 && len(v.Judged) > 0 {
				kept++
			}
		}
	})
	t.Logf("%d broken, %d kept", broke, kept)
	if broke < 5 || kept < 100 {
		t.Errorf("only %d were broken and %d kept", broke, kept)
	}
}

// and is the history with one event more.
func (r reference) and(t uuid.UUID, e dcb.Event) reference {
	next := dcb.Recorded{Meta: dcb.Meta{Position: int64(len(r.events) + 1), Tenant: t}, Event: e}
	r.events = append(slices.Clone(r.events), next)
	return r
}

// broken are the constraints of t that somebody breaks and broke less before.
func broken(was, is world, t uuid.UUID, now time.Time) []domain.ConstraintID {
	out := []domain.ConstraintID{}
	for id, c := range is.demands {
		if id.tenant != t {
			continue
		}
		_, stood := was.demands[id]
		worse := false
		if c.Kind == domain.Cardinality {
			for _, at := range is.beginnings(t, now, c, sortedKeys(is.users)...) {
				before := 0
				if stood {
					before = was.holding(c, t, at)
				}
				n := is.holding(c, t, at)
				worse = worse || n > c.Most && n > before
			}
		}
		for u := range is.users {
			for _, at := range is.beginnings(t, now, c, u) {
				before := 0
				if stood {
					before = was.excess(c, u, t, at)
				}
				n := is.excess(c, u, t, at)
				worse = worse || n > 0 && n > before
			}
		}
		if worse {
			out = append(out, c.Constraint)
		}
	}
	slices.SortFunc(out, byBytes)
	return out
}

func (w world) counts(u, t uuid.UUID) bool {
	return w.homes[u] == t && (w.users[u] == domain.UserActive || w.users[u] == domain.UserInvited) || w.homes[u] != t && w.welcome(u, t)
}

func (w world) holding(c domain.ConstraintCreated, t uuid.UUID, at time.Time) (n int) {
	for u := range w.users {
		if w.counts(u, t) && len(common(c.Roles, w.has(u, t, at))) > 0 {
			n++
		}
	}
	return n
}

func (w world) excess(c domain.ConstraintCreated, u, t uuid.UUID, at time.Time) int {
	if !w.counts(u, t) {
		return 0
	}
	has := w.has(u, t, at)
	switch c.Kind {
	case domain.Exclusive:
		return max(0, w.needed(c, t, common(c.Roles, has), w.pieces(c, u, t, at))-c.Most)
	case domain.Prerequisite:
		if _, trained := has[c.Requires.UUID]; !trained {
			return len(common(c.Roles, has))
		}
	case domain.Cardinality:
	}
	return 0
}

// beginnings are now, and the later instants at which one of the users comes to have a role that the constraint names.
func (w world) beginnings(t uuid.UUID, now time.Time, c domain.ConstraintCreated, users ...uuid.UUID) []time.Time {
	all := []time.Time{now}
	for _, u := range users {
		am := w.reached(u, t)
		for _, given := range w.claims {
			reaches := slices.ContainsFunc(given.to, func(p place) bool { _, is := am[p]; return is })
			if given.effect != "" || given.tenant != t || !reaches || !given.window.From.After(now) {
				continue
			}
			up := w.closure(t, given.role)
			if _, requires := up[c.Requires.UUID]; requires || len(common(c.Roles, up)) > 0 {
				all = append(all, given.window.From)
			}
		}
	}
	return all
}

func byBytes(a, b domain.ConstraintID) int { return slices.Compare(a.UUID[:], b.UUID[:]) }
