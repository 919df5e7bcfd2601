package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// admitted is on the platform and, as a copy, in the tenant.
func admitted(t domain.TenantID) []dcb.Event {
	e := domain.VendorAdmitted{Vendor: domain.VendorIn(t)}
	return []dcb.Event{dcb.In(domain.Root.UUID, e), dcb.In(t.UUID, e)}
}

func dismissed(t domain.TenantID, reason string) []dcb.Event {
	e := domain.VendorDismissed{Vendor: domain.VendorIn(t), Reason: reason}
	return []dcb.Event{dcb.In(domain.Root.UUID, e), dcb.In(t.UUID, e)}
}

func acmeExists() history {
	return given(domain.TenantCreated{Tenant: acme, Name: "Acme", Slug: "acme"}).
		elsewhere(domain.Root, domain.TenantCreated{Tenant: domain.Root, Name: "Platform", Slug: "root"})
}

func TestThePlatformAdmitsVendors(t *testing.T) {
	c := commands.AdmitVendor{Tenant: acme}
	onRoot(acmeExists(), c).Then(t, admitted(acme)...)
	onRoot(acmeExists().and(admitted(acme)...), c).ThenNothing(t)
	onRoot(acmeExists().and(admitted(acme)...).and(dismissed(acme, "")...), c).Then(t, admitted(acme)...)
	onRoot(acmeExists().and(domain.TenantSuspended{Tenant: acme}), c).Then(t, admitted(acme)...)
	onRoot(acmeExists().and(domain.TenantClosed{Tenant: acme}), c).ThenRefused(t, domain.ErrTenantClosed)
	onRoot(acmeExists(), commands.AdmitVendor{Tenant: globex}).ThenRefused(t, domain.ErrTenantUnknown)
	acmeExists().When(c.Decide(env())).ThenRefused(t, domain.ErrNotFound)
}

func TestThePlatformItselfIsAlwaysAVendor(t *testing.T) {
	onRoot(acmeExists(), commands.AdmitVendor{Tenant: domain.Root}).ThenNothing(t)
	onRoot(acmeExists(), commands.DismissVendor{Tenant: domain.Root}).ThenRefused(t, domain.ErrRootTenant)
}

func TestThePlatformDismissesVendors(t *testing.T) {
	c := commands.DismissVendor{Tenant: acme, Reason: "contract ended"}
	there := acmeExists().and(admitted(acme)...)
	onRoot(there, c).Then(t, dismissed(acme, "contract ended")...)
	onRoot(there.and(domain.TenantClosed{Tenant: acme}), c).Then(t, dismissed(acme, "contract ended")...)
	onRoot(there.and(dismissed(acme, "")...), c).ThenNothing(t)
	onRoot(acmeExists(), c).ThenNothing(t)
	onRoot(there, commands.DismissVendor{Tenant: globex}).ThenRefused(t, domain.ErrTenantUnknown)
	onRoot(there, commands.DismissVendor{Tenant: acme, Reason: "\x01"}).ThenInvalid(t, "/reason")
	there.When(c.Decide(env())).ThenRefused(t, domain.ErrNotFound)
}

func TestWhatATenantSaysOfItselfMakesItNoVendor(t *testing.T) {
	forged := acmeExists().and(domain.VendorAdmitted{Vendor: domain.VendorIn(acme)})
	forged.When(commands.CreateSigningKey{ID: signingKey("a")}.Decide(env())).ThenRefused(t, domain.ErrNotVendor)
}
