package readmodels_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/internal/ledger"
	"chancery/readmodels"
)

func TestWhatAnAppPublishedIsShownAsItWasSent(t *testing.T) {
	w := newWorld(t)
	mine := uuid.New()
	sent := `{ "hash":"abc", "note":"sealed:1:x", "n":1e2 }`
	w.head++
	w.events[mine]++
	w.exec(ledger.Append, `INSERT INTO events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
		VALUES ($1, $2, $3, 1, 'token', 'token.spent', $4, '{}', '{}', $2, $5, $5)`, w.head, uuid.New(), mine, sent, w.at)
	for _, e := range list(t, w.now(mine), "events", readmodels.Params{}).Items {
		if got := string(e.(*readmodels.Event).Payload); got != sent {
			t.Errorf("%s, want %s", got, sent)
		}
	}
	w.happen(mine, "token.issued", sent, "token:"+mine.String())
	if got := list(t, w.now(mine), "events", readmodels.Params{}).Items; string(got[1].(*readmodels.Event).Payload) != `{ "hash":"[hash]", "note":"[sealed]", "n":1e2 }` {
		t.Errorf("Chancery's own: %s", got[1].(*readmodels.Event).Payload)
	}
}

// TestNobodyReadsWhoHasTheSameAddress: neither in the log, nor in a history, nor in what a user takes out.
func TestNobodyReadsWhoHasTheSameAddress(t *testing.T) {
	w := newWorld(t)
	mine, ann := uuid.New(), uuid.New()
	claim, user := "email:"+strings.Repeat("5b", 32), "user:"+ann.String()
	w.put("users", mine, row{"id": ann, "display_name": w.seal(mine, ann, "display_name", "Ann"), "status": "active"})
	w.happen(mine, "user.registered", fmt.Sprintf(`{"user":%q,"email_key":%q}`, ann, claim), claim, user)
	w.happen(mine, "user.erased", fmt.Sprintf(`{"user":%q,"erases":%q,"released":%q}`, ann, ann, claim), claim, user)
	history, err := w.now(mine).History(t.Context(), of(t, "users"), ann.String(), readmodels.Params{})
	if err != nil {
		t.Fatal(err)
	}
	if _, files := exported(t, w.now(mine), ann, 60); strings.Contains(files["events.ndjson"], claim) || strings.Count(files["events.ndjson"], `"[hash]"`) != 2 {
		t.Errorf("taken out: %s", files["events.ndjson"])
	}
	all := slices.Concat(history.Items, list(t, w.now(mine), "events", readmodels.Params{}).Items)
	if len(all) != 4 {
		t.Errorf("%d events", len(all))
	}
	for _, item := range all {
		e := item.(*readmodels.Event)
		if text := string(e.Payload); strings.Contains(text, claim) || !strings.Contains(text, `"[hash]"`) {
			t.Errorf("%s shows %s", e.Type, text)
		}
		if !slices.Equal(e.Tags, []string{user}) {
			t.Errorf("%s has the tags %v", e.Type, e.Tags)
		}
	}
}
