package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/oidc/oidctest"
)

const clientSecret = "Klientengeheimnis-9f31"

// federation is an app over HTTP, a tenant acme with the domain acme.test, and an OpenID provider that it trusts.
type federation struct {
	*App
	root     caller
	url      string
	provider *oidctest.Provider
	issuer   string
	log      *lockedBuffer
}

type anyChallenge struct{ app **App }

// TXT has every challenge be found.
func (r anyChallenge) TXT(context.Context, string) ([]string, error) {
	rows, err := (*r.app).ledger.Pool("chancery_owner").Query(context.Background(), "SELECT challenge FROM core.tenant_domains")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

func federate(t *testing.T, terms string) *federation {
	t.Helper()
	f := &federation{log: &lockedBuffer{}}
	c := Config{
		Log:            slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		IssuerNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, ReturnOrigins: []string{"https://spa.test"}, Resolver: anyChallenge{&f.App},
	}
	f.App, f.root = platformWith(t, c)
	f.root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	f.provider = oidctest.Start(t, "chancery", clientSecret)
	server := httptest.NewServer(f.root.Handler)
	t.Cleanup(server.Close)
	f.url = server.URL
	id := f.root.must(t, "acme", "add-domain", `{"domain":"acme.test"}`)
	f.settled(t)
	f.root.must(t, "acme", "verify-domain", fmt.Sprintf(`{"id":%q}`, id))
	f.root.must(t, "acme", "create-secret", fmt.Sprintf(`{"app":"sign-in","name":"acme-id","value":%q}`, clientSecret))
	f.issuer = f.trust(t, "acme", f.provider, terms)
	return f
}

// trust adds an issuer; more are further members of the command.
func (f *federation) trust(t *testing.T, tenant string, p *oidctest.Provider, more string) string {
	t.Helper()
	return f.root.must(t, tenant, "add-issuer",
		fmt.Sprintf(`{"name":"ID","url":%q,"client_id":"chancery","client_secret":"secret://sign-in/acme-id"%s}`, p.URL, more))
}

// linked is a user whom the provider knows by a subject.
func (f *federation) linked(t *testing.T, tenant, name, subject string) (user string) {
	t.Helper()
	user = f.root.must(t, tenant, "register-user", fmt.Sprintf(`{"display_name":%q,"email":"%s@%s.test"}`, name, name, tenant))
	f.root.must(t, tenant, "link-identity", fmt.Sprintf(`{"user_id":%q,"issuer":%q,"subject":%q}`, user, f.provider.URL, subject))
	return user
}

// browser is one with its cookies.
func browser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, Timeout: 30 * time.Second}
}

func stopping(b *http.Client) *http.Client {
	c := *b
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

func ask(t *testing.T, b *http.Client, method, target, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}
}

func (f *federation) start(more string) string {
	return f.url + "/v1/tenants/acme/oidc/" + f.issuer + "/start?return_to=/v1/me" + more
}

// signIn goes the whole way in a new browser, and ends at /v1/me.
func (f *federation) signIn(t *testing.T) (*http.Client, reply) {
	t.Helper()
	b := browser()
	return b, ask(t, b, "GET", f.start(""), "")
}

func TestABrowserSignsInAtARealProvider(t *testing.T) {
	f := federate(t, "")
	ann := f.linked(t, "acme", "ann", "42")
	f.provider.Be(oidctest.User{Subject: "42", Email: "somebody@else.test", Verified: true, Methods: []string{"pwd", "mfa"}})
	b, me := f.signIn(t)
	if me.status != 200 || me.part("user_id") != ann || !strings.Contains(me.body, `"methods":["fed","mfa"]`) {
		t.Fatalf("signed in as %d %s", me.status, me.body)
	}
	if r := ask(t, b, "DELETE", f.url+"/v1/sessions/current", ""); r.status != 204 {
		t.Errorf("signed out: %d %s", r.status, r.body)
	}
	if r := ask(t, b, "GET", f.url+"/v1/me", ""); r.status != 401 {
		t.Errorf("signed out, and yet: %d", r.status)
	}
	f.provider.Rotate(t, false)
	if _, me := f.signIn(t); me.status != 200 {
		t.Errorf("with a new key of the provider: %d %s", me.status, me.body)
	}
	if events := f.column(t, "SELECT payload->>'purpose' FROM core.events WHERE type = 'secret.read'"); len(events) != 2 {
		t.Errorf("the client secret was read %d times on record", len(events))
	}
	f.provider.Be(oidctest.User{Subject: "43"})
	if _, me := f.signIn(t); me.status != 401 || me.code() != "identity-unknown" {
		t.Errorf("a stranger: %d %s", me.status, me.body)
	}
	f.provider.Be(oidctest.User{Subject: "42"})
	f.root.must(t, "acme", "deactivate-user", fmt.Sprintf(`{"id":%q}`, ann))
	if _, me := f.signIn(t); me.status != 422 || me.code() != "user-not-active" {
		t.Errorf("an inactive user: %d %s", me.status, me.body)
	}
}

