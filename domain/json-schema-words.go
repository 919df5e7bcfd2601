package domain

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// misuses words why a schema does not compile.
func misuses(pointer string, err error) []Place {
	var (
		invalid *jsonschema.SchemaValidationError
		regex   *jsonschema.InvalidRegexError
		loading *jsonschema.LoadURLError
		lost    *jsonschema.JSONPointerNotFoundError
	)
	switch {
	case errors.As(err, &invalid):
		if failed, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			return (&JSONSchema{}).violations(pointer, failed)
		}
	case errors.As(err, &loading):
		return []Place{{pointer, "refers to " + cut(strconv.Quote(loading.URL), mostDetail) + ", which is outside of the schema; only what it holds itself is read"}}
	case errors.As(err, &regex):
		return []Place{{pointer, "the pattern " + cut(strconv.Quote(regex.Regex), mostDetail) + " " + regex.Err.Error()}}
	case errors.As(err, &lost):
		_, fragment, _ := strings.Cut(lost.URL, "#")
		return []Place{{pointer, "refers to " + cut(strconv.Quote("#"+fragment), mostDetail) + ", where nothing is"}}
	}
	words := strings.ReplaceAll(err.Error(), schemaAddress, "")
	return []Place{{pointer, cut("is no JSON Schema that can be used: "+words, mostDetail)}}
}

// violations lists the innermost failures, each where it is in the value.
func (s *JSONSchema) violations(pointer string, failed *jsonschema.ValidationError) []Place {
	var all []Place
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(all) > mostPlaces {
			return
		}
		at := pointerTo(pointer, e.InstanceLocation)
		switch k := e.ErrorKind.(type) {
		case *kind.AnyOf, *kind.OneOf, *kind.Not: // what would have to be otherwise is not known
			all = append(all, Place{at, s.wording(e)})
			return
		case *kind.Required:
			for _, name := range k.Missing {
				all = append(all, Place{at + "/" + pointerToken(name), "is missing"})
			}
		case *kind.AdditionalProperties:
			for _, name := range k.Properties {
				all = append(all, Place{at + "/" + pointerToken(name), "unknown key"})
			}
		default:
			if len(e.Causes) == 0 {
				all = append(all, Place{at, s.wording(e)})
			}
		}
		for _, cause := range e.Causes {
			walk(cause)
		}
	}
	walk(failed)
	slices.SortStableFunc(all, func(a, b Place) int { return strings.Compare(a.Pointer, b.Pointer) })
	all = slices.Compact(all)
	for i, p := range all {
		all[i] = Place{cut(p.Pointer, mostPointerOfFail), cut(p.Detail, mostDetail)}
	}
	return all
}

func (s *JSONSchema) wording(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return "must be " + strings.Join(each(k.Want, func(t string) string { return typeWords[t] }), " or ")
	case *kind.Pattern:
		if words, ok := s.words[e.SchemaURL]; ok {
			return "must be " + words
		}
		return "must match " + k.Want
	case *kind.MinLength, *kind.MaxLength:
		if words, ok := s.words[e.SchemaURL]; ok {
			return "must be " + words
		}
	case *kind.Format:
		return fmt.Sprintf("is not a valid %s: %v", k.Want, k.Err)
	case *kind.UniqueItems:
		return fmt.Sprintf("must not hold the same twice, as at %d and %d", k.Duplicates[0], k.Duplicates[1])
	case *kind.MaxItems:
		return fmt.Sprintf("must not hold more than %d", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must hold at least %d", k.Want)
	case *kind.AnyOf, *kind.OneOf:
		return "has none of the forms that are allowed here, or more of them than one may"
	case *kind.Not:
		return "has a form that is not allowed here"
	case *kind.FalseSchema:
		return "is not allowed"
	}
	return e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
}

var typeWords = map[string]string{
	"string": "a string", "boolean": "true or false", "object": "an object", "array": "a list", "number": "a number",
	"integer": "a whole number", "null": "null",
}
