package domain

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/message"
)

// MaxConfig is how large the configuration of an app may be, in bytes of its canonical form.
const MaxConfig = 64 << 10

const configPointer = "/config" // where commands take it

// AppConfig is a configuration that was judged by the schema of a version.
type AppConfig struct {
	Canonical string      // RFC 8785
	Refers    []SecretUse // to these secrets, in the order of their places
	Wrong     []Place     // below /config; nothing else counts if there is something wrong
}

// SecretUse is a place of a configuration that refers to a secret.
type SecretUse struct {
	Pointer string
	Secret  SecretRef
}

// JudgeConfig judges a configuration as the manifest demands. A value that the schema marks "x-secret": true MUST be a reference to a
// secret of the app itself; whether there is that secret, the caller asks.
func JudgeConfig(m Manifest, raw jsontext.Value) AppConfig {
	wrong := func(pointer, format string, args ...any) AppConfig {
		return AppConfig{Wrong: []Place{{cut(pointer, mostPointerOfFail), fmt.Sprintf(format, args...)}}}
	}
	if at := walkJSON(raw); at != nil {
		return wrong(configPointer+at.Pointer, "%s", at.Detail)
	}
	v := jsontext.Value(bytes.Clone(raw))
	if err := v.Canonicalize(); err != nil || v.Kind() != '{' {
		return wrong(configPointer, "must be a JSON object")
	}
	c := AppConfig{Canonical: string(v)}
	switch {
	case len(v) > MaxConfig:
		return wrong(configPointer, "is larger than %d bytes", MaxConfig)
	case len(m.Config) == 0 && c.Canonical != noConfig:
		return wrong(configPointer, "version %s takes no configuration", m.Version)
	case len(m.Config) == 0:
		return c
	}
	secrets := &secretFields{app: m.App}
	s, places := secrets.compile(m.Config)
	switch {
	case len(places) > 0:
	case !s.affords(v):
		return wrong(configPointer, "makes too much work for the schema of the version: it holds too many or too long values, or the schema applies too much to each")
	default:
		places = s.Judge(configPointer, v)
	}
	c.Refers, c.Wrong = secrets.refers(), places
	return c
}

// noConfig is the configuration of an app that has none.
const noConfig = "{}"

// secretFields takes note of what stands where a schema wants a secret, and refuses it unless it is a reference.
type secretFields struct {
	app  App
	uses []SecretUse
}

const secretKeyword = "x-secret"

// compile is ParseJSONSchema with the keyword for secrets.
func (f *secretFields) compile(canonical jsontext.Value) (*JSONSchema, []Place) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(canonical))
	if err != nil {
		return nil, []Place{{configPointer, "cannot be judged: the schema of the version is not valid JSON"}}
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(boundedRegexps())
	c.RegisterVocabulary(&jsonschema.Vocabulary{
		URL: "urn:chancery:secrets",
		Compile: func(_ *jsonschema.CompilerContext, keywords map[string]any) (jsonschema.SchemaExt, error) {
			if keywords[secretKeyword] == true {
				return f, nil
			}
			return nil, nil //nolint:nilnil // so the library asks for it
		},
	})
	c.AssertVocabs()
	if err := c.AddResource(schemaAddress, doc); err != nil {
		return nil, []Place{{configPointer, "cannot be judged: the version has no JSON Schema"}}
	}
	compiled, err := c.Compile(schemaAddress)
	if err != nil {
		return nil, misuses(configPointer, err)
	}
	return &JSONSchema{compiled: compiled}, nil
}

// Validate implements jsonschema.SchemaExt.
func (f *secretFields) Validate(ctx *jsonschema.ValidatorContext, v any) {
	text, _ := v.(string)
	r, err := ParseSecretRef("", text)
	if err != nil || r.App != f.app {
		ctx.AddError(&notByReference{f.app})
		return
	}
	f.uses = append(f.uses, SecretUse{pointerTo(configPointer, ctx.ValueLocation()), r})
}

func (f *secretFields) refers() []SecretUse {
	slices.SortFunc(f.uses, func(a, b SecretUse) int { return strings.Compare(a.Pointer, b.Pointer) })
	return slices.Compact(f.uses)
}

// notByReference is a secret in the clear, or a reference to what is not the app's.
type notByReference struct{ app App }

func (*notByReference) KeywordPath() []string { return []string{secretKeyword} }

// LocalizedString never says what stood there.
func (n *notByReference) LocalizedString(*message.Printer) string {
	return "is a secret: must be " + refScheme + string(n.app) + "/name, a reference to one of the app's secrets"
}
