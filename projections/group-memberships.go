package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// memberships: a row is one user in one group now; who left has none.
var memberships = feature{
	tables: []string{"group_memberships"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.MemberAdded) error {
			return q.AddMember(ctx, rows.AddMemberParams{
				TenantID: m.Tenant, ID: e.Membership.UUID, GroupID: e.Group.UUID, UserID: e.User.UUID,
				Role: string(e.Role), HomeTenantID: orNull(e.Home.UUID), InvitationID: orNull(e.Invitation.UUID), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.MemberRoleChanged) error {
			return q.SetMemberRole(ctx, rows.SetMemberRoleParams{
				TenantID: m.Tenant, ID: e.Membership.UUID, Role: string(e.Role), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.MemberRemoved) error {
			return q.RemoveMember(ctx, rows.RemoveMemberParams{TenantID: m.Tenant, ID: e.Membership.UUID, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.MemberAdded) dcb.Tagger { return e.Membership }),
		about(func(e domain.MemberRoleChanged) dcb.Tagger { return e.Membership }),
		about(func(e domain.MemberRemoved) dcb.Tagger { return e.Membership }),
	},
}
