package app

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chancery/transport"
)

// The process may die after the first administrator was written and before the answer reached anybody. The token in the
// data folder is then the only way in: it gets the same answer again, as long as it lies there.
func TestAnUnansweredBootstrapIsAnsweredAgain(t *testing.T) {
	a := start(t)
	path := filepath.Join(a.config.Data, bootstrapFile)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	given := strings.TrimSpace(string(file))
	first, user, _, err := a.Bootstrap(t.Context(), transport.Origin{}, given, "ann@example.org", "Ann")
	if err != nil {
		t.Fatal(err)
	}
	head := a.headForTest(t)
	if err := os.WriteFile(path, file, 0o600); err != nil { // as if it had died before the file was removed
		t.Fatal(err)
	}
	a.Close()

	again := startOn(t, a.config.DatabaseURL, a.config.Data)
	if _, _, _, err := again.Bootstrap(t.Context(), transport.Origin{}, bootstrapPrefix+strings.Repeat("A", 26), "ann@example.org", "Ann"); err == nil {
		t.Fatal("another token was accepted")
	}
	second, sameUser, _, err := again.Bootstrap(t.Context(), transport.Origin{}, given, "ann@example.org", "Ann")
	if err != nil || second != first || sameUser != user {
		t.Fatalf("answered %q for %s, %v; the first time %q for %s", second, sameUser, err, first, user)
	}
	if now := again.headForTest(t); now != head {
		t.Errorf("%d events were added", now-head)
	}
	if r := (caller{again.handlerForTest(t), second}).do(http.MethodGet, "/v1/me", ""); r.status != http.StatusOK {
		t.Errorf("the token is answered with %d %s", r.status, r.body)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the bootstrap token still lies there")
	}
	if _, _, _, err := again.Bootstrap(t.Context(), transport.Origin{}, given, "ann@example.org", "Ann"); err == nil {
		t.Error("the token was accepted after it was removed")
	}
}
