package commands

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AddIssuer has the tenant take the word of an OpenID provider for who its users are. Whoever runs the provider, or the
// client that is named, can be every user who is linked to it: so it is for those from whom nothing is kept.
type AddIssuer struct {
	ID           domain.IssuerID           `json:"id,omitzero" description:"id of the new issuer; made if absent"`
	Name         string                    `json:"name" required:"true" description:"what users see on the way in"`
	URL          string                    `json:"url" required:"true" description:"the issuer identifier, to the letter; it never changes"`
	ClientID     string                    `json:"client_id" required:"true" description:"as which the tenant is registered there"`
	ClientSecret string                    `json:"client_secret,omitzero" description:"a reference such as secret://sign-in/acme-id; absent for public clients"`
	Scopes       []string                  `json:"scopes,omitzero" description:"to ask for; openid, email and profile if absent"`
	Audiences    []string                  `json:"audiences,omitzero" description:"of the bearer tokens to accept; none are accepted if absent"`
	Provisioning domain.Provisioning       `json:"provisioning,omitzero" enum:"none,verified-domain" description:"whom to register who is unknown; none if absent"`
	GroupsClaim  string                    `json:"groups_claim,omitzero" description:"the claim of the ID token that names a user's groups"`
	GroupMap     map[string]domain.GroupID `json:"group_map,omitzero" description:"the groups here by the claim's values"`
	Enabled      *bool                     `json:"enabled,omitzero" description:"true if absent"`
}

func (c *AddIssuer) NewID() *uuid.UUID { return &c.ID.UUID }
func (c AddIssuer) Target() dcb.Tagger { return c.ID }

func (c AddIssuer) Decide(env Env) dcb.Decision {
	next := domain.Issuer{
		Issuer: c.ID, Tenant: env.Tenant, Name: c.Name, URL: c.URL, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		Scopes: c.Scopes, Audiences: c.Audiences, Provisioning: c.Provisioning, GroupsClaim: c.GroupsClaim, GroupMap: mappings(c.GroupMap),
		Enabled: c.Enabled == nil || *c.Enabled,
	}
	if next.Scopes == nil {
		next.Scopes = []string{"openid", "email", "profile"}
	}
	if next.Provisioning == "" {
		next.Provisioning = domain.ProvisionNobody
	}
	used, all, mapped := domain.Used[domain.IssuerAdded](c.ID), domain.IssuersOf(env.Tenant), env.mapped()
	return dcb.From(append(mapped.start(next, domain.Issuer{}), used, all)...).Then(mapped.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckIssuerURL("/url", c.URL), checkIssuerTerms(next)); err != nil {
			return nil, err
		}
		switch {
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case all.Value.At(c.URL).Exists():
			return nil, domain.At("/url", domain.ErrIssuerTwice)
		case !env.Rights.HoldsEverything():
			return nil, domain.ErrMayNotGive
		}
		if err := mapped.refusal(); err != nil {
			return nil, err
		}
		return dcb.Emit(domain.IssuerAdded(next))
	})
}

// ChangeIssuer changes what holds of an issuer; what is absent stays. Whom the issuer speaks for, and through which client, is
// changed by those alone from whom nothing is kept.
type ChangeIssuer struct {
	ID           domain.IssuerID            `json:"id" required:"true" description:"the issuer"`
	Name         string                     `json:"name,omitzero" description:"what users see on the way in"`
	ClientID     string                     `json:"client_id,omitzero" description:"as which the tenant is registered there"`
	ClientSecret *string                    `json:"client_secret,omitzero" description:"a reference; empty for public clients"`
	Scopes       []string                   `json:"scopes,omitzero" description:"to ask for"`
	Audiences    *[]string                  `json:"audiences,omitzero" description:"of the bearer tokens to accept; empty for none"`
	Provisioning domain.Provisioning        `json:"provisioning,omitzero" enum:"none,verified-domain" description:"whom to register who is unknown"`
	GroupsClaim  *string                    `json:"groups_claim,omitzero" description:"the claim of the ID token that names a user's groups; empty for none"`
	GroupMap     *map[string]domain.GroupID `json:"group_map,omitzero" description:"the groups here by the claim's values; memberships follow at each user's next sign-in"`
	Enabled      *bool                      `json:"enabled,omitzero" description:"whether it is used at all"`
}

