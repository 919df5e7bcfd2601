package access_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

func published(app domain.App, n domain.Semver, routes ...domain.Route) domain.AppVersionPublished {
	return domain.AppVersionPublished{Version: app.VersionID(n), App: app.ID(), Name: app, Number: n, Routes: routes}
}

func runs(app domain.App, n domain.Semver, upstreams ...string) domain.AppVersionDeployed {
	return domain.AppVersionDeployed{Version: app.VersionID(n), App: app.ID(), Upstreams: upstreams}
}

func withdrawn(app domain.App, n domain.Semver) domain.AppVersionYanked {
	return domain.AppVersionYanked{Version: app.VersionID(n), App: app.ID()}
}

func givenUp(app domain.App, r domain.Route) domain.AppRouteReleased {
	return domain.AppRouteReleased{App: app.ID(), Host: r.Host, Path: r.Path, Released: r.Key()}
}

// routing is an index in which shop serves every place, and what needs a privilege under some of them.
func routing(t testing.TB) *story {
	s := begin(t)
	s.tell(domain.Root, published("shop", "1.0.0", domain.Route{Path: "/", Public: true}, domain.Route{Path: "/admin", Privilege: "shop.admin"}))
	return s
}

// leads is where a request comes out: app@version, the prefix, its privilege; none where it is nowhere.
func (s *story) leads(method, host, address string, n domain.Semver) string {
	s.t.Helper()
	target, ok := access.ReadTarget(method, host, address)
	if !ok {
		return "refused"
	}
	switch found, ok := s.Route(target, n); {
	case !ok:
		return "no app"
	case !found.Served:
		return fmt.Sprintf("%s@%s nothing", found.App, found.Number)
	default:
		return fmt.Sprintf("%s@%s %s%s %s", found.App, found.Number, found.Route.Host, found.Route.Path, found.Route.Privilege)
	}
}

func (s *story) lead(method, host, address string, n domain.Semver, want string) {
	s.t.Helper()
	if got := s.leads(method, host, address, n); got != want {
		s.t.Errorf("%s %s%s leads to %q, want %q", method, host, address, got, want)
	}
}

func TestTheMostSpecificRouteServes(t *testing.T) {
	s := begin(t)
	s.lead("GET", "a.test", "/", "", "no app")
	s.tell(domain.Root,
		published("shop", "1.0.0", domain.Route{Path: "/shop", Privilege: "shop.all"}, domain.Route{Path: "/shop", Methods: []string{"GET"}, Privilege: "shop.get"},
			domain.Route{Path: "/shop/deep/down", Methods: []string{"POST", "HEAD"}, Privilege: "shop.post"}),
		published("host", "1.0.0", domain.Route{Host: "a.test", Path: "/"}),
		published("desk", "1.0.0", domain.Route{Path: "/shop/desk"}, domain.Route{Host: "b.test", Path: "/shop/Desk"}))
	for _, c := range []struct{ method, host, path, want string }{
		{"GET", "", "/shop", "shop@1.0.0 /shop shop.get"},
		{"HEAD", "", "/shop", "shop@1.0.0 /shop shop.get"},
		{"POST", "", "/shop", "shop@1.0.0 /shop shop.all"},
		{"GET", "", "/shop/", "shop@1.0.0 /shop shop.get"},
		{"GET", "", "/shop/x?y", "shop@1.0.0 /shop shop.get"},
		{"GET", "", "/shops", "no app"},
		{"GET", "", "/", "no app"},
		{"POST", "", "/shop/deep/down/x", "shop@1.0.0 /shop/deep/down shop.post"},
		{"HEAD", "", "/shop/deep/down/x", "shop@1.0.0 /shop/deep/down shop.post"},
		{"GET", "", "/shop/deep/down/x", "shop@1.0.0 nothing"},
		{"GET", "", "/shop/deep/downx", "shop@1.0.0 /shop shop.get"},
		{"GET", "", "/shop/desk", "desk@1.0.0 /shop/desk "},
		{"GET", "", "/shop/desk2", "shop@1.0.0 /shop shop.get"},
		{"GET", "a.test", "/other/desk", "host@1.0.0 a.test/ "},
		{"GET", "A.Test.:8080", "/other/desk", "host@1.0.0 a.test/ "},
		{"GET", "a.test", "/shop/desk", "desk@1.0.0 /shop/desk "}, // the exact host has a shorter prefix
		{"GET", "x.a.test", "/shop/desk", "desk@1.0.0 /shop/desk "},
		{"GET", "b.test", "/shop/Desk/x", "desk@1.0.0 b.test/shop/Desk "},
		{"GET", "b.test", "/shop", "shop@1.0.0 /shop shop.get"},
		// What differs from a prefix by case alone is refused, and no shorter one serves it.
		{"GET", "b.test", "/shop/desk", "desk@1.0.0 nothing"},
		{"GET", "", "/Shop", "shop@1.0.0 nothing"},
		{"GET", "", "/shop/DESK", "desk@1.0.0 nothing"},
		{"GET", "", "/shop/DES%E2%84%AA", "desk@1.0.0 nothing"},
		{"GET", "", "/%C5%BFhop", "shop@1.0.0 nothing"},
		{"GET", "", "/%73hop", "shop@1.0.0 /shop shop.get"},
	} {
		s.lead(c.method, c.host, c.path, "1.0.0", c.want)
	}
}

