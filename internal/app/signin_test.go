package app

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/transport"
)

const phrase = "seventeen purple kettles"

// door is a server that people sign in at, over real HTTP, with a clock that the test moves.
type door struct {
	t     *testing.T
	app   *App
	url   string
	clock *clock
	admin caller
	user  string
	token string // of the user, issued by the administrator
}

// newDoor has a tenant acme with a user ann who has a password. Throttled says whether guesses are counted.
func newDoor(t *testing.T, throttled bool) *door {
	t.Helper()
	c := newClock(time.Now().UTC().Truncate(time.Second))
	a, root := platformWith(t, Config{Now: c.now, PublicURL: "http://localhost"})
	edge := a.edge()
	if !throttled {
		edge.Throttle = nil
	}
	handler, err := transport.New(edge)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	d := &door{t: t, app: a, url: server.URL, clock: c, admin: root}
	d.user = root.must(t, "acme", "register-user", `{"display_name":"Ann Example","email":"ann@acme.test"}`)
	d.token = root.issue(t, "acme", d.user)
	d.ok(d.token, "POST", "/v1/tenants/acme/commands/set-password", `{"password":"`+phrase+`"}`)
	return d
}

type answer struct {
	status int
	header http.Header
	text   string
	parts  map[string]any
}

func (a answer) part(name string) string { text, _ := a.parts[name].(string); return text }

func (d *door) do(token, method, path, body string, headers ...string) answer {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.parts)
	return a
}

func (d *door) ok(token, method, path, body string) answer {
	d.t.Helper()
	a := d.do(token, method, path, body)
	if a.status/100 != 2 {
		d.t.Fatalf("%s %s: %d %s", method, path, a.status, a.text)
	}
	return a
}

func (d *door) is(want int, a answer) {
	d.t.Helper()
	if a.status != want {
		d.t.Fatalf("status %d, want %d: %s", a.status, want, a.text)
	}
}

func (d *door) knock(password string) answer {
	d.t.Helper()
	return d.do("", "POST", "/v1/tenants/acme/sessions", `{"email":"ann@acme.test","password":"`+password+`"}`)
}

// enter signs in by password alone.
func (d *door) enter() answer {
	d.t.Helper()
	a := d.knock(phrase)
	if d.is(200, a); a.part("token") == "" {
		d.t.Fatalf("no session: %s", a.text)
	}
	return a
}

// ticket signs in as far as the second factor.
func (d *door) ticket() answer {
	d.t.Helper()
	a := d.knock(phrase)
	if d.is(200, a); a.part("ticket") == "" || a.parts["factor_required"] != true || a.part("token") != "" {
		d.t.Fatalf("no factor is asked for: %s", a.text)
	}
	return a
}

func (d *door) show(ticket, factor, value string) answer {
	d.t.Helper()
	return d.do("", "POST", "/v1/tenants/acme/sessions", fmt.Sprintf(`{"ticket":%q,%q:%s}`, ticket, factor, value))
}

func (d *door) command(token, name, body string) answer {
	d.t.Helper()
	return d.ok(token, "POST", "/v1/tenants/acme/commands/"+name, body)
}

// code is what an authenticator shows that has read the address (RFC 6238 and 4226).
func code(t *testing.T, address string, at time.Time) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	if err != nil || len(seed) < 20 {
		t.Fatalf("seed of %d bytes: %v", len(seed), err)
	}
	mac := hmac.New(sha1.New, seed)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	from := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[from:])&0x7fffffff%1e6)
}

// phone enrolls and confirms a one-time password in a session, and returns its address.
func (d *door) phone(session string) string {
	d.t.Helper()
	enrolled := d.command(session, "enroll-totp", `{"name":"phone"}`)
	address := enrolled.part("otpauth_uri")
	d.command(session, "confirm-totp", fmt.Sprintf(`{"id":%q,"code":%q}`, enrolled.part("id"), code(d.t, address, d.clock.now())))
	d.clock.forward(30 * time.Second)
	return address
}

