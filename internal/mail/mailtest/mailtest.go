// Package mailtest is a real SMTP server for tests. It keeps what it is given, and misbehaves as told.
package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mail is one message as it arrived.
type Mail struct {
	From, To string // of the envelope
	User     string // who sent it; empty without authentication
	TLS      bool
	Header   netmail.Header
	Subject  string // decoded
	Text     string // decoded
}

// Server listens on 127.0.0.1 until the test ends. Change the exported fields before Start only.
type Server struct {
	User, Password string        // demanded if given
	Certificate    bool          // offers STARTTLS
	Implicit       bool          // TLS from the first byte on
	Address        string        // where to listen; none: a free port
	arrived        chan struct{} // closed and replaced at each mail
	stop           func()

	mu      sync.Mutex // owns the rest
	mails   []Mail
	tries   int
	refuse  func(to string) error
	onData  func(to string) error
	trusted *x509.CertPool
}

// Start makes the server listen.
func (s *Server) Start(t testing.TB) *Server {
	t.Helper()
	if s.Address == "" {
		s.Address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	s.Address, s.arrived = l.Addr().String(), make(chan struct{})
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return s.session(c), nil }))
	server.Domain, server.AllowInsecureAuth, server.EnableSMTPUTF8 = "mail.test", true, true
	server.ErrorLog = silence{}
	if s.Certificate || s.Implicit {
		config := s.certify(t)
		server.TLSConfig = config
		if s.Implicit {
			l = tls.NewListener(l, config)
		}
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	s.stop = sync.OnceFunc(func() { _, _ = l.Close(), server.Close(); <-ended })
	t.Cleanup(s.stop)
	return s
}

// Stop ends the server, and every connection to it.
func (s *Server) Stop() { s.stop() }

// Refuse judges recipients from now on; nil takes all.
func (s *Server) Refuse(judge func(to string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = judge
}

// OnData is called when a message has come and before it is acknowledged; its error is the answer.
func (s *Server) OnData(judge func(to string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onData = judge
}

// Reply is an answer of the server.
func Reply(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: text}
}

// Trust is who vouches for the server.
func (s *Server) Trust() *tls.Config {
	return &tls.Config{RootCAs: s.trusted, MinVersion: tls.VersionTLS12}
}

// Mails are those that were acknowledged.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Tries is how many messages were begun, acknowledged or not.
func (s *Server) Tries() int { s.mu.Lock(); defer s.mu.Unlock(); return s.tries }

// Wait returns the mails when there are n of them; the test fails after half a minute.
func (s *Server) Wait(t testing.TB, n int) []Mail {
	t.Helper()
	return s.await(t, func() bool { return len(s.mails) >= n })
}

// WaitTries returns when so many messages were begun.
func (s *Server) WaitTries(t testing.TB, n int) {
	t.Helper()
	s.await(t, func() bool { return s.tries >= n })
}

func (s *Server) await(t testing.TB, enough func() bool) []Mail {
	t.Helper()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	for {
		s.mu.Lock()
		done, mails, more := enough(), append([]Mail(nil), s.mails...), s.arrived
		s.mu.Unlock()
		if done {
			return mails
		}
		select {
		case <-more:
		case <-patience.C:
			t.Fatalf("%d mails came, and no more", len(mails))
		}
	}
}

func (s *Server) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.arrived)
	s.arrived = make(chan struct{})
}

func (s *Server) session(c *smtp.Conn) smtp.Session {
	_, secured := c.TLSConnectionState()
	return &session{server: s, mail: Mail{TLS: secured}}
}

// certify makes a certificate for 127.0.0.1, and those who trust it.
func (s *Server) certify(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.trusted = x509.NewCertPool()
	s.trusted.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

type session struct {
	server *Server
	mail   Mail
}

func (c *session) AuthMechanisms() []string {
	if c.server.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != c.server.User || password != c.server.Password {
			return smtp.ErrAuthFailed
		}
		c.mail.User = user
		return nil
	}), nil
}

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.server.User != "" && c.mail.User == "" {
		return smtp.ErrAuthRequired
	}
	c.mail.From = from
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.server.mu.Lock()
	refuse := c.server.refuse
	c.server.mu.Unlock()
	if refuse != nil {
		if err := refuse(to); err != nil {
			c.server.note(func() { c.server.tries++ })
			return err
		}
	}
	c.mail.To = to
	return nil
}

func (c *session) Data(r io.Reader) error {
	parsed, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	m := c.mail
	m.Header = parsed.Header
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		return err
	}
	body := parsed.Body
	if strings.EqualFold(parsed.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	m.Text = strings.ReplaceAll(string(text), "\r\n", "\n")
	c.server.mu.Lock()
	judge := c.server.onData
	c.server.mu.Unlock()
	c.server.note(func() { c.server.tries++ })
	if judge != nil {
		if err := judge(m.To); err != nil {
			return err
		}
	}
	c.server.note(func() { c.server.mails = append(c.server.mails, m) })
	return nil
}

func (c *session) Reset()        { c.mail.From, c.mail.To = "", "" }
func (c *session) Logout() error { return nil }

type silence struct{}

func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}
