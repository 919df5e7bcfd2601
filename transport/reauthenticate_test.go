package transport_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// A long stream of lines may outlive the token that it came with: what is left of it is then refused.
func TestALongStreamEndsWithItsToken(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world) (first string, status int){
		"revoked by a line of its own": func(t *testing.T, w *world) (string, int) {
			w.vars["ci"] = w.must(t, "ann", "/v1/tenants/acme/commands/issue-token",
				`{"id":"0192f3a1-0000-7000-8000-00000000000c","name":"ci","expires_at":"2026-06-01T00:00:00Z"}`, "token")
			return `{"command":"revoke-token","body":{"id":"0192f3a1-0000-7000-8000-00000000000c"}}`, 401
		},
		"expired": func(t *testing.T, w *world) (string, int) { // the clock of this world moves on by a millisecond each time it is read
			soon := time.Unix(0, w.clock.Load()).Add(300 * time.Millisecond).UTC().Format(time.RFC3339Nano)
			w.vars["ci"] = w.must(t, "ann", "/v1/tenants/acme/commands/issue-token", `{"name":"ci","expires_at":"`+soon+`"}`, "token")
			return `{"command":"create-group","body":{"name":"first"}}`, 401
		},
		"unknown, as the log cannot be read": func(t *testing.T, w *world) (string, int) {
			w.vars["ci"] = w.vars["ann"]
			asked := 0
			w.config.Fresh = func(context.Context) error {
				if asked++; asked > 1 {
					return errors.New("the database is away")
				}
				return nil
			}
			w.restart(t)
			return `{"command":"create-group","body":{"name":"first"}}`, 503
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.people(t)
			first, status := end(t, w)
			lines := []string{first}
			for i := range 700 {
				lines = append(lines, fmt.Sprintf(`{"command":"create-group","body":{"name":"g%d"}}`, i))
			}
			got := w.bulk(t, "ci", "acme", "", lines...)
			if len(got) != len(lines) {
				t.Fatalf("%d answers to %d lines", len(got), len(lines))
			}
			for i, a := range got {
				want := 200
				if i >= 500 {
					want = status
				}
				if a.Status != want {
					t.Fatalf("line %d: %+v, want %d", i, a, want)
				}
			}
		})
	}
}
