package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// GroupInvitation invites a user of one tenant into a group of another one, and says what became of it. It stands in both.
type GroupInvitation rows.GroupInvitation

func (i *GroupInvitation) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

// OwnedBy lets users read the invitations that they got.
func (i *GroupInvitation) OwnedBy(user uuid.UUID) bool { return i.UserID == user }

var groupInvitations = collection(
	Collection{
		Name: "group-invitations", Kind: "group-invitation", Projector: core,
		Filters: []Filter{
			id("group_id"), id("user_id"), text("status", "open", "accepted", "declined", "withdrawn", "expired", "ended"),
			id("group_tenant_id"), id("user_tenant_id"),
		},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]GroupInvitation, error) {
		found, err := db.GroupInvitations(ctx, rows.GroupInvitationsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			GroupID: q.id("group_id"), UserID: q.id("user_id"), Status: q.text("status"),
			GroupTenantID: q.id("group_tenant_id"), UserTenantID: q.id("user_tenant_id"),
		})
		return each(found, func(r rows.GroupInvitation) GroupInvitation { return GroupInvitation(r) }), err
	})
