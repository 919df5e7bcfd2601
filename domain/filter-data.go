package domain

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/go-json-experiment/json/jsontext"
)

// array and object are JSON as filters see it. They know how much there is to compare in them; an object's names are in the order in
// which they came, so that every evaluation goes the same way and costs the same.
type array struct {
	traits.Lister
	extent uint64
}

type object struct {
	traits.Mapper
	names  traits.Lister
	extent uint64
}

func (o *object) Iterator() traits.Iterator { return o.names.Iterator() }

// mostValues bounds what is read of an event for a filter. An evaluation could not look at more.
const mostValues = 3_000

var errTooMuch = errors.New("is too much for a filter")

// reading is JSON being read.
type reading struct {
	*jsontext.Decoder
	left int // values
}

// read is JSON as filters see it: whole numbers are whole, as long as 64 bits hold them. Of an object it has the members that are needed.
func (n needs) read(doc []byte) (ref.Val, error) {
	if len(doc) == 0 || !n.whole && len(n.members) == 0 {
		return types.NullValue, nil
	}
	r := reading{jsontext.NewDecoder(bytes.NewReader(doc), jsontext.AllowDuplicateNames(true)), mostValues} // looked for when it was recorded
	if n.whole || r.PeekKind() != jsontext.KindBeginObject {
		return r.value()
	}
	if _, err := r.ReadToken(); err != nil {
		return nil, err
	}
	return r.object(func(name string) bool { return n.members[name] })
}

func (r *reading) value() (ref.Val, error) {
	if r.left--; r.left < 0 {
		return nil, errTooMuch
	}
	token, err := r.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindBeginObject:
		return r.object(func(string) bool { return true })
	case jsontext.KindBeginArray:
		return r.array()
	case jsontext.KindString:
		return types.String(token.String()), nil
	case jsontext.KindNumber:
		if n, err := strconv.ParseInt(token.String(), 10, 64); err == nil {
			return types.Int(n), nil
		}
		f, err := token.Float()
		return types.Double(f), err
	case jsontext.KindTrue, jsontext.KindFalse:
		return types.Bool(token.Bool()), nil
	case jsontext.KindNull:
		return types.NullValue, nil
	default:
	}
	return nil, io.ErrUnexpectedEOF
}

// object reads what follows after a brace.
func (r *reading) object(needed func(name string) bool) (ref.Val, error) {
	o, all, names := &object{}, map[ref.Val]ref.Val{}, []ref.Val{}
	for r.PeekKind() != jsontext.KindEndObject {
		token, err := r.ReadToken()
		if err != nil {
			return nil, err
		}
		text := token.String() // before the next token takes its place
		if !needed(text) {
			if err := r.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		name := types.String(text)
		if _, twice := all[name]; !twice {
			names = append(names, name)
		}
		all[name] = v
		o.extent += perEntry + extent(name, filterCost) + extent(v, filterCost)
	}
	o.Mapper = types.NewRefValMap(types.DefaultTypeAdapter, all)
	o.names = types.NewRefValList(types.DefaultTypeAdapter, names)
	_, err := r.ReadToken()
	return o, err
}

// array reads what follows after a bracket.
func (r *reading) array() (ref.Val, error) {
	a, all := &array{}, []ref.Val{}
	for r.PeekKind() != jsontext.KindEndArray {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		a.extent += 1 + extent(v, filterCost)
	}
	a.Lister = types.NewRefValList(types.DefaultTypeAdapter, all)
	_, err := r.ReadToken()
	return a, err
}

// needs is what a filter reads of the data: nothing, some members, or the whole.
type needs struct {
	members map[string]bool
	whole   bool
}

func needsOf(e ast.Expr) needs {
	n, mentioned := needs{members: map[string]bool{}}, 0
	isData := func(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == "data" }
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if isData(e) {
			mentioned++
		}
		if e.Kind() == ast.SelectKind && isData(e.AsSelect().Operand()) {
			n.members[e.AsSelect().FieldName()] = true
			mentioned--
		}
	}))
	n.whole = mentioned > 0
	return n
}
