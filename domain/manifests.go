package domain

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Manifest is what a version of an app says of itself. Its JSON Schema is published; see ParseManifest.
type Manifest struct {
	App             App                 `json:"app"`
	Version         Semver              `json:"version"`
	Title           string              `json:"title,omitzero"`
	Description     string              `json:"description,omitzero"`
	LicenseRequired bool                `json:"license_required,omitzero"` // it is enabled only under a licence in force
	Compatibility   Compatibility       `json:"compatibility,omitzero"`
	Privileges      []ManifestPrivilege `json:"privileges,omitzero"` // each begins with the app's name and a dot
	Roles           []ManifestRole      `json:"roles,omitzero"`
	Events          ManifestEvents      `json:"events,omitzero"`
	Routes          []Route             `json:"routes,omitzero"`
	Config          jsontext.Value      `json:"config,omitzero"` // JSON Schema (2020-12) of the configuration; absent: there is none
	Secrets         []ManifestSecret    `json:"secrets,omitzero"`
}

// Compatibility is what a version needs around it.
type Compatibility struct {
	Core SemverRange  `json:"core,omitzero"` // of Chancery itself; empty for every one
	Apps []Dependency `json:"apps,omitzero"`
}

// Dependency is another app that must be enabled, in a version of the range.
type Dependency struct {
	App   App         `json:"app"`
	Range SemverRange `json:"range"`
}

// ManifestPrivilege is a privilege that a version brings.
type ManifestPrivilege struct {
	Name        Privilege `json:"name"`
	Description string    `json:"description"`
}

// ManifestRole is a role that a version brings. Its key tells the same role from version to version.
type ManifestRole struct {
	Key         string    `json:"key"`
	Title       string    `json:"title"`
	Description string    `json:"description,omitzero"`
	Privileges  []Pattern `json:"privileges"` // within the app's own
}

// ManifestEvents are the types of events that a version publishes and consumes.
type ManifestEvents struct {
	Publishes []PublishedType `json:"publishes,omitzero"`
	Consumes  []string        `json:"consumes,omitzero"` // types, or patterns such as core.user.*
}

// PublishedType is a type of event of the app, with the JSON Schema of its payload.
type PublishedType struct {
	Type        string         `json:"type"` // begins with the app's name and a dot
	Description string         `json:"description,omitzero"`
	Schema      jsontext.Value `json:"schema"`
}

// ManifestSecret is a secret of the app that must be there before it is enabled, as secret://<app>/<name>.
type ManifestSecret struct {
	Name        string `json:"name"`
	Description string `json:"description,omitzero"`
}

// Outgrows reports whether the manifest brings privileges that the one before does not, and is no new major version.
func (m Manifest) Outgrows(before Manifest) bool {
	return m.Version.Major() == before.Version.Major() && slices.ContainsFunc(m.Privileges, func(p ManifestPrivilege) bool {
		return !before.brings(Pattern(p.Name))
	})
}

// The bounds of a manifest.
const (
	MaxManifest   = 128 << 10 // bytes of its canonical form
	MostBrought   = 200       // privileges
	MostAppRoles  = 50
	MostRoutes    = 100
	MostNeeds     = 20
	MostAppEvents = 200
	MostSecrets   = 50
)
