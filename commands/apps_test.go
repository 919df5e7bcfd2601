package commands_test

import (
	"strings"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// aVendor is a history in which acme is a vendor.
func aVendor() history {
	return given().elsewhere(domain.Root, domain.VendorAdmitted{Vendor: domain.VendorIn(acme)})
}

func appMade(v domain.TenantID, name domain.App) domain.AppRegistered {
	return domain.AppRegistered{App: name.ID(), Vendor: domain.VendorIn(v), Name: name, Title: "Billing"}
}

// onBoth is an event with its copies, as acme's decisions record those about its apps.
func onBoth(e dcb.Event) []dcb.Event {
	return []dcb.Event{dcb.In(acme.UUID, e), dcb.In(domain.Root.UUID, e)}
}

func TestAVendorRegistersAnApp(t *testing.T) {
	c := commands.RegisterApp{Name: "billing", Title: "Billing", Description: "bills"}
	e := domain.AppRegistered{App: domain.App("billing").ID(), Vendor: domain.VendorIn(acme), Name: "billing", Title: "Billing", Description: "bills"}
	aVendor().When(c.Decide(env())).Then(t, onBoth(e)...)

	e.Vendor = domain.VendorIn(domain.Root)
	onRoot(given(), c).Then(t, dcb.In(domain.Root.UUID, e)) // the platform is a vendor without being admitted, and needs no copy
}

func TestOnlyAVendorRegistersApps(t *testing.T) {
	c := commands.RegisterApp{Name: "billing", Title: "Billing"}
	given().When(c.Decide(env())).ThenRefused(t, domain.ErrNotVendor)
	given(domain.VendorAdmitted{Vendor: domain.VendorIn(acme)}).When(c.Decide(env())).ThenRefused(t, domain.ErrNotVendor) // a copy admits nobody
	dismissed := aVendor().elsewhere(domain.Root, domain.VendorDismissed{Vendor: domain.VendorIn(acme)})
	dismissed.When(c.Decide(env())).ThenRefused(t, domain.ErrNotVendor)
}

func TestTheNameOfAnAppIsItsOwn(t *testing.T) {
	c := commands.RegisterApp{Name: "billing", Title: "Billing"}
	own := aVendor().elsewhere(domain.Root, appMade(acme, "billing"))
	own.When(c.Decide(env())).ThenNothing(t)
	other := c
	other.Title = "Bills"
	own.When(other.Decide(env())).ThenRefused(t, domain.ErrAppTaken)
	aVendor().elsewhere(domain.Root, appMade(globex, "billing")).When(c.Decide(env())).ThenRefused(t, domain.ErrAppTaken)
	aVendor().and(appMade(acme, "billing")).When(c.Decide(env())).Then(t, onBoth(appMade(acme, "billing"))...) // a copy alone is none

	for _, name := range domain.ReservedApps {
		aVendor().When(commands.RegisterApp{Name: name, Title: "x"}.Decide(env())).ThenRefused(t, domain.ErrAppReserved)
	}
	e := env()
	e.Begins = func(a domain.App) bool { return a == "billing" }
	aVendor().When(c.Decide(e)).ThenRefused(t, domain.ErrAppReserved)
	aVendor().When(commands.RegisterApp{Name: "bill", Title: "x"}.Decide(e)).Events(t)
}

func TestAnAppIsNamedLikeAPartOfAHostName(t *testing.T) {
	for name, ok := range map[domain.App]bool{
		"a": true, "0": true, "a-b": true, domain.App(strings.Repeat("a", 63)): true,
		"": false, "A": false, "a_b": false, "a.b": false, "-a": false, "a-": false, "a b": false, "é": false, domain.App(strings.Repeat("a", 64)): false,
		"01234567-89ab-cdef-0123-456789abcdef": false,
	} {
		got := aVendor().When(commands.RegisterApp{Name: name, Title: "x"}.Decide(env()))
		if ok {
			got.Events(t)
		} else {
			got.ThenInvalid(t, "/name")
		}
	}
	for title, ok := range names() {
		got := aVendor().When(commands.RegisterApp{Name: "a", Title: title}.Decide(env()))
		if ok {
			got.Events(t)
		} else {
			got.ThenInvalid(t, "/title")
		}
	}
	aVendor().When(commands.RegisterApp{Name: "a", Title: "x", Description: " x"}.Decide(env())).ThenInvalid(t, "/description")
}

func TestWhatIsSaidOfAnAppChanges(t *testing.T) {
	own := aVendor().elsewhere(domain.Root, appMade(acme, "billing"))
	text, empty := "bills", ""
	describe := func(title string, description *string) outcome {
		return own.When(commands.DescribeApp{App: "billing", Title: title, Description: description}.Decide(env()))
	}
	id := domain.App("billing").ID()
	describe("Bills", &text).Then(t, onBoth(domain.AppDescribed{App: id, Title: "Bills", Description: "bills"})...)
	describe("", &text).Then(t, onBoth(domain.AppDescribed{App: id, Title: "Billing", Description: "bills"})...)
	describe("", nil).ThenNothing(t)
	describe("Billing", &empty).ThenNothing(t)
	describe(" x", nil).ThenInvalid(t, "/title")
	bad := "\x01"
	describe("", &bad).ThenInvalid(t, "/description")

	own = own.elsewhere(domain.Root, domain.AppDescribed{App: id, Title: "Bills", Description: "bills"})
	describe("", &empty).Then(t, onBoth(domain.AppDescribed{App: id, Title: "Bills"})...)
}

func TestOnlyItsVendorChangesAnApp(t *testing.T) {
	theirs := aVendor().elsewhere(domain.Root, appMade(globex, "billing"))
	for _, c := range []commands.Command{
		commands.DescribeApp{App: "billing", Title: "x"}, commands.DescribeApp{App: "none", Title: "x"},
		commands.DeprecateAppVersion{App: "billing", Version: "1.0.0"}, commands.UndeprecateAppVersion{App: "billing", Version: "1.0.0"},
		commands.YankAppVersion{App: "billing", Version: "1.0.0"}, publish(`{"app":"billing","version":"1.0.0"}`),
	} {
		theirs.When(c.Decide(env())).ThenRefused(t, domain.ErrAppUnknown)
		given().elsewhere(domain.Root, appMade(acme, "billing")).When(c.Decide(env())).ThenRefused(t, domain.ErrNotVendor)
	}
}
