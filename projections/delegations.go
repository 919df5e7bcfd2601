package projections

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// delegations: each tenant that one concerns has an event of its own, and by it a row.
var delegations = feature{
	tables: []string{"delegations"},
	writes: []handler{
		on(grantDelegation),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DelegationAccepted) error {
			return q.AcceptDelegation(ctx, rows.AcceptDelegationParams{TenantID: m.Tenant, ID: e.Delegation.UUID, At: &m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DelegationDeclined) error {
			return endDelegation(ctx, q, m, e.Delegation, "declined", e.Reason)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DelegationRevoked) error {
			return endDelegation(ctx, q, m, e.Delegation, "revoked", e.Reason)
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DelegationExpired) error {
			return endDelegation(ctx, q, m, e.Delegation, "expired", "")
		}),
	},
	objects: []object{
		about(func(e domain.DelegationGranted) dcb.Tagger { return e.Delegation }),
		about(func(e domain.DelegationAccepted) dcb.Tagger { return e.Delegation }),
		about(func(e domain.DelegationDeclined) dcb.Tagger { return e.Delegation }),
		about(func(e domain.DelegationRevoked) dcb.Tagger { return e.Delegation }),
		about(func(e domain.DelegationExpired) dcb.Tagger { return e.Delegation }),
	},
}

func grantDelegation(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.DelegationGranted) error {
	scope, err := json.Marshal(e.Bounds)
	if err != nil {
		return fmt.Errorf("encode the bounds: %w", err)
	}
	chain := make([]uuid.UUID, len(e.Chain))
	for i, id := range e.Chain {
		chain[i] = id.UUID
	}
	return q.GrantDelegation(ctx, rows.GrantDelegationParams{
		TenantID: m.Tenant, ID: e.Delegation.UUID, HomeTenantID: e.Tenant.UUID,
		GrantorUserID: e.Grantor.UUID, GrantorTenantID: e.GrantorTenant.UUID,
		DelegateUserID: e.Delegate.UUID, DelegateTenantID: e.DelegateTenant.UUID,
		ParentID: orNull(e.Parent.UUID), Chain: chain, ActionScope: scope, StartsAt: e.Window.From, EndsAt: e.Window.Until,
		Redelegations: int32(e.Redelegations), Reason: e.Reason, At: m.At, Version: m.Position,
	})
}

func endDelegation(ctx context.Context, q *rows.Queries, m dcb.Meta, id domain.DelegationID, status, reason string) error {
	return q.EndDelegation(ctx, rows.EndDelegationParams{
		TenantID: m.Tenant, ID: id.UUID, Status: status, EndReason: orNull(reason), At: &m.At, Version: m.Position,
	})
}
