package transport

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
	"chancery/internal/strictjson"
)

const (
	bulkLimit  = 16 << 20
	bulkChunk  = 500  // lines that are decided together
	bulkAtomic = 5000 // lines that may stand or fall together
	bulkValues = 100  // lines that tell a secret or hand out a file, of those that are answered together: all their values are in memory at once
)

type bulkLine struct {
	Command string         `json:"command" required:"true" description:"the name of a command"`
	Body    jsontext.Value `json:"body" required:"true" description:"as if it were sent alone"`
	Key     string         `json:"key,omitzero" description:"an idempotency key"`
	At      time.Time      `json:"at,omitzero" description:"when it happened; needs core.history.import"`
}

// bulk runs one command a line, in order, a later one seeing what the earlier ones did.
func (s *Server) bulk(c *call) error {
	atomic, err := atomicParameter(c)
	if err != nil {
		return err
	}
	if err := isMedia(c, errLines, "application/x-ndjson", "application/ndjson"); err != nil {
		return err
	}
	if c.header("If-Match") != "" {
		return badHeader("If-Match", "has no meaning for several commands")
	}
	key, err := idempotencyKey(c)
	if err != nil {
		return err
	}
	body, err := read(c, bulkLimit)
	if err != nil {
		return err
	}
	defer body.release()
	lines := linesOf(body.Bytes())
	switch {
	case len(lines) == 0:
		return badBody(inputError{Detail: "holds no line"})
	case atomic && len(lines) > bulkAtomic:
		return newProblem(http.StatusRequestEntityTooLarge, "too-large", "at most "+strconv.Itoa(bulkAtomic)+" lines can be atomic")
	}
	c.Response().Header().Set("Content-Type", "application/x-ndjson")
	if atomic {
		return s.bulkAtomic(c, lines, key)
	}
	return s.bulkStream(c, lines, key)
}

func atomicParameter(c *call) (bool, error) {
	q, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return false, badParameter("", "cannot be read")
	}
	for name, values := range q {
		if name != "atomic" {
			return false, badParameter(name, "is no parameter of this address")
		}
		if len(values) != 1 || values[0] != "true" && values[0] != "false" {
			return false, badParameter(name, "must be true or false")
		}
	}
	return q.Get("atomic") == "true", nil
}

