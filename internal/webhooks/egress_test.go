package webhooks

import (
	"context"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

var quiet = log.New(io.Discard, "", 0)

// speaking is the address of somebody who says something that is no HTTP.
func speaking(t *testing.T, what string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, what)
			c.Close()
		}
	}()
	return listener.Addr().String()
}

// names is a resolver that knows every name, and answers each question for its IPv4 address with the next of some addresses.
func names(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			for err := error(nil); err == nil; {
				err = answerOne(ours, func() [4]byte {
					n := min(int(asked.Add(1)), len(addresses))
					return netip.MustParseAddr(addresses[n-1]).As4()
				})
			}
		}()
		return theirs, nil
	}}
}

// answerOne speaks DNS as over TCP: a length goes before each message.
func answerOne(c net.Conn, next func() [4]byte) error {
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return err
	}
	question := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c, question); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0}, Body: &dnsmessage.AResource{A: next()},
		}}
	}
	answer, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// The names resolve to where they would do most harm. Decimal, octal and short addresses are addresses to the resolver of many a system,
// and to Go's own names that nobody can have.
func TestNoWayOfWritingAnAddressLeadsInside(t *testing.T) {
	s := sender(t, func(c *Config) { c.Allow, c.Resolver, c.Timeout = nil, names(t, "127.0.0.1"), 5*time.Second })
	for _, host := range []string{
		"127.0.0.1", "127.1.1.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "224.0.0.1",
		"2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "0x7f.0.0.1", "127.1", "127.0.1", "0", "127.0.0.1.", "①②⑦.⓪.⓪.①",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[2002:7f00:1::]", "[64:ff9b::7f00:1]",
		"[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2001:0:7f00:1::]", "[::ffff:0:127.0.0.1]", "[fec0::1]", "[fe80::1]", "[fe80::1%25lo]", "[::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]",
		"localhost", "LOCALHOST", "localhost.", "foo.localhost", "localhost.localdomain", "ⓛocalhost", "xn--lcalhost-54a.example", "１２７.0.0.1", "127。0。0。1", "metadata.google.internal", "169.254.169.254.nip.io",
	} {
		for _, url := range []string{"https://" + host + "/", "http://" + host + "/", "https://" + host + ":80/", "http://" + host + ":443/"} {
			o := s.Send(t.Context(), endpointAt(url), item())
			known := o.Err == "address not allowed" || o.Err == "URL not usable"
			known = known || o.Err == "name not found" && host[0] <= '9' || o.Err == "no way to the address" && host[0] == '[' // no IPv6 here
			if !known || o.Status != 0 {
				t.Errorf("%s: %+v", url, o)
			}
		}
	}
}

// What is refused is refused before anything is sent, so this asks nobody out there.
func TestPublicAddressesAreSentToByHTTPSAloneAlsoWhereNetworksAreNamed(t *testing.T) {
	s := sender(t, func(c *Config) { c.Resolver, c.Timeout = names(t, "8.8.8.8"), 5*time.Second })
	for url, want := range map[string]string{
		"http://example.org/": "not allowed without TLS", "http://example.org:80/": "not allowed without TLS", "http://example.org:443/": "not allowed without TLS",
		"http://8.8.8.8/": "not allowed without TLS", "http://[::ffff:8.8.8.8]/": "not allowed without TLS", "HTTP://example.org./": "not allowed without TLS",
		"http://example.org:8080/": "not allowed without TLS", "https://example.org:80/": "port not allowed", "https://example.org:8443/": "port not allowed",
		"http://10.0.0.1/": "address not allowed", "https://10.0.0.1:80/": "address not allowed",
	} {
		if o := s.Send(t.Context(), endpointAt(url), item()); o.Err != want || o.Status != 0 {
			t.Errorf("%s: %+v, want %q", url, o, want)
		}
	}
}

func TestTricksWithURLsLeadNowhere(t *testing.T) {
	var reached atomic.Int64
	server := receiver(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	at := strings.TrimPrefix(server.URL, "http://")
	s := sender(t, func(c *Config) { c.Allow, c.Resolver, c.Timeout = nil, names(t, "127.0.0.1"), 5*time.Second })
	for _, url := range []string{
		"http://" + at, "http://example.org@" + at, "http://example.org:80@" + at, "http://" + at + "#@example.org", "http://" + at + "?@example.org",
		"http://" + at + `\@example.org`, `http://example.org\@` + at, "http://example.org%40" + at, "http://example.org%00." + at, "http:///" + at, "//" + at, at,
		"http://[::ffff:127.0.0.1]:" + at[strings.LastIndex(at, ":")+1:], "http://example.org:" + at[strings.LastIndex(at, ":")+1:], "gopher://" + at, "file:///etc/passwd",
		"unix:///run/docker.sock", "http://example.org:22", "http://example.org:0", "http://example.org:65536", "http://example.org:-1",
	} {
		if o := s.Send(t.Context(), endpointAt(url), item()); o.Err == "" || o.Status != 0 {
			t.Errorf("%s: %+v", url, o)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestANameThatWasPublicWhenLookedAtIsJudgedWhenDialled(t *testing.T) {
	var reached atomic.Int64
	server := receiver(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	rebinding := names(t, "8.8.8.8", "127.0.0.1")
	first, err := rebinding.LookupNetIP(t.Context(), "ip4", "rebinding.example.org")
	if err != nil || len(first) != 1 || first[0] != netip.MustParseAddr("8.8.8.8") {
		t.Fatalf("the name is not public at first: %v, %v", first, err)
	}
	open := func(c *Config) { c.Resolver = rebinding }
	if o := sender(t, func(c *Config) { open(c); c.Allow = nil }).Send(t.Context(), endpointAt("https://rebinding.example.org"), item()); o.Err != "address not allowed" {
		t.Errorf("after it changed: %+v", o)
	}
	if o := sender(t, open).Send(t.Context(), endpointAt("http://rebinding.example.org:"+port), item()); !o.Delivered || reached.Load() != 1 {
		t.Errorf("the name does not lead to the receiver where it may, so this test shows nothing: %+v", o)
	}
}

func TestARedirectInsideIsNotFollowed(t *testing.T) {
	inside := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	server := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
	})
	if o := sender(t, nil).Send(t.Context(), endpointAt(server.URL), item()); o.Err != "answered 307" || o.Delivered {
		t.Errorf("%+v", o)
	}
}

// A proxy would dial for us. net/http reads its variables once in a process, so setting them here would show nothing.
func TestNoProxyIsAsked(t *testing.T) {
	if s := sender(t, nil); s.secure.Proxy != nil || s.plain.Proxy != nil {
		t.Error("the environment can name a proxy")
	}
}

func TestANameThatNobodyKnowsIsSaidToBeUnknown(t *testing.T) {
	nobody := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, net.UnknownNetworkError("none") }}
	s := sender(t, func(c *Config) { c.Resolver = nobody })
	if o := s.Send(t.Context(), endpointAt("https://example.invalid/"), item()); o.Err != "name not found" && o.Err != "name not resolved" {
		t.Errorf("%+v", o)
	}
}
