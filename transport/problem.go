package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
	"chancery/internal/strictjson"
	"chancery/readmodels"
)

// problem is an answer that is none (RFC 9457). Nothing in it comes from below the domain.
type problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   string       `json:"code" description:"stable; docs/refusals.md lists them"`
	Errors []inputError `json:"errors,omitempty"`

	retry     string // Retry-After, in seconds
	challenge string // WWW-Authenticate
	cause     error  // for our own log
}

// inputError is one thing wrong with the input. In is absent for the body, else query, header or path.
type inputError struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
	In      string `json:"in,omitempty"`
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }
func (p *problem) Unwrap() error { return p.cause }

const urn = "urn:chancery:problem:"

func newProblem(status int, code, detail string, errs ...inputError) *problem {
	title := strings.ReplaceAll(code, "-", " ")
	return &problem{
		Type: urn + code, Title: strings.ToUpper(title[:1]) + title[1:], Status: status, Detail: detail, Code: code, Errors: errs,
	}
}

// The problems without particulars. One value for each, so that the answers are equal to the byte.
var (
	errNotFound = newProblem(http.StatusNotFound, "not-found", domain.ErrNotFound.Text)
	errMethod   = newProblem(http.StatusMethodNotAllowed, "method-not-allowed", "the address does not take this method; Allow names those it takes")
	errTooLarge = newProblem(http.StatusRequestEntityTooLarge, "too-large", "the body is larger than allowed")
	errMedia    = newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "the body must be application/json")
	errLines    = newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "the body must be application/x-ndjson")
	errCoding   = newProblem(http.StatusUnsupportedMediaType, "unsupported-content-encoding", "the body must be sent as it is: neither compressed nor in another Content-Encoding")
	errConflict = newProblem(http.StatusConflict, "conflict", "others changed the same things meanwhile, or the same request is under way; try again")
	errReused   = newProblem(http.StatusUnprocessableEntity, "idempotency-key-reused", "the idempotency key was used for another request")
	errAborted  = newProblem(http.StatusFailedDependency, "aborted", "another line was refused, so nothing was done")
	errInternal = newProblem(http.StatusInternalServerError, "internal", "something went wrong on our side; the request id names it")
)

func unauthenticated(challenge string) *problem {
	p := newProblem(http.StatusUnauthorized, "unauthenticated", access.ErrUnauthenticated.Error())
	p.challenge = challenge
	return p
}

// proofTooOld asks for a fresh proof of who calls.
type proofTooOld struct{ lasts time.Duration }

func (e *proofTooOld) Error() string { return domain.ErrStepUp.Error() }
func (e *proofTooOld) Unwrap() error { return domain.ErrStepUp }

// unavailable is a fault that will pass.
func unavailable(detail string, cause error) *problem {
	p := newProblem(http.StatusServiceUnavailable, "unavailable", detail)
	p.retry, p.cause = "1", cause
	return p
}

const malformed = "malformed"

func badBody(errs ...inputError) *problem {
	return newProblem(http.StatusBadRequest, malformed, "the body is not as it must be", errs...)
}

func badHeader(name, detail string) *problem {
	return newProblem(http.StatusBadRequest, malformed, "a header is not as it must be", inputError{Pointer: "/" + name, Detail: detail, In: "header"})
}

func badParameter(name, detail string) *problem {
	return newProblem(http.StatusBadRequest, malformed, "a parameter is not as it must be", inputError{Pointer: "/" + name, Detail: detail, In: "query"})
}

// problemOf words an error for callers. What it does not know is a fault.
func (s *Server) problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if refusal, ok := domain.IsRefusal(err); ok {
		p := refused(refusal, err)
		if old, ok := errors.AsType[*proofTooOld](err); ok { // RFC 9470, section 3
			p.challenge = `Bearer error="insufficient_user_authentication", max_age="` + strconv.Itoa(int(old.lasts.Seconds())) + `"`
		}
		return p
	}
	if errs, ok := errors.AsType[strictjson.Errors](err); ok {
		return badBody(inputErrors(errs)...)
	}
	if e, ok := errors.AsType[*readmodels.InputError](err); ok {
		return badParameter(e.Parameter, e.Detail)
	}
	if p := expected(err); p != nil {
		return p
	}
	switch {
	case errors.Is(err, context.Canceled):
		return unavailable("the request was given up", nil)
	case errors.Is(err, context.DeadlineExceeded), s.config.Unavailable != nil && s.config.Unavailable(err):
		return unavailable("the database did not answer; try again", err)
	}
	p := *errInternal
	p.cause = err
	return &p
}

