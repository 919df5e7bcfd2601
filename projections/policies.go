package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// policies: a setting that went back to its default keeps its row.
var policies = feature{
	tables: []string{"tenant_policies"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.PolicySet) error {
			return q.SetPolicy(ctx, rows.SetPolicyParams{
				TenantID: m.Tenant, ID: e.Policy.UUID, Key: e.Key, Value: &e.Value,
				Revision: int64(e.Version), At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.PolicyReset) error {
			return q.ResetPolicy(ctx, rows.ResetPolicyParams{
				TenantID: m.Tenant, ID: e.Policy.UUID, Revision: int64(e.Version), At: m.At, Version: m.Position,
			})
		}),
	},
	objects: []object{
		about(func(e domain.PolicySet) dcb.Tagger { return e.Policy }),
		about(func(e domain.PolicyReset) dcb.Tagger { return e.Policy }),
	},
}