func TestSomebodySignsInChangesThePasswordAndSignsOut(t *testing.T) {
	d := newDoor(t, true)
	first, second := d.enter(), d.enter()
	session, other := first.part("token"), second.part("token")
	if !strings.HasPrefix(session, "chn_ses_") || first.part("user_id") != d.user || first.header.Get("Chancery-Device") == "" {
		t.Fatalf("signed in with %v %s", first.header, first.text)
	}
	me := d.ok(session, "GET", "/v1/me", "")
	if me.part("session_id") != first.part("session_id") || me.part("authenticated_at") == "" || fmt.Sprint(me.parts["methods"]) != "[pwd]" {
		t.Errorf("me: %s", me.text)
	}
	d.clock.forward(11 * time.Minute)
	const next = "another purple kettle"
	late := d.do(session, "POST", "/v1/tenants/acme/commands/set-password", `{"password":"`+next+`"}`)
	if d.is(401, late); !strings.Contains(late.header.Get("WWW-Authenticate"), `insufficient_user_authentication`) {
		t.Errorf("not asked to step up: %v", late.header)
	}
	d.is(401, d.do(session, "POST", "/v1/sessions/step-up", `{"password":"wrong"}`))
	d.ok(session, "POST", "/v1/sessions/step-up", `{"password":"`+phrase+`"}`)
	d.command(session, "set-password", `{"password":"`+next+`"}`)
	d.is(401, d.do(other, "GET", "/v1/me", ""))
	d.is(200, d.do(session, "GET", "/v1/me", ""))
	d.is(401, d.knock(phrase))
	d.is(200, d.knock(next))

	d.app.settled(t)
	mine := d.ok(session, "GET", "/v1/tenants/acme/sessions?user_id="+d.user, "")
	if items := mine.parts["items"].([]any); len(items) != 3 || !strings.Contains(mine.text, `"ip":"127.0.0.1"`) || !strings.Contains(mine.text, "Go-http-client") {
		t.Errorf("sessions: %s", mine.text)
	}
	for _, secret := range []string{"hash", "sealed", "material"} {
		if kept := d.ok(session, "GET", "/v1/tenants/acme/credentials?user_id="+d.user, ""); strings.Contains(kept.text, secret) {
			t.Errorf("credentials show their %s: %s", secret, kept.text)
		}
	}
	d.is(204, d.do(session, "DELETE", "/v1/sessions/current", ""))
	d.is(401, d.do(session, "GET", "/v1/me", ""))
}

func TestSessionsEndOfThemselves(t *testing.T) {
	d := newDoor(t, true)
	idle, used := d.enter().part("token"), d.enter().part("token")
	for range 23 {
		d.clock.forward(59 * time.Minute)
		d.is(200, d.do(used, "GET", "/v1/me", ""))
	}
	d.is(401, d.do(idle, "GET", "/v1/me", ""))
	if seen := d.app.column(t, "SELECT count(*)::text FROM core.events WHERE type = 'session.seen'"); seen[0] == "0" {
		t.Error("its use is not on record")
	}
	d.clock.forward(30 * time.Minute)
	d.is(200, d.do(used, "GET", "/v1/me", ""))
	d.clock.forward(time.Hour - 7*time.Minute)
	d.is(401, d.do(used, "GET", "/v1/me", ""))
}

