package access

import (
	"fmt"

	"chancery/domain"
)

// app weighs whether the app whose privilege is asked about is at work in the tenant; it returns why not. Who is asked what they may do
// alone, before they do it as somebody else, is not asked this again.
func (w *witness) app() Reason {
	name, ours := w.x.appOf(w.q.Privilege)
	if !ours || w.alone {
		return ""
	}
	links := []Link{{"app", name.ID().String(), w.x.apps[name]}}
	a := w.t.apps[name]
	if a == nil || a.at == 0 {
		w.step(RuleApp, false, fmt.Sprintf("the app %s was never enabled in the tenant", name), links...)
		return AppDisabled
	}
	links = append(links, Link{"tenant-app", name.In(w.t.id).String(), a.at}, Link{"app-version", name.VersionID(a.number).String(), a.at})
	if !a.enabled {
		w.step(RuleApp, false, fmt.Sprintf("the app %s is disabled in the tenant", name), links...)
		return AppDisabled
	}
	if _, brought := a.brings[w.q.Privilege]; !brought {
		w.step(RuleApp, false, fmt.Sprintf("the app %s is enabled in version %s, which does not bring the privilege", name, a.number), links...)
		return AppDisabled
	}
	w.step(RuleApp, true, fmt.Sprintf("the app %s is enabled in version %s", name, a.number), links...)
	if a.needs && !w.licenses(name, a.licenses) {
		return LicenseEnded
	}
	return ""
}

// licenses weighs those of the tenant for an app that needs one.
func (w *witness) licenses(name domain.App, held []*license) bool {
	some := false
	for _, l := range held {
		state := l.State(w.q.At)
		var links []Link
		for _, at := range l.positions() {
			links = append(links, Link{"license", l.ID.String(), at})
		}
		w.step(RuleLicense, state.InForce(), l.words(state), links...)
		some = some || state.InForce()
	}
	if len(held) == 0 {
		w.step(RuleLicense, false, fmt.Sprintf("the app %s needs a licence, and the tenant has none for it", name))
	}
	return some
}

// words tell how a licence stands.
func (l *license) words(state domain.LicenseState) string {
	switch state {
	case domain.LicenseIsEarly:
		return "the licence begins at " + l.Terms.Window.From.UTC().Format(instant)
	case domain.LicenseInGrace:
		return "the licence ended, and its time of grace lasts until " + l.Terms.GraceUntil().UTC().Format(instant)
	case domain.LicenseIsOver:
		return "the licence and its time of grace ended at " + l.Terms.GraceUntil().UTC().Format(instant)
	case domain.LicenseIsSuspended, domain.LicenseIsRevoked, domain.LicenseIsActive:
	}
	return "the licence is " + string(state)
}
