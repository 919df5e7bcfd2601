package commands

import (
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Install makes the platform's own tenant, privileges and roles, as far as they are missing. It is no command of
// callers: Chancery gives it to itself at every start.
type Install struct {
	Privileges []domain.PrivilegeRegistered
	Reads      []domain.Privilege // those of an auditor
}

func (c Install) Decide(Env) dcb.Decision {
	root := domain.TenantOf(domain.Root)
	facts := []dcb.AnyFact{root}
	known := make([]*dcb.Fact[domain.Registered], len(c.Privileges))
	for i, p := range c.Privileges {
		known[i] = domain.PrivilegeOf(domain.Root, p.Privilege)
		facts = append(facts, known[i])
	}
	roles := c.roles()
	have := make([]*dcb.Fact[domain.Role], len(roles))
	for i, r := range roles {
		have[i] = domain.RoleOf(r.id)
		facts = append(facts, have[i])
	}
	return dcb.From(facts...).Decide(func() (events []dcb.Event, _ error) {
		if root.Value.Status == domain.TenantUnknown {
			events = append(events, domain.TenantCreated{Tenant: domain.Root, Name: "Platform", Slug: "root"})
		}
		for i, p := range c.Privileges {
			switch {
			case !known[i].Value.Exists:
				events = append(events, p)
			case known[i].Value.Description != p.Description:
				events = append(events, domain.PrivilegeDescribed(p))
			}
		}
		for i, r := range roles {
			if !have[i].Value.Exists {
				events = append(events, domain.RoleCreated{
					Role: r.id, Name: r.name, Description: r.doc, Key: domain.RoleKey(domain.Root, r.name), Builtin: true,
				})
			}
			for _, p := range r.privileges {
				if _, has := have[i].Value.Privileges[p]; !has {
					events = append(events, domain.RolePrivilegeAdded{Role: r.id, Privilege: p})
				}
			}
		}
		return events, nil
	})
}

type builtin struct {
	id         domain.RoleID
	name, doc  string
	privileges []domain.Pattern
}

func (c Install) roles() []builtin {
	reads := make([]domain.Pattern, len(c.Reads))
	for i, p := range c.Reads {
		reads[i] = domain.Pattern(p)
	}
	return []builtin{
		{domain.PlatformAdmin, "platform-admin", "Everything; on the platform, in every tenant.", []domain.Pattern{domain.Everything}},
		{domain.TenantAdmin, "tenant-admin", "Everything within one tenant.", []domain.Pattern{domain.Everything}},
		{domain.TenantAuditor, "tenant-auditor", "Reads everything within one tenant.", reads},
	}
}

// Bootstrap makes the first administrator, once.
type Bootstrap struct {
	User        domain.UserID
	Token       domain.TokenID
	Assignment  domain.AssignmentID
	Email       string
	DisplayName string
}

// BootstrapTokenLife is how long the first administrator's token lives.
const BootstrapTokenLife = 90 * 24 * time.Hour

func (c Bootstrap) Target() dcb.Tagger { return c.User }

func (c Bootstrap) Decide(env Env) dcb.Decision {
	done, email := domain.Bootstrapped(), env.address(c.Email)
	return dcb.From(append(email.facts(), done)...).Decide(func() ([]dcb.Event, error) {
		if done.Value {
			return nil, domain.ErrBootstrapped
		}
		if c.Email == "" {
			return nil, domain.Invalid("/email", "must not be empty")
		}
		if err := domain.FirstError(email.refusal(c.User), domain.CheckName("/display_name", c.DisplayName)); err != nil {
			return nil, err
		}
		prefix, hash := env.Hash(env.Secret("bootstrap", c.Token.UUID))
		return dcb.Emit(
			domain.UserRegistered{
				User: c.User, Email: dcb.Plain(string(email.email)), EmailKey: email.email.Claim(),
				DisplayName: dcb.Plain(c.DisplayName), Status: domain.UserActive,
			},
			domain.RoleAssigned{
				Assignment: c.Assignment, Role: domain.PlatformAdmin, User: c.User,
				Window: domain.Window{From: env.Now}, Reason: "the first administrator",
			},
			domain.TokenIssued{
				Token: c.Token, User: c.User, Name: "bootstrap", Prefix: prefix, Hash: hash,
				Scopes: []domain.Pattern{domain.Everything}, ExpiresAt: env.Now.Add(BootstrapTokenLife).Truncate(time.Second),
			},
			domain.InstallationBootstrapped{Installation: domain.TheInstallation, User: c.User},
		)
	})
}

// Reveal is the first administrator's token.
func (c Bootstrap) Reveal(env Env) (name, value string) {
	return "token", env.Secret("bootstrap", c.Token.UUID)
}

// AnonymousOrder is an order of somebody who is not known yet, such as one who signs in. It is refused where the tenant is
// not active. By says where it came from.
func AnonymousOrder(name string, c Command, t domain.TenantID, by dcb.Provenance) Order {
	o := SystemOrder(name, c, t, by)
	o.ungated, o.anonymous = false, true
	return o
}

// SystemOrder is an order that Chancery gives to itself.
func SystemOrder(name string, c Command, t domain.TenantID, by dcb.Provenance) Order {
	id := uuid.Must(uuid.NewV7())
	return Order{
		Spec: &Spec{Name: name, Zero: c}, Command: c, Tenant: t, Request: id, Fingerprint: id[:], Seed: uuid.NewString(),
		Rights: System{}, By: by, ungated: true,
	}
}
