// Package dcb is the vocabulary of the system: events, tags, facts and decisions.
// It is pure: it never reads a clock, a database or the network.
//
// The pattern is the Dynamic Consistency Boundary (https://dcb.events): a decision names the
// facts it rests on, and is appended only if no event that could change them has come since.
package dcb

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

type (
	// Tag names a thing that an event concerns, as kind:value. A tag that begins with ~ holds personal
	// data; it exists only inside a decision, and the log stores a keyed hash in its place.
	Tag string

	// Tagger is anything that knows its tag; the empty tag means none.
	Tagger interface{ Tag() Tag }

	// Event is something that happened. EventType is its stored name, for ever.
	Event interface{ EventType() string }

	// Subjected is an event with personal or sealed fields: they are sealed under the key of its subject.
	Subjected interface {
		Event
		DataSubject() uuid.UUID
	}

	// Beginning is the event that first speaks of its data subject: the subject's key is made with it.
	Beginning interface {
		Subjected
		BeginsSubject()
	}

	// Erasing is an event that destroys the key of a data subject of its tenant: what was sealed under it is gone for good.
	// The database does it with the event itself (migration 00030), so the payload MUST name the subject as "erases".
	Erasing interface {
		Event
		ErasesSubject() uuid.UUID
	}

	// Homed is an event that belongs to a tenant other than the one in which it was decided.
	Homed interface {
		Event
		Home() uuid.UUID
	}

	// Foreign is an event that an app published: its type and its payload are the app's own words, and the payload is kept to the
	// byte. It carries no tag, so no decision ever rests on it.
	Foreign interface {
		Event
		PublishedBy() string // the app; never Core
		Data() []byte        // the payload, JSON
		Envelope() []byte    // what the app said about it, JSON; stored in Provenance.Envelope
	}

	// Unread stands for a Foreign event whose data was not read: projectors write nothing of what apps say. It is no Foreign itself, so
	// that nobody takes what was left out for what is empty.
	Unread struct{ App, Type string }

	// Placed is an event that a decision puts into the log of a tenant other than its own. It exists between a decision and
	// the log alone: what is stored is the event.
	Placed struct {
		Event
		Tenant uuid.UUID
	}
)

// EventType is the app's own.
func (u Unread) EventType() string { return u.Type }

// PublishedBy is the app.
func (u Unread) PublishedBy() string { return u.App }

// Core is the source of Chancery's own events; all others are Foreign.
const Core = "core"

// In places an event in a tenant.
func In(tenant uuid.UUID, e Event) Event { return Placed{e, tenant} }

// Place is the event and the tenant in which it belongs, where it was decided in another.
func Place(e Event, decided uuid.UUID) (Event, uuid.UUID) {
	if p, ok := e.(Placed); ok {
		return p.Event, p.Tenant
	}
	if far, ok := e.(Homed); ok {
		return e, far.Home()
	}
	return e, decided
}

// Provenance says who caused an event, on whose behalf and by what. It is stored as the event's metadata.
type Provenance struct {
	Actor         uuid.UUID   `json:"actor,omitzero"`         // who did it
	Effective     uuid.UUID   `json:"effective,omitzero"`     // with whose rights; the actor's own unless delegated or impersonating
	ActorTenant   uuid.UUID   `json:"actor_tenant,omitzero"`  // the tenant the actor belongs to
	Token         uuid.UUID   `json:"token,omitzero"`         // the API token that authenticated the request
	Delegation    uuid.UUID   `json:"delegation,omitzero"`    // the delegation acted under
	Chain         []uuid.UUID `json:"chain,omitzero"`         // all delegations that it rests on, from the first one down to it
	Impersonation uuid.UUID   `json:"impersonation,omitzero"` // the impersonation session acted in
	Command       string      `json:"command,omitzero"`       // the command that decided it
	Target        uuid.UUID   `json:"target,omitzero"`        // the thing created or changed by the command
	Correlation   string      `json:"correlation,omitzero"`   // the caller's X-Request-ID, or one of ours
	Session       uuid.UUID   `json:"session,omitzero"`       // the session that authenticated the request
	App           string      `json:"app,omitzero"`           // the app for which the token speaks
	Causation     uuid.UUID   `json:"causation,omitzero"`     // the event that this one is a reaction to
	IP            Personal    `json:"ip,omitzero"`            // where the request came from; sealed under the actor's key
	Agent         Personal    `json:"user_agent,omitzero"`    // by what program it came; sealed likewise

	Envelope jsontext.Value `json:"cloudevent,omitzero"` // of a Foreign event: what its app said about it; else absent
}

