package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Vendor is a tenant that may register apps and issue licences for them; its id is the tenant's. Vendors are the same for every
// tenant that asks. The platform itself always is one and is not listed. Why one was
// dismissed the platform and the vendor see.
type Vendor rows.VendorsRow

func (i *Vendor) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var vendors = collection(
	Collection{
		Name: "vendors", Kind: "vendor", Projector: core,
		Filters: []Filter{text("status", "admitted", "dismissed")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Vendor, error) {
		found, err := db.Vendors(ctx, rows.VendorsParams{TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), Status: q.text("status")})
		return each(found, func(r rows.VendorsRow) Vendor { return Vendor(r) }), err
	})
