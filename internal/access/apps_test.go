package access_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/dcb"
)

// shop is acme, where Ann may use the wiki and, under a licence for June, the shop.
func shop(t testing.TB) *story {
	s := begin(t)
	s.tell(domain.Root, domain.AppRegistered{App: domain.App("wiki").ID(), Name: "wiki"}, domain.AppRegistered{App: domain.App("shop").ID(), Name: "shop"})
	s.give(ann, "*", "", domain.Window{})
	s.tell(acme, enabled("wiki", "1.0.0", false, "wiki.read", "wiki.write"), enabled("shop", "1.0.0", true, "shop.sell"), june())
	return s
}

var juneID = domain.LicenseID{UUID: named('L', 6)}

func june() domain.LicenseIssued {
	return domain.LicenseIssued{
		License: juneID, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(domain.Root), App: domain.OfApp(domain.App("shop").ID()), Held: domain.App("shop").HeldBy(acme), Name: "shop", Revision: 1,
		Terms: domain.Terms{
			Window: domain.Window{From: noon, Until: noon.AddDate(0, 0, 30)}, GraceDays: 3,
			Entitlements: []domain.Entitlement{
				{Name: "reports", Kind: domain.Feature}, {Name: "tills", Kind: domain.Limit, Limit: 4},
				{Name: "sales", Kind: domain.Meter, Limit: 100, Period: domain.PerMonth},
				{Name: "mails", Kind: domain.Meter, Limit: 10, Period: domain.Once, Soft: true},
			},
		},
		File: domain.File{Blob: strings.Repeat("x", 2000)},
	}
}

func enabled(name domain.App, n domain.Semver, needs bool, brings ...domain.Privilege) domain.AppEnabled {
	e := domain.AppEnabled{TenantApp: name.In(acme), Name: name, Number: n, LicenseRequired: needs}
	for _, p := range brings {
		e.Brings = append(e.Brings, domain.Brought{Privilege: p})
	}
	return e
}

func disabled(name domain.App) domain.AppDisabled {
	return domain.AppDisabled{TenantApp: name.In(acme), Name: name}
}

