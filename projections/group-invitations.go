package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// invitations: a row in each of the two tenants that one concerns, and it stays. Who is in a group now is in group_memberships.
var invitations = feature{
	tables: []string{"group_invitations"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.InvitationSent) error {
			return q.SendInvitation(ctx, rows.SendInvitationParams{
				TenantID: m.Tenant, ID: e.Invitation.UUID, GroupID: e.Group.UUID, GroupTenantID: e.GroupTenant.UUID,
				UserID: e.User.UUID, UserTenantID: e.UserTenant.UUID, Role: string(e.Role), Message: e.Message,
				At: m.At, ExpiresAt: e.ExpiresAt, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.InvitationAccepted) error {
			return q.AcceptInvitation(ctx, rows.AcceptInvitationParams{
				TenantID: m.Tenant, ID: e.Invitation.UUID, MembershipID: orNull(e.Membership.UUID), At: &m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.InvitationDeclined) error {
			return q.DeclineInvitation(ctx, rows.DeclineInvitationParams{
				TenantID: m.Tenant, ID: e.Invitation.UUID, At: &m.At, Reason: e.Reason, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.InvitationWithdrawn) error {
			return endInvitation(ctx, q, m, e.Invitation, "withdrawn", e.Reason)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.InvitationExpired) error {
			return endInvitation(ctx, q, m, e.Invitation, "expired", "")
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.OutsideMembershipEnded) error {
			return endInvitation(ctx, q, m, e.Invitation, "ended", e.Reason)
		}),
	},
	objects: []object{
		about(func(e domain.InvitationSent) dcb.Tagger { return e.Invitation }),
		about(func(e domain.InvitationAccepted) dcb.Tagger { return e.Invitation }),
		about(func(e domain.InvitationDeclined) dcb.Tagger { return e.Invitation }),
		about(func(e domain.InvitationWithdrawn) dcb.Tagger { return e.Invitation }),
		about(func(e domain.InvitationExpired) dcb.Tagger { return e.Invitation }),
		about(func(e domain.OutsideMembershipEnded) dcb.Tagger { return e.Invitation }),
	},
}

func endInvitation(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.InvitationID, status, reason string) error {
	return q.EndInvitation(ctx, rows.EndInvitationParams{
		TenantID: m.Tenant, ID: id.UUID, Status: status, Reason: reason, At: &m.At, Version: m.Position,
	})
}
