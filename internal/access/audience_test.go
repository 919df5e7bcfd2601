package access_test

import (
	"slices"
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/access"
)

func TestAnAppIsTheAudienceOfATenantThatItWorksIn(t *testing.T) {
	s := shop(t)
	at := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	expect := func(when string, app domain.App, at time.Time, open bool, number domain.Semver, deliverable ...domain.EventPattern) {
		t.Helper()
		if got := s.Audience(acme, app, at); got.Open != open || got.Number != number || !slices.Equal(got.Deliverable, deliverable) {
			t.Errorf("%s, %s: %+v", when, app, got)
		}
	}
	expect("at first", "wiki", at, true, "1.0.0", "*")
	expect("under its licence", "shop", at, true, "1.0.0", "*")
	expect("when that is over", "shop", at.AddDate(0, 1, 0), false, "1.0.0", "*")
	expect("never enabled", "crm", at, false, "", "*")
	key := domain.EventsDeliverable.Key
	s.tell(acme, domain.PolicySet{Policy: domain.EventsDeliverable.ID(acme), Key: key, Value: "core.user.* shop.*", Version: 1})
	expect("narrowed", "wiki", at, true, "1.0.0", "core.user.*", "shop.*")
	s.tell(acme, domain.PolicyReset{Policy: domain.EventsDeliverable.ID(acme), Key: key, Version: 2})
	expect("taken back", "wiki", at, true, "1.0.0", "*")
	s.tell(domain.Root, domain.TenantSuspended{Tenant: acme})
	expect("suspended", "wiki", at, false, "1.0.0", "*")
	s.tell(domain.Root, domain.TenantReactivated{Tenant: acme})
	s.tell(acme, domain.AppDisabled{TenantApp: domain.App("wiki").In(acme), Name: "wiki"})
	expect("disabled", "wiki", at, false, "1.0.0", "*")
	if got := access.New().Audience(acme, "wiki", at); got.Open || got.Deliverable != nil {
		t.Errorf("of a tenant that is none: %+v", got)
	}
}