// linesOf drops empty lines.
func linesOf(body []byte) [][]byte {
	lines := make([][]byte, 0, bytes.Count(body, []byte{'\n'})+1)
	for line := range bytes.SplitSeq(body, []byte{'\n'}) {
		if len(bytes.TrimSpace(line)) > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

// bulkStream answers chunk by chunk. A token that is not accepted any more when a chunk begins ends it there.
func (s *Server) bulkStream(c *call, lines [][]byte, key string) error {
	run := s.newRun(c, false)
	var gone error
	for i, line := range lines {
		if run.len() == 0 && i > 0 && gone == nil {
			gone = s.identifyAnew(c)
		}
		if gone != nil {
			run.outcomes = append(run.outcomes, commands.Outcome{Err: gone})
		} else {
			run.add(i, line, key)
		}
		if run.len() >= bulkChunk || run.values >= bulkValues || i == len(lines)-1 {
			run.flush()
			if _, err := c.Response().Write(run.answers()); err != nil || c.ctx().Err() != nil {
				return nil //nolint:nilerr // the caller left; what was done is done
			}
			_ = http.NewResponseController(c.Response().Writer).Flush() // at the latest it goes out at the end
		}
	}
	return nil
}

// identifyAnew finds out once more who calls, and for whom: nobody goes on with other rights than those they came with.
func (s *Server) identifyAnew(c *call) error {
	c.now = s.config.Now()
	c.seen = false // what has been acknowledged since counts
	err := s.identify(c)
	if err == nil {
		err = s.delegate(c)
	}
	if err != nil {
		s.report(c, s.problemOf(err))
	}
	return err
}

// bulkAtomic decides all lines together. A line that is refused before it is decided gives up all.
func (s *Server) bulkAtomic(c *call, lines [][]byte, key string) error {
	run := s.newRun(c, true)
	for i, line := range lines {
		if run.add(i, line, key); run.broken {
			for len(run.outcomes) < len(lines) {
				run.outcomes = append(run.outcomes, commands.Outcome{})
			}
			break
		}
	}
	run.flush()
	_, _ = c.Response().Write(run.answers())
	return nil
}

// run is lines on their way: decoded ones wait in orders until flush, which fills in their outcomes.
type run struct {
	s      *Server
	c      *call
	atomic bool
	broken bool // atomic, and some line cannot be

	outcomes []commands.Outcome
	orders   []commands.Order
	of       []int // of each order: its place in outcomes
	values   int   // orders of that kind, of those in outcomes
	out      []byte
}

func (s *Server) newRun(c *call, atomic bool) *run { return &run{s: s, c: c, atomic: atomic} }

func (r *run) len() int { return len(r.outcomes) }

// add decodes a line. Lines that go to different tenants cannot be decided together.
func (r *run) add(n int, line []byte, key string) {
	r.outcomes = append(r.outcomes, commands.Outcome{})
	o, err := r.order(n, line, key)
	if err != nil {
		r.outcomes[len(r.outcomes)-1].Err = err
		r.broken = r.atomic
		return
	}
	r.orders, r.of = append(r.orders, o), append(r.of, len(r.outcomes)-1)
	if tells(o.Command) {
		r.values++
	}
}

// tells reports whether the answer to a command holds a value that is made for it.
func tells(c commands.Command) bool {
	switch c.(type) {
	case commands.Disclosing, commands.Handing:
		return true
	}
	return false
}

func (r *run) order(n int, text []byte, key string) (commands.Order, error) {
	if len(text) > strictjson.Limit {
		return commands.Order{}, errTooLarge
	}
	var line bulkLine
	if err := decode(text, &line); err != nil {
		return commands.Order{}, err
	}
	spec, ok := commands.Named(line.Command)
	switch {
	case !ok:
		return commands.Order{}, errNotFound
	case line.Key != "" && !checkKey(line.Key):
		return commands.Order{}, badBody(inputError{Pointer: "/key", Detail: keyDetail})
	case line.Key != "":
		key = line.Key
	case key != "":
		key += "\n" + strconv.Itoa(n) // no key of a single command holds a line break
	}
	r.settle(spec, line.Body)
	o, err := r.s.order(r.c, spec, line.Body)
	if err != nil {
		return o, inside(err, "/body")
	}
	if len(r.orders) > 0 && r.orders[0].Tenant != o.Tenant { // only if atomic: else settle has flushed
		return o, newProblem(http.StatusUnprocessableEntity, "several-tenants", "lines about several tenants cannot be atomic")
	}
	if tells(o.Command) && r.values >= bulkValues { // only if atomic: else they were answered
		return o, newProblem(http.StatusRequestEntityTooLarge, "too-large", "at most "+strconv.Itoa(bulkValues)+" lines that tell a secret or hand out a file can be atomic")
	}
	parts := [][]byte{line.Body}
	if !line.At.IsZero() {
		if err := r.s.allow(r.c, access.Question{Tenant: o.Tenant, Privilege: "core.history.import"}); err != nil {
			r.s.note(r.c, o, err)
			return o, err
		}
		o.At = line.At
		parts = append(parts, line.At.AppendFormat(nil, time.RFC3339Nano))
	}
	return r.s.keyed(r.c, o, key, spec.Name, parts...), nil
}

// settle flushes before a command that goes to another tenant than those that wait, so that it sees what they did.
func (r *run) settle(spec *commands.Spec, body []byte) {
	if len(r.orders) == 0 || r.atomic {
		return
	}
	to := r.c.tenant
	if _, abroad := spec.Zero.(commands.Abroad); abroad {
		decoded := spec.New()
		if strictjson.Decode(body, decoded) != nil {
			return // order will say why
		}
		to = commands.NewOrder(spec, decoded, r.c.tenant).Tenant
	}
	if to != r.orders[0].Tenant {
		r.flush()
	}
}

// flush decides what waits.
func (r *run) flush() {
	orders, of := r.orders, r.of
	r.orders, r.of = nil, nil
	switch {
	case r.broken:
		for i := range r.outcomes {
			if r.outcomes[i].Err == nil {
				r.outcomes[i].Err = commands.ErrAborted
			}
		}
		return
	case len(orders) > 0:
		r.decide(orders, of)
	}
}

func (r *run) decide(orders []commands.Order, of []int) {
	outcomes, err := r.s.config.Commands.Batch(r.c.ctx(), orders[0].Tenant, orders, r.atomic)
	if !r.atomic && len(orders) > 1 && (errors.Is(err, dcb.ErrKeyReused) || errors.Is(err, dcb.ErrBadData)) {
		for i := range orders { // one of them is at fault: find out which
			r.decide(orders[i:i+1], of[i:i+1])
		}
		return
	}
	if err != nil {
		r.s.report(r.c, r.s.problemOf(err))
	}
	faulty := false // of several faults of single lines the first is logged: they are of one cause
	for i, place := range of {
		if err != nil {
			r.outcomes[place].Err = err
			continue
		}
		r.outcomes[place] = outcomes[i]
		if outcomes[i].Err == nil {
			continue
		}
		r.s.note(r.c, orders[i], outcomes[i].Err)
		if p := r.s.problemOf(outcomes[i].Err); p.cause != nil && !faulty {
			faulty = true
			r.s.report(r.c, p)
		}
	}
}

// answers takes the answers of all lines since it was last called.
func (r *run) answers() []byte {
	r.out = r.out[:0]
	for _, o := range r.outcomes {
		if o.Err == nil {
			r.out = append(r.out, `{"status":200,`...)
			r.out = append(r.out, appendResult(nil, o.Result)[1:]...)
			r.out = append(r.out, "}\n"...)
			continue
		}
		p := r.s.lineProblem(o.Err)
		r.out = append(r.out, `{"status":`...)
		r.out = strconv.AppendInt(r.out, int64(p.Status), 10)
		r.out = append(r.out, `,"problem":`...)
		r.out = append(r.out, encode(p)...)
		r.out = append(r.out, "}\n"...)
	}
	r.outcomes, r.values = r.outcomes[:0], 0
	return r.out
}

// lineProblem points into the line, where the domain points into the command.
func (s *Server) lineProblem(err error) *problem {
	p := s.problemOf(err)
	if in, ok := errors.AsType[*domain.InputError](err); ok && in.Pointer != "/at" {
		p = p.inside("/body")
	}
	return p
}

// inside moves what is wrong with a part of the input to where that part stands.
func inside(err error, pointer string) error {
	if errs, ok := errors.AsType[strictjson.Errors](err); ok {
		return badBody(inputErrors(errs)...).inside(pointer)
	}
	if p, ok := errors.AsType[*problem](err); ok && len(p.Errors) > 0 {
		return p.inside(pointer)
	}
	return err
}

func (p *problem) inside(pointer string) *problem {
	moved := *p
	moved.Errors = slices.Clone(p.Errors)
	for i := range moved.Errors {
		moved.Errors[i].Pointer = pointer + moved.Errors[i].Pointer
	}
	return &moved
}
