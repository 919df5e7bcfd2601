package domain

import "chancery/internal/dcb"

// VendorAdmitted lets a tenant register apps, publish their versions and issue licences for them. It is recorded on the platform and,
// as a copy, in the tenant.
type VendorAdmitted struct {
	Vendor VendorID `json:"vendor"`
}

// VendorDismissed ends that. What the vendor has published stays, and so do the licences that it has issued.
type VendorDismissed struct {
	Vendor VendorID `json:"vendor"`
	Reason string   `json:"reason,omitzero"`
}

func (VendorAdmitted) EventType() string  { return "vendor.admitted" }
func (VendorDismissed) EventType() string { return "vendor.dismissed" }

var vendorEvents = dcb.Kind("vendor", dcb.Of[VendorAdmitted](), dcb.Of[VendorDismissed]())

// ErrNotVendor refuses a tenant that the platform has not admitted as a vendor.
var ErrNotVendor = refuse("not-a-vendor", "the platform has not admitted the tenant as a vendor")

// VendorIn is the tenant as a vendor.
func VendorIn(t TenantID) VendorID { return VendorID(t) }

// Tenant is the tenant that the vendor is.
func (id VendorID) Tenant() TenantID { return TenantID(id) }

// VendorOf reports whether a tenant is a vendor; the platform always is.
func VendorOf(t TenantID) *dcb.Fact[bool] {
	return dcb.Ask(t == Root, tags(VendorIn(t)),
		dcb.On(func(is *bool, _ VendorAdmitted) { *is = true }),
		dcb.On(func(is *bool, _ VendorDismissed) { *is = t == Root }),
	).Only(Root.UUID)
}
