package domain

import (
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/net/idna"

	"chancery/internal/dcb"
)

// DomainName is a DNS name in its ASCII form (RFC 5891); it has one verified owner on the platform.
type DomainName string

// Tag keeps verified domains unique.
func (n DomainName) Tag() dcb.Tag {
	if n == "" {
		return ""
	}
	return dcb.Tag("domain-name:" + n)
}

// DomainAdded says that a tenant means to prove that a domain is its own.
type DomainAdded struct {
	Domain    DomainID   `json:"domain"`
	Tenant    TenantID   `json:"tenant"`
	Name      DomainName `json:"name"`
	Challenge string     `json:"challenge"` // what the DNS TXT record must hold
}

// DomainVerified says that the challenge was found in DNS.
type DomainVerified struct {
	Domain DomainID   `json:"domain"`
	Tenant TenantID   `json:"tenant"`
	Name   DomainName `json:"name"`
}

// DomainMadePrimary makes a verified domain the tenant's main one, in place of Previous.
type DomainMadePrimary struct {
	Domain   DomainID `json:"domain"`
	Tenant   TenantID `json:"tenant"`
	Previous DomainID `json:"previous,omitzero"`
}

// DomainRemoved takes a domain from a tenant; anybody may claim it again.
type DomainRemoved struct {
	Domain DomainID   `json:"domain"`
	Tenant TenantID   `json:"tenant"`
	Name   DomainName `json:"name"`
}

func (DomainAdded) EventType() string       { return "domain.added" }
func (DomainVerified) EventType() string    { return "domain.verified" }
func (DomainMadePrimary) EventType() string { return "domain.made-primary" }
func (DomainRemoved) EventType() string     { return "domain.removed" }

var domainEvents = dcb.Kind("domain",
	dcb.Of[DomainAdded](), dcb.Of[DomainVerified](), dcb.Of[DomainMadePrimary](), dcb.Of[DomainRemoved]())

var (
	ErrDomainUnknown     = &Refusal{Missing, "not-found", "there is no such domain here"}
	ErrDomainTwice       = refuse("domain-exists", "the tenant has this domain already")
	ErrDomainTaken       = refuse("domain-taken", "another tenant has proved that this domain is its own")
	ErrDomainNotVerified = refuse("domain-not-verified", "the domain is not verified")
	ErrDomainLookup      = refuse("domain-lookup-failed", "DNS did not answer; try again")
	ErrDomainChallenge   = refuse("domain-challenge-missing", "the DNS TXT record with the challenge was not found")
	ErrDomainPrimary     = refuse("domain-is-primary", "the primary domain cannot be removed while the tenant has others")
)

// Domain is what decisions need to know of one.
type Domain struct {
	ID        DomainID
	Name      DomainName
	Challenge string
	Verified  bool
	Primary   bool
}

// Exists reports whether the tenant has the domain.
func (d Domain) Exists() bool { return d.Name != "" }

// Domains are the domains of one tenant.
type Domains map[DomainID]Domain

// Primary is the tenant's main domain, zero if it has none.
func (ds Domains) Primary() Domain {
	for _, d := range ds {
		if d.Primary {
			return d
		}
	}
	return Domain{}
}

// Named is the tenant's domain of that name, zero if it has none.
func (ds Domains) Named(n DomainName) Domain {
	for _, d := range ds {
		if d.Name == n {
			return d
		}
	}
	return Domain{}
}

// Cover reports whether a host is one of the verified domains, or lies in one.
func (ds Domains) Cover(host string) bool {
	for _, d := range ds {
		if d.Verified && strings.HasSuffix("."+host, "."+string(d.Name)) {
			return true
		}
	}
	return false
}

// DomainsOf are the domains of one tenant.
func DomainsOf(t TenantID) *dcb.Fact[Domains] {
	change := func(ds *Domains, id DomainID, fn func(*Domain)) {
		d := (*ds)[id]
		fn(&d)
		(*ds)[id] = d
	}
	return dcb.Ask(Domains{}, tags(t),
		dcb.On(func(ds *Domains, e DomainAdded) {
			(*ds)[e.Domain] = Domain{ID: e.Domain, Name: e.Name, Challenge: e.Challenge}
		}),
		dcb.On(func(ds *Domains, e DomainVerified) { change(ds, e.Domain, func(d *Domain) { d.Verified = true }) }),
		dcb.On(func(ds *Domains, e DomainMadePrimary) {
			if p := ds.Primary(); p.Exists() {
				change(ds, p.ID, func(d *Domain) { d.Primary = false })
			}
			change(ds, e.Domain, func(d *Domain) { d.Primary = true })
		}),
		dcb.On(func(ds *Domains, e DomainRemoved) { delete(*ds, e.Domain) }),
	).Sole()
}

// DomainOwner is the tenant that proved the domain its own, nil if none did.
func DomainOwner(n DomainName) *dcb.Fact[uuid.UUID] {
	return holderOf(n.Tag(),
		dcb.On(func(h *uuid.UUID, e DomainVerified) { *h = e.Tenant.UUID }),
		dcb.On(func(h *uuid.UUID, e DomainRemoved) {
			if *h == e.Tenant.UUID {
				*h = uuid.Nil
			}
		}),
	).Anywhere()
}

// ParseDomain is the ASCII form of a DNS name with at least two labels (RFC 5891, section 4).
func ParseDomain(pointer, s string) (DomainName, error) {
	host, ok := hostName(strings.TrimSuffix(s, "."))
	if !ok || !strings.Contains(host, ".") {
		return "", Invalid(pointer, "is not a domain name")
	}
	return DomainName(host), nil
}

// hostName is the ASCII form of a host name; false for what is none, such as an IP address.
func hostName(s string) (string, bool) {
	host, err := idna.Lookup.ToASCII(s)
	if err != nil || len(host) > 253 || strings.ContainsRune(s, utf8.RuneError) {
		return "", false
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if last = label; !slugForm.MatchString(label) {
			return "", false
		}
	}
	return host, strings.Trim(last, "0123456789") != ""
}

// ChallengeHost is where the TXT record is looked for.
func (n DomainName) ChallengeHost() string { return "_chancery-challenge." + string(n) }
