package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/feed"
	"chancery/internal/oidc"
	"chancery/internal/replay"
	"chancery/projections"
	"chancery/readmodels"
	"chancery/transport"
)

// Handler is the HTTP API.
func (a *App) Handler() (*transport.Server, error) { return transport.New(a.edge()) }

func (a *App) edge() transport.Config {
	past := newPastAccess(a)
	return transport.Config{
		Commands: a.engine, Access: a.index, AccessAsOf: past.AsOf, Foresee: past.Foresee, PlanApp: a.engine.PlanApp, Queries: queries{a}, Refusals: a.refusals,
		Fresh: a.follower.Fresh, Bootstrap: a.bootstrapOverHTTP, Ready: a.Ready, Unavailable: unavailable, Fingerprint: a.fingerprint,
		Observe: a.metrics.http, Metrics: promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}),
		Now: a.config.Now, Log: a.log, Version: Version(), Rate: a.config.Rate, TrustedProxies: a.config.TrustedProxies,
		Pulls: a.puller(), Outward: encoder(),
		Throttle: a.throttle, Authn: a.engine.Authn, Sightings: a.sightings, Resets: a.resets, PublicURL: a.statedURL(),
		OIDC: oidc.New(oidc.Config{Now: a.config.Now, Allow: a.config.IssuerNetworks}), Secret: a.secret, Claim: a.store.Claim, SigningKeys: a.engine.SigningKeys, Origins: a.config.ReturnOrigins,
	}
}

// statedURL is how callers reach us where somebody has said so; else each request says it.
func (a *App) statedURL() string {
	if strings.HasPrefix(a.config.PublicURL, "http://localhost") {
		return ""
	}
	return a.config.PublicURL
}

func (a *App) bootstrapOverHTTP(ctx context.Context, from transport.Origin, token, email, name string) (string, uuid.UUID, uuid.UUID, error) {
	secret, user, tenant, err := a.Bootstrap(ctx, from, token, email, name)
	if errors.Is(err, ErrBootstrapToken) {
		err = access.ErrUnauthenticated
	}
	return secret, user, tenant, err
}

// unavailable tells faults that will pass: the database is away, full, or busy.
func unavailable(err error) bool {
	if _, ok := errors.AsType[*feed.Stuck](err); ok {
		return true // until somebody has helped the projector
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code[:2] {
		case "08", "53", "57", "58": // connection, resources, operator, system: PostgreSQL, appendix A
			return true
		}
		return pg.Code == "55P03" || pg.Code == "25006" // lock timeout; read only, as after a failover
	}
	connect, network := (*pgconn.ConnectError)(nil), net.Error(nil)
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, pgx.ErrTxClosed)
}

// queries puts the read models and the past together for the edge.
type queries struct{ app *App }

func (q queries) Now(t domain.TenantID) transport.View { return q.app.reader.Now(t) }

// AsOf shows the tables of one projector; what is read from the log itself needs none.
func (q queries) AsOf(ctx context.Context, t domain.TenantID, projector string, m transport.Moment) (transport.View, func(), error) {
	question := moment(t, m)
	question.Of = cmp.Or(projector, projections.Core.Name())
	past, err := q.app.past.AsOf(ctx, question)
	switch {
	case errors.Is(err, replay.ErrAhead):
		return nil, nil, transport.ErrBeyond
	case errors.Is(err, replay.ErrFull):
		return nil, nil, transport.ErrBusy
	case err != nil:
		return nil, nil, err
	}
	return q.app.reader.AsOf(t, past.Schema, past.Position, m.Time), past.Release, nil
}

// moment is the question that a tenant's past comes to: its own events, and those of the platform that it shares.
func moment(t domain.TenantID, m transport.Moment) replay.Question {
	q := replay.Question{Tenant: t.UUID, Position: m.Position, At: m.Time}
	if t == domain.Root {
		q.Everywhere = domain.Catalog.KindTypes("tenant")
	} else {
		q.Shared = []uuid.UUID{domain.Root.UUID}
	}
	return q
}

func (q queries) Wait(ctx context.Context, projector string, position int64) error {
	if projector == "" {
		return q.app.follower.await(ctx, position)
	}
	return q.app.feed.Wait(ctx, projector, position)
}

func (q queries) EventsAt(ctx context.Context, t domain.TenantID, positions []int64) ([]readmodels.EventRef, error) {
	return q.app.reader.EventsAt(ctx, t.UUID, positions)
}

// Serve runs Chancery until ctx ends, then stops it in order.
func Serve(ctx context.Context, s Settings, listen string, migrate bool, out io.Writer) error {
	c := s.config()
	c.Migrate = migrate
	c.PublicURL = cmp.Or(c.PublicURL, localURL(listen))
	if os.Getenv("GOGC") == "" {
		// Collecting less often leaves PostgreSQL, on the same cores, the time; it costs about five times the live heap.
		debug.SetGCPercent(400)
	}
	a, err := Open(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.Install(ctx); err != nil {
		return err
	}
	handler, err := a.Handler()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := handler.HTTP()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	a.announce(ctx, listener.Addr().String(), out)
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-a.gone:
		return errDatabaseGone
	case <-ctx.Done():
	}
	a.log.Info("stopping")
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		a.log.Warn("requests were cut off", "error", err)
	}
	return nil
}

var errDatabaseGone = errors.New("the private PostgreSQL has ended; its log lies in the data folder")

// announce tells where Chancery is, and where its first key lies.
func (a *App) announce(ctx context.Context, address string, out io.Writer) {
	fmt.Fprintf(out, "Chancery %s serves http://%s (see /docs)\n", Version(), address)
	if done, err := a.bootstrapped(ctx); err == nil && !done {
		fmt.Fprintf(out, "The bootstrap token of the first administrator lies in %s\n", filepath.Join(a.config.Data, bootstrapFile))
	}
}

// OpenAPI writes the description of the API.
func OpenAPI(out io.Writer) error {
	text, err := transport.OpenAPI(Version())
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}

// http prepares the observer of a route. What was never asked for has no series.
func (m *metrics) http(method, route string) func(status int, took time.Duration) {
	took := sync.OnceValue(func() prometheus.Observer { return m.requestTook.WithLabelValues(method, route) })
	fine := sync.OnceValue(func() prometheus.Counter { return m.requests.WithLabelValues(method, route, "200") })
	return func(status int, d time.Duration) {
		took().Observe(d.Seconds())
		if status == http.StatusOK {
			fine().Inc()
			return
		}
		m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	}
}
