package transport

import (
	"net/http"

	"chancery/commands"
	"chancery/internal/gateway"
	"chancery/readmodels"
)

// audience is who may come to a route at all.
type audience int

const (
	everybody audience = iota // no token is asked for
	signedIn                  // a valid token
	within                    // a valid token, and a :tenant that the caller may know of
)

type route struct {
	method, path string
	who          audience
	do           func(*call) error
}

// routes is everything that is served.
func (s *Server) routes() []route {
	const tenant = "/v1/tenants/:tenant"
	list := []route{
		{http.MethodGet, "/healthz", everybody, s.healthz},
		{http.MethodGet, "/readyz", everybody, s.readyz},
		{http.MethodGet, "/metrics", everybody, s.metrics},
		{http.MethodGet, "/openapi.json", everybody, s.openapi},
		{http.MethodGet, "/docs", everybody, s.docs()},
		{http.MethodGet, "/docs/*", everybody, s.docs()},
		{http.MethodGet, wellKnown, everybody, s.discover},
		{http.MethodGet, wellKnown + "/:tenant", everybody, s.discover},
		{http.MethodGet, wellKnown + tenant, everybody, s.discover},

		{http.MethodGet, manifestSchemaPath, everybody, s.manifestSchema},
		{http.MethodPost, "/v1/bootstrap", everybody, s.bootstrap},
		{http.MethodGet, "/v1/me", signedIn, s.me},

		{http.MethodPost, tenant + "/sessions", everybody, s.signIn},
		{http.MethodPost, tenant + "/sessions/passkey", everybody, s.askPasskey},
		{http.MethodPost, tenant + "/password-resets", everybody, s.requestReset},
		{http.MethodPost, tenant + "/links/redeem", everybody, s.redeem},
		{http.MethodGet, tenant + "/jwks.json", everybody, s.jwks},
		{http.MethodPost, "/v1/sessions/step-up", signedIn, s.stepUp},
		{http.MethodPost, "/v1/sessions/step-up/passkey", signedIn, s.askOwn(commands.ForStepUp)},
		{http.MethodDelete, "/v1/sessions/current", signedIn, s.signOut},
		{http.MethodDelete, "/v1/impersonations/current", everybody, s.endImpersonation}, // whatever has become of it: see there
		{http.MethodPost, tenant + "/credentials/passkey", within, s.askOwn(commands.ForRegistration)},

		{http.MethodGet, tenant + "/commands", within, s.catalogue},
		{http.MethodPost, tenant + "/commands", within, s.bulk},
		{http.MethodPost, tenant + "/commands/:command", within, s.command},

		{http.MethodGet, tenant + "/oidc/:id/start", everybody, s.startAtIssuer},
		{http.MethodPost, tenant + "/oidc/:id/authorize", everybody, s.authorize},
		{http.MethodGet, callbackPath + ":id", everybody, s.callback},
		{http.MethodPost, callbackPath + ":id", everybody, s.callbackOfProgram},

		{http.MethodPost, tenant + "/events", within, s.publish},
		{http.MethodPost, tenant + "/users/:id/export", within, s.export},
		{http.MethodGet, tenant + "/groups/:id/members", within, s.groupMembers},
		{http.MethodGet, tenant + "/endpoints/:id/stats", within, s.endpointStats},
		{http.MethodPost, tenant + "/access/v1/preview", within, s.preview},
		{http.MethodGet, tenant + "/tenant-apps/:id/plan", within, s.planApp},
		{http.MethodPost, tenant + "/entitlements/check", within, s.entitled},

		{http.MethodGet, "/v1/tenants", signedIn, s.tenants},
		{http.MethodGet, tenant, within, s.oneTenant},
		{http.MethodGet, tenant + "/history", within, s.tenantHistory},
		{http.MethodGet, tenant + wellKnown, within, s.discover},
	}
	list = append(list,
		route{http.MethodGet, "/v1/gateway/routes", signedIn, s.gatewayRoutes},
		route{http.MethodGet, "/v1/gateway/caddy", signedIn, s.caddy},
	)
	for _, method := range askMethods {
		list = append(list, route{method, gateway.AskPath, everybody, s.forwardAuth})
	}
	list = append(list, s.pullRoutes(tenant+"/endpoints/:id")...)
	list = append(list, s.accessRoutes("", signedIn)...) // in the caller's own tenant
	list = append(list, s.accessRoutes(tenant, within)...)
	for _, c := range readmodels.Collections {
		list = append(list,
			route{http.MethodGet, tenant + "/" + c.Name, within, s.list(c)},
			route{http.MethodGet, tenant + "/" + c.Name + "/:id", within, s.one(c)},
		)
		if c.Kind != "" {
			list = append(list, route{http.MethodGet, tenant + "/" + c.Name + "/:id/history", within, s.history(c)})
		}
	}
	return list
}

func (s *Server) accessRoutes(prefix string, who audience) []route {
	return []route{
		{http.MethodPost, prefix + "/access/v1/evaluation", who, s.evaluation},
		{http.MethodPost, prefix + "/access/v1/evaluations", who, s.evaluations},
		{http.MethodPost, prefix + "/access/v1/search/subject", who, s.searchSubject},
		{http.MethodPost, prefix + "/access/v1/search/resource", who, s.searchResource},
		{http.MethodPost, prefix + "/access/v1/search/action", who, s.searchAction},
	}
}
