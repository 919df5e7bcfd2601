package app

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"chancery/domain"
	"chancery/license"
)

// shop is a platform on which the vendor forge sells the app vm to acme, and globex has nothing to do with it.
type shop struct {
	*testing.T
	*App
	clock               *clock
	root, vic, ann, gus caller // the platform's, forge's, acme's and globex's administrators
	ids                 map[string]string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{T: t, clock: newClock(time.Now().UTC().Truncate(time.Second)), ids: map[string]string{}}
	s.App, s.root = platformWith(t, Config{Now: s.clock.now, DueEvery: 24 * time.Hour})
	for _, slug := range []string{"forge", "acme", "globex"} {
		s.ids[slug] = s.root.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":%[1]q,"slug":%[1]q}`, slug))
	}
	s.root.must(t, "root", "admit-vendor", fmt.Sprintf(`{"tenant_id":%q}`, s.ids["forge"]))
	s.vic, s.ann, s.gus = s.chief("forge"), s.chief("acme"), s.chief("globex")
	s.vic.must(t, "forge", "create-signing-key", `{}`)
	s.vic.must(t, "forge", "register-app", `{"name":"vm","title":"VM"}`)
	return s
}

// chief makes an administrator with a token that lasts.
func (s *shop) chief(tenant string) caller {
	s.Helper()
	user := s.root.must(s.T, tenant, "register-user", `{"display_name":"chief"}`)
	s.root.must(s.T, tenant, "assign-role", fmt.Sprintf(`{"role_id":%q,"user_id":%q}`, domain.TenantAdmin, user))
	r := s.root.command(tenant, "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"test","expires_at":%q}`, user, s.in(60*24*time.Hour)))
	if r.part("token") == "" {
		s.Fatalf("no token: %d %s", r.status, r.body)
	}
	return s.root.as(r.part("token"))
}

func (s *shop) in(d time.Duration) string { return s.clock.now().Add(d).Format(time.RFC3339) }

// sell issues a licence for ten days and three of grace.
func (s *shop) sell(more string) string {
	s.Helper()
	return s.vic.must(s.T, "forge", "issue-license", fmt.Sprintf(`{"tenant_id":%q,"app":"vm","ends_at":%q,"grace_days":3,"entitlements":[
		{"name":"snapshots","kind":"feature"},{"name":"hours","kind":"meter","limit":100,"period":"month"}]%s}`, s.ids["acme"], s.in(10*24*time.Hour), more))
}

// on sends a command about the licence to the vendor's tenant.
func (s *shop) on(command, id, more string) reply {
	return s.vic.command("forge", command, fmt.Sprintf(`{"id":%q%s}`, id, more))
}

func (s *shop) must(command, id, more string) {
	s.Helper()
	if r := s.on(command, id, more); r.status != http.StatusOK {
		s.Fatalf("%s: %d %s", command, r.status, r.body)
	}
}

// row is the licence as a tenant sees it.
func (s *shop) row(c caller, tenant, id string) map[string]any {
	s.Helper()
	s.settled(s.T)
	r := c.do(http.MethodGet, "/v1/tenants/"+tenant+"/licenses/"+id, "")
	var row map[string]any
	if err := json.Unmarshal([]byte(r.body), &row); err != nil || r.status != http.StatusOK {
		s.Fatalf("the licence in %s: %d %s", tenant, r.status, r.body)
	}
	return row
}

// verify verifies a file as somebody without a server would.
func (s *shop) verify(blob string) (license.License, error) {
	s.Helper()
	r := s.root.as("").do(http.MethodGet, "/v1/tenants/forge/jwks.json", "")
	keys, err := license.ParseKeys([]byte(r.body))
	if err != nil {
		s.Fatalf("%v: %d %s", err, r.status, r.body)
	}
	return license.Verify(blob, keys, license.Want{Now: s.clock.now(), Issuer: s.ids["forge"], Tenant: s.ids["acme"], App: "vm"})
}

// said are the events about a licence, as "tenant type command actor's tenant", in order.
func (s *shop) said(id string) []string {
	s.Helper()
	s.settled(s.T) // names of tenants come from a table
	return s.column(s.T, `SELECT t.slug || ' ' || e.type || ' ' || coalesce(e.metadata->>'command', '-') || ' ' || coalesce(a.slug, '-')
		FROM core.events e JOIN core.tenants t ON t.id = e.tenant_id LEFT JOIN core.tenants a ON a.id = (e.metadata->>'actor_tenant')::uuid
		WHERE e.payload->>'license' = $1 AND e.type LIKE 'license.%' ORDER BY e.position`, id)
}

// twice is what was said to both, the holder first.
func twice(lines ...string) (all []string) {
	for _, l := range lines {
		all = append(all, "acme "+l, "forge "+l)
	}
	return all
}

func TestTheLifeOfALicence(t *testing.T) {
	s := newShop(t)
	id := s.sell(`,"notes":"thank you"`)
	first := s.row(s.ann, "acme", id)
	vendors := s.row(s.vic, "forge", id)
	for _, name := range []string{"tenant_id", "version", "issued_at", "updated_at"} {
		delete(first, name)
		delete(vendors, name)
	}
	if diff := cmp.Diff(first, vendors); diff != "" {
		t.Errorf("the holder and the vendor see different things (-holder +vendor):\n%s", diff)
	}
	file, err := s.verify(first["license_blob"].(string))
	if err != nil || file.State != license.Active || file.ID != id || file.Terms.Notes != "thank you" || len(file.Terms.Entitlements) != 2 ||
		!strings.HasSuffix(first["license_blob"].(string), "."+first["signature"].(string)) || first["kid"] != file.KeyID {
		t.Errorf("the file: %v %+v", err, file)
	}
	began := s.headForTest(t)

	// It expires, its grace ends, and a renewal brings it back; each is said once, to both.
	states := func(want string) {
		t.Helper()
		s.round(t)
		s.round(t)
		if a, f := s.row(s.ann, "acme", id)["status"], s.row(s.vic, "forge", id)["status"]; a != want || f != want {
			t.Errorf("the holder sees %v, the vendor %v, want %s", a, f, want)
		}
	}
	states("active")
	s.clock.forward(10 * 24 * time.Hour)
	states("expired")
	if file, err := s.verify(first["license_blob"].(string)); err != nil || file.State != license.Grace {
		t.Errorf("in its grace: %v %v", err, file.State)
	}
	expired := s.headForTest(t)
	s.must("suspend-license", id, `,"reason":"unpaid"`)
	states("suspended")
	s.clock.forward(3 * 24 * time.Hour)
	states("suspended")
	s.must("reinstate-license", id, "")
	states("ended")
	s.must("renew-license", id, fmt.Sprintf(`,"ends_at":%q`, s.in(5*24*time.Hour)))
	states("active")
	renewed := s.row(s.ann, "acme", id)
	if file, err := s.verify(renewed["license_blob"].(string)); err != nil || file.Revision != 2 || file.State != license.Active || file.Terms.Notes != "thank you" {
		t.Errorf("the renewed file: %v %+v", err, file)
	}
	if _, err := s.verify(first["license_blob"].(string)); !errors.Is(err, license.ErrFileExpired) {
		t.Errorf("the first file: %v", err)
	}
	s.clock.forward(5 * 24 * time.Hour)
	states("expired")
	s.clock.forward(3 * 24 * time.Hour)
	states("ended")
	s.must("revoke-license", id, "")
	states("revoked")

	want := twice("license.issued issue-license forge", "license.expired expire-license -", "license.suspended suspend-license forge",
		"license.ended end-license -", "license.reinstated reinstate-license forge", "license.renewed renew-license forge",
		"license.expired expire-license -", "license.ended end-license -", "license.revoked revoke-license forge")
	if diff := cmp.Diff(want, s.said(id)); diff != "" {
		t.Errorf("what was said (-want +got):\n%s", diff)
	}
	audited := s.column(t, `SELECT t.slug || ' ' || a.action FROM core.audit_log a JOIN core.tenants t ON t.id = a.tenant_id WHERE a.object_ref = $1 ORDER BY a.position`, "license:"+id)
	for i, line := range want {
		want[i] = strings.Join(strings.Fields(line)[:2], " ")
	}
	if diff := cmp.Diff(want, audited); diff != "" {
		t.Errorf("the audit log (-want +got):\n%s", diff)
	}
	for position, status := range map[int64]string{began: "active", expired: "expired", s.headForTest(t): "revoked"} {
		r := s.ann.do(http.MethodGet, fmt.Sprintf("/v1/tenants/acme/licenses/%s?as_of=%d", id, position), "")
		if r.part("status") != status {
			t.Errorf("as of %d it is %d %s, want %s", position, r.status, r.body, status)
		}
	}
	s.verified(t)
}

func TestAThirdTenantLearnsNothingOfALicence(t *testing.T) {
	s := newShop(t)
	id := s.sell("")
	s.settled(t)
	for _, address := range []string{"licenses/" + id, "licenses/" + id + "/history", "licenses?app=vm", "licenses?holder_tenant_id=" + s.ids["acme"], "licenses"} {
		r := s.gus.do(http.MethodGet, "/v1/tenants/globex/"+address, "")
		if strings.Contains(r.body, id) || strings.Contains(address, id) && r.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", address, r.status, r.body)
		}
	}
	for _, command := range []string{"renew-license", "change-license", "sign-license", "suspend-license", "reinstate-license", "revoke-license"} {
		body := `{"id":%q,"ends_at":"2099-01-01T00:00:00Z"}`
		if command == "suspend-license" || command == "reinstate-license" || command == "revoke-license" || command == "sign-license" {
			body = `{"id":%q}`
		}
		theirs, nobodys := s.gus.command("globex", command, fmt.Sprintf(body, id)), s.gus.command("globex", command, fmt.Sprintf(body, s.ids["globex"]))
		if theirs.status < 400 || theirs.code() != nobodys.code() {
			t.Errorf("%s: %d %s, of one that is not: %d %s", command, theirs.status, theirs.body, nobodys.status, nobodys.body)
		}
		if r := s.ann.command("acme", command, fmt.Sprintf(body, id)); r.status < 400 {
			t.Errorf("its holder may %s: %d %s", command, r.status, r.body)
		}
	}
	r := s.gus.command("globex", "import-license", fmt.Sprintf(`{"blob":%q}`, s.row(s.ann, "acme", id)["license_blob"]))
	if r.code() != "license-of-another" {
		t.Errorf("somebody else's file: %d %s", r.status, r.body)
	}
	if got := s.said(id); len(got) != 2 {
		t.Errorf("something was said: %v", got)
	}
}

