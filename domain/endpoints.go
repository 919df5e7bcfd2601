package domain

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// EndpointCreated opens a way for events of the tenant to an app. They are those recorded after it, unless From says otherwise.
type EndpointCreated struct {
	Endpoint EndpointID    `json:"endpoint"`
	App      App           `json:"app"` // the consumer
	Kind     EndpointKind  `json:"kind"`
	Terms    EndpointTerms `json:"terms"`
	From     time.Time     `json:"from,omitzero"` // events recorded since then are meant too
	Pool     Key           `json:"pool,omitzero"` // of all endpoints of the app in the tenant; absent from those that are not counted
}

// EndpointChanged gives an endpoint other terms, and says all of them anew. What was attempted before stays with its own schedule.
type EndpointChanged struct {
	Endpoint EndpointID    `json:"endpoint"`
	Terms    EndpointTerms `json:"terms"`
}

// EndpointSecretRotated gives a webhook its next keys: one for HMAC-SHA256 (v1) and one for Ed25519 (v1a), sealed under a key of the
// version's own. Those before sign beside them until GraceUntil, and those before these until the instant that was said then; if there is
// no GraceUntil, none of them signs any longer.
type EndpointSecretRotated struct {
	Endpoint   EndpointID       `json:"endpoint"`
	Version    EndpointSecretID `json:"version"`
	Number     int              `json:"number"`     // of the version, from 1
	Value      dcb.Sealed       `json:"value"`      // whsec_ and base64
	Private    dcb.Sealed       `json:"private"`    // whsk_ and the base64 of the Ed25519 seed
	Public     string           `json:"public_key"` // whpk_ and base64
	Previous   EndpointSecretID `json:"previous,omitzero"`
	GraceUntil time.Time        `json:"grace_until,omitzero"` // until when the previous version signs too; absent: no longer
}

// EndpointEnabled has a disabled endpoint go on: with what came meanwhile, or without.
type EndpointEnabled struct {
	Endpoint EndpointID `json:"endpoint"`
	Skips    bool       `json:"skips,omitzero"` // what came meanwhile is not delivered
}

// EndpointDisabled stops an endpoint. What is pending waits.
type EndpointDisabled struct {
	Endpoint     EndpointID  `json:"endpoint"`
	Why          EndpointEnd `json:"why"`
	Reason       string      `json:"reason,omitzero"`        // in the words of whoever did it
	FailingSince time.Time   `json:"failing_since,omitzero"` // nothing was delivered since
	NotBefore    time.Time   `json:"not_before,omitzero"`    // it cannot be enabled earlier
}

// EndpointSecretDestroyed destroys the key under which a version of a webhook's keys is sealed: nobody opens them any more, from backups
// of the log neither. They sign no longer by then.
type EndpointSecretDestroyed struct {
	Endpoint EndpointID       `json:"endpoint"`
	Version  EndpointSecretID `json:"version"`
	Number   int              `json:"number"`
	Erases   EndpointSecretID `json:"erases"` // the version again, for the database, which destroys the key
}

// EndpointDeleted ends an endpoint for good. What is pending is not delivered; what was attempted stays on record. Its keys are destroyed
// right after it.
type EndpointDeleted struct {
	Endpoint EndpointID `json:"endpoint"`
	Pool     Key        `json:"pool,omitzero"` // that it was counted in
}

// EndpointTested is a test event: it goes to this endpoint alone, whatever the endpoint asks for.
type EndpointTested struct {
	Endpoint EndpointID `json:"endpoint"`
	Message  string     `json:"message,omitzero"`
}

// EndpointSecretRevealed says that the keys of a webhook were about to be told to whoever the metadata name. It changes nothing, so it does
// not carry the endpoint's own tag.
type EndpointSecretRevealed struct {
	Endpoint EndpointReading  `json:"endpoint"`
	Version  EndpointSecretID `json:"version"`
	Number   int              `json:"number"`
	Purpose  string           `json:"purpose,omitzero"` // why, in the caller's words
}

// EndpointReading is the id of an endpoint as something whose keys are told; see EndpointSecretRevealed.
type EndpointReading EndpointID

// Tag is not the endpoint's own.
func (r EndpointReading) Tag() dcb.Tag { return tagged("endpoint-reading", r.UUID) }

// RedeliveryRequested has events delivered anew that were attempted before: one, those of a span of time, or all dead letters.
type RedeliveryRequested struct {
	Endpoint EndpointID `json:"endpoint"`
	Event    uuid.UUID  `json:"event,omitzero"`
	From     time.Time  `json:"from,omitzero"` // of the events' recording
	Until    time.Time  `json:"until,omitzero"`
	Failed   bool       `json:"failed,omitzero"` // dead letters only
}

