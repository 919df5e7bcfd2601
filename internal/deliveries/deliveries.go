// Package deliveries brings events of the log to endpoints that want them sent: at least once, in their own time, whatever others do.
// It knows no feature, and writes nothing but the tables of migration 00060.
package deliveries

import (
	"time"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// Endpoint is where events of a tenant are sent to, and which.
type Endpoint struct {
	Tenant, ID  uuid.UUID
	Version     int64  // grows when anything of it changes
	App         string // the consumer
	URL         string
	Full        bool   // the data goes with it
	OrderBy     string // subject, or a JSON pointer into the data; empty: order is no matter
	Concurrency int    // the most requests at once
	PerSecond   int    // the most requests in a second; 0 for no bound
	Keys        []Keys // to sign with, the newest first; more than one after a rotation

	StartsAfter    int64     // tenant_seq; what was recorded by then is not meant
	From           time.Time // unless it was recorded since then; zero: none is
	SkippedThrough int64     // tenant_seq; what is pending up to it is not meant any more

	// Means reports whether an event of its tenant is meant. It MUST be quick, and safe for concurrent use.
	Means func(*eventlog.Raw) bool
	// Permits reports whether an event may be sent, whether it is asked for or not: right before each attempt, for that may be days after it
	// was meant. Nobody asks it about the data, which the event may lack. As quick and safe as Means.
	Permits func(*eventlog.Raw) bool
	// Open reports whether it may be sent anything now; what it means waits meanwhile.
	Open func(now time.Time) bool
}

// Keys sign what is sent (Standard Webhooks 1.0.0).
type Keys struct {
	Secret  string    // whsec_
	Private string    // whsk_
	Until   time.Time // they sign no longer; zero: for no known time
}

// Item is an event on its way to an endpoint.
type Item struct {
	Event    eventlog.Raw
	Sequence int64 // of the delivery within the endpoint, from 1; the same at every attempt
	Attempt  int   // from 1
}

// Outcome is what became of an attempt.
type Outcome struct {
	Delivered  bool
	Gone       bool          // the receiver wants nothing any more (410)
	Status     int           // of the answer; 0: there was none
	Err        string        // why it failed, in words that may be shown to the tenant; empty where it did not
	Answer     []byte        // the start of the answer's body
	RetryAfter time.Duration // at the earliest, as the receiver asked; 0: it did not
	Took       time.Duration
}
