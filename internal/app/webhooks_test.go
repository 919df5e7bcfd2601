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
			ID: uuid.New(), Tenant: uuid.New(), SourceApp: source, Type: "token.issued", Metadata: []byte(`{"cloudevent":{"id":"1","source":"/shop"}}`),
			Payload: []byte(`{"to":"sealed:1:a:b","hash":"abc"}`), OccurredAt: time.Now(), CreatedAt: time.Now(),
		}
		a, err := cloudevents.AttributesOf(raw)
		if err != nil || a.Type != domain.OutwardType(source, raw.Type) {
			t.Errorf("%s: %q, %v", source, a.Type, err)
		}
		doc, err := encoder().Encode(raw, true)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"core": `"data":{"to":"[sealed]","hash":"[hash]"},`, "shop": `"data":{"to":"sealed:1:a:b","hash":"abc"},`}[source]
		if !bytes.Contains(doc, []byte(want)) {
			t.Errorf("%s: %s", source, doc)
		}
	}
}
