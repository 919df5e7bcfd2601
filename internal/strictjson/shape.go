package strictjson

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// checkShape refuses what the decoder itself would let through. For ordinary input it is three searches for single
// bytes or a short word; only input that might be wrong is walked.
func checkShape(data []byte) *Error {
	start := bytes.TrimLeft(data, " \t\r\n")
	if len(start) == 0 {
		return &Error{Detail: "must be a JSON object, but is empty"}
	}
	if start[0] != '{' {
		return &Error{Detail: "must be a JSON object"}
	}
	opened := bytes.Count(data, []byte{'{'}) + bytes.Count(data, []byte{'['})
	if opened <= MaxDepth && !bytes.Contains(data, []byte(`\u0000`)) {
		return nil
	}
	return walkShape(data)
}

// walkShape stays silent about syntax errors: the decoder finds and words them.
func walkShape(data []byte) *Error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return nil //nolint:nilerr // as said above
		}
		if dec.StackDepth() > MaxDepth {
			pointer := string(dec.StackPointer())
			return &Error{Pointer: shorten(pointer), Detail: "is nested deeper than " + strconv.Itoa(MaxDepth) + " levels"}
		}
		if token.Kind() == '"' && strings.IndexByte(token.String(), 0) >= 0 {
			pointer := dec.StackPointer()
			parent, length := dec.StackIndex(dec.StackDepth())
			if parent == '{' && length%2 == 1 {
				return &Error{Pointer: shorten(string(pointer.Parent())), Detail: `has a key with the character U+0000`}
			}
			return &Error{Pointer: shorten(string(pointer)), Detail: `must not hold the character U+0000`}
		}
	}
}
