package domain

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// findings collects what is wrong with a manifest.
type findings []Place

func (f *findings) addf(pointer, format string, args ...any) {
	*f = append(*f, Place{cut(manifestPointer+pointer, mostPointerOfFail), fmt.Sprintf(format, args...)})
}

// judge adds what a check said, which MUST have been given a pointer below the manifest.
func (f *findings) judge(errs ...error) {
	for _, err := range errs {
		for _, p := range PlacesOf(err) {
			f.addf(p.Pointer, "%s", p.Detail)
		}
	}
}

// check is what the schema of manifests cannot say.
func (m Manifest) check() []Place {
	var f findings
	patterns := boundedRegexps()
	f.judge(m.App.Check("/app"), m.Version.Check("/version"), CheckText("/description", m.Description))
	if m.Title != "" {
		f.judge(CheckName("/title", m.Title))
	}
	m.checkCompatibility(&f)
	m.checkPrivileges(&f)
	m.checkRoles(&f)
	m.checkEvents(&f, patterns)
	m.checkRoutes(&f)
	m.checkConfig(&f, patterns)
	m.checkSecrets(&f)
	return f
}

func (m Manifest) checkCompatibility(f *findings) {
	if m.Compatibility.Core != "" {
		f.judge(m.Compatibility.Core.Check("/compatibility/core"))
	}
	seen := once[App]{}
	for i, d := range m.Compatibility.Apps {
		at := fmt.Sprintf("/compatibility/apps/%d", i)
		f.judge(d.App.Check(at+"/app"), d.Range.Check(at+"/range"))
		if d.App == m.App {
			f.addf(at+"/app", "is the app itself")
		}
		seen.note(f, at+"/app", d.App)
	}
}

// own refuses a name that does not begin with the app's.
func (m Manifest) own(f *findings, at, name string) {
	if !strings.HasPrefix(name, string(m.App)+".") {
		f.addf(at, "must begin with %s.", m.App)
	}
}

func (m Manifest) checkPrivileges(f *findings) {
	seen := once[Privilege]{}
	for i, p := range m.Privileges {
		at := fmt.Sprintf("/privileges/%d", i)
		f.judge(p.Name.Check(at+"/name"), CheckText(at+"/description", p.Description))
		m.own(f, at+"/name", string(p.Name))
		seen.note(f, at+"/name", p.Name)
	}
}

func (m Manifest) checkRoles(f *findings) {
	keys, titles := once[string]{}, once[Key]{}
	for i, r := range m.Roles {
		at := fmt.Sprintf("/roles/%d", i)
		f.judge(CheckName(at+"/title", r.Title), CheckText(at+"/description", r.Description))
		keys.note(f, at+"/key", r.Key)
		titles.note(f, at+"/title", RoleKey(Root, r.Title))
		for j, p := range r.Privileges {
			at := fmt.Sprintf("%s/privileges/%d", at, j)
			f.judge(p.Check(at))
			m.own(f, at, string(p))
			if !m.brings(p) {
				f.addf(at, "is no privilege of the manifest")
			}
		}
	}
}

// brings reports whether some privilege of the manifest is one of the pattern's.
func (m Manifest) brings(p Pattern) bool {
	for _, b := range m.Privileges {
		if p.Matches(b.Name) {
			return true
		}
	}
	return false
}

func (m Manifest) checkEvents(f *findings, patterns jsonschema.RegexpEngine) {
	seen := once[string]{}
	for i, e := range m.Events.Publishes {
		at := fmt.Sprintf("/events/publishes/%d", i)
		f.judge(CheckText(at+"/description", e.Description))
		m.own(f, at+"/type", e.Type)
		seen.note(f, at+"/type", e.Type)
		f.schema(at+"/schema", e.Schema, patterns)
	}
}

// schema compiles a schema of the manifest.
func (f *findings) schema(at string, v jsontext.Value, patterns jsonschema.RegexpEngine) *JSONSchema {
	s, places := ParseJSONSchema(at, v, patterns)
	for _, p := range places {
		f.addf(p.Pointer, "%s", p.Detail)
	}
	return s
}

func (m Manifest) checkRoutes(f *findings) {
	seen := once[string]{}
	for i, r := range m.Routes {
		at := fmt.Sprintf("/routes/%d", i)
		methods := r.Methods
		if len(methods) == 0 {
			methods = []string{"every method"}
		}
		for _, method := range methods {
			seen.note(f, at, strings.Join([]string{r.Host, r.Path, method}, " "))
		}
		if r.reserved() {
			f.addf(at+"/path", "is the platform's on every host, as all below /.well-known is")
		}
		switch {
		case r.Public && r.Privilege != "":
			f.addf(at+"/privilege", "has no meaning where public is true: nobody is asked who they are")
		case r.Privilege != "" && !m.brings(Pattern(r.Privilege)):
			f.addf(at+"/privilege", "is no privilege of the manifest")
		}
	}
}

func (m Manifest) checkConfig(f *findings, patterns jsonschema.RegexpEngine) {
	if len(m.Config) == 0 {
		return
	}
	if s := f.schema("/config", m.Config, patterns); s != nil {
		for _, p := range s.Bounded("/config") {
			f.addf(p.Pointer, "%s", p.Detail)
		}
	}
}

func (m Manifest) checkSecrets(f *findings) {
	seen := once[string]{}
	for i, s := range m.Secrets {
		at := fmt.Sprintf("/secrets/%d", i)
		f.judge(CheckSecretName(at+"/name", s.Name), CheckText(at+"/description", s.Description))
		seen.note(f, at+"/name", s.Name)
	}
}

// once tells what was there before.
type once[T comparable] map[T]bool

func (o once[T]) note(f *findings, at string, v T) {
	if o[v] {
		f.addf(at, "is given twice")
	}
	o[v] = true
}
