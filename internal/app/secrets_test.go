package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/pgtest"
)

// secretOf makes a secret of an app in a tenant.
func (c caller) secretOf(t testing.TB, tenant, app, name, value string) string {
	t.Helper()
	return c.must(t, tenant, "create-secret", fmt.Sprintf(`{"app":%q,"name":%q,"value":%q}`, app, name, value))
}

func (c caller) read(tenant, body string) reply { return c.command(tenant, "read-secret", body) }

// appToken issues a token of an app to a user who has no rights at all.
func (c caller) appToken(t testing.TB, tenant, app string, more ...string) caller {
	t.Helper()
	user := c.must(t, tenant, "register-user", `{"display_name":"a service"}`)
	r := c.command(tenant, "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"app","expires_at":%q,"app":%q%s}`, user, soon(), app, strings.Join(more, "")))
	if r.status != http.StatusOK {
		t.Fatalf("issue a token of %s: %d %s", app, r.status, r.body)
	}
	return c.as(r.part("token"))
}

func TestASecretIsToldWithItsRecordInLogAndTable(t *testing.T) {
	a, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ann := root.user(t, "acme", "ann", true)
	id := ann.secretOf(t, "acme", "billing", "smtp", "  one \n")
	for _, body := range []string{fmt.Sprintf(`{"id":%q}`, id), `{"ref":"secret://billing/smtp","purpose":"to send mail"}`} {
		r := ann.read("acme", body)
		if r.status != 200 || r.part("value") != "  one \n" || r.part("id") != id {
			t.Fatalf("%s: %d %s", body, r.status, r.body)
		}
		rows := a.column(t, `SELECT secret_id::text || ' ' || number FROM core.secret_access_log WHERE position = $1::bigint`, r.part("position"))
		if len(rows) != 1 || rows[0] != id+" 1" {
			t.Errorf("when the value came, its rows were %v", rows)
		}
	}
	ann.must(t, "acme", "rotate-secret", fmt.Sprintf(`{"id":%q,"value":"two","expected_version":1,"grace_seconds":60}`, id))
	for version, want := range map[int]string{0: "two", 1: "  one \n", 2: "two"} {
		if r := ann.read("acme", fmt.Sprintf(`{"id":%q,"version":%d}`, id, version)); r.part("value") != want {
			t.Errorf("version %d: %d %s", version, r.status, r.body)
		}
	}
	if r := ann.command("acme", "rotate-secret", fmt.Sprintf(`{"id":%q,"value":"x","expected_version":1}`, id)); r.status != 412 {
		t.Errorf("a rotation of an old version: %d %s", r.status, r.body)
	}
	a.settled(t)
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	listed := ann.do("GET", "/v1/tenants/acme/secret-access?secret_id="+id, "")
	if err := json.Unmarshal([]byte(listed.body), &page); err != nil || len(page.Items) != 5 || !strings.Contains(listed.body, "to send mail") || strings.Count(listed.body, `"ip":"192.0.2.1"`) != 5 {
		t.Errorf("%v %s", err, listed.body)
	}
	for _, address := range []string{"secrets", "secrets/" + id, "secret-versions", "secrets/" + id + "/history", "events?limit=1000", "audit?limit=1000"} {
		r := ann.do("GET", "/v1/tenants/acme/"+address, "")
		if r.status != 200 || strings.Contains(r.body, "one") && strings.Contains(r.body, "  one") || strings.Contains(r.body, `"two"`) || strings.Contains(r.body, "sealed:") {
			t.Errorf("%s: %d %s", address, r.status, r.body)
		}
	}
	verified, err := a.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := verified.Verify(t.Context(), 5); err != nil || v.Total != 0 {
		t.Errorf("the tables differ from the log: %v %v", v.Differences, err)
	}
}

func TestWithoutItsRowNoValueIsTold(t *testing.T) {
	a, root := platform(t)
	id := root.secretOf(t, "root", "core", "smtp", "canary-of-the-stuck")
	body := fmt.Sprintf(`{"id":%q}`, id)
	a.settled(t)
	a.withTableGone(t, "core.secret_access_log", func() {
		for range 2 {
			if r := root.read("root", body); r.status != http.StatusServiceUnavailable || strings.Contains(r.body, "canary") || r.header.Get("Retry-After") == "" {
				t.Errorf("while the record cannot be written: %d %s", r.status, r.body)
			}
		}
		if _, err := a.secret(t.Context(), domain.Root, "secret://core/smtp", "test"); err == nil {
			t.Error("Chancery itself reads without a record")
		}
	})
	for tries := 0; len(a.Ready(t.Context())) > 0; tries++ { // the projector tries again by itself
		if tries > 1_000_000 {
			t.Fatal("the projector does not recover")
		}
	}
	if r := root.read("root", body); r.part("value") != "canary-of-the-stuck" {
		t.Errorf("afterwards: %d %s", r.status, r.body)
	}
	if n := len(a.column(t, `SELECT id::text FROM core.secret_access_log`)); n != 4 {
		t.Errorf("%d rows of 4 readings: those that failed are on record, too", n)
	}
}

func TestAnAppTokenReadsTheSecretsOfItsAppAndNothingElse(t *testing.T) {
	a, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
	ann, bea := root.user(t, "acme", "ann", true), root.user(t, "beta", "bea", true)
	mine, other := ann.secretOf(t, "acme", "billing", "smtp", "mine"), ann.secretOf(t, "acme", "shop", "smtp", "other")
	theirs := bea.secretOf(t, "beta", "billing", "smtp", "theirs")
	app := ann.appToken(t, "acme", "billing")

	for _, body := range []string{fmt.Sprintf(`{"id":%q}`, mine), `{"ref":"secret://billing/smtp"}`} {
		if r := app.read("acme", body); r.part("value") != "mine" {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	a.settled(t)
	if got := a.column(t, `SELECT DISTINCT app_id FROM core.secret_access_log`); !slices.Equal(got, []string{"billing"}) {
		t.Errorf("the rows name the apps %v", got)
	}
	unknown := app.read("acme", `{"id":"0194f3a0-0010-7000-8000-000000000001"}`)
	for _, id := range []string{other, theirs} {
		if r := app.read("acme", fmt.Sprintf(`{"id":%q}`, id)); r.status != 404 || r.body != unknown.body {
			t.Errorf("a secret that is not the app's: %d %s, and nobody's: %s", r.status, r.body, unknown.body)
		}
	}
	if r := app.read("acme", `{"ref":"secret://shop/smtp"}`); r.status != 403 {
		t.Errorf("another app's by its name: %d %s", r.status, r.body)
	}
	for _, tenant := range []string{"beta", "root"} {
		if r := app.read(tenant, `{"ref":"secret://billing/smtp"}`); r.status != 404 {
			t.Errorf("in %s: %d %s", tenant, r.status, r.body)
		}
	}
	if r := app.command("acme", "rotate-secret", fmt.Sprintf(`{"id":%q,"value":"x"}`, mine)); r.status != 404 {
		t.Errorf("an app changes its secret: %d %s", r.status, r.body)
	}
	if r := app.do("GET", "/v1/tenants/acme/secrets", ""); r.status != 403 {
		t.Errorf("an app lists secrets: %d %s", r.status, r.body)
	}
	if r := ann.appToken(t, "acme", "billing", `,"scopes":["core.users.*"]`).read("acme", `{"ref":"secret://billing/smtp"}`); r.status != 403 {
		t.Errorf("a token that was issued for less: %d %s", r.status, r.body)
	}
	// Of the platform, a token of an app of the same name: its app is not the tenant's.
	if r := root.appToken(t, "root", "billing").read("acme", `{"ref":"secret://billing/smtp"}`); r.status != 403 && r.status != 404 {
		t.Errorf("an app of the platform: %d %s", r.status, r.body)
	}
}

func TestWhoMayIssueAnAppsTokenMayReadItsSecrets(t *testing.T) {
	a, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	role := root.must(t, "acme", "create-role", `{"name":"Issuer","privileges":["core.tokens.*"]}`)
	ian := root.user(t, "acme", "ian", false)
	me := ian.do("GET", "/v1/me", "").part("user_id")
	root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, role, me))
	issue := fmt.Sprintf(`{"name":"app","expires_at":%q,"app":"billing"}`, soon())
	if r := ian.command("acme", "issue-token", issue); r.status != 403 || r.code() != "may-not-grant" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	foreign := root.command("acme", "issue-token", fmt.Sprintf(`{"user_id":%q,%s`, me, issue[1:]))
	if r := ian.command("acme", "rotate-token", fmt.Sprintf(`{"id":%q}`, foreign.part("id"))); r.status != 403 {
		t.Errorf("rotating it: %d %s", r.status, r.body)
	}
	reader := root.must(t, "acme", "create-role", `{"name":"Reader","privileges":["core.secrets.read"]}`)
	root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q,"scope":"app:billing"}`, reader, me))
	if r := ian.command("acme", "issue-token", issue); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	a.settled(t)
	if r := root.do("GET", "/v1/tenants/acme/tokens?app_id=billing", ""); strings.Count(r.body, `"app_id":"billing"`) != 2 {
		t.Errorf("%s", r.body)
	}
}

func TestAUserReadsByPrivilegeOnTheApp(t *testing.T) {
	_, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	mine, other := root.secretOf(t, "acme", "billing", "smtp", "mine"), root.secretOf(t, "acme", "shop", "smtp", "other")
	abe := root.user(t, "acme", "abe", false)
	me := abe.do("GET", "/v1/me", "").part("user_id")
	status := func(body string) int { return abe.read("acme", body).status }
	byID := func(id string) string { return fmt.Sprintf(`{"id":%q}`, id) }
	if a, b := status(byID(mine)), status(`{"ref":"secret://billing/smtp"}`); a != 404 || b != 403 {
		t.Errorf("without the privilege: %d, by name %d", a, b)
	}
	role := root.must(t, "acme", "create-role", `{"name":"Reader","privileges":["core.secrets.read"]}`)
	root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q,"scope":"app:billing"}`, role, me))
	if a, b, c := status(byID(mine)), status(`{"ref":"secret://billing/smtp"}`), status(byID(other)); a != 200 || b != 200 || c != 404 {
		t.Errorf("with it on one app: %d, by name %d, of another app %d", a, b, c)
	}
	root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, role, me))
	root.must(t, "acme", "add-override", fmt.Sprintf(
		`{"effect":"deny","privilege":"core.secrets.read","user_id":%q,"scope":"app:shop","expires_at":%q,"reason":"test"}`, me, soon()))
	if a, b := status(byID(mine)), status(byID(other)); a != 200 || b != 404 {
		t.Errorf("with it everywhere, and a deny on one app: %d, there %d", a, b)
	}
	auditor := root.user(t, "acme", "eve", false)
	root.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAuditor, auditor.do("GET", "/v1/me", "").part("user_id")))
	if r := auditor.read("acme", byID(mine)); r.status != 403 {
		t.Errorf("an auditor reads values: %d %s", r.status, r.body)
	}
	if r := auditor.do("GET", "/v1/tenants/acme/secrets", ""); r.status != 200 {
		t.Errorf("an auditor does not see which there are: %d", r.status)
	}
}

