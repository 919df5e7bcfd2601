package readmodels_test

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/internal/ledger"
	"chancery/readmodels"
)

func TestAnEndpointIsListedWithoutItsKeys(t *testing.T) {
	w, tenant, other := newWorld(t), uuid.New(), uuid.New()
	keys := func(status, kind string) row {
		return row{"status": status, "kind": kind, "secret_sealed": "sealed:2:x", "private_sealed": "sealed:2:y", "starts_after": 9007199254740993}
	}
	hook, far := w.endpoint(tenant, "crm", keys("enabled", "webhook")), w.endpoint(other, "crm", keys("enabled", "webhook"))
	for _, r := range []row{keys("enabled", "pull"), keys("disabled", "webhook"), keys("deleted", "webhook")} {
		w.endpoint(tenant, "shop", r)
	}
	all := list(t, w.now(tenant), "endpoints", readmodels.Params{})
	if len(all.Items) != 4 {
		t.Errorf("%d endpoints of 4", len(all.Items))
	}
	for _, item := range all.Items {
		text, err := json.Marshal(item)
		if err != nil || bytes.Contains(text, []byte("sealed")) || !bytes.Contains(text, []byte(`"starts_after":"9007199254740993"`)) {
			t.Errorf("told is %s (%v)", text, err)
		}
	}
	found, err := readmodels.Webhooks(t.Context(), w.ledger.Pool(ledger.Project))
	if err != nil || len(found) != 2 {
		t.Fatalf("webhooks that are delivered to: %v %v", found, err)
	}
	for _, f := range found {
		if f.ID != hook && f.ID != far || *f.SecretSealed != "sealed:2:x" {
			t.Errorf("delivered to is %+v", f)
		}
	}
}
