package domain

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ManifestSchema is the JSON Schema of manifests, as it is published.
//
//go:embed manifest.schema.json
var ManifestSchema []byte

const (
	manifestPointer  = "/manifest"    // where commands take it
	mostManifestText = 1 << 20        // bytes as sent, white space included
	mostManifestNest = 32             // levels; the outermost object counts as 1
	mostWhole        = int64(1 << 53) // beyond it neighbours are the same to readers of JSON (RFC 7493, section 2.2)
)

// ParseManifest judges a manifest. Canonical is the manifest by RFC 8785, hash the SHA-256 of that in hex; what is canonical comes out
// as it went in. The error is a refusal that tells every place that is wrong, below /manifest.
func ParseManifest(raw []byte) (m Manifest, canonical, hash string, err error) {
	if len(raw) > mostManifestText {
		return m, "", "", At(manifestPointer, ErrManifestTooBig)
	}
	if at := walkJSON(raw); at != nil {
		return m, "", "", Refused(ErrManifest, []Place{{cut(manifestPointer+at.Pointer, mostPointerOfFail), at.Detail}})
	}
	v := jsontext.Value(bytes.Clone(raw))
	if err := v.Canonicalize(); err != nil {
		return m, "", "", Refused(ErrManifest, []Place{{manifestPointer, "is not valid JSON"}})
	}
	if len(v) > MaxManifest {
		return m, "", "", At(manifestPointer, ErrManifestTooBig)
	}
	if places := manifests.Judge(manifestPointer, v); len(places) > 0 {
		return m, "", "", Refused(ErrManifest, places)
	}
	if err := json.Unmarshal(v, &m, json.RejectUnknownMembers(true)); err != nil {
		return m, "", "", Refused(ErrManifest, []Place{{manifestPointer, "is not as its schema says"}})
	}
	if places := m.check(); len(places) > 0 {
		return Manifest{}, "", "", Refused(ErrManifest, places)
	}
	sum := sha256.Sum256(v)
	return m, string(v), hex.EncodeToString(sum[:]), nil
}

// ManifestNames is the app and the version that a manifest is of, whatever else is wrong with it.
func ManifestNames(raw []byte) (app App, n Semver, ok bool) {
	var m struct {
		App     App    `json:"app"`
		Version Semver `json:"version"`
	}
	if err := json.Unmarshal(raw, &m); err != nil || m.App.Check("") != nil || m.Version.Check("") != nil {
		return "", "", false
	}
	return m.App, m.Version, true
}

// ReadManifest reads a manifest that was published. It was judged then, by the rules of then.
func ReadManifest(canonical string) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal([]byte(canonical), &m); err != nil {
		return m, fmt.Errorf("read a published manifest: %w", err)
	}
	return m, nil
}

// manifests is ManifestSchema, with words for its patterns.
var manifests = func() *JSONSchema {
	v := jsontext.Value(bytes.Clone(ManifestSchema))
	if err := v.Canonicalize(); err != nil {
		panic(err)
	}
	s, places := ParseJSONSchema("", v, boundedRegexps())
	if len(places) > 0 {
		panic(fmt.Sprint("domain: the schema of manifests: ", places))
	}
	var doc struct {
		Defs map[string]struct {
			Description string `json:"description"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(v, &doc); err != nil {
		panic(err)
	}
	s.words = make(map[string]string, len(doc.Defs))
	for name, def := range doc.Defs {
		s.words[schemaAddress+"#/$defs/"+name] = def.Description
	}
	return s
}()

// walkJSON finds what is no JSON, or JSON that not every reader takes for the same: a key given twice, NUL, a number that would be
// another one to some, nesting without end.
func walkJSON(raw []byte) *Place {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	values := 0
	for {
		t, err := dec.ReadToken()
		at := string(dec.StackPointer())
		switch {
		case err != nil && values == 1: // and io.EOF
			if err.Error() == "EOF" {
				return nil
			}
			return &Place{"", "must be one JSON object and nothing after it"}
		case err != nil:
			return &Place{at, "is not valid JSON, or a key is given twice"}
		case dec.StackDepth() > mostManifestNest:
			return &Place{at, fmt.Sprintf("is nested deeper than %d levels", mostManifestNest)}
		case t.Kind() == '"' && strings.ContainsRune(t.String(), 0):
			return &Place{at, "holds U+0000, which cannot be stored"}
		case t.Kind() == '0':
			if bad := badNumber(t.String()); bad != "" {
				return &Place{at, bad}
			}
		}
		if dec.StackDepth() == 0 {
			values++
		}
	}
}

// badNumber says why a number means something else to some readers; empty for the others.
func badNumber(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return "is a number too large to be kept"
	case strings.ContainsAny(text, ".eE"):
		return ""
	case f >= float64(mostWhole) || f <= -float64(mostWhole):
		return "is a whole number beyond 9007199254740991, which not every reader keeps; write it as text"
	}
	return ""
}
