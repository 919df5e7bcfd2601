package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chancery/domain"
)

const root = "../.."

func TestTheGeneratedDocumentsAreCurrent(t *testing.T) {
	all, err := All(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		written, err := os.ReadFile(filepath.Join(root, d.Path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(written), "\n"), strings.Split(string(d.Text), "\n")); diff != "" {
			t.Errorf("%s is not current: make generate writes it (-file +now)\n%s", d.Path, diff)
		}
	}
}

func TestTheSameCodeMakesTheSameDocuments(t *testing.T) {
	first, err := All(root)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := All(root)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestEveryEventIsExplainedAndShown(t *testing.T) {
	all, err := All(root)
	if err != nil {
		t.Fatal(err)
	}
	page := string(all[0].Text)
	for _, typ := range domain.Catalog.Types() {
		_, section, found := strings.Cut(page, "### "+typ+"\n\n")
		if !found || section[0] == '|' || section[0] == '#' {
			t.Errorf("%s has no section, or its struct no comment", typ)
		}
	}
}

func TestEveryCodeThatIsAnsweredIsListed(t *testing.T) {
	page, err := refusalsPage(filepath.Join(root, "domain"), filepath.Join(root, "commands"), filepath.Join(root, "transport"))
	if err != nil {
		t.Fatal(err)
	}
	for code, status := range map[string]string{
		"endpoint-cooling-down": "422", "event-types-not-allowed": "422", "endpoint-kind": "422", "endpoint-disabled": "422", "not-the-app": "403", "app-not-enabled": "422",
		"malformed": "400", "invalid-value": "422", "stale": "412", "idempotency-key-reused": "422", "not-found": "404", "unavailable": "503", "unauthenticated": "401",
		"unsupported-content-encoding": "415", "event-id-reused": "422", "step-up-required": "401", "four-eyes": "403",
	} {
		if !strings.Contains(string(page), "\n| `"+code+"` | "+status+" | ") {
			t.Errorf("%s (%s) is not listed", code, status)
		}
	}
	if _, err := refusalsPage("nowhere"); err == nil {
		t.Error("where there is nothing to read no refusals are found")
	}
}