func (EndpointCreated) EventType() string         { return "endpoint.created" }
func (EndpointChanged) EventType() string         { return "endpoint.changed" }
func (EndpointSecretRotated) EventType() string   { return "endpoint.secret-rotated" }
func (EndpointSecretDestroyed) EventType() string { return "endpoint.secret-destroyed" }
func (EndpointEnabled) EventType() string         { return "endpoint.enabled" }
func (EndpointDisabled) EventType() string        { return "endpoint.disabled" }
func (EndpointDeleted) EventType() string         { return "endpoint.deleted" }
func (EndpointTested) EventType() string          { return "endpoint.tested" }
func (EndpointSecretRevealed) EventType() string  { return "endpoint.secret-revealed" }
func (RedeliveryRequested) EventType() string     { return "endpoint.redelivery-requested" }

// DataSubject is the version of the keys.
func (e EndpointSecretRotated) DataSubject() uuid.UUID { return e.Version.UUID }

// BeginsSubject says that the version's data key is made here.
func (EndpointSecretRotated) BeginsSubject() {}

// ErasesSubject is the version, whose data key is destroyed.
func (e EndpointSecretDestroyed) ErasesSubject() uuid.UUID { return e.Erases.UUID }

var (
	endpointEvents = dcb.Kind("endpoint",
		dcb.Of[EndpointCreated](), dcb.Of[EndpointChanged](), dcb.Of[EndpointSecretRotated](), dcb.Of[EndpointEnabled](), dcb.Of[EndpointDisabled](),
		dcb.Of[EndpointDeleted](), dcb.Of[EndpointTested](), dcb.Of[RedeliveryRequested](), dcb.Of[EndpointSecretDestroyed]())
	endpointReadingEvents = dcb.Kind("endpoint-reading", dcb.Of[EndpointSecretRevealed]())
)

var (
	ErrEndpointUnknown  = &Refusal{Missing, "not-found", "there is no such endpoint here"}
	ErrEndpointCooling  = refuse("endpoint-cooling-down", "the endpoint was disabled a short while ago; it can be enabled again later")
	ErrEndpointDisabled = refuse("endpoint-disabled", "the endpoint is disabled")
	ErrEndpointKeys     = refuse("endpoint-keys-overlap", "as many keys of the endpoint as there may be sign beside the newest ones; grace_hours 0 ends them all")
	ErrEndpointsTooMany = refuse("endpoints-too-many", "the app has as many endpoints in the tenant as it may have")
	ErrEndpointKind     = refuse("endpoint-kind", "that is nothing for an endpoint of this kind")
	ErrNothingToDeliver = refuse("nothing-to-deliver", "the endpoint has no delivery of this event: it does not ask for it or may not have it, the event came before the endpoint or was skipped, or the delivery is forgotten")
	ErrTypesNotAllowed  = refuse("event-types-not-allowed", "the app's manifest, or the tenant's policy, does not let it have events of these types")
)

// EndpointKind is how events come to the app.
type EndpointKind string

// The kinds of endpoints.
const (
	Webhook EndpointKind = "webhook" // they are sent to its URL
	Pull    EndpointKind = "pull"    // it comes for them
)

// EndpointEnd is why an endpoint was disabled.
type EndpointEnd string

// The reasons.
const (
	DisabledByHand EndpointEnd = "by-hand"
	DisabledGone   EndpointEnd = "gone"    // the receiver answered 410
	DisabledFailed EndpointEnd = "failing" // nothing but failure for days
)

// BodyKind is how much of an event is sent.
type BodyKind string

// The kinds of bodies.
const (
	Thin BodyKind = "thin" // a CloudEvent without data: what was carried away cannot be erased
	Full BodyKind = "full" // a CloudEvent with its data
)

// EndpointTerms is what an endpoint asks for, and how it wants to have it.
type EndpointTerms struct {
	Description string         `json:"description,omitzero"`
	Types       []EventPattern `json:"types"`
	Filter      string         `json:"filter,omitzero"` // CEL; true of the events that are meant
	URL         string         `json:"url,omitzero"`    // of a webhook
	Body        BodyKind       `json:"body"`
	OrderBy     string         `json:"order_by,omitzero"`      // of a webhook: subject, or a JSON pointer (RFC 6901) into the data; events alike in it arrive in order
	Concurrency int            `json:"concurrency,omitzero"`   // of a webhook: the most requests at once
	PerSecond   int            `json:"per_second,omitzero"`    // of a webhook: the most requests in a second; 0 for no bound
	Lease       int            `json:"lease_seconds,omitzero"` // of a pull endpoint: how long a receiver has to handle an event
	Attempts    int            `json:"max_attempts,omitzero"`  // of a pull endpoint: how often an event is handed out before it is a dead letter
}

