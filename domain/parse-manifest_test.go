package domain_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"chancery/domain"
)

// whole is a manifest that has everything a manifest may have.
func whole(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/manifests/whole.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func places(err error) []string {
	var all []string
	for _, p := range domain.PlacesOf(err) {
		all = append(all, p.Pointer)
	}
	return all
}

func TestAManifestMayHoldAllThatItsSchemaNames(t *testing.T) {
	m, canonical, hash, err := domain.ParseManifest([]byte(whole(t)))
	if err != nil {
		t.Fatal(err)
	}
	if m.App != "billing" || m.Version != "2.1.0-rc.1" || !m.LicenseRequired || m.Compatibility.Apps[0].Range != "^1.2" || len(m.Privileges) != 3 ||
		m.Roles[0].Privileges[0] != "billing.invoices.*" || m.Events.Publishes[0].Type != "billing.invoice.sent" || m.Events.Consumes[1] != "core.user.*" ||
		m.Routes[1].Host != "pay.example.org" || m.Routes[0].Privilege != "billing.invoices.read" || len(m.Config) == 0 || m.Secrets[0].Name != "smtp" {
		t.Errorf("read as %+v", m)
	}
	again, twice, same, err := domain.ParseManifest([]byte(canonical))
	if err != nil || twice != canonical || same != hash || again.App != m.App {
		t.Errorf("the canonical form reads as another manifest: %v", err)
	}
	read, err := domain.ReadManifest(canonical)
	if err != nil || len(read.Routes) != len(m.Routes) {
		t.Errorf("what was published reads as %+v, %v", read, err)
	}
}

// jcs is RFC 8785 by itself, written from the text of the RFC over another reader of JSON.
func jcs(t testing.TB, b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.SortFunc(names, func(x, y string) int { return slices.Compare(utf16.Encode([]rune(x)), utf16.Encode([]rune(y))) })
		b.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			jcs(t, b, name)
			b.WriteByte(':')
			jcs(t, b, v[name])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			jcs(t, b, e)
		}
		b.WriteByte(']')
	case string:
		b.WriteByte('"')
		for _, r := range v {
			short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
			switch s, ok := short[r]; {
			case ok:
				b.WriteString(s)
			case r < 0x20:
				fmt.Fprintf(b, `\u%04x`, r)
			default:
				b.WriteRune(r)
			}
		}
		b.WriteByte('"')
	case float64:
		b.WriteString(ecmaNumber(v))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case nil:
		b.WriteString("null")
	default:
		t.Fatalf("a %T in JSON", v)
	}
}

