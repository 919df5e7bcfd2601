package vault_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestADocumentIsOpenedInPlace(t *testing.T) {
	v, source := newVault(t)
	email := seal(t, v, source, acme, ann, "email", `ann "the" <ann@acme.test>`)
	name := seal(t, v, source, acme, ben, "names", "Ben\n")
	gone := seal(t, v, source, acme, uuid.New(), "email", "gone")
	other := seal(t, v, source, bolt, ann, "email", "ann@bolt.test")
	subject := gone[9 : 9+36]
	source.erase(acme, uuid.MustParse(subject))
	v.Drop(acme, uuid.MustParse(subject))
	source.reads = 0

	open := func(raw string) string {
		out, err := v.OpenJSON(context.Background(), acme, []byte(raw))
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return string(out)
	}
	for _, c := range []struct{ name, in, want string }{
		{"everything else keeps its bytes", ` { "n" : 1.50, "email":"` + email + `" , "é":null}` + "\n",
			` { "n" : 1.50, "email":"ann \"the\" <ann@acme.test>" , "é":null}` + "\n"},
		{"list elements belong to the key of the list", `{"a":{"names":[["x","` + name + `"],"` + name + `"]}}`,
			`{"a":{"names":[["x","Ben\n"],"Ben\n"]}}`},
		{"a list of objects", `[{"email":"` + email + `"},{"email":"` + gone + `"}]`,
			`[{"email":"ann \"the\" <ann@acme.test>"},{"email":"[erased]"}]`},
		{"a text under another key stays", `{"name":"` + email + `"}`, `{"name":"` + email + `"}`},
		{"a text of another tenant stays", `{"email":"` + other + `"}`, `{"email":"` + other + `"}`},
		{"a text inside a text stays", `{"email":"see ` + email + `"}`, `{"email":"see ` + email + `"}`},
		{"a key is no value", `{"` + email + `":1}`, `{"` + email + `":1}`},
		{"rubbish stays", `{"email":"sealed:1:rubbish"}`, `{"email":"sealed:1:rubbish"}`},
		{"a bare text has no field", `"` + email + `"`, `"` + email + `"`},
	} {
		if got := open(c.in); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	if source.reads != 1 {
		t.Errorf("%d reads: only the erased subject has to be asked for", source.reads)
	}
}

func TestADocumentWithoutSealedTextsIsReturnedUnread(t *testing.T) {
	v, _ := newVault(t)
	raw := []byte(`{not even json`)
	if got, err := v.OpenJSON(context.Background(), acme, raw); err != nil || &got[0] != &raw[0] {
		t.Errorf("%s, %v", got, err)
	}
}

func TestADocumentOfManySubjectsCostsOneRead(t *testing.T) {
	v, source := newVault(t)
	var raw strings.Builder
	raw.WriteString(`[""`)
	for range 50 {
		subject := uuid.New()
		raw.WriteString(`,{"email":"` + seal(t, v, source, acme, subject, "email", "x@acme.test") + `"}`)
		v.Drop(acme, subject)
	}
	raw.WriteString(`]`)
	source.reads = 0
	out, err := v.OpenJSON(context.Background(), acme, []byte(raw.String()))
	if err != nil || strings.Count(string(out), `"x@acme.test"`) != 50 || source.reads != 1 {
		t.Errorf("%s, %v, %d reads", out, err, source.reads)
	}
}

func TestABrokenDocumentIsAFault(t *testing.T) {
	v, source := newVault(t)
	email := seal(t, v, source, acme, ann, "email", "x")
	if out, err := v.OpenJSON(context.Background(), acme, []byte(`{"email":"`+email+`"`)); err == nil {
		t.Errorf("%s", out)
	}
}
