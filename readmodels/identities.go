package readmodels

import (
	"context"

	"github.com/google/uuid"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Identity is who a user is to an outside issuer, personal columns opened.
type Identity rows.IdentitiesRow

func (i *Identity) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

func (i *Identity) personal() (uuid.UUID, []column) {
	return i.UserID, []column{{"subject", &i.Subject}}
}

var identities = collection(
	Collection{
		Name: "identities", Kind: "identity", Projector: core,
		Filters: []Filter{id("user_id"), text("issuer"), text("status", "linked", "unlinked")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Identity, error) {
		found, err := db.Identities(ctx, rows.IdentitiesParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			UserID: q.id("user_id"), Issuer: q.text("issuer"), Status: q.text("status"),
		})
		return each(found, func(r rows.IdentitiesRow) Identity { return Identity(r) }), err
	})