func TestASecondFactorIsAskedForAndEachCodeWorksOnce(t *testing.T) {
	d := newDoor(t, true)
	session := d.enter().part("token")
	address := d.phone(session)
	codes := strings.Fields(d.command(session, "issue-recovery-codes", `{}`).part("recovery_codes"))
	if len(codes) != 10 {
		t.Fatalf("codes %v", codes)
	}
	now := fmt.Sprintf("%q", code(t, address, d.clock.now()))
	d.is(401, d.show(d.ticket().part("ticket"), "code", `"000000"`))
	ticket := d.ticket()
	in := d.show(ticket.part("ticket"), "code", now)
	if d.is(200, in); fmt.Sprint(in.parts["methods"]) != "[pwd otp mfa]" {
		t.Errorf("methods %v", in.parts["methods"])
	}
	d.is(401, d.show(d.ticket().part("ticket"), "code", now))
	d.is(422, d.show(ticket.part("ticket"), "code", now))
	recovery := fmt.Sprintf("%q", codes[3])
	d.is(200, d.show(d.ticket().part("ticket"), "recovery_code", recovery))
	d.is(401, d.show(d.ticket().part("ticket"), "recovery_code", recovery))
	d.app.settled(t)
	if left := d.ok(in.part("token"), "GET", "/v1/tenants/acme/credentials?kind=recovery-codes&user_id="+d.user, ""); !strings.Contains(left.text, `"codes_left":9`) {
		t.Errorf("credentials: %s", left.text)
	}
	old := d.ticket().part("ticket")
	d.clock.forward(6 * time.Minute)
	d.is(422, d.show(old, "code", fmt.Sprintf("%q", code(t, address, d.clock.now()))))
}

func TestAPasskeySignsInByItselfOrAsASecondFactor(t *testing.T) {
	d := newDoor(t, true)
	session := d.enter().part("token")
	party := virtualwebauthn.RelyingParty{ID: "localhost", Name: "Chancery", Origin: "http://localhost"}
	handle := uuid.MustParse(d.user)
	device := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: handle[:]})
	key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA)
	asked := d.ok(session, "POST", "/v1/tenants/acme/credentials/passkey", `{}`)
	options, err := virtualwebauthn.ParseAttestationOptions(inner(t, asked.parts["options"]))
	if err != nil {
		t.Fatal(err)
	}
	response := virtualwebauthn.CreateAttestationResponse(party, device, key, *options)
	d.command(session, "register-passkey", fmt.Sprintf(`{"name":"laptop","ticket":%q,"response":%s}`, asked.part("ticket"), response))
	device.AddCredential(key)

	sign := func(options any) string {
		key.Counter++
		o, err := virtualwebauthn.ParseAssertionOptions(inner(t, options))
		if err != nil {
			t.Fatal(err)
		}
		return virtualwebauthn.CreateAssertionResponse(party, device, key, *o)
	}
	second := d.ticket()
	in := d.show(second.part("ticket"), "passkey", sign(second.parts["passkey_options"]))
	if d.is(200, in); fmt.Sprint(in.parts["methods"]) != "[pwd hwk mfa]" {
		t.Errorf("methods %v", in.parts["methods"])
	}
	alone := d.ok("", "POST", "/v1/tenants/acme/sessions/passkey", `{}`)
	answered := sign(alone.parts["options"])
	in = d.show(alone.part("ticket"), "passkey", answered)
	if d.is(200, in); fmt.Sprint(in.parts["methods"]) != "[hwk mfa]" || in.part("user_id") != d.user {
		t.Errorf("signed in with %s", in.text)
	}
	d.is(422, d.show(alone.part("ticket"), "passkey", answered))
	d.clock.forward(time.Hour - time.Minute)
	session = in.part("token")
	step := d.ok(session, "POST", "/v1/sessions/step-up/passkey", `{}`)
	d.ok(session, "POST", "/v1/sessions/step-up", fmt.Sprintf(`{"ticket":%q,"passkey":%s}`, step.part("ticket"), sign(step.parts["options"])))
	d.command(session, "set-password", `{"password":"forgotten the old one"}`)
}

// inner is the JSON of options as the library wants it.
func inner(t *testing.T, options any) string {
	t.Helper()
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(`"publicKey"`)) {
		text = fmt.Appendf(nil, `{"publicKey":%s}`, text)
	}
	return string(text)
}

