package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Constraint separates duties: roles that exclude one another, a role that few may have, or roles that need another one.
type Constraint rows.Constraint

func (i *Constraint) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var constraints = collection(
	Collection{
		Name: "constraints", Kind: "constraint", Projector: core,
		Filters: []Filter{text("kind", "exclusive", "cardinality", "prerequisite"), text("status", "active", "removed")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Constraint, error) {
		found, err := db.Constraints(ctx, rows.ConstraintsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(), Kind: q.text("kind"), Status: q.text("status"),
		})
		return each(found, func(r rows.Constraint) Constraint { return Constraint(r) }), err
	})