func TestWhenKeysRotateOldLicencesStillVerify(t *testing.T) {
	s := newShop(t)
	id := s.sell("")
	old := s.row(s.ann, "acme", id)
	s.vic.must(t, "forge", "create-signing-key", `{}`)
	second := s.row(s.ann, "acme", s.sell(""))
	if old["kid"] == second["kid"] {
		t.Fatal("the new key does not sign")
	}
	for name, row := range map[string]map[string]any{"old": old, "new": second} {
		if _, err := s.verify(row["license_blob"].(string)); err != nil {
			t.Errorf("the %s licence: %v", name, err)
		}
	}
	keys := s.column(t, `SELECT id::text FROM core.signing_keys WHERE kid = $1 AND tenant_id = $2`, old["kid"], s.ids["forge"])
	s.must("retire-signing-key", keys[0], "")
	if _, err := s.verify(old["license_blob"].(string)); err != nil {
		t.Errorf("signed by a key that is retired: %v", err)
	}
	s.must("revoke-signing-key", keys[0], "")
	if _, err := s.verify(old["license_blob"].(string)); !errors.Is(err, license.ErrKeyID) {
		t.Errorf("signed by a key that is revoked: %v", err)
	}
	s.must("sign-license", id, "")
	if file, err := s.verify(s.row(s.ann, "acme", id)["license_blob"].(string)); err != nil || file.Revision != 1 || file.KeyID != second["kid"] {
		t.Errorf("signed anew: %v %+v", err, file)
	}
}

