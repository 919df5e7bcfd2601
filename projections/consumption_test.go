package projections_test

import (
	"testing"

	"chancery/domain"
	"chancery/projections"
)

const selectConsumption = "SELECT id, consumer_app_id, event_id, checkpoint, endpoint_id, processed_at, version FROM event_consumption ORDER BY id"

func committed(through int64, back bool) domain.CheckpointCommitted {
	return domain.CheckpointCommitted{Checkpoint: domain.CheckpointID{UUID: uid(0x71, 1)}, App: "stock", Through: through, Back: back}
}

func TestWhatAnAppHandledIsShownOnce(t *testing.T) {
	e := domain.EventConsumed{Consumption: domain.ConsumptionID{UUID: uid(0x70, 1)}, App: "stock", Event: uid(0x42, 1)}
	given(e).expect(t, projections.Core, selectConsumption, "7001 stock 4201 - - 08:01 1")
}

func TestACheckpointGoesForwardUnlessItsConsumerGoesBack(t *testing.T) {
	given(committed(5, false), committed(9, false)).expect(t, projections.Core, selectConsumption, "7101 stock - 9 7101 08:02 2")
	given(committed(5, false), committed(9, false), committed(7, false)).expect(t, projections.Core, selectConsumption, "7101 stock - 9 7101 08:02 2")
	given(committed(9, false), committed(7, true)).expect(t, projections.Core, selectConsumption, "7101 stock - 7 7101 08:02 2")
	given(committed(9, false), committed(0, true), committed(3, false)).expect(t, projections.Core, selectConsumption, "7101 stock - 3 7101 08:03 3")
}