func TestARepeatedRequestIsTheSameAndEachReadingItsOwn(t *testing.T) {
	a, root := platform(t)
	body := `{"name":"pin","value":"4711"}`
	one, again := root.command("root", "create-secret", body, "Idempotency-Key", "k"), root.command("root", "create-secret", body, "Idempotency-Key", "k")
	if one.status != 200 || one.body != again.body {
		t.Errorf("%s and again %s", one.body, again.body)
	}
	if r := root.command("root", "create-secret", `{"name":"pin","value":"4712"}`, "Idempotency-Key", "k"); r.code() != "idempotency-key-reused" {
		t.Errorf("another body: %d %s", r.status, r.body)
	}
	guess := commands.Fingerprint([]byte("create-secret"), []byte(body))
	plain := sha256.Sum256([]byte(body))
	for _, kept := range a.column(t, `SELECT encode(fingerprint, 'hex') FROM core.append_requests`) {
		if kept == hex.EncodeToString(guess) || kept == hex.EncodeToString(plain[:]) {
			t.Error("the value can be guessed from the fingerprint of the request")
		}
	}
	read := func() reply {
		return root.command("root", "read-secret", `{"ref":"secret://core/pin"}`, "Idempotency-Key", "r")
	}
	if x, y := read(), read(); x.part("value") != "4711" || y.part("value") != "4711" || x.part("position") == y.part("position") {
		t.Errorf("%s and %s", x.body, y.body)
	}
	root.must(t, "root", "disable-secret", fmt.Sprintf(`{"id":%q}`, one.part("id")))
	if r := read(); r.code() != "secret-disabled" {
		t.Errorf("a key from before reads what is disabled now: %d %s", r.status, r.body)
	}
}

