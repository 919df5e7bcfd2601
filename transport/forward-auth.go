package transport

import (
	"errors"
	"net/http"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/gateway"
)

// What a gateway says of the request that it asks about.
const (
	forwardedMethod = "X-Forwarded-Method"
	forwardedHost   = "X-Forwarded-Host"
	forwardedURI    = "X-Forwarded-Uri"
)

// askMethods are those by which gateways ask; some do it by the method of the request itself.
var askMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// The problems that a gateway passes on to its clients.
var (
	errAmbiguous    = newProblem(http.StatusBadRequest, "path-refused", "the address could be read in more than one way")
	errNoRoute      = newProblem(http.StatusNotFound, "no-route", "no app serves this address")
	errAppDisabled  = newProblem(http.StatusForbidden, "app-disabled", "the app is not enabled in the tenant")
	errLicenseEnded = newProblem(http.StatusForbidden, "license-ended", "the tenant has no licence in force for the app")
)

// forwardAuth answers a gateway for one request: whether it may go on, to which version of which app, and who makes it. It tells
// nothing but about whoever's credentials are presented. What nobody may do, those may who are not known, or in whose tenant the app is
// not at work; for all others their tenant's version decides, lest a newer one that is open takes what is meant for it.
func (s *Server) forwardAuth(c *call) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	if err := s.fresh(c); err != nil {
		return err
	}
	asked, err := original(c.Request())
	if err != nil {
		return err
	}
	t, ok := access.ReadTarget(asked.Method, asked.Host, asked.RequestURI)
	if !ok {
		return errAmbiguous
	}
	open, ok := s.config.Access.Route(t, "")
	if !ok {
		return errNoRoute
	}
	public := open.Served && open.Route.Public
	switch err := s.recognise(c, asked); {
	case public && (isNobody(err) || err == nil && !s.config.Access.App(c.tenant, open.App, c.now).Works):
		return c.goOn(open)
	case err != nil:
		return err
	}
	return s.through(c, t, open.App)
}

// recognise finds out who asks, and in which tenant.
func (s *Server) recognise(c *call, asked *http.Request) error {
	c.SetRequest(withMethod(c.Request(), http.MethodGet)) // by which method the gateway asks says nothing
	if err := s.authenticate(c); err != nil {
		return err
	}
	if byCookie := c.header("Authorization") == ""; byCookie && s.crossOrigin.Check(asked) != nil {
		return errCrossOrigin
	}
	return s.enterNamed(c)
}

// isNobody reports whether who asks has shown nothing that counts: no credentials, none that are accepted, or for a tenant of others.
func isNobody(err error) bool {
	p, ok := errors.AsType[*problem](err)
	return ok && p.Status == http.StatusUnauthorized || errors.Is(err, errCrossOrigin) || errors.Is(err, domain.ErrNotAllowed)
}

// original is the request that a gateway asks about, as far as it says.
func original(r *http.Request) (*http.Request, error) {
	for _, name := range []string{forwardedMethod, forwardedHost, forwardedURI} {
		if len(r.Header.Values(name)) != 1 {
			return nil, badHeader(name, "must be there once: this address is for gateways")
		}
	}
	asked := withMethod(r, r.Header.Get(forwardedMethod))
	asked.Host, asked.RequestURI = r.Header.Get(forwardedHost), r.Header.Get(forwardedURI)
	return asked, nil
}

func withMethod(r *http.Request, method string) *http.Request {
	other := *r
	other.Method = method
	return &other
}

// enterNamed finds the tenant: the caller's own, or the one that the request names. One that the caller may not enter is not told from
// one that does not exist.
func (s *Server) enterNamed(c *call) error {
	named := c.header(gateway.Tenant)
	if named == "" {
		named = c.tenant.String()
	}
	id, status, ok := s.config.Access.Tenant(named)
	if !ok || status != domain.TenantActive || !s.config.Access.MayEnter(c.caller, id) {
		return domain.ErrNotAllowed
	}
	c.tenant = id
	return nil
}

