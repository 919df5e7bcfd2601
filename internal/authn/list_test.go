package authn_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chancery/internal/authn"
)

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func list(t *testing.T, content string) *authn.List {
	t.Helper()
	l, err := authn.OpenList(file(t, content))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func sha(password string) string {
	sum := sha1.Sum([]byte(password))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// published is a list as Have I Been Pwned publishes it.
func published(n int, form func(i int, hash string) string) string {
	var lines []string
	for i := range n {
		lines = append(lines, form(i, sha(fmt.Sprint("password ", i))))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func has(t *testing.T, l *authn.List, password string) bool {
	t.Helper()
	found, err := l.Has(password)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAListOfHashesIsSearchedOnDisk(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for name, form := range map[string]func(i int, hash string) string{
		"with counts":     func(_ int, h string) string { return fmt.Sprintf("%s:%d\n", h, random.IntN(1<<random.IntN(30))) },
		"of Windows":      func(i int, h string) string { return fmt.Sprintf("%s:%d\r\n", h, i) },
		"without counts":  func(_ int, h string) string { return h + "\n" },
		"in small letter": func(_ int, h string) string { return strings.ToLower(h) + "\n" },
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 100, 3000} {
				content := published(n, form)
				for _, end := range []string{"", "cut"} {
					if end != "" {
						content = strings.TrimRight(content, "\r\n") // no end of the last line
					}
					l := list(t, content)
					for i := range n + 50 {
						if got := has(t, l, fmt.Sprint("password ", i)); got != (i < n) {
							t.Fatalf("of %d, password %d: %v", n, i, got)
						}
					}
				}
			}
		})
	}
}

func TestAPlainListIsTakenAsItIs(t *testing.T) {
	l := list(t, "first one\nCafé\r\n\n  with spaces  \nlast")
	for password, want := range map[string]bool{"first one": true, "Café": true, "  with spaces  ": true, "last": true, "": false, "with spaces": false} {
		if got := has(t, l, password); got != want {
			t.Errorf("%q: %v", password, got)
		}
	}
}

func TestTheOperatorsListIsHeeded(t *testing.T) {
	for name, content := range map[string]string{"plain": "violet umbrella 7\n", "hashes": sha("violet umbrella 7") + ":3\n"} {
		e := engine(t, authn.Config{Breached: file(t, content)})
		for password, want := range map[string]bool{"violet umbrella 7": true, "Violet Umbrella 7": true, "violet umbrella 8": false, "password": true} {
			if got, err := e.Known(password); err != nil || got != want {
				t.Errorf("%s: %q: %v, %v", name, password, got, err)
			}
		}
	}
}

func TestAListOfNoFormIsRefusedWithASentence(t *testing.T) {
	line := func(i int, h string) string { return fmt.Sprintf("%s:%d\n", h, i) }
	sorted := strings.SplitAfter(published(2000, line), "\n")
	unsorted := slices.Clone(sorted)
	slices.Reverse(unsorted[:len(unsorted)-1])
	broken := slices.Clone(sorted)
	for i := 500; i < 600; i++ {
		broken[i] = "not a hash at all, but as long as any other of\n"
	}
	for want, content := range map[string]string{
		"is empty":            "",
		"not sorted":          strings.Join(unsorted, ""),
		"is not a SHA-1 hash": strings.Join(broken, ""),
		"NTLM":                "8846F7EAEE8FB117AD06BDD830B7586C:3\n",
		"is not text":         "\x1f\x8b\x08\x00\x00\x00\x00\x00 zipped",
		"line 3 is not text":  "one\ntwo\n\xff\n",
		"too long":            strings.Repeat("x", 1<<20),
	} {
		if _, err := authn.OpenList(file(t, content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not say %q", err, want)
		}
	}
	if _, err := authn.OpenList(t.TempDir()); err == nil {
		t.Error("a folder is a list")
	}
}

func TestAListThatIsLostWhileItServesIsAFault(t *testing.T) {
	name := file(t, published(1000, func(_ int, h string) string { return h + "\n" }))
	l, err := authn.OpenList(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Has("password 1"); err == nil {
		t.Error("a list that was cut off knows that a password is not on it")
	}
	_ = l.Close()
	if _, err := l.Has("password 1"); err == nil {
		t.Error("a closed list answers")
	}
}