func TestADestroyedSecretHasNoKeysAnywhere(t *testing.T) {
	a, root := platform(t)
	id := root.secretOf(t, "root", "core", "smtp", "one")
	for n := range 3 {
		root.must(t, "root", "rotate-secret", fmt.Sprintf(`{"id":%q,"value":"v%d"}`, id, n))
	}
	keys := func(wrapped string) int {
		return len(a.column(t, `SELECT k.subject_id::text FROM core.subject_keys k JOIN core.secret_versions v ON v.id = k.subject_id
			WHERE (k.wrapped = ''::bytea) = $1::boolean`, wrapped))
	}
	a.settled(t)
	if keys("false") != 4 {
		t.Fatalf("%d keys of 4 versions", keys("false"))
	}
	root.must(t, "root", "destroy-secret-version", fmt.Sprintf(`{"id":%q,"version":2}`, id))
	if live, gone := keys("false"), keys("true"); live != 3 || gone != 1 {
		t.Errorf("%d keys live, %d are gone", live, gone)
	}
	if r := root.read("root", fmt.Sprintf(`{"id":%q,"version":2}`, id)); r.code() != "value-destroyed" {
		t.Errorf("%d %s", r.status, r.body)
	}
	root.must(t, "root", "destroy-secret", fmt.Sprintf(`{"id":%q}`, id))
	if live, gone := keys("false"), keys("true"); live != 0 || gone != 4 {
		t.Errorf("%d keys live, %d are gone", live, gone)
	}
	root.secretOf(t, "root", "core", "smtp", "anew")
	if r := root.read("root", `{"ref":"secret://core/smtp"}`); r.part("value") != "anew" {
		t.Errorf("the name was not free: %d %s", r.status, r.body)
	}
}

