package vault_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"chancery/internal/vault"

	"github.com/google/uuid"
)

func TestTheKeyFileIsMadeOnceAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "keys")
	first := loadKeys(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if again := loadKeys(t, path); again.Fingerprint() != first.Fingerprint() {
		t.Error("a restart has other keys")
	}
	if other := loadKeys(t, filepath.Join(t.TempDir(), "keys")); other.Fingerprint() == first.Fingerprint() {
		t.Error("two files have one fingerprint")
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("temporary files stay behind: %v", left)
	}
}

func TestAKeyFileThatOthersMayReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	loadKeys(t, path)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o601, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := vault.LoadKeys(path)
		if err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		loadKeys(t, path)
	}
}

func TestADamagedKeyFileIsRefusedAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	loadKeys(t, path)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty":         "",
		"half":          string(good[:len(good)/2]),
		"no claims key": strings.Replace(string(good), `"claims"`, `"clams"`, 1),
		"later version": strings.Replace(string(good), `"version": 2`, `"version": 3`, 1),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := vault.LoadKeys(path)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && regexp.MustCompile(`[A-Za-z0-9+/]{32}`).MatchString(strings.ReplaceAll(err.Error(), path, "")) {
			t.Errorf("%s: the error may quote a key: %v", name, err)
		}
		if now, _ := os.ReadFile(path); string(now) != content {
			t.Errorf("%s: the file was replaced", name)
		}
	}
}

func TestGoroutinesThatRaceForTheKeyFileGetOne(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "keys")
		names := make([]string, 8)
		var wg sync.WaitGroup
		for i := range names {
			wg.Go(func() {
				if keys, err := vault.LoadKeys(path); err == nil {
					names[i] = keys.Fingerprint()
				}
			})
		}
		wg.Wait()
		for _, name := range names {
			if name == "" || name != names[0] {
				t.Fatalf("%v", names)
			}
		}
	}
}

// raceFile, in the environment, makes this test program load that key file and print the fingerprint.
const raceFile = "VAULT_TEST_RACE_FILE"

func TestProcessesThatRaceForTheKeyFileGetOne(t *testing.T) {
	if path := os.Getenv(raceFile); path != "" {
		os.Stdout.WriteString("fingerprint=" + loadKeys(t, path).Fingerprint() + "\n")
		return
	}
	path := filepath.Join(t.TempDir(), "keys")
	outputs := make([]string, 4)
	var wg sync.WaitGroup
	for i := range outputs {
		wg.Go(func() {
			child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
			child.Env = append(os.Environ(), raceFile+"="+path)
			out, _ := child.Output()
			outputs[i] = regexp.MustCompile(`fingerprint=\w+`).FindString(string(out))
		})
	}
	wg.Wait()
	for _, output := range outputs {
		if output == "" || output != outputs[0] {
			t.Fatalf("%q", outputs)
		}
	}
}

func TestAClaimIsStableAndSaysNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	keys := loadKeys(t, path)
	claim := keys.Claim(acme, "email", "ann@acme.test")
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(claim) {
		t.Errorf("claim %q", claim)
	}
	if again := loadKeys(t, path).Claim(acme, "email", "ann@acme.test"); again != claim {
		t.Error("a restart has other claims")
	}
	seen := map[string]string{claim: "ann@acme.test"}
	for name, other := range map[string]string{
		"other tenant": keys.Claim(bolt, "email", "ann@acme.test"),
		"other kind":   keys.Claim(acme, "subject", "ann@acme.test"),
		"other value":  keys.Claim(acme, "email", "ben@acme.test"),
		"shifted":      keys.Claim(acme, "emaila", "nn@acme.test"),
		"other file":   loadKeys(t, filepath.Join(t.TempDir(), "keys")).Claim(acme, "email", "ann@acme.test"),
	} {
		if twin, taken := seen[other]; taken {
			t.Errorf("%s equals %s", name, twin)
		}
		seen[other] = name
	}
}

func TestATokenSecretDependsOnEveryPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	keys := loadKeys(t, path)
	secret := keys.TokenSecret("a", "bc")
	if loadKeys(t, path).TokenSecret("a", "bc") != secret {
		t.Error("a restart has other secrets")
	}
	for _, parts := range [][]string{{"ab", "c"}, {"abc"}, {"a", "bc", ""}, {"", "a", "bc"}, {}, {"a", strings.Repeat("b", 999)}} {
		if keys.TokenSecret(parts...) == secret {
			t.Errorf("%q has the secret of [a bc]", parts)
		}
	}
}

func BenchmarkClaim(b *testing.B) {
	keys := loadKeys(b, filepath.Join(b.TempDir(), "keys"))
	tenant := uuid.New()
	b.ReportAllocs()
	for b.Loop() {
		keys.Claim(tenant, "email", "ann.example@acme.test")
	}
}

func BenchmarkTokenSecret(b *testing.B) {
	keys := loadKeys(b, filepath.Join(b.TempDir(), "keys"))
	for b.Loop() {
		keys.TokenSecret("018f3b0e-0000-7000-8000-00000000000a", "018f3b0e-0000-7000-8000-00000000000b")
	}
}
