package app

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/license"
)

// seeds are the private keys of a tenant, as a decision that signs sees them.
func (a *App) seeds(t *testing.T, tenant string) (seeds []string) {
	t.Helper()
	keys := domain.SigningKeysOf(domain.TenantID{UUID: uuid.MustParse(tenant)})
	if err := a.engine.Ask(t.Context(), domain.TenantID{UUID: uuid.MustParse(tenant)}, dcb.From(keys).Unsealing()); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys.Value {
		seeds = append(seeds, k.Private.Reveal())
	}
	return seeds
}

func TestAVendorsKeysAreShownWithoutTheirPrivateParts(t *testing.T) {
	a, root := platform(t)
	acme := root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	beta := root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
	ann, bea := root.user(t, "acme", "ann", true), root.user(t, "beta", "bea", true)
	if r := ann.command("acme", "create-signing-key", `{}`); r.status != http.StatusUnprocessableEntity || r.part("type") == "" || !strings.Contains(r.body, domain.ErrNotVendor.Code) {
		t.Errorf("acme is no vendor: %d %s", r.status, r.body)
	}
	root.must(t, "root", "admit-vendor", `{"tenant_id":"`+acme+`"}`)
	a.settled(t)
	before := root.do(http.MethodGet, "/v1/tenants/root/vendors", "").part("position")
	key := ann.must(t, "acme", "create-signing-key", `{}`)
	once := ann.command("acme", "create-signing-key", `{}`, "Idempotency-Key", "k")
	again := ann.command("acme", "create-signing-key", `{}`, "Idempotency-Key", "k")
	if once.status != http.StatusOK || once.body != again.body {
		t.Errorf("sent again: %s, then %s", once.body, again.body)
	}
	ann.must(t, "acme", "revoke-signing-key", `{"id":"`+once.part("id")+`","reason":"leaked"}`)
	root.must(t, "root", "dismiss-vendor", `{"tenant_id":"`+acme+`","reason":"left"}`)
	a.settled(t)

	seeds := a.seeds(t, acme)
	if len(seeds) != 2 || seeds[0] == seeds[1] {
		t.Fatalf("%d private keys", len(seeds))
	}
	raw, err := base64.RawURLEncoding.DecodeString(seeds[0])
	if err != nil {
		t.Fatal(err)
	}
	public := license.NewKey(ed25519.NewKeyFromSeed(raw).Public().(ed25519.PublicKey))
	for address, want := range map[string]string{
		"signing-keys": public.ID, "signing-keys/" + key: public.ID, "signing-keys/" + key + "/history": public.ID,
		"signing-keys?status=revoked": "leaked", "audit?action=signing-key.created": "signing-key:" + key, "events?type=signing-key.created": public.ID, "jwks.json": public.ID,
	} {
		r := ann.do(http.MethodGet, "/v1/tenants/acme/"+address, "")
		if r.status != http.StatusOK || !strings.Contains(r.body, want) {
			t.Errorf("%s: %d %s", address, r.status, r.body)
		}
		for _, seed := range seeds {
			if strings.Contains(r.body, seed) {
				t.Errorf("%s shows a private key", address)
			}
		}
	}
	for _, seed := range seeds {
		if strings.Contains(a.estate(t, acme), seed) {
			t.Error("a private key is stored in the clear")
		}
	}
	for who, c := range map[string]struct {
		caller
		tenant string
	}{"the platform": {root, "root"}, "the vendor": {ann, "acme"}, "another tenant": {bea, "beta"}} {
		r := c.do(http.MethodGet, "/v1/tenants/"+c.tenant+"/vendors", "")
		why := map[bool]string{true: "left"}[c.tenant != "beta"] // is for the platform and the vendor
		if r.status != http.StatusOK || !strings.Contains(r.body, `"id":"`+acme+`","status":"dismissed","reason":"`+why+`"`) || strings.Contains(r.body, beta) {
			t.Errorf("%s sees %d %s", who, r.status, r.body)
		}
		then := c.do(http.MethodGet, "/v1/tenants/"+c.tenant+"/vendors?as_of="+before, "")
		if then.status != http.StatusOK || !strings.Contains(then.body, `"id":"`+acme+`","status":"admitted","reason":""`) {
			t.Errorf("%s saw %d %s", who, then.status, then.body)
		}
	}
	if r := bea.do(http.MethodGet, "/v1/tenants/beta/signing-keys", ""); strings.Contains(r.body, public.ID) {
		t.Errorf("another tenant's collection: %s", r.body)
	}
	if rows := a.column(t, `SELECT tenant_id::text || ' ' || action FROM core.audit_log WHERE action LIKE 'vendor.%' ORDER BY position`); len(rows) != 4 {
		t.Errorf("audit rows, on the platform and in the tenant: %v", rows)
	}
}
