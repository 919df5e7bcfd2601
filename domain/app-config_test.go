package domain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"chancery/domain"
)

const configured = `{"app":"shop","version":"1.0.0","config":{"type":"object","additionalProperties":false,"properties":{
	"mode":{"enum":["a","b"]},
	"token":{"$ref":"#/$defs/secret"},
	"many":{"type":"array","items":{"$ref":"#/$defs/secret"}},
	"either":{"anyOf":[{"type":"number"},{"$ref":"#/$defs/secret"}]}},
	"$defs":{"secret":{"type":"string","x-secret":true}}}}`

func TestAConfigurationIsKeptInCanonicalFormWithWhatItRefersTo(t *testing.T) {
	c := domain.JudgeConfig(parsed(t, configured), jsontext.Value(` {"token":"secret://shop/t", "mode":"a","many":["secret://shop/m~1","secret://shop/b"],"either":1.0}`))
	if c.Wrong == nil {
		t.Fatal("a name that no secret can have passes")
	}
	c = domain.JudgeConfig(parsed(t, configured), jsontext.Value(` {"token":"secret://shop/t", "mode":"a","many":["secret://shop/m","secret://shop/b"],"either":1.0}`))
	want := domain.AppConfig{
		Canonical: `{"either":1,"many":["secret://shop/m","secret://shop/b"],"mode":"a","token":"secret://shop/t"}`,
		Refers: []domain.SecretUse{
			{"/config/many/0", domain.SecretRef{App: "shop", Name: "m"}},
			{"/config/many/1", domain.SecretRef{App: "shop", Name: "b"}},
			{"/config/token", domain.SecretRef{App: "shop", Name: "t"}},
		},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestASecretInTheClearIsNeverTakenNorRepeated(t *testing.T) {
	for text, pointer := range map[string]string{
		`{"token":"hunter2"}`:               "/config/token",
		`{"token":"secret://other/t"}`:      "/config/token",
		`{"token":"secret://shop/t/x"}`:     "/config/token",
		`{"token":17}`:                      "/config/token",
		`{"many":["secret://shop/m",""]}`:   "/config/many/1",
		`{"either":"hunter2"}`:              "/config/either",
		`{"either":{"deep":"hunter2"}}`:     "/config/either",
		`{"token":{"value":"hunter2"}}`:     "/config/token",
		`{"token":"SECRET://shop/hunter2"}`: "/config/token",
	} {
		c := domain.JudgeConfig(parsed(t, configured), jsontext.Value(text))
		if len(c.Wrong) == 0 || c.Wrong[0].Pointer != pointer {
			t.Errorf("%s: %v, want something at %s", text, c.Wrong, pointer)
		}
		if strings.Contains(fmt.Sprint(c.Wrong), "hunter2") {
			t.Errorf("%s: the value is repeated: %v", text, c.Wrong)
		}
	}
}

func TestAConfigurationThatIsNoneIsRefusedWhereItIsWrong(t *testing.T) {
	for text, place := range map[string]string{
		``:                  "/config: is not valid JSON, or a key is given twice",
		`[]`:                "/config: must be a JSON object",
		`{"mode":"a"} {}`:   "/config: is not valid JSON, or a key is given twice",
		`{"mode":"\u0000"}`: "/config/mode: holds U+0000, which cannot be stored",
		`{"mode":"c"}`:      "/config/mode: value must be one of 'a', 'b'",
		`{"other":1}`:       "/config/other: unknown key",
		`{"mode":"\ud800"}`: "/config/mode: is not valid JSON, or a key is given twice",
		`{"either":1e999}`:  "/config/either: is a number too large to be kept",
		`{"mode":"` + strings.Repeat("x", domain.MaxConfig) + `"}`: "/config: is larger than 65536 bytes",
	} {
		c := domain.JudgeConfig(parsed(t, configured), jsontext.Value(text))
		if len(c.Wrong) == 0 || c.Wrong[0].Pointer+": "+c.Wrong[0].Detail != place {
			t.Errorf("%.40s: %v, want %s", text, c.Wrong, place)
		}
	}
	none := parsed(t, `{"app":"shop","version":"1.0.0"}`)
	if c := domain.JudgeConfig(none, jsontext.Value(`{ }`)); len(c.Wrong) > 0 || c.Canonical != "{}" {
		t.Errorf("an empty configuration for a version without one: %+v", c)
	}
	if c := domain.JudgeConfig(none, jsontext.Value(`{"a":1}`)); len(c.Wrong) != 1 {
		t.Errorf("a configuration for a version without one: %+v", c)
	}
}

func FuzzNoConfigurationPanics(f *testing.F) {
	f.Add(`{"token":"secret://shop/t"}`)
	f.Add(`{"many":[[]],"either":{}}`)
	m, _, _, err := domain.ParseManifest([]byte(configured))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := domain.JudgeConfig(m, jsontext.Value(text))
		if len(c.Wrong) > 0 {
			return
		}
		if again := domain.JudgeConfig(m, jsontext.Value(c.Canonical)); again.Canonical != c.Canonical || len(again.Wrong) > 0 {
			t.Errorf("%q is canonical, and judged again: %+v", c.Canonical, again)
		}
	})
}
