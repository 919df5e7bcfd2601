package transport

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"chancery/domain"
	"chancery/internal/access"
)

// call is one request on its way through: what is known of it, and of whom it comes from.
type call struct {
	echo.Context
	id     string // of the request: the caller's, or one of ours
	now    time.Time
	caller access.Caller   // of routes for signedIn and within
	tenant domain.TenantID // the one in the path; where there is none, the caller's
	past   pastJudge       // the last one that was asked for
	from   *Origin         // see origin
	seen   bool            // see fresh
}

func (c *call) ctx() context.Context { return c.Request().Context() }

func (c *call) header(name string) string { return c.Request().Header.Get(name) }

const (
	headerRequest  = "X-Request-ID"
	headerPosition = "Chancery-Position"
)

// position states what the answer has seen.
func (c *call) position(p int64) {
	c.Response().Header().Set(headerPosition, strconv.FormatInt(p, 10))
}

// serve is the way of every request to its route and back.
func (s *Server) serve(r route) echo.HandlerFunc {
	observe := func(int, time.Duration) {}
	if s.config.Observe != nil {
		observe = s.config.Observe(r.method, r.path)
	}
	return func(ec echo.Context) error {
		began := time.Now()
		c := &call{Context: ec, now: s.config.Now(), id: requestID(ec.Request())}
		ec.Response().Header().Set(headerRequest, c.id)
		if err := s.try(c, r); err != nil {
			s.fail(c, err)
		}
		observe(ec.Response().Status, time.Since(began))
		return nil
	}
}

func (s *Server) try(c *call, r route) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			err = &panicked{p, debug.Stack()}
		}
	}()
	if r.who != everybody {
		if err := s.authenticate(c); err != nil {
			return err
		}
	}
	if r.who == within {
		if err := s.enter(c); err != nil {
			return err
		}
	}
	return r.do(c)
}

// unrouted answers what the router itself refuses.
func (s *Server) unrouted(err error, ec echo.Context) {
	c := &call{Context: ec, id: requestID(ec.Request())}
	ec.Response().Header().Set(headerRequest, c.id)
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch he.Code {
		case http.StatusNotFound:
			err = errNotFound
		case http.StatusMethodNotAllowed:
			err = errMethod
		}
	}
	s.fail(c, err)
}

const longestRequestID = 256

// requestID is the caller's, if it can go into a log; else one of ours.
func requestID(r *http.Request) string {
	id := r.Header.Get(headerRequest)
	if id == "" || len(id) > longestRequestID || !printable(id, ' ') {
		return uuid.Must(uuid.NewV7()).String()
	}
	return id
}

// printable reports whether s is of ASCII from least to ~.
func printable(s string, least byte) bool {
	for i := range len(s) {
		if s[i] < least || s[i] > '~' {
			return false
		}
	}
	return true
}
