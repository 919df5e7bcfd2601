package domain

import (
	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// EventConsumed says that an app has handled an event. It is said once: who says it again learns so.
type EventConsumed struct {
	Consumption ConsumptionID `json:"consumption"`
	App         App           `json:"app"`
	Event       uuid.UUID     `json:"event"`
}

// CheckpointCommitted says that all that a pull endpoint means up to a place was handled. A place earlier than the one before counts
// only where the consumer goes back.
type CheckpointCommitted struct {
	Checkpoint CheckpointID `json:"checkpoint"`
	App        App          `json:"app"`
	Through    int64        `json:"through"`       // tenant_seq of the last event that was handled
	Back       bool         `json:"back,omitzero"` // whatever it was before
}

// Checkpoint is how far the consumer of a pull endpoint has come; the zero one where it has not said so.
type Checkpoint struct {
	Committed bool
	Through   int64 // tenant_seq
}

// After is what a checkpoint comes to when its consumer says so.
func (c Checkpoint) After(said CheckpointCommitted) Checkpoint {
	if said.Back || !c.Committed || said.Through > c.Through {
		return Checkpoint{true, said.Through}
	}
	return c
}

func (EventConsumed) EventType() string       { return "consumption.recorded" }
func (CheckpointCommitted) EventType() string { return "consumption.checkpointed" }

var (
	consumptionEvents = dcb.Kind("consumption", dcb.Of[EventConsumed]())
	checkpointEvents  = dcb.Kind("checkpoint", dcb.Of[CheckpointCommitted]())
)

// ConsumedBy is the id of the record that an app handled an event: there is one.
func ConsumedBy(t TenantID, app App, event uuid.UUID) ConsumptionID {
	return ConsumptionID{NamedID(t, "consumption", string(app)+"/"+event.String())}
}

// Consumed reports whether the app has said that it handled the event.
func Consumed(id ConsumptionID) *dcb.Fact[bool] {
	return dcb.Ask(false, tags(id), dcb.On(func(done *bool, _ EventConsumed) { *done = true })).Sole()
}
