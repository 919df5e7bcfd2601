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
	"unicode"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chancery/domain"
	"chancery/internal/cloudevents"
	"chancery/internal/strictjson"
	"chancery/internal/vault"
)

const (
	structuredMedia = "application/cloudevents+json"
	batchedMedia    = "application/cloudevents-batch+json"
	binaryPrefix    = "Ce-" // of headers
	longestName     = 20    // of an attribute (CloudEvents 1.0.2, section 3)
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

func isJSONMedia(media string) bool {
	return media == "application/json" || media == "text/json" ||
		strings.HasSuffix(media, "+json") && !strings.HasPrefix(media, "application/cloudevents")
}

func structured(pointer string, object []byte) (*sentEvent, error) {
	e := &sentEvent{pointer: pointer}
	if err := strictjson.Decode(object, &e.members); err != nil {
		return nil, below(pointer, err)
	}
	nulls := len(e.members)
	maps.DeleteFunc(e.members, func(name string, v jsontext.Value) bool { return v.Kind() == 'n' && name != "data" })
	if len(e.members) < nulls { // the same as absent (JSON format for CloudEvents 1.0.2, section 2.2), which the SDK does not know
		object, _ = json.Marshal(e.members) // of valid JSON
	}
	if err := e.check(); err != nil {
		return nil, err
	}
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
	if len(all) == 0 {
		return nil, badBody(inputError{Detail: "must hold at least one event"})
	}
	return all, nil
}

// binaryEvent reads attributes from headers, and takes the body for the data.
func binaryEvent(h http.Header, body []byte) (*sentEvent, error) {
	e := &sentEvent{binary: true, members: map[string]jsontext.Value{}}
	if len(body) > 0 {
		if err := strictjson.Decode(slices.Concat([]byte(`{"data":`), body, []byte(`}`)), &e.members); err != nil {
			return nil, below("", err)
		}
		if len(e.members) != 1 {
			return nil, badBody(inputError{Detail: "must be one JSON value and nothing after it"})
		}
		e.members["data"] = bytes.Clone(body)
	}
	headers := http.Header{"Content-Type": {h.Get("Content-Type")}}
	for key, values := range h {
		name, ours := strings.CutPrefix(key, binaryPrefix)
		if !ours {
			continue
		}
		name = strings.ToLower(name)
		value, err := url.PathUnescape(values[0]) // HTTP binding for CloudEvents 1.0.2, section 3.1.3.2; the SDK leaves that out
		switch {
		case len(values) > 1:
			e.wrong(name, "given twice")
		case err != nil:
			e.wrong(name, "must be percent-encoded UTF-8")
		case name == "data" || name == "data_base64" || name == "datacontenttype":
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

// wrong notes what is wrong with an attribute.
func (e *sentEvent) wrong(name, detail string) {
	one := inputError{Pointer: e.pointer + cutPointer(string(jsontext.Pointer("").AppendToken(name))), Detail: detail}
	if e.binary {
		one.Pointer, one.In = "/ce-"+name, "header"
	}
	if len(e.errs) < mostWrong {
		e.errs = append(e.errs, one)
	}
}

const mostWrong = 16

func (e *sentEvent) problem() error {
	if len(e.errs) == 0 {
		return nil
	}
	slices.SortFunc(e.errs, func(a, b inputError) int { return strings.Compare(a.Pointer, b.Pointer) })
	return newProblem(http.StatusBadRequest, malformed, "it is no CloudEvent as it must be", e.errs...)
}

// check is what we demand of an event, which is more than the SDK does.
func (e *sentEvent) check() error {
	for name, value := range e.members {
		if bytes.Contains(value, []byte(vault.Mark)) || bytes.Contains(value, []byte(`\u`)) {
			if err := refuseSealed(value); err != nil {
				return below(e.pointer+cutPointer(string(jsontext.Pointer("").AppendToken(name))), err)
			}
		}
		switch name {
		case "data", "data_base64":
		case "specversion":
			if s, ok := textOf(value); !ok || s != event.CloudEventsVersionV1 {
				e.wrong(name, "must be "+event.CloudEventsVersionV1)
			}
		case "id", "source", "type", "subject", "time", "datacontenttype", "dataschema":
			e.text(name, value, true)
		default:
			e.extension(name, value)
		}
	}
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if _, given := e.members[name]; !given {
			e.wrong(name, "is required")
		}
	}
	if len(e.members) > mostMembers {
		e.wrong("", "has more than "+strconv.Itoa(domain.MostExtensions)+" extensions")
	}
	return e.problem()
}

const mostMembers = domain.MostExtensions + 9 // those that CloudEvents knows: either of two for the data

func textOf(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	s, err := jsontext.AppendUnquote(nil, v)
	return string(s), err == nil
}

func (e *sentEvent) text(name string, v jsontext.Value, filled bool) {
	s, ok := textOf(v)
	switch {
	case !ok:
		e.wrong(name, "must be a string")
	case filled && strings.TrimSpace(s) == "":
		e.wrong(name, "must not be empty")
	case len(s) > domain.MaxEventName:
		e.wrong(name, "must be no longer than "+strconv.Itoa(domain.MaxEventName)+" bytes")
	case strings.ContainsFunc(s, unicode.IsControl):
		e.wrong(name, "must not hold control characters")
	default:
		if form, has := forms[name]; has && !form.is(s) {
			e.wrong(name, form.words)
		}
	}
}

func (e *sentEvent) extension(name string, v jsontext.Value) {
	switch foreign := strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }); {
	case foreign || name == "" || len(name) > longestName:
		e.wrong(name, "is no name of an attribute: these are of a-z and 0-9, "+strconv.Itoa(longestName)+" at most")
		return
	case slices.Contains(cloudevents.Reserved[:], name):
		e.wrong(name, "is for Chancery to say")
		return
	}
	switch v.Kind() {
	case 't', 'f':
	case '"':
		e.text(name, v, false)
	case '0':
		if _, err := strconv.ParseInt(string(v), 10, 32); err != nil {
			e.wrong(name, "must be a whole number of 32 bits, where it is a number")
		}
	default:
		e.wrong(name, "must be a string, a number, true or false")
	}
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

// forms are those of attributes that are not any text.
var forms = map[string]struct {
	words string
	is    func(string) bool
}{
	"time": {"must be a time in RFC 3339 such as 2026-01-31T12:00:00Z", func(s string) bool {
		_, err := types.ParseTime(s)
		return err == nil
	}},
	"source":     {"must be a URI, or a relative reference to one (RFC 3986)", func(s string) bool { return types.ParseURIRef(s) != nil }},
	"dataschema": {"must be a URI (RFC 3986)", func(s string) bool { u := types.ParseURI(s); return u != nil && u.Validate() }},
}

// published is the event as it goes into the log.
func (e *sentEvent) published(app domain.App) (domain.Published, error) {
	data, given := e.members["data"]
	at := e.pointer + "/data"
	_, encoded := e.members["data_base64"]
	media, err := e.sdk.Context.GetDataMediaType()
	switch {
	case encoded:
		return domain.Published{}, domain.Refused(domain.ErrPayloadInvalid, []domain.Place{{Pointer: e.pointer + "/data_base64", Detail: "is not taken: data must be JSON"}})
	case err != nil || media != "" && !isJSONMedia(media):
		return domain.Published{}, domain.Refused(domain.ErrPayloadInvalid, []domain.Place{{Pointer: e.pointer + "/datacontenttype", Detail: "must be application/json, or absent"}})
	case !given:
		return domain.Published{}, domain.Refused(domain.ErrPayloadInvalid, []domain.Place{{Pointer: at, Detail: "is required; null where there is nothing to say"}})
	case len(data) > domain.MaxEventData:
		return domain.Published{}, newProblem(http.StatusRequestEntityTooLarge, errTooLarge.Code, errTooLarge.Detail,
			inputError{Pointer: at, Detail: "is larger than " + strconv.Itoa(domain.MaxEventData) + " bytes"})
	}
	source, _ := textOf(e.members["source"]) // as it was written: it tells events apart
	schema, _ := textOf(e.members["dataschema"])
	about := domain.CloudEvent{
		ID: e.sdk.ID(), Source: source, Subject: e.sdk.Subject(), Time: e.sdk.Time().UTC(), DataSchema: schema, Extensions: e.extensions(),
	}
	if _, told := e.members["time"]; told && (about.Time.IsZero() || about.Time.Year() < 1 || about.Time.Year() > 9999) {
		e.wrong("time", "must be a time of the years 1 to 9999")
		return domain.Published{}, e.problem()
	}
	return domain.Published{App: app, Type: e.sdk.Type(), Payload: data, About: about}, nil
}

// extensions are what is neither an attribute that CloudEvents knows nor data, in the order of their names.
func (e *sentEvent) extensions() jsontext.Value {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(e.members)) {
		switch name {
		case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64":
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

// below puts the places of an error below a pointer.
func below(pointer string, err error) error {
	var p *problem
	if errs, ok := errors.AsType[strictjson.Errors](err); ok {
		p = badBody(inputErrors(errs)...)
	} else if !errors.As(err, &p) {
		return err
	}
	for i := range p.Errors {
		p.Errors[i].Pointer = pointer + p.Errors[i].Pointer
	}
	return p
}

// cutPointer shortens what a stranger wrote.
func cutPointer(p string) string {
	const most = 200
	if len(p) <= most {
		return p
	}
	return strings.ToValidUTF8(p[:most], "") + "…"
}