func TestChanceryReadsWhatItsConfigurationRefersTo(t *testing.T) {
	a, root := platform(t)
	acme := root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	root.secretOf(t, "acme", "core", "oidc", "client secret")
	var tenant domain.TenantID
	if err := tenant.UnmarshalText([]byte(acme)); err != nil {
		t.Fatal(err)
	}
	got, err := a.secret(t.Context(), tenant, "secret://core/oidc", "to sign in")
	if err != nil || got != "client secret" {
		t.Fatalf("%q %v", got, err)
	}
	rows := a.column(t, `SELECT coalesce(user_id::text, 'nobody') || ' ' || purpose FROM core.secret_access_log`)
	if !slices.Equal(rows, []string{"nobody to sign in"}) {
		t.Errorf("%v", rows)
	}
	for tenant, ref := range map[domain.TenantID]string{tenant: "secret://core/other", domain.Root: "secret://core/oidc"} {
		if _, err := a.secret(t.Context(), tenant, ref, ""); !errors.Is(err, domain.ErrSecretUnknown) {
			t.Errorf("%s in %s: %v", ref, tenant, err)
		}
	}
}

func TestADateThatComesIsSaidOnceByHoweverManyProcesses(t *testing.T) {
	clock := newClock(time.Now().UTC().Truncate(time.Microsecond))
	config := Config{DatabaseURL: pgtest.URL(t), Data: t.TempDir(), Now: clock.now}
	a := openWith(t, config)
	root := caller{a.handlerForTest(t), a.bootstrapForTest(t)}
	b := openWith(t, config)
	for i := range 20 {
		root.must(t, "root", "create-secret", fmt.Sprintf(`{"name":"s%d","value":"x","rotate_every_days":%d}`, i, 1+i%2))
	}
	a.settled(t)
	rounds := func() {
		t.Helper()
		var done [4]error
		race(len(done), func(i int) reply { done[i] = []*App{a, b}[i%2].due.Round(t.Context()); return reply{} })
		if err := errors.Join(done[:]...); err != nil {
			t.Fatal(err)
		}
		a.settled(t)
	}
	said := func() int {
		return len(a.column(t, `SELECT id::text FROM core.events WHERE type = 'secret.rotation-due'`))
	}
	rounds()
	if n := said(); n != 0 {
		t.Fatalf("%d dates were said before they came", n)
	}
	clock.forward(24 * time.Hour)
	rounds()
	if n := said(); n != 10 {
		t.Fatalf("%d dates were said, want 10", n)
	}
	rounds()
	b.Close()
	b = openWith(t, config)
	clock.forward(23 * time.Hour)
	rounds()
	if n := said(); n != 10 {
		t.Fatalf("%d dates were said after all was said", n)
	}
	clock.forward(time.Hour)
	rounds()
	rounds()
	if n := said(); n != 20 {
		t.Fatalf("%d dates were said, want 20", n)
	}
	if twice := a.column(t, `SELECT payload->>'secret' FROM core.events WHERE type = 'secret.rotation-due' GROUP BY 1 HAVING count(*) > 1`); len(twice) > 0 {
		t.Errorf("said twice of %v", twice)
	}
}

