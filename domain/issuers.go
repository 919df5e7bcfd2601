package domain

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"chancery/internal/dcb"
)

// IssuerAdded says that a tenant takes the word of an OpenID provider for who its users are.
type IssuerAdded struct {
	Issuer       IssuerID       `json:"issuer"`
	Tenant       TenantID       `json:"tenant"`
	Name         string         `json:"name"`
	URL          string         `json:"url"` // the issuer identifier, to the letter; it never changes
	ClientID     string         `json:"client_id"`
	ClientSecret string         `json:"client_secret,omitzero"` // a reference, never the secret itself
	Scopes       []string       `json:"scopes"`                 // asked for at sign-in
	Audiences    []string       `json:"audiences,omitzero"`     // of bearer tokens that are accepted; none: no bearer tokens
	Provisioning Provisioning   `json:"provisioning"`
	GroupsClaim  string         `json:"groups_claim,omitzero"` // the claim that names a user's groups
	GroupMap     []GroupMapping `json:"group_map,omitzero"`
	Enabled      bool           `json:"enabled"`
}

// IssuerChanged says what holds of an issuer from now on: all of it.
type IssuerChanged struct {
	Issuer       IssuerID       `json:"issuer"`
	Tenant       TenantID       `json:"tenant"`
	Name         string         `json:"name"`
	URL          string         `json:"url"`
	ClientID     string         `json:"client_id"`
	ClientSecret string         `json:"client_secret,omitzero"` // a reference, never the secret itself
	Scopes       []string       `json:"scopes"`
	Audiences    []string       `json:"audiences,omitzero"` // of bearer tokens that are accepted
	Provisioning Provisioning   `json:"provisioning"`
	GroupsClaim  string         `json:"groups_claim,omitzero"`
	GroupMap     []GroupMapping `json:"group_map,omitzero"`
	Enabled      bool           `json:"enabled"`
}

// IssuerRemoved ends the trust in an issuer. What its word led to stays: users, links, memberships.
type IssuerRemoved struct {
	Issuer IssuerID `json:"issuer"`
	Tenant TenantID `json:"tenant"`
}

func (IssuerAdded) EventType() string   { return "issuer.added" }
func (IssuerChanged) EventType() string { return "issuer.changed" }
func (IssuerRemoved) EventType() string { return "issuer.removed" }

var issuerEvents = dcb.Kind("issuer", dcb.Of[IssuerAdded](), dcb.Of[IssuerChanged](), dcb.Of[IssuerRemoved]())

var (
	ErrIssuerUnknown = &Refusal{Missing, "not-found", "there is no such issuer here"}
	ErrIssuerTwice   = refuse("issuer-exists", "the tenant has an issuer with this URL already")
	// ErrIdentityAlone is the answer to somebody whom an issuer vouches for and nobody here knows.
	ErrIdentityAlone = &Refusal{Unproven, "identity-unknown", "nobody here is linked to this account; sign in another way and link it, or ask an administrator"}
	ErrIssuerChanged = &Refusal{Unproven, "issuer-changed", "the issuer was changed, disabled or removed meanwhile; begin again"}
	ErrLinkSession   = &Refusal{Unproven, "session-over", "the session in which the link was begun is over; sign in and begin again"}
)

// Provisioning is what becomes of somebody whom an issuer vouches for and nobody here knows.
type Provisioning string

const (
	ProvisionNobody         Provisioning = "none"
	ProvisionVerifiedDomain Provisioning = "verified-domain" // registered, if their verified address is of a verified domain of the tenant
)

// Check refuses an unknown word.
func (p Provisioning) Check(pointer string) error {
	if p != ProvisionNobody && p != ProvisionVerifiedDomain {
		return Invalid(pointer, "must be none or verified-domain")
	}
	return nil
}

// GroupMapping puts users with a value in their groups claim into a group.
type GroupMapping struct {
	Value string  `json:"value"`
	Group GroupID `json:"group"`
}

// Issuer is what holds of one.
type Issuer IssuerAdded

// Exists reports whether the tenant has the issuer, enabled or not.
func (i Issuer) Exists() bool { return i.URL != "" }

// Groups are those that the claim's values lead to, each once.
func (i Issuer) Groups(values []string) []GroupID {
	var all []GroupID
	for _, m := range i.GroupMap {
		if slices.Contains(values, m.Value) && !slices.Contains(all, m.Group) {
			all = append(all, m.Group)
		}
	}
	return all
}

// Issuers are those of one tenant.
type Issuers map[IssuerID]Issuer

// At is the issuer with that URL, zero if there is none.
func (all Issuers) At(url string) Issuer {
	for _, i := range all {
		if i.URL == url {
			return i
		}
	}
	return Issuer{}
}

// IssuersOf are the issuers of one tenant.
func IssuersOf(t TenantID) *dcb.Fact[Issuers] {
	return dcb.Ask(Issuers{}, tags(t),
		dcb.On(func(all *Issuers, e IssuerAdded) { (*all)[e.Issuer] = Issuer(e) }),
		dcb.On(func(all *Issuers, e IssuerChanged) { (*all)[e.Issuer] = Issuer(e) }),
		dcb.On(func(all *Issuers, e IssuerRemoved) { delete(*all, e.Issuer) }),
	).Sole()
}

// IssuerOf is one issuer. Of a removed one only the id is left.
func IssuerOf(id IssuerID) *dcb.Fact[Issuer] {
	return dcb.Ask(Issuer{}, tags(id),
		dcb.On(func(i *Issuer, e IssuerAdded) { *i = Issuer(e) }),
		dcb.On(func(i *Issuer, e IssuerChanged) { *i = Issuer(e) }),
		dcb.On(func(i *Issuer, e IssuerRemoved) { *i = Issuer{Issuer: e.Issuer} }),
	)
}

// CheckIssuerURL refuses what is no issuer identifier (OpenID Connect Discovery 1.0, section 3). Without encryption it
// must be on this very machine.
func CheckIssuerURL(pointer, s string) error {
	if err := CheckName(pointer, s); err != nil {
		return err
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Host == "", u.Hostname() == "", u.User != nil, strings.ContainsAny(s, "?#\\"),
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return Invalid(pointer, "must be an https URL without query and fragment; http only where the host is this machine's own")
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
