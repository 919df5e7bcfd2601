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
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/cloudevents"
	"chancery/internal/deliveries"
	"chancery/internal/eventlog"
)

var local = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func sender(t testing.TB, with func(*Config)) *Sender {
	t.Helper()
	c := Config{Encode: cloudevents.Encoder{}.Encode, ContentType: cloudevents.ContentType, Allow: local}
	if with != nil {
		with(&c)
	}
	s := New(c)
	t.Cleanup(s.Close)
	return s
}

func receiver(t testing.TB, do http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(do)
	t.Cleanup(server.Close)
	return server
}

func endpointAt(url string) deliveries.Endpoint {
	return deliveries.Endpoint{
		Tenant: uuid.New(), ID: uuid.New(), Version: 1, URL: url, Full: true, Keys: []deliveries.Keys{keysOf(vectorSecret, time.Time{})},
	}
}

func item() deliveries.Item {
	return deliveries.Item{Sequence: 42, Attempt: 3, Event: eventlog.Raw{
		Position: 9, ID: uuid.Must(uuid.NewV7()), Tenant: uuid.New(), TenantSeq: 8, SourceApp: "shop", Type: "shop.order.placed",
		Payload: []byte("{ \"b\":1e2,\t\"a\":\"\\u00e4\" }"), Metadata: []byte(`{"cloudevent":{"id":"1","source":"/shop"}}`), CreatedAt: time.Now(),
	}}
}

func TestWhatIsSentIsAStandardWebhookWithACloudEvent(t *testing.T) {
	var got *http.Request
	var body []byte
	server := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	at := time.Unix(1795478400, 987e6)
	e, i := endpointAt(server.URL+"/hooks?a=b"), item()
	o := sender(t, func(c *Config) { c.Now, c.UserAgent = func() time.Time { return at }, "Chancery/1.2" }).Send(t.Context(), e, i)
	if want := (deliveries.Outcome{Delivered: true, Status: 204}); !cmp.Equal(o, want) {
		t.Error(cmp.Diff(want, o))
	}
	want := map[string]string{
		"Content-Type": "application/cloudevents+json", "User-Agent": "Chancery/1.2", "Webhook-Id": i.Event.ID.String(), "Webhook-Timestamp": "1795478400",
		"Chancery-Endpoint": e.ID.String(), "Chancery-Sequence": "42", "Chancery-Attempt": "3",
	}
	for name, value := range want {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if got.Method != http.MethodPost || got.RequestURI != "/hooks?a=b" || got.ContentLength != int64(len(body)) || got.Header.Get("Accept-Encoding") != "" {
		t.Errorf("%s %s, %d bytes, %v", got.Method, got.RequestURI, got.ContentLength, got.Header)
	}
	if !bytes.Contains(body, i.Event.Payload) {
		t.Errorf("the data is not what was published: %s", body)
	}
	e.Full = false
	if sender(t, nil).Send(t.Context(), e, i); bytes.Contains(body, []byte(`"data"`)) {
		t.Errorf("a thin endpoint gets data: %s", body)
	}
}

func TestAnswersMeanWhatTheyMean(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) string { return at.Add(d).Format(http.TimeFormat) }
	var status int
	var wait string
	elsewhere := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	server := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", elsewhere.URL)
		if wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		w.WriteHeader(status)
	})
	s := sender(t, func(c *Config) { c.Now = func() time.Time { return at } })
	for _, c := range []struct {
		status int
		wait   string
		want   deliveries.Outcome
	}{
		{200, "", deliveries.Outcome{Delivered: true}},
		{202, "10", deliveries.Outcome{Delivered: true}},
		{299, "", deliveries.Outcome{Delivered: true}},
		{301, "", deliveries.Outcome{Err: "answered 301"}},
		{302, "", deliveries.Outcome{Err: "answered 302"}},
		{307, "", deliveries.Outcome{Err: "answered 307"}},
		{308, "", deliveries.Outcome{Err: "answered 308"}},
		{304, "", deliveries.Outcome{Err: "answered 304"}},
		{400, "", deliveries.Outcome{Err: "answered 400"}},
		{410, "", deliveries.Outcome{Err: "answered 410", Gone: true}},
		{429, "120", deliveries.Outcome{Err: "answered 429", RetryAfter: 2 * time.Minute}},
		{503, in(time.Hour), deliveries.Outcome{Err: "answered 503", RetryAfter: time.Hour}},
		{503, in(-time.Hour), deliveries.Outcome{Err: "answered 503"}},
		{503, in(48 * time.Hour), deliveries.Outcome{Err: "answered 503", RetryAfter: 24 * time.Hour}},
		{503, "9999999999999", deliveries.Outcome{Err: "answered 503", RetryAfter: 24 * time.Hour}},
		{503, strings.Repeat("9", 30), deliveries.Outcome{Err: "answered 503", RetryAfter: 24 * time.Hour}},
		{503, "-5", deliveries.Outcome{Err: "answered 503"}},
		{503, "soon", deliveries.Outcome{Err: "answered 503"}},
		{599, "", deliveries.Outcome{Err: "answered 599"}},
	} {
		status, wait = c.status, c.wait
		c.want.Status = c.status
		if got := s.Send(t.Context(), endpointAt(server.URL), item()); !cmp.Equal(got, c.want) {
			t.Errorf("%d, Retry-After %q: %s", c.status, c.wait, cmp.Diff(c.want, got))
		}
	}
}