func TestAnAppStandsInATenantAsItsOwnEventsSay(t *testing.T) {
	s := shop(t)
	over := noon.AddDate(0, 0, 33)
	is := func(name domain.App, at time.Time, want access.AppState) {
		t.Helper()
		want.Position = s.Position()
		if diff := cmp.Diff(want, s.App(acme, name, at)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	is("wiki", noon, access.AppState{Registered: true, Enabled: true, Number: "1.0.0", License: domain.LicenseIsOver, Works: true})
	is("shop", noon, access.AppState{Registered: true, Enabled: true, Number: "1.0.0", Needs: true, License: domain.LicenseIsActive, Works: true})
	is("shop", over, access.AppState{Registered: true, Enabled: true, Number: "1.0.0", Needs: true, License: domain.LicenseIsOver})
	is("shop", noon.Add(-1), access.AppState{Registered: true, Enabled: true, Number: "1.0.0", Needs: true, License: domain.LicenseIsEarly})
	is("mail", noon, access.AppState{License: domain.LicenseIsOver})

	s.tell(domain.Root, domain.AppDisabled{TenantApp: domain.App("wiki").In(acme), Name: "wiki"}) // not its tenant
	s.tell(acme, domain.AppDisabled{TenantApp: domain.App("wiki").In(domain.Root), Name: "wiki"}, // not its id
		domain.AppRegistered{App: domain.App("mail").ID(), Name: "mail"}) // not the platform
	is("wiki", noon, access.AppState{Registered: true, Enabled: true, Number: "1.0.0", License: domain.LicenseIsOver, Works: true})
	is("mail", noon, access.AppState{License: domain.LicenseIsOver})
	s.tell(acme, disabled("wiki"))
	is("wiki", noon, access.AppState{Registered: true, Number: "1.0.0", License: domain.LicenseIsOver})
}

func TestAnExplanationNamesTheAppTheLicenceAndTheirEvents(t *testing.T) {
	s := shop(t)
	registered, enabledAt, issued := int64(7), s.Position()-1, s.Position()
	links := []access.Link{
		{Kind: "app", ID: domain.App("shop").ID().String(), Position: registered},
		{Kind: "tenant-app", ID: domain.App("shop").In(acme).String(), Position: enabledAt},
		{Kind: "app-version", ID: domain.App("shop").VersionID("1.0.0").String(), Position: enabledAt},
	}
	license := access.Link{Kind: "license", ID: juneID.String(), Position: issued}
	steps := func(at time.Time) (out []access.Step) {
		for _, step := range s.Explain(access.Question{Tenant: acme, User: ann, Privilege: "shop.sell", At: at}).Steps {
			if step.Rule == access.RuleApp || step.Rule == access.RuleLicense {
				out = append(out, step)
			}
		}
		return out
	}
	same := func(got []access.Step, want ...access.Step) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	}
	app := access.Step{Rule: access.RuleApp, Counts: true, Note: "the app shop is enabled in version 1.0.0", Links: links}
	same(steps(noon), app, access.Step{Rule: access.RuleLicense, Counts: true, Note: "the licence is active", Links: []access.Link{license}})
	same(steps(noon.AddDate(0, 0, 31)), app, access.Step{
		Rule: access.RuleLicense, Counts: true, Note: "the licence ended, and its time of grace lasts until 2026-07-04T12:00:00Z", Links: []access.Link{license},
	})
	same(steps(noon.AddDate(0, 0, 33)), app, access.Step{
		Rule: access.RuleLicense, Note: "the licence and its time of grace ended at 2026-07-04T12:00:00Z", Links: []access.Link{license},
	})
	same(steps(noon.Add(-1)), app, access.Step{Rule: access.RuleLicense, Note: "the licence begins at 2026-06-01T12:00:00Z", Links: []access.Link{license}})

	s.tell(acme, domain.LicenseSuspended{License: juneID, Holder: domain.HomeIn(acme)})
	word := license
	word.Position = s.Position()
	same(steps(noon), app, access.Step{Rule: access.RuleLicense, Note: "the licence is suspended", Links: []access.Link{license, word}})

	s.tell(acme, enabled("shop", "2.0.0", true))
	links[1].Position, links[2].Position = s.Position(), s.Position()
	links[2].ID = domain.App("shop").VersionID("2.0.0").String()
	same(steps(noon), access.Step{Rule: access.RuleApp, Note: "the app shop is enabled in version 2.0.0, which does not bring the privilege", Links: links})
	s.tell(acme, disabled("shop"))
	links[1].Position, links[2].Position = s.Position(), s.Position()
	same(steps(noon), access.Step{Rule: access.RuleApp, Note: "the app shop is disabled in the tenant", Links: links})
}

func TestAnAppThatNeedsALicenceAndHasNoneIsExplained(t *testing.T) {
	s := begin(t)
	s.tell(domain.Root, domain.AppRegistered{Name: "shop"})
	s.give(ann, "shop.*", "", domain.Window{})
	s.tell(acme, enabled("shop", "1.0.0", true, "shop.sell"))
	e := s.Explain(access.Question{Tenant: acme, User: ann, Privilege: "shop.sell", At: noon})
	found := false
	for _, step := range e.Steps {
		found = found || step.Rule == access.RuleLicense && !step.Counts && step.Note == "the app shop needs a licence, and the tenant has none for it"
	}
	if !found || e.Why != access.LicenseEnded {
		t.Errorf("%+v", e)
	}
}

func TestATokenSpeaksForAnAppOnlyWhileItWorks(t *testing.T) {
	s := shop(t)
	over := noon.AddDate(1, 0, 0)
	apps := map[domain.App]domain.TokenID{}
	for i, name := range []domain.App{"wiki", "shop", "cron"} {
		id := domain.TokenID{UUID: named('k', i)}
		hash := sha256.Sum256([]byte(name))
		apps[name] = id
		s.tell(acme, domain.TokenIssued{Token: id, User: ann, Hash: hash[:], ExpiresAt: over, App: name})
	}
	speaks := func(name domain.App, at time.Time, want string) {
		t.Helper()
		c, err := s.Authenticate(apps[name], sha256.Sum256([]byte(name)), at)
		if err != nil || c.App != want || c.User != ann {
			t.Errorf("a token of %s speaks for %q: %+v, %v", name, c.App, c, err)
		}
	}
	speaks("cron", noon, "cron") // nobody registered it
	speaks("wiki", noon, "wiki")
	speaks("shop", noon, "shop")
	speaks("shop", noon.AddDate(0, 0, 33), "")
	s.tell(acme, disabled("wiki"))
	speaks("wiki", noon, "")
	s.tell(domain.Root, domain.AppRegistered{Name: "cron"})
	speaks("cron", noon, "")
}

func TestWhatMayBeHandedOutDoesNotRestOnAppsAtWork(t *testing.T) {
	s := shop(t)
	s.tell(acme, disabled("wiki"))
	r := s.Rights(access.Caller{User: ann, Tenant: acme}, acme, noon)
	if s.may(ann, "wiki.read") || !r.Holds("wiki.read", "") || !r.Holds("shop.*", "") || !r.HoldsEverything() || r.Denied("wiki.read", "") {
		t.Error("an administrator cannot prepare roles for an app")
	}
}

func TestAPreviewSeesWhatAnAppBringsAndTakes(t *testing.T) {
	s := shop(t)
	s.give(ben, "wiki.read", "page:1", domain.Window{})
	before := s.log
	compare := func(e dcb.Event, gained, lost []domain.Right) {
		t.Helper()
		was, is := access.New(), access.New()
		for _, x := range []*access.Index{was, is} {
			if err := x.Apply(before); err != nil {
				t.Fatal(err)
			}
		}
		if err := is.Apply(page(is.Position()+1, acme, e)); err != nil {
			t.Fatal(err)
		}
		changes, _ := access.Compare(was, is, acme, noon, 0)
		if len(gained)+len(lost) == 0 {
			if len(changes) > 0 {
				t.Errorf("%T: %+v", e, changes)
			}
			return
		}
		if len(changes) == 0 || changes[0].User != ann {
			t.Fatalf("%T: %+v", e, changes)
		}
		if diff := cmp.Diff([][]domain.Right{gained, lost}, [][]domain.Right{changes[0].Gained, changes[0].Lost}); diff != "" {
			t.Errorf("%T (-want +got):\n%s", e, diff)
		}
	}
	right := func(p domain.Privilege) []domain.Right { return []domain.Right{{Privilege: p}} }
	compare(upgraded("wiki", "2.0.0", "wiki.read", "wiki.draw"), right("wiki.draw"), right("wiki.write"))
	compare(disabled("shop"), nil, right("shop.sell"))
	compare(domain.LicenseSuspended{License: juneID, Holder: domain.HomeIn(acme)}, nil, right("shop.sell"))
	compare(domain.AppPinned{TenantApp: domain.App("wiki").In(acme), Name: "wiki"}, nil, nil)
}

func upgraded(name domain.App, n domain.Semver, brings ...domain.Privilege) domain.AppUpgraded {
	e := enabled(name, n, false, brings...)
	return domain.AppUpgraded{TenantApp: e.TenantApp, Name: name, From: "1.0.0", Number: n, Brings: e.Brings}
}

// What ends with a licence is announced by the record of its end: before it the right was there until the end, behind it it was not.
func TestTheRecordOfALicencesEndTakesWhatItGave(t *testing.T) {
	s := shop(t)
	end := noon.AddDate(0, 0, 33)
	ended := dcb.Recorded{Meta: dcb.Meta{Tenant: acme.UUID}, Event: domain.LicenseEnded{License: juneID, Holder: domain.HomeIn(acme), Ended: end}}
	at, over := s.EndOf(ended)
	if !over || !at.Equal(end) {
		t.Fatalf("ended at %s: %v", at, over)
	}
	q := access.Question{Tenant: acme, User: ann, Privilege: "shop.sell", At: end.Add(-1)}
	before := s.Decide(q).Allowed
	s.tell(acme, ended.Event)
	if after := s.Decide(q); !before || after.Why != access.LicenseEnded {
		t.Errorf("before %v, after %v", before, after)
	}
	renewed := june()
	renewed.Terms.Window.Until = end.AddDate(1, 0, 0)
	s.tell(acme, domain.LicenseRenewed(renewed))
	if !s.Decide(q).Allowed {
		t.Error("a renewal did not bring it back")
	}
}

func TestEverybodyIsConcernedByWhatChangesAnApp(t *testing.T) {
	s := shop(t)
	l := june()
	up := upgraded("wiki", "2.0.0")
	for _, e := range []dcb.Event{
		enabled("wiki", "1.0.0", false), up, domain.AppRolledBack{TenantApp: up.TenantApp, Name: "wiki", Number: "1.0.0"}, disabled("wiki"),
		l, domain.LicenseRenewed(l), domain.LicenseChanged(l), domain.LicenseSuspended{License: juneID, Holder: l.Holder}, domain.LicenseReinstated{License: juneID, Holder: l.Holder},
		domain.LicenseRevoked{License: juneID, Holder: l.Holder}, domain.LicenseEnded{License: juneID, Holder: l.Holder},
	} {
		r := dcb.Recorded{Meta: dcb.Meta{Tenant: acme.UUID}, Event: e}
		if whom := s.Concerned(acme, r); !slices.Contains(whom, ann) || !slices.Contains(whom, ben) {
			t.Errorf("%T concerns %v alone", e, whom)
		}
		if !slices.Contains(access.Weighty(), e.EventType()) {
			t.Errorf("%T is not among the events that change rights", e)
		}
	}
	// What the platform's log says of somebody else's licence is a copy, and concerns nobody here.
	for _, e := range []dcb.Event{domain.LicenseIssued{License: juneID, Holder: domain.HomeID{UUID: named('t', 9)}}, domain.LicenseRevoked{License: juneID, Holder: domain.HomeID{UUID: named('t', 9)}}} {
		if whom := s.Concerned(acme, dcb.Recorded{Meta: dcb.Meta{Tenant: domain.Root.UUID}, Event: e}); len(whom) > 0 {
			t.Errorf("%T of another tenant concerns %v", e, whom)
		}
	}
}
