package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Attempt bounds one message, from the first packet to the last reply.
const Attempt = 10 * time.Second

// SMTP sends through one server, with a connection for each message. Safe for concurrent use.
type SMTP struct {
	host, user, password string
	port                 int
	implicit             bool // TLS from the first byte on
	policy               gomail.TLSPolicy
	from                 *netmail.Address

	TLS *tls.Config // none: the system's authorities
	Now func() time.Time
}

// NewSMTP reads smtp[s]://[user:password@]host[:port][?starttls=required|optional|none] and the address that mail comes from.
// STARTTLS is required unless the URL says otherwise; a password never goes out without TLS. Errors do not hold the URL.
func NewSMTP(server, from string) (*SMTP, error) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return nil, errors.New("must be smtp://user:password@host:port or smtps://…")
	}
	s := &SMTP{host: u.Hostname(), user: u.User.Username(), Now: time.Now}
	s.password, _ = u.User.Password()
	switch u.Scheme {
	case "smtp":
		s.port = 587
	case "smtps":
		s.port, s.implicit = 465, true
	default:
		return nil, errors.New("must begin with smtp:// or smtps://")
	}
	if u.Port() != "" {
		if s.port, err = strconv.Atoi(u.Port()); err != nil || s.port < 1 || s.port > 65535 {
			return nil, errors.New("must name a port from 1 to 65535")
		}
	}
	if err := s.secure(u.Query()); err != nil {
		return nil, err
	}
	if s.from, err = netmail.ParseAddress(from); err != nil {
		return nil, errors.New("the sender must be an address, such as chancery@example.org or Chancery <chancery@example.org>")
	}
	return s, nil
}

// secure takes the policy out of the URL. Over smtps go-mail is told "optional": the connection is TLS before it sees it.
func (s *SMTP) secure(q url.Values) error {
	policy := q.Get("starttls")
	if policy == "" {
		policy = "required"
	} else if s.implicit {
		return errors.New("starttls has no meaning for smtps://")
	}
	switch policy {
	case "required":
		s.policy = gomail.TLSMandatory
	case "optional":
		s.policy = gomail.TLSOpportunistic
	case "none":
		s.policy = gomail.NoTLS
	default:
		return errors.New("starttls must be required, optional or none")
	}
	if s.implicit {
		s.policy = gomail.TLSOpportunistic
	} else if s.user != "" && policy != "required" {
		return errors.New("a password goes out over TLS only: use smtps:// or starttls=required")
	}
	return nil
}

// Send implements Sender.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, Attempt)
	defer cancel()
	message, err := s.compose(m)
	if err != nil {
		return err
	}
	line := &line{smtp: s}
	defer line.close()
	dial := func(dialing context.Context, network, address string) (net.Conn, error) {
		return line.dial(dialing, ctx, network, address)
	}
	client, err := gomail.NewClient(s.host, s.options(dial)...)
	if err != nil {
		return &Error{step: "set up the connection"}
	}
	err = client.DialAndSendWithContext(ctx, message)
	if err == nil || message.IsDelivered() { // what fails after that is the farewell
		return nil
	}
	return explain(ctx, err)
}

func (s *SMTP) options(dial gomail.DialContextFunc) []gomail.Option {
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(Attempt), gomail.WithTLSPolicy(s.policy), gomail.WithTLSConfig(s.config()),
		gomail.WithDialContextFunc(dial), gomail.WithoutNoop(),
	}
	if s.user != "" {
		options = append(options, gomail.WithUsername(s.user), gomail.WithPassword(s.password), gomail.WithOpportunisticSMTPAuth(
			gomail.SMTPAuthSCRAMSHA256PLUS, gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return options
}

func (s *SMTP) config() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		c = s.TLS.Clone()
	}
	c.ServerName = s.host
	return c
}

func (s *SMTP) compose(m Message) (*gomail.Msg, error) {
	to, err := netmail.ParseAddress(m.To)
	if err != nil {
		return nil, &Error{Permanent: true, step: "the recipient's address cannot be read"}
	}
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	message.FromMailAddress(s.from)
	message.ToMailAddress(&netmail.Address{Address: to.Address})
	message.Subject(m.Subject)
	message.SetDateWithValue(s.Now())
	_, home, _ := strings.Cut(s.from.Address, "@")
	message.SetMessageIDWithValue(m.ID + "@" + home)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: do not answer
	message.SetBodyString(gomail.TypeTextPlain, m.Text)
	return message, nil
}

// explain keeps of an error what is neither an address nor the server's words.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &Error{step: "gave up waiting for the mail server", cause: ctx.Err()}
	}
	if sent, ok := errors.AsType[*gomail.SendError](err); ok {
		// A server that will not have us, or our sender, is a matter of its settings or ours; the mail is not to blame.
		theirs := sent.Reason == gomail.ErrSMTPRcptTo || sent.Reason == gomail.ErrSMTPData || sent.Reason == gomail.ErrSMTPDataClose
		code := sent.ErrorCode()
		return &Error{Permanent: theirs && code >= 500, Code: code, step: steps[sent.Reason], cause: network(err)}
	}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return &Error{Code: reply.Code, step: "the mail server does not let us in"}
	}
	return &Error{step: "talk to the mail server", cause: network(err)}
}

var steps = map[gomail.SendErrReason]string{ // never changed
	gomail.ErrSMTPMailFrom: "the sender was refused", gomail.ErrSMTPRcptTo: "the recipient was refused",
	gomail.ErrSMTPData: "the message was refused", gomail.ErrSMTPDataClose: "the message was refused",
	gomail.ErrWriteContent: "write the message", gomail.ErrConnCheck: "the connection was lost",
}

// network is the part of an error that tells what is wrong between the machines.
func network(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	if trust, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return trust
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return alert
	}
	return nil
}

// line is the connection of one message. It ends with the message, whatever becomes of it: go-mail leaves some open.
type line struct {
	smtp *SMTP
	conn net.Conn
	cut  func() bool
}

// dial binds the connection to the whole attempt: go-mail's own deadlines begin anew at each step.
func (l *line) dial(dialing, attempt context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(dialing, network, address)
	if err != nil {
		return nil, err
	}
	l.conn, l.cut = conn, context.AfterFunc(attempt, func() { _ = conn.Close() })
	if !l.smtp.implicit {
		return conn, nil
	}
	secured := tls.Client(conn, l.smtp.config())
	if err := secured.HandshakeContext(dialing); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secured, nil
}

func (l *line) close() {
	if l.conn != nil {
		l.cut()
		_ = l.conn.Close()
	}
}
