// Package cloudevents writes events of the log as CloudEvents 1.0 in JSON, for whoever takes them out of Chancery. It knows no type of
// event, and never changes what an app published.
package cloudevents

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
)

// ContentType is the media type of what Encode makes, and DataContentType that of data of which nothing else was said.
const (
	ContentType     = "application/cloudevents+json"
	DataContentType = event.ApplicationJSON
)

// Reserved are the extensions that Chancery gives every event. An app's own of such a name is not passed on.
var Reserved = [...]string{"tenantid", "tenantseq", "position", "eventid", "recordedtime"}

// known are the members of a CloudEvent that are no extensions.
var known = []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"}

// Attributes are what is said of an event beside its data.
type Attributes struct {
	ID, Source, Type string
	Subject          string    // empty: none
	Time             time.Time // zero: none
	DataContentType  string
	DataSchema       string // empty: none
	Extensions       []Extension
}

// Extension is a word of an event that CloudEvents does not know: first the app's own, then those of Reserved.
type Extension struct {
	Name  string
	Value jsontext.Value // a string, a number or a boolean
}

// said is what an app said of its event, as the log keeps it in the metadata.
type said struct {
	CloudEvent struct {
		ID              string         `json:"id"`
		Source          string         `json:"source"`
		Subject         string         `json:"subject"`
		Time            time.Time      `json:"time"`
		DataContentType string         `json:"datacontenttype"`
		DataSchema      string         `json:"dataschema"`
		Extensions      jsontext.Value `json:"extensions"`
	} `json:"cloudevent"`
}

// SubjectOf is the thing that an event of Chancery's own changes, as kind:id: the tag of the kind that its type begins with, else the
// first one that names a thing. Keyed hashes of what people are called are tags too, and stay here.
func SubjectOf(raw *eventlog.Raw) (subject string) {
	kind, _, _ := strings.Cut(raw.Type, ".")
	for _, t := range raw.Tags {
		of, id, _ := strings.Cut(t, ":")
		if len(id) != 36 || uuid.Validate(id) != nil { // other ways to write an id are none of ours
			continue
		}
		if of == kind {
			return t
		}
		if subject == "" {
			subject = t
		}
	}
	return subject
}

// AttributesOf is what is said of a stored event: in its app's words, and in ours if it is Chancery's own.
func AttributesOf(raw *eventlog.Raw) (Attributes, error) {
	var a Attributes
	if raw.SourceApp == dcb.Core {
		a = Attributes{ID: raw.ID.String(), Source: SourceOf(raw), Type: dcb.Core + "." + raw.Type, Time: raw.OccurredAt, DataContentType: DataContentType}
		a.Subject = SubjectOf(raw)
	} else {
		var s said
		if err := json.Unmarshal(raw.Metadata, &s); err != nil {
			return a, fmt.Errorf("event %d: metadata: %w", raw.Position, err)
		}
		c := s.CloudEvent
		a = Attributes{ID: c.ID, Source: c.Source, Type: raw.Type, Subject: c.Subject, Time: c.Time, DataSchema: c.DataSchema}
		a.DataContentType = cmp.Or(c.DataContentType, DataContentType)
		own, err := extensionsIn(c.Extensions)
		if err != nil {
			return a, fmt.Errorf("event %d: extensions: %w", raw.Position, err)
		}
		a.Extensions = own
	}
	a.Extensions = append(a.Extensions, ours(raw)...)
	return a, nil
}

// SourceOf is the source of Chancery's own events of a tenant.
func SourceOf(raw *eventlog.Raw) string { return "urn:chancery:tenant:" + raw.Tenant.String() }

// ours are texts all: an integer of CloudEvents has 32 bits.
func ours(raw *eventlog.Raw) []Extension {
	values := [len(Reserved)]string{
		raw.Tenant.String(), strconv.FormatInt(raw.TenantSeq, 10), strconv.FormatInt(raw.Position, 10), raw.ID.String(),
		raw.CreatedAt.UTC().Format(time.RFC3339Nano),
	}
	all := make([]Extension, len(Reserved))
	for i, name := range Reserved {
		all[i] = Extension{name, jsontext.Value(`"` + values[i] + `"`)} // nothing in them needs an escape
	}
	return all
}

func extensionsIn(doc jsontext.Value) ([]Extension, error) {
	if len(doc) == 0 {
		return nil, nil
	}
	var all []Extension
	d := jsontext.NewDecoder(bytes.NewReader(doc))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		word := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(Reserved[:], word) && !slices.Contains(known, word) {
			all = append(all, Extension{word, value.Clone()})
		}
	}
	_, err := d.ReadToken()
	return all, err
}

// Encoder makes documents of events.
type Encoder struct {
	// Mask hides what nobody outside may see of the payload of one of Chancery's own events. Those of apps are not shown to it.
	Mask func(typ string, payload []byte) []byte
}

// Encode makes the structured form of an event: with its data if full, else with what is said of it alone. What an app published is
// in it to the byte.
func (e Encoder) Encode(raw *eventlog.Raw, full bool) ([]byte, error) {
	a, err := AttributesOf(raw)
	if err != nil {
		return nil, err
	}
	var doc bytes.Buffer
	doc.Grow(len(raw.Payload) + 1024)
	if err := event.WriteJson(&event.Event{Context: a.context(full)}, &doc); err != nil {
		return nil, fmt.Errorf("event %d: write a CloudEvent: %w", raw.Position, err)
	}
	if !full {
		return doc.Bytes(), nil
	}
	data := raw.Payload
	if raw.SourceApp == dcb.Core {
		data = e.Mask(raw.Type, raw.Payload)
	}
	doc.Truncate(doc.Len() - len("}")) // the SDK would write data of application/vnd.x+json as a text
	doc.WriteString(`,"data":`)
	doc.Write(data)
	doc.WriteByte('}')
	return doc.Bytes(), nil
}

// context is the attributes as the SDK has them. It would write a URI anew from its parts; one that is opaque it writes as it was.
func (a Attributes) context(full bool) *event.EventContextV1 {
	c := &event.EventContextV1{
		ID: a.ID, Source: types.URIRef{URL: url.URL{Opaque: a.Source}}, Type: a.Type, Extensions: make(map[string]any, len(a.Extensions)),
	}
	if a.Subject != "" {
		c.Subject = &a.Subject
	}
	if !a.Time.IsZero() {
		c.Time = &types.Timestamp{Time: a.Time}
	}
	if a.DataSchema != "" {
		c.DataSchema = &types.URI{URL: url.URL{Opaque: a.DataSchema}}
	}
	if full {
		c.DataContentType = &a.DataContentType
	}
	for _, x := range a.Extensions {
		c.Extensions[x.Name] = x.Value
	}
	return c
}
