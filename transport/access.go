package transport

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/strictjson"
	"chancery/readmodels"
)

// Judge answers access questions, of now or of the past. *access.Index is one.
type Judge interface {
	Decide(access.Question) access.Answer
	Explain(access.Question) access.Explanation
	Knows(t domain.TenantID, u domain.UserID, q access.Question) bool
	SearchSubjects(access.Question) []domain.UserID
	SearchResources(q access.Question, typ string) (ids []string, whole bool)
	SearchActions(q access.Question, of []domain.Privilege) []domain.Privilege
	Entitlement(t domain.TenantID, name domain.App, entitlement string, at time.Time) access.Entitled
	ExplainEntitlement(t domain.TenantID, name domain.App, entitlement string, at time.Time) (access.Entitled, []access.Ground)
	Position() int64
}

// AccessAsOf is who could do what at a moment, and the time at which windows are to be judged then. Errors: ErrBeyond,
// ErrBusy, faults.
type AccessAsOf func(context.Context, domain.TenantID, Moment) (Judge, time.Time, error)

// The words of AuthZEN 1.0. What they do not name is ignored, as the specification wants it.
type (
	entity struct {
		Type       string         `json:"type,omitzero"`
		ID         string         `json:"id,omitzero"`
		Properties jsontext.Value `json:"properties,omitzero"`
	}
	action struct {
		Name       string         `json:"name,omitzero"`
		Properties jsontext.Value `json:"properties,omitzero"`
	}
	evaluationRequest struct {
		Subject  *entity         `json:"subject,omitzero"`
		Action   *action         `json:"action,omitzero"`
		Resource *entity         `json:"resource,omitzero"`
		Context  *requestContext `json:"context,omitzero"`
	}
	evaluationsRequest struct {
		evaluationRequest
		Evaluations []evaluationRequest `json:"evaluations,omitzero"`
		Options     struct {
			Semantic string `json:"evaluations_semantic,omitzero"`
		} `json:"options,omitzero"`
	}
	requestContext struct {
		AsOf        jsontext.Value `json:"as_of,omitzero" description:"a position or a time: decide as of then"`
		MinPosition jsontext.Value `json:"min_position,omitzero" description:"the decision must have seen this position"`
		Explain     bool           `json:"explain,omitzero" description:"tell the reasons, down to the events"`
		Delegation  string         `json:"delegation,omitzero" description:"the id of a delegation: what its delegate, the subject, may do under it; absent: what the subject may do alone or, asked by the subject, in this very request"`
	}
)

// The answers of AuthZEN 1.0.
type (
	decision struct {
		Decision bool             `json:"decision"`
		Context  *decisionContext `json:"context,omitzero"`
	}
	decisions struct {
		Evaluations []decision `json:"evaluations"`
	}
	decisionContext struct {
		Position *readmodels.Position `json:"position,omitzero" description:"what the decision has seen"`
		Reason   access.Reason        `json:"reason,omitzero" description:"the reason, in one word"`
		Reasons  []reason             `json:"reasons,omitzero" description:"everything that was weighed"`
		Error    *itemError           `json:"error,omitzero" description:"why the question could not be answered"`
	}
	itemError struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	}
	reason struct {
		Rule   access.Rule `json:"rule"`
		Counts bool        `json:"counts"`
		Note   string      `json:"note,omitzero"`
		Path   []step      `json:"path,omitzero" description:"how one thing led to the next"`
	}
	step struct {
		Kind     string              `json:"kind"`
		ID       string              `json:"id"`
		Position readmodels.Position `json:"position,omitzero"`
		Event    *eventName          `json:"event,omitzero"`
	}
	eventName struct {
		ID   uuid.UUID `json:"id"`
		Type string    `json:"type"`
	}
)

// evaluation answers whether somebody may do something.
func (s *Server) evaluation(c *call) error {
	var r evaluationRequest
	if err := decodeOpen(c, &r); err != nil {
		return err
	}
	return s.single(c, r)
}

