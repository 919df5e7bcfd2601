package domain

import (
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// The bounds of a filter. What an evaluation may cost is counted and not timed, so that every process comes to the same result; it is
// some tens of milliseconds of work at most.
const (
	filterCost    = 20_000
	filterNodes   = 2_000
	filterNesting = 50
	filterRegex   = 1_000
)

// filters is the language of filters: CEL over an event, without what makes new values out of long ones, as + does of texts and lists.
// Few filters need that, and it is how a short one would make much work.
var filters = func() *cel.Env {
	e, err := cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddIncludedMacros("has", "all", "exists", "exists_one").AddIncludedFunctions(filterFunctions()...))),
		cel.Variable("id", cel.StringType), cel.Variable("source", cel.StringType), cel.Variable("subject", cel.StringType),
		cel.Variable("type", cel.StringType), cel.Variable("tenant", cel.StringType), cel.Variable("time", cel.TimestampType),
		cel.Variable("data", cel.DynType),
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxFilter), cel.ParserRecursionLimit(filterNesting), cel.ParserErrorRecoveryLimit(1),
		cel.ExpressionNodeLimit(filterNodes), cel.RegexProgramSizeLimit(filterRegex), cel.ASTValidators(cel.ValidateRegexLiterals()),
	)
	if err != nil {
		panic(err) // all of it is constant
	}
	return e
}()

func filterFunctions() (all []*env.Function) {
	for _, name := range []string{
		"_?_:_", "_&&_", "_||_", "!_", "@not_strictly_false", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_-_", "_*_", "_/_", "_%_", "-_", "_[_]", "@in",
		"size", "contains", "startsWith", "endsWith", "matches", "timestamp", "duration",
		"getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek", "getHours", "getMinutes", "getSeconds", "getMilliseconds",
	} {
		all = append(all, env.NewFunction(name))
	}
	return all
}

// literals are functions whose last argument is written out in the filter: to read one anew for each event is much work.
var literals = map[string]bool{"matches": true, "timestamp": true, "duration": true}

// unwritten finds a call of one of literals whose argument comes from the event; empty if there is none.
func unwritten(e ast.Expr) (name string) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || !literals[e.AsCall().FunctionName()] {
			return
		}
		args := e.AsCall().Args()
		if len(args) == 0 || args[len(args)-1].Kind() != ast.LiteralKind {
			name = e.AsCall().FunctionName()
		}
	}))
	return name
}

// costs counts work by the length of what a function is given, also where the language does not know beforehand what that will be.
type costs struct{}

// CallCost is none of ours for functions whose work is always the same.
func (costs) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	cost := uint64(1)
	switch function {
	case "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_":
		cost += min(extent(args[0], filterCost), extent(args[1], filterCost))
	case "@in":
		cost += extent(args[1], filterCost)
	case "contains", "startsWith", "endsWith", "size":
		for _, a := range args {
			if s, is := a.(types.String); is {
				cost += uint64(len(s)) / perUnit
			}
		}
	case "matches": // RE2 takes a time that grows with the text and with the expression
		text, _ := args[0].(types.String)
		expr, _ := args[len(args)-1].(types.String)
		cost += uint64(len(text)) / perUnit * (1 + uint64(len(expr))/4)
	default:
		return nil
	}
	return &cost
}

const perUnit = 50 // bytes of text that are looked at for one unit

// extent is how much there is to compare in a value, as far as that matters.
func extent(v ref.Val, most uint64) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v)) / perUnit
	case traits.Mapper:
		sum := size(v)
		for it := v.Iterator(); sum < most && it.HasNext() == types.True; {
			sum += 1 + extent(v.Get(it.Next()), most-min(sum, most))
		}
		return sum
	case traits.Lister:
		sum := size(v)
		for it := v.Iterator(); sum < most && it.HasNext() == types.True; {
			sum += 1 + extent(it.Next(), most-min(sum, most))
		}
		return sum
	}
	return 0
}

func size(v traits.Sizer) uint64 {
	n, ok := v.Size().(types.Int)
	if !ok || n < 0 {
		return math.MaxUint32
	}
	return uint64(n)
}
