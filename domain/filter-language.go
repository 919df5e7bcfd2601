package domain

import (
	"fmt"
	"regexp/syntax"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"
)

const (
	filterNodes   = 2_000
	filterNesting = 50
	filterRegex   = 500 // instructions of the program that a regular expression becomes
)

// filters is the language of filters: CEL over an event, without what makes new values out of long ones, as + does of texts and lists.
// Few filters need that, and it is how a short one would make much work.
var filters = func() *cel.Env {
	e, err := cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddIncludedMacros("has", "all", "exists").AddIncludedFunctions(filterFunctions()...))),
		cel.Variable("id", cel.StringType), cel.Variable("source", cel.StringType), cel.Variable("subject", cel.StringType),
		cel.Variable("type", cel.StringType), cel.Variable("tenant", cel.StringType), cel.Variable("time", cel.TimestampType),
		cel.Variable("data", cel.DynType),
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxFilter), cel.ParserRecursionLimit(filterNesting), cel.ParserErrorRecoveryLimit(1),
		cel.ExpressionNodeLimit(filterNodes),
	)
	if err != nil {
		panic(err) // all of it is constant
	}
	return e
}()

// zoned are functions that CEL lets have a time zone. To find one anew for each event is to read a file, so all times are UTC.
var zoned = map[string]bool{
	"getFullYear": true, "getMonth": true, "getDayOfYear": true, "getDayOfMonth": true, "getDate": true, "getDayOfWeek": true,
	"getHours": true, "getMinutes": true, "getSeconds": true, "getMilliseconds": true,
}

// literals are functions whose last argument is written out in the filter: to read one anew for each event is much work.
var literals = map[string]bool{"matches": true, "timestamp": true, "duration": true}

func filterFunctions() (all []*env.Function) {
	for _, name := range []string{
		"_?_:_", "_&&_", "_||_", "!_", "@not_strictly_false", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_-_", "_*_", "_/_", "_%_", "-_", "_[_]", "@in",
		"size", "contains", "startsWith", "endsWith",
	} {
		all = append(all, env.NewFunction(name))
	}
	for name := range zoned {
		all = append(all, env.NewFunction(name))
	}
	for name := range literals {
		all = append(all, env.NewFunction(name))
	}
	return all
}

// misuse says what is wrong with a filter that is right as far as CEL goes; empty if nothing is.
func misuse(e ast.Expr) (wrong string) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || wrong != "" {
			return
		}
		name, args := e.AsCall().FunctionName(), e.AsCall().Args()
		switch {
		case zoned[name] && e.AsCall().IsMemberFunction() && len(args) > 0:
			wrong = name + " takes no time zone: times are in UTC"
		case literals[name] && (len(args) == 0 || args[len(args)-1].Kind() != ast.LiteralKind):
			wrong = fmt.Sprintf("what %s is given must be written out in the filter", name)
		case name == "matches":
			expr, _ := args[len(args)-1].AsLiteral().(types.String)
			if n, err := instructions(string(expr)); err != nil {
				wrong = fmt.Sprintf("what matches is given is no regular expression (RE2): %s", err)
			} else if n > filterRegex {
				wrong = "what matches is given is too long, or repeats too much"
			}
		}
	}))
	return wrong
}

// instructions is the length of the program that a regular expression becomes. What it takes to match a text grows with it.
func instructions(expr string) (int, error) {
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0, err
	}
	program, err := syntax.Compile(parsed.Simplify()) // as regexp.Compile does: without Simplify, Compile panics at a{2}
	if err != nil {
		return 0, err
	}
	return len(program.Inst), nil
}
