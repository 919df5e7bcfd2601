package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"chancery/internal/ledger"
)

// reacted returns when the reactions have seen all that there is, and what came of it stands in the tables.
func (a *App) reacted(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		head := a.headForTest(t)
		for _, reaction := range []string{"cascades", "app-licenses"} {
			if err := a.feed.Wait(ctx, reaction, head); err != nil {
				t.Fatalf("%s does not get to %d: %v", reaction, head, err)
			}
		}
		if a.headForTest(t) == head {
			break
		}
	}
	a.settled(t)
}

// endings are the types of events by which things end.
var endings = []string{
	"session.ended", "token.revoked", "delegation.revoked", "impersonation.ended", "approval.cancelled", "group-invitation.withdrawn", "group-invitation.ended",
}

// web is all that rests on ann or is hers: she and bob delegate to each other and to bea, who hands it on; root acts as her, and she
// as bob.
func (m *mortals) web(t *testing.T) map[string]string {
	t.Helper()
	role := m.root.must(t, "acme", "create-role", `{"name":"Stand-in","privileges":["core.impersonations.start"]}`)
	m.root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, role, m.id["ann"]))
	web := map[string]string{}
	_, web["session"] = m.signIn(t)
	web["token"] = m.id["ann lasting"]
	web["from ann"] = m.delegates(t, m.ann, m.bea, "beta", "bea", 50*time.Minute, `,"redelegations":1`)
	m.id["ben"] = m.root.must(t, "beta", "register-user", `{"display_name":"ben"}`)
	web["below"] = m.bea.must(t, "beta", "grant-delegation", fmt.Sprintf(`{"parent_id":%q,"delegate_user_id":%q}`, web["from ann"], m.id["ben"]))
	web["to ann"] = m.delegates(t, m.bob, m.ann, "acme", "ann", 50*time.Minute, "")
	web["offered"] = m.bea.must(t, "beta", "grant-delegation",
		fmt.Sprintf(`{"delegate_user_id":%q,"delegate_tenant":"acme","until":%q}`, m.id["ann"], m.in(50*time.Minute)))
	_, web["as ann"] = m.impersonates(t, m.root, "ann")
	_, web["by ann"] = m.impersonates(t, m.ann, "bob")
	return web
}

// wantEnds compares the ends with those that are wanted, given as "type thing reason cause", times where it is more than one.
func (m *mortals) wantEnds(t *testing.T, web map[string]string, want map[string]int) {
	t.Helper()
	names := []string{}
	for name, id := range web {
		names = append(names, id, strings.ReplaceAll(name, " ", "-"))
	}
	got := map[string]int{}
	for _, e := range m.ends(t, endings...) {
		got[strings.NewReplacer(names...).Replace(e)]++
	}
	for e, n := range want {
		if got[e] != n {
			t.Errorf("%s: %d times, want %d", e, got[e], n)
		}
		delete(got, e)
	}
	for e, n := range got {
		t.Errorf("%s: %d times, and nobody expected it", e, n)
	}
}

// ended are the ends of the web because of a cause: each in every tenant that it concerns.
func ended(reason, cause string) map[string]int {
	with := " " + reason + " " + cause
	return map[string]int{
		"token.revoked token" + with: 1, "session.ended session" + with: 1,
		"delegation.revoked from-ann" + with: 2, "delegation.revoked below parent-ended " + cause: 2,
		"delegation.revoked to-ann" + with: 1, "delegation.revoked offered" + with: 2,
		"impersonation.ended as-ann" + with: 1, "impersonation.ended by-ann" + with: 1,
	}
}

func TestWhatRestsOnAUserEndsWithThem(t *testing.T) {
	for _, c := range []struct{ command, body, reason, cause string }{
		{"deactivate-user", `{"id":%q}`, "user-deactivated", "user.deactivated"},
		{"erase-user", `{"user_id":%q,"reason":"test"}`, "user-erased", "user.erased"},
	} {
		t.Run(c.command, func(t *testing.T) {
			m := newMortals(t)
			web := m.web(t)
			group := m.root.must(t, "beta", "create-group", `{"name":"guests"}`)
			m.root.must(t, "beta", "invite-to-group", fmt.Sprintf(`{"group_id":%q,"tenant":"acme","user_id":%q}`, group, m.id["ann"]))
			m.root.must(t, "acme", c.command, fmt.Sprintf(c.body, m.id["ann"]))
			m.reacted(t)
			want := ended(c.reason, c.cause)
			delete(want, "session.ended session "+c.reason+" "+c.cause) // with the command itself
			want["session.ended session "+c.reason+" -"] = 1
			if c.command == "erase-user" {
				m.settled(t)
				web["invitation"] = m.column(t, `SELECT DISTINCT id::text FROM core.group_invitations`)[0]
				want["group-invitation.withdrawn invitation user-erased -"] = 2 // with the command itself
			}
			m.wantEnds(t, web, want)
			m.verified(t)
		})
	}
}

