package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// impersonations: one that is over keeps its row. No hash of a token is kept here.
var impersonations = feature{
	tables: []string{"impersonation_sessions"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ImpersonationRequested) error {
			minutes := int32(e.Minutes)
			return q.RequestImpersonation(ctx, rows.RequestImpersonationParams{
				TenantID: m.Tenant, ID: e.Impersonation.UUID, AdminUserID: e.Admin.UUID, AdminTenantID: e.AdminTenant.UUID, TargetUserID: e.Target.UUID,
				Reason: e.Reason, Reference: orNull(e.Reference), Minutes: &minutes, At: &m.At, ExpiresAt: e.ExpiresAt, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ImpersonationConsented) error {
			return q.ConsentToImpersonation(ctx, rows.ConsentToImpersonationParams{
				TenantID: m.Tenant, ID: e.Impersonation.UUID, ConsentedBy: &e.By.UUID, At: &m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ImpersonationRefused) error {
			return q.RefuseImpersonation(ctx, rows.RefuseImpersonationParams{
				TenantID: m.Tenant, ID: e.Impersonation.UUID, Reason: orNull(e.Reason), At: &m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ImpersonationStarted) error {
			return q.StartImpersonation(ctx, rows.StartImpersonationParams{
				TenantID: m.Tenant, ID: e.Impersonation.UUID, AdminUserID: e.Admin.UUID, AdminTenantID: e.AdminTenant.UUID, TargetUserID: e.Target.UUID,
				Scope: texts(e.Scopes), Reason: e.Reason, Reference: orNull(e.Reference), At: &m.At, ExpiresAt: e.ExpiresAt, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ImpersonationEnded) error {
			return q.EndImpersonation(ctx, rows.EndImpersonationParams{
				TenantID: m.Tenant, ID: e.Impersonation.UUID, Reason: orNull(e.Reason), At: &m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.ImpersonationExpired) error {
			return q.ExpireImpersonation(ctx, rows.ExpireImpersonationParams{TenantID: m.Tenant, ID: e.Impersonation.UUID, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.ImpersonationRequested) dcb.Tagger { return e.Impersonation }),
		about(func(e domain.ImpersonationConsented) dcb.Tagger { return e.Impersonation }),
		about(func(e domain.ImpersonationRefused) dcb.Tagger { return e.Impersonation }),
		about(func(e domain.ImpersonationStarted) dcb.Tagger { return e.Impersonation }),
		about(func(e domain.ImpersonationEnded) dcb.Tagger { return e.Impersonation }),
		about(func(e domain.ImpersonationExpired) dcb.Tagger { return e.Impersonation }),
	},
}
