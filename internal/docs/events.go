package docs

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

//go:embed events-intro.md
var eventsIntro string

// eventsPage describes every type of a catalog, kind by kind. Samples holds a payload of each type.
func eventsPage(c *dcb.Catalog, w *words, samples string) ([]byte, error) {
	b := bytes.NewBufferString(eventsIntro)
	provenance(b, w)
	kind := ""
	for _, typ := range c.Types() {
		if k := c.KindOf(typ); k != kind {
			kind = k
			fmt.Fprintf(b, "\n## %s\n", kind)
		}
		sample, err := os.ReadFile(filepath.Join(samples, typ+".json"))
		if err != nil {
			return nil, fmt.Errorf("sample of %s: %w", typ, err)
		}
		sample = bytes.TrimSpace(sample)
		event, err := c.Decode(typ, sample)
		if err != nil {
			return nil, err
		}
		section(b, w, typ, event, sample)
	}
	return b.Bytes(), nil
}

// provenance describes the metadata.
func provenance(b *bytes.Buffer, w *words) {
	fmt.Fprintf(b, "\n| metadata | is | meaning |\n|---|---|---|\n")
	for f := range reflect.TypeFor[dcb.Provenance]().Fields() {
		name, _ := jsonName(f)
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, form(f.Type, w), cell(w.fields["Provenance."+f.Name]))
	}
}

func section(b *bytes.Buffer, w *words, typ string, event dcb.Event, sample []byte) {
	t := reflect.TypeOf(event)
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n| field | is | meaning |\n|---|---|---|\n", typ, w.types[t.Name()])
	for f := range t.Fields() {
		name, optional := jsonName(f)
		is := form(f.Type, w)
		if optional {
			is += ", or absent"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, is, cell(meaning(t, f, w)))
	}
	fmt.Fprintf(b, "\n```json\n%s\n```\n\nTags: ", sample)
	for i, tag := range dcb.TagsOf(event) {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "`%s`", tag)
	}
	b.WriteString("\n")
}

func jsonName(f reflect.StructField) (name string, optional bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, strings.Contains(options, "omit")
}

// form says what the JSON of a field looks like.
func form(t reflect.Type, w *words) string {
	switch t {
	case reflect.TypeFor[dcb.Personal]():
		return "**personal**: ciphertext"
	case reflect.TypeFor[dcb.Claim]():
		return "**claim**: keyed hash"
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[uuid.UUID]():
		return "id"
	case reflect.TypeFor[[]byte]():
		return "bytes in base64"
	}
	switch t.Kind() {
	case reflect.Struct:
		if id, ok := reflect.TypeAssert[dcb.Tagger](reflect.New(t).Elem()); ok && t.NumField() == 1 {
			return "id of " + article(kindOf(id))
		}
		return object(t, w)
	case reflect.Slice:
		return "list of " + form(t.Elem(), w)
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Bool:
		return "true or false"
	default: // text
	}
	if values := w.values[t.Name()]; t.PkgPath() != "" && len(values) > 1 { // a closed set
		return "`" + strings.Join(values, "`, `") + "`"
	}
	return "text"
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeio") {
		return "an " + noun
	}
	return "a " + noun
}

// kindOf is the kind of thing that ids of this type name.
func kindOf(id dcb.Tagger) string {
	v := reflect.New(reflect.TypeOf(id)).Elem()
	v.Field(0).Set(reflect.ValueOf(uuid.Max))
	kind, _, _ := strings.Cut(string(v.Interface().(dcb.Tagger).Tag()), ":")
	return kind
}

func object(t reflect.Type, w *words) string {
	var parts []string
	for f := range t.Fields() {
		name, optional := jsonName(f)
		part := "`" + name + "`: " + form(f.Type, w)
		if optional {
			part += " (may be absent)"
		}
		parts = append(parts, part)
	}
	return "object of " + strings.Join(parts, ", ")
}

// meaning is what the field's comment says or, where a type has a meaning of its own, that of its type.
func meaning(t reflect.Type, f reflect.StructField, w *words) string {
	if text := w.fields[t.Name()+"."+f.Name]; text != "" {
		return text
	}
	if f.Name == "Released" {
		return "what becomes free for others"
	}
	of := f.Type
	if of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	isID := of.Kind() == reflect.Struct && of.NumField() == 1
	if isID || !strings.HasSuffix(of.PkgPath(), "/domain") {
		return ""
	}
	return strings.TrimPrefix(w.types[of.Name()], of.Name()+" is ")
}