func TestWhatRestsOnATenantEndsWithIt(t *testing.T) {
	for command, c := range map[string][2]string{
		"suspend-tenant": {"tenant-suspended", "tenant.suspended"},
		"close-tenant":   {"tenant-closed", "tenant.closed"},
	} {
		t.Run(command, func(t *testing.T) {
			m := newMortals(t)
			web := m.web(t)
			web["invitation"] = m.invited(t, time.Hour)
			web["bob's"] = m.id["bob lasting"]
			m.root.must(t, "acme", command, `{}`)
			m.reacted(t)
			want := ended(c[0], c[1])
			want["token.revoked bob's "+c[0]+" "+c[1]] = 1
			if command == "close-tenant" {
				want["group-invitation.withdrawn invitation "+c[0]+" "+c[1]] = 2
			}
			m.wantEnds(t, web, want)
			if r := m.bea.do("GET", "/v1/me", ""); r.status != 200 {
				t.Errorf("a token of another tenant is answered %d", r.status)
			}
			for _, line := range []string{`chancery_reaction_lag_seconds{reaction="cascades"} 0`, `chancery_reaction_given_up_events_total{reaction="cascades"} 0`} {
				if text := m.root.do("GET", "/metrics", "").body; !strings.Contains(text, line) {
					t.Errorf("the metrics lack %s", line)
				}
			}
			m.verified(t)
		})
	}
}

// An impersonation ends with what it was begun by.
func TestAnImpersonationEndsWithTheSessionOrTokenOfTheAdministrator(t *testing.T) {
	m := newMortals(t)
	web := m.web(t)
	m.root.must(t, "acme", "end-impersonation", fmt.Sprintf(`{"id":%q}`, web["by ann"]))
	session, id := m.signIn(t)
	_, web["in a session"] = m.impersonates(t, session, "bob")
	web["its session"] = id
	session.do("DELETE", "/v1/sessions/current", "")
	m.reacted(t) // one impersonation at a time, and nobody has said yet that this one is over
	_, web["by a token"] = m.impersonates(t, m.ann, "bob")
	m.root.must(t, "acme", "revoke-token", fmt.Sprintf(`{"id":%q,"reason":"leaked"}`, web["token"]))
	m.reacted(t)
	m.wantEnds(t, web, map[string]int{
		"impersonation.ended by-ann - -": 1, "session.ended its-session signed-out -": 1,
		"impersonation.ended in-a-session session-ended session.ended": 1, "token.revoked token leaked -": 1,
		"impersonation.ended by-a-token token-revoked token.revoked": 1,
	})
}

// What began after its cause is none of the cascade's business, however late that comes.
func TestACascadeThatComesLateLeavesWhatIsNew(t *testing.T) {
	m := newMortals(t)
	web := m.web(t)
	resume := m.pause(t)
	m.root.must(t, "acme", "deactivate-user", fmt.Sprintf(`{"id":%q}`, m.id["ann"]))
	m.clock.forward(time.Minute)
	m.root.must(t, "acme", "reactivate-user", fmt.Sprintf(`{"id":%q}`, m.id["ann"]))
	m.ann = m.root.as(m.root.issue(t, "acme", m.id["ann"]))
	_, web["new session"] = m.signIn(t)
	web["new"] = m.delegates(t, m.ann, m.bob, "acme", "bob", 30*time.Minute, "")
	resume()
	m.reacted(t)
	want := ended("user-deactivated", "user.deactivated")
	delete(want, "session.ended session user-deactivated user.deactivated")
	want["session.ended session user-deactivated -"] = 1
	m.wantEnds(t, web, want)
	if r := m.ann.do("GET", "/v1/me", ""); r.status != 200 {
		t.Errorf("a token that was issued after the reactivation is answered %d", r.status)
	}
}

