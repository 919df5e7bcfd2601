// Package strictjson decodes JSON from callers: one meaning or none. It refuses what lenient decoders paper over, and
// says where and why in words that a caller understands; it never shows a Go type.
package strictjson

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// MaxDepth is how deep objects and lists may nest; the outermost object counts as 1.
const MaxDepth = 64

// Error is one thing wrong with the input. Pointer is a JSON pointer ("" is the whole), Detail a phrase about it
// ("must be a string"). A type's own UnmarshalJSON or UnmarshalText may return an Error, with a Pointer relative to its
// own value, or any error whose text suits a caller.
type Error struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (e Error) Error() string {
	if e.Pointer == "" {
		return e.Detail
	}
	return e.Pointer + ": " + e.Detail
}

// Errors is what Decode returns: at least one Error, in the order of the input.
type Errors []Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "; ")
}

// Decode fills into, a pointer to a struct, from data, which MUST be exactly one JSON object: no unknown, differently
// cased or repeated key, nothing after it, no bad UTF-8, no NUL, no nesting beyond MaxDepth. null means absent. Every
// error is of type Errors; after one, into holds nothing to rely on.
//
// A uuid.UUID must be spelled with 36 characters. A time.Time must be RFC 3339; it becomes UTC and is cut to microseconds,
// which is what the database keeps.
func Decode(data []byte, into any) error {
	if err := checkShape(data); err != nil {
		return Errors{*err}
	}
	err := json.Unmarshal(data, into, strict)
	if err == nil {
		return nil
	}
	return explainAll(data, into, err)
}

// strict holds only what differs from the defaults of json, which already refuse repeated keys and bad UTF-8.
var strict = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(fromString(parseUUID, errUUID)),
		json.UnmarshalFromFunc(fromString(parseTime, errTime)),
	)),
)

var (
	errUUID = Error{Detail: "must be a UUID such as 018f3b0e-7c1a-7abc-8def-0123456789ab"}
	errTime = Error{Detail: "must be a time in RFC 3339 such as 2026-01-31T12:00:00Z"}
)

// fromString decodes what is written as a string; null is its zero value, and anything else is refused.
func fromString[T any](parse func(string) (T, error), refusal Error) func(*jsontext.Decoder, *T) error {
	return func(dec *jsontext.Decoder, to *T) error {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		switch token.Kind() {
		case 'n':
			var zero T
			*to = zero
			return nil
		case '"':
			*to, err = parse(token.String())
			return err
		default:
			return refusal
		}
	}
}

func parseUUID(text string) (uuid.UUID, error) {
	// uuid.Parse also takes URNs, braces and bare digits: three more spellings of one id than we want.
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return uuid.Nil, errUUID
	}
	return id, nil
}

func parseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !isRFC3339(text) {
		return time.Time{}, errTime
	}
	at = at.UTC().Truncate(time.Microsecond)
	if year := at.Year(); year < 1 || year > 9999 {
		return time.Time{}, Error{Detail: "must be a time of the years 1 to 9999"}
	}
	return at, nil
}

// isRFC3339 refuses what time.Parse lets through: hours of one digit, a decimal comma, offsets of a day and more.
func isRFC3339(text string) bool {
	if len(text) < len("2006-01-02T15:04:05Z") || text[len("2006-01-02T15")] != ':' || strings.Contains(text, ",") {
		return false
	}
	if text[len(text)-1] == 'Z' {
		return true
	}
	offset := text[len(text)-len("07:00"):]
	return offset[:2] <= "23" && offset[3:] <= "59"
}

// Limit is the usual limit of a body: 1 MiB.
const Limit = 1 << 20
