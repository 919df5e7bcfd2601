package projections

import (
	"context"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// consumption: what apps say that they have handled. A checkpoint is one row, which goes forward unless its consumer goes back.
var consumption = feature{
	tables: []string{"event_consumption"},
	writes: []handler{
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.EventConsumed) error {
			return q.RecordConsumption(ctx, rows.RecordConsumptionParams{
				TenantID: m.Tenant, ID: e.Consumption.UUID, ConsumerAppID: string(e.App), EventID: &e.Event, ProcessedAt: m.At, Version: m.Position,
			})
		}),
		on(func(ctx context.Context, q *rows.Queries, m dcb.Meta, e domain.CheckpointCommitted) error {
			row := rows.AdvanceCheckpointParams{
				TenantID: m.Tenant, ID: e.Checkpoint.UUID, ConsumerAppID: string(e.App), Checkpoint: &e.Through, EndpointID: &e.Checkpoint.UUID,
				ProcessedAt: m.At, Version: m.Position,
			}
			if e.Back {
				return q.SetCheckpoint(ctx, rows.SetCheckpointParams(row))
			}
			return q.AdvanceCheckpoint(ctx, row)
		}),
	},
	objects: []object{
		about(func(e domain.EventConsumed) dcb.Tagger { return e.Consumption }),
		about(func(e domain.CheckpointCommitted) dcb.Tagger { return e.Checkpoint }),
	},
}
