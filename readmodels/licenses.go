package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// License lets its holder use an app. It is listed in the holder's tenant and in the vendor's, and nowhere else. The status is what was
// said of it; whether it is in force at an instant follows from the times.
type License rows.License

func (i *License) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var licenses = collection(
	Collection{
		Name: "licenses", Kind: "license", Projector: core,
		Filters: []Filter{
			id("app_id"), text("app"), text("status", "active", "suspended", "revoked", "expired", "ended"),
			id("holder_tenant_id"), id("vendor_tenant_id"), text("kid"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]License, error) {
		found, err := db.Licenses(ctx, rows.LicensesParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), AppID: q.id("app_id"), App: q.text("app"),
			HolderTenantID: q.id("holder_tenant_id"), VendorTenantID: q.id("vendor_tenant_id"), Status: q.text("status"), Kid: q.text("kid"),
		})
		return each(found, func(r rows.License) License { return License(r) }), err
	})

// ImportedBy are the licences, not revoked, that a vendor signed elsewhere with a key. None comes after the key was revoked.
func (c Cascades) ImportedBy(key uuid.UUID) func(context.Context, Whose, uuid.UUID, int32) ([]Standing, error) {
	return func(ctx context.Context, w Whose, after uuid.UUID, most int32) ([]Standing, error) {
		ids, err := c.queries().ImportedLicenses(ctx, rows.ImportedLicensesParams{TenantID: w.Tenant, Key: key, After: after, RowLimit: most})
		return w.standing(ids), err
	}
}