func (s *Server) single(c *call, r evaluationRequest) error {
	if missing := r.missing(); missing != nil {
		return badBody(missing...)
	}
	if err := s.mayAsk(c, r.Subject); err != nil {
		return err
	}
	d, at, err := s.evaluate(c, r)
	if err != nil {
		return err
	}
	c.position(at)
	if d.Context == nil { // nearly always
		return c.Blob(http.StatusOK, "application/json", bare[d.Decision])
	}
	return c.answer(d)
}

var bare = map[bool][]byte{false: []byte(`{"decision":false}`), true: []byte(`{"decision":true}`)}

const (
	mostEvaluations = 1000
	mostMoments     = 8 // that they ask about: each is a history of its own
)

// evaluations answers several questions. A bad one among them is a deny; only what concerns all is an error.
func (s *Server) evaluations(c *call) error {
	var r evaluationsRequest
	if err := decodeOpen(c, &r); err != nil {
		return err
	}
	stop, ok := map[string]func(bool) bool{
		"": never, "execute_all": never,
		"deny_on_first_deny":     func(allowed bool) bool { return !allowed },
		"permit_on_first_permit": func(allowed bool) bool { return allowed },
	}[r.Options.Semantic]
	switch {
	case !ok:
		return badBody(inputError{Pointer: "/options/evaluations_semantic", Detail: "must be execute_all, deny_on_first_deny or permit_on_first_permit"})
	case len(r.Evaluations) == 0:
		return s.single(c, r.evaluationRequest)
	case len(r.Evaluations) > mostEvaluations:
		return badBody(inputError{Pointer: "/evaluations", Detail: "holds more than " + strconv.Itoa(mostEvaluations) + " questions"})
	}
	items := make([]evaluationRequest, len(r.Evaluations))
	for i, item := range r.Evaluations {
		items[i] = item.withDefaults(r.evaluationRequest)
		if items[i].missing() != nil {
			continue // a deny, whoever asks
		}
		if err := s.mayAsk(c, items[i].Subject); err != nil {
			return err
		}
	}
	if moments(items) > mostMoments {
		return badBody(inputError{Pointer: "/evaluations", Detail: "names more than " + strconv.Itoa(mostMoments) + " different moments as as_of"})
	}
	out := decisions{Evaluations: make([]decision, 0, len(items))}
	for _, item := range items {
		d, at, err := s.evaluateItem(c, item)
		if err != nil {
			return err
		}
		c.position(at)
		if out.Evaluations = append(out.Evaluations, d); stop(d.Decision) {
			break
		}
	}
	return c.answer(out)
}

// moments counts the different ones that are asked about.
func moments(items []evaluationRequest) int {
	seen := map[string]struct{}{}
	for _, item := range items {
		if rc := item.Context; rc != nil && len(rc.AsOf) > 0 && rc.AsOf.Kind() != 'n' {
			seen[scalar(rc.AsOf)] = struct{}{}
		}
	}
	return len(seen)
}

func never(bool) bool { return false }

// evaluateItem turns what is wrong with one question into a deny.
func (s *Server) evaluateItem(c *call, r evaluationRequest) (decision, int64, error) {
	var err error
	if missing := r.missing(); missing != nil {
		err = newProblem(http.StatusBadRequest, malformed, missing[0].Pointer+" "+missing[0].Detail)
	}
	var d decision
	var at int64
	if err == nil {
		d, at, err = s.evaluate(c, r)
	}
	if err == nil {
		return d, at, nil
	}
	if p := s.problemOf(err); p.Status < http.StatusInternalServerError {
		detail := p.Detail
		for _, e := range p.Errors {
			detail = e.Pointer + " " + e.Detail
		}
		return decision{Context: &decisionContext{Error: &itemError{p.Status, detail}}}, s.config.Access.Position(), nil
	}
	return d, at, err
}