func TestALicenceOfAVendorWhoSignsElsewhereIsImported(t *testing.T) {
	s := newShop(t)
	key := ed25519.NewKeyFromSeed([]byte("a seed that is kept somewhere...")[:ed25519.SeedSize])
	public := license.NewKey(key.Public().(ed25519.PublicKey))
	s.vic.must(t, "forge", "register-signing-key", fmt.Sprintf(`{"jwk":%s}`, public.JWK()))
	now := s.clock.now()
	claims := license.Claims{
		Issuer: s.ids["forge"], ID: "01890f3a-0000-7000-8000-000000000001", Tenant: s.ids["acme"], App: "vm", Revision: 1,
		IssuedAt: *jwt.NewNumericDate(now), ExpiresAt: *jwt.NewNumericDate(now.Add(48 * time.Hour)),
		Terms: license.Terms{StartsAt: now, EndsAt: now.Add(72 * time.Hour), Entitlements: []license.Entitlement{{Name: "snapshots", Kind: "feature"}}},
	}
	signed := func(change func(*license.Claims)) string {
		c := claims
		change(&c)
		blob, err := license.Sign(key, public.ID, c)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"blob":%q}`, blob)
	}
	before := s.headForTest(t)
	for name, body := range map[string]string{
		"garbage": `{"blob":"x.y.z"}`, "empty": `{"blob":""}`, "of globex": signed(func(c *license.Claims) { c.Tenant = s.ids["globex"] }),
		"for another app": signed(func(c *license.Claims) { c.App = "shop" }), "expired": signed(func(c *license.Claims) { c.IssuedAt, c.ExpiresAt = c.IssuedAt-9, c.IssuedAt-5 }),
	} {
		if r := s.ann.command("acme", "import-license", body); r.status != http.StatusUnprocessableEntity || !strings.Contains(r.body, `"/blob"`) {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if n := s.column(t, `SELECT count(*)::text FROM core.events WHERE position > $1 AND type LIKE 'license.%'`, before); n[0] != "0" {
		t.Errorf("%s events of files that do not verify", n)
	}
	id := s.ann.must(t, "acme", "import-license", signed(func(*license.Claims) {}))
	if again := s.ann.must(t, "acme", "import-license", signed(func(*license.Claims) {})); id != claims.ID || again != id {
		t.Errorf("imported as %s, then %s", id, again)
	}
	s.ann.must(t, "acme", "import-license", signed(func(c *license.Claims) { c.Revision, c.Terms.EndsAt = 2, c.Terms.EndsAt.Add(time.Hour) }))
	if r := s.on("renew-license", id, `,"endless":true`); r.code() != "license-imported" {
		t.Errorf("an imported one is renewed here: %d %s", r.status, r.body)
	}
	s.must("suspend-license", id, "")
	want := append(twice("license.issued import-license acme", "license.renewed import-license acme"), twice("license.suspended suspend-license forge")...)
	if got := s.said(id); !slices.Equal(got, want) {
		t.Errorf("said: %v, want %v", got, want)
	}
	if row := s.row(s.ann, "acme", id); row["imported"] != true || row["revision"] != "2" || row["status"] != "suspended" {
		t.Errorf("the row: %v", row)
	}
}

// A revoked key's licences that came from elsewhere rest on nothing else. Those that were issued here are on record as the vendor's.
func TestImportedLicencesEndWithTheKeyThatSignedThem(t *testing.T) {
	s := newShop(t)
	now := s.clock.now()
	keys, ids := map[string]string{}, map[string]string{}
	admins := map[string]caller{"acme": s.ann, "globex": s.gus}
	for i, name := range []string{"leaked", "other"} {
		holder := []string{"acme", "globex"}[i]
		key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(name, ed25519.SeedSize))[:ed25519.SeedSize])
		public := license.NewKey(key.Public().(ed25519.PublicKey))
		keys[name] = s.vic.must(t, "forge", "register-signing-key", fmt.Sprintf(`{"jwk":%s}`, public.JWK()))
		blob, err := license.Sign(key, public.ID, license.Claims{
			Issuer: s.ids["forge"], ID: fmt.Sprintf("01890f3a-0000-7000-8000-00000000000%d", i), Tenant: s.ids[holder], App: "vm", Revision: 1,
			IssuedAt: *jwt.NewNumericDate(now), ExpiresAt: *jwt.NewNumericDate(now.Add(48 * time.Hour)),
			Terms: license.Terms{StartsAt: now, EndsAt: now.Add(72 * time.Hour), Entitlements: []license.Entitlement{{Name: name, Kind: "feature"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = admins[holder].must(t, holder, "import-license", fmt.Sprintf(`{"blob":%q}`, blob))
	}
	check := func(holder, entitlement string) string {
		s.settled(t)
		return admins[holder].do(http.MethodPost, "/v1/tenants/"+holder+"/entitlements/check", fmt.Sprintf(`{"app":"vm","entitlement":%q}`, entitlement)).body
	}
	if said := check("acme", "leaked"); !strings.Contains(said, `"allowed":true`) {
		t.Fatalf("imported: %s", said)
	}
	s.must("revoke-signing-key", keys["leaked"], "")
	s.reacted(t)
	if said := check("acme", "leaked"); !strings.Contains(said, `"allowed":false`) {
		t.Errorf("of a key that is revoked: %s", said)
	}
	if said := check("globex", "other"); !strings.Contains(said, `"allowed":true`) {
		t.Errorf("of another key: %s", said)
	}
	want := append(twice("license.issued import-license acme"), twice("license.revoked revoke-license -")...)
	if got := s.said(ids["leaked"]); !slices.Equal(got, want) {
		t.Errorf("said: %v, want %v", got, want)
	}
	if row := s.row(s.ann, "acme", ids["leaked"]); row["status"] != "revoked" || row["status_reason"] != domain.EndedWithKey {
		t.Errorf("the row: %v", row)
	}
	causes := s.column(t, `SELECT c.type || ' ' || (c.payload->>'key') FROM core.events e JOIN core.events c ON c.id = (e.metadata->>'causation')::uuid
		WHERE e.type = 'license.revoked' ORDER BY e.position`)
	if because := "signing-key.revoked " + keys["leaked"]; !slices.Equal(causes, []string{because, because}) {
		t.Errorf("because of %v, want %s", causes, because)
	}

	id := s.sell("")
	row := s.row(s.ann, "acme", id)
	s.must("revoke-signing-key", s.column(t, `SELECT id::text FROM core.signing_keys WHERE kid = $1 AND tenant_id = $2`, row["kid"], s.ids["forge"])[0], "")
	s.reacted(t)
	if _, err := s.verify(row["license_blob"].(string)); !errors.Is(err, license.ErrKeyID) {
		t.Errorf("the file of one that was issued here: %v", err)
	}
	if said := check("acme", "snapshots"); !strings.Contains(said, `"allowed":true`) {
		t.Errorf("issued here: %s", said)
	}

	// Done again, as after a crash, it changes nothing.
	head := s.headForTest(t)
	s.Close()
	setBack(t, s.config.DatabaseURL, "cascades")
	s.App = openWith(t, s.config)
	s.reacted(t)
	if now := s.headForTest(t); now != head {
		t.Errorf("done again it wrote %v", s.column(t, `SELECT type FROM core.events WHERE position > $1`, head))
	}
}
