package access

import (
	"cmp"
	"slices"
	"strings"

	"chancery/domain"
	"chancery/internal/dcb"
)

// routing is which app has which prefix, and what each version serves. The index's mu owns it.
type routing struct {
	at   int64                            // the event that changed it last
	held map[string]map[string]*routedApp // by host, then by prefix as they are compared
	apps map[domain.AppID]*routedApp
}

type routedApp struct {
	name     domain.App
	versions []*routedVersion // in the order in which they were published
	nobodys  *routedVersion   // that serves those who are nobody; nil for none
}

type routedVersion struct {
	id        domain.AppVersionID
	number    domain.Semver
	yanked    bool
	upstreams []string
	routes    []domain.Route
	places    map[prefix][]int // of routes, in their order
}

// prefix is a host and a prefix as they are compared.
type prefix struct{ host, path string }

func newRouting() routing {
	return routing{held: map[string]map[string]*routedApp{}, apps: map[domain.AppID]*routedApp{}}
}

// prefixOf is where a route is. A prefix ends at a segment, and the longest one that every path has is empty.
func prefixOf(host, path string) prefix {
	return prefix{strings.ToLower(host), strings.TrimSuffix(caseless(path), "/")}
}

// foldRoute hears the platform alone: what vendors have is copies.
func (x *Index) foldRoute(t *tenant, event dcb.Event, at int64) {
	if t != x.root {
		return
	}
	x.routing.at = at
	switch e := event.(type) {
	case domain.AppVersionPublished:
		x.routing.publish(e)
	case domain.AppVersionYanked:
		x.routing.change(e.App, e.Version, func(v *routedVersion) { v.yanked = true })
	case domain.AppVersionDeployed:
		x.routing.change(e.App, e.Version, func(v *routedVersion) { v.upstreams = slices.Clone(e.Upstreams) })
	case domain.AppRouteReleased:
		x.routing.release(e)
	}
}

func (r *routing) publish(e domain.AppVersionPublished) {
	a := r.apps[e.App]
	if a == nil {
		a = &routedApp{name: e.Name}
		r.apps[e.App] = a
	}
	if slices.ContainsFunc(a.versions, func(v *routedVersion) bool { return v.id == e.Version }) {
		return
	}
	v := &routedVersion{id: e.Version, number: e.Number, routes: slices.Clone(e.Routes)}
	v.lay()
	a.versions = append(a.versions, v)
	a.choose()
	for p := range v.places {
		if r.held[p.host] == nil {
			r.held[p.host] = map[string]*routedApp{}
		}
		if r.held[p.host][p.path] == nil {
			r.held[p.host][p.path] = a
		}
	}
}

func (r *routing) change(app domain.AppID, version domain.AppVersionID, change func(*routedVersion)) {
	a := r.apps[app]
	if a == nil {
		return
	}
	for _, v := range a.versions {
		if v.id == version {
			change(v)
		}
	}
	a.choose()
}

// release takes a prefix from the app, and from all of its versions for good.
func (r *routing) release(e domain.AppRouteReleased) {
	p, a := prefixOf(e.Host, e.Path), r.apps[e.App]
	if a == nil || r.held[p.host][p.path] != a {
		return
	}
	if delete(r.held[p.host], p.path); len(r.held[p.host]) == 0 {
		delete(r.held, p.host)
	}
	for _, v := range a.versions {
		v.routes = slices.DeleteFunc(v.routes, func(r domain.Route) bool { return prefixOf(r.Host, r.Path) == p })
		v.lay()
	}
}

// lay finds out which routes are at each place.
func (v *routedVersion) lay() {
	v.places = map[prefix][]int{}
	for i, r := range v.routes {
		p := prefixOf(r.Host, r.Path)
		v.places[p] = append(v.places[p], i)
	}
}

// specific is 0 for a route of certain methods and 1 for one of all.
func specific(r domain.Route) int {
	if len(r.Methods) > 0 {
		return 0
	}
	return 1
}

// choose finds the version for those who are nobody: the highest that is no prerelease, is not yanked, and runs somewhere; else the
// highest that would, if it ran.
func (a *routedApp) choose() {
	a.nobodys = nil
	better := func(v, o *routedVersion) bool {
		if runs := len(v.upstreams) > 0; runs != (len(o.upstreams) > 0) {
			return runs
		}
		return v.number.Compare(o.number) > 0
	}
	for _, v := range a.versions {
		if !v.yanked && !v.number.Prerelease() && (a.nobodys == nil || better(v, a.nobodys)) {
			a.nobodys = v
		}
	}
}

// Routed is to which app a request goes, and which of its routes serves it.
type Routed struct {
	App      domain.App
	Number   domain.Semver // of the version; empty for none
	Served   bool          // that version has the route
	Route    domain.Route
	Position int64
}

