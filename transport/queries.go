package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/readmodels"
)

// Queries answers what stands in the tables.
type Queries interface {
	// Now is the present.
	Now(domain.TenantID) View
	// AsOf is the past as a projector has it ("": the log); release it when reading is done. Errors: ErrBeyond, ErrBusy, faults.
	AsOf(ctx context.Context, t domain.TenantID, projector string, m Moment) (v View, release func(), err error)
	// Wait returns once answers of the projector ("": of the log itself) have seen the position, or with the context's error.
	Wait(ctx context.Context, projector string, position int64) error
	// EventsAt names the events at positions; those that the tenant may not see are absent.
	EventsAt(ctx context.Context, tenant domain.TenantID, positions []int64) ([]readmodels.EventRef, error)
}

// View is what one tenant sees. readmodels.View is one.
type View interface {
	List(context.Context, readmodels.Collection, readmodels.Params) (readmodels.Page, error)
	One(ctx context.Context, c readmodels.Collection, id string) (readmodels.Item, error)
	History(ctx context.Context, c readmodels.Collection, id string, p readmodels.Params) (readmodels.Page, error)
	// EndpointStats is how an endpoint does at a time, by the attempts of the window before it.
	EndpointStats(ctx context.Context, id string, window time.Duration, at time.Time) (readmodels.EndpointStats, error)
	// Export writes everything about a user as a ZIP archive. The tables must have seen the position.
	Export(ctx context.Context, user domain.UserID, position int64, at time.Time, out io.Writer) error
}

// Moment is a position, or a time if Time is set.
type Moment struct {
	Position int64
	Time     time.Time
}

var (
	// ErrBeyond refuses a moment that has not come.
	ErrBeyond = errors.New("lies beyond the newest event")
	// ErrBusy says that too many past states are in use.
	ErrBusy = errors.New("too many past states are being asked for; try again")
)

// question is what a query is asked for.
type question struct {
	readmodels.Params
	asOf  Moment
	past  bool
	least int64 // the answer must have seen this position

	window string // of statistics; empty: the usual one
}

func (s *Server) list(of readmodels.Collection) func(*call) error {
	return func(c *call) error {
		refusal := s.may(c, of.Privilege())
		own := c.QueryParam(of.OwnFilter()) == c.caller.Effective().String()
		if refusal != nil && (!own || !s.mayReadOwn(c, of)) {
			return refusal
		}
		return s.ask(c, of.Projector, "limit cursor filter", func(v View, q question) error {
			page, err := v.List(c.ctx(), of, q.Params)
			for _, item := range page.Items {
				c.guard(item, refusal)
			}
			return c.page(page, err)
		})
	}
}

func (s *Server) one(of readmodels.Collection) func(*call) error {
	return func(c *call) error { return s.item(c, of, c.Param("id")) }
}

func (s *Server) item(c *call, of readmodels.Collection, id string) error {
	refusal := s.mayRead(c, of, id)
	if refusal != nil && !s.mayReadOwn(c, of) {
		return refusal
	}
	return s.ask(c, of.Projector, "", func(v View, _ question) error {
		item, err := v.One(c.ctx(), of, id)
		if refusal != nil && (errors.Is(err, readmodels.ErrNotFound) || err == nil && !c.owns(item.Value)) {
			return refusal
		}
		if err != nil {
			return err
		}
		c.guard(item.Value, refusal)
		tag := `"` + item.Version.String() + `"`
		c.position(int64(item.Position))
		c.Response().Header().Set("ETag", tag)
		if matches(c.Request().Header.Values("If-None-Match"), tag) {
			return c.NoContent(http.StatusNotModified)
		}
		return c.answer(item.Value)
	})
}

// mayRead lets users read themselves, whatever they lack.
func (s *Server) mayRead(c *call, of readmodels.Collection, id string) error {
	if of.Name == "users" && c.tenant == c.caller.Stands() && id == c.caller.Effective().String() && c.caller.Delegation.IsZero() {
		return nil
	}
	return s.may(c, of.Privilege())
}

// mayReadOwn reports whether callers who lack the privilege, and nothing else, may read what is their own in the collection. A
// delegate uses rights, and is nobody else for it.
func (s *Server) mayReadOwn(c *call, of readmodels.Collection) bool {
	return of.Own() && c.caller.Delegation.IsZero() && s.onlyNotGranted(c, access.Question{Tenant: c.tenant, Privilege: of.Privilege()})
}

// owns reports whether an item is the caller's own.
func (c *call) owns(item any) bool {
	owned, ok := item.(readmodels.Owned)
	return ok && owned.OwnedBy(c.caller.Effective().UUID)
}

// guard hides of an item what only those see who hold the privilege.
func (c *call) guard(item any, refusal error) {
	if g, ok := item.(readmodels.Guarded); ok && refusal != nil {
		g.Guard(c.caller.Effective().UUID)
	}
}

func (s *Server) history(of readmodels.Collection) func(*call) error {
	return func(c *call) error { return s.past(c, of, c.Param("id")) }
}

