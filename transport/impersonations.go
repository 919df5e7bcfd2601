package transport

import (
	"net/http"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/apitoken"
)

// endImpersonation ends the impersonation whose token is shown. It always works: nothing counts but that it is the token. Whether
// the two people and their tenants are still active, the policy and rights still as they were, the session by which it was started
// still in use, and how often the caller has asked, is not looked at, so that nobody has to stay somebody else.
func (s *Server) endImpersonation(c *call) error {
	text, ok := bearer(c)
	if !ok {
		return unauthenticated(challengeNone)
	}
	token, err := apitoken.Parse(text)
	if err != nil || token.Kind != apitoken.Impersonation {
		return unauthenticated(challengeInvalid)
	}
	if err := s.config.Fresh(c.ctx()); err != nil {
		return unavailable("the log cannot be read; try again", err)
	}
	id := domain.ImpersonationID{UUID: token.ID}
	if c.caller, err = s.config.Access.OwnImpersonation(id, token.Hash); err != nil {
		return unauthenticated(challengeInvalid)
	}
	order := commands.SystemOrder("end-impersonation", commands.EndImpersonation{ID: id, Reason: domain.ImpersonationLeft}, c.caller.Stands(), c.provenance())
	result, err := s.config.Commands.Execute(c.ctx(), order)
	if err != nil {
		return err
	}
	c.position(result.Position)
	return c.NoContent(http.StatusNoContent)
}
