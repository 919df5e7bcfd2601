package app

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// What must not be found anywhere but in answers to those who may read it.
const (
	canaryName    = "Kanarienvogel"
	canaryMail    = "kanari-mail@kanari-host.test"
	canarySubject = "kanari-subject-7"
	canaryPhone   = "+49304711081599"
	canaryAddress = "Kanarienweg 17"
	canaryIP      = "2001:db8:ca:1de::7a1"
	canaryAgent   = "KanariBrowser/7.1 (Finken)"
	canaryPhrase  = "kanarischer Satz zum Merken"
)

// canaries are all of them. To watch another kind of value: its line here, and in the test a request that brings it in, and
// some that fail with it in hand.
var canaries = []canary{
	{text: canaryName}, {text: canaryMail}, {text: canarySubject}, {text: canaryPhone}, {text: canaryAddress},
	{text: canaryIP, audited: true}, {text: "20010db800ca01de00000000000007a1"}, // the same, as a number
	{text: canaryAgent, audited: true}, {text: canaryPhrase},
}

type canary struct {
	text    string
	audited bool // the audit log and the events show it to those who may read them
}

// texts are what to search for, in the audit log as the API shows it or anywhere else.
func texts(all []canary, inAudit bool) (out []string) {
	for _, c := range all {
		if !inAudit || !c.audited {
			out = append(out, c.text)
		}
	}
	return out
}

// shapes are the ways in which a text may lie about: as it is, in hexadecimal, in base64 at each of its three alignments.
func shapes(text string) []string {
	all := []string{strings.ToLower(text), hex.EncodeToString([]byte(text))}
	for skip := range 3 {
		middle := text[skip : skip+(len(text)-skip)/3*3]
		all = append(all, strings.ToLower(base64.StdEncoding.EncodeToString([]byte(middle))))
	}
	return all
}

// leaks finds the texts in every row of every table of every schema, and in what else is given.
func (a *App) leaks(t *testing.T, texts []string, others map[string]string) (found []string) {
	t.Helper()
	a.settled(t)
	places := map[string]string{}
	maps.Copy(places, others)
	for _, table := range a.column(t, `
		SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`) {
		places["table "+table] = strings.Join(a.column(t, `SELECT r::text FROM `+table+` r`), "\n")
	}
	for place, text := range places {
		text = strings.ToLower(text)
		for _, canary := range texts {
			for _, shape := range shapes(canary) {
				if at := strings.Index(text, shape); at >= 0 {
					found = append(found, fmt.Sprintf("%s in %s: …%s…", canary, place, text[max(0, at-60):min(len(text), at+60)]))
				}
			}
		}
	}
	return found
}

// lockedBuffer may be read while others write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// watched is an app all of whose requests come from the canary's address and program. It notes what was answered to commands,
// to requests that failed, and to the one who may read nothing.
type watched struct {
	http.Handler
	answers *lockedBuffer
	nobody  *string // whose token it is that may read nothing
}