func TestAHostTakesNoLongerPrefixOfEveryHost(t *testing.T) {
	s := begin(t)
	s.tell(domain.Root,
		published("host", "1.0.0", domain.Route{Host: "a.test", Path: "/"}, domain.Route{Host: "a.test", Path: "/shop/x"}, domain.Route{Path: "/own/far"}),
		published("host", "2.0.0", domain.Route{Host: "a.test", Path: "/"}),
		published("shop", "1.0.0", domain.Route{Path: "/shop"}, domain.Route{Path: "/shop/x/y"}, domain.Route{Path: "/"}),
		published("shop", "2.0.0", domain.Route{Path: "/shop"}))
	for _, c := range []struct {
		path string
		n    domain.Semver
		want string
	}{
		{"/", "1.0.0", "host@1.0.0 a.test/ "},
		{"/x", "1.0.0", "host@1.0.0 a.test/ "},
		{"/own/far", "1.0.0", "host@1.0.0 a.test/ "}, // its own is no other app's
		{"/shop", "1.0.0", "shop@1.0.0 /shop "},
		{"/shop/z", "1.0.0", "shop@1.0.0 /shop "},
		{"/shop/x", "1.0.0", "host@1.0.0 a.test/shop/x "},
		{"/shop/x/z", "1.0.0", "host@1.0.0 a.test/shop/x "},
		{"/shop/x/y", "1.0.0", "shop@1.0.0 /shop/x/y "},
		// Of a version that lacks the longer prefix a shorter one serves, unless another app's lies between, on whatever host.
		{"/shop/x/z", "2.0.0", "host@2.0.0 nothing"},
		{"/shop/x/y", "2.0.0", "shop@2.0.0 nothing"},
	} {
		s.lead("GET", "a.test", c.path, c.n, c.want)
	}
	s.lead("GET", "b.test", "/shop/x/y", "2.0.0", "shop@2.0.0 /shop ")
}

func TestAVersionServesItsOwnRoutes(t *testing.T) {
	s := begin(t)
	root, deep := domain.Route{Path: "/a"}, domain.Route{Path: "/a/b/c"}
	s.tell(domain.Root, published("shop", "1.0.0", root), published("shop", "2.0.0", root, deep), published("desk", "1.0.0"))
	s.lead("GET", "", "/a/b/c", "2.0.0", "shop@2.0.0 /a/b/c ")
	s.lead("GET", "", "/a/b/c", "1.0.0", "shop@1.0.0 /a ")
	s.lead("GET", "", "/a/b/c", "3.0.0", "shop@ nothing")
	s.tell(domain.Root, published("desk", "2.0.0", domain.Route{Path: "/a/b"}))
	s.lead("GET", "", "/a/b/c", "2.0.0", "shop@2.0.0 /a/b/c ")
	s.lead("GET", "", "/a/b/c", "1.0.0", "shop@1.0.0 nothing") // another app's prefix lies between
	s.lead("GET", "", "/a/b/d", "2.0.0", "desk@2.0.0 /a/b ")
	s.lead("GET", "", "/a/b/d", "1.0.0", "desk@1.0.0 nothing")
}

func TestNobodyGetsTheNewestStableVersionThatRuns(t *testing.T) {
	s := begin(t)
	all := domain.Route{Path: "/", Public: true}
	for _, step := range []struct {
		event dcb.Event
		want  string
	}{
		{published("shop", "1.0.0", all), "shop@1.0.0 / "},
		{published("shop", "1.10.0", all), "shop@1.10.0 / "},
		{published("shop", "1.9.0", all), "shop@1.10.0 / "},
		{published("shop", "2.0.0-rc.1", all), "shop@1.10.0 / "},
		{runs("shop", "1.0.0", "a:1"), "shop@1.0.0 / "},
		{runs("shop", "2.0.0-rc.1", "a:1"), "shop@1.0.0 / "},
		{runs("shop", "1.9.0", "a:1"), "shop@1.9.0 / "},
		{runs("shop", "1.9.0"), "shop@1.0.0 / "},
		{withdrawn("shop", "1.0.0"), "shop@1.10.0 / "},
		{withdrawn("shop", "1.10.0"), "shop@1.9.0 / "},
		{withdrawn("shop", "1.9.0"), "shop@ nothing"},
	} {
		s.tell(domain.Root, step.event)
		s.lead("GET", "", "/x", "", step.want)
	}
	s.lead("GET", "", "/x", "1.0.0", "shop@1.0.0 / ") // who runs it goes on
	s.lead("GET", "", "/x", "2.0.0-rc.1", "shop@2.0.0-rc.1 / ")
}

