package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// vendors: rows of the platform; the copies that tenants have of the events change nothing. One who was dismissed keeps the row.
var vendors = feature{
	tables: []string{"vendors"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.VendorAdmitted) error {
			if m.Tenant != domain.Root.UUID {
				return nil
			}
			return q.AdmitVendor(ctx, rows.AdmitVendorParams{TenantID: m.Tenant, ID: e.Vendor.UUID, At: m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.VendorDismissed) error {
			if m.Tenant != domain.Root.UUID {
				return nil
			}
			return q.DismissVendor(ctx, rows.DismissVendorParams{TenantID: m.Tenant, ID: e.Vendor.UUID, Reason: e.Reason, At: m.At, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.VendorAdmitted) dcb.Tagger { return e.Vendor }),
		about(func(e domain.VendorDismissed) dcb.Tagger { return e.Vendor }),
	},
}
