package readmodels

import (
	"context"

	"chancery/domain"
	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Activation is a machine under a licence. One that ended still counts until checked_out_until.
type Activation rows.LicenseActivation

func (i *Activation) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var activations = collection(
	Collection{
		Name: "activations", Kind: "activation", Projector: core, Needs: domain.ActivationsRead,
		Filters: []Filter{id("license_id"), text("app"), text("status", "active", "checked-out", "ended")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Activation, error) {
		found, err := db.Activations(ctx, rows.ActivationsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			LicenseID: q.id("license_id"), App: q.text("app"), Status: q.text("status"),
		})
		return each(found, func(r rows.LicenseActivation) Activation { return Activation(r) }), err
	})
