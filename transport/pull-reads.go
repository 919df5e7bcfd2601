package transport

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"chancery/internal/pulls"
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
	if !q.placed {
		if q.after, _, err = s.config.Pulls.Checkpoint(c.ctx(), e); err != nil {
			return err
		}
	}
	until, cancel := s.untilClosing(c, time.Duration(q.wait)*time.Second)
	defer cancel()
	reader := s.config.Pulls.Follow(e.ID)
	defer reader.Close()
	for {
		news, seen := reader.News(e.Endpoint), s.config.Access.Position()
		page, err := s.config.Pulls.Read(c.ctx(), e.Endpoint, q.after, int(q.limit))
		if err != nil {
			return err
		}
		q.after = page.Next
		if len(page.Events) > 0 || !page.More && until.Err() != nil {
			return s.answerEvents(c, e, page, seen)
		}
		if page.More {
			continue
		}
		select {
		case <-news:
		case <-until.Done():
		}
		if err := s.identifyAnew(c); err != nil {
			return err
		}
		if e, err = s.pulled(c); err != nil {
			return err
		}
	}
}

func (s *Server) answerEvents(c *call, e PullEndpoint, page pulls.Page, seen int64) error {
	if n := len(page.Events); n > 0 {
		seen = max(seen, page.Events[n-1].Position)
	}
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
	b = strconv.AppendInt(b, seen, 10)
	c.position(seen)
	return c.Blob(http.StatusOK, "application/json", append(b, `"}`...))
}