func TestTheStartOfAnAnswerIsKeptAsATextThatCanBeStored(t *testing.T) {
	var answer []byte
	server := receiver(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) })
	s := sender(t, nil)
	for _, c := range []struct{ answer, want string }{
		{"thanks", "thanks"}, {"a\x00b", "a?b"}, {"\xff\xfeok ä", "?ok ä"},
		{strings.Repeat("x", 5000), strings.Repeat("x", 1024)},
		{strings.Repeat("x", 1023) + "ä", strings.Repeat("x", 1023) + "?"},
		{strings.Repeat("y", 1<<20), strings.Repeat("y", 1024)},
	} {
		answer = []byte(c.answer)
		o := s.Send(t.Context(), endpointAt(server.URL), item())
		if string(o.Answer) != c.want || !utf8.Valid(o.Answer) || !o.Delivered {
			t.Errorf("%.20q: kept %d bytes: %.40q, %+v", c.answer, len(o.Answer), o.Answer, o.Delivered)
		}
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	var written atomic.Int64
	ended := make(chan struct{})
	server := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for r.Context().Err() == nil {
			n, err := w.Write(make([]byte, 4096))
			if err != nil {
				return
			}
			written.Add(int64(n))
		}
	})
	if o := sender(t, nil).Send(t.Context(), endpointAt(server.URL), item()); !o.Delivered || len(o.Answer) != keptOfAnswer {
		t.Errorf("%v, %d bytes kept", o.Delivered, len(o.Answer))
	}
	<-ended // because the connection was closed
}

// TestAReceiverCannotKeepAnAttempt: of a connection that is to speak another protocol the library would leave the end to us.
func TestAReceiverCannotKeepAnAttempt(t *testing.T) {
	left := make(chan error, 1)
	server := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			left <- err
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, err = io.Copy(io.Discard, c) // until the sender closes it
		left <- err
	})
	s := sender(t, nil)
	out := make(chan deliveries.Outcome, 1)
	go func() { out <- s.Send(t.Context(), endpointAt(server.URL), item()) }()
	select {
	case o := <-out:
		if o.Delivered || o.Status != http.StatusSwitchingProtocols || o.Err != "answered 101" {
			t.Errorf("became %+v", o)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the attempt does not end")
	}
	if err := <-left; err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("the connection: %v", err)
	}
}

