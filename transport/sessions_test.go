package transport_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/domain"
)

const password = "correct horse battery"

// signIn signs abe in, and keeps the token as ses.
func (w *world) signIn(t testing.TB) *httptest.ResponseRecorder {
	t.Helper()
	rec := w.do("", "POST", "/v1/tenants/acme/sessions", `{"email":"abe@acme.test","password":"`+password+`"}`)
	var answer map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("sign in: %d %s", rec.Code, rec.Body)
	}
	w.vars["ses"], _ = answer["token"].(string)
	w.vars["sesID"], _ = answer["session_id"].(string)
	return rec
}

// withPassword is a world in which abe has one.
func withPassword(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.people(t)
	w.must(t, "abe", "/v1/tenants/acme/commands/set-password", `{"password":"`+password+`"}`, "position")
	return w
}

func (w *world) forward(d time.Duration) { w.clock.Add(int64(d)) }

func TestASessionEndsWhenItWasNotUsedForLongAndAtItsEnd(t *testing.T) {
	w := withPassword(t)
	w.signIn(t)
	alive := func(want bool) {
		t.Helper()
		if rec := w.do("ses", "GET", "/v1/me", ""); (rec.Code == 200) != want {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	for range 23 {
		w.forward(59 * time.Minute)
		alive(true)
	}
	if seen := slices.DeleteFunc(slices.Clone(w.refused), func(s string) bool { return s != "seen  session:"+w.vars["sesID"] }); len(seen) != 23 {
		t.Errorf("seen %d times on record", len(seen))
	}
	w.forward(61 * time.Minute)
	alive(false)
	w.signIn(t)
	for range 28 {
		w.forward(50 * time.Minute)
		alive(true)
	}
	w.forward(41 * time.Minute)
	alive(false)
}

func TestAnUnusedQuarterIsNotWorthARecord(t *testing.T) {
	w := withPassword(t)
	w.signIn(t)
	for range 14 {
		w.forward(time.Minute)
		w.do("ses", "GET", "/v1/me", "")
	}
	if slices.ContainsFunc(w.refused, func(s string) bool { return strings.HasPrefix(s, "seen") }) {
		t.Errorf("on record: %v", w.refused)
	}
}

func TestADangerousCommandNeedsAFreshProof(t *testing.T) {
	w := withPassword(t)
	w.must(t, "ann", "/v1/tenants/acme/commands/assign-role", `{"role_id":"`+w.vars["adminRole"]+`","user_id":"`+w.vars["abeID"]+`"}`, "id")
	w.signIn(t)
	issue := func(who string) *httptest.ResponseRecorder {
		return w.do(who, "POST", "/v1/tenants/acme/commands/issue-token", `{"name":"ci","expires_at":"2026-06-01T00:00:00Z"}`)
	}
	if rec := issue("ses"); rec.Code != 200 {
		t.Fatalf("at once: %d %s", rec.Code, rec.Body)
	}
	w.forward(10*time.Minute + time.Second)
	rec := issue("ses")
	want := `Bearer error="insufficient_user_authentication", max_age="600"`
	if rec.Code != 401 || rec.Header().Get("WWW-Authenticate") != want || !strings.Contains(rec.Body.String(), "step-up-required") {
		t.Fatalf("later: %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	line := `{"command":"issue-token","body":{"name":"ci","expires_at":"2026-06-01T00:00:00Z"}}`
	if got := w.bulk(t, "ses", "acme", "", line); got[0].Status != 401 {
		t.Errorf("as a line: %+v", got[0])
	}
	for command, body := range map[string]string{ // by which a fresh proof would not be needed any more
		"set-policy": `{"key":"` + domain.StepUpMinutes.Key + `","value":"60"}`, "reset-policy": `{"key":"` + domain.StepUpMinutes.Key + `"}`,
		"change-user-email": `{"id":"` + w.vars["abeID"] + `","email":"thief@evil.test"}`,
		// and which tell a key
		"create-endpoint":        `{"app":"crm","kind":"webhook","types":["core.user.*"],"url":"https://crm.example/"}`,
		"rotate-endpoint-secret": `{"id":"` + w.vars["abeID"] + `"}`, "reveal-endpoint-secret": `{"id":"` + w.vars["abeID"] + `"}`,
	} {
		if rec := w.do("ses", "POST", "/v1/tenants/acme/commands/"+command, body); rec.Code != 401 {
			t.Errorf("%s: %d %s", command, rec.Code, rec.Body)
		}
	}
	if rec := w.do("ses", "POST", "/v1/tenants/acme/commands/create-group", `{"name":"Team"}`); rec.Code != 200 {
		t.Errorf("what is not dangerous: %d %s", rec.Code, rec.Body)
	}
	if rec := issue("abe"); rec.Code != 200 {
		t.Errorf("by token: %d %s", rec.Code, rec.Body)
	}
	w.must(t, "ses", "/v1/sessions/step-up", `{"password":"`+password+`"}`, "session_id")
	if rec := issue("ses"); rec.Code != 200 {
		t.Errorf("after a proof: %d %s", rec.Code, rec.Body)
	}
	w.must(t, "ann", "/v1/tenants/acme/commands/set-policy", `{"key":"`+domain.StepUpMinutes.Key+`","value":"1"}`, "position")
	w.forward(time.Minute + time.Second)
	if rec := issue("ses"); rec.Code != 401 || !strings.Contains(rec.Header().Get("WWW-Authenticate"), `max_age="60"`) {
		t.Errorf("where the tenant wants it fresher: %d %v", rec.Code, rec.Header())
	}
}

// cookieOf is what a browser keeps of an answer.
func cookieOf(t *testing.T, rec *httptest.ResponseRecorder, name string) *http.Cookie {
	t.Helper()
	for _, c := range rec.Result().Cookies() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no cookie %s: %v", name, rec.Header())
	return nil
}

func TestABrowserKeepsItsSessionInACookieThatNoScriptReads(t *testing.T) {
	for scheme, prefix := range map[string]string{"http": "", "https": "__Host-"} {
		t.Run(scheme, func(t *testing.T) {
			w := withPassword(t)
			w.config.PublicURL = scheme + "://example.com"
			w.restart(t)
			rec := w.do("", "POST", "/v1/tenants/acme/sessions", `{"email":"abe@acme.test","password":"`+password+`","cookie":true}`)
			session, device := cookieOf(t, rec, prefix+"chancery"), cookieOf(t, rec, prefix+"chancery-device")
			for _, c := range []*http.Cookie{session, device} {
				if !c.HttpOnly || c.Secure != (prefix != "") || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Expires.IsZero() {
					t.Errorf("cookie %s", c)
				}
			}
			if strings.Contains(rec.Body.String(), "token") || strings.Contains(rec.Body.String(), session.Value) || rec.Header().Get("Chancery-Device") != "" {
				t.Errorf("the answer tells the token: %s", rec.Body)
			}
			as := func(method, target, body string, headers ...string) *httptest.ResponseRecorder {
				return w.do("", method, target, body, append([]string{"Cookie", session.Name + "=" + session.Value}, headers...)...)
			}
			if rec := as("GET", "/v1/me", ""); rec.Code != 200 {
				t.Fatalf("me: %d %s", rec.Code, rec.Body)
			}
			end := as("DELETE", "/v1/sessions/current", "")
			if c := cookieOf(t, end, session.Name); end.Code != 204 || c.MaxAge >= 0 || c.Value != "" {
				t.Errorf("sign out: %d %s", end.Code, c)
			}
			if rec := as("GET", "/v1/me", ""); rec.Code != 401 {
				t.Errorf("after it: %d", rec.Code)
			}
		})
	}
}

func TestNoOtherSiteUsesTheCookie(t *testing.T) {
	w := withPassword(t)
	w.signIn(t)
	w.config.PublicURL = "https://chancery.example.org/api"
	w.restart(t)
	const target = "/v1/tenants/acme/commands/end-sessions"
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"its own page":                     {[]string{"Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"}, 200},
		"no browser":                       {nil, 200},
		"an old browser's own page":        {[]string{"Origin", "http://example.com"}, 200},
		"the public address":               {[]string{"Sec-Fetch-Site", "same-site", "Origin", "https://chancery.example.org"}, 200},
		"another site":                     {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, 403},
		"a sister":                         {[]string{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.com"}, 403},
		"an old browser on another site":   {[]string{"Origin", "https://evil.test"}, 403},
		"a form":                           {[]string{"Content-Type", "text/plain"}, 415},
		"a form that names none":           {[]string{"Content-Type", ""}, 415},
		"a form of another site":           {[]string{"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"}, 403},
		"the cookie of the other protocol": {[]string{"Cookie", "chancery=" + w.vars["ses"]}, 401},
		"a token of an API in the cookie":  {[]string{"Cookie", "__Host-chancery=" + w.vars["abe"]}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			headers := append([]string{"Cookie", "__Host-chancery=" + w.vars["ses"]}, c.headers...)
			if rec := w.do("", "POST", target, `{}`, headers...); rec.Code != c.status {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
		})
	}
	foreign := []string{"Sec-Fetch-Site", "cross-site", "Cookie", "__Host-chancery=" + w.vars["ses"]}
	if rec := w.do("", "GET", "/v1/me", "", foreign...); rec.Code != 200 {
		t.Errorf("reading: %d", rec.Code)
	}
	if rec := w.do("ses", "POST", target, `{}`, foreign...); rec.Code != 200 {
		t.Errorf("with a header no browser sends by itself: %d", rec.Code)
	}
	if rec := w.do("", "POST", target, `{}`, "Authorization", "Bearer wrong", "Cookie", "__Host-chancery="+w.vars["ses"]); rec.Code != 401 {
		t.Errorf("a wrong header and a right cookie: %d", rec.Code)
	}
	in := `{"email":"abe@acme.test","password":"` + password + `","cookie":true}`
	if rec := w.do("", "POST", "/v1/tenants/acme/sessions", in, "Sec-Fetch-Site", "cross-site"); rec.Code != 403 {
		t.Errorf("another site signs somebody in: %d", rec.Code)
	}
	if rec := w.do("", "DELETE", "/v1/sessions/current", "", foreign...); rec.Code != 403 {
		t.Errorf("another site signs somebody out: %d", rec.Code)
	}
}

func TestTheTokenOfALinkIdentifiesNobody(t *testing.T) {
	w := withPassword(t)
	w.signIn(t)
	w.vars["lnk"] = strings.Replace(w.vars["ses"], "chn_ses_", "chn_lnk_", 1)
	w.vars["pat"] = strings.Replace(w.vars["ses"], "chn_ses_", "chn_pat_", 1)
	for _, who := range []string{"lnk", "pat"} {
		if rec := w.do(who, "GET", "/v1/me", ""); rec.Code != 401 {
			t.Errorf("%s: %d", who, rec.Code)
		}
	}
}

func TestTooManyAttemptsWaitAlike(t *testing.T) {
	w := withPassword(t)
	w.usedUp = "account"
	in := func(email string, headers ...string) *httptest.ResponseRecorder {
		return w.do("", "POST", "/v1/tenants/acme/sessions", `{"email":"`+email+`","password":"`+password+`"}`, headers...)
	}
	known, unknown := in("abe@acme.test", "X-Request-ID", "r"), in("eve@acme.test", "X-Request-ID", "r")
	if known.Code != 429 || known.Header().Get("Retry-After") != "90" || known.Body.String() != unknown.Body.String() || unknown.Code != 429 {
		t.Errorf("known: %d %v %s\nunknown: %d %s", known.Code, known.Header(), known.Body, unknown.Code, unknown.Body)
	}
	w.usedUp = ""
	device := in("abe@acme.test").Header().Get("Chancery-Device")
	if len(w.forgotten) == 0 || device == "" {
		t.Fatalf("forgotten %v, device %q", w.forgotten, device)
	}
	w.usedUp = "account"
	if rec := in("abe@acme.test", "Chancery-Device", device); rec.Code != 200 {
		t.Errorf("on a device that is known: %d", rec.Code)
	}
	if rec := in("abe@acme.test", "Cookie", "chancery-device="+device); rec.Code != 200 {
		t.Errorf("by its cookie: %d", rec.Code)
	}
	if rec := in("ann@acme.test", "Chancery-Device", device); rec.Code != 429 {
		t.Errorf("a device known for another account: %d", rec.Code)
	}
	if rec := in("abe@acme.test", "Chancery-Device", "ticket.x"); rec.Code != 429 {
		t.Errorf("a device of somebody's own making: %d", rec.Code)
	}
}

// Who knows the password can use up the guesses at a one-time code, and no link by mail gives these back.
func TestWhatCannotBeGuessedGetsTheOwnerInWhenTheGuessesAreUsedUp(t *testing.T) {
	w := withPassword(t)
	w.signIn(t)
	ticket := w.must(t, "ses", "/v1/tenants/acme/credentials/passkey", `{}`, "ticket")
	w.must(t, "ses", "/v1/tenants/acme/commands/register-passkey",
		`{"name":"laptop","ticket":"`+ticket+`","response":{"id":"k1","challenge":"challenge","count":0}}`, "id")
	codes := strings.Fields(w.must(t, "ses", "/v1/tenants/acme/commands/issue-recovery-codes", `{}`, "recovery_codes"))
	w.usedUp = "factor of " + w.vars["abeID"]
	second := func(shown string) int {
		t.Helper()
		ticket := w.must(t, "", "/v1/tenants/acme/sessions", `{"email":"abe@acme.test","password":"`+password+`"}`, "ticket")
		return w.do("", "POST", "/v1/tenants/acme/sessions", `{"ticket":"`+ticket+`",`+shown+`}`).Code
	}
	if status := second(`"code":"123456"`); status != 429 {
		t.Errorf("a code: %d", status)
	}
	if status := second(`"passkey":{"id":"k1","challenge":"challenge","count":1}`); status != 200 {
		t.Errorf("the passkey: %d", status)
	}
	if status := second(`"recovery_code":"` + codes[0] + `"`); status != 200 {
		t.Errorf("a recovery code: %d", status)
	}
	w.tried = nil
	second(`"recovery_code":"wrong"`)
	if last := w.tried[len(w.tried)-1]; !strings.HasPrefix(last, "address") {
		t.Errorf("what cannot be guessed may be tried without end: %q", w.tried)
	}
}

func TestTheCurrentPasswordIsGuessedAsSlowlyAsAtTheDoor(t *testing.T) {
	w := withPassword(t)
	w.signIn(t)
	w.usedUp = w.vars["sesID"]
	body := `{"current_password":"x","password":"another horse battery"}`
	if rec := w.do("ses", "POST", "/v1/tenants/acme/commands/set-password", body); rec.Code != 429 {
		t.Errorf("set-password: %d %s", rec.Code, rec.Body)
	}
	if rec := w.do("ses", "POST", "/v1/sessions/step-up", `{"password":"x"}`); rec.Code != 429 {
		t.Errorf("step-up: %d %s", rec.Code, rec.Body)
	}
}

func TestFailedSignInsAreNotedOfTheUserNeverOfTheAddress(t *testing.T) {
	w := withPassword(t)
	for _, email := range []string{"abe@acme.test", "eve@acme.test"} {
		w.do("", "POST", "/v1/tenants/acme/sessions", `{"email":"`+email+`","password":"wrong"}`)
		w.do("", "POST", "/v1/tenants/nowhere/sessions", `{"email":"`+email+`","password":"wrong"}`)
	}
	want := []string{"sign-in sign-in-failed user:" + w.vars["abeID"], "sign-in sign-in-failed "}
	got := slices.DeleteFunc(slices.Clone(w.refused), func(s string) bool { return !strings.HasPrefix(s, "sign-in ") })
	if !slices.Equal(got, want) {
		t.Errorf("noted %q, want %q", got, want)
	}
}

func TestASessionWithoutTheFactorThatIsRequiredOnlyEnrolls(t *testing.T) {
	w := withPassword(t)
	w.must(t, "ann", "/v1/tenants/acme/commands/assign-role", `{"role_id":"`+w.vars["adminRole"]+`","user_id":"`+w.vars["abeID"]+`"}`, "id")
	w.must(t, "ann", "/v1/tenants/acme/commands/set-policy", `{"key":"`+domain.FactorRequired.Key+`","value":"true"}`, "position")
	if rec := w.signIn(t); !strings.Contains(rec.Body.String(), `"scopes":["core.credentials.enroll.*"]`) {
		t.Errorf("it does not say so: %s", rec.Body)
	}
	try := func(command, body string, status int) {
		t.Helper()
		if rec := w.do("ses", "POST", "/v1/tenants/acme/commands/"+command, body); rec.Code != status {
			t.Errorf("%s: %d %s", command, rec.Code, rec.Body)
		}
	}
	try("create-group", `{"name":"Team"}`, 403)
	try("set-password", `{"password":"another horse battery"}`, 403)
	try("end-sessions", `{}`, 403)
	try("remove-credential", `{"id":"`+w.vars["abeID"]+`"}`, 403)
	if rec := w.do("ses", "GET", "/v1/tenants/acme/users", ""); rec.Code != 403 {
		t.Errorf("reading: %d", rec.Code)
	}
	ticket := w.must(t, "ses", "/v1/tenants/acme/credentials/passkey", `{}`, "ticket")
	try("register-passkey", `{"name":"laptop","ticket":"`+ticket+`","response":{"id":"k1","challenge":"challenge","count":0}}`, 200)
	try("create-group", `{"name":"Team"}`, 200)
	w.must(t, "ses", "/v1/sessions/step-up", `{"password":"`+password+`"}`, "session_id")
	try("create-group", `{"name":"Group"}`, 200)
}
