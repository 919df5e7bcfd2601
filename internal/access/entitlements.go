package access

import (
	"slices"
	"time"

	"chancery/domain"
)

// Entitled answers whether a tenant may use something of an app, and how much of it is left. It is about licences alone: whether the
// app is at work in the tenant, App tells.
type Entitled struct {
	Allowed  bool // a feature is there, a limit is more than nothing, of a meter something is left or may be owed
	Kind     domain.EntitlementKind
	Limit    int64 // over all licences in force
	Used     int64 // of a meter, in its present period
	Left     int64
	Resets   time.Time           // when a meter begins anew, the first of them if several licences count by other periods; zero: never
	Held     int                 // how many licences the tenant has for the app, in force or not
	State    domain.LicenseState // of the best of them; ended, if there are none
	Ends     time.Time           // when the last of those that give it ends, with its grace; zero: never, or none gives it
	Position int64
}

// Ground is one licence that an answer about an entitlement rests on, also one that gives nothing.
type Ground struct {
	License domain.LicenseID
	State   domain.LicenseState
	Gives   *domain.Entitlement // nil: not this entitlement
	Counts  bool                // it is part of the answer
	Used    int64               // of a meter, in its present period
	Events  []int64             // the newest that say how the licence stands, and what was used of it; the earliest first
}

// Entitlement answers for one entitlement of an app in a tenant at an instant.
//
// Several licences in force count together: a feature is there if one has it, a limit is the largest, allowances of meters add up. If
// they do not agree on the kind, that of the first issued counts, and the others do not.
func (x *Index) Entitlement(t domain.TenantID, name domain.App, entitlement string, at time.Time) Entitled {
	return x.entitlement(t, name, entitlement, at, nil)
}

// ExplainEntitlement is Entitlement with all licences that were looked at, the first issued first.
func (x *Index) ExplainEntitlement(t domain.TenantID, name domain.App, entitlement string, at time.Time) (e Entitled, grounds []Ground) {
	grounds = []Ground{}
	e = x.entitlement(t, name, entitlement, at, func(g Ground) { grounds = append(grounds, g) })
	return e, grounds
}

func (x *Index) entitlement(t domain.TenantID, name domain.App, entitlement string, at time.Time, tell func(Ground)) Entitled {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := Entitled{State: domain.LicenseIsOver, Position: x.position}
	here := x.tenants[t]
	if here == nil || here.apps[name] == nil {
		return out
	}
	a := here.apps[name]
	out.Held, out.State = len(a.licenses), a.license(at)
	for _, l := range a.licenses {
		gives, has := l.Entitlement(entitlement)
		counts := has && l.inForce(at) && (out.Kind == "" || out.Kind == gives.Kind)
		var shown tally
		if has && gives.Kind == domain.Meter {
			shown = x.tallies[domain.MeterKey(l.ID, entitlement)]
		}
		used := shown.In(gives.Period.Name(at))
		if counts {
			out.add(gives, used, l.Terms.GraceUntil(), at)
		}
		if tell == nil {
			continue
		}
		g := Ground{License: l.ID, State: l.State(at), Counts: counts, Used: used, Events: l.positions()}
		if has {
			g.Gives = &gives
		}
		if shown.at > 0 {
			g.Events = append(g.Events, shown.at)
			slices.Sort(g.Events)
		}
		tell(g)
	}
	return out
}

// add counts what one licence gives.
func (e *Entitled) add(gives domain.Entitlement, used int64, ends, at time.Time) {
	first := e.Kind == ""
	if first || ends.IsZero() || !e.Ends.IsZero() && ends.After(e.Ends) {
		e.Ends = ends
	}
	switch e.Kind = gives.Kind; gives.Kind {
	case domain.Feature:
		e.Allowed = true
	case domain.Limit:
		e.Limit = max(e.Limit, gives.Limit)
		e.Left = e.Limit
		e.Allowed = e.Limit > 0
	case domain.Meter:
		e.Limit += gives.Limit
		e.Used += used
		e.Left += max(0, gives.Limit-used)
		e.Allowed = e.Allowed || gives.Soft || gives.Limit > used
		if ends := gives.Period.Ends(at); first || e.Resets.IsZero() || !ends.IsZero() && ends.Before(e.Resets) {
			e.Resets = ends
		}
	}
}
