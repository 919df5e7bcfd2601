package transport_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/apitoken"
	"chancery/internal/dcb"
	"chancery/readmodels"

	"github.com/google/uuid"
)

// impersonable is a world in which abe, an administrator like ann, may be acted as.
func impersonable(t testing.TB) *world {
	t.Helper()
	w := withPassword(t)
	w.command(t, "ann", "assign-role", `{"role_id":"`+w.vars["adminRole"]+`","user_id":"`+w.vars["abeID"]+`"}`)
	w.command(t, "ann", "set-policy", `{"key":"`+domain.ImpersonationWord.Key+`","value":"allowed"}`)
	return w
}

func (w *world) command(t testing.TB, who, name, body string) string {
	t.Helper()
	return w.must(t, who, "/v1/tenants/acme/commands/"+name, body, "id")
}

// actAs keeps the token of an impersonation as imp.
func (w *world) actAs(t testing.TB, who, target string) {
	t.Helper()
	w.vars["imp"] = w.must(t, who, "/v1/tenants/acme/commands/start-impersonation", `{"target_user_id":"`+w.vars[target+"ID"]+`","reason":"test"}`, "token")
	token, err := apitoken.Parse(w.vars["imp"])
	if err != nil || token.Kind != apitoken.Impersonation {
		t.Fatalf("told %q: %v", w.vars["imp"], err)
	}
	w.vars["impID"] = token.ID.String()
}

func (w *world) is(t testing.TB, want int, code, who, method, target, body string, headers ...string) {
	t.Helper()
	rec := w.do(who, method, target, body, headers...)
	if rec.Code != want || code != "" && !strings.Contains(rec.Body.String(), `"code":"`+code+`"`) {
		t.Errorf("%s %s %s: %d %s, want %d %s", method, target, body, rec.Code, rec.Body, want, code)
	}
}

