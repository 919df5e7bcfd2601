package domain_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
)

func parsed(t *testing.T, text string) domain.Manifest {
	t.Helper()
	m, _, _, err := domain.ParseManifest([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatChangesFromOneVersionToAnotherIsToldCompletely(t *testing.T) {
	from := parsed(t, `{"app":"x","version":"1.0.0",
		"compatibility":{"apps":[{"app":"a","range":"^1.0"},{"app":"b","range":"*"}]},
		"privileges":[{"name":"x.read","description":"r"},{"name":"x.void","description":"v"}],
		"roles":[{"key":"one","title":"One","privileges":["x.read","x.void"]},{"key":"two","title":"Two","privileges":["x.*"]},{"key":"same","title":"Same","privileges":["x.read"]}],
		"routes":[{"path":"/x","methods":["GET"]},{"path":"/same"}],"events":{"consumes":["core.user.*"]},
		"secrets":[{"name":"s"}],"config":{"type":"object"}}`)
	to := parsed(t, `{"app":"x","version":"1.1.0","license_required":true,
		"compatibility":{"apps":[{"app":"a","range":"^2.0"},{"app":"c","range":"*"}]},
		"privileges":[{"name":"x.read","description":"other words"},{"name":"x.send","description":"s"}],
		"roles":[{"key":"one","title":"First","privileges":["x.read","x.send"]},{"key":"three","title":"Three","privileges":["x.*"]},{"key":"same","title":"Same","privileges":["x.read"]}],
		"routes":[{"path":"/x","methods":["GET","POST"]},{"path":"/same"}],"events":{"consumes":["core.group.*"]},
		"secrets":[{"name":"z"}],"config":{"type":"object","required":["a"]}}`)
	want := domain.ManifestDiff{
		PrivilegesAdded: []domain.ManifestPrivilege{{Name: "x.send", Description: "s"}}, PrivilegesRemoved: []domain.Privilege{"x.void"},
		RolesAdded:   []domain.ManifestRole{{Key: "three", Title: "Three", Privileges: []domain.Pattern{"x.*"}}},
		RolesChanged: []domain.RoleDiff{{Key: "one", Title: "First", Added: []domain.Pattern{"x.send"}, Removed: []domain.Pattern{"x.void"}, Reworded: true}},
		RolesRemoved: []domain.ManifestRole{{Key: "two", Title: "Two", Privileges: []domain.Pattern{"x.*"}}},
		RoutesAdded:  []domain.Route{{Path: "/x", Methods: []string{"GET", "POST"}}}, RoutesRemoved: []domain.Route{{Path: "/x", Methods: []string{"GET"}}},
		NeedsAdded: []domain.Dependency{{App: "a", Range: "^2.0"}, {App: "c", Range: "*"}}, NeedsRemoved: []domain.App{"b"},
		SecretsAdded: []domain.ManifestSecret{{Name: "z"}}, SecretsRemoved: []string{"s"},
		ConsumesAdded: []string{"core.group.*"}, ConsumesRemoved: []string{"core.user.*"}, LicenseAdded: true, ConfigChanged: true,
	}
	if diff := cmp.Diff(want, domain.ManifestChanges(from, to)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(domain.ManifestDiff{}, domain.ManifestChanges(to, to)); diff != "" {
		t.Errorf("a version differs from itself:\n%s", diff)
	}
	if back := domain.ManifestChanges(to, from); !back.LicenseRemoved || back.LicenseAdded {
		t.Errorf("a licence is no longer needed, and that is not told: %+v", back)
	}
}

func TestWhatAPatternComesToMatchIsAChangeOfTheRole(t *testing.T) {
	role := func(patterns string) string {
		return `"roles":[{"key":"one","title":"One","privileges":[` + patterns + `]}]}`
	}
	few := parsed(t, `{"app":"x","version":"1.0.0","privileges":[{"name":"x.read","description":"r"}],`+role(`"x.*"`))
	many := parsed(t, `{"app":"x","version":"1.1.0","privileges":[{"name":"x.read","description":"r"},{"name":"x.admin","description":"a"}],`+role(`"x.*"`))
	named := parsed(t, `{"app":"x","version":"1.2.0","privileges":[{"name":"x.read","description":"r"},{"name":"x.admin","description":"a"}],`+role(`"x.read"`))
	for name, c := range map[string]struct {
		from, to domain.Manifest
		want     []domain.RoleDiff
	}{
		"more":    {few, many, []domain.RoleDiff{{Key: "one", Title: "One", Added: []domain.Pattern{"x.admin"}}}},
		"less":    {many, few, []domain.RoleDiff{{Key: "one", Title: "One", Removed: []domain.Pattern{"x.admin"}}}},
		"same":    {many, many, nil},
		"pattern": {named, many, []domain.RoleDiff{{Key: "one", Title: "One", Added: []domain.Pattern{"x.*"}, Removed: []domain.Pattern{"x.read"}}}},
	} {
		if diff := cmp.Diff(c.want, domain.ManifestChanges(c.from, c.to).RolesChanged); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
