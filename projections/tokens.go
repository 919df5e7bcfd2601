package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// tokens: an ended token keeps its row. One that is over by its time is so before the event says it.
var tokens = feature{
	tables: []string{"api_tokens"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TokenIssued) error {
			return q.IssueToken(ctx, rows.IssueTokenParams{
				TenantID: m.Tenant, ID: e.Token.UUID, UserID: e.User.UUID, Name: e.Name, Prefix: e.Prefix,
				TokenHash: e.Hash, Scopes: texts(e.Scopes), ExpiresAt: e.ExpiresAt, At: m.At,
				AppID: orNull(string(e.App)), Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TokenRotated) error {
			return q.RotateToken(ctx, rows.RotateTokenParams{
				TenantID: m.Tenant, ID: e.Token.UUID, TokenHash: e.Hash, ExpiresAt: e.ExpiresAt, At: &m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TokenRevoked) error {
			return q.RevokeToken(ctx, rows.RevokeTokenParams{TenantID: m.Tenant, ID: e.Token.UUID, At: &m.At, Version: m.Position})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.TokenExpired) error {
			return q.ExpireToken(ctx, rows.ExpireTokenParams{TenantID: m.Tenant, ID: e.Token.UUID, Version: m.Position})
		}),
	},
	objects: []object{
		about(func(e domain.TokenIssued) dcb.Tagger { return e.Token }),
		about(func(e domain.TokenRotated) dcb.Tagger { return e.Token }),
		about(func(e domain.TokenRevoked) dcb.Tagger { return e.Token }),
		about(func(e domain.TokenExpired) dcb.Tagger { return e.Token }),
	},
}

// texts is never nil: the column takes no NULL.
func texts(ps []domain.Pattern) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = string(p)
	}
	return out
}
