package domain_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"chancery/domain"
)

const golden = "testdata/events"

// The files stand for payloads in logs that exist: they are never changed. A type gets its file, with every
// field set, when it is new; a payload of a later shape goes into <type>@<what is new>.json.
func TestEveryEventStillReadsWhatWasWritten(t *testing.T) {
	for _, typ := range domain.Catalog.Types() {
		files, err := filepath.Glob(filepath.Join(golden, typ+"@*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range append(files, filepath.Join(golden, typ+".json")) {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { readsAndWrites(t, typ, file) })
		}
	}
}

func readsAndWrites(t *testing.T, typ, file string) {
	t.Helper()
	written, err := os.ReadFile(file)
	if err != nil {
		fields, _ := json.Marshal(domain.Catalog.Zero(typ))
		t.Fatalf("%v\nevery event type needs a sample of its payload, on one line; without values it is\n%s", err, fields)
	}
	written = bytes.TrimSuffix(written, []byte("\n"))
	event, err := domain.Catalog.Decode(typ, written)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	// A successor of a retired type is written as what it is now.
	if event.EventType() == typ {
		if diff := cmp.Diff(string(written), string(again)); diff != "" {
			t.Errorf("%s re-encodes differently (-file +now):\n%s", typ, diff)
		}
	}
}

func TestNoEventTypeLeavesTheCatalogue(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		typ, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "@")
		if domain.Catalog.Zero(typ) == nil {
			t.Errorf("%s: events of this type are in logs, and the catalogue does not know it", typ)
		}
	}
}
