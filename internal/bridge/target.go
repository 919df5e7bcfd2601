package bridge

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// target is a broker: where it is and how it is spoken to.
type target struct {
	kind  string // nats, kafka or amqp
	tls   bool
	user  *url.Userinfo // nil: none
	hosts []string      // host:port; at least one
	vhost string        // of AMQP; none: /
	creds string        // file with credentials of NATS; none: none
}

var schemes = map[string]target{
	"nats": {kind: "nats"}, "tls": {kind: "nats", tls: true},
	"kafka": {kind: "kafka"}, "kafka+tls": {kind: "kafka", tls: true},
	"amqp": {kind: "amqp"}, "amqps": {kind: "amqp", tls: true},
}

func (t target) port() string {
	switch {
	case t.kind == "nats":
		return "4222"
	case t.kind == "kafka":
		return "9092"
	case t.tls:
		return "5671"
	}
	return "5672"
}

// String names the broker without credentials.
func (t target) String() string { return t.kind + " at " + strings.Join(t.hosts, ",") }

// parse reads a broker's address: scheme://[user:password@]host[:port][,host[:port]…][/vhost][?creds=file]. What it says about one that
// is wrong never repeats it: there may be a password in it.
func parse(text string) (target, error) {
	scheme, rest, found := strings.Cut(text, "://")
	t, known := schemes[scheme]
	if !found || !known {
		return t, errors.New("the address of the bridge's broker must begin with nats://, tls:// (NATS with TLS), kafka://, kafka+tls://, amqp:// or amqps://")
	}
	hosts, tail := rest, ""
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		hosts, tail = rest[:at], rest[at:]
	}
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		u, err := url.Parse("x://" + hosts[:at] + "@h")
		if err != nil {
			return t, errors.New("the user and the password in the address of the bridge's broker must be percent-encoded")
		}
		t.user, hosts = u.User, hosts[at+1:]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		whole, err := address(host, t.port())
		if err != nil {
			return t, err
		}
		t.hosts = append(t.hosts, whole)
	}
	return t, t.tail(tail)
}

// address completes a host by the port.
func address(host, port string) (string, error) {
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	} else if bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"); len(bare)+2 == len(host) {
		host = bare
	} else if strings.Contains(host, ":") {
		host = ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if host == "" || strings.ContainsAny(host, " []@") || err != nil || n == 0 {
		return "", errors.New("the address of the bridge's broker must name hosts as host:port, with commas between them")
	}
	return net.JoinHostPort(host, port), nil
}

func (t *target) tail(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("what follows the host in the address of the bridge's broker cannot be read")
	}
	if t.vhost = strings.TrimPrefix(u.Path, "/"); t.vhost != "" && t.kind != "amqp" {
		return fmt.Errorf("the address of a %s broker has no path", t.kind)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("what follows the ? in the address of the bridge's broker cannot be read")
	}
	for name, values := range query {
		if name != "creds" || t.kind != "nats" || len(values) != 1 {
			return fmt.Errorf("the address of a %s broker has no setting %q", t.kind, name)
		}
		t.creds = values[0]
	}
	return nil
}

// urls are the addresses as libraries want them, with what is secret.
func (t target) urls(scheme string) []string {
	all := make([]string, len(t.hosts))
	for i, h := range t.hosts {
		u := url.URL{Scheme: scheme, User: t.user, Host: h}
		if t.vhost != "" {
			u.Path = "/" + t.vhost
		}
		all[i] = u.String()
	}
	return all
}

// secretless is err without the credentials, should a library have put them in.
func (t target) secretless(err error) error {
	if t.user == nil {
		return err
	}
	secret, given := t.user.Password()
	if !given {
		secret = t.user.Username() // of NATS: a token
	}
	clean := strings.ReplaceAll(err.Error(), t.user.String(), "…")
	if secret != "" {
		clean = strings.ReplaceAll(clean, secret, "…")
	}
	if clean == err.Error() {
		return err
	}
	return errors.New(clean)
}
