package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections"
)

func TestAVendorIsAdmittedAndDismissedOnThePlatformAlone(t *testing.T) {
	admitted := func(of domain.TenantID) dcb.Event { return domain.VendorAdmitted{Vendor: domain.VendorIn(of)} }
	dismissed := func(of domain.TenantID) dcb.Event {
		return domain.VendorDismissed{Vendor: domain.VendorIn(of), Reason: "left"}
	}
	other := domain.TenantID{UUID: uid(0x02, 9)}
	given().in(domain.Root, admitted(acme)).in(acme, admitted(acme)).
		in(domain.Root, admitted(other), dismissed(other)).in(other, dismissed(other)).
		in(domain.Root, dismissed(acme), admitted(acme)).
		expect(t, projections.Core, "SELECT tenant_id, id, status, reason, created_at, updated_at, version FROM vendors ORDER BY created_at",
			"0001 acce admitted  08:01 08:07 7",
			"0001 0209 dismissed left 08:03 08:04 4")
}
