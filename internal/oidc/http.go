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
	"time"

	"chancery/internal/egress"
)

const (
	patience      = 10 * time.Second // with one request
	largestAnswer = 256 << 10        // what a provider says of itself is kept
	mostRedirects = 3
)

var (
	errRedirect = errors.New("redirected elsewhere")
	errTooLarge = errors.New("the answer is too large")
	errSigned   = errors.New("the answer is signed, which nobody asked for")
)

// guarded is an HTTP client for addresses that tenants name: it goes to public addresses, and to those allowed. The address that
// is judged is the one that is dialled, whatever the name said before.
func guarded(allow []netip.Prefix) *http.Client {
	dialer := &net.Dialer{Timeout: patience / 2, Control: egress.Guard(allow)}
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
