package transport_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"chancery/domain"
)

func (w *world) delegate(t *testing.T, from, fromTenant, to, toTenant, privileges string) string {
	t.Helper()
	id := w.must(t, from, "/v1/tenants/"+fromTenant+"/commands/grant-delegation", fmt.Sprintf(
		`{"delegate_user_id":%q,"delegate_tenant":%q,"privileges":[%s],"until":"2026-03-10T00:00:00Z"}`, w.vars[to+"ID"], toTenant, privileges), "id")
	w.must(t, to, "/v1/tenants/"+toTenant+"/commands/accept-delegation", `{"id":"`+id+`"}`, "id")
	return id
}

func TestADelegateStaysOneFromTheFirstToTheLastOfManyLines(t *testing.T) {
	w := impersonable(t)
	id := w.delegate(t, "ann", "acme", "abe", "acme", `"core.groups.create"`)
	lines := slices.Repeat([]string{`{"command":"create-department","body":{"name":"x"}}`}, 501) // more than are decided together
	for _, query := range []string{"", "?atomic=true"} {
		rec := w.do("abe", "POST", "/v1/tenants/acme/commands"+query, strings.Join(lines, "\n"), "Content-Type", "application/x-ndjson", "Chancery-Delegation", id)
		got := answers(t, rec)
		if i := slices.IndexFunc(got, func(a answered) bool { return a.Status == 200 }); i >= 0 || len(got) != len(lines) {
			t.Errorf("%q: line %d of %d is done with the delegate's own rights", query, i, len(got))
		}
	}
}

func TestWhatAPersonOfThePlatformHoldsIsNotShownToTheTenantOfTheirDelegate(t *testing.T) {
	w := impersonable(t)
	w.must(t, "root", "/v1/tenants/root/commands/set-policy", `{"key":"`+domain.DelegateOut.Key+`","value":"true"}`, "id")
	w.must(t, "root", "/v1/tenants/acme/commands/set-policy", `{"key":"`+domain.DelegateIn.Key+`","value":"true"}`, "id")
	id := w.delegate(t, "root", "root", "abe", "acme", `"core.groups.create"`)
	ask := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"core.groups.create"},"resource":{"type":"tenant","id":"acme"},"context":{"explain":true,"delegation":%q}}`,
		w.vars["abeID"], id)
	for who, shown := range map[string]bool{"ann": false, "root": true} {
		rec := w.do(who, "POST", "/v1/tenants/acme/access/v1/evaluation", ask)
		if body := rec.Body.String(); rec.Code != 200 || !strings.HasPrefix(body, `{"decision":true`) || strings.Contains(body, `"reasons"`) != shown {
			t.Errorf("%s is told %d %s", who, rec.Code, body)
		}
	}
}

func TestWhatOneTenantDeniesIsNotToldToAnother(t *testing.T) {
	w := impersonable(t)
	w.must(t, "root", "/v1/tenants/acme/commands/set-policy", `{"key":"`+domain.DelegateOut.Key+`","value":"true"}`, "id")
	w.must(t, "root", "/v1/tenants/beta/commands/set-policy", `{"key":"`+domain.DelegateIn.Key+`","value":"true"}`, "id")
	id := w.delegate(t, "ann", "acme", "bea", "beta", `"core.groups.create"`)
	override := w.must(t, "root", "/v1/tenants/beta/commands/add-override", fmt.Sprintf(
		`{"effect":"deny","privilege":"core.groups.create","scope":"doc:merger","user_id":%q,"expires_at":"2026-03-02T00:00:00Z","reason":"x"}`, w.vars["beaID"]), "id")
	ask := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"core.groups.create"},"resource":{"type":"tenant","id":"acme"},"context":{"explain":true,"delegation":%q}}`,
		w.vars["beaID"], id)
	for who, told := range map[string]bool{"ann": false, "root": true} {
		body := w.do(who, "POST", "/v1/tenants/acme/access/v1/evaluation", ask).Body.String()
		if !strings.HasPrefix(body, `{"decision":true`) || strings.Contains(body, override) != told || strings.Contains(body, "doc:merger") != told {
			t.Errorf("%s is told %s", who, body)
		}
	}
}
