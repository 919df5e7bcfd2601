package transport

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/apitoken"
	"chancery/internal/dcb"
	"chancery/internal/strictjson"
	"chancery/internal/throttle"
)

// Sightings puts on record that sessions are in use; it must not wait. *commands.Sightings is one.
type Sightings interface {
	Note(domain.TenantID, domain.UserID, domain.SessionID)
}

type (
	signInBody struct {
		Email    string `json:"email,omitzero" description:"with password: the first step"`
		Password string `json:"password,omitzero"`
		Ticket   string `json:"ticket,omitzero" description:"with one of the next three: the second step, or a passkey alone"`
		shownBody
		Cookie bool `json:"cookie,omitzero" description:"set cookies in place of telling the token and the device ticket"`
	}
	shownBody struct {
		Code         string         `json:"code,omitzero" description:"of a time-based one-time password"`
		RecoveryCode string         `json:"recovery_code,omitzero" description:"one of those that were issued"`
		Passkey      jsontext.Value `json:"passkey,omitzero" description:"what the browser made of the options: AuthenticationResponseJSON of WebAuthn"`
	}
	stepUpBody struct {
		Password string `json:"password,omitzero" description:"exactly one of password, code, recovery_code, and ticket with passkey"`
		Ticket   string `json:"ticket,omitzero" description:"that of the challenge, with passkey"`
		shownBody
	}

	sessionAnswer struct {
		SessionID uuid.UUID        `json:"session_id,omitzero" description:"of the session that started"`
		Token     string           `json:"token,omitempty" description:"of the session; it is shown once, and not at all where there is a cookie"`
		UserID    uuid.UUID        `json:"user_id,omitzero"`
		TenantID  uuid.UUID        `json:"tenant_id,omitzero"`
		Methods   []string         `json:"methods,omitempty" description:"how the user proved who they are (RFC 8176)"`
		ExpiresAt *time.Time       `json:"expires_at,omitempty" description:"when the session ends, whatever happens"`
		Scopes    []domain.Pattern `json:"scopes,omitempty" description:"all that the session may do until a second factor is enrolled; absent: no bound"`

		FactorRequired bool                    `json:"factor_required,omitempty" description:"no session started yet: answer the ticket"`
		Ticket         string                  `json:"ticket,omitempty" description:"to be sent with one of the factors, within five minutes"`
		Factors        []domain.CredentialKind `json:"factors,omitempty" description:"those that the user has"`
		PasskeyOptions jsontext.Value          `json:"passkey_options,omitempty" description:"for the browser's navigator.credentials.get"`
	}
	challengeAnswer struct {
		Ticket  string         `json:"ticket" description:"to be sent with the browser's answer, within five minutes"`
		Options jsontext.Value `json:"options" description:"for the browser's navigator.credentials"`
	}
	elevatedAnswer struct {
		SessionID       uuid.UUID `json:"session_id"`
		Methods         []string  `json:"methods" description:"all that the session was proven by"`
		AuthenticatedAt time.Time `json:"authenticated_at" description:"the time of the last proof"`
	}
)

func (b shownBody) shown() commands.Shown {
	return commands.Shown{Code: b.Code, RecoveryCode: b.RecoveryCode, Passkey: b.Passkey}
}

// count is how many things are shown.
func (b shownBody) count() int {
	return some(b.Code != "") + some(b.RecoveryCode != "") + some(len(b.Passkey) > 0)
}

