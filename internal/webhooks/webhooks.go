// Package webhooks makes one attempt to send an event to a receiver: a Standard Webhook (1.0.0) with a CloudEvent in it. It never tries
// again by itself, never follows anybody elsewhere, and writes down nothing.
package webhooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"chancery/internal/deliveries"
	"chancery/internal/egress"
	"chancery/internal/eventlog"
)

// Config of a Sender. Encode is required.
type Config struct {
	Encode      func(raw *eventlog.Raw, full bool) ([]byte, error) // makes the body
	ContentType string                                             // of the body; none: application/json
	UserAgent   string                                             // none: Chancery
	Allow       []netip.Prefix                                     // networks that may be sent to also by HTTP and on any port; to public addresses goes HTTPS alone
	Timeout     time.Duration                                      // for all of an attempt; 0: 15 s
	Now         func() time.Time                                   // none: time.Now
	Roots       *x509.CertPool                                     // who vouches for receivers; none: whom the system trusts
	Resolver    *net.Resolver                                      // finds addresses; none: the system's
}

// Sender sends. It is safe for concurrent use.
type Sender struct {
	config        Config
	secure, plain *http.Transport // for HTTPS, and for HTTP, which goes nowhere but to the networks allowed
	rings         rings
}

const (
	patience      = 15 * time.Second
	mostIdle      = 1000 // connections that are kept for the next event, all receivers together
	mostIdleOfOne = 128  // and of one receiver: no fewer than requests at once, or each would dial anew
	idle          = time.Minute
	readOfAnswer  = 64 << 10 // a connection whose answer is longer is not used again
	keptOfAnswer  = 1 << 10
	mostToWait    = 24 * time.Hour // that a receiver can ask for
)

// New is a sender. Close it.
func New(c Config) *Sender {
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.UserAgent == "" {
		c.UserAgent = "Chancery"
	}
	if c.ContentType == "" {
		c.ContentType = "application/json"
	}
	return &Sender{config: c, secure: transport(c, egress.Guard(c.Allow, 443)), plain: transport(c, egress.Within(c.Allow))}
}

// transport has a Control judge each address that is dialled, and asks no proxy: that would dial for us.
func transport(c Config, judge egress.Control) *http.Transport {
	dialer := &net.Dialer{Timeout: c.Timeout, Control: judge, Resolver: c.Resolver}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots}, TLSHandshakeTimeout: c.Timeout,
		MaxIdleConns: mostIdle, MaxIdleConnsPerHost: mostIdleOfOne, IdleConnTimeout: idle,
		MaxResponseHeaderBytes: readOfAnswer, DisableCompression: true, // an answer is what was sent, no bomb
		ForceAttemptHTTP2: true, HTTP2: &http.HTTP2Config{SendPingTimeout: c.Timeout, PingTimeout: c.Timeout}, // one that died is noticed
	}
}

// Close ends connections that wait for the next event. Attempts under way end by their context.
func (s *Sender) Close() {
	s.secure.CloseIdleConnections()
	s.plain.CloseIdleConnections()
}

// Send makes an attempt. It always ends within the timeout, and what it answers can be shown to the tenant: never an address, nor what
// a library says.
func (s *Sender) Send(ctx context.Context, e deliveries.Endpoint, i deliveries.Item) deliveries.Outcome {
	began := s.config.Now()
	o := s.attempt(ctx, e, i, began)
	o.Took = max(0, s.config.Now().Sub(began))
	return o
}

func (s *Sender) attempt(ctx context.Context, e deliveries.Endpoint, i deliveries.Item, now time.Time) deliveries.Outcome {
	body, err := s.config.Encode(&i.Event, e.Full)
	if err != nil {
		return failed("event cannot be written")
	}
	signature, err := s.rings.of(e).sign(i.Event.ID.String(), now, body)
	if err != nil {
		return failed("no key to sign with")
	}
	ctx, stop := context.WithTimeout(ctx, s.config.Timeout)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil || !sendable(r.URL) {
		return failed("URL not usable")
	}
	r.Header.Set("Content-Type", s.config.ContentType)
	r.Header.Set("User-Agent", s.config.UserAgent)
	r.Header.Set(standardwebhooks.HeaderWebhookID, i.Event.ID.String())
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	r.Header.Set("Chancery-Endpoint", e.ID.String())
	r.Header.Set("Chancery-Sequence", strconv.FormatInt(i.Sequence, 10))
	r.Header.Set("Chancery-Attempt", strconv.Itoa(i.Attempt))

	way := s.plain
	if r.URL.Scheme == "https" {
		way = s.secure
	}
	answer, err := way.RoundTrip(r) // unlike a http.Client it follows nobody, and gives nobody a password out of a URL
	if err != nil {
		return failed(reason(err))
	}
	defer answer.Body.Close()
	o := deliveries.Outcome{Status: answer.StatusCode, Delivered: answer.StatusCode/100 == 2, Gone: answer.StatusCode == http.StatusGone}
	if o.Status != http.StatusSwitchingProtocols { // or its connection would be ours, and nothing would end the reading
		o.Answer = startOf(answer.Body)
	}
	if !o.Delivered {
		o.Err = "answered " + strconv.Itoa(answer.StatusCode)
		o.RetryAfter = waitOf(answer.Header.Get("Retry-After"), now)
	}
	return o
}

func failed(why string) deliveries.Outcome { return deliveries.Outcome{Err: why} }

func sendable(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// startOf is the start of an answer's body as a text that can be stored. The rest is read, so that the connection can be used again.
func startOf(body io.Reader) []byte {
	start, _ := io.ReadAll(io.LimitReader(body, keptOfAnswer)) // what came before it broke off
	_, _ = io.CopyN(io.Discard, body, readOfAnswer-keptOfAnswer)
	return bytes.ReplaceAll(bytes.ToValidUTF8(start, []byte("?")), []byte{0}, []byte("?"))
}

// waitOf is how long a receiver wants to be left alone (RFC 9110, section 10.2.3); 0 where it does not say so.
func waitOf(said string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if at, err := http.ParseTime(said); err == nil {
		wait = at.Sub(now)
	} else if seconds, err := strconv.ParseUint(said, 10, 63); err == nil || errors.Is(err, strconv.ErrRange) {
		wait = time.Duration(min(seconds, uint64(mostToWait/time.Second))) * time.Second
	}
	return min(max(wait, 0), mostToWait)
}
