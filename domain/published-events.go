package domain

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// Published is an event that an app published in a tenant. Unlike Chancery's own it has a type of the app's choosing, its payload is the
// data that the app sent, to the byte, and it carries no tag: nothing is ever decided on it.
type Published struct {
	App     App
	Type    string         // begins with the app's name and a dot; declared by the manifest of the version that was at work
	Payload jsontext.Value // the data of the CloudEvent
	About   CloudEvent
}

// CloudEvent is what an app said about an event besides its type and its data (CloudEvents 1.0.2, section 3.1).
type CloudEvent struct {
	ID              string         `json:"id"`
	Source          string         `json:"source"`
	Subject         string         `json:"subject,omitzero"`
	Time            time.Time      `json:"time,omitzero"`
	DataContentType string         `json:"datacontenttype,omitzero"` // as it was told; absent: application/json
	DataSchema      string         `json:"dataschema,omitzero"`
	Extensions      jsontext.Value `json:"extensions,omitzero"` // an object of strings, numbers and booleans
}

// EventType is the app's own.
func (e Published) EventType() string { return e.Type }

// PublishedBy is the app.
func (e Published) PublishedBy() string { return string(e.App) }

// Data is the payload.
func (e Published) Data() []byte { return e.Payload }

// Envelope is About, as it is stored.
func (e Published) Envelope() []byte {
	b, _ := json.Marshal(e.About) // of strings and valid JSON
	return b
}

func published(app, typ string, data, envelope []byte) dcb.Foreign {
	e := Published{App: App(app), Type: typ, Payload: data}
	_ = json.Unmarshal(envelope, &e.About) // of our own making, see Envelope
	return e
}

// The bounds of what is published.
const (
	MaxEventData   = 256 << 10 // bytes of the data of one event
	MaxEventBatch  = 100       // events in one request
	MaxEventName   = 255       // bytes of an event's id, source, subject and media type
	MaxExtension   = 1 << 10   // bytes of an extension that is a text: a tracestate has 512 and more
	MostExtensions = 20
)

var (
	ErrNotTheApp      = &Refusal{Forbidden, "not-the-app", "only a token of the app itself publishes its events; in its name consumes, besides, who has the privilege on it and no token of another app"}
	ErrTypeUndeclared = refuse("event-type-undeclared", "the version of the app that is at work in the tenant does not declare events of this type")
	ErrPayloadInvalid = refuse("event-data-invalid", "the data is not as the app's manifest declares it")
	ErrEventIDReused  = refuse("event-id-reused", "an event with this id and source, and other content, was published before")
	ErrEventUnknown   = &Refusal{Missing, "not-found", "there is no such event here"}
	ErrEventConsumed  = refuse("event-consumed", "the app has said before that it handled this event")
)

// PublishedID is the id of the request that publishes an event: the same id and source of the same app in the same tenant are the same
// event (CloudEvents 1.0.2, section 3.1.1).
func PublishedID(t TenantID, app App, source, id string) uuid.UUID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d:%s/%s", t, app, len(source), source, id))
	u := uuid.UUID(sum[:16])
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // RFC 9562, version 8
	return u
}

// OutwardType is the type of an event as apps see it: Chancery's own begin with core, as no app's do.
func OutwardType(source, typ string) string {
	if source == dcb.Core {
		return dcb.Core + "." + typ
	}
	return typ
}

// EventPattern is a type of event as apps see it, all that begin with some words, such as core.user.*, or * for every one.
type EventPattern string

// Matches reports whether an event of the type, as apps see it, is meant.
func (p EventPattern) Matches(outward string) bool {
	stem, all := strings.CutSuffix(string(p), "*")
	if !all {
		return string(p) == outward
	}
	return strings.HasPrefix(outward, stem)
}

// Covers reports whether every type that o means is meant.
func (p EventPattern) Covers(o EventPattern) bool {
	stem, all := strings.CutSuffix(string(p), "*")
	ostem, oall := strings.CutSuffix(string(o), "*")
	if !oall {
		return p.Matches(string(o))
	}
	return all && strings.HasPrefix(ostem, stem)
}
