package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/license"
)

// machines is a platform on which forge sells the app vm, and acme has a licence for it.
type machines struct {
	*testing.T
	app            *App
	clock          *clock
	root, vic, ann caller // the platform's, forge's and acme's administrators
	forge, acme    string // ids
	license        string
}

// onMachines is one whose licence is for so many, for ten days and five of grace.
func onMachines(t *testing.T, most int, config Config) *machines {
	t.Helper()
	m := &machines{T: t, clock: newClock(time.Now().UTC().Truncate(time.Second))}
	config.Now, config.DueEvery = m.clock.now, time.Hour
	m.app, m.root = platformWith(t, config)
	m.forge = m.root.must(t, "root", "create-tenant", `{"name":"Forge","slug":"forge"}`)
	m.acme = m.root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	m.root.must(t, "root", "admit-vendor", fmt.Sprintf(`{"tenant_id":%q}`, m.forge))
	m.vic, m.ann = m.lasting("forge", "vic"), m.lasting("acme", "ann")
	m.vic.must(t, "forge", "create-signing-key", `{}`)
	m.vic.must(t, "forge", "register-app", `{"name":"vm","title":"VM"}`)
	m.license = m.vic.must(t, "forge", "issue-license", fmt.Sprintf(`{"tenant_id":%q,"app":"vm","ends_at":%q,"grace_days":5,"activations":%d}`,
		m.acme, m.clock.now().AddDate(0, 0, 10).Format(time.RFC3339), most))
	return m
}