func (s *Server) evaluate(c *call, r evaluationRequest) (decision, int64, error) {
	judge, when, err := s.judge(c, r.Context)
	if err != nil {
		return decision{}, 0, err
	}
	q, err := s.asked(c, judge, r, when)
	if err != nil {
		return decision{}, 0, err
	}
	q.Privilege = domain.Privilege(r.Action.Name)
	scope, known := s.scope(c, r.Resource)
	q.Scope = scope
	if r.Context.explains() {
		return s.explain(c, judge, q, known)
	}
	a := judge.Decide(q)
	d := decision{Decision: a.Allowed && known}
	if r.Context.placed() {
		d.Context = &decisionContext{Position: new(readmodels.Position(a.Position))}
	}
	return d, a.Position, nil
}

// judge is the one whom the context asks: of now, or of the past.
func (s *Server) judge(c *call, rc *requestContext) (Judge, time.Time, error) {
	if !rc.placed() {
		return s.config.Access, c.now, nil
	}
	if len(rc.MinPosition) > 0 && rc.MinPosition.Kind() != 'n' {
		least, ok := digits(scalar(rc.MinPosition))
		if !ok {
			return nil, c.now, badBody(inputError{Pointer: "/context/min_position", Detail: "must be a position, such as \"42\""})
		}
		if err := s.wait(c, least, func(ctx context.Context) error { return s.config.Access.Wait(ctx, least) }); err != nil {
			return nil, c.now, err
		}
	}
	if len(rc.AsOf) == 0 || rc.AsOf.Kind() == 'n' {
		return s.config.Access, c.now, nil
	}
	if c.past.judge != nil && c.past.asOf == string(rc.AsOf) {
		return c.past.judge, c.past.at, nil
	}
	m, err := moment(scalar(rc.AsOf), c.now)
	if err == nil && s.config.AccessAsOf == nil {
		err = errors.New("is not offered here")
	}
	if err != nil {
		return nil, c.now, badBody(inputError{Pointer: "/context/as_of", Detail: err.Error()})
	}
	judge, at, err := s.config.AccessAsOf(c.ctx(), c.tenant, m)
	if errors.Is(err, ErrBeyond) {
		err = badBody(inputError{Pointer: "/context/as_of", Detail: ErrBeyond.Error()})
	}
	if err == nil {
		c.past = pastJudge{string(rc.AsOf), judge, at}
	}
	return judge, at, err
}

// pastJudge is kept for the questions of one request: the past is dear.
type pastJudge struct {
	asOf  string
	judge Judge
	at    time.Time
}

// scalar is the text of a string or a number.
func scalar(v jsontext.Value) string {
	if v.Kind() != '"' {
		return string(v)
	}
	text, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return ""
	}
	return string(text)
}

func (rc *requestContext) explains() bool { return rc != nil && rc.Explain }

// placed reports whether the caller wants to be told the position.
func (rc *requestContext) placed() bool {
	return rc != nil && (rc.Explain || len(rc.AsOf) > 0 || len(rc.MinPosition) > 0)
}

// asked is a question about the subject: alone, or acting for somebody.
func (s *Server) asked(c *call, judge Judge, r evaluationRequest, when time.Time) (access.Question, error) {
	q := access.Question{Tenant: c.tenant, At: when}
	id, isUser := userID(r.Subject)
	switch {
	case r.Context != nil && r.Context.Delegation != "":
		d, err := uuid.Parse(r.Context.Delegation)
		if err != nil {
			return q, badBody(inputError{Pointer: "/context/delegation", Detail: "must be the id of a delegation"})
		}
		q.Delegation = domain.DelegationID{UUID: d}
	case isUser && id == c.caller.User:
		q.Delegation, q.Impersonation = c.caller.Delegation, c.caller.Impersonation
	}
	if isUser && (id == c.caller.User || judge.Knows(c.tenant, id, q)) {
		q.User = id
	}
	return q, nil
}

func userID(e *entity) (domain.UserID, bool) {
	if e == nil || e.Type != "user" || len(e.ID) != 36 {
		return domain.UserID{}, false
	}
	id, err := uuid.Parse(e.ID)
	return domain.UserID{UUID: id}, err == nil
}

