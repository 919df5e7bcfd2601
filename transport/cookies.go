package transport

import (
	"net/http"
	"strings"
	"time"
)

// A browser keeps its session and its device ticket where no script reads them. The prefix has it refuse the cookies of other
// hosts and of plain HTTP (RFC 6265bis, section 4.1.3.2); without TLS there can be no such prefix.
const (
	hostPrefix    = "__Host-"
	sessionCookie = "chancery"
	deviceCookie  = "chancery-device"
)

var errCrossOrigin = newProblem(http.StatusForbidden, "cross-origin", "a page of another origin may not use this cookie")

// overTLS reports whether callers reach us by https.
func (s *Server) overTLS(c *call) bool { return strings.HasPrefix(s.base(c), "https://") }

func (s *Server) cookieName(c *call, name string) string {
	if s.overTLS(c) {
		return hostPrefix + name
	}
	return name
}

func (s *Server) cookie(c *call, name string) (string, bool) {
	found, err := c.Request().Cookie(s.cookieName(c, name))
	if err != nil || found.Value == "" {
		return "", false
	}
	return found.Value, true
}

// setCookie sets one until its end; an empty value takes it away.
func (s *Server) setCookie(c *call, name, value string, end time.Time) {
	cookie := &http.Cookie{ //nolint:gosec // over plain HTTP a secure cookie would not come back
		Name: s.cookieName(c, name), Value: value, Path: "/", Expires: end, HttpOnly: true, Secure: s.overTLS(c), SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.Response(), cookie)
}

// presented is the token of the request: that of Authorization or, where there is no such header, of the cookie, which
// counts only if no other site can have made the browser send it.
func (s *Server) presented(c *call) (text string, byCookie bool, err error) {
	if text, ok := bearer(c); ok {
		return text, false, nil
	}
	text, ok := s.cookie(c, sessionCookie)
	if !ok || c.header("Authorization") != "" {
		return "", false, unauthenticated(challengeNone)
	}
	return text, true, s.ownPage(c)
}

// ownPage holds that a request that changes something was made by a page of our own, or by no page at all: by what the
// browser says of its origin, and because a form cannot send JSON.
func (s *Server) ownPage(c *call) error {
	method := c.Request().Method
	if method == http.MethodGet || method == http.MethodHead {
		return nil
	}
	if s.crossOrigin.Check(c.Request()) != nil {
		return errCrossOrigin
	}
	if method == http.MethodDelete { // no form can
		return nil
	}
	if c.header("Content-Type") == "" {
		return errMedia
	}
	return isMedia(c, errMedia, "application/json", "application/x-ndjson", "application/ndjson")
}
