package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/internal/strictjson"
	"chancery/internal/vault"
)

// body is a request's body; release it when nothing points into it any more.
type body struct{ bytes.Buffer }

var bodies = sync.Pool{New: func() any { return &body{} }} // a cache

const (
	keptBody = 64 << 10 // larger buffers are not kept
	drained  = 8 << 20  // a body too large is read up to here, so that its sender gets to read the answer
)

func (b *body) release() {
	if b.Cap() <= keptBody {
		b.Reset()
		bodies.Put(b)
	}
}

func read(c *call, limit int64) (*body, error) {
	r := c.Request()
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			c.Response().Header().Set("Accept-Encoding", "identity") // RFC 9110, section 15.5.16
			return nil, errCoding
		}
	}
	b := bodies.Get().(*body)
	if r.ContentLength <= limit {
		n, err := b.ReadFrom(io.LimitReader(r.Body, limit+1))
		switch {
		case err != nil && c.ctx().Err() != nil:
			return nil, fmt.Errorf("read the body: %w", c.ctx().Err())
		case err != nil:
			return nil, badBody(inputError{Detail: "could not be read to its end"})
		case n <= limit:
			return b, nil
		}
	}
	if _, err := io.CopyN(io.Discard, r.Body, drained); err != nil && !errors.Is(err, io.EOF) {
		c.Response().Header().Set("Connection", "close")
	}
	return nil, errTooLarge
}

func isJSON(c *call) error { return isMedia(c, errMedia, "application/json") }

// isMedia admits a body of the type, or of none told.
func isMedia(c *call, refusal error, types ...string) error {
	given := c.header("Content-Type")
	if given == "" || slices.Contains(types, given) {
		return nil
	}
	media, params, err := mime.ParseMediaType(given)
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refusal
	}
	if slices.Contains(types, media) {
		return nil
	}
	return refusal
}

// decode fills into, a pointer to a struct, from a body: strictly, and with every field that is required.
func decode(data []byte, into any) error {
	if err := strictjson.Decode(data, into); err != nil {
		return err
	}
	if bytes.Contains(data, []byte(vault.Mark)) || bytes.Contains(data, []byte(`\u`)) {
		if err := refuseSealed(data); err != nil {
			return err
		}
	}
	return required(data, into)
}

// refuseSealed refuses text that looks like sealed personal data: whoever found some must not have it opened by putting
// it where it will be read back.
func refuseSealed(data []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return nil //nolint:nilerr // the end: it was decoded before
		}
		if token.Kind() == '"' && strings.HasPrefix(token.String(), vault.Mark) {
			return badBody(inputError{Pointer: string(dec.StackPointer()), Detail: "must not begin with " + vault.Mark})
		}
	}
}

// requirement is a field that must be given.
type requirement struct {
	index []int
	name  string
	text  bool // an empty text is given; whether it may be empty is for the domain to say
}

var requirements sync.Map // a cache of pure values, keyed by type

func requirementsOf(t reflect.Type) []requirement {
	if found, ok := requirements.Load(t); ok {
		return found.([]requirement)
	}
	list := []requirement{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Tag.Get("required") == "true" {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			list = append(list, requirement{f.Index, name, f.Type.Kind() == reflect.String})
		}
	}
	found, _ := requirements.LoadOrStore(t, list)
	return found.([]requirement)
}

func required(data []byte, into any) error {
	v := reflect.ValueOf(into).Elem()
	var missing []inputError
	for _, r := range requirementsOf(v.Type()) {
		if v.FieldByIndex(r.index).IsZero() && (!r.text || !given(data, r.name)) {
			missing = append(missing, inputError{Pointer: "/" + r.name, Detail: "is required"})
		}
	}
	if missing == nil {
		return nil
	}
	return badBody(missing...)
}

// given reports whether the object has a member of that name that is not null.
func given(object []byte, name string) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := dec.ReadToken(); err != nil {
		return false
	}
	for dec.PeekKind() == '"' {
		key, err := dec.ReadToken()
		if err != nil {
			return false
		}
		if key.String() == name {
			return dec.PeekKind() != 'n'
		}
		if err := dec.SkipValue(); err != nil {
			return false
		}
	}
	return false
}