// pause keeps the cascades of every process from working until the function that it returns is called.
func (a *App) pause(t *testing.T) (resume func()) {
	t.Helper()
	a.reacted(t)
	conn, err := pgx.Connect(t.Context(), a.config.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `SET ROLE chancery_project; BEGIN; SELECT 1 FROM core.projection_offsets WHERE projection = 'cascades' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	resume = func() { _ = conn.Close(context.Background()) }
	t.Cleanup(resume)
	return resume
}

func TestACascadeIsDoneOnceAcrossARestartAndByTwoProcesses(t *testing.T) {
	m := newMortals(t)
	m.web(t)
	m.tokens(t, 300)
	two := openWith(t, m.config)
	resume := m.pause(t)
	m.root.must(t, "acme", "suspend-tenant", `{}`)
	m.settled(t)
	if early := m.ends(t, endings...); len(early) > 0 {
		t.Fatalf("a paused cascade ended %v", early)
	}
	m.Close() // between the cause and what it leads to
	two.Close()
	resume()

	one, two := openWith(t, m.config), openWith(t, m.config)
	one.reacted(t)
	two.reacted(t)
	revoked := one.column(t, `SELECT count(*) || ' ' || count(DISTINCT payload->>'token') FROM core.events WHERE type = 'token.revoked'`)[0]
	if want := "302 302"; revoked != want {
		t.Errorf("tokens revoked, and how many of them: %s, want %s", revoked, want)
	}
	m.App = one
	others := slices.DeleteFunc(m.ends(t, endings...), func(e string) bool { return strings.HasPrefix(e, "token.revoked") })
	want := 0
	for e, n := range ended("x", "y") {
		if !strings.HasPrefix(e, "token.revoked") {
			want += n
		}
	}
	if len(others) != want {
		t.Errorf("%d other ends, want %d: %v", len(others), want, others)
	}
	one.verified(t)

	// What is done again changes nothing: as after a crash before the checkpoint moved.
	head := one.headForTest(t)
	one.Close()
	two.Close()
	setBack(t, m.config.DatabaseURL, "cascades")
	again := openWith(t, m.config)
	again.reacted(t)
	if now := again.headForTest(t); now != head {
		t.Errorf("done again, the cascades wrote %v", again.column(t, `SELECT type FROM core.events WHERE position > $1`, head))
	}
}

// setBack has a reaction be told of everything again. Nobody may be working.
func setBack(t *testing.T, url, reaction string) {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{URL: url, AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tag, err := l.Pool(ledger.Project).Exec(t.Context(), `UPDATE core.projection_offsets SET position = 0 WHERE projection = $1 AND position > 0`, reaction)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("%s has not been told of anything: %v", reaction, err)
	}
}

func TestAKilledServerFinishesItsCascades(t *testing.T) {
	if testing.Short() {
		t.Skip("starts durable servers")
	}
	const n = 6000
	data := t.TempDir()
	v := launch(t, data)
	token := bootstrapAt(t, v.url, data)
	send := func(tenant, command, body string) []byte {
		t.Helper()
		status, answer := call(t, http.MethodPost, v.url+"/v1/tenants/"+tenant+"/commands/"+command, token, body)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", command, status, answer)
		}
		return answer
	}
	send("root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ann := part(send("acme", "register-user", `{"display_name":"Ann"}`), "id")
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"command":"issue-token","body":{"user_id":%q,"name":"t%d","expires_at":%q}}`+"\n", ann, i, soon())
	}
	sendLines(t, v.url+"/v1/tenants/acme/commands", token, lines.String())
	send("acme", "suspend-tenant", `{}`)
	kills := 0
	for least := n / 10; ; {
		ended := v.endedTokens(t, token)
		if len(ended) >= n {
			break
		}
		if kills < 3 && len(ended) >= least {
			v.kill()
			v, kills, least = launch(t, data), kills+1, least+n/5
		}
	}
	all := v.endedTokens(t, token)
	slices.Sort(all)
	if once := len(slices.Compact(slices.Clone(all))); len(all) != n || once != n {
		t.Errorf("%d ends of %d tokens, want %d", len(all), once, n)
	}
	t.Logf("%d kills", kills)
}

func sendLines(t *testing.T, url, token, lines string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := callers.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || strings.Contains(string(answer), `"code"`) {
		t.Fatalf("%d %v %.300s", resp.StatusCode, err, answer)
	}
}

// endedTokens are the tokens of acme whose end is on record, with repetitions.
func (v *victim) endedTokens(t *testing.T, token string) (all []string) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				Payload struct {
					Token string `json:"token"`
				} `json:"payload"`
			} `json:"items"`
			Next string `json:"next"`
		}
		status, answer := call(t, http.MethodGet, v.url+"/v1/tenants/acme/events?type=token.revoked&limit=1000"+cursor, token, "")
		if err := json.Unmarshal(answer, &page); err != nil || status != http.StatusOK {
			t.Fatalf("events: %d %s", status, answer)
		}
		for _, e := range page.Items {
			all = append(all, e.Payload.Token)
		}
		if page.Next == "" {
			return all
		}
		cursor = "&cursor=" + page.Next
	}
}
