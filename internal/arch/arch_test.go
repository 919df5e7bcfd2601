// Package arch holds the architecture: who may import whom, and that a feature has its file in every layer.
package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "chancery/"

// may lists, for the packages that people read and change most, which of our own packages each may import. A package
// not listed is an engine in internal/: it knows no feature, see TestEnginesKnowNoFeature.
var may = map[string][]string{
	"domain":      {"internal/dcb"},
	"commands":    {"domain", "internal/dcb", "internal/access", "license"},
	"license":     {},
	"projections": {"domain", "internal/dcb", "internal/feed", "projections/internal/rows"},
	"readmodels": {
		"domain", "internal/dcb", "internal/ledger", "readmodels/internal/rows", "readmodels/internal/decimal",
		"internal/vault",    // personal data is opened at the edge
		"internal/masks",    // and what is not, is hidden
		"internal/eventlog", // a thing's history is read from the log itself
		"internal/turns",    // who asks much keeps nobody waiting
	},
	"transport":           {"domain", "commands", "readmodels", "internal/dcb", "internal/access", "internal/apitoken", "internal/strictjson", "internal/vault", "internal/throttle", "internal/oidc", "internal/gateway", "internal/cloudevents", "internal/pulls", "internal/turns"},
	"cmd/chancery":        {"internal/app"},
	"internal/dcb":        {},
	"internal/access":     {"domain", "internal/dcb"},
	"internal/eventlog":   {"internal/ledger"},
	"internal/ledger":     {"sql"},
	"internal/feed":       {"internal/dcb", "internal/eventlog"},
	"internal/replay":     {"internal/dcb", "internal/eventlog", "internal/feed"},
	"internal/codec":      {"internal/dcb", "internal/eventlog", "internal/vault"},
	"internal/mail":       {},
	"internal/vault":      {"internal/durable"},
	"internal/postgres":   {},
	"internal/pgtest":     {"internal/postgres"},
	"internal/apitoken":   {},
	"internal/oidc":       {"internal/egress"},
	"internal/egress":     {},
	"internal/masks":      {"internal/vault"},
	"internal/webhooks":   {"internal/deliveries", "internal/egress", "internal/eventlog"},
	"internal/erasures":   {"internal/durable"},
	"sql":                 {},
	"internal/strictjson": {},
	"internal/due":        {},
	"internal/reactions":  {"internal/dcb", "internal/feed"},
	"internal/authn":      {},
	"internal/throttle":   {},
	"internal/pulls":      {"internal/dcb", "internal/eventlog", "internal/turns"},
	"internal/turns":      {},
	"internal/gateway":    {},
	"internal/bridge":     {"internal/eventlog"},
}

// mayNot lists imports from outside, by their beginning, that would break a layer's promise.
var mayNot = map[string][]string{
	"domain":      {"github.com/jackc/", "database/sql", "net/http", "math/rand", "crypto/rand", "os"},
	"commands":    {"github.com/jackc/", "database/sql", "net/http", "os"}, // chance only spreads retries
	"projections": {"github.com/jackc/", "database/sql", "net/http", "math/rand", "crypto/rand", "os"},
	"transport":   {"github.com/jackc/", "database/sql"},
}

// features have one file of this name in each of layers.
var (
	features = []string{
		"activations", "app-versions", "apps", "entitlements", "licenses", "routes", "seats", "signing-keys", "tenant-apps", "vendors",
		"approvals", "assignments", "constraints", "credentials", "delegations", "departments", "domains", "erasures", "group-invitations",
		"group-memberships", "groups", "identities", "impersonations", "issuers", "links", "overrides", "policies", "privileges", "reviews",
		"endpoints", "consumption", "deliveries", "roles", "secrets", "sessions", "tenants", "tokens", "users",
	}
	layers = []string{"domain", "commands", "projections", "readmodels"}
)

func TestImportsPointOneWay(t *testing.T) {
	for pkg, imports := range imported(t) {
		allowed, listed := may[pkg]
		for _, i := range imports {
			ours, isOurs := strings.CutPrefix(i, module)
			if isOurs && listed && !slices.Contains(allowed, ours) {
				t.Errorf("%s must not import %s", pkg, ours)
			}
			for _, bad := range mayNot[pkg] {
				if i == bad || strings.HasPrefix(i, strings.TrimSuffix(bad, "/")+"/") {
					t.Errorf("%s must not import %s", pkg, i)
				}
			}
		}
	}
}

func TestEnginesKnowNoFeature(t *testing.T) {
	composition := []string{ // the root; the rules of access; what writes the documents
		"internal/app", "internal/access", "internal/access/accesstest", "internal/docs", "internal/docs/generate",
	}
	for pkg, imports := range imported(t) {
		if !strings.HasPrefix(pkg, "internal/") || slices.Contains(composition, pkg) {
			continue
		}
		for _, i := range imports {
			for _, layer := range append([]string{"transport", "cmd", "internal/app"}, layers...) {
				if i == module+layer || strings.HasPrefix(i, module+layer+"/") {
					t.Errorf("%s must not import %s", pkg, i)
				}
			}
		}
	}
}

func TestOnlyTheCompositionRootStartsDatabases(t *testing.T) {
	for pkg, imports := range imported(t) {
		if !slices.Contains([]string{"internal/app", "internal/pgtest", "bench"}, pkg) && slices.Contains(imports, module+"internal/postgres") {
			t.Errorf("%s must not import internal/postgres", pkg)
		}
		if pkg != "bench" && slices.Contains(imports, module+"internal/pgtest") {
			t.Errorf("%s must import internal/pgtest from its tests only", pkg)
		}
	}
}

func TestAFeatureHasItsFileInEveryLayer(t *testing.T) {
	for _, layer := range layers {
		if _, err := os.Stat(filepath.Join("../..", layer)); err != nil {
			t.Logf("layer %s is not there yet", layer)
			continue
		}
		for _, feature := range features {
			if _, err := os.Stat(filepath.Join("../..", layer, feature+".go")); err != nil {
				t.Errorf("%s/%s.go is missing", layer, feature)
			}
		}
	}
}

// imported is what each package of the module imports, tests aside.
func imported(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		all[strings.TrimPrefix(f[0], module)] = f[1:]
	}
	return all
}