func TestASessionEndsWithTheTrustInItsIssuer(t *testing.T) {
	f := federate(t, "")
	f.linked(t, "acme", "ann", "42")
	f.provider.Be(oidctest.User{Subject: "42"})
	b, _ := f.signIn(t)
	for _, step := range []struct {
		enabled string
		status  int
	}{{"false", 401}, {"true", 200}} {
		f.root.must(t, "acme", "change-issuer", fmt.Sprintf(`{"id":%q,"enabled":%s}`, f.issuer, step.enabled))
		if r := ask(t, b, "GET", f.url+"/v1/me", ""); r.status != step.status {
			t.Errorf("enabled %s: %d", step.enabled, r.status)
		}
	}
	f.root.must(t, "acme", "remove-issuer", fmt.Sprintf(`{"id":%q}`, f.issuer))
	if r := ask(t, b, "GET", f.url+"/v1/me", ""); r.status != 401 {
		t.Errorf("removed: %d", r.status)
	}
	if r := ask(t, b, "GET", f.start(""), ""); r.status != 404 {
		t.Errorf("start at a removed issuer: %d", r.status)
	}
}

func TestWhoeverComesFromAVerifiedDomainIsRegisteredWithTheirGroups(t *testing.T) {
	f := federate(t, "")
	staff, crew := f.root.must(t, "acme", "create-group", `{"name":"Staff"}`), f.root.must(t, "acme", "create-group", `{"name":"Crew"}`)
	f.root.must(t, "acme", "change-issuer", fmt.Sprintf(
		`{"id":%q,"provisioning":"verified-domain","groups_claim":"groups","group_map":{"staff":%q,"crew":%q}}`, f.issuer, staff, crew))
	f.root.must(t, "acme", "register-user", `{"display_name":"Ann","email":"ann@acme.test"}`)
	for name, u := range map[string]oidctest.User{
		"unverified":        {Subject: "1", Email: "zoe@acme.test", Verified: false},
		"of another domain": {Subject: "2", Email: "zoe@evil.test", Verified: true},
		"somebody's own":    {Subject: "3", Email: "ann@acme.test", Verified: true},
	} {
		f.provider.Be(u)
		if _, me := f.signIn(t); me.status != 401 || me.code() != "identity-unknown" {
			t.Errorf("an address that is %s: %d %s", name, me.status, me.body)
		}
	}
	members := func(user string) string {
		f.settled(t)
		return strings.Join(f.column(t, `SELECT g.name FROM core.group_memberships m JOIN core.groups g ON g.id = m.group_id
			WHERE m.user_id = $1 ORDER BY 1`, user), " ")
	}
	zoe := oidctest.User{Subject: "9", Email: "zoe@acme.test", Verified: true, Name: "Zoe", Groups: []string{"staff", "others"}, Bare: true}
	f.provider.Be(zoe)
	_, me := f.signIn(t)
	user := me.part("user_id")
	if me.status != 200 || members(user) != "Staff" {
		t.Fatalf("registered: %d %s, in %q", me.status, me.body, members(user))
	}
	zoe.Groups = []string{"crew"}
	f.provider.Be(zoe)
	if _, me := f.signIn(t); me.part("user_id") != user || members(user) != "Crew" {
		t.Errorf("%s, in %q", me.body, members(user))
	}
	f.root.must(t, "acme", "add-group-member", fmt.Sprintf(`{"group_id":%q,"user_id":%q}`, staff, user))
	zoe.Groups = []string{}
	f.provider.Be(zoe)
	if f.signIn(t); members(user) != "Staff" {
		t.Errorf("withdrawn: in %q", members(user))
	}

	// The same subject of another issuer is somebody else.
	other := oidctest.Start(t, "chancery", clientSecret)
	other.Be(oidctest.User{Subject: "9", Email: "zoe@acme.test", Verified: true})
	id := f.trust(t, "acme", other, `,"provisioning":"verified-domain"`)
	if r := ask(t, browser(), "GET", f.url+"/v1/tenants/acme/oidc/"+id+"/start?return_to=/v1/me", ""); r.status != 401 || r.code() != "identity-unknown" {
		t.Errorf("another issuer's subject: %d %s", r.status, r.body)
	}
}

