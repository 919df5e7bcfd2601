package transport

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/internal/pulls"
	"chancery/readmodels"
)

type (
	eventsAnswer struct {
		Items    []jsontext.Value    `json:"items" required:"true" nullable:"false" description:"CloudEvents, in the order of the log"`
		Next     readmodels.Position `json:"next" required:"true" description:"where to read on after, and what to commit as the checkpoint when all of them are handled"`
		Position readmodels.Position `json:"position" required:"true" description:"what the answer has seen"`
	}
	eventsParameters struct {
		After int64 `query:"after" description:"tenantseq to read on after; the committed checkpoint if absent, or the beginning"`
		Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100" description:"the most events"`
		Wait  int   `query:"wait" minimum:"0" maximum:"30" description:"seconds to wait for the first one"`
	}
)

const (
	mostRead    = 1000
	usuallyRead = 100
)

// readQuery is what a reader asks for.
type readQuery struct {
	after, limit, wait int64
	placed             bool // after was given
}

func (c *call) readQuery(takes ...string) (q readQuery, err error) {
	q.limit = usuallyRead
	values, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return q, badParameter("", "cannot be read: a character is not escaped as it must be")
	}
	bounds := map[string]struct {
		into        *int64
		least, most int64
		detail      string
	}{
		"after": {&q.after, 0, 1<<63 - 1, "must be the tenantseq of an event, or 0"},
		"limit": {&q.limit, 1, mostRead, "must be a number from 1 to " + strconv.Itoa(mostRead)},
		"wait":  {&q.wait, 0, mostWait, "must be a number from 0 to " + strconv.Itoa(mostWait)},
	}
	for name, given := range values {
		b, known := bounds[name]
		for _, t := range takes {
			known = known && t != name
		}
		if !known {
			return q, badParameter(name, "is no parameter of this address")
		}
		n, ok := digits(given[0])
		if !ok || len(given) > 1 || n < b.least || n > b.most {
			return q, badParameter(name, b.detail)
		}
		*b.into = n
		q.placed = q.placed || name == "after"
	}
	return q, nil
}

// readOn answers what an endpoint means from a place on, without leases.
func (s *Server) readOn(c *call) error {
	q, err := c.readQuery()
	if err != nil {
		return err
	}
	e, err := s.pulled(c)
	if err != nil {
		return err
	}
	if q.after, err = s.readPlace(c, e, q); err != nil {
		return err
	}
	until, cancel := s.untilClosing(c, time.Duration(q.wait)*time.Second)
	defer cancel()
	reader, err := s.follow(e)
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		news := reader.News(e.Endpoint)
		page, err := s.config.Pulls.Read(c.ctx(), e.Endpoint, q.after, int(q.limit))
		if err != nil {
			return err
		}
		q.after = page.Next
		if len(page.Events) > 0 || !page.More && until.Err() != nil {
			return s.answerEvents(c, e, page)
		}
		if !page.More {
			select {
			case <-news:
			case <-pulls.Soon(until, page.Newer):
			case <-until.Done():
			}
		}
		if e, err = s.stillPulled(c); err != nil {
			return err
		}
	}
}

// readPlace is where the reader wants to read on, or else the committed checkpoint.
func (s *Server) readPlace(c *call, e PullEndpoint, q readQuery) (int64, error) {
	if q.placed {
		return q.after, s.notBeyond(c, e, q.after, refuseAfter)
	}
	after, _, err := s.config.Pulls.Checkpoint(c.ctx(), e)
	return after, err
}

// notBeyond refuses a place that no event has yet: whoever is there by mistake would hear of nothing until one has it, and never of those
// before.
func (s *Server) notBeyond(c *call, e PullEndpoint, after int64, refuse func(detail string) error) error {
	head, err := s.config.Pulls.Head(c.ctx(), e.Tenant)
	if err == nil && after > head {
		return refuse("lies beyond the newest event of the tenant")
	}
	return err
}

func refuseAfter(detail string) error { return badParameter("after", detail) }

func (s *Server) answerEvents(c *call, e PullEndpoint, page pulls.Page) error {
	b := []byte(`{"items":[`)
	for i := range page.Events {
		doc, err := s.config.Outward.Encode(&page.Events[i], e.Full)
		if err != nil {
			return err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, doc...)
	}
	b = append(b, `],"next":"`...)
	b = strconv.AppendInt(b, page.Next, 10)
	b = append(b, `","position":"`...)
	b = strconv.AppendInt(b, e.Through, 10)
	c.position(e.Through)
	return c.Blob(http.StatusOK, "application/json", append(b, `"}`...))
}
