// Package gateway makes the configuration of a gateway that asks a server about each request, and brings it to the gateway. It knows
// no feature: what there is to route, it is told.
package gateway

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Config is what a gateway is to do. The zero value of a field is documented with it.
type Config struct {
	Listen          []string      // none: :443 with Hosts, else :80
	Ask             string        // URL of the server that is asked about each request; required
	Admin           string        // address of Caddy's own API; none: the one that it has by itself, localhost:2019
	Hosts           []string      // names for which Caddy gets certificates, and serves https; none: it serves plain HTTP, and TLS ends before it
	KeepCredentials bool          // apps see Authorization and the cookies by which the server knew who asks
	Pull            time.Duration // how often Caddy looks for a newer configuration at PullFrom; 0: never
	PullFrom        string

	Places   []Place
	Versions []Version
}

// Place is a part of the address space that is routed at all: everything under a prefix, on a host or, none named, on every host.
type Place struct{ Host, Prefix string }

// Version is where a version of an app runs. Addresses are host:port, or all of them https://host:port.
type Version struct {
	App, Number string
	Upstreams   []string
}

// The path at which the server is asked, and what it answers by. Nothing that a client sends under the prefix reaches an app.
const (
	AskPath   = "/v1/gateway/authorize"
	Prefix    = "Chancery-"
	User      = Prefix + "User"
	Effective = Prefix + "Effective-User"
	Tenant    = Prefix + "Tenant"
	Slug      = Prefix + "Tenant-Slug"
	App       = Prefix + "App"
	Number    = Prefix + "App-Version"
	API       = Prefix + "Api-Version"
	Deputy    = Prefix + "Delegation"
	Session   = Prefix + "Impersonation"
	TokenApp  = Prefix + "Token-App"
)

// said is all that an app is told.
var said = []string{User, Effective, Tenant, Slug, App, Number, API, Deputy, Session, TokenApp}

// misleading are headers of clients by which some apps take a request for another one than was asked about. With an underscore they are
// the same to apps behind CGI.
var misleading = []string{
	"Chancery-*", "Chancery_*", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Url", "X-Original-Uri", "X-Rewrite-Url",
	"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Prefix",
}

// cookies are those by which the server knows a browser.
const cookies = `(__Host-)?chancery(-device)?`

type object map[string]any

// Caddy is the configuration in the JSON of Caddy 2. The same Config gives the same bytes.
func Caddy(c Config) ([]byte, error) {
	ask, err := url.Parse(c.Ask)
	if err != nil || ask.Host == "" || ask.Scheme != "http" && ask.Scheme != "https" {
		return nil, fmt.Errorf("the server to ask must be http://host or https://host, and is %q", c.Ask)
	}
	routes := []object{{"handle": []object{problem(404, "no-route", "no app serves this address")}}}
	if sets := matchers(c.Places); len(sets) > 0 {
		routes = append([]object{{"match": sets, "handle": []object{c.asking(ask), upstreams(c.Versions)}, "terminal": true}}, routes...)
	}
	// Left to itself, Caddy would order a certificate for each host that a vendor's route names, and turn all of its listener to TLS for it.
	server := object{"listen": c.Listen, "routes": routes, "automatic_https": object{"disable": true}}
	apps := object{"http": object{"servers": object{"chancery": server}}}
	if len(c.Listen) == 0 {
		server["listen"] = []string{":80"}
	}
	if len(c.Hosts) > 0 {
		if len(c.Listen) == 0 {
			server["listen"] = []string{":443"}
		}
		server["tls_connection_policies"] = []object{{}}
		apps["tls"] = object{"certificates": object{"automate": c.Hosts}}
	}
	config := object{"apps": apps}
	if admin := c.admin(); len(admin) > 0 {
		config["admin"] = admin
	}
	return json.Marshal(config, json.Deterministic(true))
}

func (c Config) admin() object {
	admin := object{}
	if c.Admin != "" {
		admin["listen"] = c.Admin
	}
	if c.Pull > 0 {
		admin["config"] = object{
			"load_delay": c.Pull.String(),
			"load": object{
				"module": "http", "url": c.PullFrom, "timeout": "10s",
				"header": object{"Authorization": []string{"Bearer {env.CHANCERY_GATEWAY_TOKEN}"}},
			},
		}
	}
	return admin
}

// plain is what has no other meaning to Caddy than it has to us.
var plain = regexp.MustCompile(`^[A-Za-z0-9._~/-]*$`)

