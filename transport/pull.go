package transport

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/pulls"
)

// Pulls hands events out to apps that come for them.
type Pulls interface {
	// Find is an endpoint of the tenant, as it is now. Errors: domain.ErrEndpointUnknown; anything else is a fault.
	Find(context.Context, domain.TenantID, domain.EndpointID) (PullEndpoint, error)
	// Checkpoint is how far its consumer says that it has come; false if it has not said so.
	Checkpoint(context.Context, PullEndpoint) (seq int64, committed bool, err error)
	// Head is the tenant_seq of the tenant's newest event.
	Head(ctx context.Context, tenant uuid.UUID) (int64, error)
	Receive(ctx, until context.Context, tenant, id uuid.UUID, most int, find func(context.Context) (*pulls.Endpoint, error)) ([]pulls.Item, error)
	Ack(context.Context, *pulls.Endpoint, []pulls.Lease) ([]pulls.Fate, error)
	Nack(context.Context, *pulls.Endpoint, []pulls.Lease, time.Duration) ([]pulls.Fate, error)
	Extend(context.Context, *pulls.Endpoint, []pulls.Lease, time.Duration) ([]pulls.Fate, time.Time, error)
	Read(ctx context.Context, e *pulls.Endpoint, after int64, most int) (pulls.Page, error)
	// Follow begins to read on. Errors: pulls.ErrCrowded.
	Follow(e *pulls.Endpoint) (*pulls.Reader, error)
}

// PullEndpoint is an endpoint of whatever kind.
type PullEndpoint struct {
	*pulls.Endpoint
	App      domain.App
	Kind     domain.EndpointKind
	Full     bool // the data goes with the event
	Disabled bool
}

const mostWait = 30 // seconds

// pulled is the pull endpoint of the path, for one who may have its events. To others it is not there, unless they may read endpoints.
func (s *Server) pulled(c *call) (e PullEndpoint, err error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil || id.String() != c.Param("id") || s.config.Pulls == nil {
		return e, domain.ErrEndpointUnknown
	}
	if e, err = s.config.Pulls.Find(c.ctx(), c.tenant, domain.EndpointID{UUID: id}); err != nil {
		return e, err
	}
	return e, s.mayPull(c, e)
}

// mayPull refuses whoever may not have the endpoint's events now. It asks what is known here alone.
func (s *Server) mayPull(c *call, e PullEndpoint) error {
	if err := s.mayReceive(c, e.App); err != nil {
		if s.allow(c, access.Question{Tenant: c.tenant, Privilege: "core.endpoints.read", Scope: e.App.Scope()}) == nil {
			return err
		}
		return domain.ErrEndpointUnknown
	}
	_, status, _ := s.config.Access.Tenant(c.tenant.String())
	app := s.config.Access.App(c.tenant, e.App, c.now)
	switch {
	case status != domain.TenantActive:
		return domain.Tenant{Status: status}.Refusal()
	case e.Kind != domain.Pull:
		return domain.ErrEndpointKind
	case e.Disabled:
		return domain.ErrEndpointDisabled
	case !app.Works && app.Enabled:
		return app.License.Refusal()
	case !app.Works:
		return domain.ErrAppNotEnabled
	}
	return nil
}

// follow begins to read on at an endpoint, unless too many do.
func (s *Server) follow(e PullEndpoint) (*pulls.Reader, error) {
	reader, err := s.config.Pulls.Follow(e.Endpoint)
	if errors.Is(err, pulls.ErrCrowded) {
		p := newProblem(http.StatusTooManyRequests, "too-many-readers", "so many read on at the endpoint at once; try again later")
		p.retry = "5"
		return nil, p
	}
	return reader, err
}

// mayReceive holds for those with the privilege on the app, and for the app itself. A token of another app speaks for that one alone,
// whoever holds it.
func (s *Server) mayReceive(c *call, app domain.App) error {
	if speaks := domain.App(c.caller.App); speaks != "" && speaks != app && c.caller.Tenant == c.tenant {
		return domain.ErrNotTheApp
	}
	return s.allowApp(c, "core.endpoints.receive", app)
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
