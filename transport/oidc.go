package transport

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/oidc"
)

// OIDC asks OpenID providers. *oidc.Relying is one.
type OIDC interface {
	AuthURL(ctx context.Context, c oidc.Client, q oidc.Request) (string, error)
	Exchange(ctx context.Context, c oidc.Client, q oidc.Request, a oidc.Answer) (oidc.Claims, error)
	Bearer(ctx context.Context, issuer, raw string) (oidc.Claims, error)
}

const (
	// callbackPath is followed by the issuer: with one address for all of them a dishonest issuer could have the code of an honest
	// one sent to itself (RFC 9700, section 4.4).
	callbackPath    = "/v1/oidc/callback/"
	issuerCookie    = "chancery-oidc-"
	longestReturn   = 1000
	longestState    = 4000
	freshAtIssuer   = time.Minute // how old the proof may be where a fresh one is asked for
	factorsOfIssuer = "mfa"       // RFC 8176
)

type (
	startParameters struct {
		ReturnTo string `query:"return_to" description:"where to send the user in the end: a path here, or an address of an origin that the operator allows"`
		Fresh    bool   `query:"fresh" description:"have the issuer see the user anew"`
	}
	callbackParameters struct {
		Code   string `query:"code"`
		State  string `query:"state"`
		Issuer string `query:"iss" description:"RFC 9207"`
		Error  string `query:"error"`
	}
	authorizeBody struct {
		ReturnTo string `json:"return_to,omitzero" description:"where to send the user in the end: a path here, or an address of an origin that the operator allows"`
		Cookie   bool   `json:"cookie,omitzero" description:"the user's browser is at a page of ours: bind it by a cookie, and set the session's cookie in the end"`
		Link     bool   `json:"link,omitzero" description:"link the account to the caller, who has signed in lately, in place of signing in"`
		Fresh    bool   `json:"fresh,omitzero" description:"have the issuer see the user anew"`
	}
	authorizeAnswer struct {
		URL    string `json:"authorization_url" description:"where to send the user"`
		Ticket string `json:"ticket,omitempty" description:"to be sent with the code and the state that come back, within ten minutes; absent where there is a cookie"`
	}
	callbackBody struct {
		Code   string `json:"code" required:"true" description:"as it came back"`
		State  string `json:"state" required:"true" description:"as it came back"`
		Issuer string `json:"iss,omitzero" description:"as it came back, if it did (RFC 9207)"`
		Ticket string `json:"ticket" required:"true" description:"that of authorize"`
	}
	linkedAnswer struct {
		IdentityID uuid.UUID `json:"identity_id" description:"the link, or the one that stood already"`
		UserID     uuid.UUID `json:"user_id"`
	}
)

// journey is what is sealed in the state of a user who is at an issuer.
type journey struct {
	Issuer   domain.IssuerID  `json:"issuer"`
	Nonce    string           `json:"nonce"`
	Verifier string           `json:"verifier"`
	Redirect string           `json:"redirect"`
	Bound    string           `json:"bound"` // hash of what the browser or the program keeps
	ReturnTo string           `json:"return_to,omitzero"`
	Program  bool             `json:"program,omitzero"` // the code is for a program to bring back
	Session  domain.SessionID `json:"session,omitzero"` // in which a link was asked for
	Fresh    bool             `json:"fresh,omitzero"`
}

// startAtIssuer sends a browser to the issuer.
func (s *Server) startAtIssuer(c *call) error {
	i, err := s.issuer(c)
	if err != nil {
		return err
	}
	j := journey{ReturnTo: c.QueryParam("return_to"), Fresh: c.QueryParam("fresh") == "true"}
	if !s.returnable(c, j.ReturnTo) {
		return badParameter("return_to", "must be a path here, or an address of an origin that is allowed")
	}
	address, binding, id, err := s.embark(c, i, j, domain.UserID{})
	if err != nil {
		return err
	}
	s.setCookie(c, cookieOf(id), binding, c.now.Add(commands.IssuerTicketLife))
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusFound, address)
}

