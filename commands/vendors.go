package commands

import (
	"chancery/domain"
	"chancery/internal/dcb"
)

// AdmitVendor lets a tenant register apps and issue licences for them. Sent to the platform.
type AdmitVendor struct {
	Tenant domain.TenantID `json:"tenant_id" required:"true" description:"the tenant"`
}

func (c AdmitVendor) Target() dcb.Tagger { return domain.VendorIn(c.Tenant) }

func (c AdmitVendor) Decide(env Env) dcb.Decision {
	t, is := domain.TenantOf(c.Tenant), domain.VendorOf(c.Tenant)
	return dcb.From(t, is).Decide(func() ([]dcb.Event, error) {
		switch {
		case env.Tenant != domain.Root:
			return nil, domain.ErrNotFound
		case t.Value.Status == domain.TenantUnknown:
			return nil, domain.At("/tenant_id", domain.ErrTenantUnknown)
		case t.Value.Status == domain.TenantEnded:
			return nil, domain.At("/tenant_id", domain.ErrTenantClosed)
		case is.Value:
			return nil, nil
		}
		return inBoth(c.Tenant, domain.VendorAdmitted{Vendor: domain.VendorIn(c.Tenant)}), nil
	})
}

// DismissVendor ends that. Apps, versions and licences stay. Sent to the platform.
type DismissVendor struct {
	Tenant domain.TenantID `json:"tenant_id" required:"true" description:"the tenant"`
	Reason string          `json:"reason,omitzero" description:"why, for the record"`
}

func (c DismissVendor) Target() dcb.Tagger { return domain.VendorIn(c.Tenant) }

func (c DismissVendor) Decide(env Env) dcb.Decision {
	t, is := domain.TenantOf(c.Tenant), domain.VendorOf(c.Tenant)
	return dcb.From(t, is).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		switch {
		case env.Tenant != domain.Root:
			return nil, domain.ErrNotFound
		case c.Tenant == domain.Root:
			return nil, domain.At("/tenant_id", domain.ErrRootTenant)
		case t.Value.Status == domain.TenantUnknown:
			return nil, domain.At("/tenant_id", domain.ErrTenantUnknown)
		case !is.Value:
			return nil, nil
		}
		return inBoth(c.Tenant, domain.VendorDismissed{Vendor: domain.VendorIn(c.Tenant), Reason: c.Reason}), nil
	})
}

// inBoth records an event on the platform, and a copy in the tenant that it is about.
func inBoth(t domain.TenantID, e dcb.Event) []dcb.Event {
	return []dcb.Event{dcb.In(domain.Root.UUID, e), dcb.In(t.UUID, e)}
}
