package replay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The grammar of projection statements, which is the whole of what replay understands:
//
//	INSERT INTO t [AS x] (col, …) VALUES (operand, …) [ON CONFLICT (col, …) DO NOTHING |
//	    ON CONFLICT (col, …) DO UPDATE SET col = operand, … [WHERE condition AND …]]
//	UPDATE t [AS x] SET col = operand, … WHERE condition AND …
//	DELETE FROM t [AS x] WHERE condition AND …
//
// An operand is $n, a constant, NULL, or a column; casts are accepted and without effect.

type tokenKind uint8

const (
	word   tokenKind = iota // lower-case; also a quoted identifier
	param                   // $n
	text                    // 'constant'
	number                  // 42, -1
	mark                    // operators and punctuation
	end
)

type token struct {
	kind   tokenKind
	s      string
	quoted bool
}

func scanTokens(sql string) ([]token, error) { //nolint:cyclop // one case for each kind of token
	var out []token
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			i++
		case strings.HasPrefix(sql[i:], "--"):
			if n := strings.IndexByte(sql[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(sql)
			}
		case c == '\'' || c == '"':
			s, n, err := quoted(sql[i:], c)
			if err != nil {
				return nil, err
			}
			if c == '"' {
				out = append(out, token{kind: word, s: s, quoted: true})
			} else {
				out = append(out, token{kind: text, s: s})
			}
			i += n
		case c == '$' || isDigit(c) || c == '-' && i+1 < len(sql) && isDigit(sql[i+1]):
			n := run(sql[i:], func(b byte) bool { return isDigit(b) || c != '$' && b == '.' })
			k := number
			if c == '$' {
				k = param
			}
			out = append(out, token{kind: k, s: sql[i : i+n]})
			i += n
		case isLetter(c):
			n := run(sql[i:], func(b byte) bool { return isLetter(b) || isDigit(b) })
			out = append(out, token{kind: word, s: strings.ToLower(sql[i : i+n])})
			i += n
		default:
			n := 1
			if len(sql) > i+1 && slices.Contains([]string{"<=", ">=", "<>", "!=", "::"}, sql[i:i+2]) {
				n = 2
			}
			out = append(out, token{kind: mark, s: sql[i : i+n]})
			i += n
		}
	}
	return append(out, token{kind: end}), nil
}

