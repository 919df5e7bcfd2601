package transport

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
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
type Access interface { //nolint:interfacebloat // what the index answers to the edge
	Judge
	Authenticate(id domain.TokenID, hash [sha256.Size]byte, now time.Time) (access.Caller, error)
	AuthenticateSession(id domain.SessionID, hash [sha256.Size]byte, now time.Time) (access.Caller, error)
	AuthenticateImpersonation(id domain.ImpersonationID, hash [sha256.Size]byte, now time.Time) (access.Caller, error)
	OwnImpersonation(id domain.ImpersonationID, hash [sha256.Size]byte) (access.Caller, error)
	Tenant(idOrSlug string) (domain.TenantID, domain.TenantStatus, bool)
	Issuer(t domain.TenantID, id domain.IssuerID) (domain.Issuer, bool)
	IssuersAt(url string) []domain.Issuer
	Identified(by domain.Issuer, key dcb.Tag, seen, until time.Time) (access.Caller, error)
	Rights(caller access.Caller, tenant domain.TenantID, at time.Time) *access.Rights
	Delegated(c access.Caller, id domain.DelegationID, now time.Time) (access.Caller, error)
	MayEnter(c access.Caller, t domain.TenantID) bool
	OutsideMember(c access.Caller, t domain.TenantID, g domain.GroupID) (sees string, is bool)
	Wait(ctx context.Context, position int64) error
	App(t domain.TenantID, name domain.App, at time.Time) access.AppState
	Route(t access.Target, n domain.Semver) (access.Routed, bool)
	Gateway() access.Gateway
	SlugOf(t domain.TenantID) domain.Slug
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
	if err := s.delegate(c); err != nil {
		return err
	}
	c.tenant = c.caller.Stands()
	return s.limits.admit(c.caller.User, c.now)
}

const headerDelegation = "Chancery-Delegation"

// delegate has the caller act under the delegation that the request names. To go on without one that is named would be to act with
// other rights than the caller thinks.
func (s *Server) delegate(c *call) error {
	given := c.Request().Header.Values(headerDelegation)
	if len(given) == 0 {
		return nil
	}
	id, err := uuid.Parse(given[0])
	if err != nil || len(given) > 1 || id.String() != given[0] {
		return badHeader(headerDelegation, "must be the id of one delegation")
	}
	acting, err := s.config.Access.Delegated(c.caller, domain.DelegationID{UUID: id}, c.now)
	why, known := errors.AsType[*access.Rejection](err)
	switch {
	case known:
		return newProblem(http.StatusForbidden, "delegation-not-in-force", "the delegation is not in force: "+string(why.Reason))
	case err != nil:
		return badHeader(headerDelegation, "there is no such delegation")
	}
	c.caller = acting
	return nil
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
	if err := s.fresh(c); err != nil {
		return err
	}
	if c.caller, err = s.whose(token, c.now); err != nil {
		return unauthenticated(challengeInvalid)
	}
	return nil
}

// fresh returns when Access has seen everything that was acknowledged anywhere before the call. Once is enough, until
// somebody is to be identified anew.
func (s *Server) fresh(c *call) error {
	if c.seen {
		return nil
	}
	if err := s.config.Fresh(c.ctx()); err != nil {
		return unavailable("the log cannot be read; try again", err)
	}
	c.seen = true
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
	case apitoken.Impersonation:
		return s.config.Access.AuthenticateImpersonation(domain.ImpersonationID{UUID: token.ID}, token.Hash, now)
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
	if !ok || !s.config.Access.MayEnter(c.caller, id) {
		s.noteStray(c)
		return errNotFound
	}
	c.tenant = id
	return nil
}

// noteStray puts a command to a tenant that the caller may not know of on record, in the caller's own.
func (s *Server) noteStray(c *call) {
	if spec, ok := commands.Named(c.Param("command")); ok && s.config.Refusals != nil {
		s.config.Refusals.Note(c.party(), spec.Name, domain.ErrNotFound.Code, "")
	}
}

// noteRefused puts on record that somebody was refused something outside of the registry of commands, about a thing if its id is
// given. In a tenant that does not exist there is no record.
func (s *Server) noteRefused(tenant domain.TenantID, user domain.UserID, what string, about dcb.Tagger, err error) {
	if refusal, ok := domain.IsRefusal(err); ok && s.config.Refusals != nil && tenant != nowhere {
		s.config.Refusals.Note(commands.Party{Tenant: tenant, User: user}, what, refusal.Code, string(about.Tag()))
	}
}

