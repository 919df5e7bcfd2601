package access_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/internal/access"
)

func used(id domain.LicenseID, name, period string, total int64) domain.UsageRecorded {
	return domain.UsageRecorded{Meter: domain.MeterKey(id, name), License: domain.OfLicense(id), App: "shop", Name: name, Period: period, Total: total}
}

func TestAnEntitlementIsAnsweredFromTheLicencesInForce(t *testing.T) {
	s := shop(t)
	graceEnd := noon.AddDate(0, 0, 33)
	july := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	held := 1
	is := func(name string, at time.Time, want access.Entitled) {
		t.Helper()
		want.Position, want.Held = s.Position(), held
		if diff := cmp.Diff(want, s.Entitlement(acme, "shop", name, at)); diff != "" {
			t.Errorf("%s at %s (-want +got):\n%s", name, at, diff)
		}
	}
	active, over := domain.LicenseIsActive, domain.LicenseIsOver
	is("reports", noon, access.Entitled{Allowed: true, Kind: domain.Feature, State: active, Ends: graceEnd})
	is("reports", noon.AddDate(0, 0, 31), access.Entitled{Allowed: true, Kind: domain.Feature, State: domain.LicenseInGrace, Ends: graceEnd})
	is("reports", graceEnd, access.Entitled{State: over})
	is("reports", noon.Add(-1), access.Entitled{State: domain.LicenseIsEarly})
	is("tills", noon, access.Entitled{Allowed: true, Kind: domain.Limit, Limit: 4, Left: 4, State: active, Ends: graceEnd})
	is("nothing", noon, access.Entitled{State: active})
	is("sales", noon, access.Entitled{Allowed: true, Kind: domain.Meter, Limit: 100, Left: 100, Resets: july, State: active, Ends: graceEnd})

	s.tell(acme, used(juneID, "sales", "2026-06", 100), used(juneID, "mails", "once", 12))
	is("sales", noon, access.Entitled{Kind: domain.Meter, Limit: 100, Used: 100, Resets: july, State: active, Ends: graceEnd})
	is("sales", july, access.Entitled{
		Allowed: true, Kind: domain.Meter, Limit: 100, Left: 100, Resets: july.AddDate(0, 1, 0), State: active, Ends: graceEnd,
	})
	is("mails", noon, access.Entitled{Allowed: true, Kind: domain.Meter, Limit: 10, Used: 12, State: active, Ends: graceEnd}) // it may be owed

	second := june()
	second.License.UUID = named('L', 7)
	second.Terms.Window = domain.Window{From: noon.AddDate(0, 0, -10)}
	second.Terms.Entitlements = []domain.Entitlement{
		{Name: "tills", Kind: domain.Limit, Limit: 9}, {Name: "sales", Kind: domain.Meter, Limit: 50, Period: domain.PerDay}, {Name: "reports", Kind: domain.Limit, Limit: 3},
	}
	held = 2
	s.tell(acme, second, used(second.License, "sales", "2026-06-01", 20))
	is("tills", noon, access.Entitled{Allowed: true, Kind: domain.Limit, Limit: 9, Left: 9, State: active})
	is("reports", noon, access.Entitled{Allowed: true, Kind: domain.Feature, State: active, Ends: graceEnd}) // of one kind alone
	is("sales", noon, access.Entitled{
		Allowed: true, Kind: domain.Meter, Limit: 150, Used: 120, Left: 30, Resets: time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC), State: active,
	})
	is("sales", noon.Add(-1), access.Entitled{ // the first has not begun
		Allowed: true, Kind: domain.Meter, Limit: 50, Used: 20, Left: 30, Resets: time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC), State: active,
	})
	s.tell(acme, domain.LicenseRevoked{License: second.License, Holder: domain.HomeIn(acme)})
	is("sales", noon, access.Entitled{Kind: domain.Meter, Limit: 100, Used: 100, Resets: july, State: active, Ends: graceEnd})
}

func TestTheGroundsOfAnEntitlementNameEveryLicenceAndItsEvents(t *testing.T) {
	s := shop(t)
	issued := s.Position()
	s.tell(acme, used(juneID, "sales", "2026-06", 7), domain.LicenseSuspended{License: juneID, Holder: domain.HomeIn(acme)})
	got, grounds := s.ExplainEntitlement(acme, "shop", "sales", noon)
	want := []access.Ground{{
		License: juneID, State: domain.LicenseIsSuspended, Gives: &domain.Entitlement{Name: "sales", Kind: domain.Meter, Limit: 100, Period: domain.PerMonth},
		Used: 7, Events: []int64{issued, issued + 1, issued + 2},
	}}
	if diff := cmp.Diff(want, grounds); diff != "" || got.Allowed || got.State != domain.LicenseIsSuspended {
		t.Errorf("%+v; grounds (-want +got):\n%s", got, diff)
	}
	if _, grounds := s.ExplainEntitlement(domain.Root, "shop", "sales", noon); len(grounds) > 0 {
		t.Errorf("the vendor has grounds: %+v", grounds)
	}
}

func TestALicenceCountsInTheLogOfItsHolderAlone(t *testing.T) {
	s := shop(t)
	foreign := june()
	foreign.License.UUID, foreign.Name = named('L', 8), "wiki"
	s.tell(domain.Root, foreign) // the vendor's copy
	if e := s.Entitlement(domain.Root, "wiki", "reports", noon); e.Allowed {
		t.Errorf("the vendor is entitled: %+v", e)
	}
	if e := s.Entitlement(acme, "wiki", "reports", noon); e.Allowed {
		t.Errorf("a copy counts: %+v", e)
	}
	s.tell(domain.Root, domain.LicenseRevoked{License: juneID, Holder: domain.HomeIn(acme)}, used(juneID, "sales", "2026-06", 99))
	if e := s.Entitlement(acme, "shop", "sales", noon); !e.Allowed || e.Used != 0 {
		t.Errorf("another tenant's word counts: %+v", e)
	}
	taken := june()
	taken.Holder = domain.HomeIn(domain.Root)
	s.tell(domain.Root, taken) // under an id that is in use
	if s.Entitlement(domain.Root, "shop", "reports", noon).Allowed || !s.Entitlement(acme, "shop", "reports", noon).Allowed {
		t.Error("a licence changed hands")
	}
}
