// Package eventlog is the append-only log: group commit, group read and gapless pages. It knows bytes and tags, never a feature.
package eventlog

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Log is one ledger's history. Two implementations pass one suite (logtest): PG and memlog.Log.
//
// Everything a Log returns is shared and MUST NOT be changed by the caller.
type Log interface {
	// Append commits one request, wholly or not at all, and says what became of it. An error means that the outcome is
	// unknown or that the request is malformed (ErrBadRequest); the same request may be sent again either way.
	Append(ctx context.Context, r Request) (Verdict, error)
	// Read returns the matching events in order and the head, seen in one snapshot: an event that matches and is missing
	// has a position above head.
	Read(ctx context.Context, q Query) (events []Raw, head int64, err error)
	// Receipts returns what is known about parts appended earlier; unknown ids are absent.
	Receipts(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Receipt, error)
	// Page returns at most limit events after a position, contiguous from after+1. A gap is ErrHole, never skipped.
	Page(ctx context.Context, after int64, limit int) ([]Raw, error)
	// Own returns at most limit events of Chancery itself after a position, and the position through which there are no others of
	// its own: events of apps stand there, which are counted and not read. A gap is ErrHole, never skipped. Where nothing
	// follows, through is after.
	Own(ctx context.Context, after int64, limit int) (page []Raw, through int64, err error)
	// Head returns the newest position, as of some moment after the call began; 0 for an empty log.
	Head(ctx context.Context) (int64, error)
}

// Raw is one event as stored. A writer leaves Position, TenantSeq, RequestID and CreatedAt zero; a zero ID is filled
// with a UUIDv7, a zero SourceApp with "core", a zero OccurredAt with CreatedAt.
type Raw struct {
	Position   int64
	ID         uuid.UUID
	Tenant     uuid.UUID
	TenantSeq  int64
	SourceApp  string
	Type       string
	Payload    []byte // JSON, stored to the byte
	Metadata   []byte // JSON, stored to the byte
	Tags       []string
	RequestID  uuid.UUID // id of the part that appended it
	OccurredAt time.Time
	CreatedAt  time.Time

	// Typed is the decoded event, where the writer had it: never stored, handed to OnAppend as it is.
	Typed any
}

// Item matches events that carry all of Tags and one of Types. No Types means any type; no Tags is ErrTooWide.
type Item struct{ Types, Tags []string }

// Matches reports whether an event satisfies the item.
func (i Item) Matches(e *Raw) bool {
	if len(i.Types) > 0 && !slices.Contains(i.Types, e.Type) {
		return false
	}
	for _, t := range i.Tags {
		if !slices.Contains(e.Tags, t) {
			return false
		}
	}
	return true
}

// Query matches events that satisfy any of its items; an empty query matches nothing.
type Query []Item

// Matches reports whether an event satisfies one of the items.
func (q Query) Matches(e *Raw) bool {
	return slices.ContainsFunc(q, func(i Item) bool { return i.Matches(e) })
}

// Condition fails if an event that matches Query stands at a position above After.
type Condition struct {
	Query Query
	After int64
}

// Part is one idempotent unit of a request; it covers the request's next Events events. It may cover none, so that a
// command which changed nothing is remembered too; its receipt then has First = Last+1.
type Part struct {
	ID          uuid.UUID
	Fingerprint []byte
	Events      int
}

// SubjectKey is a wrapped data key, stored in the transaction of the events that first need it.
type SubjectKey struct {
	Tenant, Subject uuid.UUID
	Wrapped         []byte
}

// Request is what one Append commits: all of it or nothing.
type Request struct {
	Parts      []Part // at least one; their Events add up to len(Events)
	Events     []Raw
	Conditions []Condition
	Keys       []SubjectKey
}

// Status is what became of a request. Where several apply, the first in this order is told: KeyReused or Duplicate (of
// the first known part), Conflict, TooEarly.
type Status uint8

// The verdicts.
const (
	Accepted  Status = iota
	Duplicate        // a part's id is known, with the same fingerprint: it was done before
	Conflict         // a condition failed, or another data key for one of Keys is already stored
	KeyReused        // a part's id is known, with another fingerprint
	TooEarly         // a given OccurredAt precedes its tenant's newest one, or lies in the future
)

// String names the status.
func (s Status) String() string {
	return [...]string{"accepted", "duplicate", "conflict", "key reused", "too early"}[s]
}

// Verdict is the answer to a request.
type Verdict struct {
	Status      Status
	Part        int   // Duplicate, KeyReused: which part is known
	First, Last int64 // Accepted: of the whole request; Duplicate: of the known part
	ConflictAt  int64 // Conflict: the first position that failed a condition; 0 where only a data key collided
	CreatedAt   time.Time
}

// Receipt is the stored memory of one part.
type Receipt struct {
	Fingerprint []byte
	First, Last int64
	CreatedAt   time.Time
}

// What a Log may refuse or find.
var (
	ErrTooWide    = errors.New("eventlog: a query item needs at least one tag")
	ErrBadRequest = errors.New("eventlog: malformed request")
	ErrRetiredKey = errors.New("eventlog: a new data key lies under a key-encryption key that is retired")
	ErrHole       = errors.New("eventlog: hole in the log")
	ErrClosed     = errors.New("eventlog: closed")
)
