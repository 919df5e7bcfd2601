package transport

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/go-json-experiment/json/jsontext"

	"chancery/domain"
	"chancery/internal/cloudevents"
	"chancery/internal/strictjson"
	"chancery/internal/vault"
)

const (
	longestName = 20 // of an attribute (CloudEvents 1.0.2, section 3)
	mediaName   = "datacontenttype"
)

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
		case "id", "source", "type", "subject", "time", mediaName, "dataschema":
			e.text(name, value, true, domain.MaxEventName)
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

func (e *sentEvent) text(name string, v jsontext.Value, filled bool, most int) {
	s, ok := textOf(v)
	switch {
	case !ok:
		e.wrong(name, "must be a string")
	case filled && strings.TrimSpace(s) == "":
		e.wrong(name, "must not be empty")
	case len(s) > most:
		e.wrong(name, "must be no longer than "+strconv.Itoa(most)+" bytes")
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
		e.text(name, v, false, domain.MaxExtension)
	case '0':
		if _, err := strconv.ParseInt(string(v), 10, 32); err != nil {
			e.wrong(name, "must be a whole number of 32 bits, where it is a number")
		}
	default:
		e.wrong(name, "must be a string, a number, true or false")
	}
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
	mediaName: {"must be a media type (RFC 2046) such as application/json", func(s string) bool {
		_, _, err := mime.ParseMediaType(s)
		return err == nil
	}},
	"source":     {"must be a URI, or a relative reference to one (RFC 3986)", func(s string) bool { return types.ParseURIRef(s) != nil }},
	"dataschema": {"must be a URI (RFC 3986)", func(s string) bool { u := types.ParseURI(s); return u != nil && u.Validate() }},
}

// wrong notes what is wrong with an attribute.
func (e *sentEvent) wrong(name, detail string) {
	one := inputError{Pointer: e.pointer + cutPointer(string(jsontext.Pointer("").AppendToken(name))), Detail: detail}
	if e.binary {
		one.Pointer, one.In = "/ce-"+name, "header"
		if name == mediaName {
			one.Pointer = "/Content-Type"
		}
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
