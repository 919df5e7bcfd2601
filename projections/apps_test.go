package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

func TestAnAppIsARowOfThePlatform(t *testing.T) {
	made := domain.AppRegistered{App: domain.AppID{UUID: uid(0x31, 1)}, Vendor: domain.VendorIn(acme), Name: "billing", Title: "Billing", Description: "bills"}
	described := domain.AppDescribed{App: made.App, Title: "Bills"}
	h := given(made).in(domain.Root, made,
		domain.AppRegistered{App: domain.AppID{UUID: uid(0x31, 2)}, Vendor: domain.VendorIn(domain.Root), Name: "Ledger", Title: "Ledger"},
		described,
		domain.AppVersionPublished{Version: domain.AppVersionID{UUID: uid(0x32, 1)}, App: made.App, Name: "billing", Number: "1.0.0", Hash: "00"},
		domain.AppVersionDeprecated{Version: domain.AppVersionID{UUID: uid(0x32, 1)}, App: made.App},
		domain.AppVersionDeployed{Version: domain.AppVersionID{UUID: uid(0x32, 1)}, App: made.App}).
		in(acme, domain.AppVersionYanked{Version: domain.AppVersionID{UUID: uid(0x32, 1)}, App: made.App})
	h.expect(t, projections.Core, "SELECT tenant_id, id, name, vendor, title, description, created_at, updated_at, version FROM apps ORDER BY id",
		"0001 3101 billing acce Bills  08:02 08:05 5",
		"0001 3102 Ledger 0001 Ledger  08:03 08:03 3")

	h.in(domain.Root, domain.AppVersionYanked{Version: domain.AppVersionID{UUID: uid(0x32, 1)}, App: made.App},
		domain.AppRouteReleased{App: domain.AppID{UUID: uid(0x31, 2)}, Path: "/x"}).
		expect(t, projections.Core, "SELECT id, version FROM apps UNION ALL SELECT id, version FROM app_versions ORDER BY id", "3101 9", "3102 10", "3201 9")
}
