package transport

import (
	"strings"

	"github.com/google/uuid"

	"chancery/domain"
)

const wellKnown = "/.well-known/authzen-configuration"

// configuration is the metadata of a policy decision point (AuthZEN 1.0, section 9).
type configuration struct {
	PolicyDecisionPoint string `json:"policy_decision_point"`
	Evaluation          string `json:"access_evaluation_endpoint"`
	Evaluations         string `json:"access_evaluations_endpoint"`
	SearchSubject       string `json:"search_subject_endpoint"`
	SearchResource      string `json:"search_resource_endpoint"`
	SearchAction        string `json:"search_action_endpoint"`
}

// discover tells where to ask. It tells so of every name that a tenant could have: who is there is not to be learnt here.
func (s *Server) discover(c *call) error {
	base := s.base(c)
	point, at := base, base
	if tenant := c.Param("tenant"); tenant != "" {
		if !couldBeTenant(tenant) {
			return errNotFound
		}
		at = base + "/v1/tenants/" + tenant
		point = at
		if !strings.Contains(c.Path(), "/v1/tenants/") {
			point = base + "/" + tenant
		}
	}
	at += "/access/v1/"
	return c.answer(configuration{
		point, at + "evaluation", at + "evaluations", at + "search/subject", at + "search/resource", at + "search/action",
	})
}

func couldBeTenant(text string) bool {
	_, err := uuid.Parse(text)
	return err == nil && len(text) == 36 || domain.Slug(text).Check("") == nil
}

// base is how callers reach us.
func (s *Server) base(c *call) string {
	if s.config.PublicURL != "" {
		return strings.TrimSuffix(s.config.PublicURL, "/")
	}
	return c.Scheme() + "://" + c.Request().Host
}