// ecmaNumber is Number::toString of ECMA-262, section 6.1.6.1.20.
func ecmaNumber(f float64) string {
	if f == 0 {
		return "0"
	}
	if a := math.Abs(f); a >= 1e21 || a < 1e-6 {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		mantissa, exponent, _ := strings.Cut(s, "e")
		return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func byHand(t testing.TB, text string) (canonical, hash string) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	jcs(t, &b, v)
	sum := sha256.Sum256(b.Bytes())
	return b.String(), hex.EncodeToString(sum[:])
}

func TestTheHashOfAManifestIsThatOfItsCanonicalForm(t *testing.T) {
	for _, text := range []string{
		whole(t),
		`{"version":"1.0.0","app":"a"}`,
		`{"app":"a","version":"1.0.0","config":{"type":"object","default":{"€":1,"\r":2,"דּ":3,"1":4,"😀":5,"\u0080":6,"ö":7,"</script>":8}}}`,
		`{"app":"a","version":"1.0.0","config":{"type":"object","default":[56.0,333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0.0,1e21,1e-7]}}`,
	} {
		_, canonical, hash, err := domain.ParseManifest([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if want, sum := byHand(t, text); canonical != want || hash != sum {
			t.Errorf("%s\n got %s %s\nwant %s %s", text, canonical, hash, want, sum)
		}
	}
}

// TestTheVectorsOfRFC8785: sections 3.2.2 to 3.2.4 and Appendix B. What they are about stands in a manifest as the default of a configuration.
func TestTheVectorsOfRFC8785(t *testing.T) {
	const before, after = `{"app":"a","config":{"default":`, `,"type":"object"},"version":"1.0.0"}`
	within := func(text string) string {
		_, canonical, _, err := domain.ParseManifest([]byte(before + text + after))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return strings.TrimSuffix(strings.TrimPrefix(canonical, before), after)
	}
	for text, want := range map[string]string{
		`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`:                                        `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`: "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
	} {
		if got := within(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	for bits, want := range map[uint64]string{ // Appendix B
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555554: "333333333.33333325", 0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334", 0x41b3de4355555557: "333333333.33333343", 0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		text := strconv.FormatFloat(math.Float64frombits(bits), 'e', 25, 64)
		if got := within(text); got != want {
			t.Errorf("%016x is written %s, want %s", bits, got, want)
		}
	}
	for _, text := range []string{"9007199254740992", "-9007199254740992", "295147905179352830000", "1e309", "-1e999999999"} {
		_, _, _, err := domain.ParseManifest([]byte(before + text + after))
		if got := places(err); !slices.Equal(got, []string{"/manifest/config/default"}) {
			t.Errorf("%s, which not every reader keeps, is taken: %v", text, err)
		}
	}
	if got := within("-9007199254740991"); got != "-9007199254740991" {
		t.Errorf("the largest whole number is written %s", got)
	}
}

func TestABadManifestIsRefusedWhereItIsBad(t *testing.T) {
	for _, c := range []struct{ text, at string }{
		{``, ""},
		{`[]`, ""},
		{`null`, ""},
		{`{"app":"a","version":"1.0.0"}{}`, ""},
		{`{"app":"a","version":"1.0.0"`, "/version"},
		{`{"app":"a","app":"b","version":"1.0.0"}`, "/app"},
		{"{\"app\":\"a\xff\",\"version\":\"1.0.0\"}", "/app"},
		{`{"version":"1.0.0"}`, "/app"},
		{`{"app":"a"}`, "/version"},
		{`{"app":7,"version":"1.0.0"}`, "/app"},
		{`{"app":"A","version":"1.0.0"}`, "/app"},
		{`{"app":"01234567-89ab-cdef-0123-456789abcdef","version":"1.0.0"}`, "/app"},
		{`{"app":"a","version":"v1.0.0"}`, "/version"},
		{`{"app":"a","version":"1.0"}`, "/version"},
		{`{"app":"a","version":"1.0.0+build"}`, "/version"},
		{`{"app":"a","version":"99999999999999999999.0.0"}`, "/version"},
		{`{"app":"a","version":"1.0.0-1234567890123456789"}`, "/version"},
		{`+"unknown":1`, "/unknown"},
		{`+"a/b~":1`, "/a~1b~0"},
		{`+"title":""`, "/title"},
		{`+"title":" x"`, "/title"},
		{`+"description":"\u0007"`, "/description"},
		{`+"description":"a\u0000b"`, "/description"},
		{`+"license_required":"yes"`, "/license_required"},
		{`+"compatibility":{"core":"latest"}`, "/compatibility/core"},
		{`+"compatibility":{"core":""}`, "/compatibility/core"},
		{`+"compatibility":{"apps":[{"app":"b","range":">=?"}]}`, "/compatibility/apps/0/range"},
		{`+"compatibility":{"apps":[{"app":"a","range":"*"}]}`, "/compatibility/apps/0/app"},
		{`+"compatibility":{"apps":[{"app":"b","range":"1"},{"app":"b","range":"2"}]}`, "/compatibility/apps/1/app"},
		{`+"privileges":[{"name":"a.read"}]`, "/privileges/0/description"},
		{`+"privileges":[{"name":"b.read","description":"x"}]`, "/privileges/0/name"},
		{`+"privileges":[{"name":"ab.read","description":"x"}]`, "/privileges/0/name"},
		{`+"privileges":[{"name":"core.users.read","description":"x"}]`, "/privileges/0/name"},
		{`+"privileges":[{"name":"a.*","description":"x"}]`, "/privileges/0/name"},
		{`+"privileges":[{"name":"a.read","description":"x"},{"name":"a.read","description":"y"}]`, "/privileges/1/name"},
		{`*"roles":[{"key":"r","title":"R","privileges":[]}]`, "/roles/0/privileges"},
		{`*"roles":[{"key":"R","title":"R","privileges":["a.read"]}]`, "/roles/0/key"},
		{`*"roles":[{"key":"r","title":" R","privileges":["a.read"]}]`, "/roles/0/title"},
		{`*"roles":[{"key":"r","title":"R","privileges":["*"]}]`, "/roles/0/privileges/0"},
		{`*"roles":[{"key":"r","title":"R","privileges":["a.write"]}]`, "/roles/0/privileges/0"},
		{`*"roles":[{"key":"r","title":"R","privileges":["a.read","core.users.*"]}]`, "/roles/0/privileges/1"},
		{`*"roles":[{"key":"r","title":"R","privileges":["a.read","a.read"]}]`, "/roles/0/privileges"},
		{`*"roles":[{"key":"r","title":"R","privileges":["a.read"]},{"key":"s","title":"r","privileges":["a.read"]}]`, "/roles/1/title"},
		{`*"roles":[{"key":"r","title":"R","privileges":["a.read"]},{"key":"r","title":"S","privileges":["a.read"]}]`, "/roles/1/key"},
		{`+"events":{"publishes":[{"type":"a.sent"}]}`, "/events/publishes/0/schema"},
		{`+"events":{"publishes":[{"type":"b.sent","schema":{}}]}`, "/events/publishes/0/type"},
		{`+"events":{"publishes":[{"type":"a.sent","schema":{}},{"type":"a.sent","schema":{}}]}`, "/events/publishes/1/type"},
		{`+"events":{"publishes":[{"type":"a.sent","schema":{"type":"text"}}]}`, "/events/publishes/0/schema/type"},
		{`+"events":{"publishes":[{"type":"a.sent","schema":{"minimum":"1"}}]}`, "/events/publishes/0/schema/minimum"},
		{`+"events":{"consumes":["core"]}`, "/events/consumes/0"},
		{`+"routes":[{}]`, "/routes/0/path"},
		{`+"routes":[{"path":"a"}]`, "/routes/0/path"},
		{`+"routes":[{"path":"/a/"}]`, "/routes/0/path"},
		{`+"routes":[{"path":"/a/../b"}]`, "/routes/0/path"},
		{`+"routes":[{"path":"/a%2fb"}]`, "/routes/0/path"},
		{`+"routes":[{"path":"//a"}]`, "/routes/0/path"},
		{`+"routes":[{"path":"/1/2/3/4/5/6/7/8/9"}]`, "/routes/0/path"},
		{`+"routes":[{"path":"/.well-known"}]`, "/routes/0/path"},
		{`+"routes":[{"path":"/.Well-Known/acme-challenge","host":"example.org"}]`, "/routes/0/path"},
		{`+"routes":[{"path":"/a","host":"Example.org"}]`, "/routes/0/host"},
		{`+"routes":[{"path":"/a","host":"example.org:80"}]`, "/routes/0/host"},
		{`+"routes":[{"path":"/a","host":"*.example.org"}]`, "/routes/0/host"},
		{`+"routes":[{"path":"/a","methods":["get"]}]`, "/routes/0/methods/0"},
		{`+"routes":[{"path":"/a","privilege":"a.read"}]`, "/routes/0/privilege"},
		{`*"routes":[{"path":"/a","privilege":"a.read","public":true}]`, "/routes/0/privilege"},
		{`*"routes":[{"path":"/a"},{"path":"/a"}]`, "/routes/1"},
		{`*"routes":[{"path":"/a","methods":["GET","PUT"]},{"path":"/a","methods":["PUT"]}]`, "/routes/1"},
		{`+"routes":[{"path":"/a","api_version":"V 1"}]`, "/routes/0/api_version"},
		{`+"config":true`, "/config"},
		{`+"config":{}`, "/config/type"},
		{`+"config":{"type":"array"}`, "/config/type"},
		{`+"config":{"type":"object","properties":{"x":{"type":7}}}`, "/config/properties/x/type"},
		{`+"config":{"type":"object","properties":{"x":{"pattern":"("}}}`, "/config/properties/x/pattern"},
		{`+"config":{"type":"object","properties":{"x":{"pattern":"(?=a)"}}}`, "/config/properties/x/pattern"},
		{`+"config":{"type":"object","properties":{"x":{"$ref":"https://example.org/schema.json"}}}`, "/config"},
		{`+"config":{"type":"object","properties":{"x":{"$ref":"file:///etc/passwd"}}}`, "/config"},
		{`+"config":{"type":"object","properties":{"x":{"$ref":"#/$defs/none"}}}`, "/config"},
		{`+"config":{"type":"object","properties":{"x":{"$ref":"#"}}}`, "/config"},
		{`+"config":{"type":"object","$schema":"https://example.org/own"}`, "/config/$schema"},
		{`+"secrets":[{"name":"SMTP"}]`, "/secrets/0/name"},
		{`+"secrets":[{"name":"smtp"},{"name":"smtp"}]`, "/secrets/1/name"},
	} {
		text := c.text
		if rest, ok := strings.CutPrefix(text, "+"); ok {
			text = `{"app":"a","version":"1.0.0",` + rest + `}`
		}
		if rest, ok := strings.CutPrefix(text, "*"); ok {
			text = `{"app":"a","version":"1.0.0","privileges":[{"name":"a.read","description":"x"}],` + rest + `}`
		}
		_, canonical, hash, err := domain.ParseManifest([]byte(text))
		if r, refused := domain.IsRefusal(err); !refused || r != domain.ErrManifest || canonical != "" || hash != "" {
			t.Errorf("%s: got %v, want a refusal", text, err)
			continue
		}
		if got := slices.Compact(places(err)); !slices.Equal(got, []string{"/manifest" + c.at}) {
			t.Errorf("%s\n refused at %v, want %s: %v", text, got, c.at, err)
		}
		for _, p := range domain.PlacesOf(err) {
			if len(p.Detail) > 320 || strings.ContainsAny(p.Detail, "\n\x00") || strings.Contains(p.Detail, "failed") || strings.Contains(p.Detail, "urn:chancery") {
				t.Errorf("%s: %q is not for those who write manifests", text, p.Detail)
			}
		}
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	_, canonical, hash, err := domain.ParseManifest([]byte(`{"app":"a","version":"1.0.0","privileges":[{"name":"b.x","description":"x"}],"routes":[{"path":"/a"},{"path":"/a"}],
		"secrets":[{"name":"x"},{"name":"x"}],"compatibility":{"core":"?"}}`))
	want := []string{"/manifest/compatibility/core", "/manifest/privileges/0/name", "/manifest/routes/1", "/manifest/secrets/1/name"}
	if got := places(err); canonical != "" || hash != "" || !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf(`"x%d":1`, i))
	}
	_, canonical, hash, err = domain.ParseManifest([]byte(`{"app":"a","version":"1.0.0",` + strings.Join(many, ",") + `}`))
	if got := len(places(err)); canonical != "" || hash != "" || got != 50 {
		t.Errorf("%d places, want the first 50", got)
	}
}

// TestAHostileManifestTakesNoTime: what would take other readers for ever is refused, or judged at once.
func TestAHostileManifestTakesNoTime(t *testing.T) {
	config := func(schema string) string {
		return `{"app":"a","version":"1.0.0","config":{"type":"object",` + schema + `}}`
	}
	events := func(schema string) string {
		return `{"app":"a","version":"1.0.0","events":{"publishes":[{"type":"a.b","schema":` + schema + `}]}}`
	}
	var doubling strings.Builder
	doubling.WriteString(`"$ref":"#/$defs/d0","$defs":{`)
	for i := range 60 {
		fmt.Fprintf(&doubling, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	doubling.WriteString(`"d60":{}}`)
	repeated := func(n int, each string) string { return strings.TrimSuffix(strings.Repeat(each+",", n), ",") }
	for name, c := range map[string]struct {
		text string
		fits bool
	}{
		"references that double":   {config(doubling.String()), false},
		"a circle":                 {config(`"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}`), false},
		"a tree of payloads":       {events(`{"properties":{"replies":{"items":{"$ref":"#"}}}}`), true},
		"dynamic references":       {config(`"$dynamicAnchor":"n","properties":{"n":{"$dynamicRef":"#n"}}`), false},
		"the schema of schemas":    {config(`"properties":{"n":{"$ref":"https://json-schema.org/draft/2020-12/schema"}}`), false},
		"repetition of repetition": {config(`"pattern":"((((a{30}){30}){30}){30})"`), false},
		"a catastrophic pattern":   {config(`"pattern":"^(a|a|aa)+$(a*)*b"`), true},
		"many large patterns":      {config(`"allOf":[` + repeated(60, `{"pattern":"x{900}"}`) + `]`), false},
		"a long pattern":           {config(`"pattern":"` + strings.Repeat("x", 600) + `"`), false},
		"many schemas":             {config(`"allOf":[` + repeated(20000, `true`) + `]`), false},
		"many ids":                 {events(`{"allOf":[` + repeated(3000, `{"$id":"x"}`) + `]}`), false},
		"a deep schema":            {config(strings.Repeat(`"not":{`, 500) + strings.Repeat(`}`, 500)), false},
		"deep lists":               {`{"app":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`, false},
		"an exponent":              {config(`"multipleOf":1e-999999999`), false},
		"a large exponent":         {config(`"minimum":1e999999999`), false},
		"a tiny multiple":          {config(`"multipleOf":5e-324,"maximum":1e308`), true},
		"a megabyte of white":      {`{"app":"a","version":"1.0.0"` + strings.Repeat(" ", 1<<20) + `}`, false},
		"half of that":             {`{"app":"a","version":"1.0.0"` + strings.Repeat(" ", 1<<19) + `}`, true},
		"a megabyte of text":       {config(`"default":"` + strings.Repeat("x", 1<<20-1000) + `"`), false},
	} {
		began := time.Now()
		_, _, _, err := domain.ParseManifest([]byte(c.text))
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if _, refused := domain.IsRefusal(err); refused == c.fits || err != nil && !refused {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

func TestTheSchemaOfManifestsBoundsWhatTheConstantsSay(t *testing.T) {
	var s struct {
		Properties map[string]struct {
			MaxItems   int `json:"maxItems"`
			Properties map[string]struct {
				MaxItems int `json:"maxItems"`
			} `json:"properties"`
		} `json:"properties"`
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(domain.ManifestSchema, &s); err != nil {
		t.Fatal(err)
	}
	p := s.Properties
	got := []int{
		p["privileges"].MaxItems, p["roles"].MaxItems, p["routes"].MaxItems, p["secrets"].MaxItems,
		p["compatibility"].Properties["apps"].MaxItems, p["events"].Properties["publishes"].MaxItems, p["events"].Properties["consumes"].MaxItems,
	}
	want := []int{
		domain.MostBrought, domain.MostAppRoles, domain.MostRoutes, domain.MostSecrets, domain.MostNeeds, domain.MostAppEvents, domain.MostAppEvents,
	}
	if !slices.Equal(got, want) || s.ID != "urn:chancery:app-manifest:1" {
		t.Errorf("the schema %s bounds %v, the constants say %v", s.ID, got, want)
	}
}

func TestARefusalOfManyPlacesIsStillItsRefusal(t *testing.T) {
	if domain.Refused(domain.ErrManifest, nil) != nil {
		t.Error("no places are a refusal")
	}
	err := domain.Refused(domain.ErrManifest, []domain.Place{{Pointer: "/a", Detail: "x"}, {Pointer: "/b", Detail: "y"}})
	if !errors.Is(err, domain.ErrManifest) || err.Error() != "/a: x (and 1 more)" {
		t.Errorf("got %v", err)
	}
	if got := domain.PlacesOf(domain.Invalid("/c", "z")); len(got) != 1 || got[0] != (domain.Place{Pointer: "/c", Detail: "z"}) {
		t.Errorf("one place is %v", got)
	}
	if got := cmp.Compare(len(domain.PlacesOf(nil)), 0); got != 0 {
		t.Error("nothing has places")
	}
}

func TestASchemaReadsNoFileOfTheServer(t *testing.T) {
	file := t.TempDir() + "/there.json"
	if err := os.WriteFile(file, []byte(`{"type":"string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"file://" + file, file} {
		_, _, _, err := domain.ParseManifest(fmt.Appendf(nil, `{"app":"a","version":"1.0.0","config":{"type":"object","properties":{"x":{"$ref":%q}}}}`, ref))
		if !errors.Is(err, domain.ErrManifest) {
			t.Errorf("%s is read: %v", ref, err)
		}
	}
}
