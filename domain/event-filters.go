package domain

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// OutwardEvent is an event as apps see it. Data holds nothing that its reader must not know: sealed texts and hashes are masked.
type OutwardEvent struct {
	ID      string
	Source  string
	Subject string
	Type    string    // see OutwardType
	Tenant  string    // its id
	Time    time.Time // when it was recorded, if nobody said when it was
	Data    []byte    // JSON; absent where no filter reads it
}

// Selection is which events an endpoint asks for. It is immutable and safe for concurrent use.
type Selection struct {
	types  []EventPattern
	filter cel.Program // nil: all of the types
	needs  needs       // of the data
}

// Compile is which events the terms ask for.
func (t EndpointTerms) Compile() (s *Selection, err error) {
	s = &Selection{types: t.Types}
	if t.Filter == "" {
		return s, nil
	}
	if len(t.Filter) > MaxFilter {
		return nil, Invalid("/filter", "is longer than %d bytes", MaxFilter)
	}
	defer func() { // the last line: no filter is known that comes to it
		if recover() != nil {
			s, err = nil, Invalid("/filter", "cannot be read")
		}
	}()
	ast, issues := filters.Compile(t.Filter)
	switch {
	case issues.Err() != nil:
		return nil, filterError(issues)
	case !ast.OutputType().IsExactType(cel.BoolType):
		return nil, Invalid("/filter", "must be true or false of an event, as data.size > 3 is; this is: %s", ast.OutputType())
	}
	if wrong := misuse(ast.NativeRep().Expr()); wrong != "" {
		return nil, Invalid("/filter", "%s", brief(wrong))
	}
	s.needs = needsOf(ast.NativeRep().Expr())
	c := costsOf(ast.NativeRep().Expr())
	s.filter, err = filters.Program(ast, cel.CustomDecoratorV2(c.decorate), cel.EvalOptions(cel.OptOptimize), cel.CostTracking(c), cel.CostLimit(filterCost))
	if err != nil {
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
	means, _ := s.Judge(e)
	return means
}

// Judge is Means. What went wrong is a fault of ours and none of the filter or the event.
func (s *Selection) Judge(e OutwardEvent) (means bool, err error) {
	if !s.Asks(e.Type) {
		return false, nil
	}
	if s.filter == nil {
		return true, nil
	}
	defer func() {
		if p := recover(); p != nil {
			means, err = false, fmt.Errorf("evaluate a filter: %v", p)
		}
	}()
	data, err := s.needs.read(e.Data)
	if err != nil {
		return false, nil
	}
	out, _, err := s.filter.Eval(map[string]any{
		"id": e.ID, "source": e.Source, "subject": e.Subject, "type": e.Type, "tenant": e.Tenant, "time": e.Time, "data": data,
	})
	if fault(err) {
		return false, fmt.Errorf("evaluate a filter: %w", err)
	}
	return err == nil && out.Value() == true, nil
}

// fault reports whether it is CEL that failed, which recovers from what panics in it, and not the filter on the event.
func fault(err error) bool {
	var failed *types.Err
	var stopped interpreter.EvalCancelledError
	return err != nil && !errors.As(err, &failed) && !errors.As(err, &stopped)
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
