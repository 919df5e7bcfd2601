package accesstest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// versionFile is a version of an app.
type versionFile struct {
	Brings   []string `yaml:"brings"`
	Licensed bool     `yaml:"licensed"`
}

// licenseFile is a licence that the platform issued to the tenant.
type licenseFile struct {
	App   string    `yaml:"app"`
	From  time.Time `yaml:"from"`
	Until time.Time `yaml:"until"`
	Grace int       `yaml:"grace"` // days
}

// publish makes the platform's apps known, by their names and numbers.
func (w *World) publish() {
	for name, versions := range inOrder(w.file.Apps) {
		app := domain.App(name)
		w.add("root", domain.AppRegistered{App: app.ID(), Vendor: domain.VendorIn(domain.Root), Name: app, Title: name})
		for number := range inOrder(versions) {
			n := domain.Semver(number)
			manifest := fmt.Sprintf(`{"app":%q,"version":%q}`, name, number)
			hash := sha256.Sum256([]byte(manifest))
			w.add("root", domain.AppVersionPublished{
				Version: app.VersionID(n), App: app.ID(), Name: app, Number: n, Hash: hex.EncodeToString(hash[:]),
			})
			w.add("root", domain.ManifestPublished{Version: app.VersionID(n), Manifest: manifest})
		}
	}
}

// install writes down what a tenant runs, and the licences that it holds: each in its log and in that of the platform.
func (w *World) install(t string, f *tenantFile) {
	for name, number := range inOrder(f.Runs) {
		e := w.runs(t, name, number)
		w.add(t, domain.AppEnabled{TenantApp: e.TenantApp, Name: e.Name, Number: e.Number, Brings: e.Brings, LicenseRequired: e.LicenseRequired})
	}
	for name := range inOrder(f.Licenses) {
		for _, e := range w.both(t, w.license(t, name)) {
			w.add(e.tenant, e.event)
		}
	}
}

// runs is the change to a version, which MUST be published in the world.
func (w World) runs(t, name, number string) domain.AppUpgraded {
	version, published := w.file.Apps[name][number]
	if !published {
		w.lost["version "+name+" "+number] = true
	}
	app := domain.App(name)
	e := domain.AppUpgraded{TenantApp: app.In(w.Tenant(t)), Name: app, Number: domain.Semver(number), LicenseRequired: version.Licensed}
	for _, p := range version.Brings {
		e.Brings = append(e.Brings, domain.Brought{Privilege: domain.Privilege(p)})
	}
	return e
}

func (w World) license(t, name string) domain.LicenseIssued {
	f := w.file.Tenants[t].Licenses[name]
	app := domain.App(f.App)
	return domain.LicenseIssued{
		License: domain.LicenseID{UUID: w.id(t, "license", name)}, Holder: domain.HomeIn(w.Tenant(t)), Vendor: domain.HomeIn(domain.Root),
		App: domain.OfApp(app.ID()), Held: app.HeldBy(w.Tenant(t)), Name: app, Revision: 1, Terms: domain.Terms{Window: domain.Window{From: f.From, Until: f.Until}, GraceDays: f.Grace},
		File: domain.File{Blob: "e30.e30.e30", Kid: "key", ExpiresAt: orFar(f.Until)},
	}
}

// both are the logs of holder and vendor.
func (w World) both(t string, e dcb.Event) []placed {
	if t == "root" {
		return []placed{{t, e}}
	}
	return []placed{{t, e}, {"root", e}}
}

// installed is a sentence about apps and licences; none if it is of something else.
func (w World) installed(t, form string, name func(int) string) []placed {
	l := domain.LicenseIssued{}
	if w.file.Tenants[t].Licenses[name(2)].App != "" {
		l = w.license(t, name(2))
	}
	app := domain.App(name(2))
	switch form {
	case "upgrade app": // <app> to <version>
		return []placed{{t, w.runs(t, name(2), name(4))}}
	case "disable app":
		return []placed{{t, domain.AppDisabled{TenantApp: app.In(w.Tenant(t)), Name: app}}}
	case "suspend license":
		return w.both(t, domain.LicenseSuspended{License: l.License, Holder: l.Holder, Vendor: l.Vendor, App: l.App})
	case "reinstate license":
		return w.both(t, domain.LicenseReinstated{License: l.License, Holder: l.Holder, Vendor: l.Vendor, App: l.App})
	case "revoke license":
		return w.both(t, domain.LicenseRevoked{License: l.License, Holder: l.Holder, Vendor: l.Vendor, App: l.App})
	case "renew license": // <license> until <day>
		until, err := time.Parse(time.DateOnly, name(4))
		if err != nil {
			w.lost["day "+name(4)] = true
		}
		l.Revision, l.Terms.Window.Until, l.File.ExpiresAt = 2, until, until
		return w.both(t, domain.LicenseRenewed(l))
	}
	return nil
}