func some(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func (b signInBody) check() error {
	first, second := b.Email != "" && b.Password != "", b.Ticket != "" && b.count() == 1
	if first == second || first && (b.Ticket != "" || b.count() > 0) || second && (b.Email != "" || b.Password != "") {
		return badBody(inputError{Detail: "must hold email and password, or ticket and one of code, recovery_code and passkey"})
	}
	return nil
}

func (b stepUpBody) check() error {
	if b.count()+some(b.Password != "") != 1 || (b.Ticket != "") != (len(b.Passkey) > 0) {
		return badBody(inputError{Detail: "must hold exactly one of password, code, recovery_code, and ticket with passkey"})
	}
	return nil
}

// nowhere is decided in for tenants that do not exist, so that they are not told from others.
var nowhere = domain.TenantID{UUID: uuid.Max}

// visited is the tenant of the path for somebody who has not signed in: whether there is one is not to be learnt.
func (s *Server) visited(c *call) (domain.TenantID, error) {
	if err := s.config.Fresh(c.ctx()); err != nil {
		return nowhere, unavailable("the log cannot be read; try again", err)
	}
	if id, _, ok := s.config.Access.Tenant(c.Param("tenant")); ok {
		return id, nil
	}
	return nowhere, nil
}

// body decodes a small body of JSON.
func (c *call) body(into any) error {
	if err := isJSON(c); err != nil {
		return err
	}
	b, err := read(c, strictjson.Limit)
	if err != nil {
		return err
	}
	defer b.release()
	return decode(b.Bytes(), into)
}

// visitor is on whose account an event goes before anybody is known; the engine fills in who it turns out to be.
func (c *call) visitor() dcb.Provenance {
	return dcb.Provenance{Correlation: c.id, IP: dcb.Plain(c.origin().IP), Agent: dcb.Plain(c.origin().Agent)}
}

// signIn starts a session, or asks for a second factor.
func (s *Server) signIn(c *call) error {
	var in signInBody
	if err := c.body(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	if in.Cookie {
		if err := s.ownPage(c); err != nil {
			return err
		}
	}
	tenant, err := s.visited(c)
	if err != nil {
		return err
	}
	v := s.visit(c, tenant, in)
	if err := s.admit(c, v.attempt.Tries()); err != nil {
		return err
	}
	id := domain.SessionID{UUID: uuid.Must(uuid.NewV7())}
	order := commands.SignInOrder(commands.SignIn{
		Session: id, Email: in.Email, Password: in.Password, Ticket: in.Ticket, Shown: in.shown(),
	}, tenant, c.visitor())
	result, err := s.config.Commands.Execute(c.ctx(), order)
	if asked, ok := errors.AsType[*commands.FactorNeeded](err); ok {
		return s.askFactor(c, v, asked)
	}
	if err != nil {
		s.noteVisit(tenant, err)
		return err
	}
	s.forgive(c, v.attempt.Passed())
	return s.openVisit(c, v, result, in.Cookie)
}

// visit is an attempt to sign in, with what is known of it.
type visit struct {
	tenant  domain.TenantID
	attempt throttle.Attempt
	device  commands.Ticket
	account string // the address, where it is known
}

// visit tells a device that was here before by its ticket, which is good for the account that it was sealed for, and no other.
func (s *Server) visit(c *call, tenant domain.TenantID, in signInBody) visit {
	v := visit{tenant: tenant, device: s.device(c, tenant), attempt: c.attempt(tenant)}
	known := false
	if t, ok := s.config.Authn.OpenTicket(commands.ForSignIn, in.Ticket, c.now); in.Ticket != "" && ok {
		v.account = t.Account()
		if in.Code != "" { // nothing else can be guessed: whoever uses the guesses up does not lock the owner out
			v.attempt.Account = accountOf(t.User)
			known = v.device.User == t.User
		}
	} else if in.Email != "" {
		v.account = canonical(in.Email)
		v.attempt.Account = v.account
		known = string(v.device.State) == digest(v.account)
	}
	if known && v.device.ID != (domain.TicketID{}) {
		v.attempt.Device = v.device.ID.String()
	}
	return v
}

// askFactor answers that the password was right and more is needed.
func (s *Server) askFactor(c *call, v visit, asked *commands.FactorNeeded) error {
	s.forgive(c, v.attempt.Passed())
	if asked.Rehash != nil {
		order := commands.RehashOrder(asked.Rehash, v.tenant, c.visitor())
		if _, err := s.config.Commands.Execute(c.ctx(), order); err != nil {
			s.log.WarnContext(c.ctx(), "a password was not hashed anew", "request_id", c.id, "error", err)
		}
	}
	return c.secretly(sessionAnswer{FactorRequired: true, Ticket: asked.Ticket, Factors: asked.Factors, PasskeyOptions: asked.Passkey})
}

// noteVisit puts a sign-in that failed on record, under the user whom it was about if that is known. The address never is.
func (s *Server) noteVisit(tenant domain.TenantID, err error) {
	var whose domain.UserID
	if failed, ok := errors.AsType[*commands.SignInFailed](err); ok {
		whose = failed.User
	}
	s.noteRefused(tenant, domain.UserID{}, "sign-in", whose, err)
}

// openVisit answers with the session, and makes the device known.
func (s *Server) openVisit(c *call, v visit, result commands.Result, cookie bool) error {
	caller, err := s.opened(c, result)
	if err != nil {
		return err
	}
	if v.account != "" {
		s.remember(c, v.device, v.tenant, caller.User, v.account, cookie)
	}
	return s.openSession(c, result, caller, cookie)
}

// opened is who the session of a result speaks for.
func (s *Server) opened(c *call, result commands.Result) (access.Caller, error) {
	token, err := apitoken.Parse(result.Reveal[1])
	if err != nil {
		return access.Caller{}, err
	}
	return s.config.Access.AuthenticateSession(domain.SessionID{UUID: result.ID}, token.Hash, c.now)
}

// openSession answers with a session that has just started, and speaks for the caller: its token, or the cookie that holds it.
func (s *Server) openSession(c *call, result commands.Result, caller access.Caller, cookie bool) error {
	c.position(result.Position)
	answer := sessionAnswer{
		SessionID: result.ID, Token: result.Reveal[1], UserID: caller.User.UUID, TenantID: caller.Tenant.UUID, Methods: caller.Methods, ExpiresAt: &caller.ExpiresAt,
	}
	if !unbounded(caller.Scopes) {
		answer.Scopes = caller.Scopes
	}
	if cookie {
		s.setCookie(c, sessionCookie, answer.Token, caller.ExpiresAt)
		answer.Token = ""
	}
	return c.secretly(answer)
}

func unbounded(scopes []domain.Pattern) bool {
	return len(scopes) == 1 && scopes[0] == domain.Everything
}

// secretly answers with what no cache may keep.
func (c *call) secretly(v any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.answer(v)
}

// askPasskey makes a challenge for whoever has a passkey here. There is one for tenants that do not exist, too.
func (s *Server) askPasskey(c *call) error {
	if err := c.body(new(struct{})); err != nil {
		return err
	}
	tenant, err := s.visited(c)
	if err != nil {
		return err
	}
	return s.challenge(c, commands.Challenge{Purpose: commands.ForPasskey, Tenant: tenant})
}

func (s *Server) challenge(c *call, of commands.Challenge) error {
	ticket, options, err := s.config.Commands.Challenge(c.ctx(), of)
	if err != nil {
		return err
	}
	return c.secretly(challengeAnswer{ticket, options})
}

// session holds that the caller has signed in.
func (c *call) session() error {
	if c.caller.Session.IsZero() {
		return domain.ErrSessionNeeded
	}
	return nil
}

// askOwn makes a challenge for the caller's own authenticators.
func (s *Server) askOwn(purpose string) func(*call) error {
	return func(c *call) error {
		if err := c.session(); err != nil {
			return err
		}
		if err := c.body(new(struct{})); err != nil {
			return err
		}
		if c.tenant != c.caller.Tenant {
			return errNotFound
		}
		return s.challenge(c, commands.Challenge{Purpose: purpose, Tenant: c.tenant, User: c.caller.User})
	}
}

// stepUp proves once more who the caller is.
func (s *Server) stepUp(c *call) error {
	if err := c.session(); err != nil {
		return err
	}
	var in stepUpBody
	if err := c.body(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	attempt := c.proving()
	if err := s.admit(c, attempt.Tries()); err != nil {
		return err
	}
	result, err := s.config.Commands.Execute(c.ctx(), commands.StepUpOrder(commands.StepUp{
		Session: c.caller.Session, User: c.caller.User, Password: in.Password, Ticket: in.Ticket, Shown: in.shown(),
	}, c.caller.Tenant, c.provenance()))
	if err != nil {
		s.noteRefused(c.caller.Tenant, c.caller.User, "step-up", c.caller.Session, err)
		return err
	}
	s.forgive(c, attempt.Passed())
	if err := s.identifyAnew(c); err != nil {
		return err
	}
	c.position(result.Position)
	return c.answer(elevatedAnswer{c.caller.Session.UUID, c.caller.Methods, c.caller.AuthenticatedAt})
}

// signOut ends the session of the request.
func (s *Server) signOut(c *call) error {
	if err := c.session(); err != nil {
		return err
	}
	order := commands.SystemOrder("sign-out", commands.SignOut{Session: c.caller.Session}, c.caller.Tenant, c.provenance())
	result, err := s.config.Commands.Execute(c.ctx(), order)
	if err != nil {
		return err
	}
	if _, ok := s.cookie(c, sessionCookie); ok {
		s.setCookie(c, sessionCookie, "", time.Time{})
	}
	c.position(result.Position)
	return c.NoContent(http.StatusNoContent)
}
