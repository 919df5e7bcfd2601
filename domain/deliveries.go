package domain

import (
	"time"

	"github.com/google/uuid"
)

// DeliveryStatus is how far an event is on its way to an endpoint. Deliveries are no events: they are kept beside the log (ADR 0021).
type DeliveryStatus string

// The statuses.
const (
	DeliveryPending   DeliveryStatus = "pending"   // not attempted yet
	DeliveryWaiting   DeliveryStatus = "waiting"   // not attempted yet: an earlier one with the same key goes first
	DeliveryRetrying  DeliveryStatus = "retrying"  // attempted, to be attempted again
	DeliveryLeased    DeliveryStatus = "leased"    // handed out to a receiver who pulls
	DeliveryDelivered DeliveryStatus = "delivered" // the receiver said so
	DeliveryDead      DeliveryStatus = "dead"      // given up: a dead letter
)

// DeliverySchedule is how long after the attempt before it each attempt follows (Standard Webhooks 1.0.0, "Deliverability and reliability").
// After the last one an event is a dead letter.
var DeliverySchedule = []time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// GiveUpAfter is how long an endpoint may answer with nothing but failure before it is disabled.
const GiveUpAfter = 5 * 24 * time.Hour

// DeliveryID is the id of the delivery of an event to an endpoint.
func DeliveryID(e EndpointID, event uuid.UUID) uuid.UUID { return uuid.NewSHA1(e.UUID, event[:]) }
