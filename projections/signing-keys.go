package projections

import (
	"context"
	"encoding/json"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// signing-keys: public parts only. A key never goes.
var signingKeys = feature{
	tables: []string{"signing_keys"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SigningKeyCreated) error {
			return q.AddSigningKey(ctx, rows.AddSigningKeyParams{
				TenantID: m.Tenant, ID: e.Key.UUID, Kid: e.Kid, Jwk: json.RawMessage(e.Public), Origin: "created", At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SigningKeyRegistered) error {
			return q.AddSigningKey(ctx, rows.AddSigningKeyParams{
				TenantID: m.Tenant, ID: e.Key.UUID, Kid: e.Kid, Jwk: json.RawMessage(e.Public), Origin: "registered", At: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SigningKeyRetired) error {
			return q.RetireSigningKey(ctx, rows.RetireSigningKeyParams{
				TenantID: m.Tenant, ID: e.Key.UUID, Reason: e.Reason, At: timeOrNull(m.At), Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.SigningKeyRevoked) error {
			return q.RevokeSigningKey(ctx, rows.RevokeSigningKeyParams{
				TenantID: m.Tenant, ID: e.Key.UUID, Reason: e.Reason, At: timeOrNull(m.At), Version: m.Position,
			})
		}),
	},
	objects: []object{
		about(func(e domain.SigningKeyCreated) dcb.Tagger { return e.Key }),
		about(func(e domain.SigningKeyRegistered) dcb.Tagger { return e.Key }),
		about(func(e domain.SigningKeyRetired) dcb.Tagger { return e.Key }),
		about(func(e domain.SigningKeyRevoked) dcb.Tagger { return e.Key }),
	},
}
