package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Erasure is a request to erase a user, and what became of it.
type Erasure rows.Erasure

func (i *Erasure) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var erasures = collection(
	Collection{
		Name: "erasures", Kind: "erasure", Projector: core,
		Filters: []Filter{id("user_id"), id("requested_by"), text("status", "requested", "cancelled", "done")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Erasure, error) {
		found, err := db.Erasures(ctx, rows.ErasuresParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			UserID: q.id("user_id"), RequestedBy: q.id("requested_by"), Status: q.text("status"),
		})
		return each(found, func(r rows.Erasure) Erasure { return Erasure(r) }), err
	})
