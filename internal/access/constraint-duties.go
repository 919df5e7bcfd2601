package access

import (
	"time"

	"chancery/domain"
)

// duties are what somebody's grants have to do with the constraints of the tenant that they are of. They are compiled with the
// grants, hold every window as it is, and end with them; those of nobody's grants are empty.
type duties struct {
	allowedAt int64 // the event that said what overrides may allow
	sets      map[domain.RoleID][]*held
	pieces    map[*constraint][]piece
}

// compiled is the sight of what was compiled of a tenant.
type compiled struct {
	x *Index
	t *tenant
}

func (v compiled) tenant() *tenant                  { return v.t }
func (v compiled) holding(c *constraint) []standing { return v.x.holdersOf(c, v.t) }

func (v compiled) set(id domain.RoleID) *roleSet {
	if r := v.x.role(v.t, id); r != nil {
		return v.x.closureOf(r)
	}
	return nil
}

// having are the duties of u's grants: at home, or as a guest.
func (v compiled) having(u *user) having {
	var g *grants
	if u.home == v.t {
		g = v.x.grantsOf(u)
	} else {
		g = v.x.guestGrants(u, v.t)
	}
	if g == nil {
		return &duties{}
	}
	d := g.duties.Load()
	if d == nil || d.allowedAt != v.x.allowedAt {
		d = v.compile(g)
		g.duties.Store(d)
	}
	return d
}

func (v compiled) compile(g *grants) *duties {
	d := &duties{allowedAt: v.x.allowedAt, sets: map[domain.RoleID][]*held{}, pieces: map[*constraint][]piece{}}
	for _, c := range v.t.constraints {
		for _, id := range c.Roles {
			d.sets[id] = nil
		}
		d.sets[c.Requires] = nil
	}
	d.gather(g.wide)
	for _, list := range g.scoped {
		d.gather(list)
	}
	for _, c := range v.t.constraints {
		if c.Kind != domain.Exclusive {
			continue
		}
		for o := range g.allows.all {
			d.pieces[c] = append(d.pieces[c], piecesOf(c, v.x.allowable, o, v.set)...)
		}
	}
	return d
}

// all are the rules on whatever.
func (r *rules) all(yield func(*override) bool) {
	for _, o := range r.wide {
		if !yield(o) {
			return
		}
	}
	for _, list := range r.scoped {
		for _, o := range list {
			if !yield(o) {
				return
			}
		}
	}
}

func (d *duties) gather(list []held) {
	for i := range list {
		for _, id := range list[i].set.roles {
			if of, asked := d.sets[id]; asked {
				d.sets[id] = append(of, &list[i])
			}
		}
	}
}

// has reports whether some set gives the role at that time.
func (d *duties) has(_ *constraint, id domain.RoleID, at time.Time) bool {
	for _, h := range d.sets[id] {
		if h.live(at) {
			return true
		}
	}
	return false
}

// held is which of a constraint's roles some set gives at that time.
func (d *duties) held(c *constraint, at time.Time) (m roleMask) {
	for i, id := range c.Roles {
		if d.has(c, id, at) {
			m |= 1 << i
		}
	}
	return m
}

// allowed is what allows give at that time of a constraint's roles.
func (d *duties) allowed(c *constraint, at time.Time) []piece {
	var now []piece
	for _, m := range d.pieces[c] {
		if m.o.window.Contains(at) {
			now = append(now, m)
		}
	}
	return now
}