// authorize tells a program or a page where to send the user.
func (s *Server) authorize(c *call) error {
	var in authorizeBody
	if err := c.body(&in); err != nil {
		return err
	}
	i, err := s.issuer(c)
	if err != nil {
		return err
	}
	if !s.returnable(c, in.ReturnTo) {
		return badBody(inputError{Pointer: "/return_to", Detail: "must be a path here, or an address of an origin that is allowed"})
	}
	if in.Cookie {
		if err := s.ownPage(c); err != nil {
			return err
		}
	}
	j := journey{ReturnTo: in.ReturnTo, Fresh: in.Fresh, Program: !in.Cookie}
	if in.Link {
		if err := s.mayLink(c, i); err != nil {
			return err
		}
		j.Session = c.caller.Session
	}
	address, binding, id, err := s.embark(c, i, j, c.caller.User)
	if err != nil {
		return err
	}
	answer := authorizeAnswer{URL: address, Ticket: binding}
	if in.Cookie {
		s.setCookie(c, cookieOf(id), binding, c.now.Add(commands.IssuerTicketLife))
		answer.Ticket = ""
	}
	return c.secretly(answer)
}

// mayLink holds that the caller has signed in lately, in the issuer's tenant.
func (s *Server) mayLink(c *call, i domain.Issuer) error {
	if err := s.authenticate(c); err != nil {
		return err
	}
	switch {
	case c.caller.Tenant != i.Tenant:
		return errNotFound
	case c.caller.Session.IsZero():
		return domain.ErrSessionNeeded
	case !unbounded(c.caller.Scopes): // a way in that asks for no second factor is not to be had without one
		return domain.ErrNotAllowed
	case c.now.Sub(c.caller.AuthenticatedAt) > c.caller.ProofLasts:
		return &proofTooOld{c.caller.ProofLasts}
	}
	return nil
}

// issuer is the one of the path. One that is not in use, or of another tenant, does not exist.
func (s *Server) issuer(c *call) (domain.Issuer, error) {
	tenant, err := s.visited(c)
	if err != nil {
		return domain.Issuer{}, err
	}
	id, err := uuid.Parse(c.Param("id"))
	if err != nil || len(c.Param("id")) != 36 || s.config.OIDC == nil {
		return domain.Issuer{}, errNotFound
	}
	i, ok := s.config.Access.Issuer(tenant, domain.IssuerID{UUID: id})
	if !ok {
		return domain.Issuer{}, errNotFound
	}
	return i, nil
}

// returnable reports whether users may be sent there: nobody uses us to make an address look like ours.
func (s *Server) returnable(c *call, to string) bool {
	if to == "" {
		return true
	}
	u, err := url.Parse(to)
	if err != nil || len(to) > longestReturn || strings.ContainsAny(to, "\\#") || !printable(to, '!') {
		return false
	}
	if u.Scheme == "" && u.Host == "" {
		return strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//")
	}
	origin := u.Scheme + "://" + u.Host
	return u.User == nil && (u.Scheme == "https" || u.Scheme == "http") && (origin == s.base(c) || slices.Contains(s.config.Origins, origin))
}

// embark makes the address at the issuer, and the binding without which nobody comes back from there.
func (s *Server) embark(c *call, i domain.Issuer, j journey, user domain.UserID) (address, binding string, id domain.TicketID, err error) {
	id = domain.TicketID{UUID: uuid.New()}
	binding = rand.Text()
	j.Issuer, j.Nonce, j.Verifier, j.Bound = i.Issuer, rand.Text(), oidc.NewVerifier(), digest(binding)
	j.Redirect = s.base(c) + callbackPath + i.Issuer.String()
	state := s.config.Authn.Ticket(commands.Ticket{
		ID: id, Purpose: commands.ForIssuer, Tenant: i.Tenant, User: user, State: encode(j), Until: c.now.Add(commands.IssuerTicketLife),
	})
	address, err = s.config.OIDC.AuthURL(c.ctx(), clientAt(i, j, ""), j.request(state))
	if err != nil {
		return "", "", id, issuerProblem(err)
	}
	return address, binding, id, nil
}