// expected words the errors that are no faults; nil for others.
func expected(err error) *problem {
	switch {
	case errors.Is(err, dcb.ErrConflict):
		return errConflict
	case errors.Is(err, dcb.ErrKeyReused):
		return errReused
	case errors.Is(err, dcb.ErrBadData):
		return badBody(inputError{Detail: "holds a character that cannot be stored"})
	case errors.Is(err, dcb.ErrTooEarly):
		return refused(domain.ErrTooEarly, domain.ErrTooEarly)
	case errors.Is(err, commands.ErrAborted):
		return errAborted
	case errors.Is(err, commands.ErrOffRecord):
		return unavailable(commands.ErrOffRecord.Error(), err)
	case errors.Is(err, access.ErrUnauthenticated):
		return unauthenticated(challengeInvalid)
	case errors.Is(err, ErrBeyond):
		return badParameter("as_of", ErrBeyond.Error())
	case errors.Is(err, ErrBusy):
		return unavailable(ErrBusy.Error(), nil)
	case errors.Is(err, readmodels.ErrBusy):
		return unavailable(readmodels.ErrBusy.Error(), nil)
	}
	return nil
}

func refused(r *domain.Refusal, err error) *problem {
	status := http.StatusUnprocessableEntity
	switch r.Kind {
	case domain.RuleSaidNo:
	case domain.Missing:
		status = http.StatusNotFound
	case domain.Forbidden:
		status = http.StatusForbidden
	case domain.Stale:
		status = http.StatusPreconditionFailed
	case domain.Unproven:
		status = http.StatusUnauthorized
	}
	if in, ok := errors.AsType[*domain.InputError](err); ok {
		return newProblem(status, r.Code, r.Text, inputError{Pointer: in.Pointer, Detail: in.Detail})
	}
	if in, ok := errors.AsType[*domain.InputErrors](err); ok {
		return newProblem(status, r.Code, r.Text, placesOf(in.Places)...)
	}
	detail := r.Text
	if text := err.Error(); strings.HasPrefix(text, r.Text) { // with particulars of the domain, and nobody's wrapping
		detail = text
	}
	p := newProblem(status, r.Code, detail)
	if status == http.StatusUnauthorized { // RFC 9110, section 15.5.2, demands one
		p.challenge = challengeNone
	}
	return p
}

func placesOf(places []domain.Place) []inputError {
	out := make([]inputError, len(places))
	for i, p := range places {
		out[i] = inputError{Pointer: p.Pointer, Detail: p.Detail}
	}
	return out
}

func inputErrors(errs strictjson.Errors) []inputError {
	out := make([]inputError, len(errs))
	for i, e := range errs {
		out[i] = inputError{Pointer: e.Pointer, Detail: e.Detail}
	}
	return out
}

// fail writes the problem of an error; a fault is logged here, once.
func (s *Server) fail(c *call, err error) {
	p := s.problemOf(err)
	s.report(c, p)
	if c.Response().Committed {
		return
	}
	h := c.Response().Header()
	if p.retry != "" {
		h.Set("Retry-After", p.retry)
	}
	if p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	}
	if err := c.Blob(p.Status, "application/problem+json", encode(p)); err != nil {
		s.log.DebugContext(c.ctx(), "the caller left", "request_id", c.id, "error", err)
	}
}

// report logs the cause of a problem that is our own.
func (s *Server) report(c *call, p *problem) {
	if p.cause == nil || c.ctx().Err() != nil {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", c.id), slog.String("method", c.Request().Method), slog.String("route", c.Path()),
		slog.Int("status", p.Status), slog.Any("error", p.cause),
	}
	if crash, ok := errors.AsType[*panicked](p.cause); ok {
		attrs = append(attrs, slog.String("stack", string(crash.stack)))
	}
	s.log.LogAttrs(c.ctx(), slog.LevelError, "a request failed", attrs...)
}

// panicked is a mistake in the program, caught.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// encode writes a value of our own, which cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode %T: %w", v, err))
	}
	return b
}

// answer writes a value as JSON.
func (c *call) answer(v any) error {
	return c.Blob(http.StatusOK, "application/json", encode(v))
}
