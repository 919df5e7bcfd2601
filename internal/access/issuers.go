package access

import (
	"slices"
	"strings"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// issuers is who vouches for whom. The index's mu owns it.
type issuers struct {
	known  map[domain.IssuerID]domain.Issuer
	at     map[string][]domain.IssuerID // by URL, in whichever tenants
	linked map[identity]domain.UserID
	names  map[domain.IdentityID]identity
}

// identity is an issuer's subject in a tenant, by its keyed hash.
type identity struct {
	tenant domain.TenantID
	key    dcb.Tag
}

func newIssuers() issuers {
	return issuers{
		map[domain.IssuerID]domain.Issuer{}, map[string][]domain.IssuerID{}, map[identity]domain.UserID{}, map[domain.IdentityID]identity{},
	}
}

func (x *Index) foldIssuer(t *tenant, event dcb.Event) {
	switch e := event.(type) {
	case domain.IssuerAdded:
		if _, twice := x.issuers.known[e.Issuer]; !twice {
			x.issuers.known[e.Issuer] = issuerIn(t, domain.Issuer(e))
			x.issuers.at[e.URL] = append(x.issuers.at[e.URL], e.Issuer)
		}
	case domain.IssuerChanged:
		if x.issuers.known[e.Issuer].Tenant == t.id {
			x.issuers.known[e.Issuer] = issuerIn(t, domain.Issuer(e))
		}
	case domain.IssuerRemoved:
		if i := x.issuers.known[e.Issuer]; i.Tenant == t.id {
			x.issuers.at[i.URL] = slices.DeleteFunc(x.issuers.at[i.URL], func(id domain.IssuerID) bool { return id == e.Issuer })
			if len(x.issuers.at[i.URL]) == 0 {
				delete(x.issuers.at, i.URL)
			}
			x.issuers.known[e.Issuer] = domain.Issuer{Issuer: e.Issuer} // ids are never reused
		}
	}
}

// issuerIn takes the tenant that the event was recorded in for the issuer's.
func issuerIn(t *tenant, i domain.Issuer) domain.Issuer { i.Tenant = t.id; return i }

func (x *Index) foldIdentity(t *tenant, event dcb.Event) {
	switch e := event.(type) {
	case domain.IdentityLinked:
		if _, twice := x.issuers.names[e.Identity]; !twice {
			name := identity{t.id, dcb.Tag(strings.Clone(string(e.Key.Tag())))}
			x.issuers.names[e.Identity], x.issuers.linked[name] = name, e.User
		}
	case domain.IdentityUnlinked:
		if name := x.issuers.names[e.Identity]; name.tenant == t.id {
			delete(x.issuers.linked, name)
		}
	}
}

// Issuer is an issuer of the tenant that is in use.
func (x *Index) Issuer(t domain.TenantID, id domain.IssuerID) (domain.Issuer, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	i := x.issuers.known[id]
	home := x.tenants[t]
	return i, i.Exists() && i.Enabled && i.Tenant == t && home != nil && home.status == domain.TenantActive
}

// IssuersAt are the issuers in use with that URL that take bearer tokens, in whichever tenants, in the order in which they were added.
func (x *Index) IssuersAt(url string) []domain.Issuer {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []domain.Issuer
	for _, id := range x.issuers.at[url] {
		if i := x.issuers.known[id]; i.Enabled && len(i.Audiences) > 0 {
			all = append(all, i)
		}
	}
	return all
}

// IssuerOver is why a session is not accepted whose issuer was disabled or removed.
const IssuerOver Reason = "issuer-over"

// TokenUnlinked is why a bearer token of an issuer is not accepted that is fine in itself.
const TokenUnlinked Reason = "token-unlinked"

// Identified is who an issuer's subject is in the issuer's tenant, by the keyed hash of both (domain.IdentityClaim). Seen is when the
// issuer last saw them prove who they are, until when what identified them ends.
func (x *Index) Identified(by domain.Issuer, key dcb.Tag, seen, until time.Time) (Caller, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := by.Tenant
	id, linked := x.issuers.linked[identity{t, key}]
	if !linked {
		return Caller{}, &Rejection{TokenUnlinked}
	}
	u, err := x.admitHome(id, t)
	if err != nil {
		return Caller{}, err
	}
	return Caller{
		User: u.id, Tenant: t, Issuer: by.Issuer, Scopes: everything, ExpiresAt: until, AuthenticatedAt: seen, ProofLasts: u.home.proofLasts,
	}, nil
}

var everything = []domain.Pattern{domain.Everything} // never changed
