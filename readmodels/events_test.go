package readmodels_test

import (
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
