package domain

import (
	"reflect"
	"slices"
)

// ManifestDiff is what a tenant gets and loses when one version of an app takes the place of another.
type ManifestDiff struct {
	PrivilegesAdded   []ManifestPrivilege
	PrivilegesRemoved []Privilege
	RolesAdded        []ManifestRole
	RolesChanged      []RoleDiff
	RolesRemoved      []ManifestRole
	RoutesAdded       []Route
	RoutesRemoved     []Route
	NeedsAdded        []Dependency // with those whose range is another one
	NeedsRemoved      []App
	SecretsAdded      []ManifestSecret
	SecretsRemoved    []string
	ConsumesAdded     []string // types of events, or patterns of them
	ConsumesRemoved   []string
	LicenseAdded      bool // from now on it needs one
	LicenseRemoved    bool
	ConfigChanged     bool // the configuration is judged by another schema
}

// RoleDiff is what changes in a role that both versions bring.
type RoleDiff struct {
	Key      string
	Title    string    // the newer one
	Added    []Pattern // with the privileges that a pattern comes to match
	Removed  []Pattern // with those that it matches no more
	Reworded bool      // it has another title or description
}

// ManifestChanges compares two versions of an app, which MUST have been judged. An empty from is that of an app that is not there yet.
func ManifestChanges(from, to Manifest) ManifestDiff {
	d := ManifestDiff{
		PrivilegesAdded: without(to.Privileges, from.Privileges, privilegeName),
		RolesAdded:      without(to.Roles, from.Roles, roleKey),
		RolesRemoved:    without(from.Roles, to.Roles, roleKey),
		RoutesAdded:     unlike(to.Routes, from.Routes),
		RoutesRemoved:   unlike(from.Routes, to.Routes),
		NeedsAdded:      unlike(to.Compatibility.Apps, from.Compatibility.Apps),
		SecretsAdded:    without(to.Secrets, from.Secrets, secretNameOf),
		ConsumesAdded:   unlike(to.Events.Consumes, from.Events.Consumes),
		ConsumesRemoved: unlike(from.Events.Consumes, to.Events.Consumes),
		LicenseAdded:    to.LicenseRequired && !from.LicenseRequired,
		LicenseRemoved:  from.LicenseRequired && !to.LicenseRequired,
		ConfigChanged:   string(to.Config) != string(from.Config), // both are canonical
	}
	for _, p := range without(from.Privileges, to.Privileges, privilegeName) {
		d.PrivilegesRemoved = append(d.PrivilegesRemoved, p.Name)
	}
	for _, n := range without(from.Compatibility.Apps, to.Compatibility.Apps, neededApp) {
		d.NeedsRemoved = append(d.NeedsRemoved, n.App)
	}
	for _, s := range without(from.Secrets, to.Secrets, secretNameOf) {
		d.SecretsRemoved = append(d.SecretsRemoved, s.Name)
	}
	for _, now := range to.Roles {
		i := slices.IndexFunc(from.Roles, func(r ManifestRole) bool { return r.Key == now.Key })
		if i < 0 {
			continue
		}
		was := from.Roles[i]
		r := RoleDiff{
			Key: now.Key, Title: now.Title, Added: widened(from, was, to, now), Removed: widened(to, now, from, was),
			Reworded: now.Title != was.Title || now.Description != was.Description,
		}
		if len(r.Added)+len(r.Removed) > 0 || r.Reworded {
			d.RolesChanged = append(d.RolesChanged, r)
		}
	}
	return d
}

// Matched are the privileges of the version that are of one of the patterns.
func (m Manifest) Matched(patterns []Pattern) (names []Pattern) {
	for _, p := range m.Privileges {
		if slices.ContainsFunc(patterns, func(o Pattern) bool { return o.Matches(p.Name) }) {
			names = append(names, Pattern(p.Name))
		}
	}
	return names
}

// widened are the patterns that a role has in one version and not in another, and what those that it has in both come to match.
func widened(from Manifest, was ManifestRole, to Manifest, now ManifestRole) []Pattern {
	added := unlike(now.Privileges, was.Privileges)
	for _, p := range unlike(to.Matched(now.Privileges), from.Matched(was.Privileges)) {
		if !slices.ContainsFunc(added, func(o Pattern) bool { return o.Covers(p) }) {
			added = append(added, p)
		}
	}
	return added
}

// without are the things that the others do not have, told apart by a name.
func without[T any](these, others []T, name func(T) string) []T {
	var out []T
	for _, t := range these {
		if !slices.ContainsFunc(others, func(o T) bool { return name(o) == name(t) }) {
			out = append(out, t)
		}
	}
	return out
}

// unlike are the things to which none of the others is equal.
func unlike[T any](these, others []T) []T {
	var out []T
	for _, t := range these {
		if !slices.ContainsFunc(others, func(o T) bool { return reflect.DeepEqual(o, t) }) {
			out = append(out, t)
		}
	}
	return out
}

func privilegeName(p ManifestPrivilege) string { return string(p.Name) }
func roleKey(r ManifestRole) string            { return r.Key }
func neededApp(d Dependency) string            { return string(d.App) }
func secretNameOf(s ManifestSecret) string     { return s.Name }
