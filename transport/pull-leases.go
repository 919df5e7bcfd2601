package transport

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/domain"
	"chancery/internal/pulls"
	"chancery/readmodels"
)

type (
	receiveRequest struct {
		Max  int `json:"max,omitzero" minimum:"1" maximum:"100" description:"the most events; 10 if absent"`
		Wait int `json:"wait_seconds,omitzero" minimum:"0" maximum:"30" description:"how long to wait for the first one"`
	}
	receiveAnswer struct {
		Items []receivedItem `json:"items" required:"true" nullable:"false"`
	}
	receivedItem struct {
		Lease    string              `json:"lease" required:"true" description:"to be shown when it is acknowledged"`
		Until    time.Time           `json:"until" required:"true" description:"when the lease ends and the event may be another's"`
		Attempt  int                 `json:"attempt" required:"true" description:"how often it was handed out, with this time"`
		Sequence readmodels.Position `json:"sequence" required:"true" description:"of what the endpoint means, from 1 in the order of the log; the same each time"`
		Event    jsontext.Value      `json:"event" required:"true" description:"the CloudEvent"`
	}
	ackRequest struct {
		Leases []string `json:"leases" required:"true" minItems:"1" maxItems:"1000" description:"as they were received"`
	}
	nackRequest struct {
		Leases []string `json:"leases" required:"true" minItems:"1" maxItems:"1000" description:"as they were received"`
		Delay  int      `json:"delay_seconds,omitzero" minimum:"0" maximum:"43200" description:"how long nobody is to have them"`
	}
	extendRequest struct {
		Leases  []string `json:"leases" required:"true" minItems:"1" maxItems:"1000" description:"as they were received"`
		Seconds *int     `json:"seconds" required:"true" nullable:"false" minimum:"1" maximum:"43200" description:"how long from now the leases last"`
	}
	leaseAnswer struct {
		Leases []leaseFate `json:"leases" required:"true" nullable:"false" description:"in the order of the request"`
	}
	leaseFate struct {
		Lease  string     `json:"lease" required:"true"`
		Status pulls.Fate `json:"status" required:"true" enum:"acked,already-acked,nacked,dead,extended,lease-over" description:"lease-over: it ended, and the event is another's or nobody's"`
		Until  *time.Time `json:"until,omitzero" description:"of one that was extended"`
	}
)

const (
	mostReceived    = 100
	usuallyReceived = 10
	mostLeases      = 1000
)

// receive leases events.
func (s *Server) receive(c *call) error {
	r := receiveRequest{Max: usuallyReceived}
	if err := c.body(&r); err != nil {
		return err
	}
	switch {
	case r.Max < 1 || r.Max > mostReceived:
		return badBody(inputError{Pointer: "/max", Detail: "must be a number from 1 to " + strconv.Itoa(mostReceived)})
	case r.Wait < 0 || r.Wait > mostWait:
		return badBody(inputError{Pointer: "/wait_seconds", Detail: "must be a number from 0 to " + strconv.Itoa(mostWait)})
	}
	e, err := s.pulled(c)
	if err != nil {
		return err
	}
	until, cancel := s.untilClosing(c, time.Duration(r.Wait)*time.Second)
	defer cancel()
	known := true
	items, err := s.config.Pulls.Receive(c.ctx(), until, e.Tenant, e.ID, r.Max, func(context.Context) (*pulls.Endpoint, error) {
		if !known { // it has waited
			if err := s.identifyAnew(c); err != nil {
				return nil, err
			}
			if e, err = s.pulled(c); err != nil {
				return nil, err
			}
		}
		known = false
		return e.Endpoint, nil
	})
	if err != nil {
		return err
	}
	answer := []byte(`{"items":[`)
	for n := range items {
		if n > 0 {
			answer = append(answer, ',')
		}
		if answer, err = s.appendItem(answer, &items[n], e.Full); err != nil {
			return err
		}
	}
	return c.Blob(http.StatusOK, "application/json", append(answer, "]}"...))
}

// appendItem writes a receivedItem by hand, as all that holds events: an encoder would write an app's data in its own way. Everything in it
// but the event consists of plain words.
func (s *Server) appendItem(b []byte, i *pulls.Item, full bool) ([]byte, error) {
	doc, err := s.config.Outward.Encode(&i.Event, full)
	if err != nil {
		return nil, err
	}
	b = append(b, `{"lease":"`...)
	b = append(b, i.Lease.String()...)
	b = append(b, `","until":"`...)
	b = i.Until.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","attempt":`...)
	b = strconv.AppendInt(b, int64(i.Attempt), 10)
	b = append(b, `,"sequence":"`...)
	b = strconv.AppendInt(b, i.Sequence, 10)
	b = append(b, `","event":`...)
	b = append(b, doc...)
	return append(b, '}'), nil
}

func (s *Server) ack(c *call) error {
	var r ackRequest
	if err := c.body(&r); err != nil {
		return err
	}
	return s.settleLeases(c, r.Leases, func(e *pulls.Endpoint, l []pulls.Lease) (fates []pulls.Fate, until time.Time, err error) {
		fates, err = s.config.Pulls.Ack(c.ctx(), e, l)
		return fates, until, err
	})
}

func (s *Server) nack(c *call) error {
	var r nackRequest
	if err := c.body(&r); err != nil {
		return err
	}
	if r.Delay < 0 || r.Delay > domain.MostLease {
		return badBody(inputError{Pointer: "/delay_seconds", Detail: "must be a number from 0 to " + strconv.Itoa(domain.MostLease)})
	}
	return s.settleLeases(c, r.Leases, func(e *pulls.Endpoint, l []pulls.Lease) (fates []pulls.Fate, until time.Time, err error) {
		fates, err = s.config.Pulls.Nack(c.ctx(), e, l, time.Duration(r.Delay)*time.Second)
		return fates, until, err
	})
}

func (s *Server) extend(c *call) error {
	var r extendRequest
	if err := c.body(&r); err != nil {
		return err
	}
	if *r.Seconds < 1 || *r.Seconds > domain.MostLease {
		return badBody(inputError{Pointer: "/seconds", Detail: "must be a number from 1 to " + strconv.Itoa(domain.MostLease)})
	}
	return s.settleLeases(c, r.Leases, func(e *pulls.Endpoint, l []pulls.Lease) ([]pulls.Fate, time.Time, error) {
		return s.config.Pulls.Extend(c.ctx(), e, l, time.Duration(*r.Seconds)*time.Second)
	})
}

// settleLeases says of each lease what became of it.
func (s *Server) settleLeases(c *call, texts []string, do func(*pulls.Endpoint, []pulls.Lease) ([]pulls.Fate, time.Time, error)) error {
	if len(texts) == 0 || len(texts) > mostLeases {
		return badBody(inputError{Pointer: "/leases", Detail: "must hold 1 to " + strconv.Itoa(mostLeases) + " leases"})
	}
	leases := make([]pulls.Lease, len(texts))
	for i, text := range texts {
		var ok bool
		if leases[i], ok = pulls.ParseLease(text); !ok {
			return badBody(inputError{Pointer: "/leases/" + strconv.Itoa(i), Detail: "is no lease"})
		}
	}
	e, err := s.pulled(c)
	if err != nil {
		return err
	}
	fates, until, err := do(e.Endpoint, leases)
	if err != nil {
		return err
	}
	answer := leaseAnswer{Leases: make([]leaseFate, len(fates))}
	for i, f := range fates {
		answer.Leases[i] = leaseFate{Lease: texts[i], Status: f}
		if f == pulls.Extended {
			answer.Leases[i].Until = &until
		}
	}
	return c.answer(answer)
}
