package access

import (
	"slices"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Judge says which constraints of a tenant a change has to satisfy, and which it would break, or break further: who breaks one
// already may lose roles freely. It looks at every window that is open or begins later, at the instant when it begins. What a
// change of the platform's roles does to the constraints of tenants is not asked: there it is judged at use alone.
//
// A way from somebody to a role consists of steps: into a group, up to the group above, to a role, up to the role above. Two changes
// at the same time may each add a step of the same way and see nothing of the other. So the verdict rests on there being no further
// steps up from what is given, and, where a constraint is concerned, none that leads to those who get it.
func (x *Index) Judge(c domain.Change) domain.Verdict {
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := x.tenants[c.Tenant]
	if t == nil || len(t.constraints) == 0 && !creates(c.Before) && !creates(c.Events) {
		return domain.Verdict{}
	}
	j := &judging{was: x.sceneOf(t), is: x.sceneOf(t), at: c.At, batched: len(c.Before) > 0, affected: map[domain.UserID]bool{}, watched: map[string]bool{}}
	for _, e := range c.Before {
		j.was.record(e)
		j.is.record(e)
	}
	for _, e := range c.Events {
		if added, is := e.(domain.UserRegistered); is { // what everybody has is not given to them; their department is
			added.Department = domain.DepartmentID{}
			j.was.record(added)
		}
		j.is.record(e)
	}
	return j.verdict(c.Events)
}

func creates(events []dcb.Event) bool {
	return slices.ContainsFunc(events, func(e dcb.Event) bool { _, is := e.(domain.ConstraintCreated); return is })
}

// judging is one judgement.
type judging struct {
	was, is  *scene
	at       time.Time
	batched  bool // was is not simply what the index knows
	affected map[domain.UserID]bool
	rests    []dcb.AnyFact
	watched  map[string]bool

	roles []domain.RoleID // that are given, with all that they inherit
	rules []*override     // that are given
}

func (j *judging) verdict(events []dcb.Event) (v domain.Verdict) {
	for _, e := range events {
		j.up(e)
	}
	concerned := j.concerned(events)
	if len(concerned) > 0 {
		for _, e := range events {
			j.down(e)
		}
	}
	note := func(c *constraint, breaks bool) {
		v.Judged = append(v.Judged, c.Constraint)
		if breaks {
			v.Broken = append(v.Broken, c.ConstraintCreated)
		}
	}
	for _, c := range concerned {
		note(c, j.breaks(c))
	}
	for _, e := range events {
		if granted, is := e.(domain.DelegationGranted); is {
			j.delegated(granted, note)
		}
	}
	v.Rests = j.rests
	return v
}

func (j *judging) delegated(e domain.DelegationGranted, note func(c *constraint, breaks bool)) {
	d := j.is.x.offered(j.is.t, e)
	if d == nil {
		return
	}
	for _, c := range j.is.constraints {
		if concerned, breaks := j.lends(c, d); concerned {
			note(c, breaks)
		}
	}
}

// watch makes the verdict rest on a thing, once.
func (j *judging) watch(up bool) func(dcb.Tagger) {
	return func(thing dcb.Tagger) {
		name, ask := "down "+string(thing.Tag()), domain.WaysDown
		if up {
			name, ask = "up "+string(thing.Tag()), domain.WaysUp
		}
		if !j.watched[name] {
			j.watched[name] = true
			j.rests = append(j.rests, ask(thing))
		}
	}
}

// up gathers what an event gives.
func (j *judging) up(event dcb.Event) {
	switch e := event.(type) {
	case domain.RoleAssigned:
		j.upRole(e.Role)
	case domain.RoleParentAdded:
		j.upRole(e.Parent)
	case domain.OverrideAdded:
		if e.Effect == domain.Allow {
			j.rules = append(j.rules, &override{effect: e.Effect, pattern: e.Privilege})
		}
	case domain.MemberAdded:
		j.upFrom(j.is.climb(nil, subject{toGroup, e.Group.UUID}, 0))
	case domain.GroupMoved:
		j.upFrom(j.is.climb(nil, subject{toGroup, e.Parent.UUID}, 0))
	case domain.DepartmentMoved:
		j.upFrom(j.is.climb(nil, subject{toDepartment, e.Parent.UUID}, 0))
	case domain.UserMoved:
		j.upFrom(j.is.climb(nil, subject{toDepartment, e.Department.UUID}, 0))
	case domain.UserRegistered:
		j.upFrom(j.is.climb(nil, subject{toDepartment, e.Department.UUID}, 0))
	case domain.UserReactivated:
		if u := j.is.user(e.User); u != nil {
			j.upFrom(j.is.reaches(u))
		}
	}
}

func (j *judging) upRole(id domain.RoleID) {
	for r := range j.is.inherited(id) {
		j.roles = append(j.roles, r)
		j.watch(true)(r)
	}
}

func (j *judging) upFrom(places []reach) {
	for _, p := range places {
		if thing := p.to.tagger(); thing != nil {
			j.watch(true)(thing)
		}
		for _, a := range j.is.givenTo(p.to) {
			if !a.window.Over(j.at) {
				j.upRole(a.role)
			}
		}
		for _, o := range j.is.ruledTo(p.to) {
			if o.effect == domain.Allow && !o.window.Over(j.at) {
				j.rules = append(j.rules, o)
			}
		}
	}
}

// tagger is the thing itself; nil for everybody.
func (s subject) tagger() dcb.Tagger {
	switch s.kind {
	case toUser:
		return domain.UserID{UUID: s.id}
	case toDepartment:
		return domain.DepartmentID{UUID: s.id}
	case toGroup:
		return domain.GroupID{UUID: s.id}
	case toEveryone:
	}
	return nil
}

// concerned are the constraints that what is given has to do with.
func (j *judging) concerned(events []dcb.Event) []*constraint {
	var out []*constraint
	for _, c := range j.is.constraints {
		created := slices.ContainsFunc(events, func(e dcb.Event) bool {
			made, is := e.(domain.ConstraintCreated)
			return is && made.Constraint == c.Constraint
		})
		allowed := c.Kind == domain.Exclusive && slices.ContainsFunc(j.rules, func(o *override) bool {
			return len(piecesOf(c, j.is.x.allowable, o, j.is.set)) > 0
		})
		grown := c.Kind == domain.Exclusive && slices.ContainsFunc(events, func(e dcb.Event) bool {
			added, is := e.(domain.RoleParentAdded)
			return is && slices.ContainsFunc(c.Roles, func(id domain.RoleID) bool { _, heir := j.is.inherited(id)[added.Role]; return heir })
		})
		if created || allowed || grown || slices.ContainsFunc(j.roles, c.Names) {
			out = append(out, c)
		}
	}
	return out
}

// down gathers whom an event gives something.
func (j *judging) down(event dcb.Event) {
	switch e := event.(type) {
	case domain.RoleAssigned:
		j.downFrom(subjects(e.User, e.Department, e.Group)...)
	case domain.OverrideAdded:
		j.downFrom(orEveryone(subjects(e.User, e.Department, e.Group))...)
	case domain.RoleParentAdded:
		j.affect(j.is.below([]domain.RoleID{e.Role}, j.watch(false)))
		j.affect(j.is.allowed()) // of a role that gives more, an allow may give more
	case domain.ConstraintCreated:
		j.affect(j.is.below(e.Roles, j.watch(false)))
		if e.Kind == domain.Exclusive { // allows alone may need more roles than one
			j.affect(j.is.allowed())
		}
	case domain.MemberAdded:
		j.affected[e.User] = true
	case domain.UserMoved:
		j.affected[e.User] = true
	case domain.UserRegistered:
		j.affected[e.User] = true
	case domain.UserReactivated:
		j.affected[e.User] = true
	case domain.GroupMoved:
		j.downFrom(subject{toGroup, e.Group.UUID})
	case domain.DepartmentMoved:
		j.downFrom(subject{toDepartment, e.Department.UUID})
	}
}

func (j *judging) downFrom(to ...subject) { j.affect(j.is.within(to, j.watch(false))) }

func (j *judging) affect(users []*user) {
	for _, u := range users {
		j.affected[u.id] = true
	}
}

// breaks reports whether a constraint is broken, or broken further.
func (j *judging) breaks(c *constraint) bool {
	fresh := !slices.ContainsFunc(j.was.constraints, func(old *constraint) bool { return old.Constraint == c.Constraint })
	if c.Kind == domain.Cardinality {
		return j.crowds(c, fresh)
	}
	for id := range j.affected {
		u := j.is.user(id)
		if !j.is.t.counts(u) {
			continue
		}
		is, was := j.is.standing(c, u), standing{c: c}
		if u := j.was.user(id); !fresh && j.was.t.counts(u) {
			was = j.was.standing(c, u)
		}
		for _, at := range instants(j.at, is) {
			if n := is.excess(at); n > 0 && n > was.excess(at) {
				return true
			}
		}
	}
	return false
}

// crowds reports whether more users have a role than may, and more than before.
func (j *judging) crowds(c *constraint, fresh bool) bool {
	var before []standing
	if j.batched || fresh {
		before = j.was.holders(c)
	} else {
		before = j.was.x.holdersOf(c, j.was.t)
	}
	var rest, was, is []standing // of those who are not affected, and of those who are
	for _, st := range before {
		switch {
		case !j.was.t.counts(st.u):
		case j.affected[st.u.id]:
			was = append(was, st)
		default:
			rest = append(rest, st)
		}
	}
	for id := range j.affected {
		if u := j.is.user(id); j.is.t.counts(u) {
			is = append(is, j.is.standing(c, u))
		}
	}
	for _, at := range instants(j.at, append(slices.Clone(rest), is...)...) {
		others := count(rest, at)
		n, old := others+count(is, at), others+count(was, at)
		if n > c.Most && (n > old || fresh) {
			return true
		}
	}
	return false
}

func count(list []standing, at time.Time) (n int) {
	for _, st := range list {
		if _, has := st.since(at); has {
			n++
		}
	}
	return n
}

// instants are now, and whenever a window begins later.
func instants(now time.Time, list ...standing) []time.Time {
	out := []time.Time{now}
	for _, st := range list {
		for _, w := range st.ways {
			if from := w.of.window.From; from.After(now) && !slices.ContainsFunc(out, from.Equal) {
				out = append(out, from)
			}
		}
	}
	return out
}
