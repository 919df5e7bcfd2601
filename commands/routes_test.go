package commands_test

import (
	"strconv"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// appWith is an app of a vendor whose version 1.0.0 serves the routes.
func appWith(v domain.TenantID, app domain.App, routes ...domain.Route) []dcb.Event {
	return []dcb.Event{
		domain.AppRegistered{App: app.ID(), Vendor: domain.VendorIn(v), Name: app, Title: string(app)},
		servedBy(app, "1.0.0", routes...),
	}
}

func servedBy(app domain.App, n domain.Semver, routes ...domain.Route) domain.AppVersionPublished {
	return domain.AppVersionPublished{Version: app.VersionID(n), App: app.ID(), Name: app, Number: n, Hash: "00", Routes: routes}
}

func deployed(n domain.Semver, upstreams ...string) domain.AppVersionDeployed {
	return domain.AppVersionDeployed{Version: domain.App("billing").VersionID(n), App: domain.App("billing").ID(), Upstreams: upstreams}
}

// both is an event with its copy for the vendor, which comes first.
func both(e dcb.Event) []dcb.Event {
	return []dcb.Event{dcb.In(acme.UUID, e), dcb.In(domain.Root.UUID, e)}
}

func TestAVersionIsDeployedSomewhereAndNowhereAnyMore(t *testing.T) {
	h := given().elsewhere(domain.Root, appWith(acme, "billing")...)
	deploy := func(upstreams ...string) commands.DeployAppVersion {
		return commands.DeployAppVersion{App: "billing", Version: "1.0.0", Upstreams: upstreams}
	}
	there := deployed("1.0.0", "10.0.0.7:8080", "[::1]:80", "billing.internal:443")
	onRoot(h, deploy(there.Upstreams...)).Then(t, there) // no copy: where it runs is not the vendor's business
	onRoot(h.elsewhere(domain.Root, there), deploy(there.Upstreams...)).ThenNothing(t)
	nowhere := deployed("1.0.0")
	onRoot(h.elsewhere(domain.Root, there), deploy()).Then(t, nowhere)
	onRoot(h, deploy()).ThenNothing(t)
	onRoot(h.elsewhere(domain.Root, withdrawn("1.0.0")), deploy(there.Upstreams...)).Then(t, there) // those who run it go on
	tls := deployed("1.0.0", "https://a_b.example.org:8443")
	own := given().elsewhere(domain.Root, appWith(domain.Root, "billing")...)
	onRoot(own, deploy(tls.Upstreams...)).Then(t, tls)
}

func TestOnlyThePlatformDeploysWhatThereIs(t *testing.T) {
	h := given().elsewhere(domain.Root, appWith(acme, "billing")...)
	c := commands.DeployAppVersion{App: "billing", Version: "1.0.0", Upstreams: []string{"a:1"}}
	h.When(c.Decide(env())).ThenRefused(t, domain.ErrNotFound)
	onRoot(h, commands.DeployAppVersion{App: "other", Version: "1.0.0"}).ThenRefused(t, domain.ErrAppUnknown)
	onRoot(h, commands.DeployAppVersion{App: "billing", Version: "1.0.1"}).ThenRefused(t, domain.ErrVersionOfApp)
	onRoot(h, commands.DeployAppVersion{App: "billing", Version: "one"}).ThenInvalid(t, "/version")
	onRoot(given(appWith(acme, "billing")...), c).ThenRefused(t, domain.ErrAppUnknown) // a copy is no registration
}

func TestAnUpstreamIsAnAddressAndNothingElse(t *testing.T) {
	h := given().elsewhere(domain.Root, appWith(acme, "billing")...)
	at := func(upstreams ...string) outcome {
		return onRoot(h, commands.DeployAppVersion{App: "billing", Version: "1.0.0", Upstreams: upstreams})
	}
	for _, bad := range []string{
		"", "a", "a:", ":1", "a:0", "a:65536", "a:+1", "a:01", "a:http", "A:1", "a b:1", "-a:1", "a..b:1", "a.:1", "{env.HOME}:1", "unix//tmp/x:1",
		"http://a:1", "https://", "https://a", "https://a:1/", "https://https://a:1", "https://u@a:1", "::1:80", "[::1%eth0]:1", "[a]:1", "a:1\n", "a/8:1", "*:1",
	} {
		at(bad).ThenInvalid(t, "/upstreams/0")
		at("b:1", bad).ThenInvalid(t, "/upstreams/1")
	}
	at("a:1", "https://a:2").ThenInvalid(t, "/upstreams/1")
	at("a:1", "b:1", "a:1").ThenInvalid(t, "/upstreams/2")
	var many []string
	for i := range domain.MostUpstreams + 1 {
		many = append(many, "a:"+strconv.Itoa(i+1))
	}
	at(many...).ThenInvalid(t, "/upstreams")
	at(many[1:]...).Events(t)
}

func TestAPrefixIsGivenUpOnceNoVersionServesIt(t *testing.T) {
	billing, other := domain.Route{Path: "/Billing"}, domain.Route{Path: "/other"}
	h := vendor().elsewhere(domain.Root, appWith(acme, "billing", other, billing)...)
	c := commands.ReleaseAppRoute{App: "billing", Path: "/billing"}
	h.When(c.Decide(env())).ThenRefused(t, domain.ErrRouteUsed)
	gone := domain.AppRouteReleased{App: c.App.ID(), Path: "/Billing", Released: billing.Key()}
	free := h.elsewhere(domain.Root, withdrawn("1.0.0"))
	free.When(c.Decide(env())).Then(t, both(gone)...)
	free.elsewhere(domain.Root, gone).When(c.Decide(env())).ThenRefused(t, domain.ErrNoRoute)
	again := free.elsewhere(domain.Root, servedBy("billing", "1.1.0", domain.Route{Path: "/billing", Methods: []string{"GET"}}))
	again.When(c.Decide(env())).ThenRefused(t, domain.ErrRouteUsed)
	lower := gone
	lower.Path = "/billing"
	again.elsewhere(domain.Root, withdrawn("1.1.0")).When(c.Decide(env())).Then(t, append(both(gone), both(lower)...)...)
	free.When(commands.ReleaseAppRoute{App: "billing", Path: "/none"}.Decide(env())).ThenRefused(t, domain.ErrNoRoute)
	free.When(commands.ReleaseAppRoute{App: "billing", Host: "a.test", Path: "/billing"}.Decide(env())).ThenRefused(t, domain.ErrNoRoute)
}

func TestAPrefixIsGivenUpByTheVendorOfItsApp(t *testing.T) {
	billing := domain.Route{Path: "/billing"}
	c := commands.ReleaseAppRoute{App: "billing", Path: "/billing"}
	free := append(appWith(acme, "billing", billing), withdrawn("1.0.0"))
	given().elsewhere(domain.Root, free...).When(c.Decide(env())).ThenRefused(t, domain.ErrNotVendor)
	vendor().elsewhere(domain.Root, append(appWith(globex, "billing", billing), withdrawn("1.0.0"))...).When(c.Decide(env())).ThenRefused(t, domain.ErrAppUnknown)
	vendor(free...).When(c.Decide(env())).ThenRefused(t, domain.ErrAppUnknown)
	others := append(appWith(acme, "other"), free...)
	vendor().elsewhere(domain.Root, others...).When(commands.ReleaseAppRoute{App: "other", Path: "/billing"}.Decide(env())).ThenRefused(t, domain.ErrNoRoute)
	own := given().elsewhere(domain.Root, append(appWith(domain.Root, "billing", billing), withdrawn("1.0.0"))...)
	onRoot(own, c).Then(t, dcb.In(domain.Root.UUID, domain.AppRouteReleased{App: c.App.ID(), Path: "/billing", Released: billing.Key()}))
}