// Route finds the app that has the most specific prefix of a target: the exact host before every host, unless another app has a longer
// path on every host; then the longest path. Then it finds the route of a version of that app, none named: of the one for those who are
// nobody. A shorter prefix of the same app is as good if the version does not have the longer one, and no other app's lies between. What the route at the prefix does not serve, no
// other one does: certain methods come before all, and HEAD is served as GET is. ok is false where no app has a prefix.
func (x *Index) Route(t Target, n domain.Semver) (found Routed, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	holder, host := x.routing.holder(&t)
	if holder == nil {
		return Routed{Position: x.position}, false
	}
	v := holder.version(n)
	found = Routed{App: holder.name, Position: x.position}
	if v == nil {
		return found, true
	}
	found.Number = v.number
	for path := range t.prefixes {
		for _, on := range [...]string{t.host, ""} {
			a := x.routing.held[on][path]
			if a != nil && a != holder {
				return found, true
			}
			if at := v.places[prefix{on, path}]; a != nil && on == host && len(at) > 0 {
				found.Route, found.Served = v.serves(at, &t)
				return found, true
			}
		}
	}
	return found, true
}

// holder is the app that has the most specific prefix of a target, and on which host: the exact one, or empty for every host.
func (r *routing) holder(t *Target) (a *routedApp, host string) {
	if a, exact := r.first(t.host, t, nil); a != nil {
		if _, other := r.first("", t, a); exact >= other {
			return a, t.host
		}
	}
	a, _ = r.first("", t, nil)
	return a, ""
}

// first is the app, any but one, that has the longest prefix of a target on a host, and how long it is.
func (r *routing) first(host string, t *Target, but *routedApp) (a *routedApp, length int) {
	if held := r.held[host]; held != nil {
		for path := range t.prefixes {
			if a := held[path]; a != nil && a != but {
				return a, len(path)
			}
		}
	}
	return nil, 0
}

func (a *routedApp) version(n domain.Semver) *routedVersion {
	if n == "" {
		return a.nobodys
	}
	for _, v := range a.versions {
		if v.number == n {
			return v
		}
	}
	return nil
}

// serves is the route for the target's method among those of a prefix. A path that differs from the prefix as it is spelled is not
// served: the app could read it as another one.
func (v *routedVersion) serves(at []int, t *Target) (domain.Route, bool) {
	for _, fits := range []func(domain.Route) bool{
		func(r domain.Route) bool { return slices.Contains(r.Methods, t.method) },
		func(r domain.Route) bool { return t.method == "HEAD" && slices.Contains(r.Methods, "GET") },
		func(r domain.Route) bool { return len(r.Methods) == 0 },
	} {
		for _, i := range at {
			if r := v.routes[i]; fits(r) {
				return r, t.within(r.Path)
			}
		}
	}
	return domain.Route{}, false
}

// SlugOf is what a tenant is called in addresses; empty if it is closed, or unknown.
func (x *Index) SlugOf(t domain.TenantID) domain.Slug {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if here := x.tenants[t]; here != nil {
		return here.slug
	}
	return ""
}

// Gateway is all that a gateway needs to know.
type Gateway struct {
	Position int64 // of the last event that changed it
	Routes   []GatewayRoute
	Versions []GatewayVersion
}

// GatewayRoute is a route of a version.
type GatewayRoute struct {
	App    domain.App
	Number domain.Semver
	Yanked bool
	domain.Route
}

// GatewayVersion is a version that runs somewhere.
type GatewayVersion struct {
	App       domain.App
	Number    domain.Semver
	Upstreams []string // MUST NOT be changed
}

// Gateway tells what there is to route. The order is the same each time: exact hosts before every host, then long paths before short
// ones, then certain methods before all; of what is equal, by the alphabet and from the newest version to the oldest.
func (x *Index) Gateway() Gateway {
	x.mu.RLock()
	defer x.mu.RUnlock()
	g := Gateway{Position: x.routing.at}
	for _, a := range x.routing.apps {
		for _, v := range a.versions {
			for _, r := range v.routes {
				g.Routes = append(g.Routes, GatewayRoute{a.name, v.number, v.yanked, r})
			}
			if len(v.upstreams) > 0 {
				g.Versions = append(g.Versions, GatewayVersion{a.name, v.number, v.upstreams})
			}
		}
	}
	slices.SortFunc(g.Routes, func(a, b GatewayRoute) int {
		return cmp.Or(
			-cmp.Compare(min(len(a.Host), 1), min(len(b.Host), 1)), cmp.Compare(a.Host, b.Host),
			-cmp.Compare(segments(a.Path), segments(b.Path)), cmp.Compare(a.Path, b.Path),
			cmp.Compare(specific(a.Route), specific(b.Route)), slices.Compare(a.Methods, b.Methods),
			cmp.Compare(a.App, b.App), -a.Number.Compare(b.Number),
		)
	})
	slices.SortFunc(g.Versions, func(a, b GatewayVersion) int {
		return cmp.Or(cmp.Compare(a.App, b.App), -a.Number.Compare(b.Number))
	})
	return g
}

// segments is how many segments a prefix has.
func segments(path string) int { return strings.Count(strings.TrimSuffix(path, "/"), "/") }
