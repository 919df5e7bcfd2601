package app

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// What an app brings and takes is announced to those who have it by their roles; what ends with a licence by the record of its end.
func TestWhatAnAppBringsIsAnnouncedAsItComesAndGoes(t *testing.T) {
	m := newMortals(t)
	m.root.must(t, "acme", "set-policy", `{"key":"`+domain.AnnounceAccess.Key+`","value":"true"}`)
	acme, shop := domain.TenantID{UUID: uuid.MustParse(m.acme)}, domain.App("shop")
	at := m.headForTest(t)
	tell := func(in domain.TenantID, e dcb.Event, want ...string) {
		t.Helper()
		m.appendForTest(t, []dcb.Pending{{Tenant: in.UUID, Event: e}})
		if got := m.announced(t, at); !slices.Equal(got, want) {
			t.Errorf("%s was announced as %q, want %q", e.EventType(), got, want)
		}
		at = m.headForTest(t)
	}
	end := m.config.Now().Add(time.Hour).Truncate(time.Second)
	license := domain.LicenseIssued{
		License: domain.LicenseID{UUID: uuid.Must(uuid.NewV7())}, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(domain.Root), App: domain.OfApp(shop.ID()), Held: shop.HeldBy(acme), Name: shop,
		Revision: 1, Terms: domain.Terms{Window: domain.Window{Until: end}}, File: domain.File{Blob: "e30.e30.e30", Kid: "key", ExpiresAt: end},
	}
	enabled := domain.AppEnabled{
		TenantApp: shop.In(acme), Name: shop, Number: "1.0.0", LicenseRequired: true,
		Brings: []domain.Brought{{Privilege: "shop.sell"}, {Privilege: "shop.close"}},
	}
	tell(domain.Root, domain.AppRegistered{App: shop.ID(), Vendor: domain.VendorIn(domain.Root), Name: shop, Title: "Shop"})
	tell(acme, domain.RolePrivilegeAdded{Role: domain.RoleID{UUID: uuid.MustParse(m.id["acme role"])}, Privilege: "shop.*"})
	tell(acme, enabled) // not licensed yet
	tell(acme, license, "ann +shop.close +shop.sell by license.issued", "bob +shop.close +shop.sell by license.issued")
	tell(acme, domain.AppUpgraded{
		TenantApp: enabled.TenantApp, Name: shop, From: "1.0.0", Number: "2.0.0", LicenseRequired: true,
		Brings: []domain.Brought{{Privilege: "shop.sell"}}, Drops: []domain.Privilege{"shop.close"},
	}, "ann -shop.close by tenant-app.upgraded", "bob -shop.close by tenant-app.upgraded")
	m.clock.forward(2 * time.Hour)
	tell(acme, domain.LicenseEnded{License: license.License, Holder: license.Holder, Vendor: license.Vendor, App: license.App, Held: license.Held, Ended: end},
		"ann -shop.sell by license.ended", "bob -shop.sell by license.ended")
}
