package transport

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/pulls"
	"chancery/readmodels"
)

// Pulls hands events out to apps that come for them.
type Pulls interface {
	// Find is an endpoint of the tenant, as it is now. Errors: domain.ErrEndpointUnknown; anything else is a fault.
	Find(context.Context, domain.TenantID, domain.EndpointID) (PullEndpoint, error)
	// Checkpoint is how far its consumer says that it has come; false if it has not said so.
	Checkpoint(context.Context, PullEndpoint) (seq int64, committed bool, err error)
	// Head is the tenant_seq of the tenant's newest event.
	Head(ctx context.Context, tenant uuid.UUID) (int64, error)
	Receive(ctx, until context.Context, id uuid.UUID, most int, find func(context.Context) (*pulls.Endpoint, error)) ([]pulls.Item, error)
	Ack(context.Context, *pulls.Endpoint, []pulls.Lease) ([]pulls.Fate, error)
	Nack(context.Context, *pulls.Endpoint, []pulls.Lease, time.Duration) ([]pulls.Fate, error)
	Extend(context.Context, *pulls.Endpoint, []pulls.Lease, time.Duration) ([]pulls.Fate, time.Time, error)
	Read(ctx context.Context, e *pulls.Endpoint, after int64, most int) (pulls.Page, error)
	Follow(id uuid.UUID) *pulls.Reader
}

// PullEndpoint is an endpoint of whatever kind.
type PullEndpoint struct {
	*pulls.Endpoint
	App      domain.App
	Kind     domain.EndpointKind
	Full     bool // the data goes with the event
	Disabled bool
}

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
		Seconds int      `json:"seconds" required:"true" minimum:"1" maximum:"43200" description:"how long from now the leases last"`
	}
	leaseAnswer struct {
		Leases []leaseFate `json:"leases" required:"true" nullable:"false" description:"in the order of the request"`
	}
	leaseFate struct {
		Lease  string     `json:"lease" required:"true"`
		Status pulls.Fate `json:"status" required:"true" enum:"acked,already-acked,nacked,dead,extended,lease-over" description:"lease-over: it ended, and the event is another's or nobody's"`
		Until  *time.Time `json:"until,omitzero" description:"of one that was extended"`
	}
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
	mostReceived    = 100
	usuallyReceived = 10
	mostLeases      = 1000
	mostRead        = 1000
	usuallyRead     = 100
	mostWait        = 30 // seconds
)

// pulled is the pull endpoint of the path, for one who may have its events. To others it is not there, unless they may read endpoints.
func (s *Server) pulled(c *call) (e PullEndpoint, err error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil || id.String() != c.Param("id") || s.config.Pulls == nil {
		return e, domain.ErrEndpointUnknown
	}
	if e, err = s.config.Pulls.Find(c.ctx(), c.tenant, domain.EndpointID{UUID: id}); err != nil {
		return e, err
	}
	if err := s.mayPull(c, e.App); err != nil {
		if s.allow(c, access.Question{Tenant: c.tenant, Privilege: "core.endpoints.read", Scope: e.App.Scope()}) == nil {
			return e, err
		}
		return e, domain.ErrEndpointUnknown
	}
	_, status, _ := s.config.Access.Tenant(c.tenant.String())
	app := s.config.Access.App(c.tenant, e.App, c.now)
	switch {
	case status != domain.TenantActive:
		return e, domain.Tenant{Status: status}.Refusal()
	case e.Kind != domain.Pull:
		return e, domain.ErrEndpointKind
	case e.Disabled:
		return e, domain.ErrEndpointDisabled
	case !app.Works && app.Enabled:
		return e, app.License.Refusal()
	case !app.Works:
		return e, domain.ErrAppNotEnabled
	}
	return e, nil
}

// mayPull holds for those with the privilege on the app, and for the app itself: a token of its own needs no more than that nothing is
// denied to its user and that it was not issued for less. An app speaks in the tenant of its token, also under a delegation of another.
func (s *Server) mayPull(c *call, app domain.App) error {
	q := access.Question{Tenant: c.tenant, Privilege: "core.endpoints.receive", Scope: app.Scope()}
	err := s.allow(c, q)
	if err != nil && c.caller.Tenant == c.tenant && c.caller.App == string(app) && s.onlyNotGranted(c, q) {
		return nil
	}
	return err
}

// untilClosing is a context that ends after a while, and when the server is to stop.
func (s *Server) untilClosing(c *call, wait time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(c.ctx(), wait)
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// receive leases events.
func (s *Server) receive(c *call) error {
	var r receiveRequest
	if err := c.body(&r); err != nil {
		return err
	}
	if r.Max == 0 {
		r.Max = usuallyReceived
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
	items, err := s.config.Pulls.Receive(c.ctx(), until, e.ID, r.Max, func(context.Context) (*pulls.Endpoint, error) {
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
	if r.Seconds < 1 || r.Seconds > domain.MostLease {
		return badBody(inputError{Pointer: "/seconds", Detail: "must be a number from 1 to " + strconv.Itoa(domain.MostLease)})
	}
	return s.settleLeases(c, r.Leases, func(e *pulls.Endpoint, l []pulls.Lease) ([]pulls.Fate, time.Time, error) {
		return s.config.Pulls.Extend(c.ctx(), e, l, time.Duration(r.Seconds)*time.Second)
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

// pullRoutes are the addresses at which apps come for events.
func (s *Server) pullRoutes(endpoint string) []route {
	return []route{
		{http.MethodPost, endpoint + "/receive", within, s.receive},
		{http.MethodPost, endpoint + "/ack", within, s.ack},
		{http.MethodPost, endpoint + "/nack", within, s.nack},
		{http.MethodPost, endpoint + "/extend", within, s.extend},
		{http.MethodGet, endpoint + "/events", within, s.readOn},
		{http.MethodGet, endpoint + "/stream", within, s.stream},
	}
}

func (d *describer) pulling(endpoint string) {
	get, post := http.MethodGet, http.MethodPost
	const tag = "events"
	d.add(operation{method: post, path: endpoint + "/receive", tag: tag, summary: "Lease events of a pull endpoint: nobody else has them until the lease ends.", request: []any{new(receiveRequest)}, answer: new(receiveAnswer)})
	d.add(operation{method: post, path: endpoint + "/ack", tag: tag, summary: "Say that leased events were handled.", request: []any{new(ackRequest)}, answer: new(leaseAnswer)})
	d.add(operation{method: post, path: endpoint + "/nack", tag: tag, summary: "Give leased events back, to be handed out again.", request: []any{new(nackRequest)}, answer: new(leaseAnswer)})
	d.add(operation{method: post, path: endpoint + "/extend", tag: tag, summary: "Hold leases longer.", request: []any{new(extendRequest)}, answer: new(leaseAnswer)})
	d.add(operation{method: get, path: endpoint + "/events", tag: tag, summary: "What a pull endpoint means from a place on, in the order of the log; nothing is leased.", request: []any{new(eventsParameters)}, answer: new(eventsAnswer)})
	d.add(operation{method: get, path: endpoint + "/stream", tag: tag, summary: "The same as server-sent events, for as long as the caller may: the id of each is its place in the tenant's log.", request: []any{new(streamParameters)}, media: streamMedia})
}