func (h watched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Header.Set("X-Forwarded-For", "6.6.6.6, "+canaryIP)
	r.Header.Set("User-Agent", canaryAgent)
	rec := httptest.NewRecorder()
	h.Handler.ServeHTTP(rec, r)
	if rec.Code >= 400 || r.Method == http.MethodPost || r.Header.Get("Authorization") == "Bearer "+*h.nobody {
		fmt.Fprintln(h.answers, rec.Header(), rec.Body)
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// dump is what pg_dump writes of everything, as docs/operations.md has it; nothing where there is no pg_dump.
func (a *App) dump(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("pg_dump")
	if err != nil {
		t.Log("there is no pg_dump: its output is not searched")
		return ""
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "-d", a.config.DatabaseURL, "--role=chancery_owner", "--enable-row-security", "--schema=core", "--inserts")
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if strings.Contains(said.String(), "server version mismatch") {
			t.Log("pg_dump is older than the server: its output is not searched")
			return ""
		}
		t.Fatalf("%v: %s", err, &said)
	}
	return out.String()
}

func TestPersonalDataIsFoundNowhereInTheClear(t *testing.T) {
	var logged, answered lockedBuffer
	log := slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, root := platformWith(t, Config{Log: log, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	nobody := "nobody yet"
	root.Handler = watched{root.Handler, &answered, &nobody}
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	root.must(t, "root", "create-group", `{"name":"Staff"}`)
	ann := root.user(t, "acme", "ann", true)
	abe := root.user(t, "acme", "abe", false)
	nobody = abe.token
	places := func() map[string]string {
		return map[string]string{"the log": logged.String(), "what pg_dump wrote": a.dump(t), "answers": answered.String()}
	}

	ann.must(t, "acme", "create-group", `{"name":"planted-in-a-table"}`)
	log.Info("planted-in-the-log")
	ann.command("acme", "create-group", `{"planted-in-an-answer":1}`)
	found := strings.Join(a.leaks(t, []string{"planted-in-a-table", "planted-in-the-log", "planted-in-an-answer"}, places()), "\n")
	for _, place := range []string{"table core.groups", "table core.events", "the log", "answers", "what pg_dump wrote"} {
		if !strings.Contains(found, place) && (place != "what pg_dump wrote" || a.dump(t) != "") {
			t.Fatalf("the search does not find what is in %s: %s", place, found)
		}
	}

	user := ann.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":%q,"email":%q}`, canaryName, canaryMail))
	other := ann.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":"Other","email":"x%s"}`, canaryMail))
	ann.must(t, "acme", "update-user", fmt.Sprintf(`{"id":%q,"display_name":"Neuer %s"}`, user, canaryName))
	ann.must(t, "acme", "change-user-email", fmt.Sprintf(`{"id":%q,"email":"neu-%s"}`, user, canaryMail))
	ann.must(t, "acme", "change-user-contact", fmt.Sprintf(`{"id":%q,"phone":%q,"address":"%s\n12345 Berlin"}`, user, canaryPhone, canaryAddress))
	r := ann.do("GET", "/v1/tenants/acme/users/"+user+"?", "", "Chancery-Min-Position", strconv.FormatInt(a.headForTest(t), 10))
	for _, text := range []string{canaryMail, canaryName, canaryPhone, canaryAddress} {
		if !strings.Contains(r.body, text) {
			t.Fatalf("who may read it does not: %s", r.body)
		}
	}

	known := root.as(root.issue(t, "acme", user))
	known.must(t, "acme", "set-password", fmt.Sprintf(`{"password":%q}`, canaryPhrase))
	ann.must(t, "acme", "link-identity", fmt.Sprintf(`{"user_id":%q,"issuer":"https://id.test","subject":%q}`, user, canarySubject))
	if in := root.as("").do("POST", "/v1/tenants/acme/sessions", fmt.Sprintf(`{"email":"neu-%s","password":%q}`, canaryMail, canaryPhrase)); in.part("token") == "" {
		t.Fatalf("nobody signs in: %d %s", in.status, in.body)
	}

	words := fmt.Sprintf(`"display_name":%q,"email":"neu-%s","id":%q`, canaryName, canaryMail, other)
	link := fmt.Sprintf(`"user_id":%q,"issuer":"https://id.test","subject":%q`, other, canarySubject)
	provoke := func() {
		for _, c := range []caller{ann, abe, root} {
			for _, r := range [][2]string{
				{"register-user", fmt.Sprintf(`{"display_name":%q,"email":"neu-%s"}`, canaryName, canaryMail)},                       // taken
				{"register-user", fmt.Sprintf(`{"display_name":%q,"email":"%s <%s>"}`, canaryName, canaryName, canaryMail)},          // no address
				{"register-user", fmt.Sprintf(`{"display_name":%q,"email":"fresh-%s"}`, strings.Repeat(canaryName, 90), canaryMail)}, // too long
				{"change-user-email", fmt.Sprintf(`{"id":%q,"email":"neu-%s"}`, other, canaryMail)},
				{"change-user-contact", fmt.Sprintf(`{"id":%q,"phone":"%s x"}`, other, canaryPhone)}, // no number
				{"change-user-contact", fmt.Sprintf(`{"id":%q,"address":%q}`, other, strings.Repeat(canaryAddress, 90))},
				{"change-user-contact", fmt.Sprintf(`{"id":%q,"address":%q,"phone":[%q]}`, other, canaryAddress, canaryPhone)},
				{"change-user-contact", fmt.Sprintf(`{"id":%q,"phone":%q}`, canaryPhone, canaryPhone)},
				{"change-user-contact", fmt.Sprintf(`{"id":%q,"phone":%q,"address":%q}`, other, canaryPhone, canaryAddress)},
				{"update-user", `{` + words + `}`},
				{"update-user", `{` + words},
				{"update-user", fmt.Sprintf(`{"id":%q}`, canaryMail)},
				{"set-password", fmt.Sprintf(`{"current_password":%q,"password":%q}`, canaryPhrase, canaryPhrase)},
				{"set-password", fmt.Sprintf(`{"password":[%q]}`, canaryPhrase)},
				{"link-identity", `{` + link + `}`},
				{"link-identity", `{` + link + `,"x":1}`},
				{canarySubject, `{}`},
			} {
				c.command("acme", r[0], r[1], "Idempotency-Key", canarySubject+r[0])
				c.do("POST", "/v1/tenants/acme/commands", fmt.Sprintf(`{"command":%q,"body":%s}`, r[0], r[1]), "Content-Type", "application/x-ndjson")
			}
			for _, tenant := range []string{"acme", "nowhere"} {
				c.do("POST", "/v1/tenants/"+tenant+"/sessions", fmt.Sprintf(`{"email":"neu-%s","password":"x%s"}`, canaryMail, canaryPhrase))
			}
			c.do("GET", "/v1/tenants/acme/users?email=neu-"+canaryMail, "")
			c.do("GET", "/v1/tenants/acme/users?display_name="+canaryName, "")
			c.do("GET", "/v1/tenants/acme/users?as_of=3&email="+canaryMail, "")
			c.do("GET", "/v1/tenants/acme/users/"+canaryMail, "")
			c.do("GET", "/v1/tenants/"+canaryMail, "")
			c.do("GET", "/"+canaryMail, "")
			c.do("POST", "/v1/tenants/acme/users/"+canaryMail+"/export", "")
			c.do("POST", "/access/v1/evaluation", fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"acme"}}`, canaryMail))
		}
		root.as("chn_pat_"+canarySubject).do("GET", "/v1/me", "")
	}
	provoke()
	a.withTableGone(t, "core.subject_keys", provoke) // the database refuses what is written
	a.withTableGone(t, "core.users", provoke)        // and what is read
	ann.must(t, "acme", "register-user", `{"display_name":"All is well","email":"again@acme.test"}`)
	if !strings.Contains(logged.String(), "level\":\"ERROR") {
		t.Error("no fault was provoked")
	}
	searched := places()
	searched["the metrics"] = root.do("GET", "/metrics", "").body
	for _, leak := range a.leaks(t, texts(canaries, false), searched) {
		t.Error(leak)
	}
	a.inAudit(t, root, "root", true)
	a.inAudit(t, ann, "acme", true)
}

// inAudit searches the audit log and the events of a tenant as the API shows them: they tell from where its own people came.
func (a *App) inAudit(t *testing.T, c caller, tenant string, own bool) {
	t.Helper()
	var text strings.Builder
	for _, list := range []string{"audit", "events"} {
		r := c.do("GET", "/v1/tenants/"+tenant+"/"+list+"?limit=1000", "")
		if shown := strings.Contains(r.body, canaryIP) && strings.Contains(r.body, canaryAgent); r.status != http.StatusOK || shown != own {
			t.Errorf("the %s of %s tell from where somebody came: %v (%d)", list, tenant, shown, r.status)
		}
		text.WriteString(r.body)
	}
	for _, leak := range a.leaks(t, texts(canaries, true), map[string]string{"the audit log and the events as the API shows them to " + tenant: text.String()}) {
		t.Error(leak)
	}
}

// withTableGone makes everything fail that needs a table.
func (a *App) withTableGone(t *testing.T, table string, do func()) {
	t.Helper()
	_, name, _ := strings.Cut(table, ".")
	a.column(t, `ALTER TABLE `+table+` RENAME TO `+name+`_gone`)
	do()
	a.column(t, `ALTER TABLE `+table+`_gone RENAME TO `+name)
}
