package commands_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// planned is a world with what was published, in which versions are at work in acme.
func planned(t *testing.T, versions []string, manifests ...string) *world {
	t.Helper()
	w := newWorld(t)
	var events []dcb.Pending
	for _, e := range publishedApps(t, manifests...) {
		events = append(events, dcb.Pending{Tenant: domain.Root.UUID, Event: e})
	}
	if _, _, err := w.Store.Append(t.Context(), []dcb.Part{{ID: named("published"), Events: events}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		w.must(t, w.order(acme, &commands.EnableApp{App: domain.App(v[:len(v)-6]), Version: domain.Semver(v[len(v)-5:])}))
	}
	return w
}

func TestAPlanTellsWhatAVersionBringsAndWhatIsMissing(t *testing.T) {
	w := planned(t, []string{"billing@1.0.0"}, billing10, ledger1, billing11, billing20)
	p, err := w.PlanApp(t.Context(), acme, "billing", "1.1.0")
	if err != nil {
		t.Fatal(err)
	}
	want := commands.AppPlan{
		Position: p.Position, App: "billing", Enabled: true, From: "1.0.0", To: "1.1.0", Hash: appPublished(t, billing11).Hash,
		Diff:  domain.ManifestChanges(parsedManifest(t, billing10), parsedManifest(t, billing11)),
		Needs: []commands.PlannedNeed{{App: "ledger", Range: "^1.0"}}, ConfigValid: true, Consent: []domain.Privilege{"billing.send"},
		Missing: []domain.Place{{Pointer: "/app", Detail: "needs the app ledger ^1.0, which was never enabled here"}},
	}
	if diff := cmp.Diff(want, p); diff != "" || p.Position == 0 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p, err := w.PlanApp(t.Context(), acme, "billing", ""); err != nil || p.To != "2.0.0" || len(p.Consent)+len(p.Missing) != 0 {
		t.Errorf("the latest: %+v, %v", p, err)
	}
	if p, err := w.PlanApp(t.Context(), globex, "billing", ""); err != nil || p.Enabled || p.From != "" || len(p.Diff.PrivilegesAdded) != 1 {
		t.Errorf("elsewhere: %+v, %v", p, err)
	}
}

func TestAPlanSaysWhatStandsInTheWay(t *testing.T) {
	w := planned(t, []string{"ledger@1.2.0", "billing@1.1.0"}, ledger1, ledger2, billing11)
	p, err := w.PlanApp(t.Context(), acme, "ledger", "2.0.0")
	if want := (domain.Place{Pointer: "/version", Detail: "the app billing needs ledger ^1.0"}); err != nil || len(p.Missing) != 1 || p.Missing[0] != want {
		t.Errorf("%v, %v", p.Missing, err)
	}
	w.must(t, w.order(acme, &commands.PinApp{App: "ledger"}))
	if p, err = w.PlanApp(t.Context(), acme, "ledger", ""); err != nil || p.To != "1.2.0" || len(p.Missing) != 0 {
		t.Errorf("pinned: %+v, %v", p, err)
	}
	if p, err = w.PlanApp(t.Context(), acme, "ledger", "2.0.0"); err != nil || p.Missing[0].Detail != "is pinned to 1.2.0" {
		t.Errorf("pinned: %v, %v", p.Missing, err)
	}
	yank := domain.AppVersionYanked{Version: domain.App("ledger").VersionID("2.0.0"), App: domain.App("ledger").ID()}
	part := dcb.Part{ID: named("yanked"), Events: []dcb.Pending{{Tenant: domain.Root.UUID, Event: yank}}}
	if _, _, err := w.Store.Append(t.Context(), []dcb.Part{part}, nil); err != nil {
		t.Fatal(err)
	}
	if p, err = w.PlanApp(t.Context(), acme, "ledger", "2.0.0"); err != nil || p.Missing[0].Detail != domain.ErrVersionYanked.Text {
		t.Errorf("withdrawn: %v, %v", p.Missing, err)
	}
	w.must(t, w.order(acme, &commands.UnpinApp{App: "ledger"}))
	if p, err = w.PlanApp(t.Context(), acme, "ledger", ""); err != nil || p.To != "1.2.0" {
		t.Errorf("nothing later is left: %v, %v", p.To, err)
	}
	for name, version := range map[domain.App]domain.Semver{"none": "", "ledger": "9.9.9"} {
		if _, err := w.PlanApp(t.Context(), acme, name, version); !isRefusal(err, domain.ErrAppUnknown) && !isRefusal(err, domain.ErrVersionOfApp) {
			t.Errorf("%s %s: %v", name, version, err)
		}
	}
	if _, err := w.PlanApp(t.Context(), acme, "No", ""); !isRefusal(err, domain.ErrInvalid) {
		t.Errorf("a bad name: %v", err)
	}
}

func parsedManifest(t *testing.T, text string) domain.Manifest {
	t.Helper()
	m, _, _, err := domain.ParseManifest([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
