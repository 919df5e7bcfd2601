package commands_test

import (
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
)

// tower is acme with modest, which needs a licence, atop, which needs modest, and higher, which needs atop.
func tower(t *testing.T, resumes bool) history {
	t.Helper()
	h := given(acmeLicense("modest")).elsewhere(domain.Root, publishedApps(t, modest, atop, higher)...)
	for _, name := range []domain.App{"modest", "atop", "higher"} {
		is := h.When(commands.EnableApp{App: name, Resumes: new(resumes)}.Decide(env()))
		h = h.and(is.Events(t)...)
	}
	return h
}

func appOff(app domain.App, reason string, drops ...domain.Privilege) domain.AppDisabled {
	return domain.AppDisabled{TenantApp: acmeApp(app), Name: app, Reason: reason, Drops: drops}
}

func TestWithItsLicenceAnAppEndsAndWhatNeedsIt(t *testing.T) {
	h := tower(t, true)
	end := commands.EndApp{App: "modest"}
	h.When(end.Decide(env())).ThenNothing(t)
	over := h.and(acmeRevoked("modest"))
	over.When(end.Decide(env())).Then(t,
		appOff("higher", domain.AppNeedDisabled),
		appOff("atop", domain.AppNeedDisabled, "atop.use"),
		appOff("modest", domain.AppLicenseEnded, "modest.use"))
	other := acmeLicense("modest")
	other.License = domain.LicenseID{UUID: named("another licence")}
	over.and(other).When(end.Decide(env())).ThenNothing(t)
	over.When(commands.EndApp{App: "atop"}.Decide(env())).ThenNothing(t) // it needs no licence itself
	done := over.and(over.When(end.Decide(env())).Events(t)...)
	done.When(end.Decide(env())).ThenNothing(t)
	over.and(appOff("higher", "")).When(end.Decide(env())).Then(t,
		appOff("atop", domain.AppNeedDisabled, "atop.use"), appOff("modest", domain.AppLicenseEnded, "modest.use"))
}

func TestARenewedLicenceBringsBackWhatEndedWithIt(t *testing.T) {
	h := tower(t, true).and(acmeRevoked("modest"))
	h = h.and(h.When(commands.EndApp{App: "modest"}.Decide(env())).Events(t)...)
	resume := func(app domain.App) commands.ResumeApp { return commands.ResumeApp{App: app} }
	h.When(resume("modest").Decide(env())).ThenNothing(t)
	h.When(resume("atop").Decide(env())).ThenPlaces(t, domain.ErrAppNotReady, "/app: needs the app modest ^1.0, which is disabled")
	renewed := acmeLicense("modest")
	renewed.License = domain.LicenseID{UUID: named("another licence")}
	h = h.and(renewed)
	modestAgain := domain.AppEnabled{
		TenantApp: acmeApp("modest"), Name: "modest", Number: "1.0.0", LicenseRequired: true, Resumes: true,
		Brings: []domain.Brought{{Privilege: "modest.use", Description: "use"}},
	}
	h.When(resume("modest").Decide(env())).Then(t, modestAgain)
	h = h.and(modestAgain)
	h.When(resume("modest").Decide(env())).ThenNothing(t)
	h.When(resume("atop").Decide(env())).Then(t, domain.AppEnabled{
		TenantApp: acmeApp("atop"), Name: "atop", Number: "1.0.0", Resumes: true,
		Brings: []domain.Brought{{Privilege: "atop.use", Description: "use"}}, Needs: []domain.Need{needOf("modest", "^1.0")},
	})
}

func TestNothingComesBackThatSomebodyDisabledOrThatWasNotToComeBack(t *testing.T) {
	resume := commands.ResumeApp{App: "modest"}
	renewed := acmeLicense("modest")
	renewed.License = domain.LicenseID{UUID: named("another licence")}
	for _, resumes := range []bool{false, true} {
		h := tower(t, resumes).and(acmeRevoked("modest"))
		h = h.and(h.When(commands.EndApp{App: "modest"}.Decide(env())).Events(t)...)
		off := commands.DisableApp{App: "modest", Reason: "for good"}
		said := h.When(off.Decide(env()))
		said.Then(t, appOff("modest", "for good"))
		if resumes {
			h = h.and(said.Events(t)...)
		}
		h.and(renewed).When(resume.Decide(env())).ThenNothing(t)
		if resumes {
			h.When(off.Decide(env())).ThenNothing(t)
		}
	}
	h := tower(t, true).and(acmeRevoked("modest"))
	h = h.and(h.When(commands.EndApp{App: "modest"}.Decide(env())).Events(t)...).and(renewed)
	yank := domain.AppVersionYanked{Version: domain.App("modest").VersionID("1.0.0"), App: domain.App("modest").ID()}
	h.elsewhere(domain.Root, yank).When(resume.Decide(env())).ThenRefused(t, domain.ErrVersionYanked)
	h.and(domain.TenantCreated{Tenant: acme}, domain.TenantClosed{Tenant: acme}).When(resume.Decide(env())).ThenNothing(t)
	h.When(commands.ResumeApp{App: "none"}.Decide(env())).ThenRefused(t, domain.ErrAppUnknown)
}

func TestWhatWasRecordedCountsWhereTheClockIsBehind(t *testing.T) {
	h := tower(t, true)
	l := acmeLicense("modest")
	over := domain.LicenseEnded{License: l.License, Holder: l.Holder, Vendor: l.Vendor, App: l.App, Held: l.Held, Ended: l.Terms.GraceUntil()}
	ends := h.and(over).When(commands.EndApp{App: "modest"}.Decide(env())).Events(t)
	if len(ends) != 3 {
		t.Errorf("a recorded end ends %v", ends)
	}
	later := l.Terms.Window.Until.Add(time.Hour)
	if ends := h.When(commands.EndApp{App: "modest", At: later}.Decide(env())).Events(t); len(ends) != 3 {
		t.Errorf("at the time of the cause it ends %v", ends)
	}
	h.When(commands.EndApp{App: "modest", At: now.Add(-time.Hour)}.Decide(env())).ThenNothing(t)

	off := h.and(over).and(ends...)
	off.When(commands.ResumeApp{App: "modest"}.Decide(env())).ThenNothing(t)
	soon := acmeLicense("modest")
	soon.License = domain.LicenseID{UUID: named("another licence")}
	soon.Terms = domain.Terms{Window: domain.Window{From: now.Add(time.Minute)}}
	off.and(soon).When(commands.ResumeApp{App: "modest"}.Decide(env())).ThenNothing(t)
	back := off.and(soon).When(commands.ResumeApp{App: "modest", At: now.Add(time.Minute)}.Decide(env()))
	if back.Err() != nil || len(back.Events(t)) != 1 {
		t.Errorf("at the time of the cause it is in force: %v", back.Err())
	}
}
