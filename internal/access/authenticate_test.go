package access_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/internal/access"
)

func TestATokenIsAcceptedOrRefusedWithoutSayingWhy(t *testing.T) {
	id := domain.TokenID{UUID: named('k', 1)}
	hash, next := sha256.Sum256([]byte("secret")), sha256.Sum256([]byte("rotated"))
	issued := func(s *story) {
		s.tell(acme, domain.TokenIssued{Token: id, User: ann, Hash: hash[:], Scopes: []domain.Pattern{"repo.*"}, ExpiresAt: noon})
	}
	before := noon.Add(-1)
	for _, c := range []struct {
		name string
		tell func(s *story)
		hash [32]byte
		now  time.Time
		why  access.Reason
	}{
		{"a good one", issued, hash, before, ""},
		{"at the instant it expires", issued, hash, noon, access.TokenExpired},
		{"with another hash", issued, next, before, access.TokenWrong},
		{"with no hash", issued, [32]byte{}, before, access.TokenWrong},
		{"one nobody issued", func(*story) {}, hash, before, access.TokenUnknown},
		{"one nobody issued with no hash", func(*story) {}, [32]byte{}, before, access.TokenUnknown},
		{"one whose stored hash is cut short", func(s *story) {
			s.tell(acme, domain.TokenIssued{Token: id, User: ann, Hash: hash[:31], ExpiresAt: noon})
		}, hash, before, access.TokenUnknown},
		{"one without an end", func(s *story) {
			s.tell(acme, domain.TokenIssued{Token: id, User: ann, Hash: hash[:]})
		}, hash, before, access.TokenExpired},
		{"a revoked one", func(s *story) { issued(s); s.tell(acme, domain.TokenRevoked{Token: id}) }, hash, before, access.TokenRevoked},
		{"one that another tenant revoked", func(s *story) { issued(s); s.tell(domain.Root, domain.TokenRevoked{Token: id}) }, hash, before, ""},
		{"one that was rotated", func(s *story) {
			issued(s)
			s.tell(acme, domain.TokenRotated{Token: id, Hash: next[:], ExpiresAt: noon})
		}, hash, before, access.TokenWrong},
		{"its new secret", func(s *story) {
			issued(s)
			s.tell(acme, domain.TokenRotated{Token: id, Hash: next[:], ExpiresAt: noon})
		}, next, before, ""},
		{"a revoked one that was rotated", func(s *story) {
			issued(s)
			s.tell(acme, domain.TokenRevoked{Token: id}, domain.TokenRotated{Token: id, Hash: next[:], ExpiresAt: noon})
		}, next, before, access.TokenRevoked},
		{"one issued twice", func(s *story) {
			issued(s)
			s.tell(acme, domain.TokenIssued{Token: id, User: ben, Hash: next[:], Scopes: []domain.Pattern{"*"}, ExpiresAt: noon})
		}, next, before, access.TokenWrong},
		{"of a deactivated user", func(s *story) { issued(s); s.tell(acme, domain.UserDeactivated{User: ann}) }, hash, before, access.SubjectInactive},
		{"of an erased user, whatever comes after", func(s *story) {
			issued(s)
			s.tell(acme, domain.UserErased{User: ann}, domain.UserReactivated{User: ann})
		}, hash, before, access.SubjectInactive},
		{"of a suspended tenant", func(s *story) { issued(s); s.tell(acme, domain.TenantSuspended{Tenant: acme}) }, hash, before, access.HomeInactive},
		{"of a user of another tenant", func(s *story) {
			s.tell(domain.Root, domain.TokenIssued{Token: id, User: ann, Hash: hash[:], ExpiresAt: noon})
		}, hash, before, access.TenantForeign},
		{"of a user of the platform in a tenant", func(s *story) {
			s.tell(domain.Root, domain.UserRegistered{User: domain.UserID{UUID: named('u', 9)}, Status: domain.UserActive})
			s.tell(acme, domain.TokenIssued{Token: id, User: domain.UserID{UUID: named('u', 9)}, Hash: hash[:], ExpiresAt: noon})
		}, hash, before, access.SubjectUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t)
			c.tell(s)
			got, err := s.Authenticate(id, c.hash, c.now)
			if c.why == "" {
				want := access.Caller{User: ann, Tenant: acme, Token: id, Scopes: []domain.Pattern{"repo.*"}, ExpiresAt: noon}
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v\n%s", err, diff)
				}
				return
			}
			var why *access.Rejection
			if !errors.Is(err, access.ErrUnauthenticated) || !errors.As(err, &why) || why.Reason != c.why {
				t.Errorf("want %s, got %v %+v", c.why, err, why)
			} else if err.Error() != access.ErrUnauthenticated.Error() {
				t.Errorf("the error says %q", err)
			}
			if got.User != (domain.UserID{}) || got.Scopes != nil {
				t.Errorf("a refused token names %+v", got)
			}
		})
	}
}

func TestATokenWithoutScopesMayDoNothing(t *testing.T) {
	s := begin(t)
	hash := sha256.Sum256([]byte("secret"))
	id := domain.TokenID{UUID: named('k', 1)}
	s.give(ann, "*", "", domain.Window{})
	s.tell(acme, domain.TokenIssued{Token: id, User: ann, Hash: hash[:], ExpiresAt: noon.Add(1)})
	c, err := s.Authenticate(id, hash, noon)
	if err != nil || c.Scopes == nil {
		t.Fatalf("caller %+v, %v", c, err)
	}
	if s.Decide(access.Question{Tenant: acme, User: c.User, Privilege: "repo.read", At: noon, Ceiling: c.Scopes}).Allowed {
		t.Error("it may")
	}
}

func TestATokenSpeaksForTheAppItWasIssuedFor(t *testing.T) {
	s := begin(t)
	id, hash, next := domain.TokenID{UUID: named('k', 1)}, sha256.Sum256([]byte("secret")), sha256.Sum256([]byte("rotated"))
	s.tell(acme, domain.TokenIssued{Token: id, User: ann, Hash: hash[:], ExpiresAt: noon, App: "billing"})
	if c, err := s.Authenticate(id, hash, noon.Add(-1)); err != nil || c.App != "billing" {
		t.Errorf("%+v %v", c, err)
	}
	s.tell(acme, domain.TokenRotated{Token: id, Hash: next[:], ExpiresAt: noon})
	if c, err := s.Authenticate(id, next, noon.Add(-1)); err != nil || c.App != "billing" {
		t.Errorf("rotated: %+v %v", c, err)
	}
}
