package app

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"chancery/domain"
)

// bearing is a call with a token of the provider.
func (f *federation) bearing(claims map[string]any) caller {
	all := map[string]any{"sub": "42", "aud": "api"}
	maps.Copy(all, claims)
	return f.root.as(f.provider.Sign(all))
}

func TestABearerTokenOfAnIssuerSpeaksForWhoIsLinked(t *testing.T) {
	f := federate(t, `,"audiences":["api","app"]`)
	ann := f.linked(t, "acme", "ann", "42")
	token := f.provider.Sign(map[string]any{"sub": "42", "aud": "api"})
	me := f.root.as(token).do("GET", "/v1/me", "")
	if me.status != 200 || me.part("user_id") != ann {
		t.Fatalf("%d %s", me.status, me.body)
	}
	for name, claims := range map[string]map[string]any{
		"another audience":             {"aud": "other"},
		"the client's own":             {"aud": "chancery"},
		"several audiences, no party":  {"aud": []string{"api", "x"}},
		"another party":                {"azp": "other"},
		"over":                         {"exp": time.Now().Add(-3 * time.Minute).Unix()},
		"nobody who is linked":         {"sub": "43"},
		"an issuer that nobody trusts": {"iss": "https://evil.test"},
		"bound to a key":               {"cnf": map[string]any{"jkt": "x"}},
	} {
		if r := f.bearing(claims).do("GET", "/v1/me", ""); r.status != 401 || r.code() != "unauthenticated" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for name, claims := range map[string]map[string]any{
		"several audiences": {"aud": []string{"api", "x"}, "azp": "app"}, "issued to the client": {"azp": "chancery"},
		"over, within the skew": {"exp": time.Now().Add(-time.Minute).Unix()},
	} {
		if r := f.bearing(claims).do("GET", "/v1/me", ""); r.status != 200 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := f.root.as("").do("GET", "/v1/me", "", "Cookie", "chancery="+token); r.status != 401 {
		t.Errorf("as a cookie: %d", r.status)
	}
	f.provider.Rotate(t, false)
	if r := f.bearing(nil).do("GET", "/v1/me", ""); r.status != 200 {
		t.Errorf("a new key: %d %s", r.status, r.body)
	}

	// What the user may not any more, a token that was verified before may not either.
	f.root.must(t, "acme", "deactivate-user", fmt.Sprintf(`{"id":%q}`, ann))
	if r := f.root.as(token).do("GET", "/v1/me", ""); r.status != 401 {
		t.Errorf("of an inactive user: %d", r.status)
	}
	f.root.must(t, "acme", "reactivate-user", fmt.Sprintf(`{"id":%q}`, ann))
	f.root.must(t, "acme", "change-issuer", fmt.Sprintf(`{"id":%q,"audiences":[]}`, f.issuer))
	if r := f.root.as(token).do("GET", "/v1/me", ""); r.status != 401 {
		t.Errorf("where none are accepted: %d", r.status)
	}
	f.root.must(t, "acme", "change-issuer", fmt.Sprintf(`{"id":%q,"audiences":["api"]}`, f.issuer))
	f.provider.Down(true)
	if r := f.root.as(token).do("GET", "/v1/me", ""); r.status != 200 {
		t.Errorf("known, with the provider down: %d", r.status)
	}
}

func TestThePathSaysOfWhichTenantABearerIs(t *testing.T) {
	f := federate(t, `,"audiences":["api"]`)
	ann := f.linked(t, "acme", "ann", "42")
	f.root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
	f.root.must(t, "beta", "add-issuer", fmt.Sprintf(`{"name":"ID","url":%q,"client_id":"chancery","audiences":["api"]}`, f.provider.URL))
	if r := f.bearing(nil).do("GET", "/v1/me", ""); r.part("user_id") != ann {
		t.Errorf("where one is linked: %d %s", r.status, r.body)
	}
	bea := f.linked(t, "beta", "bea", "42")
	if r := f.bearing(nil).do("GET", "/v1/me", ""); r.status != 401 {
		t.Errorf("in two tenants: %d %s", r.status, r.body)
	}
	for tenant, user := range map[string]string{"acme": ann, "beta": bea} {
		r := f.bearing(nil).do("POST", "/v1/tenants/"+tenant+"/access/v1/evaluation",
			`{"subject":{"type":"user","id":"`+user+`"},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"`+tenant+`"}}`)
		if r.status == 401 || r.status == 404 {
			t.Errorf("in %s: %d %s", tenant, r.status, r.body)
		}
		if r := f.bearing(nil).do("GET", "/v1/tenants/"+tenant+"/users/"+user, ""); r.status == 401 {
			t.Errorf("in %s: %d %s", tenant, r.status, r.body)
		}
	}
	if r := f.bearing(nil).do("GET", "/v1/tenants/root", ""); r.status != 401 && r.status != 404 {
		t.Errorf("in another one: %d %s", r.status, r.body)
	}
}

func TestABearerProvesAsMuchAsItsIssuerSays(t *testing.T) {
	f := federate(t, `,"audiences":["api"]`)
	ann := f.linked(t, "acme", "ann", "42")
	f.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":"%s","user_id":%q}`, domain.TenantAdmin, ann))
	dangerous := func(c caller) reply {
		return c.command("acme", "change-issuer", fmt.Sprintf(`{"id":%q,"name":"x"}`, f.issuer))
	}
	if r := dangerous(f.bearing(nil)); r.code() != "step-up-required" {
		t.Errorf("no proof: %d %s", r.status, r.body)
	}
	if r := dangerous(f.bearing(map[string]any{"auth_time": time.Now().Add(-time.Hour).Unix()})); r.code() != "step-up-required" {
		t.Errorf("an old proof: %d %s", r.status, r.body)
	}
	recent := f.bearing(map[string]any{"auth_time": time.Now().Unix()})
	if r := dangerous(recent); r.status != 200 {
		t.Errorf("a recent proof: %d %s", r.status, r.body)
	}
	if r := recent.command("acme", "enroll-totp", `{"name":"x"}`); r.code() != "session-required" {
		t.Errorf("what needs a session: %d %s", r.status, r.body)
	}
}
