package deliveries

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/internal/eventlog"
)

// line is all undelivered events of an endpoint that have one key, as far as their order matters. An event goes only if none of its
// line is on its way, and none before it is neither delivered nor dead. In the order of the log there come: those that are attempted
// again (they have rows), those that wait in the table (as rows), those held in memory.
type line struct {
	flying   int64   // the event on its way, or whose outcome is not on record yet; 0: none
	retrying []int64 // ascending
	waiting  int     // rows
	held     []*parcel
	closing  bool // the outcome of flying ends it; a row that waited goes next only if it was seen to wait by then
}

// blocked reports whether a new event of the line must wait.
func (l *line) blocked() bool {
	return l.flying != 0 || len(l.retrying) > 0 || l.waiting > 0 || len(l.held) > 0
}

// first reports whether an event that is attempted again may go now.
func (l *line) first(seq int64) bool {
	return l.flying == 0 && (len(l.retrying) == 0 || seq <= l.retrying[0])
}

func (l *line) add(seq int64) {
	if i, found := slices.BinarySearch(l.retrying, seq); !found {
		l.retrying = slices.Insert(l.retrying, i, seq)
	}
}

func (l *line) remove(seq int64) {
	if i, found := slices.BinarySearch(l.retrying, seq); found {
		l.retrying = slices.Delete(l.retrying, i, i+1)
	}
}

// keyOf is what orders an event at an endpoint; empty: nothing does. What is hidden from receivers orders nothing: it would tell who is
// alike, and what stands in its place is the same in all.
func (c *Config) keyOf(by string, ev *eventlog.Raw) string {
	var key string
	switch {
	case by == "":
		return ""
	case by != "subject":
		if key = at(c.Data(ev), by); key != at(ev.Payload, by) {
			return ""
		}
	case ev.SourceApp != core:
		key = at(ev.Metadata, "/cloudevent/subject")
	default:
		key = c.Subject(ev)
	}
	if len(key) > 200 || strings.ContainsRune(key, 0) { // it stands in an index
		sum := sha256.Sum256([]byte(key))
		return "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return key
}

const core = "core" // source of Chancery's own events

// at is the value that a JSON pointer (RFC 6901) names: a string without quotes, anything else as it is written; empty if it is missing
// or null.
func at(text []byte, pointer string) string {
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for word := range jsontext.Pointer(pointer).Tokens() {
		if !enter(d, word) {
			return ""
		}
	}
	v, err := d.ReadValue()
	switch {
	case err != nil || v.Kind() == 'n':
		return ""
	case v.Kind() == '"':
		s, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return strings.ToValidUTF8(string(s), "\uFFFD")
	}
	if v.Compact() != nil {
		return ""
	}
	return strings.ToValidUTF8(string(v), "\uFFFD")
}

// enter goes to the member of the object, or the element of the array, that is next.
func enter(d *jsontext.Decoder, word string) bool {
	open, err := d.ReadToken()
	if err != nil {
		return false
	}
	switch open.Kind() { //nolint:exhaustive // nothing else holds anything
	case '{':
		for d.PeekKind() == '"' {
			name, err := d.ReadToken()
			if err != nil {
				return false
			}
			if name.String() == word {
				return true
			}
			if d.SkipValue() != nil {
				return false
			}
		}
	case '[':
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 {
			return false
		}
		for ; n > 0 && d.PeekKind() != ']'; n-- {
			if d.SkipValue() != nil {
				return false
			}
		}
		return d.PeekKind() != ']' && d.PeekKind() != 0
	}
	return false
}
