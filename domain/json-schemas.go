package domain

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// JSONSchema judges JSON values (draft 2020-12). It is compiled from what a stranger wrote, so what it may cost is bounded: it loads
// nothing from elsewhere, and its size, and that of its regular expressions, which take linear time, are limited.
type JSONSchema struct {
	compiled *jsonschema.Schema
	words    map[string]string // what a pattern demands, by the place in the schema
}

// The bounds of a schema.
const (
	mostSchemaValues  = 2000  // JSON values in it
	mostUnrolled      = 2000  // schemas in it, each reference counted as a copy of what it refers to
	mostRegexpBytes   = 500   // of one regular expression
	mostInstructions  = 20000 // of all compiled regular expressions of a manifest
	foldingWeight     = 100   // of a byte of one that ignores case, in instructions: to parse a class of it takes long
	classWeight       = 64    // as many numbers in a class of characters weigh as much as an instruction
	mostMatching      = 3000  // the same, each reference counted as a copy: the most steps that one character of a value may take
	schemaAddress     = "urn:chancery:schema"
	schemaDraft       = "https://json-schema.org/draft/2020-12/schema"
	mostDetail        = 300
	mostPointerOfFail = 200
)

// ParseJSONSchema compiles a schema. Places tells what is wrong with it, below the pointer. The schema MUST be canonical JSON. Patterns
// compiles its regular expressions, and those of others that it shares a bound with.
func ParseJSONSchema(pointer string, canonical jsontext.Value, patterns jsonschema.RegexpEngine) (s *JSONSchema, places []Place) {
	if n := valuesIn(canonical); n > mostSchemaValues {
		return nil, []Place{{pointer, fmt.Sprintf("holds %d values, more than the %d that a schema may have", n, mostSchemaValues)}}
	}
	if at, other := otherDraft(canonical); other {
		return nil, []Place{{pointer + at, "must be " + schemaDraft + ", or absent: no other draft is judged by"}}
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(canonical))
	if err != nil {
		return nil, []Place{{pointer, "is not valid JSON"}}
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(patterns)
	if err := c.AddResource(schemaAddress, doc); err != nil {
		return nil, []Place{{pointer, "is no JSON Schema"}}
	}
	compiled, err := c.Compile(schemaAddress)
	if err != nil {
		return nil, misuses(pointer, err)
	}
	return &JSONSchema{compiled: compiled}, nil
}

// Judge is what of the value the schema forbids, below the pointer. The value MUST be canonical JSON.
func (s *JSONSchema) Judge(pointer string, canonical jsontext.Value) []Place {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(canonical))
	if err != nil {
		return []Place{{pointer, "is not valid JSON"}}
	}
	return s.judge(pointer, v)
}

func (s *JSONSchema) judge(pointer string, v any) []Place {
	if failed, ok := errors.AsType[*jsonschema.ValidationError](s.compiled.Validate(v)); ok {
		return s.violations(pointer, failed)
	}
	return nil
}

// Bounded tells where the schema refers back to itself, or grows too large when each reference is a copy: how long it takes to judge a
// value has no bound then.
func (s *JSONSchema) Bounded(pointer string) []Place {
	u := unrolling{on: map[*jsonschema.Schema]bool{}}
	if at := u.walk(s.compiled); at != nil {
		_, fragment, _ := strings.Cut(at.Location, "#")
		return []Place{{cut(pointer+fragment, mostPointerOfFail), u.cause}}
	}
	return nil
}

// otherDraft is where a schema says that it is of another draft; older ones ignore what stands beside $ref, even that a value is a secret.
// It looks everywhere, since a reference makes a schema of anything.
func otherDraft(schema jsontext.Value) (at string, other bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(schema))
	for {
		t, err := dec.ReadToken()
		if err != nil {
			return "", false
		}
		p := dec.StackPointer()
		if kind, n := dec.StackIndex(dec.StackDepth()); kind == '{' && n%2 == 0 && t.Kind() == '"' && p.LastToken() == "$schema" && t.String() != schemaDraft {
			return string(p), true
		}
	}
}

// noLoader finds nothing: a schema stands by itself.
type noLoader struct{}

var errElsewhere = errors.New("it refers to something outside of itself")

func (noLoader) Load(string) (any, error) { return nil, errElsewhere }

// sized is a regular expression and how many instructions it takes.
type sized struct {
	*regexp.Regexp
	instructions int
}