func TestSecretsAreFoundNowhereInTheClear(t *testing.T) {
	const canary = "canary-of-a-secret-7c1f"
	var logged lockedBuffer
	a, root := platformWith(t, Config{Log: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ann, abe := root.user(t, "acme", "ann", true), root.user(t, "acme", "abe", false)
	ann.must(t, "acme", "create-group", `{"name":"planted-in-a-table"}`)
	if text := strings.Join(a.leaks(t, []string{"planted-in-a-table"}, nil), "\n"); !strings.Contains(text, "table core.events") {
		t.Fatalf("the search does not find what is there: %s", text)
	}
	id := ann.secretOf(t, "acme", "billing", "smtp", canary)
	ann.must(t, "acme", "rotate-secret", fmt.Sprintf(`{"id":%q,"value":"%s two","grace_seconds":3600}`, id, canary))
	read := ann.read("acme", fmt.Sprintf(`{"id":%q,"version":1}`, id))
	if read.part("value") != canary {
		t.Fatalf("%d %s", read.status, read.body)
	}
	var answers strings.Builder
	provoke := func() {
		for _, c := range []caller{ann, abe, root} {
			for _, r := range [][2]string{
				{"create-secret", fmt.Sprintf(`{"app":"billing","name":"smtp","value":%q}`, canary)},
				{"create-secret", fmt.Sprintf(`{"app":"billing","name":"Wrong Name","value":%q}`, canary)},
				{"create-secret", fmt.Sprintf(`{"name":"long","value":%q}`, strings.Repeat(canary, 5000))},
				{"create-secret", fmt.Sprintf(`{"name":"x","value":[%q]}`, canary)},
				{"create-secret", fmt.Sprintf(`{"name":"x","value":%q`, canary)},
				{"rotate-secret", fmt.Sprintf(`{"id":%q,"value":%q,"expected_version":1}`, id, canary)},
				{"rotate-secret", fmt.Sprintf(`{"id":%q,"value":%q,"grace_seconds":-1}`, id, canary)},
				{"rotate-secret", fmt.Sprintf(`{"id":%q,"value":%q}`, "0194f3a0-0010-7000-8000-000000000001", canary)},
				{"destroy-secret-version", fmt.Sprintf(`{"id":%q,"version":9}`, id)},
				{"read-secret", fmt.Sprintf(`{"id":%q,"version":9}`, id)},
			} {
				answers.WriteString(c.command("acme", r[0], r[1], "Idempotency-Key", r[0]).body)
				answers.WriteString(c.do("POST", "/v1/tenants/acme/commands", fmt.Sprintf(`{"command":%q,"body":%s}`, r[0], r[1]), "Content-Type", "application/x-ndjson").body)
			}
			for _, address := range []string{"secrets", "secrets/" + id, "secrets/" + id + "/history", "secret-versions", "secret-access", "events?limit=1000", "audit?limit=1000", "secrets?as_of=" + read.part("position")} {
				answers.WriteString(c.do("GET", "/v1/tenants/acme/"+address, "").body)
			}
		}
	}
	provoke()
	a.withTableGone(t, "core.subject_keys", provoke)
	a.withTableGone(t, "core.secrets", provoke)
	if !strings.Contains(logged.String(), "level\":\"ERROR") {
		t.Error("no fault was provoked")
	}
	for _, leak := range a.leaks(t, []string{canary}, map[string]string{
		"the log": logged.String(), "the metrics": root.do("GET", "/metrics", "").body, "an answer": answers.String(),
	}) {
		t.Error(leak)
	}
}
