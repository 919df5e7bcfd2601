package authn_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chancery/internal/authn"
)

// keys are keyed functions of a test. Peppers are named by their texts.
type keys struct {
	today string
	old   []string
}

func keyed(key string, parts ...string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	for _, p := range parts {
		m.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return m.Sum(nil)
}

func (k keys) Pepper(password string) (string, []byte) { return k.today, keyed(k.today, password) }

func (k keys) PepperOf(id, password string) ([]byte, bool) {
	return keyed(id, password), id == k.today || slices.Contains(k.old, id)
}

func (k keys) TokenSecret(parts ...string) [32]byte { return [32]byte(keyed("tokens", parts...)) }

func engine(t testing.TB, c authn.Config) *authn.Engine {
	t.Helper()
	if c.Keys == nil {
		c.Keys = keys{today: "p1"}
	}
	e, err := authn.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestSettingsThatDoNotWorkAreRefused(t *testing.T) {
	for want, c := range map[string]authn.Config{
		"needs at least 64 MiB":     {Memory: 32},
		"must be like https":        {PublicURL: "chancery.example.org"},
		"the public URL must":       {PublicURL: "ftp://chancery.example.org"},
		"no such file or directory": {Breached: "/nowhere"},
	} {
		c.Keys = keys{today: "p1"}
		if _, err := authn.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not say %q", err, want)
		}
	}
}
