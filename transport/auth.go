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
)

// Access knows who may do what. *access.Index is one.
type Access interface {
	Judge
	Authenticate(id domain.TokenID, hash [sha256.Size]byte, now time.Time) (access.Caller, error)
	Tenant(idOrSlug string) (domain.TenantID, domain.TenantStatus, bool)
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
	text, ok := bearer(c)
	if !ok {
		return unauthenticated(challengeNone)
	}
	token, err := apitoken.Parse(text)
	if err != nil {
		return unauthenticated(challengeInvalid)
	}
	if err := s.config.Fresh(c.ctx()); err != nil {
		return unavailable("the log cannot be read; try again", err)
	}
	if c.caller, err = s.config.Access.Authenticate(domain.TokenID{UUID: token.ID}, token.Hash, c.now); err != nil {
		return unauthenticated(challengeInvalid)
	}
	return nil
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
		Token: c.caller.Token.UUID, Correlation: c.id,
	}
}

// me tells who the caller is, and for whom. Nobody acts for others yet.
func (s *Server) me(c *call) error {
	return c.answer(identity{
		UserID: c.caller.User.UUID, TenantID: c.caller.Tenant.UUID, TokenID: c.caller.Token.UUID,
		EffectiveUserID: c.caller.User.UUID, Scopes: c.caller.Scopes,
	})
}

type identity struct {
	UserID          uuid.UUID        `json:"user_id" description:"who calls"`
	TenantID        uuid.UUID        `json:"tenant_id" description:"the tenant that the caller belongs to"`
	EffectiveUserID uuid.UUID        `json:"effective_user_id" description:"with whose rights"`
	TokenID         uuid.UUID        `json:"token_id" description:"the token that was presented"`
	Scopes          []domain.Pattern `json:"scopes" description:"the most that the token may do"`
	DelegationID    *uuid.UUID       `json:"delegation_id" description:"the delegation acted under"`
	ImpersonationID *uuid.UUID       `json:"impersonation_id" description:"the impersonation acted in"`
}