// through judges whether the caller may go on to the version that runs in the tenant.
func (s *Server) through(c *call, t access.Target, app domain.App) error {
	state := s.config.Access.App(c.tenant, app, c.now)
	switch {
	case !state.Registered || !state.Enabled:
		return errAppDisabled
	case !state.Works:
		return errLicenseEnded
	}
	routed, _ := s.config.Access.Route(t, state.Number)
	if !routed.Served || routed.App != app {
		return errNoRoute
	}
	if p := routed.Route.Privilege; p != "" && !routed.Route.Public {
		switch a := s.config.Access.Decide(c.caller.Asking(access.Question{Tenant: c.tenant, Privilege: p}, c.now)); {
		case a.Allowed:
		case a.Why == access.AppDisabled:
			return errAppDisabled
		case a.Why == access.LicenseEnded:
			return errLicenseEnded
		default:
			return domain.ErrNotAllowed
		}
	}
	say := c.Response().Header().Set
	say(gateway.User, c.caller.User.String())
	say(gateway.Effective, c.caller.Effective().String())
	say(gateway.Tenant, c.tenant.String())
	say(gateway.Slug, string(s.config.Access.SlugOf(c.tenant)))
	if id := c.caller.Delegation; !id.IsZero() {
		say(gateway.Deputy, id.String())
	}
	if id := c.caller.Impersonation; !id.IsZero() {
		say(gateway.Session, id.String())
	}
	if c.caller.App != "" {
		say(gateway.TokenApp, c.caller.App)
	}
	return c.goOn(routed)
}

// goOn has the gateway send the request to a version.
func (c *call) goOn(to access.Routed) error {
	say := c.Response().Header().Set
	say(gateway.App, string(to.App))
	say(gateway.Number, string(to.Number))
	if to.Route.APIVersion != "" {
		say(gateway.API, to.Route.APIVersion)
	}
	c.position(to.Position)
	return c.NoContent(http.StatusOK)
}

// What a gateway is asked to send, and told, for the API's description.
type (
	asking struct {
		Method     string `header:"X-Forwarded-Method" required:"true" description:"of the request that is asked about"`
		Host       string `header:"X-Forwarded-Host" required:"true" description:"to which it was sent"`
		URI        string `header:"X-Forwarded-Uri" required:"true" description:"its path, with its query if it has one"`
		Tenant     string `header:"Chancery-Tenant" description:"the id or the slug of a tenant that the caller may enter; absent: the caller's own"`
		Delegation string `header:"Chancery-Delegation" description:"the id of a delegation to act under"`
	}
	allowed struct {
		User          string `header:"Chancery-User" description:"who calls; absent where nobody is asked who they are"`
		Effective     string `header:"Chancery-Effective-User" description:"with whose rights"`
		Tenant        string `header:"Chancery-Tenant" description:"the tenant in which it is"`
		Slug          string `header:"Chancery-Tenant-Slug"`
		App           string `header:"Chancery-App" description:"the app that serves it"`
		Version       string `header:"Chancery-App-Version" description:"the version of it"`
		API           string `header:"Chancery-Api-Version" description:"of its API, as the app calls it"`
		Delegation    string `header:"Chancery-Delegation" description:"the delegation acted under"`
		Impersonation string `header:"Chancery-Impersonation" description:"the impersonation acted in"`
		TokenApp      string `header:"Chancery-Token-App" description:"the app that the token speaks for"`
	}
)

func (d *describer) gateway() {
	const tag = "gateway"
	d.add(operation{method: http.MethodGet, path: "/v1/gateway/routes", tag: tag, summary: "Where all routes lead, for a gateway of any make; with an ETag.", answer: new(gatewayFeed)})
	d.add(operation{method: http.MethodGet, path: "/v1/gateway/caddy", tag: tag, summary: "The same as the configuration of a Caddy; with an ETag.", request: []any{new(caddyParameters)}, answer: new(map[string]any)})
	for _, method := range askMethods {
		d.add(operation{
			method: method, path: gateway.AskPath, tag: tag, request: []any{new(asking)}, answer: new(allowed), status: http.StatusOK,
			summary: "Asked by a gateway about one request, with its credentials: may it go on, to which version, and who makes it? 401, 403 (app-disabled, license-ended, not-allowed), 404 (no-route).",
		})
	}
}
