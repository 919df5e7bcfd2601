package transport

import (
	"errors"
	"net/http"
	"slices"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/oidc"
)

// identifyBearer finds out for whom a token of an outside issuer speaks, which looks like one of url. Only issuers that a tenant
// trusts are asked. The user is looked up at each request, so that nobody acts who was deactivated or unlinked.
func (s *Server) identifyBearer(c *call, url, text string) error {
	if s.config.OIDC == nil {
		return unauthenticated(challengeInvalid)
	}
	if err := s.fresh(c); err != nil {
		return err
	}
	trusted := s.config.Access.IssuersAt(url)
	if len(trusted) == 0 {
		return unauthenticated(challengeInvalid)
	}
	claims, err := s.config.OIDC.Bearer(c.ctx(), url, text)
	switch {
	case errors.Is(err, oidc.ErrRejected):
		return unauthenticated(challengeInvalid)
	case err != nil:
		return issuerProblem(err)
	}
	var ok bool
	if c.caller, ok = s.bearerOf(c, trusted, claims); !ok {
		return unauthenticated(challengeInvalid)
	}
	return nil
}

// bearerOf is the user of the path's tenant; else of the platform, else of the one tenant where there is such a user.
func (s *Server) bearerOf(c *call, trusted []domain.Issuer, claims oidc.Claims) (access.Caller, bool) {
	here, _, _ := s.config.Access.Tenant(c.Param("tenant"))
	for _, tenant := range []domain.TenantID{here, domain.Root} {
		for _, i := range trusted {
			if i.Tenant != tenant {
				continue
			}
			if caller, ok := s.bearerIn(i, claims); ok {
				return caller, true
			}
		}
	}
	var found []access.Caller
	for _, i := range trusted {
		if caller, ok := s.bearerIn(i, claims); ok && len(found) < 2 {
			found = append(found, caller)
		}
	}
	if len(found) != 1 {
		return access.Caller{}, false
	}
	return found[0], true
}

func (s *Server) bearerIn(i domain.Issuer, claims oidc.Claims) (access.Caller, bool) {
	if !claims.Meant(i.Audiences, append(slices.Clip(i.Audiences), i.ClientID)) {
		return access.Caller{}, false
	}
	key := s.config.Claim(i.Tenant.UUID, domain.IdentityClaim(i.URL, claims.Subject).Tag())
	caller, err := s.config.Access.Identified(i, key, claims.SeenAt, claims.ExpiresAt)
	return caller, err == nil
}

// issuerProblem words why an issuer could not be asked. Its own words, and where it is, are not for callers.
func issuerProblem(err error) error {
	switch {
	case errors.Is(err, oidc.ErrRejected):
		return errNotVouched
	case errors.Is(err, oidc.ErrUnavailable):
		p := newProblem(http.StatusServiceUnavailable, "issuer-unavailable", "the issuer does not answer; try again later")
		p.retry, p.cause = "10", err
		return p
	case errors.Is(err, oidc.ErrBroken):
		p := newProblem(http.StatusBadGateway, "issuer-failed", "the issuer does not answer as it must; an administrator has to look into it")
		p.cause = err
		return p
	}
	return err
}

var errNotVouched = newProblem(http.StatusUnauthorized, "issuer-refused", "the issuer did not vouch for the user, or what it said is not accepted; begin again")
