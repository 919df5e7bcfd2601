package readmodels

import (
	"context"
	"fmt"

	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Endpoint is a way for events to an app, without its keys.
type Endpoint rows.EndpointsRow

func (i *Endpoint) key() (string, decimal.Int64) { return i.ID.String(), i.Version }

var endpoints = collection(
	Collection{
		Name: "endpoints", Kind: "endpoint", Projector: core,
		Filters: []Filter{text("app_id"), text("kind", "webhook", "pull"), text("status", "enabled", "disabled", "deleted")},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Endpoint, error) {
		found, err := db.Endpoints(ctx, rows.EndpointsParams{
			TenantID: q.tenant, After: q.afterID(), RowLimit: q.limit, ID: q.onlyID(),
			AppID: q.text("app_id"), Kind: q.text("kind"), Status: q.text("status"),
		})
		return each(found, func(r rows.EndpointsRow) Endpoint { return Endpoint(r) }), err
	})

// Webhook is an enabled webhook as whoever delivers needs it. Its keys are sealed.
type Webhook = rows.WebhooksRow

// Webhooks are all of every tenant. The pool MUST be that of the projectors' role.
func Webhooks(ctx context.Context, db rows.DBTX) ([]Webhook, error) {
	found, err := rows.New(db).Webhooks(ctx)
	if err != nil {
		return nil, fmt.Errorf("read webhooks: %w", err)
	}
	return found, nil
}
