package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chancery/domain"
	"chancery/internal/cloudevents"
	"chancery/internal/strictjson"
)

const (
	structuredMedia = "application/cloudevents+json"
	batchedMedia    = "application/cloudevents-batch+json"
	binaryPrefix    = "Ce-" // of headers
)

var errEventMedia = newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type",
	"the body must be "+structuredMedia+", "+batchedMedia+", or JSON beside the headers of a CloudEvent, in UTF-8")

// sentEvent is an event as it was sent. Strict JSON comes first, since readers that differ about what an event says are a way past each
// of them; then the official SDK.
type sentEvent struct {
	pointer string // of the event in the input; empty where it is all of it
	binary  bool   // its attributes are headers
	members map[string]jsontext.Value
	sdk     event.Event
	errs    []inputError
}

// sentEvents takes a body apart, in whichever of the three modes of CloudEvents over HTTP. What it returns does not point into the body.
func sentEvents(h http.Header, body []byte) ([]*sentEvent, error) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, errEventMedia
	}
	switch {
	case media == structuredMedia:
		e, err := structured("", body)
		return []*sentEvent{e}, err
	case media == batchedMedia:
		return batched(body)
	case isJSONMedia(media):
		e, err := binaryEvent(h, body)
		return []*sentEvent{e}, err
	}
	return nil, errEventMedia
}

// isJSONMedia reports whether data of a media type is JSON (JSON format for CloudEvents 1.0.2, section 3.1.1).
func isJSONMedia(media string) bool {
	_, kind, _ := strings.Cut(media, "/")
	return kind == "json" || strings.HasSuffix(kind, "+json") && !strings.HasPrefix(media, "application/cloudevents")
}

func structured(pointer string, object []byte) (*sentEvent, error) {
	e := &sentEvent{pointer: pointer}
	if err := strictjson.Decode(object, &e.members); err != nil {
		return nil, below(pointer, err)
	}
	// null is the same as absent (JSON format for CloudEvents 1.0.2, section 2.2), which the SDK does not know.
	maps.DeleteFunc(e.members, func(name string, v jsontext.Value) bool { return v.Kind() == 'n' && name != "data" })
	if err := e.check(); err != nil {
		return nil, err
	}
	known := maps.Clone(e.members)
	for _, ours := range []string{"data", "data_base64", mediaName} { // of these the SDK takes less than is allowed, and does not say what is wrong
		delete(known, ours)
	}
	object, _ = json.Marshal(known) // of valid JSON
	return e, e.refuse(e.sdk.UnmarshalJSON(object))
}

func batched(body []byte) (all []*sentEvent, _ error) {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	bad := func() error {
		return badBody(inputError{Pointer: cutPointer(string(dec.StackPointer())), Detail: "is not valid JSON, or a key is given twice"})
	}
	if start, err := dec.ReadToken(); err != nil || start.Kind() != '[' {
		return nil, badBody(inputError{Detail: "must be a list of CloudEvents"})
	}
	for dec.PeekKind() != ']' {
		one, err := dec.ReadValue()
		switch {
		case err != nil:
			return nil, bad()
		case len(all) == domain.MaxEventBatch:
			return nil, badBody(inputError{Detail: "holds more than " + strconv.Itoa(domain.MaxEventBatch) + " events"})
		}
		e, err := structured("/"+strconv.Itoa(len(all)), one)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, bad()
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, badBody(inputError{Detail: "must be one list and nothing after it"})
	}
	return all, nil
}

