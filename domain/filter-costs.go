package domain

import (
	"regexp"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// filterCost is what an evaluation may cost. It is counted and not timed, so that every process comes to the same result however busy it
// is: an event must not be meant by one and not by the other. TestWhatAFilterCostsIsWhatItTakes measures what a unit takes at worst: 0.7 µs.
const filterCost = 2_000

// What is done for one unit.
const (
	perUnit      = 500 // bytes of text that are looked at
	perUnitRegex = 100 // instructions of a regular expression that are tried, each at one byte of text
	perUnitFree  = 10  // literals, && and the like in a loop
)

// costs counts the work of one filter by the length of what a function is given, also where the language does not know beforehand what
// that will be.
type costs struct {
	programs map[string]program
	free     uint64 // how many parts of the filter CEL takes to cost nothing
}

// program is a regular expression, ready.
type program struct {
	re   *regexp.Regexp
	size int // instructions
}

func costsOf(e ast.Expr) costs {
	c := costs{programs: map[string]program{}}
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.LiteralKind:
			c.free++
		case ast.CallKind:
			if name := e.AsCall().FunctionName(); name == "_&&_" || name == "_||_" || name == "_?_:_" {
				c.free++
			}
		default:
		}
	}))
	return c
}

// CallCost is none of ours for functions whose work is always the same.
func (c costs) CallCost(function, overload string, args []ref.Val, _ ref.Val) *uint64 {
	cost := uint64(1)
	switch function {
	case "@not_strictly_false": // once for each turn of a loop
		cost += c.free / perUnitFree
	case "_==_", "_!=_":
		cost += compared(args)
	case "@in":
		cost += searched(args)
	case "_<_", "_<=_", "_>_", "_>=_", "contains", "startsWith", "endsWith", "size":
		for _, a := range args {
			if s, is := a.(types.String); is {
				cost += uint64(len(s)) / perUnit
			}
		}
	case "matches":
		cost += c.programs[overload].matching(args)
	default:
		return nil
	}
	return &cost
}

// decorate replaces functions that would do much at once, as CEL counts what was done only when it is done.
func (c costs) decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, is := i.(interpreter.InterpretableCall)
	if !is {
		return i, nil
	}
	args, overload := call.Args(), call.OverloadID()
	var work func([]ref.Val) uint64
	var do func([]ref.Val) ref.Val
	switch call.Function() {
	case "_==_":
		work, do = compared, func(v []ref.Val) ref.Val { return types.Equal(v[0], v[1]) }
	case "_!=_":
		work, do = compared, func(v []ref.Val) ref.Val { return types.Bool(types.Equal(v[0], v[1]) != types.True) }
	case "@in":
		work, do = searched, func(v []ref.Val) ref.Val {
			if in, is := v[1].(traits.Container); is {
				return in.Contains(v[0])
			}
			return types.NoSuchOverloadErr()
		}
	case "matches":
		expr, err := c.program(args[len(args)-1])
		if err != nil {
			return nil, err
		}
		p := c.programs[expr]
		// The overload tells CallCost which one it is. CEL would put its own in place of a call that has a text as its second argument.
		args, overload = args[:1], expr
		work, do = p.matching, func(v []ref.Val) ref.Val {
			if s, is := v[0].(types.String); is {
				return types.Bool(p.re.MatchString(string(s)))
			}
			return types.NoSuchOverloadErr()
		}
	default:
		return i, nil
	}
	return interpreter.NewCall(call.ID(), call.Function(), overload, args, func(v ...ref.Val) ref.Val {
		if work(v) > filterCost {
			return types.NewErr("too much work") // and its cost, when it is counted, ends the evaluation
		}
		return do(v)
	}), nil
}

func (c costs) program(arg interpreter.InterpretableV2) (expr string, err error) {
	if constant, is := arg.(interpreter.InterpretableConst); is {
		text, _ := constant.Value().(types.String)
		expr = string(text)
	}
	var p program
	if p.re, err = regexp.Compile(expr); err != nil {
		return "", err
	}
	p.size, err = instructions(expr)
	c.programs[expr] = p
	return expr, err
}

// matching is what it takes to match a text: RE2 takes a time that grows with the text and with the program.
func (p program) matching(args []ref.Val) uint64 {
	text, _ := args[0].(types.String)
	return uint64(len(text)) * uint64(p.size) / perUnitRegex
}

func compared(args []ref.Val) uint64 {
	return min(extent(args[0], filterCost), extent(args[1], filterCost))
}

func searched(args []ref.Val) uint64 {
	if _, is := args[1].(traits.Mapper); is {
		return extent(args[0], filterCost) // which is looked up
	}
	return extent(args[1], filterCost)
}

// extent is how much there is to compare in a value. It stops at most: a short filter can write down a list of lists of lists that is
// longer than any memory, each two times the one in it.
func extent(v ref.Val, most uint64) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v)) / perUnit
	case *array:
		return v.extent
	case *object:
		return v.extent
	case traits.Mapper:
		sum := uint64(0)
		for it := v.Iterator(); sum <= most && it.HasNext() == types.True; {
			sum += perEntry + extent(v.Get(it.Next()), most)
		}
		return sum
	case traits.Lister:
		sum := uint64(0)
		for it := v.Iterator(); sum <= most && it.HasNext() == types.True; {
			sum += 1 + extent(it.Next(), most)
		}
		return sum
	}
	return 0
}

const perEntry = 3 // units to compare an entry of an object, of which the name is looked up