// Meta is the envelope of a stored event.
type Meta struct {
	Position   int64 // gapless from 1 in the ledger
	ID         uuid.UUID
	Tenant     uuid.UUID
	TenantSeq  int64 // gapless from 1 in the tenant
	SourceApp  string
	Request    uuid.UUID
	At         time.Time // when it happened; differs from RecordedAt only for imported history
	RecordedAt time.Time // when it was appended
	Provenance
}

// Recorded is an event as read from the log. Tags are those stored, personal ones as hashes.
type Recorded struct {
	Meta
	Event Event
	Tags  []Tag
}

// Item matches events of any of Types (no types: of every type) that carry all of Tags.
type Item struct {
	Types []string
	Tags  []Tag
}

// Query matches what any of its items matches.
type Query []Item

// Condition fails an append if an event matching Query stands at a position after After.
type Condition struct {
	Query Query
	After int64
}

// Pending is a decided event on its way to the log.
type Pending struct {
	Tenant     uuid.UUID
	Event      Event
	At         time.Time // zero: when it is recorded
	Provenance Provenance
}

// Part is one idempotent unit of an append: its id is the request id, Fingerprint tells the same
// request from another one under the same id.
type Part struct {
	ID          uuid.UUID
	Fingerprint []byte
	Events      []Pending
}

// Receipt tells what a request id became.
type Receipt struct {
	Fingerprint []byte
	First, Last int64
	RecordedAt  time.Time
}

// Store is the log as decisions see it.
type Store interface {
	// Read returns the events matching q in order, and the head of the log, from one snapshot.
	// Fields named by open are decrypted; others stay sealed.
	Read(ctx context.Context, q Query, open Clear) ([]Recorded, int64, error)

	// Append stores all events of all parts, or nothing. It returns the receipt of each part.
	// Errors: ErrConflict, *DuplicateError, ErrKeyReused, ErrTooEarly, ErrBadData, ErrErased; anything else is a fault.
	Append(ctx context.Context, parts []Part, conditions []Condition) ([]Receipt, []Recorded, error)

	// Receipts looks request ids up; unknown ones are absent.
	Receipts(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Receipt, error)

	// Range returns the events from first to last, both included.
	Range(ctx context.Context, first, last int64) ([]Recorded, error)

	// Claim is the stored form of a tag: personal tags become keyed hashes of the tenant.
	Claim(tenant uuid.UUID, t Tag) Tag
}

var (
	// ErrConflict says that history moved: read again and decide again.
	ErrConflict = errors.New("history moved under the decision")
	// ErrKeyReused says that a request id is known with another fingerprint.
	ErrKeyReused = errors.New("the request id was used for another request")
	// ErrTooEarly says that an event's time precedes its tenant's newest event, or lies in the future.
	ErrTooEarly = errors.New("the given time precedes the newest event of the tenant or lies in the future")
	// ErrBadData says that the database cannot store what an event holds.
	ErrBadData = errors.New("the event cannot be stored")
	// ErrErased says that an event is to be sealed for a data subject who was erased. Who decides again sees the erasure.
	ErrErased = errors.New("the data subject was erased")
)

// DuplicateError says that a part was appended before.
type DuplicateError struct {
	Part    int
	Receipt Receipt
}

func (e *DuplicateError) Error() string { return "the request was answered before" }
