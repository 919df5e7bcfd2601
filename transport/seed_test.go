package transport_test

import (
	"encoding/json"
	"testing"

	"chancery/domain"
)

// Whoever has the log and the key file, such as the thief of a backup, does not have the tokens: ADR 0006.
func TestATokenDoesNotFollowFromTheLogAndTheKeyFile(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	const body = `{"name":"t","expires_at":"2026-06-01T00:00:00Z"}`
	for name, headers := range map[string][]string{"without a key": nil, "with a key": {"Idempotency-Key", "k1"}} {
		rec := w.do("ann", "POST", "/v1/tenants/acme/commands/issue-token", body, headers...)
		var answer struct {
			Token string `json:"token"`
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || answer.Token == "" {
			t.Fatalf("%s: %s %v", name, rec.Body, err)
		}
		head, err := w.log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		raws, err := w.log.Page(t.Context(), head-1, 1)
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.store.Decode(raws[0])
		if err != nil {
			t.Fatal(err)
		}
		issued := r.Event.(domain.TokenIssued)
		for _, seed := range []string{r.Request.String(), string(r.Request[:]), r.ID.String(), issued.Token.String(), r.Correlation, ""} {
			if w.engine.Mint("issue", seed, issued.Token.UUID) == answer.Token {
				t.Errorf("%s: the token is made of %q, which the log keeps", name, seed)
			}
		}
		if again := w.do("ann", "POST", "/v1/tenants/acme/commands/issue-token", body, headers...); headers != nil && again.Body.String() != rec.Body.String() {
			t.Errorf("%s: the repeated request was answered %s, the first %s", name, again.Body, rec.Body)
		}
	}
}
