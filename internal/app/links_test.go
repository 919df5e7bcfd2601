package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery/domain"
	"chancery/internal/mail/mailtest"
	"chancery/internal/pgtest"
)

const chosen = "correct horse battery staple"

// posting is a configuration that sends through the server.
func posting(server *mailtest.Server) Config {
	return Config{
		SMTPURL: "smtp://" + server.Address + "?starttls=none", MailFrom: "Chancery <chancery@example.org>",
		PublicURL: "https://chancery.example.org/", MailRetry: 20 * time.Millisecond,
	}
}

var linked = regexp.MustCompile(`https://chancery\.example\.org/links/([a-z-]+)\?tenant=([0-9a-f-]{36})#(chn_lnk_[0-9A-Za-z_]+)`)

// follow is the token in a mail, which must be for the tenant and the purpose.
func follow(t *testing.T, m mailtest.Mail, tenant string, purpose domain.LinkPurpose) string {
	t.Helper()
	found := linked.FindStringSubmatch(m.Text)
	if found == nil || found[1] != string(purpose) || found[2] != tenant {
		t.Fatalf("the mail holds no such link:\n%s", m.Text)
	}
	return found[3]
}

// to are the mails to an address, of which there must be so many.
func to(t *testing.T, server *mailtest.Server, all int, address string, n int) []mailtest.Mail {
	t.Helper()
	mails := slices.DeleteFunc(server.Wait(t, all), func(m mailtest.Mail) bool { return m.To != address })
	if len(mails) != n {
		t.Fatalf("%d mails to %s, want %d", len(mails), address, n)
	}
	return mails
}

func (c caller) redeem(token, password string, headers ...string) reply {
	body := fmt.Sprintf(`{"token":%q,"password":%q}`, token, password)
	return c.as("").do("POST", "/v1/tenants/acme/links/redeem", body, headers...)
}

// signIn is una's.
func (c caller) signIn(password string) reply {
	return c.as("").do("POST", "/v1/tenants/acme/sessions", fmt.Sprintf(`{"email":"una@acme.test","password":%q}`, password))
}

// guest is an invited user.
func (c caller) guest(t *testing.T, name string) string {
	t.Helper()
	return c.must(t, "acme", "register-user", fmt.Sprintf(`{"display_name":%q,"email":"%s@acme.test","status":"invited"}`, name, name))
}