// least is a body that can be decoded, about things that nobody knows.
func least(t testing.TB, spec *commands.Spec) string {
	t.Helper()
	parts := map[string]any{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(spec.Zero)) {
		if f.Tag.Get("required") == "true" {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			parts[name] = sample(f.Type)
		}
	}
	body, err := json.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func sample(typ reflect.Type) any {
	switch typ.Kind() {
	case reflect.Pointer:
		return sample(typ.Elem())
	case reflect.Bool:
		return true
	case reflect.Int:
		return 1
	case reflect.Slice:
		return []string{}
	case reflect.Struct:
		if _, id := typ.FieldByName("UUID"); id {
			return uuid.NewString()
		}
		if typ == reflect.TypeFor[time.Time]() {
			return "2026-06-01T00:00:00Z"
		}
	}
	if typ == reflect.TypeFor[uuid.UUID]() {
		return uuid.NewString()
	}
	return "x"
}

func never(p domain.Privilege) bool {
	return slices.ContainsFunc(domain.NeverImpersonated, func(n domain.Pattern) bool { return n.Matches(p) })
}

func TestWhatNobodyDoesAsSomebodyElseIsRefusedCommandByCommand(t *testing.T) {
	w := impersonable(t)
	w.actAs(t, "ann", "abe")
	unused := slices.Clone(domain.NeverImpersonated)
	seen := func(p domain.Privilege) bool {
		unused = slices.DeleteFunc(unused, func(n domain.Pattern) bool { return n.Matches(p) })
		return never(p)
	}
	specs := slices.Clone(commands.Registry)
	for i := range specs {
		spec := &specs[i]
		target := "/v1/tenants/acme/commands/" + spec.Name
		switch body := least(t, spec); {
		case seen(spec.Privilege):
			w.is(t, 403, "not-allowed", "imp", "POST", target, body)
			line := fmt.Sprintf(`{"command":%q,"body":%s}`, spec.Name, body)
			if got := w.bulk(t, "imp", "acme", "", line); got[0].Status != 403 {
				t.Errorf("%s as a line: %+v", spec.Name, got[0])
			}
		case spec.Platform:
			w.is(t, 403, "not-allowed", "imp", "POST", target, body)
		case spec.StepUp:
			w.is(t, 403, "impersonating", "imp", "POST", target, body)
		default:
			if rec := w.do("imp", "POST", target, body); rec.Code == 403 || rec.Code == 401 {
				t.Errorf("%s is nobody's secret: %d %s", spec.Name, rec.Code, rec.Body)
			}
		}
	}
	for _, c := range readmodels.Collections {
		want := 200
		if seen(c.Privilege()) {
			want = 403
		}
		w.is(t, want, "", "imp", "GET", "/v1/tenants/acme/"+c.Name, "")
		if own := c.OwnFilter(); c.Own() && want == 403 {
			w.is(t, 403, "", "imp", "GET", "/v1/tenants/acme/"+c.Name+"?"+own+"="+w.vars["abeID"], "")
			w.is(t, 403, "", "imp", "GET", "/v1/tenants/acme/"+c.Name+"?"+own+"="+w.vars["annID"], "")
		}
	}
	seen(commands.Export.Privilege)
	seen("core.history.import")
	if len(unused) > 0 {
		t.Errorf("nothing is forbidden by %v", unused)
	}
}

// What the document promises to users, whatever becomes of the list.
func TestCredentialsTokensMailSecretsAndDecisionsAreNeverSomebodyElses(t *testing.T) {
	for _, name := range []string{
		"set-password", "enroll-totp", "confirm-totp", "issue-recovery-codes", "register-passkey", "remove-credential", "change-user-email",
		"issue-token", "rotate-token", "revoke-token", "link-identity", "add-issuer", "end-session", "end-sessions", "send-password-reset",
		"create-secret", "read-secret", "erase-user", "approve-erasure", "grant-delegation", "accept-delegation", "revoke-delegation",
		"approve-request", "deny-request", "start-review", "decide-review-item", "invite-to-group", "accept-group-invitation",
		"start-impersonation", "consent-to-impersonation", "end-impersonation",
	} {
		if spec, known := commands.Named(name); !known || !never(spec.Privilege) {
			t.Errorf("%s: known %v, and may be done as somebody else", name, known)
		}
	}
	for _, p := range []domain.Privilege{commands.Export.Privilege, "core.secret-access.read", "core.history.import"} {
		if !never(p) {
			t.Errorf("%s may be used as somebody else", p)
		}
	}
}

func TestTheCatalogueShowsWhoActsAsSomebodyElseOnlyWhatTheyCanDo(t *testing.T) {
	w := impersonable(t)
	w.actAs(t, "ann", "abe")
	var shown struct {
		Items []struct {
			Name string `json:"name"`
		} `json:"items"`
	}
	rec := w.do("imp", "GET", "/v1/tenants/acme/commands", "")
	if err := json.Unmarshal(rec.Body.Bytes(), &shown); err != nil || len(shown.Items) == 0 {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	for _, c := range shown.Items {
		if spec, _ := commands.Named(c.Name); spec == nil || never(spec.Privilege) || spec.StepUp || spec.Signed {
			t.Errorf("shown: %s", c.Name)
		}
	}
}

func TestATenantForbidsMore(t *testing.T) {
	w := impersonable(t)
	w.actAs(t, "ann", "abe")
	group := func() (string, string) {
		return "/v1/tenants/acme/commands/create-group", `{"name":"` + uuid.NewString() + `"}`
	}
	target, body := group()
	w.is(t, 200, "", "imp", "POST", target, body)
	w.command(t, "ann", "set-policy", `{"key":"`+domain.ImpersonationNever.Key+`","value":"core.groups.*"}`)
	target, body = group()
	w.is(t, 403, "not-allowed", "imp", "POST", target, body)
	w.is(t, 200, "", "imp", "GET", "/v1/tenants/acme/users", "")
}

func TestScopesBoundAnImpersonation(t *testing.T) {
	w := impersonable(t)
	w.vars["imp"] = w.must(t, "ann", "/v1/tenants/acme/commands/start-impersonation",
		`{"target_user_id":"`+w.vars["abeID"]+`","reason":"test","scopes":["core.users.*"]}`, "token")
	w.is(t, 200, "", "imp", "GET", "/v1/tenants/acme/users", "")
	w.is(t, 403, "not-allowed", "imp", "GET", "/v1/tenants/acme/groups", "")
	w.is(t, 403, "not-allowed", "imp", "POST", "/v1/tenants/acme/commands/create-group", `{"name":"Team"}`)
}

// A impersonates B, who impersonates A, and what else would make the one out of the other.
func TestNobodyBecomesSomebodyElseTwiceOrForLonger(t *testing.T) {
	w := impersonable(t)
	w.actAs(t, "ann", "abe")
	for command, body := range map[string]string{
		"start-impersonation":      `{"target_user_id":"` + w.vars["annID"] + `","reason":"back"}`,
		"request-impersonation":    `{"target_user_id":"` + w.vars["annID"] + `","reason":"back"}`,
		"consent-to-impersonation": `{"id":"` + w.vars["impID"] + `"}`,
		"end-impersonation":        `{"id":"` + w.vars["impID"] + `"}`,
		"issue-token":              `{"name":"minted","expires_at":"2026-06-01T00:00:00Z"}`,
		"rotate-token":             `{"id":"` + w.vars["impID"] + `"}`,
		"set-password":             `{"password":"a password of somebody else"}`,
		"grant-delegation":         `{"delegate_user_id":"` + w.vars["annID"] + `","until":"2026-04-01T00:00:00Z"}`,
		"end-sessions":             `{}`,
	} {
		w.is(t, 403, "not-allowed", "imp", "POST", "/v1/tenants/acme/commands/"+command, body)
	}
	w.is(t, 403, "delegation-not-in-force", "imp", "GET", "/v1/me", "", "Chancery-Delegation", uuid.NewString())
}

func TestTheTokenOfAnImpersonationIsNoSession(t *testing.T) {
	w := impersonable(t)
	w.signIn(t)
	w.actAs(t, "ann", "abe")
	for target, body := range map[string]string{
		"/v1/sessions/step-up":                 `{"password":"` + password + `"}`,
		"/v1/sessions/step-up/passkey":         `{}`,
		"/v1/tenants/acme/credentials/passkey": `{}`,
	} {
		w.is(t, 403, "session-required", "imp", "POST", target, body)
	}
	w.is(t, 403, "session-required", "imp", "DELETE", "/v1/sessions/current", "")
	w.is(t, 403, "not-allowed", "imp", "POST", "/v1/tenants/acme/users/"+w.vars["abeID"]+"/export", "")
	w.is(t, 200, "", "ses", "GET", "/v1/me", "")
	w.is(t, 401, "unauthenticated", "", "GET", "/v1/me", "", "Cookie", "chancery="+w.vars["imp"])
	w.is(t, 401, "unauthenticated", "", "POST", "/v1/sessions/step-up", `{}`, "Cookie", "chancery="+w.vars["imp"])
	w.is(t, 401, "unauthenticated", "", "DELETE", "/v1/impersonations/current", "", "Cookie", "chancery="+w.vars["imp"])
	w.is(t, 200, "", "imp", "GET", "/v1/me", "")
}

func TestWhoActsAsSomebodyElseIsToldSo(t *testing.T) {
	w := impersonable(t)
	w.actAs(t, "ann", "abe")
	var me map[string]any
	if err := json.Unmarshal(w.do("imp", "GET", "/v1/me", "").Body.Bytes(), &me); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"user_id": w.vars["annID"], "effective_user_id": w.vars["abeID"], "impersonation_id": w.vars["impID"], "session_id": nil, "token_id": nil, "delegation_id": nil,
	} {
		if me[name] != want {
			t.Errorf("%s: %v, want %v", name, me[name], want)
		}
	}
}

func TestAnImpersonationIsOverAfterAnHourWhateverHappens(t *testing.T) {
	w := impersonable(t)
	w.is(t, 422, "invalid-value", "ann", "POST", "/v1/tenants/acme/commands/start-impersonation", `{"target_user_id":"`+w.vars["abeID"]+`","reason":"x","minutes":61}`)
	w.actAs(t, "ann", "abe")
	for range 59 {
		w.forward(time.Minute)
		w.is(t, 200, "", "imp", "GET", "/v1/me", "")
	}
	w.forward(time.Minute)
	w.is(t, 401, "unauthenticated", "imp", "GET", "/v1/me", "")
}

// Whoever acts as somebody else can stop, and every way by which the token ceases to work leaves this one.
func TestEndingAnImpersonationAlwaysWorks(t *testing.T) {
	for name, happens := range map[string]func(t *testing.T, w *world){
		"nothing":                   func(*testing.T, *world) {},
		"the target is deactivated": func(t *testing.T, w *world) { w.command(t, "ann", "deactivate-user", `{"id":"`+w.vars["abeID"]+`"}`) },
		"the target is erased": func(t *testing.T, w *world) {
			w.command(t, "ann", "erase-user", `{"user_id":"`+w.vars["abeID"]+`","reason":"x"}`)
		},
		"the administrator is deactivated": func(t *testing.T, w *world) { w.command(t, "root", "deactivate-user", `{"id":"`+w.vars["annID"]+`"}`) },
		"the administrator is erased": func(t *testing.T, w *world) {
			w.command(t, "root", "erase-user", `{"user_id":"`+w.vars["annID"]+`","reason":"x"}`)
		},
		"the tenant is suspended": func(t *testing.T, w *world) { w.command(t, "root", "suspend-tenant", `{"id":"`+w.vars["acme"]+`"}`) },
		"the tenant is closed":    func(t *testing.T, w *world) { w.command(t, "root", "close-tenant", `{"id":"`+w.vars["acme"]+`"}`) },
		"the policy forbids it": func(t *testing.T, w *world) {
			w.command(t, "ann", "set-policy", `{"key":"`+domain.ImpersonationWord.Key+`","value":"forbidden"}`)
		},
		"the policy is taken back": func(t *testing.T, w *world) {
			w.command(t, "ann", "reset-policy", `{"key":"`+domain.ImpersonationWord.Key+`"}`)
		},
		"consent is wanted now": func(t *testing.T, w *world) {
			w.command(t, "ann", "set-policy", `{"key":"`+domain.ImpersonationWord.Key+`","value":"on_request"}`)
		},
		"the right to impersonate is lost":  func(t *testing.T, w *world) { w.deny(t, "core.impersonations.start") },
		"a right that the target has, too":  func(t *testing.T, w *world) { w.deny(t, "core.domains.add") },
		"even that to end it is lost":       func(t *testing.T, w *world) { w.deny(t, "core.*") },
		"the token it rests on is revoked":  func(t *testing.T, w *world) { w.command(t, "ann", "revoke-token", `{"id":"`+w.tokenID(t, "ann")+`"}`) },
		"its hour is over":                  func(_ *testing.T, w *world) { w.forward(time.Hour) },
		"it was ended by the administrator": func(t *testing.T, w *world) { w.command(t, "ann", "end-impersonation", `{"id":"`+w.vars["impID"]+`"}`) },
		"it was ended by the target":        func(t *testing.T, w *world) { w.command(t, "abe", "end-impersonation", `{"id":"`+w.vars["impID"]+`"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			w := impersonable(t)
			w.actAs(t, "ann", "abe")
			w.is(t, 200, "", "imp", "GET", "/v1/me", "")
			happens(t, w)
			if name != "nothing" {
				w.is(t, 401, "unauthenticated", "imp", "GET", "/v1/me", "")
			}
			w.is(t, 204, "", "imp", "DELETE", "/v1/impersonations/current", "")
			w.is(t, 204, "", "imp", "DELETE", "/v1/impersonations/current", "")
			w.is(t, 401, "unauthenticated", "imp", "GET", "/v1/me", "")
			if ended := w.types(t, "impersonation.ended"); ended > 1 || ended == 0 && name != "its hour is over" {
				t.Errorf("ended %d times on record", ended)
			}
		})
	}
}

// deny keeps something from ann.
func (w *world) deny(t testing.TB, p domain.Pattern) {
	t.Helper()
	w.command(t, "root", "add-override", fmt.Sprintf(`{"effect":"deny","privilege":%q,"user_id":%q,"expires_at":"2026-03-02T00:00:00Z","reason":"x"}`, p, w.vars["annID"]))
}

func (w *world) tokenID(t testing.TB, who string) string {
	t.Helper()
	token, err := apitoken.Parse(w.vars[who])
	if err != nil {
		t.Fatal(err)
	}
	return token.ID.String()
}

// types counts the events of a type.
func (w *world) types(t testing.TB, typ string) (n int) {
	t.Helper()
	raws, err := w.log.Page(t.Context(), 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range raws {
		if r.Type == typ {
			n++
		}
	}
	return n
}

func TestAnImpersonationEndsWithTheSessionInWhichItWasStarted(t *testing.T) {
	w := impersonable(t)
	w.signIn(t)
	w.actAs(t, "ses", "ann")
	w.is(t, 200, "", "imp", "GET", "/v1/me", "")
	w.is(t, 204, "", "ses", "DELETE", "/v1/sessions/current", "")
	w.is(t, 401, "unauthenticated", "imp", "GET", "/v1/me", "")
	w.is(t, 204, "", "imp", "DELETE", "/v1/impersonations/current", "")
}

func TestEndingAnImpersonationIsNotTurnedAwayAsTooOften(t *testing.T) {
	w := impersonable(t)
	w.actAs(t, "ann", "abe")
	w.config.Rate, w.config.Burst = 0.001, 2
	w.restart(t)
	for _, want := range []int{200, 200, 429} {
		w.is(t, want, "", "imp", "GET", "/v1/me", "")
	}
	w.is(t, 204, "", "imp", "DELETE", "/v1/impersonations/current", "")
}

func TestOnlyItsOwnTokenEndsAnImpersonation(t *testing.T) {
	w := impersonable(t)
	w.signIn(t)
	w.actAs(t, "ann", "abe")
	w.vars["forged"] = apitoken.New(apitoken.Impersonation, uuid.MustParse(w.vars["impID"]), [32]byte{1})
	w.vars["unknown"] = apitoken.New(apitoken.Impersonation, uuid.New(), [32]byte{1})
	w.vars["kindred"] = strings.Replace(w.vars["imp"], "_imp_", "_pat_", 1)
	w.vars["cut"] = w.vars["imp"][:len(w.vars["imp"])-1]
	w.vars["rubbish"] = "x"
	for _, who := range []string{"", "forged", "unknown", "kindred", "cut", "rubbish", "ann", "abe", "root", "ses"} {
		w.is(t, 401, "unauthenticated", who, "DELETE", "/v1/impersonations/current", "")
	}
	w.is(t, 200, "", "imp", "GET", "/v1/me", "")
	if w.types(t, "impersonation.ended") != 0 {
		t.Error("somebody ended it")
	}
}

func TestARequestThatIsNotStartedHasNoToken(t *testing.T) {
	w := impersonable(t)
	w.command(t, "ann", "set-policy", `{"key":"`+domain.ImpersonationWord.Key+`","value":"on_request"}`)
	id := w.command(t, "ann", "request-impersonation", `{"target_user_id":"`+w.vars["abeID"]+`","reason":"x"}`)
	w.vars["imp"] = apitoken.New(apitoken.Impersonation, uuid.MustParse(id), [32]byte{})
	w.is(t, 401, "unauthenticated", "imp", "GET", "/v1/me", "")
	w.is(t, 401, "unauthenticated", "imp", "DELETE", "/v1/impersonations/current", "")
}

func TestWhatIsDoneAsSomebodyElseIsRecordedAsTheAdministrators(t *testing.T) {
	w := impersonable(t)
	w.actAs(t, "ann", "abe")
	w.must(t, "imp", "/v1/tenants/acme/commands/create-group", `{"name":"Team"}`, "id")
	w.is(t, 204, "", "imp", "DELETE", "/v1/impersonations/current", "")
	raws, err := w.log.Page(t.Context(), 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, raw := range raws {
		if raw.Type != "group.created" && raw.Type != "impersonation.ended" {
			continue
		}
		r, err := w.store.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		found++
		got := dcb.Provenance{Actor: r.Actor, Effective: r.Effective, ActorTenant: r.ActorTenant, Impersonation: r.Impersonation, Token: r.Token, Session: r.Session}
		want := dcb.Provenance{
			Actor: uuid.MustParse(w.vars["annID"]), Effective: uuid.MustParse(w.vars["abeID"]), ActorTenant: uuid.MustParse(w.vars["acme"]),
			Impersonation: uuid.MustParse(w.vars["impID"]),
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", raw.Type, got, want)
		}
	}
	if found != 2 {
		t.Errorf("%d events", found)
	}
}

func TestTheIdempotencyKeysOfWhoActsAsSomebodyElseAreTheirOwn(t *testing.T) {
	w := impersonable(t)
	w.actAs(t, "ann", "abe")
	const target = "/v1/tenants/acme/commands/create-group"
	for who, name := range map[string]string{"ann": "One", "abe": "Two", "imp": "Three"} {
		w.is(t, http.StatusOK, "", who, "POST", target, `{"name":"`+name+`"}`, "Idempotency-Key", "k")
		w.is(t, http.StatusOK, "", who, "POST", target, `{"name":"`+name+`"}`, "Idempotency-Key", "k")
	}
	if n := w.types(t, "group.created"); n != 3 {
		t.Errorf("%d groups", n)
	}
}
