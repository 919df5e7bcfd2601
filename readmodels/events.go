package readmodels

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/masks"
	"chancery/internal/vault"
	"chancery/readmodels/internal/decimal"
	"chancery/readmodels/internal/rows"
)

// Event is an event as the log has it. Personal fields of the payload are masked, except in the history of their own thing.
// From where the actor came is opened if they belong to the tenant, and else left out.
type Event struct {
	Position    decimal.Int64   `json:"position"`
	ID          uuid.UUID       `json:"id"`
	TenantID    uuid.UUID       `json:"tenant_id"`
	TenantSeq   decimal.Int64   `json:"tenant_seq"`
	SourceAppID string          `json:"source_app_id"`
	Type        string          `json:"type"`
	Payload     json.RawMessage `json:"payload"`
	Metadata    json.RawMessage `json:"metadata"`
	Tags        []string        `json:"tags"`
	OccurredAt  time.Time       `json:"occurred_at"`
	CreatedAt   time.Time       `json:"created_at"`

	opening bool          // the payload is to be opened
	from    uuid.UUID     // whose key opens the metadata; nil if there is nothing to open
	place   decimal.Int64 // within the list
}

// EventRef names an event.
type EventRef struct {
	Position Position
	ID       uuid.UUID
	Type     string
}

func (i *Event) key() (string, decimal.Int64) { return i.place.String(), i.Position }

func (i *Event) documents() (subject uuid.UUID, docs []*[]byte) {
	if i.opening {
		docs = append(docs, (*[]byte)(&i.Payload))
	}
	if i.from != uuid.Nil {
		docs = append(docs, (*[]byte)(&i.Metadata))
	}
	return i.from, docs
}

// acting is who caused an event, as its metadata have it.
type acting struct {
	User   uuid.UUID `json:"actor"`
	Tenant uuid.UUID `json:"actor_tenant"`
}

func actorIn(metadata []byte) (a acting) {
	_ = json.Unmarshal(metadata, &a) // of our own making; what cannot be read names nobody
	return a
}

var events = collection(
	Collection{
		Name: "events", Projector: theLog, place: byNumber,
		Filters: []Filter{text("type"), text("source_app_id"), order},
	},
	func(ctx context.Context, db *rows.Queries, q query) ([]Event, error) {
		asked := rows.EventsParams{
			TenantID: q.tenant, After: q.afterNumber(), UpTo: q.upTo, RowLimit: q.limit, ID: q.onlyID(),
			Type: q.text("type"), SourceAppID: q.text("source_app_id"),
		}
		if q.newestFirst {
			found, err := db.EventsNewestFirst(ctx, rows.EventsNewestFirstParams(asked))
			return each(found, func(r rows.EventsNewestFirstRow) Event { return eventOf(rows.EventsRow(r)) }), err
		}
		found, err := db.Events(ctx, asked)
		return each(found, func(r rows.EventsRow) Event { return eventOf(r) }), err
	})

// mask hides what no reader sees of Chancery's own events.
var mask = masks.Of(domain.Catalog.Hashes())

// eventOf masks what must not be shown: personal fields unless the type is among those to be opened, and hashes. What apps published is
// shown as they sent it.
func eventOf(r rows.EventsRow, opened ...string) Event {
	e := Event{
		Position: r.Position, ID: r.ID, TenantID: r.TenantID, TenantSeq: r.TenantSeq, SourceAppID: r.SourceAppID, Type: r.Type,
		Payload: r.Payload, Metadata: r.Metadata, Tags: masks.Tags(r.Tags), OccurredAt: r.OccurredAt, CreatedAt: r.CreatedAt,
		opening: r.SourceAppID == dcb.Core && slices.Contains(opened, r.Type), place: r.TenantSeq,
	}
	switch {
	case e.opening:
		e.Payload = mask.Hashes(e.Type, e.Payload)
	case e.SourceAppID == dcb.Core:
		e.Payload = mask.Payload(e.Type, e.Payload)
	}
	if bytes.Contains(e.Metadata, []byte(vault.Mark)) {
		if a := actorIn(e.Metadata); a.Tenant == r.TenantID {
			e.from = a.User
		} else {
			e.Metadata = masks.Without(e.Metadata)
		}
	}
	return e
}

// EventsAt names the events at positions, oldest first. Those that the tenant may not see are absent.
func (r *Reader) EventsAt(ctx context.Context, tenant uuid.UUID, positions []int64) ([]EventRef, error) {
	var refs []EventRef
	v := View{reader: r, schema: live}
	v.tenant.UUID = tenant
	_, err := v.read(ctx, theLog, func(db *rows.Queries) error {
		found, err := db.EventsAt(ctx, rows.EventsAtParams{TenantID: tenant, Positions: positions})
		refs = each(found, func(r rows.EventsAtRow) EventRef { return EventRef(r) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read events at positions: %w", err)
	}
	return refs, nil
}
