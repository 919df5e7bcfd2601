package strictjson

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	stdjson "encoding/json"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

const (
	maxErrors  = 16  // more would only repeat the lesson
	maxPointer = 200 // bytes; a key may be as long as the body
	maxDetail  = 300
)

// explainAll words what json said of data, and looks for more of the kind: it decodes each member of the object by
// itself. That is slow, and done only for input that is refused anyway.
func explainAll(data []byte, into any, cause error) Errors {
	first := explain(cause)
	if first.Pointer == "" || isSyntax(cause) {
		return Errors{first}
	}
	target := reflect.TypeOf(into)
	if target.Kind() != reflect.Pointer {
		return Errors{first}
	}
	var all Errors
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	if _, err := dec.ReadToken(); err != nil {
		return Errors{first}
	}
	for dec.PeekKind() == '"' && len(all) < maxErrors {
		name, err := dec.ReadValue()
		if err != nil {
			break
		}
		member := append(append([]byte{'{'}, name...), ':')
		value, err := dec.ReadValue()
		if err != nil {
			break
		}
		member = append(append(member, value...), '}')
		if err := json.Unmarshal(member, reflect.New(target.Elem()).Interface(), strict); err != nil {
			if found := explain(err); found.Pointer != "" { // else it is about an object that is not whole
				all = append(all, found)
			}
		}
	}
	if !slices.Contains(all, first) {
		return Errors{first}
	}
	return all
}

func isSyntax(err error) bool {
	var syntax *jsontext.SyntacticError
	return errors.As(err, &syntax)
}

// explain words one error of the decoder.
func explain(err error) Error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return explainSyntax(syntax)
	}
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return Error{Detail: ownWords(err, nil)}
	}
	pointer := string(semantic.JSONPointer)
	if errors.Is(semantic.Err, json.ErrUnknownName) {
		return Error{Pointer: shorten(pointer), Detail: "unknown key"}
	}
	if inner, own := asError(semantic.Err); own {
		return Error{Pointer: shorten(pointer + inner.Pointer), Detail: shortenDetail(inner.Detail)}
	}
	return Error{Pointer: shorten(pointer), Detail: detailOf(semantic)}
}

func explainSyntax(e *jsontext.SyntacticError) Error {
	pointer := shorten(string(e.JSONPointer))
	switch {
	case errors.Is(e.Err, jsontext.ErrDuplicateName):
		return Error{Pointer: pointer, Detail: "given twice"}
	case errors.Is(e.Err, io.ErrUnexpectedEOF):
		return Error{Pointer: pointer, Detail: "not valid JSON: the text ends too early"}
	case e.Err == nil:
		return Error{Pointer: pointer, Detail: "not valid JSON"}
	case strings.Contains(e.Err.Error(), "after top-level value"):
		return Error{Detail: "must be one JSON object and nothing after it, but more follows at byte " + offset(e.ByteOffset)}
	}
	words := strings.TrimPrefix(e.Err.Error(), "jsontext: ")
	return Error{Pointer: pointer, Detail: shortenDetail("not valid JSON: " + words + " at byte " + offset(e.ByteOffset))}
}

func offset(n int64) string { return strconv.FormatInt(n, 10) }

// detailOf words a value of the wrong kind, or one that a type refused.
func detailOf(e *json.SemanticError) string {
	wanted := wantedOf(e.GoType)
	switch {
	case errors.Is(e.Err, strconv.ErrRange) && wanted.limits != "":
		return wanted.limits
	case e.Err == nil, errors.Is(e.Err, strconv.ErrSyntax), errors.Is(e.Err, strconv.ErrRange), wanted.exact:
		return "must be " + wanted.phrase
	case e.GoType != nil && isText(e.GoType) && e.JSONKind != '"':
		return "must be a string"
	}
	return ownWords(e.Err, e.GoType)
}

// wanted is what a Go type looks like from outside.
type wanted struct {
	phrase string
	limits string // said of numbers that are too large
	exact  bool   // the phrase says it better than the error does
}

func wantedOf(t reflect.Type) wanted {
	if t == nil {
		return wanted{phrase: "of another kind"}
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return wanted{phrase: strings.TrimPrefix(errTime.Detail, "must be "), exact: true}
	case t.ConvertibleTo(reflect.TypeFor[uuid.UUID]()) && t.Kind() == reflect.Array:
		return wanted{phrase: strings.TrimPrefix(errUUID.Detail, "must be "), exact: true}
	case isText(t), t.Kind() == reflect.String:
		return wanted{phrase: "a string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return wanted{phrase: "true or false"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		most := int64(math.MaxInt64) >> (64 - t.Bits())
		return wanted{phrase: "a whole number, without fraction or exponent", limits: fmt.Sprintf("must be between %d and %d", -most-1, most)}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		most := uint64(math.MaxUint64) >> (64 - t.Bits())
		return wanted{phrase: "a whole number of at least 0, without fraction or exponent", limits: fmt.Sprintf("must be between 0 and %d", most)}
	case reflect.Float32, reflect.Float64:
		return wanted{phrase: "a number", limits: "is a number too large to be kept"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return wanted{phrase: "a string in base64", exact: true}
		}
		return wanted{phrase: "a list"}
	case reflect.Struct, reflect.Map:
		return wanted{phrase: "an object"}
	default:
		return wanted{phrase: "of another kind"}
	}
}

func isText(t reflect.Type) bool {
	_, ok := reflect.TypeAssert[encoding.TextUnmarshaler](reflect.New(t))
	return ok
}

// asError finds an Error that a type returned about its own value.
func asError(err error) (Error, bool) {
	if one, ok := errors.AsType[Error](err); ok {
		return one, true
	}
	if many, ok := errors.AsType[Errors](err); ok && len(many) > 0 {
		return many[0], true
	}
	return Error{}, false
}

// ownWords passes on what a type says of its value, unless the words are those of a library about Go.
func ownWords(err error, t reflect.Type) string {
	const nothingToSay = "is not valid"
	var (
		typed  *stdjson.UnmarshalTypeError
		syntax *stdjson.SyntaxError
		number *strconv.NumError
		clock  *time.ParseError
	)
	switch {
	case err == nil, errors.As(err, &typed), errors.As(err, &syntax):
		return nothingToSay
	case errors.As(err, &number):
		return "must be a number"
	case errors.As(err, &clock):
		return errTime.Detail
	}
	words := err.Error()
	for _, mark := range []string{"json: ", "jsontext: ", "json.", "Go value", "Go struct", "reflect", "%!"} {
		if strings.Contains(words, mark) {
			return nothingToSay
		}
	}
	if t != nil && strings.Contains(words, t.String()) {
		return nothingToSay
	}
	return shortenDetail(words)
}

func shorten(pointer string) string    { return cut(pointer, maxPointer) }
func shortenDetail(text string) string { return cut(text, maxDetail) }

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
