package transport_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// licensed has acme hold a licence of the platform for an app called shop.
func (w *world) licensed(t testing.TB) domain.LicenseID {
	t.Helper()
	acme := domain.TenantID{UUID: uuid.MustParse(w.vars["acme"])}
	id := domain.LicenseID{UUID: uuid.Must(uuid.NewV7())}
	shop := domain.App("shop")
	w.append(t, domain.Root, domain.AppRegistered{App: shop.ID(), Vendor: domain.VendorIn(domain.Root), Name: shop, Title: "Shop"})
	w.append(t, acme,
		domain.AppEnabled{TenantApp: shop.In(acme), Name: shop, Number: "1.0.0", LicenseRequired: true},
		domain.LicenseIssued{
			License: id, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(domain.Root), App: domain.OfApp(shop.ID()), Held: shop.HeldBy(acme), Name: shop, Revision: 1,
			Terms: domain.Terms{
				Window: domain.Window{Until: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)},
				Entitlements: []domain.Entitlement{
					{Name: "reports", Kind: domain.Feature}, {Name: "tills", Kind: domain.Limit, Limit: 4},
					{Name: "sales", Kind: domain.Meter, Limit: 100, Period: domain.PerMonth},
				},
			},
		})
	return id
}

func (w *world) append(t testing.TB, in domain.TenantID, events ...dcb.Event) {
	t.Helper()
	part := dcb.Part{ID: uuid.New(), Fingerprint: []byte("x")}
	for _, e := range events {
		part.Events = append(part.Events, dcb.Pending{Tenant: in.UUID, Event: e})
	}
	if _, _, err := w.store.Append(t.Context(), []dcb.Part{part}, nil); err != nil {
		t.Fatal(err)
	}
}

// entitled asks, and returns the answer without its position.
func (w *world) entitled(t *testing.T, who, body string) (status int, answer map[string]any) {
	t.Helper()
	rec := w.do(who, "POST", "/v1/tenants/acme/entitlements/check", body)
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if rec.Code == 200 {
		if answer["position"] == nil || rec.Header().Get("Chancery-Position") != answer["position"] {
			t.Errorf("%s: position %v, header %q", body, answer["position"], rec.Header().Get("Chancery-Position"))
		}
		delete(answer, "position")
	}
	return rec.Code, answer
}

func TestAnEntitlementIsCheckedOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	is := func(body string, want map[string]any) {
		t.Helper()
		status, got := w.entitled(t, "ann", body)
		if diff := cmp.Diff(want, got); diff != "" || status != 200 {
			t.Errorf("%s: %d (-want +got):\n%s", body, status, diff)
		}
	}
	is(`{"app":"shop","entitlement":"reports"}`, map[string]any{"allowed": false})
	id := w.licensed(t)
	before := w.index.Position()
	const ends = "2026-05-01T00:00:00Z"
	feature := map[string]any{"allowed": true, "kind": "feature", "license_state": "active", "ends_at": ends}
	is(`{"app":"shop","entitlement":"reports"}`, feature)
	is(`{"app":"shop","entitlement":"tills"}`, map[string]any{"allowed": true, "kind": "limit", "limit": 4., "license_state": "active", "ends_at": ends})
	is(`{"app":"shop","entitlement":"gold"}`, map[string]any{"allowed": false, "license_state": "active"})
	meter := func(used, left float64) map[string]any {
		return map[string]any{
			"allowed": left > 0, "kind": "meter", "limit": 100., "used": used, "left": left, "resets_at": "2026-04-01T00:00:00Z",
			"license_state": "active", "ends_at": ends,
		}
	}
	is(`{"app":"shop","entitlement":"sales"}`, meter(0, 100))
	acme := domain.TenantID{UUID: uuid.MustParse(w.vars["acme"])}
	w.append(t, acme, domain.UsageRecorded{
		Usage: domain.UsageID{UUID: uuid.New()}, Meter: domain.MeterKey(id, "sales"), License: domain.OfLicense(id), App: "shop", Name: "sales",
		Amount: 100, Period: "2026-03", Total: 100,
	})
	is(`{"app":"shop","entitlement":"sales"}`, meter(100, 0))
	is(fmt.Sprintf(`{"app":"shop","entitlement":"sales","context":{"as_of":"%d"}}`, before), meter(0, 100))
	is(fmt.Sprintf(`{"app":"shop","entitlement":"sales","context":{"min_position":"%d"}}`, before+1), meter(100, 0))
	is(`{"checks":[{"app":"shop","entitlement":"reports"},{"app":"mail","entitlement":"x"}]}`, map[string]any{
		"checks": []any{feature, map[string]any{"allowed": false}},
	})
	w.forward(90 * 24 * time.Hour)
	is(`{"app":"shop","entitlement":"reports"}`, map[string]any{"allowed": false, "license_state": "ended"})
}

