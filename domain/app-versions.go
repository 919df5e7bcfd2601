package domain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"chancery/internal/dcb"
)

// AppVersionPublished adds a version to an app. It never changes.
type AppVersionPublished struct {
	Version AppVersionID `json:"version"`
	App     AppID        `json:"app"`
	Name    App          `json:"name"` // of the app
	Number  Semver       `json:"number"`
	Hash    string       `json:"hash"`            // SHA-256 of the manifest, in hex
	Grows   bool         `json:"grows,omitzero"`  // it brings privileges that the version before it, by precedence, did not, and is no new major version
	Routes  []Route      `json:"routes,omitzero"` // as in the manifest; their prefixes are the app's from then on
}

// ManifestPublished is the manifest of a version. It comes with AppVersionPublished and carries the version's tag alone, so that nobody reads
// it who only asks about the app; and it stands on the platform alone.
type ManifestPublished struct {
	Version  AppVersionID `json:"version"`
	Manifest string       `json:"manifest"` // canonical JSON (RFC 8785)
}

// AppVersionDeprecated advises against a version.
type AppVersionDeprecated struct {
	Version AppVersionID `json:"version"`
	App     AppID        `json:"app"`
	Message string       `json:"message,omitzero"` // what to do instead
}

// AppVersionUndeprecated ends that.
type AppVersionUndeprecated struct {
	Version AppVersionID `json:"version"`
	App     AppID        `json:"app"`
}

// AppVersionYanked withdraws a version for good: no tenant gets it any more, and those who run it go on.
type AppVersionYanked struct {
	Version AppVersionID `json:"version"`
	App     AppID        `json:"app"`
	Reason  string       `json:"reason,omitzero"`
}

func (AppVersionPublished) EventType() string    { return "app-version.published" }
func (ManifestPublished) EventType() string      { return "app-version.manifest-published" }
func (AppVersionDeprecated) EventType() string   { return "app-version.deprecated" }
func (AppVersionUndeprecated) EventType() string { return "app-version.undeprecated" }
func (AppVersionYanked) EventType() string       { return "app-version.yanked" }

var appVersionEvents = dcb.Kind("app-version",
	dcb.Of[AppVersionPublished](), dcb.Of[ManifestPublished](), dcb.Of[AppVersionDeprecated](), dcb.Of[AppVersionUndeprecated](), dcb.Of[AppVersionYanked](),
	dcb.Of[AppVersionDeployed]())

var (
	ErrVersionOfApp   = &Refusal{Missing, "not-found", "the app has no such version"}
	ErrVersionTaken   = refuse("version-published", "the version is published already, with another manifest; a published version never changes")
	ErrVersionYanked  = refuse("version-yanked", "the version was withdrawn for good")
	ErrManifest       = refuse("manifest-invalid", "the manifest is not as it must be")
	ErrManifestTooBig = refuse("manifest-too-large", "the manifest is larger than 131072 bytes")
)

// Semver is a version number (Semantic Versioning 2.0.0), without build metadata.
type Semver string

// Check refuses what is no version number, or more than that.
func (v Semver) Check(pointer string) error {
	p, err := semver.StrictNewVersion(string(v))
	if err != nil || p.Metadata() != "" || len(v) > 64 || slices.ContainsFunc(strings.Split(p.Prerelease(), "."), tooLong) {
		return Invalid(pointer, "must be a version such as 1.4.0 or 2.0.0-rc.1 (Semantic Versioning 2.0.0, without build metadata)")
	}
	return nil
}

// tooLong reports a number that the library would take for a word.
func tooLong(identifier string) bool { return len(identifier) > 18 && numeric(identifier) }

func numeric(identifier string) bool {
	return !strings.ContainsFunc(identifier, func(r rune) bool { return r < '0' || r > '9' })
}

// Precedence is a text that sorts, byte by byte, as versions do: a number by its length and then its digits, before any word; a release
// after its prereleases.
func (v Semver) Precedence() string {
	p := v.parsed()
	var b strings.Builder
	for _, n := range []uint64{p.Major(), p.Minor(), p.Patch()} {
		digits := strconv.FormatUint(n, 10)
		fmt.Fprintf(&b, "%02d%s.", len(digits), digits)
	}
	if p.Prerelease() == "" {
		return b.String() + "~"
	}
	for i := range strings.SplitSeq(p.Prerelease(), ".") {
		if numeric(i) {
			fmt.Fprintf(&b, "0%02d%s!", len(i), i)
		} else {
			b.WriteString("1" + i + "!")
		}
	}
	return b.String()
}

// Compare is the order of precedence (section 11). Both MUST be version numbers.
func (v Semver) Compare(o Semver) int { return v.parsed().Compare(o.parsed()) }

// Prerelease reports whether it is one.
func (v Semver) Prerelease() bool { return v.parsed().Prerelease() != "" }

// Major is the first number.
func (v Semver) Major() uint64 { return v.parsed().Major() }

func (v Semver) parsed() *semver.Version {
	p, err := semver.StrictNewVersion(string(v))
	if err != nil {
		panic("domain: an unchecked version: " + string(v))
	}
	return p
}

// SemverRange is what versions do, such as ">=1.2.0 <2.0.0" or "^1.2". A prerelease is in it only where it names one.
type SemverRange string

// Check refuses what is no range.
func (r SemverRange) Check(pointer string) error {
	if _, err := semver.NewConstraint(string(r)); err != nil || strings.TrimSpace(string(r)) == "" || len(r) > 200 {
		return Invalid(pointer, "must be a range of versions such as ^1.2 or >=1.2.0 <3.0.0")
	}
	return nil
}

// Holds reports whether the version is in the range. Both MUST have been checked.
func (r SemverRange) Holds(v Semver) bool {
	c, err := semver.NewConstraint(string(r))
	return err == nil && c.Check(v.parsed())
}

// VersionID is the id of a version of the app.
func (a App) VersionID(n Semver) AppVersionID {
	return AppVersionID{NamedID(Root, "app-version", string(a)+"@"+string(n))}
}

// PlatformHas reports whether the platform itself registered the privilege: then no app can bring it.
func PlatformHas(p Privilege) *dcb.Fact[bool] {
	return dcb.Ask(false, tags(p), dcb.On(func(has *bool, _ PrivilegeRegistered) { *has = true })).Only(Root.UUID)
}

// ManifestOf is the manifest of a version, as it was published; empty if there is none.
func ManifestOf(a App, n Semver) *dcb.Fact[string] {
	return dcb.Ask("", tags(a.VersionID(n)), dcb.On(func(m *string, e ManifestPublished) { *m = e.Manifest })).Only(Root.UUID)
}
