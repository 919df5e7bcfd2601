package transport

import (
	"errors"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels"
)

// groupMembers lists the members of a group: all of them to those who may read memberships, and to members from other tenants those whom
// the tenant's policy lets them see. To everybody else there is no such group.
func (s *Server) groupMembers(c *call) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil || id.String() != c.Param("id") {
		return errNotFound
	}
	group := domain.GroupID{UUID: id}
	fellows, guest := readmodels.Fellows{}, false
	if err := s.may(c, "core.group-memberships.read"); err != nil {
		if fellows, guest = s.fellows(c, group); !guest {
			return errNotFound
		}
	}
	if guest && c.QueryParams().Has("as_of") { // they see who is in the group with them, not who was before they came
		return badParameter("as_of", errParameter.Error())
	}
	of := readmodels.GroupMembers(group, fellows)
	return s.ask(c, of.Projector, "limit cursor", func(v View, q question) error {
		if !guest {
			if _, err := v.One(c.ctx(), groupsCollection(), id.String()); errors.Is(err, readmodels.ErrNotFound) {
				return errNotFound
			} else if err != nil {
				return err
			}
		}
		page, err := v.List(c.ctx(), of, q.Params)
		return c.page(page, err)
	})
}

// fellows are the members of a group whom the caller sees, who is in it and belongs to another tenant.
func (s *Server) fellows(c *call, g domain.GroupID) (of readmodels.Fellows, guest bool) {
	sees, guest := s.config.Access.OutsideMember(c.caller, c.tenant, g)
	switch sees {
	case domain.SeeAll:
	case domain.SeeOwn:
		of.Home = c.caller.Tenant
	default:
		of.User = c.caller.User
	}
	return of, guest
}

func groupsCollection() readmodels.Collection {
	c, _ := readmodels.CollectionOf("groups")
	return c
}
