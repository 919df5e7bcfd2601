package transport

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/gateway"
	"chancery/readmodels"
)

// ReadGateway is the privilege that a gateway needs on the platform.
const ReadGateway domain.Privilege = "core.gateway.read"

type (
	gatewayFeed struct {
		Position readmodels.Position `json:"position" required:"true" description:"of the last event that changed it"`
		Routes   []gatewayRoute      `json:"routes" required:"true" nullable:"false" description:"in one order: exact hosts before every host, long prefixes before short ones, certain methods before all"`
		Versions []gatewayVersion    `json:"versions" required:"true" nullable:"false" description:"those that run somewhere"`
	}
	gatewayRoute struct {
		App        domain.App       `json:"app"`
		Version    domain.Semver    `json:"version"`
		Yanked     bool             `json:"yanked" description:"no tenant gets the version any more, and those who run it go on"`
		Host       string           `json:"host" description:"empty: every host"`
		Path       string           `json:"path" description:"a prefix that ends at a segment"`
		Methods    []string         `json:"methods" nullable:"false" description:"none: all of them"`
		Privilege  domain.Privilege `json:"privilege" description:"that a caller needs; empty: being signed in is enough"`
		Public     bool             `json:"public" description:"nobody is asked who they are"`
		APIVersion string           `json:"api_version"`
	}
	gatewayVersion struct {
		App       domain.App    `json:"app"`
		Version   domain.Semver `json:"version"`
		Upstreams []string      `json:"upstreams" nullable:"false"`
	}
)

// gatewayRoutes is all that there is to route, for gateways of any make.
func (s *Server) gatewayRoutes(c *call) error {
	g, err := s.gateway(c)
	if err != nil {
		return err
	}
	if len(c.QueryParams()) > 0 {
		return badParameter("", "this address takes none")
	}
	feed := gatewayFeed{readmodels.Position(g.Position), make([]gatewayRoute, len(g.Routes)), make([]gatewayVersion, len(g.Versions))}
	for i, r := range g.Routes {
		feed.Routes[i] = gatewayRoute{r.App, r.Number, r.Yanked, r.Host, r.Path, r.Methods, r.Privilege, r.Public, r.APIVersion}
	}
	for i, v := range g.Versions {
		feed.Versions[i] = gatewayVersion{v.App, v.Number, v.Upstreams}
	}
	return c.tagged(encode(feed))
}

// gateway is what there is to route, for who may know all of it.
func (s *Server) gateway(c *call) (access.Gateway, error) {
	if err := s.allow(c, access.Question{Tenant: domain.Root, Privilege: ReadGateway, Platform: true}); err != nil {
		return access.Gateway{}, err
	}
	g := s.config.Access.Gateway()
	c.position(g.Position)
	return g, nil
}

// tagged answers JSON, or that the caller has it already.
func (c *call) tagged(body []byte) error {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	header := c.Response().Header()
	header.Set("ETag", tag)
	header.Set("Cache-Control", "private, no-cache")
	if matches(c.Request().Header.Values("If-None-Match"), tag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, "application/json", body)
}

// caddyParameters are how the configuration of Caddy may differ.
type caddyParameters struct {
	Listen      string `query:"listen" description:"addresses of Caddy, separated by commas; absent: :443 with hosts, else :80"`
	Auth        string `query:"auth" description:"URL under which Caddy reaches this server; absent: as the request did"`
	Admin       string `query:"admin" description:"address of Caddy's own API; absent: localhost:2019"`
	Hosts       string `query:"hosts" description:"names for which Caddy gets certificates and serves https, separated by commas; absent: plain HTTP, and TLS ends before it"`
	Credentials string `query:"credentials" enum:"drop,keep" default:"drop" description:"keep: apps see Authorization and the session's cookie"`
	Pull        string `query:"pull" description:"how often Caddy itself looks for a newer configuration, such as 2s; it needs the token in its environment as CHANCERY_GATEWAY_TOKEN"`
}

// caddy is the same as the configuration of a Caddy.
func (s *Server) caddy(c *call) error {
	g, err := s.gateway(c)
	if err != nil {
		return err
	}
	config := gateway.Config{Ask: s.base(c), PullFrom: s.base(c) + c.Request().URL.RequestURI()}
	values, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return badParameter("", "cannot be read: a character is not escaped as it must be")
	}
	for name, given := range values {
		if len(given) > 1 {
			return badParameter(name, "is given twice")
		}
		if detail := caddyOption(&config, name, given[0]); detail != "" {
			return badParameter(name, detail)
		}
	}
	for _, r := range g.Routes {
		config.Places = append(config.Places, gateway.Place{Host: r.Host, Prefix: r.Path})
	}
	for _, v := range g.Versions {
		config.Versions = append(config.Versions, gateway.Version{App: string(v.App), Number: string(v.Number), Upstreams: v.Upstreams})
	}
	body, err := gateway.Caddy(config)
	if err != nil {
		return err
	}
	return c.tagged(body)
}

// caddyAddress is an address to listen on; nothing in it is a placeholder.
var caddyAddress = regexp.MustCompile(`^(tcp[46]?/)?([a-z0-9.-]*|\[[0-9a-f:.]*\]):[0-9]{1,5}$`)

const (
	shortestPull = time.Second
	longestPull  = time.Hour
)

// caddyOption takes one parameter, or says what is wrong with it.
func caddyOption(config *gateway.Config, name, text string) (wrong string) { //nolint:cyclop // one case for each parameter
	oneOf := func(set *bool, on, off string) string {
		if *set = text == on; text != on && text != off {
			return "must be " + on + " or " + off
		}
		return ""
	}
	switch name {
	case "listen":
		if config.Listen = strings.Split(text, ","); slices.ContainsFunc(config.Listen, func(a string) bool { return !caddyAddress.MatchString(a) }) {
			return "must be addresses such as :8080 or 127.0.0.1:8080, separated by commas"
		}
	case "admin":
		if config.Admin = text; !caddyAddress.MatchString(text) {
			return "must be an address such as localhost:2019"
		}
	case "auth":
		if config.Ask = text; !plainOrigin(text) {
			return "must be http://host or https://host, with a port if need be and no path"
		}
	case "hosts":
		if config.Hosts = strings.Split(text, ","); slices.ContainsFunc(config.Hosts, func(h string) bool { return !certifiable.MatchString(h) }) {
			return "must be names of hosts, such as apps.example.org, separated by commas"
		}
	case "credentials":
		return oneOf(&config.KeepCredentials, "keep", "drop")
	case "pull":
		every, err := time.ParseDuration(text)
		if config.Pull = every; err != nil || every < shortestPull || every > longestPull {
			return "must be from 1s to 1h"
		}
	default:
		return errParameter.Error()
	}
	return ""
}

// plainOrigin reports whether it is a scheme and a host, and nothing in it is a placeholder.
func plainOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && plainHost.MatchString(u.Host) && text == u.Scheme+"://"+u.Host
}

var certifiable = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)

var plainHost = regexp.MustCompile(`^([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$`)