// The bounds and defaults of terms.
const (
	MostTypes          = 50
	MaxFilter          = 1000 // bytes
	MaxURL             = 2000 // bytes
	MostConcurrency    = 100
	DefaultConcurrency = 10
	MostPerSecond      = 10_000
	DefaultLease       = 30
	MostLease          = 12 * 60 * 60
	DefaultAttempts    = 10
	MostAttempts       = 1000

	SecretOverlap  = 24 * time.Hour     // for which the keys before sign beside those after a rotation, unless it says otherwise
	LongestOverlap = 7 * 24 * time.Hour // that it can say
	MostOverlap    = 5                  // versions of keys beside the newest: each makes the header longer
	CoolDown       = time.Hour          // after Chancery itself disabled an endpoint
)

// MostEndpoints is how many an app may have in a tenant that are not deleted.
const MostEndpoints = 2000

// EndpointPool is all endpoints of an app in a tenant. Whatever is created or deleted of it carries its tag.
func EndpointPool(t TenantID, app App) Key { return Key("endpoints:" + t.String() + "/" + string(app)) }

// EndpointState is what decisions need to know of an endpoint.
type EndpointState struct {
	Exists    bool // and was not deleted
	App       App
	Kind      EndpointKind
	Terms     EndpointTerms
	Disabled  bool
	Why       EndpointEnd
	NotBefore time.Time
	EnabledAt time.Time      // when it was last enabled again; zero: never
	Pool      Key            // that it is counted in; empty: it is not
	Keys      EndpointKeys   // the newest
	Before    []EndpointKeys // those before it that were not destroyed, the oldest first
}

// EndpointKeys are a version of the keys of a webhook.
type EndpointKeys struct {
	Version        EndpointSecretID
	Number         int
	Value, Private dcb.Sealed
	Until          time.Time // those that were replaced sign no longer; zero: as soon as they were
}

// Overlap are the keys that sign beside the newest ones, the oldest first.
func (s EndpointState) Overlap(now time.Time) []EndpointKeys {
	return slices.DeleteFunc(slices.Clone(s.Before), func(k EndpointKeys) bool { return !now.Before(k.Until) })
}

// Over are those that do not, and were not destroyed.
func (s EndpointState) Over(now time.Time) []EndpointKeys {
	return slices.DeleteFunc(slices.Clone(s.Before), func(k EndpointKeys) bool { return now.Before(k.Until) })
}

// Rotate gives it its next keys. It changes nothing that a copy of the state has.
func (s *EndpointState) Rotate(e EndpointSecretRotated) {
	s.Before = slices.Clone(s.Before)
	if s.Keys.Number > 0 {
		s.Keys.Until = e.GraceUntil
		s.Before = append(s.Before, s.Keys)
	}
	for i := range s.Before {
		if e.GraceUntil.IsZero() {
			s.Before[i].Until = time.Time{}
		}
	}
	s.Keys = EndpointKeys{Version: e.Version, Number: e.Number, Value: e.Value, Private: e.Private}
}

// destroy leaves the newest keys where they are, empty: they may be gone only where the endpoint is.
func (s *EndpointState) destroy(e EndpointSecretDestroyed) {
	s.Before = slices.DeleteFunc(slices.Clone(s.Before), func(k EndpointKeys) bool { return k.Version == e.Version })
}

// EndpointOf is an endpoint of the tenant.
func EndpointOf(id EndpointID) *dcb.Fact[EndpointState] {
	return dcb.Ask(EndpointState{}, tags(id),
		dcb.On(func(s *EndpointState, e EndpointCreated) {
			*s = EndpointState{Exists: true, App: e.App, Kind: e.Kind, Terms: e.Terms, Pool: e.Pool}
		}),
		dcb.On(func(s *EndpointState, e EndpointChanged) { s.Terms = e.Terms }),
		dcb.On((*EndpointState).Rotate),
		dcb.On((*EndpointState).destroy),
		dcb.OnMeta(func(s *EndpointState, _ EndpointEnabled, m dcb.Meta) {
			s.Disabled, s.Why, s.NotBefore, s.EnabledAt = false, "", time.Time{}, m.At
		}),
		dcb.On(func(s *EndpointState, e EndpointDisabled) { s.Disabled, s.Why, s.NotBefore = true, e.Why, e.NotBefore }),
		dcb.On(func(s *EndpointState, _ EndpointDeleted) { s.Exists = false }),
	)
}

// EndpointSecretValue is the secret of a version of the keys; nothing if it was destroyed.
func EndpointSecretValue(id EndpointSecretID) *dcb.Fact[dcb.Sealed] {
	return dcb.Ask(dcb.Sealed{}, tags(id), dcb.On(func(v *dcb.Sealed, e EndpointSecretRotated) {
		if e.Version == id { // it also names the version before it
			*v = e.Value
		}
	}), dcb.On(func(v *dcb.Sealed, _ EndpointSecretDestroyed) { *v = dcb.Sealed{} }))
}
