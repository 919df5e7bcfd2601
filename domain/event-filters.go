package domain

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"github.com/go-json-experiment/json/jsontext"
)

// OutwardEvent is an event as apps see it. Data holds nothing that its reader must not know: sealed texts and hashes are masked.
type OutwardEvent struct {
	ID      string
	Source  string
	Subject string
	Type    string // see OutwardType
	Tenant  string // its id
	Time    time.Time
	Data    []byte // JSON; absent where no filter reads it
}

// Selection is which events an endpoint asks for. It is immutable and safe for concurrent use.
type Selection struct {
	types  []EventPattern
	filter cel.Program // nil: all of the types
}

// Compile is which events the terms ask for.
func (t EndpointTerms) Compile() (*Selection, error) {
	s := &Selection{types: t.Types}
	if t.Filter == "" {
		return s, nil
	}
	if len(t.Filter) > MaxFilter {
		return nil, Invalid("/filter", "is longer than %d bytes", MaxFilter)
	}
	ast, issues := filters.Compile(t.Filter)
	switch {
	case issues.Err() != nil:
		return nil, filterError(issues)
	case !ast.OutputType().IsExactType(cel.BoolType):
		return nil, Invalid("/filter", "must be true or false of an event, as data.size > 3 is; this is: %s", ast.OutputType())
	}
	if name := unwritten(ast.NativeRep().Expr()); name != "" {
		return nil, Invalid("/filter", "what %s is given must be written out in the filter", name)
	}
	var err error
	if s.filter, err = filters.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostTracking(costs{}), cel.CostLimit(filterCost)); err != nil {
		return nil, Invalid("/filter", "%s", brief(err.Error()))
	}
	return s, nil
}

// filterError tells the first thing that is wrong, and where.
func filterError(issues *cel.Issues) error {
	first := issues.Errors()[0]
	at := ""
	if l := first.Location; l != nil && l.Line() > 0 {
		at = fmt.Sprintf("line %d, column %d: ", l.Line(), l.Column()+1)
	}
	message := strings.TrimSuffix(first.Message, " (in container '')")
	if strings.Contains(message, "'_+_'") {
		message = "+ is not part of the language of filters"
	}
	return Invalid("/filter", "%s%s", at, brief(message))
}

// brief is a message cut to a length at which it is still read.
func brief(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// Reads reports whether more of an event matters than its type.
func (s *Selection) Reads() bool { return s.filter != nil }

// Asks reports whether events of a type, as apps see it, are asked for, as far as that tells.
func (s *Selection) Asks(outward string) bool {
	return slices.ContainsFunc(s.types, func(p EventPattern) bool { return p.Matches(outward) })
}

// Means reports whether an event is asked for. A filter that fails on it, as on a field that is not there, does not ask for it.
func (s *Selection) Means(e OutwardEvent) bool {
	if !s.Asks(e.Type) {
		return false
	}
	if s.filter == nil {
		return true
	}
	data, err := parsed(e.Data)
	if err != nil {
		return false
	}
	out, _, err := s.filter.Eval(map[string]any{
		"id": e.ID, "source": e.Source, "subject": e.Subject, "type": e.Type, "tenant": e.Tenant, "time": e.Time, "data": data,
	})
	return err == nil && out.Value() == true
}

// parsed reads JSON as filters see it: whole numbers are whole, as long as 64 bits hold them.
func parsed(doc []byte) (any, error) {
	if len(doc) == 0 {
		return nil, nil
	}
	return next(jsontext.NewDecoder(bytes.NewReader(doc)))
}

func next(d *jsontext.Decoder) (any, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindBeginObject:
		return object(d)
	case jsontext.KindBeginArray:
		return array(d)
	case jsontext.KindString:
		return token.String(), nil
	case jsontext.KindNumber:
		if n, err := strconv.ParseInt(token.String(), 10, 64); err == nil {
			return n, nil
		}
		return token.Float()
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	case jsontext.KindNull:
		return nil, nil
	default:
	}
	return nil, io.ErrUnexpectedEOF
}

func object(d *jsontext.Decoder) (any, error) {
	all := map[string]any{}
	for d.PeekKind() != jsontext.KindEndObject {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String() // before the next token takes its place
		if all[key], err = next(d); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return all, err
}

func array(d *jsontext.Decoder) (any, error) {
	all := []any{}
	for d.PeekKind() != jsontext.KindEndArray {
		v, err := next(d)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	_, err := d.ReadToken()
	return all, err
}

var eventPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}((\.[a-z0-9][a-z0-9_-]{0,62}){1,6}|(\.[a-z0-9][a-z0-9_-]{0,62}){0,6}\.\*)$`)

// Check refuses what is no type of event, nor the beginning of one.
func (p EventPattern) Check(pointer string) error {
	if p != "*" && !eventPattern.MatchString(string(p)) {
		return Invalid(pointer, "must be a type of event such as core.user.registered, the first words of one and .* after, or *")
	}
	return nil
}

// Covered reports whether every type that o means is meant by one of the patterns.
func Covered(by []EventPattern, o EventPattern) bool {
	return slices.ContainsFunc(by, func(p EventPattern) bool { return p.Covers(o) })
}

// MatchesAny reports whether one of the patterns means the type, as apps see it.
func MatchesAny(patterns []EventPattern, outward string) bool {
	return slices.ContainsFunc(patterns, func(p EventPattern) bool { return p.Matches(outward) })
}