func (j journey) request(state string) oidc.Request {
	q := oidc.Request{State: state, Nonce: j.Nonce, Verifier: j.Verifier}
	if j.Fresh {
		q.MaxAge = freshAtIssuer
	}
	return q
}

func clientAt(i domain.Issuer, j journey, secret string) oidc.Client {
	return oidc.Client{Issuer: i.URL, ID: i.ClientID, Secret: secret, Scopes: i.Scopes, Redirect: j.Redirect}
}

// cookieOf has a browser be on several ways at once.
func cookieOf(id domain.TicketID) string { return issuerCookie + id.String()[:8] }

// opensJourney reads a state that comes back.
func (s *Server) opensJourney(c *call, state string) (commands.Ticket, journey, bool) {
	var j journey
	if len(state) > longestState || s.config.OIDC == nil {
		return commands.Ticket{}, j, false
	}
	t, ok := s.config.Authn.OpenTicket(commands.ForIssuer, state, c.now)
	if !ok || json.Unmarshal(t.State, &j) != nil || j.Issuer.String() != c.Param("id") {
		return commands.Ticket{}, j, false
	}
	return t, j, true
}

func (j journey) boundTo(binding string) bool {
	return subtle.ConstantTimeCompare([]byte(digest(binding)), []byte(j.Bound)) == 1
}

// callback is where a browser comes back to from the issuer. It ends a journey that began in this browser; one that a program
// began is handed over to its page, which holds the ticket.
func (s *Server) callback(c *call) error {
	if c.Request().Method == http.MethodHead { // who only looks does not use up the code
		return errMethod
	}
	header := c.Response().Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	t, j, ok := s.opensJourney(c, c.QueryParam("state"))
	if !ok {
		return domain.ErrTicket
	}
	if j.Program {
		return s.handOver(c, j)
	}
	binding, ok := s.cookie(c, cookieOf(t.ID))
	if !ok || !j.boundTo(binding) {
		return domain.ErrTicket
	}
	s.setCookie(c, cookieOf(t.ID), "", time.Time{})
	return s.arrive(c, t, j, callbackBody{Code: c.QueryParam("code"), Issuer: c.QueryParam("iss")})
}

// handOver sends the browser on to the page of the program that began the journey.
func (s *Server) handOver(c *call, j journey) error {
	to, err := url.Parse(j.ReturnTo)
	if err != nil || j.ReturnTo == "" {
		return domain.ErrTicket
	}
	q := to.Query()
	for _, name := range []string{"code", "state", "iss", "error"} {
		if value := c.QueryParam(name); value != "" {
			q.Set(name, value)
		}
	}
	to.RawQuery = q.Encode()
	return c.Redirect(http.StatusFound, to.String())
}

// callbackOfProgram ends the journey of a program, which binds it by its ticket.
func (s *Server) callbackOfProgram(c *call) error {
	var in callbackBody
	if err := c.body(&in); err != nil {
		return err
	}
	t, j, ok := s.opensJourney(c, in.State)
	if !ok || !j.Program || !j.boundTo(in.Ticket) {
		return domain.ErrTicket
	}
	j.ReturnTo = ""
	return s.arrive(c, t, j, in)
}