func (s *Server) past(c *call, of readmodels.Collection, id string) error {
	if err := s.may(c, of.Privilege()); err != nil {
		return err
	}
	return s.ask(c, "", "limit cursor", func(v View, q question) error {
		page, err := v.History(c.ctx(), of, id, q.Params)
		return c.page(page, err)
	})
}

// tenants lists what the caller's own tenant sees of tenants: itself, or all if it is the platform.
func (s *Server) tenants(c *call) error { return s.list(tenantsCollection())(c) }

func (s *Server) oneTenant(c *call) error { return s.item(c, tenantsCollection(), c.tenant.String()) }

func (s *Server) tenantHistory(c *call) error {
	return s.past(c, tenantsCollection(), c.tenant.String())
}

func tenantsCollection() readmodels.Collection {
	c, _ := readmodels.CollectionOf("tenants")
	return c
}

func (c *call) page(p readmodels.Page, err error) error {
	if err != nil {
		return err
	}
	c.position(int64(p.Position))
	return c.answer(p)
}

const longestWait = 5 * time.Second

// ask reads the question, waits for what it must have seen, and has it answered.
func (s *Server) ask(c *call, projector, takes string, answer func(View, question) error) error {
	q, err := questionOf(c, takes)
	if err != nil {
		return err
	}
	waits := projector
	if q.past {
		waits = ""
	}
	if err := s.wait(c, q.least, func(ctx context.Context) error { return s.config.Queries.Wait(ctx, waits, q.least) }); err != nil {
		return err
	}
	if !q.past {
		return answer(s.config.Queries.Now(c.tenant), q)
	}
	view, release, err := s.config.Queries.AsOf(c.ctx(), c.tenant, projector, q.asOf)
	if err != nil {
		return err
	}
	defer release()
	return answer(view, q)
}

// wait waits at most five seconds for a position.
func (s *Server) wait(c *call, position int64, until func(context.Context) error) error {
	if position == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx(), longestWait)
	defer cancel()
	err := until(ctx)
	if err != nil && ctx.Err() != nil {
		return unavailable("the position asked for has not been seen yet; try again", nil)
	}
	return err
}

func questionOf(c *call, takes string) (q question, err error) {
	if q.least, err = minPosition(c); err != nil {
		return q, err
	}
	raw := c.Request().URL.RawQuery
	if raw == "" {
		return q, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, badParameter("", "cannot be read: a character is not escaped as it must be")
	}
	for name, given := range values {
		if len(given) > 1 {
			return q, badParameter(name, "is given twice")
		}
		if err := q.take(name, given[0], takes, c.now); err != nil {
			return q, badParameter(name, err.Error())
		}
	}
	return q, nil
}

// take reads one parameter. What an address takes besides as_of is told in words.
func (q *question) take(name, text, takes string, now time.Time) (err error) { //nolint:cyclop // one case for each parameter
	switch {
	case name == "as_of":
		q.past = true
		q.asOf, err = moment(text, now)
		return err
	case name == "limit" && strings.Contains(takes, name):
		n, ok := digits(text)
		if !ok || n < 1 || n > readmodels.MaxLimit {
			return errLimit
		}
		q.Limit = int32(n)
	case name == "cursor" && strings.Contains(takes, name):
		if q.Cursor = text; text == "" {
			return errEmpty
		}
	case name == "window" && strings.Contains(takes, name):
		if _, ok := statsWindows[text]; !ok {
			return errWindow
		}
		q.window = text
	case strings.Contains(takes, "filter"):
		if q.Filter == nil {
			q.Filter = map[string]string{}
		}
		q.Filter[name] = text
	default:
		return errParameter
	}
	return nil
}

func minPosition(c *call) (int64, error) {
	text := c.header("Chancery-Min-Position")
	if text == "" {
		return 0, nil
	}
	n, ok := digits(text)
	if !ok {
		return 0, badHeader("Chancery-Min-Position", "must be a position, such as 42")
	}
	return n, nil
}

var (
	errLimit     = errors.New("must be from 1 to " + strconv.Itoa(readmodels.MaxLimit))
	errEmpty     = errors.New("is empty")
	errParameter = errors.New("is no parameter of this address")

	errMoment = errors.New("must be a position, or a time in RFC 3339 such as 2026-01-31T12:00:00Z")
	errFuture = errors.New("lies in the future")
)

// moment reads a position or a time.
func moment(text string, now time.Time) (Moment, error) {
	if n, ok := digits(text); ok {
		return Moment{Position: n}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, strings.Replace(text, " ", "+", 1)) // an unescaped + is read as a space
	switch {
	case err != nil || at.Year() < 1:
		return Moment{}, errMoment
	case at.After(now):
		return Moment{}, errFuture
	}
	return Moment{Time: at.UTC()}, nil
}

// matches compares entity tags weakly, as RFC 9110 wants it of If-None-Match.
func matches(headers []string, tag string) bool {
	for _, h := range headers {
		for one := range strings.SplitSeq(h, ",") {
			one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
			if one == "*" || one == tag {
				return true
			}
		}
	}
	return false
}
