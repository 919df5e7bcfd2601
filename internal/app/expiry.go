package app

import (
	"context"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/due"
)

// expiries are the watches for what is over by its time. The event only says so: whoever asks before it is written, or while
// nothing runs that would write it, is answered by the time itself.
func (a *App) expiries() []due.Watch {
	return []due.Watch{
		a.expiry("api_tokens", "expires_at", "status = 'active'", "expire-token",
			func(id uuid.UUID) commands.Command { return commands.ExpireToken{ID: domain.TokenID{UUID: id}} }),
		a.expiry("sessions", "expires_at", "status = 'active'", "expire-session",
			func(id uuid.UUID) commands.Command { return commands.ExpireSession{ID: domain.SessionID{UUID: id}} }),
		a.expiry("assignments", "valid_until", "status = 'active'", "expire-assignment",
			func(id uuid.UUID) commands.Command {
				return commands.ExpireAssignment{ID: domain.AssignmentID{UUID: id}}
			}),
		a.expiry("policy_overrides", "expires_at", "status = 'active'", "expire-override",
			func(id uuid.UUID) commands.Command { return commands.ExpireOverride{ID: domain.OverrideID{UUID: id}} }),
		a.expiry("links", "expires_at", "status IN ('issued', 'mailed', 'undeliverable')", "expire-link",
			func(id uuid.UUID) commands.Command { return commands.ExpireLink{ID: domain.LinkID{UUID: id}} }),
		a.expiry("delegations", "ends_at", "home_tenant_id = tenant_id AND status IN ('offered', 'accepted')", "expire-delegation",
			func(id uuid.UUID) commands.Command {
				return commands.ExpireDelegation{ID: domain.DelegationID{UUID: id}}
			}),
		a.expiry("impersonation_sessions", "expires_at", "status IN ('requested', 'consented', 'active')", "expire-impersonation",
			func(id uuid.UUID) commands.Command {
				return commands.ExpireImpersonation{ID: domain.ImpersonationID{UUID: id}}
			}),
		a.expiry("group_invitations", "expires_at", "group_tenant_id = tenant_id AND status = 'open'", "expire-invitation",
			func(id uuid.UUID) commands.Command {
				return commands.ExpireInvitation{ID: domain.InvitationID{UUID: id}}
			}),
		a.expiry("approvals", "expires_at", "status = 'pending'", "expire-approval",
			func(id uuid.UUID) commands.Command { return commands.ExpireApproval{ID: domain.ApprovalID{UUID: id}} }),
		a.expiry("reviews", "due_at", "status = 'open'", "finish-review",
			func(id uuid.UUID) commands.Command { return commands.FinishReview{ID: domain.ReviewID{UUID: id}} }),
		a.expiry("license_seats", "expires_at", "status = 'taken'", "lapse-seat",
			func(id uuid.UUID) commands.Command { return commands.LapseSeat{ID: domain.SeatID{UUID: id}} }),
		a.expiry("licenses", "expires_at", "holder_tenant_id = tenant_id AND status <> 'revoked' AND expired_at IS DISTINCT FROM expires_at", "expire-license",
			func(id uuid.UUID) commands.Command { return commands.ExpireLicense{ID: domain.LicenseID{UUID: id}} }),
		a.expiry("licenses", "grace_until", "holder_tenant_id = tenant_id AND status <> 'revoked' AND ended_at IS DISTINCT FROM grace_until", "end-license",
			func(id uuid.UUID) commands.Command { return commands.EndLicense{ID: domain.LicenseID{UUID: id}} }),
	}
}

// expiry watches a column of a table. The command is decided in the tenant of the row, on the log, whatever the row says.
func (a *App) expiry(table, column, live, command string, of func(uuid.UUID) commands.Command) due.Watch {
	return due.Watch{
		Name:  "ends of " + table,
		Dates: due.Dates{Table: table, Column: column, Where: live},
		Do: func(ctx context.Context, things []due.Thing) []error {
			orders := make([]commands.Order, len(things))
			for i, t := range things {
				orders[i] = commands.SystemOrder(command, of(t.ID), domain.TenantID{UUID: t.Tenant}, dcb.Provenance{})
			}
			return a.orderAll(ctx, orders)
		},
	}
}
