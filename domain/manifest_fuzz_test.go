package domain_test

import (
	"os"
	"testing"

	"chancery/domain"
)

// FuzzManifest: no manifest makes ParseManifest panic, a refusal names a place, and one that is accepted is the same when it is read again.
func FuzzManifest(f *testing.F) {
	whole, err := os.ReadFile("testdata/manifests/whole.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(whole), `{"app":"a","version":"1.0.0"}`, `{"app":"a","version":"1.0.0-rc.1.x-y","privileges":[{"name":"a.b","description":"c"}]}`,
		`{"app":"a","version":"1.0.0","config":{"type":"object","properties":{"x":{"$ref":"#/$defs/y"}},"$defs":{"y":{"pattern":"^(a|b)*$"}}}}`,
		`{"app":"a","version":"1.0.0","config":{"type":"object","$id":"urn:x","$anchor":"a","properties":{"x":{"$ref":"#a"}}}}`,
		`{"app":"a","version":"1.0.0","config":{"type":"object","$ref":"#/$defs/y","$defs":{"y":{"$dynamicRef":"#z"}}}}`,
		`{"app":"a","version":"1.0.0","config":{"type":"object","if":true,"then":{"enum":[1,"a",null]},"dependentSchemas":{"a":false},"unevaluatedProperties":{}}}`,
		`{"app":"a","version":"1.0.0","config":{"type":"object","default":[1e308,-0,5e-324,"\ud83d\ude00"]}}`,
		`{"app":"a","version":"1.0.0","events":{"publishes":[{"type":"a.b","schema":{"items":{"$ref":"#"},"prefixItems":[{"not":{}}]}}]}}`,
		`{"app":"a","version":"1.0.0","routes":[{"path":"/a/.b/..c"},{"path":"/","host":"x.y"}]}`,
		`{}`, `[]`, `null`, `{"app":"a"`, `{"a":1e999}`, "{\"\xff\":1}", `{"app":"a","version":"1.0.0","config":{"type":"object","$schema":"http://json-schema.org/draft-04/schema","id":"#x"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, canonical, hash, err := domain.ParseManifest(raw)
		if err != nil {
			if _, refused := domain.IsRefusal(err); !refused || len(domain.PlacesOf(err)) == 0 {
				t.Fatalf("%q: %v is no refusal of a place", raw, err)
			}
			return
		}
		again, twice, same, err := domain.ParseManifest([]byte(canonical))
		if err != nil || twice != canonical || same != hash || again.App != m.App || again.Version != m.Version {
			t.Fatalf("%q is accepted as %q and read again as %q: %v", raw, canonical, twice, err)
		}
		if _, err := domain.ReadManifest(canonical); err != nil {
			t.Fatal(err)
		}
		m.Outgrows(again)
		for _, r := range m.Routes {
			if len(r.Within()) > 20 {
				t.Fatalf("%+v lies within %d prefixes", r, len(r.Within()))
			}
		}
	})
}
