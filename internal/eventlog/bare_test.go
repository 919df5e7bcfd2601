package eventlog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

func TestABareLogLeavesOutNothingButThePayloadOfWhatAppsPublish(t *testing.T) {
	p := open(t, eventlog.Config{})
	id, tenant := uuid.New(), uuid.New()
	event := func(source string) eventlog.Raw {
		return eventlog.Raw{Tenant: tenant, SourceApp: source, Type: "x.y", Payload: []byte(`{"a":1}`), Metadata: []byte(`{"b":2}`), Tags: []string{"t:1"}}
	}
	if _, err := p.Append(t.Context(), eventlog.Request{
		Parts: []eventlog.Part{{ID: id, Fingerprint: id[:], Events: 2}}, Events: []eventlog.Raw{event("core"), event("shop")},
	}); err != nil {
		t.Fatal(err)
	}
	whole, err := p.Page(t.Context(), 0, 10)
	if err != nil || len(whole) != 2 || string(whole[1].Payload) != `{"a":1}` {
		t.Fatalf("%+v %v", whole, err)
	}
	bare, err := eventlog.Bare{PG: p}.Page(t.Context(), 0, 10)
	whole[1].Payload = nil
	if diff := cmp.Diff(whole, bare); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}
