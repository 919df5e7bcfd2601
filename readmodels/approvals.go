package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Approval is a request for somebody else's approval, and what became of it. Its id is that of the assignment or the delegation that
// it is about; request is what would be recorded.
type Approval rows.Approval

func (i *Approval) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

// OwnedBy lets users read what they asked for.
func (i *Approval) OwnedBy(user uuid.UUID) bool { return i.RequestedBy == user }

var approvals = collection(
	Collection{
		Name: "approvals", Kind: "approval", Projector: core, Owns: "requested_by",
		Filters: []Filter{
			text("status", "pending", "given", "denied", "cancelled", "expired"), id("requested_by"), id("user_id"), id("role_id"),
			text("kind", "assignment", "delegation"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Approval, error) {
		found, err := db.Approvals(ctx, rows.ApprovalsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			Status: q.text("status"), RequestedBy: q.id("requested_by"), UserID: q.id("user_id"), RoleID: q.id("role_id"), Kind: q.text("kind"),
		})
		return each(found, func(r rows.Approval) Approval { return Approval(r) }), err
	})