// scope is the resource asked about; known is false for a tenant that is not the one asked.
func (s *Server) scope(c *call, e *entity) (scope domain.Scope, known bool) {
	if e.Type != "tenant" {
		return domain.Scope(e.Type + ":" + e.ID), true
	}
	id, _, found := s.config.Access.Tenant(e.ID)
	return "", found && id == c.tenant
}

// mayAsk lets everybody ask about themselves, and about whom they act as; about others only those who hold core.access.evaluate.
func (s *Server) mayAsk(c *call, subject *entity) error {
	id, ok := userID(subject)
	if ok && (id == c.caller.User || !c.caller.Impersonation.IsZero() && id == c.caller.For) {
		return nil
	}
	return s.may(c, "core.access.evaluate")
}

// missing lists what a question lacks.
func (r evaluationRequest) missing() []inputError {
	errs := missingEntity(nil, "/subject", r.Subject, true)
	errs = missingAction(errs, r.Action)
	return missingEntity(errs, "/resource", r.Resource, true)
}

func missingEntity(errs []inputError, pointer string, e *entity, id bool) []inputError {
	switch {
	case e == nil:
		return append(errs, inputError{Pointer: pointer, Detail: "is required"})
	case e.Type == "":
		errs = append(errs, inputError{Pointer: pointer + "/type", Detail: "is required"})
	}
	if id && e.ID == "" {
		errs = append(errs, inputError{Pointer: pointer + "/id", Detail: "is required"})
	}
	return missingProperties(errs, pointer, e.Properties)
}

func missingAction(errs []inputError, a *action) []inputError {
	switch {
	case a == nil:
		return append(errs, inputError{Pointer: "/action", Detail: "is required"})
	case a.Name == "":
		errs = append(errs, inputError{Pointer: "/action/name", Detail: "is required"})
	}
	return missingProperties(errs, "/action", a.Properties)
}

// missingProperties: they are checked for their form only. What a caller says of things gives no rights.
func missingProperties(errs []inputError, pointer string, v jsontext.Value) []inputError {
	if len(v) > 0 && v.Kind() != '{' && v.Kind() != 'n' {
		errs = append(errs, inputError{Pointer: pointer + "/properties", Detail: "must be an object"})
	}
	return errs
}

// withDefaults takes what a question does not name from the defaults.
func (r evaluationRequest) withDefaults(d evaluationRequest) evaluationRequest {
	r.Subject, r.Resource = r.Subject.or(d.Subject), r.Resource.or(d.Resource)
	if r.Action == nil || r.Action.Name == "" && d.Action != nil {
		r.Action = d.Action
	}
	if r.Context == nil {
		r.Context = d.Context
	}
	return r
}

func (e *entity) or(d *entity) *entity {
	if e == nil || d == nil {
		return either(e, d)
	}
	whole := *e
	if whole.Type == "" {
		whole.Type = d.Type
	}
	if whole.ID == "" {
		whole.ID = d.ID
	}
	return &whole
}

func either(e, d *entity) *entity {
	if e != nil {
		return e
	}
	return d
}

// decodeOpen reads a body of AuthZEN: unknown keys are ignored, repeated ones are not. A wrong type of content is 400.
func decodeOpen(c *call, into any) error {
	if isJSON(c) != nil {
		return badHeader("Content-Type", "must be application/json")
	}
	b, err := read(c, strictjson.Limit)
	if err != nil {
		return err
	}
	defer b.release()
	if err := json.Unmarshal(b.Bytes(), into); err != nil {
		return badBody(openError(err))
	}
	if bytes.Contains(b.Bytes(), []byte(`\u0000`)) {
		return badBody(inputError{Detail: "must not hold the character U+0000"})
	}
	return nil
}

func openError(err error) inputError {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return inputError{Pointer: string(e.JSONPointer), Detail: "is of the wrong type"}
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(e.Err, jsontext.ErrDuplicateName) {
			return inputError{Pointer: string(e.JSONPointer), Detail: "given twice"}
		}
		return inputError{Pointer: string(e.JSONPointer), Detail: "not valid JSON at byte " + strconv.FormatInt(e.ByteOffset, 10)}
	}
	return inputError{Detail: "not a JSON object"}
}
