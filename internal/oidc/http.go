package oidc

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	patience      = 10 * time.Second // with one request
	largestAnswer = 256 << 10        // what a provider says of itself is kept
	mostRedirects = 3
)

var (
	errPrivate  = errors.New("the address is not public, and not among those allowed")
	errRedirect = errors.New("redirected elsewhere")
	errTooLarge = errors.New("the answer is too large")
	errSigned   = errors.New("the answer is signed, which nobody asked for")
)

// guarded is an HTTP client for addresses that tenants name: it goes to public addresses, and to those allowed. The address that
// is judged is the one that is dialled, whatever the name said before.
func guarded(allow []netip.Prefix) *http.Client {
	dialer := &net.Dialer{Timeout: patience / 2, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("judge the address: %w", err)
		}
		if !reachable(at.Addr(), allow) {
			return errPrivate
		}
		return nil
	}}
	transport := &http.Transport{ // no proxy: it would dial for us
		DialContext: dialer.DialContext, TLSHandshakeTimeout: patience / 2, ResponseHeaderTimeout: patience / 2,
		MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	return &http.Client{Transport: bounded{transport}, Timeout: patience, CheckRedirect: sameHost}
}

// sameHost follows a redirect of a question within one host. Nothing that is posted goes anywhere else.
func sameHost(next *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > mostRedirects || first.Method != http.MethodGet || next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host {
		return errRedirect
	}
	return nil
}

// special are the networks that lead to no public host, beside those that netip knows of.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

func reachable(a netip.Addr, allow []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	for _, p := range allow {
		if p.Contains(a) {
			return true
		}
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate()
}

// bounded cuts off answers that do not end, and takes no signed ones: go-oidc would verify those with keys of any size.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind == "application/jwt" {
		answer.Body.Close()
		return nil, errSigned
	}
	answer.Body = &limited{answer.Body, largestAnswer}
	return answer, nil
}

type limited struct {
	io.ReadCloser
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLarge
	}
	n, err := l.ReadCloser.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// unreachable says at what a request failed, and keeps of the cause what the network said: never what the provider said.
func unreachable(what string, err error) error {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, asked.Err)
	}
	return fmt.Errorf("%w: %s", ErrBroken, what)
}
