package app

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
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
)

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

func TestPersonalDataIsFoundNowhereInTheClear(t *testing.T) {
	var logged lockedBuffer
	log := slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, root := platformWith(t, Config{Log: log})
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ann := root.user(t, "acme", "ann", true)
	abe := root.user(t, "acme", "abe", false)

	ann.must(t, "acme", "create-group", `{"name":"planted-in-a-table"}`)
	log.Info("planted-in-the-log")
	planted := a.leaks(t, []string{"planted-in-a-table", "planted-in-the-log"}, map[string]string{"the log": logged.String()})
	if text := strings.Join(planted, "\n"); !strings.Contains(text, "table core.groups") || !strings.Contains(text, "table core.events") || !strings.Contains(text, "the log") {
		t.Fatalf("the search does not find what is there: %s", text)
	}

	user := ann.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":%q,"email":%q}`, canaryName, canaryMail))
	other := ann.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":"Other","email":"x%s"}`, canaryMail))
	ann.must(t, "acme", "update-user", fmt.Sprintf(`{"id":%q,"display_name":"Neuer %s"}`, user, canaryName))
	ann.must(t, "acme", "change-user-email", fmt.Sprintf(`{"id":%q,"email":"neu-%s"}`, user, canaryMail))
	ann.must(t, "acme", "link-identity", fmt.Sprintf(`{"user_id":%q,"issuer":"https://id.test","subject":%q}`, user, canarySubject))
	if r := ann.do("GET", "/v1/tenants/acme/users/"+user+"?", "", "Chancery-Min-Position", strconv.FormatInt(a.headForTest(t), 10)); !strings.Contains(r.body, canaryMail) || !strings.Contains(r.body, canaryName) {
		t.Fatalf("who may read it does not: %s", r.body)
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
				{"update-user", `{` + words + `}`},
				{"update-user", `{` + words},
				{"update-user", fmt.Sprintf(`{"id":%q}`, canaryMail)},
				{"update-user", fmt.Sprintf(`{%q:1}`, canaryMail)},
				{"link-identity", `{` + link + `}`},
				{"link-identity", `{` + link + `,"x":1}`},
				{canarySubject, `{}`},
			} {
				c.command("acme", r[0], r[1], "Idempotency-Key", canarySubject+r[0])
				c.do("POST", "/v1/tenants/acme/commands", fmt.Sprintf(`{"command":%q,"body":%s}`, r[0], r[1]), "Content-Type", "application/x-ndjson")
			}
			c.do("GET", "/v1/tenants/acme/users?email=neu-"+canaryMail, "")
			c.do("GET", "/v1/tenants/acme/users?display_name="+canaryName, "")
			c.do("GET", "/v1/tenants/acme/users?as_of=3&email="+canaryMail, "")
			c.do("GET", "/v1/tenants/acme/users/"+canaryMail, "")
			c.do("GET", "/v1/tenants/"+canaryMail, "")
			c.do("GET", "/"+canaryMail, "")
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
	metrics := root.do("GET", "/metrics", "").body
	audit := root.do("GET", "/v1/tenants/acme/audit?limit=1000", "").body + root.do("GET", "/v1/tenants/acme/events?limit=1000", "").body
	for _, leak := range a.leaks(t, []string{canaryName, canaryMail, canarySubject}, map[string]string{
		"the log": logged.String(), "the metrics": metrics, "the audit log and the events as the API shows them": audit,
	}) {
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