// linkIs waits until the tables say so of a link.
func (a *App) linkIs(t *testing.T, id, status string) {
	t.Helper()
	query := `SELECT status || ' ' || reason FROM core.links WHERE id = $1`
	for patience := time.Now().Add(30 * time.Second); ; {
		got := a.column(t, query, id)
		if len(got) == 1 && strings.TrimSpace(got[0]) == status {
			return
		}
		if time.Now().After(patience) {
			t.Fatalf("the link is %q, want %q", got, status)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_ = a.feed.Wait(ctx, "core", a.headForTest(t)+1) // until something more has happened
		cancel()
	}
}

func TestALinkTravelsByMailAloneAndGivesAPassword(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	var logged lockedBuffer
	config := posting(server)
	config.Log = slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, root := platformWith(t, config)
	acme := root.must(t, "root", "create-tenant", `{"name":"Acme & Söhne","slug":"acme"}`)
	ann := root.user(t, "acme", "ann", true)
	una := ann.guest(t, "una")
	var answers strings.Builder
	tell := func(r reply) reply { answers.WriteString(r.body); return r }

	invited := tell(ann.command("acme", "invite-user", `{"user_id":"`+una+`"}`))
	if invited.status != http.StatusOK {
		t.Fatalf("invite: %d %s", invited.status, invited.body)
	}
	first := server.Wait(t, 1)[0]
	token := follow(t, first, acme, domain.Invitation)
	if first.To != "una@acme.test" || first.Subject != "Your invitation to Acme & Söhne" || strings.Contains(first.Text, "Una") || strings.Contains(first.Text, "una@") {
		t.Errorf("arrived as %+v", first)
	}
	a.linkIs(t, invited.part("id"), "mailed")
	if r := ann.signIn(chosen); r.status != http.StatusUnauthorized {
		t.Errorf("signed in before the link was followed: %d", r.status)
	}
	if r := tell(ann.redeem(token, "short")); r.code() != "password-too-short" {
		t.Errorf("a short password: %d %s", r.status, r.body)
	}
	if r := tell(ann.redeem(token, chosen)); r.status != http.StatusOK || r.part("user_id") != una {
		t.Fatalf("redeem: %d %s", r.status, r.body)
	}
	a.linkIs(t, invited.part("id"), "used")
	session := ann.signIn(chosen)
	if session.status != http.StatusOK {
		t.Fatalf("sign in: %d %s", session.status, session.body)
	}

	for _, email := range []string{"nobody@acme.test", "UNA@acme.test"} {
		if r := tell(root.as("").do("POST", "/v1/tenants/acme/password-resets", `{"email":"`+email+`"}`)); r.status != http.StatusAccepted {
			t.Fatalf("ask: %d %s", r.status, r.body)
		}
	}
	again := follow(t, to(t, server, 2, "una@acme.test", 2)[1], acme, domain.PasswordReset)
	if r := tell(ann.redeem(again, chosen+"!")); r.status != http.StatusOK {
		t.Fatalf("redeem: %d %s", r.status, r.body)
	}
	if r := ann.as(session.part("token")).do("GET", "/v1/me", ""); r.status != http.StatusUnauthorized {
		t.Errorf("a session outlived the password: %d", r.status)
	}
	if r := ann.signIn(chosen); r.status != http.StatusUnauthorized {
		t.Errorf("the old password still works: %d", r.status)
	}
	if r := ann.signIn(chosen + "!"); r.status != http.StatusOK {
		t.Errorf("the new password: %d %s", r.status, r.body)
	}
	for _, spent := range []string{token, again} {
		if r := tell(ann.redeem(spent, chosen)); r.code() != "link-dead" {
			t.Errorf("used twice: %d %s", r.status, r.body)
		}
	}
	a.settled(t)
	for _, path := range []string{"links?limit=1000", "links/" + invited.part("id"), "links/" + invited.part("id") + "/history", "audit?limit=1000", "events?limit=1000"} {
		if r := tell(ann.do("GET", "/v1/tenants/acme/"+path, "")); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	answers.WriteString(root.do("GET", "/metrics", "").body)
	if !strings.Contains(answers.String(), `chancery_mails_total{outcome="sent",purpose="invitation"} 1`) {
		t.Error("the mail was not counted")
	}
	for _, leak := range a.leaks(t, []string{token, again, chosen, "una@acme.test"}, map[string]string{"the log": logged.String(), "the answers": answers.String()}) {
		t.Error(leak)
	}
}

func TestOneLinkIsFollowedOnceByAHundredAtOnce(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	config := posting(server)
	config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // so that each may come from elsewhere
	a, root := platformWith(t, config)
	acme := root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	una := root.guest(t, "una")
	id := root.must(t, "acme", "invite-user", `{"user_id":"`+una+`"}`)
	token := follow(t, server.Wait(t, 1)[0], acme, domain.Invitation)
	var mu sync.Mutex
	var wg sync.WaitGroup
	got := map[string]int{}
	won := -1
	for i := range 100 {
		wg.Go(func() {
			r := root.redeem(token, fmt.Sprintf("%s %d", chosen, i), "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
			mu.Lock()
			defer mu.Unlock()
			if got[fmt.Sprint(r.status, r.code())]++; r.status == http.StatusOK {
				won = i
			}
		})
	}
	wg.Wait()
	if got["200"] != 1 || got["422link-dead"]+got["422 link-dead"] != 99 {
		t.Errorf("answered %v", got)
	}
	if r := root.signIn(fmt.Sprintf("%s %d", chosen, won)); r.status != http.StatusOK {
		t.Errorf("the winner's password: %d %s", r.status, r.body)
	}
	a.linkIs(t, id, "used")
	for _, typ := range []string{"link.used", "credential.password-set", "user.reactivated"} {
		if n := a.column(t, `SELECT count(*)::text FROM core.events WHERE type = $1`, typ); n[0] != "1" {
			t.Errorf("%s of %s", n[0], typ)
		}
	}
}

func TestAMailServerThatIsBusyIsAskedAgainAndOneThatRefusesIsNot(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	held := make(chan struct{})
	var mu sync.Mutex
	tries := map[string]int{}
	server.OnData(func(to string) error {
		mu.Lock()
		tries[to]++
		n := tries[to]
		mu.Unlock()
		switch {
		case strings.HasPrefix(to, "busy"), strings.HasPrefix(to, "doomed"):
			if n < 3 || strings.HasPrefix(to, "doomed") {
				return mailtest.Reply(451, "come again, "+to)
			}
		case strings.HasPrefix(to, "nobody"):
			return mailtest.Reply(550, "there is no "+to)
		case strings.HasPrefix(to, "slow"):
			<-held
		}
		return nil
	})
	now := newClock(time.Now())
	config := posting(server)
	config.Now, config.DueEvery = now.now, time.Hour // else the end of a link may be said before that of its mail
	var logged lockedBuffer
	config.Log = slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, root := platformWith(t, config)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ids := map[string]string{}
	for _, name := range []string{"slow", "slow2", "nobody", "busy", "doomed", "well", "well2"} {
		ids[name] = root.must(t, "acme", "invite-user", `{"user_id":"`+root.guest(t, name)+`"}`)
	}
	a.linkIs(t, ids["well2"], "mailed")
	a.linkIs(t, ids["well"], "mailed")
	a.linkIs(t, ids["nobody"], "undeliverable refused")
	a.linkIs(t, ids["busy"], "mailed")
	a.linkIs(t, ids["slow"], "issued")
	now.forward(domain.InvitationLife)
	a.linkIs(t, ids["doomed"], "undeliverable expired")
	close(held)
	a.linkIs(t, ids["slow"], "mailed")
	a.linkIs(t, ids["slow2"], "mailed")
	mu.Lock()
	defer mu.Unlock()
	if tries["nobody@acme.test"] != 1 || tries["busy@acme.test"] != 3 || tries["doomed@acme.test"] < 2 || tries["slow@acme.test"] != 1 || tries["well@acme.test"] != 1 {
		t.Errorf("tried %v", tries)
	}
	if text := logged.String(); !strings.Contains(text, "a mail was not taken") || strings.Contains(text, "@acme.test") || strings.Contains(text, "come again") {
		t.Error("the log tells an address, or what the server said")
	}
	if ready := a.Ready(t.Context()); len(ready) > 0 {
		t.Errorf("a mail that is not taken keeps requests away: %v", ready)
	}
}

func TestMailsWaitForAServerThatIsDownAndARebuildSendsNone(t *testing.T) {
	down, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rung := make(chan struct{}, 100)
	go func() {
		for conn, err := down.Accept(); err == nil; conn, err = down.Accept() {
			_ = conn.Close()
			rung <- struct{}{}
		}
	}()
	address := down.Addr().String()
	a, root := platformWith(t, posting(&mailtest.Server{Address: address}))
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	var ids []string
	for _, name := range []string{"una", "uta"} {
		ids = append(ids, root.must(t, "acme", "invite-user", `{"user_id":"`+root.guest(t, name)+`"}`))
	}
	root.must(t, "acme", "revoke-link", `{"id":"`+ids[1]+`"}`)
	for range 3 { // one of them at least for a mail that is tried again
		<-rung
	}
	_ = down.Close()
	back := (&mailtest.Server{Address: address}).Start(t)
	to(t, back, 1, "una@acme.test", 1)
	a.linkIs(t, ids[0], "mailed")
	replay, err := a.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replay.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, root.must(t, "acme", "invite-user", `{"user_id":"`+root.guest(t, "ute")+`"}`))
	a.linkIs(t, ids[2], "mailed")
	if all := back.Mails(); len(all) != 2 || back.Tries() != 2 {
		t.Errorf("%d mails in %d tries", len(all), back.Tries())
	}
	a.linkIs(t, ids[1], "revoked")
	if text := root.do("GET", "/metrics", "").body; strings.Contains(text, `outcome="given-up"`) || !strings.Contains(text, `outcome="deferred"`) {
		t.Error("a link that was withdrawn was tried, or one that was not is not counted")
	}
}

func TestOfSeveralProcessesOneSends(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	config := posting(server)
	config.DatabaseURL, config.Data = pgtest.URL(t), t.TempDir()
	one, two := openWith(t, config), openWith(t, config)
	root := caller{one.handlerForTest(t), one.bootstrapForTest(t)}
	other := caller{two.handlerForTest(t), root.token}
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	var ids []string
	for i := range 10 {
		by := []caller{root, other}[i%2]
		ids = append(ids, by.must(t, "acme", "invite-user", `{"user_id":"`+by.guest(t, fmt.Sprint("u", i))+`"}`))
	}
	for _, id := range ids {
		one.linkIs(t, id, "mailed")
	}
	if server.Tries() != 10 || len(server.Mails()) != 10 {
		t.Errorf("%d mails in %d tries", len(server.Mails()), server.Tries())
	}
}

func TestWithoutAMailServerNothingIsPromised(t *testing.T) {
	a, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	una := root.guest(t, "una")
	abe := root.must(t, "acme", "register-user", `{"display_name":"abe","email":"abe@acme.test"}`)
	for name, user := range map[string]string{"invite-user": una, "send-password-reset": abe} {
		if r := root.command("acme", name, `{"user_id":"`+user+`"}`); r.status != 422 || r.code() != "mail-not-configured" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	before := a.headForTest(t)
	r := root.as("").do("POST", "/v1/tenants/acme/password-resets", `{"email":"abe@acme.test"}`)
	if r.status != http.StatusAccepted {
		t.Errorf("ask: %d %s", r.status, r.body)
	}
	a.Close() // works off what was asked for
	again := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data})
	if n := again.column(t, `SELECT count(*)::text FROM core.events WHERE position > $1 AND type LIKE 'link.%'`, before); n[0] != "0" {
		t.Errorf("%s links were issued", n[0])
	}
	for _, c := range []Config{{SMTPURL: "smtp://mail.test"}, {SMTPURL: "http://kanari@mail.test", MailFrom: "a@b.test"}, {SMTPURL: "smtp://mail.test", MailFrom: "kanari"}} {
		c.DatabaseURL, c.Data, c.AllowUnsafe = a.config.DatabaseURL, a.config.Data, true
		if refused, err := Open(t.Context(), c); err == nil {
			refused.Close()
			t.Errorf("%q from %q is accepted", c.SMTPURL, c.MailFrom)
		} else if strings.Contains(err.Error(), "kanari") {
			t.Error(err)
		}
	}
}

// The mail is taken while the process dies, before that is on record: it goes out again, and says the same.
func TestAKilledServerSendsAgainWhatIsNotOnRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("starts durable servers")
	}
	server := (&mailtest.Server{}).Start(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	server.OnData(func(string) error {
		first := false
		once.Do(func() { first = true; close(arrived) })
		if !first {
			return nil
		}
		<-release
		return errors.New("too late")
	})
	config := posting(server)
	t.Setenv("CHANCERY_SMTP_URL", config.SMTPURL)
	t.Setenv("CHANCERY_MAIL_FROM", config.MailFrom)
	t.Setenv("CHANCERY_PUBLIC_URL", config.PublicURL)
	data := t.TempDir()
	v := launch(t, data)
	token := bootstrapAt(t, v.url, data)
	post := func(path, body string) string {
		t.Helper()
		status, answer := call(t, http.MethodPost, v.url+path, token, body)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
		return reply{body: string(answer)}.part("id")
	}
	tenant := post("/v1/tenants/root/commands/create-tenant", `{"name":"Acme","slug":"acme"}`)
	user := post("/v1/tenants/acme/commands/register-user", `{"display_name":"una","email":"una@acme.test","status":"invited"}`)
	post("/v1/tenants/acme/commands/invite-user", `{"user_id":"`+user+`"}`)
	<-arrived
	v.kill()
	close(release)
	v = launch(t, data)
	link := follow(t, server.Wait(t, 1)[0], tenant, domain.Invitation)
	status, answer := call(t, http.MethodPost, v.url+"/v1/tenants/acme/links/redeem", "", fmt.Sprintf(`{"token":%q,"password":%q}`, link, chosen))
	if status != http.StatusOK {
		t.Errorf("redeem: %d %s", status, answer)
	}
	if n := server.Tries(); n != 2 {
		t.Errorf("%d tries, want 2", n)
	}
}
