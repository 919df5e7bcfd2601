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
