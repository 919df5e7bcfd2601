package domain

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What it takes to judge a value, in what one schema takes for one value (about a microsecond and half a kilobyte).
const (
	mostEffort       = 100000
	effortOfNumber   = 4   // to compare it exactly
	effortOfMultiple = 20  // to divide it so
	effortOfUnique   = 20  // to tell a value from its neighbours
	stepsOfEffort    = 50  // that a regular expression takes
	bytesOfEffort    = 300 // that are counted as characters
)

// affords reports whether it takes bounded time and memory to judge the value, which MUST be canonical JSON. The schema's own size does
// not say: how often each part of it meets a value is up to both.
func (s *JSONSchema) affords(canonical jsontext.Value) bool {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(canonical))
	return err != nil || s.affordsValue(v)
}

func (s *JSONSchema) affordsValue(v any) bool {
	e := effort{left: mostEffort}
	return e.meet(s.compiled, v)
}

// effort goes where the judgement may go, at most: as if each condition held and each pattern matched.
type effort struct{ left int }

func (e *effort) take(n int) bool { e.left -= n; return e.left >= 0 }

func (e *effort) meet(s *jsonschema.Schema, v any) bool { //nolint:cyclop // one case for each kind of keyword
	if s == nil {
		return true
	}
	if !e.take(1+listed(s)) || s.DynamicRef != nil || s.RecursiveRef != nil { // where those lead to, only the judgement finds out
		return false
	}
	if s.UniqueItems && !e.take(effortOfUnique*sizeOf(v)) {
		return false
	}
	for _, same := range [][]*jsonschema.Schema{{s.Ref, s.Not, s.If, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf} {
		if !e.meetAll(same, v) {
			return false
		}
	}
	for _, same := range s.DependentSchemas {
		if !e.meet(same, v) {
			return false
		}
	}
	for _, same := range s.Dependencies {
		if same, ok := same.(*jsonschema.Schema); ok && !e.meet(same, v) {
			return false
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return e.take(len(v)) && e.object(s, v)
	case []any:
		return e.take(len(v)) && e.list(s, v)
	case string:
		return e.take(len(v)*matching(s)/stepsOfEffort + len(v)/bytesOfEffort)
	case json.Number:
		return e.number(s)
	}
	return true
}

func (e *effort) meetAll(all []*jsonschema.Schema, v any) bool {
	for _, s := range all {
		if !e.meet(s, v) {
			return false
		}
	}
	return true
}

func (e *effort) object(s *jsonschema.Schema, v map[string]any) bool {
	more, _ := s.AdditionalProperties.(*jsonschema.Schema)
	for name, below := range v {
		if !e.take(len(name)*matching(s)/stepsOfEffort) || !e.meet(s.PropertyNames, name) || !e.meet(s.UnevaluatedProperties, below) {
			return false
		}
		own, there := s.Properties[name]
		if !there {
			own = more
		}
		if !e.meet(own, below) {
			return false
		}
		for _, o := range s.PatternProperties {
			if !e.meet(o, below) {
				return false
			}
		}
	}
	return true
}

func (e *effort) list(s *jsonschema.Schema, v []any) bool {
	for i, below := range v {
		own := s.Items2020
		if i < len(s.PrefixItems) {
			own = s.PrefixItems[i]
		}
		if !e.meetAll([]*jsonschema.Schema{own, s.Contains, s.UnevaluatedItems}, below) {
			return false
		}
	}
	return true
}

func (e *effort) number(s *jsonschema.Schema) bool {
	if s.MultipleOf != nil && !e.take(effortOfMultiple) {
		return false
	}
	bounded := s.Minimum != nil || s.Maximum != nil || s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil
	return !bounded || e.take(effortOfNumber)
}

// listed is how long the lists are that the schema goes through for a value.
func listed(s *jsonschema.Schema) int {
	n := len(s.Required) + len(s.DependentRequired) + len(s.Dependencies) + len(s.DependentSchemas)
	for _, names := range s.DependentRequired {
		n += len(names)
	}
	for _, names := range s.Dependencies {
		if names, ok := names.([]string); ok {
			n += len(names)
		}
	}
	if s.Const != nil {
		n += effortOfNumber * sizeOf(*s.Const)
	}
	if s.Enum != nil {
		n += effortOfNumber * sizeOf(s.Enum.Values)
	}
	return n
}

// sizeOf counts the values in one.
func sizeOf(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			n += 1 + sizeOf(below)
		}
	case []any:
		for _, below := range v {
			n += sizeOf(below)
		}
	}
	return n
}
