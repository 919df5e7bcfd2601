package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"chancery/domain"
)

// bazaar is a vendor, acme, with the app billing, and another tenant, whose administrator reads.
type bazaar struct {
	*App
	root, ann, bea caller
}

func openBazaar(t *testing.T) bazaar {
	t.Helper()
	var challenges []string
	a, root := platformWith(t, Config{Resolver: willing{&challenges}})
	acme := root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
	added := root.command("acme", "add-domain", `{"domain":"example.org"}`) // in which the whole manifest has a host
	challenges = append(challenges, added.part("challenge"))
	root.must(t, "acme", "verify-domain", fmt.Sprintf(`{"id":%q}`, added.part("id")))
	root.must(t, "root", "admit-vendor", fmt.Sprintf(`{"tenant_id":%q}`, acme))
	s := bazaar{a, root, root.user(t, "acme", "ann", true), root.user(t, "beta", "bea", true)}
	s.ann.must(t, "acme", "register-app", `{"name":"billing","title":"Billing"}`)
	return s
}

func wholeManifest(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../domain/testdata/manifests/whole.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// numbered is the manifest as that of another version.
func numbered(manifest, version string) string {
	return strings.Replace(manifest, "2.1.0-rc.1", version, 1)
}

func (s bazaar) publish(manifest string) reply {
	return s.ann.command("acme", "publish-app-version", `{"manifest":`+manifest+`}`)
}

// app is what somebody of another tenant reads of the app.
func (s bazaar) app(t *testing.T, more string) (row struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	Title      string  `json:"title"`
	Latest     *string `json:"latest_version"`
	Prerelease *string `json:"latest_prerelease"`
	Hash       *string `json:"manifest_hash"`
},
) {
	t.Helper()
	s.settled(t)
	r := s.bea.do(http.MethodGet, "/v1/tenants/beta/apps/"+domain.App("billing").ID().String()+more, "")
	if r.status != http.StatusOK {
		t.Fatalf("read the app: %d %s", r.status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &row); err != nil {
		t.Fatal(err)
	}
	return row
}

func TestTheLatestVersionIsTheHighestThatIsLeft(t *testing.T) {
	s := openBazaar(t)
	if row := s.app(t, ""); row.Latest != nil || row.Prerelease != nil || row.Hash != nil {
		t.Fatalf("without a version: %+v", row)
	}
	text := func(p *string) string {
		if p == nil {
			return "-"
		}
		return *p
	}
	whole := wholeManifest(t)
	var heads []int64
	var wants []string
	for _, step := range []struct{ command, version, latest, prerelease string }{
		{"publish-app-version", "1.9.0", "1.9.0", "-"},
		{"publish-app-version", "1.10.0", "1.10.0", "-"},
		{"publish-app-version", "1.2.0", "1.10.0", "-"},
		{"publish-app-version", "2.0.0-rc.2", "1.10.0", "2.0.0-rc.2"},
		{"publish-app-version", "2.0.0-rc.10", "1.10.0", "2.0.0-rc.10"},
		{"publish-app-version", "2.0.0-rc.x", "1.10.0", "2.0.0-rc.x"},
		{"deprecate-app-version", "1.10.0", "1.10.0", "2.0.0-rc.x"},
		{"undeprecate-app-version", "1.10.0", "1.10.0", "2.0.0-rc.x"},
		{"yank-app-version", "1.10.0", "1.9.0", "2.0.0-rc.x"},
		{"yank-app-version", "2.0.0-rc.x", "1.9.0", "2.0.0-rc.10"},
		{"publish-app-version", "10.0.0", "10.0.0", "2.0.0-rc.10"},
	} {
		body := fmt.Sprintf(`{"app":"billing","version":%q}`, step.version)
		if step.command == "publish-app-version" {
			body = `{"manifest":` + numbered(whole, step.version) + `}`
		}
		s.ann.must(t, "acme", step.command, body)
		row := s.app(t, "")
		if text(row.Latest) != step.latest || text(row.Prerelease) != step.prerelease {
			t.Errorf("after %s %s the latest is %s, of prereleases %s", step.command, step.version, text(row.Latest), text(row.Prerelease))
		}
		_, _, hash, err := domain.ParseManifest([]byte(numbered(whole, step.latest)))
		if err != nil || text(row.Hash) != hash {
			t.Errorf("after %s %s the hash is %s, want %s (%v)", step.command, step.version, text(row.Hash), hash, err)
		}
		heads, wants = append(heads, s.headForTest(t)), append(wants, step.latest+" "+step.prerelease)
	}
	for i, head := range heads {
		row := s.app(t, fmt.Sprintf("?as_of=%d", head))
		if got := text(row.Latest) + " " + text(row.Prerelease); got != wants[i] {
			t.Errorf("as of %d: %s, want %s", head, got, wants[i])
		}
	}
}

func TestAVersionIsReadByEveryTenantAsItWasPublished(t *testing.T) {
	s := openBazaar(t)
	whole := wholeManifest(t)
	id := s.ann.must(t, "acme", "publish-app-version", `{"manifest":`+whole+`}`)
	s.settled(t)
	r := s.bea.do(http.MethodGet, "/v1/tenants/beta/app-versions/"+id, "")
	var row struct {
		App      string         `json:"app"`
		Status   string         `json:"status"`
		Number   string         `json:"app_version"`
		Manifest jsontext.Value `json:"manifest_json"`
		Hash     string         `json:"manifest_hash"`
		Requires []struct {
			App   string `json:"app"`
			Range string `json:"range"`
		} `json:"requires"`
	}
	if err := json.Unmarshal([]byte(r.body), &row); err != nil {
		t.Fatalf("%v: %d %s", err, r.status, r.body)
	}
	var own, served any // read by another reader of JSON
	if err := json.Unmarshal([]byte(whole), &own); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(row.Manifest, &served); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(own, served); diff != "" {
		t.Errorf("the manifest (-sent +served):\n%s", diff)
	}
	if err := row.Manifest.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(row.Manifest)
	if row.Hash != hex.EncodeToString(sum[:]) || row.Number != "2.1.0-rc.1" || row.Status != "published" || len(row.Requires) != 2 || row.Requires[0].App != "ledger" {
		t.Errorf("read as %+v", row)
	}
	page := s.bea.do(http.MethodGet, "/v1/tenants/beta/app-versions?app=billing&status=published", "").body
	if !strings.Contains(page, id) || !strings.Contains(page, `"manifest_json":null`) || strings.Contains(page, "clerk") {
		t.Errorf("a page of versions: %s", page)
	}
	for address, status := range map[string]int{
		"/v1/tenants/acme/app-versions/" + id + "/history": http.StatusOK, "/v1/tenants/beta/app-versions/" + id + "/history": http.StatusNotFound,
	} {
		who := s.ann
		if strings.Contains(address, "beta") {
			who = s.bea
		}
		if r := who.do(http.MethodGet, address, ""); r.status != status {
			t.Errorf("%s: %d %s", address, r.status, r.body)
		}
	}
}

func TestTheSchemaOfManifestsIsOpenToEverybody(t *testing.T) {
	_, root := platform(t)
	r := root.as("").do(http.MethodGet, "/v1/schemas/app-manifest.json", "")
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "application/schema+json" || !bytes.Equal([]byte(r.body), domain.ManifestSchema) {
		t.Errorf("%d %s %.80s", r.status, r.header.Get("Content-Type"), r.body)
	}
	if docs := root.as("").do(http.MethodGet, "/openapi.json", "").body; !strings.Contains(docs, "/v1/schemas/app-manifest.json") {
		t.Error("the API's description does not name it")
	}
}

func TestARefusedManifestIsToldWithAllItsPlaces(t *testing.T) {
	s := openBazaar(t)
	r := s.publish(`{"app":"billing","version":"1.0","privileges":[{"name":"core.users.read"}],"rolls":[]}`)
	var p struct {
		Code   string `json:"code"`
		Errors []struct {
			Pointer string `json:"pointer"`
			Detail  string `json:"detail"`
		} `json:"errors"`
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatal(err)
	}
	var at []string
	for _, e := range p.Errors {
		at = append(at, e.Pointer)
	}
	want := []string{"/manifest/privileges/0/description", "/manifest/rolls", "/manifest/version"}
	if r.status != http.StatusUnprocessableEntity || p.Code != "manifest-invalid" || !slices.Equal(at, want) {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.root.must(t, "root", "register-privilege", `{"name":"ledger.read"}`)
	for body, code := range map[string]string{
		`{"name":"ledger","title":"x"}`: "app-name-reserved", `{"name":"core","title":"x"}`: "app-name-reserved", `{"name":"billing","title":"x"}`: "app-name-taken",
	} {
		if r := s.ann.command("acme", "register-app", body); r.status != http.StatusUnprocessableEntity || r.part("code") != code {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if r := s.bea.command("beta", "register-app", `{"name":"mine","title":"x"}`); r.part("code") != "not-a-vendor" {
		t.Errorf("who is no vendor: %d %s", r.status, r.body)
	}
	if r := s.root.command("root", "register-privilege", `{"name":"billing.read"}`); r.part("code") != "privilege-of-app" {
		t.Errorf("a privilege of the app: %d %s", r.status, r.body)
	}
}

// TestAMutatedManifestIsPublishedWholeOrNotAtAll sends manifests that were changed at random. None is answered by a fault, and each leaves one
// event with its copy, the manifest and its row, or nothing.
func TestAMutatedManifestIsPublishedWholeOrNotAtAll(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := mutator{rand.New(rand.NewPCG(seed, 0))}
	s := openBazaar(t)
	var whole any
	if err := json.Unmarshal([]byte(wholeManifest(t)), &whole); err != nil {
		t.Fatal(err)
	}
	published := 0
	for i := range 300 {
		manifest := m.manifest(t, whole, i)
		before := s.headForTest(t)
		r := s.publish(manifest)
		grown := s.column(t, `SELECT type FROM core.events WHERE position > $1 AND type <> 'command.refused' ORDER BY position`, before)
		switch {
		case r.status == http.StatusOK && slices.Equal(grown, []string{"app-version.published", "app-version.published", "app-version.manifest-published"}):
			published++
		case r.status == http.StatusOK && len(grown) == 0: // the same again
		case r.status >= 400 && r.status < 500 && len(grown) == 0 && r.part("code") != "":
		default:
			t.Fatalf("seed %d: %s\nis answered %d %s, and left %v", seed, manifest, r.status, r.body, grown)
		}
	}
	s.settled(t)
	rows := s.column(t, `SELECT count(*)::text FROM core.app_versions`)
	if rows[0] != strconv.Itoa(published) || published < 10 || published > 290 {
		t.Errorf("seed %d: %d were published, %s rows are there", seed, published, rows[0])
	}
	uneven := s.column(t, `SELECT payload->>'number' FROM core.events WHERE type = 'app-version.published' GROUP BY 1 HAVING count(*) <> 2 OR count(DISTINCT tenant_id) <> 2`)
	if len(uneven) > 0 {
		t.Errorf("seed %d: without a copy, or with two: %v", seed, uneven)
	}
}

// mutator changes manifests.
type mutator struct{ *rand.Rand }

// manifest is a copy with a number of its own and up to three changes, or now and then one that is broken as a text.
func (m mutator) manifest(t *testing.T, whole any, i int) string {
	t.Helper()
	tree := clone(t, whole)
	root := tree.(map[string]any)
	root["version"] = fmt.Sprintf("1.%d.0", i)
	for range m.IntN(4) {
		m.change(root)
	}
	b, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	if m.IntN(10) == 0 {
		for range 1 + m.IntN(3) {
			b[m.IntN(len(b))] = "\x00\"{}[],:09\xffé"[m.IntN(13)]
		}
	}
	return string(b)
}

func clone(t *testing.T, v any) (out any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// change puts something else somewhere.
func (m mutator) change(at any) {
	switch at := at.(type) {
	case map[string]any:
		names := make([]string, 0, len(at))
		for name := range at {
			names = append(names, name)
		}
		slices.Sort(names)
		if len(names) == 0 || m.IntN(12) == 0 {
			at[m.word()] = m.value()
			return
		}
		name := names[m.IntN(len(names))]
		switch m.IntN(8) {
		case 0:
			delete(at, name)
		case 1:
			at[name] = m.value()
		default:
			if !nested(at[name]) {
				at[name] = m.value()
			}
			m.change(at[name])
		}
	case []any:
		if len(at) == 0 {
			return
		}
		i := m.IntN(len(at))
		switch {
		case m.IntN(6) == 0:
			at[i] = at[m.IntN(len(at))]
		case m.IntN(6) == 0 || !nested(at[i]):
			at[i] = m.value()
		default:
			m.change(at[i])
		}
	}
}

func nested(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func (m mutator) word() string {
	words := []string{"app", "type", "$ref", "$id", "$schema", "pattern", "items", "properties", "x", "", "é", "name", "privileges", "a/b", "\n"}
	return words[m.IntN(len(words))]
}

func (m mutator) value() any {
	values := []any{
		nil, true, 0.0, -1.0, 1e300, 5e-324, 9007199254740993.0, "", " ", "x", "*", "core.*", "billing.*", "billing.reports", "core.users.read", "#", "#/$defs/line", "http://127.0.0.1/x",
		"file:///etc/passwd", "^(a+)+$", "(", "(?=x)", "x{1000}{1000}", "/", "/../", "/billing/x", "object", "1.0.0", ">=1", "é", "a\u0000b", strings.Repeat("x", 3000), strings.Repeat("9", 400),
		[]any{}, []any{"a", "a"}, []any{nil}, map[string]any{}, map[string]any{"$ref": "#"}, map[string]any{"type": "object"}, []any{[]any{[]any{map[string]any{}}}},
	}
	return values[m.IntN(len(values))]
}
