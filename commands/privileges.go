package commands

import (
	"strings"

	"chancery/domain"
	"chancery/internal/dcb"
)

// RegisterPrivilege makes a privilege known on the platform, for every tenant.
type RegisterPrivilege struct {
	Name        domain.Privilege `json:"name" required:"true" description:"two to six lower-case words joined by dots, such as repo.write"`
	Description string           `json:"description,omitzero" description:"what it lets one do"`
}

func (c RegisterPrivilege) Target() dcb.Tagger { return c.Name }

func (c RegisterPrivilege) Decide(env Env) dcb.Decision {
	word, _, _ := strings.Cut(string(c.Name), ".")
	p, app := domain.PrivilegeOf(domain.Root, c.Name), domain.AppNamed(domain.App(word))
	return dcb.From(p, app).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(c.Name.Check("/name"), domain.CheckText("/description", c.Description)); err != nil {
			return nil, err
		}
		switch {
		case env.Tenant != domain.Root:
			return nil, domain.ErrNotFound
		case p.Value.Exists && p.Value.Description == c.Description:
			return nil, nil
		case p.Value.Exists:
			return nil, domain.At("/name", domain.ErrPrivilegeTwice)
		case strings.HasPrefix(string(c.Name), "core."):
			return nil, domain.At("/name", domain.ErrPrivilegeOurs)
		case app.Value.Known:
			return nil, domain.At("/name", domain.ErrPrivilegeOfApp)
		}
		return dcb.Emit(domain.PrivilegeRegistered{Privilege: c.Name, Description: c.Description})
	})
}

// DescribePrivilege changes what is said of a privilege.
type DescribePrivilege struct {
	Name        domain.Privilege `json:"name" required:"true" description:"the privilege"`
	Description string           `json:"description" required:"true" description:"what it lets one do"`
}

func (c DescribePrivilege) Target() dcb.Tagger { return c.Name }

func (c DescribePrivilege) Decide(env Env) dcb.Decision {
	p := domain.PrivilegeOf(domain.Root, c.Name)
	return dcb.From(p).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/description", c.Description); err != nil {
			return nil, err
		}
		switch {
		case env.Tenant != domain.Root || !p.Value.Exists:
			return nil, domain.At("/name", &domain.Refusal{Kind: domain.Missing, Code: "not-found", Text: "there is no such privilege"})
		case strings.HasPrefix(string(c.Name), "core."):
			return nil, domain.At("/name", domain.ErrPrivilegeOurs)
		case p.Value.Description == c.Description:
			return nil, nil
		}
		return dcb.Emit(domain.PrivilegeDescribed{Privilege: c.Name, Description: c.Description})
	})
}