func (c ChangeIssuer) Target() dcb.Tagger { return c.ID }

func (c ChangeIssuer) Decide(env Env) dcb.Decision {
	is, mapped := domain.IssuerOf(c.ID), env.mapped()
	var next domain.Issuer
	begun := false
	return dcb.From(is).Then(func() []dcb.AnyFact {
		if begun {
			return nil
		}
		begun, next = true, c.applied(is.Value)
		return mapped.start(next, is.Value)
	}).Then(mapped.next).Decide(func() ([]dcb.Event, error) {
		if !is.Value.Exists() {
			return nil, domain.At("/id", domain.ErrIssuerUnknown)
		}
		if err := checkIssuerTerms(next); err != nil {
			return nil, err
		}
		switch {
		case sameTerms(next, is.Value):
			return nil, nil
		case vouchesMore(next, is.Value) && !env.Rights.HoldsEverything():
			return nil, domain.ErrMayNotGive
		}
		if err := mapped.refusal(); err != nil {
			return nil, err
		}
		return dcb.Emit(domain.IssuerChanged(next))
	})
}

func (c ChangeIssuer) applied(i domain.Issuer) domain.Issuer {
	replace(&i.Name, c.Name, c.Name != "")
	replace(&i.ClientID, c.ClientID, c.ClientID != "")
	replace(&i.Scopes, c.Scopes, c.Scopes != nil)
	replace(&i.Provisioning, c.Provisioning, c.Provisioning != "")
	if c.ClientSecret != nil {
		i.ClientSecret = *c.ClientSecret
	}
	if c.Audiences != nil {
		i.Audiences = *c.Audiences
	}
	if c.GroupsClaim != nil {
		i.GroupsClaim = *c.GroupsClaim
	}
	if c.GroupMap != nil {
		i.GroupMap = mappings(*c.GroupMap)
	}
	if c.Enabled != nil {
		i.Enabled = *c.Enabled
	}
	return i
}

func replace[T any](at *T, with T, given bool) {
	if given {
		*at = with
	}
}

// RemoveIssuer ends the trust in an issuer. Users, links and memberships stay.
type RemoveIssuer struct {
	ID domain.IssuerID `json:"id" required:"true" description:"the issuer"`
}

func (c RemoveIssuer) Target() dcb.Tagger { return c.ID }

func (c RemoveIssuer) Decide(env Env) dcb.Decision {
	is := domain.IssuerOf(c.ID)
	return dcb.From(is).Decide(func() ([]dcb.Event, error) {
		switch {
		case is.Value.Issuer != c.ID:
			return nil, domain.At("/id", domain.ErrIssuerUnknown)
		case !is.Value.Exists():
			return nil, nil
		}
		return dcb.Emit(domain.IssuerRemoved{Issuer: c.ID, Tenant: env.Tenant})
	})
}

// mappings is a group map in the order of its values.
func mappings(m map[string]domain.GroupID) []domain.GroupMapping {
	var all []domain.GroupMapping
	for _, value := range slices.Sorted(maps.Keys(m)) {
		all = append(all, domain.GroupMapping{Value: value, Group: m[value]})
	}
	return all
}

// mapped guards that nobody has others put into groups, or taken out of them, where they may not do so by hand.
type mapped struct {
	given  *grants
	left   *leaving[domain.GroupID, domain.Group]
	groups []*dcb.Fact[domain.Group]
}

func (env Env) mapped() *mapped { return &mapped{given: env.grants(), left: env.leavingGroup()} }