// lasting makes an administrator whose token is still good when the licence is over.
func (m *machines) lasting(tenant, name string) caller {
	m.Helper()
	user := m.root.must(m.T, tenant, "register-user", fmt.Sprintf(`{"display_name":%q}`, name))
	m.root.must(m.T, tenant, "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, user))
	r := m.root.command(tenant, "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"test","expires_at":%q}`, user, m.clock.now().AddDate(0, 0, 30).Format(time.RFC3339)))
	return m.root.as(m.mustPart(r, "token"))
}

// mustPart is a text of an answer that must hold it.
func (m *machines) mustPart(r reply, name string) string {
	m.Helper()
	if r.status != http.StatusOK || r.part(name) == "" {
		m.Fatalf("no %s: %d %s", name, r.status, r.body)
	}
	return r.part(name)
}

func (m *machines) activate(c caller, fingerprint string, headers ...string) reply {
	return c.command("acme", "activate-license", fmt.Sprintf(`{"license_id":%q,"fingerprint":%q,"label":"a machine"}`, m.license, fingerprint), headers...)
}

func (m *machines) active(c caller, fingerprint string) string {
	m.Helper()
	return m.mustPart(m.activate(c, fingerprint), "id")
}

func (m *machines) on(c caller, command, id, more string, headers ...string) reply {
	return c.command("acme", command, fmt.Sprintf(`{"id":%q%s}`, id, more), headers...)
}

// must wants the answer to be of that code; none for 200.
func (m *machines) must(r reply, code string) reply {
	m.Helper()
	if r.code() != code || (r.status == http.StatusOK) != (code == "") {
		m.Errorf("%d %s, want %q", r.status, r.body, code)
	}
	return r
}

// keys are those that everybody may know.
func (m *machines) keys() license.Keys {
	m.Helper()
	r := m.root.as("").do("GET", "/v1/tenants/"+m.forge+"/jwks.json", "")
	keys, err := license.ParseKeys([]byte(r.body))
	if r.status != http.StatusOK || err != nil {
		m.Fatalf("%v: %d %s", err, r.status, r.body)
	}
	return keys
}

// offline is what a machine makes of a file.
func (m *machines) offline(file, fingerprint string, at time.Time) error {
	m.Helper()
	_, err := license.VerifyCheckout(file, m.keys(), license.Want{Now: at, Issuer: m.forge, Tenant: m.acme, App: "vm", Fingerprint: fingerprint})
	return err
}

// row is how the collection shows an activation.
func (m *machines) row(id string) string {
	m.Helper()
	m.app.settled(m.T)
	r := m.ann.do("GET", "/v1/tenants/acme/activations/"+id, "")
	if r.status != http.StatusOK {
		m.Fatalf("%d %s", r.status, r.body)
	}
	return fmt.Sprint(r.part("status"), " ", r.part("checked_out_until"))
}

func TestALicenseLivesOnMachines(t *testing.T) {
	m := onMachines(t, 1, Config{})
	crm := m.active(m.ann, "board-1")
	if again := m.activate(m.ann, "board-1"); again.part("id") != crm || !strings.Contains(again.body, `"events":[]`) {
		t.Errorf("the same machine again: %d %s", again.status, again.body)
	}
	m.must(m.activate(m.ann, "board-2"), "no-activation-left")
	m.must(m.on(m.ann, "deactivate-license", crm, `,"reason":"sold"`), "")
	if got := m.row(crm); got != "ended " {
		t.Errorf("it is %q", got)
	}
	web := m.active(m.ann, "board-2")
	m.must(m.activate(m.ann, "board-1"), "no-activation-left")
	m.must(m.on(m.ann, "deactivate-license", web, ""), "")
	back := m.active(m.ann, "board-1")
	if back == crm {
		t.Error("an id was given twice")
	}

	// The machine goes away with a file.
	m.must(m.on(m.ann, "check-out-activation", back, `,"fingerprint":"board-2","days":3`), "fingerprint-mismatch")
	out := m.must(m.on(m.ann, "check-out-activation", back, `,"fingerprint":"board-1","days":3`, "Idempotency-Key", "to-Mars"), "")
	again := m.must(m.on(m.ann, "check-out-activation", back, `,"fingerprint":"board-1","days":3`, "Idempotency-Key", "to-Mars"), "")
	file, end := out.part("activation"), m.clock.now().AddDate(0, 0, 3)
	if strings.Count(file, ".") != 2 || again.part("activation") != file {
		t.Fatalf("answered %s, then %s", out.body, again.body)
	}
	if got, want := m.row(back), "checked-out "+end.Format(time.RFC3339); got != want {
		t.Errorf("it is %q, want %q", got, want)
	}
	for name, c := range map[string]struct {
		fingerprint string
		at          time.Time
		want        error
	}{
		"on the machine":      {"board-1", m.clock.now(), nil},
		"in its last second":  {"board-1", end.Add(-time.Second), nil},
		"on another machine":  {"board-2", m.clock.now(), license.ErrFingerprint},
		"on one without name": {"", m.clock.now(), license.ErrFingerprint},
		"after its end":       {"board-1", end, license.ErrFileExpired},
	} {
		if err := m.offline(file, c.fingerprint, c.at); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := license.Verify(file, m.keys(), license.Want{Now: m.clock.now()}); !errors.Is(err, license.ErrType) {
		t.Errorf("taken for a licence: %v", err)
	}

	// It counts while it is away, ended or not, unless it is checked in.
	m.must(m.on(m.ann, "deactivate-license", back, ""), "")
	m.must(m.activate(m.ann, "board-2"), "no-activation-left")
	m.must(m.on(m.ann, "check-out-activation", back, `,"fingerprint":"board-1","days":3`), "activation-ended")
	m.must(m.on(m.ann, "check-in-activation", back, ""), "")
	m.must(m.on(m.ann, "check-in-activation", back, ""), "not-checked-out")
	web = m.active(m.ann, "board-2")
	m.must(m.on(m.ann, "check-out-activation", web, `,"fingerprint":"board-2","days":3`), "")
	m.must(m.on(m.ann, "deactivate-license", web, ""), "")
	m.must(m.activate(m.ann, "board-3"), "no-activation-left")
	m.clock.forward(72 * time.Hour)
	m.active(m.ann, "board-3")
	if got := m.row(web); !strings.HasPrefix(got, "ended 20") {
		t.Errorf("it is %q", got)
	}
	listed := m.ann.do("GET", "/v1/tenants/acme/activations?status=ended&app=vm&license_id="+m.license, "")
	if strings.Count(listed.body, `"label":"a machine"`) != 4 || strings.Contains(listed.body, "board-") {
		t.Errorf("listed: %s", listed.body)
	}
	if there := m.vic.do("GET", "/v1/tenants/forge/activations", ""); !strings.Contains(there.body, `"items":[]`) {
		t.Errorf("the vendor sees: %s", there.body)
	}
}

func TestARevokedLicenseGivesNothingAnyMoreAndTakesEverythingBack(t *testing.T) {
	m := onMachines(t, 2, Config{})
	crm, web := m.active(m.ann, "board-1"), m.active(m.ann, "board-2")
	file := m.must(m.on(m.ann, "check-out-activation", crm, `,"fingerprint":"board-1","days":9`), "").part("activation")
	m.must(m.vic.command("forge", "suspend-license", fmt.Sprintf(`{"id":%q,"reason":"unpaid"}`, m.license)), "")
	m.must(m.activate(m.ann, "board-1"), "license-suspended")
	m.must(m.vic.command("forge", "reinstate-license", fmt.Sprintf(`{"id":%q}`, m.license)), "")
	m.must(m.activate(m.ann, "board-1"), "")
	m.must(m.vic.command("forge", "revoke-license", fmt.Sprintf(`{"id":%q,"reason":"fraud"}`, m.license)), "")
	m.must(m.activate(m.ann, "board-1"), "license-revoked")
	m.must(m.activate(m.ann, "board-3"), "license-revoked")
	m.must(m.on(m.ann, "check-out-activation", web, `,"fingerprint":"board-2","days":1`), "license-revoked")
	if err := m.offline(file, "board-1", m.clock.now()); err != nil {
		t.Errorf("who is away does not hear of it before the end of the file: %v", err)
	}
	m.must(m.on(m.ann, "check-in-activation", crm, ""), "")
	m.must(m.on(m.ann, "deactivate-license", crm, ""), "")
	m.must(m.on(m.ann, "deactivate-license", web, ""), "")

	key := m.vic.do("GET", "/v1/tenants/forge/signing-keys", "")
	id := key.body[strings.Index(key.body, `"id":"`)+6:][:36]
	m.must(m.vic.command("forge", "revoke-signing-key", fmt.Sprintf(`{"id":%q}`, id)), "")
	if err := m.offline(file, "board-1", m.clock.now()); !errors.Is(err, license.ErrKeyID) {
		t.Errorf("a file of a revoked key: %v", err)
	}
}

func TestAFileEndsWithItsLicenseAndGrace(t *testing.T) {
	m := onMachines(t, 1, Config{})
	crm := m.active(m.ann, "board-1")
	over := m.clock.now().AddDate(0, 0, 15)
	file := m.must(m.on(m.ann, "check-out-activation", crm, `,"fingerprint":"board-1","days":90`), "").part("activation")
	if got, want := m.row(crm), "checked-out "+over.Format(time.RFC3339); got != want {
		t.Errorf("it is %q, want %q", got, want)
	}
	for at, want := range map[time.Time]error{over.Add(-time.Second): nil, over: license.ErrFileExpired} {
		if err := m.offline(file, "board-1", at); !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("at %v: %v, want %v", at, err, want)
		}
	}
	for _, more := range []string{`,"days":91`, `,"days":1,"until":"2030-01-01T00:00:00Z"`, ``, `,"until":"1999-01-01T00:00:00Z"`, fmt.Sprintf(`,"until":%q`, over.Add(time.Second).Format(time.RFC3339))} {
		m.must(m.on(m.ann, "check-out-activation", crm, `,"fingerprint":"board-1"`+more), "invalid-value")
	}
	m.clock.forward(over.Sub(m.clock.now()))
	m.must(m.activate(m.ann, "board-1"), "license-over")
}

func TestAnAppActivatesItsOwnLicensesAndNobodyElseLearnsOfThem(t *testing.T) {
	m := onMachines(t, 1, Config{})
	m.vic.must(t, "forge", "publish-app-version", `{"manifest":{"app":"vm","version":"1.0.0","title":"VM","license_required":true}}`)
	m.ann.must(t, "acme", "enable-app", `{"app":"vm"}`)
	own, other, plain := m.ann.appToken(t, "acme", "vm"), m.ann.appToken(t, "acme", "crm"), m.root.user(t, "acme", "una", false)
	crm := m.active(own, "board-1")
	m.must(m.on(own, "check-out-activation", crm, `,"fingerprint":"board-1","days":1`), "")
	for _, stranger := range []caller{other, plain} {
		m.must(m.activate(stranger, "board-2"), "not-found")
		m.must(m.on(stranger, "deactivate-license", crm, ""), "not-found")
		m.must(m.on(stranger, "check-out-activation", crm, `,"fingerprint":"board-1","days":1`), "not-found")
		m.must(m.on(stranger, "check-in-activation", crm, ""), "not-found")
	}
	m.must(m.on(own, "check-in-activation", crm, ""), "")
	m.must(m.on(own, "deactivate-license", crm, ""), "")
	m.must(m.vic.command("forge", "activate-license", fmt.Sprintf(`{"license_id":%q,"fingerprint":"x"}`, m.license)), "not-found") // it is acme's
}

func TestAFingerprintAndAVendorsKeyAreFoundNowhereInTheClear(t *testing.T) {
	const machine = "Kanarienrechner 0815-4711"
	var logged, answered lockedBuffer
	m := onMachines(t, 2, Config{Log: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	nobody := "nobody"
	watch := watched{m.root.Handler, &answered, &nobody}
	m.root.Handler, m.ann.Handler, m.vic.Handler = watch, watch, watch
	crm := m.active(m.ann, machine)
	m.must(m.activate(m.ann, machine, "Idempotency-Key", "k"), "")
	out := m.must(m.on(m.ann, "check-out-activation", crm, fmt.Sprintf(`,"fingerprint":%q,"days":1`, machine), "Idempotency-Key", "o"), "")
	provoke := func() {
		for _, c := range []caller{m.ann, m.vic, m.root.as("chn_pat_nothing")} {
			for _, body := range []string{
				`{"license_id":%[1]q,"fingerprint":%[2]q,"x":1}`, `{"license_id":%[2]q,"fingerprint":%[2]q}`, `{"license_id":%[1]q,"fingerprint":[%[2]q]}`,
				`{"license_id":%[1]q,"fingerprint":%[2]q`, `{"license_id":%[1]q,"fingerprint":"%[2]s\n"}`, `{"license_id":%[1]q,"fingerprint":%[2]q}`,
			} {
				body = strings.ReplaceAll(strings.ReplaceAll(body, "%[1]q", `"`+m.license+`"`), "%[2]", "%[1]")
				c.command("acme", "activate-license", fmt.Sprintf(body, machine))
			}
			c.command("acme", "activate-license", fmt.Sprintf(`{"license_id":%q,"fingerprint":%q}`, m.license, strings.Repeat(machine, 30)))
			c.command("acme", "activate-license", fmt.Sprintf(`{"license_id":%q,"fingerprint":%q}`, m.license, machine), "Idempotency-Key", "k") // used for another
			c.command("acme", "check-out-activation", fmt.Sprintf(`{"id":%q,"fingerprint":"x %s","days":1}`, crm, machine))
			c.command("acme", "check-out-activation", fmt.Sprintf(`{"id":%q,"fingerprint":%q,"days":100}`, crm, machine))
			c.do("POST", "/v1/tenants/acme/commands", fmt.Sprintf(`{"command":"activate-license","body":{"license_id":%q,"fingerprint":%q}}`, m.license, machine), "Content-Type", "application/x-ndjson")
		}
	}
	provoke()
	m.app.withTableGone(t, "core.append_requests", provoke) // the database refuses
	m.must(m.on(m.ann, "deactivate-license", crm, ""), "")
	if !strings.Contains(logged.String(), "level\":\"ERROR") {
		t.Error("no fault was provoked")
	}
	id := domain.TenantID{UUID: uuid.MustParse(m.forge)}
	keys := domain.SigningKeysOf(id)
	if err := m.app.engine.Ask(t.Context(), id, dcb.From(keys).Unsealing()); err != nil {
		t.Fatal(err)
	}
	seed := keys.Value[0].Private.Reveal()
	if len(seed) != 43 {
		t.Fatalf("the seed has %d characters", len(seed))
	}
	places := map[string]string{"the log": logged.String(), "what pg_dump wrote": m.app.dump(t), "answers": answered.String(), "the metrics": m.root.do("GET", "/metrics", "").body}
	for _, leak := range m.app.leaks(t, []string{machine, seed}, places) {
		t.Error(leak)
	}
	file := strings.Split(out.part("activation"), ".")
	for _, leak := range m.app.leaks(t, file[1:], nil) { // nor is the file kept
		t.Error(leak)
	}
}
