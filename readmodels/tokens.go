package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Token is an API token, without its hash.
type Token rows.TokensRow

func (i *Token) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var tokens = collection(
	Collection{
		Name: "tokens", Kind: "token", Projector: core,
		Filters: []Filter{id("user_id"), text("name"), text("prefix"), text("app_id"), text("status", "active", "revoked", "expired")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Token, error) {
		found, err := db.Tokens(ctx, rows.TokensParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			UserID: q.id("user_id"), Name: q.text("name"), Prefix: q.text("prefix"), AppID: q.text("app_id"), Status: q.text("status"),
		})
		return each(found, func(r rows.TokensRow) Token { return Token(r) }), err
	})
