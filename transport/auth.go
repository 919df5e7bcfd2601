package transport

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/apitoken"
	"chancery/internal/dcb"
	"chancery/internal/oidc"
)

// Access knows who may do what. *access.Index is one.
type Access interface {
	Judge
	Authenticate(id domain.TokenID, hash [sha256.Size]byte, now time.Time) (access.Caller, error)
	AuthenticateSession(id domain.SessionID, hash [sha256.Size]byte, now time.Time) (access.Caller, error)
	Tenant(idOrSlug string) (domain.TenantID, domain.TenantStatus, bool)
	Issuer(t domain.TenantID, id domain.IssuerID) (domain.Issuer, bool)
	IssuersAt(url string) []domain.Issuer
	Identified(by domain.Issuer, key dcb.Tag, seen, until time.Time) (access.Caller, error)
	Rights(caller access.Caller, tenant domain.TenantID, at time.Time) *access.Rights
	Wait(ctx context.Context, position int64) error
}

const (
	challengeNone    = `Bearer realm="chancery"`
	challengeInvalid = challengeNone + `, error="invalid_token"`
)

// authenticate finds out who calls, and for whom.
func (s *Server) authenticate(c *call) error {
	if err := s.identify(c); err != nil {
		return err
	}
	if c.header("Chancery-Delegation") != "" {
		// To go on without it would be to act with other rights than the caller thinks.
		return badHeader("Chancery-Delegation", "there is no such delegation")
	}
	c.tenant = c.caller.Tenant
	return s.limits.admit(c.caller.User, c.now)
}

// identify finds out whose token it is, at the time of the call. Every token that is not accepted is answered alike.
func (s *Server) identify(c *call) error {
	text, byCookie, err := s.presented(c)
	if err != nil {
		return err
	}
	if url, foreign := oidc.Peek(text); foreign && !byCookie {
		return s.identifyBearer(c, url, text)
	}
	token, err := apitoken.Parse(text)
	if err != nil || byCookie && token.Kind != apitoken.Session {
		return unauthenticated(challengeInvalid)
	}
	if err := s.config.Fresh(c.ctx()); err != nil {
		return unavailable("the log cannot be read; try again", err)
	}
	if c.caller, err = s.whose(token, c.now); err != nil {
		return unauthenticated(challengeInvalid)
	}
	return nil
}

// whose finds out whose token it is, and has it put on record that a session is in use.
func (s *Server) whose(token apitoken.Token, now time.Time) (access.Caller, error) {
	switch token.Kind {
	case apitoken.API:
		return s.config.Access.Authenticate(domain.TokenID{UUID: token.ID}, token.Hash, now)
	case apitoken.Session:
		caller, err := s.config.Access.AuthenticateSession(domain.SessionID{UUID: token.ID}, token.Hash, now)
		if err == nil && caller.Unseen && s.config.Sightings != nil {
			s.config.Sightings.Note(caller.Tenant, caller.User, caller.Session)
		}
		return caller, err
	case apitoken.Link: // it is redeemed, and identifies nobody
	}
	return access.Caller{}, access.ErrUnauthenticated
}

func bearer(c *call) (string, bool) {
	scheme, text, ok := strings.Cut(c.header("Authorization"), " ")
	return strings.TrimLeft(text, " "), ok && strings.EqualFold(scheme, "Bearer") && text != ""
}

// enter finds the tenant of the path. One that the caller may not know of is one that does not exist.
func (s *Server) enter(c *call) error {
	id, _, ok := s.config.Access.Tenant(c.Param("tenant"))
	if !ok || id != c.caller.Tenant && c.caller.Tenant != domain.Root {
		s.noteStray(c)
		return errNotFound
	}
	c.tenant = id
	return nil
}

// noteStray puts a command to a tenant that the caller may not know of on record, in the caller's own.
func (s *Server) noteStray(c *call) {
	if spec, ok := commands.Named(c.Param("command")); ok && s.config.Refusals != nil {
		s.config.Refusals.Note(c.caller.Tenant, c.caller.User, spec.Name, domain.ErrNotFound.Code, "")
	}
}

// noteRefused puts on record that somebody was refused something outside of the registry of commands, about a thing if its id is
// given. In a tenant that does not exist there is no record.
func (s *Server) noteRefused(tenant domain.TenantID, user domain.UserID, what string, about dcb.Tagger, err error) {
	if refusal, ok := domain.IsRefusal(err); ok && s.config.Refusals != nil && tenant != nowhere {
		s.config.Refusals.Note(tenant, user, what, refusal.Code, string(about.Tag()))
	}
}

// may asks for a privilege of the caller in the tenant of the call.
func (s *Server) may(c *call, p domain.Privilege) error {
	return s.allow(c, access.Question{Tenant: c.tenant, Privilege: p})
}

// allow asks whether the caller may, under the ceiling of the token. A caller who may not even know of the tenant is
// told that there is nothing.
func (s *Server) allow(c *call, q access.Question) error {
	q.User, q.At, q.Ceiling = c.caller.User, c.now, c.caller.Scopes
	switch a := s.config.Access.Decide(q); {
	case a.Allowed:
		return nil
	case a.Why == access.TenantUnknown, c.caller.Tenant != domain.Root && c.caller.Tenant != q.Tenant:
		return errNotFound
	}
	return domain.ErrNotAllowed
}

// provenance is on whose account an event goes.
func (c *call) provenance() dcb.Provenance {
	return dcb.Provenance{
		Actor: c.caller.User.UUID, Effective: c.caller.User.UUID, ActorTenant: c.caller.Tenant.UUID,
		Token: c.caller.Token.UUID, Session: c.caller.Session.UUID, App: c.caller.App, Correlation: c.id, IP: dcb.Plain(c.origin().IP), Agent: dcb.Plain(c.origin().Agent),
	}
}

// me tells who the caller is, and for whom. Nobody acts for others yet.
func (s *Server) me(c *call) error {
	me := identity{
		UserID: c.caller.User.UUID, TenantID: c.caller.Tenant.UUID, EffectiveUserID: c.caller.User.UUID, Scopes: c.caller.Scopes,
		Methods: c.caller.Methods,
	}
	if id := c.caller.Token.UUID; id != uuid.Nil {
		me.TokenID = &id
	}
	if id := c.caller.Session.UUID; id != uuid.Nil {
		me.SessionID, me.AuthenticatedAt = &id, &c.caller.AuthenticatedAt
	}
	return c.answer(me)
}

type identity struct {
	UserID          uuid.UUID        `json:"user_id" description:"who calls"`
	TenantID        uuid.UUID        `json:"tenant_id" description:"the tenant that the caller belongs to"`
	EffectiveUserID uuid.UUID        `json:"effective_user_id" description:"with whose rights"`
	TokenID         *uuid.UUID       `json:"token_id" description:"the API token that was presented"`
	SessionID       *uuid.UUID       `json:"session_id" description:"the session, of somebody who has signed in"`
	Methods         []string         `json:"methods" description:"how they proved who they are (RFC 8176)"`
	AuthenticatedAt *time.Time       `json:"authenticated_at" description:"when they did so last"`
	Scopes          []domain.Pattern `json:"scopes" description:"the most that the token or the session may do"`
	DelegationID    *uuid.UUID       `json:"delegation_id" description:"the delegation acted under"`
	ImpersonationID *uuid.UUID       `json:"impersonation_id" description:"the impersonation acted in"`
}
