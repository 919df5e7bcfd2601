package commands_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func publish(manifest string) commands.PublishAppVersion {
	return commands.PublishAppVersion{Manifest: jsontext.Value(manifest)}
}

// withBilling is a history in which acme is a vendor and has the app billing.
func withBilling() history { return aVendor().elsewhere(domain.Root, appMade(acme, "billing")) }

// manifestOf is a manifest with the privileges.
func manifestOf(n domain.Semver, privileges ...string) string {
	var brought []string
	for _, p := range privileges {
		brought = append(brought, `{"name":"`+p+`","description":"x"}`)
	}
	return fmt.Sprintf(`{"app":"billing","version":%q,"privileges":[%s]}`, n, strings.Join(brought, ","))
}

// releasedFirst is an app's version 1.0.0.
func releasedFirst(app domain.App, routes ...domain.Route) domain.AppVersionPublished {
	const n domain.Semver = "1.0.0"
	return domain.AppVersionPublished{Version: app.VersionID(n), App: app.ID(), Name: app, Number: n, Hash: "00", Routes: routes}
}

// manifested is the manifest that belongs to it.
func manifested(app domain.App) domain.ManifestPublished {
	return domain.ManifestPublished{Version: app.VersionID("1.0.0"), Manifest: fmt.Sprintf(`{"app":%q,"version":"1.0.0"}`, app)}
}

// publishedOut is what a publication by acme comes to.
func publishedOut(t *testing.T, o outcome) (domain.AppVersionPublished, domain.ManifestPublished) {
	t.Helper()
	all := o.Events(t)
	e, m := all[0].(dcb.Placed).Event.(domain.AppVersionPublished), all[len(all)-1].(dcb.Placed).Event.(domain.ManifestPublished)
	o.Then(t, append(onBoth(e), dcb.In(domain.Root.UUID, m))...)
	return e, m
}

// withdrawn is that of a version of billing.
func withdrawn(n domain.Semver) domain.AppVersionYanked {
	return domain.AppVersionYanked{Version: domain.App("billing").VersionID(n), App: domain.App("billing").ID()}
}

// placesOf are the pointers that a refusal names.
func placesOf(o outcome) []string {
	var all *domain.InputErrors
	var one *domain.InputError
	switch {
	case errors.As(o.Err(), &all):
		var at []string
		for _, p := range all.Places {
			at = append(at, p.Pointer)
		}
		return at
	case errors.As(o.Err(), &one):
		return []string{one.Pointer}
	}
	return nil
}