// boundedRegexps compiles regular expressions until they are too large together, and none of them before it is weighed: to repeat is
// short to write. The compiler asks twice for the same one.
func boundedRegexps() jsonschema.RegexpEngine {
	known, used := map[string]jsonschema.Regexp{}, 0
	return func(text string) (jsonschema.Regexp, error) {
		if r, ok := known[text]; ok {
			return r, nil
		}
		if len(text) > mostRegexpBytes {
			return nil, fmt.Errorf("is longer than %d bytes", mostRegexpBytes)
		}
		if used += len(text); folding.MatchString(text) {
			used += foldingWeight * len(text)
		}
		if used > mostInstructions {
			return nil, errTooLarge
		}
		parsed, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			return nil, errors.New("is no regular expression that is understood here (RE2 syntax)")
		}
		if used += weight(parsed); used > mostInstructions {
			return nil, errTooLarge
		}
		program, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			return nil, errTooLarge
		}
		r, err := regexp.Compile(text)
		if err != nil {
			return nil, errors.New("is no regular expression that is understood here (RE2 syntax)")
		}
		known[text] = &sized{r, len(program.Inst)}
		return known[text], nil
	}
}

var (
	errTooLarge = errors.New("is too large, or those of the manifest are together")
	folding     = regexp.MustCompile(`\(\?[a-zA-Z]*i`)
)

// weight is about how many instructions the regular expression takes, and no less.
func weight(r *syntax.Regexp) int {
	n := 1
	for _, sub := range r.Sub {
		n += 1 + weight(sub)
	}
	switch r.Op {
	case syntax.OpLiteral:
		n += len(r.Rune)
	case syntax.OpCharClass:
		n += len(r.Rune) / classWeight
	case syntax.OpRepeat:
		n *= max(r.Min+1, r.Max)
	default:
	}
	return n
}

// unrolling walks a schema as if each reference were a copy.
type unrolling struct {
	on    map[*jsonschema.Schema]bool // the way from the root to here
	count int
	steps int // that all regular expressions take for a character
	cause string
}

// walk returns the schema at which the walk ends early, nil if it comes to its end.
func (u *unrolling) walk(s *jsonschema.Schema) *jsonschema.Schema {
	u.count++
	u.steps += matching(s)
	switch {
	case s.DynamicRef != nil || s.RecursiveRef != nil:
		u.cause = "must not refer by $dynamicRef or $recursiveRef"
	case u.on[s]:
		u.cause = "must not refer back to itself"
	case u.count > mostUnrolled:
		u.cause = fmt.Sprintf("makes for more than %d schemas, each reference counted as a copy", mostUnrolled)
	case u.steps > mostMatching:
		u.cause = "makes for more or larger regular expressions than can be matched in time, each reference counted as a copy"
	default:
		u.on[s] = true
		defer delete(u.on, s)
		for _, next := range below(s) {
			if at := u.walk(next); at != nil {
				return at
			}
		}
		return nil
	}
	return s
}

// matching is how many instructions the schema's own regular expressions take.
func matching(s *jsonschema.Schema) int {
	n := 0
	if r, ok := s.Pattern.(*sized); ok {
		n += r.instructions
	}
	for r := range s.PatternProperties {
		if r, ok := r.(*sized); ok {
			n += r.instructions
		}
	}
	return n
}

// below are the schemas that a schema applies, in an order that is always the same.
func below(s *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{
		s.Ref, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems, s.ContentSchema,
	}
	all = slices.Concat(all, s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems)
	for _, o := range s.Properties {
		all = append(all, o)
	}
	for _, o := range s.PatternProperties {
		all = append(all, o)
	}
	for _, o := range s.DependentSchemas {
		all = append(all, o)
	}
	for _, o := range s.Dependencies {
		if o, ok := o.(*jsonschema.Schema); ok {
			all = append(all, o)
		}
	}
	for _, maybe := range []any{s.AdditionalProperties, s.Items, s.AdditionalItems} {
		switch o := maybe.(type) {
		case *jsonschema.Schema:
			all = append(all, o)
		case []*jsonschema.Schema:
			all = append(all, o...)
		}
	}
	all = slices.DeleteFunc(all, func(o *jsonschema.Schema) bool { return o == nil })
	slices.SortStableFunc(all, func(a, b *jsonschema.Schema) int { return strings.Compare(a.Location, b.Location) })
	return all
}

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// pointerTo is the JSON pointer (RFC 6901) of what lies at tokens below another one.
// Nobody is shown the rest of a long one.
func pointerTo(from string, tokens []string) string {
	p := jsontext.Pointer(from)
	for _, t := range tokens {
		if len(p) > mostPointerOfFail {
			break
		}
		p = p.AppendToken(cut(t, mostPointerOfFail))
	}
	return string(p)
}

func pointerToken(s string) string { return string(jsontext.Pointer("").AppendToken(s)[1:]) }

// cut shortens what a stranger wrote.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// valuesIn counts the values in one that is valid JSON.
func valuesIn(v jsontext.Value) int {
	n := 0
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	for {
		t, err := dec.ReadToken()
		if err != nil {
			return n
		}
		if k := t.Kind(); k != '}' && k != ']' {
			n++
		}
	}
}