func TestOfAHundredWhoShowTheSameAtOnceOneGetsIn(t *testing.T) {
	d := newDoor(t, false)
	session := d.enter().part("token")
	address := d.phone(session)
	codes := strings.Fields(d.command(session, "issue-recovery-codes", `{}`).part("recovery_codes"))
	const many = 100
	tickets := make([]string, many)
	var all sync.WaitGroup
	for i := range tickets {
		all.Go(func() { tickets[i] = d.knock(phrase).part("ticket") })
	}
	all.Wait()
	now := fmt.Sprintf("%q", code(t, address, d.clock.now()))
	ticket, fresh := func(i int) string { return tickets[i] }, d.ticket().part("ticket")
	for name, c := range map[string]struct {
		ticket func(i int) string
		factor string
		value  func(i int) string
	}{
		"one code, many tickets":          {ticket, "code", func(int) string { return now }},
		"one recovery code, many tickets": {ticket, "recovery_code", func(int) string { return fmt.Sprintf("%q", codes[0]) }},
		"one ticket, many recovery codes": {
			func(int) string { return fresh }, "recovery_code", func(i int) string { return fmt.Sprintf("%q", codes[1+i%9]) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			got := map[int]int{}
			var all sync.WaitGroup
			for i := range many {
				all.Go(func() {
					a := d.show(c.ticket(i), c.factor, c.value(i))
					mu.Lock()
					defer mu.Unlock()
					got[a.status]++
				})
			}
			all.Wait()
			if got[200] != 1 || got[200]+got[401]+got[422] != many {
				t.Errorf("answers: %v", got)
			}
		})
	}
	if n := d.app.column(t, "SELECT count(*)::text FROM core.events WHERE type = 'session.started'")[0]; n != "4" {
		t.Errorf("%s sessions started, of four", n)
	}
}

func TestGuessingLocksTheStrangerOutAndNotTheOwner(t *testing.T) {
	d := newDoor(t, true)
	device := d.enter().header.Get("Chancery-Device")
	var last answer
	for range 12 {
		last = d.knock("wrong")
	}
	if d.is(429, last); last.header.Get("Retry-After") == "" {
		t.Errorf("no word of when: %v", last.header)
	}
	unknown := `{"email":"nobody@acme.test","password":"wrong"}`
	for range 12 {
		last = d.do("", "POST", "/v1/tenants/acme/sessions", unknown)
	}
	d.is(429, last)
	d.is(429, d.knock(phrase))
	d.is(200, d.do("", "POST", "/v1/tenants/acme/sessions", `{"email":"ann@acme.test","password":"`+phrase+`"}`, "Chancery-Device", device))
	d.clock.forward(2 * time.Minute)
	d.is(200, d.knock(phrase))
}

func TestWhereAFactorIsRequiredOneIsEnrolledFirst(t *testing.T) {
	d := newDoor(t, true)
	d.admin.must(t, "acme", "set-policy", `{"key":"`+domain.FactorRequired.Key+`","value":"true"}`)
	d.admin.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, d.user))
	session := d.enter().part("token")
	d.is(403, d.do(session, "GET", "/v1/tenants/acme/users", ""))
	d.phone(session)
	d.is(200, d.do(session, "GET", "/v1/tenants/acme/users", ""))
	if hash := d.app.column(t, "SELECT status FROM core.user_credentials WHERE kind = 'password' AND user_id = $1", d.user); len(hash) != 1 {
		t.Errorf("passwords: %v", hash)
	}
}

func TestAHostByNumberRefusesPasskeysAndFillsNoLog(t *testing.T) {
	var logged lockedBuffer
	_, root := platformWith(t, Config{PublicURL: "http://127.0.0.1:8080", Log: slog.New(slog.NewJSONHandler(&logged, nil))})
	if r := root.as("").do("POST", "/v1/tenants/root/sessions/passkey", `{}`); r.code() != "passkeys-unavailable" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if text := logged.String(); strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("logged %s", text)
	}
}