func TestAReceiverThatHangsIsATimeout(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	hangs := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	drips := receiver(t, func(w http.ResponseWriter, r *http.Request) { // an answer, and no end of its body
		_, _ = io.Copy(io.Discard, r.Body)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	s := sender(t, func(c *Config) { c.Timeout = 50 * time.Millisecond })
	for _, url := range []string{"http://" + silent.Addr().String(), "https://" + silent.Addr().String(), hangs.URL} {
		if o := s.Send(t.Context(), endpointAt(url), item()); o.Err != "timeout" || o.Delivered || o.Status != 0 || o.Took <= 0 {
			t.Errorf("%s: %+v", url, o)
		}
	}
	if o := s.Send(t.Context(), endpointAt(drips.URL), item()); !o.Delivered {
		t.Errorf("answered 200 and hung: %+v", o)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if o := s.Send(ctx, endpointAt(hangs.URL), item()); o.Err != "interrupted" {
		t.Errorf("stopped: %+v", o)
	}
}

func TestWhyThereIsNoAnswerIsSaidWithoutAddresses(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	breaks := receiver(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	defer secure.Close()
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS, old.Config.ErrorLog = &tls.Config{MaxVersion: tls.VersionTLS11}, quiet // that is what is tested
	old.StartTLS()
	defer old.Close()
	trusting := x509.NewCertPool()
	trusting.AddCert(secure.Certificate())
	plain := receiver(t, func(http.ResponseWriter, *http.Request) {})
	noHTTP := speaking(t, "220 mail.internal ESMTP\r\n")

	for _, c := range []struct {
		url, want string
		roots     *x509.CertPool
	}{
		{"http://" + closed.Addr().String(), "connection refused", nil},
		{breaks.URL, "connection broken", nil},
		{secure.URL, "certificate not trusted", nil},
		{secure.URL, "answered 404", trusting},
		{strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), "certificate is for another name", trusting},
		{old.URL, "TLS failed", trusting},
		{strings.Replace(plain.URL, "http:", "https:", 1), "no TLS spoken", nil},
		{"http://" + noHTTP, "no proper answer", nil},
		{"https://user:password@example.org/", "URL not usable", nil},
		{"ftp://example.org/", "URL not usable", nil},
		{"https:///path", "URL not usable", nil},
		{"https://a b/", "URL not usable", nil},
	} {
		s := sender(t, func(config *Config) { config.Roots, config.Timeout = c.roots, 5*time.Second })
		o := s.Send(t.Context(), endpointAt(c.url), item())
		if o.Err != c.want || o.Delivered {
			t.Errorf("%s: %q, want %q", c.url, o.Err, c.want)
		}
		if strings.Contains(o.Err, "127.0") || strings.Contains(o.Err, "tcp") || strings.Contains(o.Err, "internal") {
			t.Errorf("%s: %q tells about the inside", c.url, o.Err)
		}
	}
}

func TestWhatCannotBeWrittenOrSignedIsNotSent(t *testing.T) {
	server := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	broken := sender(t, func(c *Config) {
		c.Encode = func(*eventlog.Raw, bool) ([]byte, error) { return nil, errors.New("secret detail") }
	})
	if o := broken.Send(t.Context(), endpointAt(server.URL), item()); o.Err != "event cannot be written" || o.Status != 0 {
		t.Errorf("not written: %+v", o)
	}
	e := endpointAt(server.URL)
	e.Keys[0].Until = time.Now().Add(-time.Second)
	if o := sender(t, nil).Send(t.Context(), e, item()); o.Err != "no key to sign with" {
		t.Errorf("not signed: %+v", o)
	}
}

func TestHTTP2IsSpokenWithThoseWhoDo(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	if o := sender(t, func(c *Config) { c.Roots = roots }).Send(t.Context(), endpointAt(server.URL), item()); string(o.Answer) != "HTTP/2.0" || !o.Delivered {
		t.Errorf("%+v, %s", o, o.Answer)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 5000)) }))
	server.Config.ConnState = func(_ net.Conn, now http.ConnState) {
		if now == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s := sender(t, nil)
	for range 50 {
		if o := s.Send(t.Context(), endpointAt(server.URL), item()); !o.Delivered {
			t.Fatal(o)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for 50 events one after the other", n)
	}
}
