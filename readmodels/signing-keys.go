package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// SigningKey is a key of a vendor, with its public part. One that was registered signs elsewhere.
type SigningKey rows.SigningKey

func (i *SigningKey) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var signingKeys = collection(
	Collection{
		Name: "signing-keys", Kind: "signing-key", Projector: core,
		Filters: []Filter{text("kid"), text("origin", "created", "registered"), text("status", "active", "retired", "revoked")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]SigningKey, error) {
		found, err := db.SigningKeys(ctx, rows.SigningKeysParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			Kid: q.text("kid"), Origin: q.text("origin"), Status: q.text("status"),
		})
		return each(found, func(r rows.SigningKey) SigningKey { return SigningKey(r) }), err
	})
