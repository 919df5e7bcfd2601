package commands

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AddDomain claims a domain for the tenant; it counts once verified.
type AddDomain struct {
	ID     domain.DomainID `json:"id,omitzero" description:"id of the new domain; made if absent"`
	Domain string          `json:"domain" required:"true" description:"a DNS name, such as example.org"`
}

func (c *AddDomain) NewID() *uuid.UUID { return &c.ID.UUID }
func (c AddDomain) Target() dcb.Tagger { return c.ID }

func (c AddDomain) Decide(env Env) dcb.Decision {
	name, invalid := domain.ParseDomain("/domain", c.Domain)
	used, mine, owner := domain.Used[domain.DomainAdded](c.ID), domain.DomainsOf(env.Tenant), domain.DomainOwner(name)
	if invalid != nil {
		return refused(invalid)
	}
	return dcb.From(used, mine, owner).Decide(func() ([]dcb.Event, error) {
		switch {
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case mine.Value.Named(name).Exists():
			return nil, domain.At("/domain", domain.ErrDomainTwice)
		case owner.Value != uuid.Nil:
			return nil, domain.At("/domain", domain.ErrDomainTaken)
		}
		return dcb.Emit(domain.DomainAdded{Domain: c.ID, Tenant: env.Tenant, Name: name, Challenge: challenge(env.Tenant, c.ID)})
	})
}

// Reveal tells what to put into DNS; queries tell it too.
func (c AddDomain) Reveal(env Env) (name, value string) {
	return "challenge", challenge(env.Tenant, c.ID)
}

// challenge needs no secret: it proves that whoever controls the zone means this very claim of this tenant.
func challenge(t domain.TenantID, id domain.DomainID) string {
	return "chancery-verification=" + uuid.NewSHA1(t.UUID, id.UUID[:]).String()
}

// lookup bounds one question to DNS: others may be decided together with it.
const lookup = 5 * time.Second

// VerifyDomain looks for the challenge in the TXT records of _chancery-challenge under the domain.
type VerifyDomain struct {
	ID domain.DomainID `json:"id" required:"true" description:"the domain"`
}

func (c VerifyDomain) Target() dcb.Tagger { return c.ID }

func (c VerifyDomain) Decide(env Env) dcb.Decision {
	mine := domain.DomainsOf(env.Tenant)
	var owner *dcb.Fact[uuid.UUID]
	var found bool
	return dcb.From(mine).Then(func() []dcb.AnyFact {
		if d := mine.Value[c.ID]; owner == nil && d.Exists() {
			owner = domain.DomainOwner(d.Name)
			return []dcb.AnyFact{owner}
		}
		return nil
	}).Consult(func(ctx context.Context) error {
		d := mine.Value[c.ID]
		if !d.Exists() || d.Verified || owner.Value != uuid.Nil {
			return nil
		}
		asking, cancel := context.WithTimeout(ctx, lookup)
		defer cancel()
		records, err := env.Resolver.TXT(asking, d.Name.ChallengeHost())
		found = slices.Contains(records, d.Challenge)
		if err != nil && ctx.Err() == nil {
			return domain.ErrDomainLookup // whatever it was, it is the matter of this domain's name servers
		}
		return err
	}).Decide(func() ([]dcb.Event, error) {
		d := mine.Value[c.ID]
		switch {
		case !d.Exists():
			return nil, domain.At("/id", domain.ErrDomainUnknown)
		case d.Verified:
			return nil, nil
		case owner.Value != uuid.Nil:
			return nil, domain.ErrDomainTaken
		case !found:
			return nil, domain.ErrDomainChallenge
		}
		events := []dcb.Event{domain.DomainVerified{Domain: c.ID, Tenant: env.Tenant, Name: d.Name}}
		if !mine.Value.Primary().Exists() {
			events = append(events, domain.DomainMadePrimary{Domain: c.ID, Tenant: env.Tenant})
		}
		return events, nil
	})
}

// SetPrimaryDomain makes a verified domain the tenant's main one.
type SetPrimaryDomain struct {
	ID domain.DomainID `json:"id" required:"true" description:"the domain"`
}

func (c SetPrimaryDomain) Target() dcb.Tagger { return c.ID }

func (c SetPrimaryDomain) Decide(env Env) dcb.Decision {
	mine := domain.DomainsOf(env.Tenant)
	return dcb.From(mine).Decide(func() ([]dcb.Event, error) {
		d := mine.Value[c.ID]
		switch {
		case !d.Exists():
			return nil, domain.At("/id", domain.ErrDomainUnknown)
		case !d.Verified:
			return nil, domain.ErrDomainNotVerified
		case d.Primary:
			return nil, nil
		}
		return dcb.Emit(domain.DomainMadePrimary{Domain: c.ID, Tenant: env.Tenant, Previous: mine.Value.Primary().ID})
	})
}

// RemoveDomain gives a domain up; the primary one only as the last.
type RemoveDomain struct {
	ID domain.DomainID `json:"id" required:"true" description:"the domain"`
}

func (c RemoveDomain) Target() dcb.Tagger { return c.ID }

func (c RemoveDomain) Decide(env Env) dcb.Decision {
	mine := domain.DomainsOf(env.Tenant)
	return dcb.From(mine).Decide(func() ([]dcb.Event, error) {
		d := mine.Value[c.ID]
		switch {
		case !d.Exists():
			return nil, domain.At("/id", domain.ErrDomainUnknown)
		case d.Primary && len(mine.Value) > 1:
			return nil, domain.ErrDomainPrimary
		}
		return dcb.Emit(domain.DomainRemoved{Domain: c.ID, Tenant: env.Tenant, Name: d.Name})
	})
}
