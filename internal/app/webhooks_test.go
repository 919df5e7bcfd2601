package app

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/cloudevents"
	"chancery/internal/eventlog"
)

func TestWhatLeavesChanceryIsNamedAndMaskedAsItsQueriesDo(t *testing.T) {
	for _, source := range []string{"core", "shop"} {
		raw := &eventlog.Raw{
			ID: uuid.New(), Tenant: uuid.New(), SourceApp: source, Type: "user.registered", Metadata: []byte(`{"cloudevent":{"id":"1","source":"/shop"}}`),
			Payload: []byte(`{"to":"sealed:1:a:b","email_key":"email:5b6f"}`), OccurredAt: time.Now(), CreatedAt: time.Now(),
		}
		a, err := cloudevents.AttributesOf(raw)
		if err != nil || a.Type != domain.OutwardType(source, raw.Type) {
			t.Errorf("%s: %q, %v", source, a.Type, err)
		}
		doc, err := encoder().Encode(raw, true)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"core": `"data":{"to":"[sealed]","email_key":"[hash]"}}`, "shop": `"data":{"to":"sealed:1:a:b","email_key":"email:5b6f"}}`}[source]
		if !bytes.Contains(doc, []byte(want)) {
			t.Errorf("%s: %s", source, doc)
		}
	}
}