func TestAPrefixThatWasGivenUpIsAnybodys(t *testing.T) {
	s := begin(t)
	r := domain.Route{Path: "/Shop"}
	s.tell(domain.Root, published("shop", "1.0.0", r, domain.Route{Path: "/"}), published("desk", "1.0.0", domain.Route{Path: "/shop"}))
	s.lead("GET", "", "/Shop", "1.0.0", "shop@1.0.0 /Shop ")
	s.tell(acme, givenUp("shop", r)) // a copy
	s.tell(domain.Root, givenUp("desk", r))
	s.lead("GET", "", "/Shop", "1.0.0", "shop@1.0.0 /Shop ")
	s.tell(domain.Root, withdrawn("shop", "1.0.0"), givenUp("shop", r))
	s.lead("GET", "", "/Shop", "1.0.0", "shop@1.0.0 / ")
	s.tell(domain.Root, published("desk", "2.0.0", domain.Route{Path: "/shop"}))
	s.lead("GET", "", "/shop", "2.0.0", "desk@2.0.0 /shop ")
	s.tell(domain.Root, givenUp("shop", r))
	s.lead("GET", "", "/shop", "2.0.0", "desk@2.0.0 /shop ")
	s.tell(domain.Root, withdrawn("desk", "2.0.0"), givenUp("desk", r), published("shop", "2.0.0", r))
	s.lead("GET", "", "/Shop", "2.0.0", "shop@2.0.0 /Shop ")
	s.lead("GET", "", "/Shop", "1.0.0", "shop@1.0.0 / ") // what was given up does not come back
}

func TestTheGatewayHasAllInOneOrder(t *testing.T) {
	s := begin(t)
	if g := s.Gateway(); g.Position != 0 || len(g.Routes)+len(g.Versions) != 0 {
		t.Errorf("an empty log has %+v", g)
	}
	s.tell(acme, published("shop", "9.0.0", domain.Route{Path: "/9"}), runs("shop", "9.0.0", "z:1"))
	s.tell(domain.Root,
		published("shop", "1.0.0", domain.Route{Path: "/"}, domain.Route{Path: "/a/b"}, domain.Route{Path: "/a", Methods: []string{"GET"}}, domain.Route{Path: "/a"}),
		published("shop", "1.2.0", domain.Route{Path: "/"}),
		published("shop", "1.10.0", domain.Route{Path: "/"}),
		published("desk", "1.0.0", domain.Route{Host: "b.test", Path: "/"}, domain.Route{Host: "a.test", Path: "/"}, domain.Route{Host: "a.test", Path: "/x"}),
		runs("shop", "1.0.0", "a:1"), runs("shop", "1.10.0", "b:1", "c:1"), runs("desk", "1.0.0", "d:1"), runs("desk", "1.0.0"),
		withdrawn("shop", "1.2.0"))
	g := s.Gateway()
	var got []string
	for _, r := range g.Routes {
		got = append(got, fmt.Sprintf("%s%s %v %s@%s %v", r.Host, r.Path, r.Methods, r.App, r.Number, r.Yanked))
	}
	want := []string{
		"a.test/x [] desk@1.0.0 false", "a.test/ [] desk@1.0.0 false", "b.test/ [] desk@1.0.0 false",
		"/a/b [] shop@1.0.0 false", "/a [GET] shop@1.0.0 false", "/a [] shop@1.0.0 false",
		"/ [] shop@1.10.0 false", "/ [] shop@1.2.0 true", "/ [] shop@1.0.0 false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	versions := []access.GatewayVersion{{App: "shop", Number: "1.10.0", Upstreams: []string{"b:1", "c:1"}}, {App: "shop", Number: "1.0.0", Upstreams: []string{"a:1"}}}
	if diff := cmp.Diff(versions, g.Versions); diff != "" || g.Position != s.n {
		t.Errorf("at %d of %d (-want +got):\n%s", g.Position, s.n, diff)
	}
	s.tell(acme, domain.UserUpdated{User: ann})
	if again := s.Gateway(); again.Position != g.Position {
		t.Errorf("what has nothing to do with it moved it from %d to %d", g.Position, again.Position)
	}
}
