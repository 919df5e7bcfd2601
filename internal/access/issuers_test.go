package access_test

import (
	"errors"
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

func issuerIn(t domain.TenantID, n int) domain.IssuerAdded {
	return domain.IssuerAdded{
		Issuer: domain.IssuerID{UUID: named('i', n)}, Tenant: t, Name: "ID", URL: "https://id.test", ClientID: "c", Audiences: []string{"api"}, Enabled: true,
	}
}

func subject(s string) (dcb.Claim, dcb.Tag) {
	c := domain.IdentityClaim("https://id.test", s).Hashed(dcb.Tag("identity:hash of " + s))
	return c, c.Tag()
}

func TestAnIssuerIsKnownWhileItIsInUse(t *testing.T) {
	s := begin(t)
	e := issuerIn(acme, 1)
	known := func() bool { _, ok := s.Issuer(acme, e.Issuer); return ok }
	s.tell(acme, e)
	if got := s.IssuersAt(e.URL); !known() || len(got) != 1 || got[0].Tenant != acme {
		t.Fatalf("known %v, %v", known(), got)
	}
	if _, ok := s.Issuer(domain.Root, e.Issuer); ok {
		t.Error("it is known in another tenant")
	}
	s.tell(domain.Root, domain.IssuerRemoved{Issuer: e.Issuer, Tenant: acme}) // what a tenant says of another's things is not heard
	off, silent := domain.IssuerChanged(e), domain.IssuerChanged(e)
	off.Enabled, silent.Audiences = false, nil
	if s.tell(acme, off); known() || len(s.IssuersAt(e.URL)) != 0 {
		t.Error("it is known though it is disabled")
	}
	if s.tell(acme, silent); !known() || len(s.IssuersAt(e.URL)) != 0 {
		t.Error("it accepts bearer tokens that nobody asked for")
	}
	s.tell(acme, domain.IssuerChanged(e), domain.TenantSuspended{Tenant: acme})
	if known() {
		t.Error("it is known in a suspended tenant")
	}
	s.tell(acme, domain.TenantReactivated{Tenant: acme}, domain.IssuerRemoved{Issuer: e.Issuer, Tenant: acme}, domain.IssuerChanged(e), e)
	if known() || len(s.IssuersAt(e.URL)) != 0 {
		t.Error("it is known though it was removed")
	}
}

func TestWhoAnIssuersSubjectIs(t *testing.T) {
	s := begin(t)
	by := domain.Issuer(issuerIn(acme, 1))
	claim, key := subject("42")
	ask := func() (access.Caller, error) { return s.Identified(by, key, noon, noon.Add(time.Hour)) }
	reason := func(want access.Reason) {
		t.Helper()
		_, err := ask()
		var r *access.Rejection
		if !errors.As(err, &r) || r.Reason != want {
			t.Errorf("rejected with %v, want %s", err, want)
		}
	}
	reason(access.TokenUnlinked)
	link := domain.IdentityLinked{Identity: domain.IdentityID{UUID: named('l', 1)}, User: ann, Issuer: by.URL, Key: claim}
	s.tell(domain.Root, link)
	reason(access.TokenUnlinked)
	link.Identity.UUID = named('l', 2)
	s.tell(acme, link)
	c, err := ask()
	if err != nil || c.User != ann || c.Tenant != acme || c.Issuer != by.Issuer || !c.AuthenticatedAt.Equal(noon) || c.ProofLasts <= 0 || len(c.Scopes) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	s.tell(acme, domain.UserDeactivated{User: ann})
	reason(access.SubjectInactive)
	s.tell(acme, domain.UserReactivated{User: ann}, domain.IdentityUnlinked{Identity: link.Identity, User: ann, Released: claim})
	reason(access.TokenUnlinked)
	link.Identity.UUID, link.User = named('l', 3), ben
	if s.tell(acme, link); func() domain.UserID { c, _ := ask(); return c.User }() != ben {
		t.Error("linked anew, it is not the new user")
	}
	s.tell(acme, domain.TenantSuspended{Tenant: acme})
	reason(access.HomeInactive)
}

func TestASessionLivesAsLongAsItsIssuerIsTrusted(t *testing.T) {
	s := begin(t)
	e := issuerIn(acme, 1)
	id := domain.SessionID{UUID: named('s', 1)}
	hash := [32]byte{1}
	ask := func() (access.Caller, error) { return s.AuthenticateSession(id, hash, noon) }
	started := domain.SessionStarted{
		Session: id, User: ann, Hash: hash[:], Methods: []string{"fed"}, Issuer: e.Issuer, Idle: 1 << 30, ExpiresAt: noon.Add(time.Hour), ProvenAt: noon.Add(-time.Hour),
	}
	s.tell(acme, e)
	signedIn := page(s.n+1, acme, started)
	signedIn[0].RecordedAt = noon
	if err := s.Apply(signedIn); err != nil {
		t.Fatal(err)
	}
	s.n++
	if c, err := ask(); err != nil || !c.AuthenticatedAt.Equal(noon.Add(-time.Hour)) {
		t.Errorf("%+v, %v", c, err)
	}
	s.tell(acme, domain.IssuerRemoved{Issuer: e.Issuer, Tenant: acme})
	if _, err := ask(); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("after the issuer: %v", err)
	}
}
