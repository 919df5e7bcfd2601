package access

import (
	"strings"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AppState is how an app stands in a tenant.
type AppState struct {
	Registered bool // on the platform
	Enabled    bool // in the tenant
	Number     domain.Semver
	Needs      bool                // a licence
	License    domain.LicenseState // of the tenant's licences for it, the best
	Works      bool                // it is enabled, and licensed if it needs that
	Position   int64
}

// tenantApp is an app as a tenant has it: enabled at some time, or licensed, or both. What the newest version brings stays known when it is
// disabled, for explanations.
type tenantApp struct {
	enabled  bool
	number   domain.Semver
	needs    bool // a licence
	brings   map[domain.Privilege]struct{}
	at       int64      // the event that made it so; 0: it was never enabled
	licenses []*license // that the tenant holds for it, the first issued first
}

// App tells how an app stands in a tenant at an instant.
func (x *Index) App(t domain.TenantID, name domain.App, at time.Time) AppState {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := AppState{Registered: x.apps[name] > 0, License: domain.LicenseIsOver, Position: x.position}
	here := x.tenants[t]
	if here == nil {
		return s
	}
	if a := here.apps[name]; a != nil {
		s.Enabled, s.Number, s.Needs, s.License = a.enabled, a.number, a.needs, a.license(at)
		s.Works = s.Registered && a.works(at)
	}
	return s
}

// works reports whether it is enabled, and licensed if it needs that. Nil is an app that the tenant does not have.
func (a *tenantApp) works(at time.Time) bool {
	return a != nil && a.enabled && (!a.needs || a.licensed(at))
}

// speaksFor reports whether a token of an app still speaks for it in its tenant. An app that nobody registered is none of ours.
func (x *Index) speaksFor(t *tenant, name domain.App, at time.Time) bool {
	return x.apps[name] == 0 || t.apps[name].works(at)
}

// idle says why a privilege of a registered app has no effect in a tenant; empty if it has, or is no app's. A privilege that the
// platform registered itself is no app's, whatever it is called.
func (x *Index) idle(t *tenant, p domain.Privilege, at time.Time) Reason {
	if !x.initials.has(string(p)) {
		return ""
	}
	name := appIn(p)
	if x.apps[name] == 0 {
		return ""
	}
	a := t.apps[name]
	brought := false
	if a != nil && a.enabled {
		_, brought = a.brings[p]
	}
	switch {
	case brought && a.works(at):
		return ""
	case x.privileges[p] > 0: // it is the platform's: looked up last, for it is rare
		return ""
	case brought:
		return LicenseEnded
	}
	return AppDisabled
}

// appOf is the registered app that a privilege belongs to.
func (x *Index) appOf(p domain.Privilege) (name domain.App, ours bool) {
	name = appIn(p)
	return name, x.apps[name] > 0 && x.privileges[p] == 0
}

// initials say how the names of apps begin, by their first two letters, as far as 1024 bits can tell. Most privileges are no app's: they
// are then known to be none without a look into a map.
type initials [16]uint64

func (i *initials) add(name string) {
	n := initialsOf(name + ".")
	i[n/64] |= 1 << (n % 64)
}

// has is false only where no app's name begins like the privilege, which MUST be well formed.
func (i *initials) has(privilege string) bool {
	n := initialsOf(privilege)
	return i[n/64]&(1<<(n%64)) != 0
}

func initialsOf(name string) uint { return (uint(name[0])*31 + uint(name[1])) % 1024 }

// appIn is the first word of a privilege.
func appIn(p domain.Privilege) domain.App {
	first, _, _ := strings.Cut(string(p), ".")
	return domain.App(first)
}

// app is an app as the tenant has it, from now on.
func (t *tenant) app(name domain.App) *tenantApp {
	a := t.apps[name]
	if a == nil {
		a = &tenantApp{}
		t.apps[name] = a
	}
	return a
}

// privilegesIn are all that there may be in a tenant: those of the platform, and those that its apps bring.
func (x *Index) privilegesIn(t *tenant) []domain.Privilege {
	all := make([]domain.Privilege, 0, len(x.privileges))
	for p := range x.privileges {
		all = append(all, p)
	}
	if t == nil {
		return all
	}
	for _, a := range t.apps {
		for p := range a.brings {
			if a.enabled && x.privileges[p] == 0 {
				all = append(all, p)
			}
		}
	}
	return all
}

// foldApp hears of apps on the platform alone, and of those of a tenant in its own log.
func (x *Index) foldApp(t *tenant, event dcb.Event, at int64) {
	runs := func(id domain.TenantAppID, name domain.App, n domain.Semver, brings []domain.Brought, needs bool) {
		if id != name.In(t.id) {
			return
		}
		a := t.app(name)
		a.enabled, a.number, a.needs, a.at = true, n, needs, at
		a.brings = make(map[domain.Privilege]struct{}, len(brings))
		for _, b := range brings {
			a.brings[b.Privilege] = struct{}{}
		}
	}
	switch e := event.(type) {
	case domain.AppRegistered:
		if t == x.root && x.apps[e.Name] == 0 && e.Name != "" {
			x.apps[e.Name] = at
			x.initials.add(string(e.Name))
		}
	case domain.AppEnabled:
		runs(e.TenantApp, e.Name, e.Number, e.Brings, e.LicenseRequired)
	case domain.AppUpgraded:
		runs(e.TenantApp, e.Name, e.Number, e.Brings, e.LicenseRequired)
	case domain.AppRolledBack:
		runs(e.TenantApp, e.Name, e.Number, e.Brings, e.LicenseRequired)
	case domain.AppDisabled:
		if a := t.apps[e.Name]; a != nil && e.TenantApp == e.Name.In(t.id) {
			a.enabled, a.at = false, at
		}
	}
}
