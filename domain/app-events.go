package domain

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// AppEvents is what a version of an app says about events, ready to be judged by. It never changes.
type AppEvents struct {
	App      App
	Number   Semver
	Consumes []EventPattern // what it may be sent

	schemas map[string]declared
}

// declared is the schema of a type, or why nothing can be judged by it.
type declared struct {
	schema *JSONSchema
	wrong  []Place
}

// NewAppEvents reads the manifest of a version, which was judged when it was published.
func NewAppEvents(m Manifest) *AppEvents {
	a := &AppEvents{App: m.App, Number: m.Version, schemas: make(map[string]declared, len(m.Events.Publishes))}
	for _, p := range m.Events.Consumes {
		a.Consumes = append(a.Consumes, EventPattern(p))
	}
	patterns := boundedRegexps()
	for _, p := range m.Events.Publishes {
		s, wrong := ParseJSONSchema("", p.Schema, patterns)
		a.schemas[p.Type] = declared{s, wrong}
	}
	return a
}

// Declares reports whether the version publishes events of the type.
func (a *AppEvents) Declares(typ string) bool { _, ok := a.schemas[typ]; return ok }

// Consuming reports whether the version may be sent every event of the pattern.
func (a *AppEvents) Consuming(p EventPattern) bool {
	for _, c := range a.Consumes {
		if c.Covers(p) {
			return true
		}
	}
	return false
}

// Judge refuses what the version does not declare, and data that is not as it declares it. The pointer is that of the event in the
// input. The data MUST be JSON in which no key is given twice; its bytes stay as they are.
func (a *AppEvents) Judge(pointer, typ string, data jsontext.Value) error {
	d, ok := a.schemas[typ]
	at := pointer + "/data"
	switch {
	case !ok:
		return At(pointer+"/type", ErrTypeUndeclared)
	case d.schema == nil:
		return Refused(ErrPayloadInvalid, []Place{{at, fmt.Sprintf("cannot be judged: the schema that version %s declares is none", a.Number)}})
	}
	canonical := jsontext.Value(bytes.Clone(data))
	var v any
	err := canonical.Canonicalize()
	if err == nil {
		v, err = jsonschema.UnmarshalJSON(bytes.NewReader(canonical))
	}
	if err != nil {
		return Refused(ErrPayloadInvalid, []Place{{at, "is not valid JSON"}})
	}
	if !d.schema.affordsValue(v) {
		return Refused(ErrPayloadInvalid, []Place{{
			at, "makes too much work for the schema of the type: it holds too many or too long values, or the schema applies too much to each",
		}})
	}
	return Refused(ErrPayloadInvalid, d.schema.judge(at, v))
}