// may asks for a privilege of the caller in the tenant of the call.
func (s *Server) may(c *call, p domain.Privilege) error {
	return s.allow(c, access.Question{Tenant: c.tenant, Privilege: p})
}

// allow asks whether the caller may, under the ceiling of the token. A caller who may not even know of the tenant is
// told that there is nothing.
func (s *Server) allow(c *call, q access.Question) error {
	q = c.caller.Asking(q, c.now)
	switch a := s.config.Access.Decide(q); {
	case a.Allowed:
		return nil
	case a.Why == access.TenantUnknown, !s.config.Access.MayEnter(c.caller, q.Tenant):
		return errNotFound
	}
	return domain.ErrNotAllowed
}

// allowApp holds for those with the privilege on the app, and for the app itself: a token of its own needs no more than that nothing is
// denied to its user and that it was not issued for less. An app speaks in the tenant of its token, also under a delegation of another.
func (s *Server) allowApp(c *call, privilege domain.Privilege, app domain.App) error {
	q := access.Question{Tenant: c.tenant, Privilege: privilege, Scope: app.Scope()}
	err := s.allow(c, q)
	if err != nil && c.caller.Tenant == c.tenant && c.caller.App == string(app) && s.onlyNotGranted(c, q) {
		return nil
	}
	return err
}

// provenance is on whose account an event goes.
func (c *call) provenance() dcb.Provenance {
	by := dcb.Provenance{
		Actor: c.caller.User.UUID, Effective: c.caller.Effective().UUID, ActorTenant: c.caller.Tenant.UUID,
		Delegation: c.caller.Delegation.UUID, Impersonation: c.caller.Impersonation.UUID,
		Token: c.caller.Token.UUID, Session: c.caller.Session.UUID, App: c.caller.App, Correlation: c.id, IP: dcb.Plain(c.origin().IP), Agent: dcb.Plain(c.origin().Agent),
	}
	for _, id := range c.caller.Chain {
		by.Chain = append(by.Chain, id.UUID)
	}
	return by
}

// party is who a refusal is put on record for.
func (c *call) party() commands.Party {
	p := commands.Party{Tenant: c.caller.Tenant, User: c.caller.User, Delegation: c.caller.Delegation, Impersonation: c.caller.Impersonation}
	if c.caller.Acting() {
		p.For = c.caller.For
	}
	copy(p.Chain[:], c.caller.Chain)
	return p
}

// me tells who the caller is, and for whom.
func (s *Server) me(c *call) error {
	me := identity{
		UserID: c.caller.User.UUID, TenantID: c.caller.Tenant.UUID, EffectiveUserID: c.caller.Effective().UUID,
		EffectiveTenantID: c.caller.Stands().UUID, Scopes: c.caller.Scopes, Methods: c.caller.Methods,
		TokenID: present(c.caller.Token.UUID), DelegationID: present(c.caller.Delegation.UUID), ImpersonationID: present(c.caller.Impersonation.UUID),
		DelegationChain: c.provenance().Chain,
	}
	if id := present(c.caller.Session.UUID); id != nil {
		me.SessionID, me.AuthenticatedAt = id, &c.caller.AuthenticatedAt
	}
	return c.answer(me)
}

// present is nothing for no id.
func present(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

type identity struct {
	UserID            uuid.UUID        `json:"user_id" description:"who calls"`
	TenantID          uuid.UUID        `json:"tenant_id" description:"the tenant that the caller belongs to"`
	EffectiveUserID   uuid.UUID        `json:"effective_user_id" description:"with whose rights"`
	EffectiveTenantID uuid.UUID        `json:"effective_tenant_id" description:"the tenant that they belong to"`
	TokenID           *uuid.UUID       `json:"token_id" description:"the API token that was presented"`
	SessionID         *uuid.UUID       `json:"session_id" description:"the session, of somebody who has signed in"`
	Methods           []string         `json:"methods" description:"how they proved who they are (RFC 8176)"`
	AuthenticatedAt   *time.Time       `json:"authenticated_at" description:"when they did so last"`
	Scopes            []domain.Pattern `json:"scopes" description:"the most that the token or the session may do"`
	DelegationID      *uuid.UUID       `json:"delegation_id" description:"the delegation acted under"`
	DelegationChain   []uuid.UUID      `json:"delegation_chain" description:"all delegations that it rests on, the first one first, itself last"`
	ImpersonationID   *uuid.UUID       `json:"impersonation_id" description:"the impersonation acted in"`
}