// arrive takes the code to the issuer, and signs in or links whom it vouches for.
func (s *Server) arrive(c *call, t commands.Ticket, j journey, in callbackBody) error {
	if in.Code == "" {
		return errNotVouched
	}
	if err := s.admit(c, c.attempt(t.Tenant).Tries()); err != nil {
		return err
	}
	if err := s.config.Fresh(c.ctx()); err != nil {
		return unavailable("the log cannot be read; try again", err)
	}
	i, ok := s.config.Access.Issuer(t.Tenant, j.Issuer)
	if !ok {
		return domain.ErrIssuerChanged
	}
	v, err := s.vouched(c, i, j, in)
	if err != nil {
		return err
	}
	if !j.Session.IsZero() {
		return s.link(c, t, j, v)
	}
	sign := commands.SignInByIssuer{ID: domain.SessionID{UUID: uuid.Must(uuid.NewV7())}, Ticket: t.ID, Vouched: v}
	result, err := s.config.Commands.Execute(c.ctx(), commands.AnonymousOrder("sign-in-by-issuer", sign, t.Tenant, c.visitor()))
	if err != nil {
		s.noteRefused(t.Tenant, domain.UserID{}, "sign-in-by-issuer", i.Issuer, err)
		return err
	}
	caller, err := s.opened(c, result)
	if err != nil {
		return err
	}
	if j.ReturnTo == "" {
		return s.openSession(c, result, caller, !j.Program)
	}
	s.setCookie(c, sessionCookie, result.Reveal[1], caller.ExpiresAt)
	c.position(result.Position)
	return c.Redirect(http.StatusFound, j.ReturnTo)
}

// vouched is what the issuer says for the code.
func (s *Server) vouched(c *call, i domain.Issuer, j journey, in callbackBody) (v commands.Vouched, err error) {
	secret := ""
	if i.ClientSecret != "" {
		secret, err = s.config.Secret(c.ctx(), i.Tenant, i.ClientSecret, "sign-in at the issuer "+i.Issuer.String())
		if _, refusal := domain.IsRefusal(err); refusal {
			err = fmt.Errorf("%w: the client secret of issuer %s: %w", oidc.ErrBroken, i.Issuer, err)
		}
		if err != nil {
			return v, issuerProblem(err)
		}
	}
	wants := []string{}
	if i.Provisioning != domain.ProvisionNobody {
		wants = append(wants, "email", "name")
	}
	if i.GroupsClaim != "" {
		wants = append(wants, i.GroupsClaim)
	}
	claims, err := s.config.OIDC.Exchange(c.ctx(), clientAt(i, j, secret), j.request(""), oidc.Answer{Code: in.Code, Issuer: in.Issuer, Wants: wants})
	if errors.Is(err, oidc.ErrRejected) {
		s.log.InfoContext(c.ctx(), "an issuer did not vouch for a user", "request_id", c.id, "issuer", i.Issuer.UUID, "reason", err)
	}
	if err != nil {
		return v, issuerProblem(err)
	}
	v = commands.Vouched{
		Issuer: i.Issuer, URL: i.URL, Client: i.ClientID, Subject: claims.Subject, Email: claims.Email, EmailVerified: claims.EmailVerified,
		Name: claims.Name, Many: slices.Contains(claims.Methods, factorsOfIssuer), SeenAt: claims.SeenAt,
	}
	if i.GroupsClaim != "" {
		v.Groups = claims.Texts(i.GroupsClaim)
	}
	return v, nil
}

// link ends the journey of somebody who had signed in before.
func (s *Server) link(c *call, t commands.Ticket, j journey, v commands.Vouched) error {
	link := commands.LinkByIssuer{ID: domain.IdentityID{UUID: uuid.Must(uuid.NewV7())}, Session: j.Session, User: t.User, Vouched: v}
	by := c.visitor()
	by.Session = j.Session.UUID
	result, err := s.config.Commands.Execute(c.ctx(), commands.AnonymousOrder("link-by-issuer", link, t.Tenant, by))
	if err != nil {
		s.noteRefused(t.Tenant, domain.UserID{}, "sign-in-by-issuer", v.Issuer, err)
		return err
	}
	c.position(result.Position)
	if j.ReturnTo != "" {
		return c.Redirect(http.StatusFound, j.ReturnTo)
	}
	return c.answer(linkedAnswer{result.ID, t.User.UUID})
}
