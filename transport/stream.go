package transport

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"chancery/domain"
	"chancery/internal/pulls"
)

const (
	streamMedia = "text/event-stream"
	streamBeat  = 15 * time.Second // something is written at least so often
	streamCheck = 3 * time.Second  // how often it is asked anew who reads if nothing happens: it is before each page, with what they read of
	streamWrite = 30 * time.Second // who takes longer to take what is written is cut off
	streamPage  = 100
)

type streamParameters struct {
	After int64  `query:"after" description:"tenantseq to read on after"`
	Last  string `header:"Last-Event-ID" description:"the same, and it goes before after; without either it is the committed checkpoint, and without that what comes from now on"`
}

// stream writes what an endpoint means as server-sent events (WHATWG HTML, section 9.2), until the reader leaves, may no longer read, or
// the server stops. It keeps no more than a page: what is not read yet waits in the log.
func (s *Server) stream(c *call) error { //nolint:cyclop // one way out for each end of a stream
	after, refuse, err := c.streamPlace()
	if err != nil {
		return err
	}
	e, err := s.pulled(c)
	if err != nil {
		return err
	}
	if refuse == nil {
		after, err = s.streamBeginning(c, e)
	} else {
		err = s.notBeyond(c, e, after, refuse)
	}
	if err != nil {
		return err
	}
	reader, err := s.follow(e)
	if err != nil {
		return err
	}
	defer reader.Close()
	w := &sse{to: http.NewResponseController(c.Response().Writer), c: c}
	w.begin()
	if c.Request().Method == http.MethodHead {
		return nil
	}
	beat, check := time.NewTicker(streamBeat), time.NewTicker(streamCheck)
	defer beat.Stop()
	defer check.Stop()
	for {
		if e, err = s.stillPulled(c); err != nil {
			w.end(s.problemOf(err).Code)
			return nil
		}
		news := reader.News(e.Endpoint)
		page, err := s.config.Pulls.Read(c.ctx(), e.Endpoint, after, streamPage)
		if err == nil && len(page.Events) > 0 {
			err = s.writeEvents(w, e, page)
		}
		if err != nil {
			if c.ctx().Err() == nil {
				s.report(c, s.problemOf(err))
			}
			return nil // the reader comes back with the last id
		}
		after = page.Next
		if page.More && !s.stopping() {
			continue
		}
		if !s.awaitNews(c, e, w, news, pulls.Soon(c.ctx(), page.Newer), beat.C, check.C) {
			return nil
		}
	}
}

// awaitNews returns when there may be something to read, or false when the stream is over. What is read of may have changed only if there are
// news; it is asked with each beat besides.
func (s *Server) awaitNews(c *call, e PullEndpoint, w *sse, news <-chan struct{}, soon, beat, check <-chan time.Time) bool {
	for {
		select {
		case <-news:
			return true
		case <-soon:
			return true
		case <-check:
			if err := s.stillMay(c, e); err != nil {
				w.end(s.problemOf(err).Code)
				return false
			}
		case <-beat:
			return w.beat() == nil
		case <-s.closing:
			return false
		case <-c.ctx().Done():
			return false
		}
	}
}

func (s *Server) stopping() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// streamPlace is where the reader was, and how to refuse that; nil if it does not say so.
func (c *call) streamPlace() (after int64, refuse func(detail string) error, err error) {
	q, err := c.readQuery("limit", "wait")
	if err != nil {
		return 0, nil, err
	}
	given := c.Request().Header.Values("Last-Event-ID")
	if len(given) == 0 || given[0] == "" && len(given) == 1 {
		if q.placed {
			refuse = refuseAfter
		}
		return q.after, refuse, nil
	}
	refuse = func(detail string) error { return badHeader("Last-Event-ID", detail) }
	n, ok := digits(given[0])
	if !ok || len(given) > 1 {
		return 0, nil, refuse("must be the id of an event of the stream, or 0")
	}
	return n, refuse, nil
}

// streamBeginning is the committed checkpoint, or else now.
func (s *Server) streamBeginning(c *call, e PullEndpoint) (int64, error) {
	after, committed, err := s.config.Pulls.Checkpoint(c.ctx(), e)
	if err != nil || committed {
		return after, err
	}
	return s.config.Pulls.Head(c.ctx(), e.Tenant)
}

// stillPulled asks anew who reads, whether they may, and what of. What is read then was recorded before: nothing that came since goes to
// one who may not have it.
func (s *Server) stillPulled(c *call) (PullEndpoint, error) {
	if err := s.identifyAnew(c); err != nil {
		return PullEndpoint{}, err
	}
	return s.pulled(c)
}

// stillMay asks anew who reads, and whether they may as far as is known here.
func (s *Server) stillMay(c *call, e PullEndpoint) error {
	if err := s.identifyAnew(c); err != nil {
		return err
	}
	return s.mayPull(c, e)
}

func (s *Server) writeEvents(w *sse, e PullEndpoint, page pulls.Page) error {
	for i := range page.Events {
		raw := &page.Events[i]
		doc, err := s.config.Outward.Encode(raw, e.Full)
		if err != nil {
			return err
		}
		if err := w.event(raw.TenantSeq, domain.OutwardType(raw.SourceApp, raw.Type), doc); err != nil {
			return err
		}
	}
	return w.flush()
}

// sse writes server-sent events.
type sse struct {
	to  *http.ResponseController
	c   *call
	buf []byte
}

// begin answers, so that the reader knows that it is heard. The server's own deadlines are for requests that end.
func (w *sse) begin() {
	h := w.c.Response().Header()
	h.Set("Content-Type", streamMedia)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	_ = w.to.SetReadDeadline(time.Time{}) // a recorder in tests has none
	w.c.Response().WriteHeader(http.StatusOK)
	w.buf = append(w.buf, "retry: 1000\n\n"...)
	_ = w.flush()
}

func (w *sse) event(seq int64, typ string, doc []byte) error {
	w.buf = append(w.buf, "id: "...)
	w.buf = strconv.AppendInt(w.buf, seq, 10)
	w.buf = append(w.buf, "\nevent: "...)
	w.buf = append(w.buf, typ...)
	for line := range bytes.SplitSeq(doc, []byte{'\n'}) { // an app's data may hold line breaks, where JSON allows any white space
		w.buf = append(w.buf, "\ndata: "...)
		w.buf = append(w.buf, bytes.ReplaceAll(line, []byte{'\r'}, []byte{' '})...)
	}
	w.buf = append(w.buf, "\n\n"...)
	if len(w.buf) < 64<<10 {
		return nil
	}
	return w.flush()
}

func (w *sse) beat() error {
	w.buf = append(w.buf, ":\n\n"...)
	return w.flush()
}

// end tells whoever looks why there is no more.
func (w *sse) end(code string) {
	w.buf = append(w.buf, ": "+code+"\n\n"...)
	_ = w.flush()
}

func (w *sse) flush() error {
	_ = w.to.SetWriteDeadline(time.Now().Add(streamWrite))
	_, err := w.c.Response().Write(w.buf)
	w.buf = w.buf[:0]
	if err == nil {
		err = w.to.Flush()
	}
	return err
}
