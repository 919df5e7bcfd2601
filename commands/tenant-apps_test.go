package commands_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// publishedApps is what happened on the platform: each manifest is of a version that was published, after its app was registered.
func publishedApps(t testing.TB, manifests ...string) (events []dcb.Event) {
	t.Helper()
	known := map[domain.App]bool{}
	for _, text := range manifests {
		e := appPublished(t, text)
		if !known[e.Name] {
			known[e.Name] = true
			events = append(events, domain.AppRegistered{App: e.App, Vendor: domain.VendorIn(domain.Root), Name: e.Name, Title: string(e.Name)})
		}
		_, canonical, _, err := domain.ParseManifest([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e, domain.ManifestPublished{Version: e.Version, Manifest: canonical})
	}
	return events
}

// appPublished is the publication of a manifest.
func appPublished(t testing.TB, text string) domain.AppVersionPublished {
	t.Helper()
	m, _, hash, err := domain.ParseManifest([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return domain.AppVersionPublished{
		Version: m.App.VersionID(m.Version), App: m.App.ID(), Name: m.App, Number: m.Version, Hash: hash, Routes: m.Routes,
	}
}

// atWork adds the events by which versions come to work in acme, one after another.
func atWork(t testing.TB, h history, versions ...string) history {
	t.Helper()
	for _, v := range versions {
		name, number, _ := strings.Cut(v, "@")
		is := h.When(commands.EnableApp{App: domain.App(name), Version: domain.Semver(number)}.Decide(env()))
		if is.Err() != nil {
			t.Fatalf("enable %s: %v", v, is.Err())
		}
		h = h.and(is.Events(t)...)
	}
	return h
}

const (
	ledger1 = `{"app":"ledger","version":"1.2.0","privileges":[{"name":"ledger.read","description":"read"}]}`
	ledger2 = `{"app":"ledger","version":"2.0.0","privileges":[{"name":"ledger.read","description":"read"}]}`

	billing10 = `{"app":"billing","version":"1.0.0",
		"privileges":[{"name":"billing.read","description":"look"},{"name":"billing.void","description":"undo"}],
		"roles":[{"key":"clerk","title":"Clerk","privileges":["billing.read"]},{"key":"chief","title":"Chief","privileges":["billing.*"]}],
		"routes":[{"path":"/billing"}]}`
	billing11 = `{"app":"billing","version":"1.1.0",
		"privileges":[{"name":"billing.read","description":"look"},{"name":"billing.send","description":"send"}],
		"roles":[{"key":"clerk","title":"Clerk of bills","privileges":["billing.read","billing.send"]}],
		"compatibility":{"apps":[{"app":"ledger","range":"^1.0"}]},
		"routes":[{"path":"/bills","privilege":"billing.read"}]}`
	billing20 = `{"app":"billing","version":"2.0.0","privileges":[{"name":"billing.all","description":"all"}]}`

	// strict needs all that there is to need.
	strict = `{"app":"strict","version":"1.0.0","license_required":true,
		"compatibility":{"core":"^9.0","apps":[{"app":"ledger","range":"^2.0"},{"app":"billing","range":"*"}]},
		"secrets":[{"name":"key"}],
		"config":{"type":"object","required":["currency"],"additionalProperties":false,"properties":{
			"currency":{"type":"string","enum":["EUR","CHF"]},"token":{"type":"string","x-secret":true}}}}`
	// modest needs a licence, and a configuration that may be empty.
	modest = `{"app":"modest","version":"1.0.0","license_required":true,"privileges":[{"name":"modest.use","description":"use"}],
		"config":{"type":"object","additionalProperties":false,"properties":{
			"currency":{"type":"string"},"token":{"type":"string","x-secret":true}}}}`
	// atop needs modest.
	atop = `{"app":"atop","version":"1.0.0","compatibility":{"apps":[{"app":"modest","range":"^1.0"}]},
		"privileges":[{"name":"atop.use","description":"use"}]}`
	// higher needs atop.
	higher = `{"app":"higher","version":"1.0.0","compatibility":{"apps":[{"app":"atop","range":"^1.0"}]}}`
)

func acmeApp(app domain.App) domain.TenantAppID { return app.In(acme) }

func needOf(app domain.App, r domain.SemverRange) domain.Need {
	return domain.Need{TenantApp: acmeApp(app).UUID, App: app, Range: r}
}

func appRole(app domain.App, key, name string) domain.RoleCreated {
	return domain.RoleCreated{Role: app.RoleID(acme, key), Name: name, Key: domain.RoleKey(acme, name), Builtin: true}
}

// billingHolds is of a role that billing brought.
func billingHolds(key string, p domain.Pattern) domain.RolePrivilegeAdded {
	return domain.RolePrivilegeAdded{Role: domain.App("billing").RoleID(acme, key), Privilege: p}
}

// acmeLicense is one of acme's for an app, in force.
func acmeLicense(app domain.App) domain.LicenseIssued {
	return domain.LicenseIssued{
		License: domain.LicenseID{UUID: named("license " + string(app))}, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(domain.Root),
		App: domain.OfApp(app.ID()), Held: app.HeldBy(acme), Name: app, Revision: 1, Terms: domain.Terms{Window: domain.Window{From: now.Add(-time.Hour), Until: now.Add(time.Hour)}},
	}
}

// acmeRevoked ends it.
func acmeRevoked(app domain.App) domain.LicenseRevoked {
	l := acmeLicense(app)
	return domain.LicenseRevoked{License: l.License, Holder: l.Holder, Vendor: l.Vendor, App: l.App, Held: l.Held}
}

func appSecret(app domain.App, name string) domain.SecretCreated {
	return domain.SecretCreated{
		Secret: domain.SecretID{UUID: named("secret " + name)}, App: app, Name: name, Key: domain.SecretRef{App: app, Name: name}.Key(acme),
	}
}

// ThenPlaces requires a refusal with exactly these places, each "pointer: detail".
func (o outcome) ThenPlaces(t testing.TB, want *domain.Refusal, places ...string) {
	t.Helper()
	o.ThenRefused(t, want)
	var all *domain.InputErrors
	if !errors.As(o.Err(), &all) {
		t.Fatalf("refused with %v, which has no places", o.Err())
	}
	var got []string
	for _, p := range all.Places {
		got = append(got, p.Pointer+": "+p.Detail)
	}
	if diff := cmp.Diff(places, got); diff != "" {
		t.Fatalf("places (-want +got):\n%s", diff)
	}
}

func TestAnAppComesWithItsRolesAndPrivileges(t *testing.T) {
	h := given().elsewhere(domain.Root, publishedApps(t, billing10)...)
	h.When(commands.EnableApp{App: "billing"}.Decide(env())).Then(t,
		appRole("billing", "clerk", "Clerk"), billingHolds("clerk", "billing.read"),
		appRole("billing", "chief", "Chief"), billingHolds("chief", "billing.*"),
		domain.AppEnabled{TenantApp: acmeApp("billing"), Name: "billing", Number: "1.0.0", Brings: []domain.Brought{
			{Privilege: "billing.read", Description: "look"}, {Privilege: "billing.void", Description: "undo"},
		}})
}

func TestAnAppIsEnabledInItsLatestVersionThatIsNoPrereleaseAndWasNotWithdrawn(t *testing.T) {
	early := `{"app":"billing","version":"3.0.0-rc.1"}`
	yank := domain.AppVersionYanked{Version: domain.App("billing").VersionID("2.0.0"), App: domain.App("billing").ID()}
	h := given().elsewhere(domain.Root, publishedApps(t, billing11, billing20, billing10, early)...).elsewhere(domain.Root, yank)
	h = h.elsewhere(domain.Root, publishedApps(t, ledger1)...)
	h = atWork(t, h, "ledger@1.2.0")
	number := func(c commands.EnableApp) domain.Semver {
		t.Helper()
		events := h.When(c.Decide(env())).Events(t)
		return events[len(events)-1].(domain.AppEnabled).Number
	}
	if got := number(commands.EnableApp{App: "billing"}); got != "1.1.0" {
		t.Errorf("enabled %s", got)
	}
	if got := number(commands.EnableApp{App: "billing", Version: "3.0.0-rc.1"}); got != "3.0.0-rc.1" {
		t.Errorf("enabled %s, want the prerelease that was named", got)
	}
	h.When(commands.EnableApp{App: "billing", Version: "2.0.0"}.Decide(env())).ThenRefused(t, domain.ErrVersionYanked)
	h.When(commands.EnableApp{App: "billing", Version: "4.0.0"}.Decide(env())).ThenRefused(t, domain.ErrVersionOfApp)
	h.When(commands.EnableApp{App: "biling"}.Decide(env())).ThenRefused(t, domain.ErrAppUnknown)
	h.When(commands.EnableApp{App: "Billing"}.Decide(env())).ThenInvalid(t, "/app")
	h.When(commands.EnableApp{App: "billing", Version: "v1"}.Decide(env())).ThenInvalid(t, "/version")
	none := given().elsewhere(domain.Root, publishedApps(t, early)...)
	none.When(commands.EnableApp{App: "billing"}.Decide(env())).ThenRefused(t, domain.ErrVersionOfApp)
}

func TestAllThatIsMissingIsToldAtOnce(t *testing.T) {
	e := env()
	e.Version = "v1.4.0"
	h := given(roleMade("Clerk")).elsewhere(domain.Root, publishedApps(t, strict, ledger1, billing10)...)
	h.When(commands.EnableApp{App: "strict"}.Decide(e)).ThenPlaces(t, domain.ErrAppNotReady,
		"/app: needs a licence for strict that is in force: the tenant has none",
		"/version: works with Chancery ^9.0, and this is v1.4.0",
		"/app: needs the app ledger ^2.0, which was never enabled here",
		"/app: needs the app billing *, which was never enabled here",
		"/app: needs the secret secret://strict/key, which is not there",
		"/config/currency: is missing")
	h = atWork(t, h.and(acmeLicense("strict"), acmeRevoked("strict"), appSecret("strict", "key")), "ledger@1.2.0", "billing@1.0.0").
		and(domain.AppDisabled{TenantApp: acmeApp("billing"), Name: "billing"})
	h.When(commands.EnableApp{App: "strict", Config: jsontext.Value(`{"currency":"USD","token":"secret://strict/none","more":1}`)}.Decide(e)).
		ThenPlaces(t, domain.ErrAppNotReady,
			"/app: needs a licence for strict that is in force: the licence is revoked",
			"/version: works with Chancery ^9.0, and this is v1.4.0",
			"/app: needs the app ledger ^2.0, and 1.2.0 is enabled",
			"/app: needs the app billing *, which is disabled",
			"/config/token: needs the secret secret://strict/none, which is not there",
			"/config/currency: value must be one of 'EUR', 'CHF'",
			"/config/more: unknown key")
}

func TestAnAppWithAllThatItNeedsIsEnabledWithItsConfiguration(t *testing.T) {
	e := env()
	e.Version = "9.3.1-rc.2+dirty"
	h := given(acmeLicense("strict"), appSecret("strict", "key")).elsewhere(domain.Root, publishedApps(t, strict, ledger2, billing10)...)
	h = atWork(t, h, "ledger@2.0.0", "billing@1.0.0")
	config := jsontext.Value(`{"token" : "secret://strict/key", "currency":"EUR"}`)
	h.When(commands.EnableApp{App: "strict", Config: config, Resumes: new(true)}.Decide(e)).Then(t,
		domain.AppEnabled{
			TenantApp: acmeApp("strict"), Name: "strict", Number: "1.0.0", LicenseRequired: true, Resumes: true,
			Needs: []domain.Need{needOf("ledger", "^2.0"), needOf("billing", "*")},
		},
		domain.AppConfigured{TenantApp: acmeApp("strict"), Name: "strict", Config: `{"currency":"EUR","token":"secret://strict/key"}`})
}

func TestAProgramOfNoReleaseIsOfEveryVersion(t *testing.T) {
	h := given().elsewhere(domain.Root, publishedApps(t, `{"app":"old","version":"1.0.0","compatibility":{"core":"<1.0.0"}}`)...)
	for version, works := range map[string]bool{
		"": true, "(devel)": true, "v0.0.0-20261123212847-abcdef123456+dirty": true, "0.9.0": true, "v0.9.9+dirty": true,
		"1.0.0": false, "v1.0.0-rc.1": false, "v1.0.1-0.20261123212847-abcdef123456": false,
	} {
		e := env()
		e.Version = version
		got := h.When(commands.EnableApp{App: "old"}.Decide(e))
		if works != (got.Err() == nil) {
			t.Errorf("Chancery %q: %v", version, got.Err())
		}
	}
}

func TestARoleWhoseNameIsTakenIsNamedAfterTheAppToo(t *testing.T) {
	h := given(roleMade("clerk")).elsewhere(domain.Root, publishedApps(t, billing10)...)
	got := h.When(commands.EnableApp{App: "billing"}.Decide(env())).Events(t)
	if diff := cmp.Diff(dcb.Event(appRole("billing", "clerk", "Clerk (billing)")), got[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.and(roleMade("Clerk (Billing)")).When(commands.EnableApp{App: "billing"}.Decide(env())).ThenPlaces(t, domain.ErrAppNotReady,
		`/app: brings the role "clerk", and the tenant has roles named "Clerk" and "Clerk (billing)"; rename one of them`)
}

func TestEnablingAgainChangesNothingButWhatIsAskedFor(t *testing.T) {
	h := atWork(t, given().elsewhere(domain.Root, publishedApps(t, billing10, ledger1, billing11)...), "billing@1.0.0")
	h.When(commands.EnableApp{App: "billing"}.Decide(env())).ThenNothing(t)
	h.When(commands.EnableApp{App: "billing", Version: "1.0.0", Resumes: new(false)}.Decide(env())).ThenNothing(t)
	h.When(commands.EnableApp{App: "billing", Version: "1.1.0"}.Decide(env())).ThenInvalid(t, "/version")
	h.When(commands.EnableApp{App: "billing", Config: jsontext.Value(`{}`)}.Decide(env())).ThenInvalid(t, "/config")
	brings := []domain.Brought{{Privilege: "billing.read", Description: "look"}, {Privilege: "billing.void", Description: "undo"}}
	h.When(commands.EnableApp{App: "billing", Resumes: new(true)}.Decide(env())).Then(t,
		domain.AppEnabled{TenantApp: acmeApp("billing"), Name: "billing", Number: "1.0.0", Brings: brings, Resumes: true})
}

func TestADisabledAppComesBackWithItsRolesAndAsksForWhatIsNew(t *testing.T) {
	h := atWork(t, given().elsewhere(domain.Root, publishedApps(t, billing10, ledger1, billing11, billing20)...), "billing@1.0.0", "ledger@1.2.0").
		and(domain.AppDisabled{TenantApp: acmeApp("billing"), Name: "billing", Drops: []domain.Privilege{"billing.read", "billing.void"}})
	brings := []domain.Brought{{Privilege: "billing.read", Description: "look"}, {Privilege: "billing.void", Description: "undo"}}
	h.When(commands.EnableApp{App: "billing", Version: "1.0.0"}.Decide(env())).Then(t,
		domain.AppEnabled{TenantApp: acmeApp("billing"), Name: "billing", Number: "1.0.0", Brings: brings})
	h.When(commands.EnableApp{App: "billing"}.Decide(env())).Then(t,
		domain.AppEnabled{TenantApp: acmeApp("billing"), Name: "billing", Number: "1.0.0", Brings: brings})
	next := commands.EnableApp{App: "billing", Version: "1.1.0", Consent: []domain.Privilege{"billing.send"}}
	h.When(next.Decide(env())).ThenRefused(t, domain.ErrUpgradeUnread)
	next.Confirm = appPublished(t, billing10).Hash
	h.When(next.Decide(env())).ThenRefused(t, domain.ErrUpgradeUnread)
	next.Confirm = appPublished(t, billing11).Hash
	h.When(commands.EnableApp{App: "billing", Version: "1.1.0", Confirm: next.Confirm}.Decide(env())).
		ThenPlaces(t, domain.ErrConsentMissing, "/consent: must name billing.send")
	got := h.When(next.Decide(env())).Events(t)
	last := got[len(got)-1].(domain.AppEnabled)
	if diff := cmp.Diff([]domain.Privilege{"billing.send"}, last.Consented); diff != "" || last.Previous != "1.0.0" {
		t.Errorf("previous %s, consented (-want +got):\n%s", last.Previous, diff)
	}
	major := commands.EnableApp{App: "billing", Version: "2.0.0", Confirm: appPublished(t, billing20).Hash}
	if got := h.When(major.Decide(env())); got.Err() != nil {
		t.Errorf("a new major version needs no consent: %v", got.Err())
	}
	yank := domain.AppVersionYanked{Version: domain.App("billing").VersionID("1.0.0"), App: domain.App("billing").ID()}
	yanked := h.elsewhere(domain.Root, yank).When(commands.EnableApp{App: "billing"}.Decide(env()))
	yanked.ThenRefused(t, domain.ErrVersionYanked)
	if said := yanked.Err().Error(); !strings.HasPrefix(said, "/version: ") || !strings.Contains(said, "1.0.0") || !strings.Contains(said, "name another") {
		t.Errorf("of a withdrawn version it is said: %s", said)
	}
}

func TestAnUpgradeIsReadBeforeItHappens(t *testing.T) {
	h := atWork(t, given().elsewhere(domain.Root, publishedApps(t, billing10, ledger1, billing11)...), "billing@1.0.0")
	hash := appPublished(t, billing11).Hash
	h.When(commands.UpgradeApp{App: "billing"}.Decide(env())).ThenPlaces(t, domain.ErrUpgradeUnread,
		"/confirm: must be "+hash+", the hash of the manifest of billing 1.1.0",
		"/version: brings the privileges billing.send",
		"/version: no longer brings the privileges billing.void",
		"/version: serves /bills (billing.read)",
		"/version: no longer serves /billing",
		"/version: changes the roles Clerk of bills (+billing.send, reworded)",
		"/version: empties the roles Chief",
		"/version: needs the apps ledger ^1.0",
		"/consent: must name billing.send",
		"/app: needs the app ledger ^1.0, which was never enabled here")
	h.When(commands.UpgradeApp{App: "billing", Confirm: appPublished(t, billing10).Hash}.Decide(env())).ThenRefused(t, domain.ErrUpgradeUnread)
	h.When(commands.UpgradeApp{App: "billing", Confirm: hash}.Decide(env())).ThenPlaces(t, domain.ErrConsentMissing, "/consent: must name billing.send")
	agreed := commands.UpgradeApp{App: "billing", Confirm: hash, Consent: []domain.Privilege{"billing.send"}}
	h.When(agreed.Decide(env())).ThenPlaces(t, domain.ErrAppNotReady, "/app: needs the app ledger ^1.0, which was never enabled here")
	h = atWork(t, h, "ledger@1.2.0")
	h.When(agreed.Decide(env())).Then(t,
		domain.RoleRenamed{
			Role: domain.App("billing").RoleID(acme, "clerk"), Name: "Clerk of bills", Key: domain.RoleKey(acme, "Clerk of bills"),
			Released: domain.RoleKey(acme, "Clerk"),
		},
		billingHolds("clerk", "billing.send"),
		domain.RolePrivilegeRemoved{Role: domain.App("billing").RoleID(acme, "chief"), Privilege: "billing.*"},
		domain.AppUpgraded{
			TenantApp: acmeApp("billing"), Name: "billing", From: "1.0.0", Number: "1.1.0",
			Brings: []domain.Brought{{Privilege: "billing.read", Description: "look"}, {Privilege: "billing.send", Description: "send"}},
			Needs:  []domain.Need{needOf("ledger", "^1.0")}, Drops: []domain.Privilege{"billing.void"},
			Consented: []domain.Privilege{"billing.send"},
		})
	h.When(agreed.Decide(having("core.tenant-apps.upgrade", "billing.read"))).ThenRefused(t, domain.ErrMayNotGive)
	if got := h.When(agreed.Decide(having("core.tenant-apps.upgrade", "billing.send"))); got.Err() != nil {
		t.Errorf("who holds what the role gets may upgrade: %v", got.Err())
	}
}

func TestWhatAPatternOfARoleComesToMatchIsToldAndMustBeHeld(t *testing.T) {
	was := `{"app":"shop","version":"1.0.0","privileges":[{"name":"shop.buy","description":"b"}],"roles":[{"key":"clerk","title":"Clerk","privileges":["shop.*"]}]}`
	now := `{"app":"shop","version":"1.1.0","privileges":[{"name":"shop.buy","description":"b"},{"name":"shop.admin","description":"a"}],
		"roles":[{"key":"clerk","title":"Clerk","privileges":["shop.*"]}]}`
	h := atWork(t, given().elsewhere(domain.Root, publishedApps(t, was, now)...), "shop@1.0.0")
	hash, consent := appPublished(t, now).Hash, []domain.Privilege{"shop.admin"}
	h.When(commands.UpgradeApp{App: "shop"}.Decide(env())).ThenPlaces(t, domain.ErrUpgradeUnread,
		"/confirm: must be "+hash+", the hash of the manifest of shop 1.1.0",
		"/version: brings the privileges shop.admin",
		"/version: changes the roles Clerk (+shop.admin)",
		"/consent: must name shop.admin")
	up := commands.UpgradeApp{App: "shop", Confirm: hash, Consent: consent}
	h.When(up.Decide(having("core.tenant-apps.upgrade", "shop.buy"))).ThenRefused(t, domain.ErrMayNotGive)
	if got := h.When(up.Decide(having("core.tenant-apps.upgrade", "shop.admin"))); got.Err() != nil {
		t.Errorf("who holds what the role gets may upgrade: %v", got.Err())
	}
	off := h.and(domain.AppDisabled{TenantApp: acmeApp("shop"), Name: "shop", Drops: []domain.Privilege{"shop.buy"}})
	again := commands.EnableApp{App: "shop", Version: "1.1.0", Confirm: hash, Consent: consent}
	off.When(again.Decide(having("core.tenant-apps.enable"))).ThenRefused(t, domain.ErrMayNotGive)
	if got := off.When(commands.EnableApp{App: "shop"}.Decide(having("core.tenant-apps.enable"))); got.Err() != nil {
		t.Errorf("the version that was there gives nobody more: %v", got.Err())
	}
}

func TestAConfigurationComesOnlyWithTheRightToConfigure(t *testing.T) {
	h := given(acmeLicense("modest")).elsewhere(domain.Root, publishedApps(t, modest, strings.Replace(modest, "1.0.0", "1.1.0", 1))...)
	config, may := jsontext.Value(`{"currency":"EUR"}`), domain.Pattern("core.tenant-apps.configure")
	there := atWork(t, h, "modest@1.0.0")
	up := commands.UpgradeApp{App: "modest", Confirm: appPublished(t, strings.Replace(modest, "1.0.0", "1.1.0", 1)).Hash}
	upgraded := there.and(there.When(up.Decide(env())).Events(t)...)
	up.Config = config
	for what, c := range map[string]struct {
		h       history
		command commands.Command
	}{
		"enable": {h, commands.EnableApp{App: "modest", Version: "1.0.0", Config: config}}, "upgrade": {there, up},
		"roll back": {upgraded, commands.RollBackApp{App: "modest", Config: config}},
	} {
		got := c.h.When(c.command.Decide(having("core.tenant-apps.enable", "core.tenant-apps.upgrade", "core.tenant-apps.roll-back")))
		got.ThenRefused(t, domain.ErrNotAllowed)
		if said := got.Err().Error(); !strings.HasPrefix(said, "/config: ") {
			t.Errorf("%s: %s", what, said)
		}
		if got := c.h.When(c.command.Decide(having(may))); got.Err() != nil {
			t.Errorf("%s with the right to configure: %v", what, got.Err())
		}
	}
}

func TestAnUpgradeGoesUp(t *testing.T) {
	h := given().elsewhere(domain.Root, publishedApps(t, billing10, ledger1, billing11, billing20)...)
	h.When(commands.UpgradeApp{App: "billing"}.Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	h.When(commands.UpgradeApp{App: "none"}.Decide(env())).ThenRefused(t, domain.ErrAppUnknown)
	h.When(commands.UpgradeApp{App: "no ne"}.Decide(env())).ThenInvalid(t, "/app")
	h = atWork(t, h, "ledger@1.2.0", "billing@1.1.0")
	h.When(commands.UpgradeApp{App: "billing", Version: "1.0.0"}.Decide(env())).ThenInvalid(t, "/version")
	h.When(commands.UpgradeApp{App: "billing", Version: "1.1.0"}.Decide(env())).ThenNothing(t)
	h.When(commands.UpgradeApp{App: "billing", Version: "7.0.0"}.Decide(env())).ThenRefused(t, domain.ErrVersionOfApp)
	h.When(commands.UpgradeApp{App: "ledger"}.Decide(env())).ThenNothing(t)
	major := commands.UpgradeApp{App: "billing", Confirm: appPublished(t, billing20).Hash}
	got := h.When(major.Decide(env())).Events(t)
	if up := got[len(got)-1].(domain.AppUpgraded); up.Number != "2.0.0" || len(up.Consented) > 0 {
		t.Errorf("got %+v", up)
	}
	h.elsewhere(domain.Root, domain.AppVersionYanked{Version: domain.App("billing").VersionID("2.0.0"), App: domain.App("billing").ID()}).
		When(commands.UpgradeApp{App: "billing", Version: "2.0.0", Confirm: appPublished(t, billing20).Hash}.Decide(env())).ThenRefused(t, domain.ErrVersionYanked)
}

func TestAnUpgradeLeavesNobodyBehindThatNeedsTheApp(t *testing.T) {
	h := atWork(t, given().elsewhere(domain.Root, publishedApps(t, billing11, ledger1, ledger2)...), "ledger@1.2.0", "billing@1.1.0")
	up := commands.UpgradeApp{App: "ledger", Confirm: appPublished(t, ledger2).Hash}
	h.When(up.Decide(env())).ThenPlaces(t, domain.ErrAppNeeded, "/version: the app billing needs ledger ^1.0")
	h = h.and(domain.AppDisabled{TenantApp: acmeApp("billing"), Name: "billing"})
	if got := h.When(up.Decide(env())); got.Err() != nil {
		t.Errorf("what is disabled needs nothing: %v", got.Err())
	}
}

func TestAppsDoNotNeedOneAnotherInACircle(t *testing.T) {
	round := `{"app":"ledger","version":"1.3.0","compatibility":{"apps":[{"app":"top","range":"*"}]}}`
	top := `{"app":"top","version":"1.0.0","compatibility":{"apps":[{"app":"billing","range":"*"}]}}`
	h := atWork(t, given().elsewhere(domain.Root, publishedApps(t, billing11, ledger1, round, top)...), "ledger@1.2.0", "billing@1.1.0", "top@1.0.0")
	h.When(commands.UpgradeApp{App: "ledger", Confirm: appPublished(t, round).Hash}.Decide(env())).ThenPlaces(t, domain.ErrAppNotReady,
		"/app: needs the app top, which needs ledger itself, or by way of others")
}

func TestAVersionThatJudgesTheConfigurationOtherwiseComesWithAnotherOne(t *testing.T) {
	was := `{"app":"shop","version":"1.0.0","config":{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string"}}}}`
	now := `{"app":"shop","version":"1.1.0","config":{"type":"object","additionalProperties":false,"properties":{"b":{"type":"string"}}}}`
	none := `{"app":"shop","version":"1.2.0"}`
	h := atWork(t, given().elsewhere(domain.Root, publishedApps(t, was, now, none)...), "shop@1.0.0").
		and(domain.AppConfigured{TenantApp: acmeApp("shop"), Name: "shop", Config: `{"a":"x"}`})
	up := commands.UpgradeApp{App: "shop", Version: "1.1.0", Confirm: appPublished(t, now).Hash}
	h.When(up.Decide(env())).ThenPlaces(t, domain.ErrAppNotReady, "/config/a: unknown key")
	up.Config = jsontext.Value(`{"b":"y"}`)
	upgraded := domain.AppUpgraded{TenantApp: acmeApp("shop"), Name: "shop", From: "1.0.0", Number: "1.1.0"}
	configured := domain.AppConfigured{TenantApp: acmeApp("shop"), Name: "shop", Config: `{"b":"y"}`}
	h.When(up.Decide(env())).Then(t, upgraded, configured)
	h.and(upgraded, configured).When(commands.RollBackApp{App: "shop"}.Decide(env())).ThenPlaces(t, domain.ErrAppNotReady, "/config/b: unknown key")
	h.and(upgraded, configured).When(commands.RollBackApp{App: "shop", Config: jsontext.Value(`{"a":"x"}`)}.Decide(env())).Then(t,
		domain.AppRolledBack{TenantApp: acmeApp("shop"), Name: "shop", From: "1.1.0", Number: "1.0.0"},
		domain.AppConfigured{TenantApp: acmeApp("shop"), Name: "shop", Config: `{"a":"x"}`})
	h.When(commands.UpgradeApp{App: "shop", Confirm: appPublished(t, none).Hash}.Decide(env())).Then(t,
		domain.AppUpgraded{TenantApp: acmeApp("shop"), Name: "shop", From: "1.0.0", Number: "1.2.0"})
}

func TestRollingBackReturnsToTheVersionBefore(t *testing.T) {
	h := given().elsewhere(domain.Root, publishedApps(t, billing10, ledger1, billing11)...)
	back := commands.RollBackApp{App: "billing", Reason: "it broke"}
	h.When(back.Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	h = atWork(t, h, "ledger@1.2.0", "billing@1.0.0")
	h.When(back.Decide(env())).ThenRefused(t, domain.ErrNoEarlier)
	up := commands.UpgradeApp{App: "billing", Confirm: appPublished(t, billing11).Hash, Consent: []domain.Privilege{"billing.send"}}
	h = h.and(h.When(up.Decide(env())).Events(t)...)
	h.When(back.Decide(env())).Then(t,
		domain.RoleRenamed{
			Role: domain.App("billing").RoleID(acme, "clerk"), Name: "Clerk", Key: domain.RoleKey(acme, "Clerk"),
			Released: domain.RoleKey(acme, "Clerk of bills"),
		},
		domain.RolePrivilegeRemoved{Role: domain.App("billing").RoleID(acme, "clerk"), Privilege: "billing.send"},
		billingHolds("chief", "billing.*"),
		domain.AppRolledBack{
			TenantApp: acmeApp("billing"), Name: "billing", From: "1.1.0", Number: "1.0.0", Drops: []domain.Privilege{"billing.send"}, Reason: "it broke",
			Brings: []domain.Brought{{Privilege: "billing.read", Description: "look"}, {Privilege: "billing.void", Description: "undo"}},
		})
	h.When(back.Decide(having("core.tenant-apps.roll-back"))).ThenRefused(t, domain.ErrMayNotGive)
	h.and(domain.AppPinned{TenantApp: acmeApp("billing"), Name: "billing", Number: "1.1.0"}).When(back.Decide(env())).ThenRefused(t, domain.ErrAppPinned)
	yank := domain.AppVersionYanked{Version: domain.App("billing").VersionID("1.0.0"), App: domain.App("billing").ID()}
	h.elsewhere(domain.Root, yank).When(back.Decide(env())).ThenRefused(t, domain.ErrVersionYanked)
	h.When(commands.RollBackApp{App: "billing", Reason: " x"}.Decide(env())).ThenInvalid(t, "/reason")
	h.When(commands.RollBackApp{App: ""}.Decide(env())).ThenInvalid(t, "/app")
}

func TestAPinnedAppStaysOnItsVersion(t *testing.T) {
	h := given().elsewhere(domain.Root, publishedApps(t, ledger1, ledger2)...)
	pin, unpin := commands.PinApp{App: "ledger"}, commands.UnpinApp{App: "ledger"}
	h.When(pin.Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	h.When(unpin.Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	h = atWork(t, h, "ledger@1.2.0")
	h.When(unpin.Decide(env())).ThenNothing(t)
	pinned := domain.AppPinned{TenantApp: acmeApp("ledger"), Name: "ledger", Number: "1.2.0"}
	h.When(pin.Decide(env())).Then(t, pinned)
	h = h.and(pinned)
	h.When(pin.Decide(env())).ThenNothing(t)
	h.When(commands.UpgradeApp{App: "ledger"}.Decide(env())).ThenRefused(t, domain.ErrAppPinned)
	off := h.and(domain.AppDisabled{TenantApp: acmeApp("ledger"), Name: "ledger"})
	off.When(commands.EnableApp{App: "ledger", Version: "2.0.0"}.Decide(env())).ThenRefused(t, domain.ErrAppPinned)
	got := off.When(commands.EnableApp{App: "ledger"}.Decide(env())).Events(t)
	if n := got[len(got)-1].(domain.AppEnabled).Number; n != "1.2.0" {
		t.Errorf("enabled %s, pinned to 1.2.0", n)
	}
	unpinned := domain.AppUnpinned{TenantApp: acmeApp("ledger"), Name: "ledger"}
	off.When(unpin.Decide(env())).Then(t, unpinned)
	h.and(unpinned).When(commands.UpgradeApp{App: "ledger"}.Decide(env())).ThenRefused(t, domain.ErrUpgradeUnread)
	h.When(commands.PinApp{App: "!"}.Decide(env())).ThenInvalid(t, "/app")
	h.When(commands.UnpinApp{App: "!"}.Decide(env())).ThenInvalid(t, "/app")
}

func TestAnAppThatOthersNeedIsNotDisabled(t *testing.T) {
	h := atWork(t, given().elsewhere(domain.Root, publishedApps(t, billing11, ledger1)...), "ledger@1.2.0")
	off := commands.DisableApp{App: "ledger", Reason: "too dear"}
	disabled := domain.AppDisabled{TenantApp: acmeApp("ledger"), Name: "ledger", Drops: []domain.Privilege{"ledger.read"}, Reason: "too dear"}
	h.When(off.Decide(env())).Then(t, disabled)
	needed := atWork(t, h, "billing@1.1.0")
	needed.When(off.Decide(env())).ThenPlaces(t, domain.ErrAppNeeded, "/app: the app billing needs ledger ^1.0")
	needed.and(domain.AppDisabled{TenantApp: acmeApp("billing"), Name: "billing"}).When(off.Decide(env())).Then(t, disabled)
	h.and(disabled).When(off.Decide(env())).ThenNothing(t)
	h.When(commands.DisableApp{App: "billing"}.Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	h.When(commands.DisableApp{App: "ledger", Reason: "license-ended"}.Decide(env())).ThenInvalid(t, "/reason")
	h.When(commands.DisableApp{App: "ledger", Reason: "dependency-disabled"}.Decide(env())).ThenInvalid(t, "/reason")
	h.When(commands.DisableApp{App: "ledger", Reason: "x "}.Decide(env())).ThenInvalid(t, "/reason")
	h.When(commands.DisableApp{App: "-"}.Decide(env())).ThenInvalid(t, "/app")
}

func TestAConfigurationIsJudgedByTheVersionAtWork(t *testing.T) {
	h := given(acmeLicense("modest"), appSecret("modest", "key")).elsewhere(domain.Root, publishedApps(t, modest, ledger1)...)
	set := func(text string) commands.ConfigureApp {
		return commands.ConfigureApp{App: "modest", Config: jsontext.Value(text)}
	}
	h.When(set(`{}`).Decide(env())).ThenRefused(t, domain.ErrAppNotEnabled)
	h = atWork(t, h, "modest@1.0.0", "ledger@1.2.0")
	configured := domain.AppConfigured{TenantApp: acmeApp("modest"), Name: "modest", Config: `{"currency":"EUR","token":"secret://modest/key"}`}
	h.When(set(`{"token":"secret://modest/key", "currency":"EUR"}`).Decide(env())).Then(t, configured)
	h.and(configured).When(set(configured.Config).Decide(env())).ThenNothing(t)
	for text, place := range map[string]string{
		`{"currency":1}`:                      "/config/currency: must be a string",
		`{"more":1}`:                          "/config/more: unknown key",
		`{"token":"hunter2"}`:                 "/config/token: is a secret: must be secret://modest/name, a reference to one of the app's secrets",
		`{"token":"secret://ledger/key"}`:     "/config/token: is a secret: must be secret://modest/name, a reference to one of the app's secrets",
		`{"token":"secret://modest/other"}`:   "/config/token: there is no secret secret://modest/other",
		`[]`:                                  "/config: must be a JSON object",
		`{"currency":"EUR","currency":"CHF"}`: "/config/currency: is not valid JSON, or a key is given twice",
	} {
		h.When(set(text).Decide(env())).ThenPlaces(t, domain.ErrConfigInvalid, place)
	}
	h.When(commands.ConfigureApp{App: "ledger", Config: jsontext.Value(`{"a":1}`)}.Decide(env())).
		ThenPlaces(t, domain.ErrConfigInvalid, "/config: version 1.2.0 takes no configuration")
	h.When(commands.ConfigureApp{App: "", Config: jsontext.Value(`{}`)}.Decide(env())).ThenInvalid(t, "/app")
}

func TestTheAnswerNamesTheAppWhereNothingChanges(t *testing.T) {
	w := planned(t, []string{"ledger@1.2.0"}, ledger1)
	for _, c := range []any{&commands.EnableApp{App: "ledger"}, &commands.UpgradeApp{App: "ledger"}, &commands.UnpinApp{App: "ledger"}} {
		if r := w.must(t, w.order(acme, c)); r.ID != acmeApp("ledger").UUID || len(r.Events) > 0 {
			t.Errorf("%T: %+v", c, r)
		}
	}
}