// start asks about the groups that an issuer's word leads to and did not before, about all of them where it now registers people, and
// about those that it may lead to no more: without its scope, a claim is not told.
func (m *mapped) start(next, before domain.Issuer) []dcb.AnyFact {
	if len(next.GroupMap) > maxMappings {
		return nil
	}
	var facts []dcb.AnyFact
	same := next.GroupsClaim == before.GroupsClaim
	for _, g := range next.GroupMap {
		stands := same && slices.Contains(before.GroupMap, g)
		if !stands {
			f := domain.GroupOf(g.Group)
			m.groups = append(m.groups, f)
			facts = append(facts, f)
		}
		if !stands || registersMore(next, before) {
			facts = append(facts, m.given.group(g.Group)...)
		}
	}
	for _, g := range before.GroupMap {
		if !same || !slices.Contains(next.GroupMap, g) || lacks(next.Scopes, before.Scopes) {
			facts = append(facts, m.left.start(g.Group)...)
		}
	}
	return facts
}

func (m *mapped) next() []dcb.AnyFact { return append(m.given.next(), m.left.next()...) }

func (m *mapped) refusal() error {
	for _, g := range m.groups {
		if !g.Value.Exists {
			return domain.At("/group_map", domain.ErrGroupUnknown)
		}
	}
	return domain.FirstError(m.given.refusal(), m.left.refusal(nil))
}

func registersMore(next, before domain.Issuer) bool {
	return next.Provisioning != before.Provisioning && next.Provisioning != domain.ProvisionNobody
}

// lacks reports whether not all of them are in the list.
func lacks(list, them []string) bool {
	return slices.ContainsFunc(them, func(s string) bool { return !slices.Contains(list, s) })
}

func sameTerms(a, b domain.Issuer) bool {
	return a.Name == b.Name && a.Provisioning == b.Provisioning && a.GroupsClaim == b.GroupsClaim && a.Enabled == b.Enabled &&
		a.ClientID == b.ClientID && a.ClientSecret == b.ClientSecret && slices.Equal(a.Scopes, b.Scopes) &&
		slices.Equal(a.Audiences, b.Audiences) && slices.Equal(a.GroupMap, b.GroupMap)
}

// vouchesMore reports whether the issuer may be believed where it was not before.
func vouchesMore(next, before domain.Issuer) bool {
	return next.ClientID != before.ClientID || next.ClientSecret != before.ClientSecret || next.Enabled && !before.Enabled ||
		lacks(before.Audiences, next.Audiences)
}

const (
	maxMappings  = 200
	maxScopes    = 20
	maxAudiences = 20
)

func checkIssuerTerms(i domain.Issuer) error {
	err := domain.FirstError(
		domain.CheckName("/name", i.Name), domain.CheckName("/client_id", i.ClientID), checkReference(i.ClientSecret),
		i.Provisioning.Check("/provisioning"), checkScopes(i.Scopes))
	switch {
	case err != nil:
		return err
	case len(i.Audiences) > maxAudiences:
		return domain.Invalid("/audiences", "must be at most %d", maxAudiences)
	case len(i.GroupMap) > maxMappings:
		return domain.Invalid("/group_map", "must be at most %d", maxMappings)
	case len(i.GroupMap) > 0 && i.GroupsClaim == "":
		return domain.Invalid("/groups_claim", "must be given with a group_map")
	case i.GroupsClaim != "":
		err = domain.CheckName("/groups_claim", i.GroupsClaim)
	}
	for _, a := range i.Audiences {
		err = domain.FirstError(err, domain.CheckName("/audiences", a))
	}
	for _, m := range i.GroupMap {
		err = domain.FirstError(err, domain.CheckName("/group_map", m.Value))
	}
	return err
}

// checkScopes refuses what is no scope token (RFC 6749, section 3.3), and scopes without openid.
func checkScopes(scopes []string) error {
	if !slices.Contains(scopes, "openid") || len(scopes) > maxScopes {
		return domain.Invalid("/scopes", "must be at most %d, openid among them", maxScopes)
	}
	for _, s := range scopes {
		if s == "" || len(s) > domain.MaxName || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return domain.Invalid("/scopes", "must be of visible ASCII characters without quotation marks")
		}
	}
	return nil
}

// checkReference refuses a client secret that is not kept as one.
func checkReference(s string) error {
	if s == "" {
		return nil
	}
	_, err := domain.ParseSecretRef("/client_secret", s)
	return err
}