// matchers tell what is routed at all. They need not be exact: the server decides what a request is for.
func matchers(places []Place) []object {
	var hosts []string
	paths := map[string][]string{}
	for _, p := range places {
		if !plain.MatchString(p.Host + p.Prefix) {
			continue
		}
		if _, known := paths[p.Host]; !known {
			hosts = append(hosts, p.Host)
		}
		paths[p.Host] = append(paths[p.Host], strings.TrimSuffix(p.Prefix, "/"))
	}
	var sets []object
	for _, host := range hosts {
		set, seen := object{}, map[string]bool{}
		var list []string
		for _, p := range paths[host] {
			if !seen[p] {
				seen[p] = true
				list = append(list, p, p+"/*")
			}
		}
		if !seen[""] {
			set["path"] = list
		}
		if host != "" {
			set["host"] = []string{host}
		}
		sets = append(sets, set)
	}
	return sets
}

// asking is what Caddy's forward_auth stands for: the server is asked first, and what it does not answer with 200 is the answer.
func (c Config) asking(ask *url.URL) object {
	set := object{
		"X-Forwarded-Method": []string{"{http.request.method}"},
		"X-Forwarded-Host":   []string{"{http.request.host}"},
		"X-Forwarded-Uri":    []string{"{http.request.uri}"},
	}
	asking := object{
		"handler":         "reverse_proxy",
		"rewrite":         object{"method": "GET", "uri": AskPath},
		"headers":         object{"request": object{"set": set}},
		"handle_response": []object{{"match": object{"status_code": []int{2}}, "routes": c.told()}},
		"upstreams":       []object{{"dial": hostPort(ask)}},
	}
	if ask.Scheme == "https" {
		set["Host"] = []string{"{http.reverse_proxy.upstream.hostport}"}
		asking["transport"] = overTLS()
	}
	return asking
}

// told takes from the request what its client said, and puts in what the server said.
func (c Config) told() []object {
	routes := []object{{"handle": []object{
		request("delete", misleading),
		// What Connection names is for the gateway alone, and Caddy takes it away after all of this.
		request("replace", object{"Connection": []object{{"search_regexp": `(?i)` + Prefix + `[^,]*`, "replace": ""}}}),
	}}}
	for _, name := range said {
		routes = append(routes, object{
			"match":  []object{{"not": []object{absent(name)}}},
			"handle": []object{request("set", object{name: []string{"{http.reverse_proxy.header." + name + "}"}})},
		})
	}
	if c.KeepCredentials {
		return routes
	}
	return append(
		routes,
		object{"handle": []object{request("replace", object{"Cookie": []object{
			{"search_regexp": `(^|;)\s*` + cookies + `\s*=[^;]*`, "replace": ""},
			{"search_regexp": `^;\s*`, "replace": ""},
		}})}},
		object{"match": []object{
			{"not": []object{absent(User)}},
			{"header_regexp": object{"Authorization": object{"pattern": `(?i)^bearer\s+chn_`}}},
		}, "handle": []object{request("delete", []string{"Authorization"})}},
	)
}

func absent(name string) object {
	return object{"vars": object{"{http.reverse_proxy.header." + name + "}": []string{""}}}
}

func request(op string, what any) object {
	return object{"handler": "headers", "request": object{op: what}}
}

// upstreams goes to the version that the server named. An app sets no cookie that is the server's: it is emptied, and browsers take none
// that has neither a name nor a value. One without a name they send as if its value were both.
func upstreams(versions []Version) object {
	routes := []object{{"handle": []object{{"handler": "headers", "response": object{
		"deferred": true,
		"replace":  object{"Set-Cookie": []object{{"search_regexp": `(?i)^[\s=]*` + cookies + `\s*=.*`, "replace": ""}}},
	}}}}}
	for _, v := range versions {
		proxy, dials := object{"handler": "reverse_proxy"}, []object{}
		for _, u := range v.Upstreams {
			address, tls := strings.CutPrefix(u, "https://")
			if tls {
				proxy["transport"] = overTLS()
			}
			dials = append(dials, object{"dial": address})
		}
		if len(dials) == 0 {
			continue
		}
		proxy["upstreams"] = dials
		routes = append(routes, object{
			"match":    []object{{"header": object{App: []string{v.App}, Number: []string{v.Number}}}},
			"handle":   []object{proxy},
			"terminal": true,
		})
	}
	routes = append(routes, object{"handle": []object{problem(503, "not-deployed", "the version of the app runs nowhere at the moment")}})
	return object{"handler": "subroute", "routes": routes}
}

func overTLS() object { return object{"protocol": "http", "tls": object{}} }

func problem(status int, code, detail string) object {
	body := fmt.Sprintf(`{"type":"urn:chancery:problem:%s","title":"%s","status":%d,"detail":"%s","code":"%s"}`,
		code, strings.ToUpper(code[:1])+strings.ReplaceAll(code[1:], "-", " "), status, detail, code)
	return object{
		"handler": "static_response", "status_code": status, "body": body,
		"headers": object{"Content-Type": []string{"application/problem+json"}, "Cache-Control": []string{"no-store"}},
	}
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
