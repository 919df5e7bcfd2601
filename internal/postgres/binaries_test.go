package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheCallersPathComesFirstThenTheNewestOfTheSystemThenTheCache(t *testing.T) {
	root := shortFolder(t)
	onPath := filepath.Join(root, "mine")
	older, newest := filepath.Join(root, "usr/lib/postgresql/15/bin"), filepath.Join(root, "usr/lib/postgresql/17/bin")
	ancient := filepath.Join(root, "usr/lib/postgresql/9.6/bin")
	cache := filepath.Join(root, "cache/native/bin")
	p := places{path: onPath, root: root, cache: filepath.Join(root, "cache")}
	if _, err := p.search(t.Context(), me(t), 0); err == nil {
		t.Error("found PostgreSQL in an empty folder")
	}
	// each that is added is better than those before
	for _, step := range []struct {
		dir     string
		version string
		want    string
	}{
		{ancient, "9.6.3", ""},
		{cache, "17.1", cache},
		{older, "15.18", older},
		{newest, "17.2 (Debian)", newest},
		{onPath, "16.0", onPath},
	} {
		fake(t, step.dir, step.version)
		got, _ := p.search(t.Context(), me(t), 0)
		if got.Dir != step.want {
			t.Errorf("with %s: got %q", step.dir, got.Dir)
		}
	}
	if got, err := p.search(t.Context(), me(t), 15); err != nil || got.Dir != older || got.Major != 15 {
		t.Errorf("for a cluster of version 15: got %v, %v", got, err)
	}
}

func TestPostgresWithoutInitdbDoesNotCount(t *testing.T) {
	root := shortFolder(t)
	fake(t, root, "15.1")
	if err := os.Remove(filepath.Join(root, "initdb")); err != nil {
		t.Fatal(err)
	}
	if got, err := probe(t.Context(), root, me(t)); err == nil {
		t.Errorf("got %v", got)
	}
}

func TestANamedFolderIsUsedOrRefusedButNeverReplaced(t *testing.T) {
	empty := shortFolder(t)
	t.Setenv("CHANCERY_PG_BIN", empty)
	if _, err := find(t.Context(), Config{}, me(t), 0); err == nil || !strings.Contains(err.Error(), empty) {
		t.Errorf("got %v", err)
	}
	old := shortFolder(t)
	fake(t, old, "14.9")
	if _, err := find(t.Context(), Config{Bin: old}, me(t), 0); err == nil || !strings.Contains(err.Error(), "holds version 14") {
		t.Errorf("got %v", err)
	}
	good := shortFolder(t)
	fake(t, good, "16.4")
	if b, err := find(t.Context(), Config{Bin: good}, me(t), 0); err != nil || b.Dir != good {
		t.Errorf("got %v, %v", b, err)
	}
}

// fake makes a folder that looks like PostgreSQL's to whoever asks for its version.
func fake(t *testing.T, dir, version string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgres", "initdb"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %s'\n", name, version)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func me(t *testing.T) account {
	t.Helper()
	a, err := accountFor("")
	if err != nil {
		t.Fatal(err)
	}
	return a
}
