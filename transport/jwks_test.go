package transport_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chancery/license"
)

// published are the kids of acme's key set, in order.
func (w *world) published(t *testing.T) (kids []string, rec *httptest.ResponseRecorder) {
	t.Helper()
	rec = w.do("", "GET", "/v1/tenants/acme/jwks.json", "")
	keys, err := license.ParseKeys(rec.Body.Bytes())
	if err != nil || rec.Code != http.StatusOK {
		t.Fatalf("%d %s, %v", rec.Code, rec.Body, err)
	}
	for _, k := range keys {
		kids = append(kids, k.ID)
	}
	return kids, rec
}

const elsewhere = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}` // RFC 8037, appendix A.2

func TestEverybodyReadsAVendorsKeys(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	const at = "/v1/tenants/acme/commands/"
	_, none := w.published(t)
	w.must(t, "root", "/v1/tenants/root/commands/admit-vendor", `{"tenant_id":"`+w.vars["acme"]+`"}`, "id")
	first := w.must(t, "ann", at+"create-signing-key", `{}`, "id")
	second := w.must(t, "ann", at+"create-signing-key", `{}`, "id")
	third := w.must(t, "ann", at+"register-signing-key", `{"jwk":`+elsewhere+`}`, "id")

	kids, rec := w.published(t)
	if len(kids) != 3 || kids[2] != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("published %v", kids)
	}
	h := rec.Header()
	if h.Get("Content-Type") != "application/jwk-set+json" || h.Get("Cache-Control") != "public, max-age=60" || h.Get("ETag") == none.Header().Get("ETag") {
		t.Errorf("headers %v", h)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		if len(k) != 6 || k["kty"] != "OKP" || k["crv"] != "Ed25519" || k["alg"] != "EdDSA" || k["use"] != "sig" || k["kid"] == "" || k["x"] == "" {
			t.Errorf("published as %v", k)
		}
	}
	bySlug, byID := rec.Body.String(), w.do("", "GET", "/v1/tenants/"+w.vars["acme"]+"/jwks.json", "")
	if byID.Body.String() != bySlug {
		t.Errorf("by id %s, by slug %s", byID.Body, bySlug)
	}

	if r := w.do("", "GET", "/v1/tenants/acme/jwks.json", "", "If-None-Match", h.Get("ETag")); r.Code != http.StatusNotModified || r.Body.Len() > 0 || r.Header().Get("ETag") != h.Get("ETag") {
		t.Errorf("nothing changed: %d %v %s", r.Code, r.Header(), r.Body)
	}
	w.must(t, "ann", at+"retire-signing-key", `{"id":"`+first+`"}`, "id")
	if after, _ := w.published(t); len(after) != 3 {
		t.Errorf("what a retired key signed is to be believed: %v", after)
	}
	w.must(t, "ann", at+"revoke-signing-key", `{"id":"`+first+`","reason":"leaked"}`, "id")
	w.must(t, "ann", at+"revoke-signing-key", `{"id":"`+third+`"}`, "id")
	after, changed := w.published(t)
	if len(after) != 1 || after[0] != kids[1] {
		t.Errorf("two are revoked, %s is left: %v", second, after)
	}
	if changed.Header().Get("ETag") == h.Get("ETag") {
		t.Error("the tag is the same though the keys are not")
	}
	if r := w.do("", "GET", "/v1/tenants/acme/jwks.json", "", "If-None-Match", h.Get("ETag")); r.Code != http.StatusOK {
		t.Errorf("something changed: %d", r.Code)
	}
}

func TestAKeySetTellsNotWhichTenantsThereAre(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	want := w.do("", "GET", "/v1/tenants/acme/jwks.json", "")
	if want.Code != http.StatusOK || want.Body.String() != `{"keys":[]}` {
		t.Fatalf("%d %s", want.Code, want.Body)
	}
	for _, other := range []string{"root", "beta", "nobody", "0194f3a0-0000-7000-8000-000000000001", "NO%20name", "%00"} {
		got := w.do("", "GET", "/v1/tenants/"+other+"/jwks.json", "")
		if got.Code != want.Code || got.Body.String() != want.Body.String() || got.Header().Get("ETag") != want.Header().Get("ETag") {
			t.Errorf("%s: %d %s %v", other, got.Code, got.Body, got.Header())
		}
	}
}

func TestAPrivateKeyIsNeitherTakenNorShown(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.must(t, "root", "/v1/tenants/root/commands/admit-vendor", `{"tenant_id":"`+w.vars["acme"]+`"}`, "id")
	private := `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	for body, part := range map[string]string{
		`{"jwk":` + private + `}`:                                  "private key",
		`{"jwk":"` + strings.ReplaceAll(private, `"`, `\"`) + `"}`: "object",
		`{"jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}}`:              "not allowed",
	} {
		rec := w.do("ann", "POST", "/v1/tenants/acme/commands/register-signing-key", body)
		if rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), part) || !strings.Contains(rec.Body.String(), "/jwk") || strings.Contains(rec.Body.String(), "nWGxne") {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
	}
	if rec := w.do("bea", "POST", "/v1/tenants/beta/commands/create-signing-key", `{}`); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), "not-a-vendor") {
		t.Errorf("beta is no vendor: %d %s", rec.Code, rec.Body)
	}
	if rec := w.do("ann", "POST", "/v1/tenants/root/commands/admit-vendor", `{"tenant_id":"`+w.vars["beta"]+`"}`); rec.Code != http.StatusNotFound && rec.Code != http.StatusForbidden {
		t.Errorf("a tenant admits another: %d %s", rec.Code, rec.Body)
	}
}
