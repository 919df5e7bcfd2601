package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Impersonation is a user's acting as another one, or the request to. It stands in the tenant of the one acted as.
type Impersonation rows.ImpersonationSession

func (i *Impersonation) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

// OwnedBy lets users read who acted as them, and as whom they did.
func (i *Impersonation) OwnedBy(user uuid.UUID) bool {
	return i.TargetUserID == user || i.AdminUserID == user
}

var impersonations = collection(
	Collection{
		Name: "impersonations", Kind: "impersonation", Projector: core,
		Filters: []Filter{
			id("admin_user_id"), id("target_user_id"), id("user_id"), text("status", "requested", "consented", "refused", "active", "ended", "expired"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Impersonation, error) {
		found, err := db.Impersonations(ctx, rows.ImpersonationsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			AdminUserID: q.id("admin_user_id"), TargetUserID: q.id("target_user_id"), UserID: q.id("user_id"), Status: q.text("status"),
		})
		return each(found, func(r rows.ImpersonationSession) Impersonation { return Impersonation(r) }), err
	})
