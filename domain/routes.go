package domain

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// Route is a part of the platform's address space that an app serves. Its tag is the prefix with its host: one app has it.
type Route struct {
	Host       string    `json:"host,omitzero"` // exact; empty for every host
	Path       string    `json:"path"`          // a prefix that ends at a segment: /billing is also /billing/x, and not /billings
	Methods    []string  `json:"methods,omitzero"`
	Privilege  Privilege `json:"privilege,omitzero"`   // that a caller needs; none: being signed in is enough
	Public     bool      `json:"public,omitzero"`      // nobody is asked who they are
	APIVersion string    `json:"api_version,omitzero"` // as the app calls it
}

// Key keeps a prefix on a host to one app.
func (r Route) Key() Key { return keyOf("route", Root.UUID, r.Host+" "+r.Path) }

// Tag is that of its key.
func (r Route) Tag() dcb.Tag { return r.Key().Tag() }

// Within are the keys of the prefix and of all prefixes in which it lies, the nearest first: who has the first that anybody has, has what
// is below it. What every host has in common, the prefix /, is nobody's alone.
func (r Route) Within() []Key {
	var keys []Key
	for path := r.Path; ; path = path[:strings.LastIndexByte(path, '/')] {
		path = cmp.Or(path, "/")
		for _, host := range slices.Compact([]string{r.Host, ""}) {
			if host != "" || path != "/" || r.Host == "" && r.Path == "/" {
				keys = append(keys, Route{Host: host, Path: path}.Key())
			}
		}
		if path == "/" {
			return keys
		}
	}
}

// reserved reports whether the prefix is the platform's on every host: who serves what is there can prove that the host is theirs (RFC 8615).
func (r Route) reserved() bool {
	return strings.HasPrefix(strings.ToLower(r.Path)+"/", "/.well-known/")
}

// AppVersionDeployed says where a version runs: the addresses to which a gateway sends what is for it. None: nowhere any more.
type AppVersionDeployed struct {
	Version   AppVersionID `json:"version"`
	App       AppID        `json:"app"`
	Upstreams []string     `json:"upstreams"` // host:port, or https://host:port
}

// AppRouteReleased gives a prefix up that no version of the app serves any more; another app may have it.
type AppRouteReleased struct {
	App      AppID  `json:"app"`
	Host     string `json:"host,omitzero"`
	Path     string `json:"path"`
	Released Key    `json:"released"`
}

func (AppVersionDeployed) EventType() string { return "app-version.deployed" }
func (AppRouteReleased) EventType() string   { return "app.route-released" }

var (
	ErrRouteTaken = refuse("route-taken", "another app has that prefix")
	ErrRouteHost  = refuse("route-host-unowned", "a route may name hosts of domains that the vendor's tenant has verified; verify the domain, or name no host")
	ErrRouteUsed  = refuse("route-used", "a version of the app that is not yanked serves it")
	ErrNoRoute    = &Refusal{Missing, "not-found", "the app has no such route"}
)

// RouteHolder is the app that has the prefix, nil if it is free.
func RouteHolder(k Key) *dcb.Fact[uuid.UUID] {
	return holderOf(k.Tag(),
		dcb.On(func(h *uuid.UUID, e AppVersionPublished) { *h = e.App.UUID }),
		dcb.On(func(h *uuid.UUID, _ AppRouteReleased) { *h = uuid.Nil }),
	).Only(Root.UUID)
}

// UpstreamsOf are the addresses at which a version runs.
func UpstreamsOf(v AppVersionID) *dcb.Fact[[]string] {
	return dcb.Ask([]string(nil), tags(v), dcb.On(func(at *[]string, e AppVersionDeployed) { *at = e.Upstreams })).Only(Root.UUID)
}

// MostUpstreams is how many addresses a version may run at.
const MostUpstreams = 20

// CheckUpstreams refuses what no gateway could send requests to.
func CheckUpstreams(pointer string, all []string) error {
	if len(all) > MostUpstreams {
		return Invalid(pointer, "must be at most %d addresses", MostUpstreams)
	}
	for i, u := range all {
		at := pointer + "/" + strconv.Itoa(i)
		switch {
		case !isUpstream(strings.TrimPrefix(u, overTLS)):
			return Invalid(at, "must be host:port or https://host:port, such as 10.0.0.7:8080")
		case strings.HasPrefix(u, overTLS) != strings.HasPrefix(all[0], overTLS):
			return Invalid(at, "must all be with https:// or all without")
		case slices.Index(all, u) < i:
			return Invalid(at, "is given twice")
		}
	}
	return nil
}

const overTLS = "https://"

// isUpstream reports whether it is host:port. Nothing in it means more to a gateway than it says.
func isUpstream(u string) bool {
	host, port, err := net.SplitHostPort(u)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || n == 0 || port[0] == '+' || port[0] == '0' || net.JoinHostPort(host, port) != u {
		return false
	}
	if strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Zone() == ""
	}
	return isHost(host)
}

// isHost reports whether it is a name in DNS, or one like it, in lower case; or an IPv4 address.
func isHost(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}