// binaryEvent reads attributes from headers, and takes the body for the data.
func binaryEvent(h http.Header, body []byte) (*sentEvent, error) {
	e := &sentEvent{binary: true, members: map[string]jsontext.Value{}}
	if err := e.takeData(body); err != nil {
		return nil, err
	}
	media, err := jsontext.AppendQuote(nil, h.Get("Content-Type"))
	if err != nil {
		return nil, errEventMedia
	}
	e.members[mediaName] = media
	headers := http.Header{"Content-Type": h["Content-Type"]}
	for key, values := range h {
		name, ours := strings.CutPrefix(key, binaryPrefix)
		if !ours {
			continue
		}
		name = strings.ToLower(name)
		value, err := url.PathUnescape(unquoted(values[0])) // HTTP binding for CloudEvents 1.0.2, section 3.1.3.2; the SDK leaves that out
		switch {
		case len(values) > 1:
			e.wrong(name, "given twice")
		case err != nil:
			e.wrong(name, "must be percent-encoded UTF-8")
		case name == "data" || name == "data_base64" || name == mediaName:
			e.wrong(name, "has no meaning in this mode: the body and its Content-Type say it")
		default:
			if e.members[name], err = jsontext.AppendQuote(nil, value); err != nil {
				e.wrong(name, "must be percent-encoded UTF-8")
			}
			headers[key] = []string{value}
		}
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	read, err := binding.ToEvent(context.Background(), cehttp.NewMessage(headers, io.NopCloser(bytes.NewReader(body))))
	if err == nil {
		e.sdk = *read
	}
	return e, e.refuse(err)
}

// takeData takes a body for the data; there need not be any.
func (e *sentEvent) takeData(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if err := strictjson.Decode(slices.Concat([]byte(`{"data":`), body, []byte(`}`)), &e.members); err != nil {
		return below("", err)
	}
	if len(e.members) != 1 {
		return badBody(inputError{Detail: "must be one JSON value and nothing after it"})
	}
	e.members["data"] = bytes.Clone(body)
	return nil
}

// unquoted is the value of a header that is quoted as a whole (RFC 7230, section 3.2.6), as releases of CloudEvents before 1.0.2 had it.
func unquoted(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	b := make([]byte, 0, len(value))
	for i := 1; i < len(value)-1; i++ {
		if value[i] == '\\' && i < len(value)-2 {
			i++
		}
		b = append(b, value[i])
	}
	return string(b)
}

// refuse words what the SDK says of an event that it does not take.
func (e *sentEvent) refuse(err error) error {
	if err == nil {
		err = e.sdk.Validate()
	}
	if err == nil {
		return nil
	}
	if invalid, ok := errors.AsType[event.ValidationError](err); ok {
		for name := range invalid {
			e.wrong(name, "is not as CloudEvents 1.0 demands")
		}
		return e.problem()
	}
	return badBody(inputError{Pointer: e.pointer, Detail: "is no CloudEvent 1.0"})
}

// published is the event as it goes into the log.
func (e *sentEvent) published(app domain.App) (domain.Published, error) {
	data, given := e.members["data"]
	at := e.pointer + "/data"
	_, encoded := e.members["data_base64"]
	media, told := e.said(mediaName)
	kind, _, _ := mime.ParseMediaType(media) // or check would have refused it
	switch {
	case encoded:
		return domain.Published{}, domain.Refused(domain.ErrPayloadInvalid, []domain.Place{{Pointer: e.pointer + "/data_base64", Detail: "is not taken: data must be JSON"}})
	case told && !isJSONMedia(kind):
		return domain.Published{}, domain.Refused(domain.ErrPayloadInvalid, []domain.Place{{Pointer: e.pointer + "/datacontenttype", Detail: "must be a media type of JSON, or absent"}})
	case !given:
		return domain.Published{}, domain.Refused(domain.ErrPayloadInvalid, []domain.Place{{Pointer: at, Detail: "is required; null where there is nothing to say"}})
	case len(data) > domain.MaxEventData:
		return domain.Published{}, newProblem(http.StatusRequestEntityTooLarge, errTooLarge.Code, errTooLarge.Detail,
			inputError{Pointer: at, Detail: "is larger than " + strconv.Itoa(domain.MaxEventData) + " bytes"})
	}
	about := domain.CloudEvent{Time: e.sdk.Time().UTC(), Extensions: e.extensions()}
	about.ID, _ = e.said("id")
	about.Source, _ = e.said("source")
	about.Subject, _ = e.said("subject")
	about.DataSchema, _ = e.said("dataschema")
	if media != cloudevents.DataContentType {
		about.DataContentType = media
	}
	if _, told := e.members["time"]; told && (about.Time.IsZero() || about.Time.Year() < 1 || about.Time.Year() > 9999) {
		e.wrong("time", "must be a time of the years 1 to 9999")
		return domain.Published{}, e.problem()
	}
	typ, _ := e.said("type")
	return domain.Published{App: app, Type: typ, Payload: data, About: about}, nil
}

// said is an attribute as it was written: the SDK writes URIs in its own way, and cuts blanks off headers.
func (e *sentEvent) said(name string) (text string, told bool) {
	v, told := e.members[name]
	text, _ = textOf(v)
	return text, told
}

// extensions are what is neither an attribute that CloudEvents knows nor data, in the order of their names.
func (e *sentEvent) extensions() jsontext.Value {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(e.members)) {
		switch name {
		case "specversion", "id", "source", "type", "subject", "time", mediaName, "dataschema", "data", "data_base64":
			continue
		}
		if b = append(b, ','); len(b) == 1 {
			b[0] = '{'
		}
		b, _ = jsontext.AppendQuote(b, name)
		b = append(append(b, ':'), e.members[name]...)
	}
	if b == nil {
		return nil
	}
	return append(b, '}') // the envelope writes it anew: the same extensions are the same bytes, however they were escaped
}