func TestAnEntitlementIsExplainedByItsLicencesAndTheirEvents(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	id := w.licensed(t)
	issued := w.index.Position()
	acme := domain.TenantID{UUID: uuid.MustParse(w.vars["acme"])}
	w.append(t, acme, domain.LicenseSuspended{License: id, Holder: domain.HomeIn(acme), Vendor: domain.HomeIn(domain.Root)})
	told := func(body string, want string) {
		t.Helper()
		_, got := w.entitled(t, "ann", body)
		text, _ := json.Marshal(got["grounds"])
		for _, e := range []string{`"id":"`} { // of events: made anew each time
			for strings.Contains(string(text), e) {
				i := strings.Index(string(text), e)
				text = append(text[:i:i], text[i+len(e)+36+2:]...)
			}
		}
		if diff := cmp.Diff(want, string(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	gives := `"entitlement":{"kind":"limit","limit":4,"name":"tills"}`
	first := fmt.Sprintf(`{"event":{"type":"license.issued"},"position":"%d"}`, issued)
	told(`{"app":"shop","entitlement":"tills","context":{"explain":true}}`, fmt.Sprintf(
		`[{"counts":false,%s,"events":[%s,{"event":{"type":"license.suspended"},"position":"%d"}],"license_id":"%s","license_state":"suspended"}]`,
		gives, first, issued+1, id))
	told(fmt.Sprintf(`{"app":"shop","entitlement":"tills","context":{"explain":true,"as_of":%d}}`, issued), fmt.Sprintf(
		`[{"counts":true,%s,"events":[%s],"license_id":"%s","license_state":"active"}]`, gives, first, id))
}

func TestOnlyTheAppItselfAndThoseWhoMayReadEntitlementsCheckThem(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.licensed(t)
	const shop, mail = `{"app":"shop","entitlement":"reports"}`, `{"app":"mail","entitlement":"reports"}`
	status := func(who, body string, want int) {
		t.Helper()
		if got, answer := w.entitled(t, who, body); got != want {
			t.Errorf("%s asks %s: %d %v, want %d", who, body, got, answer, want)
		}
	}
	status("abe", shop, 403)
	status("bea", shop, 404)
	status("root", shop, 200)
	w.vars["program"] = w.must(t, "root", "/v1/tenants/acme/commands/issue-token",
		`{"user_id":"`+w.vars["abeID"]+`","name":"shop","app":"shop","scopes":["core.entitlements.*"],"expires_at":"2026-06-01T00:00:00Z"}`, "token")
	w.vars["narrow"] = w.must(t, "root", "/v1/tenants/acme/commands/issue-token",
		`{"user_id":"`+w.vars["abeID"]+`","name":"narrow","app":"shop","scopes":["core.secrets.read"],"expires_at":"2026-06-01T00:00:00Z"}`, "token")
	status("narrow", shop, 403)
	status("program", shop, 200)
	status("program", mail, 403)
	status("program", `{"checks":[`+shop+`,`+mail+`]}`, 403)

	role := w.must(t, "ann", "/v1/tenants/acme/commands/create-role", `{"name":"Mail"}`, "id")
	w.append(t, domain.TenantID{UUID: uuid.MustParse(w.vars["acme"])},
		domain.RolePrivilegeAdded{Role: domain.RoleID{UUID: uuid.MustParse(role)}, Privilege: "core.entitlements.read"})
	w.must(t, "ann", "/v1/tenants/acme/commands/assign-role", `{"role_id":"`+role+`","user_id":"`+w.vars["abeID"]+`","scope":"app:mail"}`, "id")
	status("abe", mail, 200)
	status("abe", shop, 403)

	acme := domain.TenantID{UUID: uuid.MustParse(w.vars["acme"])}
	w.append(t, acme, domain.AppDisabled{TenantApp: domain.App("shop").In(acme), Name: "shop"})
	status("program", shop, 403) // it speaks for no app any more
}

func TestWhatIsNoQuestionAboutEntitlementsIsRefused(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	many := strings.Repeat(`{"app":"shop","entitlement":"x"},`, 101)
	for body, pointer := range map[string]string{
		`{}`:                              "/app",
		`{"app":"shop"}`:                  "/entitlement",
		`{"app":"S H","entitlement":"x"}`: "/app",
		`{"app":"shop","entitlement":"x","checks":[{"app":"shop","entitlement":"x"}]}`: "/checks",
		`{"checks":[]}`: "/checks",
		`{"checks":[` + strings.TrimSuffix(many, ",") + `]}`:                 "/checks",
		`{"checks":[{"app":"shop","entitlement":"x"},{"app":"shop"}]}`:       "/checks/1/entitlement",
		`{"checks":[{"app":"","entitlement":"x"}]}`:                          "/checks/0/app",
		`{"app":"shop","entitlement":"x","context":{"as_of":"never"}}`:       "/context/as_of",
		`{"app":"shop","entitlement":"x","context":{"as_of":"99999"}}`:       "/context/as_of",
		`{"app":"shop","entitlement":"x","context":{"min_position":"soon"}}`: "/context/min_position",
		`{"app":"shop","entitlement":"x","context":{"delegation":"d"}}`:      "/context",
		`{"app":"shop","entitlement":"x","more":1}`:                          "more",
	} {
		rec := w.do("ann", "POST", "/v1/tenants/acme/entitlements/check", body)
		if rec.Code != 400 && rec.Code != 422 || !strings.Contains(rec.Body.String(), pointer) {
			t.Errorf("%.80s: %d %s, want %s", body, rec.Code, rec.Body, pointer)
		}
	}
	w.is(t, 400, "malformed", "ann", "POST", "/v1/tenants/acme/entitlements/check?as_of=1", `{"app":"shop","entitlement":"x"}`) // not answered with today
}
