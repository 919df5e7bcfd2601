package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chancery/internal/ledger"
)

func TestEveryProjectionStatementIsOneThatReplayUnderstands(t *testing.T) {
	files, err := filepath.Glob("../../sql/queries/projections/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no statements found", err)
	}
	w := newWorld(t)
	names := w.texts(`SELECT relname::text FROM pg_class WHERE relnamespace = 'core'::regnamespace AND relkind = 'r'`)
	tables := &Tables{values: newValues(), tables: map[string]*table{}}
	for _, name := range names {
		if d, err := Describe(t.Context(), w.Pool(ledger.Owner), "core", []string{name}); err == nil {
			tables.tables[name] = &table{desc: &d[0]}
		}
	}
	parameter := regexp.MustCompile(`@\w+|sqlc\.n?arg\('?\w+'?\)`)
	for _, f := range files {
		if filepath.Base(f) == "deliveries.sql" {
			continue // of tables that no projector keeps, and no replay makes
		}
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range strings.Split(string(content), "-- name: ")[1:] {
			numbers := map[string]string{} // as sqlc numbers them
			sql = parameter.ReplaceAllStringFunc("-- name: "+sql, func(p string) string {
				if numbers[p] == "" {
					numbers[p] = fmt.Sprint("$", len(numbers)+1)
				}
				return numbers[p]
			})
			if _, err := tables.compile(sql); err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(f), title(sql), err)
			}
		}
	}
}