// run is the length of the first byte with all that goes on after it.
func run(s string, goesOn func(byte) bool) int {
	n := 1
	for n < len(s) && goesOn(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func quoted(s string, q byte) (string, int, error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != q {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == q {
			b.WriteByte(q)
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("unterminated %c", q)
}

type (
	verb uint8

	parsed struct {
		verb     verb
		table    string
		alias    string
		columns  []string
		values   []operand
		target   []string // of ON CONFLICT
		conflict verb     // 0, doNothing, doUpdate
		set      []assignment
		where    []condition
	}
	operand struct {
		kind      operandKind
		n         int    // parameter, from 0
		s         string // constant or column
		qualifier string
	}
	operandKind uint8
	assignment  struct {
		column string
		value  operand
	}
	condition struct {
		left  operand
		op    string // = <> < <= > >= null notnull same differs
		right operand
	}
)

const (
	insert verb = iota + 1
	update
	remove
	doNothing
	doUpdate
)

const (
	opParam operandKind = iota + 1
	opConst
	opNull
	opColumn
)

type parser struct {
	tokens []token
	err    error
}

// parse reads one statement of the grammar above.
func parse(sql string) (*parsed, error) {
	tokens, err := scanTokens(sql)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	s := &parsed{}
	switch {
	case p.words("insert", "into"):
		p.insert(s)
	case p.words("update"):
		p.update(s)
	case p.words("delete", "from"):
		s.verb = remove
		p.tableName(s)
		p.need("where")
		s.where = p.conditions()
	default:
		p.fail()
	}
	p.marks(";")
	if p.tokens[0].kind != end {
		p.fail()
	}
	return s, p.err
}

func (p *parser) insert(s *parsed) {
	s.verb = insert
	p.tableName(s)
	s.columns = p.names()
	p.need("values")
	p.needMark("(")
	for p.err == nil {
		s.values = append(s.values, p.operand())
		if !p.marks(",") {
			break
		}
	}
	p.needMark(")")
	if !p.words("on", "conflict") {
		return
	}
	s.target = p.names()
	p.need("do")
	if p.words("nothing") {
		s.conflict = doNothing
		return
	}
	s.conflict = doUpdate
	p.need("update")
	p.need("set")
	s.set = p.assignments()
	if p.words("where") {
		s.where = p.conditions()
	}
}

func (p *parser) update(s *parsed) {
	s.verb = update
	p.tableName(s)
	p.need("set")
	s.set = p.assignments()
	p.need("where")
	s.where = p.conditions()
}

func (p *parser) tableName(s *parsed) {
	s.table = p.name()
	s.alias = s.table
	if p.words("as") || p.tokens[0].kind == word && !p.ahead("set") && !p.ahead("where") {
		s.alias = p.name()
	}
}

func (p *parser) assignments() (out []assignment) {
	for p.err == nil {
		a := assignment{column: p.name()}
		p.needMark("=")
		a.value = p.operand()
		out = append(out, a)
		if !p.marks(",") {
			break
		}
	}
	return out
}

func (p *parser) conditions() (out []condition) {
	for p.err == nil {
		if p.marks("(") {
			out = append(out, p.conditions()...)
			p.needMark(")")
		} else {
			out = append(out, p.condition())
		}
		if !p.words("and") {
			break
		}
	}
	return out
}

func (p *parser) condition() condition {
	c := condition{left: p.operand()}
	switch {
	case p.words("is", "not", "null"):
		c.op = "notnull"
	case p.words("is", "null"):
		c.op = "null"
	case p.words("is", "not", "distinct", "from"):
		c.op, c.right = "same", p.operand()
	case p.words("is", "distinct", "from"):
		c.op, c.right = "differs", p.operand()
	default:
		c.op = p.tokens[0].s
		if c.op == "!=" {
			c.op = "<>"
		}
		if t := p.tokens[0]; t.kind != mark || !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, c.op) {
			p.fail()
			return c
		}
		p.tokens = p.tokens[1:]
		c.right = p.operand()
	}
	return c
}

func (p *parser) operand() (o operand) {
	t := p.tokens[0]
	switch t.kind {
	case param:
		n, err := strconv.Atoi(t.s[1:])
		if err != nil || n < 1 {
			p.fail()
		}
		o = operand{kind: opParam, n: n - 1}
	case text, number:
		o = operand{kind: opConst, s: t.s}
	case word:
		switch {
		case p.ahead("null"):
			o = operand{kind: opNull}
		case p.ahead("true"), p.ahead("false"):
			o = operand{kind: opConst, s: t.s}
		default:
			o = operand{kind: opColumn, s: t.s}
		}
	default:
		p.fail()
		return o
	}
	p.tokens = p.tokens[1:]
	if o.kind == opColumn && p.marks(".") {
		o.qualifier, o.s = o.s, p.name()
	}
	for p.err == nil && p.marks("::") {
		p.name()
		if p.marks("[") {
			p.needMark("]")
		}
	}
	return o
}

func (p *parser) names() (out []string) {
	p.needMark("(")
	for p.err == nil {
		out = append(out, p.name())
		if !p.marks(",") {
			break
		}
	}
	p.needMark(")")
	return out
}

func (p *parser) name() string {
	t := p.tokens[0]
	if t.kind != word {
		p.fail()
		return ""
	}
	p.tokens = p.tokens[1:]
	return t.s
}

func (p *parser) ahead(w string) bool {
	return p.tokens[0].kind == word && !p.tokens[0].quoted && p.tokens[0].s == w
}

// words consumes the words if they are all next.
func (p *parser) words(ws ...string) bool {
	for i, w := range ws {
		if i >= len(p.tokens) || p.tokens[i].kind != word || p.tokens[i].quoted || p.tokens[i].s != w {
			return false
		}
	}
	p.tokens = p.tokens[len(ws):]
	return true
}

func (p *parser) marks(s string) bool {
	if p.tokens[0].kind != mark || p.tokens[0].s != s {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) need(w string) {
	if !p.words(w) {
		p.fail()
	}
}

func (p *parser) needMark(s string) {
	if !p.marks(s) {
		p.fail()
	}
}

func (p *parser) fail() {
	if p.err != nil {
		return
	}
	near := "the end"
	if t := p.tokens[0]; t.kind != end {
		near = fmt.Sprintf("%q", t.s)
	}
	p.err = fmt.Errorf("unsupported shape, at %s", near)
}