func TestAPublishedVersionHoldsItsManifestInCanonicalForm(t *testing.T) {
	e, m := publishedOut(t, withBilling().When(publish(` { "version": "1.0.0",
		"routes":[{"path":"/billing","methods":["GET"]}], "app":"billing", "title":"\u00e9" } `).Decide(env())))
	canonical := `{"app":"billing","routes":[{"methods":["GET"],"path":"/billing"}],"title":"é","version":"1.0.0"}`
	sum := sha256.Sum256([]byte(canonical))
	app := domain.App("billing")
	want := domain.AppVersionPublished{
		Version: app.VersionID("1.0.0"), App: app.ID(), Name: app, Number: "1.0.0", Hash: hex.EncodeToString(sum[:]),
		Routes: []domain.Route{{Path: "/billing", Methods: []string{"GET"}}},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(domain.ManifestPublished{Version: e.Version, Manifest: canonical}, m); diff != "" {
		t.Error(diff)
	}
}

func TestAPublishedVersionNeverChanges(t *testing.T) {
	h := withBilling()
	one, its := publishedOut(t, h.When(publish(manifestOf("1.0.0")).Decide(env())))
	h = h.elsewhere(domain.Root, one, its)
	h.When(publish(manifestOf("1.0.0")).Decide(env())).ThenNothing(t)
	h.When(publish(" " + strings.ReplaceAll(manifestOf("1.0.0"), ",", " , ")).Decide(env())).ThenNothing(t) // the same manifest, written otherwise
	other := h.When(publish(manifestOf("1.0.0", "billing.read")).Decide(env()))
	other.ThenRefused(t, domain.ErrVersionTaken)
	if at := placesOf(other); at[0] != "/manifest/version" {
		t.Errorf("refused at %v", at)
	}
	h.When(publish(manifestOf("1.0.0-rc.1")).Decide(env())).Events(t)

	h = h.elsewhere(domain.Root, withdrawn("1.0.0"))
	h.When(publish(manifestOf("1.0.0")).Decide(env())).ThenRefused(t, domain.ErrVersionYanked)
}

func TestABadManifestPublishesNothing(t *testing.T) {
	bad := withBilling().When(publish(`{"app":"billing","version":"1","privileges":[{"name":"x.read"}]}`).Decide(env()))
	bad.ThenRefused(t, domain.ErrManifest)
	want := []string{"/manifest/privileges/0/description", "/manifest/version"}
	if diff := cmp.Diff(want, placesOf(bad)); diff != "" {
		t.Error(diff)
	}
	large := `{"app":"billing","version":"1.0.0","config":{"type":"object","x":"` + strings.Repeat("x", domain.MaxManifest) + `"}}`
	withBilling().When(publish(large).Decide(env())).ThenRefused(t, domain.ErrManifestTooBig)
	given().When(publish(`{}`).Decide(env())).ThenRefused(t, domain.ErrNotVendor)
	withBilling().When(commands.PublishAppVersion{}.Decide(env())).ThenRefused(t, domain.ErrManifest)
}

func TestAVersionGrowsByPrivilegesThatTheOneBeforeLacks(t *testing.T) {
	h := withBilling()
	grows := func(n domain.Semver, privileges ...string) bool {
		t.Helper()
		e, m := publishedOut(t, h.When(publish(manifestOf(n, privileges...)).Decide(env())))
		h = h.elsewhere(domain.Root, e, m)
		return e.Grows
	}
	for _, step := range []struct {
		n          domain.Semver
		privileges []string
		grows      bool
	}{
		{"1.0.0", []string{"billing.read"}, false},
		{"1.2.0", []string{"billing.read", "billing.write"}, true},
		{"1.1.0", []string{"billing.read", "billing.write"}, true}, // the one before it is 1.0.0
		{"1.2.1", []string{"billing.write"}, false},
		{"1.2.2-rc.1", []string{"billing.read", "billing.write"}, true},
		{"2.0.0", []string{"billing.read", "billing.write", "billing.delete"}, false},
		{"2.0.1", []string{"billing.read"}, false},
		{"0.9.0", []string{"billing.everything.else"}, false},
	} {
		if got := grows(step.n, step.privileges...); got != step.grows {
			t.Errorf("%s grows: %v", step.n, got)
		}
	}
	h = h.elsewhere(domain.Root, withdrawn("1.2.1"), withdrawn("1.2.2-rc.1"))
	if grows("1.2.3", "billing.read", "billing.write") {
		t.Error("1.2.3 is measured by a version that was withdrawn")
	}
}

func TestAnAppBringsNoPrivilegeOfThePlatform(t *testing.T) {
	h := withBilling().elsewhere(domain.Root, known("billing.write"))
	got := h.When(publish(manifestOf("1.0.0", "billing.read", "billing.write")).Decide(env()))
	got.ThenRefused(t, domain.ErrPrivilegeTwice)
	if diff := cmp.Diff([]string{"/manifest/privileges/1/name"}, placesOf(got)); diff != "" {
		t.Error(diff)
	}
	h.When(publish(manifestOf("1.0.0", "billing.read")).Decide(env())).Events(t)
	withBilling().and(known("billing.write")).When(publish(manifestOf("1.0.0", "billing.write")).Decide(env())).Events(t)
}

func TestThePlatformRegistersNoPrivilegeOfAnApp(t *testing.T) {
	h := given().elsewhere(domain.Root, appMade(acme, "billing"))
	onRoot(h, commands.RegisterPrivilege{Name: "billing.write"}).ThenRefused(t, domain.ErrPrivilegeOfApp)
	onRoot(h, commands.RegisterPrivilege{Name: "billing-2.write"}).Events(t)
	onRoot(h.elsewhere(domain.Root, known("billing.read")), commands.RegisterPrivilege{Name: "billing.read"}).ThenNothing(t)
}

func TestAPrefixIsOfOneAppAndSoIsWhatLiesBelowIt(t *testing.T) {
	theirs := func(routes ...domain.Route) history {
		return withBilling().and(domainAdded(acme, "x.example"), domainVerified(acme, "x.example"), domainAdded(acme, "y.example"), domainVerified(acme, "y.example")).
			elsewhere(domain.Root, appMade(globex, "ledger"), releasedFirst("ledger", routes...))
	}
	for _, c := range []struct {
		theirs domain.Route
		ours   string
		taken  bool
	}{
		{domain.Route{Path: "/a"}, `{"path":"/a"}`, true},
		{domain.Route{Path: "/a"}, `{"path":"/a/b/c"}`, true},
		{domain.Route{Path: "/a"}, `{"path":"/A"}`, true},
		{domain.Route{Path: "/a"}, `{"path":"/a","host":"x.example"}`, true},
		{domain.Route{Path: "/a"}, `{"path":"/a/b","host":"x.example"}`, true},
		{domain.Route{Path: "/a"}, `{"path":"/ab"}`, false},
		{domain.Route{Path: "/a/b"}, `{"path":"/a"}`, false}, // the longer one still wins
		{domain.Route{Path: "/a", Host: "x.example"}, `{"path":"/a"}`, false},
		{domain.Route{Path: "/a", Host: "x.example"}, `{"path":"/a","host":"y.example"}`, false},
		{domain.Route{Path: "/", Host: "x.example"}, `{"path":"/a","host":"x.example"}`, true},
		{domain.Route{Path: "/", Host: "x.example"}, `{"path":"/","host":"x.example"}`, true},
		{domain.Route{Path: "/"}, `{"path":"/a"}`, false}, // what is left over is not the whole platform
		{domain.Route{Path: "/"}, `{"path":"/","host":"x.example"}`, false},
		{domain.Route{Path: "/"}, `{"path":"/"}`, true},
	} {
		got := theirs(c.theirs).When(publish(`{"app":"billing","version":"1.0.0","routes":[{"path":"/own"},` + c.ours + `]}`).Decide(env()))
		if !c.taken {
			got.Events(t)
			continue
		}
		got.ThenRefused(t, domain.ErrRouteTaken)
		if diff := cmp.Diff([]string{"/manifest/routes/1/path"}, placesOf(got)); diff != "" {
			t.Error(diff)
		}
		if strings.Contains(got.Err().Error(), "ledger") {
			t.Errorf("%v names whose it is", got.Err())
		}
		freed := theirs(c.theirs).elsewhere(domain.Root, domain.AppRouteReleased{
			App: domain.App("ledger").ID(), Host: c.theirs.Host, Path: c.theirs.Path, Released: c.theirs.Key(),
		})
		freed.When(publish(`{"app":"billing","version":"1.0.0","routes":[` + c.ours + `]}`).Decide(env())).Events(t)
	}
	own := withBilling().elsewhere(domain.Root, releasedFirst("billing", domain.Route{Path: "/a"}), manifested("billing"))
	own.When(publish(`{"app":"billing","version":"1.0.1","routes":[{"path":"/a"},{"path":"/a/b"}]}`).Decide(env())).Events(t)
}

func TestWhoComesToAPrefixAboveBlocksNobodyBelow(t *testing.T) {
	h := withBilling().and(domainAdded(acme, "x.example"), domainVerified(acme, "x.example")).elsewhere(domain.Root, appMade(globex, "ledger"),
		releasedFirst("billing", domain.Route{Path: "/crm/contacts"}), manifested("billing"), manifested("ledger"), releasedFirst("ledger", domain.Route{Path: "/crm"}, domain.Route{Path: "/crm/contacts/theirs"}))
	for _, c := range []struct {
		routes string
		taken  []string
	}{
		{`{"path":"/crm/contacts"}`, nil},
		{`{"path":"/crm/Contacts","methods":["GET"]},{"path":"/crm/contacts/a/b"},{"host":"x.example","path":"/crm/contacts/a"}`, nil},
		{`{"path":"/crm/contacts"},{"path":"/crm/leads"}`, []string{"/manifest/routes/1/path"}}, // both lie in /crm
		{`{"path":"/crm/leads"},{"path":"/crm/contacts"},{"path":"/crm/deals"}`, []string{"/manifest/routes/0/path", "/manifest/routes/2/path"}},
		{`{"path":"/crm"}`, []string{"/manifest/routes/0/path"}},
		{`{"path":"/crm/contacts/theirs/x"}`, []string{"/manifest/routes/0/path"}},
		{`{"host":"x.example","path":"/crm/leads"}`, []string{"/manifest/routes/0/path"}},
	} {
		got := h.When(publish(`{"app":"billing","version":"1.0.1","routes":[` + c.routes + `]}`).Decide(env()))
		if c.taken == nil {
			got.Events(t)
			continue
		}
		got.ThenRefused(t, domain.ErrRouteTaken)
		if diff := cmp.Diff(c.taken, placesOf(got)); diff != "" {
			t.Errorf("%s: %s", c.routes, diff)
		}
	}
}

func TestAHostIsOfTheVendorThatHasItsDomain(t *testing.T) {
	const routes = `{"app":"billing","version":"1.0.1","routes":[{"path":"/a"},{"host":"apps.acme.test","path":"/"}]}`
	h := withBilling()
	for _, c := range []struct {
		h   history
		has bool
	}{
		{h, false},
		{h.and(domainAdded(acme, "acme.test")), false},
		{h.and(domainAdded(acme, "acme.test"), domainVerified(acme, "acme.test")), true},
		{h.and(domainAdded(acme, "apps.acme.test"), domainVerified(acme, "apps.acme.test")), true},
		{h.and(domainAdded(acme, "x.apps.acme.test"), domainVerified(acme, "x.apps.acme.test")), false},
		{h.and(domainAdded(acme, "s.acme.test"), domainVerified(acme, "s.acme.test")), false}, // a suffix of the text alone
		{h.and(domainAdded(acme, "me.test"), domainVerified(acme, "me.test")), false},
		{h.elsewhere(globex, domainAdded(globex, "acme.test"), domainVerified(globex, "acme.test")), false},
		{h.and(domainAdded(acme, "acme.test"), domainVerified(acme, "acme.test"),
			domain.DomainRemoved{Domain: mine("acme.test"), Tenant: acme, Name: "acme.test"}), false},
		// A host that was served before its domain had to be one's own is no better.
		{h.elsewhere(domain.Root, releasedFirst("billing", domain.Route{Host: "apps.acme.test", Path: "/"}), manifested("billing")), false},
	} {
		got := c.h.When(publish(routes).Decide(env()))
		if c.has {
			got.Events(t)
			continue
		}
		got.ThenRefused(t, domain.ErrRouteHost)
		if diff := cmp.Diff([]string{"/manifest/routes/1/host"}, placesOf(got)); diff != "" {
			t.Error(diff)
		}
	}
	onRoot(given().elsewhere(domain.Root, appMade(domain.Root, "billing")), publish(routes)).Events(t)
}

func TestAVersionIsDeprecatedAndNoMore(t *testing.T) {
	h := withBilling().elsewhere(domain.Root, releasedFirst("billing"))
	deprecate := func(message string) outcome {
		return h.When(commands.DeprecateAppVersion{App: "billing", Version: "1.0.0", Message: message}.Decide(env()))
	}
	undeprecate := func() outcome {
		return h.When(commands.UndeprecateAppVersion{App: "billing", Version: "1.0.0"}.Decide(env()))
	}
	undeprecate().ThenNothing(t)
	deprecate(" x").ThenInvalid(t, "/message")
	e := domain.AppVersionDeprecated{Version: domain.App("billing").VersionID("1.0.0"), App: domain.App("billing").ID(), Message: "take 2"}
	deprecate("take 2").Then(t, onBoth(e)...)
	h = h.elsewhere(domain.Root, e)
	deprecate("take 2").ThenNothing(t)
	e.Message = "take 3"
	deprecate("take 3").Then(t, onBoth(e)...)
	undeprecate().Then(t, onBoth(domain.AppVersionUndeprecated{Version: e.Version, App: e.App})...)
	h = h.elsewhere(domain.Root, domain.AppVersionUndeprecated{Version: e.Version, App: e.App})
	undeprecate().ThenNothing(t)
	deprecate("").Events(t)

	h = h.elsewhere(domain.Root, withdrawn("1.0.0"))
	deprecate("take 2").ThenRefused(t, domain.ErrVersionYanked)
	undeprecate().ThenRefused(t, domain.ErrVersionYanked)
}

func TestAVersionIsWithdrawnForGood(t *testing.T) {
	h := withBilling().elsewhere(domain.Root, releasedFirst("billing"))
	c := commands.YankAppVersion{App: "billing", Version: "1.0.0", Reason: "loses invoices"}
	e := withdrawn("1.0.0")
	e.Reason = "loses invoices"
	h.When(c.Decide(env())).Then(t, onBoth(e)...)
	h.elsewhere(domain.Root, e).When(c.Decide(env())).ThenNothing(t)
	c.Reason = "\x00"
	h.When(c.Decide(env())).ThenInvalid(t, "/reason")
}

func TestThereIsNoSuchVersion(t *testing.T) {
	h := withBilling().elsewhere(domain.Root, releasedFirst("billing"))
	for _, n := range []domain.Semver{"1.0.1", "1.0.0-rc.1", "", "x", "01.0.0"} {
		for _, c := range []commands.Command{
			commands.DeprecateAppVersion{App: "billing", Version: n}, commands.UndeprecateAppVersion{App: "billing", Version: n},
			commands.YankAppVersion{App: "billing", Version: n},
		} {
			h.When(c.Decide(env())).ThenRefused(t, domain.ErrVersionOfApp)
		}
	}
}

// TestTwoVendorsRaceForAPrefix: between the reading of one and its append the other takes the prefix.
func TestTwoVendorsRaceForAPrefix(t *testing.T) {
	w := newWorld(t)
	for _, v := range []struct {
		tenant domain.TenantID
		app    domain.App
	}{{acme, "billing"}, {globex, "ledger"}} {
		w.must(t, w.order(domain.Root, &commands.AdmitVendor{Tenant: v.tenant}))
		w.must(t, w.order(v.tenant, &commands.RegisterApp{Name: v.app, Title: "x"}))
	}
	version := func(app string) *commands.PublishAppVersion {
		c := publish(`{"app":"` + app + `","version":"1.0.0","routes":[{"path":"/a"}]}`)
		return &c
	}
	w.log.beforeNextAppend(func() { w.must(t, w.order(globex, version("ledger"))) })
	w.refused(t, w.order(acme, version("billing")), domain.ErrRouteTaken)
}

// TestIfMatchHoldsForTheVersionThatTheTablesShow: the tables show the platform's event, the vendor's tenant has the copy.
func TestIfMatchHoldsForTheVersionThatTheTablesShow(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(domain.Root, &commands.AdmitVendor{Tenant: acme}))
	made := w.must(t, w.order(acme, &commands.RegisterApp{Name: "billing", Title: "x"}))
	row := made.Events[len(made.Events)-1].Position
	if got := w.stored(t, row-1)[0]; got.Tenant != domain.Root.UUID {
		t.Fatalf("the last event is %+v, want the platform's", got.Meta)
	}
	changed := w.must(t, w.order(acme, &commands.DescribeApp{App: "billing", Title: "y"}, ifMatch(row)))
	w.refused(t, w.order(acme, &commands.DescribeApp{App: "billing", Title: "z"}, ifMatch(row)), domain.ErrStale)
	if changed.ID != domain.App("billing").ID().UUID {
		t.Errorf("the answer names %s", changed.ID)
	}
	one := publish(manifestOf("1.0.0"))
	published := w.must(t, w.order(acme, &one))
	if published.ID != domain.App("billing").VersionID("1.0.0").UUID {
		t.Errorf("the answer names %s, want the version", published.ID)
	}
	w.must(t, w.order(acme, &commands.YankAppVersion{App: "billing", Version: "1.0.0"}, ifMatch(published.Events[1].Position)))
}

func TestARegistrationOfManyRoutesIsOneAppend(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(domain.Root, &commands.AdmitVendor{Tenant: acme}))
	w.must(t, w.order(acme, &commands.RegisterApp{Name: "billing", Title: "x"}))
	w.record(t, acme, domainAdded(acme, "acme.test"), domainVerified(acme, "acme.test"))
	var routes []domain.Route
	for i := range domain.MostRoutes {
		routes = append(routes, domain.Route{Host: fmt.Sprintf("h%d.acme.test", i), Path: "/1/2/3/4/5/6/7/8"})
	}
	list, err := json.Marshal(routes)
	if err != nil {
		t.Fatal(err)
	}
	c := publish(`{"app":"billing","version":"1.0.0","routes":` + string(list) + `}`)
	if got := w.must(t, w.order(acme, &c)); len(got.Events) != 3 {
		t.Errorf("%d events, want one, its copy and the manifest", len(got.Events))
	}
}
