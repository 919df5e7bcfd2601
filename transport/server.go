// Package transport is HTTP: it decodes, asks, and encodes. It decides nothing and knows no table.
package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/cloudevents"
	"chancery/internal/dcb"
	"chancery/internal/turns"
)

// Config of a Server. Everything is required unless its comment names what an absent value means.
type Config struct {
	Commands   Commands
	Access     Access
	AccessAsOf AccessAsOf // none: access checks as of the past are refused
	Foresee    Foresee
	PlanApp    PlanApp
	Queries    Queries
	Refusals   Refusals  // none: refusals go unrecorded
	Sightings  Sightings // none: sessions in use go unrecorded, and end as idle
	Resets     Resets    // none: nobody gets a link by asking for one
	Throttle   Throttle  // none: whoever likes may guess
	Authn      commands.Authn

	Pulls   Pulls               // none: there is nothing to pull
	Outward cloudevents.Encoder // of events, for apps
	OIDC    OIDC                // none: nobody signs in by an issuer, and no bearer tokens of issuers are accepted
	// Secret is what a reference of a tenant's configuration stands for; that it is read is put on record first.
	Secret func(ctx context.Context, tenant domain.TenantID, ref, purpose string) (string, error)
	Claim  func(tenant uuid.UUID, t dcb.Tag) dcb.Tag // the stored form of a personal tag
	// SigningKeys are the keys of a tenant, as the log knows them now. None: nobody has any.
	SigningKeys func(context.Context, domain.TenantID) (domain.SigningKeys, error)
	// Origins are those of pages, beside our own, to which users may be sent back, such as https://app.example.org.
	Origins []string

	// Fresh returns when Access has seen everything that was acknowledged anywhere before the call. It is called before
	// every request is authenticated, so that a revocation is always honoured.
	Fresh func(context.Context) error
	// Fingerprint tells the bodies of requests apart. None: by a hash without a key, from which a body could be guessed.
	Fingerprint func(parts ...[]byte) []byte
	// Bootstrap makes the first administrator. A wrong token is access.ErrUnauthenticated.
	Bootstrap func(ctx context.Context, from Origin, token, email, displayName string) (secret string, user, tenant uuid.UUID, err error)
	// Ready lists why requests should go elsewhere; none if all is well.
	Ready func(context.Context) []string
	// Unavailable tells faults that will pass (503) from others (500). None: all are 500.
	Unavailable func(error) bool
	// Observe is called once per route, what it returns once per request. None: nothing is observed.
	Observe func(method, route string) func(status int, took time.Duration)

	Metrics   http.Handler // none: 404
	Now       func() time.Time
	Log       *slog.Logger // none: silence
	Version   string
	PublicURL string  // how callers reach us, such as https://chancery.example.org; none: as the request says
	Rate      float64 // requests per second of one user; 0: no bound
	Burst     int     // how many may come at once; 0: twice the rate

	// TrustedProxies are believed about whom a request comes from. None: it comes from whoever holds the connection.
	TrustedProxies []netip.Prefix
}

// Commands decides commands. *commands.Engine is one.
type Commands interface {
	Execute(context.Context, commands.Order) (commands.Result, error)
	Batch(ctx context.Context, tenant domain.TenantID, orders []commands.Order, atomic bool) ([]commands.Outcome, error)
	Challenge(ctx context.Context, c commands.Challenge) (ticket string, options []byte, err error)
	Publish(ctx context.Context, running domain.Semver, orders []commands.Order) ([]commands.Result, error)
}

// Refusals puts refused commands on record, in the caller's own tenant; it must not wait. *commands.Refusals is one.
type Refusals interface {
	Note(by commands.Party, command, code, object string)
}

// Server answers requests. Safe for concurrent use.
type Server struct {
	config  Config
	log     *slog.Logger
	echo    *echo.Echo
	limits  *limits
	spec    *document
	schemas []commandSchema

	following   *turns.Turns[domain.LinkID]
	crossOrigin *http.CrossOriginProtection

	closing chan struct{} // closed when the server is to stop: streams end, and who waits for events gets none
	closed  sync.Once
}

// Close ends streams, and has nobody wait for events any more.
func (s *Server) Close() { s.closed.Do(func() { close(s.closing) }) }

// New makes a server. An error is a mistake in the program: a type that cannot be described.
func New(c Config) (*Server, error) {
	s := &Server{
		config: c, log: c.Log, echo: echo.New(), limits: newLimits(c.Rate, c.Burst), following: turns.Of[domain.LinkID](1, 0),
		crossOrigin: http.NewCrossOriginProtection(), closing: make(chan struct{}),
	}
	if s.config.Fingerprint == nil {
		s.config.Fingerprint = commands.Fingerprint
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.schemas, err = commandSchemas(); err != nil {
		return nil, err
	}
	if s.spec, err = describe(c.Version); err != nil {
		return nil, err
	}
	if c.PublicURL != "" { // a proxy may have changed the host
		public, err := url.Parse(c.PublicURL)
		if err == nil {
			err = s.crossOrigin.AddTrustedOrigin(public.Scheme + "://" + public.Host)
		}
		if err != nil {
			return nil, fmt.Errorf("public URL: %w", err)
		}
	}
	s.echo.HTTPErrorHandler = s.unrouted
	s.echo.IPExtractor = addressOf(c.TrustedProxies)
	for _, r := range s.routes() {
		serve := s.serve(r)
		s.echo.Add(r.method, r.path, serve)
		if r.method == http.MethodGet {
			s.echo.HEAD(r.path, serve) // RFC 9110, section 9.3.2
		}
	}
	return s, nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Routes lists what is served, for tests that try them all.
func (s *Server) Routes() []*echo.Route { return s.echo.Routes() }

// HTTP is a server for the listener of the caller. Who sends or reads too slowly is cut off.
func (s *Server) HTTP() *http.Server {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      5 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.Close)
	return server
}
