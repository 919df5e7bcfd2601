package readmodels

import (
	"context"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Consumed is an event that an app has handled, or how far it has come with a pull endpoint.
type Consumed rows.EventConsumption

func (i *Consumed) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var consumption = collection(
	Collection{
		Name: "consumption", Projector: core,
		Filters: []Filter{text("consumer_app_id"), id("event_id"), id("endpoint_id")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Consumed, error) {
		found, err := db.Consumption(ctx, rows.ConsumptionParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			ConsumerAppID: q.text("consumer_app_id"), EventID: q.id("event_id"), EndpointID: q.id("endpoint_id"),
		})
		return each(found, func(r rows.EventConsumption) Consumed { return Consumed(r) }), err
	})