// program signs in without cookies.
func (f *federation) authorize(t *testing.T, body string, headers ...string) (address, ticket string) {
	t.Helper()
	r := ask(t, http.DefaultClient, "POST", f.url+"/v1/tenants/acme/oidc/"+f.issuer+"/authorize", body, headers...)
	if r.status != 200 {
		t.Fatalf("authorize: %d %s", r.status, r.body)
	}
	return r.part("authorization_url"), r.part("ticket")
}

func (f *federation) visit(t *testing.T, address string) url.Values {
	t.Helper()
	back, err := f.provider.Visit(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return back.Query()
}

func (f *federation) callback() string { return f.url + "/v1/oidc/callback/" + f.issuer }

func answerOf(q url.Values, ticket string) string {
	text, _ := json.Marshal(map[string]string{"code": q.Get("code"), "state": q.Get("state"), "ticket": ticket})
	return string(text)
}

func TestOneAnswerOfAnIssuerStartsOneSession(t *testing.T) {
	f := federate(t, "")
	ann := f.linked(t, "acme", "ann", "42")
	f.provider.Be(oidctest.User{Subject: "42"})
	address, ticket := f.authorize(t, `{}`)
	body := answerOf(f.visit(t, address), ticket)
	var won, lost atomic.Int32
	var token atomic.Value
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			r := f.root.as("").do("POST", "/v1/oidc/callback/"+f.issuer, body, "X-Request-ID", strconv.Itoa(i))
			switch {
			case r.status == 200:
				won.Add(1)
				token.Store(r.part("token"))
			case r.status == 429 || r.code() == "challenge-over" || r.code() == "issuer-refused":
				lost.Add(1)
			default:
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || lost.Load() != 99 {
		t.Fatalf("%d sessions started, %d were refused", won.Load(), lost.Load())
	}
	if n := f.column(t, "SELECT count(*)::text FROM core.events WHERE type = 'session.started'"); n[0] != "1" {
		t.Errorf("%s sessions are on record", n[0])
	}
	if me := f.root.as(token.Load().(string)).do("GET", "/v1/me", ""); me.part("user_id") != ann {
		t.Errorf("%d %s", me.status, me.body)
	}
}

func TestNobodyIsSignedInByAnotherOnesAnswer(t *testing.T) {
	f := federate(t, "")
	f.linked(t, "acme", "ann", "42")
	f.provider.Be(oidctest.User{Subject: "42"})
	over := func(what string, r reply) {
		t.Helper()
		if r.status != 422 || r.code() != "challenge-over" || len(r.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: %d %s", what, r.status, r.body)
		}
	}
	// A link to the end of somebody else's way, opened in a browser that did not begin it.
	attacker := browser()
	begun := ask(t, stopping(attacker), "GET", f.start(""), "")
	q := f.visit(t, begun.header.Get("Location"))
	end := f.callback() + "?" + q.Encode()
	over("another browser", ask(t, browser(), "GET", end, ""))
	own := browser()
	ask(t, stopping(own), "GET", f.start(""), "")
	over("another browser, on its own way", ask(t, own, "GET", end, ""))
	name, _, _ := strings.Cut(begun.header.Get("Set-Cookie"), "=")
	over("another browser, with a cookie of that name", ask(t, browser(), "GET", end, "", "Cookie", name+"="+strings.Repeat("x", 26)))
	over("a browser in place of a program", ask(t, browser(), "POST", f.callback(), answerOf(q, "")))
	over("no state", ask(t, attacker, "GET", f.callback()+"?code="+q.Get("code"), ""))
	over("a made-up state", ask(t, attacker, "GET", f.callback()+"?code=x&state=x", ""))
	over("at another issuer", ask(t, attacker, "GET", f.url+"/v1/oidc/callback/"+f.trust(t, "acme", oidctest.Start(t, "chancery", clientSecret), "")+"?"+q.Encode(), ""))
	if r := ask(t, attacker, "HEAD", end, ""); r.status != 405 {
		t.Errorf("one who only looks: %d", r.status)
	}
	address, ticket := f.authorize(t, `{}`)
	programs := f.visit(t, address)
	over("another ticket", ask(t, http.DefaultClient, "POST", f.callback(), answerOf(programs, ticket+"x")))
	over("a program in place of a browser", ask(t, http.DefaultClient, "POST", f.callback(), answerOf(q, ticket)))
	over("a program's answer in a browser", ask(t, browser(), "GET", f.callback()+"?"+programs.Encode(), ""))

	if r := ask(t, attacker, "GET", end+"&iss="+url.QueryEscape("https://evil.test"), ""); r.status != 401 || r.code() != "issuer-refused" {
		t.Errorf("another issuer's answer: %d %s", r.status, r.body)
	}
	if n := f.column(t, "SELECT count(*)::text FROM core.events WHERE type = 'session.started'"); n[0] != "0" {
		t.Errorf("%s sessions were started", n[0])
	}
}

func TestUsersAreSentBackOnlyWhereTheyMayBe(t *testing.T) {
	f := federate(t, "")
	for to, ok := range map[string]bool{
		"/": true, "/app?x=1": true, "": true, f.url + "/x": true, "https://spa.test/in?a=b": true, "https://spa.test": true,
		"//evil.test": false, "/\\evil.test": false, "https://evil.test": false, "https://spa.test.evil.test": false, "https://spa.test@evil.test": false,
		"javascript:alert(1)": false, "http://spa.test": false, "x": false, "/\x01": false, "https://spa.test:444": false, "/#x": false,
		"/" + strings.Repeat("x", 1000): false, "https:///x": false,
	} {
		r := ask(t, stopping(browser()), "GET", f.url+"/v1/tenants/acme/oidc/"+f.issuer+"/start?return_to="+url.QueryEscape(to), "")
		text, _ := json.Marshal(map[string]string{"return_to": to})
		p := ask(t, http.DefaultClient, "POST", f.url+"/v1/tenants/acme/oidc/"+f.issuer+"/authorize", string(text))
		if (r.status == 302) != ok || (p.status == 200) != ok || !ok && (r.status != 400 || p.status != 400) {
			t.Errorf("%q: %d and %d", to, r.status, p.status)
		}
	}
	address, ticket := f.authorize(t, `{"return_to":"https://spa.test/in?a=b"}`)
	f.linked(t, "acme", "ann", "42")
	f.provider.Be(oidctest.User{Subject: "42"})
	r := ask(t, stopping(browser()), "GET", f.callback()+"?"+f.visit(t, address).Encode(), "")
	at := r.header
	to, err := url.Parse(at.Get("Location"))
	if err != nil || r.status != 302 || to.Host != "spa.test" || to.Query().Get("a") != "b" {
		t.Fatalf("handed over to %q: %d", at.Get("Location"), r.status)
	}
	if r := ask(t, http.DefaultClient, "POST", f.callback(), answerOf(to.Query(), ticket)); r.status != 200 || !strings.HasPrefix(r.part("token"), "chn_ses_") {
		t.Errorf("the page's own end: %d %s", r.status, r.body)
	}
}

func TestAnAccountIsLinkedByWhoHasSignedInLately(t *testing.T) {
	f := federate(t, "")
	ann := f.linked(t, "acme", "ann", "42")
	f.provider.Be(oidctest.User{Subject: "42"})
	token := f.root.issue(t, "acme", ann)
	b, _ := f.signIn(t)
	set := f.url + "/v1/tenants/acme/commands/set-password"
	if r := ask(t, http.DefaultClient, "POST", set, `{"password":"`+phrase+`"}`, "Authorization", "Bearer "+token); r.code() != "session-required" {
		t.Errorf("a first password past the issuer: %d %s", r.status, r.body)
	}
	if r := ask(t, b, "POST", set, `{"password":"`+phrase+`"}`); r.status != 200 {
		t.Fatalf("a first password: %d %s", r.status, r.body)
	}
	authorize := f.url + "/v1/tenants/acme/oidc/" + f.issuer + "/authorize"
	if r := ask(t, http.DefaultClient, "POST", authorize, `{"link":true}`); r.status != 401 {
		t.Errorf("nobody links: %d", r.status)
	}
	if r := ask(t, http.DefaultClient, "POST", authorize, `{"link":true}`, "Authorization", "Bearer "+f.root.token); r.status != 404 {
		t.Errorf("another tenant's: %d %s", r.status, r.body)
	}
	if r := ask(t, http.DefaultClient, "POST", authorize, `{"link":true}`, "Authorization", "Bearer "+token); r.code() != "session-required" {
		t.Errorf("an API token: %d %s", r.status, r.body)
	}
	if r := ask(t, b, "POST", authorize, `{"link":true,"cookie":true}`, "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"); r.status != 403 {
		t.Errorf("a page of another origin: %d %s", r.status, r.body)
	}
	f.root.must(t, "acme", "set-policy", `{"key":"`+domain.FactorRequired.Key+`","value":"true"}`)
	bounded := ask(t, http.DefaultClient, "POST", f.url+"/v1/tenants/acme/sessions", `{"email":"ann@acme.test","password":"`+phrase+`"}`).part("token")
	if r := ask(t, http.DefaultClient, "POST", authorize, `{"link":true}`, "Authorization", "Bearer "+bounded); bounded == "" || r.code() != domain.ErrNotAllowed.Code {
		t.Errorf("without the second factor that is demanded: %d %s", r.status, r.body)
	}
	begun := ask(t, b, "POST", authorize, `{"link":true,"cookie":true,"return_to":"/v1/me"}`)
	if begun.status != 200 || begun.part("ticket") != "" {
		t.Fatalf("%d %s", begun.status, begun.body)
	}
	f.provider.Be(oidctest.User{Subject: "second account"})
	if r := ask(t, b, "GET", begun.part("authorization_url"), ""); r.status != 200 || r.part("user_id") != ann {
		t.Errorf("linked: %d %s", r.status, r.body)
	}
	if _, me := f.signIn(t); me.part("user_id") != ann {
		t.Errorf("by the second account: %d %s", me.status, me.body)
	}
	bob := f.linked(t, "acme", "bob", "77")
	f.provider.Be(oidctest.User{Subject: "77"})
	begun = ask(t, b, "POST", authorize, `{"link":true,"cookie":true}`)
	if r := ask(t, b, "GET", begun.part("authorization_url"), ""); r.status != 422 || r.code() != "identity-taken" {
		t.Errorf("%s's account: %d %s", bob, r.status, r.body)
	}
	f.provider.Be(oidctest.User{Subject: "78"})
	begun = ask(t, b, "POST", authorize, `{"link":true,"cookie":true}`)
	ask(t, b, "DELETE", f.url+"/v1/sessions/current", "")
	if r := ask(t, b, "GET", begun.part("authorization_url"), ""); r.status != 401 || r.code() != "session-over" {
		t.Errorf("after the session: %d %s", r.status, r.body)
	}
}

func TestAProofIsAsOldAsTheIssuerSays(t *testing.T) {
	f := federate(t, "")
	ann := f.linked(t, "acme", "ann", "42")
	f.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":"%s","user_id":%q}`, domain.TenantAdmin, ann))
	f.provider.Be(oidctest.User{Subject: "42", SeenAt: time.Now().Add(-time.Hour)})
	dangerous := func(b *http.Client) reply {
		return ask(t, b, "POST", f.url+"/v1/tenants/acme/commands/change-issuer", fmt.Sprintf(`{"id":%q,"name":"x"}`, f.issuer))
	}
	b, _ := f.signIn(t)
	if r := dangerous(b); r.code() != "step-up-required" || !strings.Contains(r.header.Get("WWW-Authenticate"), "max_age") {
		t.Errorf("an old proof: %d %s", r.status, r.body)
	}
	ask(t, b, "GET", f.start("&fresh=true"), "")
	if r := dangerous(b); r.status != 200 {
		t.Errorf("a fresh proof: %d %s", r.status, r.body)
	}
	f.provider.Forge(func(c map[string]any) { c["auth_time"] = time.Now().Add(-time.Hour).Unix() })
	if r := ask(t, b, "GET", f.start("&fresh=true"), ""); r.status != 401 || r.code() != "issuer-refused" {
		t.Errorf("a proof that is not fresh: %d %s", r.status, r.body)
	}
}

func TestAProviderThatFailsTellsNobodyAnything(t *testing.T) {
	f := federate(t, "")
	f.linked(t, "acme", "ann", "42")
	f.provider.Be(oidctest.User{Subject: "42"})
	b := browser()
	begun := ask(t, stopping(b), "GET", f.start(""), "")
	back := f.callback() + "?" + f.visit(t, begun.header.Get("Location")).Encode()
	f.provider.Down(true)
	r := ask(t, b, "GET", back, "")
	if r.status != 503 || r.code() != "issuer-unavailable" || r.header.Get("Retry-After") == "" || strings.Contains(r.body, "127.0.0.1") {
		t.Errorf("down: %d %v %s", r.status, r.header, r.body)
	}
	f.provider.Down(false)
	f.provider.Forge(func(c map[string]any) { c["nonce"] = "another" })
	if _, r := f.signIn(t); r.status != 401 || r.code() != "issuer-refused" {
		t.Errorf("a wrong nonce: %d %s", r.status, r.body)
	}
	f.provider.Forge(nil)
	f.root.must(t, "acme", "change-issuer", fmt.Sprintf(`{"id":%q,"client_secret":"secret://sign-in/missing"}`, f.issuer))
	if _, r := f.signIn(t); r.status != 502 || r.code() != "issuer-failed" {
		t.Errorf("no client secret: %d %s", r.status, r.body)
	}
	f.root.must(t, "acme", "change-issuer", fmt.Sprintf(`{"id":%q,"client_secret":"secret://sign-in/acme-id","client_id":"other"}`, f.issuer))
	if _, r := f.signIn(t); r.status < 400 {
		t.Errorf("an unknown client: %d %s", r.status, r.body)
	}
	nowhere := f.root.must(t, "acme", "add-issuer", `{"name":"N","url":"http://127.0.0.1:1","client_id":"c"}`)
	if r := ask(t, browser(), "GET", f.url+"/v1/tenants/acme/oidc/"+nowhere+"/start", ""); r.status != 503 || r.code() != "issuer-unavailable" {
		t.Errorf("nobody there: %d %s", r.status, r.body)
	}
	for _, path := range []string{"/v1/tenants/nobody/oidc/" + f.issuer, "/v1/tenants/root/oidc/" + f.issuer, "/v1/tenants/acme/oidc/x"} {
		if r := ask(t, browser(), "GET", f.url+path+"/start", ""); r.status != 404 {
			t.Errorf("%s: %d", path, r.status)
		}
	}
}

func TestCodesAndTokensStandInNoLogAndNoTable(t *testing.T) {
	f := federate(t, `,"audiences":["api"]`)
	f.linked(t, "acme", "ann", "Kanarien-subjekt")
	f.provider.Be(oidctest.User{Subject: "Kanarien-subjekt", Email: "kanari@acme.test", Verified: true, Name: "Kanarienvogel"})
	b := browser()
	begun := ask(t, stopping(b), "GET", f.start(""), "")
	q := f.visit(t, begun.header.Get("Location"))
	back := f.callback() + "?" + q.Encode()
	f.provider.Down(true)
	ask(t, b, "GET", back, "") // fails with the code in hand
	f.provider.Down(false)
	b = browser()
	begun = ask(t, stopping(b), "GET", f.start(""), "")
	again := f.visit(t, begun.header.Get("Location"))
	end := ask(t, stopping(b), "GET", f.callback()+"?"+again.Encode(), "")
	if end.status != 302 {
		t.Fatalf("%d %s", end.status, end.body)
	}
	session := strings.TrimPrefix(strings.Split(end.header.Values("Set-Cookie")[1], ";")[0], "chancery=")
	bearer := f.provider.Sign(map[string]any{"sub": "Kanarien-subjekt", "aud": "api"})
	f.root.as(bearer).do("GET", "/v1/me", "")
	f.root.as(bearer+"x").do("GET", "/v1/me", "")
	parts := strings.Split(bearer, ".")
	secrets := []string{q.Get("code"), again.Get("code"), q.Get("state"), again.Get("state"), session, parts[2], clientSecret, "Kanarien-subjekt", "Kanarienvogel", "kanari@acme.test"}
	for _, secret := range secrets {
		if len(secret) < 8 {
			t.Fatalf("there is no secret %q", secret)
		}
	}
	f.settled(t)
	if found := f.leaks(t, secrets, map[string]string{"log": f.log.String()}); len(found) > 0 {
		t.Errorf("found: %v", found)
	}
	if found := f.leaks(t, []string{"planted-7"}, map[string]string{"log": f.log.String() + "planted-7"}); len(found) != 1 {
		t.Error("the search finds nothing")
	}
	if !strings.Contains(f.log.String(), "OpenID provider") {
		t.Error("the failure was not logged")
	}
}
